//! Trades on EVM chains: from an order that passed the gate to a transaction that landed once, or is known not to have
//! landed.
//!
//! What is sent to a chain can't be taken back, and whether it arrived may stay unknown for a while. So every step is
//! in the account's journal before the next begins, and a signed transaction before it is sent; see
//! [`bulkhead_core::venue::stage`]. After a crash the executor goes on from what the journal says may be out there.
//!
//! It must never hold a key, pay more than the operator's cap, send what was not journaled, or report an end that the
//! chain has not proved.
//!
//! Start reading in [`pursuit`], the way of one order; [`executor`] runs them side by side.

pub mod amounts;
pub mod chain;
pub mod contracts;
pub mod executor;
pub mod fees;
pub mod lane;
pub mod pools;
pub mod pursuit;
pub mod reconcile;
pub mod revert;
pub mod route;
pub mod rpc;
pub mod settings;
pub mod settlement;
