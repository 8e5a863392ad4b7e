//! The prices of the configuration's markets, as a feed.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bulkhead_configuration::Configuration;
use bulkhead_core::time::Span;
use bulkhead_solana::jupiter::SwapApi;
use bulkhead_solana::quotes::{QuoteFeed, WatchedMarket};
use bulkhead_store::clock::now;
use tokio::runtime::Handle;

use super::super::host::{ChainHost, Guest};
use super::super::settings::duration;
use super::settings;
use crate::market_data::{Asking, MarketData};

/// Asks for prices, over and over: each time it is called, until nobody reads any more.
pub(crate) struct QuoteFollower {
    runtime: Handle,
    guest: Guest,
    swaps: Arc<dyn SwapApi>,
    markets: Vec<WatchedMarket>,
    every: Duration,
    interval: Span,
    data: Arc<MarketData>,
}

impl QuoteFollower {
    /// What the configuration says.
    pub(crate) fn open(
        host: &mut ChainHost,
        configuration: &Configuration,
        data: Arc<MarketData>,
    ) -> Result<Self> {
        let solana = configuration.solana.as_ref().context("the section [solana] is missing")?;
        let swaps = host.swaps(solana)?;
        let follower = Self {
            runtime: host.handle().clone(),
            guest: host.guest(),
            swaps,
            markets: settings::watched(solana)?,
            every: duration(solana.swaps.quote_every.0),
            interval: configuration.feed.interval.0,
            data,
        };
        // What can't be asked for is an error at the start.
        follower.feed().context("feed.source = \"quotes\"")?;
        Ok(follower)
    }

    fn feed(&self) -> Result<QuoteFeed> {
        let _within = self.runtime.enter();
        Ok(QuoteFeed::new(Arc::clone(&self.swaps), self.markets.clone(), self.every, self.interval)?)
    }

    /// Hands on what happens.
    pub(crate) fn follow(&self) -> Result<()> {
        let feed = self.feed()?;
        let health = feed.health();
        self.data.asked_by(move || Asking {
            newest: health.last_quote(),
            failures: health.failures(),
            failing: health.failing(),
        });
        let following = feed.follow(now, |inputs| self.data.hand_in(&inputs));
        self.runtime.block_on(self.guest.until_over(following));
        Ok(())
    }
}
