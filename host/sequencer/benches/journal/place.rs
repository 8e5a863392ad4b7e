//! Where the databases are.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use bulkhead_store::database::{Database, DatabaseUrl, Options, Synchronous};

use crate::postgres::Cluster;

/// A folder on the disk, and a Postgres server.
pub(crate) struct Places {
    folder: tempfile::TempDir,
    server: Option<Cluster>,
    made: AtomicU32,
}

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite(Synchronous),
    Postgres(Synchronous),
}

impl Kind {
    pub(crate) const FULL: Self = Self::Sqlite(Synchronous::Full);

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite(Synchronous::Full) => "SQLite, full",
            Self::Sqlite(Synchronous::Normal) => "SQLite, normal",
            Self::Postgres(Synchronous::Full) => "Postgres, full",
            Self::Postgres(Synchronous::Normal) => "Postgres, normal",
        }
    }

    const fn synchronous(self) -> Synchronous {
        match self {
            Self::Sqlite(synchronous) | Self::Postgres(synchronous) => synchronous,
        }
    }
}

/// One database; gone when dropped.
pub(crate) struct Place<'a> {
    places: &'a Places,
    synchronous: Synchronous,
    target: Target,
}

enum Target {
    File(PathBuf),
    Database(String),
}

impl Places {
    pub(crate) fn new(with_postgres: bool) -> Result<Self> {
        Ok(Self {
            folder: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?,
            server: with_postgres.then(Cluster::start),
            made: AtomicU32::new(0),
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The kinds that can be had, of these.
    pub(crate) fn kinds(&self, of: &[Kind]) -> Vec<Kind> {
        let has = |kind: &Kind| matches!(kind, Kind::Sqlite(_)) || self.server.is_some();
        of.iter().copied().filter(has).collect()
    }

    /// An empty database with its tables.
    pub(crate) fn make(&self, kind: Kind) -> Result<(Place<'_>, Database)> {
        let target = match (kind, &self.server) {
            (Kind::Postgres(_), Some(server)) => Target::Database(server.new_database()),
            (Kind::Postgres(_), None) => anyhow::bail!("there is no Postgres server"),
            (Kind::Sqlite(_), _) => {
                let number = self.made.fetch_add(1, Ordering::Relaxed);
                Target::File(self.folder().join(format!("{number}.db")))
            }
        };
        let place = Place { places: self, synchronous: kind.synchronous(), target };
        let database = place.open_with(&Options::writer().migrating())?;
        Ok((place, database))
    }
}

impl Place<'_> {
    pub(crate) fn open(&self) -> Result<Database> {
        self.open_with(&Options::writer())
    }

    fn open_with(&self, options: &Options) -> Result<Database> {
        let url: DatabaseUrl = match (&self.target, &self.places.server) {
            (Target::Database(name), Some(server)) => server.url(name).parse()?,
            (Target::Database(name), None) => anyhow::bail!("the server of {name} is gone"),
            (Target::File(path), _) => DatabaseUrl::file(path),
        };
        Ok(Database::open(&url, Options { synchronous: self.synchronous, ..options.clone() })?)
    }

    /// The database's size in bytes. The file must be closed, so that nothing is in its log any more.
    pub(crate) fn bytes(&self) -> Result<f64> {
        self.ask("pg_database_size(current_database())", |path| std::fs::metadata(path).map(|it| it.len()))
    }

    /// What the tables of Postgres that are not the journal take up, with their indexes.
    pub(crate) fn read_model_bytes(&self) -> Result<Option<f64>> {
        let sql = "(SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables \
                   WHERE relname NOT IN ('journal', 'snapshots', '_sqlx_migrations'))";
        match self.target {
            Target::Database(_) => self.ask(sql, |_| Ok(0)).map(Some),
            Target::File(_) => Ok(None),
        }
    }

    fn ask(&self, sql: &str, file: impl FnOnce(&Path) -> std::io::Result<u64>) -> Result<f64> {
        let text = match (&self.target, &self.places.server) {
            (Target::Database(name), Some(server)) => server.sql(name, &format!("SELECT {sql}")),
            (Target::Database(name), None) => anyhow::bail!("the server of {name} is gone"),
            (Target::File(path), _) => file(path)?.to_string(),
        };
        Ok(text.parse()?)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        match (&self.target, &self.places.server) {
            (Target::Database(name), Some(server)) => {
                server.sql("postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
            }
            (Target::Database(_), None) => {}
            // The folder goes at the end in any case.
            (Target::File(path), _) => drop(std::fs::remove_file(path)),
        }
    }
}
