//! What a trader's own trades say of them: how much was gained or lost by what was bought and sold again.

use std::collections::BTreeMap;

use bulkhead_core::order::Side;
use rust_decimal::Decimal;

use super::LeaderTradeRow;

/// What somebody of whom nothing is known has.
pub const FIRST_REPUTATION: Decimal = Decimal::from_parts(50, 0, 0, false, 0);

/// So many sales without gain or loss are reckoned with beforehand: a few good ones make no reputation yet.
const PRIOR_SALES: Decimal = Decimal::from_parts(10, 0, 0, false, 0);

/// A number from 0 to 100 that depends on these trades alone, in the order in which they were made.
///
/// Each token that was bought for a kind of money is a holding with an average price. A sale of what was seen being bought
/// counts by its gain or loss against that price, from −1 (all was lost) to +1 (doubled or better); what was not seen being
/// bought does not count. The reputation is `50 + 50 × sum / (sales + 10)`, to two decimals. Trades without a price don't
/// count, nor do those that can't be reckoned with 28 digits.
#[must_use]
pub fn reputation<'t>(trades: impl IntoIterator<Item = &'t LeaderTradeRow>) -> Decimal {
    let mut holdings: BTreeMap<(&str, &str), Holding> = BTreeMap::new();
    let (mut sum, mut sales) = (Decimal::ZERO, Decimal::ZERO);
    for trade in trades {
        let result = match trade.side {
            Some(Side::Buy) => {
                let holding = holdings.entry((&trade.got_mint, &trade.given_mint)).or_default();
                holding.buy(trade.got, trade.given);
                None
            }
            Some(Side::Sell) => {
                let holding = holdings.get_mut(&(trade.given_mint.as_str(), trade.got_mint.as_str()));
                holding.zip(trade.price).and_then(|(holding, price)| holding.sell(trade.given, price))
            }
            None => None,
        };
        if let Some(result) = result {
            // Each is between -1 and 1, and no list is so long that these overflow.
            sum += result;
            sales += Decimal::ONE;
        }
    }
    let mean = sum.checked_div(sales + PRIOR_SALES).unwrap_or_default();
    (FIRST_REPUTATION + FIRST_REPUTATION * mean).round_dp(2).normalize()
}

#[derive(Debug, Default)]
struct Holding {
    quantity: Decimal,
    cost: Decimal,
}

impl Holding {
    fn buy(&mut self, quantity: Decimal, cost: Decimal) {
        let sums = self.quantity.checked_add(quantity).zip(self.cost.checked_add(cost));
        if let Some((quantity, cost)) = sums {
            (self.quantity, self.cost) = (quantity, cost);
        }
    }

    /// The gain or loss of what was held of it, between -1 and 1; none when nothing was.
    fn sell(&mut self, quantity: Decimal, price: Decimal) -> Option<Decimal> {
        let sold = quantity.min(self.quantity);
        if sold <= Decimal::ZERO {
            return None;
        }
        let average = self.cost.checked_div(self.quantity)?;
        let result = price.checked_div(average)?.checked_sub(Decimal::ONE)?;
        self.cost = self.cost.checked_sub(average.checked_mul(sold)?)?.max(Decimal::ZERO);
        self.quantity = self.quantity.checked_sub(sold)?;
        Some(result.clamp(-Decimal::ONE, Decimal::ONE))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wallets::TradeStanding;

    fn trade(side: Option<Side>, token: &str, quantity: u64, money: u64) -> LeaderTradeRow {
        let (quantity, money) = (Decimal::from(quantity), Decimal::from(money));
        let is_sale = side == Some(Side::Sell);
        let pair = [("SOL".to_owned(), money), (token.to_owned(), quantity)];
        let [(given_mint, given), (got_mint, got)] =
            if is_sale { [pair[1].clone(), pair[0].clone()] } else { pair };
        LeaderTradeRow {
            wallet: "wallet".to_owned(),
            signature: "signature".to_owned(),
            slot: 1,
            ordinal: 0,
            time: None,
            standing: TradeStanding::Final,
            instrument: None,
            side,
            given_mint,
            given,
            got_mint,
            got,
            price: side.and_then(|_| money.checked_div(quantity)),
            told: false,
        }
    }

    fn bought(token: &str, quantity: u64, money: u64) -> LeaderTradeRow {
        trade(Some(Side::Buy), token, quantity, money)
    }

    fn sold(token: &str, quantity: u64, money: u64) -> LeaderTradeRow {
        trade(Some(Side::Sell), token, quantity, money)
    }

    fn of(trades: &[LeaderTradeRow]) -> String {
        reputation(trades).to_string()
    }

    #[test]
    fn nothing_is_known_at_first() {
        assert_eq!(of(&[]), "50");
        assert_eq!(of(&[bought("A", 10, 100)]), "50", "nothing was sold again");
        assert_eq!(of(&[sold("A", 10, 100)]), "50", "nobody knows what it cost");
        assert_eq!(of(&[trade(None, "A", 10, 100)]), "50");
    }

    #[test]
    fn gains_raise_it_and_losses_lower_it() {
        // Half more: 50 + 50 * 0.5 / 11.
        assert_eq!(of(&[bought("A", 10, 100), sold("A", 10, 150)]), "52.27");
        assert_eq!(of(&[bought("A", 10, 100), sold("A", 10, 50)]), "47.73");
        // Doubled and beyond is the same.
        assert_eq!(of(&[bought("A", 10, 100), sold("A", 10, 900)]), "54.55");
    }

    #[test]
    fn purchases_are_averaged_and_a_sale_leaves_the_rest_at_its_price() {
        let trades = [bought("A", 10, 100), bought("A", 10, 300), sold("A", 10, 200), sold("A", 10, 200)];
        assert_eq!(of(&trades), "50");
        assert_eq!(of(&[bought("A", 10, 100), sold("A", 10, 100), sold("A", 10, 900)]), "50", "once only");
    }

    #[test]
    fn tokens_don_t_mix() {
        assert_eq!(of(&[bought("A", 10, 100), sold("B", 10, 900)]), "50");
    }

    proptest! {
        #[test]
        fn it_stays_within_its_bounds(
            trades in prop::collection::vec((any::<bool>(), 0_u8..3, any::<u64>(), any::<u64>()), 0..60),
        ) {
            let rows: Vec<LeaderTradeRow> = trades
                .into_iter()
                .map(|(is_buy, token, quantity, money)| {
                    let side = if is_buy { Side::Buy } else { Side::Sell };
                    trade(Some(side), &token.to_string(), quantity, money)
                })
                .collect();
            let reputation = reputation(&rows);
            prop_assert!(reputation >= Decimal::ZERO && reputation <= Decimal::ONE_HUNDRED);
        }
    }
}
