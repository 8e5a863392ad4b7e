//! Wallets of others that are tracked: their profiles, their trades, and how far watching them has come. Pools that came to
//! be likewise. None of it follows from the journal: it is what was seen outside, written beside the writer.

mod reputation;
mod rows;
mod tracking;
mod watching;

pub use self::reputation::{FIRST_REPUTATION, reputation};
pub use self::rows::{LeaderTradeRow, NewPoolRow, TrackedWalletRow, TradeStanding, WatchCursorRow};
pub use self::watching::{TradePlace, WatchKey, WatchProgress, WatchStanding};
