//! What a store of journals can do, whichever database it is.

use bulkhead_core::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::journal::{Chain, ChainBreak, Checksum, PayloadError, Record, RecordNumber, Sequence, ShardId};
pub use crate::read_models::Change;

/// Everything that becomes durable at once: all of it or none of it.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// The next records of the journal, in order.
    pub records: Vec<Record>,
    /// A snapshot of the engine after the last record.
    pub snapshot: Option<Snapshot>,
    /// Rows of the read models that the records change.
    pub changes: Vec<Change>,
    /// Requests of operators that the records carry out, or that were refused.
    pub answered: Vec<AnsweredRequest>,
}

/// What a snapshot is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotHead {
    /// The journal up to which it goes. What follows in the journal is chained to this.
    pub chain: Chain,
    /// Event time of the last input.
    pub time: Timestamp,
    /// How its payload is written, as in a record.
    pub encoding: i16,
    /// SHA-256 of the payload.
    pub payload_hash: Checksum,
}

/// An engine's whole state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// What it is of.
    pub head: SnapshotHead,
    /// The state.
    pub payload: Vec<u8>,
}

/// What is kept. Commands and outputs are kept for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Market data this much older than the newest snapshot may go, in event time; never those that follow
    /// the oldest snapshot. `None` keeps all.
    pub market: Option<Span>,
    /// So many of the newest snapshots stay, at least one.
    pub snapshots: usize,
}

impl Default for Retention {
    fn default() -> Self {
        Self { market: None, snapshots: 10 }
    }
}

/// What an operator wants from a host that may not be running: it is carried out when the host sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its number.
    pub id: i64,
    /// Who asks.
    pub actor: String,
    /// The command, as JSON.
    pub command: String,
    /// When it was asked, by the clock of whoever did.
    pub asked: Timestamp,
    /// By what right; `None` of whoever may write to the database, and so needs none.
    pub authority: Option<Authority>,
}

/// By what right somebody asks through the API, which is looked at again when the request is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// What the actor's name is of: a token or a wallet.
    pub credential: String,
    /// The role that the actor needed.
    pub needed_role: String,
}

/// A request that need not wait any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnsweredRequest {
    /// The request.
    pub id: i64,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It was carried out.
    Applied {
        /// By this input.
        sequence: Sequence,
    },
    /// It was not, and never will be. Nothing changed.
    Refused {
        /// The input that was refused; `None` when no input could be made of the request.
        sequence: Option<Sequence>,
        /// Why, and what to do.
        reason: String,
    },
}

impl Outcome {
    /// The input that the request became.
    #[must_use]
    pub const fn sequence(&self) -> Option<Sequence> {
        match self {
            Self::Applied { sequence } => Some(*sequence),
            Self::Refused { sequence, .. } => *sequence,
        }
    }
}

/// A store of journals. Calls wait until the database has answered.
pub trait Storage: Send {
    /// Makes a group durable, all or nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`]. After [`StoreError::Unavailable`] it is not known whether the group is durable:
    /// [`Storage::tail`] tells.
    fn commit(&mut self, group: &Group) -> Result<(), StoreError>;

    /// The last record of a shard's journal.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    fn tail(&mut self, shard: ShardId) -> Result<Option<Record>, StoreError>;

    /// Up to `most` records after this one, in order.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    fn records(
        &mut self,
        shard: ShardId,
        after: RecordNumber,
        most: usize,
    ) -> Result<Vec<Record>, StoreError>;

    /// A shard's snapshots, newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    fn snapshots(&mut self, shard: ShardId) -> Result<Vec<SnapshotHead>, StoreError>;

    /// A snapshot's payload.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read or has no such snapshot.
    fn snapshot(&mut self, head: &SnapshotHead) -> Result<Vec<u8>, StoreError>;

    /// Drops what is older than must be kept. It may be called at any time, and does nothing where there is
    /// nothing to drop.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it could not be done; nothing is lost by that.
    fn retain(&mut self, shard: ShardId, retention: &Retention) -> Result<(), StoreError> {
        let _ = (shard, retention);
        Ok(())
    }

    /// Requests of operators to this shard that wait, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    fn requests(&mut self, shard: ShardId) -> Result<Vec<Request>, StoreError>;
}

/// Why a store could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer, or not in time. It may come back.
    #[error("the database can't be reached: {0}")]
    Unavailable(String),
    /// There is no room to write.
    #[error("there is no room left for the database: {0}; free some, trading goes on by itself")]
    Full(String),
    /// Somebody else writes to the same journal.
    #[error("another process writes to this journal: {0}; a journal has one writer")]
    Conflict(String),
    /// There is or was such a thing already.
    #[error("{0}")]
    Exists(String),
    /// The database is not what this version can work with.
    #[error("{0}")]
    Unsuitable(String),
    /// An idempotency key stands for one request only.
    #[error(
        "the idempotency key \"{key}\" belongs to request {id}, which asks for something else; \
         give every new request a key of its own"
    )]
    KeyReused {
        /// The key.
        key: String,
        /// The request that has it.
        id: i64,
    },
    /// The journal does not hold together.
    #[error("the journal is damaged: {0}; restore a backup, nothing was changed")]
    Chain(#[from] ChainBreak),
    /// A payload can't be read.
    #[error("{place}: {error}")]
    Payload {
        /// Where.
        place: String,
        /// Why.
        error: PayloadError,
    },
}

impl StoreError {
    /// Whether trying again can help without anybody doing anything about it here.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Full(_))
    }
}
