//! Holds an account's books against its chain.
//!
//! Funds can move without the host: somebody else uses the key, a token gives or keeps something by itself, an answer
//! was wrong. So what the books say is compared with what the chain says, at the start and every now and then. What
//! orders on their way may have done by then is no difference: the books are read before and after the chain, and when
//! they moved meanwhile, all is read again.
//!
//! What the chain says is a [`Wallet`]'s to read. Nothing is changed here. [`compare`] says what differs and whether
//! trading should halt over it; what becomes of a difference is for a person to say, see
//! [`bulkhead_core::reconciliation`].

/// What the books say is there.
pub mod books;

/// What differs, and what follows from it.
pub mod compare;

/// What the chain says is there.
pub mod figures;

/// One thing that both speak of.
pub mod row;

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use bulkhead_core::engine::Engine;

pub use self::books::Books;
pub use self::compare::{Reconciliation, Tolerance};
pub use self::figures::Figures;
pub use self::row::{Row, RowKind, Verdict};

/// How often all is read again when the books moved meanwhile, or the chain could not be read.
const TRIES: u32 = 6;

/// How often all is read before a difference counts.
const LOOKS: u32 = 2;

/// The shortest and the longest pause between two tries.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// The chain did not say what is there.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Unread(Box<dyn std::error::Error + Send + Sync>);

impl Unread {
    /// For this reason.
    pub fn new(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}

/// Why the books were not compared.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The chain did not say what is there.
    #[error(transparent)]
    Chain(#[from] Unread),
    /// The books move all the time.
    #[error("orders moved on whenever the books were read; they are compared again later")]
    Unsettled,
    /// The account has ended.
    #[error("the account has ended")]
    Closed,
}

/// Where an account's funds are: an address on a chain, and what of the books is there.
#[async_trait]
pub trait Wallet: Send + Sync + 'static {
    /// What the books say is there.
    fn books(&self, engine: &Engine) -> Books;

    /// Whether those who are asked are of the account's chain.
    ///
    /// # Errors
    ///
    /// [`Unread`] when none answers.
    async fn is_on_its_chain(&self) -> Result<bool, Unread>;

    /// What the chain says is there, all of one moment.
    ///
    /// # Errors
    ///
    /// [`Unread`] when those who are asked say different things, or none answers.
    async fn figures(&self) -> Result<Figures, Unread>;

    /// How often the chain is looked at, as the account's settings have it.
    fn poll(&self) -> Duration;
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
    wallet: &dyn Wallet,
    tolerance: &Tolerance,
    source: &impl BooksSource,
) -> Result<Reconciliation, ReconcileError> {
    let mut looks = 0;
    let mut problem = ReconcileError::Unsettled;
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(pause(wallet.poll(), attempt)).await;
        }
        let books = source.read().await?;
        let figures = match wallet.figures().await {
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
fn pause(poll: Duration, attempt: u32) -> Duration {
    poll.saturating_mul(attempt).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}
