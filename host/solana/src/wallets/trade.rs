use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::order::Side;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use solana_address::Address;
use solana_signature::Signature;

use super::recognition::{Leg, Swap};
use super::settings::WatchSettings;

/// A swap of a tracked wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderTrade {
    /// The transaction.
    pub signature: Signature,
    /// The slot of its block.
    pub slot: u64,
    /// Its place among the wallet's transactions of that slot, from 0.
    pub ordinal: u32,
    /// When its block was made, in seconds since 1970, where the node knows.
    pub time: Option<i64>,
    /// Whether its block can't leave the chain any more.
    pub is_final: bool,
    /// What it was.
    pub deal: Deal,
    /// Whether strategies were told.
    pub told: bool,
}

/// What a swap was, by the markets that are configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deal {
    /// What went.
    pub given: Leg,
    /// What came.
    pub got: Leg,
    /// Of which instrument it was; none when no market is of its tokens.
    pub instrument: Option<InstrumentId>,
    /// Which of the two was the money: bought was what came for money. Not known when both or none are.
    pub side: Option<Side>,
    /// Money for each unit of the other token, when the side is known. In the market's own quote token only when that was
    /// what was paid with.
    pub price: Option<Decimal>,
}

impl Deal {
    pub(super) fn new(swap: Swap, settings: &WatchSettings) -> Self {
        let Swap { given, got } = swap;
        let exact = settings.markets.iter().find_map(|market| {
            let (base, quote) = (market.base.mint, market.quote.mint);
            match (given.mint, got.mint) {
                pair if pair == (quote, base) => Some((market.instrument, Side::Buy)),
                pair if pair == (base, quote) => Some((market.instrument, Side::Sell)),
                _ => None,
            }
        });
        let side = exact.map(|(_, side)| side).or_else(|| {
            match (settings.is_money(given.mint), settings.is_money(got.mint)) {
                (true, false) => Some(Side::Buy),
                (false, true) => Some(Side::Sell),
                _ => None,
            }
        });
        let mut deal = Self { given, got, instrument: None, side, price: None };
        let Some((base, money)) = deal.base().zip(deal.money()) else { return deal };
        let of_base = || settings.markets.iter().find(|market| market.base.mint == base.mint);
        deal.instrument = exact.map(|(instrument, _)| instrument).or_else(|| Some(of_base()?.instrument));
        deal.price = money.amount.checked_div(base.amount).map(|price| price.normalize());
        deal
    }

    /// What was bought or sold, when the side is known.
    #[must_use]
    pub fn base(&self) -> Option<Leg> {
        self.side.map(|side| if side == Side::Buy { self.got } else { self.given })
    }

    /// What was paid or taken for it.
    #[must_use]
    pub fn money(&self) -> Option<Leg> {
        self.side.map(|side| if side == Side::Buy { self.given } else { self.got })
    }

    /// What is told to strategies: the instrument, and how much of its base token was bought, below zero when it was sold.
    /// Nothing when it is of no instrument.
    #[must_use]
    pub fn signed_size(&self) -> Option<(InstrumentId, f64)> {
        let size = self.base()?.amount.to_f64()?;
        Some((self.instrument?, if self.side? == Side::Buy { size } else { -size }))
    }

    /// Whether it is of this token.
    #[must_use]
    pub fn is_of(&self, mint: Address) -> bool {
        self.given.mint == mint || self.got.mint == mint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::WRAPPED_SOL;
    use crate::settings::{Market, Token};

    const BASE: Address = Address::new_from_array([1; 32]);
    const DOLLAR: Address = Address::new_from_array([2; 32]);
    const MEME: Address = Address::new_from_array([3; 32]);
    const OTHER: Address = Address::new_from_array([4; 32]);

    fn settings() -> WatchSettings {
        let token =
            |mint| Token { symbol: "T".to_owned(), mint, program: crate::programs::TOKEN, decimals: 6 };
        let market = |number, base| Market {
            instrument: InstrumentId(number),
            base: token(base),
            quote: token(DOLLAR),
        };
        let mut settings = WatchSettings::new(vec![market(0, BASE), market(1, WRAPPED_SOL), market(2, MEME)]);
        settings.money.insert(WRAPPED_SOL);
        settings
    }

    fn deal(given: (Address, i64), got: (Address, i64)) -> Deal {
        let leg = |(mint, amount): (Address, i64)| Leg { mint, amount: amount.into() };
        Deal::new(Swap { given: leg(given), got: leg(got) }, &settings())
    }

    fn told(deal: &Deal) -> (Option<u32>, Option<Side>, Option<Decimal>) {
        (deal.instrument.map(|instrument| instrument.0), deal.side, deal.price)
    }

    #[test]
    fn a_trade_of_a_market_has_its_instrument_side_and_price() {
        let bought = deal((DOLLAR, 10), (BASE, 4));
        assert_eq!(told(&bought), (Some(0), Some(Side::Buy), Some(Decimal::new(25, 1))));
        assert_eq!(bought.signed_size(), Some((InstrumentId(0), 4.0)));
        let sold = deal((BASE, 4), (DOLLAR, 10));
        assert_eq!(sold.signed_size(), Some((InstrumentId(0), -4.0)));
    }

    #[test]
    fn money_of_another_kind_buys_in_the_market_of_the_token() {
        assert_eq!(
            told(&deal((WRAPPED_SOL, 2), (MEME, 8))),
            (Some(2), Some(Side::Buy), Some(Decimal::new(25, 2)))
        );
    }

    #[test]
    fn money_for_money_is_a_trade_of_its_own_market() {
        assert_eq!(told(&deal((DOLLAR, 200), (WRAPPED_SOL, 1))).0, Some(1));
        assert_eq!(told(&deal((WRAPPED_SOL, 1), (DOLLAR, 200))).1, Some(Side::Sell));
    }

    #[test]
    fn tokens_of_no_market_are_kept_as_such() {
        assert_eq!(told(&deal((DOLLAR, 1), (OTHER, 4))), (None, Some(Side::Buy), Some(Decimal::new(25, 2))));
        let unknown = deal((OTHER, 1), (MEME, 4));
        assert_eq!(told(&unknown), (None, None, None));
        assert_eq!((unknown.signed_size(), unknown.is_of(OTHER)), (None, true));
    }
}
