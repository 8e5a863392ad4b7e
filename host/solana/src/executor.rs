use std::sync::{Arc, Mutex};

use bulkhead_core::identifier::OrderId;
use bulkhead_venue::{ChainExecutor, Journal, OrdersUnderWay, Ticket};
use solana_address::Address;
use solana_transaction::versioned::VersionedTransaction;

use crate::cluster::{Cluster, ClusterError};
use crate::jupiter::SwapApi;
use crate::mint::read_mint;
use crate::pursuit::{Desk, Pursuit, SignedMessages};
use crate::settings::{SolanaSettings, Token};
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
    /// A token is not what is configured, so amounts of it would be others than they are meant to be.
    #[error("{symbol} is configured as {configured}, and {mint} is {found}; correct solana.tokens.{symbol}")]
    OtherToken {
        /// What people call it.
        symbol: String,
        /// Its mint.
        mint: Address,
        /// What it is.
        found: String,
        /// What is configured.
        configured: String,
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
        check_tokens(&cluster, &settings).await?;
        let desk = Desk {
            name,
            cluster,
            swaps,
            journal: Arc::new(journal),
            signer,
            settings,
            turn: tokio::sync::Mutex::default(),
            signed: Mutex::new(signed_before(&open)),
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

/// What the open orders' transactions were signed for: another order must not get the same ones.
fn signed_before(open: &[Ticket]) -> SignedMessages {
    let mut signed = SignedMessages::default();
    for ticket in open {
        for attempt in ticket.attempts.as_slice() {
            let raw = wincode::deserialize::<VersionedTransaction>(&attempt.transaction.raw);
            if let Ok(transaction) = raw {
                // Two orders with the same one can't be: the second was not signed.
                let _ = signed.claim(transaction.message.serialize(), ticket.terms.id);
            }
        }
    }
    signed
}

/// Holds the configured tokens against their mints.
///
/// # Errors
///
/// [`StartError::OtherToken`] names the first that is something else.
pub async fn check_tokens<C: Cluster>(cluster: &C, settings: &SolanaSettings) -> Result<(), StartError> {
    let mut tokens: Vec<&Token> = Vec::new();
    for token in settings.markets.iter().flat_map(|market| [&market.base, &market.quote]) {
        if !token.is_native() && !tokens.contains(&token) {
            tokens.push(token);
        }
    }
    let mints: Vec<Address> = tokens.iter().map(|token| token.mint).collect();
    let found = cluster.accounts(&mints).await?;
    for (token, account) in tokens.into_iter().zip(found) {
        let found = account.as_ref().map(read_mint);
        let described = match &found {
            Some(Ok(mint)) if (mint.program, mint.decimals) == (token.program, token.decimals) => continue,
            Some(Ok(mint)) => {
                format!("a token of {} decimals of the program {}", mint.decimals, mint.program)
            }
            Some(Err(_)) => "no token".to_owned(),
            None => "not there".to_owned(),
        };
        return Err(StartError::OtherToken {
            symbol: token.symbol.clone(),
            mint: token.mint,
            found: described,
            configured: format!("a token of {} decimals of the program {}", token.decimals, token.program),
        });
    }
    Ok(())
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
