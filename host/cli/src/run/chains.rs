//! Chains at work: the executors of those accounts that trade on them, and the feed of their pools.

use std::sync::Arc;

use anyhow::Result;
use bulkhead_configuration::{Configuration, FeedSource};

use super::supervision::Task;
use super::{Reports, StartOutside};
use crate::arguments::RunArguments;
use crate::chain::consent;
use crate::chain::host::ChainHost;
use crate::chain::pools::PoolFollower;
#[cfg(feature = "solana")]
use crate::chain::solana::quotes::QuoteFollower;
#[cfg(feature = "solana")]
use crate::chain::solana::wallets::WalletFollower;
use crate::doctor;
use crate::market_data::MarketData;
use crate::shard::Account;

/// What accounts have to do with chains.
pub(super) struct Chains {
    host: Option<ChainHost>,
    venues: Vec<Option<StartOutside>>,
}

impl Chains {
    /// Sees that real funds may move where the configuration says so, and opens the ways to chains.
    pub(super) fn start(_: &Configuration, accounts: &[Account], arguments: &RunArguments) -> Result<Self> {
        consent::ask(accounts, arguments.live, arguments.live_token.as_deref())?;
        let mut host = ChainHost::start(accounts)?;
        let venues = match &mut host {
            Some(host) => {
                let venues = host.venues(accounts, &arguments.passphrase)?;
                doctor::ensure_sound(host.handle(), accounts)?;
                venues
            }
            None => accounts.iter().map(|_| None).collect(),
        };
        Ok(Self { host, venues })
    }

    /// How each account's orders are executed outside, in the accounts' order.
    pub(super) fn venues(&mut self) -> Vec<Option<StartOutside>> {
        std::mem::take(&mut self.venues)
    }

    /// Hands on what happens in the pools, or what the aggregator quotes.
    pub(super) fn follow(
        &mut self,
        configuration: &Configuration,
        data: &Arc<MarketData>,
        reports: &Reports,
    ) -> Result<()> {
        let Some(host) = &mut self.host else { return Ok(()) };
        match configuration.feed.source {
            FeedSource::Pools => {
                let mut pools = PoolFollower::open(host, configuration, Arc::clone(data))?;
                super::start_task(
                    Task { name: "pools".into(), degrades: "no market data come in" },
                    move || pools.follow(),
                    reports,
                )
            }
            #[cfg(feature = "solana")]
            FeedSource::Quotes => {
                let quotes = QuoteFollower::open(host, configuration, Arc::clone(data))?;
                super::start_task(
                    Task { name: "quotes".into(), degrades: "no market data come in" },
                    move || quotes.follow(),
                    reports,
                )?;
                let Some(wallets) = WalletFollower::open(host, configuration, Arc::clone(data))? else {
                    return Ok(());
                };
                super::start_task(
                    Task { name: "wallets".into(), degrades: "nobody is told what tracked wallets trade" },
                    move || wallets.follow(),
                    reports,
                )
            }
            #[cfg(not(feature = "solana"))]
            FeedSource::Quotes => anyhow::bail!(crate::WITHOUT_SOLANA),
            FeedSource::Simulator | FeedSource::Csv => Ok(()),
        }
    }

    /// Ends what still waits for a server.
    pub(super) fn end(self) {
        if let Some(host) = self.host {
            host.end();
        }
    }
}
