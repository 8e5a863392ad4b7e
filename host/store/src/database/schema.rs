//! The schema: which migrations there are, and whether the database has exactly these.

use std::time::Instant;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use super::connection::Connection;
use super::error::{Dialect, classify};
use super::session::Session;
use crate::storage::StoreError;

macro_rules! migrations {
    ($folder:literal: $($version:literal $name:literal),+ $(,)?) => {
        &[$((
            $version,
            $name,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/", $folder, "/", $name, ".sql")),
        )),+]
    };
}

type Migrations = &'static [(i64, &'static str, &'static str)];

const SQLITE: Migrations = migrations!("sqlite": 1 "0001_journal", 2 "0002_read_models", 3 "0003_request_outcomes", 4 "0004_account_names", 5 "0005_tokens", 6 "0006_shadow_trades", 7 "0007_orders_by_origin", 8 "0008_plugin_uploads", 9 "0009_request_authority", 10 "0010_adjustments", 11 "0011_wallets");
const POSTGRES: Migrations = migrations!("postgres": 1 "0001_journal", 2 "0002_read_models", 3 "0003_request_outcomes", 4 "0004_account_names", 5 "0005_tokens", 6 "0006_shadow_trades", 7 "0007_orders_by_origin", 8 "0008_plugin_uploads", 9 "0009_request_authority", 10 "0010_adjustments", 11 "0011_wallets");

const fn migrations(dialect: Dialect) -> Migrations {
    match dialect {
        Dialect::Sqlite => SQLITE,
        Dialect::Postgres => POSTGRES,
    }
}

/// How a database stands to this version of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It holds nothing at all.
    Empty,
    /// Its schema is this old.
    Behind { found: i64, expected: i64 },
    /// It is as expected.
    Current,
}

/// The newest version that this program knows.
fn newest(dialect: Dialect) -> i64 {
    migrations(dialect).iter().map(|(version, ..)| *version).max().unwrap_or(0)
}

/// Compares the schema with what this program expects.
///
/// # Errors
///
/// [`StoreError::Unsuitable`] when the database is newer, was changed, is another program's, or when a
/// migration was interrupted.
pub(super) fn standing(session: &mut Session<'_>) -> Result<Standing, StoreError> {
    let tables: Vec<String> = session
        .query(
            match session.dialect() {
                Dialect::Sqlite => {
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
                }
                Dialect::Postgres => {
                    "SELECT table_name::text FROM information_schema.tables \
                     WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'"
                }
            },
            Vec::new(),
        )?
        .into_iter()
        .map(|row| row.first("the list of tables"))
        .collect::<Result<_, _>>()?;
    let name = session.name;
    if tables.is_empty() {
        return Ok(Standing::Empty);
    }
    if !tables.iter().any(|table| table == "_sqlx_migrations") {
        return Err(StoreError::Unsuitable(format!(
            "{name} holds tables of another program (\"{}\"); name a database of its own for bulkhead",
            tables.first().map_or("", String::as_str)
        )));
    }
    let known = migrations(session.dialect());
    let expected = newest(session.dialect());
    let applied = session.query(
        "SELECT version, checksum, CASE WHEN success THEN 1 ELSE 0 END FROM _sqlx_migrations ORDER BY version",
        Vec::new(),
    )?;
    let (mut found, mut missing) = (0, known.len());
    for row in applied {
        let mut cells = row.reader("_sqlx_migrations");
        let (version, checksum, success): (i64, Vec<u8>, i64) = (cells.next()?, cells.next()?, cells.next()?);
        if success != 1 {
            return Err(StoreError::Unsuitable(format!(
                "{name}: migration {version} was interrupted; restore the backup from before it"
            )));
        }
        found = version;
        if version > expected {
            continue;
        }
        missing = missing.saturating_sub(1);
        let same = known
            .iter()
            .any(|(known, name, sql)| *known == version && migration(*known, name, sql).checksum == checksum);
        if !same {
            return Err(StoreError::Unsuitable(format!(
                "{name}: migration {version} is not the one that this version of bulkhead has (schema {found}, \
                 {expected} expected); use the version that made the database"
            )));
        }
    }
    match found {
        found if found > expected => Err(StoreError::Unsuitable(format!(
            "{name} has schema {found}, this version of bulkhead knows up to {expected}: use a newer one, or \
             restore the backup from before the migration"
        ))),
        // Also one that lacks an older migration than its newest.
        found if found < expected || missing > 0 => Ok(Standing::Behind { found, expected }),
        _ => Ok(Standing::Current),
    }
}

/// What to do about a schema that is not there yet.
pub(super) fn must_migrate(name: &str, standing: Standing) -> Option<StoreError> {
    let message = match standing {
        Standing::Current => return None,
        Standing::Empty => format!("{name} is empty; `bulkhead db migrate` sets it up"),
        Standing::Behind { found, expected } => format!(
            "{name} has schema {found}, this version of bulkhead expects {expected}; make a backup with \
             `bulkhead db backup`, then run `bulkhead db migrate`"
        ),
    };
    Some(StoreError::Unsuitable(message))
}

/// Brings the schema up to date. Each migration is one transaction.
pub(super) fn migrate(session: &mut Session<'_>) -> Result<(), StoreError> {
    let dialect = session.dialect();
    let all = migrations(dialect).iter().map(|(version, name, sql)| migration(*version, name, sql)).collect();
    let migrator = Migrator::with_migrations(all);
    if dialect == Dialect::Postgres {
        // An index on a large table takes its time.
        session.set("statement_timeout", "0".to_owned())?;
    }
    let no_deadline: Option<Instant> = None;
    session.deadline = no_deadline;
    let done = session.runtime.block_on(async {
        match &mut *session.connection {
            Connection::Sqlite(connection) => migrator.run_direct(None, &mut **connection, false).await,
            Connection::Postgres(connection) => migrator.run_direct(None, &mut **connection, false).await,
        }
    });
    // The session keeps settings and locks of the migration: it is not used again.
    session.broken |= dialect == Dialect::Postgres;
    done.map_err(|error| match error {
        sqlx::migrate::MigrateError::Execute(error)
        | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => classify(dialect, session.name, &error),
        other => StoreError::Unsuitable(format!("{}: {other}", session.name)),
    })
}

fn migration(version: i64, name: &'static str, sql: &'static str) -> Migration {
    Migration::new(version, name.into(), MigrationType::Simple, AssertSqlSafe(sql).into_sql_str(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_migrations_is_known() {
        for (folder, known) in [("sqlite", SQLITE), ("postgres", POSTGRES)] {
            let path = format!("{}/../../migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
            let mut files: Vec<_> = std::fs::read_dir(path)
                .expect("the folder of migrations")
                .map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name"))
                .collect();
            files.sort();
            let names: Vec<_> = known.iter().map(|(_, name, _)| format!("{name}.sql")).collect();
            assert_eq!(files, names, "{folder}");
            for (version, name, _) in known {
                assert!(name.starts_with(&format!("{version:04}_")), "{name} is migration {version}");
            }
        }
    }

    #[test]
    fn both_databases_have_the_same_migrations() {
        let names =
            |known: Migrations| known.iter().map(|(version, name, _)| (*version, *name)).collect::<Vec<_>>();
        assert_eq!(names(SQLITE), names(POSTGRES));
    }

    #[test]
    fn requests_that_were_answered_before_there_were_outcomes_have_one_and_the_others_wait() {
        use std::time::Duration;

        use crate::database::{Database, Options, RequestState};
        use crate::journal::{Sequence, ShardId};
        use crate::storage::{Outcome, Storage as _};

        // The second has a newer migration, but not the one before.
        for applied in [&[1, 2][..], &[1, 2, 4]] {
            let url = "sqlite::memory:".parse().expect("a URL");
            let mut database = Database::connected(&url, Options::writer(), true).expect("opens");
            let old = SQLITE.iter().filter(|(version, ..)| applied.contains(version));
            let old = old.map(|(version, name, sql)| migration(*version, name, sql));
            let old = Migrator::with_migrations(old.collect());
            database
                .call(|session| {
                    let Connection::Sqlite(connection) = &mut *session.connection else { unreachable!() };
                    let done = session.runtime.block_on(old.run_direct(None, &mut **connection, false));
                    done.expect("the old schema");
                    session.run(
                        "INSERT INTO requests (shard, actor, command, asked, answered) \
                         VALUES (0, 'ann', '{}', 1, 7), (0, 'bob', '{}', 2, NULL)",
                    )?;
                    let found = applied.iter().copied().max().unwrap_or(0);
                    let expected = newest(Dialect::Sqlite);
                    assert_eq!(standing(session)?, Standing::Behind { found, expected });
                    migrate(session)?;
                    assert_eq!(standing(session)?, Standing::Current);
                    Ok(())
                })
                .expect("migrates");
            let outcome = database.await_outcome(1, Duration::ZERO).expect("answers");
            assert_eq!(outcome, Some(Outcome::Applied { sequence: Sequence(7) }));
            assert_eq!(database.request_state(2).expect("answers"), Some(RequestState::Waiting));
            assert_eq!(database.requests(ShardId(0)).expect("answers").len(), 1);
        }
    }
}
