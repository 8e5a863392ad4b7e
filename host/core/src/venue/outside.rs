//! A venue outside the process, such as a chain, as the engine knows it: what was asked of it and what it said.
//!
//! Nothing is executed here. The host sends what the engine asks for, and hands in what comes back as inputs; whatever
//! follows from that is decided by the same code as at the paper venue.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::stage::{Attempts, IllegalStage, Stage};
use super::{Cancellation, Exit, Report, Venue};
use crate::identifier::OrderId;
use crate::instrument::Instrument;
use crate::money::Money;
use crate::order::{Order, OrderTerms};
use crate::time::Timestamp;
use crate::venue::inquiry::Standing;

/// What the host is to do for an order outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Execute it.
    Execute {
        /// What is set aside for it, in the account's currency: the most that it may cost. Nothing for a sale.
        budget: Money,
    },
    /// Take it back, if that can still be done.
    Cancel,
}

/// What is known of an order outside.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutsideOrder {
    attempts: Attempts,
    cancel_asked: bool,
}

impl OutsideOrder {
    /// The transactions that were signed for it.
    #[must_use]
    pub const fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// Whether it is to be taken back.
    #[must_use]
    pub const fn cancel_asked(&self) -> bool {
        self.cancel_asked
    }
}

/// The orders outside that have not ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutsideVenue {
    orders: BTreeMap<OrderId, OutsideOrder>,
}

impl OutsideVenue {
    /// What is known of an order.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<&OutsideOrder> {
        self.orders.get(&id)
    }

    /// All orders.
    pub fn orders(&self) -> impl Iterator<Item = (OrderId, &OutsideOrder)> {
        self.orders.iter().map(|(id, order)| (*id, order))
    }

    /// Notes that an order has come to a stage.
    ///
    /// # Errors
    ///
    /// [`IllegalStage`] when it can't have.
    pub(crate) fn note(&mut self, id: OrderId, stage: &Stage) -> Result<(), IllegalStage> {
        self.orders.entry(id).or_default().attempts.note(stage)
    }

    /// Forgets an order that has ended.
    pub(crate) fn forget(&mut self, id: OrderId) {
        self.orders.remove(&id);
    }
}

impl Venue for OutsideVenue {
    fn accept(&mut self, terms: &OrderTerms, _: Timestamp, _: &mut Vec<Report>) {
        self.orders.insert(terms.id, OutsideOrder::default());
    }

    fn cancel(&mut self, terms: &OrderTerms) -> Cancellation {
        match self.orders.get_mut(&terms.id) {
            None => Cancellation::NotThere,
            Some(order) if order.cancel_asked => Cancellation::AskedBefore,
            Some(order) => {
                order.cancel_asked = true;
                Cancellation::Asked
            }
        }
    }

    fn execute_exit(&mut self, exit: &Exit<'_>, _: &Instrument, _: &mut Vec<Report>) {
        self.orders.insert(exit.terms.id, OutsideOrder::default());
    }

    /// The host asks the chain about what the journal says was signed, and hands the answers in as inputs. So
    /// whatever is known of an order is booked.
    fn standing(&self, order: &Order) -> Standing {
        match self.orders.get(&order.terms().id) {
            Some(_) => Standing::Known { unbooked: Vec::new() },
            None => Standing::NotThere,
        }
    }

    fn executes_by_itself(&self) -> bool {
        true
    }
}
