use serde::{Deserialize, Serialize};

use super::{Ema, allowed_period, is_usable};

/// Appel's moving average convergence divergence: the difference of a fast and a slow exponential moving
/// average, with an exponential moving average of that difference as the signal line.
///
/// Seeding as in TA-Lib: the averages start on the same bar, each with the simple mean of the values before
/// it, so the fast one leaves out the first `slow` − `fast` values. The signal line starts with the simple
/// mean of the first differences. All three lines are known from the value number `slow` + `signal` − 1 on.
/// A constant series gives zeros.
///
/// Source: Appel, "Technical Analysis: Power Tools for Active Investors" (2005).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Macd {
    /// How many values the fast average still leaves out.
    wait: u32,
    fast: Ema,
    slow: Ema,
    signal: Ema,
    lines: Option<MacdLines>,
}

/// The three lines, in units of the value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MacdLines {
    /// Fast average minus slow average.
    pub macd: f64,
    /// The smoothed difference.
    pub signal: f64,
    /// `macd` minus `signal`.
    pub histogram: f64,
}

impl Macd {
    /// Averages over `fast` and `slow` values, smoothed over `signal`; Appel's choice is 12, 26, 9. When
    /// `fast` is the larger of the two periods they are swapped.
    #[must_use]
    pub fn new(fast: u32, slow: u32, signal: u32) -> Self {
        let (fast, slow) = (allowed_period(fast.min(slow)), allowed_period(fast.max(slow)));
        Self {
            wait: slow - fast,
            fast: Ema::new(fast),
            slow: Ema::new(slow),
            signal: Ema::new(signal),
            lines: None,
        }
    }

    /// Takes the next value.
    pub fn update(&mut self, value: f64) -> Option<MacdLines> {
        if !is_usable(value) {
            return self.lines;
        }
        let slow = self.slow.update(value);
        if self.wait > 0 {
            self.wait -= 1;
            return None;
        }
        let fast = self.fast.update(value);
        if let (Some(fast), Some(slow)) = (fast, slow) {
            let macd = fast - slow;
            self.lines =
                self.signal.update(macd).map(|signal| MacdLines { macd, signal, histogram: macd - signal });
        }
        self.lines
    }

    /// The lines of the values so far.
    #[must_use]
    pub fn value(&self) -> Option<MacdLines> {
        self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_both_averages_on_the_same_bar() {
        let mut macd = Macd::new(2, 3, 2);
        let values = [1.0, 3.0, 5.0, 9.0];
        let lines: Vec<_> = values.into_iter().map(|value| macd.update(value)).collect();
        assert_eq!(lines[..3], [None; 3]);
        // slow: mean(1, 3, 5) = 3, then 6; fast: mean(3, 5) = 4, then 4 + 2/3 · 5.
        let difference = (4.0 + 2.0 / 3.0 * 5.0) - 6.0;
        let signal = (1.0 + difference) / 2.0;
        assert_eq!(lines[3], Some(MacdLines { macd: difference, signal, histogram: difference - signal }));
    }

    #[test]
    fn takes_the_periods_in_either_order() {
        assert_eq!(Macd::new(26, 12, 9), Macd::new(12, 26, 9));
    }
}
