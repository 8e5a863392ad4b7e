//! Price candles of bounded number, for charts. When there are too many, they are joined into candles of the
//! next longer customary interval.

use bulkhead_core::market::Bar;
use bulkhead_core::time::{Span, Timestamp};

use crate::calendar::period_start;

/// Customary candle lengths in seconds.
const CUSTOMARY: [i64; 15] =
    [1, 5, 15, 30, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400, 604_800, 2_419_200];

/// One candle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candle {
    pub(crate) open_time: Timestamp,
    pub(crate) open: f64,
    pub(crate) high: f64,
    pub(crate) low: f64,
    pub(crate) close: f64,
    pub(crate) volume: f64,
}

impl Candle {
    fn join(&mut self, later: &Self) {
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.volume += later.volume;
    }
}

/// The candles of one instrument.
#[derive(Debug)]
pub(crate) struct Candles {
    limit: usize,
    /// Length of the bars that are recorded: that of the first one. Others, made from these, are left out.
    bar_interval: Option<Span>,
    interval: Span,
    candles: Vec<Candle>,
    current_end: Timestamp,
    bars: u64,
    first_close: f64,
    last_close: f64,
}

impl Candles {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            limit,
            bar_interval: None,
            interval: Span::ZERO,
            candles: Vec::new(),
            current_end: Timestamp::EPOCH,
            bars: 0,
            first_close: f64::NAN,
            last_close: f64::NAN,
        }
    }

    #[inline]
    pub(crate) fn bar(&mut self, bar: &Bar) {
        if !bar.is_sound() {
            return;
        }
        match self.bar_interval {
            Some(interval) if interval != bar.interval => return,
            Some(_) => {}
            None => self.begin(bar),
        }
        self.bars += 1;
        self.last_close = bar.close;
        let candle = Candle {
            open_time: bar.open_time,
            open: bar.open,
            high: bar.high,
            low: bar.low,
            close: bar.close,
            volume: bar.volume,
        };
        match self.candles.last_mut() {
            Some(last) if bar.open_time < self.current_end => last.join(&candle),
            _ => self.start(candle),
        }
    }

    #[cold]
    fn begin(&mut self, bar: &Bar) {
        self.bar_interval = Some(bar.interval);
        // A chart has no finer time than a second.
        self.interval = bar.interval.max(Span::from_seconds(1));
        self.first_close = bar.close;
    }

    fn start(&mut self, mut candle: Candle) {
        while self.candles.len() >= self.limit.max(1) {
            self.interval = longer(self.interval);
            let interval = self.interval;
            for candle in &mut self.candles {
                candle.open_time = period_start(candle.open_time, interval);
            }
            self.candles.dedup_by(|later, earlier| {
                let same = later.open_time == earlier.open_time;
                if same {
                    earlier.join(later);
                }
                same
            });
        }
        candle.open_time = period_start(candle.open_time, self.interval);
        self.current_end = candle.open_time.plus(self.interval);
        match self.candles.last_mut() {
            Some(last) if last.open_time == candle.open_time => last.join(&candle),
            _ => self.candles.push(candle),
        }
    }

    pub(crate) const fn bars(&self) -> u64 {
        self.bars
    }

    pub(crate) const fn interval(&self) -> Span {
        self.interval
    }

    pub(crate) fn candles(&self) -> &[Candle] {
        &self.candles
    }

    /// The closes of the first and the last bar.
    pub(crate) fn closes(&self) -> Option<(f64, f64)> {
        (self.bars > 0).then_some((self.first_close, self.last_close))
    }

    /// What one unit of money, put in at the first close, is worth at the last.
    pub(crate) fn growth(&self) -> Option<f64> {
        self.closes().map(|(first, last)| last / first)
    }
}

/// The next longer interval whose candles can be made from those of `interval`, without losing too much
/// detail in one go.
fn longer(interval: Span) -> Span {
    const MOST: i64 = 7;
    CUSTOMARY
        .map(Span::from_seconds)
        .into_iter()
        .find(|next| *next > interval && next.nanos() % interval.nanos() == 0)
        .filter(|next| *next <= interval.times(MOST))
        .unwrap_or_else(|| interval.times(2))
}

#[cfg(test)]
mod tests {
    use bulkhead_core::identifier::InstrumentId;

    use super::*;

    fn bar(minute: i64, price: f64) -> Bar {
        Bar {
            instrument: InstrumentId(0),
            interval: Span::MINUTE,
            open_time: Timestamp::from_seconds(60 * minute),
            open: price,
            high: price + 1.0,
            low: price - 1.0,
            close: price + 0.5,
            volume: 2.0,
        }
    }

    #[test]
    fn many_bars_become_fewer_candles_that_say_the_same() {
        let mut candles = Candles::new(50);
        let price = |minute: i64| 100.0 + f64::from(i32::try_from(minute % 37).unwrap());
        for minute in 0..1_000 {
            candles.bar(&bar(minute, price(minute)));
        }
        assert_eq!(candles.interval().to_string(), "30m");
        assert_eq!(candles.candles().len(), 34);
        let second = candles.candles()[1];
        let covered: Vec<f64> = (30..60).map(price).collect();
        assert_eq!(second.open_time, Timestamp::from_seconds(1_800));
        assert_eq!(second.open.to_bits(), covered[0].to_bits());
        assert_eq!(second.close.to_bits(), (covered[29] + 0.5).to_bits());
        let highest = covered.iter().copied().fold(0.0, f64::max) + 1.0;
        let lowest = covered.iter().copied().fold(f64::INFINITY, f64::min) - 1.0;
        assert_eq!((second.high.to_bits(), second.low.to_bits()), (highest.to_bits(), lowest.to_bits()));
        assert_eq!(second.volume.to_bits(), 60.0_f64.to_bits());
        assert_eq!(candles.closes(), Some((100.5, price(999) + 0.5)));
    }

    #[test]
    fn bars_of_another_interval_and_unsound_bars_are_left_out() {
        let mut candles = Candles::new(50);
        candles.bar(&bar(0, 100.0));
        candles.bar(&Bar { interval: Span::DAY, ..bar(0, 5.0) });
        candles.bar(&Bar { close: f64::NAN, ..bar(1, 100.0) });
        assert_eq!(candles.bars(), 1);
        assert_eq!(candles.candles().len(), 1);
    }

    #[test]
    fn intervals_grow_by_whole_multiples() {
        let next = |seconds| longer(Span::from_seconds(seconds)).to_string();
        assert_eq!(
            [60, 120, 7, 86_400, 604_800, 2_419_200].map(next),
            ["5m", "4m", "14s", "7d", "28d", "56d"]
        );
    }
}
