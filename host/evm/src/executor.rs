//! All orders of an account on a chain, each on its way, side by side.

use std::sync::{Arc, Mutex};

use alloy::primitives::Address;
use bulkhead_core::identifier::OrderId;
use bulkhead_core::venue::stage::Attempt;
use bulkhead_signing::EvmSigner;
use bulkhead_venue::{ChainExecutor, Journal, OrdersUnderWay, Ticket};

use crate::chain::{Chain, ChainError};
use crate::lane::Lane;
use crate::pursuit::{Desk, Pursuit, nonce_of};
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

/// Executes orders on a chain.
pub struct Executor<C, J> {
    desk: Arc<Desk<C, J>>,
    orders: OrdersUnderWay<J>,
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
            journal: Arc::new(journal),
            signer,
            lane,
            settings,
            last_gas_value: Mutex::default(),
            claims: Arc::default(),
            sellable: Mutex::default(),
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

impl<C: Chain, J: Journal> ChainExecutor for Executor<C, J> {
    fn execute(&self, ticket: Ticket) {
        let desk = Arc::clone(&self.desk);
        self.orders.pursue(ticket, |ticket, cancelled| Pursuit::new(desk, ticket, cancelled));
    }

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
