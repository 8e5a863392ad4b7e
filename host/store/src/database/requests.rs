//! What operators ask of the host.

use std::time::{Duration, Instant};

use super::table::Table;
use super::value::{Column as _, Kind, RowReader, Value};
use super::{Database, Session};
use crate::clock::now;
use crate::journal::ShardId;
use crate::storage::{AnsweredRequest, Authority, Outcome, Request, StoreError};

pub(super) const TABLE: Table = Table {
    name: "requests",
    columns: &[
        ("id", Kind::Integer),
        ("shard", Kind::Integer),
        ("actor", Kind::Text),
        ("command", Kind::Text),
        ("asked", Kind::Integer),
        ("answered", Kind::Integer),
        ("idempotency_key", Kind::Text),
        ("outcome", Kind::Text),
        ("credential", Kind::Text),
        ("needed_role", Kind::Text),
    ],
    key: &["id"],
};

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestState {
    /// The host has not seen it yet.
    Waiting,
    /// It was carried out or refused, and that is durable.
    Answered(Outcome),
}

/// A request that somebody left under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedRequest {
    /// Its number.
    pub id: i64,
    /// The journal of the account that it is for.
    pub shard: ShardId,
    /// The command, as it was left.
    pub command: String,
}

/// How often it is looked whether a request was answered.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

impl Database {
    /// Leaves a command for the host that runs this shard, and gives the request's number. It is possible
    /// beside the writer, and when no host runs: then it waits for the next one.
    ///
    /// Whoever may have to ask again, because the answer was lost on the way, gives a key of his own making: the
    /// same request with the same key is there once, and has the number that it had the first time.
    ///
    /// # Errors
    ///
    /// [`StoreError::KeyReused`] when the key belongs to a request of another actor, shard or command; another
    /// [`StoreError`] when it could not be written.
    pub fn request(
        &mut self,
        shard: ShardId,
        actor: &str,
        command: &str,
        idempotency_key: Option<&str>,
    ) -> Result<i64, StoreError> {
        self.leave((shard, actor, command), idempotency_key, None)
    }

    /// [`Self::request`] of somebody who may not write to the database, and by what right.
    ///
    /// # Errors
    ///
    /// As [`Self::request`].
    pub fn authorised_request(
        &mut self,
        shard: ShardId,
        actor: &str,
        command: &str,
        idempotency_key: Option<&str>,
        authority: &Authority,
    ) -> Result<i64, StoreError> {
        self.leave((shard, actor, command), idempotency_key, Some(authority))
    }

    fn leave(
        &mut self,
        (shard, actor, command): (ShardId, &str, &str),
        idempotency_key: Option<&str>,
        authority: Option<&Authority>,
    ) -> Result<i64, StoreError> {
        let text = |text: &str| Value::Text(Some(text.to_owned()));
        let values = vec![
            shard.to_value(),
            text(actor),
            text(command),
            now().to_value(),
            Value::Text(idempotency_key.map(str::to_owned)),
            Value::Text(authority.map(|authority| authority.credential.clone())),
            Value::Text(authority.map(|authority| authority.needed_role.clone())),
        ];
        let sql = "INSERT INTO requests (shard, actor, command, asked, idempotency_key, credential, needed_role) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (idempotency_key) DO NOTHING RETURNING id";
        self.call(|session| {
            session.transaction(|session| match (session.query(sql, values)?.pop(), idempotency_key) {
                (Some(row), _) => row.first("requests"),
                (None, Some(key)) => with_key(session, key, (shard, actor, command)),
                (None, None) => {
                    Err(StoreError::Unsuitable("the database gave the request no number".to_owned()))
                }
            })
        })
    }

    /// The requests that were left under this key, or under one that begins with it and a colon, oldest first: what
    /// somebody asked for who does not know any more whether he did.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn requests_with_key(&mut self, key: &str) -> Result<Vec<KeyedRequest>, StoreError> {
        let beginning = format!("{key}:");
        let sql = format!(
            "SELECT id, shard, command FROM requests \
             WHERE idempotency_key = $1 OR substr(idempotency_key, 1, {}) = $2 ORDER BY id",
            beginning.chars().count()
        );
        let values = vec![Value::Text(Some(key.to_owned())), Value::Text(Some(beginning))];
        let rows = self.call(|session| session.query(&sql, values))?;
        let request = |row: super::value::Row| {
            let mut cells = row.reader("requests");
            Ok(KeyedRequest { id: cells.next()?, shard: cells.next()?, command: cells.next()? })
        };
        rows.into_iter().map(request).collect()
    }

    /// What became of a request; `None` when there is no such request.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn request_state(&mut self, id: i64) -> Result<Option<RequestState>, StoreError> {
        let sql = "SELECT outcome FROM requests WHERE id = $1";
        let Some(row) = self.call(|session| session.query(sql, vec![id.to_value()]))?.pop() else {
            return Ok(None);
        };
        let Some(outcome) = row.first::<Option<String>>("requests")? else {
            return Ok(Some(RequestState::Waiting));
        };
        let outcome = serde_json::from_str(&outcome).map_err(|error| {
            StoreError::Unsuitable(format!("the outcome of request {id} can't be read: {error}"))
        })?;
        Ok(Some(RequestState::Answered(outcome)))
    }

    /// The journal of the account that a request is for; `None` when there is no such request.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn request_shard(&mut self, id: i64) -> Result<Option<ShardId>, StoreError> {
        let sql = "SELECT shard FROM requests WHERE id = $1";
        let row = self.call(|session| session.query(sql, vec![id.to_value()]))?.pop();
        row.map(|row| row.first("requests")).transpose()
    }

    /// Waits until a request was answered, at most so long. `None` when it still waits then, as it does when no
    /// host runs, or when there is no such request.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn await_outcome(&mut self, id: i64, most: Duration) -> Result<Option<Outcome>, StoreError> {
        let asked = Instant::now();
        loop {
            match self.request_state(id)? {
                Some(RequestState::Answered(outcome)) => return Ok(Some(outcome)),
                None => return Ok(None),
                Some(RequestState::Waiting) => {}
            }
            let left = most.saturating_sub(asked.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            std::thread::sleep(left.min(BETWEEN_LOOKS));
        }
    }
}

/// The number of the request that has this key, if it is the same request.
fn with_key(session: &mut Session<'_>, key: &str, asked: (ShardId, &str, &str)) -> Result<i64, StoreError> {
    let sql = "SELECT id, shard, actor, command FROM requests WHERE idempotency_key = $1";
    let row = session.query(sql, vec![Value::Text(Some(key.to_owned()))])?.pop();
    let row = row.ok_or_else(|| {
        StoreError::Unsuitable(format!("the idempotency key \"{key}\" belongs to no request; was it edited?"))
    })?;
    let mut cells = row.reader("requests");
    let id = cells.next()?;
    let first: (ShardId, String, String) = (cells.next()?, cells.next()?, cells.next()?);
    if (first.0, first.1.as_str(), first.2.as_str()) == asked {
        Ok(id)
    } else {
        Err(StoreError::KeyReused { key: key.to_owned(), id })
    }
}

impl Database {
    /// How many requests to a shard wait.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn waiting_of(&mut self, shard: ShardId) -> Result<usize, StoreError> {
        let sql = "SELECT count(*) FROM requests WHERE shard = $1 AND outcome IS NULL";
        let row = self.call(|session| session.query(sql, vec![shard.to_value()]))?.pop();
        let waiting: i64 = row.map_or(Ok(0), |row| row.first("requests"))?;
        Ok(usize::try_from(waiting).unwrap_or(0))
    }

    /// Requests to all shards that wait, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn waiting_requests(&mut self) -> Result<Vec<(ShardId, Request)>, StoreError> {
        let sql = format!("SELECT shard, {REQUEST} FROM requests WHERE outcome IS NULL ORDER BY id");
        let rows = self.call(|session| session.query(&sql, Vec::new()))?;
        let request = |row: super::value::Row| {
            let mut cells = row.reader("requests");
            Ok((cells.next()?, read(&mut cells)?))
        };
        rows.into_iter().map(request).collect()
    }
}

/// The columns of a request, as [`read`] takes them.
const REQUEST: &str = "id, actor, command, asked, credential, needed_role";

fn read(cells: &mut RowReader) -> Result<Request, StoreError> {
    let (id, actor, command, asked) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
    let (credential, needed_role): (Option<String>, Option<String>) = (cells.next()?, cells.next()?);
    // One without the other is a right that nobody has.
    let authority = (credential.is_some() || needed_role.is_some()).then(|| Authority {
        credential: credential.unwrap_or_default(),
        needed_role: needed_role.unwrap_or_default(),
    });
    Ok(Request { id, actor, command, asked, authority })
}

pub(super) fn waiting(session: &mut Session<'_>, shard: ShardId) -> Result<Vec<Request>, StoreError> {
    let sql = format!("SELECT {REQUEST} FROM requests WHERE shard = $1 AND outcome IS NULL ORDER BY id");
    let request = |row: super::value::Row| read(&mut row.reader("requests"));
    session.query(&sql, vec![shard.to_value()])?.into_iter().map(request).collect()
}

pub(super) fn answer(session: &mut Session<'_>, answered: &[AnsweredRequest]) -> Result<(), StoreError> {
    for request in answered {
        let outcome = serde_json::to_string(&request.outcome).map_err(|error| {
            StoreError::Unsuitable(format!("the outcome of request {} can't be written: {error}", request.id))
        })?;
        // One that was answered keeps its first answer.
        let sql = "UPDATE requests SET answered = $1, outcome = $2 WHERE id = $3 AND outcome IS NULL";
        let sequence = request.outcome.sequence().to_value();
        session.execute(sql, vec![sequence, Value::Text(Some(outcome)), request.id.to_value()])?;
    }
    Ok(())
}
