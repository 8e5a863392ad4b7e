//! Runs strategies as sandboxed WebAssembly components.
//!
//! A strategy is code that the operator did not write and need not trust. This crate lets it see events and
//! propose actions, and nothing else: a file is looked at ([`Refused`] says what was wrong), compiled on a
//! thread of its own, and each instance runs in a store of its own under [`Limits`]. Whatever the guest does
//! comes out as a [`Fault`](bulkhead_core::strategy::Fault) of that instance alone.
//!
//! What this crate must never do: let a guest's behaviour depend on the clock, the machine or another
//! instance; trust a number, a length or a text that a guest returned; let anything unlimited happen on a
//! guest's behalf; offer a guest more than the log.
//!
//! Where to start reading: [`Sandbox`] for a version's way from bytes to instances, `instance` for the call
//! path, `inspect` and `contract` for what is refused, `engine` for how wasmtime is set, `directory` for hot
//! reload.

mod artefact;
mod bindings;
mod compile;
mod contract;
mod convert;
mod description;
mod engine;
mod inspect;
mod instance;
mod limits;
mod log;
mod memory;
mod refused;
mod sandbox;
mod storage;
mod text;
mod versions;

pub use inspect::{Inspection, Kind};
pub use instance::WasmStrategy;
pub use limits::{InvalidLimits, Limits};
pub use refused::Refused;
pub use sandbox::{Sandbox, Settings, SetUpError};

/// Stack for a thread that calls strategies: what a guest may use, with room for the host. A thread with less
/// than the guest's share would end the process when a guest recurses.
pub const THREAD_STACK_BYTES: usize = 4 * 1024 * 1024;
