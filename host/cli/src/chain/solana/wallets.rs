//! Wallets of others and new pools, as a feed of signals.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use bulkhead_configuration::{Configuration, LEADERS, Solana, SolanaFinality};
use bulkhead_solana::rpc::Endpoints;
use bulkhead_solana::settings::Finality;
use bulkhead_solana::wallets::book::TrackedWallet;
use bulkhead_solana::wallets::feed::{WalletFeed, WatchStartError};
use bulkhead_solana::wallets::new_pools::PoolProgram;
use bulkhead_solana::wallets::pushes::PushSettings;
use bulkhead_solana::wallets::settings::{NEW_POOL_SIGNAL, WatchName, WatchSettings};
use bulkhead_store::clock::now;
use bulkhead_store::database::{Database, Options};
use bulkhead_store::wallets::{FIRST_REPUTATION, TrackedWalletRow};
use tokio::runtime::Handle;

use super::super::host::{ChainHost, Guest};
use super::super::settings::{address_of, duration};
use super::settings;
use super::watch_book::DatabaseBook;
use crate::market_data::MarketData;
use crate::shard::database_url;

/// Watches, over and over: each time it is called, until nobody reads any more or it fails.
pub(crate) struct WalletFollower {
    runtime: Handle,
    guest: Guest,
    endpoints: Arc<Endpoints>,
    book: DatabaseBook,
    settings: WatchSettings,
    pushes: Vec<PushSettings>,
    signals: Vec<String>,
    data: Arc<MarketData>,
}

impl WalletFollower {
    /// `None` when nothing is to be watched.
    pub(crate) fn open(
        host: &ChainHost,
        configuration: &Configuration,
        data: Arc<MarketData>,
    ) -> Result<Option<Self>> {
        let Some(solana) = &configuration.solana else { return Ok(None) };
        if solana.wallets.is_empty() && solana.pools.is_empty() {
            return Ok(None);
        }
        let endpoints = Arc::new(Endpoints::new(solana.genesis_hash(), &settings::endpoints(solana)?)?);
        let mut database = Database::open(&database_url(configuration)?, Options::reader())?;
        track(&mut database, solana)?;
        let book = DatabaseBook::new(database, tracked(solana)?);
        let follower = Self {
            runtime: host.handle().clone(),
            guest: host.guest(),
            endpoints,
            book,
            settings: watch_settings(solana)?,
            pushes: pushes(solana)?,
            signals: signals(solana),
            data,
        };
        // What contradicts itself is an error at the start; what can't be read now may be read later.
        match follower.feed() {
            Ok(_) | Err(WatchStartError::Book(_)) => Ok(Some(follower)),
            Err(error) => Err(error).context("solana.wallets"),
        }
    }

    fn feed(&self) -> Result<WalletFeed<DatabaseBook>, WatchStartError> {
        self.runtime.block_on(WalletFeed::open(
            Arc::clone(&self.endpoints),
            self.book.clone(),
            self.settings.clone(),
            self.pushes.clone(),
            &self.signals,
        ))
    }

    /// Hands on what happens.
    pub(crate) fn follow(&self) -> Result<()> {
        let following = self.feed()?.follow(now, |inputs| self.data.hand_in(&inputs));
        self.runtime.block_on(self.guest.until_over(following));
        Ok(())
    }
}

/// What each signal is called that a wallet has; those that no wallet has are called nothing.
fn signals(solana: &Solana) -> Vec<String> {
    (1..=LEADERS)
        .map(|signal| {
            let leader = solana.wallets.iter().find(|(_, leader)| leader.signal == signal);
            leader
                .and_then(|(name, _)| WatchName::new(name).ok())
                .map(|name| name.signal())
                .unwrap_or_default()
        })
        .chain([NEW_POOL_SIGNAL.to_owned()])
        .collect()
}

fn tracked(solana: &Solana) -> Result<Vec<TrackedWallet>> {
    let tracked = solana.wallets.iter().map(|(name, leader)| {
        let address = settings::address(&format!("solana.wallets.{name}.address"), &leader.address)?;
        Ok(TrackedWallet { name: WatchName::new(name)?, address })
    });
    tracked.collect()
}

/// Has the database know the wallets of the configuration, and no others.
fn track(database: &mut Database, solana: &Solana) -> Result<()> {
    for known in database.tracked_wallets()? {
        let stays = solana.wallets.get(&known.name).is_some_and(|leader| leader.address == known.address);
        if !stays {
            database.untrack_wallet(&known.name)?;
        }
    }
    let known = database.tracked_wallets()?;
    for (name, leader) in &solana.wallets {
        if known.iter().any(|row| row.name == *name) {
            let found = database.set_wallet_profile(name, &leader.tier, leader.followers)?;
            ensure!(found, "the wallet {name} was removed from the database at this moment; start again");
            continue;
        }
        let (address, tier, followers) = (leader.address.clone(), leader.tier.clone(), leader.followers);
        let (reputation, added) = (FIRST_REPUTATION, now());
        let name = name.clone();
        database.track_wallet(&TrackedWalletRow { address, name, tier, followers, reputation, added })?;
    }
    Ok(())
}

fn watch_settings(solana: &Solana) -> Result<WatchSettings> {
    let markets = settings::watched(solana)?.into_iter().map(|watched| watched.market).collect();
    let mut watch = WatchSettings::new(markets);
    watch.pools = programs(solana)?;
    watch.look_every = duration(solana.watch.look_every.0);
    watch.told_within = solana.watch.told_within.0;
    watch.told_at = match solana.watch.told_at {
        SolanaFinality::Confirmed => Finality::Confirmed,
        SolanaFinality::Finalized => Finality::Finalized,
    };
    Ok(watch)
}

fn pushes(solana: &Solana) -> Result<Vec<PushSettings>> {
    let push = |address: &String| {
        let url = address_of("solana.watch.pushes", address)?;
        PushSettings::new(&url, duration(solana.timeout.0) * 6).context("solana.watch.pushes")
    };
    solana.watch.pushes.iter().map(push).collect()
}

fn programs(solana: &Solana) -> Result<Vec<PoolProgram>> {
    let program = |(name, pools): (&String, &bulkhead_configuration::SolanaPools)| {
        let address = |rest: &str, text| settings::address(&format!("solana.pools.{name}.{rest}"), text);
        Ok(PoolProgram {
            name: WatchName::new(name)?,
            program: address("program", &pools.program)?,
            watched: address("watched", &pools.watched)?,
            log: pools.log.clone(),
        })
    };
    solana.pools.iter().map(program).collect()
}
