use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rust_decimal::Decimal;

/// What tells one chain from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainName {
    /// The number of an EVM chain.
    Evm(u64),
    /// The hash of the first block of a Solana cluster.
    Solana(String),
}

/// For people.
impl fmt::Display for ChainName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Evm(number) => write!(formatter, "chain {number}"),
            Self::Solana(hash) => write!(formatter, "cluster {hash}"),
        }
    }
}

/// What is at an account's address, all of one moment. Amounts are in whole tokens, as the books have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Which chain.
    pub chain: ChainName,
    /// Whose, as the chain writes it.
    pub address: String,
    /// The block's height, or its slot on a chain that counts slots.
    pub block: u64,
    /// The block's time, in seconds since 1970, where the chain tells it.
    pub timestamp: Option<u64>,
    /// Native currency that is free to be spent.
    pub native: Decimal,
    /// Of each token that is not native, by the chain's name of it.
    pub balances: BTreeMap<String, Decimal>,
    /// What others may do with tokens of the address.
    pub permissions: Vec<Permission>,
    /// The address's transactions, on chains that count them.
    pub transactions: Option<TransactionCounts>,
    /// What else is at the address, where the chain tells it.
    pub beside: Option<Beside>,
}

/// What somebody else may do with a token of the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// The chain's name of the token.
    pub token: String,
    /// Who.
    pub who: String,
    /// What.
    pub kind: PermissionKind,
}

/// What somebody else may do with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PermissionKind {
    /// A router that the account trades at may take so much. Orders have it allowed.
    Router(Decimal),
    /// Somebody whom no order has anything to do with may take so much.
    Delegate(Decimal),
    /// Somebody may close the address's account of it.
    CloseAuthority,
}

/// How many transactions an address has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionCounts {
    /// In blocks, which is its next nonce.
    pub mined: u64,
    /// The same with those that wait for a block, as far as a server knows of them.
    pub pending: u64,
}

/// What is at an address that no books speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// Names, for people, of tokens that are not traded and of which something is there.
    pub tokens: BTreeSet<String>,
    /// Native currency that token accounts hold so as to stay. It comes back when they are closed.
    pub rent: Decimal,
    /// What people call native currency.
    pub native: String,
}
