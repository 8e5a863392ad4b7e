//! Records and snapshots.

use super::table::{OnConflict, Table, TableRow};
use super::value::{Column as _, Kind, Row, Value};
use super::{Database, Session};
use crate::journal::{Chain, Checksum, Record, RecordNumber, Sequence, ShardId};
use crate::storage::{Group, Request, Retention, Snapshot, SnapshotHead, Storage, StoreError};

impl TableRow for Record {
    const TABLE: Table = Table {
        name: "journal",
        columns: &[
            ("shard", Kind::Integer),
            ("number", Kind::Integer),
            ("kind", Kind::Integer),
            ("first_sequence", Kind::Integer),
            ("last_sequence", Kind::Integer),
            ("time", Kind::Integer),
            ("encoding", Kind::Integer),
            ("payload", Kind::Bytes),
            ("payload_hash", Kind::Bytes),
            ("checksum", Kind::Bytes),
        ],
        key: &["shard", "number"],
    };

    fn values(&self) -> Vec<Value> {
        vec![
            self.shard.to_value(),
            self.number.to_value(),
            self.kind.to_value(),
            self.first.to_value(),
            self.last.to_value(),
            self.time.to_value(),
            self.encoding.to_value(),
            self.payload.to_value(),
            self.payload_hash.to_value(),
            self.checksum.to_value(),
        ]
    }

    fn from_row(row: Row) -> Result<Self, StoreError> {
        let mut cells = row.reader("journal");
        Ok(Self {
            shard: cells.next()?,
            number: cells.next()?,
            kind: cells.next()?,
            first: cells.next()?,
            last: cells.next()?,
            time: cells.next()?,
            encoding: cells.next()?,
            payload: cells.next()?,
            payload_hash: cells.next()?,
            checksum: cells.next()?,
        })
    }
}

const HEAD_COLUMNS: &str = "shard, number, sequence, checksum, time, encoding, payload_hash";

impl TableRow for Snapshot {
    const TABLE: Table = Table {
        name: "snapshots",
        columns: &[
            ("shard", Kind::Integer),
            ("number", Kind::Integer),
            ("sequence", Kind::Integer),
            ("checksum", Kind::Bytes),
            ("time", Kind::Integer),
            ("encoding", Kind::Integer),
            ("payload_hash", Kind::Bytes),
            ("payload", Kind::Bytes),
        ],
        key: &["shard", "number"],
    };

    fn values(&self) -> Vec<Value> {
        let chain = &self.head.chain;
        vec![
            chain.shard().to_value(),
            chain.number().to_value(),
            chain.sequence().to_value(),
            chain.checksum().to_value(),
            self.head.time.to_value(),
            self.head.encoding.to_value(),
            self.head.payload_hash.to_value(),
            self.payload.to_value(),
        ]
    }

    fn from_row(row: Row) -> Result<Self, StoreError> {
        let mut row = row;
        let payload = row.0.pop().map(|cell| Row(vec![cell]));
        let head = head(row)?;
        let payload = payload.unwrap_or(Row(Vec::new())).first("snapshots")?;
        Ok(Self { head, payload })
    }
}

/// From [`HEAD_COLUMNS`].
fn head(row: Row) -> Result<SnapshotHead, StoreError> {
    let mut cells = row.reader("snapshots");
    let (shard, number, sequence): (ShardId, RecordNumber, Sequence) =
        (cells.next()?, cells.next()?, cells.next()?);
    let checksum: Checksum = cells.next()?;
    Ok(SnapshotHead {
        chain: Chain::ending_at(shard, number, sequence, checksum),
        time: cells.next()?,
        encoding: cells.next()?,
        payload_hash: cells.next()?,
    })
}

impl Storage for Database {
    fn commit(&mut self, group: &Group) -> Result<(), StoreError> {
        self.write(|session| write(session, group))
    }

    fn tail(&mut self, shard: ShardId) -> Result<Option<Record>, StoreError> {
        self.call(|session| tail(session, shard))
    }

    fn records(
        &mut self,
        shard: ShardId,
        after: RecordNumber,
        most: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.call(|session| records(session, shard, after, most))
    }

    fn snapshots(&mut self, shard: ShardId) -> Result<Vec<SnapshotHead>, StoreError> {
        self.call(|session| snapshots(session, shard))
    }

    fn snapshot(&mut self, head: &SnapshotHead) -> Result<Vec<u8>, StoreError> {
        self.call(|session| snapshot(session, head))
    }

    fn retain(&mut self, shard: ShardId, retention: &Retention) -> Result<(), StoreError> {
        self.retain_only(shard, retention)
    }

    fn requests(&mut self, shard: ShardId) -> Result<Vec<Request>, StoreError> {
        self.call(|session| super::requests::waiting(session, shard))
    }
}

/// A store as the transaction sees it that is under way.
pub(super) struct UnderWay<'s, 'c>(pub(super) &'s mut Session<'c>);

impl Storage for UnderWay<'_, '_> {
    fn commit(&mut self, group: &Group) -> Result<(), StoreError> {
        write(self.0, group)
    }

    fn tail(&mut self, shard: ShardId) -> Result<Option<Record>, StoreError> {
        tail(self.0, shard)
    }

    fn records(
        &mut self,
        shard: ShardId,
        after: RecordNumber,
        most: usize,
    ) -> Result<Vec<Record>, StoreError> {
        records(self.0, shard, after, most)
    }

    fn snapshots(&mut self, shard: ShardId) -> Result<Vec<SnapshotHead>, StoreError> {
        snapshots(self.0, shard)
    }

    fn snapshot(&mut self, head: &SnapshotHead) -> Result<Vec<u8>, StoreError> {
        snapshot(self.0, head)
    }

    fn requests(&mut self, shard: ShardId) -> Result<Vec<Request>, StoreError> {
        super::requests::waiting(self.0, shard)
    }
}

/// Writes a group within the session's transaction.
fn write(session: &mut Session<'_>, group: &Group) -> Result<(), StoreError> {
    session.insert(group.records.iter(), OnConflict::Fail)?;
    session.insert(group.snapshot.iter(), OnConflict::Replace)?;
    crate::read_models::apply(session, &group.changes)?;
    super::requests::answer(session, &group.answered)
}

fn tail(session: &mut Session<'_>, shard: ShardId) -> Result<Option<Record>, StoreError> {
    let sql = format!("{} WHERE shard = $1 ORDER BY number DESC LIMIT 1", Record::TABLE.select());
    session.query(&sql, vec![shard.to_value()])?.pop().map(Record::from_row).transpose()
}

fn records(
    session: &mut Session<'_>,
    shard: ShardId,
    after: RecordNumber,
    most: usize,
) -> Result<Vec<Record>, StoreError> {
    let select = Record::TABLE.select();
    let sql = format!("{select} WHERE shard = $1 AND number > $2 ORDER BY number LIMIT $3");
    let values = vec![shard.to_value(), after.to_value(), limit(most)];
    session.query(&sql, values)?.into_iter().map(Record::from_row).collect()
}

fn snapshots(session: &mut Session<'_>, shard: ShardId) -> Result<Vec<SnapshotHead>, StoreError> {
    let sql = format!("SELECT {HEAD_COLUMNS} FROM snapshots WHERE shard = $1 ORDER BY number DESC");
    session.query(&sql, vec![shard.to_value()])?.into_iter().map(head).collect()
}

fn snapshot(session: &mut Session<'_>, head: &SnapshotHead) -> Result<Vec<u8>, StoreError> {
    let (shard, number) = (head.chain.shard(), head.chain.number());
    let sql = "SELECT payload FROM snapshots WHERE shard = $1 AND number = $2";
    let row = session.query(sql, vec![shard.to_value(), number.to_value()])?.pop();
    row.ok_or_else(|| StoreError::Unsuitable(format!("there is no snapshot of {shard} at {number}")))?
        .first("snapshots")
}

/// How many rows at most, as a value.
pub(crate) fn limit(most: usize) -> Value {
    Value::Integer(Some(i64::try_from(most).unwrap_or(i64::MAX)))
}

/// The shards that have a journal.
pub(super) fn shards(session: &mut Session<'_>) -> Result<Vec<ShardId>, StoreError> {
    let rows = session.query("SELECT DISTINCT shard FROM journal ORDER BY shard", Vec::new())?;
    rows.into_iter().map(|row| row.first("journal")).collect()
}

impl Database {
    /// The shards that have a journal, by number.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn shards(&mut self) -> Result<Vec<ShardId>, StoreError> {
        self.call(shards)
    }
}
