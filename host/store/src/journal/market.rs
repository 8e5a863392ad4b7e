//! Inputs of the market as columns, which are much smaller than rows and faster to read.
//!
//! Prices of a feed are decimals with few digits, close to one another. A column of them is kept as whole
//! numbers of the smallest place that occurs, each as the difference to what is expected: a bar opens where
//! the instrument's last one closed. What does not fit into that, such as a value with all the digits of a
//! computation, has its column kept bit by bit. Whatever the values are, they come back exactly.

use std::collections::BTreeMap;

use bulkhead_core::identifier::{InstrumentId, SignalId};
use bulkhead_core::input::{Input, InputKind};
use bulkhead_core::market::{Bar, MarketTrade, Quote, Signal};
use bulkhead_core::order::Side;
use bulkhead_core::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use super::payload::{PayloadError, decode, encode};

/// Places after the point beyond which a column is kept bit by bit.
const MOST_PLACES: u8 = 12;

/// Powers of ten up to [`MOST_PLACES`], which floating point holds exactly.
const POWERS: [f64; MOST_PLACES as usize + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12];

/// Whole numbers up to this are exact in floating point.
const LARGEST: u64 = (1 << 53) - 1;

// The numbers are part of the format.
const BAR: u8 = 0;
const QUOTE: u8 = 1;
const TRADE: u8 = 2;
const SIGNAL: u8 = 3;
const TIMER: u8 = 4;
const CHECKPOINT: u8 = 5;

/// One entry an input in the first two; the others have one an event of their kind.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Columns {
    kinds: Vec<u8>,
    /// To the input before, in nanoseconds.
    times: Vec<i64>,
    bars: Bars,
    quotes: Quotes,
    trades: Trades,
    signals: Signals,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Bars {
    instruments: Vec<u32>,
    /// To the interval of the bar before.
    intervals: Vec<i64>,
    /// From its end to the input's time.
    ages: Vec<i64>,
    /// Four a bar: open, high, low, close; see [`bar_differences`].
    prices: Numbers,
    volumes: Numbers,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Quotes {
    instruments: Vec<u32>,
    ages: Vec<i64>,
    /// Two a quote: bid and ask; see [`quote_differences`].
    prices: Numbers,
    /// Three a quote: at the bid, at the ask, liquidity.
    sizes: Numbers,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Trades {
    instruments: Vec<u32>,
    ages: Vec<i64>,
    /// See [`trade_differences`].
    prices: Numbers,
    quantities: Numbers,
    takers: Vec<Side>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Signals {
    instruments: Vec<u32>,
    ids: Vec<u32>,
    ages: Vec<i64>,
    values: Numbers,
}

/// A column of floating point numbers.
#[derive(Debug, Serialize, Deserialize)]
enum Numbers {
    /// As they are.
    Exact(Vec<f64>),
    /// Whole numbers of the last of so many places after the point, or their differences.
    Decimal(u8, Vec<i64>),
}

/// Writes a payload of inputs from the market, of time, and checkpoints.
///
/// # Errors
///
/// [`PayloadError::Unwritable`] when there is a command among them, or the compressor fails.
pub fn encode_market(inputs: &[Input]) -> Result<Vec<u8>, PayloadError> {
    encode(&Columns::of(inputs)?)
}

/// Reads what [`encode_market`] has written.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_market(encoding: i16, payload: &[u8]) -> Result<Vec<Input>, PayloadError> {
    let columns: Columns = decode(encoding, payload)?;
    let misfit = || PayloadError::Malformed("its columns do not fit together".to_owned());
    columns.into_inputs().ok_or_else(misfit)
}

impl Columns {
    fn of(inputs: &[Input]) -> Result<Self, PayloadError> {
        let mut columns = Self::default();
        let (mut bars, mut quotes, mut trades, mut signals) = (vec![], vec![], vec![], vec![]);
        let mut before = 0;
        for input in inputs {
            let time = input.time.nanos();
            columns.times.push(time.wrapping_sub(before));
            before = time;
            columns.kinds.push(match &input.kind {
                InputKind::Bar(bar) => {
                    bars.push((time, bar));
                    BAR
                }
                InputKind::Quote(quote) => {
                    quotes.push((time, quote));
                    QUOTE
                }
                InputKind::Trade(trade) => {
                    trades.push((time, trade));
                    TRADE
                }
                InputKind::Signal(signal) => {
                    signals.push((time, signal));
                    SIGNAL
                }
                InputKind::Timer => TIMER,
                InputKind::Checkpoint => CHECKPOINT,
                InputKind::Command(_) | InputKind::Venue(_) => {
                    let what = "a command, or what a venue says, is not of the market";
                    return Err(PayloadError::Unwritable(what.to_owned()));
                }
            });
        }
        columns.bars = Bars::of(&bars);
        columns.quotes = Quotes::of(&quotes);
        columns.trades = Trades::of(&trades);
        columns.signals = Signals::of(&signals);
        Ok(columns)
    }

    /// `None` when the columns are not of one set of inputs.
    fn into_inputs(self) -> Option<Vec<Input>> {
        if self.kinds.len() != self.times.len() {
            return None;
        }
        let absolute = |time: &mut i64, difference: &i64| {
            *time = time.wrapping_add(*difference);
            Some(*time)
        };
        let times: Vec<i64> = self.times.iter().scan(0, absolute).collect();
        let of = |kind: u8| -> Vec<i64> {
            let all = self.kinds.iter().zip(&times);
            all.filter(|(found, _)| **found == kind).map(|(_, time)| *time).collect()
        };
        let mut bars = self.bars.events(&of(BAR))?.into_iter();
        let mut quotes = self.quotes.events(&of(QUOTE))?.into_iter();
        let mut trades = self.trades.events(&of(TRADE))?.into_iter();
        let mut signals = self.signals.events(&of(SIGNAL))?.into_iter();
        let inputs = self.kinds.iter().zip(&times).map(|(kind, time)| {
            let kind = match *kind {
                BAR => InputKind::Bar(bars.next()?),
                QUOTE => InputKind::Quote(quotes.next()?),
                TRADE => InputKind::Trade(trades.next()?),
                SIGNAL => InputKind::Signal(signals.next()?),
                TIMER => InputKind::Timer,
                CHECKPOINT => InputKind::Checkpoint,
                _ => return None,
            };
            Some(Input { time: Timestamp::from_nanos(*time), kind })
        });
        inputs.collect()
    }
}

impl Bars {
    fn of(bars: &[(i64, &Bar)]) -> Self {
        let instruments = bars.iter().map(|(_, bar)| bar.instrument.0).collect::<Vec<_>>();
        let prices = bars.iter().flat_map(|(_, bar)| [bar.open, bar.high, bar.low, bar.close]);
        let mut before = 0;
        let interval = |(_, bar): &(i64, &Bar)| {
            let interval = bar.interval.nanos();
            interval.wrapping_sub(std::mem::replace(&mut before, interval))
        };
        let age = |(time, bar): &(i64, &Bar)| {
            time.wrapping_sub(bar.open_time.nanos()).wrapping_sub(bar.interval.nanos())
        };
        Self {
            prices: Numbers::of(prices.collect(), |prices| bar_differences(prices, &instruments)),
            volumes: Numbers::of(bars.iter().map(|(_, bar)| bar.volume).collect(), |_| {}),
            intervals: bars.iter().map(interval).collect(),
            ages: bars.iter().map(age).collect(),
            instruments,
        }
    }

    fn events(self, times: &[i64]) -> Option<Vec<Bar>> {
        let prices = self.prices.values(|prices| bar_prices(prices, &self.instruments))?;
        let volumes = self.volumes.values(|_| {})?;
        let (prices, rest) = prices.as_chunks();
        let lengths = [self.instruments.len(), self.intervals.len(), self.ages.len(), prices.len()];
        if !rest.is_empty() || !are_all(times.len(), &lengths) || volumes.len() != times.len() {
            return None;
        }
        let mut interval = 0_i64;
        let mut bars = Vec::with_capacity(times.len());
        let columns = times.iter().zip(&self.instruments).zip(&self.intervals).zip(&self.ages);
        for (((((time, instrument), difference), age), prices), volume) in columns.zip(prices).zip(volumes) {
            interval = interval.wrapping_add(*difference);
            let [open, high, low, close] = *prices;
            bars.push(Bar {
                instrument: InstrumentId(*instrument),
                interval: Span::from_nanos(interval),
                open_time: Timestamp::from_nanos(time.wrapping_sub(*age).wrapping_sub(interval)),
                open,
                high,
                low,
                close,
                volume,
            });
        }
        Some(bars)
    }
}

impl Quotes {
    fn of(quotes: &[(i64, &Quote)]) -> Self {
        let instruments = quotes.iter().map(|(_, quote)| quote.instrument.0).collect::<Vec<_>>();
        let prices = quotes.iter().flat_map(|(_, quote)| [quote.bid, quote.ask]).collect();
        let sizes = quotes.iter().flat_map(|(_, quote)| [quote.bid_size, quote.ask_size, quote.liquidity]);
        Self {
            prices: Numbers::of(prices, |prices| quote_differences(prices, &instruments)),
            sizes: Numbers::of(sizes.collect(), |_| {}),
            ages: quotes.iter().map(|(time, quote)| time.wrapping_sub(quote.time.nanos())).collect(),
            instruments,
        }
    }

    fn events(self, times: &[i64]) -> Option<Vec<Quote>> {
        let prices = self.prices.values(|prices| quote_prices(prices, &self.instruments))?;
        let sizes = self.sizes.values(|_| {})?;
        let ((prices, rest), (sizes, rest_of_sizes)) = (prices.as_chunks(), sizes.as_chunks());
        let lengths = [self.instruments.len(), self.ages.len(), prices.len(), sizes.len()];
        if !rest.is_empty() || !rest_of_sizes.is_empty() || !are_all(times.len(), &lengths) {
            return None;
        }
        let columns = times.iter().zip(&self.instruments).zip(&self.ages).zip(prices).zip(sizes);
        let quotes = columns.map(|((((time, instrument), age), prices), sizes)| {
            let ([bid, ask], [bid_size, ask_size, liquidity]) = (*prices, *sizes);
            let (instrument, time) =
                (InstrumentId(*instrument), Timestamp::from_nanos(time.wrapping_sub(*age)));
            Quote { instrument, time, bid, ask, bid_size, ask_size, liquidity }
        });
        Some(quotes.collect())
    }
}

impl Trades {
    fn of(trades: &[(i64, &MarketTrade)]) -> Self {
        let instruments = trades.iter().map(|(_, trade)| trade.instrument.0).collect::<Vec<_>>();
        let prices = trades.iter().map(|(_, trade)| trade.price).collect();
        Self {
            prices: Numbers::of(prices, |prices| trade_differences(prices, &instruments)),
            quantities: Numbers::of(trades.iter().map(|(_, trade)| trade.quantity).collect(), |_| {}),
            ages: trades.iter().map(|(time, trade)| time.wrapping_sub(trade.time.nanos())).collect(),
            takers: trades.iter().map(|(_, trade)| trade.taker).collect(),
            instruments,
        }
    }

    fn events(self, times: &[i64]) -> Option<Vec<MarketTrade>> {
        let prices = self.prices.values(|prices| trade_prices(prices, &self.instruments))?;
        let quantities = self.quantities.values(|_| {})?;
        let lengths =
            [self.instruments.len(), self.ages.len(), prices.len(), quantities.len(), self.takers.len()];
        if !are_all(times.len(), &lengths) {
            return None;
        }
        let columns = times.iter().zip(&self.instruments).zip(&self.ages).zip(prices).zip(quantities);
        let trades =
            columns.zip(self.takers).map(|(((((time, instrument), age), price), quantity), taker)| {
                MarketTrade {
                    instrument: InstrumentId(*instrument),
                    time: Timestamp::from_nanos(time.wrapping_sub(*age)),
                    price,
                    quantity,
                    taker,
                }
            });
        Some(trades.collect())
    }
}

impl Signals {
    fn of(signals: &[(i64, &Signal)]) -> Self {
        Self {
            instruments: signals.iter().map(|(_, signal)| signal.instrument.0).collect(),
            ids: signals.iter().map(|(_, signal)| signal.id.0).collect(),
            ages: signals.iter().map(|(time, signal)| time.wrapping_sub(signal.time.nanos())).collect(),
            values: Numbers::of(signals.iter().map(|(_, signal)| signal.value).collect(), |_| {}),
        }
    }

    fn events(self, times: &[i64]) -> Option<Vec<Signal>> {
        let values = self.values.values(|_| {})?;
        if !are_all(times.len(), &[self.instruments.len(), self.ids.len(), self.ages.len(), values.len()]) {
            return None;
        }
        let columns = times.iter().zip(self.instruments).zip(self.ids).zip(self.ages).zip(values);
        let signals = columns.map(|((((time, instrument), id), age), value)| Signal {
            instrument: InstrumentId(instrument),
            id: SignalId(id),
            time: Timestamp::from_nanos(time.wrapping_sub(age)),
            value,
        });
        Some(signals.collect())
    }
}

fn are_all(expected: usize, lengths: &[usize]) -> bool {
    lengths.iter().all(|length| *length == expected)
}

impl Default for Numbers {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

impl Numbers {
    /// The shortest form; `to_differences` may make whole numbers smaller.
    fn of(values: Vec<f64>, to_differences: impl FnOnce(&mut [i64])) -> Self {
        let decimal = |(places, power): (u8, &f64)| {
            let numbers: Option<Vec<i64>> = values.iter().map(|value| whole(*value, *power)).collect();
            numbers.map(|numbers| (places, numbers))
        };
        match (0..).zip(&POWERS).find_map(decimal) {
            Some((places, mut numbers)) => {
                to_differences(&mut numbers);
                Self::Decimal(places, numbers)
            }
            None => Self::Exact(values),
        }
    }

    /// `None` when there can't be so many places.
    fn values(self, from_differences: impl FnOnce(&mut [i64])) -> Option<Vec<f64>> {
        match self {
            Self::Exact(values) => Some(values),
            Self::Decimal(places, mut numbers) => {
                from_differences(&mut numbers);
                let power = POWERS.get(usize::from(places))?;
                Some(numbers.into_iter().map(|number| part(number, *power)).collect())
            }
        }
    }
}

/// How many parts of a `power`th the value is, if it is exactly so many.
#[expect(clippy::cast_possible_truncation, reason = "what does not fit is not equal afterwards")]
fn whole(value: f64, power: f64) -> Option<i64> {
    let scaled = value * power;
    let number = (scaled + 0.5_f64.copysign(scaled)) as i64;
    // Beyond that, neighbouring numbers are the same in floating point. A minus before a zero counts.
    (number.unsigned_abs() <= LARGEST && part(number, power).to_bits() == value.to_bits()).then_some(number)
}

/// So many parts of a `power`th: the floating point number that is closest to the decimal.
#[expect(clippy::cast_precision_loss, reason = "what is written is exact")]
const fn part(number: i64, power: f64) -> f64 {
    number as f64 / power
}

/// A bar is expected to open where the instrument's last one closed, to end where it opened, and to have gone
/// no further than that.
fn bar_differences(prices: &mut [i64], instruments: &[u32]) {
    let mut closes = BTreeMap::new();
    for ([open, high, low, close], instrument) in prices.as_chunks_mut().0.iter_mut().zip(instruments) {
        let before = closes.insert(instrument, *close).unwrap_or_default();
        *high = high.wrapping_sub(*open.max(close));
        *low = low.wrapping_sub(*open.min(close));
        *close = close.wrapping_sub(*open);
        *open = open.wrapping_sub(before);
    }
}

/// Turns [`bar_differences`] back.
fn bar_prices(differences: &mut [i64], instruments: &[u32]) {
    let mut closes = BTreeMap::new();
    for ([open, high, low, close], instrument) in differences.as_chunks_mut().0.iter_mut().zip(instruments) {
        let last: &mut i64 = closes.entry(instrument).or_default();
        *open = open.wrapping_add(*last);
        *close = close.wrapping_add(*open);
        *high = high.wrapping_add(*open.max(close));
        *low = low.wrapping_add(*open.min(close));
        *last = *close;
    }
}

/// A quote is expected to bid what the instrument's last one bid, and to ask no more than that.
fn quote_differences(prices: &mut [i64], instruments: &[u32]) {
    let mut bids = BTreeMap::new();
    for ([bid, ask], instrument) in prices.as_chunks_mut().0.iter_mut().zip(instruments) {
        let before = bids.insert(instrument, *bid).unwrap_or_default();
        *ask = ask.wrapping_sub(*bid);
        *bid = bid.wrapping_sub(before);
    }
}

/// Turns [`quote_differences`] back.
fn quote_prices(differences: &mut [i64], instruments: &[u32]) {
    let mut bids = BTreeMap::new();
    for ([bid, ask], instrument) in differences.as_chunks_mut().0.iter_mut().zip(instruments) {
        let last: &mut i64 = bids.entry(instrument).or_default();
        *bid = bid.wrapping_add(*last);
        *ask = ask.wrapping_add(*bid);
        *last = *bid;
    }
}

/// A trade is expected at the price of the instrument's last one.
fn trade_differences(prices: &mut [i64], instruments: &[u32]) {
    let mut last = BTreeMap::new();
    for (price, instrument) in prices.iter_mut().zip(instruments) {
        let before = last.insert(instrument, *price).unwrap_or_default();
        *price = price.wrapping_sub(before);
    }
}

/// Turns [`trade_differences`] back.
fn trade_prices(differences: &mut [i64], instruments: &[u32]) {
    let mut last = BTreeMap::new();
    for (price, instrument) in differences.iter_mut().zip(instruments) {
        let before: &mut i64 = last.entry(instrument).or_default();
        *price = price.wrapping_add(*before);
        *before = *price;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::journal::ENCODING;

    /// Prices as feeds have them, as computations leave them, and what no feed should ever have.
    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![
            6 => (-1_000_000_i64..1_000_000, 0_usize..POWERS.len()).prop_map(|(number, places)| part(number, POWERS[places])),
            2 => any::<f64>(),
            1 => any::<u64>().prop_map(f64::from_bits),
            1 => prop::sample::select(vec![0.0, -0.0, f64::NAN, f64::INFINITY, 0.1 + 0.2, 9_007_199_254_740_992.0, 1e300]),
        ]
    }

    fn input() -> impl Strategy<Value = Input> {
        let time = || prop_oneof![(0_i64..100).prop_map(|it| it * 1_000_000_000), any::<i64>()];
        let times = (time(), time().prop_map(Timestamp::from_nanos), time().prop_map(Span::from_nanos));
        let numbers = (number(), number(), number(), number(), number());
        let ids = (prop_oneof![0_u32..3, any::<u32>()], any::<u32>(), any::<bool>());
        (0_u8..6, times, ids, numbers).prop_map(
            |(kind, (known, time, interval), (instrument, id, sells), (a, b, c, d, e))| {
                let instrument = InstrumentId(instrument);
                let taker = if sells { Side::Sell } else { Side::Buy };
                let kind = match kind {
                    BAR => InputKind::Bar(Bar {
                        instrument,
                        interval,
                        open_time: time,
                        open: a,
                        high: b,
                        low: c,
                        close: d,
                        volume: e,
                    }),
                    QUOTE => InputKind::Quote(Quote {
                        instrument,
                        time,
                        bid: a,
                        ask: b,
                        bid_size: c,
                        ask_size: d,
                        liquidity: e,
                    }),
                    TRADE => InputKind::Trade(MarketTrade { instrument, time, price: a, quantity: b, taker }),
                    SIGNAL => InputKind::Signal(Signal { instrument, id: SignalId(id), time, value: a }),
                    TIMER => InputKind::Timer,
                    _ => InputKind::Checkpoint,
                };
                Input { time: Timestamp::from_nanos(known), kind }
            },
        )
    }

    /// Postcard keeps the bits of each number, so a NaN and a minus before a zero count too.
    fn bits(inputs: &[Input]) -> Vec<u8> {
        postcard::to_allocvec(inputs).unwrap()
    }

    fn decimal(bars: &[Bar]) -> bool {
        let rows: Vec<_> = bars.iter().map(|bar| (0, bar)).collect();
        matches!(Bars::of(&rows).prices, Numbers::Decimal(2, _))
    }

    fn bar(instrument: u32, prices: [f64; 4]) -> Bar {
        let [open, high, low, close] = prices;
        let (interval, open_time) = (Span::MINUTE, Timestamp::from_seconds(60));
        Bar { instrument: InstrumentId(instrument), interval, open_time, open, high, low, close, volume: 1.5 }
    }

    proptest! {
        #[test]
        fn whatever_the_inputs_are_they_come_back_to_the_last_bit(
            inputs in prop::collection::vec(input(), 0..40),
        ) {
            let payload = encode_market(&inputs).unwrap();
            let returned = decode_market(ENCODING, &payload).unwrap();
            prop_assert_eq!(bits(&returned), bits(&inputs));
        }

        #[test]
        fn every_decimal_price_of_a_feed_is_kept_as_a_whole_number(
            cents in prop::collection::vec(1_i64..100_000_000, 4),
        ) {
            let text = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100).parse::<f64>().unwrap();
            let prices = [text(cents[0]), text(cents[1]), text(cents[2]), 0.01];
            prop_assert!(decimal(&[bar(0, prices), bar(1, prices)]));
        }

        #[test]
        fn bytes_that_nobody_has_written_are_refused_or_read_but_never_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            if let Ok(columns) = postcard::from_bytes::<Columns>(&bytes) {
                let _ = columns.into_inputs();
            }
        }
    }

    #[test]
    fn columns_of_different_lengths_are_refused() {
        let inputs: Vec<Input> = [bar(0, [1.0, 2.0, 1.0, 1.5]), bar(0, [1.5, 2.0, 1.0, 1.25])]
            .map(|bar| Input { time: bar.close_time(), kind: InputKind::Bar(bar) })
            .to_vec();
        let edits: [fn(&mut Columns); 6] = [
            |columns| columns.kinds.truncate(1),
            |columns| columns.kinds[0] = 6,
            |columns| columns.kinds[0] = TIMER,
            |columns| columns.bars.instruments.truncate(1),
            |columns| columns.bars.volumes = Numbers::Exact(vec![1.0]),
            |columns| columns.bars.prices = Numbers::Decimal(13, vec![1; 8]),
        ];
        for (which, edit) in edits.into_iter().enumerate() {
            let mut columns = Columns::of(&inputs).unwrap();
            edit(&mut columns);
            let error = decode_market(ENCODING, &encode(&columns).unwrap());
            assert!(matches!(error, Err(PayloadError::Malformed(_))), "edit {which}: {error:?}");
        }
    }

    #[test]
    fn a_command_is_refused() {
        use bulkhead_core::input::{Actor, Command};

        let command = Command::Release { slot: "a".to_owned() };
        let input =
            Input { time: Timestamp::EPOCH, kind: InputKind::command(Actor::Person(String::new()), command) };
        assert!(matches!(encode_market(&[input]), Err(PayloadError::Unwritable(_))));
    }
}
