//! The rows of the report's tables, as they stand in the JSON document.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::amount::{Amount, Moment};
use crate::calendar::{Day, Month};

/// A name that many rows share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(pub(crate) Arc<str>);

impl std::ops::Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

/// A closed position, or the part of it that one execution closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trade {
    /// The slot's name.
    pub strategy: Name,
    /// The instrument.
    pub symbol: Name,
    /// "long", or "short" for an entry by selling.
    pub side: &'static str,
    /// When the position was opened.
    pub entry_time: Moment,
    /// When this part was closed.
    pub exit_time: Moment,
    /// Average entry price.
    pub entry_price: Amount,
    /// Exit price.
    pub exit_price: Amount,
    /// How much was closed.
    pub quantity: Amount,
    /// Of entry and exit, for this part.
    pub fees: Amount,
    /// Profit after fees.
    pub pnl: Amount,
    /// Why it was closed.
    pub exit_reason: &'static str,
}

/// What a strategy did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StrategyRow {
    /// The slot's name.
    pub strategy: Name,
    /// Its mode at the end; only live slots count for the account.
    pub mode: &'static str,
    /// Orders that passed the gate.
    pub orders: u64,
    /// Executions.
    pub fills: u64,
    /// Closed trades.
    pub trades: u64,
    /// Trades with a profit.
    pub wins: u64,
    /// Wins as a fraction of trades.
    pub win_rate: Option<f64>,
    /// Sum of profits divided by sum of losses.
    pub profit_factor: Option<f64>,
    /// Mean profit of a trade.
    pub expectancy: Option<Amount>,
    /// Sum of the trades' profits after fees.
    pub realised_pnl: Option<Amount>,
    /// Profit of the positions that are still open.
    pub unrealised_pnl: Option<Amount>,
    /// Fees and gas.
    pub fees: Option<Amount>,
    /// Sum of price times quantity.
    pub turnover: Option<Amount>,
    /// Mean time from entry to exit.
    pub average_trade_seconds: Option<f64>,
    /// Refused proposals by code.
    pub refusals: BTreeMap<&'static str, u64>,
    /// How often it misbehaved.
    pub faults: u64,
}

/// What happened in an instrument.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InstrumentRow {
    /// The instrument.
    pub symbol: Name,
    /// Bars of the recorded interval.
    pub bars: u64,
    /// The first bar's close.
    pub first_close: Option<f64>,
    /// The last bar's close.
    pub last_close: Option<f64>,
    /// Last by first close, less one.
    pub buy_and_hold_return: Option<f64>,
    /// Orders that passed the gate.
    pub orders: u64,
    /// Executions.
    pub fills: u64,
    /// Closed trades.
    pub trades: u64,
    /// Trades with a profit.
    pub wins: u64,
    /// Wins as a fraction of trades.
    pub win_rate: Option<f64>,
    /// Sum of profits divided by sum of losses.
    pub profit_factor: Option<f64>,
    /// Sum of the trades' profits after fees.
    pub realised_pnl: Option<Amount>,
    /// Fees and gas.
    pub fees: Option<Amount>,
    /// Sum of price times quantity.
    pub turnover: Option<Amount>,
}

/// Trades that were entered from the same side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DirectionRow {
    /// "long", or "short" for entries by selling.
    pub side: &'static str,
    /// How many.
    pub trades: u64,
    /// Those with a profit.
    pub wins: u64,
    /// Wins as a fraction of trades.
    pub win_rate: Option<f64>,
    /// Sum of profits divided by sum of losses.
    pub profit_factor: Option<f64>,
    /// Sum of profits after fees.
    pub pnl: Option<Amount>,
    /// Mean profit.
    pub average_pnl: Option<Amount>,
}

/// Trades that were closed for the same reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExitReasonRow {
    /// Why.
    pub reason: &'static str,
    /// How many.
    pub trades: u64,
    /// Those with a profit.
    pub wins: u64,
    /// Wins as a fraction of trades.
    pub win_rate: Option<f64>,
    /// Sum of profits after fees.
    pub pnl: Option<Amount>,
    /// Mean profit.
    pub average_pnl: Option<Amount>,
}

/// A month.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MonthRow {
    /// The month in UTC.
    pub month: Month,
    /// From the close of the month before to this month's.
    #[serde(rename = "return")]
    pub value: Option<f64>,
    /// What the month closed at, to eight decimal places.
    pub equity: Option<Amount>,
}

/// A day.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DayRow {
    /// The day in UTC; midnight ends it.
    pub date: Day,
    /// From the close of the day before to this day's.
    #[serde(rename = "return")]
    pub value: f64,
    /// What the day closed at, to eight decimal places.
    pub equity: Option<Amount>,
    /// Sharpe ratio of the thirty days that end with this one.
    pub rolling_sharpe: Option<f64>,
}

/// A position that was still open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenPositionRow {
    /// The slot's name.
    pub strategy: Name,
    /// The instrument.
    pub symbol: Name,
    /// "long", or "short" for an entry by selling.
    pub side: &'static str,
    /// Since when.
    pub entry_time: Moment,
    /// Average entry price.
    pub entry_price: Amount,
    /// The last price.
    pub mark_price: Amount,
    /// How much.
    pub quantity: Amount,
    /// Fees of the entry.
    pub fees: Amount,
    /// Profit at the mark, after the entry's fees.
    pub unrealised_pnl: Amount,
}

/// An order that a strategy gave a reason for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DecisionRow {
    /// When it passed the gate.
    pub time: Moment,
    /// The slot's name.
    pub strategy: Name,
    /// The instrument.
    pub symbol: Name,
    /// `buy` or `sell`.
    pub side: &'static str,
    /// How sure the strategy was, 0 to 1.
    pub confidence: f64,
    /// What it said.
    pub reason: String,
}

/// A strategy's misbehaviour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultRow {
    /// The slot's name.
    pub strategy: Name,
    /// Hash of the version.
    pub version: String,
    /// When.
    pub time: Moment,
    /// The number of the event that it failed on.
    pub event: u64,
    /// A stable name of what happened.
    pub kind: &'static str,
    /// What happened, in words.
    pub detail: String,
    /// "restart" or "quarantined".
    pub consequence: &'static str,
    /// When it was to restart.
    pub restart_time: Option<Moment>,
}

/// Trading was halted or resumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TradingStateRow {
    /// Since when.
    pub time: Moment,
    /// Whether it was stopped.
    pub halted: bool,
    /// Why.
    pub reason: String,
}
