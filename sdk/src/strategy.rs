//! What a strategy is: its memory, its needs, its handlers.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Bar, Context, Fill, OrderUpdate, Parameters, Position, Quote, Signal, Timestamp, Trade};

/// A trading rule and what it remembers.
///
/// The value itself is the memory: it is what is saved and restored, so it must hold everything the rule
/// knows, and nothing that can't be written down. Put [`state`](macro@crate::state) on the struct.
///
/// By default there is one value for each instrument, made by [`Strategy::new`], and its handlers are given
/// the events of that instrument alone; see [`Scope`] for rules that look across instruments.
///
/// Handlers are called in the order of events. A handler that proposes nothing costs little; the first event
/// that makes the strategy act ends the call, and the host hands over the following events together with
/// what the action brought about.
pub trait Strategy: Serialize + DeserializeOwned + 'static {
    /// What the operator can set; `()` for nothing.
    type Parameters: Parameters;

    /// The number of the memory's layout. Raise it when the struct changes, and write
    /// [`Strategy::migrate`].
    const STATE_SCHEMA: u32 = 1;

    /// How many values of this type the plugin holds.
    const SCOPE: Scope = Scope::EachInstrument;

    /// What the strategy wants to be fed, and how much past it must have seen before it can act.
    ///
    /// Before the start the host asks with the defaults.
    fn needs(parameters: &Self::Parameters) -> Needs;

    /// A strategy that has seen nothing yet.
    fn new(parameters: &Self::Parameters) -> Self;

    /// Checks what the ranges of single parameters can't say, such as one being below another.
    ///
    /// # Errors
    ///
    /// A sentence for the operator; the deployment is refused with it.
    fn check(parameters: &Self::Parameters) -> Result<(), String> {
        let _ = parameters;
        Ok(())
    }

    /// Takes in a bar: past ones at the start, oldest first, and every new one just before
    /// [`Strategy::on_bar`]. Update indicators here, and they are warm when trading begins.
    fn observe(&mut self, bar: &Bar) {
        let _ = bar;
    }

    /// Decides on a new bar.
    fn on_bar(&mut self, bar: &Bar, context: &mut Context) {
        let _ = (bar, context);
    }

    /// Best prices changed.
    fn on_quote(&mut self, quote: &Quote, context: &mut Context) {
        let _ = (quote, context);
    }

    /// Others traded.
    fn on_trade(&mut self, trade: &Trade, context: &mut Context) {
        let _ = (trade, context);
    }

    /// A signal arrived; [`Context::signal_name`] tells which.
    fn on_signal(&mut self, signal: &Signal, context: &mut Context) {
        let _ = (signal, context);
    }

    /// Event time passed a multiple of the timer's interval. With one value for each instrument, each is
    /// called.
    fn on_timer(&mut self, time: Timestamp, context: &mut Context) {
        let _ = (time, context);
    }

    /// The position was traded, by an order of the strategy or by the host. The context already counts it.
    fn on_fill(&mut self, fill: &Fill, context: &mut Context) {
        let _ = (fill, context);
    }

    /// One of the strategy's orders changed. The context already knows.
    fn on_order_update(&mut self, update: &OrderUpdate, context: &mut Context) {
        let _ = (update, context);
    }

    /// The host stated the position. The context already knows.
    fn on_position(&mut self, position: &Position, context: &mut Context) {
        let _ = (position, context);
    }

    /// Makes a memory of today's layout from one that an older version saved.
    ///
    /// `bytes` is one value of the older type; [`decode`](crate::decode) reads it into a struct that is
    /// shaped as the older one was.
    ///
    /// # Errors
    ///
    /// A sentence for the operator; the replacement is refused with it, and the older version goes on.
    fn migrate(from_schema: u32, bytes: &[u8], parameters: &Self::Parameters) -> Result<Self, String> {
        let _ = (bytes, parameters);
        Err(format!(
            "the saved memory has layout {from_schema}, this version writes layout {} and cannot convert it",
            Self::STATE_SCHEMA
        ))
    }

    /// Chooses the memory to go on with when the operator changed parameters since `saved` was written.
    ///
    /// `fresh` was made with the new parameters and has observed the past bars. By default it is taken, as
    /// windows of another length can't be carried over; override to keep what does not depend on them.
    fn with_new_parameters(saved: Self, fresh: Self) -> Self {
        let _ = saved;
        fresh
    }
}

/// How many values of a strategy's type a plugin holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One for each instrument; a handler is given the events of its instrument.
    EachInstrument,
    /// A single one that is given everything; [`Context::focus`] turns to another instrument than the
    /// event's.
    AllInstruments,
}

/// The interval that stands for the feed's own bars.
const FEED_BARS: u32 = 0;

/// What a strategy wants to be fed.
///
/// ```
/// use bulkhead_sdk::Needs;
/// let needs = Needs::bars(60).and_bars(3_600).quotes().signal("sentiment").warm_up(30);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    pub(crate) bar_intervals: Vec<u32>,
    pub(crate) quotes: bool,
    pub(crate) trades: bool,
    pub(crate) signals: Vec<String>,
    pub(crate) timer_seconds: u32,
    pub(crate) warm_up_bars: u32,
}

impl Needs {
    /// Nothing but what concerns the strategy's own orders and positions.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Bars as the feed delivers them, whatever their length.
    #[must_use]
    pub fn feed_bars() -> Self {
        Self::bars(FEED_BARS)
    }

    /// Bars of one length, in seconds; 0 for the bars as the feed delivers them.
    #[must_use]
    pub fn bars(seconds: u32) -> Self {
        Self::nothing().and_bars(seconds)
    }

    /// Also bars of this length, in seconds.
    #[must_use]
    pub fn and_bars(mut self, seconds: u32) -> Self {
        if !self.bar_intervals.contains(&seconds) {
            self.bar_intervals.push(seconds);
        }
        self
    }

    pub(crate) fn wants_bars_of(&self, seconds: u32) -> bool {
        self.bar_intervals.iter().any(|wanted| *wanted == seconds || *wanted == FEED_BARS)
    }

    /// Also quotes.
    #[must_use]
    pub const fn quotes(mut self) -> Self {
        self.quotes = true;
        self
    }

    /// Also the trades of others.
    #[must_use]
    pub const fn trades(mut self) -> Self {
        self.trades = true;
        self
    }

    /// Also the signal of this name, e.g. "sentiment".
    #[must_use]
    pub fn signal(mut self, name: impl Into<String>) -> Self {
        self.signals.push(name.into());
        self
    }

    /// Also a timer event each time event time passes a multiple of this many seconds.
    #[must_use]
    pub const fn timer(mut self, seconds: u32) -> Self {
        self.timer_seconds = seconds;
        self
    }

    /// How many bars of each length must have been seen before the strategy can act.
    #[must_use]
    pub const fn warm_up(mut self, bars: u32) -> Self {
        self.warm_up_bars = bars;
        self
    }
}
