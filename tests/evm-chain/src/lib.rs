//! A chain for tests: a real node on loopback with Uniswap V2 and V3 as they are deployed, tokens good and bad, and a
//! front before the node that fails as servers of others do.
//!
//! What this crate must never do: be used outside tests. It panics on whatever goes wrong, and its keys are known to all.
//!
//! Where to start reading: [`Chain`], which a test starts; [`Faulty`], which it puts before the chain. What is
//! installed for it is in `package.json`, its own contracts are in `contracts/`.

#![expect(clippy::panic, reason = "a test that can't set up its chain has failed")]

/// Whose keys are known.
pub mod account;

/// The chain that a test talks to.
pub mod chain;

/// The contracts, as far as the tests call them.
pub mod contracts;

/// What is deployed before a test begins.
pub mod deployment;

/// The front before a node.
pub mod faulty;

mod installation;

mod node;

/// A market to try things on: pools that others trade in.
pub mod market;

/// Pools: making them, trading with them.
pub mod pools;

/// The blocks: mining, fees, reorganisations, snapshots.
pub mod mining;

/// Sending transactions and waiting for them.
pub mod transactions;

/// A remote signer.
pub mod web3signer;

pub use chain::{Chain, Mining, Options};
pub use deployment::{Deployed, Tokens};
pub use faulty::{Fault, Faulty};
pub use installation::runtime;
pub use transactions::Reverted;
