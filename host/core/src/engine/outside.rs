//! Orders at a venue outside: what it is asked to do, and what it says.
//!
//! What it says of an execution has happened and can't be undone, so it is booked as it is. What it says and can't be,
//! changes nothing and halts the account: a person must look.

use super::{Engine, StepError};
use crate::identifier::{InstrumentId, StrategyId};
use crate::input::{Actor, HaltAction};
use crate::ledger::{Ledger, Settlement, SubLedger};
use crate::money::{Money, Price, Quantity};
use crate::order::{Order, Origin, Pricing, Side, Transition};
use crate::output::{Output, ReachedStage};
use crate::strategy::FillCause;
use crate::time::Timestamp;
use crate::venue::outside::{OutsideVenue, Request};
use crate::venue::stage::Stage;
use crate::venue::{Execution, Report, ReportedEvent, Venue as _, VenueMessage, VenueNews};

/// Who halts an account whose venue says what can't be.
const VENUE: &str = "venue";

impl Engine {
    /// Has the account's own orders executed there. Only before the first input.
    #[must_use]
    pub fn executing(mut self, execution: Execution) -> Self {
        self.outside = match execution {
            Execution::Paper => None,
            Execution::Outside => Some(OutsideVenue::default()),
        };
        self
    }

    /// The venue outside, if a strategy's orders go there.
    pub(super) fn outside_of(&mut self, strategy: StrategyId) -> Option<&mut OutsideVenue> {
        self.outside.as_mut().filter(|_| is_real(&self.ledger, strategy))
    }

    /// Whether an exit or a market sale of a position is under way outside. Another one would sell the same again.
    pub(super) fn is_being_sold(&self, strategy: StrategyId, instrument: InstrumentId) -> bool {
        let waits = self.outside.as_ref().is_some_and(OutsideVenue::executes_by_itself);
        waits
            && is_real(&self.ledger, strategy)
            && self.orders.values().map(Order::terms).any(|terms| {
                (terms.strategy, terms.instrument, terms.side) == (strategy, instrument, Side::Sell)
                    && terms.pricing == Pricing::Market
            })
    }

    pub(super) fn on_venue(
        &mut self,
        message: &VenueMessage,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        let VenueMessage { order: id, news } = message;
        let Some(order) = self.orders.get(id) else {
            let reason = format!("the venue spoke of {id}, which is not open");
            return Err(StepError::Input(reason));
        };
        let strategy = order.terms().strategy;
        let (state, filled) = (order.state(), order.filled());
        let Some(outside) = self.outside.as_mut().filter(|_| is_real(&self.ledger, strategy)) else {
            return Err(StepError::Input(format!("{id} is not at a venue outside")));
        };
        match news {
            VenueNews::Stage(stage) => {
                let time = self.now;
                match outside.note(*id, stage) {
                    Ok(()) => {
                        if matches!(**stage, Stage::Confirmed { .. }) {
                            self.outside_facts.landed = self.outside_facts.landed.saturating_add(1);
                        }
                        let stage = (**stage).clone();
                        let reached = ReachedStage { order: *id, strategy, time, state, filled, stage };
                        outputs.push(Output::StageReached(reached));
                        Ok(())
                    }
                    Err(illegal) => self.contradict(&format!("{id}: {illegal}"), outputs),
                }
            }
            VenueNews::Report(event) => {
                let open = outside.order(*id).and_then(|known| known.attempts().open());
                if let (Some(open), true) = (open, ends(event)) {
                    let transaction = &open.transaction.id;
                    let what =
                        format!("{id} is said to have ended, but transaction {transaction} may still land");
                    return self.contradict(&what, outputs);
                }
                let (time, booked) = (self.now, matches!(event, ReportedEvent::Settled { .. }));
                self.apply_report(Report { order: *id, time, event: event.clone() }, outputs)?;
                if booked && self.orders.contains_key(id) {
                    // The rest will not come, and is known not to in the same step: a crash between the two would have
                    // the same execution reported again.
                    let event = ReportedEvent::Cancelled { gas: Money::ZERO };
                    self.apply_report(Report { order: *id, time, event }, outputs)?;
                }
                Ok(())
            }
        }
    }

    /// Halts the account over something that can't be.
    fn contradict(&mut self, what: &str, outputs: &mut Vec<Output>) -> Result<(), StepError> {
        let actor = Actor::Host(VENUE.to_owned());
        self.stop_trading(what, &actor, HaltAction::StopEntries, outputs);
        Err(StepError::Input(format!("{what}; the account is halted until a person has looked")))
    }

    /// Books an execution outside. A fee that the books can't pay is booked as far as they can, and the rest reported.
    pub(super) fn settle(
        &mut self,
        mut order: Order,
        quantity: Quantity,
        value: Money,
        fee: Money,
        time: Timestamp,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        let terms = order.terms();
        let (id, strategy, instrument, side) = (terms.id, terms.strategy, terms.instrument, terms.side);
        let (before, remaining) = (order.clone(), order.remaining());
        // A purchase may bring a little more than was asked for, as routers round and prices move in one's favour. More than
        // was held can't have been sold.
        let fits = side == Side::Buy || quantity <= remaining;
        let possible = quantity.is_positive() && fits && !value.is_negative();
        let price = value.0.checked_div(quantity.0).map(Price);
        let (Some(price), true) = (price, possible) else {
            self.orders.insert(id, before);
            let what = format!("{id}: {quantity} for {value} was executed, and {remaining} was ordered");
            return self.contradict(&what, outputs);
        };
        let value = match side {
            Side::Buy => value.rounded_up(),
            Side::Sell => value.rounded_down(),
        };
        let payable = self.payable(&order, value)?.min(fee.rounded_up());
        let settlement = Settlement { strategy, instrument, quantity, value, fee: payable, time };
        let complete = quantity >= remaining;
        let settled = match side {
            Side::Buy => self.settle_buy(&mut order, &settlement, complete).map(|()| None),
            Side::Sell => self.settle_sell(&mut order, &settlement).map(Some),
        };
        let closed = match settled {
            Ok(closed) => closed,
            Err(error) => {
                self.orders.insert(id, before);
                let what = format!("{id}: {quantity} for {value} was executed and can't be booked: {error}");
                return self.contradict(&what, outputs);
            }
        };
        self.note_cost_outside(strategy, payable);
        let transition = if complete { Transition::FillRest } else { Transition::FillPart };
        order.apply(transition).map_err(|error| StepError::Input(error.to_string()))?;
        if payable < fee {
            let left = fee.minus(payable)?;
            let reason = format!("{id}: {left} of its fee could not be booked, as no cash is free");
            outputs.push(Output::InputRefused { time, reason });
        }
        self.after_fill(order, &settlement, price, closed, outputs)
    }

    /// Notes what was booked as paid outside.
    pub(super) fn note_cost_outside(&mut self, strategy: StrategyId, booked: Money) {
        if self.outside.is_some() && is_real(&self.ledger, strategy) {
            // No account pays so much; if one did, the rest shows as a difference.
            let costs = self.outside_facts.costs.plus(booked);
            self.outside_facts.costs = costs.unwrap_or(self.outside_facts.costs);
        }
    }

    /// What is there for the fee of an execution of this value.
    fn payable(&self, order: &Order, value: Money) -> Result<Money, StepError> {
        let free = self.books(order.terms().strategy)?.free();
        let there = match order.terms().side {
            Side::Buy => order.reserved_money().plus(free)?.minus(value)?,
            Side::Sell => free.plus(value)?,
        };
        Ok(there.max(Money::ZERO))
    }

    /// Nothing more is to be known of it. A profit tier is taken when its sale is.
    pub(super) fn ended_outside(&mut self, order: &Order) {
        let Some(outside) = &mut self.outside else { return };
        let terms = order.terms();
        outside.forget(terms.id);
        let sold = terms.origin == Origin::Exit(FillCause::TakeProfit) && order.filled().is_positive();
        let guarded = is_real(&self.ledger, terms.strategy);
        if let (true, true, Some(instrument)) = (sold, guarded, self.settings.instrument(terms.instrument)) {
            self.keeper.tier_taken(terms.strategy, terms.instrument, instrument);
        }
    }

    /// Whether a sale of the strategy's is at a venue outside, which may be taken back or not.
    pub(super) fn waits_outside(&self, strategy: StrategyId) -> bool {
        self.outside.is_some() && is_real(&self.ledger, strategy)
    }
}

/// Whether a strategy trades the account's money.
pub(super) fn is_real(ledger: &Ledger, strategy: StrategyId) -> bool {
    !ledger.sub_ledger(strategy).is_some_and(SubLedger::is_make_believe)
}

/// Has the host execute an order that was accepted.
pub(super) fn requested(order: &Order) -> Output {
    let request = Request::Execute { budget: order.reserved_money() };
    Output::VenueRequested { order: order.terms().id, request }
}

/// Whether an order ends with this, whatever was executed.
const fn ends(event: &ReportedEvent) -> bool {
    matches!(
        event,
        ReportedEvent::Rejected { .. }
            | ReportedEvent::Expired
            | ReportedEvent::Settled { .. }
            | ReportedEvent::Cancelled { .. }
    )
}
