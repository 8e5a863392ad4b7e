//! A connection for the length of one call: statements wait for their answer here, at most until the call's
//! deadline.

use std::future::Future;
use std::time::Instant;

use tokio::runtime::Runtime;

use super::connection::Connection;
use super::error::{Dialect, classify};
use super::table::{Inserts, OnConflict, TableRow};
use super::value::{Row, Value};
use crate::storage::StoreError;

/// Rows that go into one statement: each number is one shape of statement to keep prepared, and each statement a
/// wait for its answer. The largest keeps well below the 32,766 values that SQLite takes.
const ROWS_PER_STATEMENT: [usize; 7] = [64, 32, 16, 8, 4, 2, 1];

/// Statements that a connection keeps prepared: more than there are shapes.
pub(super) const PREPARED_STATEMENTS: usize = 200;

/// What one call to the store asks its connection with.
pub(crate) struct Session<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) connection: &'a mut Connection,
    pub(super) inserts: &'a mut Inserts,
    /// The database in words.
    pub(super) name: &'a str,
    /// When to stop waiting. SQLite's answers come from this process and have a limit of their own.
    pub(super) deadline: Option<Instant>,
    /// The connection is in a state that nobody knows.
    pub(super) broken: bool,
}

impl Session<'_> {
    pub(super) const fn dialect(&self) -> Dialect {
        self.connection.dialect()
    }

    /// Carries out a statement and tells how many rows it concerned.
    pub(crate) fn execute(&mut self, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
        let answer = waited(
            self.runtime,
            self.deadline,
            self.name,
            self.connection.dialect(),
            self.connection.execute(sql, values, true),
        );
        self.noted(answer)
    }

    /// The rows that a query gives.
    pub(crate) fn query(&mut self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let answer = waited(
            self.runtime,
            self.deadline,
            self.name,
            self.connection.dialect(),
            self.connection.query(sql, values),
        );
        self.noted(answer)
    }

    /// Carries out statements without values.
    pub(crate) fn run(&mut self, sql: &'static str) -> Result<(), StoreError> {
        let answer = waited(
            self.runtime,
            self.deadline,
            self.name,
            self.connection.dialect(),
            self.connection.run(sql),
        );
        self.noted(answer)
    }

    /// Sets a parameter of a Postgres session.
    pub(super) fn set(&mut self, parameter: &str, value: String) -> Result<(), StoreError> {
        let values = vec![Value::Text(Some(parameter.to_owned())), Value::Text(Some(value))];
        self.query("SELECT set_config($1, $2, false)", values).map(|_| ())
    }

    /// Adds rows, many with one statement.
    pub(crate) fn insert<'r, R: TableRow + 'r>(
        &mut self,
        rows: impl ExactSizeIterator<Item = &'r R>,
        on_conflict: OnConflict,
    ) -> Result<(), StoreError> {
        self.insert_values(&R::TABLE, rows.map(TableRow::values), on_conflict)
    }

    /// As [`Self::insert`], for rows that are taken apart already.
    pub(crate) fn insert_values(
        &mut self,
        table: &super::table::Table,
        mut rows: impl ExactSizeIterator<Item = Vec<Value>>,
        on_conflict: OnConflict,
    ) -> Result<(), StoreError> {
        for many in ROWS_PER_STATEMENT {
            if rows.len() < many {
                continue;
            }
            let sql = self.inserts.get(table, many, on_conflict, self.connection.dialect());
            while rows.len() >= many {
                let values = rows.by_ref().take(many).flatten().collect();
                self.execute(&sql, values)?;
            }
        }
        Ok(())
    }

    /// Does the work all or nothing.
    pub(crate) fn transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.run(match self.dialect() {
            // The lock is taken at once, as a transaction that reads first can't wait for it later.
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::Postgres => "BEGIN",
        })?;
        let done = match work(self) {
            Ok(value) => self.run("COMMIT").map(|()| value),
            Err(error) => Err(error),
        };
        if done.is_err() {
            match self.dialect() {
                // It has already rolled back by itself after some errors, and says that there is nothing to do.
                Dialect::Sqlite => drop(self.run("ROLLBACK")),
                // What is broken is closed, which rolls back too.
                Dialect::Postgres if self.broken => {}
                Dialect::Postgres => self.broken |= self.run("ROLLBACK").is_err(),
            }
        }
        done
    }

    fn noted<T>(&mut self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        // After a timeout an answer may still be on its way; after an error of the connection nothing is known.
        self.broken |= matches!(answer, Err(StoreError::Unavailable(_)));
        answer
    }
}

/// Waits for an answer, but not for ever.
pub(super) fn waited<T>(
    runtime: &Runtime,
    deadline: Option<Instant>,
    name: &str,
    dialect: Dialect,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    let answer = runtime.block_on(async {
        match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline.into(), answer).await,
            None => Ok(answer.await),
        }
    });
    match answer {
        Ok(answer) => answer.map_err(|error| classify(dialect, name, &error)),
        Err(_) => Err(StoreError::Unavailable(format!("{name}: no answer in time"))),
    }
}
