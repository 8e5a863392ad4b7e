//! Everything the engine wants done or made known.

use serde::{Deserialize, Serialize};

use crate::identifier::{ContentHash, InstrumentId, OrderId, StrategyId};
use crate::input::{Actor, HaltAction};
use crate::money::{Money, Price, Quantity};
use crate::order::{Fill, OrderState, OrderTerms, Side};
use crate::reconciliation::{BooksAdjusted, IgnoringChanged};
use crate::risk::{BreakerChange, Refusal};
use crate::strategy::{FaultKind, FillCause, LogLine};
use crate::time::Timestamp;
use crate::venue::outside::Request;
use crate::venue::stage::Stage;

/// One output of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// An order passed the gate.
    OrderAccepted(OrderTerms),
    /// An order's state changed after its acceptance.
    OrderChanged(OrderChange),
    /// The gate refused what a strategy proposed.
    Refused(RefusedProposal),
    /// An execution was booked.
    Filled(Fill),
    /// A position, or a part of one, was closed.
    TradeClosed(ClosedTrade),
    /// A cost without a fill was booked, such as the gas of a failed transaction.
    Charged {
        /// Whose.
        strategy: StrategyId,
        /// When.
        time: Timestamp,
        /// How much.
        amount: Money,
    },
    /// A strategy misbehaved.
    StrategyFault(FaultReport),
    /// A slot changed.
    SlotChanged(SlotChange),
    /// A strategy logged something.
    StrategyLog {
        /// Which slot.
        strategy: StrategyId,
        /// What.
        line: LogLine,
    },
    /// Trading was halted or resumed.
    TradingState(TradingState),
    /// Other settings hold from now on.
    SettingsChanged {
        /// Counted up from 1, the settings that the engine was set up with.
        version: u64,
        /// Who changed them.
        actor: Actor,
        /// When.
        time: Timestamp,
    },
    /// A breaker opened, became half-open or closed.
    BreakerChanged(BreakerChange),
    /// An input could not be used; nothing changed.
    InputRefused {
        /// When.
        time: Timestamp,
        /// Why, and what to do.
        reason: String,
    },
    /// A venue outside is to do something.
    VenueRequested {
        /// For which order.
        order: OrderId,
        /// What.
        request: Request,
    },
    /// An order outside has come to a stage. What may follow from that outside may follow when this is released.
    StageReached(ReachedStage),
    /// A difference between the books and what is really there was booked.
    BooksAdjusted(BooksAdjusted),
    /// A difference is ignored from now on, or no more.
    IgnoringChanged(IgnoringChanged),
}

/// A stage of an order outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReachedStage {
    /// Which order.
    pub order: OrderId,
    /// Whose.
    pub strategy: StrategyId,
    /// When.
    pub time: Timestamp,
    /// Where the order stands.
    pub state: OrderState,
    /// Quantity executed so far.
    pub filled: Quantity,
    /// How far it has come.
    pub stage: Stage,
}

impl std::fmt::Display for ReachedStage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, details) = (self.stage.name(), self.stage.details());
        if details.is_empty() { formatter.write_str(name) } else { write!(formatter, "{name}: {details}") }
    }
}

/// An order moved on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderChange {
    /// Which order.
    pub order: OrderId,
    /// Whose.
    pub strategy: StrategyId,
    /// When.
    pub time: Timestamp,
    /// Where it stands now.
    pub state: OrderState,
    /// Quantity executed so far.
    pub filled: Quantity,
    /// Why, for an end without a fill.
    pub reason: String,
}

/// A proposal that did not become an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedProposal {
    /// Whose.
    pub strategy: StrategyId,
    /// For what.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// When.
    pub time: Timestamp,
    /// Why not.
    pub refusal: Refusal,
}

/// A position, or the part of it that one execution closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedTrade {
    /// Whose.
    pub strategy: StrategyId,
    /// In what.
    pub instrument: InstrumentId,
    /// The side of the entry.
    pub side: Side,
    /// When the position was opened.
    pub entry_time: Timestamp,
    /// When this part was closed.
    pub exit_time: Timestamp,
    /// Average entry price.
    pub entry_price: Price,
    /// Exit price.
    pub exit_price: Price,
    /// How much was closed.
    pub quantity: Quantity,
    /// Of entry and exit, for this part.
    pub fees: Money,
    /// Profit after fees.
    pub pnl: Money,
    /// Why it was closed.
    pub exit_reason: FillCause,
}

/// A strategy's misbehaviour and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultReport {
    /// Which slot.
    pub strategy: StrategyId,
    /// Which version.
    pub version: ContentHash,
    /// When.
    pub time: Timestamp,
    /// The number of the event that it failed on, counted over the slot's life.
    pub event: u64,
    /// What happened.
    pub fault: FaultKind,
    /// Where the machine had a part in it: which call of a strategy in its step it was, from 1.
    pub call: Option<u32>,
    /// What follows.
    pub consequence: Consequence,
}

/// A fault that the same step need not bring about again: a replay takes it from the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineFault {
    /// Which call of a strategy in its step it was, from 1.
    pub call: u32,
    /// What happened.
    pub fault: FaultKind,
}

/// What follows from a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consequence {
    /// It restarts from its last saved state at this time.
    RestartAt(Timestamp),
    /// Too many faults: it stays stopped until an operator releases it or a new version comes.
    Quarantined,
}

/// How a slot changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotChange {
    /// Which slot.
    pub strategy: StrategyId,
    /// Its name.
    pub slot: String,
    /// When.
    pub time: Timestamp,
    /// What happened.
    pub event: SlotEvent,
}

/// What can happen to a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlotEvent {
    /// A first version runs.
    Started(ContentHash),
    /// Another version took over.
    Replaced {
        /// The one before.
        from: ContentHash,
        /// The one that runs now.
        to: ContentHash,
    },
    /// A deployment failed; what ran before goes on.
    DeploymentFailed {
        /// The version that was to run.
        version: ContentHash,
        /// Why it can't.
        reason: String,
        /// Where the machine had a part in it.
        fault: Option<MachineFault>,
    },
    /// A strategy that had failed runs again.
    Restarted,
    /// The strategy was removed; its positions stay guarded.
    Removed,
    /// Its mode or weight changed.
    Adjusted,
}

/// Whether new exposure may be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradingState {
    /// Since when.
    pub time: Timestamp,
    /// Whether it is stopped.
    pub halted: bool,
    /// Why it is stopped.
    pub reason: String,
    /// Who stopped or resumed it.
    pub actor: Actor,
    /// What is done besides stopping it; nothing when it is not stopped.
    pub action: Option<HaltAction>,
}
