use std::collections::{BTreeMap, BTreeSet};

use bulkhead_core::engine::Engine;
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::order::{Order, Side};
use bulkhead_core::reconciliation::{Asset, Ignored};
use bulkhead_core::venue::outside::OutsideVenue;
use bulkhead_core::venue::stage::{Attempt, Attempts, Landing, Purpose, SignedTransaction, Uniqueness};
use rust_decimal::Decimal;

/// A token, as books and chain both name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The chain's name of it, by which it is looked up in what the chain says.
    pub id: String,
    /// What people call it.
    pub symbol: String,
    /// Whether it is the chain's native currency, which transactions are paid with.
    pub is_native: bool,
}

/// An instrument and what it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Market {
    /// The instrument's number.
    pub instrument: InstrumentId,
    /// What is bought and sold.
    pub base: Token,
    /// What it is paid with: the account's currency.
    pub quote: Token,
}

/// What of an engine's books a chain can contradict.
pub struct Traded<'a> {
    /// What can be traded.
    pub markets: Vec<Market>,
    /// Whether transactions are paid with the account's currency, so that what they cost is missing there.
    pub paid_in_currency: bool,
    /// The most native currency that a transaction can cost beside what it trades.
    pub most_cost: &'a dyn Fn(&SignedTransaction) -> Decimal,
}

/// What the books say, as far as a chain can contradict it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    /// For each token.
    pub tokens: Vec<TokenBooks>,
    /// Nonces of transactions that were signed and may still land, or landed and are not final yet. None on chains that
    /// know no nonces.
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
    pub fn of(engine: &Engine, traded: &Traded<'_>) -> Self {
        let facts = engine.outside_facts();
        let mut tokens: Vec<TokenBooks> = Vec::new();
        if let Some(market) = traded.markets.first() {
            let cash = engine.ledger().cash().0;
            // What is paid in something else is in the books' cash, and not in what is there of the currency.
            let elsewhere = if traded.paid_in_currency { Decimal::ZERO } else { facts.costs().0 };
            let booked = BookedAsset { asset: Asset::Cash, symbol: String::new(), booked: cash };
            let mut currency = TokenBooks::new(market.quote.clone(), booked, Some(Decimal::ONE));
            currency.expected = cash.saturating_add(elsewhere);
            tokens.push(currency);
        }
        for market in &traded.markets {
            let id = market.instrument;
            let holdings = engine.ledger().holdings();
            let held = holdings.binary_search_by_key(&id, |(held, _)| *held);
            let booked = held.map_or(Decimal::ZERO, |place| holdings[place].1.0);
            let instrument = engine.settings().instrument(id);
            let price = instrument.and_then(|known| engine.prices().price(id, known)).map(|price| price.0);
            let symbol = instrument.map(|known| known.symbol.clone()).unwrap_or_default();
            let asset = BookedAsset { asset: Asset::Position(id), symbol, booked };
            match tokens.iter_mut().find(|known| known.token.id == market.base.id) {
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
                books.on_its_way(order, known.attempts(), traded);
            }
        }
        books
    }

    /// Allows for what an order may have done that is not booked yet.
    fn on_its_way(&mut self, order: &Order, attempts: &Attempts, traded: &Traded<'_>) {
        let attempts = attempts.as_slice();
        let open = attempts.iter().filter(|attempt| !attempt.landing.is_final());
        self.open_nonces.extend(open.filter_map(|attempt| match attempt.transaction.uniqueness {
            Uniqueness::Nonce(nonce) => Some(nonce),
            Uniqueness::LastValidHeight(_) => None,
        }));
        self.on_their_way |= !attempts.is_empty();
        let may_have_traded = attempts.iter().any(|Attempt { transaction, landing }| {
            transaction.purpose == Purpose::Trade && !matches!(landing, Landing::Failed(_) | Landing::Gone)
        });
        let instrument = order.terms().instrument;
        let Some(market) = traded.markets.iter().find(|market| market.instrument == instrument) else {
            return;
        };
        // What transactions cost is booked with the order's end.
        let cost = attempts.iter().map(|attempt| (traded.most_cost)(&attempt.transaction));
        let cost = cost.fold(Decimal::ZERO, Decimal::saturating_add);
        for known in self.tokens.iter_mut().filter(|known| known.token.is_native) {
            known.take(cost);
        }
        if !may_have_traded {
            return;
        }
        for known in &mut self.tokens {
            let (is_base, is_quote) = (known.token.id == market.base.id, known.token.id == market.quote.id);
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
    fn new(token: Token, asset: BookedAsset, price: Option<Decimal>) -> Self {
        let mut books = Self {
            token,
            assets: Vec::new(),
            expected: Decimal::ZERO,
            may_be_less: Decimal::ZERO,
            may_be_more: false,
            price,
        };
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
