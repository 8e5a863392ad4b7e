//! The standard series: a price from a fixed seed, and a broker that fills everything at once.

use std::collections::VecDeque;

use bulkhead_core::identifier::{InstrumentId, OrderTag, SignalId};
use bulkhead_core::market::{Bar, MarketTrade, Quote, Signal};
use bulkhead_core::order::Side;
use bulkhead_core::strategy::{
    Action, Amount, CapitalUpdate, Event, FillCause, FillEvent, Intent, Needs, OrderStatus, OrderUpdate,
    PositionUpdate, Proposal,
};
use bulkhead_core::time::{Span, Timestamp};

const INSTRUMENT: InstrumentId = InstrumentId(0);
/// 2024-01-01T00:00:00Z, on the border of every interval.
const BEGIN: Timestamp = Timestamp::from_seconds(1_704_067_200);
const START_PRICE: f64 = 100.0;
const CASH: f64 = 10_000.0;
const FEE_RATE: f64 = 0.001;

/// The series as seen by one strategy.
#[derive(Debug)]
pub(super) struct Series {
    needs: Needs,
    random: u64,
    now: Timestamp,
    price: f64,
    /// The unfinished bar of each interval that is wanted.
    bars: Vec<(Span, Option<Bar>)>,
    next: VecDeque<Event>,
    cash: f64,
    quantity: f64,
    entry: f64,
    realised: f64,
}

impl Series {
    pub(super) fn new(needs: &Needs) -> Self {
        // Zero asks for the feed's own bars, which are of a minute here.
        let mut intervals: Vec<Span> =
            needs.bar_intervals.iter().map(|interval| (*interval).max(Span::MINUTE)).collect();
        intervals.sort_unstable();
        intervals.dedup();
        Self {
            needs: needs.clone(),
            random: 0x0b57_ac1e,
            now: BEGIN,
            price: START_PRICE,
            bars: intervals.into_iter().map(|interval| (interval, None)).collect(),
            next: VecDeque::new(),
            cash: CASH,
            quantity: 0.0,
            entry: 0.0,
            realised: 0.0,
        }
    }

    /// The next event of this minute.
    pub(super) fn next(&mut self) -> Option<Event> {
        self.next.pop_front()
    }

    /// A number from -1 to 1 (splitmix64).
    fn draw(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or(0);
        f64::from(bits) / f64::from(u32::MAX) * 2.0 - 1.0
    }

    /// Moves on to a minute and puts in line what happens in it.
    pub(super) fn advance(&mut self, minute: u32) {
        let open_time = BEGIN.plus(Span::MINUTE.times(i64::from(minute)));
        self.now = open_time.plus(Span::MINUTE);
        // Calm and stormy hours, so that strategies that wait for either find it.
        let step = if (minute / 120).is_multiple_of(3) { 0.02 } else { 0.004 };
        let open = self.price;
        // Drawn back to where it began, so that it neither vanishes nor runs away.
        let pull = (START_PRICE - open) / START_PRICE * 0.01;
        let close = open * (1.0 + self.draw() * step + pull);
        let (high, low) = (open.max(close) * (1.0 + step * 0.1), open.min(close) * (1.0 - step * 0.1));
        let volume = 100.0 * (1.5 + self.draw()) * if step > 0.01 { 3.0 } else { 1.0 };
        self.price = close;
        let (instrument, time) = (INSTRUMENT, self.now);
        if self.needs.quotes {
            let (bid, ask) = (close * 0.9995, close * 1.0005);
            self.next.push_back(Event::Quote(Quote {
                instrument,
                time,
                bid,
                ask,
                bid_size: 5.0,
                ask_size: 5.0,
                liquidity: 1_000_000.0,
            }));
        }
        if self.needs.trades {
            let taker = if close >= open { Side::Buy } else { Side::Sell };
            self.next.push_back(Event::Trade(MarketTrade {
                instrument,
                time,
                price: close,
                quantity: 1.0,
                taker,
            }));
        }
        for id in (0..).map(SignalId).take(self.needs.signals.len()) {
            let value = self.draw();
            self.next.push_back(Event::Signal(Signal { instrument, id, time, value }));
        }
        let bar = Bar { instrument, interval: Span::MINUTE, open_time, open, high, low, close, volume };
        self.add_to_bars(&bar);
        if let Some(timer) = self.needs.timer
            && self.now.floor(timer) > open_time.floor(timer)
        {
            self.next.push_back(Event::Timer(self.now.floor(timer)));
        }
    }

    /// Longer bars are put together from minutes.
    fn add_to_bars(&mut self, minute: &Bar) {
        for (interval, unfinished) in &mut self.bars {
            let bar = unfinished.get_or_insert(Bar {
                interval: *interval,
                open_time: minute.open_time.floor(*interval),
                volume: 0.0,
                ..*minute
            });
            bar.high = bar.high.max(minute.high);
            bar.low = bar.low.min(minute.low);
            bar.close = minute.close;
            bar.volume += minute.volume;
            if bar.close_time() <= self.now {
                self.next.push_back(Event::Bar(*bar));
                *unfinished = None;
            }
        }
    }

    /// Does what an action asks for. Limit orders, too, are filled at the last price.
    pub(super) fn act(&mut self, action: &Action) {
        let Proposal::Submit(submit) = &action.proposal else { return };
        let (instrument, time, price) = (INSTRUMENT, self.now, self.price);
        let equity = self.cash + self.quantity * price;
        let amount = |amount: Amount| match amount {
            Amount::Standard => equity * 0.02 / price,
            Amount::Quantity(quantity) => quantity,
            Amount::Notional(money) => money / price,
            Amount::CapitalShare(share) => equity * share / price,
        };
        let change = match submit.intent {
            Intent::Buy(wanted) => amount(wanted),
            Intent::Sell(wanted) => -amount(wanted),
            Intent::Target(quantity) => quantity - self.quantity,
            Intent::Close => -self.quantity,
        };
        let change = change.clamp(-self.quantity, self.cash.max(0.0) / (price * (1.0 + FEE_RATE)));
        let update = |status, filled, reason: &str| {
            Event::Order(OrderUpdate {
                tag: submit.tag,
                instrument,
                time,
                status,
                filled,
                reason: reason.to_owned(),
            })
        };
        if change.abs() * price < 0.01 {
            let reason = "SIZE_TOO_SMALL: nothing is left to trade";
            self.next.push_back(update(OrderStatus::Denied, 0.0, reason));
            return;
        }
        self.next.push_back(update(OrderStatus::Accepted, 0.0, ""));
        self.fill(submit.tag, change);
        self.next.push_back(update(OrderStatus::Filled, change.abs(), ""));
        let (quantity, average_price, realised) = (self.quantity, self.entry, self.realised);
        self.next.push_back(Event::Position(PositionUpdate {
            instrument,
            time,
            quantity,
            average_price,
            realised,
        }));
        let equity = self.cash + self.quantity * price;
        self.next.push_back(Event::Capital(CapitalUpdate { time, equity, free_cash: self.cash }));
    }

    fn fill(&mut self, tag: OrderTag, change: f64) {
        let (price, fee) = (self.price, change.abs() * self.price * FEE_RATE);
        self.cash -= change * price + fee;
        let before = self.quantity;
        self.quantity += change;
        if change > 0.0 {
            if before <= 0.0 {
                self.realised = 0.0;
            }
            self.entry = (before * self.entry + change * price) / self.quantity;
        } else {
            self.realised += (price - self.entry) * -change;
            if self.quantity < 1e-9 {
                (self.quantity, self.entry) = (0.0, 0.0);
            }
        }
        self.realised -= fee;
        self.next.push_back(Event::Fill(FillEvent {
            tag,
            instrument: INSTRUMENT,
            time: self.now,
            side: if change > 0.0 { Side::Buy } else { Side::Sell },
            price,
            quantity: change.abs(),
            fee,
            cause: FillCause::Order,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feeds_own_bars_are_of_a_minute() {
        let intervals = vec![Span::ZERO, Span::from_seconds(1), Span::MINUTE];
        let mut series = Series::new(&Needs { bar_intervals: intervals, ..Needs::default() });
        series.advance(0);
        assert!(matches!(series.next(), Some(Event::Bar(bar)) if bar.interval == Span::MINUTE));
        assert_eq!(series.next(), None, "the same bar came twice");
    }

    #[test]
    fn longer_bars_hold_the_shorter_ones() {
        let needs = Needs { bar_intervals: vec![Span::MINUTE, Span::from_seconds(300)], ..Needs::default() };
        let mut series = Series::new(&needs);
        let (mut short, mut long) = (Vec::new(), Vec::new());
        for minute in 0..50 {
            series.advance(minute);
            while let Some(Event::Bar(bar)) = series.next() {
                assert!(bar.is_sound(), "{bar:?}");
                if bar.interval == Span::MINUTE { short.push(bar) } else { long.push(bar) }
            }
        }
        assert_eq!((short.len(), long.len()), (50, 10));
        for (five, one) in long.iter().zip(short.chunks(5)) {
            assert_eq!(five.open.to_bits(), one[0].open.to_bits());
            assert_eq!(five.close.to_bits(), one[4].close.to_bits());
            assert_eq!(five.open_time, one[0].open_time);
        }
    }
}
