use std::time::{SystemTime, UNIX_EPOCH};

use bulkhead_core::time::Timestamp;

/// The moment. Nothing that the engine decides may depend on it.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    Timestamp::from_nanos(i64::try_from(since).unwrap_or(i64::MAX))
}
