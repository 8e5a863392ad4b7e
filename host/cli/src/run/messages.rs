//! What threads tell each other.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use bulkhead_core::identifier::ContentHash;
use bulkhead_store::journal::ShardId;
use bulkhead_store::storage::Request;

/// What the threads that trade are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// A version was verified and compiled for a slot.
    Prepared { slot: String, version: ContentHash },
    /// A plugin file is gone.
    Removed { slot: String },
    /// Somebody left a command in the database.
    Request { shard: ShardId, request: Request },
    /// Nothing happened, or a journal moved on; also tells whether anybody is left to hear it.
    Tick,
    /// A person or the system wants the host to end.
    Stop,
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
