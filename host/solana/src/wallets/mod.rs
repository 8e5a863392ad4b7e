//! Wallets whose trades others follow, and pools that come to be: watched by polling, sooner when a push hints at it.
//!
//! The [feed](crate::wallets::feed) looks at each address again and again. What is new is listed and read in batches by
//! `scanner`; [recognition](crate::wallets::recognition) says what a transaction was, by balances alone;
//! [trade](crate::wallets::trade) which instrument it concerns. It is written down in the [book](crate::wallets::book) first
//! and then told to strategies as signals, so that it is never told twice.
//!
//! It must never lead to an order by itself, hold a key, or leave something out because a server failed.

/// Where it is written down what was seen.
pub mod book;

mod cache;

/// Signals as things happen.
pub mod feed;

/// Pools that come to be.
pub mod new_pools;

/// Hints from servers that something has happened.
pub mod pushes;

/// What a transaction was for a wallet.
pub mod recognition;

/// What looking took and brought.
pub mod report;

mod scanner;

/// What is watched, and how.
pub mod settings;

/// What tracked wallets trade.
pub mod trade;
