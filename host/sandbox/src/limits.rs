//! What a strategy may use, as it is counted here.

pub use bulkhead_core::strategy::{InvalidLimits, Limits};

/// A limit as a count in memory; saturates where the machine's words are shorter.
pub(crate) fn count(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
