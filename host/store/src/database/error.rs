//! What a driver's error means for the store.

use sqlx::error::{DatabaseError, ErrorKind};

use crate::storage::StoreError;

/// Whose error codes they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// Sorts an error by what can be done about it. `database` says which one in words.
pub(super) fn classify(dialect: Dialect, database: &str, error: &sqlx::Error) -> StoreError {
    let unencrypted = |error: &dyn std::fmt::Display| {
        StoreError::Unsuitable(format!(
            "{database}: no encrypted connection: {error}; see sslmode and sslrootcert of the database URL"
        ))
    };
    let unavailable = |error: &dyn std::fmt::Display| StoreError::Unavailable(format!("{database}: {error}"));
    match error {
        sqlx::Error::Database(error) => match dialect {
            Dialect::Sqlite => sqlite(database, error.as_ref()),
            Dialect::Postgres => postgres(database, error.as_ref()),
        },
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => {
            StoreError::Full(format!("{database}: {error}"))
        }
        // Waiting does not change who the server is.
        sqlx::Error::Io(error) if is_about_certificate(error) => unencrypted(error),
        sqlx::Error::Io(error) => unavailable(error),
        // After it the connection is not used again, and a new one may well work.
        sqlx::Error::Protocol(error) => unavailable(error),
        sqlx::Error::WorkerCrashed => unavailable(&"the database's thread ended"),
        sqlx::Error::Tls(error) => unencrypted(error),
        // Its text may quote what it was configured with.
        sqlx::Error::Configuration(_) => {
            StoreError::Unsuitable(format!("{database}: a setting of the connection can't be used"))
        }
        other => StoreError::Unsuitable(format!("{database}: {other}")),
    }
}

/// Whether the other side could not prove who it is.
fn is_about_certificate(error: &std::io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented))
}

/// By [result code](https://www.sqlite.org/rescode.html).
fn sqlite(database: &str, error: &dyn DatabaseError) -> StoreError {
    const IOERR_SHMSIZE: i32 = 4874;
    let code = error.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(1);
    let says = format!("{database}: {}", error.message());
    match (code, code & 0xff) {
        // Growing the shared memory beside the file failed, which a full disk makes it do.
        (IOERR_SHMSIZE, _) | (_, 13) => StoreError::Full(says),
        // Busy, locked, out of memory, interrupted, an I/O error, a race at opening.
        (_, 5 | 6 | 7 | 9 | 10 | 15) => StoreError::Unavailable(says),
        (_, 19) if error.kind() == ErrorKind::UniqueViolation => conflict(database, error.message()),
        (_, 11) => StoreError::Unsuitable(format!("{says}: the file is damaged; restore a backup")),
        (_, 26) => StoreError::Unsuitable(format!(
            "{says}: the file is something else, or damaged; name another file or restore a backup"
        )),
        (_, 3 | 8 | 14 | 23) => StoreError::Unsuitable(format!(
            "{says}; the file and its folder must exist, and this user must be allowed to write both"
        )),
        _ => StoreError::Unsuitable(says),
    }
}

/// By [SQLSTATE](https://www.postgresql.org/docs/current/errcodes-appendix.html).
fn postgres(database: &str, error: &dyn DatabaseError) -> StoreError {
    let code = error.code().unwrap_or_default().into_owned();
    let says = format!("{database}: {} (SQLSTATE {code})", error.message());
    match code.as_str() {
        "53100" => StoreError::Full(says),
        "23505" => conflict(database, error.message()),
        // The server is a standby until it is promoted, gave up after a time, or serialises transactions.
        "25006" | "57014" | "55P03" | "25P03" | "40001" | "40P01" => StoreError::Unavailable(says),
        "28P01" | "28000" => StoreError::Unsuitable(format!("{says}; check user and password")),
        "3D000" => StoreError::Unsuitable(format!("{says}; make it with createdb")),
        "42501" => StoreError::Unsuitable(format!("{says}; the user needs to own the database's schema")),
        "XX001" | "XX002" => {
            StoreError::Unsuitable(format!("{says}: the database is damaged; restore a backup"))
        }
        // Lost connections, too few resources, a shutdown, an I/O error.
        code if ["08", "53", "57", "58"].contains(&code.get(..2).unwrap_or_default()) => {
            StoreError::Unavailable(says)
        }
        _ => StoreError::Unsuitable(says),
    }
}

fn conflict(database: &str, message: &str) -> StoreError {
    StoreError::Conflict(format!("{database}: {message}"))
}
