//! Runs strategies as sandboxed WebAssembly components.
//!
//! A strategy is code that the operator did not write and need not trust. This crate lets it see events and
//! propose actions, and nothing else: a file is looked at ([`Refused`] says what was wrong) and compiled in a
//! process of its own ([`CompilerProgram`]), and each instance runs in a store of its own under [`Limits`]. Whatever the guest does
//! comes out as a [`Fault`](bulkhead_core::strategy::Fault) of that instance alone.
//!
//! What this crate must never do: let a guest's behaviour depend on the clock, the machine or another
//! instance; trust a number, a length or a text that a guest returned; let anything unlimited happen on a
//! guest's behalf; offer a guest more than the log and the models that it was granted.
//!
//! Where to start reading: [`Sandbox`] for a version's way from bytes to instances, `instance` for the call
//! path, `compiler` for where files are compiled, `guest` for the two ways into a guest and `direct` for the quick one, `inspect` and `contract` for what is
//! refused, `engine` for how wasmtime is set, [`directory`] for hot reload.

/// What a file is, what it costs, and whether it does the same twice.
pub mod check;

pub mod directory;

mod artefact;
mod bindings;
mod compile;
mod compiler;
mod contract;
mod convert;
mod description;
mod direct;
mod engine;
mod guest;
mod inspect;
mod instance;
mod limits;
mod log;
mod memory;
mod models;
mod refused;
mod sandbox;
mod storage;
mod text;
mod versions;

pub use compiler::CompilerProgram;
pub use compiler::child::{CompilerFailure, serve_as_compiler};
pub use inspect::{Inspection, Kind};
pub use instance::WasmStrategy;
pub use limits::{InvalidLimits, Limits};
pub use models::Grants;
pub use refused::Refused;
pub use sandbox::{Sandbox, SetUpError, Settings};

/// The engine and its major version, between which fuel amounts differ; a run's record names it.
pub const ENGINE_VERSION: &str = "wasmtime 48";

/// Stack for a thread that calls strategies: what a guest may use, with room for the host. A thread with less
/// than the guest's share would end the process when a guest recurses.
pub const THREAD_STACK_BYTES: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    #[test]
    fn the_engines_version_is_the_one_that_is_built_in() {
        let lock = include_str!("../../../Cargo.lock");
        let major = super::ENGINE_VERSION.strip_prefix("wasmtime ").unwrap();
        let entry = format!("name = \"wasmtime\"\nversion = \"{major}.");
        assert!(lock.contains(&entry), "ENGINE_VERSION is not what Cargo.lock holds");
    }
}
