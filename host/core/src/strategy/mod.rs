//! Strategies as the core sees them: something that is handed events and answers with proposals. In
//! production it is a sandboxed component, in unit tests a native object; the core can't tell which.

mod action;
mod description;
mod event;
mod fault;
mod limits;

pub use action::{
    Action, Amount, ExitPlan, Intent, MAX_TAKE_PROFITS, OrderKind, Proposal, Submit, TakeProfit,
};
pub use description::{
    Description, InstanceConfig, InvalidParameter, Needs, Parameter, ParameterKind, ParameterValue,
};
pub use event::{
    CapitalUpdate, Event, FillCause, FillEvent, History, OrderStatus, OrderUpdate, PositionUpdate,
};
pub use fault::{Fault, FaultKind};
pub use limits::{InvalidLimits, Limits};

use serde::{Deserialize, Serialize};

use crate::identifier::ContentHash;

/// One running instance of a strategy version.
///
/// An implementation must be deterministic: the same config, state and events give the same answers.
pub trait Strategy: Send {
    /// Hands over one or more events, in order; pushes what the strategy proposes to `actions`.
    ///
    /// Returns how many events were handled, from 1 to `events.len()`: the strategy stops after the first
    /// event that makes it act.
    ///
    /// # Errors
    ///
    /// A [`Fault`] when the strategy trapped, ran over a limit or answered nonsense. The instance must not
    /// be called again; what it pushed to `actions` does not count.
    fn on_events(&mut self, events: &[Event], actions: &mut Vec<Action>) -> Result<usize, Fault>;

    /// Writes down the strategy's memory.
    ///
    /// # Errors
    ///
    /// A [`Fault`] when the strategy can't; the last saved state remains the one to restart from.
    fn save(&mut self) -> Result<SavedState, Fault>;

    /// Takes over a memory that this or an earlier version saved.
    ///
    /// # Errors
    ///
    /// A [`Fault`] when the strategy can't use the state.
    fn restore(&mut self, state: &SavedState) -> Result<(), Fault>;

    /// Moves the lines that the strategy logged since the last call to `lines`.
    fn drain_log(&mut self, lines: &mut Vec<LogLine>) {
        let _ = lines;
    }
}

/// Makes instances of strategy versions that have been verified and compiled beforehand.
pub trait StrategySource: Send {
    /// What the version says of itself.
    ///
    /// # Errors
    ///
    /// A [`Fault`] when no such version was prepared.
    fn describe(&self, version: &ContentHash) -> Result<Description, Fault>;

    /// What an instance with this config is fed, and how many bars it must see before it can act: its
    /// settings may decide about that. What the description says if nothing else is known.
    ///
    /// # Errors
    ///
    /// A [`Fault`] when no such version was prepared, or its start failed.
    fn needs(&self, version: &ContentHash, config: &InstanceConfig) -> Result<(Needs, u32), Fault> {
        let _ = config;
        self.describe(version).map(|description| (description.needs, description.warm_up_bars))
    }

    /// Starts an instance.
    ///
    /// # Errors
    ///
    /// A [`Fault`] when no such version was prepared, or its start failed.
    fn instantiate(&self, version: &ContentHash, config: &InstanceConfig)
    -> Result<Box<dyn Strategy>, Fault>;

    /// Starts an instance for this slot. Its name is for whoever counts calls; the strategy never learns it.
    ///
    /// # Errors
    ///
    /// As [`Self::instantiate`].
    fn instantiate_in(
        &self,
        slot: &str,
        version: &ContentHash,
        config: &InstanceConfig,
    ) -> Result<Box<dyn Strategy>, Fault> {
        let _ = slot;
        self.instantiate(version, config)
    }
}

/// A strategy's memory between two instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedState {
    /// The layout number of the version that wrote it.
    pub schema: u32,
    /// The layout is the strategy's own affair.
    pub bytes: Vec<u8>,
}

/// How grave a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// For the strategy's author.
    Debug,
    /// For the operator.
    Info,
    /// Something looks wrong.
    Warn,
    /// Something is wrong.
    Error,
}

/// A line that a strategy logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// How grave.
    pub level: LogLevel,
    /// The text, without control characters.
    pub message: String,
}
