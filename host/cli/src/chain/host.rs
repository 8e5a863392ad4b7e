//! What all accounts on chains have in common: the threads that wait for servers, and the ways to these.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
#[cfg(feature = "solana")]
use bulkhead_configuration::SolanaSwaps;
use bulkhead_configuration::{Evm, Mode, Solana};
use bulkhead_evm::chain::Chain;
use bulkhead_evm::executor::Executor;
use bulkhead_evm::reconcile::EvmWallet;
use bulkhead_evm::rpc::Endpoints;
use bulkhead_evm::rpc::private::PrivateFirst;
use bulkhead_evm::settings::ChainSettings;
use bulkhead_signing::EvmSigner;
#[cfg(feature = "solana")]
use bulkhead_solana::jupiter::SwapApi;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;

use super::journal::AccountJournal;
use super::reconciliation::Comparison;
use super::settings;
use super::signer::Signers;
use super::venue::ChainVenue;
use crate::key_arguments::PassphraseArguments;
use crate::run::{Outside, StartOutside};
use crate::shard::Account;

/// Threads for what waits most of its time.
const THREADS: usize = 2;

/// How long what still waits for a server may take at the end.
const LONGEST_END: Duration = Duration::from_millis(500);

/// The ways to chains.
pub(crate) struct ChainHost {
    runtime: Runtime,
    /// By what the configuration says of the chain and its servers, which is the same for most accounts.
    endpoints: Vec<(u64, Vec<String>, Arc<Endpoints>)>,
    /// The aggregators of swaps, by what the configuration says of them: what each may be asked is shared by all who ask.
    #[cfg(feature = "solana")]
    swaps: Vec<(SolanaSwaps, Arc<dyn SwapApi>)>,
    /// Says to what runs beside the accounts that it is over.
    over: watch::Sender<bool>,
    /// Closed when all of that has ended.
    guests: (Sender<()>, Receiver<()>),
}

/// What runs beside the accounts holds one: it is told when it is over, and waited for.
pub(crate) struct Guest {
    over: watch::Receiver<bool>,
    _stays: Sender<()>,
}

impl Guest {
    /// Does something until it is done or over.
    pub(crate) async fn until_over(&self, work: impl Future<Output = ()>) {
        let mut over = self.over.clone();
        tokio::select! {
            () = work => {}
            // Whoever says so is gone: it is over as well.
            _ = over.wait_for(|over| *over) => {}
        }
    }
}

impl ChainHost {
    /// `None` when no account has anything to do with a chain.
    pub(crate) fn start(accounts: &[Account]) -> Result<Option<Self>> {
        let concerned = |account: &Account| {
            let configuration = &account.configuration;
            configuration.mode == Mode::Live || configuration.feed.source.is_live()
        };
        if !accounts.iter().any(concerned) {
            return Ok(None);
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("chain")
            .enable_all()
            .build()
            .context("the threads for chains can't be started")?;
        let over = watch::Sender::new(false);
        Ok(Some(Self {
            runtime,
            endpoints: Vec::new(),
            #[cfg(feature = "solana")]
            swaps: Vec::new(),
            over,
            guests: channel(),
        }))
    }

    /// Who waits for servers.
    pub(crate) fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// For something that runs beside the accounts.
    pub(crate) fn guest(&self) -> Guest {
        Guest { over: self.over.subscribe(), _stays: self.guests.0.clone() }
    }

    /// The servers that a section names.
    pub(crate) fn endpoints(&mut self, evm: &Evm) -> Result<Arc<Endpoints>> {
        let known = self
            .endpoints
            .iter()
            .find(|(chain, addresses, _)| (*chain, addresses) == (evm.chain_id, &evm.endpoints));
        if let Some((.., endpoints)) = known {
            return Ok(Arc::clone(endpoints));
        }
        let endpoints = Arc::new(Endpoints::new(evm.chain_id, &settings::endpoints(evm)?)?);
        self.endpoints.push((evm.chain_id, evm.endpoints.clone(), Arc::clone(&endpoints)));
        Ok(endpoints)
    }

    /// The aggregator that a section names.
    #[cfg(feature = "solana")]
    pub(crate) fn swaps(&mut self, solana: &Solana) -> Result<Arc<dyn SwapApi>> {
        if let Some((_, known)) = self.swaps.iter().find(|(swaps, _)| *swaps == solana.swaps) {
            return Ok(Arc::clone(known));
        }
        let swaps = super::solana::settings::swaps(solana)?;
        self.swaps.push((solana.swaps.clone(), Arc::clone(&swaps)));
        Ok(swaps)
    }

    /// How each account's orders are executed outside; `None` for those that trade on paper.
    pub(crate) fn venues(
        &mut self,
        accounts: &[Account],
        passphrase: &PassphraseArguments,
    ) -> Result<Vec<Option<StartOutside>>> {
        let mut signers = Signers::new(passphrase);
        let (mut venues, mut owners) = (Vec::new(), BTreeMap::new());
        for account in accounts {
            let configuration = &account.configuration;
            if configuration.mode != Mode::Live {
                venues.push(None);
                continue;
            }
            let started = match (&configuration.evm, &configuration.solana) {
                (Some(evm), _) => self.evm_venue(account, evm, &mut signers),
                (None, Some(solana)) => self.solana_venue(account, solana, &mut signers),
                (None, None) => bail!("the section of the chain is missing"),
            };
            let Started { place, address, start } =
                started.with_context(|| format!("account {}", account.name))?;
            tracing::info!(account = account.name, address, chain = place, "trades real funds");
            if let Some(other) = owners.insert((place, address.clone()), account.name.clone()) {
                // Each would sign, and spend, as if the other was not there.
                bail!(
                    "accounts {other} and {} trade with the same address, {address}; each needs a key of its own",
                    account.name,
                );
            }
            venues.push(Some(start));
        }
        Ok(venues)
    }

    fn evm_venue(&mut self, account: &Account, evm: &Evm, signers: &mut Signers<'_>) -> Result<Started> {
        let chain_settings = settings::chain_settings(evm)?;
        let private = settings::private(evm)?;
        let endpoints = self.endpoints(evm)?;
        let signer = self.runtime.block_on(signers.open(&account.configuration))?;
        let address = signer.address();
        let wallet =
            EvmWallet { endpoints: Arc::clone(&endpoints), settings: chain_settings.clone(), address };
        let comparison = Comparison::new(&account.name, Arc::new(wallet), &evm.reconciliation);
        let parts = Parts { handle: self.handle().clone(), comparison, settings: chain_settings, signer };
        let start = match private {
            None => parts.start_on(endpoints),
            Some(private) => parts.start_on(PrivateFirst::new(endpoints, &private)?),
        };
        Ok(Started { place: evm.chain_id.to_string(), address: address.to_string(), start })
    }

    #[cfg(feature = "solana")]
    fn solana_venue(
        &mut self,
        account: &Account,
        solana: &Solana,
        signers: &mut Signers<'_>,
    ) -> Result<Started> {
        let signer = self.runtime.block_on(super::solana::signer::open(signers, &account.configuration))?;
        let address = signer.address().to_string();
        let swaps = self.swaps(solana)?;
        let start = super::solana::venue::start(self.handle(), &account.name, solana, swaps, signer)?;
        Ok(Started { place: solana.genesis_hash().to_owned(), address, start })
    }

    #[cfg(not(feature = "solana"))]
    #[expect(clippy::unused_self, reason = "as with Solana")]
    fn solana_venue(&self, _: &Account, _: &Solana, _: &mut Signers<'_>) -> Result<Started> {
        bail!(crate::WITHOUT_SOLANA)
    }

    /// Ends what still waits.
    pub(crate) fn end(self) {
        self.over.send_replace(true);
        let (ours, guests) = self.guests;
        drop(ours);
        // Nobody sends: it ends when the last guest has gone.
        let _ = guests.recv_timeout(LONGEST_END);
        self.runtime.shutdown_timeout(LONGEST_END);
    }
}

/// An account that trades outside: on which chain, with which address, and how that is begun.
struct Started {
    place: String,
    address: String,
    start: StartOutside,
}

/// What an account's executor is made of, but its engine.
struct Parts {
    handle: Handle,
    comparison: Comparison,
    settings: ChainSettings,
    signer: Arc<dyn EvmSigner>,
}

impl Parts {
    fn start_on<C: Chain>(self, chain: C) -> StartOutside {
        Box::new(move |engine, wake, told| {
            let Self { handle, comparison, settings, signer } = self;
            let account = comparison.account.clone();
            let start = async move |journal: AccountJournal, open| {
                Ok(Executor::start(account, settings, chain, journal, signer, open).await?)
            };
            let venue = ChainVenue::start(&handle, comparison, wake, told, engine, start)?;
            Ok(Box::new(venue) as Box<dyn Outside>)
        })
    }
}
