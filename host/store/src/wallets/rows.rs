use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::order::Side;
use bulkhead_core::time::Timestamp;
use rust_decimal::Decimal;
use serde::Serialize;

use crate::database::table::table_row;

/// How sure it is that something seen on a chain has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TradeStanding {
    /// Two thirds of the stake have voted for its block.
    Confirmed,
    /// Its block can't leave the chain.
    Final,
    /// The chain has left its block: it did not happen.
    Undone,
}

impl TradeStanding {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Final => "final",
            Self::Undone => "undone",
        }
    }
}

table_row! {
    /// A wallet whose trades are watched, and what is known of its trader.
    TrackedWalletRow in "tracked_wallets"
    key {
        /// Its address.
        address: String,
    }
    rest {
        /// What people call it, unlike all others.
        name: String,
        /// What people make of its trader.
        tier: String,
        /// How many follow it.
        followers: u64,
        /// 0 to 100, see [`reputation`](fn@super::reputation).
        reputation: Decimal,
        /// Since when it is tracked.
        added: Timestamp,
    }
}

table_row! {
    /// Up to where everything of an address was dealt with.
    WatchCursorRow in "watch_cursors"
    key {
        /// Of which; see [`WatchKey`](super::WatchKey).
        watched: String,
    }
    rest {
        /// Everything in this slot and before was.
        slot: u64,
        /// The newest transaction there.
        signature: Option<String>,
    }
}

table_row! {
    /// A swap of a tracked wallet.
    LeaderTradeRow in "leader_trades"
    key {
        /// The wallet's address.
        wallet: String,
        /// The transaction.
        signature: String,
    }
    rest {
        /// The slot of its block.
        slot: u64,
        /// Its place among the wallet's transactions of that slot.
        ordinal: u32,
        /// When its block was made, where that is known.
        time: Option<Timestamp>,
        /// How sure it is.
        standing: TradeStanding,
        /// Of which instrument it was; none when no market is of its tokens.
        instrument: Option<InstrumentId>,
        /// Whether a token was bought or sold for money; none when neither or both were money.
        side: Option<Side>,
        /// What went.
        given_mint: String,
        /// How much of it.
        given: Decimal,
        /// What came.
        got_mint: String,
        /// How much of it.
        got: Decimal,
        /// Money for each unit of the other token, when the side is known.
        price: Option<Decimal>,
        /// Whether strategies were told.
        told: bool,
    }
}

table_row! {
    /// A pool that a program has made.
    NewPoolRow in "new_pools"
    key {
        /// The program's name.
        program: String,
        /// The transaction.
        signature: String,
        /// Whose its vaults are.
        owner: String,
    }
    rest {
        /// The slot of its block.
        slot: u64,
        /// When its block was made, where that is known.
        time: Option<Timestamp>,
        /// How sure it is.
        standing: TradeStanding,
        /// Of which instrument it is; none when no market is of its tokens.
        instrument: Option<InstrumentId>,
        /// One token.
        one_mint: String,
        /// How much of it the pool begins with.
        one: Decimal,
        /// The other token.
        other_mint: String,
        /// How much of it.
        other: Decimal,
        /// Whether strategies were told.
        told: bool,
    }
}
