//! The pools of the configuration's markets, as a feed.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bulkhead_configuration::{Configuration, Evm, EvmVersion};
use bulkhead_core::identifier::{InstrumentId, SignalId};
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_evm::pools::Version;
use bulkhead_evm::pools::feed::{Factories, FeedStartError, Pace, PoolFeed, WatchedMarket};
use bulkhead_evm::rpc::Endpoints;
use bulkhead_store::clock::now;
use tokio::runtime::Handle;

use super::host::{ChainHost, Guest};
use super::settings::{contract, duration, token};
use crate::market_data::{Asking, MarketData};

/// Follows the pools, over and over: each time it is called, until nobody reads any more or it fails.
pub(crate) struct PoolFollower {
    runtime: Handle,
    guest: Guest,
    endpoints: Arc<Endpoints>,
    markets: Vec<WatchedMarket>,
    factories: Option<Factories>,
    interval: Span,
    look_every: Duration,
    data: Arc<MarketData>,
    /// Opened already, and held against the chain.
    opened: Option<PoolFeed>,
}

impl PoolFollower {
    /// Looks whether the contracts are what the configuration says.
    ///
    /// A chain that can't be asked now may be asked later; contracts that are something else are an error.
    pub(crate) fn open(
        host: &mut ChainHost,
        configuration: &Configuration,
        data: Arc<MarketData>,
    ) -> Result<Self> {
        let evm = configuration.evm.as_ref().context("the section [evm] is missing")?;
        let (runtime, guest, endpoints) = (host.handle().clone(), host.guest(), host.endpoints(evm)?);
        let (markets, interval) = (markets(evm)?, configuration.feed.interval.0);
        let look_every = duration(evm.execution.poll.0);
        let factories = factories(evm)?;
        let mut follower =
            Self { runtime, guest, endpoints, markets, factories, interval, look_every, data, opened: None };
        match follower.examine() {
            Ok(feed) => follower.opened = Some(feed),
            Err(error) if matches!(*error, FeedStartError::Chain { .. }) => {
                tracing::warn!(%error, "the chain can't be asked; there are no market data until it can be");
            }
            Err(error) => return Err(error).context("feed.source = \"pools\""),
        }
        Ok(follower)
    }

    fn examine(&self) -> Result<PoolFeed, Box<FeedStartError>> {
        let (endpoints, factories) = (Arc::clone(&self.endpoints), self.factories.clone());
        let opening = PoolFeed::open(endpoints, &self.markets, factories, self.interval);
        let feed = self.runtime.block_on(opening).map_err(Box::new)?;
        Ok(feed.at_pace(Pace { look_every: self.look_every, ..Pace::default() }))
    }

    /// Hands on what happens.
    pub(crate) fn follow(&mut self) -> Result<()> {
        let feed = match self.opened.take() {
            Some(feed) => feed,
            None => self.examine()?,
        };
        let (data, health) = (&self.data, feed.health());
        data.asked_by(move || Asking {
            newest: health
                .last_block()
                .map(|block| Timestamp::from_seconds(i64::try_from(block.timestamp).unwrap_or(i64::MAX))),
            failures: health.failures(),
            failing: health.failing(),
        });
        let following = feed.follow(now, |inputs| data.hand_in(&inputs));
        self.runtime.block_on(self.guest.until_over(following));
        Ok(())
    }
}

/// New pools are the one signal that there is on such a chain, see [`MarketData`].
fn factories(evm: &Evm) -> Result<Option<Factories>> {
    let addresses: Vec<_> = evm.factories.iter().map(|factory| contract(factory)).collect::<Result<_>>()?;
    Ok((!addresses.is_empty()).then_some(Factories { addresses, signal: SignalId(0) }))
}

/// The markets have the numbers of their symbols' order, as the instruments do.
fn markets(evm: &Evm) -> Result<Vec<WatchedMarket>> {
    let named = |symbol: &str| {
        let found = evm.tokens.get(symbol);
        token(symbol, found.with_context(|| format!("there is no token {symbol} in evm.tokens"))?)
    };
    let market = |(number, (symbol, market)): (u32, (&String, &bulkhead_configuration::EvmMarket))| {
        Ok(WatchedMarket {
            instrument: InstrumentId(number),
            symbol: symbol.clone(),
            pool: contract(&market.pool.address)?,
            version: match market.pool.version {
                EvmVersion::V2 => Version::V2,
                EvmVersion::V3 => Version::V3,
            },
            fee: market.pool.fee,
            base: named(&market.base)?,
            quote: named(&evm.currency)?,
        })
    };
    (0..).zip(&evm.markets).map(market).collect()
}
