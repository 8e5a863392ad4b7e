use serde::{Deserialize, Serialize};

use super::is_usable;
use super::wilder::WilderAverage;

/// Wilder's average true range, in units of the price.
///
/// A bar's true range is the largest of high − low, |high − previous close| and |low − previous close|.
/// The first bar has no previous close and gives no range (as in TA-Lib); the average is seeded with the
/// simple mean of the next `period` ranges and then smoothed as Wilder does, so it is known from the bar
/// number `period` + 1 on. Bars without any movement give 0.
///
/// Source: Wilder, "New Concepts in Technical Trading Systems" (1978).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Atr {
    last_close: Option<f64>,
    average: WilderAverage,
}

impl Atr {
    /// An average over `period` true ranges; Wilder's own choice is 14.
    #[must_use]
    pub fn new(period: u32) -> Self {
        Self { last_close: None, average: WilderAverage::new(period) }
    }

    /// Takes the next bar. A bar with a price that is not usable is skipped as a whole.
    pub fn update(&mut self, high: f64, low: f64, close: f64) -> Option<f64> {
        if is_usable(high)
            && is_usable(low)
            && is_usable(close)
            && let Some(last) = self.last_close.replace(close)
        {
            self.average.push((high - low).max((high - last).abs()).max((low - last).abs()));
        }
        self.value()
    }

    /// The average of the bars so far.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.average.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_gaps_between_bars() {
        let mut atr = Atr::new(2);
        assert_eq!(atr.update(10.0, 9.0, 10.0), None);
        assert_eq!(atr.update(13.0, 12.0, 13.0), None, "gap up: range 3");
        assert_eq!(atr.update(10.0, 9.0, 9.0), Some(3.5), "gap down: range 4");
        assert_eq!(atr.update(11.0, 8.5, 10.0), Some(3.0), "inside: range 2.5");
        assert_eq!(atr.update(f64::NAN, 8.5, 10.0), Some(3.0));
    }
}
