//! An order and its life. Every change of state is a named transition; a transition that the table does not
//! hold is refused.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::identifier::{InstrumentId, OrderId, OrderTag, StrategyId};
use crate::money::{Money, Overflow, Price, Quantity};
use crate::strategy::{ExitPlan, FillCause};
use crate::time::Timestamp;

/// Bought or sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The base asset comes in, money goes out.
    Buy,
    /// The base asset goes out, money comes in.
    Sell,
}

impl Side {
    /// The stable name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

/// At what price an order may be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pricing {
    /// At the venue's price.
    Market,
    /// At this price or better.
    Limit(Price),
}

/// Who wanted an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A strategy proposed it.
    Strategy,
    /// The host's position keeper, for this cause.
    Exit(FillCause),
    /// A person, through a command.
    Manual,
}

impl Origin {
    /// The stable name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Strategy => "strategy",
            Self::Exit(cause) => cause.name(),
            Self::Manual => "manual",
        }
    }

    /// Why a fill of such an order happened, as its strategy and the reports are told.
    #[must_use]
    pub const fn cause(self) -> FillCause {
        match self {
            Self::Strategy => FillCause::Order,
            Self::Exit(cause) => cause,
            Self::Manual => FillCause::Operator,
        }
    }
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderState {
    /// Passed the gate, its funds are reserved, nothing was sent.
    Accepted,
    /// Sent; the venue has not answered. Its funds stay reserved until it is known what became of it.
    InFlight,
    /// The venue has it.
    Working,
    /// Some of it was executed, the rest is at the venue.
    PartiallyFilled,
    /// All of it was executed.
    Filled,
    /// Taken back before it was all executed.
    Cancelled,
    /// The venue proved that it will not execute it.
    Rejected,
    /// Its time ran out at the venue.
    Expired,
}

/// What can happen to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transition {
    /// It leaves the host.
    Send,
    /// The venue has it.
    Acknowledge,
    /// Some of it is executed.
    FillPart,
    /// The last of it is executed.
    FillRest,
    /// It is taken back.
    Cancel,
    /// The venue refuses it, or it fails there.
    Reject,
    /// Its time runs out.
    Expire,
}

/// A transition that the life of an order does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an order that is {from} can't {transition}")]
pub struct IllegalTransition {
    /// Where the order stood.
    pub from: OrderState,
    /// What was to happen.
    pub transition: Transition,
}

impl OrderState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Accepted,
        Self::InFlight,
        Self::Working,
        Self::PartiallyFilled,
        Self::Filled,
        Self::Cancelled,
        Self::Rejected,
        Self::Expired,
    ];

    /// Whether nothing more can happen to the order.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Filled | Self::Cancelled | Self::Rejected | Self::Expired)
    }

    /// The state after a transition.
    ///
    /// A venue may report an execution before its acknowledgement, so an order in flight can fill.
    ///
    /// # Errors
    ///
    /// [`IllegalTransition`] when the order's life has no such step.
    pub const fn after(self, transition: Transition) -> Result<Self, IllegalTransition> {
        use OrderState as S;
        use Transition as T;
        let next = match (self, transition) {
            (S::Accepted, T::Send) => S::InFlight,
            (S::InFlight, T::Acknowledge) => S::Working,
            (S::InFlight | S::Working | S::PartiallyFilled, T::FillPart) => S::PartiallyFilled,
            (S::InFlight | S::Working | S::PartiallyFilled, T::FillRest) => S::Filled,
            (S::Accepted | S::InFlight | S::Working | S::PartiallyFilled, T::Cancel) => S::Cancelled,
            (S::InFlight | S::Working | S::PartiallyFilled, T::Reject) => S::Rejected,
            (S::InFlight | S::Working | S::PartiallyFilled, T::Expire) => S::Expired,
            (from, transition) => return Err(IllegalTransition { from, transition }),
        };
        Ok(next)
    }

    /// The stable name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::InFlight => "in-flight",
            Self::Working => "working",
            Self::PartiallyFilled => "partially-filled",
            Self::Filled => "filled",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for OrderState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Send => "be sent",
            Self::Acknowledge => "be acknowledged",
            Self::FillPart => "be partially filled",
            Self::FillRest => "be filled",
            Self::Cancel => "be cancelled",
            Self::Reject => "be rejected",
            Self::Expire => "expire",
        })
    }
}

/// What an order is, before and apart from what becomes of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderTerms {
    /// Unique in the account.
    pub id: OrderId,
    /// Whose sub-ledger pays.
    pub strategy: StrategyId,
    /// The strategy's own number; 0 for the host's orders.
    pub tag: OrderTag,
    /// What to trade.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// How much, on the lot grid.
    pub quantity: Quantity,
    /// At what price, on the tick grid.
    pub pricing: Pricing,
    /// Who wanted it.
    pub origin: Origin,
    /// When it passed the gate.
    pub created: Timestamp,
    /// The price that the gate reckoned with.
    pub reference_price: Price,
    /// How sure the strategy was, 0 to 1.
    pub confidence: f64,
    /// Why the strategy wanted it.
    pub reason: String,
    /// The exit plan that its fill brings with it.
    pub exits: Option<ExitPlan>,
}

impl OrderTerms {
    /// The price that the order is reckoned at: its limit, or the last price for a market order.
    #[must_use]
    pub const fn expected_price(&self) -> Price {
        match self.pricing {
            Pricing::Market => self.reference_price,
            Pricing::Limit(limit) => limit,
        }
    }
}

/// An order that passed the gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    terms: OrderTerms,
    state: OrderState,
    filled: Quantity,
    /// Money set aside for a buy that is not spent yet.
    reserved_money: Money,
    /// Quantity set aside for a sale that is not sold yet.
    reserved_quantity: Quantity,
}

impl Order {
    /// An accepted order with what the ledger has reserved for it.
    pub(crate) const fn new(terms: OrderTerms, reserved_money: Money, reserved_quantity: Quantity) -> Self {
        Self { terms, state: OrderState::Accepted, filled: Quantity::ZERO, reserved_money, reserved_quantity }
    }

    /// What was ordered.
    #[must_use]
    pub const fn terms(&self) -> &OrderTerms {
        &self.terms
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> OrderState {
        self.state
    }

    /// How much was executed.
    #[must_use]
    pub const fn filled(&self) -> Quantity {
        self.filled
    }

    /// How much is still to be executed.
    #[must_use]
    pub fn remaining(&self) -> Quantity {
        // More than the whole can be filled only at the end, so this cannot overflow.
        self.terms.quantity.minus(self.filled).unwrap_or(Quantity::ZERO).max(Quantity::ZERO)
    }

    /// What is still to be executed is worth, at the limit or else at the price that the gate reckoned with.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when the value leaves the range of the books.
    pub fn remaining_value(&self) -> Result<Money, Overflow> {
        self.terms.expected_price().value_of(self.remaining())
    }

    /// Money set aside and not spent.
    #[must_use]
    pub const fn reserved_money(&self) -> Money {
        self.reserved_money
    }

    /// Quantity set aside and not sold.
    #[must_use]
    pub const fn reserved_quantity(&self) -> Quantity {
        self.reserved_quantity
    }

    pub(crate) fn apply(&mut self, transition: Transition) -> Result<(), IllegalTransition> {
        self.state = self.state.after(transition)?;
        Ok(())
    }

    pub(crate) const fn set_progress(&mut self, filled: Quantity, money: Money, quantity: Quantity) {
        self.filled = filled;
        self.reserved_money = money;
        self.reserved_quantity = quantity;
    }
}

/// An execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fill {
    /// Of which order.
    pub order: OrderId,
    /// Whose sub-ledger.
    pub strategy: StrategyId,
    /// The strategy's own number of the order; 0 for the host's.
    pub tag: OrderTag,
    /// What was traded.
    pub instrument: InstrumentId,
    /// Bought or sold.
    pub side: Side,
    /// How much.
    pub quantity: Quantity,
    /// At what price.
    pub price: Price,
    /// The venue's fee and gas, in the account's currency.
    pub fee: Money,
    /// When.
    pub time: Timestamp,
    /// Why.
    pub cause: FillCause,
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSITIONS: [Transition; 7] = [
        Transition::Send,
        Transition::Acknowledge,
        Transition::FillPart,
        Transition::FillRest,
        Transition::Cancel,
        Transition::Reject,
        Transition::Expire,
    ];

    #[test]
    fn nothing_happens_to_a_final_order() {
        for state in OrderState::ALL.into_iter().filter(|state| state.is_final()) {
            for transition in TRANSITIONS {
                assert_eq!(state.after(transition), Err(IllegalTransition { from: state, transition }));
            }
        }
    }

    #[test]
    fn nothing_is_executed_before_it_was_sent() {
        for transition in
            [Transition::FillPart, Transition::FillRest, Transition::Acknowledge, Transition::Reject]
        {
            assert!(OrderState::Accepted.after(transition).is_err());
        }
        assert_eq!(OrderState::Accepted.after(Transition::Cancel), Ok(OrderState::Cancelled));
    }

    #[test]
    fn every_open_order_can_end() {
        for state in OrderState::ALL.into_iter().filter(|state| !state.is_final()) {
            assert_eq!(state.after(Transition::Cancel), Ok(OrderState::Cancelled));
        }
    }

    #[test]
    fn a_refused_transition_says_what_was_wrong() {
        let error = OrderState::Filled.after(Transition::Cancel).unwrap_err();
        assert_eq!(error.to_string(), "an order that is filled can't be cancelled");
    }
}
