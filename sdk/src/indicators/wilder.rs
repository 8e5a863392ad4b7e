use serde::{Deserialize, Serialize};

use super::allowed_period;
use super::double_double::DoubleDouble;

/// Wilder's smoothing: `average = (average · (period − 1) + value) / period`, seeded with the simple mean of
/// the first `period` values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct WilderAverage {
    period: u32,
    /// How many values have entered the seed; stays at `period` once it is complete.
    seeded: u32,
    seed: DoubleDouble,
    value: Option<f64>,
}

impl WilderAverage {
    pub(super) fn new(period: u32) -> Self {
        Self { period: allowed_period(period), seeded: 0, seed: DoubleDouble::ZERO, value: None }
    }

    pub(super) fn push(&mut self, value: f64) {
        let period = f64::from(self.period);
        if let Some(average) = self.value {
            self.value = Some((average * (period - 1.0) + value) / period);
        } else {
            self.seed = self.seed.plus(value);
            self.seeded += 1;
            if self.seeded >= self.period {
                self.value = Some(self.seed.to_f64() / period);
            }
        }
    }

    pub(super) fn value(&self) -> Option<f64> {
        self.value
    }
}
