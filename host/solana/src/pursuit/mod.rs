//! The way of one order, from the gate to its end.
//!
//! ```text
//!        ┌──────── begins anew: what was signed has expired in final blocks ───────┐
//!        ▼                                                                         │
//!  [trade] quote → verify → try → sign → send ──► [follow] seen → included → final ──► [finish] books
//!        │ taken back, timed out, refused                                          ▲
//!        └─────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Where an order stands is what its transactions say, and those are in the journal. So an order that a crash
//! interrupted is taken up by the same code: it looks at its transactions and goes on.

mod finish;
mod follow;
mod prepare;
mod protection;
mod sending;
mod signed;
mod trade;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::money::Money;
use bulkhead_core::order::OrderTerms;
use bulkhead_core::venue::stage::{Attempt, Attempts, Landing, Stage, TransactionId};
use bulkhead_core::venue::{ReportedEvent, VenueNews};
use bulkhead_venue::{Journal, Left, OrderAge, Ticket};
use rust_decimal::Decimal;
use solana_address::Address;
use solana_signature::Signature;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::cluster::{Cluster, ClusterError};
use crate::jupiter::SwapApi;
use crate::settings::{Market, SolanaSettings};
use crate::signer::SolanaSigner;

pub use self::signed::SignedMessages;

/// The first pause after a failure that may pass, and the longest. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What all orders of an account on a cluster have in common.
pub struct Desk<C, J> {
    /// Of this account, in the names of orders at the signer.
    pub name: String,
    /// The cluster.
    pub cluster: C,
    /// The aggregator.
    pub swaps: Arc<dyn SwapApi>,
    /// The account's journal.
    pub journal: Arc<J>,
    /// Who signs.
    pub signer: Arc<dyn SolanaSigner>,
    /// Bounds and markets.
    pub settings: SolanaSettings,
    /// Held from the quote to the sending, so that no two orders reckon with the same balance.
    pub turn: tokio::sync::Mutex<()>,
    /// What was signed for which order.
    pub signed: Mutex<SignedMessages>,
    /// What a unit of native currency was worth last, for when it can't be asked.
    pub last_fee_value: Mutex<Option<Decimal>>,
    /// When it was found last that nobody has a say over what an instrument is of, and that it can be sold again.
    pub safe: Mutex<BTreeMap<InstrumentId, Instant>>,
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
    /// Why the last transaction is not sent again: everybody who tried it said that it fails.
    withheld: Option<String>,
    /// When the newest transaction was sent last.
    sent: Option<Instant>,
    /// When it was told last that one should be over, and that not enough servers say so.
    doubted: Option<Instant>,
}

/// What is to be done next.
enum Situation {
    /// Something may still land.
    Open,
    /// The trade is done.
    Traded(TransactionId),
    /// The trade landed and failed.
    Failed(TransactionId),
    /// Nothing of it is out there.
    Fresh,
}

impl<C: Cluster, J: Journal> bulkhead_venue::Pursuit for Pursuit<C, J> {
    async fn run(&mut self) -> Result<(), Left> {
        loop {
            match self.situation() {
                Situation::Open => self.follow().await?,
                Situation::Traded(id) => return self.settle(&id).await,
                Situation::Failed(id) => return self.report_failed(&id).await,
                Situation::Fresh => {
                    if let Some(end) = self.trade().await? {
                        return self.end(end).await;
                    }
                }
            }
        }
    }
}

impl<C: Cluster, J: Journal> Pursuit<C, J> {
    pub(crate) fn new(desk: Arc<Desk<C, J>>, ticket: Ticket, cancel: watch::Receiver<bool>) -> Self {
        let Ticket { terms, budget, attempts, cancel_asked: _ } = ticket;
        Self {
            desk,
            age: OrderAge::of(&terms),
            terms,
            budget,
            attempts,
            cancel,
            given_up: 0,
            withheld: None,
            sent: None,
            doubted: None,
        }
    }

    /// An order is over only when all of it is final: two of its transactions never wait side by side, so that holds
    /// when the last one is.
    fn situation(&self) -> Situation {
        let attempts = self.attempts.as_slice();
        if attempts.iter().any(|attempt| !attempt.landing.is_final()) {
            return Situation::Open;
        }
        let landed =
            |wanted: fn(Landing) -> bool| attempts.iter().rev().find(|attempt| wanted(attempt.landing));
        let id = |attempt: &Attempt| attempt.transaction.id.clone();
        if let Some(trade) = landed(|landing| matches!(landing, Landing::Succeeded(_))) {
            return Situation::Traded(id(trade));
        }
        match landed(|landing| matches!(landing, Landing::Failed(_))) {
            Some(failed) => Situation::Failed(id(failed)),
            None => Situation::Fresh,
        }
    }

    /// Writes a stage down.
    async fn reach(&mut self, stage: Stage) -> Result<(), Left> {
        let mut attempts = self.attempts.clone();
        // The engine keeps the same account of it, and would halt over what can't be.
        attempts.note(&stage).map_err(|illegal| Left::Contradiction(illegal.to_string()))?;
        tracing::debug!(order = self.terms.id.0, stage = stage.name(), details = stage.details(), "stage");
        self.desk.journal.record(self.terms.id, VenueNews::Stage(Box::new(stage))).await?;
        self.attempts = attempts;
        Ok(())
    }

    async fn report(&self, event: ReportedEvent) -> Result<(), Left> {
        self.desk.journal.record(self.terms.id, VenueNews::Report(event)).await?;
        Ok(())
    }

    fn market(&self) -> Option<&Market> {
        self.desk.settings.market(self.terms.instrument)
    }

    fn owner(&self) -> Address {
        self.desk.signer.address()
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

    /// Asks the cluster until it answers or says no.
    async fn insist<T, F: Future<Output = Result<T, ClusterError>> + Send>(
        &self,
        ask: impl Fn() -> F,
    ) -> Result<T, ClusterError> {
        let mut pause = FIRST_PAUSE;
        loop {
            match ask().await {
                Err(ClusterError::Unavailable(why)) => {
                    tracing::warn!(order = self.terms.id.0, why, "the cluster does not answer; asking again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                answer => return answer,
            }
        }
    }
}

fn signature_of(id: &TransactionId) -> Result<Signature, Left> {
    id.0.parse().map_err(|_| Left::Contradiction(format!("{id} is no signature")))
}
