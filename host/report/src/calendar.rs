//! Days and months of UTC.

use std::fmt;

use bulkhead_core::time::{Span, Timestamp};
use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use serde::{Serialize, Serializer};

/// The start of the period of this length that holds a moment; stays within the range of moments.
pub(crate) const fn period_start(time: Timestamp, length: Span) -> Timestamp {
    if length.nanos() <= 0 {
        return time;
    }
    Timestamp::from_nanos(time.nanos().saturating_sub(time.nanos().rem_euclid(length.nanos())))
}

/// A day of UTC, as days since 1970-01-01.
///
/// A day ends *with* midnight: a bar that is complete at 00:00 belongs to the day before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i32);

impl Day {
    /// The day that a moment, in nanoseconds since the epoch, belongs to.
    pub(crate) fn of(nanos: i64) -> Self {
        let day = nanos.saturating_sub(1).div_euclid(Span::DAY.nanos());
        // 64-bit nanoseconds span about 213,000 days.
        Self(i32::try_from(day).unwrap_or(i32::MAX))
    }

    /// The last nanosecond of the day, since the epoch.
    pub(crate) fn end(self) -> i64 {
        (i64::from(self.0) + 1).saturating_mul(Span::DAY.nanos())
    }

    fn date(self) -> Date {
        date(1970, 1, 1).saturating_add(i64::from(self.0).days())
    }

    /// The month that holds the day.
    #[must_use]
    pub fn month(self) -> Month {
        let date = self.date();
        Month { year: date.year(), month: date.month() }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.date(), formatter)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A month of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    /// The year.
    pub year: i16,
    /// 1 to 12.
    pub month: i8,
}

impl fmt::Display for Month {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}", self.year, self.month)
    }
}

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000_000;

    #[test]
    fn midnight_ends_a_day() {
        assert_eq!(Day::of(DAY).to_string(), "1970-01-01");
        assert_eq!(Day::of(DAY + 1).to_string(), "1970-01-02");
        assert_eq!(Day::of(0).to_string(), "1969-12-31");
        assert_eq!(Day::of(DAY).end(), DAY);
        assert_eq!(Day::of(1_643_673_600_000_000_000).month().to_string(), "2022-01");
    }

    #[test]
    fn the_ends_of_time_are_days() {
        assert_eq!(Day::of(i64::MIN).to_string(), "1677-09-21");
        assert_eq!(Day::of(i64::MAX).to_string(), "2262-04-11");
    }
}
