//! Where orders are executed. A venue takes orders and reports what becomes of them; the engine can't tell
//! one venue from another.

/// After a restart: what became of an order, and what follows from that.
pub mod inquiry;

/// Venues outside the process, such as chains.
pub mod outside;

/// The simulated venue of paper trading and backtests.
pub mod paper;

/// How far an order has come outside.
pub mod stage;

use serde::{Deserialize, Serialize};

use self::inquiry::Standing;
use self::stage::Stage;
use crate::identifier::OrderId;
use crate::instrument::Instrument;
use crate::money::{Money, Price, Quantity};
use crate::order::{Order, OrderTerms};
use crate::time::Timestamp;

/// A place where orders are executed, as the engine sees it.
pub trait Venue {
    /// Takes an order that passed the gate. What is known of it at once is reported at once.
    fn accept(&mut self, terms: &OrderTerms, now: Timestamp, reports: &mut Vec<Report>);

    /// Takes an order back, or asks for that.
    fn cancel(&mut self, terms: &OrderTerms) -> Cancellation;

    /// Takes the sale that an exit wants.
    fn execute_exit(&mut self, exit: &Exit<'_>, instrument: &Instrument, reports: &mut Vec<Report>);

    /// What the venue knows of an order that has not ended.
    fn standing(&self, order: &Order) -> Standing;

    /// Whether it is somewhere else and executes orders whenever it likes, so that the engine must wait for what it
    /// says. If not, all that happens to an order happens in a step.
    fn executes_by_itself(&self) -> bool;
}

/// What became of the wish to take an order back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellation {
    /// The venue does not have the order.
    NotThere,
    /// It is off the venue.
    Done,
    /// The venue was asked. Whether it still could will be reported.
    Asked,
    /// The venue was asked before, and has not answered.
    AskedBefore,
}

/// A sale that the position keeper wants at once.
#[derive(Debug, Clone, Copy)]
pub struct Exit<'a> {
    /// The order.
    pub terms: &'a OrderTerms,
    /// The price that triggered it.
    pub price: f64,
    /// The volume of that time.
    pub volume: f64,
    /// When it was triggered.
    pub time: Timestamp,
}

/// What a venue outside says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueMessage {
    /// Of which order.
    pub order: OrderId,
    /// What.
    pub news: VenueNews,
}

/// What can be said of an order outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VenueNews {
    /// It has come to a stage.
    Stage(Box<Stage>),
    /// This happened to it.
    Report(ReportedEvent),
}

/// Where an account's orders are executed. Those of shadows always go to the paper venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Execution {
    /// At the paper venue.
    #[default]
    Paper,
    /// Outside, on a chain.
    Outside,
}

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
    /// Some or all of it was executed outside, and nothing more of it will be. This is what the accounts there show: books
    /// follow it to the last digit, as it can't be undone.
    Settled {
        /// How much of the base asset came in or went out. More may come than was ordered, as long as it costs no more
        /// than was set aside.
        quantity: Quantity,
        /// What was paid or received for it, in the account's currency.
        value: Money,
        /// Fee and gas, in the account's currency.
        fee: Money,
    },
    /// It was taken back, as had been asked for.
    Cancelled {
        /// What that cost.
        gas: Money,
    },
}
