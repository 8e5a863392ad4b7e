//! All orders of an account on a chain, each on its way, side by side.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alloy::primitives::Address;
use bulkhead_core::identifier::OrderId;
use bulkhead_core::venue::stage::Attempt;
use bulkhead_signing::EvmSigner;
use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::chain::{Chain, ChainError};
use crate::journal::{Journal, JournalError};
use crate::lane::Lane;
use crate::pursuit::{Desk, Left, Pursuit, Ticket, nonce_of};
use crate::settings::ChainSettings;

/// Why an executor can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The endpoint is of another chain. Nothing was signed or sent.
    #[error(
        "the endpoint is of chain {found}, and the account trades on chain {wanted}; check the address and the id"
    )]
    WrongChain {
        /// What it says it is.
        found: u64,
        /// What is configured.
        wanted: u64,
    },
    /// What was signed before was signed for another address.
    #[error(
        "the journal holds transactions of {before} that may still land, and the key is {now}'s; use the key of before \
         until they are over"
    )]
    OtherAddress {
        /// Who signed before.
        before: String,
        /// Who signs now.
        now: Address,
    },
    /// The chain can't be asked.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// How long after something that can't be an order is looked at again.
const SECOND_LOOK: Duration = Duration::from_secs(5);

/// Sees an order to its end. What can't be halts the account; the order is looked at again, as it may hold up others and
/// servers may be of one mind later. A halt is not repeated for the same reason, or nobody could resume.
async fn pursue<C: Chain, J: Journal>(desk: &Desk<C, J>, mut pursuit: Pursuit<C, J>, order: OrderId) {
    let mut said = None;
    loop {
        let left = match pursuit.run().await {
            Ok(()) | Err(Left::Journal(JournalError::Closed)) => return,
            Err(left) => left.to_string(),
        };
        if said.as_ref() != Some(&left) {
            tracing::error!(order = order.0, left, "the order is left as it is, and the account halted");
            let halted = desk.journal.halt(format!("order {}: {left}", order.0)).await;
            if matches!(halted, Err(JournalError::Closed)) {
                return;
            }
            said = Some(left);
        }
        tokio::time::sleep(SECOND_LOOK).await;
    }
}

/// Executes orders on a chain.
pub struct Executor<C, J> {
    desk: Arc<Desk<C, J>>,
    cancels: Arc<Mutex<BTreeMap<OrderId, watch::Sender<bool>>>>,
    running: Mutex<JoinSet<()>>,
}

impl<C: Chain, J: Journal> Executor<C, J> {
    /// Takes up what the journal says is under way. The chain must be the configured one.
    ///
    /// # Errors
    ///
    /// [`StartError`], and nothing was sent.
    pub async fn start(
        name: String,
        settings: ChainSettings,
        chain: C,
        journal: J,
        signer: Arc<dyn EvmSigner>,
        open: Vec<Ticket>,
    ) -> Result<Self, StartError> {
        let found = chain.chain_id().await?;
        if found != settings.chain_id {
            return Err(StartError::WrongChain { found, wanted: settings.chain_id });
        }
        let address = signer.address();
        let under_way = open.iter().flat_map(|ticket| ticket.attempts.as_slice());
        let under_way: Vec<&Attempt> = under_way.filter(|attempt| !attempt.landing.is_final()).collect();
        let now = address.to_string();
        if let Some(other) = under_way.iter().find(|attempt| attempt.transaction.sender != now) {
            let before = other.transaction.sender.clone();
            return Err(StartError::OtherAddress { before, now: address });
        }
        let signed = under_way.iter().filter_map(|attempt| nonce_of(&attempt.transaction));
        let lane = Lane::new(address, signed);
        let desk = Desk {
            name,
            chain,
            journal,
            signer,
            lane,
            settings,
            last_gas_value: Mutex::default(),
            claims: Arc::default(),
            sellable: Mutex::default(),
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
            let pursued = AssertUnwindSafe(pursue(&desk, pursuit, order)).catch_unwind().await;
            if pursued.is_err() {
                tracing::error!(order = order.0, "the order's task broke down, and the account is halted");
                let what = "its task broke down; it is taken up again when the host is started anew";
                // Nobody is left to tell when this fails.
                let _ = desk.journal.halt(format!("order {}: {what}", order.0)).await;
            }
            cancels.lock().unwrap_or_else(PoisonError::into_inner).remove(&order);
        });
    }

    /// Takes an order back if that can still be done; its end will be reported either way.
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
