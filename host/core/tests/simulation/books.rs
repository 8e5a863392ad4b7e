//! Books of the test's own. They listen to outputs alone, compute in whole numbers, and share no arithmetic
//! with the ledger.

use std::collections::BTreeMap;

use bulkhead_core::identifier::{InstrumentId, OrderId, StrategyId};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::money::{Money, Quantity};
use bulkhead_core::order::{Fill, OrderState, OrderTerms, Pricing, Side};
use bulkhead_core::output::{ClosedTrade, OrderChange, Output};
use rust_decimal::{Decimal, RoundingStrategy};

/// Fails a check with what was found.
macro_rules! ensure {
    ($holds:expr, $($what:tt)*) => {
        // A comparison with NaN holds in no direction, so it fails here.
        if $holds {
        } else {
            return Err(format!($($what)*));
        }
    };
}
pub(crate) use ensure;

/// The books' smallest unit of money: 10^-16.
const SCALE: u32 = 16;

/// Money in units. An amount between two units has no place in the books.
pub(crate) fn units(amount: Decimal) -> Result<i128, String> {
    let amount = amount.normalize();
    ensure!(amount.scale() <= SCALE, "{amount} is finer than the books' smallest unit");
    amount
        .mantissa()
        .checked_mul(10_i128.pow(SCALE - amount.scale()))
        .ok_or_else(|| format!("{amount} is vast"))
}

#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) strategies: BTreeMap<StrategyId, StrategyBooks>,
    pub(crate) orders: BTreeMap<OrderId, BookedOrder>,
    last_order: u64,
    /// What the account's cash must have changed by, without the shadows.
    pub(crate) account: i128,
}

#[derive(Debug, Default)]
pub(crate) struct StrategyBooks {
    pub(crate) make_believe: bool,
    pub(crate) flow: i128,
    pub(crate) fees: i128,
    pub(crate) realised: i128,
    pub(crate) holdings: BTreeMap<InstrumentId, Holding>,
}

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Holding {
    pub(crate) quantity: Decimal,
    /// Approximate, by the textbook's average-cost rule.
    pub(crate) cost: f64,
}

#[derive(Debug)]
pub(crate) struct BookedOrder {
    pub(crate) terms: OrderTerms,
    pub(crate) state: OrderState,
    pub(crate) filled: Decimal,
}

impl Books {
    /// Takes the outputs of one step.
    pub(crate) fn listen(
        &mut self,
        outputs: &[Output],
        instruments: &[Instrument],
        fills_at_once: bool,
    ) -> Result<(), String> {
        let mut accepted = Vec::new();
        for output in outputs {
            match output {
                Output::OrderAccepted(terms) => {
                    self.accept(terms, instruments)?;
                    accepted.push(terms.id);
                }
                Output::OrderChanged(change) => self.change(change)?,
                Output::Filled(fill) => {
                    let by_host = matches!(
                        self.orders.get(&fill.order).map(|order| order.terms.origin),
                        Some(bulkhead_core::order::Origin::Exit(_))
                    );
                    ensure!(
                        fills_at_once || by_host || !accepted.contains(&fill.order),
                        "{} was filled on the event that brought it about",
                        fill.order
                    );
                    self.fill(fill, instruments)?;
                }
                Output::TradeClosed(trade) => self.close(trade)?,
                Output::Charged { strategy, amount, .. } => {
                    ensure!(amount.is_positive(), "a charge of {amount}");
                    let amount = units(amount.0)?;
                    let books = self.strategies.entry(*strategy).or_default();
                    books.flow -= amount;
                    books.fees += amount;
                    books.realised -= amount;
                    if !books.make_believe {
                        self.account -= amount;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn accept(&mut self, terms: &OrderTerms, instruments: &[Instrument]) -> Result<(), String> {
        ensure!(terms.id.0 > self.last_order, "{} comes after order {}", terms.id, self.last_order);
        self.last_order = terms.id.0;
        let instrument = instruments.get(terms.instrument.0 as usize).ok_or("an order in nothing")?;
        ensure!(terms.quantity.is_positive(), "{terms:?} is of nothing");
        ensure!((terms.quantity.0 % instrument.lot.0).is_zero(), "{terms:?} is off the lot grid");
        if let Pricing::Limit(limit) = terms.pricing {
            ensure!(limit.is_positive(), "{terms:?} has no limit");
            ensure!((limit.0 % instrument.tick.0).is_zero(), "{terms:?} is off the tick grid");
        }
        let order = BookedOrder { terms: terms.clone(), state: OrderState::InFlight, filled: Decimal::ZERO };
        self.orders.insert(terms.id, order);
        Ok(())
    }

    fn change(&mut self, change: &OrderChange) -> Result<(), String> {
        use OrderState as S;
        let order =
            self.orders.get_mut(&change.order).ok_or_else(|| format!("{change:?} of no open order"))?;
        let legal = matches!(
            (order.state, change.state),
            (S::InFlight, S::Working)
                | (
                    S::InFlight | S::Working | S::PartiallyFilled,
                    S::PartiallyFilled | S::Filled | S::Cancelled | S::Rejected | S::Expired
                )
        );
        ensure!(legal, "{} went from {} to {}", change.order, order.state, change.state);
        ensure!(order.terms.strategy == change.strategy, "{change:?} is another strategy's");
        ensure!(order.filled == change.filled.0, "{change:?}, but {} was filled", order.filled);
        let complete = order.filled == order.terms.quantity.0;
        ensure!(complete == (change.state == S::Filled), "{change:?} of {:?}", order.terms);
        order.state = change.state;
        if change.state.is_final() {
            self.orders.remove(&change.order);
        }
        Ok(())
    }

    fn fill(&mut self, fill: &Fill, instruments: &[Instrument]) -> Result<(), String> {
        let order = self.orders.get_mut(&fill.order).ok_or_else(|| format!("{fill:?} of no open order"))?;
        let terms = &order.terms;
        ensure!(
            (terms.strategy, terms.instrument, terms.side, terms.tag, terms.origin.cause())
                == (fill.strategy, fill.instrument, fill.side, fill.tag, fill.cause),
            "{fill:?} of {terms:?}"
        );
        let instrument = &instruments[fill.instrument.0 as usize];
        ensure!((fill.quantity.0 % instrument.lot.0).is_zero(), "{fill:?} is off the lot grid");
        ensure!((fill.price.0 % instrument.tick.0).is_zero(), "{fill:?} is off the tick grid");
        ensure!(fill.quantity.is_positive() && fill.price.is_positive(), "{fill:?}");
        ensure!(!fill.fee.is_negative(), "{fill:?}");
        if let Pricing::Limit(limit) = terms.pricing {
            let within = match fill.side {
                Side::Buy => fill.price <= limit,
                Side::Sell => fill.price >= limit,
            };
            ensure!(within, "{fill:?} is past its limit {limit}");
        }
        order.filled += fill.quantity.0;
        ensure!(order.filled <= terms.quantity.0, "{fill:?} fills more than {terms:?}");

        let rounding = match fill.side {
            Side::Buy => RoundingStrategy::AwayFromZero,
            Side::Sell => RoundingStrategy::ToZero,
        };
        let value = (fill.price.0 * fill.quantity.0).round_dp_with_strategy(SCALE, rounding);
        let (value, fee) = (units(value)?, units(fill.fee.0)?);
        let books = self.strategies.entry(fill.strategy).or_default();
        let holding = books.holdings.entry(fill.instrument).or_default();
        let flow = match fill.side {
            Side::Buy => {
                holding.quantity += fill.quantity.0;
                holding.cost += value as f64;
                -value - fee
            }
            Side::Sell => {
                ensure!(holding.quantity >= fill.quantity.0, "{fill:?} sells more than {holding:?}");
                let rest = holding.quantity - fill.quantity.0;
                holding.cost *= Money(rest).approximate() / Money(holding.quantity).approximate();
                holding.quantity = rest;
                value - fee
            }
        };
        if holding.quantity.is_zero() {
            books.holdings.remove(&fill.instrument);
        }
        books.flow += flow;
        books.fees += fee;
        if !books.make_believe {
            self.account += flow;
        }
        Ok(())
    }

    fn close(&mut self, trade: &ClosedTrade) -> Result<(), String> {
        let pnl = units(trade.pnl.0)?;
        self.strategies.entry(trade.strategy).or_default().realised += pnl;
        ensure!(trade.quantity > Quantity::ZERO, "{trade:?}");
        Ok(())
    }
}
