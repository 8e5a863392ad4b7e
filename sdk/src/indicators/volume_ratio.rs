use serde::{Deserialize, Serialize};

use super::{Sma, is_usable};

/// The volume ratio: the newest volume against the mean of the `period` volumes before it.
///
/// The newest volume is left out of the mean, so that a surge is measured against what was usual. Known
/// from the volume number `period` + 1 on; `None` while the mean is 0, as with a feed that knows no volume.
/// Negative volumes are skipped. A constant series gives 1.
///
/// Also known as relative volume; Murphy, "Technical Analysis of the Financial Markets" (1999), chapter 7,
/// on why volume should confirm a move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VolumeRatio {
    usual: Sma,
    value: Option<f64>,
}

impl VolumeRatio {
    /// The ratio to the mean of `period` volumes.
    #[must_use]
    pub fn new(period: u32) -> Self {
        Self { usual: Sma::new(period), value: None }
    }

    /// Takes the next volume.
    pub fn update(&mut self, volume: f64) -> Option<f64> {
        if is_usable(volume) && volume >= 0.0 {
            self.value = self
                .usual
                .value()
                .filter(|usual| *usual > 0.0)
                .map(|usual| volume / usual)
                .filter(|ratio| ratio.is_finite());
            self.usual.update(volume);
        }
        self.value
    }

    /// The ratio of the newest volume.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_with_the_volumes_before() {
        let mut ratio = VolumeRatio::new(2);
        let values: Vec<_> = [1.0, 3.0, 8.0, 0.0].into_iter().map(|volume| ratio.update(volume)).collect();
        assert_eq!(values, [None, None, Some(4.0), Some(0.0)]);
        assert_eq!(ratio.update(-1.0), Some(0.0));
    }

    #[test]
    fn is_unknown_without_volume() {
        let mut ratio = VolumeRatio::new(2);
        for volume in [1e12, 0.3, 1e-7, 0.0, 0.0] {
            ratio.update(volume);
        }
        assert_eq!(ratio.update(5.0), None);
    }
}
