use std::fmt;

use bulkhead_core::time::{Span, Timestamp};
use jiff::SignedDuration;

/// A moment as ISO 8601 text in UTC, for messages and files.
pub(crate) fn moment(time: Timestamp) -> impl fmt::Display {
    jiff::Timestamp::from_nanosecond(i128::from(time.nanos())).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// For `#[serde(with = "…")]`: a length of time as text, such as "60s", "1m", "1h 30m" or "PT60S".
pub mod span {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::{SignedDuration, Span};

    /// Reads a length of time.
    ///
    /// # Errors
    /// When the text is no length of time, or longer than about 292 years.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse::<SignedDuration>()
            .ok()
            .and_then(|duration| i64::try_from(duration.as_nanos()).ok())
            .map(Span::from_nanos)
            .ok_or_else(|| {
                D::Error::custom(format!("\"{text}\" is no length of time; write e.g. \"60s\" or \"5m\""))
            })
    }

    /// Writes a length of time.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(span: &Span, serializer: S) -> Result<S::Ok, S::Error> {
        format!("{:#}", SignedDuration::from_nanos(span.nanos())).serialize(serializer)
    }
}

/// For `#[serde(with = "…")]`: a moment as ISO 8601 text with its offset, such as "2024-01-01T00:00:00Z".
pub mod timestamp {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::{Timestamp, moment};

    /// Reads a moment.
    ///
    /// # Errors
    /// When the text is no moment, or outside the years 1678 to 2261.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse::<jiff::Timestamp>()
            .ok()
            .and_then(|time| i64::try_from(time.as_nanosecond()).ok())
            .map(Timestamp::from_nanos)
            .ok_or_else(|| {
                D::Error::custom(format!("\"{text}\" is no moment; write e.g. \"2024-01-01T00:00:00Z\""))
            })
    }

    /// Writes a moment.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        moment(*time).to_string().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Settings {
        #[serde(with = "super::span")]
        step: Span,
        #[serde(with = "super::timestamp")]
        start: Timestamp,
    }

    #[test]
    fn settings_survive_a_round_trip() {
        for (step, start) in
            [(Span::MINUTE, 1_704_067_200_000_000_000), (Span::from_nanos(1_500_000_001), 17)]
        {
            let settings = Settings { step, start: Timestamp::from_nanos(start) };
            let text = serde_json::to_string(&settings).unwrap();
            assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings, "{text}");
        }
    }

    #[test]
    fn people_write_lengths_in_several_ways() {
        for text in ["60s", "1m", "PT60S", "PT1M", "60 seconds"] {
            let json = format!(r#"{{"step":"{text}","start":"1970-01-01T01:00:00+01:00"}}"#);
            let settings: Settings = serde_json::from_str(&json).unwrap();
            assert_eq!(settings, Settings { step: Span::MINUTE, start: Timestamp::EPOCH }, "{text}");
        }
        let message = serde_json::from_str::<Settings>(r#"{"step":"soon"}"#).unwrap_err().to_string();
        assert!(message.contains("\"soon\" is no length of time"), "{message}");
    }
}
