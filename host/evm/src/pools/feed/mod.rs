//! Market data as they happen: quotes, trades and bars of some pools, pools that come to be, and the passing of time.
//!
//! [`PoolFeed::open`] holds what is configured against the contracts. [`PoolFeed::follow`] looks at the chain again and again,
//! and hands on what `inputs` makes of it. A server that fails is waited for: time goes on meanwhile, but no bar is
//! completed before it is known what happened in it.

mod health;
mod inputs;
mod new_pools;
mod opening;

use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::Address;
use bulkhead_core::identifier::SignalId;
use bulkhead_core::input::Input;
use bulkhead_core::time::{Span, Timestamp};
use tokio::time::{Instant, sleep_until};

use self::inputs::FeedInputs;
use self::new_pools::NewPools;
use super::watcher::{WatchError, Watcher, WatcherSettings};
use crate::rpc::Endpoints;

pub use self::health::FeedHealth;
pub use self::opening::{FeedStartError, WatchedMarket};

/// Time is told when nothing else was for so long.
const TIMER: Duration = Duration::from_secs(1);

/// The longest pause after failures in a row. The first is that between two looks, and it doubles each time.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How a chain is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The pause between two looks.
    pub look_every: Duration,
    /// A block is known so long after its time. A bar is completed by a block of a later time, or so long after its end; what
    /// comes later still is of the next one.
    pub blocks_arrive_within: Span,
    /// A chain without a new block for so long may be one that the servers have lost: no bar is completed and no price is
    /// said to hold before there is a block again. Time passes nevertheless.
    pub silent_after: Span,
    /// A price that holds is told again so long after it was told last, so that it is not taken for an old one.
    pub repeat_price_after: Span,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            look_every: Duration::from_secs(1),
            blocks_arrive_within: Span::from_seconds(5),
            silent_after: Span::from_seconds(120),
            repeat_price_after: Span::MINUTE,
        }
    }
}

/// Market data of some pools, from now on.
#[derive(Debug)]
pub struct PoolFeed {
    endpoints: Arc<Endpoints>,
    watcher: Watcher,
    inputs: FeedInputs,
    new_pools: Option<NewPools>,
    pace: Pace,
    health: Arc<FeedHealth>,
}

/// Contracts that make pools, and the signal by which strategies are told of those for what they trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factories {
    /// The contracts, like Uniswap V2's or V3's.
    pub addresses: Vec<Address>,
    /// The engine's number of the signal. Its value is what a new pool holds of the quote token after its first block, in whole
    /// units; the negative of that when the block was taken back.
    pub signal: SignalId,
}

impl PoolFeed {
    /// The feed of markets whose contracts are what is configured: the tokens of each pool and their decimals, and of a pool
    /// like Uniswap V3's its fee, are read from the chain. Bars have this length. Of new pools of `factories` those are told
    /// that are of a market's tokens.
    ///
    /// # Errors
    /// [`FeedStartError`] names the market, what is configured and what the chain says. [`FeedStartError::Chain`] may pass: ask
    /// again a little later.
    pub async fn open(
        endpoints: Arc<Endpoints>,
        markets: &[WatchedMarket],
        factories: Option<Factories>,
        interval: Span,
    ) -> Result<Self, FeedStartError> {
        let pools = opening::examined(&endpoints, markets).await?;
        let (makers, new_pools) = match factories {
            Some(Factories { addresses, signal }) => (addresses, Some(NewPools::new(signal, markets))),
            None => (Vec::new(), None),
        };
        opening::are_contracts(&endpoints, &makers).await?;
        let watched = pools.iter().map(|market| (market.pool, market.version)).collect();
        let settings = WatcherSettings::new(makers, watched);
        let pace = Pace::default();
        let inputs = FeedInputs::new(pools, interval, pace)?;
        let watcher = Watcher::new(settings);
        Ok(Self { endpoints, watcher, inputs, new_pools, pace, health: Arc::default() })
    }

    /// Follows the chain at another pace than the usual one.
    #[must_use]
    pub const fn at_pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self.inputs.set_pace(pace);
        self
    }

    /// How it is doing, to be read from wherever one likes, as long as one likes.
    #[must_use]
    pub fn health(&self) -> Arc<FeedHealth> {
        self.health.clone()
    }

    /// Follows the chain until `tell` returns false, which is asked about once a second at least. `now` gives the wall clock.
    ///
    /// The inputs' times never go back, whatever the chain and the wall clock do: an input's time is that of the wall clock, or
    /// of what was told before, or of its block, whichever is latest. When nothing else was told for a second there is a
    /// timer. Dropping the future stops it as well.
    pub async fn follow(self, now: impl Fn() -> Timestamp, tell: impl FnMut(Vec<Input>) -> bool) {
        let Self { endpoints, mut watcher, mut inputs, mut new_pools, pace, health } = self;
        let mut voice = Voice { now, tell, told: Instant::now() };
        let mut failures = 0_u32;
        loop {
            let mut observations = Vec::new();
            let (looked, news) = {
                let look = async {
                    let looked = watcher.look(&endpoints, &mut observations).await;
                    let news = match &mut new_pools {
                        Some(pools) => pools.news(&endpoints, &observations).await,
                        None => Vec::new(),
                    };
                    (looked, news)
                };
                let mut look = std::pin::pin!(look);
                loop {
                    tokio::select! {
                        biased;
                        looked = &mut look => break looked,
                        () = sleep_until(voice.told + TIMER) => {
                            if !voice.pass_time(&mut inputs) {
                                return;
                            }
                        }
                    }
                }
            };
            let now = (voice.now)();
            // What was told before an error stands.
            let mut found = inputs.observed(&observations, now);
            found.extend(news.iter().map(|news| inputs.signal(news, now)));
            let pause = match looked {
                Ok(()) => {
                    found.extend(inputs.looked(now));
                    note_success(&health, &watcher, failures);
                    failures = 0;
                    pace.look_every
                }
                Err(error) => {
                    note_failure(&health, &error, failures);
                    failures = failures.saturating_add(1);
                    let doubled = pace.look_every.saturating_mul(1 << (failures - 1).min(16));
                    doubled.min(LONGEST_PAUSE.max(pace.look_every))
                }
            };
            if !found.is_empty() && !voice.say(found) {
                return;
            }
            let next_look = Instant::now() + pause;
            while Instant::now() < next_look {
                sleep_until(next_look.min(voice.told + TIMER)).await;
                if voice.told.elapsed() >= TIMER && !voice.pass_time(&mut inputs) {
                    return;
                }
            }
        }
    }
}

/// To whom everything is told.
struct Voice<N, T> {
    now: N,
    tell: T,
    /// When something was told last.
    told: Instant,
}

impl<N: Fn() -> Timestamp, T: FnMut(Vec<Input>) -> bool> Voice<N, T> {
    fn say(&mut self, inputs: Vec<Input>) -> bool {
        self.told = Instant::now();
        (self.tell)(inputs)
    }

    fn pass_time(&mut self, inputs: &mut FeedInputs) -> bool {
        let timer = inputs.timer((self.now)());
        self.say(vec![timer])
    }
}

fn note_success(health: &FeedHealth, watcher: &Watcher, failures: u32) {
    if failures > 0 {
        tracing::info!(failures, "the chain can be followed again");
    }
    health.looked(watcher.newest());
}

/// Once in a row of failures; what is lost is told each time.
fn note_failure(health: &FeedHealth, error: &WatchError, before: u32) {
    let is_lost = matches!(error, WatchError::TooDeep { .. });
    if is_lost {
        tracing::error!(%error, "the chain was changed further back than is remembered");
    } else if before == 0 {
        tracing::warn!(%error, "the chain can't be followed; trying again, and no bar is completed meanwhile");
    } else {
        tracing::debug!(%error, failures = before.saturating_add(1), "the chain can't be followed yet");
    }
    health.failed(error.to_string());
}
