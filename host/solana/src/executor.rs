use std::sync::{Arc, Mutex};

use bulkhead_core::identifier::OrderId;
use bulkhead_venue::{ChainExecutor, Journal, OrdersUnderWay, Ticket};
use solana_address::Address;

use crate::cluster::{Cluster, ClusterError};
use crate::jupiter::SwapApi;
use crate::pursuit::{Desk, Pursuit};
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
    orders: OrdersUnderWay<J>,
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
            journal: Arc::new(journal),
            signer,
            settings,
            turn: tokio::sync::Mutex::default(),
            last_fee_value: Mutex::default(),
            safe: Mutex::default(),
        };
        let orders = OrdersUnderWay::new(Arc::clone(&desk.journal));
        let executor = Self { desk: Arc::new(desk), orders };
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
}

impl<C: Cluster, J: Journal> ChainExecutor for Executor<C, J> {
    fn execute(&self, ticket: Ticket) {
        let desk = Arc::clone(&self.desk);
        self.orders.pursue(ticket, |ticket, cancelled| Pursuit::new(desk, ticket, cancelled));
    }

    /// What is out there can only be waited for.
    fn cancel(&self, order: OrderId) {
        self.orders.cancel(order);
    }

    fn under_way(&self) -> usize {
        self.orders.count()
    }

    async fn stop(self) {
        self.orders.stop().await;
    }
}
