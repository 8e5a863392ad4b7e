//! Which database, from a URL. Passwords never leave this file: what is shown of a URL is put together from
//! its harmless parts.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use crate::storage::StoreError;

/// Which database.
#[derive(Clone)]
pub struct DatabaseUrl {
    pub(super) target: Target,
}

#[derive(Clone)]
pub(super) enum Target {
    /// Lives as long as its connection.
    Memory,
    File(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

impl DatabaseUrl {
    /// The SQLite file at this path.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { target: Target::File(path.into()) }
    }

    /// The path of an SQLite file.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.target {
            Target::File(path) => Some(path),
            Target::Memory | Target::Postgres(_) => None,
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = StoreError;

    /// Reads `sqlite:path/to/file.db`, `sqlite::memory:` or
    /// `postgres://user:password@host:port/database?sslmode=…`. What a Postgres URL leaves out is taken from
    /// the usual environment (`PGPASSWORD`, `PGPASSFILE`, …) and `~/.pgpass`, so that no password needs to be
    /// in it.
    fn from_str(text: &str) -> Result<Self, StoreError> {
        let unsuitable = |message: String| Err(StoreError::Unsuitable(message));
        if let Some(path) = text.strip_prefix("sqlite:") {
            if path == ":memory:" {
                return Ok(Self { target: Target::Memory });
            }
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return unsuitable("the database URL names no file: sqlite:path/to/file.db".to_owned());
            }
            if path.contains('?') || path.starts_with("file:") || path.starts_with(':') {
                return unsuitable(format!(
                    "the database URL names the file \"{path}\"; a plain path is expected, without options"
                ));
            }
            return Ok(Self::file(path));
        }
        if let Some(rest) = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://")) {
            // A password with one of / ? # in it would end up in the parts of the URL that are shown.
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            if rest.len() > authority.len() && rest[authority.len()..].contains('@') {
                return unsuitable(
                    "the database URL has a '@' after its host; in a user name or password write / as %2F, \
                     ? as %3F, # as %23 and @ as %40"
                        .to_owned(),
                );
            }
            return match PgConnectOptions::from_str(text) {
                Ok(options) => Ok(Self { target: Target::Postgres(Box::new(options)) }),
                // The error may quote the URL.
                Err(_) => unsuitable(
                    "the database URL can't be read; expected is postgres://user@host:port/database with \
                     special characters of user and password as %XX, and sslmode one of disable, allow, \
                     prefer, require, verify-ca, verify-full"
                        .to_owned(),
                ),
            };
        }
        unsuitable(
            "a database URL starts with sqlite: or postgres:// (sqlite:bulkhead.db, \
             postgres://user@host/database)"
                .to_owned(),
        )
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Memory => formatter.write_str("sqlite::memory:"),
            Target::File(path) => write!(formatter, "sqlite:{}", path.display()),
            Target::Postgres(options) => {
                write!(formatter, "postgres://{}@", options.get_username())?;
                match options.get_socket() {
                    Some(socket) => write!(formatter, "{}", socket.display())?,
                    None => write!(formatter, "{}:{}", options.get_host(), options.get_port())?,
                }
                write!(formatter, "/{}", options.get_database().unwrap_or(options.get_username()))
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match DatabaseUrl::from_str(text) {
            Ok(url) => format!("{url} {url:?}"),
            Err(error) => format!("{error} {error:?}"),
        }
    }

    #[test]
    fn files_memory_and_servers_are_told_apart() {
        assert_eq!(DatabaseUrl::from_str("sqlite:a/b.db").unwrap().path(), Some(Path::new("a/b.db")));
        assert_eq!(DatabaseUrl::from_str("sqlite:///var/b.db").unwrap().path(), Some(Path::new("/var/b.db")));
        assert_eq!(shown("sqlite::memory:"), "sqlite::memory: sqlite::memory:");
        let url = DatabaseUrl::from_str("postgresql://ann@db.example:5433/fund").unwrap();
        assert_eq!(url.to_string(), "postgres://ann@db.example:5433/fund");
    }

    #[test]
    fn a_password_is_never_shown() {
        for url in [
            "postgres://ann:hunter2@db.example/fund",
            "postgres://ann@db.example/fund?password=hunter2",
            "postgres://ann:hunter2@db.example:port/fund",
            "postgres://ann:12/hunter2@db.example/fund",
            "postgres://ann:x#hunter2@db.example/fund",
            "postgres://ann:x?hunter2@db.example/fund",
            "postgres://ann:hunter2@db.example/fund?sslmode=hunter2",
            "postgres:/ann:hunter2@db.example/fund",
            "mysql://ann:hunter2@db.example/fund",
        ] {
            let shown = shown(url);
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.contains("postgres://") || shown.contains("%2F"), "{shown}");
        }
    }

    #[test]
    fn options_in_the_name_of_a_file_are_refused() {
        for url in ["sqlite:", "sqlite://", "sqlite:a.db?mode=ro", "sqlite:file:a.db", "a.db"] {
            assert!(matches!(DatabaseUrl::from_str(url), Err(StoreError::Unsuitable(_))), "{url}");
        }
    }
}
