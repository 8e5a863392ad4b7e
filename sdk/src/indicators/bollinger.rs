use serde::{Deserialize, Serialize};

use super::is_usable;
use super::rolling::RollingMoments;

/// Bollinger's bands: the simple moving average, and lines some standard deviations above and below.
///
/// The deviation is that of the population (the divisor is `period`), as Bollinger uses it. Known from the
/// `period`-th value on. On a constant series the three lines coincide.
///
/// Source: Bollinger, "Bollinger on Bollinger Bands" (2001).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bollinger {
    moments: RollingMoments,
    width: f64,
}

/// The three lines, in units of the value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bands {
    /// The average minus the deviations.
    pub lower: f64,
    /// The average.
    pub middle: f64,
    /// The average plus the deviations.
    pub upper: f64,
}

impl Bands {
    /// Where a value lies between the bands: 0 on the lower, 1 on the upper; `None` when they coincide.
    #[must_use]
    pub fn percent_b(&self, value: f64) -> Option<f64> {
        Some((value - self.lower) / (self.upper - self.lower)).filter(|share| share.is_finite())
    }

    /// The distance of the outer bands as a fraction of the middle one; `None` when that is 0.
    #[must_use]
    pub fn bandwidth(&self) -> Option<f64> {
        Some((self.upper - self.lower) / self.middle).filter(|share| share.is_finite())
    }
}

impl Bollinger {
    /// Bands over `period` values, `deviations` standard deviations wide on each side; Bollinger's choice is
    /// 20 and 2. A width that is negative or not finite counts as 0, and one above 1e6 as 1e6.
    #[must_use]
    pub fn new(period: u32, deviations: f64) -> Self {
        let width = if deviations.is_finite() { deviations.clamp(0.0, 1e6) } else { 0.0 };
        Self { moments: RollingMoments::new(period), width }
    }

    /// Takes the next value.
    pub fn update(&mut self, value: f64) -> Option<Bands> {
        if is_usable(value) {
            self.moments.push(value);
        }
        self.value()
    }

    /// The bands of the values so far.
    #[must_use]
    pub fn value(&self) -> Option<Bands> {
        let middle = self.moments.mean()?;
        let distance = self.width * self.moments.standard_deviation()?;
        Some(Bands { lower: middle - distance, middle, upper: middle + distance })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lies_around_the_mean() {
        let mut bollinger = Bollinger::new(2, 2.0);
        assert_eq!(bollinger.update(1.0), None);
        let bands = bollinger.update(3.0).unwrap();
        assert_eq!(bands, Bands { lower: 0.0, middle: 2.0, upper: 4.0 });
        assert_eq!(bands.percent_b(3.0), Some(0.75));
        assert_eq!(bands.bandwidth(), Some(2.0));
    }

    #[test]
    fn collapses_on_a_constant_series() {
        let mut bollinger = Bollinger::new(2, 2.0);
        bollinger.update(3.3);
        let bands = bollinger.update(3.3).unwrap();
        assert_eq!(bands, Bands { lower: 3.3, middle: 3.3, upper: 3.3 });
        assert_eq!(bands.percent_b(3.3), None);
    }

    #[test]
    fn takes_no_unusable_width() {
        for width in [f64::NAN, f64::INFINITY, -1.0] {
            let mut bollinger = Bollinger::new(2, width);
            bollinger.update(1.0);
            assert_eq!(bollinger.update(3.0), Some(Bands { lower: 2.0, middle: 2.0, upper: 2.0 }));
        }
    }
}
