//! Rows for people and programs to read, which follow from the journal.
//!
//! A `Projection` makes `Change`s from what the engine does; they are written in the transaction of the
//! records that cause them. Writing the same changes again leaves the same rows.

use bulkhead_core::identifier::{InstrumentId, OrderId, StrategyId};
use bulkhead_core::money::Quantity;
use bulkhead_core::order::OrderState;
use bulkhead_core::time::Timestamp;

use crate::journal::{Sequence, ShardId};

mod counts;
mod pages;
mod projection;
mod rows;
mod write;

pub use self::counts::{Counts, PluginVersionHead};
pub use self::pages::{FillFilter, OrderFilter, Place, TradeFilter};
pub use self::projection::Projection;
pub use self::rows::{
    AccountRow, AdjustmentRow, AuditRow, ChargeRow, EquityRow, FillRow, InstrumentRow, OrderRow,
    PluginVersionRow, PositionRow, SettingsRow, SlotRow, TradeRow, TransitionRow,
};
pub(crate) use self::write::apply;

/// Rows that are added, replaced or taken away. Where a row of the same key is there already, it is replaced.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The account in sum.
    Account(AccountRow),
    /// What can be traded.
    Instrument(InstrumentRow),
    /// A strategy's slot.
    Slot(SlotRow),
    /// An order that passed the gate.
    Order(OrderRow),
    /// An order that moved on.
    OrderMoved(OrderMove),
    /// A step in the life of an order.
    Transition(TransitionRow),
    /// An execution.
    Fill(FillRow),
    /// A cost without a fill.
    Charge(ChargeRow),
    /// A difference that was booked.
    Adjustment(AdjustmentRow),
    /// A position, or a part of one, was closed.
    Trade(TradeRow),
    /// An open position.
    Position(PositionRow),
    /// A position that is not open any more.
    PositionClosed {
        /// Whose journal.
        shard: ShardId,
        /// Whose.
        strategy: StrategyId,
        /// In what.
        instrument: InstrumentId,
    },
    /// No position is known to be open; those that are follow.
    PositionsUnknown {
        /// Whose journal.
        shard: ShardId,
    },
    /// The account's value at a moment.
    Equity(EquityRow),
    /// A strategy version that runs for the first time; a version that is known stays as it is.
    PluginVersion(PluginVersionRow),
    /// Settings that apply from now on.
    Settings(SettingsRow),
    /// Something that an operator or the host did.
    Audit(AuditRow),
}

/// What changes in an order's row when it moves on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderMove {
    /// Whose journal.
    pub shard: ShardId,
    /// Which order.
    pub id: OrderId,
    /// The input that moved it.
    pub sequence: Sequence,
    /// Where it stands now.
    pub state: OrderState,
    /// Quantity executed so far.
    pub filled: Quantity,
    /// When it moved.
    pub changed: Timestamp,
    /// Why, for an end without a fill.
    pub end_reason: String,
}
