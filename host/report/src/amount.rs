//! How amounts and moments are written: exactly, and always in the same way.

use std::fmt;

use bulkhead_core::money::Money;
use bulkhead_core::time::Timestamp;
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive as _;
use serde::{Serialize, Serializer};

/// An exact amount; written as a decimal string without trailing zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(pub Decimal);

impl Amount {
    /// For charts and statistics.
    pub(crate) fn approximate(self) -> f64 {
        Money(self.0).approximate()
    }

    /// An amount that was estimated from binary fractions, cut to what is meaningful: eight decimal places.
    pub(crate) fn estimated(value: f64) -> Option<Self> {
        Decimal::from_f64(value).map(|value| Self(value.round_dp(8)))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.normalize(), formatter)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A moment; written as RFC 3339 in UTC with as many digits of a second as it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Timestamp);

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0.nanos())) {
            Ok(moment) => fmt::Display::fmt(&moment, formatter),
            // Cannot happen: jiff's range encloses that of 64-bit nanoseconds.
            Err(_) => write!(formatter, "{}", self.0.nanos()),
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A number that JSON can hold; nothing for NaN and infinity.
pub(crate) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// `part / whole`, nothing when that is not defined.
pub(crate) fn ratio(part: f64, whole: f64) -> Option<f64> {
    if whole == 0.0 { None } else { finite(part / whole) }
}

/// Counts as a fraction.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(crate) fn share(part: u64, whole: u64) -> Option<f64> {
    ratio(part as f64, whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_lose_trailing_zeros_and_nothing_else() {
        for (given, written) in
            [("10.500", "10.5"), ("100", "100"), ("-0.00", "0"), ("0.00000001", "0.00000001"), ("1E2", "100")]
        {
            let amount = Decimal::from_scientific(given).or_else(|_| given.parse()).unwrap();
            assert_eq!(Amount(amount).to_string(), written);
        }
    }

    #[test]
    fn moments_have_the_digits_they_need() {
        let text = |nanos| Moment(Timestamp::from_nanos(nanos)).to_string();
        assert_eq!(text(0), "1970-01-01T00:00:00Z");
        assert_eq!(text(1_500_000_000), "1970-01-01T00:00:01.5Z");
        assert_eq!(text(-1), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(text(i64::MAX), "2262-04-11T23:47:16.854775807Z");
    }

    #[test]
    fn what_is_not_defined_is_missing() {
        assert_eq!(ratio(1.0, 0.0), None);
        assert_eq!(ratio(f64::INFINITY, 2.0), None);
        assert_eq!(Amount::estimated(f64::NAN), None);
        assert_eq!(share(1, 4), Some(0.25));
    }
}
