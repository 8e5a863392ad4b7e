//! What the strategy has in one instrument.

use serde::{Deserialize, Serialize};

use crate::{Fill, Intent, OrderKind, OrderStatus, OrderUpdate, Position, Side, Timestamp};

/// What the strategy has in one instrument.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Holding {
    pub(crate) position: Position,
    /// By rising age.
    pub(crate) orders: Vec<WorkingOrder>,
}

/// An order that is not done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkingOrder {
    /// The order's number.
    pub tag: u32,
    /// What it is to achieve.
    pub intent: Intent,
    /// At what price.
    pub kind: OrderKind,
    /// When it was proposed.
    pub proposed: Timestamp,
    /// Where it stands; `None` while the host has not answered.
    pub status: Option<OrderStatus>,
    /// Quantity executed so far.
    pub filled: f64,
}

impl Holding {
    /// Counts a fill at once, so that a handler that runs before the host states the position is not misled.
    pub(super) fn count(&mut self, fill: &Fill) {
        let position = &mut self.position;
        position.time = fill.time;
        match fill.side {
            Side::Buy => {
                let quantity = position.quantity + fill.quantity;
                if quantity > 0.0 {
                    let cost = position.quantity * position.average_price + fill.quantity * fill.price;
                    position.average_price = cost / quantity;
                }
                position.quantity = quantity;
            }
            Side::Sell => {
                position.realised += (fill.price - position.average_price) * fill.quantity - fill.fee;
                position.quantity -= fill.quantity;
                // What is left of a difference of decimals in binary is no position.
                if position.quantity <= fill.quantity * 1e-12 {
                    position.quantity = 0.0;
                    position.average_price = 0.0;
                }
            }
        }
    }

    pub(super) fn update(&mut self, update: &OrderUpdate) {
        let Some(place) = self.orders.iter().position(|order| order.tag == update.tag) else { return };
        if is_done(update.status) {
            self.orders.remove(place);
        } else {
            let order = &mut self.orders[place];
            order.status = Some(update.status);
            order.filled = update.filled;
        }
    }
}

/// Whether nothing more can happen to an order.
const fn is_done(status: OrderStatus) -> bool {
    match status {
        OrderStatus::Accepted | OrderStatus::PartiallyFilled => false,
        OrderStatus::Filled
        | OrderStatus::Denied
        | OrderStatus::Rejected
        | OrderStatus::Cancelled
        | OrderStatus::Expired => true,
    }
}
