//! Single orders, and how many rows there are: what monitoring and details need beside the pages.

use bulkhead_core::identifier::{OrderId, StrategyId};
use bulkhead_core::order::OrderState;

use super::rows::OrderRow;
use crate::database::Database;
use crate::database::table::TableRow as _;
use crate::database::value::{Column as _, Row};
use crate::journal::ShardId;
use crate::storage::StoreError;

impl Database {
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
