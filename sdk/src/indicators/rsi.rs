use serde::{Deserialize, Serialize};

use super::is_usable;
use super::wilder::WilderAverage;

/// Wilder's relative strength index, 0 to 100: the share of the average rise in the sum of average rise and
/// average fall.
///
/// Both averages use Wilder's smoothing, seeded with the simple mean of the first `period` changes, as in
/// the book and in TA-Lib; so the index is known from the value number `period` + 1 on. A series that only
/// rose gives 100, one that only fell 0, and one that has not moved at all 50 (TA-Lib gives 0 there).
///
/// Source: Wilder, "New Concepts in Technical Trading Systems" (1978).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rsi {
    last: Option<f64>,
    rise: WilderAverage,
    fall: WilderAverage,
}

impl Rsi {
    /// An index over `period` changes; Wilder's own choice is 14.
    #[must_use]
    pub fn new(period: u32) -> Self {
        Self { last: None, rise: WilderAverage::new(period), fall: WilderAverage::new(period) }
    }

    /// Takes the next value.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        if is_usable(value)
            && let Some(last) = self.last.replace(value)
        {
            self.rise.push((value - last).max(0.0));
            self.fall.push((last - value).max(0.0));
        }
        self.value()
    }

    /// The index of the values so far.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        let (rise, fall) = (self.rise.value()?, self.fall.value()?);
        let both = rise + fall;
        // Below the normal range nothing but rounding is left of a movement long past.
        Some(if both < f64::MIN_POSITIVE { 50.0 } else { 100.0 * (rise / both) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(values: impl IntoIterator<Item = f64>) -> Option<f64> {
        let mut rsi = Rsi::new(3);
        values.into_iter().map(|value| rsi.update(value)).last().flatten()
    }

    #[test]
    fn needs_one_value_more_than_its_period() {
        assert_eq!(after([1.0, 2.0, 3.0]), None);
        assert_eq!(after([1.0, 2.0, 3.0, 2.0]), Some(100.0 * ((2.0 / 3.0) / (2.0 / 3.0 + 1.0 / 3.0))));
    }

    #[test]
    fn has_defined_ends_and_middle() {
        assert_eq!(after([1.0, 2.0, 3.0, 4.0]), Some(100.0));
        assert_eq!(after([4.0, 3.0, 2.0, 1.0]), Some(0.0));
        assert_eq!(after([4.0, 4.0, 4.0, 4.0]), Some(50.0));
    }

    #[test]
    fn fades_to_the_middle_when_a_movement_is_long_past() {
        let still = std::iter::repeat_n(2.0, 5_000);
        assert_eq!(after([1.0, 2.0].into_iter().chain(still)), Some(50.0));
    }
}
