use std::future::Future;

use solana_address::Address;
use solana_signature::Signature;

use super::new_pools::NewPool;
use super::settings::WatchName;
use super::trade::LeaderTrade;

/// Up to where everything of an address was dealt with: all of its transactions in this slot and before are, and their
/// blocks can't leave the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The slot.
    pub slot: u64,
    /// The newest transaction in it or before, from which nodes go on; none when there was none yet.
    pub signature: Option<Signature>,
}

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Watched {
    /// A tracked wallet, by its address.
    Wallet(Address),
    /// A program that makes pools, by its name.
    Pools(WatchName),
}

/// A tracked wallet as it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedWallet {
    /// What people call it.
    pub name: WatchName,
    /// Its address.
    pub address: Address,
}

/// Where watching stood when it was written down last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Up to where everything was dealt with; none when nothing was looked at yet.
    pub cursor: Option<Cursor>,
    /// Trades that were told and are not final, and with [`Self::cursor`] also those of later slots that are. Of programs
    /// there are none.
    pub trades: Vec<LeaderTrade>,
    /// The same, of new pools.
    pub pools: Vec<NewPool>,
}

/// What a look has brought for one address: all of it is written down, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Whose.
    pub watched: Watched,
    /// Up to where everything was dealt with now, if that has changed.
    pub cursor: Option<Cursor>,
    /// Trades that are new, or are in another block than before. They take the place of those of the same signature.
    pub trades: Vec<LeaderTrade>,
    /// New pools, likewise; by signature and owner.
    pub pools: Vec<NewPool>,
    /// Transactions that were told and are final now.
    pub finals: Vec<Signature>,
    /// Transactions that were told and are on the chain no more: taken back.
    pub undone: Vec<Signature>,
}

impl Progress {
    /// Nothing yet.
    #[must_use]
    pub const fn of(watched: Watched) -> Self {
        Self {
            watched,
            cursor: None,
            trades: Vec::new(),
            pools: Vec::new(),
            finals: Vec::new(),
            undone: Vec::new(),
        }
    }

    /// Whether there is nothing to write down.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.cursor.is_none()
            && self.trades.is_empty()
            && self.pools.is_empty()
            && self.finals.is_empty()
            && self.undone.is_empty()
    }
}

/// Why something was not read or written down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what is known of wallets can't be read or written down: {0}")]
pub struct BookError(pub String);

/// Where it is written down what was seen of wallets, so that nothing is told twice or left out after a restart.
pub trait WatchBook: Send + Sync + 'static {
    /// The wallets that are tracked.
    fn wallets(&self) -> impl Future<Output = Result<Vec<TrackedWallet>, BookError>> + Send;

    /// Where watching of an address stood.
    fn standing(&self, watched: &Watched) -> impl Future<Output = Result<Standing, BookError>> + Send;

    /// Writes down what a look has brought, all of it or nothing, and waits until that can't be lost any more.
    fn record(&self, progress: Vec<Progress>) -> impl Future<Output = Result<(), BookError>> + Send;
}
