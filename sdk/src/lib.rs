//! What a strategy author uses: one `impl` of [`Strategy`] and one [`export!`] make a plugin.
//!
//! A strategy sees market events and proposes actions; the host decides what becomes of them. This crate
//! turns the host's calls into the handlers of [`Strategy`], keeps the account as the host told it in
//! [`Context`], saves and restores the strategy's memory, and offers the usual [`indicators`]. The same
//! strategy runs natively in the [`harness`], so its tests need neither wasm nor a host.
//!
//! What this crate must never do: read a clock, draw a random number, iterate in hash order, or import
//! anything but the contract's `log` and `inference`. A strategy gives the same answers for the same events, bit for bit.
//!
//! ```
//! use bulkhead_sdk::prelude::*;
//!
//! #[derive(Parameters)]
//! struct Settings {
//!     /// Bars that must rise one after the other before it buys.
//!     #[parameter(default = 3, min = 1, max = 20)]
//!     rises: u32,
//! }
//!
//! #[state]
//! struct Riser {
//!     wanted: u32,
//!     seen: u32,
//! }
//!
//! impl Strategy for Riser {
//!     type Parameters = Settings;
//!
//!     fn needs(_: &Settings) -> Needs {
//!         Needs::bars(60)
//!     }
//!
//!     fn new(settings: &Settings) -> Self {
//!         Self { wanted: settings.rises, seen: 0 }
//!     }
//!
//!     fn observe(&mut self, bar: &Bar) {
//!         self.seen = if bar.close > bar.open { self.seen + 1 } else { 0 };
//!     }
//!
//!     fn on_bar(&mut self, _bar: &Bar, context: &mut Context) {
//!         match context.stance() {
//!             Stance::Flat if self.seen >= self.wanted => {
//!                 context.buy().reason("rising");
//!             }
//!             Stance::Long if self.seen == 0 => {
//!                 context.close().reason("fell");
//!             }
//!             _ => {}
//!         }
//!     }
//! }
//!
//! bulkhead_sdk::export!(Riser);
//! ```
//!
//! Where to start reading: [`strategy`] for the handlers and when they are called, [`context`] for what a
//! handler can see and do, [`runner`] for the loop between the two.

// The derive and the attribute name this crate by its public path, also inside its own tests.
#[allow(unused_extern_crates, reason = "only the expansions of macros inside this crate use it")]
extern crate self as bulkhead_sdk;

#[doc(hidden)]
pub mod bindings;
pub mod context;
#[doc(hidden)]
pub mod export;
#[cfg(not(target_arch = "wasm32"))]
pub mod harness;
pub mod indicators;
pub mod log;
pub mod models;
pub mod parameters;
pub mod records;
pub mod runner;
mod state;
pub mod strategy;

pub use bindings::bulkhead::strategy::types::{
    Action, Amount, Bar, Capital, ChangeExits, Config, Description, Event, ExitPlan, Fill, FillCause,
    History, Inputs, Instrument, Intent, LogLevel, OrderKind, OrderStatus, OrderUpdate, Parameter,
    ParameterValue, Position, Proposal, Quote, Reaction, SavedState, Setting, Side, Signal, SignalName,
    Submit, TakeProfit, Timestamp, Trade,
};
pub use bulkhead_sdk_derive::{Parameters, state};
pub use context::{Context, Stance};
pub use parameters::Parameters;
pub use state::decode;
pub use strategy::{Needs, Scope, Strategy};

#[doc(hidden)]
pub use serde;

/// What nearly every strategy uses.
pub mod prelude {
    pub use crate::context::{Context, Stance, WorkingOrder};
    pub use crate::strategy::{Needs, Scope, Strategy};
    pub use crate::{
        Bar, ExitPlan, Fill, FillCause, Instrument, OrderStatus, OrderUpdate, Parameters, Position, Quote,
        Side, Signal, Timestamp, Trade, log, state,
    };
}
