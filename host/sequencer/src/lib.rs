//! A shard at work: the engine behind its journal.
//!
//! ```text
//! inputs ──> Sequencer ──step──> engine ──outputs──┐ held back
//!               │                                  │
//!               └──group of inputs and outputs──> writer thread ──> store
//!                                                  │
//!            outputs leave <──────── durable ──────┘
//! ```
//!
//! The [`sequencer::Sequencer`] puts inputs in one order and steps the engine. What follows from an input is
//! handed out only after the input is durable. Durable becomes a whole group at a time, so that the engine
//! need not wait for each. When the store is slow, groups pile up to a bound and then the sequencer takes no
//! more inputs; when the store is away, nothing happens until it is back. So trading stands still rather than
//! going on unrecorded.
//!
//! After a crash [`recovery`] takes the newest good snapshot and steps the inputs that follow it again. It
//! compares every output with what was recorded; [`replay`] does the same for people.
//!
//! What this crate must never do: decide about money, hand out an output whose input is not durable, or go on
//! from a journal that does not hold together.
//!
//! Where to start reading: [`sequencer`], then [`recovery`].

/// Who asked for what.
mod audit;

/// What becomes durable together.
mod batch;

/// From the journal back to the engine.
pub mod recovery;

/// Steps taken again, compared with what was recorded.
pub mod replay;

/// The engine and the order of its inputs.
pub mod sequencer;

/// What a snapshot of a shard holds.
pub mod snapshot;

/// The thread that makes groups durable.
mod writer;
