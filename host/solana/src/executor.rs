use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bulkhead_core::identifier::OrderId;
use solana_address::Address;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cluster::{Cluster, ClusterError};
use crate::journal::{Journal, JournalError};
use crate::jupiter::SwapApi;
use crate::pursuit::{Desk, Left, Pursuit, Ticket};
use crate::settings::SolanaSettings;
use crate::signer::SolanaSigner;

/// Why an executor can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The endpoints are of another cluster. Nothing was signed or sent.
    #[error(
        "the endpoint is of cluster {found}, and the account trades on {wanted}; check the address and genesis_hash"
    )]
    WrongCluster {
        /// What it says it is.
        found: String,
        /// What is configured.
        wanted: String,
    },
    /// What was signed before was signed for another wallet.
    #[error(
        "the journal holds transactions of {before} that may still land, and the key is {now}'s; use the key of before \
         until they are over"
    )]
    OtherWallet {
        /// Who signed before.
        before: String,
        /// Who signs now.
        now: Address,
    },
    /// The cluster can't be asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// Executes orders on a cluster.
pub struct Executor<C, J> {
    desk: Arc<Desk<C, J>>,
    cancels: Arc<Mutex<BTreeMap<OrderId, watch::Sender<bool>>>>,
    running: Mutex<JoinSet<()>>,
}

impl<C: Cluster, J: Journal> Executor<C, J> {
    /// Takes up what the journal says is under way. The cluster must be the configured one.
    ///
    /// # Errors
    ///
    /// [`StartError`], and nothing was sent.
    pub async fn start(
        name: String,
        settings: SolanaSettings,
        cluster: C,
        swaps: Arc<dyn SwapApi>,
        journal: J,
        signer: Arc<dyn SolanaSigner>,
        open: Vec<Ticket>,
    ) -> Result<Self, StartError> {
        let found = cluster.genesis_hash().await?;
        if found != settings.genesis_hash {
            return Err(StartError::WrongCluster { found, wanted: settings.genesis_hash });
        }
        let now = signer.address();
        let attempts = open.iter().flat_map(|ticket| ticket.attempts.as_slice());
        let mut under_way = attempts.filter(|attempt| !attempt.landing.is_final());
        if let Some(other) = under_way.find(|attempt| attempt.transaction.sender != now.to_string()) {
            return Err(StartError::OtherWallet { before: other.transaction.sender.clone(), now });
        }
        let desk = Desk {
            name,
            cluster,
            swaps,
            journal,
            signer,
            settings,
            turn: tokio::sync::Mutex::default(),
            last_fee_value: Mutex::default(),
            safe: Mutex::default(),
        };
        let executor =
            Self { desk: Arc::new(desk), cancels: Arc::default(), running: Mutex::new(JoinSet::new()) };
        for ticket in open {
            executor.execute(ticket);
        }
        Ok(executor)
    }

    /// What all orders have in common.
    #[must_use]
    pub fn desk(&self) -> &Desk<C, J> {
        &self.desk
    }

    /// Takes an order up. Must be called within a runtime.
    pub fn execute(&self, ticket: Ticket) {
        let order = ticket.terms.id;
        let (cancel, cancelled) = watch::channel(ticket.cancel_asked);
        self.cancels.lock().unwrap_or_else(PoisonError::into_inner).insert(order, cancel);
        let pursuit = Pursuit::new(self.desk.clone(), ticket, cancelled);
        let (cancels, desk) = (self.cancels.clone(), self.desk.clone());
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have ended are of no more use.
        while running.try_join_next().is_some() {}
        running.spawn(async move {
            match pursuit.run().await {
                Ok(()) | Err(Left::Journal(JournalError::Closed)) => {}
                Err(left) => {
                    tracing::error!(order = order.0, %left, "the order is left as it is, and the account halted");
                    // Nobody is left to tell when this fails.
                    let _ = desk.journal.halt(format!("order {}: {left}", order.0)).await;
                }
            }
            cancels.lock().unwrap_or_else(PoisonError::into_inner).remove(&order);
        });
    }

    /// Takes an order back if that can still be done; its end will be reported either way. What is out there can only be
    /// waited for.
    pub fn cancel(&self, order: OrderId) {
        if let Some(cancel) = self.cancels.lock().unwrap_or_else(PoisonError::into_inner).get(&order) {
            let _ = cancel.send(true);
        }
    }

    /// Orders on their way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.cancels.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Leaves all orders as they are: the journal knows what may be out there, and the next start takes them up.
    pub async fn stop(self) {
        let mut running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        running.shutdown().await;
    }
}
