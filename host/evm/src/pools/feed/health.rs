use std::sync::{Mutex, MutexGuard, PoisonError};

use bulkhead_core::time::{Span, Timestamp};

use crate::pools::watcher::BlockSeen;

/// How a feed is doing.
#[derive(Debug, Default)]
pub struct FeedHealth(Mutex<Health>);

#[derive(Debug, Default)]
struct Health {
    last_block: Option<BlockSeen>,
    failures: u64,
    failing: Option<String>,
}

impl FeedHealth {
    /// The newest block whose events were told; `None` before the first look that went well.
    #[must_use]
    pub fn last_block(&self) -> Option<BlockSeen> {
        self.read().last_block
    }

    /// How old that block is at a moment, by its own time; not below zero.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Option<Span> {
        let made = i64::try_from(self.last_block()?.timestamp).unwrap_or(i64::MAX);
        Some(now.since(Timestamp::from_seconds(made)).max(Span::ZERO))
    }

    /// How many looks have failed so far.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.read().failures
    }

    /// Why the last look failed; `None` when it went well. No address of a server is in it.
    #[must_use]
    pub fn failing(&self) -> Option<String> {
        self.read().failing.clone()
    }

    pub(super) fn looked(&self, newest: Option<BlockSeen>) {
        let mut health = self.read();
        (health.last_block, health.failing) = (newest, None);
    }

    pub(super) fn failed(&self, why: String) {
        let mut health = self.read();
        health.failures = health.failures.saturating_add(1);
        health.failing = Some(why);
    }

    fn read(&self) -> MutexGuard<'_, Health> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
