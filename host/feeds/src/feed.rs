use std::collections::BTreeMap;

use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::Input;

use crate::error::FeedError;
use crate::quality::QualityCounters;

/// A source of market inputs in the order of time.
///
/// Pulling does not wait for anything but the disk, and takes no thread. The inputs' times never go back,
/// neither in a batch nor between batches.
pub trait Feed {
    /// Appends at most `max` inputs to `out` and returns how many; 0 means that the feed has ended (or that
    /// `max` is 0), and of a live feed that there is nothing at the moment.
    ///
    /// # Errors
    /// When the source can't be read, or holds something that the quality policy refuses. Inputs appended
    /// before the error are good. A feed that failed stays failed: what it returns afterwards is unspecified.
    fn next_batch(&mut self, out: &mut Vec<Input>, max: usize) -> Result<usize, FeedError>;

    /// What the quality gate has seen so far, per instrument. Sources that can't be wrong have no entry.
    fn quality(&self) -> BTreeMap<InstrumentId, QualityCounters>;

    /// How far the feed has come.
    fn progress(&self) -> Progress;

    /// Whether it tells what happens now, instead of what is on record: it has no end, and can't be taken back to where
    /// a run left off.
    fn is_live(&self) -> bool {
        false
    }
}

/// How far a feed has come, in the source's own unit (bytes of a file, steps of a simulation).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Units worked off.
    pub done: u64,
    /// Units in all; `None` when the feed does not end by itself.
    pub total: Option<u64>,
}

impl Progress {
    /// The share that is done, 0 to 1; `None` when the feed does not end by itself.
    #[must_use]
    pub fn fraction(self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a progress bar needs no 53 bits")]
        self.total.map(|total| if total == 0 { 1.0 } else { self.done as f64 / total as f64 })
    }

    /// The progress of two feeds that are read side by side.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            done: self.done.saturating_add(other.done),
            total: self.total.zip(other.total).map(|(ours, theirs)| ours.saturating_add(theirs)),
        }
    }
}
