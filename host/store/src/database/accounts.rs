//! Which shard is whose.

use super::table::{OnConflict, TableRow as _, table_row};
use super::{Database, Session};
use crate::journal::ShardId;
use crate::storage::StoreError;

table_row! {
    /// An account's name and its shard.
    AccountNameRow in "account_names"
    key {
        /// Where its journal is.
        shard: ShardId,
    }
    rest {
        /// What people call it, unlike all others.
        name: String,
    }
}

impl Database {
    /// All accounts that ever were, by shard.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn account_names(&mut self) -> Result<Vec<AccountNameRow>, StoreError> {
        self.call(names)
    }

    /// Gives the accounts that have no shard yet one each, and tells all accounts that there are then. It is possible
    /// beside the writer, as something may be asked of an account before it runs for the first time.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it could not be written; then no account has got a shard.
    pub fn register_accounts(&mut self, accounts: &[String]) -> Result<Vec<AccountNameRow>, StoreError> {
        let known = self.account_names()?;
        if accounts.iter().all(|account| known.iter().any(|row| row.name == *account)) {
            return Ok(known);
        }
        self.call(|session| {
            session.transaction(|session| {
                let mut known = names(session)?;
                let first = known.len();
                for name in accounts {
                    if known.iter().all(|row| row.name != *name) {
                        let last = known.iter().map(|row| row.shard.0).max();
                        let shard = ShardId(last.map_or(0, |last| last + 1));
                        known.push(AccountNameRow { shard, name: name.clone() });
                    }
                }
                session.insert(known[first..].iter(), OnConflict::Fail)?;
                Ok(known)
            })
        })
    }
}

fn names(session: &mut Session<'_>) -> Result<Vec<AccountNameRow>, StoreError> {
    let sql = format!("{} ORDER BY shard", AccountNameRow::TABLE.select());
    session.query(&sql, Vec::new())?.into_iter().map(AccountNameRow::from_row).collect()
}
