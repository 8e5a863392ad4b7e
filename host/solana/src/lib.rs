//! Trades on Solana: from an order that passed the gate to a transaction that landed once, or is known not to have
//! landed.
//!
//! Somebody else makes the transaction here: the aggregator that knows the pools. So what it makes is taken apart and
//! held against what was asked for before it is signed, see [`verify`], and tried on the chain's state, see [`effects`].
//! What follows is what every venue outside does: each step is in the account's journal before the next begins, and a
//! signed transaction before it is sent; see [`bulkhead_core::venue::stage`].
//!
//! There are no nonces. A transaction lands at most once because its signature is its name, and it can't land any more
//! when the last block height at which it is valid has passed in blocks that are final. Until then nothing takes its
//! place.
//!
//! It must never hold a key, sign an instruction that it can't explain, pay more than the operator's caps, send what was
//! not journaled, or report an end that the chain has not proved.
//!
//! Start reading in [`pursuit`], the way of one order; [`executor`] runs them side by side.

/// Between the books' decimals and the chain's whole numbers.
pub mod amounts;

/// What the executor asks a cluster, whoever answers.
pub mod cluster;

/// What a transaction would change, held against what was asked for.
pub mod effects;

/// All orders of an account, each on its way.
pub mod executor;

/// What a transaction may cost.
pub mod fees;

/// Token accounts.
pub mod holding;

/// The aggregator of swaps.
pub mod jupiter;

/// What a token's own program lets others do with it.
pub mod mint;

/// Programs whose instructions are understood, and the accounts that they derive.
pub mod programs;

/// The way of one order.
pub mod pursuit;

/// Prices as a feed.
pub mod quotes;

pub mod reconcile;

/// JSON-RPC servers.
pub mod rpc;

/// What an account trades, and within which bounds.
pub mod settings;

/// What a trade really brought.
pub mod settlement;

/// Who signs.
pub mod signer;

/// Transactions that others made, taken apart.
pub mod verify;

/// Wallets whose trades others follow, and pools that come to be.
pub mod wallets;
