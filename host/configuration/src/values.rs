//! How people write values: `"60m"`, `0.02`, `"off"`.

use std::fmt;
use std::marker::PhantomData;
use std::num::{NonZeroU16, NonZeroUsize};

use bulkhead_core::time::{NANOS_PER_SECOND, Span};
use rust_decimal::Decimal;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A value with a text form; numbers are taken in their shortest decimal form.
pub trait Value: Sized {
    /// What may be written, for error messages.
    const ALLOWED: &'static str;

    /// Reads what people write; `None` when it can't be read or is out of range.
    fn parse(text: &str) -> Option<Self>;

    /// The text that `parse` reads as this value.
    fn show(&self) -> String;
}

impl Value for Decimal {
    const ALLOWED: &'static str = "a number such as 0.02";

    fn parse(text: &str) -> Option<Self> {
        text.parse().or_else(|_| Self::from_scientific(text)).ok()
    }

    fn show(&self) -> String {
        self.normalize().to_string()
    }
}

impl Value for f64 {
    const ALLOWED: &'static str = "a finite number such as 0.02";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|value: &Self| value.is_finite())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for u32 {
    const ALLOWED: &'static str = "a whole number from 0 to 4294967295";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for Span {
    const ALLOWED: &'static str = "a length of time such as \"250ms\", \"10s\", \"5m\", \"1h\" or \"1d\"";

    fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (count, unit) = text.split_at(digits);
        let nanos = match unit.trim() {
            "ms" => 1_000_000,
            "s" => NANOS_PER_SECOND,
            "m" => 60 * NANOS_PER_SECOND,
            "h" => 3_600 * NANOS_PER_SECOND,
            "d" => 86_400 * NANOS_PER_SECOND,
            _ => return None,
        };
        count.parse::<i64>().ok()?.checked_mul(nanos).map(Self::from_nanos)
    }

    fn show(&self) -> String {
        if self.nanos() % NANOS_PER_SECOND == 0 {
            self.to_string()
        } else {
            format!("{}ms", self.nanos() / 1_000_000)
        }
    }
}

/// How many threads trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// One for each core.
    Auto,
    /// So many.
    Count(NonZeroU16),
}

impl Threads {
    /// How many that is on this machine.
    #[must_use]
    pub fn count(self) -> usize {
        match self {
            Self::Auto => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            Self::Count(count) => usize::from(count.get()),
        }
    }
}

impl Value for Threads {
    const ALLOWED: &'static str = "\"auto\", or a whole number from 1 to 65535,";

    fn parse(text: &str) -> Option<Self> {
        if text == "auto" { Some(Self::Auto) } else { text.parse().ok().map(Self::Count) }
    }

    fn show(&self) -> String {
        match self {
            Self::Auto => "auto".to_owned(),
            Self::Count(count) => count.to_string(),
        }
    }
}

/// A value that must be there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting<T>(
    /// The value.
    pub T,
);

/// A value that can be switched off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit<T>(
    /// The value; `None` when it is off.
    pub Option<T>,
);

impl<'de, T: Value> Deserialize<'de> for Setting<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(Text::<T>(PhantomData, ""))?;
        T::parse(&text).map(Self).ok_or_else(|| de::Error::custom(format!("{} is expected", T::ALLOWED)))
    }
}

impl<'de, T: Value> Deserialize<'de> for Limit<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(Text::<T>(PhantomData, ", or \"off\","))?;
        if text == "off" {
            return Ok(Self(None));
        }
        let value = T::parse(&text);
        let value =
            value.ok_or_else(|| de::Error::custom(format!("{}, or \"off\", is expected", T::ALLOWED)));
        value.map(|value| Self(Some(value)))
    }
}

impl<T: Value> Serialize for Setting<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.show())
    }
}

impl<T: Value> Serialize for Limit<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.as_ref().map_or_else(|| "off".to_owned(), Value::show))
    }
}

struct Text<T>(PhantomData<T>, &'static str);

impl<T: Value> Visitor<'_> for Text<T> {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", T::ALLOWED, self.1.trim_end_matches(','))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.trim().to_owned())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<String, E> {
        Ok(value.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_with_their_unit() {
        assert_eq!(Span::parse("250ms"), Some(Span::from_millis(250)));
        assert_eq!(Span::parse("1h"), Some(Span::from_seconds(3_600)));
        for text in ["", "5", "m", "-1s", "1w", "99999999999999d"] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
        for text in ["250ms", "10s", "5m", "1h", "1d"] {
            assert_eq!(Span::parse(text).unwrap().show(), text);
        }
    }

    #[test]
    fn numbers_are_decimal_and_never_nan() {
        assert_eq!(Decimal::parse("0.02"), Some(Decimal::new(2, 2)));
        assert_eq!(Decimal::parse("1e-7"), Some(Decimal::new(1, 7)));
        assert_eq!(f64::parse("NaN"), None);
        assert_eq!(Decimal::parse("inf"), None);
    }
}
