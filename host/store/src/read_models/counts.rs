//! Single orders, and how many rows there are: what monitoring and details need beside the pages.

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

    /// How many orders stand where. A state in which there are none is left out.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn orders_by_state(&mut self, shard: ShardId) -> Result<Vec<(OrderState, u64)>, StoreError> {
        let sql = "SELECT state, COUNT(*) FROM orders WHERE shard = $1 GROUP BY state ORDER BY state";
        let pair = |row: Row| {
            let mut cells = row.reader("orders");
            Ok((cells.next()?, cells.next()?))
        };
        let rows = self.call(|session| session.query(sql, vec![shard.to_value()]))?;
        rows.into_iter().map(pair).collect()
    }

    /// How many fills each strategy had. One that had none is left out.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn fills_by_strategy(&mut self, shard: ShardId) -> Result<Vec<(StrategyId, u64)>, StoreError> {
        let sql = "SELECT strategy, COUNT(*) FROM fills WHERE shard = $1 GROUP BY strategy ORDER BY strategy";
        let pair = |row: Row| {
            let mut cells = row.reader("fills");
            Ok((cells.next()?, cells.next()?))
        };
        let rows = self.call(|session| session.query(sql, vec![shard.to_value()]))?;
        rows.into_iter().map(pair).collect()
    }
}
