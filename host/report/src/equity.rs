//! Equity over time: what each day closed at, how far equity fell from its peaks, and how much of it was
//! invested. A sample holds until the next one.

use bulkhead_core::time::Timestamp;

use crate::calendar::Day;

/// A fall from a peak.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fall {
    pub(crate) peak: f64,
    /// The last moment at the peak.
    pub(crate) peak_time: Timestamp,
    pub(crate) trough: f64,
    pub(crate) trough_time: Timestamp,
    /// When equity was back at the peak.
    pub(crate) recovery_time: Option<Timestamp>,
    /// (peak − trough) / peak.
    pub(crate) depth: f64,
}

/// What a day closed at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DayClose {
    pub(crate) day: Day,
    pub(crate) equity: f64,
}

/// Everything about equity that is kept during a run: a few numbers, and one entry a day.
#[derive(Debug)]
pub(crate) struct EquityTrack {
    start: Option<Timestamp>,
    time: Timestamp,
    equity: f64,
    exposure: f64,
    peak: f64,
    peak_time: Timestamp,
    trough: f64,
    deepest: Option<Fall>,
    longest_fall: i64,
    under_water: i64,
    invested: i64,
    /// Exposure times nanoseconds.
    exposure_time: f64,
    day: Day,
    day_end: i64,
    days: Vec<DayClose>,
    left_out: u64,
}

impl EquityTrack {
    pub(crate) const fn new(initial: f64) -> Self {
        Self {
            start: None,
            time: Timestamp::EPOCH,
            equity: initial,
            exposure: 0.0,
            peak: initial,
            peak_time: Timestamp::EPOCH,
            trough: initial,
            deepest: None,
            longest_fall: 0,
            under_water: 0,
            invested: 0,
            exposure_time: 0.0,
            day: Day(0),
            day_end: i64::MIN,
            days: Vec::new(),
            left_out: 0,
        }
    }

    /// The run began here; before that moment nothing counts.
    pub(crate) fn begin(&mut self, time: Timestamp) {
        if self.start.is_none() {
            self.start = Some(time);
            self.time = time;
            self.peak_time = time;
        }
    }

    /// Adds a sample and returns the moment that it counts for: time never goes back. Samples that are not
    /// numbers are left out.
    #[inline]
    pub(crate) fn sample(&mut self, time: Timestamp, equity: f64, exposure: f64) -> Option<Timestamp> {
        if !equity.is_finite() || !exposure.is_finite() {
            self.left_out += 1;
            return None;
        }
        self.begin(time);
        let time = time.max(self.time);
        self.hold_until(time);
        if time.nanos() > self.day_end {
            self.close_day(time);
        }
        if equity >= self.peak {
            self.reach_peak(time, equity);
        } else if equity < self.trough {
            self.reach_trough(time, equity);
        }
        self.equity = equity;
        self.exposure = exposure;
        Some(time)
    }

    fn hold_until(&mut self, time: Timestamp) {
        let held = time.since(self.time).nanos();
        if self.exposure > 0.0 {
            self.invested = self.invested.saturating_add(held);
            #[expect(
                clippy::cast_precision_loss,
                reason = "a statistic; the rounding is far below its meaning"
            )]
            let held = held as f64;
            self.exposure_time += self.exposure * held;
        }
        if self.equity < self.peak {
            self.under_water = self.under_water.saturating_add(held);
        }
        self.time = time;
    }

    #[cold]
    fn close_day(&mut self, time: Timestamp) {
        // `i64::MIN` stands for "no day is open yet".
        if self.day_end != i64::MIN {
            self.days.push(DayClose { day: self.day, equity: self.equity });
        }
        self.day = Day::of(time.nanos());
        self.day_end = self.day.end();
    }

    fn reach_peak(&mut self, time: Timestamp, equity: f64) {
        if self.trough < self.peak {
            self.longest_fall = self.longest_fall.max(time.since(self.peak_time).nanos());
            if let Some(fall) = self.deepest.as_mut().filter(|fall| fall.peak_time == self.peak_time) {
                fall.recovery_time = Some(time);
            }
        }
        self.peak = equity;
        self.trough = equity;
        self.peak_time = time;
    }

    fn reach_trough(&mut self, time: Timestamp, equity: f64) {
        self.trough = equity;
        if self.peak <= 0.0 {
            return;
        }
        let depth = (self.peak - equity) / self.peak;
        if self.deepest.is_none_or(|fall| depth > fall.depth) {
            self.deepest = Some(Fall {
                peak: self.peak,
                peak_time: self.peak_time,
                trough: equity,
                trough_time: time,
                recovery_time: None,
                depth,
            });
        }
    }

    pub(crate) const fn start(&self) -> Option<Timestamp> {
        self.start
    }

    /// The moment of the last sample.
    pub(crate) const fn end(&self) -> Timestamp {
        self.time
    }

    /// The last sample.
    pub(crate) const fn equity(&self) -> f64 {
        self.equity
    }

    /// Nanoseconds from the start to the last sample.
    pub(crate) fn elapsed(&self) -> i64 {
        self.start.map_or(0, |start| self.time.since(start).nanos())
    }

    pub(crate) const fn deepest(&self) -> Option<&Fall> {
        self.deepest.as_ref()
    }

    /// Nanoseconds of the longest time between a peak and the return to it, or the end.
    pub(crate) fn longest_fall(&self) -> i64 {
        let unfinished = if self.trough < self.peak { self.time.since(self.peak_time).nanos() } else { 0 };
        self.longest_fall.max(unfinished)
    }

    /// Nanoseconds spent below the highest equity so far.
    pub(crate) const fn under_water(&self) -> i64 {
        self.under_water
    }

    /// Nanoseconds with any position.
    pub(crate) const fn invested(&self) -> i64 {
        self.invested
    }

    /// The integral of the exposure over nanoseconds.
    pub(crate) const fn exposure_time(&self) -> f64 {
        self.exposure_time
    }

    /// Samples that were not numbers.
    pub(crate) const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The closes of all days that had a sample, the unfinished last one included.
    pub(crate) fn day_closes(&self) -> Vec<DayClose> {
        let mut days = self.days.clone();
        if self.day_end != i64::MIN {
            days.push(DayClose { day: self.day, equity: self.equity });
        }
        days
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(initial: f64, samples: &[(i64, f64, f64)]) -> EquityTrack {
        let mut track = EquityTrack::new(initial);
        for (seconds, equity, exposure) in samples {
            track.sample(Timestamp::from_seconds(*seconds), *equity, *exposure);
        }
        track
    }

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn the_deepest_fall_has_its_dates_and_its_recovery() {
        let track = track(
            100.0,
            &[
                (10, 100.0, 0.0),
                (20, 100.0, 0.0),
                (30, 90.0, 0.0),
                (40, 80.0, 0.0),
                (50, 85.0, 0.0),
                (60, 100.0, 0.0),
                (70, 95.0, 0.0),
                (80, 94.0, 0.0),
            ],
        );
        let fall = track.deepest().unwrap();
        // The flat stretch before the fall is no drawdown: the last moment at the peak counts.
        assert_eq!(fall.peak_time, Timestamp::from_seconds(20));
        assert_eq!(fall.trough_time, Timestamp::from_seconds(40));
        assert_eq!(fall.recovery_time, Some(Timestamp::from_seconds(60)));
        assert!((fall.depth - 0.2).abs() < 1e-15);
        assert_eq!(track.longest_fall(), 40 * SECOND);
        // 30–60 and 70–80.
        assert_eq!(track.under_water(), 40 * SECOND);
    }

    #[test]
    fn a_loss_from_the_start_is_a_fall_from_the_initial_equity() {
        let track = track(100.0, &[(10, 75.0, 0.0), (40, 80.0, 0.0)]);
        let fall = track.deepest().unwrap();
        assert_eq!((fall.peak.to_bits(), fall.recovery_time), (100.0_f64.to_bits(), None));
        assert_eq!(track.longest_fall(), 30 * SECOND);
    }

    #[test]
    fn a_sample_holds_until_the_next() {
        let track = track(100.0, &[(0, 100.0, 0.5), (10, 100.0, 0.0), (30, 100.0, 1.0), (40, 100.0, 0.0)]);
        assert_eq!(track.invested(), 20 * SECOND);
        assert!((track.exposure_time() / 1e9 - 15.0).abs() < 1e-9);
        assert_eq!(track.elapsed(), 40 * SECOND);
    }

    #[test]
    fn days_close_with_their_last_sample_midnight_included() {
        let day = 86_400;
        let track =
            track(100.0, &[(1, 100.0, 0.0), (day, 101.0, 0.0), (day + 1, 102.0, 0.0), (4 * day, 99.0, 0.0)]);
        let closes: Vec<(i32, f64)> = track.day_closes().iter().map(|d| (d.day.0, d.equity)).collect();
        assert_eq!(closes, [(0, 101.0), (1, 102.0), (3, 99.0)]);
    }

    #[test]
    fn what_is_no_number_is_left_out_and_counted() {
        let track =
            track(100.0, &[(0, 100.0, 0.0), (1, f64::NAN, 0.0), (2, 1.0, f64::INFINITY), (3, 100.0, 0.0)]);
        assert_eq!(track.left_out(), 2);
        assert!(track.deepest().is_none());
    }
}
