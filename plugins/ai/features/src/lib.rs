//! What the models of the AI strategy see of a market: named numbers, one row for each one-minute bar.
//!
//! The strategy computes its rows here while it trades, and `bulkhead features` computes those that models are
//! trained on. It is the same code, so what a model has learnt from is what it is asked about. A model names the
//! [`schema`] of its rows, and one that was trained on another is refused.
//!
//! What holds for every feature:
//! - It is a finite `f32` from −10 to +10. Changes of the price are in units of what is usual for the instrument,
//!   ratios are logarithms, so that rows of different instruments and years can be compared.
//! - It depends on what was handed over before the row was made, and on nothing that came later.
//! - Where its input is missing or its window is not full yet, it has the neutral value that [`FEATURES`] states.
//!   A group of inputs that a feed may not have is told by a feature whose name ends in `_known`.
//! - A row costs the same whatever came before, and allocates nothing.
//! - The arithmetic is the same on every platform, natively and in WebAssembly.
//!
//! Windows count bars: where a feed leaves minutes out, sixty bars are more than an hour.
//!
//! What this crate must never do: read a clock, draw a random number, or let a value that is not finite through.
//!
//! Where to start reading: [`table`] for what there is, [`Extractor`] for how rows are made; each group of features
//! has a module of its own.

/// How an instrument moves against the mean of all.
mod against_market;
/// The shape of single bars.
mod candle;
/// The time of day and week.
mod clock;
/// The rows of many instruments.
mod extractor;
/// Averages, bands and oscillators.
mod indicators;
/// All that is known of one instrument.
mod instrument;
/// The mean move of all instruments.
mod market;
/// Spread, sizes and depth.
mod quotes;
/// Trend or range, quiet or turbulent.
mod regime;
/// Returns over horizons, and the distance to extremes.
mod returns;
/// The last values, by age.
mod ring;
/// One bar's features.
mod row;
/// What is usual for an instrument: the units that others measure in.
mod scale;
/// What was said and found out about an instrument.
mod signals;
/// Names, definitions and neutral values.
pub mod table;
/// How much prices move, and how.
mod volatility;
/// How much is traded, and where.
mod volume;

pub use extractor::Extractor;
pub use row::{LIMIT, Row};
pub use signals::SignalKind;
pub use table::{COUNT, FEATURES, Feature, Name, schema};

/// The length of the bars, in seconds.
pub const BAR_SECONDS: u32 = 60;

/// How many bars of an instrument fill every window: from this one on its rows are ready.
pub const WARM_UP_BARS: u32 = 256;
