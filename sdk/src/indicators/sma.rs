use serde::{Deserialize, Serialize};

use super::is_usable;
use super::rolling::RollingSum;

/// The simple moving average: the mean of the last `period` values.
///
/// Known from the `period`-th value on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sma(RollingSum);

impl Sma {
    /// An average over `period` values.
    #[must_use]
    pub fn new(period: u32) -> Self {
        Self(RollingSum::new(period))
    }

    /// Takes the next value.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        if is_usable(value) {
            self.0.push(value);
        }
        self.value()
    }

    /// The average of the values so far.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.0.mean()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_the_last_values() {
        let mut sma = Sma::new(3);
        let values: Vec<_> = [1.0, 2.0, 3.0, 7.0].into_iter().map(|value| sma.update(value)).collect();
        assert_eq!(values, [None, None, Some(2.0), Some(4.0)]);
        assert_eq!(sma.value(), Some(4.0));
    }

    #[test]
    fn skips_what_is_no_number() {
        let mut sma = Sma::new(2);
        for value in [1.0, f64::NAN, f64::INFINITY, 1e300, 3.0] {
            sma.update(value);
        }
        assert_eq!(sma.value(), Some(2.0));
    }
}
