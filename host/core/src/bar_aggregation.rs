//! Longer bars from shorter ones. A bar is emitted only when event time has passed its end, and only when
//! its beginning was seen.

use serde::{Deserialize, Serialize};

use crate::market::Bar;
use crate::time::{Span, Timestamp};

/// Builds the bars of one instrument and interval. Periods start at whole multiples of the interval from
/// the epoch (so days are UTC days).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BarAggregator {
    interval: Span,
    first_seen: Option<Timestamp>,
    /// The end of the last bar taken.
    seen_until: Option<Timestamp>,
    building: Option<Bar>,
}

impl BarAggregator {
    /// An aggregator to this bar length.
    #[must_use]
    pub const fn new(interval: Span) -> Self {
        Self { interval, first_seen: None, seen_until: None, building: None }
    }

    /// The length of the bars it makes.
    #[must_use]
    pub const fn interval(&self) -> Span {
        self.interval
    }

    /// The bar that is being built, as far as it is known: for charts, which show what is not complete.
    #[must_use]
    pub const fn unfinished(&self) -> Option<Bar> {
        self.building
    }

    /// Takes the next shorter bar; hands what is complete with it to `emit`, in order of time.
    ///
    /// A bar whose last minutes had no data is complete once a later one begins. A period that had begun
    /// before the data did is left out. Input bars that are not shorter, that straddle two periods, or that
    /// begin before the last one ended, are ignored.
    pub fn update(&mut self, bar: &Bar, mut emit: impl FnMut(Bar)) {
        let start = bar.open_time.floor(self.interval);
        let end = start.plus(self.interval);
        if bar.interval >= self.interval || bar.close_time() > end {
            return;
        }
        if self.seen_until.is_some_and(|seen| bar.open_time < seen) {
            return;
        }
        self.seen_until = Some(bar.close_time());
        if start < *self.first_seen.get_or_insert(bar.open_time) {
            return;
        }
        if let Some(finished) = self.building.take_if(|building| building.open_time < start) {
            emit(finished);
        }
        let building = self.building.get_or_insert(Bar {
            interval: self.interval,
            open_time: start,
            volume: 0.0,
            ..*bar
        });
        building.high = building.high.max(bar.high);
        building.low = building.low.min(bar.low);
        building.close = bar.close;
        building.volume += bar.volume;
        if bar.close_time() == end
            && let Some(finished) = self.building.take()
        {
            emit(finished);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::InstrumentId;

    fn minute(minute: i64, price: f64) -> Bar {
        Bar {
            instrument: InstrumentId(0),
            interval: Span::MINUTE,
            open_time: Timestamp::from_seconds(minute * 60),
            open: price,
            high: price + 1.0,
            low: price - 1.0,
            close: price + 0.5,
            volume: 2.0,
        }
    }

    fn aggregate(bars: &[Bar]) -> Vec<Bar> {
        let mut aggregator = BarAggregator::new(Span::from_seconds(300));
        let mut out = Vec::new();
        for bar in bars {
            aggregator.update(bar, |bar| out.push(bar));
        }
        out
    }

    #[test]
    fn five_minutes_make_one_bar_at_the_close_of_the_last() {
        let minutes: Vec<Bar> = (0..5).map(|m| minute(m, 100.0 + m as f64)).collect();
        assert!(aggregate(&minutes[..4]).is_empty(), "an unfinished bar must not be emitted");
        let bars = aggregate(&minutes);
        let expected = Bar {
            interval: Span::from_seconds(300),
            high: 105.0,
            low: 99.0,
            close: 104.5,
            volume: 10.0,
            ..minutes[0]
        };
        assert_eq!(bars, [expected]);
    }

    #[test]
    fn a_gap_at_the_end_is_closed_by_the_next_period() {
        let bars = aggregate(&[minute(0, 100.0), minute(1, 101.0), minute(7, 110.0)]);
        assert_eq!(bars.len(), 1);
        assert!((bars[0].close - 101.5).abs() < 1e-12);
        let later = aggregate(&[minute(0, 100.0), minute(7, 110.0), minute(9, 111.0)]);
        assert_eq!(later.len(), 2, "a period whose first minutes had no trade is still whole");
    }

    #[test]
    fn a_bar_that_comes_late_or_twice_changes_nothing() {
        let minutes: Vec<Bar> = (0..10).map(|m| minute(m, 100.0 + m as f64)).collect();
        let orderly = aggregate(&minutes);
        let mut disorderly = minutes.clone();
        // The last of the first period again while the second is being built, and one bar twice.
        disorderly.insert(6, minutes[4]);
        disorderly.insert(8, minutes[6]);
        assert_eq!(aggregate(&disorderly), orderly);
    }

    #[test]
    fn a_period_that_began_before_the_data_is_left_out() {
        let bars = aggregate(&[minute(3, 100.0), minute(4, 101.0), minute(5, 102.0), minute(9, 103.0)]);
        assert_eq!(bars.iter().map(|bar| bar.open_time.seconds()).collect::<Vec<_>>(), [300]);
    }
}
