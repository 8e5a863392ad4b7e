//! The store in a database: an SQLite file, or a Postgres server.
//!
//! A `Database` owns one connection and waits for each answer, so that the thread that calls it knows when
//! something is durable. It must not be called from inside an asynchronous runtime; give it a thread.
//!
//! One process writes. Any number of others may read, and may leave requests for the writer. Within the process
//! that writes, each shard may have a `Database` of its own: [`Database::share`](crate::database::Database::share).

mod accounts;
mod connection;
mod copy;
mod error;
mod journal;
mod partial_file;
mod requests;
mod retention;
mod schema;
mod session;
pub(crate) mod table;
mod tokens;
mod uploads;
mod url;
pub(crate) mod value;
mod writer_lock;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::runtime::Runtime;

pub use self::accounts::AccountNameRow;
use self::connection::Connection;
use self::error::Dialect;
pub(crate) use self::journal::limit;
pub use self::requests::{KeyedRequest, RequestState};
pub(crate) use self::session::Session;
use self::session::{PREPARED_STATEMENTS, waited};
use self::table::Inserts;
pub use self::tokens::TokenRow;
pub use self::uploads::WrittenPlugin;
pub use self::url::DatabaseUrl;
use self::url::Target;

use self::writer_lock::{LockFile, Scope, SessionId};
use crate::journal::ShardId;
use crate::storage::StoreError;

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether this process writes the journal. Only one may at a time.
    pub write: bool,
    /// Whether the schema is set up or brought up to date, and an SQLite file made when there is none. Needs
    /// `write`.
    pub migrate: bool,
    /// What a commit survives.
    pub synchronous: Synchronous,
    /// How long a call waits for the database before it gives up with [`StoreError::Unavailable`]. Backups
    /// and migrations are not limited.
    pub timeout: Duration,
    /// An SQLite file does not grow beyond this many bytes: then it is as full as a full disk. The
    /// write-ahead log beside it comes on top. No limit when `None`.
    pub largest_file: Option<u64>,
}

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// A crash of the program, of the machine, and a loss of power: the disk has confirmed each commit. The
    /// default, and what live trading needs.
    #[default]
    Full,
    /// A crash of the program. A crash of the machine or a loss of power may take the last commits, but
    /// leaves a journal that is whole up to there. Many times faster on slow disks; good for paper trading.
    /// With Postgres, a crash of the server counts as a crash of the machine.
    Normal,
}

impl Options {
    /// For the process that writes the journal.
    #[must_use]
    pub const fn writer() -> Self {
        Self {
            write: true,
            migrate: false,
            synchronous: Synchronous::Full,
            timeout: Duration::from_secs(10),
            largest_file: None,
        }
    }

    /// For a process that reads beside the writer, and may leave requests.
    #[must_use]
    pub const fn reader() -> Self {
        Self { write: false, ..Self::writer() }
    }

    /// The same, and the schema is brought up to date.
    #[must_use]
    pub const fn migrating(self) -> Self {
        Self { migrate: true, ..self }
    }
}

/// A store of journals in a database.
pub struct Database {
    // Declared before the runtime, as it must not outlive it.
    connection: Option<Connection>,
    url: DatabaseUrl,
    /// The database in words.
    name: String,
    inserts: Inserts,
    options: Options,
    /// Which file was opened, to notice that another one, or none, is in its place.
    file: Option<FileIdentity>,
    /// Held together with the databases that share it.
    lock_file: Option<Arc<LockFile>>,
    /// What the writer's lock in Postgres is for.
    scope: Scope,
    /// The session of Postgres that held the writer's lock last.
    session: Option<SessionId>,
    /// The session of this process that keeps other processes out of Postgres, whichever connection's it is.
    keeps_others_out: Arc<Mutex<Option<SessionId>>>,
    /// Taken for each transaction: SQLite has room for one at a time, and would let the others poll for theirs.
    turn: Arc<Mutex<()>>,
    runtime: Runtime,
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Database").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Database {
    /// Opens a database.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when a server can't be reached, [`StoreError::Conflict`] when another
    /// process writes to it, [`StoreError::Unsuitable`] with what was found and what to do when it is not a
    /// database for this version.
    pub fn open(url: &DatabaseUrl, options: Options) -> Result<Self, StoreError> {
        let migrate = options.write && options.migrate;
        let mut database = Self::connected(url, options, migrate)?;
        let standing = database.call(schema::standing)?;
        if let Some(error) = schema::must_migrate(&database.name, standing) {
            if !migrate {
                return Err(error);
            }
            database.call(schema::migrate)?;
            // It also takes the lock again, which a migration may have cost.
            let standing = database.call(schema::standing)?;
            if let Some(error) = schema::must_migrate(&database.name, standing) {
                return Err(error);
            }
        }
        Ok(database)
    }

    /// A database whose schema is whatever it is.
    fn connected(url: &DatabaseUrl, options: Options, create: bool) -> Result<Self, StoreError> {
        let name = url.to_string();
        let runtime = runtime(&name)?;
        let lock_file = match url.path() {
            Some(path) => {
                may_be_opened(path, create)?;
                if options.write { Some(LockFile::acquire(&resolved(path))?) } else { None }
            }
            None => None,
        };
        let mut database = Self {
            connection: None,
            url: url.clone(),
            name,
            inserts: Inserts::default(),
            options,
            file: None,
            lock_file: lock_file.map(Arc::new),
            scope: Scope::Everything,
            session: None,
            keeps_others_out: Arc::default(),
            turn: Arc::default(),
            runtime,
        };
        database.connect(create)?;
        database.file = url.path().and_then(FileIdentity::of);
        Ok(database)
    }

    /// Another connection for the writer of one shard, so that shards wait for nothing but their own commits.
    /// This one goes on, and keeps other processes out as long as it or one that shares it lives.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unsuitable`] for a database in memory, which has one connection;
    /// [`StoreError::Conflict`] when another process writes the shard's journal; else as [`Self::open`].
    pub fn share(&self, shard: ShardId) -> Result<Self, StoreError> {
        let name = &self.name;
        if matches!(self.url.target, Target::Memory) {
            return Err(StoreError::Unsuitable(format!(
                "{name}: a database in memory holds one account; name a file for several"
            )));
        }
        let mut shared = Self {
            connection: None,
            url: self.url.clone(),
            name: name.clone(),
            inserts: Inserts::default(),
            options: Options { migrate: false, ..self.options.clone() },
            file: self.file.clone(),
            lock_file: self.lock_file.clone(),
            scope: Scope::Shard(shard),
            session: None,
            keeps_others_out: Arc::clone(&self.keeps_others_out),
            turn: Arc::clone(&self.turn),
            runtime: runtime(name)?,
        };
        shared.connect(false)?;
        Ok(shared)
    }

    /// Which database it is.
    #[must_use]
    pub const fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Does work on the connection, which is made again when it was lost.
    pub(crate) fn call<T>(
        &mut self,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.connection.is_none() {
            self.connect(false)?;
        }
        let deadline = self.deadline();
        let Some(connection) = &mut self.connection else {
            return Err(StoreError::Unavailable(format!("{}: not connected", self.name)));
        };
        let mut session = Session {
            runtime: &self.runtime,
            connection,
            inserts: &mut self.inserts,
            name: &self.name,
            deadline,
            broken: false,
        };
        let done = work(&mut session);
        // What is in memory would be gone with its connection.
        if session.broken && !matches!(self.url.target, Target::Memory) {
            self.connection = None;
        }
        done
    }

    /// Does work all or nothing, as the one writer.
    pub(crate) fn write<T>(
        &mut self,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if !self.options.write {
            let name = &self.name;
            return Err(StoreError::Unsuitable(format!(
                "{name} was opened for reading; only its writer writes"
            )));
        }
        self.check_file()?;
        let turn = Arc::clone(&self.turn);
        // Nothing is guarded but the order of turns, so a panic in one spoils nothing.
        let _turn = self.lock_file.as_ref().map(|_| turn.lock().unwrap_or_else(PoisonError::into_inner));
        self.call(|session| session.transaction(work))
    }

    /// SQLite would go on writing to a file that has no name any more, and all of it would be lost.
    fn check_file(&self) -> Result<(), StoreError> {
        let (Some(path), Some(opened)) = (self.url.path(), &self.file) else { return Ok(()) };
        if FileIdentity::of(path).as_ref() == Some(opened) {
            return Ok(());
        }
        Err(StoreError::Unsuitable(format!(
            "{}: the file was deleted, moved or replaced while it was in use; stop, put the file back or \
             restore a backup, and start again",
            self.name
        )))
    }

    fn deadline(&self) -> Option<Instant> {
        match self.url.target {
            Target::Postgres(_) => Instant::now().checked_add(self.options.timeout),
            Target::Memory | Target::File(_) => None,
        }
    }

    fn connect(&mut self, create: bool) -> Result<(), StoreError> {
        let (deadline, name) = (self.deadline(), &self.name);
        let connection = match &self.url.target {
            Target::Postgres(options) => {
                let role = if self.options.write { "bulkhead writer" } else { "bulkhead reader" };
                let options = (**options).clone().disable_statement_logging();
                let options = options.statement_cache_capacity(PREPARED_STATEMENTS);
                let options = match options.get_application_name() {
                    Some(_) => options,
                    None => options.application_name(role),
                };
                let is_remote = options.get_socket().is_none();
                let connect = async {
                    let connected = sqlx::PgConnection::connect_with(&options).await;
                    connected.map_err(|error| if is_remote { named_file(error) } else { error })
                };
                Connection::Postgres(Box::new(waited(
                    &self.runtime,
                    deadline,
                    name,
                    Dialect::Postgres,
                    connect,
                )?))
            }
            Target::Memory => self.connect_sqlite(SqliteConnectOptions::new().filename(":memory:"))?,
            Target::File(path) => {
                if self.file.is_some() {
                    self.check_file()?;
                }
                self.connect_sqlite(SqliteConnectOptions::new().filename(path).create_if_missing(create))?
            }
        };
        let mut connection = connection;
        let mut session = Session {
            runtime: &self.runtime,
            connection: &mut connection,
            inserts: &mut self.inserts,
            name,
            deadline,
            broken: false,
        };
        if session.dialect() == Dialect::Postgres {
            set_up_postgres(&mut session, &self.options)?;
            if self.options.write {
                let now = SessionId::of(&mut session)?;
                let (before, patience) = (self.session.as_ref(), self.options.timeout / 2);
                if self.scope != Scope::Everything {
                    writer_lock::acquire_advisory(&mut session, self.scope, before, patience)?;
                }
                // Nothing is guarded but who it is, which is looked up each time.
                let mut keeper = self.keeps_others_out.lock().unwrap_or_else(PoisonError::into_inner);
                if self.scope == Scope::Everything && *keeper == self.session {
                    // This connection's own session, which may hang.
                    writer_lock::acquire_advisory(&mut session, self.scope, before, patience)?;
                    *keeper = Some(now.clone());
                } else {
                    writer_lock::keep_others_out(&mut session, &now, &mut keeper, patience)?;
                }
                drop(keeper);
                if self.scope == Scope::Everything && before.is_none() {
                    writer_lock::await_shards(&mut session, patience)?;
                }
                self.session = Some(now);
            }
        }
        self.connection = Some(connection);
        Ok(())
    }

    fn connect_sqlite(&self, options: SqliteConnectOptions) -> Result<Connection, StoreError> {
        // A limit for the log, which otherwise keeps the size of the largest transaction for ever.
        const LARGEST_LOG: &str = "67108864";
        const PAGE: u64 = 4096;

        let mut options = options
            .disable_statement_logging()
            .statement_cache_capacity(PREPARED_STATEMENTS)
            .busy_timeout(self.options.timeout.min(Duration::from_secs(3600)))
            .foreign_keys(true)
            .pragma("journal_size_limit", LARGEST_LOG)
            .synchronous(match self.options.synchronous {
                Synchronous::Full => SqliteSynchronous::Full,
                Synchronous::Normal => SqliteSynchronous::Normal,
            });
        if self.options.write {
            options = options.journal_mode(SqliteJournalMode::Wal);
        }
        if let Some(largest) = self.options.largest_file {
            options = options.pragma("max_page_count", (largest / PAGE).max(1).to_string());
        }
        let connect = sqlx::SqliteConnection::connect_with(&options);
        let connection = waited(&self.runtime, None, &self.name, Dialect::Sqlite, connect)?;
        Ok(Connection::Sqlite(Box::new(connection)))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        const SHORT: Duration = Duration::from_millis(500);

        let Some(mut connection) = self.connection.take() else { return };
        let writes = self.options.write;
        // Best effort: a database that does not answer lets go of a lost connection by itself.
        let _ = self.runtime.block_on(async {
            tokio::time::timeout(SHORT, async {
                if writes && connection.dialect() == Dialect::Postgres {
                    // Who comes next need not wait until the server has noticed.
                    connection.run("SELECT pg_advisory_unlock_all()").await?;
                }
                connection.close().await
            })
            .await
        });
    }
}

fn runtime(name: &str) -> Result<Runtime, StoreError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| StoreError::Unavailable(format!("{name}: no room for another connection: {error}")))
}

/// Where no socket is looked for, the file that is missing is one that the URL names.
fn named_file(error: sqlx::Error) -> sqlx::Error {
    match error {
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {
            sqlx::Error::Tls(format!("a file that sslrootcert, sslcert or sslkey names: {error}").into())
        }
        other => other,
    }
}

/// Makes the server give up when this process does, and keep what it has promised.
fn set_up_postgres(session: &mut Session<'_>, options: &Options) -> Result<(), StoreError> {
    let limit = options.timeout.as_millis().max(1).to_string();
    session.set("statement_timeout", limit.clone())?;
    session.set("idle_in_transaction_session_timeout", limit)?;
    if !options.write {
        return Ok(());
    }
    let sql = "SELECT current_setting('fsync'), current_setting('synchronous_commit'), \
               CASE WHEN pg_is_in_recovery() THEN 1 ELSE 0 END";
    let Some(row) = session.query(sql, Vec::new())?.pop() else {
        return Err(StoreError::Unavailable(format!("{}: no answer", session.name)));
    };
    let mut cells = row.reader("the server's settings");
    let (fsync, commit, recovers): (String, String, i64) = (cells.next()?, cells.next()?, cells.next()?);
    let name = session.name;
    if recovers != 0 {
        return Err(StoreError::Unavailable(format!("{name}: the server is a standby, or still recovers")));
    }
    match options.synchronous {
        Synchronous::Full if fsync == "off" => Err(StoreError::Unsuitable(format!(
            "{name}: the server runs with fsync = off, so a loss of power would damage the journal; turn it on"
        ))),
        Synchronous::Full if commit == "off" => session.set("synchronous_commit", "on".to_owned()),
        Synchronous::Full => Ok(()),
        Synchronous::Normal => session.set("synchronous_commit", "off".to_owned()),
    }
}

/// What can be said before SQLite is asked.
fn may_be_opened(path: &Path, create: bool) -> Result<(), StoreError> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(StoreError::Unsuitable(format!("{shown} is not a file; name one for the database"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            match folder {
                Some(folder) if !folder.is_dir() => Err(StoreError::Unsuitable(format!(
                    "there is no folder {} for the database {shown}; make it first",
                    folder.display()
                ))),
                _ if create => Ok(()),
                _ => Err(StoreError::Unsuitable(format!(
                    "there is no database {shown}; `bulkhead db migrate` makes one"
                ))),
            }
        }
        Err(error) => Err(StoreError::Unsuitable(format!("the database {shown} can't be opened: {error}"))),
    }
}

/// The path without links, so that two names of one file have one lock.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(file)) => folder.join(file),
        _ => path.to_owned(),
    }
}

/// Tells a file from another one in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileIdentity(u64, u64);

impl FileIdentity {
    #[cfg(unix)]
    fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let found = std::fs::metadata(path).ok()?;
        Some(Self(found.dev(), found.ino()))
    }

    #[cfg(not(unix))]
    fn of(path: &Path) -> Option<Self> {
        // A file that is open can't be deleted there.
        path.exists().then_some(Self(0, 0))
    }
}
