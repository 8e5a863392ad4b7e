//! Which way the price of one bar length goes.

use bulkhead_sdk::indicators::Ema;
use bulkhead_sdk::state;

/// A fast and a slow exponential average of closes.
#[state]
#[derive(Debug)]
pub(crate) struct Trend {
    fast: Ema,
    slow: Ema,
    close: f64,
}

impl Trend {
    pub(crate) fn new(fast: u32, slow: u32) -> Self {
        Self { fast: Ema::new(fast), slow: Ema::new(slow), close: 0.0 }
    }

    pub(crate) fn update(&mut self, close: f64) {
        self.fast.update(close);
        self.slow.update(close);
        self.close = close;
    }

    /// +1 when the fast average and the close are both above the slow average, −1 when both are below it,
    /// else 0; `None` while the slow average is not known.
    pub(crate) fn direction(&self) -> Option<f64> {
        let (fast, slow) = (self.fast.value()?, self.slow.value()?);
        Some(if fast > slow && self.close > slow {
            1.0
        } else if fast < slow && self.close < slow {
            -1.0
        } else {
            0.0
        })
    }

    /// Whether the close is below the slow average.
    pub(crate) fn is_close_below(&self) -> bool {
        self.slow.value().is_some_and(|slow| self.close < slow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(closes: &[f64]) -> Trend {
        let mut trend = Trend::new(1, 3);
        closes.iter().for_each(|close| trend.update(*close));
        trend
    }

    #[test]
    fn follows_the_averages() {
        assert_eq!(after(&[1.0, 2.0]).direction(), None);
        assert_eq!(after(&[1.0, 2.0, 3.0]).direction(), Some(1.0));
        assert_eq!(after(&[3.0, 2.0, 1.0]).direction(), Some(-1.0));
        assert_eq!(after(&[2.0, 2.0, 2.0]).direction(), Some(0.0));
        assert!(after(&[3.0, 2.0, 1.0]).is_close_below());
        assert!(!after(&[1.0, 2.0, 3.0]).is_close_below());
        assert!(!after(&[2.0, 1.0]).is_close_below());
    }
}
