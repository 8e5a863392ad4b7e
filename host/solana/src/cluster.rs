use std::future::Future;
use std::sync::Arc;

use solana_account::Account;
use solana_address::Address;
use solana_hash::Hash;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;

use crate::settlement::Moved;

/// Why a question got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// Nobody could be asked at the moment.
    #[error("the cluster can't be asked at the moment: {0}")]
    Unavailable(String),
    /// The node refused the question.
    #[error("the node refuses it: {0}")]
    Refused(String),
    /// Endpoints answered differently what has one answer.
    #[error("endpoints disagree: {0}")]
    Disagreement(String),
    /// An answer makes no sense.
    #[error("the answer makes no sense: {0}")]
    Malformed(String),
}

/// How far the cluster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heights {
    /// The highest block that most know.
    pub newest: u64,
    /// The highest block of which most say that it is final.
    pub finalized: u64,
}

/// A blockhash and how long it is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifetime {
    /// The blockhash.
    pub blockhash: Hash,
    /// No transaction with it can be in a block above this height.
    pub last_valid_height: u64,
}

/// How sure a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A node has executed it. It may be on a fork that dies.
    Processed,
    /// Two thirds of the stake have voted for it.
    Confirmed,
    /// It can't leave the chain.
    Finalized,
}

/// Where a transaction stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The slot of its block.
    pub slot: u64,
    /// How sure that block is.
    pub level: Level,
    /// How it failed, if it did.
    pub error: Option<TransactionError>,
}

/// What must not be taken up anew before it can't land any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiring {
    /// The transaction's name.
    pub signature: Signature,
    /// The blockhash that it was signed with.
    pub blockhash: Hash,
    /// It can't be in a block above this height.
    pub last_valid_height: u64,
}

/// Whether a transaction that nobody has seen may still land.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absence {
    /// It may, as far as those who were asked know.
    Open(String),
    /// It never will be in a block: those up to this height are final without it.
    ForGood(u64),
    /// Nobody says that it may, and too few remember the blocks that it could be in.
    Forgotten(String),
}

/// What is known of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// All who were asked have never seen it.
    ByNobody,
    /// Somebody has, but not enough to be believed.
    ByFew,
    /// This is what most say.
    As(Status),
}

/// What a trial showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// How it would fail, if it would.
    pub error: Option<TransactionError>,
    /// What it would compute.
    pub units: u64,
    /// The accounts that were to be shown, in their order, as they would be.
    pub accounts: Vec<Option<Account>>,
    /// What its programs would write.
    pub logs: Vec<String>,
}

/// What became of a transaction that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// Somebody took it, or has had it before. For people: who.
    Taken(String),
    /// Nobody took it. They have seen it all the same, so it may land until it expires.
    Rejected(Rejection),
    /// It may have arrived or not.
    Unknown(String),
}

/// Why nobody took a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// How it would fail, when that is why.
    pub error: Option<TransactionError>,
    /// In the node's words.
    pub message: String,
}

/// A cluster that can be asked and sent to.
pub trait Cluster: Send + Sync + 'static {
    /// The hash of the cluster's first block, its name.
    fn genesis_hash(&self) -> impl Future<Output = Result<String, ClusterError>> + Send;

    /// How far it is.
    fn heights(&self) -> impl Future<Output = Result<Heights, ClusterError>> + Send;

    /// A blockhash that is confirmed.
    fn lifetime(&self) -> impl Future<Output = Result<Lifetime, ClusterError>> + Send;

    /// Accounts as they are in confirmed blocks, in their order.
    fn accounts(
        &self,
        addresses: &[Address],
    ) -> impl Future<Output = Result<Vec<Option<Account>>, ClusterError>> + Send;

    /// All token accounts of a wallet, of both programs.
    fn token_accounts(
        &self,
        owner: Address,
    ) -> impl Future<Output = Result<Vec<(Address, Account)>, ClusterError>> + Send;

    /// What the largest accounts of a token hold, the largest first.
    fn largest_accounts(&self, mint: Address) -> impl Future<Output = Result<Vec<u64>, ClusterError>> + Send;

    /// What others paid lately for each unit so as to write to these, in millionths of a lamport.
    fn recent_prices(
        &self,
        writable: &[Address],
    ) -> impl Future<Output = Result<Vec<u64>, ClusterError>> + Send;

    /// Tries a transaction, signed or not, without sending it.
    fn try_out(
        &self,
        transaction: &VersionedTransaction,
        shown: &[Address],
    ) -> impl Future<Output = Result<Trial, ClusterError>> + Send;

    /// Where a transaction stands.
    fn status(&self, signature: Signature) -> impl Future<Output = Result<Known, ClusterError>> + Send;

    /// Whether a transaction can still land. Each server is asked what it knows of it and, after that, how far it is.
    ///
    /// # Errors
    ///
    /// [`ClusterError`] while one that is not left alone does not answer.
    fn absence(&self, of: &Expiring) -> impl Future<Output = Result<Absence, ClusterError>> + Send;

    /// What a transaction moved that is in a block of this level; `None` while it is in none.
    fn moved(
        &self,
        signature: Signature,
        level: Level,
    ) -> impl Future<Output = Result<Option<Moved>, ClusterError>> + Send;

    /// Sends a signed transaction; nodes try it first, if they are told to.
    fn send(&self, transaction: &VersionedTransaction, preflight: bool) -> impl Future<Output = Sent> + Send;
}

/// Several who ask and send share one way to the cluster, and its limits.
impl<C: Cluster> Cluster for Arc<C> {
    async fn genesis_hash(&self) -> Result<String, ClusterError> {
        (**self).genesis_hash().await
    }

    async fn heights(&self) -> Result<Heights, ClusterError> {
        (**self).heights().await
    }

    async fn lifetime(&self) -> Result<Lifetime, ClusterError> {
        (**self).lifetime().await
    }

    async fn accounts(&self, addresses: &[Address]) -> Result<Vec<Option<Account>>, ClusterError> {
        (**self).accounts(addresses).await
    }

    async fn token_accounts(&self, owner: Address) -> Result<Vec<(Address, Account)>, ClusterError> {
        (**self).token_accounts(owner).await
    }

    async fn largest_accounts(&self, mint: Address) -> Result<Vec<u64>, ClusterError> {
        (**self).largest_accounts(mint).await
    }

    async fn recent_prices(&self, writable: &[Address]) -> Result<Vec<u64>, ClusterError> {
        (**self).recent_prices(writable).await
    }

    async fn try_out(
        &self,
        transaction: &VersionedTransaction,
        shown: &[Address],
    ) -> Result<Trial, ClusterError> {
        (**self).try_out(transaction, shown).await
    }

    async fn status(&self, signature: Signature) -> Result<Known, ClusterError> {
        (**self).status(signature).await
    }

    async fn absence(&self, of: &Expiring) -> Result<Absence, ClusterError> {
        (**self).absence(of).await
    }

    async fn moved(&self, signature: Signature, level: Level) -> Result<Option<Moved>, ClusterError> {
        (**self).moved(signature, level).await
    }

    async fn send(&self, transaction: &VersionedTransaction, preflight: bool) -> Sent {
        (**self).send(transaction, preflight).await
    }
}
