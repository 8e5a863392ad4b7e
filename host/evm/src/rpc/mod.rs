//! JSON-RPC servers of a chain: one at a time for questions, all of them for transactions.
//!
//! Servers fail, limit, lag and lie. A question goes to the healthiest; one that fails, or is behind the others, is left
//! alone for a while. What decides over money (the receipt of a transaction and the nonce of the account) is asked of
//! all that are healthy, and answers that differ are an error.

mod endpoint;
mod observing;
mod pool;
pub mod private;

pub use endpoint::{Endpoint, EndpointSettings, InvalidAddress};
pub use pool::Endpoints;
