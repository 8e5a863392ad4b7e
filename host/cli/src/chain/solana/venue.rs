//! An account's executor on Solana.

use std::sync::Arc;

use anyhow::Result;
use bulkhead_configuration::Solana;
use bulkhead_solana::cluster::Cluster;
use bulkhead_solana::executor::Executor;
use bulkhead_solana::jupiter::SwapApi;
use bulkhead_solana::reconcile::SolanaWallet;
use bulkhead_solana::rpc::Endpoints;
use bulkhead_solana::rpc::bundles::Bundles;
use bulkhead_solana::settings::SolanaSettings;
use bulkhead_solana::signer::SolanaSigner;
use solana_address::Address;
use tokio::runtime::Handle;

use super::super::journal::AccountJournal;
use super::super::reconciliation::Comparison;
use super::super::venue::ChainVenue;
use super::settings;
use crate::run::{Outside, StartOutside};

/// How an account's orders are executed, once its engine is there.
pub(crate) fn start(
    runtime: &Handle,
    account: &str,
    solana: &Solana,
    swaps: Arc<dyn SwapApi>,
    signer: Arc<dyn SolanaSigner>,
) -> Result<StartOutside> {
    let wallet = wallet(solana, signer.address())?;
    let (endpoints, settings) = (Arc::clone(&wallet.endpoints), wallet.settings.clone());
    let parts = Parts {
        runtime: runtime.clone(),
        comparison: Comparison::new(account, Arc::new(wallet), &solana.reconciliation),
        settings,
        swaps,
        signer,
    };
    Ok(match settings::bundles(solana)? {
        None => parts.start_on(endpoints),
        Some((endpoint, tips, fallback)) => {
            parts.start_on(Bundles::new(endpoints, &endpoint, tips, fallback)?)
        }
    })
}

/// What an account has on the cluster.
pub(crate) fn wallet(solana: &Solana, owner: Address) -> Result<SolanaWallet> {
    let endpoints = Arc::new(Endpoints::new(solana.genesis_hash(), &settings::endpoints(solana)?)?);
    Ok(SolanaWallet { endpoints, settings: settings::solana_settings(solana)?, owner })
}

struct Parts {
    runtime: Handle,
    comparison: Comparison,
    settings: SolanaSettings,
    swaps: Arc<dyn SwapApi>,
    signer: Arc<dyn SolanaSigner>,
}

impl Parts {
    fn start_on<C: Cluster>(self, cluster: C) -> StartOutside {
        Box::new(move |engine, wake, told| {
            let Self { runtime, comparison, settings, swaps, signer } = self;
            let account = comparison.account.clone();
            let start = async move |journal: AccountJournal, open| {
                Ok(Executor::start(account, settings, cluster, swaps, journal, signer, open).await?)
            };
            let venue = ChainVenue::start(&runtime, comparison, wake, told, engine, start)?;
            Ok(Box::new(venue) as Box<dyn Outside>)
        })
    }
}
