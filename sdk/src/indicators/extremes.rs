use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{DamagedState, allowed_period, is_usable};

/// The highest of the last `period` values, the newest included; known from the `period`-th value on.
///
/// For a breakout, read [`Highest::value`] before feeding the bar that may break out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Highest(Summits);

impl Highest {
    /// The highest of `period` values.
    #[must_use]
    pub fn new(period: u32) -> Self {
        Self(Summits::new(period))
    }

    /// Takes the next value.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        if is_usable(value) {
            self.0.push(value);
        }
        self.value()
    }

    /// The highest of the values so far.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.0.top()
    }
}

/// The lowest of the last `period` values, the newest included; known from the `period`-th value on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lowest(Summits);

impl Lowest {
    /// The lowest of `period` values.
    #[must_use]
    pub fn new(period: u32) -> Self {
        Self(Summits::new(period))
    }

    /// Takes the next value.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        if is_usable(value) {
            self.0.push(-value);
        }
        self.value()
    }

    /// The lowest of the values so far.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.0.top().map(|top| -top)
    }
}

/// The values of the window that no newer one tops, so that the first is the highest. Each value enters
/// once and leaves once, which makes a step cheap whatever the period.
///
/// Source: the monotonic queue; Lemire, "Streaming maximum-minimum filter using no more than three
/// comparisons per element" (2006).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "SavedSummits", try_from = "SavedSummits")]
struct Summits {
    period: u32,
    /// How many values came so far.
    count: u64,
    /// Number and value, oldest first; numbers rise, values fall. Never more than `period` of them.
    falling: VecDeque<(u64, f64)>,
}

impl Summits {
    fn new(period: u32) -> Self {
        let period = allowed_period(period);
        Self { period, count: 0, falling: VecDeque::with_capacity(period as usize) }
    }

    fn push(&mut self, value: f64) {
        if self.falling.front().is_some_and(|(number, _)| number + u64::from(self.period) <= self.count) {
            self.falling.pop_front();
        }
        while self.falling.back().is_some_and(|(_, topped)| *topped <= value) {
            self.falling.pop_back();
        }
        self.falling.push_back((self.count, value));
        self.count += 1;
    }

    fn top(&self) -> Option<f64> {
        let top = self.falling.front()?.1;
        (self.count >= u64::from(self.period)).then_some(top)
    }
}

/// The summits as they are stored.
#[derive(Serialize, Deserialize)]
struct SavedSummits {
    period: u32,
    count: u64,
    falling: Vec<(u64, f64)>,
}

impl From<Summits> for SavedSummits {
    fn from(summits: Summits) -> Self {
        Self { period: summits.period, count: summits.count, falling: summits.falling.into() }
    }
}

impl TryFrom<SavedSummits> for Summits {
    type Error = DamagedState;

    fn try_from(saved: SavedSummits) -> Result<Self, DamagedState> {
        if saved.period != allowed_period(saved.period) {
            return Err(DamagedState("a period is out of range"));
        }
        if saved.falling.len() > saved.period as usize {
            return Err(DamagedState("a window holds more values than its period"));
        }
        let ordered = saved.falling.is_sorted_by(|older, newer| older.0 < newer.0 && older.1 > newer.1);
        let in_window = saved.falling.iter().all(|(number, value)| {
            *number < saved.count && saved.count - number <= saved.period.into() && is_usable(*value)
        });
        if !ordered
            || !in_window
            || saved.count > u64::MAX / 2
            || (saved.falling.is_empty() && saved.count > 0)
        {
            return Err(DamagedState("the extremes of a window are not in order"));
        }
        let mut summits = Self::new(saved.period);
        summits.count = saved.count;
        summits.falling.extend(saved.falling);
        Ok(summits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_an_extreme_that_has_left_the_window() {
        let (mut highest, mut lowest) = (Highest::new(3), Lowest::new(3));
        let series = [5.0, 1.0, 2.0, 2.0, 1.5, 9.0];
        let high: Vec<_> = series.into_iter().map(|value| highest.update(value)).collect();
        let low: Vec<_> = series.into_iter().map(|value| lowest.update(value)).collect();
        assert_eq!(high, [None, None, Some(5.0), Some(2.0), Some(2.0), Some(9.0)]);
        assert_eq!(low, [None, None, Some(1.0), Some(1.0), Some(1.5), Some(1.5)]);
    }

    #[test]
    fn never_grows_beyond_its_period() {
        let mut summits = Summits::new(4);
        let room = summits.falling.capacity();
        for step in 0..100 {
            summits.push(-f64::from(step));
            assert!(summits.falling.len() <= 4);
        }
        assert_eq!(summits.falling.capacity(), room);
    }

    #[test]
    fn refuses_a_damaged_state() {
        let restore = |period, count, falling: &[(u64, f64)]| {
            Summits::try_from(SavedSummits { period, count, falling: falling.into() })
        };
        assert!(restore(2, 5, &[(3, 2.0), (4, 1.0)]).is_ok());
        assert!(restore(0, 0, &[]).is_err());
        assert!(restore(2, 5, &[]).is_err());
        assert!(restore(2, 5, &[(3, 1.0), (4, 2.0)]).is_err());
        assert!(restore(2, 5, &[(2, 3.0), (4, 2.0)]).is_err());
        assert!(restore(2, 5, &[(4, f64::NAN)]).is_err());
        assert!(restore(2, 5, &[(5, 1.0)]).is_err());
    }
}
