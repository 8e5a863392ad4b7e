use std::future::Future;

use bulkhead_core::money::Money;
use bulkhead_core::order::OrderTerms;
use bulkhead_core::venue::stage::Attempts;

use crate::journal::JournalError;

/// An order, as the host hands it over.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// What was ordered.
    pub terms: OrderTerms,
    /// The most that a purchase may cost, in the account's currency.
    pub budget: Money,
    /// What was signed for it before.
    pub attempts: Attempts,
    /// Whether it is to be taken back.
    pub cancel_asked: bool,
}

/// An order is left as it is: the host ends, or a person must look. Its transactions are in the journal.
#[derive(Debug, thiserror::Error)]
pub enum Left {
    /// The journal takes nothing.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What the chain or the signer says can't be.
    #[error("{0}")]
    Contradiction(String),
}

/// An order on its way.
pub trait Pursuit: Send + 'static {
    /// Goes on until the order has ended. Where the order stands is what its transactions say, so after an error it can be
    /// called again, and goes on from there.
    ///
    /// # Errors
    ///
    /// [`Left`] when the order can't be brought to its end now.
    fn run(&mut self) -> impl Future<Output = Result<(), Left>> + Send;
}
