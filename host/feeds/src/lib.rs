//! Bulkhead's market data: where the engine's market inputs come from.
//!
//! Every source is a [`Feed`]: pulled in batches, ordered by time, and deterministic. The same settings and
//! the same files give the same inputs, bit for bit.
//!
//! What this crate must never do: hand out data that it did not check, reorder time, or decide how fast a
//! run goes. A feed never sleeps; whoever pulls it may ask a [`pacer::Pacer`] how long to wait.
//!
//! Where to start reading: [`feed`] for the interface, [`simulator`] for the make-believe market, [`csv`]
//! for files, [`quality`] for what becomes of bad rows.

/// The interface of all sources.
pub mod feed;

/// What can go wrong in a feed, told so that a person can mend it.
pub mod error;

/// The gate between raw data and the engine: it refuses or repairs by policy, and counts.
pub mod quality;

pub mod csv;

/// Bars out of quotes, trades and the passing of time.
pub mod bars;

/// What happens now, handed in by others.
pub mod live;

/// Several feeds as one, in the order of time.
pub mod merge;

pub mod simulator;

/// How long to wait until an event is due.
pub mod pacer;

/// Moments and lengths of time in settings, as people write them.
pub mod text_time;

pub use error::FeedError;
pub use feed::{Feed, Progress};
