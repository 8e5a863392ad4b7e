use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::market::{Bar, MarketTrade, Quote};
use bulkhead_core::time::{Span, Timestamp};

/// A silence over more bars than this is a hole: it is not filled.
pub const MOST_REPEATED: i64 = 1_000;

/// A length that no bar has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bars of {0} can't be made: a length above zero is expected, such as 1m")]
pub struct InvalidInterval(pub Span);

/// Makes the bars of one instrument out of what is told of it and of time passing.
///
/// Bars begin at whole multiples of their length from the epoch, so days are UTC days. What is told at the moment at which
/// one bar ends and the next begins is of the next.
///
/// - Where something was traded, the prices are those of the trades, and the volume is what was traded of the base asset.
/// - Where nothing was traded, the prices are the middles of the quotes that held: the one that stood when the bar began,
///   and those that came. The volume is 0.
/// - Where nothing was told either, that is the last price over and over, so there are no holes between bars. Only a silence
///   of more than [`MOST_REPEATED`] whole bars is left out: the bar that was begun before it is completed, and the next one
///   is that in which somebody speaks again, or time passes in small steps again.
/// - Before the first price there is nothing, and a bar whose beginning was not watched is left out, as its volume would
///   be too small.
///
/// A bar is complete when time has passed its end. What is told late is of the bar that is being built: one that was handed
/// out is never changed.
#[derive(Debug, Clone)]
pub struct BarBuilder {
    instrument: InstrumentId,
    interval: Span,
    /// Time has come so far; `None` before anything was told.
    now: Option<Timestamp>,
    /// The first moment from which on everything was watched.
    since: Timestamp,
    /// The middle of the last quote; the last trade's price as long as nothing was quoted.
    price: Option<f64>,
    is_quoted: bool,
    /// The bar of the present, once there is a price in it.
    building: Option<Building>,
}

#[derive(Debug, Clone, Copy)]
struct Building {
    bar: Bar,
    is_traded: bool,
}

impl BarBuilder {
    /// Bars of this length.
    ///
    /// # Errors
    /// [`InvalidInterval`] unless the length is above zero.
    pub fn new(instrument: InstrumentId, interval: Span) -> Result<Self, InvalidInterval> {
        if interval <= Span::ZERO {
            return Err(InvalidInterval(interval));
        }
        let since = Timestamp::EPOCH;
        Ok(Self { instrument, interval, now: None, since, price: None, is_quoted: false, building: None })
    }

    /// The length of the bars.
    #[must_use]
    pub const fn interval(&self) -> Span {
        self.interval
    }

    /// Time has come to this moment. Bars that are complete with that go to `emit`, oldest first. A moment that is over
    /// already changes nothing.
    pub fn pass(&mut self, time: Timestamp, mut emit: impl FnMut(Bar)) {
        let Some(before) = self.now else {
            (self.now, self.since) = (Some(time), time);
            return;
        };
        if time <= before {
            return;
        }
        self.now = Some(time);
        let (mut open, present) = (before.floor(self.interval), time.floor(self.interval));
        if open >= present {
            return;
        }
        self.complete(open, &mut emit);
        open = open.plus(self.interval);
        let missing = present.since(open).nanos() / self.interval.nanos();
        if missing <= MOST_REPEATED {
            while open < present {
                self.complete(open, &mut emit);
                open = open.plus(self.interval);
            }
        }
    }

    /// A quote was told. One that is not sound is left out.
    pub fn quote(&mut self, quote: &Quote, emit: impl FnMut(Bar)) {
        if !quote.is_sound() {
            return;
        }
        self.pass(quote.time, emit);
        let middle = quote.middle();
        // The one that stood until now was a price of this bar, too.
        let building = self.begun();
        let held = building.unwrap_or_else(|| Building { bar: self.flat(middle), is_traded: false });
        self.building = Some(if held.is_traded { held } else { held.with(middle) });
        (self.price, self.is_quoted) = (Some(middle), true);
    }

    /// A trade was told. One that is not sound is left out.
    pub fn trade(&mut self, trade: &MarketTrade, emit: impl FnMut(Bar)) {
        if !trade.is_sound() {
            return;
        }
        self.pass(trade.time, emit);
        // Prices of quotes don't count in a bar with a trade.
        let traded = self.building.filter(|building| building.is_traded);
        let held = traded.unwrap_or_else(|| Building { bar: self.flat(trade.price), is_traded: true });
        let mut building = held.with(trade.price);
        // More than a number can be: the bar stays sound.
        building.bar.volume = (building.bar.volume + trade.quantity).min(f64::MAX);
        self.building = Some(building);
        if !self.is_quoted {
            self.price = Some(trade.price);
        }
    }

    /// The bar of the present, which begins with the price that stands.
    fn begun(&self) -> Option<Building> {
        self.building.or_else(|| Some(Building { bar: self.flat(self.price?), is_traded: false }))
    }

    /// The bar of the present in which there is one price.
    fn flat(&self, price: f64) -> Bar {
        self.flat_at(self.now.unwrap_or_default().floor(self.interval), price)
    }

    const fn flat_at(&self, open_time: Timestamp, price: f64) -> Bar {
        Bar {
            instrument: self.instrument,
            interval: self.interval,
            open_time,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 0.0,
        }
    }

    /// Hands out the bar that began at this moment, if it was watched from its beginning and there was a price.
    fn complete(&mut self, open: Timestamp, emit: &mut impl FnMut(Bar)) {
        let built = self.building.take().map(|building| building.bar);
        let bar = built.or_else(|| Some(self.flat_at(open, self.price?)));
        if let Some(bar) = bar.filter(|_| open >= self.since) {
            emit(bar);
        }
    }
}

impl Building {
    const fn with(mut self, price: f64) -> Self {
        self.bar.high = self.bar.high.max(price);
        self.bar.low = self.bar.low.min(price);
        self.bar.close = price;
        self
    }
}

#[cfg(test)]
mod tests {
    use bulkhead_core::order::Side;
    use proptest::prelude::*;

    use super::*;

    const X: InstrumentId = InstrumentId(4);

    #[derive(Debug, Clone, Copy)]
    enum Told {
        Quote(i64, f64),
        Trade(i64, f64, f64),
        Time(i64),
    }
    use Told::{Quote as Q, Time, Trade as T};

    impl Told {
        fn millis(self) -> i64 {
            match self {
                Q(at, _) | T(at, _, _) | Time(at) => at,
            }
        }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    fn quote(millis: i64, middle: f64) -> Quote {
        let (bid, ask) = (middle * 0.5, middle * 1.5);
        Quote { instrument: X, time: at(millis), bid, ask, bid_size: 0.0, ask_size: 0.0, liquidity: 0.0 }
    }

    fn trade(millis: i64, price: f64, quantity: f64) -> MarketTrade {
        MarketTrade { instrument: X, time: at(millis), price, quantity, taker: Side::Buy }
    }

    /// Bars of one second.
    fn bars(told: &[Told]) -> Vec<Bar> {
        let mut builder = BarBuilder::new(X, Span::from_seconds(1)).unwrap();
        let mut bars = Vec::new();
        for told in told {
            let emit = |bar| bars.push(bar);
            match *told {
                Q(millis, middle) => builder.quote(&quote(millis, middle), emit),
                T(millis, price, quantity) => builder.trade(&trade(millis, price, quantity), emit),
                Time(millis) => builder.pass(at(millis), emit),
            }
        }
        bars
    }

    /// Second, prices and volume.
    fn figures(told: &[Told]) -> Vec<(i64, [f64; 4], f64)> {
        let row = |bar: &Bar| (bar.open_time.seconds(), [bar.open, bar.high, bar.low, bar.close], bar.volume);
        bars(told).iter().map(row).collect()
    }

    #[test]
    fn trades_make_the_prices_and_the_volume() {
        let told = [
            Time(1_000),
            Q(1_100, 9.0),
            T(1_200, 10.0, 2.0),
            T(1_300, 12.0, 1.0),
            Q(1_400, 90.0),
            T(1_999, 11.0, 0.5),
            Time(2_000),
        ];
        assert_eq!(figures(&told), [(1, [10.0, 12.0, 10.0, 11.0], 3.5)]);
    }

    #[test]
    fn quotes_make_the_prices_where_nothing_traded() {
        let told = [Time(1_000), Q(1_500, 10.0), Q(2_100, 14.0), Q(2_200, 8.0), Q(2_300, 9.0), Time(3_000)];
        // The second bar begins with what stood.
        assert_eq!(figures(&told), [(1, [10.0; 4], 0.0), (2, [10.0, 14.0, 8.0, 9.0], 0.0)]);
    }

    #[test]
    fn a_silence_repeats_the_quote_that_stands_and_without_one_the_last_trade() {
        let told = [Time(0), Q(100, 10.0), T(200, 11.0, 1.0), Time(3_000)];
        assert_eq!(figures(&told)[1..], [(1, [10.0; 4], 0.0), (2, [10.0; 4], 0.0)]);
        let told = [Time(0), T(200, 11.0, 1.0), Time(2_999)];
        assert_eq!(figures(&told)[1..], [(1, [11.0; 4], 0.0)]);
    }

    #[test]
    fn a_bar_is_complete_at_its_end_and_what_is_told_then_is_of_the_next() {
        let told = [Time(0), T(1, 5.0, 1.0), Time(999)];
        assert!(bars(&told).is_empty());
        assert_eq!(figures(&[Time(0), T(1, 5.0, 1.0), T(1_000, 6.0, 1.0)]), [(0, [5.0; 4], 1.0)]);
    }

    #[test]
    fn there_is_nothing_before_the_first_price_and_before_somebody_watched() {
        assert!(bars(&[Time(0), Time(5_000)]).is_empty());
        assert_eq!(figures(&[Time(0), Q(1_500, 2.0), Time(2_000)]), [(1, [2.0; 4], 0.0)]);
        let late = figures(&[Q(500, 2.0), Time(2_000)]);
        assert_eq!(late, [(1, [2.0; 4], 0.0)], "half of the first second was not watched");
    }

    #[test]
    fn what_comes_late_is_of_the_bar_that_is_being_built() {
        let told = [Time(0), T(100, 5.0, 1.0), Time(1_000), T(900, 6.0, 2.0), Time(2_000)];
        assert_eq!(figures(&told), [(0, [5.0; 4], 1.0), (1, [6.0; 4], 2.0)]);
    }

    #[test]
    fn a_long_silence_is_a_hole() {
        let end = (MOST_REPEATED + 1) * 1_000;
        assert_eq!(
            bars(&[Time(0), T(1, 5.0, 1.0), Time(end)]).len(),
            usize::try_from(MOST_REPEATED).unwrap() + 1
        );
        let later = end + 1_000;
        let told = [Time(0), T(1, 5.0, 1.0), Time(later), Time(later + 1_000)];
        assert_eq!(figures(&told), [(0, [5.0; 4], 1.0), (later / 1_000, [5.0; 4], 0.0)]);
    }

    #[test]
    fn what_is_not_sound_is_left_out_and_time_has_no_end_to_run_over() {
        assert!(
            bars(&[Time(0), Q(1, f64::NAN), T(2, -1.0, 1.0), T(3, 1.0, f64::INFINITY), Time(9_000)])
                .is_empty()
        );
        let much = [Time(0), T(1, 1.0, f64::MAX), T(2, 1.0, f64::MAX), Time(1_000)];
        assert!(bars(&much)[0].is_sound());
        let mut builder = BarBuilder::new(X, Span::from_nanos(i64::MAX)).unwrap();
        let mut count = 0;
        for time in [i64::MIN, 0, i64::MAX] {
            let told = MarketTrade { time: Timestamp::from_nanos(time), ..trade(0, 1.0, 1.0) };
            builder.trade(&told, |_| count += 1);
        }
        assert!(count <= 3);
        assert_eq!(BarBuilder::new(X, Span::ZERO).unwrap_err(), InvalidInterval(Span::ZERO));
    }

    fn told() -> impl Strategy<Value = Vec<Told>> {
        let one = prop_oneof![
            (0..4_000_i64, 1.0..100.0_f64).prop_map(|(step, price)| Q(step, price)),
            (0..4_000_i64, 1.0..100.0_f64, 0.1..9.0_f64).prop_map(|(step, price, much)| T(step, price, much)),
            (0..4_000_i64).prop_map(Time),
        ];
        // Steps become moments.
        prop::collection::vec(one, 0..60).prop_map(|mut steps| {
            let mut now = 0;
            for told in &mut steps {
                now += told.millis();
                *told = match *told {
                    Q(_, price) => Q(now, price),
                    T(_, price, much) => T(now, price, much),
                    Time(_) => Time(now),
                };
            }
            steps
        })
    }

    proptest! {
        #[test]
        fn bars_are_sound_aligned_without_holes_and_hold_all_that_was_traded(told in told()) {
            let mut whole = vec![Time(0)];
            whole.extend(&told);
            let end = told.last().map_or(0, |last| last.millis()) / 1_000 * 1_000 + 1_000;
            whole.push(Time(end));
            let bars = bars(&whole);
            let first_price = told.iter().find(|told| !matches!(told, Time(_))).map(|told| told.millis() / 1_000);
            let seconds: Vec<i64> = bars.iter().map(|bar| bar.open_time.seconds()).collect();
            let expected: Vec<i64> = first_price.map_or(Vec::new(), |first| (first..end / 1_000).collect());
            prop_assert_eq!(seconds, expected);
            for bar in &bars {
                prop_assert!(bar.is_sound(), "{:?}", bar);
                prop_assert_eq!(bar.open_time, bar.open_time.floor(bar.interval));
                let within = |millis: i64| millis / 1_000 == bar.open_time.seconds();
                let traded: Vec<(f64, f64)> = told.iter().filter_map(|told| match told {
                    T(millis, price, much) if within(*millis) => Some((*price, *much)),
                    _ => None,
                }).collect();
                let volume = traded.iter().map(|(_, much)| much).sum::<f64>();
                prop_assert!((bar.volume - volume).abs() < 1e-9);
                if let (Some((first, _)), Some((last, _))) = (traded.first(), traded.last()) {
                    prop_assert_eq!((bar.open, bar.close), (*first, *last));
                    let high = traded.iter().map(|(price, _)| *price).fold(0.0, f64::max);
                    prop_assert!((bar.high - high).abs() < 1e-9);
                }
            }
        }

        #[test]
        fn it_does_not_matter_how_often_time_is_told(told in told(), extra in prop::collection::vec(0..200_000_i64, 0..20)) {
            let mut finer = vec![Time(0)];
            finer.extend(&told);
            let coarse = bars(&finer);
            let last = finer.last().map_or(0, |last| last.millis());
            finer.extend(extra.into_iter().filter(|millis| *millis <= last).map(Time));
            // Of one moment what was told stays in its order, and time comes after it.
            finer.sort_by_key(|told| told.millis());
            prop_assert_eq!(bars(&finer), coarse);
        }
    }
}
