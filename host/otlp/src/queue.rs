//! How much waits to be delivered, and what became of it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

/// Spans that wait or are being delivered, at most: some megabytes.
pub(crate) const LENGTH: u64 = 4_096;

/// What became of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// The collector took it.
    Sent,
    /// The collector did not take it, also when it was tried again.
    Failed,
    /// There was no room for it, or the host ended before it was delivered.
    Dropped,
}

impl Counted {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

/// Counts what became of so many spans.
pub type Count = Arc<dyn Fn(Counted, u64) + Send + Sync>;

/// What waits.
pub(crate) struct Queue {
    waiting: AtomicU64,
    count: Count,
    /// Why the last try failed; `None` after one that did not.
    problem: Mutex<Option<String>>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Queue").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

impl Queue {
    pub(crate) fn new(count: Count) -> Self {
        Self { waiting: AtomicU64::new(0), count, problem: Mutex::new(None) }
    }

    /// Whether there is room for one more, which takes it up. It is counted if not.
    pub(crate) fn has_room(&self) -> bool {
        let more = |waiting| (waiting < LENGTH).then_some(waiting + 1);
        let has_room = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        if !has_room {
            (self.count)(Counted::Dropped, 1);
        }
        has_room
    }

    /// One that there was room for is not delivered after all.
    pub(crate) fn give_back(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    fn done(&self, spans: u64, what: Counted) {
        self.waiting.fetch_sub(spans, Ordering::Relaxed);
        (self.count)(what, spans);
    }

    /// The collector was tried. It is said when it begins to fail, and when it does not fail any more.
    pub(crate) fn tried(&self, problem: Option<String>) {
        let mut known = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*known, &problem) {
            (None, Some(why)) => tracing::warn!(why, "traces can't be delivered; the host goes on without"),
            (Some(_), None) => tracing::info!("traces are delivered again"),
            _ => {}
        }
        *known = problem;
    }

    /// Nothing more is delivered. How much that leaves.
    pub(crate) fn end(&self) -> u64 {
        let left = self.waiting.swap(0, Ordering::Relaxed);
        if left > 0 {
            (self.count)(Counted::Dropped, left);
        }
        left
    }
}

/// An exporter that tells the queue what became of spans.
#[derive(Debug)]
pub(crate) struct Counting<E> {
    pub(crate) inner: E,
    pub(crate) queue: Arc<Queue>,
}

impl<E: SpanExporter> SpanExporter for Counting<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len() as u64;
        let result = self.inner.export(batch).await;
        self.queue.done(spans, if result.is_ok() { Counted::Sent } else { Counted::Failed });
        result
    }

    fn shutdown_with_timeout(&self, timeout: std::time::Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &opentelemetry_sdk::Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_no_room_for_is_counted_and_nobody_waits() {
        let counted = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&counted);
        let queue = Queue::new(Arc::new(move |what, spans| seen.lock().unwrap().push((what, spans))));
        assert!((0..LENGTH).all(|_| queue.has_room()));
        assert!(!queue.has_room());
        queue.done(10, Counted::Sent);
        queue.give_back();
        assert!((0..11).all(|_| queue.has_room()));
        assert!(!queue.has_room());
        assert_eq!(queue.end(), LENGTH);
        assert_eq!(
            *counted.lock().unwrap(),
            [(Counted::Dropped, 1), (Counted::Sent, 10), (Counted::Dropped, 1), (Counted::Dropped, LENGTH)]
        );
    }
}
