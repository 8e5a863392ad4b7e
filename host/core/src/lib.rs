//! Bulkhead's core: everything that decides about money.
//!
//! The [`engine::Engine`] takes one [`input::Input`] at a time and answers with [`output::Output`]s. It is
//! the only code that changes balances, positions, orders, limits and weights.
//!
//! What this crate must never do: read a clock, draw a random number, do I/O, start a thread, keep global
//! state, or iterate in hash order. Two runs over the same inputs give the same outputs, bit for bit; that
//! is what backtest, replay and recovery stand on.
//!
//! Where to start reading: [`engine`] for what one step does, [`ledger`] for where a fill changes a
//! balance, [`risk`] for where an order is refused, [`venue::paper`] for how fills come about on paper.

/// Amounts, and arithmetic that never silently goes wrong.
pub mod money;

/// Event time.
pub mod time;

/// Names of things.
pub mod identifier;

/// What can be traded, and the grid of its prices and quantities.
pub mod instrument;

/// What happens in the market.
pub mod market;

/// What can change the engine's state.
pub mod input;

/// What the engine wants done or made known.
pub mod output;

/// An order and its life.
pub mod order;

/// The boundary to strategies: events in, proposals out.
pub mod strategy;

/// The risk gate: the only maker of orders that may be sent.
pub mod risk;

/// A strategy's holding of one instrument.
pub mod position;

/// The books: where a fill changes a balance.
pub mod ledger;

/// What becomes of differences between the books and what is really there.
pub mod reconciliation;

/// Longer bars from shorter ones.
pub mod bar_aggregation;

/// The last known market of every instrument.
pub mod price_board;

/// Capital by weight.
pub mod allocation;

/// How much a standard order trades.
pub mod sizing;

/// Where orders are executed.
pub mod venue;

/// Orders that the host keeps for positions: stops, tiers, time.
pub mod exits;

/// One number for all orders and fills of a run.
pub mod digest;

/// One input in, outputs out.
pub mod engine;
