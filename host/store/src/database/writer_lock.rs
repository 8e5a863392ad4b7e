//! One writer a database.
//!
//! SQLite: a lock on a file beside the database, which the operating system takes back when the process ends,
//! however it ends. (The database file itself can't be locked for this: closing any handle of it would drop
//! SQLite's own locks.) The file stays, as removing it would let two processes lock two files of one name.
//!
//! Postgres: an advisory lock of the session that writes. As it belongs to the session, a transaction of the
//! writer can't outlive the lock, and nobody gets the lock while a transaction of the session before can
//! still commit. So what the journal ends with is certain as soon as the lock is held. The first session of a
//! process locks everything, which keeps other processes out; each further one locks its shard. Sessions get lost
//! one by one, so either lock keeps others out: who locks everything for the first time waits until no shard is
//! locked, and a session that comes back to its shard sees to it that its process has everything locked. Each
//! first takes its own lock and then looks for the other, so that of two that meet at least one sees that.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::session::Session;
use super::value::Column as _;
use crate::journal::ShardId;
use crate::storage::StoreError;

/// The first half of the lock's number in Postgres, "BULK"; the second half is the schema, and the shard.
const ADVISORY_LOCK: i64 = 0x4255_4c4b;

/// How long to wait for the session of a process that has just ended. Postgres notices within milliseconds
/// when the process ran on the same machine.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it is looked whether the shards were let go.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// What a lock in Postgres is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The whole database, as far as other processes are concerned.
    Everything,
    /// The journal of a shard.
    Shard(ShardId),
}

impl Scope {
    /// What the lock's number in Postgres is made of, besides the schema.
    fn number(self) -> i64 {
        match self {
            Self::Everything => ADVISORY_LOCK,
            Self::Shard(shard) => i64::from(shard.0),
        }
    }

    /// Takes the lock. The numbers of one half each and those in one piece never meet in Postgres.
    const fn lock(self) -> &'static str {
        match self {
            Self::Everything => "SELECT pg_advisory_lock($1::bigint::int, hashtext(current_schema()))::text",
            Self::Shard(_) => {
                "SELECT pg_advisory_lock((hashtext(current_schema())::bigint << 32) | $1::bigint)::text"
            }
        }
    }

    /// Which of the locks it is.
    const fn is_it(self) -> &'static str {
        match self {
            Self::Everything => {
                "locks.classid = $1::bigint::oid AND locks.objsubid = 2 \
                 AND locks.objid = (hashtext(current_schema())::bigint & 4294967295)::oid"
            }
            Self::Shard(_) => {
                "locks.objid = $1::bigint::oid AND locks.objsubid = 1 \
                 AND locks.classid = (hashtext(current_schema())::bigint & 4294967295)::oid"
            }
        }
    }
}

/// The lock of any shard.
const ANY_SHARD: &str = "locks.objid >= $1::bigint::oid AND locks.objsubid = 1 \
                         AND locks.classid = (hashtext(current_schema())::bigint & 4294967295)::oid";

/// The lock beside an SQLite file, held as long as this lives.
#[derive(Debug)]
pub(super) struct LockFile {
    _file: File,
}

impl LockFile {
    pub(super) fn acquire(database: &Path) -> Result<Self, StoreError> {
        let path = Self::path(database);
        let unsuitable = |error: std::io::Error| {
            StoreError::Unsuitable(format!(
                "the lock file {} can't be used: {error}; this user must be allowed to write it",
                path.display()
            ))
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(unsuitable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.take(64).read_to_string(&mut holder);
                let holder = holder.trim();
                let holder = if holder.is_empty() { "another one" } else { holder };
                return Err(StoreError::Conflict(format!(
                    "{} is in use by process {holder}, which holds {}",
                    database.display(),
                    path.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(unsuitable(error)),
        }
        // For the message above; the lock itself does not depend on it, so a full disk must not matter.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }

    fn path(database: &Path) -> PathBuf {
        let mut name = database.as_os_str().to_owned();
        name.push("-writer");
        name.into()
    }
}

/// A session of Postgres, unlike any other before or after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SessionId {
    process: i64,
    started: String,
}

impl SessionId {
    pub(super) fn of(session: &mut Session<'_>) -> Result<Self, StoreError> {
        let sql = "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()";
        let row = session.query(sql, Vec::new())?.pop();
        let row =
            row.ok_or_else(|| StoreError::Unavailable(format!("{}: the session is gone", session.name)))?;
        let mut cells = row.reader("pg_stat_activity");
        Ok(Self { process: cells.next()?, started: cells.next()? })
    }
}

/// Takes the lock for this session. `before` is the session that held it for this process, if there was one:
/// it may hang, with a transaction that would commit after all, so it is ended first.
/// Waits no longer than `patience` for it, and no longer than its holder needs to end.
pub(super) fn acquire_advisory(
    session: &mut Session<'_>,
    scope: Scope,
    before: Option<&SessionId>,
    patience: Duration,
) -> Result<(), StoreError> {
    if let Some(before) = before {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE pid = $1::bigint AND backend_start::text = $2";
        session.query(sql, vec![before.process.to_value(), before.started.to_value()])?;
    }
    session.set("lock_timeout", patience.min(PATIENCE).as_millis().to_string())?;
    match session.query(scope.lock(), vec![scope.number().to_value()]) {
        Ok(_) => session.set("lock_timeout", "0".to_owned()),
        Err(StoreError::Unavailable(reason)) if reason.contains("55P03") => {
            session.broken = false;
            let holder = holder(session, scope.is_it(), scope.number(), before)?;
            Err(holder.unwrap_or_else(|| {
                let name = session.name;
                StoreError::Unavailable(format!("{name}: the writer's lock was let go just now"))
            }))
        }
        Err(error) => Err(error),
    }
}

/// Waits until no shard is locked, for a process that has none locked itself.
pub(super) fn await_shards(session: &mut Session<'_>, patience: Duration) -> Result<(), StoreError> {
    let asked = Instant::now();
    while let Some(error) = holder(session, ANY_SHARD, 0, None)? {
        if asked.elapsed() >= patience.min(PATIENCE) {
            return Err(error);
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    Ok(())
}

/// Sees to it that a session of this process has everything locked: `holder`, or from now on this one.
pub(super) fn keep_others_out(
    session: &mut Session<'_>,
    now: &SessionId,
    holder: &mut Option<SessionId>,
    patience: Duration,
) -> Result<(), StoreError> {
    if let Some(holder) = holder {
        let sql = "SELECT pid FROM pg_stat_activity WHERE pid = $1::bigint AND backend_start::text = $2";
        let alive = session.query(sql, vec![holder.process.to_value(), holder.started.to_value()])?;
        if !alive.is_empty() {
            return Ok(());
        }
    }
    acquire_advisory(session, Scope::Everything, holder.as_ref(), patience)?;
    *holder = Some(now.clone());
    Ok(())
}

/// Who holds a lock instead: `is_it` tells which one, together with the number in it.
fn holder(
    session: &mut Session<'_>,
    is_it: &str,
    number: i64,
    before: Option<&SessionId>,
) -> Result<Option<StoreError>, StoreError> {
    // Of another user's session only some is shown.
    let sql = format!(
        "SELECT activity.pid, coalesce(activity.backend_start::text, '?'), \
         coalesce(activity.application_name, '?'), \
         coalesce(host(activity.client_addr), 'this machine') \
         FROM pg_locks AS locks JOIN pg_stat_activity AS activity ON activity.pid = locks.pid \
         WHERE locks.locktype = 'advisory' AND locks.granted AND {is_it} \
         AND locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    );
    let Some(row) = session.query(&sql, vec![number.to_value()])?.pop() else { return Ok(None) };
    let mut cells = row.reader("pg_locks");
    let holder = SessionId { process: cells.next()?, started: cells.next()? };
    if before == Some(&holder) {
        let name = session.name;
        return Ok(Some(StoreError::Unavailable(format!("{name}: the session before has not ended yet"))));
    }
    let (application, client): (String, String) = (cells.next()?, cells.next()?);
    Ok(Some(StoreError::Conflict(format!(
        "{} is in use by \"{application}\" from {client} (server process {}, since {})",
        session.name, holder.process, holder.started
    ))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_let_go_at_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("a.db");
        let held = LockFile::acquire(&database).expect("free");
        let refused = LockFile::acquire(&database).expect_err("held").to_string();
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        drop(held);
        LockFile::acquire(&database).expect("free again");
    }
}
