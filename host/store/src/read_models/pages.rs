//! Reading the rows, page by page. A page follows the last row of the one before, so rows that come in
//! between neither repeat nor hide any. The newest come first.

use bulkhead_core::identifier::{ContentHash, InstrumentId, OrderId, StrategyId};
use bulkhead_core::order::{OrderState, Origin};
use bulkhead_core::time::Timestamp;

use super::rows::{
    AccountRow, AdjustmentRow, AuditRow, ChargeRow, EquityRow, FillRow, InstrumentRow, OrderRow,
    PluginVersionRow, PositionRow, SettingsRow, SlotRow, TradeRow, TransitionRow,
};
use crate::database::Database;
use crate::database::limit;
use crate::database::table::TableRow;
use crate::database::value::{Column, Value};
use crate::journal::{Sequence, ShardId};
use crate::storage::StoreError;

/// Where a fill, a trade or an entry of the audit is in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The input that caused it.
    pub sequence: Sequence,
    /// Its place among what the input caused.
    pub ordinal: u32,
}

/// Which orders. What is `None` does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// Where they stand.
    pub state: Option<OrderState>,
    /// What they trade.
    pub instrument: Option<InstrumentId>,
    /// Whose they are.
    pub strategy: Option<StrategyId>,
    /// Who wanted them.
    pub origin: Option<Origin>,
    /// Made at this moment or later.
    pub from: Option<Timestamp>,
    /// Made before this moment.
    pub until: Option<Timestamp>,
}

/// Which fills. What is `None` does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FillFilter {
    /// Of which order.
    pub order: Option<OrderId>,
    /// What was traded.
    pub instrument: Option<InstrumentId>,
    /// Whose they are.
    pub strategy: Option<StrategyId>,
    /// At this moment or later.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}

/// Which closed trades. What is `None` does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TradeFilter {
    /// What was traded.
    pub instrument: Option<InstrumentId>,
    /// Whose they are.
    pub strategy: Option<StrategyId>,
    /// Closed at this moment or later.
    pub from: Option<Timestamp>,
    /// Closed before this moment.
    pub until: Option<Timestamp>,
}

/// A query for rows of one shard that is being put together.
struct Query {
    sql: String,
    values: Vec<Value>,
}

impl Query {
    fn of<R: TableRow>(shard: ShardId) -> Self {
        Self { sql: format!("{} WHERE shard = $1", R::TABLE.select()), values: vec![shard.to_value()] }
    }

    /// Adds a condition such as `time >=` when there is a value.
    fn and<T: Column>(mut self, condition: &'static str, value: Option<&T>) -> Self {
        if let Some(value) = value {
            self.values.push(value.to_value());
            self.sql += &format!(" AND {condition} ${}", self.values.len());
        }
        self
    }

    /// Orders made in a period. Later orders have higher numbers, so the period is a range of them; read by number it needs
    /// no sorting, however long it is.
    fn orders_between(mut self, filter: &OrderFilter) -> Self {
        let bounds = [
            (filter.from, "id >= (SELECT id FROM orders WHERE shard = $1 AND created >=", "created, id"),
            (
                filter.until,
                "id <= (SELECT id FROM orders WHERE shard = $1 AND created <",
                "created DESC, id DESC",
            ),
        ];
        for (moment, condition, order) in bounds {
            if let Some(moment) = moment {
                self = self.and(condition, Some(&moment));
                self.sql += &format!(" ORDER BY {order} LIMIT 1)");
            }
        }
        self
    }

    /// Goes on behind a place, newest first.
    fn behind(mut self, after: Option<Place>) -> Self {
        if let Some(place) = after {
            self.values.extend([place.sequence.to_value(), place.ordinal.to_value()]);
            let last = self.values.len();
            self.sql += &format!(" AND (sequence, ordinal) < (${}, ${last})", last - 1);
        }
        self
    }

    fn read<R: TableRow>(
        mut self,
        database: &mut Database,
        order: &'static str,
        most: Option<usize>,
    ) -> Result<Vec<R>, StoreError> {
        self.sql += " ORDER BY ";
        self.sql += order;
        if let Some(most) = most {
            self.values.push(limit(most));
            self.sql += &format!(" LIMIT ${}", self.values.len());
        }
        let rows = database.call(|session| session.query(&self.sql, self.values))?;
        rows.into_iter().map(R::from_row).collect()
    }
}

const NEWEST: &str = "sequence DESC, ordinal DESC";

impl Database {
    /// The account as it stands; `None` when nothing has happened yet.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn account(&mut self, shard: ShardId) -> Result<Option<AccountRow>, StoreError> {
        Ok(Query::of::<AccountRow>(shard).read(self, "shard", None)?.pop())
    }

    /// What can be traded, by number.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn instruments(&mut self, shard: ShardId) -> Result<Vec<InstrumentRow>, StoreError> {
        Query::of::<InstrumentRow>(shard).read(self, "instrument", None)
    }

    /// The strategies' slots, by number.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn slots(&mut self, shard: ShardId) -> Result<Vec<SlotRow>, StoreError> {
        Query::of::<SlotRow>(shard).read(self, "strategy", None)
    }

    /// Up to `most` orders, newest first, older than the order `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn orders(
        &mut self,
        shard: ShardId,
        filter: &OrderFilter,
        after: Option<OrderId>,
        most: usize,
    ) -> Result<Vec<OrderRow>, StoreError> {
        // A database without statistics takes the orders of a strategy to be fewer than those in a state, and would look at
        // each of a million for the rejected ones. The signs keep it from that where the state is the better way.
        let by_state = match filter.state {
            Some(state) if filter.instrument.is_some() || filter.strategy.is_some() => {
                self.are_few(shard, state)?
            }
            _ => false,
        };
        let by_origin = filter.origin.is_some_and(|origin| origin != Origin::Strategy);
        let (instrument, strategy) = if by_state || by_origin {
            ("+instrument =", "+strategy =")
        } else {
            ("instrument =", "strategy =")
        };
        // What the index of those that no strategy proposed is for has to be said in its words.
        let origin = if by_origin { "origin <> 'strategy' AND origin =" } else { "origin =" };
        Query::of::<OrderRow>(shard)
            .and("state =", filter.state.as_ref())
            .and(origin, filter.origin.map(|origin| origin.name().to_owned()).as_ref())
            .and(instrument, filter.instrument.as_ref())
            .and(strategy, filter.strategy.as_ref())
            .orders_between(filter)
            .and("id <", after.as_ref())
            .read(self, "id DESC", Some(most))
    }

    /// Whether so few orders are in a state that all of them can be looked at. It counts no further than that.
    fn are_few(&mut self, shard: ShardId, state: OrderState) -> Result<bool, StoreError> {
        const FEW: usize = 10_000;
        let sql =
            "SELECT COUNT(*) FROM (SELECT id FROM orders WHERE shard = $1 AND state = $2 LIMIT $3) AS found";
        let values = vec![shard.to_value(), state.to_value(), limit(FEW)];
        let rows = self.call(|session| session.query(sql, values))?;
        let count: u64 = rows.into_iter().next().map_or(Ok(0), |row| row.first("orders"))?;
        Ok(count < FEW as u64)
    }

    /// The life of an order, oldest step first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn order_transitions(
        &mut self,
        shard: ShardId,
        order: OrderId,
    ) -> Result<Vec<TransitionRow>, StoreError> {
        Query::of::<TransitionRow>(shard).and("order_id =", Some(&order)).read(
            self,
            "sequence, ordinal",
            None,
        )
    }

    /// Up to `most` fills, newest first, older than the one at `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn fills(
        &mut self,
        shard: ShardId,
        filter: &FillFilter,
        after: Option<Place>,
        most: usize,
    ) -> Result<Vec<FillRow>, StoreError> {
        Query::of::<FillRow>(shard)
            .and("order_id =", filter.order.as_ref())
            .and("instrument =", filter.instrument.as_ref())
            .and("strategy =", filter.strategy.as_ref())
            .and("time >=", filter.from.as_ref())
            .and("time <", filter.until.as_ref())
            .behind(after)
            .read(self, NEWEST, Some(most))
    }

    /// Up to `most` closed trades, newest first, older than the one at `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn trades(
        &mut self,
        shard: ShardId,
        filter: &TradeFilter,
        after: Option<Place>,
        most: usize,
    ) -> Result<Vec<TradeRow>, StoreError> {
        Query::of::<TradeRow>(shard)
            .and("instrument =", filter.instrument.as_ref())
            .and("strategy =", filter.strategy.as_ref())
            .and("exit_time >=", filter.from.as_ref())
            .and("exit_time <", filter.until.as_ref())
            .behind(after)
            .read(self, NEWEST, Some(most))
    }

    /// Costs without a fill: up to `most`, newest first, older than the one at `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn charges(
        &mut self,
        shard: ShardId,
        after: Option<Place>,
        most: usize,
    ) -> Result<Vec<ChargeRow>, StoreError> {
        Query::of::<ChargeRow>(shard).behind(after).read(self, NEWEST, Some(most))
    }

    /// Differences that were booked: up to `most`, newest first, older than the one at `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn adjustments(
        &mut self,
        shard: ShardId,
        after: Option<Place>,
        most: usize,
    ) -> Result<Vec<AdjustmentRow>, StoreError> {
        Query::of::<AdjustmentRow>(shard).behind(after).read(self, NEWEST, Some(most))
    }

    /// The open positions, by strategy and instrument.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn positions(&mut self, shard: ShardId) -> Result<Vec<PositionRow>, StoreError> {
        Query::of::<PositionRow>(shard).read(self, "strategy, instrument", None)
    }

    /// Up to `most` values of the account over time, oldest first, later than `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn equity(
        &mut self,
        shard: ShardId,
        after: Option<Timestamp>,
        most: usize,
    ) -> Result<Vec<EquityRow>, StoreError> {
        Query::of::<EquityRow>(shard).and("time >", after.as_ref()).read(self, "time", Some(most))
    }

    /// Up to `most` entries of the audit, newest first, older than the one at `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn audit(
        &mut self,
        shard: ShardId,
        after: Option<Place>,
        most: usize,
    ) -> Result<Vec<AuditRow>, StoreError> {
        Query::of::<AuditRow>(shard).behind(after).read(self, NEWEST, Some(most))
    }

    /// Up to `most` settings, the latest first, that applied before the input `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn settings(
        &mut self,
        shard: ShardId,
        after: Option<Sequence>,
        most: usize,
    ) -> Result<Vec<SettingsRow>, StoreError> {
        Query::of::<SettingsRow>(shard).and("sequence <", after.as_ref()).read(
            self,
            "sequence DESC",
            Some(most),
        )
    }

    /// A strategy version with its file, if it ever ran.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn plugin_version(&mut self, hash: &ContentHash) -> Result<Option<PluginVersionRow>, StoreError> {
        let sql = format!("{} WHERE hash = $1", PluginVersionRow::TABLE.select());
        let row = self.call(|session| session.query(&sql, vec![hash.to_value()]))?.pop();
        row.map(PluginVersionRow::from_row).transpose()
    }

    /// The hashes of all strategy versions that ever ran, in their order.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn plugin_versions(&mut self) -> Result<Vec<ContentHash>, StoreError> {
        let sql = "SELECT hash FROM plugin_versions ORDER BY hash";
        let rows = self.call(|session| session.query(sql, Vec::new()))?;
        rows.into_iter().map(|row| row.first("plugin_versions")).collect()
    }
}
