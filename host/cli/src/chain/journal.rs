//! The executor's way into an account's journal. The executor runs beside the thread that trades, so it hands over what is
//! to be written down, and waits until that thread says that it can't be lost any more.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use bulkhead_core::identifier::OrderId;
use bulkhead_core::input::{Actor, Command, HaltAction, InputKind};
use bulkhead_core::venue::{VenueMessage, VenueNews};
use bulkhead_venue::{Journal, JournalError};
use tokio::sync::oneshot;

/// Who halts an account that the executor can't go on with.
const EXECUTOR: &str = "executor";

/// What is to be written down, and who waits for it.
pub(super) struct Record {
    pub(super) kind: InputKind,
    pub(super) written: oneshot::Sender<Result<(), JournalError>>,
}

/// Hands over what is to be written down.
#[derive(Clone)]
pub(super) struct AccountJournal {
    records: Sender<Record>,
    /// Wakes the thread that trades.
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl AccountJournal {
    /// A way into a journal, and where what comes that way arrives.
    pub(super) fn new(wake: Arc<dyn Fn() + Send + Sync>) -> (Self, Receiver<Record>) {
        let (records, arrivals) = channel();
        (Self { records, wake }, arrivals)
    }

    /// Writes something down, and waits until that can't be lost any more.
    pub(super) async fn write(&self, kind: InputKind) -> Result<(), JournalError> {
        let (written, durable) = oneshot::channel();
        self.records.send(Record { kind, written }).map_err(|_| JournalError::Closed)?;
        (self.wake)();
        durable.await.unwrap_or(Err(JournalError::Closed))
    }
}

impl Journal for AccountJournal {
    async fn record(&self, order: OrderId, news: VenueNews) -> Result<(), JournalError> {
        self.write(InputKind::Venue(Box::new(VenueMessage { order, news }))).await
    }

    async fn halt(&self, reason: String) -> Result<(), JournalError> {
        let command = Command::Halt { reason, action: HaltAction::StopEntries };
        self.write(InputKind::command(Actor::Host(EXECUTOR.to_owned()), command)).await
    }
}
