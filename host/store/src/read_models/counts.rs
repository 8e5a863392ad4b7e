//! Single orders, and how many rows there are: what monitoring and details need beside the pages.

use std::collections::BTreeMap;

use bulkhead_core::identifier::{ContentHash, OrderId, StrategyId};
use bulkhead_core::order::OrderState;

use super::rows::OrderRow;
use crate::database::Database;
use crate::database::table::TableRow as _;
use crate::database::value::{Column as _, Row};
use crate::journal::{Sequence, ShardId};
use crate::storage::StoreError;

/// A strategy version without its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginVersionHead {
    /// SHA-256 of the file.
    pub hash: ContentHash,
    /// What the version calls itself.
    pub name: String,
    /// The number it gives itself.
    pub version: String,
    /// The shard that ran it first.
    pub shard: ShardId,
    /// The input that it ran from.
    pub first_sequence: Sequence,
    /// Size of the file.
    pub bytes: u64,
}

/// How many orders and fills an account has had, until a moment: what [`Database::count`] goes on from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Orders that ended, by how. An order ends once.
    ended: BTreeMap<OrderState, u64>,
    /// The last input whose ends are counted; `None` before the first.
    ended_until: Option<Sequence>,
    /// Orders that have not ended.
    open: BTreeMap<OrderState, u64>,
    fills: BTreeMap<StrategyId, u64>,
    fills_until: Option<Sequence>,
}

impl Counts {
    /// How many orders stand where. A state in which there are none may be left out.
    pub fn orders(&self) -> impl Iterator<Item = (OrderState, u64)> {
        self.open.iter().chain(&self.ended).map(|(state, count)| (*state, *count))
    }

    /// How many fills each strategy had. One that had none is left out.
    pub fn fills(&self) -> impl Iterator<Item = (StrategyId, u64)> {
        self.fills.iter().map(|(strategy, count)| (*strategy, *count))
    }
}

impl Database {
    /// All strategy versions that ever ran, by name, the latest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn plugin_version_heads(&mut self) -> Result<Vec<PluginVersionHead>, StoreError> {
        let sql = "SELECT hash, name, version, shard, first_sequence, LENGTH(wasm) FROM plugin_versions \
                   ORDER BY name, shard, first_sequence DESC, hash";
        let head = |row: Row| {
            let mut cells = row.reader("plugin_versions");
            Ok(PluginVersionHead {
                hash: cells.next()?,
                name: cells.next()?,
                version: cells.next()?,
                shard: cells.next()?,
                first_sequence: cells.next()?,
                bytes: cells.next()?,
            })
        };
        self.call(|session| session.query(sql, Vec::new()))?.into_iter().map(head).collect()
    }

    /// One order.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn order(&mut self, shard: ShardId, id: OrderId) -> Result<Option<OrderRow>, StoreError> {
        let sql = format!("{} WHERE shard = $1 AND id = $2", OrderRow::TABLE.select());
        let row = self.call(|session| session.query(&sql, vec![shard.to_value(), id.to_value()]))?.pop();
        row.map(OrderRow::from_row).transpose()
    }

    /// Brings a count of an account's orders and fills up to date. Only what came since the last time is read, so that
    /// it costs the same however much the account has traded.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read; then the count is good for another try.
    pub fn count(&mut self, shard: ShardId, counts: &mut Counts) -> Result<(), StoreError> {
        self.count_orders(shard, counts)?;
        // The sign keeps SQLite from going through all fills by strategy, where the new ones are few.
        let since = counts.fills_until.unwrap_or(Sequence(0));
        let sql = "SELECT +strategy, COUNT(*), MAX(sequence) FROM fills WHERE shard = $1 AND sequence > $2 \
                   GROUP BY +strategy";
        for row in self.call(|session| session.query(sql, vec![shard.to_value(), since.to_value()]))? {
            let mut cells = row.reader("fills");
            let (strategy, more, until): (StrategyId, u64, Sequence) =
                (cells.next()?, cells.next()?, cells.next()?);
            *counts.fills.entry(strategy).or_default() += more;
            counts.fills_until = counts.fills_until.max(Some(until));
        }
        Ok(())
    }

    fn count_orders(&mut self, shard: ShardId, counts: &mut Counts) -> Result<(), StoreError> {
        // What an input caused is there as a whole or not at all, and one statement sees one moment: so no order that
        // ended is counted twice or left out.
        let (sql, values) = match counts.ended_until {
            None => (
                "SELECT state, COUNT(*), (SELECT MAX(sequence) FROM order_transitions WHERE shard = $1) \
                 FROM orders WHERE shard = $1 GROUP BY state",
                vec![shard.to_value()],
            ),
            Some(until) => (
                "SELECT state, COUNT(*), MAX(sequence) FROM order_transitions WHERE shard = $1 AND sequence > $2 \
                 GROUP BY state",
                vec![shard.to_value(), until.to_value()],
            ),
        };
        let mut until = counts.ended_until;
        for row in self.call(|session| session.query(sql, values))? {
            let mut cells = row.reader("orders");
            let (state, more, last): (OrderState, u64, Option<Sequence>) =
                (cells.next()?, cells.next()?, cells.next()?);
            if state.is_final() {
                *counts.ended.entry(state).or_default() += more;
            }
            until = until.max(last);
        }
        counts.ended_until = until;
        counts.open.clear();
        for state in OrderState::ALL.into_iter().filter(|state| !state.is_final()) {
            let sql = "SELECT COUNT(*) FROM orders WHERE shard = $1 AND state = $2";
            let values = vec![shard.to_value(), state.to_value()];
            for row in self.call(|session| session.query(sql, values))? {
                counts.open.insert(state, row.first("orders")?);
            }
        }
        Ok(())
    }
}
