//! Made-up markets, and how an extractor sees them.

use bulkhead_ai_features::{Extractor, Row, SignalKind};
use bulkhead_sdk::{Bar, Quote, Timestamp};

/// What an extractor is handed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    Bar(Bar),
    Quote(Quote),
    Signal(u32, SignalKind, Timestamp, f64),
}

/// Hands the event over.
pub(crate) fn feed(extractor: &mut Extractor, event: &Event) -> Option<Row> {
    match *event {
        Event::Bar(bar) => extractor.on_bar(&bar),
        Event::Quote(quote) => {
            extractor.on_quote(&quote);
            None
        }
        Event::Signal(instrument, kind, time, value) => {
            extractor.on_signal(instrument, kind, time, value);
            None
        }
    }
}

/// The row of every event that gave one.
pub(crate) fn rows(events: &[Event]) -> Vec<Option<Row>> {
    let mut extractor = Extractor::new();
    events.iter().map(|event| feed(&mut extractor, event)).collect()
}

/// Knuth's linear congruential generator: all that a made-up market needs.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// From 0 to below 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let [a, b, c, d, ..] = self.0.to_be_bytes();
        f64::from(u32::from_be_bytes([a, b, c, d])) / 4_294_967_296.0
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }
}

/// A Friday, an hour before midnight, so that a run goes on into a weekend.
pub(crate) const START: u32 = 1_700_262_000;

/// Three instruments over so many minutes. The first has quotes and signals, the second neither volume nor the minutes
/// that end in 7, the third comes in late and stands still at times.
pub(crate) fn market(seed: u64, minutes: u32) -> Vec<Event> {
    let mut random = Random(seed);
    let mut closes = [30_000.0, 1.5, 0.000_02];
    let mut events = Vec::new();
    for minute in 0..minutes {
        let open_time = START + 60 * minute;
        let shared = random.between(-0.002, 0.002);
        for (instrument, last) in (0..).zip(&mut closes) {
            let has_bar = match instrument {
                1 => minute % 10 != 7,
                2 => minute >= 40,
                _ => true,
            };
            if !has_bar {
                continue;
            }
            let stands_still = instrument == 2 && minute % 90 > 70;
            let bar = if stands_still {
                bar(instrument, open_time, [*last; 4], 0.0)
            } else {
                let open = *last * (1.0 + random.between(-0.0003, 0.0003));
                let close = open * (1.0 + 0.5 * shared + random.between(-0.003, 0.003));
                let high = open.max(close) * (1.0 + random.between(0.0, 0.001));
                let low = open.min(close) * (1.0 - random.between(0.0, 0.001));
                let volume = if instrument == 1 { 0.0 } else { random.between(0.0, 500.0) };
                *last = close;
                bar(instrument, open_time, [open, high, low, close], volume)
            };
            events.push(Event::Bar(bar));
        }
        let time = Timestamp::from_seconds(open_time + 60);
        if random.chance(0.7) {
            let half = random.between(0.0001, 0.002);
            let middle = closes[0] * random.between(0.999, 1.001);
            let has_sizes = random.chance(0.8);
            let size = |random: &mut Random| if has_sizes { random.between(0.1, 9.0) } else { 0.0 };
            events.push(Event::Quote(Quote {
                instrument: 0,
                time,
                bid: middle * (1.0 - half),
                ask: middle * (1.0 + half),
                bid_size: size(&mut random),
                ask_size: size(&mut random),
                liquidity: if random.chance(0.9) { random.between(1e5, 1e7) } else { 0.0 },
            }));
        }
        if random.chance(0.25) {
            let share = random.uniform();
            let place = (1u8..5).take_while(|number| share >= f64::from(*number) / 5.0).count();
            let kind = SignalKind::ALL[place];
            let value = match kind {
                SignalKind::Sentiment => random.between(-1.0, 1.0),
                SignalKind::Mentions => random.between(0.0, 90.0).floor(),
                _ => random.uniform(),
            };
            events.push(Event::Signal(0, kind, time, value));
        }
    }
    events
}

/// A bar of a minute, from open, high, low and close.
pub(crate) fn bar(instrument: u32, open_time: u32, [open, high, low, close]: [f64; 4], volume: f64) -> Bar {
    let open_time = Timestamp::from_seconds(open_time);
    Bar { instrument, interval: 60, open_time, open, high, low, close, volume }
}
