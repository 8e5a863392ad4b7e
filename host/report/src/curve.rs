//! An equity curve of bounded size for charts. Samples are gathered into buckets of equal length in time;
//! when there are too many, neighbours are joined and the length doubles. A bucket keeps its lowest and
//! highest value, so that no drawdown disappears from the picture.

use bulkhead_core::time::{NANOS_PER_SECOND, Span, Timestamp};

use crate::calendar::period_start;

#[derive(Debug, Clone, Copy)]
struct Bucket {
    start: i64,
    low: f64,
    high: f64,
    last: f64,
    /// Whether the low came before the high.
    low_first: bool,
    samples: u64,
    /// What buy and hold was worth at the bucket's first sample.
    benchmark: f64,
}

impl Bucket {
    fn add(&mut self, value: f64) {
        if value < self.low {
            self.low = value;
            self.low_first = false;
        }
        if value > self.high {
            self.high = value;
            self.low_first = true;
        }
        self.last = value;
        self.samples += 1;
    }

    fn start_seconds(&self) -> i64 {
        Timestamp::from_nanos(self.start).seconds()
    }

    /// The extremes in their order, `half` seconds apart; only the first when they have no room.
    fn push_extremes(&self, half: i64, points: &mut Vec<Point>) {
        let (first, second) = if self.low_first { (self.low, self.high) } else { (self.high, self.low) };
        let time = self.start_seconds();
        points.push(Point { time, equity: first, benchmark: Some(self.benchmark) });
        if half > 0 {
            points.push(Point { time: time + half, equity: second, benchmark: None });
        }
    }

    /// Takes over the bucket that follows this one.
    fn join(&mut self, later: &Self) {
        let (low_is_later, high_is_later) = (later.low < self.low, later.high > self.high);
        self.low_first = match (low_is_later, high_is_later) {
            (true, true) => later.low_first,
            (true, false) => false,
            (false, true) => true,
            (false, false) => self.low_first,
        };
        self.low = self.low.min(later.low);
        self.high = self.high.max(later.high);
        self.last = later.last;
        self.samples += later.samples;
    }
}

/// One point of the finished curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    /// Seconds since the epoch; strictly rising along the curve.
    pub(crate) time: i64,
    pub(crate) equity: f64,
    pub(crate) benchmark: Option<f64>,
}

/// The curve while it grows.
#[derive(Debug)]
pub(crate) struct Curve {
    limit: usize,
    interval: Span,
    buckets: Vec<Bucket>,
    current: Option<Bucket>,
    current_end: i64,
    last_time: Timestamp,
}

impl Curve {
    pub(crate) fn new(limit: usize) -> Self {
        let limit = limit.max(2);
        Self {
            limit,
            interval: Span::from_nanos(NANOS_PER_SECOND),
            buckets: Vec::with_capacity(limit),
            current: None,
            current_end: i64::MIN,
            last_time: Timestamp::EPOCH,
        }
    }

    /// Adds a sample; times never go back. `benchmark` is asked for at the start of a bucket only.
    #[inline]
    pub(crate) fn sample(&mut self, time: Timestamp, equity: f64, benchmark: impl FnOnce() -> f64) {
        self.last_time = time;
        match &mut self.current {
            Some(bucket) if time.nanos() < self.current_end => bucket.add(equity),
            _ => self.start_bucket(time, equity, benchmark()),
        }
    }

    #[cold]
    fn start_bucket(&mut self, time: Timestamp, equity: f64, benchmark: f64) {
        if let Some(done) = self.current.take() {
            self.buckets.push(done);
        }
        while self.buckets.len() >= self.limit {
            self.interval = self.interval.times(2);
            let interval = self.interval;
            let start_of =
                |bucket: &Bucket| period_start(Timestamp::from_nanos(bucket.start), interval).nanos();
            self.buckets.dedup_by(|later, earlier| {
                let same = start_of(later) == start_of(earlier);
                if same {
                    earlier.join(later);
                }
                same
            });
            for bucket in &mut self.buckets {
                bucket.start = start_of(bucket);
            }
        }
        let start = period_start(time, self.interval);
        self.current_end = start.plus(self.interval).nanos();
        let bucket = Bucket {
            start: start.nanos(),
            low: equity,
            high: equity,
            last: equity,
            low_first: true,
            samples: 1,
            benchmark,
        };
        // After the interval grew, the new sample may fall into the last finished bucket.
        match self.buckets.last_mut() {
            Some(last) if last.start == bucket.start => {
                last.join(&bucket);
                self.current = self.buckets.pop();
            }
            _ => self.current = Some(bucket),
        }
    }

    /// The curve's points: the two extremes of each bucket in the order in which they came, and the end.
    pub(crate) fn points(&self, benchmark_now: f64) -> Vec<Point> {
        let Some(current) = &self.current else { return Vec::new() };
        // One point a bucket while no bucket holds more than a sample, else two in each: the time axis of
        // the chart is even only when the points are.
        let single = current.samples == 1 && self.buckets.iter().all(|bucket| bucket.samples == 1);
        let half = if single { 0 } else { self.interval.seconds() / 2 };
        let mut points = Vec::with_capacity(2 * self.buckets.len() + 3);
        for bucket in &self.buckets {
            bucket.push_extremes(half, &mut points);
        }
        let (start, end) = (current.start_seconds(), self.last_time.seconds());
        // The last bucket isn't over: none of its points may lie behind the last sample.
        current.push_extremes(half.min((end - start) / 2), &mut points);
        match points.last_mut() {
            Some(last) if last.time >= end => {
                last.equity = current.last;
                last.benchmark = Some(benchmark_now);
            }
            _ => points.push(Point { time: end, equity: current.last, benchmark: Some(benchmark_now) }),
        }
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(limit: usize, values: impl IntoIterator<Item = f64>) -> Curve {
        let mut curve = Curve::new(limit);
        for (index, value) in (0_i64..).zip(values) {
            curve.sample(Timestamp::from_seconds(60 * index), value, || 1.0);
        }
        curve
    }

    #[test]
    fn a_short_curve_is_kept_as_it_is() {
        let points = curve(10, [1.0, 3.0, 2.0]).points(9.0);
        assert_eq!(points.iter().map(|p| p.time / 60).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(points.iter().map(|p| p.equity).collect::<Vec<_>>(), [1.0, 3.0, 2.0]);
        assert_eq!(points[2].benchmark, Some(9.0));
    }

    #[test]
    fn a_long_curve_keeps_its_extremes_and_its_end_in_bounded_space() {
        let value = |index: u32| match index {
            777 => -50.0,
            8_888 => 500.0,
            other => f64::from(other % 7),
        };
        let curve = curve(100, (0..10_000).map(value));
        assert!(curve.buckets.len() <= 100);
        let points = curve.points(1.0);
        assert!(points.len() <= 203);
        assert_eq!(points.last().map(|p| p.time), Some(60 * 9_999));
        let equity: Vec<f64> = points.iter().map(|p| p.equity).collect();
        assert_eq!(equity.iter().copied().fold(f64::INFINITY, f64::min).to_bits(), (-50.0_f64).to_bits());
        assert_eq!(equity.iter().copied().fold(0.0, f64::max).to_bits(), 500.0_f64.to_bits());
        assert_eq!(equity.last().copied(), Some(value(9_999)));
        assert!(points.windows(2).all(|pair| pair[0].time < pair[1].time));
    }

    #[test]
    fn no_place_hides_an_extreme() {
        for place in 0..300 {
            for extreme in [-7.0, 7.0] {
                let curve = curve(8, (0..300).map(|index| if index == place { extreme } else { 0.0 }));
                assert!(
                    curve.points(1.0).iter().any(|point| point.equity.to_bits() == extreme.to_bits()),
                    "{place}"
                );
            }
        }
    }

    #[test]
    fn extremes_come_in_their_order() {
        let mut curve = Curve::new(10);
        for value in [5.0, 1.0, 9.0, 4.0] {
            curve.sample(Timestamp::from_seconds(100), value, || 1.0);
        }
        curve.interval = Span::from_seconds(4);
        curve.last_time = Timestamp::from_seconds(103);
        let points = curve.points(1.0);
        assert_eq!(points.iter().map(|p| p.equity).collect::<Vec<_>>(), [1.0, 9.0, 4.0]);
        assert_eq!(points.iter().map(|p| p.time).collect::<Vec<_>>(), [100, 101, 103]);
    }

    #[test]
    fn a_gap_of_centuries_does_no_harm() {
        let mut curve = Curve::new(4);
        for nanos in [i64::MIN, -1, 0, 1, 5_000_000_000, i64::MAX - 1, i64::MAX] {
            curve.sample(Timestamp::from_nanos(nanos), 1.0, || 1.0);
        }
        assert!(!curve.points(1.0).is_empty());
    }
}
