//! Holds an account's books against the chain.
//!
//! Funds can move without the host: somebody else uses the key, a token gives or keeps something by itself, an answer
//! was wrong. So what the books say is compared with what the chain says, at the start and every now and then. All
//! figures are of one block, named by its hash, and all servers that know the block must say the same. What orders on
//! their way may have done by then is no difference: the books are read before and after the chain, and when they moved
//! meanwhile, all is read again.
//!
//! Nothing is changed here. [`compare`] says what differs and whether trading should halt over it; what becomes of a
//! difference is for a person to say, see [`bulkhead_core::reconciliation`].

pub mod books;
pub mod compare;
pub mod figures;

use std::future::Future;
use std::time::Duration;

use alloy::primitives::Address;

pub use self::books::Books;
pub use self::compare::{Reconciliation, Row, RowKind, Tolerance, Verdict};
pub use self::figures::Figures;
use crate::chain::ChainError;
use crate::rpc::Endpoints;
use crate::settings::ChainSettings;

/// How often all is read again when the books moved meanwhile, or the block left the chain.
const TRIES: u32 = 6;

/// How often all is read before a difference counts.
const LOOKS: u32 = 2;

/// Why the books were not compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReconcileError {
    /// The chain did not say what is there.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The books move all the time.
    #[error("orders moved on whenever the books were read; they are compared again later")]
    Unsettled,
    /// The account has ended.
    #[error("the account has ended")]
    Closed,
}

/// Where the books are read.
pub trait BooksSource {
    /// As they are now.
    ///
    /// # Errors
    ///
    /// [`ReconcileError::Closed`] when nobody has them any more.
    fn read(&self) -> impl Future<Output = Result<Books, ReconcileError>> + Send;
}

/// Books that nothing changes.
impl BooksSource for Books {
    async fn read(&self) -> Result<Books, ReconcileError> {
        Ok(self.clone())
    }
}

/// Compares the books with the chain. A difference over which trading halts is looked at a second time before it is
/// believed: a server may have told of a block that was not its newest.
///
/// # Errors
///
/// [`ReconcileError`], and nothing is known.
pub async fn reconcile(
    endpoints: &Endpoints,
    settings: &ChainSettings,
    address: Address,
    tolerance: &Tolerance,
    source: &impl BooksSource,
) -> Result<Reconciliation, ReconcileError> {
    let mut looks = 0;
    let mut problem = ReconcileError::Unsettled;
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(pause(settings, attempt)).await;
        }
        let books = source.read().await?;
        let figures = match Figures::read(endpoints, settings, address).await {
            Ok(figures) => figures,
            Err(error) => {
                tracing::debug!(%error, "the chain could not be read");
                problem = error.into();
                continue;
            }
        };
        if source.read().await? != books {
            problem = ReconcileError::Unsettled;
            continue;
        }
        looks += 1;
        let found = compare::compare(&books, &figures, tolerance);
        if looks >= LOOKS || !found.halts() {
            return Ok(found);
        }
    }
    Err(problem)
}

/// Longer each time, and never so long that a person waits.
fn pause(settings: &ChainSettings, attempt: u32) -> Duration {
    settings.poll.saturating_mul(attempt).clamp(Duration::from_millis(50), Duration::from_secs(3))
}
