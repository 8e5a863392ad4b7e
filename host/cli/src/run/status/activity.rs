//! What happened last, picked from the engine's outputs: executions, orders that came to nothing, refusals.

use std::collections::{BTreeMap, VecDeque};

use bulkhead_core::engine::Engine;
use bulkhead_core::identifier::{InstrumentId, OrderId, StrategyId};
use bulkhead_core::money::{Money, Price, Quantity};
use bulkhead_core::order::{Fill, OrderState, OrderTerms, Side};
use bulkhead_core::output::{OrderChange, Output, RefusedProposal};
use bulkhead_core::time::Timestamp;

/// Trades, and refusals, that are kept for the view.
const KEPT: usize = 48;

/// Orders whose terms are remembered, for when they come to nothing.
const REMEMBERED_ORDERS: usize = 4_096;

/// An execution, or an order's end without one.
pub(super) struct Trade {
    pub(super) time: Timestamp,
    pub(super) strategy: StrategyId,
    pub(super) instrument: InstrumentId,
    pub(super) side: Side,
    pub(super) quantity: Quantity,
    /// Of an execution.
    pub(super) price: Option<Price>,
    /// Why it was executed, or what became of the order instead.
    pub(super) what: &'static str,
    pub(super) reason: String,
    /// Of a sale.
    pub(super) pnl: Option<Money>,
}

/// A refusal, and how often it came in a row of its kind.
pub(super) struct Refused {
    pub(super) last: RefusedProposal,
    pub(super) times: u64,
}

/// What happened last; the newest is in front.
#[derive(Default)]
pub(super) struct Activity {
    pub(super) trades: VecDeque<Trade>,
    pub(super) refusals: VecDeque<Refused>,
    orders: BTreeMap<OrderId, (InstrumentId, Side, Quantity)>,
    /// What the sale earned that is reported next.
    earned: Option<(Sale, Money)>,
}

/// Whose sale, and of what.
type Sale = (StrategyId, InstrumentId);

impl Activity {
    /// Whether the view shows it of its own; all else belongs in the log.
    pub(super) fn take(&mut self, output: &Output) -> bool {
        match output {
            Output::OrderAccepted(terms) => self.accepted(terms),
            Output::OrderChanged(change) => self.changed(change),
            Output::Refused(refused) => self.refused(refused.clone()),
            Output::Filled(fill) => self.filled(fill),
            Output::TradeClosed(trade) => self.earned = Some(((trade.strategy, trade.instrument), trade.pnl)),
            // Small and frequent; the order that failed has its line, and the profit counts it.
            Output::Charged { .. } => {}
            _ => return false,
        }
        true
    }

    fn accepted(&mut self, terms: &OrderTerms) {
        self.orders.insert(terms.id, (terms.instrument, terms.side, terms.quantity));
        if self.orders.len() > REMEMBERED_ORDERS {
            self.orders.pop_first();
        }
    }

    fn changed(&mut self, change: &OrderChange) {
        if !change.state.is_final() {
            return;
        }
        let Some((instrument, side, quantity)) = self.orders.remove(&change.order) else { return };
        if change.state != OrderState::Filled {
            push(
                &mut self.trades,
                Trade {
                    time: change.time,
                    strategy: change.strategy,
                    instrument,
                    side,
                    quantity,
                    price: None,
                    what: change.state.name(),
                    reason: change.reason.clone(),
                    pnl: None,
                },
            );
        }
    }

    /// The engine reports what a sale earned before the sale itself.
    fn filled(&mut self, fill: &Fill) {
        let of_this =
            |(sale, _): &(Sale, Money)| fill.side == Side::Sell && *sale == (fill.strategy, fill.instrument);
        let earned = self.earned.take().filter(of_this);
        push(
            &mut self.trades,
            Trade {
                time: fill.time,
                strategy: fill.strategy,
                instrument: fill.instrument,
                side: fill.side,
                quantity: fill.quantity,
                price: Some(fill.price),
                what: fill.cause.name(),
                reason: String::new(),
                pnl: earned.map(|(_, pnl)| pnl),
            },
        );
    }

    /// A strategy that proposes the same thing on every bar would push everything else out: refusals of one
    /// kind share a line.
    fn refused(&mut self, refused: RefusedProposal) {
        let kind = |refused: &RefusedProposal| {
            (refused.strategy, refused.instrument, refused.side, refused.refusal.code)
        };
        let same = self.refusals.iter().position(|known| kind(&known.last) == kind(&refused));
        let before = same.and_then(|place| self.refusals.remove(place)).map_or(0, |known| known.times);
        push(&mut self.refusals, Refused { last: refused, times: before + 1 });
    }
}

fn push<T>(kept: &mut VecDeque<T>, newest: T) {
    kept.truncate(KEPT - 1);
    kept.push_front(newest);
}

/// An instrument's symbol and the decimal places of its prices.
pub(super) fn instrument(engine: &Engine, id: InstrumentId) -> (&str, u32) {
    let instrument = engine.settings().instrument(id);
    instrument.map_or(("?", 2), |instrument| (&instrument.symbol, instrument.tick.0.normalize().scale()))
}
