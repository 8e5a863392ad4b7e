//! Event time. The core never asks what time it is: every input brings its moment.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Nanoseconds in a second.
pub const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// A moment in UTC, as nanoseconds since 1970-01-01T00:00:00Z. Leap seconds are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The epoch, before any event that a feed delivers.
    pub const EPOCH: Self = Self(0);

    /// From nanoseconds since the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From whole seconds since the epoch; saturates at the ends of the range (years 1677 and 2262).
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(NANOS_PER_SECOND))
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(NANOS_PER_SECOND)
    }

    /// This moment moved later; saturates at the end of the range.
    #[must_use]
    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// This moment moved earlier; saturates at the start of the range.
    #[must_use]
    pub const fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// The time from `earlier` to this moment; negative when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// The start of the period of this length that holds this moment, counted from the epoch. A length of
    /// zero or less gives the moment itself.
    #[must_use]
    pub const fn floor(self, length: Span) -> Self {
        if length.0 <= 0 { self } else { Self(self.0.saturating_sub(self.0.rem_euclid(length.0))) }
    }
}

/// A length of time in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(i64);

impl Span {
    /// No time.
    pub const ZERO: Self = Self(0);
    /// One day of 24 hours.
    pub const DAY: Self = Self::from_seconds(86_400);
    /// One minute.
    pub const MINUTE: Self = Self::from_seconds(60);

    /// From nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From milliseconds; saturates.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// From whole seconds; saturates.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(NANOS_PER_SECOND))
    }

    /// In nanoseconds.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// In whole seconds, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(NANOS_PER_SECOND)
    }

    /// This length `times` over; saturates.
    #[must_use]
    pub const fn times(self, times: i64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds();
        match seconds {
            s if s >= 86_400 && s % 86_400 == 0 => write!(formatter, "{}d", s / 86_400),
            s if s >= 3_600 && s % 3_600 == 0 => write!(formatter, "{}h", s / 3_600),
            s if s >= 60 && s % 60 == 0 => write!(formatter, "{}m", s / 60),
            s => write!(formatter, "{s}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floor_finds_the_start_of_a_period_also_before_the_epoch() {
        let hour = Span::from_seconds(3_600);
        assert_eq!(Timestamp::from_seconds(7_201).floor(hour), Timestamp::from_seconds(7_200));
        assert_eq!(Timestamp::from_seconds(7_200).floor(hour), Timestamp::from_seconds(7_200));
        assert_eq!(Timestamp::from_seconds(-1).floor(hour), Timestamp::from_seconds(-3_600));
        assert_eq!(Timestamp::from_seconds(5).floor(Span::ZERO), Timestamp::from_seconds(5));
        let first = Timestamp::from_nanos(i64::MIN);
        assert_eq!(first.plus(Span::from_nanos(1)).floor(hour), first);
    }

    #[test]
    fn spans_print_in_the_largest_whole_unit() {
        let shown: Vec<String> =
            [60, 300, 3_600, 86_400, 90].map(|s| Span::from_seconds(s).to_string()).to_vec();
        assert_eq!(shown, ["1m", "5m", "1h", "1d", "90s"]);
    }
}
