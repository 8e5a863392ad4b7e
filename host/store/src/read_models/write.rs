//! Changes become rows.

use std::collections::{BTreeMap, BTreeSet};

use bulkhead_core::identifier::{InstrumentId, OrderId, StrategyId};

use super::rows::{
    AccountRow, AdjustmentRow, AuditRow, ChargeRow, EquityRow, FillRow, InstrumentRow, OrderRow,
    PluginVersionRow, PositionRow, SettingsRow, SlotRow, TradeRow, TransitionRow,
};
use super::{Change, OrderMove};
use crate::database::Session;
use crate::database::table::{OnConflict, TableRow};
use crate::database::value::Column as _;
use crate::journal::ShardId;
use crate::storage::StoreError;

type PositionKey = (ShardId, StrategyId, InstrumentId);

/// What becomes of a position's row.
enum PositionChange {
    Open(PositionRow),
    Closed,
}

/// Writes changes in their order, within the session's transaction. What one change of a group writes and a
/// later one overwrites is written once.
pub(crate) fn apply(session: &mut Session<'_>, changes: &[Change]) -> Result<(), StoreError> {
    let mut rows = Rows::default();
    for change in changes {
        rows.take(change);
    }
    rows.write(session)
}

/// The rows of a group of changes, by key.
#[derive(Default)]
struct Rows<'a> {
    accounts: BTreeMap<(ShardId,), &'a AccountRow>,
    instruments: BTreeMap<(ShardId, InstrumentId), &'a InstrumentRow>,
    slots: BTreeMap<(ShardId, StrategyId), &'a SlotRow>,
    orders: BTreeMap<(ShardId, OrderId), OrderRow>,
    /// Of orders that are not among these.
    moves: BTreeMap<(ShardId, OrderId), &'a OrderMove>,
    transitions: Vec<&'a TransitionRow>,
    fills: Vec<&'a FillRow>,
    charges: Vec<&'a ChargeRow>,
    adjustments: Vec<&'a AdjustmentRow>,
    trades: Vec<&'a TradeRow>,
    /// Shards whose positions are all written anew.
    forgotten: BTreeSet<ShardId>,
    positions: BTreeMap<PositionKey, PositionChange>,
    equity: Vec<&'a EquityRow>,
    plugin_versions: Vec<&'a PluginVersionRow>,
    settings: Vec<&'a SettingsRow>,
    audit: Vec<&'a AuditRow>,
}

impl<'a> Rows<'a> {
    fn take(&mut self, change: &'a Change) {
        match change {
            Change::Account(row) => drop(self.accounts.insert(row.key(), row)),
            Change::Instrument(row) => drop(self.instruments.insert(row.key(), row)),
            Change::Slot(row) => drop(self.slots.insert(row.key(), row)),
            Change::Order(row) => drop(self.orders.insert(row.key(), row.clone())),
            Change::OrderMoved(moved) => self.move_order(moved),
            Change::Transition(row) => self.transitions.push(row),
            Change::Fill(row) => self.fills.push(row),
            Change::Charge(row) => self.charges.push(row),
            Change::Adjustment(row) => self.adjustments.push(row),
            Change::Trade(row) => self.trades.push(row),
            Change::Position(row) => {
                self.positions.insert(row.key(), PositionChange::Open(row.clone()));
            }
            Change::PositionClosed { shard, strategy, instrument } => {
                self.positions.insert((*shard, *strategy, *instrument), PositionChange::Closed);
            }
            Change::PositionsUnknown { shard } => {
                self.forgotten.insert(*shard);
                self.positions.retain(|(of, ..), _| of != shard);
            }
            Change::Equity(row) => self.equity.push(row),
            Change::PluginVersion(row) => self.plugin_versions.push(row),
            Change::Settings(row) => self.settings.push(row),
            Change::Audit(row) => self.audit.push(row),
        }
    }

    fn move_order(&mut self, moved: &'a OrderMove) {
        match self.orders.get_mut(&(moved.shard, moved.id)) {
            Some(row) => {
                row.sequence = moved.sequence;
                row.state = moved.state;
                row.filled = moved.filled;
                row.changed = moved.changed;
                row.end_reason.clone_from(&moved.end_reason);
            }
            None => drop(self.moves.insert((moved.shard, moved.id), moved)),
        }
    }

    fn write(self, session: &mut Session<'_>) -> Result<(), StoreError> {
        replace(session, self.accounts.into_values())?;
        replace(session, self.instruments.into_values())?;
        replace(session, self.slots.into_values())?;
        replace(session, self.orders.values())?;
        for moved in self.moves.into_values() {
            let sql = "UPDATE orders SET sequence = $1, state = $2, filled = $3, changed = $4, end_reason = $5 \
                       WHERE shard = $6 AND id = $7";
            let values = vec![
                moved.sequence.to_value(),
                moved.state.to_value(),
                moved.filled.to_value(),
                moved.changed.to_value(),
                moved.end_reason.to_value(),
                moved.shard.to_value(),
                moved.id.to_value(),
            ];
            session.execute(sql, values)?;
        }
        replace(session, last_of_each(self.transitions, TransitionRow::key))?;
        replace(session, last_of_each(self.fills, FillRow::key))?;
        replace(session, last_of_each(self.charges, ChargeRow::key))?;
        replace(session, last_of_each(self.adjustments, AdjustmentRow::key))?;
        replace(session, last_of_each(self.trades, TradeRow::key))?;
        for shard in self.forgotten {
            session.execute("DELETE FROM positions WHERE shard = $1", vec![shard.to_value()])?;
        }
        let mut open = Vec::new();
        for ((shard, strategy, instrument), change) in &self.positions {
            match change {
                PositionChange::Open(row) => open.push(row),
                PositionChange::Closed => {
                    let sql = "DELETE FROM positions WHERE shard = $1 AND strategy = $2 AND instrument = $3";
                    session
                        .execute(sql, vec![shard.to_value(), strategy.to_value(), instrument.to_value()])?;
                }
            }
        }
        replace(session, open.into_iter())?;
        replace(session, last_of_each(self.equity, EquityRow::key))?;
        // Files are large: one a statement.
        for row in last_of_each(self.plugin_versions, PluginVersionRow::key) {
            session.insert(std::iter::once(row), OnConflict::Keep)?;
        }
        replace(session, last_of_each(self.settings, SettingsRow::key))?;
        replace(session, last_of_each(self.audit, AuditRow::key))
    }
}

fn replace<'r, R: TableRow + 'r>(
    session: &mut Session<'_>,
    rows: impl ExactSizeIterator<Item = &'r R>,
) -> Result<(), StoreError> {
    session.insert(rows, OnConflict::Replace)
}

/// One row a key, as a statement can't replace a row that it has added itself.
fn last_of_each<R, K: Ord>(
    rows: Vec<&R>,
    key: impl Fn(&R) -> K,
) -> std::collections::btree_map::IntoValues<K, &R> {
    rows.into_iter().map(|row| (key(row), row)).collect::<BTreeMap<_, _>>().into_values()
}
