//! How long ago an order passed the gate, whoever takes it up and however often.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bulkhead_core::order::OrderTerms;
use bulkhead_core::time::Timestamp;
use tokio::time::Instant;

/// The age of an order. It goes on over a crash: what an order had of its time before is over.
#[derive(Debug, Clone, Copy)]
pub struct OrderAge {
    when_taken_up: Duration,
    taken_up: Instant,
}

impl OrderAge {
    /// Of an order that is taken up now.
    #[must_use]
    pub fn of(terms: &OrderTerms) -> Self {
        Self { when_taken_up: since(terms.created, SystemTime::now()), taken_up: Instant::now() }
    }

    /// How old it is. The wall clock was asked once, so this never goes back.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.when_taken_up.saturating_add(self.taken_up.elapsed())
    }
}

/// Nothing for what is still to come, as the clock was set back meanwhile.
fn since(created: Timestamp, now: SystemTime) -> Duration {
    let created = Duration::from_nanos(u64::try_from(created.nanos()).unwrap_or_default());
    now.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(created)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_as_old_as_its_passing_of_the_gate() {
        let now = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        assert_eq!(since(Timestamp::from_seconds(1_789_999_970), now), Duration::from_secs(30));
        assert_eq!(since(Timestamp::from_seconds(1_790_000_030), now), Duration::ZERO);
    }
}
