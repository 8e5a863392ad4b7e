//! What a strategy is told.

use serde::{Deserialize, Serialize};

use crate::identifier::{InstrumentId, OrderTag};
use crate::market::{Bar, MarketTrade, Quote, Signal};
use crate::order::Side;
use crate::time::{Span, Timestamp};

/// One thing that happened, as a strategy sees it. Numbers are `f64`: strategies compute with them, the
/// books never do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// A bar was completed.
    Bar(Bar),
    /// Best prices changed.
    Quote(Quote),
    /// Others traded.
    Trade(MarketTrade),
    /// A signal arrived.
    Signal(Signal),
    /// Event time passed a multiple of the strategy's timer interval; holds that multiple.
    Timer(Timestamp),
    /// The strategy's position was traded.
    Fill(FillEvent),
    /// One of the strategy's orders changed.
    Order(OrderUpdate),
    /// A position changed.
    Position(PositionUpdate),
    /// The strategy's money changed.
    Capital(CapitalUpdate),
}

/// Why an execution happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FillCause {
    /// The strategy's own order.
    Order,
    /// The position lost as much as its plan allows.
    StopLoss,
    /// The price came back to the entry after the stop had moved there.
    Breakeven,
    /// The price fell from its highest since entry.
    TrailingStop,
    /// A profit tier was reached.
    TakeProfit,
    /// The position was old enough.
    TimeStop,
    /// A person or the host's protection closed it.
    Operator,
}

impl FillCause {
    /// The stable name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::StopLoss => "stop-loss",
            Self::Breakeven => "breakeven",
            Self::TrailingStop => "trailing-stop",
            Self::TakeProfit => "take-profit",
            Self::TimeStop => "time-stop",
            Self::Operator => "operator",
        }
    }
}

/// An execution on the strategy's position.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FillEvent {
    /// The order's tag; tag 0 when the host traded on its own.
    pub tag: OrderTag,
    /// What was traded.
    pub instrument: InstrumentId,
    /// When it was executed.
    pub time: Timestamp,
    /// Bought or sold.
    pub side: Side,
    /// At what price.
    pub price: f64,
    /// How much.
    pub quantity: f64,
    /// Fee and gas in the account's currency.
    pub fee: f64,
    /// Why.
    pub cause: FillCause,
}

/// Where an order stands, as its strategy is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderStatus {
    /// Passed the gate.
    Accepted,
    /// Some of it was executed.
    PartiallyFilled,
    /// All of it was executed.
    Filled,
    /// Refused by the host.
    Denied,
    /// Refused by the venue, or failed there.
    Rejected,
    /// Cancelled before it was filled.
    Cancelled,
    /// Its time ran out.
    Expired,
}

impl OrderStatus {
    /// Whether nothing more can happen to an order that had passed the gate.
    #[must_use]
    pub const fn ends(self) -> bool {
        matches!(self, Self::Filled | Self::Rejected | Self::Cancelled | Self::Expired)
    }
}

/// A change of one of the strategy's orders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderUpdate {
    /// The strategy's number for the order.
    pub tag: OrderTag,
    /// What it trades.
    pub instrument: InstrumentId,
    /// When it changed.
    pub time: Timestamp,
    /// Where it stands.
    pub status: OrderStatus,
    /// Quantity executed so far.
    pub filled: f64,
    /// For denied and rejected orders the code and its numbers; else empty.
    pub reason: String,
}

/// The strategy's position after a change.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PositionUpdate {
    /// In what.
    pub instrument: InstrumentId,
    /// Since when.
    pub time: Timestamp,
    /// 0 when flat.
    pub quantity: f64,
    /// Average entry price; 0 when flat.
    pub average_price: f64,
    /// Realised profit since the position was opened, after fees.
    pub realised: f64,
}

/// The strategy's money after a change.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CapitalUpdate {
    /// Since when.
    pub time: Timestamp,
    /// Cash plus the value of the positions.
    pub equity: f64,
    /// Cash not reserved for working orders.
    pub free_cash: f64,
}

/// Past bars of one instrument and interval, column by column, oldest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// Of what.
    pub instrument: InstrumentId,
    /// The bars' length.
    pub interval: Span,
    /// Open times; as long as every other column.
    pub open_time: Vec<Timestamp>,
    /// First prices.
    pub open: Vec<f64>,
    /// Highest prices.
    pub high: Vec<f64>,
    /// Lowest prices.
    pub low: Vec<f64>,
    /// Last prices.
    pub close: Vec<f64>,
    /// Traded quantities.
    pub volume: Vec<f64>,
}
