//! Bars from comma-separated files.
//!
//! A file holds one bar a line, oldest first: the time at which the bar opened, then open, high, low, close
//! and, if known, volume. What else a file may look like is written at [`CsvFeed`].

mod feed;
mod inspect;
mod layout;
mod lines;
mod number;
mod row;
mod timestamp;
mod write;

pub use feed::{CsvFeed, CsvSettings};
pub use inspect::{Inspection, inspect, symbol_of};
pub use write::write_bars;
