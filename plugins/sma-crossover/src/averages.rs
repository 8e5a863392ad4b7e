//! The two averages, kept as exact sums over one window.
//!
//! The SDK's `Sma` would do; this costs a third of two of them, because they share their values and need no
//! division, and the rule runs on every bar of long backtests.

use std::cmp::Ordering;
use std::collections::VecDeque;

use bulkhead_sdk::state;

/// Averages whose difference is at most this part of them are equal.
///
/// Binary fractions and rounding move each of two averages by at most three units of 2^-53, together 6.7e-16
/// of them. A real difference is far larger: with prices of eleven digits and the default lengths it is
/// 3e-13 or more.
const EQUAL_WITHIN: f64 = 1e-14;

/// The sums of the last `fast` and the last `slow` values.
#[state]
#[derive(Debug)]
pub(crate) struct Averages {
    fast: u32,
    slow: u32,
    /// The last `slow` values, oldest first.
    values: VecDeque<f64>,
    fast_sum: Sum,
    slow_sum: Sum,
}

impl Averages {
    pub(crate) fn new(fast: u32, slow: u32) -> Self {
        let values = VecDeque::with_capacity(slow as usize);
        Self { fast, slow, values, fast_sum: Sum::default(), slow_sum: Sum::default() }
    }

    /// Takes the next value. Returns how the fast average compares with the slow one, once both are known.
    pub(crate) fn update(&mut self, value: f64) -> Option<Ordering> {
        if !value.is_finite() {
            return None;
        }
        let leaves_fast =
            self.values.len().checked_sub(self.fast as usize).and_then(|place| self.values.get(place));
        self.fast_sum.slide(value, leaves_fast.copied().unwrap_or(0.0));
        let is_full = self.values.len() >= self.slow as usize;
        let leaves_slow = if is_full { self.values.pop_front() } else { None };
        self.slow_sum.slide(value, leaves_slow.unwrap_or(0.0));
        self.values.push_back(value);
        (self.values.len() >= self.slow as usize).then(|| self.compare())
    }

    fn compare(&self) -> Ordering {
        // Both averages times both lengths: no division.
        let fast = self.fast_sum.high * f64::from(self.slow);
        let slow = self.slow_sum.high * f64::from(self.fast);
        if (fast - slow).abs() <= slow.abs() * EQUAL_WITHIN {
            Ordering::Equal
        } else if fast > slow {
            Ordering::Greater
        } else {
            Ordering::Less
        }
    }
}

/// A sum in two parts, about 106 bits wide: what `f64` rounds off is kept in the second part, so that a
/// billion steps don't bring an error near the last bit of the first.
///
/// Sources: Knuth's two-sum (The Art of Computer Programming, volume 2, section 4.2.2); Dekker's fast two-sum
/// (A floating-point technique for extending the available precision, 1971).
#[state]
#[derive(Debug, Default)]
struct Sum {
    high: f64,
    low: f64,
}

impl Sum {
    /// A value enters, another leaves.
    fn slide(&mut self, enters: f64, leaves: f64) {
        let (step, step_rest) = two_sum(enters, -leaves);
        // Nearly always so, and steps are dear in a plugin: the sandbox has every result checked for NaN.
        let (sum, rest) = if self.high.abs() >= step.abs() {
            fast_two_sum(self.high, step)
        } else {
            two_sum(self.high, step)
        };
        let low = self.low + (rest + step_rest);
        self.high = sum + low;
        self.low = low - (self.high - sum);
    }
}

/// The same as [`two_sum`] in half the steps, for an `a` that is not smaller than `b` in magnitude.
fn fast_two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    (sum, b - (sum - a))
}

/// The sum rounded, and exactly what rounding lost.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_sum_is_the_long_one_to_the_bit_when_the_larger_number_comes_first() {
        let numbers = [0.0, 1e-300, 0.1, -0.1, 1.0, 3.3, -99.99, 1e16, 12_345.678, -7e9, 0.3, 1e-9];
        for a in numbers {
            for b in numbers.into_iter().filter(|b: &f64| b.abs() <= a.abs()) {
                let bits = |(sum, rest): (f64, f64)| (sum.to_bits(), rest.to_bits());
                assert_eq!(bits(fast_two_sum(a, b)), bits(two_sum(a, b)), "{a} and {b}");
            }
        }
    }
}
