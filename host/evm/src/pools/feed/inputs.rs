//! From what the watcher tells, and the wall clock, to inputs of the engine. It asks nobody.

use std::collections::BTreeMap;

use alloy::primitives::B256;
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::{Input, InputKind};
use bulkhead_core::market::{Bar, Quote, Signal};
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_feeds::bars::{BarBuilder, InvalidInterval};

use super::Pace;
use super::new_pools::News;
use crate::pools::market::{PoolMarket, PoolMarkets};
use crate::pools::watcher::Observation;

/// How many prices of a pool are remembered, for when blocks are taken back.
const REMEMBERED: usize = 256;

/// A block of a time further ahead of the wall clock is told as one of this time: else a server that made a time up would
/// stop the clock until then.
const MOST_AHEAD: Span = Span::from_seconds(15 * 60);

/// What is told of some pools.
#[derive(Debug)]
pub(super) struct FeedInputs {
    markets: PoolMarkets,
    watched: BTreeMap<InstrumentId, Watched>,
    pace: Pace,
    /// The time of the newest input.
    told: Timestamp,
    /// The time of the newest block.
    reached: Timestamp,
}

#[derive(Debug)]
struct Watched {
    bars: BarBuilder,
    /// The price that holds.
    quote: Option<Quote>,
}

/// A quote that waits for the trade of the same transaction.
#[derive(Debug, Clone, Copy)]
struct Held {
    quote: Quote,
    transaction: Option<B256>,
}

impl FeedInputs {
    pub(super) fn new(pools: Vec<PoolMarket>, interval: Span, pace: Pace) -> Result<Self, InvalidInterval> {
        let mut watched = BTreeMap::new();
        for market in &pools {
            let bars = BarBuilder::new(market.instrument, interval)?;
            watched.insert(market.instrument, Watched { bars, quote: None });
        }
        let markets = PoolMarkets::new(pools, REMEMBERED);
        Ok(Self { markets, watched, pace, told: Timestamp::EPOCH, reached: Timestamp::EPOCH })
    }

    pub(super) const fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// Time, when there is nothing else.
    pub(super) fn timer(&mut self, now: Timestamp) -> Input {
        self.told = self.told.max(now);
        Input { time: self.told, kind: InputKind::Timer }
    }

    /// A pool came to be, or is gone again.
    pub(super) fn signal(&mut self, news: &News, now: Timestamp) -> Input {
        self.told = self.told.max(now);
        let News { signal, instrument, timestamp, value } = *news;
        // What is taken back is so only now.
        let time = if value.is_sign_negative() { self.told } else { time_of(timestamp).min(self.told) };
        Input { time: self.told, kind: InputKind::Signal(Signal { instrument, id: signal, time, value }) }
    }

    /// What the watcher told, at this moment of the wall clock.
    pub(super) fn observed(&mut self, observations: &[Observation], now: Timestamp) -> Vec<Input> {
        let mut out = Vec::new();
        let mut held: Option<Held> = None;
        for observation in observations {
            let observation = not_ahead(observation, now);
            let transaction = match &observation {
                Observation::Seen(seen) => seen.transaction,
                Observation::Undone(_) | Observation::Reached(_) => None,
            };
            for (time, kind) in self.markets.inputs(std::slice::from_ref(&observation)) {
                // A pool says what its price is before it says who moved it; told is first the trade, then the price it left.
                let of_trade = matches!(&kind, InputKind::Trade(trade)
                    if held.is_some_and(|held| held.quote.instrument == trade.instrument
                        && held.transaction == transaction && transaction.is_some()));
                let waiting = if of_trade { held.take() } else { None };
                self.tell_held(&mut held, now, &mut out);
                self.complete(time, now, &mut out);
                match kind {
                    InputKind::Quote(quote) => held = Some(Held { quote, transaction }),
                    kind => self.tell(kind, time, now, &mut out),
                }
                if let Some(Held { quote, .. }) = waiting {
                    self.tell(InputKind::Quote(quote), quote.time, now, &mut out);
                }
            }
            if let Observation::Reached(block) = observation {
                self.tell_held(&mut held, now, &mut out);
                self.reached = self.reached.max(time_of(block.timestamp));
                self.complete(self.reached, now, &mut out);
            }
        }
        self.tell_held(&mut held, now, &mut out);
        out
    }

    /// A look went well: all blocks that there are were told.
    pub(super) fn looked(&mut self, now: Timestamp) -> Vec<Input> {
        let mut out = Vec::new();
        if now.since(self.reached) > self.pace.silent_after {
            return out;
        }
        let known = self.reached.max(now.minus(self.pace.blocks_arrive_within));
        self.complete(known, now, &mut out);
        let due = |quote: &Quote| known.since(quote.time) >= self.pace.repeat_price_after;
        let standing = self.watched.values().filter_map(|watched| watched.quote);
        let again: Vec<Quote> = standing.filter(due).map(|quote| Quote { time: known, ..quote }).collect();
        for quote in again {
            self.tell(InputKind::Quote(quote), known, now, &mut out);
        }
        out
    }

    fn tell_held(&mut self, held: &mut Option<Held>, now: Timestamp, out: &mut Vec<Input>) {
        if let Some(Held { quote, .. }) = held.take() {
            self.tell(InputKind::Quote(quote), quote.time, now, out);
        }
    }

    /// Everything up to this moment was told.
    fn complete(&mut self, known: Timestamp, now: Timestamp, out: &mut Vec<Input>) {
        let mut bars: Vec<Bar> = Vec::new();
        for watched in self.watched.values_mut() {
            watched.bars.pass(known, |bar| bars.push(bar));
        }
        bars.sort_by_key(|bar| (bar.open_time, bar.instrument));
        for bar in bars {
            let time = bar.close_time();
            self.tell(InputKind::Bar(bar), time, now, out);
            // A trade's price is what was paid on the way, and not the one that holds since.
            let quote = self.watched.get(&bar.instrument).and_then(|watched| watched.quote);
            if let Some(quote) = quote.filter(|_| bar.volume > 0.0) {
                self.tell(InputKind::Quote(Quote { time, ..quote }), time, now, out);
            }
        }
    }

    fn tell(&mut self, kind: InputKind, time: Timestamp, now: Timestamp, out: &mut Vec<Input>) {
        // Whoever comes here has completed the bars before: none comes out.
        match &kind {
            InputKind::Quote(quote) => {
                if let Some(watched) = self.watched.get_mut(&quote.instrument) {
                    watched.bars.quote(quote, |_| {});
                    watched.quote = Some(*quote);
                }
            }
            InputKind::Trade(trade) => {
                if let Some(watched) = self.watched.get_mut(&trade.instrument) {
                    watched.bars.trade(trade, |_| {});
                }
            }
            _ => {}
        }
        self.told = self.told.max(now).max(time);
        out.push(Input { time: self.told, kind });
    }
}

fn time_of(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}

fn not_ahead(observation: &Observation, now: Timestamp) -> Observation {
    let last = u64::try_from(now.plus(MOST_AHEAD).seconds()).unwrap_or_default();
    let mut observation = observation.clone();
    let block = match &mut observation {
        Observation::Seen(seen) | Observation::Undone(seen) => &mut seen.block,
        Observation::Reached(block) => block,
    };
    block.timestamp = block.timestamp.min(last);
    observation
}
