use serde::{Deserialize, Serialize};

use super::is_usable;
use super::rolling::RollingSum;

/// The realised volatility: the square root of the summed squares of the last `period` logarithmic returns.
///
/// It is a fraction that belongs to the whole window: with 20 one-minute bars and a step deviation of 0.02
/// it is about 0.02 · √20 ≈ 0.09 per 20 minutes. [`RealisedVolatility::over`] scales it to another number
/// of steps. No mean is subtracted. Known from the value number `period` + 1 on; prices must be above 0,
/// others are skipped. A constant series gives 0.
///
/// Source: Andersen and Bollerslev, "Answering the Skeptics: Yes, Standard Volatility Models Do Provide
/// Accurate Forecasts" (1998).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RealisedVolatility {
    period: u32,
    last: Option<f64>,
    squares: RollingSum,
}

impl RealisedVolatility {
    /// The volatility of `period` returns.
    #[must_use]
    pub fn new(period: u32) -> Self {
        Self { period: super::allowed_period(period), last: None, squares: RollingSum::new(period) }
    }

    /// Takes the next price.
    pub fn update(&mut self, price: f64) -> Option<f64> {
        if is_usable(price)
            && price >= f64::MIN_POSITIVE
            && let Some(last) = self.last.replace(price)
        {
            let step = libm::log(price) - libm::log(last);
            self.squares.push(step * step);
        }
        self.value()
    }

    /// The volatility of the prices so far, over the window's length.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.squares.total().map(|total| total.max(0.0).sqrt())
    }

    /// The volatility scaled to a horizon of `steps`, by the square root of time.
    #[must_use]
    pub fn over(&self, steps: u32) -> Option<f64> {
        self.value().map(|window| window * (f64::from(steps) / f64::from(self.period)).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_squared_returns() {
        let mut volatility = RealisedVolatility::new(2);
        assert_eq!(volatility.update(1.0), None);
        assert_eq!(volatility.update(libm::exp(0.3)), None);
        let value = volatility.update(libm::exp(-0.1)).unwrap();
        assert!((value - 0.5).abs() < 1e-15, "√(0.3² + 0.4²), not {value}");
        assert!((volatility.over(8).unwrap() - 1.0).abs() < 1e-15);
        assert_eq!(volatility.update(0.0), Some(value));
        assert_eq!(volatility.update(-1.0), Some(value));
    }

    #[test]
    fn a_constant_series_has_none() {
        let mut volatility = RealisedVolatility::new(2);
        for price in [3.0, 5.0, 7.0, 7.0, 7.0] {
            volatility.update(price);
        }
        assert_eq!(volatility.value(), Some(0.0));
    }
}
