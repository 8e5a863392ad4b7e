//! What threads tell each other.

use std::collections::BTreeSet;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bulkhead_core::identifier::ContentHash;
use bulkhead_store::journal::ShardId;
use bulkhead_store::storage::Request;

/// What the threads that trade are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// A version was verified and compiled for a slot.
    Prepared { slot: String, version: ContentHash, origin: Origin },
    /// A plugin file is gone.
    Removed { slot: String },
    /// Somebody left a command in the database, and may have it carried out or not.
    Request { shard: ShardId, request: Request, standing: Standing },
    /// Nothing happened, or a journal moved on; also tells whether anybody is left to hear it.
    Tick,
    /// A person or the system wants the host to end.
    Stop,
}

/// How a plugin file came into the strategies directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Somebody copied it in by hand.
    ByHand,
    /// This person brought it in through the API.
    BroughtBy(String),
    /// The database can't tell at the moment. The version is told of again when it can.
    Unknown,
}

/// Whether somebody may still have done what they asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Why not; `None` when they may.
    pub(crate) lapsed: Option<String>,
    /// When it was looked at; `None` where nothing about it can change.
    pub(crate) as_of: Option<Instant>,
}

/// Requests that were handed over to those who trade, and perhaps not answered yet. Its copies are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct HandedOver(Arc<Mutex<BTreeSet<i64>>>);

impl HandedOver {
    /// Whether this one was not handed over before.
    pub(super) fn insert(&self, request: i64) -> bool {
        self.lock().insert(request)
    }

    /// Forgets those that do not wait any more.
    pub(super) fn retain(&self, waiting: &BTreeSet<i64>) {
        self.lock().retain(|request| waiting.contains(request));
    }

    /// Has it handed over again, once it was looked at anew.
    pub(super) fn give_back(&self, request: i64) {
        self.lock().remove(&request);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way to all threads that trade.
#[derive(Debug, Clone)]
pub(super) struct Messages {
    threads: Arc<[Sender<Message>]>,
}

impl Messages {
    /// To these threads.
    pub(super) fn to(threads: impl Iterator<Item = Sender<Message>>) -> Self {
        Self { threads: threads.collect() }
    }

    /// Tells all of them; each knows what concerns it. `false` when none is left.
    pub(super) fn send(&self, message: &Message) -> bool {
        // All must be told, whether or not others have ended.
        self.threads.iter().filter(|thread| thread.send(message.clone()).is_ok()).count() > 0
    }
}
