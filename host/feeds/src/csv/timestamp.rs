//! The time column: ISO 8601 text, or a count since the epoch.

use bulkhead_core::time::{NANOS_PER_SECOND, Timestamp};

/// What a message says about the time column.
pub(super) const ALLOWED: &str = "allowed are ISO 8601 times such as \"2022-01-31 23:59:00\" or \
     \"2022-01-31T23:59:00.5+01:00\" (UTC when there is no offset), or counts of s, ms, µs or ns since 1970 \
     in one unit for the whole file";

const NANOS_PER_MINUTE: i64 = 60 * NANOS_PER_SECOND;

/// How a file writes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeFormat {
    /// ISO 8601 text.
    Iso,
    /// A count since the epoch.
    Epoch(EpochUnit),
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EpochUnit {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl EpochUnit {
    /// The unit in which a count of this size lies between 1973 and 5138, save that small counts are seconds.
    fn of_magnitude(count: u64) -> Self {
        match count {
            0..100_000_000_000 => Self::Seconds,
            100_000_000_000..100_000_000_000_000 => Self::Milliseconds,
            100_000_000_000_000..100_000_000_000_000_000 => Self::Microseconds,
            _ => Self::Nanoseconds,
        }
    }

    const fn nanos(self) -> i64 {
        match self {
            Self::Seconds => NANOS_PER_SECOND,
            Self::Milliseconds => 1_000_000,
            Self::Microseconds => 1_000,
            Self::Nanoseconds => 1,
        }
    }
}

impl TimeFormat {
    /// The format of a file whose first times are these. `None` when the first one is no time at all.
    pub(super) fn detect<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let mut largest = None;
        for field in fields {
            match epoch_parts(field.trim_ascii()) {
                Some((count, _)) => largest = largest.max(Some(count.unsigned_abs())),
                None if largest.is_none() => return iso(field).map(|_| Self::Iso),
                // A bad row; the quality gate will deal with it.
                None => {}
            }
        }
        largest.map(|count| Self::Epoch(EpochUnit::of_magnitude(count)))
    }
}

/// Reads the time column of one file. It remembers the day of the row before, as most rows share it.
#[derive(Debug, Clone)]
pub(super) struct TimeReader {
    format: TimeFormat,
    day: [u8; 10],
    day_starts: i64,
}

impl TimeReader {
    pub(super) const fn new(format: TimeFormat) -> Self {
        Self { format, day: [0; 10], day_starts: 0 }
    }

    /// The moment that a field names; `None` when it names none or one outside the years 1678 to 2261.
    #[inline]
    pub(super) fn read(&mut self, field: &[u8]) -> Option<Timestamp> {
        match self.format {
            TimeFormat::Iso => {
                if let Some((day, rest)) = field.split_first_chunk()
                    && *day == self.day
                    && let Some(nanos) = time_of_day(rest)
                {
                    return self.day_starts.checked_add(nanos).map(Timestamp::from_nanos);
                }
                self.read_new_day(field)
            }
            TimeFormat::Epoch(unit) => epoch(field.trim_ascii(), unit),
        }
    }

    fn read_new_day(&mut self, field: &[u8]) -> Option<Timestamp> {
        let field = field.trim_ascii();
        if let Some((day, _)) = field.split_first_chunk()
            && let Some(midnight) = iso(day)
        {
            self.day = *day;
            self.day_starts = midnight.nanos();
        }
        iso(field)
    }
}

/// `[T ]HH:MM:SS` with an optional fraction and an optional mark of UTC, as nanoseconds since midnight.
/// `None` for anything else, which may still be a valid time.
#[inline]
fn time_of_day(text: &[u8]) -> Option<i64> {
    let ([b'T' | b' ', h1, h2, b':', m1, m2, b':', s1, s2], rest) = text.split_first_chunk::<9>()? else {
        return None;
    };
    let two = |tens: u8, ones: u8| {
        let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
        if tens > 9 || ones > 9 { i64::MAX } else { i64::from(tens) * 10 + i64::from(ones) }
    };
    let (hours, minutes, seconds) = (two(*h1, *h2), two(*m1, *m2), two(*s1, *s2));
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let (nanos, rest) = match rest {
        [b'.', fraction @ ..] => fraction_nanos(fraction)?,
        _ => (0, rest),
    };
    matches!(rest, b"" | b"Z" | b"+00:00")
        .then_some((hours * 60 + minutes) * NANOS_PER_MINUTE + seconds * NANOS_PER_SECOND + nanos)
}

/// One to nine digits after the point as nanoseconds, and what follows them.
#[inline]
fn fraction_nanos(text: &[u8]) -> Option<(i64, &[u8])> {
    let mut nanos = 0;
    let mut weight = NANOS_PER_SECOND;
    let mut rest = text;
    while let [digit @ b'0'..=b'9', after @ ..] = rest {
        weight /= 10;
        nanos += i64::from(digit - b'0') * weight;
        rest = after;
        if weight == 1 {
            break;
        }
    }
    (weight < NANOS_PER_SECOND && !rest.first().is_some_and(u8::is_ascii_digit)).then_some((nanos, rest))
}

/// ISO 8601 in all its spellings; UTC when no offset is given.
fn iso(field: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(field.trim_ascii()).ok()?;
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    // A bare number is a count since the epoch, never a compact date.
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos = match text.parse::<jiff::Timestamp>() {
        Ok(time) => time.as_nanosecond(),
        Err(_) => {
            let civil = text.parse::<jiff::civil::DateTime>().ok()?;
            jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?.as_nanosecond()
        }
    };
    i64::try_from(nanos).ok().map(Timestamp::from_nanos)
}

#[inline]
fn epoch(field: &[u8], unit: EpochUnit) -> Option<Timestamp> {
    let (count, fraction) = epoch_parts(field)?;
    // Another unit than the file's would be off by a factor of a thousand; small counts can't be told.
    if EpochUnit::of_magnitude(count.unsigned_abs()).nanos() < unit.nanos() {
        return None;
    }
    let whole = count.checked_mul(unit.nanos())?;
    // The fraction is in billionths of the unit.
    let part =
        if fraction == 0 { 0 } else { i128::from(fraction) * i128::from(unit.nanos()) / 1_000_000_000 };
    let part = i64::try_from(part).ok()?;
    whole.checked_add(if field.starts_with(b"-") { -part } else { part }).map(Timestamp::from_nanos)
}

/// The whole part of a count and its fraction in billionths. `None` when it is no count, or when it reads as
/// a compact date such as 20220131, which is too likely to be one.
#[inline]
fn epoch_parts(field: &[u8]) -> Option<(i64, i64)> {
    let (negative, digits) = match field {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, field),
    };
    let mut count: i64 = 0;
    let mut rest = digits;
    while let [digit @ b'0'..=b'9', after @ ..] = rest {
        count = count.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
        rest = after;
    }
    let is_date = digits.len() == 8 && (19_000_101..=22_611_231).contains(&count);
    if digits.len() == rest.len() || is_date {
        return None;
    }
    let fraction = match rest {
        [] | [b'.'] => 0,
        [b'.', fraction @ ..] => {
            let (nanos, rest) = fraction_nanos(fraction)?;
            if !rest.is_empty() {
                return None;
            }
            nanos
        }
        _ => return None,
    };
    Some((if negative { -count } else { count }, fraction))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2022-01-31T23:59:00Z.
    const MOMENT: i64 = 1_643_673_540;

    fn read(field: &str) -> Option<Timestamp> {
        let mut reader = TimeReader::new(TimeFormat::detect([field.as_bytes()])?);
        let first = reader.read(field.as_bytes());
        // The second time takes the short way.
        assert_eq!(reader.read(field.as_bytes()), first, "{field}");
        first
    }

    #[test]
    fn every_spelling_of_a_moment_is_the_same_moment() {
        for field in [
            "2022-01-31 23:59:00",
            "2022-01-31T23:59:00",
            "2022-01-31T23:59:00Z",
            "2022-01-31 23:59:00.000000",
            "2022-01-31T23:59:00.000+00:00",
            "2022-02-01 00:59:00+01:00",
            "2022-01-31T18:59:00-0500",
            "2022-01-31 23:59",
            "2022-01-31 23:59:00 UTC",
            " 2022-01-31 23:59:00 ",
            "1643673540",
            "1643673540.0",
            "1643673540000",
            "1643673540000000",
            "1643673540000000000",
        ] {
            assert_eq!(read(field), Some(Timestamp::from_seconds(MOMENT)), "{field}");
        }
    }

    #[test]
    fn fractions_days_and_early_times_are_read() {
        let nanos =
            |seconds: i64, nanos: i64| Some(Timestamp::from_nanos(seconds * NANOS_PER_SECOND + nanos));
        assert_eq!(read("2022-01-31 23:59:00.5"), nanos(MOMENT, 500_000_000));
        assert_eq!(read("2022-01-31 23:59:00.123456789"), nanos(MOMENT, 123_456_789));
        assert_eq!(read("2022-01-31"), nanos(MOMENT - 86_340, 0));
        assert_eq!(read("1969-12-31T23:59:59Z"), nanos(-1, 0));
        assert_eq!(read("1643673540.25"), nanos(MOMENT, 250_000_000));
        assert_eq!(read("60"), nanos(60, 0));
        assert_eq!(read("-1.5"), nanos(-1, -500_000_000));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for field in [
            "",
            "open",
            "2022-02-30 00:00:00",
            "2022-01-31 24:00:00",
            "2022-01-31 23:60:00",
            "20220131",
            "2022-01-31 23:59:00.",
            "2022-01-31 23:59:00+99:00",
            "9999-01-01",
            "99999999999999999999",
            "1.2.3",
        ] {
            assert_eq!(read(field), None, "{field}");
        }
        let mut reader = TimeReader::new(TimeFormat::Iso);
        assert!(reader.read(b"2022-01-31 23:59:59").is_some());
        for time in ["24:00:00", "23:60:00", "23:59:61", "23:59:0:", "2a:00:00", "00:00:00.1234567890"] {
            let field = format!("2022-01-31 {time}");
            assert_eq!(reader.read(field.as_bytes()), None, "{field}");
        }
    }

    #[test]
    fn the_unit_is_the_same_for_the_whole_file() {
        let fields: [&[u8]; 2] = [b"0", b"1643673540000"];
        assert_eq!(TimeFormat::detect(fields), Some(TimeFormat::Epoch(EpochUnit::Milliseconds)));
        let mut seconds = TimeReader::new(TimeFormat::Epoch(EpochUnit::Seconds));
        assert_eq!(seconds.read(b"1643673540000"), None);
        assert_eq!(seconds.read(b"1643673540"), Some(Timestamp::from_seconds(MOMENT)));
    }

    #[test]
    fn a_remembered_day_does_not_leak_into_another() {
        let mut reader = TimeReader::new(TimeFormat::Iso);
        let read: Vec<_> = [
            "2022-01-30 00:00:01",
            "2022-01-31 00:00:01",
            "2022-01-30 00:00:01",
            "2022-01-31 00:00:01+01:00",
        ]
        .map(|field| reader.read(field.as_bytes()).unwrap().seconds())
        .to_vec();
        assert_eq!(read, [1_643_500_801, 1_643_587_201, 1_643_500_801, 1_643_583_601]);
    }

    proptest! {
        #[test]
        fn the_short_way_agrees_with_the_long_way(
            time in "[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,10})?(Z|\\+00:00)?",
        ) {
            let field = format!("2022-01-31 {time}");
            let mut reader = TimeReader::new(TimeFormat::Iso);
            let _ = reader.read(b"2022-01-31 00:00:00");
            let _ = reader.read(field.as_bytes());
            prop_assert_eq!(reader.read(field.as_bytes()), iso(field.as_bytes()));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            for unit in [TimeFormat::Iso, TimeFormat::Epoch(EpochUnit::Seconds), TimeFormat::Epoch(EpochUnit::Nanoseconds)] {
                let _ = TimeReader::new(unit).read(&bytes);
            }
            let _ = TimeFormat::detect([bytes.as_slice()]);
        }
    }
}
