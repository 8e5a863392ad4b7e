//! Where orders are executed. A venue takes orders and reports what becomes of them; the engine can't tell
//! one venue from another.

/// After a restart: what became of an order, and what follows from that.
pub mod inquiry;

/// The simulated venue of paper trading and backtests.
pub mod paper;

use serde::{Deserialize, Serialize};

use crate::identifier::OrderId;
use crate::money::{Money, Price, Quantity};
use crate::time::Timestamp;

/// What a venue says of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Of which order.
    pub order: OrderId,
    /// When it happened there.
    pub time: Timestamp,
    /// What happened.
    pub event: ReportedEvent,
}

/// What can happen to an order at a venue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReportedEvent {
    /// The venue has it.
    Acknowledged,
    /// Some or all of it was executed.
    Executed {
        /// How much.
        quantity: Quantity,
        /// At what price.
        price: Price,
        /// Fee and gas, in the account's currency.
        fee: Money,
    },
    /// It will not be executed.
    Rejected {
        /// Why.
        reason: String,
        /// What the failed attempt cost.
        gas: Money,
    },
    /// Its time ran out.
    Expired,
}
