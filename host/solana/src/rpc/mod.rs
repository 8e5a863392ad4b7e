//! JSON-RPC servers of a cluster: one at a time for questions, all of them for transactions.
//!
//! Solana's own client makes the questions and reads the answers; `transport` carries them for it, as the client's own
//! transport sleeps through limits and knows one server only. A question goes to the healthiest; one that fails, or is
//! behind the others, is left alone for a while. What decides over money (whether a transaction landed, and what it
//! moved) is asked of all that are healthy, and answers that differ are an error.

/// Bundles with a tip.
pub mod bundles;

/// Accounts of one slot, as all servers have them.
pub mod snapshot;

mod batch;
mod endpoint;
pub mod history;
mod majority;
mod pool;
pub(crate) mod transport;

pub use batch::Traffic;
pub use endpoint::Endpoint;
pub use pool::Endpoints;
pub use snapshot::Snapshot;
pub use transport::{EndpointSettings, InvalidAddress};
