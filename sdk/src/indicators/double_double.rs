use serde::{Deserialize, Serialize};

use super::DamagedState;

/// An unevaluated sum of two `f64`, about 106 bits wide.
///
/// Sums that values both enter and leave would lose a little at each step in `f64`. Here the loss is some
/// 2^-105 of the largest sum seen, which a billion steps don't bring near the last bit of an `f64`.
///
/// Source: Dekker, "A floating-point technique for extending the available precision" (1971); Knuth's
/// two-sum (The Art of Computer Programming, volume 2).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(into = "(f64, f64)", try_from = "(f64, f64)")]
pub(super) struct DoubleDouble {
    /// The number rounded to `f64`.
    high: f64,
    /// What rounding lost.
    low: f64,
}

impl DoubleDouble {
    pub(super) const ZERO: Self = Self { high: 0.0, low: 0.0 };

    /// The exact product of two numbers.
    pub(super) fn product(a: f64, b: f64) -> Self {
        let high = a * b;
        let (a_high, a_low) = split(a);
        let (b_high, b_low) = split(b);
        let low = ((a_high * b_high - high) + a_high * b_low + a_low * b_high) + a_low * b_low;
        Self { high, low }
    }

    pub(super) fn plus(self, value: f64) -> Self {
        let (sum, lost) = two_sum(self.high, value);
        normalised(sum, lost + self.low)
    }

    pub(super) fn add(self, other: Self) -> Self {
        self.plus(other.high).plus(other.low)
    }

    pub(super) fn subtract(self, other: Self) -> Self {
        self.plus(-other.high).plus(-other.low)
    }

    pub(super) fn times(self, factor: f64) -> Self {
        let product = Self::product(self.high, factor);
        normalised(product.high, product.low + self.low * factor)
    }

    pub(super) fn squared(self) -> Self {
        let square = Self::product(self.high, self.high);
        normalised(square.high, square.low + 2.0 * self.high * self.low)
    }

    pub(super) fn to_f64(self) -> f64 {
        self.high
    }
}

impl From<DoubleDouble> for (f64, f64) {
    fn from(number: DoubleDouble) -> Self {
        (number.high, number.low)
    }
}

impl TryFrom<(f64, f64)> for DoubleDouble {
    type Error = DamagedState;

    fn try_from((high, low): (f64, f64)) -> Result<Self, DamagedState> {
        if high.is_finite() && low.is_finite() {
            Ok(Self { high, low })
        } else {
            Err(DamagedState("a sum is not a finite number"))
        }
    }
}

/// The sum rounded, and exactly what rounding lost.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    let a_part = sum - b_part;
    (sum, (a - a_part) + (b - b_part))
}

/// The same sum with the larger part first; `low` must not exceed `high` in size.
fn normalised(high: f64, low: f64) -> DoubleDouble {
    let sum = high + low;
    DoubleDouble { high: sum, low: low - (sum - high) }
}

/// Two halves of at most 26 bits each, so that products of halves are exact.
fn split(value: f64) -> (f64, f64) {
    // 2^27 + 1
    let shifted = value * 134_217_729.0;
    let high = shifted - (shifted - value);
    (high, value - high)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "exact results are the point")]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_an_f64_sum_loses() {
        let sum = DoubleDouble::ZERO.plus(1e16).plus(1.0).plus(-1e16);
        assert_eq!(sum.to_f64(), 1.0);
        assert_eq!(1e16 + 1.0 - 1e16, 0.0, "the same in f64");
    }

    #[test]
    fn multiplies_exactly() {
        // (2^30 + 1)^2 = 2^60 + 2^31 + 1 needs 61 bits.
        let root = 1_073_741_825.0;
        let rest =
            DoubleDouble::product(root, root).plus(-1_152_921_504_606_846_976.0).plus(-2_147_483_648.0);
        assert_eq!(rest.to_f64(), 1.0);
    }

    #[test]
    fn squares_and_scales_like_products() {
        let third = DoubleDouble::ZERO.plus(1e8).plus(1e-8);
        // (1e8 + 1e-8)^2 - 1e16 - 2 = 1e-16
        let rest = third.squared().subtract(DoubleDouble::product(1e8, 1e8)).plus(-2.0);
        assert!((rest.to_f64() - 1e-16).abs() < 1e-15, "{rest:?}");
        let tripled = third.times(3.0).plus(-3e8);
        assert!((tripled.to_f64() - 3e-8).abs() < 1e-23, "{tripled:?}");
        let sum = third.add(third).subtract(third).plus(-1e8);
        assert!((sum.to_f64() - 1e-8).abs() < 1e-23, "{sum:?}");
    }
}
