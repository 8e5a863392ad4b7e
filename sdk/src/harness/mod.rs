//! Runs a strategy natively: feed bars, see actions, assert. No wasm and no host is needed.
//!
//! ```
//! use bulkhead_sdk::harness::Setup;
//! use bulkhead_sdk::prelude::*;
//! # #[state]
//! # struct Riser { last: f64 }
//! # impl Strategy for Riser {
//! #     type Parameters = ();
//! #     fn needs(_: &()) -> Needs { Needs::bars(60) }
//! #     fn new(_: &()) -> Self { Self { last: f64::INFINITY } }
//! #     fn on_bar(&mut self, bar: &Bar, context: &mut Context) {
//! #         if bar.close > self.last && context.stance() == Stance::Flat { context.buy().reason("rise"); }
//! #         if bar.close < self.last && context.stance() == Stance::Long { context.close(); }
//! #         self.last = bar.close;
//! #     }
//! # }
//!
//! let mut harness = Setup::new().start::<Riser>()?;
//! assert!(harness.close(100.0).is_empty());
//! assert!(harness.close(101.0)[0].is_buy());
//! // Market orders fill at the open of the next bar.
//! harness.close(102.0);
//! assert!(harness.position().quantity > 0.0);
//! assert!(harness.close(99.0)[0].is_close());
//! # Ok::<(), String>(())
//! ```
//!
//! Orders are filled by a plain rule, so that a test's numbers can be worked out by hand; see
//! [`Harness::bar`]. It is no substitute for a backtest: there are no fees, no slippage, no risk gate, and
//! exit plans are not acted on; [`Harness::host_sells`] plays their part.

#![expect(clippy::panic, reason = "a test that goes wrong is to fail at once, with a message")]

mod setup;
mod venue;

use std::collections::BTreeMap;

pub use setup::Setup;

use crate::runner::Runner;
use crate::{
    Action, Bar, Config, Event, FillCause, LogLevel, OrderStatus, Position, Quote, SavedState, Side, Signal,
    SignalName, Strategy, Submit, Timestamp, log,
};

/// When the first bar opens: midnight of 1 January 2024, UTC.
const START: Timestamp = Timestamp::from_seconds(1_704_067_200);

/// A running strategy with a plain venue around it.
pub struct Harness<S: Strategy> {
    runner: Runner<S>,
    config: Config,
    interval: u32,
    signals: Vec<SignalName>,
    now: Timestamp,
    /// When the next bar of an instrument and interval opens.
    next_open: BTreeMap<(u32, u32), Timestamp>,
    last_price: BTreeMap<u32, f64>,
    positions: BTreeMap<u32, Position>,
    orders: Vec<Submit>,
    /// Quantity executed so far, by tag.
    filled: BTreeMap<u32, f64>,
    cash: f64,
    standard_notional: f64,
    fills_by_itself: bool,
}

/// Feeding. Every method returns what the strategy proposed because of it, in order.
///
/// # Panics
///
/// All of these fail the test, with a message, where a host would report a fault of the strategy.
impl<S: Strategy> Harness<S> {
    /// The next bar of the first instrument and the shortest wanted interval, with this close and no range.
    pub fn close(&mut self, price: f64) -> Vec<Action> {
        self.close_of(self.config.instruments[0].id, price)
    }

    /// As [`Harness::close`], of another instrument.
    pub fn close_of(&mut self, instrument: u32, price: f64) -> Vec<Action> {
        self.bar_of(instrument, self.interval, [price; 4], 1.0)
    }

    /// A bar for each of these closes.
    pub fn closes(&mut self, prices: &[f64]) -> Vec<Action> {
        prices.iter().flat_map(|price| self.close(*price)).collect()
    }

    /// The next bar of the first instrument and the shortest wanted interval.
    ///
    /// First, working market orders of the instrument fill at the bar's open, and limit orders within its
    /// range at their limit or at a better open. Then the strategy is told of the bar.
    pub fn bar(&mut self, [open, high, low, close]: [f64; 4], volume: f64) -> Vec<Action> {
        self.bar_of(self.config.instruments[0].id, self.interval, [open, high, low, close], volume)
    }

    /// As [`Harness::bar`], of another instrument or interval.
    pub fn bar_of(&mut self, instrument: u32, interval: u32, prices: [f64; 4], volume: f64) -> Vec<Action> {
        let [open, high, low, close] = prices;
        let open_time = self.next_open.get(&(instrument, interval)).copied().unwrap_or(START);
        self.next_open.insert((instrument, interval), open_time.plus_seconds(interval));
        let bar = Bar { instrument, interval, open_time, open, high, low, close, volume };
        let mut actions = Vec::new();
        if self.fills_by_itself {
            self.now = self.now.max(open_time);
            actions = self.match_orders(&bar);
        }
        self.now = self.now.max(bar.close_time());
        self.last_price.insert(instrument, close);
        actions.extend(self.feed(&[Event::Bar(bar)]));
        actions
    }

    /// A quote of the first instrument with unknown sizes.
    pub fn quote(&mut self, bid: f64, ask: f64) -> Vec<Action> {
        let instrument = self.config.instruments[0].id;
        let time = self.now;
        let quote = Quote { instrument, time, bid, ask, bid_size: 0.0, ask_size: 0.0, liquidity: 0.0 };
        self.feed(&[Event::Quote(quote)])
    }

    /// A signal for the first instrument.
    pub fn signal(&mut self, name: &str, value: f64) -> Vec<Action> {
        let found = self.signals.iter().find(|signal| signal.name == name);
        let Some(id) = found.map(|signal| signal.id) else {
            panic!("the strategy did not ask for signal \"{name}\"")
        };
        let instrument = self.config.instruments[0].id;
        self.feed(&[Event::Signal(Signal { instrument, id, time: self.now, value })])
    }

    /// A timer event, this many seconds on.
    pub fn timer(&mut self, seconds: u32) -> Vec<Action> {
        self.now = self.now.plus_seconds(seconds);
        self.feed(&[Event::Timer(self.now)])
    }

    /// Events as a host would send them: what is not consumed because the strategy acted is handed over
    /// again, after the answer to its orders.
    pub fn feed(&mut self, mut events: &[Event]) -> Vec<Action> {
        let mut all = Vec::new();
        while !events.is_empty() {
            let reaction = match self.runner.on_events(events) {
                Ok(reaction) => reaction,
                Err(error) => panic!("the strategy reported an error: {error}"),
            };
            events = &events[reaction.consumed as usize..];
            all.extend(reaction.actions.iter().cloned());
            for action in reaction.actions {
                all.extend(self.answer(action));
            }
        }
        all
    }

    /// Executes some or all of a working order.
    pub fn fill(&mut self, tag: u32, price: f64, quantity: f64) -> Vec<Action> {
        let submit = self.order(tag).clone();
        let side = self.terms(&submit, price).0;
        self.execute(Some(submit), side, price, quantity, FillCause::Order)
    }

    /// Refuses a working order, as the host's gate would.
    pub fn deny(&mut self, tag: u32, reason: &str) -> Vec<Action> {
        self.end(tag, OrderStatus::Denied, reason)
    }

    /// Refuses a working order, as a venue would.
    pub fn reject(&mut self, tag: u32, reason: &str) -> Vec<Action> {
        self.end(tag, OrderStatus::Rejected, reason)
    }

    /// Ends a working order without a fault of anybody.
    pub fn expire(&mut self, tag: u32) -> Vec<Action> {
        self.end(tag, OrderStatus::Expired, "")
    }

    /// Sells the whole position of the first instrument, as the host does for an exit or an operator.
    pub fn host_sells(&mut self, cause: FillCause, price: f64) -> Vec<Action> {
        let quantity = self.position().quantity;
        self.execute(None, Side::Sell, price, quantity, cause)
    }
}

/// Looking, saving and restarting.
impl<S: Strategy> Harness<S> {
    /// The strategy's position in the first instrument.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position_of(self.config.instruments[0].id)
    }

    /// The strategy's position in another instrument.
    #[must_use]
    pub fn position_of(&self, instrument: u32) -> Position {
        self.positions.get(&instrument).copied().unwrap_or_default()
    }

    /// The orders that are not done.
    #[must_use]
    pub fn working_orders(&self) -> &[Submit] {
        &self.orders
    }

    /// Cash plus positions at their last prices.
    #[must_use]
    pub fn equity(&self) -> f64 {
        let value = |position: &Position| {
            position.quantity
                * self.last_price.get(&position.instrument).copied().unwrap_or(position.average_price)
        };
        self.cash + self.positions.values().map(value).sum::<f64>()
    }

    /// What runs.
    pub const fn runner(&self) -> &Runner<S> {
        &self.runner
    }

    /// The strategy's memory for the first instrument.
    pub fn strategy(&self) -> &S {
        &self.runner.strategies()[0]
    }

    /// The lines that the strategy wrote since the last call, from this thread.
    #[must_use]
    pub fn log_lines(&self) -> Vec<(LogLevel, String)> {
        log::drain()
    }

    /// Saves the memory.
    ///
    /// # Errors
    ///
    /// What the operator would be told.
    pub fn save(&self) -> Result<SavedState, String> {
        self.runner.save()
    }

    /// Puts a fresh instance of the same start in the strategy's place and restores this memory.
    ///
    /// # Errors
    ///
    /// What the operator would be told; the running strategy stays.
    pub fn restart_from(&mut self, state: &SavedState) -> Result<(), String> {
        let mut fresh = Runner::start(self.config.clone())?;
        fresh.restore(state)?;
        self.runner = fresh;
        Ok(())
    }
}
