//! Places for databases, and journals to put there.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod postgres;
pub(crate) mod trading;

use bulkhead_core::time::Timestamp;
use bulkhead_store::database::{Database, DatabaseUrl, Options};
use bulkhead_store::journal::{Chain, RecordKind, Sequence, ShardId};
use bulkhead_store::storage::{Group, Snapshot, SnapshotHead};

/// Makes two tests of each function: one on SQLite, one on Postgres.
#[allow(unused_macros, reason = "each test file uses its own part")]
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $test() { super::$test(&crate::support::Place::sqlite()); })+
        }
        mod postgres {
            $(#[test] fn $test() { super::$test(&crate::support::Place::postgres()); })+
        }
    };
}

#[allow(unused_imports, reason = "each test file uses its own part")]
pub(crate) use on_both;

pub(crate) const SHARD: ShardId = ShardId(1);

/// An empty database that is gone at the end.
pub(crate) struct Place {
    pub(crate) url: DatabaseUrl,
    /// With the password, for tools.
    pub(crate) text: String,
    /// What the server calls it.
    pub(crate) database: String,
    folder: Option<tempfile::TempDir>,
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!("sqlite:{}", folder.path().join("bulkhead.db").display());
        Self { url: text.parse().expect("a URL"), text, database: String::new(), folder: Some(folder) }
    }

    pub(crate) fn postgres() -> Self {
        let database = postgres::shared().new_database();
        let text = postgres::shared().url(&database);
        Self { url: text.parse().expect("a URL"), text, database, folder: None }
    }

    pub(crate) fn writer(&self) -> Database {
        Database::open(&self.url, Options::writer().migrating()).expect("a writer")
    }

    pub(crate) fn reader(&self) -> Database {
        Database::open(&self.url, Options::reader()).expect("a reader")
    }

    /// Does to the database what only somebody else would.
    pub(crate) fn edit(&self, sql: &'static str) {
        use sqlx::{Connection as _, Executor as _};

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            if self.text.starts_with("sqlite") {
                let mut connection = sqlx::SqliteConnection::connect(&self.text).await.expect("connects");
                connection.execute(sql).await.expect("carried out");
                connection.close().await.expect("closes");
            } else {
                let mut connection = sqlx::PgConnection::connect(&self.text).await.expect("connects");
                connection.execute(sql).await.expect("carried out");
                connection.close().await.expect("closes");
            }
        });
    }
}

/// A group of records that follow: an opening if it is the first, `inputs` inputs of the market, a command and
/// outputs.
pub(crate) fn group(chain: &mut Chain, inputs: u64) -> Group {
    let mut records = Vec::new();
    let next = |chain: &Chain| Sequence(chain.sequence().0 + 1);
    let time = |sequence: Sequence| Timestamp::from_seconds(60 * sequence.0.cast_signed());
    if chain.number().0 == 0 {
        let start = Sequence(0);
        records.push(chain.append(RecordKind::Opening, start, start, time(start), b"opening".to_vec()));
    }
    let first = next(chain);
    let last = Sequence(chain.sequence().0 + inputs);
    let payload = format!("market {first} to {last}").into_bytes();
    records.push(chain.append(RecordKind::Market, first, last, time(first), payload));
    let command = next(chain);
    records.push(chain.append(RecordKind::Command, command, command, time(command), b"command".to_vec()));
    records.push(chain.append(RecordKind::Outputs, first, command, time(first), vec![0, 255, 7]));
    Group { records, ..Group::default() }
}

/// A snapshot at the end of a chain.
pub(crate) fn snapshot(chain: &Chain, payload: &[u8]) -> Snapshot {
    use sha2::Digest as _;

    let payload_hash = bulkhead_store::journal::Checksum(sha2::Sha256::digest(payload).into());
    let time = Timestamp::from_seconds(60 * chain.sequence().0.cast_signed());
    Snapshot {
        head: SnapshotHead { chain: *chain, time, encoding: 1, payload_hash },
        payload: payload.to_vec(),
    }
}
