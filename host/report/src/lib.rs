//! What a run amounts to: a [`Recorder`] listens to the engine's outputs and to one equity sample a market
//! step; its [`Report`] becomes a JSON document, tables for the terminal and a self-contained HTML page.
//!
//! What this crate must never do: influence a run, read a clock, or show a number that does not follow from
//! what it was given. A figure that is not defined is shown as missing, never as zero or infinity.
//!
//! Where to start reading: [`recorder`] for what is kept during a run, [`metrics`] for what is computed from
//! it at the end (the formulas are in `docs/metrics.md`), [`document`] for the shape of the JSON
//! (`docs/backtest-json.md`).

/// Amounts and moments as the reports write them.
mod amount;

/// Price candles of bounded number.
mod candles;

/// Two accounts side by side.
pub mod comparison;

/// An equity curve of bounded size for charts.
mod curve;

/// Days and months of UTC.
mod calendar;

/// The report and the shape of its JSON.
pub mod document;

/// Equity over time: days, drawdowns, exposure.
mod equity;

/// Numbers, times and durations for people.
mod format;

/// The figures that people are shown.
mod figures;

/// The report as a web page.
mod html;

/// The figures of a run.
pub mod metrics;

/// What a reader should know about the figures.
mod notes;

/// What listens during a run.
pub mod recorder;

/// Risk-adjusted ratios of daily returns.
mod returns;

/// The rows of the report's tables.
pub mod rows;

/// Sums over closed trades.
mod statistics;

/// The report as tables for a terminal.
mod terminal;

pub use amount::{Amount, Moment};
pub use calendar::{Day, Month};
pub use document::Report;
pub use html::HtmlError;
pub use metrics::Metrics;
pub use recorder::{
    DataFile, Final, OpenPosition, Performance, Recorder, RecorderSettings, Slot, StrategyVersion,
};
pub use terminal::Colours;
