use std::str::FromStr;
use std::time::{Duration, Instant};

use bulkhead_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How fast event time passes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "SpeedText", into = "SpeedText")]
pub enum Speed {
    /// So many times as fast as real time; 1 is real time. Positive and finite.
    Times(f64),
    /// As fast as the machine can.
    #[default]
    Max,
}

/// A text that is no speed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{found}\" is no speed: write \"max\", or a number above 0 such as 60 for a minute a second")]
pub struct InvalidSpeed {
    found: String,
}

impl FromStr for Speed {
    type Err = InvalidSpeed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let speed = text.parse().ok().filter(|times: &f64| *times > 0.0 && times.is_finite());
        speed.map(Self::Times).ok_or_else(|| InvalidSpeed { found: text.to_owned() })
    }
}

/// How settings write a speed: a number, or the word "max".
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum SpeedText {
    Times(f64),
    Word(String),
}

impl TryFrom<SpeedText> for Speed {
    type Error = InvalidSpeed;

    fn try_from(text: SpeedText) -> Result<Self, Self::Error> {
        match text {
            SpeedText::Times(times) => times.to_string().parse(),
            SpeedText::Word(word) => word.parse(),
        }
    }
}

impl From<Speed> for SpeedText {
    fn from(speed: Speed) -> Self {
        match speed {
            Speed::Times(times) => Self::Times(times),
            Speed::Max => Self::Word("max".to_owned()),
        }
    }
}

/// Tells when an event of simulated or recorded time is due on the wall clock.
///
/// It never sleeps itself, so that the caller can wait in a way that a shutdown interrupts. The first event is
/// due at once and all others count from it: when the caller falls behind, events are due at once until it has
/// caught up.
#[derive(Debug, Clone)]
pub struct Pacer {
    speed: Speed,
    anchor: Option<(Timestamp, Instant)>,
}

impl Pacer {
    /// A pacer at this speed.
    #[must_use]
    pub const fn new(speed: Speed) -> Self {
        Self { speed, anchor: None }
    }

    /// Goes on at another speed from the next event, which is due at once.
    pub const fn set_speed(&mut self, speed: Speed) {
        self.speed = speed;
        self.anchor = None;
    }

    /// How long to wait until the event of this time is due.
    pub fn wait(&mut self, event: Timestamp) -> Duration {
        self.wait_from(event, Instant::now())
    }

    /// [`Self::wait`] as seen at `now`.
    pub fn wait_from(&mut self, event: Timestamp, now: Instant) -> Duration {
        let Speed::Times(times) = self.speed else { return Duration::ZERO };
        let (first_event, first_instant) = *self.anchor.get_or_insert((event, now));
        let since_first = Duration::from_nanos(u64::try_from(event.since(first_event).nanos()).unwrap_or(0));
        let due = Duration::try_from_secs_f64(since_first.as_secs_f64() / times).unwrap_or(Duration::MAX);
        due.saturating_sub(now.saturating_duration_since(first_instant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(number: i64) -> Timestamp {
        Timestamp::from_seconds(number * 60)
    }

    #[test]
    fn events_are_due_at_their_share_of_time() {
        let start = Instant::now();
        let mut pacer = Pacer::new(Speed::Times(120.0));
        assert_eq!(pacer.wait_from(minute(7), start), Duration::ZERO);
        assert_eq!(pacer.wait_from(minute(8), start), Duration::from_millis(500));
        assert_eq!(
            pacer.wait_from(minute(9), start + Duration::from_millis(700)),
            Duration::from_millis(300)
        );
        assert_eq!(pacer.wait_from(minute(9), start + Duration::from_secs(5)), Duration::ZERO, "behind");
        assert_eq!(pacer.wait_from(minute(6), start), Duration::ZERO, "before the first");
    }

    #[test]
    fn full_speed_never_waits_and_a_new_speed_starts_afresh() {
        let start = Instant::now();
        let mut pacer = Pacer::new(Speed::Max);
        assert_eq!(pacer.wait_from(minute(0), start), Duration::ZERO);
        assert_eq!(pacer.wait_from(minute(1_000), start), Duration::ZERO);
        pacer.set_speed(Speed::Times(1.0));
        assert_eq!(pacer.wait_from(minute(1_001), start), Duration::ZERO);
        assert_eq!(pacer.wait_from(minute(1_002), start), Duration::from_secs(60));
    }

    #[test]
    fn speeds_are_read_as_people_write_them() {
        for (text, speed) in [("max", Speed::Max), ("1", Speed::Times(1.0)), ("0.5", Speed::Times(0.5))] {
            assert_eq!(text.parse(), Ok(speed));
        }
        for text in ["", "0", "-1", "nan", "inf", "fast"] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
        assert_eq!(serde_json::from_str::<Speed>("60").unwrap(), Speed::Times(60.0));
        assert_eq!(serde_json::from_str::<Speed>("\"max\"").unwrap(), Speed::Max);
        assert_eq!(serde_json::to_string(&Speed::Max).unwrap(), "\"max\"");
        assert!(serde_json::from_str::<Speed>("0").is_err());
    }
}
