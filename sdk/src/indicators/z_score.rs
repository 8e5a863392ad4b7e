use serde::{Deserialize, Serialize};

use super::is_usable;
use super::rolling::RollingMoments;

/// The z-score: how many standard deviations the newest value is above the mean of the last `period`
/// values.
///
/// The newest value is part of the window and the deviation is that of the population, so the score can't
/// exceed √(`period` − 1) in size. Known from the `period`-th value on. On a constant series it is 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZScore {
    moments: RollingMoments,
    last: f64,
}

impl ZScore {
    /// A score over `period` values.
    #[must_use]
    pub fn new(period: u32) -> Self {
        Self { moments: RollingMoments::new(period), last: 0.0 }
    }

    /// Takes the next value.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        if is_usable(value) {
            self.moments.push(value);
            self.last = value;
        }
        self.value()
    }

    /// The score of the newest value.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        let (mean, deviation) = (self.moments.mean()?, self.moments.standard_deviation()?);
        let score = (self.last - mean) / deviation;
        Some(if score.is_finite() { score } else { 0.0 })
    }

    /// The mean of the window.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        self.moments.mean()
    }

    /// The standard deviation of the window.
    #[must_use]
    pub fn standard_deviation(&self) -> Option<f64> {
        self.moments.standard_deviation()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_in_deviations() {
        let mut score = ZScore::new(4);
        for value in [1.0, 1.0, 1.0] {
            assert_eq!(score.update(value), None);
        }
        // mean 2, deviation √3
        assert!((score.update(5.0).unwrap() - 3.0 / 3f64.sqrt()).abs() < 1e-15);
        assert_eq!(score.mean(), Some(2.0));
    }

    #[test]
    fn a_constant_series_scores_nothing() {
        let mut score = ZScore::new(2);
        for value in [0.1, 0.7, 0.7] {
            score.update(value);
        }
        assert_eq!(score.value(), Some(0.0));
    }
}
