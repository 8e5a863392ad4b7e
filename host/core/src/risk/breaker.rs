//! One breaker: closed, open, half-open. It knows no reason to trip; that is the matter of [`super::Breakers`].
//!
//! ```text
//!            trips                    its pause is over
//! closed ──────────────> open ─────────────────────────> half-open
//!    ▲                    ▲ │                             │   │
//!    │                    │ └── resume, next day ──┐      │   │
//!    │                    └──── failure, longer pause ────┘   │
//!    └────────────────────────────── success, resume ─────────┘
//! ```

use serde::{Deserialize, Serialize};

use crate::identifier::OrderId;
use crate::time::{Span, Timestamp};

/// Doublings of the pause are bounded, so that it stays within the range of time.
const MOST_DOUBLINGS: u32 = 16;

/// Which breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerKind {
    /// Too many of the last orders failed.
    ErrorRate,
    /// Too many trades in a row lost.
    LosingStreak,
    /// The account lost a multiple of its daily-loss limit.
    DailyLoss,
    /// The account fell too far from its highest equity.
    Drawdown,
    /// Something held or being traded has no fresh price.
    StaleData,
}

impl BreakerKind {
    /// Every breaker, in the order in which the gate asks them.
    pub const ALL: [Self; 5] =
        [Self::ErrorRate, Self::LosingStreak, Self::DailyLoss, Self::Drawdown, Self::StaleData];

    /// The stable name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ErrorRate => "error-rate",
            Self::LosingStreak => "losing-streak",
            Self::DailyLoss => "daily-loss",
            Self::Drawdown => "drawdown",
            Self::StaleData => "stale-data",
        }
    }
}

/// Where a breaker stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerState {
    /// Nothing is wrong.
    #[default]
    Closed,
    /// New exposure is refused.
    Open {
        /// Since when.
        since: Timestamp,
        /// Until when at least; without one an operator must resume.
        until: Option<Timestamp>,
        /// The numbers that tripped it, as `key=value` pairs.
        facts: String,
    },
    /// A few small orders are let through to see how they fare.
    HalfOpen {
        /// Since when.
        since: Timestamp,
        /// The numbers that tripped it.
        facts: String,
        /// The orders let through, without those that ended and executed nothing.
        probes: Vec<OrderId>,
    },
}

impl BreakerState {
    /// The stable name in reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen { .. } => "half-open",
        }
    }
}

/// One breaker.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Breaker {
    state: BreakerState,
    /// How often it tripped since it was last closed.
    trips: u32,
}

impl Breaker {
    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> &BreakerState {
        &self.state
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, BreakerState::Closed)
    }

    /// Whether new exposure is refused.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state, BreakerState::Open { .. })
    }

    /// Whether it lets probing orders through.
    #[must_use]
    pub const fn is_half_open(&self) -> bool {
        matches!(self.state, BreakerState::HalfOpen { .. })
    }

    /// Opens it for a pause that doubles each time it trips again before it was closed, up to the longest.
    /// An open one stays as it is. Whether it changed.
    pub fn trip(&mut self, now: Timestamp, pause: Span, longest: Span, facts: String) -> bool {
        let pause = pause.times(1 << self.trips.min(MOST_DOUBLINGS)).min(longest.max(pause));
        self.trip_until(now, Some(now.plus(pause)), facts)
    }

    /// Opens it until a moment, or until an operator resumes. An open one stays as it is. Whether it changed.
    pub fn trip_until(&mut self, now: Timestamp, until: Option<Timestamp>, facts: String) -> bool {
        if self.is_open() {
            return false;
        }
        self.trips = self.trips.saturating_add(1);
        self.state = BreakerState::Open { since: now, until, facts };
        true
    }

    /// Whether it is open and its pause is over.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        matches!(self.state, BreakerState::Open { until: Some(until), .. } if now >= until)
    }

    /// Makes an open one half-open. Whether it changed.
    pub fn half_open(&mut self, now: Timestamp) -> bool {
        let BreakerState::Open { facts, .. } = &mut self.state else { return false };
        let facts = std::mem::take(facts);
        self.state = BreakerState::HalfOpen { since: now, facts, probes: Vec::new() };
        true
    }

    /// Closes it, and its next pause is the shortest again. Whether it changed.
    pub fn close(&mut self) -> bool {
        let changed = !self.is_closed();
        *self = Self::default();
        changed
    }

    /// Takes note of an order let through while half-open.
    pub fn probed_by(&mut self, order: OrderId) {
        if let BreakerState::HalfOpen { probes, .. } = &mut self.state {
            probes.push(order);
        }
    }

    /// A probe ended and has told nothing: another may take its place.
    pub fn forget_probe(&mut self, order: OrderId) {
        if let BreakerState::HalfOpen { probes, .. } = &mut self.state {
            probes.retain(|probe| *probe != order);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Span = Span::from_seconds(60);
    const LONGEST: Span = Span::from_seconds(200);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn until(breaker: &Breaker) -> Option<Timestamp> {
        match breaker.state() {
            BreakerState::Open { until, .. } => *until,
            _ => None,
        }
    }

    #[test]
    fn a_pause_over_makes_it_half_open_and_not_closed() {
        let mut breaker = Breaker::default();
        assert!(breaker.trip(at(0), PAUSE, LONGEST, "failures=3".to_owned()));
        assert!(!breaker.is_due(at(59)) && breaker.is_due(at(60)));
        assert!(breaker.half_open(at(60)));
        let expected =
            BreakerState::HalfOpen { since: at(60), facts: "failures=3".to_owned(), probes: Vec::new() };
        assert_eq!(*breaker.state(), expected);
    }

    #[test]
    fn each_failure_doubles_the_pause_up_to_the_longest_and_a_success_makes_it_short_again() {
        let mut breaker = Breaker::default();
        let mut pauses = Vec::new();
        for _ in 0..4 {
            assert!(breaker.trip(at(0), PAUSE, LONGEST, String::new()));
            pauses.push(until(&breaker).unwrap().seconds());
            assert!(breaker.half_open(at(0)));
        }
        assert_eq!(pauses, [60, 120, 200, 200]);
        assert!(breaker.close() && !breaker.close());
        breaker.trip(at(0), PAUSE, LONGEST, String::new());
        assert_eq!(until(&breaker), Some(at(60)));
    }

    #[test]
    fn an_open_one_does_not_trip_again() {
        let mut breaker = Breaker::default();
        breaker.trip(at(0), PAUSE, LONGEST, "first".to_owned());
        assert!(!breaker.trip(at(30), PAUSE, LONGEST, "second".to_owned()));
        assert_eq!(until(&breaker), Some(at(60)));
    }

    #[test]
    fn without_an_end_it_is_never_due() {
        let mut breaker = Breaker::default();
        breaker.trip_until(at(0), None, String::new());
        assert!(!breaker.is_due(at(i64::MAX)));
    }

    #[test]
    fn a_pause_beyond_the_longest_is_kept() {
        let mut breaker = Breaker::default();
        breaker.trip(at(0), Span::DAY, PAUSE, String::new());
        assert_eq!(until(&breaker), Some(at(86_400)));
    }
}
