use serde::{Deserialize, Serialize};

use super::double_double::DoubleDouble;
use super::window::Window;

/// The sum and the sum of squares of the last `period` values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct RollingMoments {
    sum: RollingSum,
    squares: SlidingTotal,
}

impl RollingMoments {
    pub(super) fn new(period: u32) -> Self {
        Self { sum: RollingSum::new(period), squares: SlidingTotal::default() }
    }

    pub(super) fn push(&mut self, value: f64) {
        if let Some(old) = self.sum.push(value) {
            self.squares.leave_product(DoubleDouble::product(old, old));
        }
        self.squares.enter_product(DoubleDouble::product(value, value), self.sum.window.is_at_turn());
    }

    pub(super) fn mean(&self) -> Option<f64> {
        self.sum.mean()
    }

    /// The population standard deviation (the divisor is the period); exactly 0 when all values are equal.
    pub(super) fn standard_deviation(&self) -> Option<f64> {
        if !self.sum.is_full() {
            return None;
        }
        if self.sum.is_constant() {
            return Some(0.0);
        }
        let period = self.sum.window.period();
        // n²σ² = nΣx² - (Σx)²; in doubled precision the cancellation is harmless.
        let scaled = self.squares.total.times(period).subtract(self.sum.sum.total.squared());
        Some(scaled.to_f64().max(0.0).sqrt() / period)
    }
}

/// The sum of the last `period` values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct RollingSum {
    window: Window,
    sum: SlidingTotal,
    last: f64,
    /// How many of the newest values are equal to the last one, counted up to [`super::MAX_PERIOD`].
    equal: u32,
}

impl RollingSum {
    pub(super) fn new(period: u32) -> Self {
        Self { window: Window::new(period), sum: SlidingTotal::default(), last: 0.0, equal: 0 }
    }

    /// Enters a value and returns the one that left.
    #[expect(clippy::float_cmp, reason = "a run of values is constant when they are the very same")]
    pub(super) fn push(&mut self, value: f64) -> Option<f64> {
        let old = self.window.push(value);
        self.equal = if value == self.last { self.equal.saturating_add(1).min(super::MAX_PERIOD) } else { 1 };
        self.last = value;
        if let Some(old) = old {
            self.sum.leave(old);
        }
        self.sum.enter(value, self.window.is_at_turn());
        if self.is_constant() {
            // Whatever little the sum has gathered in rounding ends here: zeros must sum to zero.
            self.sum.total = DoubleDouble::product(value, self.window.period());
        }
        old
    }

    /// Whether the window has just turned, as [`SlidingTotal::enter`] needs to know.
    pub(super) fn is_at_turn(&self) -> bool {
        self.window.is_at_turn()
    }

    pub(super) fn is_full(&self) -> bool {
        self.window.is_full()
    }

    /// Whether the window is full of one and the same value.
    pub(super) fn is_constant(&self) -> bool {
        f64::from(self.equal) >= self.window.period()
    }

    pub(super) fn total(&self) -> Option<f64> {
        self.is_full().then(|| self.sum.total.to_f64())
    }

    pub(super) fn mean(&self) -> Option<f64> {
        if !self.is_full() {
            return None;
        }
        Some(if self.is_constant() { self.last } else { self.sum.total.to_f64() / self.window.period() })
    }
}

/// A sum that terms enter and leave.
///
/// Rounding would pile up over a long run, and a great term would leave its rounding behind. So the terms
/// of each turn of the window are also summed afresh, and at its end, when they are just the terms in the
/// window, that sum takes over.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct SlidingTotal {
    pub(super) total: DoubleDouble,
    this_turn: DoubleDouble,
}

impl SlidingTotal {
    fn leave(&mut self, term: f64) {
        self.total = self.total.plus(-term);
    }

    /// Adds a term; `at_turn` says whether with it a turn of the window is complete.
    fn enter(&mut self, term: f64, at_turn: bool) {
        self.total = self.total.plus(term);
        self.this_turn = self.this_turn.plus(term);
        self.renew(at_turn);
    }

    /// As [`SlidingTotal::leave`], for a product.
    pub(super) fn leave_product(&mut self, term: DoubleDouble) {
        self.total = self.total.subtract(term);
    }

    /// As [`SlidingTotal::enter`], for a product.
    pub(super) fn enter_product(&mut self, term: DoubleDouble, at_turn: bool) {
        self.total = self.total.add(term);
        self.this_turn = self.this_turn.add(term);
        self.renew(at_turn);
    }

    fn renew(&mut self, at_turn: bool) {
        if at_turn {
            self.total = std::mem::take(&mut self.this_turn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_after_large_values_sum_to_zero() {
        let mut sum = RollingSum::new(3);
        for value in [1e15, 0.1, 1e-9, 7.3, 0.0, 0.0, 0.0] {
            sum.push(value);
        }
        assert_eq!(sum.total(), Some(0.0));
        assert_eq!(sum.mean(), Some(0.0));
    }

    #[test]
    fn a_constant_series_has_no_deviation() {
        let mut moments = RollingMoments::new(7);
        for step in 0..50 {
            moments.push(f64::from(step) * 0.1);
        }
        assert!(moments.standard_deviation() > Some(0.1));
        for _ in 0..7 {
            moments.push(0.3);
        }
        assert_eq!(moments.standard_deviation(), Some(0.0));
        assert_eq!(moments.mean(), Some(0.3));
    }

    #[test]
    fn a_run_of_zeros_is_not_mistaken_for_a_full_window() {
        let mut sum = RollingSum::new(3);
        sum.push(0.0);
        assert!(!sum.is_constant());
        assert_eq!(sum.mean(), None);
    }

    #[test]
    fn small_deviations_on_a_large_level_survive() {
        let mut moments = RollingMoments::new(4);
        for value in [50_000.000_1, 50_000.000_2, 50_000.000_1, 50_000.000_2] {
            moments.push(value);
        }
        let deviation = moments.standard_deviation().unwrap();
        let expected = (50_000.000_2 - 50_000.000_1) / 2.0;
        assert!((deviation / expected - 1.0).abs() < 1e-9, "{deviation}");
    }
}
