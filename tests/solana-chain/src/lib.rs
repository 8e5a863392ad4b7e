//! A Solana chain for tests: the real virtual machine with the token programs and a swap program, behind JSON-RPC on
//! loopback, and a server in front that speaks the swap aggregator's language, honestly or not.
//!
//! What this crate must never do: be used outside tests. It panics on whatever goes wrong, and its keys are known to all.
//!
//! Where to start reading: [`Chain`], which a test starts; [`rpc::Server`], of which a test has as many as it wants, each
//! with faults of its own; [`jupiter::Jupiter`], the aggregator.

#![expect(clippy::panic, reason = "a test that can't set up its chain has failed")]

/// The chain that a test talks to.
pub mod chain;

/// What servers answer wrongly, late, or not at all.
pub mod faults;

mod http;

/// The aggregator of swaps.
pub mod jupiter;

/// Slots, blockhashes, and what landed.
pub mod ledger;

/// A market in which others trade, and a trader.
pub mod market;

/// The swap program and its pools.
pub mod program;

/// Pushes to those who subscribe.
pub mod pushes;

/// JSON-RPC as nodes speak it.
pub mod rpc;

/// Mints and token accounts.
pub mod tokens;

pub mod validator;

pub use chain::{Chain, Options, Pace};
pub use faults::Fault;
