//! Telling more precisely what was just proposed.

use std::marker::PhantomData;

use super::WorkingOrder;
use crate::{Action, Amount, ExitPlan, Intent, OrderKind, Proposal, Submit};

/// Marks an order whose amount can be chosen.
#[derive(Debug)]
pub struct Sizable;

/// Marks an order whose amount follows from the position.
#[derive(Debug)]
pub struct Whole;

/// An order that was just proposed, to be told more precisely. It is at market, with full confidence and
/// the operator's exit plan, until something else is said.
#[derive(Debug)]
pub struct ProposedOrder<'a, A> {
    pub(super) action: &'a mut Action,
    pub(super) order: &'a mut WorkingOrder,
    pub(super) amount: PhantomData<A>,
}

impl<A> ProposedOrder<'_, A> {
    /// At this price or better.
    pub fn limit(self, price: f64) -> Self {
        self.order.kind = OrderKind::Limit(price);
        self.change(|submit| submit.kind = OrderKind::Limit(price))
    }

    /// With this exit plan for the position instead of the operator's.
    pub fn exits(self, plan: ExitPlan) -> Self {
        self.change(|submit| submit.exits = Some(plan))
    }

    /// How sure the strategy is, 0 to 1; scales the operator's standard size.
    pub fn confidence(self, confidence: f64) -> Self {
        self.action.confidence = confidence;
        self
    }

    /// Why, for people. At most 200 bytes are kept.
    pub fn reason(self, reason: impl Into<String>) -> Self {
        self.action.reason = reason.into();
        self
    }

    /// The order's number, by which later events name it.
    #[must_use]
    pub const fn tag(&self) -> u32 {
        self.order.tag
    }

    fn change(self, change: impl FnOnce(&mut Submit)) -> Self {
        if let Proposal::Submit(submit) = &mut self.action.proposal {
            change(submit);
        }
        self
    }
}

impl ProposedOrder<'_, Sizable> {
    /// This many units of the base asset.
    pub fn quantity(self, quantity: f64) -> Self {
        self.amount(Amount::Quantity(quantity))
    }

    /// This much money's worth.
    pub fn notional(self, money: f64) -> Self {
        self.amount(Amount::Notional(money))
    }

    /// This fraction of the strategy's capital, above 0 and at most 1.
    pub fn capital_share(self, share: f64) -> Self {
        self.amount(Amount::CapitalShare(share))
    }

    /// This much.
    pub fn amount(self, amount: Amount) -> Self {
        let intent = match self.order.intent {
            Intent::Sell(_) => Intent::Sell(amount),
            _ => Intent::Buy(amount),
        };
        self.order.intent = intent;
        self.change(|submit| submit.intent = intent)
    }
}

/// A change that was just proposed, to be told more precisely.
#[derive(Debug)]
pub struct ProposedChange<'a> {
    pub(super) action: &'a mut Action,
}

impl ProposedChange<'_> {
    /// How sure the strategy is, 0 to 1; 1 unless told otherwise.
    pub fn confidence(self, confidence: f64) -> Self {
        self.action.confidence = confidence;
        self
    }

    /// Why, for people. At most 200 bytes are kept.
    pub fn reason(self, reason: impl Into<String>) -> Self {
        self.action.reason = reason.into();
        self
    }
}
