//! What operators ask of the host.

use std::time::{SystemTime, UNIX_EPOCH};

use super::table::Table;
use super::value::{Column as _, Kind, Value};
use super::{Database, Session};
use crate::journal::{Sequence, ShardId};
use crate::storage::{AnsweredRequest, Request, StoreError};

pub(super) const TABLE: Table = Table {
    name: "requests",
    columns: &[
        ("id", Kind::Integer),
        ("shard", Kind::Integer),
        ("actor", Kind::Text),
        ("command", Kind::Text),
        ("asked", Kind::Integer),
        ("answered", Kind::Integer),
    ],
    key: &["id"],
};

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestState {
    /// The host has not seen it yet.
    Waiting,
    /// This input carried it out.
    Answered(Sequence),
}

impl Database {
    /// Leaves a command for the host that runs this shard, and gives the request's number. It is possible
    /// beside the writer, and when no host runs: then it waits for the next one.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it could not be written.
    pub fn request(&mut self, shard: ShardId, actor: &str, command: &str) -> Result<i64, StoreError> {
        let asked = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let values = vec![
            shard.to_value(),
            Value::Text(Some(actor.to_owned())),
            Value::Text(Some(command.to_owned())),
            Value::Integer(Some(i64::try_from(asked).unwrap_or(i64::MAX))),
        ];
        let sql = "INSERT INTO requests (shard, actor, command, asked) VALUES ($1, $2, $3, $4) RETURNING id";
        let row = self.call(|session| session.transaction(|session| session.query(sql, values)))?.pop();
        row.ok_or_else(|| StoreError::Unsuitable("the database gave the request no number".to_owned()))?
            .first("requests")
    }

    /// What became of a request; `None` when there is no such request.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn request_state(&mut self, id: i64) -> Result<Option<RequestState>, StoreError> {
        let sql = "SELECT answered FROM requests WHERE id = $1";
        let Some(row) = self.call(|session| session.query(sql, vec![id.to_value()]))?.pop() else {
            return Ok(None);
        };
        let answered: Option<Sequence> = row.first("requests")?;
        Ok(Some(answered.map_or(RequestState::Waiting, RequestState::Answered)))
    }
}

impl Database {
    /// Requests to all shards that wait, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn waiting_requests(&mut self) -> Result<Vec<(ShardId, Request)>, StoreError> {
        let sql = "SELECT shard, id, actor, command FROM requests WHERE answered IS NULL ORDER BY id";
        let rows = self.call(|session| session.query(sql, Vec::new()))?;
        let request = |row: super::value::Row| {
            let mut cells = row.reader("requests");
            let shard = cells.next()?;
            Ok((shard, Request { id: cells.next()?, actor: cells.next()?, command: cells.next()? }))
        };
        rows.into_iter().map(request).collect()
    }
}

pub(super) fn waiting(session: &mut Session<'_>, shard: ShardId) -> Result<Vec<Request>, StoreError> {
    let sql = "SELECT id, actor, command FROM requests WHERE shard = $1 AND answered IS NULL ORDER BY id";
    let request = |row: super::value::Row| {
        let mut cells = row.reader("requests");
        Ok(Request { id: cells.next()?, actor: cells.next()?, command: cells.next()? })
    };
    session.query(sql, vec![shard.to_value()])?.into_iter().map(request).collect()
}

pub(super) fn answer(session: &mut Session<'_>, answered: &[AnsweredRequest]) -> Result<(), StoreError> {
    for request in answered {
        // One that was answered keeps its first answer.
        let sql = "UPDATE requests SET answered = $1 WHERE id = $2 AND answered IS NULL";
        session.execute(sql, vec![request.sequence.to_value(), request.id.to_value()])?;
    }
    Ok(())
}
