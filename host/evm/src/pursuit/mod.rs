//! The way of one order, from the gate to its end.
//!
//! ```text
//!        ┌────────────── begins anew: nothing of it can land any more ─────────────┐
//!        ▼                                                                         │
//!  [trade] quote → check → sign → send ──► [follow] seen → included → final ──► [finish] books
//!        │ taken back, timed out, refused                                          ▲
//!        └─────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Where an order stands is what its transactions say, and those are in the journal. So an order that a crash
//! interrupted is taken up by the same code: it looks at its transactions and goes on.

mod approval;
mod finish;
mod follow;
mod resale;
mod sending;
mod trade;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alloy::consensus::{TxEip1559, TxEnvelope};
use alloy::eips::eip2718::Decodable2718 as _;
use alloy::primitives::{Address, B256};
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::money::Money;
use bulkhead_core::order::OrderTerms;
use bulkhead_core::venue::stage::{
    Attempt, Attempts, Landing, Purpose, SignedTransaction, Stage, TransactionId, Uniqueness,
};
use bulkhead_core::venue::{ReportedEvent, VenueNews};
use bulkhead_signing::EvmSigner;
use bulkhead_venue::{Journal, Left, OrderAge, Ticket};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::chain::{Chain, ChainError};
use crate::lane::Lane;
use crate::settings::{ChainSettings, Market};

use self::approval::Claimed;
pub use self::approval::Claims;

/// The first pause after a failure that may pass, and the longest. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What all orders of an account on a chain have in common.
pub struct Desk<C, J> {
    /// Of this account, in the names of orders at the signer.
    pub name: String,
    /// The chain.
    pub chain: C,
    /// The account's journal.
    pub journal: Arc<J>,
    /// Who signs.
    pub signer: Arc<dyn EvmSigner>,
    /// The nonces.
    pub lane: Lane,
    /// Bounds and markets.
    pub settings: ChainSettings,
    /// What a unit of native currency was worth last, for when it can't be asked.
    pub last_gas_value: std::sync::Mutex<Option<rust_decimal::Decimal>>,
    /// What orders under way take of allowances.
    pub claims: Arc<std::sync::Mutex<Claims>>,
    /// When it was found last that what an instrument is of can be sold again.
    pub sellable: std::sync::Mutex<BTreeMap<InstrumentId, Instant>>,
}

/// An order on its way.
pub(crate) struct Pursuit<C, J> {
    desk: Arc<Desk<C, J>>,
    terms: OrderTerms,
    budget: Money,
    attempts: Attempts,
    cancel: watch::Receiver<bool>,
    age: OrderAge,
    /// Trades that were given up because they could not land.
    given_up: u32,
    /// What it takes of an allowance, while its trade is in no block.
    claimed: Option<Claimed>,
    /// Why the newest transaction was taken by nobody, as far as servers say.
    not_taken: Option<String>,
    /// The same of one that was given up for it.
    given_up_for: Option<String>,
    /// When the newest transaction was sent first, and when again.
    sent: Option<Instant>,
}

/// What is to be done next.
enum Situation {
    /// Something may still land.
    Open,
    /// The trade is done.
    Traded(TransactionId),
    /// It was cancelled on the chain.
    Cancelled,
    /// The trade landed and failed.
    Failed(TransactionId),
    /// Nothing of it is out there.
    Fresh,
}

impl<C: Chain, J: Journal> bulkhead_venue::Pursuit for Pursuit<C, J> {
    async fn run(&mut self) -> Result<(), Left> {
        loop {
            match self.situation() {
                Situation::Open => self.follow().await?,
                Situation::Traded(id) => {
                    self.follow_to_the_end().await?;
                    return self.settle(&id).await;
                }
                Situation::Cancelled => {
                    self.follow_to_the_end().await?;
                    return self.report_cancelled().await;
                }
                Situation::Failed(id) => {
                    self.follow_to_the_end().await?;
                    return self.report_failed(&id).await;
                }
                Situation::Fresh => {
                    if let Some(end) = self.trade().await? {
                        self.follow_to_the_end().await?;
                        return self.end(end).await;
                    }
                }
            }
        }
    }
}

impl<C: Chain, J: Journal> Pursuit<C, J> {
    pub(crate) fn new(desk: Arc<Desk<C, J>>, ticket: Ticket, cancel: watch::Receiver<bool>) -> Self {
        let Ticket { terms, budget, attempts, cancel_asked: _ } = ticket;
        let age = OrderAge::of(&terms);
        Self {
            desk,
            terms,
            budget,
            attempts,
            cancel,
            age,
            given_up: 0,
            claimed: None,
            not_taken: None,
            given_up_for: None,
            sent: None,
        }
    }

    fn situation(&self) -> Situation {
        let attempts = self.attempts.as_slice();
        let find = |purpose, landed: fn(Landing) -> bool| {
            let mut found = attempts.iter().rev();
            found.find(|attempt| attempt.transaction.purpose == purpose && landed(attempt.landing))
        };
        let succeeded = |landing| matches!(landing, Landing::Succeeded(_));
        let landed = |landing| matches!(landing, Landing::Succeeded(_) | Landing::Failed(_));
        if let Some(trade) = find(Purpose::Trade, succeeded) {
            return Situation::Traded(trade.transaction.id.clone());
        }
        if attempts.iter().any(Attempt::holds_up) {
            return Situation::Open;
        }
        let last = attempts.iter().rev().find(|attempt| landed(attempt.landing));
        match last.map(|attempt| (attempt.transaction.purpose, attempt)) {
            Some((Purpose::Cancellation, cancellation)) if self.took_a_place(cancellation) => {
                Situation::Cancelled
            }
            Some((Purpose::Trade, attempt)) => Situation::Failed(attempt.transaction.id.clone()),
            _ => Situation::Fresh,
        }
    }

    /// Whether a cancellation took the place of something that was signed for this order, and not of what others left
    /// behind.
    fn took_a_place(&self, cancellation: &Attempt) -> bool {
        let nonce = nonce_of(&cancellation.transaction);
        self.attempts.as_slice().iter().any(|attempt| {
            attempt.transaction.purpose != Purpose::Cancellation && nonce_of(&attempt.transaction) == nonce
        })
    }

    /// Writes a stage down.
    async fn reach(&mut self, stage: Stage) -> Result<(), Left> {
        let mut attempts = self.attempts.clone();
        // The engine keeps the same account of it, and would halt over what can't be.
        attempts.note(&stage).map_err(|illegal| Left::Contradiction(illegal.to_string()))?;
        tracing::debug!(order = self.terms.id.0, stage = stage.name(), details = stage.details(), "stage");
        let is_in_block = matches!(stage, Stage::Included { .. });
        self.desk.journal.record(self.terms.id, VenueNews::Stage(Box::new(stage))).await?;
        self.attempts = attempts;
        if is_in_block && self.attempts.as_slice().iter().any(is_trade_in_block) {
            // What it takes of an allowance it has taken.
            self.claimed = None;
        }
        Ok(())
    }

    async fn report(&self, event: ReportedEvent) -> Result<(), Left> {
        self.desk.journal.record(self.terms.id, VenueNews::Report(event)).await?;
        Ok(())
    }

    /// The account is to be halted, and the order left as it is.
    fn contradiction(&self, what: impl Into<String>) -> Left {
        Left::Contradiction(what.into())
    }

    fn market(&self) -> Option<&Market> {
        self.desk.settings.market(self.terms.instrument)
    }

    fn account(&self) -> Address {
        self.desk.lane.address()
    }

    fn cancel_wanted(&self) -> bool {
        *self.cancel.borrow()
    }

    /// Whether a market order has had its time, counted from when it passed the gate.
    fn timed_out(&self) -> bool {
        let market = self.terms.pricing == bulkhead_core::order::Pricing::Market;
        market && self.age.now() >= self.desk.settings.market_order_timeout
    }

    /// Waits, or until somebody wants the order back.
    async fn pause(&mut self, duration: Duration) {
        if self.cancel_wanted() {
            return tokio::time::sleep(duration.min(self.desk.settings.poll)).await;
        }
        tokio::select! {
            () = tokio::time::sleep(duration) => {}
            changed = self.cancel.changed() => {
                if changed.is_err() {
                    // Nobody can ask any more.
                    tokio::time::sleep(duration).await;
                }
            }
        }
    }

    /// Asks the chain until it answers or says no.
    async fn insist<T, F: Future<Output = Result<T, ChainError>> + Send>(
        &self,
        ask: impl Fn() -> F,
    ) -> Result<T, ChainError> {
        let mut pause = FIRST_PAUSE;
        loop {
            match ask().await {
                Err(ChainError::Unavailable(why)) => {
                    tracing::warn!(order = self.terms.id.0, why, "the chain does not answer; asking again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                answer => return answer,
            }
        }
    }
}

fn is_trade_in_block(attempt: &Attempt) -> bool {
    attempt.transaction.purpose == Purpose::Trade && matches!(attempt.landing, Landing::Included(_))
}

/// The transaction in an attempt, as it was signed.
fn unpacked(transaction: &SignedTransaction) -> Result<TxEip1559, Left> {
    let mut raw = transaction.raw.as_slice();
    match TxEnvelope::decode_2718(&mut raw) {
        Ok(TxEnvelope::Eip1559(signed)) => Ok(signed.strip_signature()),
        _ => Err(Left::Contradiction(format!("transaction {} in the journal can't be read", transaction.id))),
    }
}

fn hash_of(id: &TransactionId) -> Result<B256, Left> {
    id.0.parse().map_err(|_| Left::Contradiction(format!("{id} is no hash of a transaction")))
}

/// The nonce of an attempt.
pub(crate) const fn nonce_of(transaction: &SignedTransaction) -> Option<u64> {
    match transaction.uniqueness {
        Uniqueness::Nonce(nonce) => Some(nonce),
        Uniqueness::LastValidHeight(_) => None,
    }
}
