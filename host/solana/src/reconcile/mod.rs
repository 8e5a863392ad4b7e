//! What a wallet has on a cluster, for [`bulkhead_venue::reconcile`] to hold books against.
//!
//! What trading could halt over is of one slot, the same at all servers, and in blocks as sure as those that the books are
//! kept by: the wallet's lamports, and its associated account of each token that is traded. What else belongs to the
//! wallet is told: tokens that are not traded, further accounts of those that are, as trades only ever use the associated
//! one, and the rent of all of them. Anybody can make such accounts and put something in, so they halt nothing.
//!
//! **Native currency** is the wallet's lamports and what is wrapped in its associated account, without rent. What
//! transactions cost is booked in the account's currency, rent of new accounts among it; see
//! [`Traded::costs`](crate::settlement::Traded). So native currency beside the books is for that, and never too much.
//!
//! There is no count of a wallet's transactions as an EVM chain has one. Somebody else who uses the key shows in what is
//! missing, or in a permission that nobody here gives.

mod cost;
mod wallet;

pub use self::wallet::{SolanaWallet, books};
