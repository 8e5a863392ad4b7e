//! What a person trades by hand: orders in a slot's books, orders taken back, exits changed. It needs no strategy
//! to be alive.

use super::{Engine, StepError};
use crate::exits::ExitPolicy;
use crate::identifier::{InstrumentId, OrderId, OrderTag};
use crate::input::{Actor, ManualAmount, ManualOrder};
use crate::instrument::Rounding;
use crate::money::{Overflow, Price, Quantity};
use crate::order::{OrderTerms, Origin, Pricing, Side};
use crate::output::{Output, RefusedProposal};
use crate::risk::{ApprovedOrder, Refusal, RefusalCode, check_entry, check_reduction};
use crate::strategy::ExitPlan;

impl Engine {
    /// Sizes a person's order, passes it through the gate and places it. Nothing has changed when it is refused.
    pub(super) fn place_order(
        &mut self,
        order: &ManualOrder,
        actor: &Actor,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        let index = self.slot_index(&order.slot)?;
        self.instrument(order.instrument)?;
        self.check_manual(order)?;
        match self.approve_manual(index, order, actor) {
            Ok((terms, approved)) => {
                if order.amount == ManualAmount::All {
                    self.cancel_sales(index, order.instrument, "its position is to be sold", outputs);
                }
                self.place(terms, approved, outputs);
                Ok(())
            }
            Err(refusal) => {
                outputs.push(Output::Refused(RefusedProposal {
                    strategy: self.slots[index].id,
                    instrument: order.instrument,
                    side: order.side,
                    time: self.now,
                    refusal: refusal.clone(),
                }));
                Err(StepError::Refused(refusal))
            }
        }
    }

    /// Whether the order makes sense, whatever the books and the market say.
    fn check_manual(&self, order: &ManualOrder) -> Result<(), StepError> {
        let wrong = |what: &str| Err(StepError::Input(what.to_owned()));
        if order.side == Side::Buy && order.amount == ManualAmount::All {
            return wrong("a purchase needs a quantity or a value; \"all\" is for sales");
        }
        match &order.exits {
            Some(_) if order.side == Side::Sell => {
                wrong("exits come with purchases; a sale leaves those of its position as they are")
            }
            Some(plan) => check_plan(plan, &self.settings.risk.exits),
            None => Ok(()),
        }
    }

    fn approve_manual(
        &self,
        index: usize,
        order: &ManualOrder,
        actor: &Actor,
    ) -> Result<(OrderTerms, ApprovedOrder), Refusal> {
        let slot = &self.slots[index];
        let id = order.instrument;
        let invalid = |what: String| Refusal::new(RefusalCode::InvalidSize, what);
        let out_of_range = |overflow: Overflow| invalid(format!("error=\"{overflow}\""));
        let instrument = self.instrument(id).map_err(|error| invalid(error.to_string()))?;
        let Some(price) = self.price(id) else {
            let facts = format!("symbol={}", instrument.symbol);
            return Err(Refusal::new(RefusalCode::PriceUnknown, facts));
        };
        let given = &slot.deployment.instruments;
        if order.side == Side::Buy && !given.is_empty() && !given.contains(&id) {
            let facts = format!("symbol={} slot=\"{}\"", instrument.symbol, slot.name());
            return Err(Refusal::new(RefusalCode::InstrumentNotAllowed, facts));
        }
        let pricing = match order.pricing {
            Pricing::Market => Pricing::Market,
            Pricing::Limit(limit) => {
                // Never past the limit that was given: a buy's is rounded down, a sale's up.
                let rounding = if order.side == Side::Buy { Rounding::Down } else { Rounding::Up };
                let rounded = Some(limit).filter(|limit| limit.is_positive());
                let rounded = rounded.and_then(|limit| instrument.round_price(limit, rounding));
                let rounded = rounded.filter(|limit| limit.is_positive());
                Pricing::Limit(rounded.ok_or_else(|| invalid(format!("limit={limit}")))?)
            }
        };
        let expected = match pricing {
            Pricing::Market => price,
            Pricing::Limit(limit) => limit,
        };
        let equity = self.equity_of(slot.id).map_err(out_of_range)?;
        let free = match order.amount {
            // Its working sales are taken back first; a venue outside may not be able to any more.
            ManualAmount::All if !self.waits_outside(slot.id) => self
                .books(slot.id)
                .map_err(|error| invalid(error.to_string()))?
                .position(id)
                .map_or(Quantity::ZERO, |position| position.quantity),
            _ => self.free_quantity(slot.id, id).map_err(out_of_range)?,
        };
        let wanted = manual_quantity(order.amount, expected, free).map_err(out_of_range)?;
        let cut = self.cut_to_probe(slot.id, order.side, wanted, expected, equity).map_err(out_of_range)?;
        let quantity = Some(cut).filter(|cut| !cut.is_negative());
        let quantity = quantity.and_then(|cut| instrument.round_quantity(cut, Rounding::Down));
        let terms = OrderTerms {
            id: OrderId(self.next_order),
            strategy: slot.id,
            tag: OrderTag(0),
            instrument: id,
            side: order.side,
            quantity: quantity.ok_or_else(|| invalid(format!("quantity={cut}")))?,
            pricing,
            origin: Origin::Manual,
            created: self.now,
            reference_price: price,
            confidence: 1.0,
            reason: format!("ordered by {actor}"),
            exits: order.exits.clone(),
        };
        let approved = match order.side {
            Side::Sell => check_reduction(terms.clone(), free)?,
            Side::Buy => {
                let situation = self.situation(index, &terms, instrument, equity).map_err(out_of_range)?;
                check_entry(terms.clone(), &self.settings.risk, &situation)?
            }
        };
        Ok((terms, approved))
    }

    /// Takes any working order back.
    pub(super) fn cancel_order(
        &mut self,
        order: OrderId,
        actor: &Actor,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        if !self.orders.contains_key(&order) {
            return Err(StepError::Input(format!("{order} does not work; it has ended, or never was")));
        }
        if self.cancel(order, &format!("cancelled by {actor}"), outputs) {
            Ok(())
        } else {
            Err(StepError::Input(format!("the venue can't take {order} back any more")))
        }
    }

    /// Replaces the exits of an open position.
    pub(super) fn change_exits(
        &mut self,
        index: usize,
        id: InstrumentId,
        plan: &ExitPlan,
    ) -> Result<(), StepError> {
        let symbol = self.instrument(id)?.symbol.clone();
        let slot = &self.slots[index];
        let (strategy, name) = (slot.id, slot.name());
        if self.books(strategy)?.position(id).is_none() {
            return Err(StepError::Input(format!("\"{name}\" has no position in {symbol} to guard")));
        }
        check_plan(plan, &self.settings.risk.exits)?;
        let Some(fraction) = self.settings.risk.max_open_risk else {
            return self.guard(strategy, id, Some(plan.clone()));
        };
        let (before, keeper) = (self.open_risk(index)?, self.keeper.clone());
        let guarded = self.guard(strategy, id, Some(plan.clone()));
        let outcome = guarded.and_then(|()| {
            let (after, most) = (self.open_risk(index)?, self.equity_of(strategy)?.scaled(fraction)?);
            if after <= before || after <= most {
                return Ok(());
            }
            let facts = format!("held={before} added={} limit={most}", after.minus(before)?);
            Err(Refusal::new(RefusalCode::OpenRiskLimit, facts).into())
        });
        if outcome.is_err() {
            self.keeper = keeper;
        }
        outcome
    }
}

fn manual_quantity(amount: ManualAmount, price: Price, free: Quantity) -> Result<Quantity, Overflow> {
    match amount {
        ManualAmount::Quantity(quantity) => Ok(quantity),
        ManualAmount::Notional(notional) => notional.buys_at(price),
        ManualAmount::All => Ok(free),
    }
}

/// A strategy's plan is brought within the bounds; a person is told that theirs is not.
fn check_plan(plan: &ExitPlan, policy: &ExitPolicy) -> Result<(), StepError> {
    let problem = plan.validate().and_then(|()| policy.admits(plan));
    problem.map_err(|what| StepError::Input(format!("exit plan: {what}")))
}
