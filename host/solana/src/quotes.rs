//! Market data as they happen: what the aggregator would give for a sum of the currency, and for what that buys. That is
//! what an order of about that size gets, fees of the pools among it, which no single pool's price says.
//!
//! The aggregator is asked for one market after the other. Where it does not answer, time goes on, and no bar is completed
//! before there is a price again: the hole is left to `BarBuilder` then.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::{Input, InputKind};
use bulkhead_core::market::Quote;
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_feeds::bars::{BarBuilder, InvalidInterval};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use solana_address::Address;
use tokio::time::{Instant, sleep_until};

use crate::amounts::{AmountError, from_units, to_units_down};
use crate::jupiter::{Ask, SwapApi, SwapError};
use crate::settings::Market;

/// Time is told when nothing else was for so long.
const TIMER: Duration = Duration::from_secs(1);

/// A market and how it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedMarket {
    /// What is traded.
    pub market: Market,
    /// So much of the currency is asked with, about what an order is worth.
    pub probe: Decimal,
}

/// Why there can be no such feed.
#[derive(Debug, thiserror::Error)]
pub enum QuoteFeedError {
    /// The sum can't be asked with.
    #[error("{symbol}: the sum that prices are asked with: {error}")]
    Probe {
        /// The token that is traded.
        symbol: String,
        /// What is wrong with it.
        error: AmountError,
    },
    /// The sum is nothing.
    #[error("{symbol}: the sum that prices are asked with is less than the smallest unit of the currency")]
    NoProbe {
        /// The token that is traded.
        symbol: String,
    },
    /// There are no such bars.
    #[error(transparent)]
    Interval(#[from] InvalidInterval),
}

/// How a feed is doing.
#[derive(Debug, Default)]
pub struct QuoteFeedHealth(Mutex<Health>);

#[derive(Debug, Clone, Default)]
struct Health {
    last_quote: Option<Timestamp>,
    failures: u64,
    failing: Option<String>,
}

impl QuoteFeedHealth {
    /// When a price was told last.
    #[must_use]
    pub fn last_quote(&self) -> Option<Timestamp> {
        self.lock().last_quote
    }

    /// How many questions brought no price so far.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.lock().failures
    }

    /// Why the last question brought none; `None` when it brought one. No address of a server is in it.
    #[must_use]
    pub fn failing(&self) -> Option<String> {
        self.lock().failing.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Health> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Prices of some markets, from now on.
pub struct QuoteFeed {
    swaps: Arc<dyn SwapApi>,
    markets: Vec<Watched>,
    /// The pause between two prices of a market.
    every: Duration,
    health: Arc<QuoteFeedHealth>,
}

struct Watched {
    market: Market,
    probe: u64,
    bars: BarBuilder,
    due: Instant,
}

impl QuoteFeed {
    /// A feed that asks for the price of each market so often, and makes bars of this length. Must be made within a runtime.
    ///
    /// # Errors
    ///
    /// [`QuoteFeedError`] names the market that can't be asked for.
    pub fn new(
        swaps: Arc<dyn SwapApi>,
        markets: Vec<WatchedMarket>,
        every: Duration,
        interval: Span,
    ) -> Result<Self, QuoteFeedError> {
        let due = Instant::now();
        let watched = |WatchedMarket { market, probe }: WatchedMarket| {
            let symbol = market.base.symbol.clone();
            let units = to_units_down(probe, market.quote.decimals);
            let units = units.map_err(|error| QuoteFeedError::Probe { symbol: symbol.clone(), error })?;
            if units == 0 {
                return Err(QuoteFeedError::NoProbe { symbol });
            }
            let bars = BarBuilder::new(market.instrument, interval)?;
            Ok(Watched { market, probe: units, bars, due })
        };
        let markets = markets.into_iter().map(watched).collect::<Result<_, _>>()?;
        Ok(Self { swaps, markets, every, health: Arc::default() })
    }

    /// How it is doing, to be read from wherever one likes, as long as one likes.
    #[must_use]
    pub fn health(&self) -> Arc<QuoteFeedHealth> {
        Arc::clone(&self.health)
    }

    /// Asks until `tell` returns false, which is asked about once a second at least. `now` gives the wall clock.
    ///
    /// The inputs' times never go back, whatever the wall clock does. Dropping the future stops it as well.
    pub async fn follow(mut self, now: impl Fn() -> Timestamp, mut tell: impl FnMut(Vec<Input>) -> bool) {
        let mut spoke = Instant::now();
        // An input's time is never before that of another one.
        let mut told = Timestamp::EPOCH;
        loop {
            let next =
                (0..self.markets.len()).min_by_key(|place| self.markets.get(*place).map(|one| one.due));
            let Some((place, due)) = next.and_then(|place| Some((place, self.markets.get(place)?.due)))
            else {
                return;
            };
            let found = {
                let asked = async {
                    sleep_until(due).await;
                    self.price(place).await
                };
                let mut asked = std::pin::pin!(asked);
                loop {
                    tokio::select! {
                        biased;
                        found = &mut asked => break found,
                        () = sleep_until(spoke + TIMER) => {
                            spoke = Instant::now();
                            told = told.max(now());
                            if !tell(vec![Input { time: told, kind: InputKind::Timer }]) {
                                return;
                            }
                        }
                    }
                }
            };
            told = told.max(now());
            let inputs = self.take_up(place, &found, told);
            if !inputs.is_empty() {
                spoke = Instant::now();
                if !tell(inputs) {
                    return;
                }
            }
        }
    }

    /// What the sum buys, and what that brings when it is sold again.
    async fn price(&self, place: usize) -> Result<Price, SwapError> {
        let Some(Watched { market, probe, .. }) = self.markets.get(place) else {
            return Err(SwapError::Misfit("there is no such market".to_owned()));
        };
        let ask = |input: Address, output: Address, amount| Ask {
            input,
            output,
            amount,
            slippage_bps: 0,
            taker: Address::default(),
            venues: Vec::new(),
        };
        let (base, quote) = (market.base.mint, market.quote.mint);
        let bought = self.swaps.quote(&ask(quote, base, *probe)).await?;
        let sold = self.swaps.quote(&ask(base, quote, bought.out_amount.max(1))).await?;
        let float = |units, decimals| from_units(units, decimals).to_f64().unwrap_or(f64::NAN);
        let quantity = float(bought.out_amount, market.base.decimals);
        let ask = float(bought.in_amount, market.quote.decimals) / quantity;
        let bid = float(sold.out_amount, market.quote.decimals) / quantity;
        if !ask.is_finite() || !bid.is_finite() || ask <= 0.0 || bid <= 0.0 {
            let symbol = &market.base.symbol;
            return Err(SwapError::Misfit(format!("{symbol}: a price of {bid} to {ask} makes no sense")));
        }
        // A round trip that pays is an answer of two moments.
        Ok(Price { bid: bid.min(ask), ask, quantity })
    }

    fn take_up(&mut self, place: usize, found: &Result<Price, SwapError>, time: Timestamp) -> Vec<Input> {
        let mut inputs = Vec::new();
        let Some(watched) = self.markets.get_mut(place) else { return inputs };
        watched.due = Instant::now() + self.every;
        let instrument = watched.market.instrument;
        self.health.note(found, time);
        let Ok(Price { bid, ask, quantity }) = *found else { return inputs };
        watched.bars.pass(time, |bar| inputs.push(Input { time, kind: InputKind::Bar(bar) }));
        let quote =
            Quote { instrument, time, bid, ask, bid_size: quantity, ask_size: quantity, liquidity: 0.0 };
        watched.bars.quote(&quote, |_| {});
        inputs.push(Input { time, kind: InputKind::Quote(quote) });
        inputs
    }

    /// The instruments, in the order in which they are asked for first.
    #[must_use]
    pub fn instruments(&self) -> Vec<InstrumentId> {
        self.markets.iter().map(|watched| watched.market.instrument).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Price {
    bid: f64,
    ask: f64,
    quantity: f64,
}

impl QuoteFeedHealth {
    /// Once in a row of failures for people; the last one for whoever looks.
    fn note(&self, found: &Result<Price, SwapError>, now: Timestamp) {
        let mut health = self.lock();
        match found {
            Ok(_) => {
                if let Some(why) = health.failing.take() {
                    tracing::info!(why, "prices can be asked for again");
                }
                health.last_quote = Some(now);
            }
            Err(error) => {
                health.failures = health.failures.saturating_add(1);
                if health.failing.is_none() {
                    tracing::warn!(%error, "there is no price; asking again, and no bar is completed meanwhile");
                } else {
                    tracing::debug!(%error, "there is no price yet");
                }
                health.failing = Some(error.to_string());
            }
        }
    }
}
