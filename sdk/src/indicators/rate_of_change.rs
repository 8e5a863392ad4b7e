use serde::{Deserialize, Serialize};

use super::is_usable;
use super::window::Window;

/// The rate of change: the newest value against the one `period` steps earlier, minus 1, as a fraction
/// (0.05 is a rise of 5 %).
///
/// Known from the value number `period` + 1 on; `None` where the earlier value is 0. A constant series
/// gives 0.
///
/// Source: Murphy, "Technical Analysis of the Financial Markets" (1999), chapter 10; TA-Lib's `ROCP`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RateOfChange {
    window: Window,
    value: Option<f64>,
}

impl RateOfChange {
    /// The change over `period` steps.
    #[must_use]
    pub fn new(period: u32) -> Self {
        Self { window: Window::new(period), value: None }
    }

    /// Takes the next value.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        if is_usable(value) {
            self.value = self
                .window
                .push(value)
                .map(|earlier| (value - earlier) / earlier)
                .filter(|change| change.is_finite());
        }
        self.value
    }

    /// The change of the values so far.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_with_the_value_some_steps_earlier() {
        let mut change = RateOfChange::new(2);
        let values: Vec<_> = [2.0, 0.0, 3.0, 1.0].into_iter().map(|value| change.update(value)).collect();
        assert_eq!(values, [None, None, Some(0.5), None]);
    }
}
