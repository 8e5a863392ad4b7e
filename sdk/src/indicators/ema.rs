use serde::{Deserialize, Serialize};

use super::double_double::DoubleDouble;
use super::{allowed_period, is_usable};

/// The exponential moving average with the smoothing factor α = 2 / (period + 1):
/// `ema += α · (value − ema)`.
///
/// Seeding: the first average, known from the `period`-th value on, is the simple mean of the first
/// `period` values, as in TA-Lib. A constant series gives that constant.
///
/// Source: Murphy, "Technical Analysis of the Financial Markets" (1999), chapter 9.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ema {
    period: u32,
    /// How many values have entered the seed; stays at `period` once it is complete.
    seeded: u32,
    seed: DoubleDouble,
    value: Option<f64>,
}

impl Ema {
    /// An average whose smoothing factor is 2 / (`period` + 1).
    #[must_use]
    pub fn new(period: u32) -> Self {
        Self { period: allowed_period(period), seeded: 0, seed: DoubleDouble::ZERO, value: None }
    }

    /// Takes the next value.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        if !is_usable(value) {
            return self.value;
        }
        let period = f64::from(self.period);
        if let Some(average) = self.value {
            self.value = Some(average + 2.0 / (period + 1.0) * (value - average));
        } else {
            self.seed = self.seed.plus(value);
            self.seeded += 1;
            if self.seeded >= self.period {
                self.value = Some(self.seed.to_f64() / period);
            }
        }
        self.value
    }

    /// The average of the values so far.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_at_the_mean_and_moves_by_the_factor() {
        let mut ema = Ema::new(3);
        let values: Vec<_> = [1.0, 2.0, 3.0, 6.0, 4.0].into_iter().map(|value| ema.update(value)).collect();
        assert_eq!(values, [None, None, Some(2.0), Some(4.0), Some(4.0)]);
    }

    #[test]
    fn with_period_one_follows_the_value() {
        let mut ema = Ema::new(0);
        assert_eq!(ema.update(5.0), Some(5.0));
        assert_eq!(ema.update(7.0), Some(7.0));
        assert_eq!(ema.update(f64::NAN), Some(7.0));
    }
}
