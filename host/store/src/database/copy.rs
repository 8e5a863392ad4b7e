//! Backup and restore: a copy of everything, as it is at one moment, into a database that holds nothing yet.
//! Copying from the live database is a backup, copying from a backup is a restore. Either end may be SQLite
//! or Postgres.

use std::path::Path;

use super::error::Dialect;
use super::journal::{UnderWay, shards};
use super::partial_file::{PartialFile, beside};
use super::schema::{self, Standing};
use super::table::{OnConflict, Table, TableRow};
use super::url::Target;
use super::value::{Row, Value};
use super::{AccountNameRow, Database, DatabaseUrl, Options, Session, TokenRow, limit, requests, uploads};
use crate::journal::Record;
use crate::read_models::{
    AccountRow, AdjustmentRow, AuditRow, ChargeRow, EquityRow, FillRow, InstrumentRow, OrderRow,
    PluginVersionRow, PositionRow, SettingsRow, SlotRow, TradeRow, TransitionRow,
};
use crate::storage::{Snapshot, StoreError};
use crate::verify::{Report, verify};
use crate::wallets::{LeaderTradeRow, NewPoolRow, TrackedWalletRow, WatchCursorRow};

/// Everything that is kept, and how many rows of it are held in memory at once.
const TABLES: [(Table, usize); 24] = [
    (Record::TABLE, 256),
    (Snapshot::TABLE, 4),
    (requests::TABLE, 1024),
    (AccountNameRow::TABLE, 1024),
    (AccountRow::TABLE, 1024),
    (InstrumentRow::TABLE, 1024),
    (SlotRow::TABLE, 1024),
    (OrderRow::TABLE, 1024),
    (TransitionRow::TABLE, 1024),
    (FillRow::TABLE, 1024),
    (ChargeRow::TABLE, 1024),
    (AdjustmentRow::TABLE, 1024),
    (TradeRow::TABLE, 1024),
    (PositionRow::TABLE, 1024),
    (EquityRow::TABLE, 1024),
    (PluginVersionRow::TABLE, 4),
    (SettingsRow::TABLE, 64),
    (AuditRow::TABLE, 1024),
    (TokenRow::TABLE, 1024),
    (uploads::TABLE, 1024),
    (TrackedWalletRow::TABLE, 1024),
    (WatchCursorRow::TABLE, 1024),
    (LeaderTradeRow::TABLE, 1024),
    (NewPoolRow::TABLE, 1024),
];

impl Database {
    /// Copies everything into another database, as it is at one moment, and verifies the copy. The writer
    /// goes on meanwhile. An SQLite file is there under its name only when it is whole and on the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unsuitable`] when the target holds something already, or when the copy does not verify;
    /// [`StoreError`] of either database. The target is then as it was.
    pub fn copy_to(&mut self, target: &DatabaseUrl) -> Result<Vec<Report>, StoreError> {
        match &target.target {
            Target::Memory => Err(StoreError::Unsuitable(
                "a copy in memory would be gone at once; name a file or a server".to_owned(),
            )),
            Target::File(path) => self.copy_to_file(path),
            Target::Postgres(_) => {
                let mut copy = Self::connected(target, Options::writer(), true)?;
                self.copy_rows(&mut copy)
            }
        }
    }

    fn copy_to_file(&mut self, path: &Path) -> Result<Vec<Report>, StoreError> {
        for leftover in [path.to_owned(), beside(path, "-wal"), beside(path, "-journal")] {
            if leftover.exists() {
                return Err(StoreError::Unsuitable(format!(
                    "{} is there already and is not overwritten; move it away, or name another file",
                    leftover.display()
                )));
            }
        }
        let partial = PartialFile::new(path)?;
        let url = DatabaseUrl::file(partial.path());
        let reports = if matches!(self.url.target, Target::Postgres(_)) {
            let mut copy = Self::connected(&url, Options::writer(), true)?;
            // All of it must be in the one file.
            copy.call(|session| session.query("PRAGMA journal_mode = DELETE", Vec::new()))?;
            self.copy_rows(&mut copy)?
        } else {
            let file = Value::Text(Some(partial.path().to_string_lossy().into_owned()));
            self.call(|session| session.execute("VACUUM INTO $1", vec![file]))?;
            let mut copy = Self::open(&url, Options::reader())?;
            copy.call(verify_all)?
        };
        partial.finish(path)?;
        Ok(reports)
    }

    fn copy_rows(&mut self, copy: &mut Self) -> Result<Vec<Report>, StoreError> {
        match copy.call(schema::standing)? {
            Standing::Empty => copy.call(schema::migrate)?,
            standing => {
                if let Some(error) = schema::must_migrate(&copy.name, standing) {
                    return Err(error);
                }
            }
        }
        self.call(|from| {
            from.without_limits()?;
            copy.call(|to| {
                to.without_limits()?;
                to.transaction(|to| from.at_one_moment(|from| copy_tables(from, to)))
            })
        })
    }
}

impl Session<'_> {
    /// How long a copy takes depends on how much there is.
    fn without_limits(&mut self) -> Result<(), StoreError> {
        self.deadline = None;
        if self.dialect() == Dialect::Postgres {
            self.set("statement_timeout", "0".to_owned())?;
            self.set("idle_in_transaction_session_timeout", "0".to_owned())?;
            // The limits come back with the next connection.
            self.broken = true;
        }
        Ok(())
    }

    /// Reads everything as it is now, whatever others write meanwhile.
    fn at_one_moment<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.run(match self.dialect() {
            Dialect::Sqlite => "BEGIN",
            Dialect::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        })?;
        let done = work(self);
        let ended = self.run("ROLLBACK");
        done.and_then(|done| ended.map(|()| done))
    }
}

/// Copies everything and verifies what has arrived, before any of it counts.
fn copy_tables(from: &mut Session<'_>, to: &mut Session<'_>) -> Result<Vec<Report>, StoreError> {
    for (table, _) in TABLES {
        let sql = format!("SELECT 1 FROM {} LIMIT 1", table.name);
        if !to.query(&sql, Vec::new())?.is_empty() {
            return Err(StoreError::Unsuitable(format!(
                "{} is not empty (table {}) and is not overwritten; name an empty database",
                to.name, table.name
            )));
        }
    }
    for (table, part) in TABLES {
        copy_table(from, to, &table, part)?;
    }
    if to.dialect() == Dialect::Postgres {
        let sql = "SELECT setval(pg_get_serial_sequence('requests', 'id'), max(id)) FROM requests";
        to.query(sql, Vec::new())?;
    }
    verify_all(to)
}

fn copy_table(
    from: &mut Session<'_>,
    to: &mut Session<'_>,
    table: &Table,
    part: usize,
) -> Result<(), StoreError> {
    let key = table.key.join(", ");
    let places = (1..=table.key.len()).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ");
    let first = format!("{} ORDER BY {key} LIMIT $1", table.select());
    let next = format!(
        "{} WHERE ({key}) > ({places}) ORDER BY {key} LIMIT ${}",
        table.select(),
        table.key.len() + 1
    );
    let mut rows = from.query(&first, vec![limit(part)])?;
    while !rows.is_empty() {
        let rows_read = rows.len();
        let values = rows.into_iter().map(|row| row_values(row, table)).collect::<Result<Vec<_>, _>>()?;
        let mut after: Vec<Value> = Vec::new();
        if let Some(last) = values.last() {
            let columns = table.columns.iter().zip(last);
            after.extend(
                columns.filter(|((name, _), _)| table.key.contains(name)).map(|(_, value)| value.clone()),
            );
        }
        to.insert_values(table, values.into_iter(), OnConflict::Fail)?;
        if rows_read < part {
            break;
        }
        after.push(limit(part));
        rows = from.query(&next, after)?;
    }
    Ok(())
}

fn row_values(row: Row, table: &Table) -> Result<Vec<Value>, StoreError> {
    let unreadable =
        || StoreError::Unsuitable(format!("a row of {} can't be read; was it edited?", table.name));
    if row.0.len() != table.columns.len() {
        return Err(unreadable());
    }
    let cells = row.0.into_iter().zip(table.columns);
    cells.map(|(cell, (_, kind))| cell.into_value(*kind).map_err(|_| unreadable())).collect()
}

fn verify_all(copy: &mut Session<'_>) -> Result<Vec<Report>, StoreError> {
    let shards = shards(copy)?;
    shards.into_iter().map(|shard| verify(&mut UnderWay(copy), shard, &mut |_| {})).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_holds_every_table_and_column_of_the_schema() {
        let url = "sqlite::memory:".parse().expect("a URL");
        let mut database = Database::open(&url, Options::writer().migrating()).expect("opens");
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table' \
                   AND name NOT LIKE 'sqlite_%' AND name <> '_sqlx_migrations' ORDER BY name";
        let rows = database.call(|session| session.query(sql, Vec::new())).expect("answers");
        let in_schema: Vec<String> =
            rows.into_iter().map(|row| row.first("names").expect("a name")).collect();
        let mut copied: Vec<&str> = TABLES.iter().map(|(table, _)| table.name).collect();
        copied.sort_unstable();
        assert_eq!(in_schema, copied);
        for (table, _) in TABLES {
            let sql = format!("SELECT name FROM pragma_table_info('{}')", table.name);
            let rows = database.call(|session| session.query(&sql, Vec::new())).expect("answers");
            let mut columns: Vec<String> =
                rows.into_iter().map(|row| row.first("names").expect("a name")).collect();
            let mut known: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
            columns.sort_unstable();
            known.sort_unstable();
            assert_eq!(columns, known, "{}", table.name);
        }
    }
}
