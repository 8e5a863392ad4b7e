//! An account's executor, as the thread that trades sees it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use anyhow::Result;
use bulkhead_core::engine::Engine;
use bulkhead_core::identifier::OrderId;
use bulkhead_core::input::InputKind;
use bulkhead_core::output::Output;
use bulkhead_core::venue::outside::{OutsideOrder, OutsideVenue, Request};
use bulkhead_store::journal::Sequence;
use bulkhead_venue::{ChainExecutor, JournalError, Ticket};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::journal::{AccountJournal, Record};
use super::reconciliation::{Comparison, Reconciler};
use crate::run::{Outside, Told};

/// How long orders that are on their way may take to be put down. What they do is in the journal, whenever they end.
const LONGEST_STOP: Duration = Duration::from_millis(500);

/// Executes orders on a chain.
pub(super) struct ChainVenue<E: ChainExecutor> {
    runtime: Handle,
    executor: Option<E>,
    reconciler: Reconciler,
    /// What is to be journaled before all else.
    first: VecDeque<InputKind>,
    records: Receiver<Record>,
    /// Who waits for the input that was given last.
    given: Option<oneshot::Sender<Result<(), JournalError>>>,
    /// Who waits for which input to be durable, in their order.
    waiting: VecDeque<(Sequence, oneshot::Sender<Result<(), JournalError>>)>,
}

impl<E: ChainExecutor> ChainVenue<E> {
    /// Compares the books, and starts the executor with what the journal says is on its way.
    pub(super) fn start(
        runtime: &Handle,
        comparison: Comparison,
        wake: Arc<dyn Fn() + Send + Sync>,
        told: Told,
        engine: &Engine,
        start: impl AsyncFnOnce(AccountJournal, Vec<Ticket>) -> Result<E>,
    ) -> Result<Self> {
        let first = comparison.begin(runtime, engine, &told)?.into();
        let (journal, records) = AccountJournal::new(Arc::clone(&wake));
        let beside = journal.clone();
        let open = tickets(engine);
        if !open.is_empty() {
            tracing::info!(orders = open.len(), "taking up orders that are on their way");
        }
        let executor = Some(runtime.block_on(start(journal, open))?);
        let reconciler = Reconciler::start(runtime, comparison, beside, wake, told);
        let (runtime, waiting) = (runtime.clone(), VecDeque::new());
        Ok(Self { runtime, executor, reconciler, first, records, given: None, waiting })
    }
}

/// What is on its way by the journal.
fn tickets(engine: &Engine) -> Vec<Ticket> {
    let outside = engine.outside().into_iter().flat_map(OutsideVenue::orders);
    outside.filter_map(|(order, known)| ticket(engine, order, known)).collect()
}

fn ticket(engine: &Engine, order: OrderId, known: &OutsideOrder) -> Option<Ticket> {
    let order = engine.order(order)?;
    Some(Ticket {
        terms: order.terms().clone(),
        budget: order.reserved_money(),
        attempts: known.attempts().clone(),
        cancel_asked: known.cancel_asked(),
    })
}

impl<E: ChainExecutor> Outside for ChainVenue<E> {
    fn next(&mut self) -> Option<InputKind> {
        if let Some(kind) = self.first.pop_front() {
            return Some(kind);
        }
        let Record { kind, written } = self.records.try_recv().ok()?;
        self.given = Some(written);
        Some(kind)
    }

    fn stepped(&mut self, sequence: Sequence, refused: Option<String>) {
        let Some(written) = self.given.take() else { return };
        match refused {
            None => self.waiting.push_back((sequence, written)),
            // Whoever does not listen any more has ended.
            Some(reason) => drop(written.send(Err(JournalError::Refused(reason)))),
        }
    }

    fn durable(&mut self, until: Sequence) {
        while let Some((_, written)) = self.waiting.pop_front_if(|(sequence, _)| *sequence <= until) {
            let _ = written.send(Ok(()));
        }
    }

    fn told(&mut self, output: &Output) {
        self.reconciler.told(output);
    }

    fn look(&mut self, engine: &Engine) {
        self.reconciler.look(engine);
    }

    fn requested(&mut self, engine: &Engine, order: OrderId, request: &Request) {
        let Some(executor) = &self.executor else { return };
        match request {
            Request::Execute { .. } => {
                let known = engine.outside().and_then(|venue| venue.order(order));
                if let Some(ticket) = known.and_then(|known| ticket(engine, order, known)) {
                    let _runtime = self.runtime.enter();
                    executor.execute(ticket);
                }
            }
            Request::Cancel => executor.cancel(order),
        }
    }
}

impl<E: ChainExecutor> Drop for ChainVenue<E> {
    /// What was not written down has not happened; what was goes on with the next start.
    fn drop(&mut self) {
        self.waiting.clear();
        self.given = None;
        if let Some(executor) = self.executor.take() {
            let stopped =
                self.runtime.block_on(async { tokio::time::timeout(LONGEST_STOP, executor.stop()).await });
            if stopped.is_err() {
                tracing::warn!("orders on their way did not stop in time; the next start takes them up");
            }
        }
    }
}
