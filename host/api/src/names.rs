//! What people call things whose numbers are in the rows.

use std::collections::BTreeMap;

use bulkhead_core::identifier::{InstrumentId, StrategyId};
use bulkhead_store::database::Database;
use bulkhead_store::journal::ShardId;

use crate::problem::Problem;

/// The names of an account.
pub(crate) struct Names {
    pub(crate) shard: ShardId,
    /// The account's own.
    account: String,
    symbols: BTreeMap<InstrumentId, String>,
    strategies: BTreeMap<StrategyId, String>,
}

/// The shard of an account.
pub(crate) fn shard(database: &mut Database, account: &str) -> Result<ShardId, Problem> {
    let found = database.account_names()?.into_iter().find(|row| row.name == account);
    found.map(|row| row.shard).ok_or_else(|| Problem::unknown("account", account, "/api/v1/accounts"))
}

impl Names {
    pub(crate) fn read(database: &mut Database, account: &str) -> Result<Self, Problem> {
        let shard = shard(database, account)?;
        let symbols = database.instruments(shard)?.into_iter().map(|row| (row.instrument, row.symbol));
        let symbols = symbols.collect();
        let strategies = database.slots(shard)?.into_iter().map(|row| (row.strategy, row.name)).collect();
        Ok(Self { shard, account: account.to_owned(), symbols, strategies })
    }

    /// What people call an instrument.
    pub(crate) fn symbol(&self, id: InstrumentId) -> String {
        self.symbols.get(&id).cloned().unwrap_or_else(|| id.0.to_string())
    }

    /// What people call a strategy.
    pub(crate) fn strategy(&self, id: StrategyId) -> String {
        self.strategies.get(&id).cloned().unwrap_or_else(|| id.0.to_string())
    }

    /// The instrument of this symbol.
    pub(crate) fn instrument(&self, symbol: &str) -> Result<InstrumentId, Problem> {
        let found = self.symbols.iter().find(|(_, known)| *known == symbol).map(|(id, _)| *id);
        let list = format!("/api/v1/accounts/{}/instruments", self.account);
        found.ok_or_else(|| Problem::unknown("instrument", symbol, &list))
    }

    /// The strategy of this name.
    pub(crate) fn slot(&self, name: &str) -> Result<StrategyId, Problem> {
        let found = self.strategies.iter().find(|(_, known)| *known == name).map(|(id, _)| *id);
        let list = format!("/api/v1/accounts/{}/strategies", self.account);
        found.ok_or_else(|| Problem::unknown("strategy", name, &list))
    }
}
