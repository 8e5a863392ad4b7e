use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bulkhead_core::identifier::OrderId;
use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::journal::{Journal, JournalError};
use crate::pursuit::{Left, Pursuit, Ticket};

/// How long after something that can't be an order is looked at again.
const SECOND_LOOK: Duration = Duration::from_secs(5);

/// Who can take an order back, by the order.
type Cancels = Arc<Mutex<BTreeMap<OrderId, watch::Sender<bool>>>>;

/// Orders on their way, side by side, each in a task of its own.
#[derive(Debug)]
pub struct OrdersUnderWay<J> {
    journal: Arc<J>,
    cancels: Cancels,
    running: Mutex<JoinSet<()>>,
    second_look: Duration,
}

impl<J: Journal> OrdersUnderWay<J> {
    /// None yet. What an order can't go on with is told to this journal.
    #[must_use]
    pub fn new(journal: Arc<J>) -> Self {
        Self { journal, cancels: Cancels::default(), running: Mutex::default(), second_look: SECOND_LOOK }
    }

    /// Pursues an order until its end. The receiver that `pursuit` is given turns true when the order is wanted back. Must
    /// be called within a runtime.
    ///
    /// What can't be halts the account; the order is looked at again some seconds later, as it may hold up others and
    /// servers may be of one mind by then. A pursuit that breaks down halts the account too.
    pub fn pursue<P: Pursuit>(
        &self,
        ticket: Ticket,
        pursuit: impl FnOnce(Ticket, watch::Receiver<bool>) -> P,
    ) {
        let order = ticket.terms.id;
        let (cancel, cancelled) = watch::channel(ticket.cancel_asked);
        self.cancels.lock().unwrap_or_else(PoisonError::into_inner).insert(order, cancel);
        let pursuit = pursuit(ticket, cancelled);
        let (cancels, journal) = (Arc::clone(&self.cancels), Arc::clone(&self.journal));
        let second_look = self.second_look;
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have ended are of no more use.
        while running.try_join_next().is_some() {}
        running.spawn(async move {
            let pursued = see_to_its_end(&*journal, pursuit, order, second_look);
            let pursued = AssertUnwindSafe(pursued).catch_unwind().await;
            if pursued.is_err() {
                tracing::error!(order = order.0, "the order's task broke down, and the account is halted");
                let what = "its task broke down; it is taken up again when the host is started anew";
                // Nobody is left to tell when this fails.
                let _ = journal.halt(format!("order {}: {what}", order.0)).await;
            }
            cancels.lock().unwrap_or_else(PoisonError::into_inner).remove(&order);
        });
    }

    /// Tells an order that it is wanted back.
    pub fn cancel(&self, order: OrderId) {
        if let Some(cancel) = self.cancels.lock().unwrap_or_else(PoisonError::into_inner).get(&order) {
            let _ = cancel.send(true);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.cancels.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Leaves all of them as they are.
    pub async fn stop(self) {
        let mut running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        running.shutdown().await;
    }
}

/// A halt is not repeated for the same reason, or nobody could resume.
async fn see_to_its_end(
    journal: &impl Journal,
    mut pursuit: impl Pursuit,
    order: OrderId,
    second_look: Duration,
) {
    let mut said = None;
    loop {
        let left = match pursuit.run().await {
            Ok(()) | Err(Left::Journal(JournalError::Closed)) => return,
            Err(left) => left.to_string(),
        };
        if said.as_ref() != Some(&left) {
            tracing::error!(order = order.0, left, "the order is left as it is, and the account halted");
            let halted = journal.halt(format!("order {}: {left}", order.0)).await;
            if matches!(halted, Err(JournalError::Closed)) {
                return;
            }
            said = Some(left);
        }
        tokio::time::sleep(second_look).await;
    }
}

#[cfg(test)]
mod tests;
