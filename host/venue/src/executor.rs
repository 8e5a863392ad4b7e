use std::future::Future;

use bulkhead_core::identifier::OrderId;

use crate::pursuit::Ticket;

/// Executes an account's orders on a chain. Nothing but [`Self::stop`] waits: what becomes of an order is in the account's
/// journal.
pub trait ChainExecutor: Send + 'static {
    /// Takes an order up. Must be called within a runtime.
    fn execute(&self, ticket: Ticket);

    /// Takes an order back if that can still be done; its end will be reported either way.
    fn cancel(&self, order: OrderId);

    /// Orders on their way.
    fn under_way(&self) -> usize;

    /// Leaves all orders as they are: the journal knows what may be out there, and the next start takes them up.
    fn stop(self) -> impl Future<Output = ()> + Send;
}
