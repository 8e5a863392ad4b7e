use std::future::Future;

use bulkhead_core::identifier::OrderId;
use bulkhead_core::venue::VenueNews;

/// Why news was not taken down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The host ends. Whatever was not written down has not happened.
    #[error("the journal is closed")]
    Closed,
    /// The account's engine says that it can't be. The account is halted.
    #[error("the engine refuses it: {0}")]
    Refused(String),
}

/// Where what happens to orders is written down.
pub trait Journal: Send + Sync + 'static {
    /// Writes news down and waits until that can't be lost any more.
    fn record(
        &self,
        order: OrderId,
        news: VenueNews,
    ) -> impl Future<Output = Result<(), JournalError>> + Send;

    /// Halts the account, as something is wrong that a person must look at.
    fn halt(&self, reason: String) -> impl Future<Output = Result<(), JournalError>> + Send;
}
