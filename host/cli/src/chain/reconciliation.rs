//! An account's books held against its chain: once before anything is traded, and then every now and then.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bulkhead_api::{BookedPart, IgnoredDifference, ReconciliationRow, ReconciliationTable, written};
use bulkhead_configuration::{ChainReconciliation, Surplus};
use bulkhead_core::engine::Engine;
use bulkhead_core::input::{Actor, Command, HaltAction, InputKind};
use bulkhead_core::output::Output;
use bulkhead_core::reconciliation::Asset;
use bulkhead_core::time::Timestamp;
use bulkhead_store::clock::now;
use bulkhead_venue::reconcile::books::BookedAsset;
use bulkhead_venue::reconcile::figures::ChainName;
use bulkhead_venue::reconcile::{
    Books, BooksSource, ReconcileError, Reconciliation, Row, Tolerance, Wallet, reconcile,
};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use super::journal::AccountJournal;
use super::settings::duration;
use crate::run::Told;

/// Who halts an account whose books and chain differ, as the audit names it.
pub(crate) const RECONCILIATION: &str = "reconciliation";

/// Why what was at an address before its account traded is none of its books' business.
const BEFORE: &str = "it was there before the books began to be compared, and is none of theirs";

/// So many comparisons in a row that fail are told.
const ALARMING: u32 = 3;

/// What differs for an account on a chain.
#[derive(Clone)]
pub(crate) struct Comparison {
    pub(crate) account: String,
    wallet: Arc<dyn Wallet>,
    tolerance: Tolerance,
    every: Duration,
}

impl Comparison {
    /// Of a wallet, as the configuration says.
    pub(crate) fn new(account: &str, wallet: Arc<dyn Wallet>, configured: &ChainReconciliation) -> Self {
        let tolerance = Tolerance {
            fraction: configured.tolerance.0,
            dust: configured.dust.0,
            surplus_halts: configured.surplus == Surplus::Halt,
        };
        let every = duration(configured.every.0);
        Self { account: account.to_owned(), wallet, tolerance, every }
    }

    /// What the books say is there.
    pub(crate) fn books(&self, engine: &Engine) -> Books {
        self.wallet.books(engine)
    }

    /// Compares once.
    pub(crate) async fn compare(&self, books: &impl BooksSource) -> Result<Reconciliation, ReconcileError> {
        reconcile(&*self.wallet, &self.tolerance, books).await
    }

    /// Compares before anything is traded, and says what is to be journaled over it before all else. The chain has to
    /// answer.
    pub(super) fn begin(&self, runtime: &Handle, engine: &Engine, told: &Told) -> Result<Vec<InputKind>> {
        let found = runtime.block_on(async {
            // A server of another chain is told of by who starts next.
            if !self.wallet.is_on_its_chain().await? {
                return Ok(None);
            }
            self.compare(&self.books(engine)).await.map(Some)
        });
        let found = found.context("the books can't be held against the chain, so nothing is traded")?;
        let Some(found) = found else { return Ok(Vec::new()) };
        told.reconciliations.compared(&self.account, table(&found, now()));
        if engine.halt().is_none() || !found.halts() {
            self.say(&found, told);
        }
        Ok(consequences(&found, engine.halt().is_some()))
    }

    fn say(&self, found: &Reconciliation, told: &Told) {
        let block = found.figures.block;
        if found.halts() {
            tracing::error!(block, differences = found.why_it_halts(), "the books and the chain differ");
        } else if found.noted().is_empty() {
            tracing::info!(block, compared = found.rows.len(), "the books agree with the chain");
        } else {
            let noted = found.noted();
            tracing::warn!(block, noted, "the books and the chain differ, and trading goes on");
            if let Some(notices) = &told.notices {
                notices.books_differ(&self.account, &look(&noted));
            }
        }
    }
}

/// What is journaled over a comparison.
fn consequences(found: &Reconciliation, is_halted: bool) -> Vec<InputKind> {
    let host = || Actor::Host(RECONCILIATION.to_owned());
    let ignore = |(subject, difference): &(String, rust_decimal::Decimal)| {
        let (subject, difference) = (subject.clone(), *difference);
        let command = Command::Ignore { subject, difference, reason: BEFORE.to_owned() };
        InputKind::command(host(), command)
    };
    let mut kinds: Vec<InputKind> = found.baseline.iter().map(ignore).collect();
    // One that is halted stays so, and whoever resumes it has it compared anew.
    if found.halts() && !is_halted {
        let command = Command::Halt { reason: look(&found.why_it_halts()), action: HaltAction::StopEntries };
        kinds.push(InputKind::command(host(), command));
    }
    kinds
}

fn look(what: &str) -> String {
    format!("the books and the chain differ: {what}. `bulkhead reconcile` shows it and what can be done")
}

/// Asks the thread that trades for the books.
struct LiveBooks {
    asking: Sender<oneshot::Sender<Reading>>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

/// The books, and whether trading is halted.
type Reading = (Books, bool);

impl LiveBooks {
    async fn ask(&self) -> Result<Reading, ReconcileError> {
        let (answer, answered) = oneshot::channel();
        self.asking.send(answer).map_err(|_| ReconcileError::Closed)?;
        (self.wake)();
        answered.await.map_err(|_| ReconcileError::Closed)
    }
}

impl BooksSource for LiveBooks {
    async fn read(&self) -> Result<Books, ReconcileError> {
        Ok(self.ask().await?.0)
    }
}

/// Compares beside the thread that trades, as long as it is there.
pub(super) struct Reconciler {
    wallet: Arc<dyn Wallet>,
    asked: Receiver<oneshot::Sender<Reading>>,
    /// Has it compared now.
    now: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Reconciler {
    pub(super) fn start(
        runtime: &Handle,
        comparison: Comparison,
        journal: AccountJournal,
        wake: Arc<dyn Fn() + Send + Sync>,
        told: Told,
    ) -> Self {
        let (asking, asked) = channel();
        let (now, wallet) = (Arc::new(Notify::new()), Arc::clone(&comparison.wallet));
        let books = LiveBooks { asking, wake };
        let at_once = Arc::clone(&now);
        let task = runtime.spawn(async move { go_on(&comparison, &books, &journal, &at_once, &told).await });
        Self { wallet, asked, now, task }
    }

    /// Hands out the books if somebody waits for them.
    pub(super) fn look(&self, engine: &Engine) {
        for answer in self.asked.try_iter() {
            let books = self.wallet.books(engine);
            // Who does not listen any more has ended.
            let _ = answer.send((books, engine.halt().is_some()));
        }
    }

    /// What a person does about a difference is looked at at once, and so is whether trading may go on.
    pub(super) fn told(&self, output: &Output) {
        let counts = match output {
            Output::BooksAdjusted(_) => true,
            Output::IgnoringChanged(changed) => !changed.actor.is_host(),
            Output::TradingState(state) => !state.halted,
            _ => false,
        };
        if counts {
            self.now.notify_one();
        }
    }
}

impl Drop for Reconciler {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn go_on(
    comparison: &Comparison,
    books: &LiveBooks,
    journal: &AccountJournal,
    at_once: &Notify,
    told: &Told,
) {
    let (mut failures, mut said) = (0_u32, String::new());
    loop {
        tokio::select! {
            () = tokio::time::sleep(comparison.every) => {}
            () = at_once.notified() => {}
        }
        let account = &comparison.account;
        match comparison.compare(books).await {
            Ok(found) => {
                failures = 0;
                told.reconciliations.compared(account, table(&found, now()));
                let Ok((_, is_halted)) = books.ask().await else { return };
                let differences = [found.why_it_halts(), found.noted()].join(";");
                if differences != said {
                    comparison.say(&found, told);
                    said = differences;
                }
                for kind in consequences(&found, is_halted) {
                    if let Err(error) = journal.write(kind).await {
                        tracing::warn!(%error, "what follows from a comparison was not written down");
                    }
                }
            }
            Err(ReconcileError::Closed) => return,
            Err(error) => {
                failures = failures.saturating_add(1);
                tracing::warn!(%error, failures, "the books could not be held against the chain");
                told.reconciliations.not_compared(account, error.to_string());
                if failures == ALARMING
                    && let Some(notices) = &told.notices
                {
                    let why = format!(
                        "the books could not be held against the chain {failures} times in a row: {error}"
                    );
                    notices.books_differ(account, &why);
                }
            }
        }
    }
}

/// For programs and people.
pub(crate) fn table(found: &Reconciliation, checked: Timestamp) -> ReconciliationTable {
    let figures = &found.figures;
    let time = |seconds: u64| Timestamp::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX));
    let (chain_id, cluster) = match &figures.chain {
        ChainName::Evm(number) => (Some(*number), None),
        ChainName::Solana(hash) => (None, Some(hash.clone())),
    };
    ReconciliationTable {
        checked: Some(written(checked)),
        chain_id,
        cluster,
        address: figures.address.clone(),
        block: figures.block,
        block_time: figures.timestamp.map(|seconds| written(time(seconds))),
        native: figures.native.normalize(),
        halts: found.halts(),
        problem: None,
        rows: found.rows.iter().map(row).collect(),
    }
}

fn row(row: &Row) -> ReconciliationRow {
    let open = row.unexplained();
    let ignored = row.ignored.as_ref().map(|ignored| IgnoredDifference {
        difference: ignored.difference.normalize(),
        reason: ignored.reason.clone(),
        actor: ignored.actor.to_string(),
        since: written(ignored.since),
    });
    let part = |part: &BookedAsset| BookedPart {
        instrument: match part.asset {
            Asset::Cash => None,
            Asset::Position(_) => Some(part.symbol.clone()),
        },
        books: part.booked,
        found: part.booked.saturating_add(open),
    };
    ReconciliationRow {
        subject: row.subject.clone(),
        kind: row.kind.name().to_owned(),
        token: row.kind.is_of_token().then(|| row.token.clone()),
        books: row.books.normalize(),
        chain: row.chain.normalize(),
        difference: row.difference.normalize(),
        unexplained: open.normalize(),
        worth: row.worth.map(|worth| worth.normalize()),
        tolerance: row.tolerance.normalize(),
        verdict: row.verdict.name().to_owned(),
        words: if row.verdict.is_open() { row.in_words() } else { String::new() },
        ignored,
        booked: row.assets.iter().map(part).collect(),
    }
}
