//! What the books say is at the account's address, and what orders on their way may have changed of that by now.

use std::collections::{BTreeMap, BTreeSet};

use alloy::consensus::TxEnvelope;
use alloy::eips::eip2718::Decodable2718 as _;
use alloy::primitives::{Address, U256};
use bulkhead_core::engine::Engine;
use bulkhead_core::order::{Order, Side};
use bulkhead_core::reconciliation::{Asset, Ignored};
use bulkhead_core::venue::outside::OutsideVenue;
use bulkhead_core::venue::stage::{Attempt, Attempts, Landing, Purpose, SignedTransaction};
use rust_decimal::Decimal;

use crate::amounts::from_units;
use crate::pursuit::nonce_of;
use crate::settings::{ChainSettings, GasValue, Token};

/// Decimals of native currency on every EVM chain.
const NATIVE_DECIMALS: u8 = 18;

/// What the books say, as far as a chain can contradict it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    /// For each token.
    pub tokens: Vec<TokenBooks>,
    /// Nonces of transactions that were signed and may still land, or landed and are not final yet.
    pub open_nonces: BTreeSet<u64>,
    /// How many transactions of the account's have landed for good.
    pub landed: u64,
    /// Whether an order is on its way, which may have approved something.
    pub on_their_way: bool,
    /// What a person says is fine.
    pub ignored: BTreeMap<String, Ignored>,
    /// Whether any order ever passed the gate: before that, nothing at the address is the account's doing.
    pub has_ordered: bool,
}

/// What the books say of one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenBooks {
    /// Which.
    pub token: Token,
    /// In what it is booked, and how much of each.
    pub assets: Vec<BookedAsset>,
    /// How much of it must be at the address.
    pub expected: Decimal,
    /// So much less may be there, as orders on their way may have taken it.
    pub may_be_less: Decimal,
    /// Whether more may be there, as they may have brought it. How much a trade brings is known when it is booked.
    pub may_be_more: bool,
    /// What a unit is worth in the account's currency, if that is known.
    pub price: Option<Decimal>,
}

/// What is booked of a token in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedAsset {
    /// Where.
    pub asset: Asset,
    /// The instrument's symbol; empty for cash.
    pub symbol: String,
    /// How much.
    pub booked: Decimal,
}

impl Books {
    /// The books of an engine.
    #[must_use]
    pub fn of(engine: &Engine, settings: &ChainSettings) -> Self {
        let facts = engine.outside_facts();
        let mut tokens: Vec<TokenBooks> = Vec::new();
        if let Some(market) = settings.markets.first() {
            let cash = engine.ledger().cash().0;
            // Gas that is paid in something else is in the books' cash, and not in what is there of the currency.
            let elsewhere = match settings.gas_value {
                GasValue::Native => Decimal::ZERO,
                GasValue::Route(_) => facts.costs().0,
            };
            let booked = BookedAsset { asset: Asset::Cash, symbol: String::new(), booked: cash };
            let mut currency = TokenBooks::new(market.quote.clone(), booked, Some(Decimal::ONE));
            currency.expected = cash.saturating_add(elsewhere);
            tokens.push(currency);
        }
        for market in &settings.markets {
            let id = market.instrument;
            let holdings = engine.ledger().holdings();
            let held = holdings.binary_search_by_key(&id, |(held, _)| *held);
            let booked = held.map_or(Decimal::ZERO, |place| holdings[place].1.0);
            let instrument = engine.settings().instrument(id);
            let price = instrument.and_then(|known| engine.prices().price(id, known)).map(|price| price.0);
            let symbol = instrument.map(|known| known.symbol.clone()).unwrap_or_default();
            let asset = BookedAsset { asset: Asset::Position(id), symbol, booked };
            let is_same = |known: &TokenBooks| {
                (known.token.address, known.token.native) == (market.base.address, market.base.native)
            };
            match tokens.iter_mut().find(|known| is_same(known)) {
                Some(known) => known.add(asset, price),
                None => tokens.push(TokenBooks::new(market.base.clone(), asset, price)),
            }
        }
        let mut books = Self {
            tokens,
            open_nonces: BTreeSet::new(),
            landed: facts.landed(),
            on_their_way: false,
            ignored: facts.ignored().clone(),
            has_ordered: engine.has_ordered(),
        };
        for (id, known) in engine.outside().into_iter().flat_map(OutsideVenue::orders) {
            if let Some(order) = engine.order(id) {
                books.on_its_way(order, known.attempts(), settings);
            }
        }
        books
    }

    /// Allows for what an order may have done that is not booked yet.
    fn on_its_way(&mut self, order: &Order, attempts: &Attempts, settings: &ChainSettings) {
        let attempts = attempts.as_slice();
        let open = attempts.iter().filter(|attempt| !attempt.landing.is_final());
        self.open_nonces.extend(open.filter_map(|attempt| nonce_of(&attempt.transaction)));
        self.on_their_way |= !attempts.is_empty();
        let may_have_traded = attempts.iter().any(|Attempt { transaction, landing }| {
            transaction.purpose == Purpose::Trade && !matches!(landing, Landing::Failed(_) | Landing::Gone)
        });
        let Some(market) = settings.market(order.terms().instrument) else { return };
        // Gas is booked with the order's end.
        let gas = attempts.iter().map(|attempt| most_gas(&attempt.transaction));
        let gas = gas.fold(Decimal::ZERO, Decimal::saturating_add);
        for known in self.tokens.iter_mut().filter(|known| known.token.native) {
            known.may_be_less = known.may_be_less.saturating_add(gas);
        }
        if !may_have_traded {
            return;
        }
        let of = |token: &Token| (token.address, token.native);
        for known in &mut self.tokens {
            let (is_base, is_quote) =
                (of(&known.token) == of(&market.base), of(&known.token) == of(&market.quote));
            match order.terms().side {
                Side::Buy if is_base => known.may_be_more = true,
                Side::Buy if is_quote => known.take(order.reserved_money().0),
                Side::Sell if is_base => known.take(order.remaining().0),
                Side::Sell if is_quote => known.may_be_more = true,
                _ => {}
            }
        }
    }
}

impl TokenBooks {
    const fn empty(token: Token, price: Option<Decimal>) -> Self {
        Self {
            token,
            assets: Vec::new(),
            expected: Decimal::ZERO,
            may_be_less: Decimal::ZERO,
            may_be_more: false,
            price,
        }
    }

    fn new(token: Token, asset: BookedAsset, price: Option<Decimal>) -> Self {
        let mut books = Self::empty(token, price);
        books.add(asset, price);
        books
    }

    fn add(&mut self, asset: BookedAsset, price: Option<Decimal>) {
        self.expected = self.expected.saturating_add(asset.booked);
        self.price = self.price.or(price);
        self.assets.push(asset);
    }

    fn take(&mut self, most: Decimal) {
        self.may_be_less = self.may_be_less.saturating_add(most);
    }
}

/// The most that a transaction can cost, in native currency.
fn most_gas(transaction: &SignedTransaction) -> Decimal {
    let mut raw = transaction.raw.as_slice();
    let Ok(TxEnvelope::Eip1559(signed)) = TxEnvelope::decode_2718(&mut raw) else { return Decimal::ZERO };
    let signed = signed.tx();
    let wei = U256::from(signed.gas_limit).saturating_mul(U256::from(signed.max_fee_per_gas));
    from_units(wei, NATIVE_DECIMALS).unwrap_or(Decimal::MAX)
}

/// Who may take which token in a trade: the pairs whose permission is looked at.
#[must_use]
pub fn spenders(settings: &ChainSettings) -> BTreeSet<(Address, Address)> {
    let mut pairs = BTreeSet::new();
    for market in &settings.markets {
        for route in &market.routes {
            for token in [&market.base, &market.quote].into_iter().filter(|token| !token.native) {
                pairs.insert((token.address, route.router()));
            }
        }
    }
    pairs
}
