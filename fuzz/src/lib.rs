//! What must hold for any bytes from outside: the checks that the fuzzers run.
//!
//! Each module has one function, `check`, that takes any bytes and panics when something is wrong with what
//! became of them. It has two users: the fuzzer of the same name in `targets/`, which looks for bytes that make
//! it panic, and `tests/corpus.rs`, which runs it once on every file of `corpus/`.
//!
//! It is a member of the workspace, so that it has the workspace's versions and lints and so that its checks are
//! compiled and its corpus is run with every test. The fuzzers themselves are behind the feature `libfuzzer`, so
//! that only who runs them needs a C++ compiler. `tests/random_configurations.rs` tries random values of every key,
//! which a fuzzer would need long to put together, with the check of the configuration's fuzzer.
//!
//! What this crate must never do: be stricter than the code it checks, or depend on time, so that the same bytes
//! pass or fail everywhere.
//!
//! Where to start reading: [`journal_payload`].

/// Configurations: a file, environment variables and flags.
pub mod configuration;

/// Files of bars.
pub mod csv;

/// Payloads of the journal's records.
pub mod journal_payload;

/// Models.
pub mod model;

/// What any payload must satisfy.
mod payload;

/// Snapshots of a shard, and engines that go on from them.
pub mod snapshot;

/// Transactions of Solana that others made.
pub mod solana_transaction;

/// A strategy that does a bit of everything.
pub mod strategy;

/// What transactions were for the wallets in them, as nodes tell it.
pub mod wallet_trade;
