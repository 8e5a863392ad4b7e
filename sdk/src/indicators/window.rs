use serde::{Deserialize, Serialize};

use super::{DamagedState, allowed_period};

/// The last `period` values. Entering a value into a full window pushes the oldest out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "SavedWindow", try_from = "SavedWindow")]
pub(super) struct Window {
    /// Its length is the period; only the first `filled` places hold values.
    values: Box<[f64]>,
    /// Where the next value goes; below the length of `values`. When full, the oldest is here.
    next: usize,
    filled: usize,
}

impl Window {
    pub(super) fn new(period: u32) -> Self {
        let values = vec![0.0; allowed_period(period) as usize].into_boxed_slice();
        Self { values, next: 0, filled: 0 }
    }

    /// Enters a value and returns the one that left.
    pub(super) fn push(&mut self, value: f64) -> Option<f64> {
        let place = &mut self.values[self.next];
        let old = std::mem::replace(place, value);
        self.next += 1;
        if self.next == self.values.len() {
            self.next = 0;
        }
        if self.is_full() {
            Some(old)
        } else {
            self.filled += 1;
            None
        }
    }

    /// Whether the last value completed a turn of the ring: since the turn before, exactly the values in the
    /// window have been entered.
    pub(super) fn is_at_turn(&self) -> bool {
        self.next == 0 && self.is_full()
    }

    pub(super) fn is_full(&self) -> bool {
        self.filled == self.values.len()
    }

    /// The period as the number that means are divided by.
    pub(super) fn period(&self) -> f64 {
        self.values.len() as f64
    }
}

/// A window as it is stored: what it holds, in the order of the ring.
#[derive(Serialize, Deserialize)]
struct SavedWindow {
    period: u32,
    next: u32,
    values: Vec<f64>,
}

impl From<Window> for SavedWindow {
    fn from(window: Window) -> Self {
        // Both are at most `MAX_PERIOD`.
        let short = |length: usize| u32::try_from(length).unwrap_or(super::MAX_PERIOD);
        Self {
            period: short(window.values.len()),
            next: short(window.next),
            values: window.values[..window.filled].to_vec(),
        }
    }
}

impl TryFrom<SavedWindow> for Window {
    type Error = DamagedState;

    fn try_from(saved: SavedWindow) -> Result<Self, DamagedState> {
        if saved.period != allowed_period(saved.period) {
            return Err(DamagedState("a period is out of range"));
        }
        let mut window = Self::new(saved.period);
        window.next = saved.next as usize;
        window.filled = saved.values.len();
        let position_fits =
            if window.is_full() { saved.next < saved.period } else { window.next == window.filled };
        if window.filled > window.values.len() || !position_fits {
            return Err(DamagedState("a window holds another number of values than its period allows"));
        }
        if !saved.values.iter().all(|value| super::is_usable(*value)) {
            return Err(DamagedState("a window holds a value that is not usable"));
        }
        window.values[..saved.values.len()].copy_from_slice(&saved.values);
        Ok(window)
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers have no rounding")]
mod tests {
    use super::*;

    #[test]
    fn returns_values_in_the_order_they_came() {
        let mut window = Window::new(2);
        assert_eq!(window.push(1.0), None);
        assert_eq!(window.push(2.0), None);
        assert_eq!(window.push(3.0), Some(1.0));
        assert_eq!(window.push(4.0), Some(2.0));
        assert_eq!(window.push(5.0), Some(3.0));
    }

    #[test]
    fn clamps_the_period() {
        assert_eq!(Window::new(0).period(), 1.0);
        assert_eq!(Window::new(u32::MAX).period(), 1e6);
    }

    #[test]
    fn restores_partly_filled_and_full() {
        let mut window = Window::new(3);
        for value in [1.0, 2.0, 3.0, 4.0, 5.0] {
            window.push(value);
            let mut restored = Window::try_from(SavedWindow::from(window.clone())).unwrap();
            let mut original = window.clone();
            for next in [6.0, 7.0, 8.0, 9.0] {
                assert_eq!(restored.push(next), original.push(next));
            }
        }
    }

    #[test]
    fn refuses_a_damaged_state() {
        let restore = |period, next, values: &[f64]| {
            Window::try_from(SavedWindow { period, next, values: values.into() })
        };
        assert!(restore(0, 0, &[]).is_err());
        assert!(restore(u32::MAX, 0, &[]).is_err());
        assert!(restore(1, 0, &[1.0, 2.0]).is_err());
        assert!(restore(2, 0, &[f64::NAN, 1.0]).is_err());
        assert!(restore(2, 2, &[1.0, 2.0]).is_err());
        assert!(restore(2, 0, &[1.0]).is_err());
        assert!(restore(2, 1, &[1.0]).is_ok());
        assert!(restore(2, 1, &[1.0, 2.0]).is_ok());
    }
}
