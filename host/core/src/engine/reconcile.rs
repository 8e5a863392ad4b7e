//! Differences between the books and what is really there, booked or left alone as a person says.
//!
//! What is booked so is no trade: it has no fill and closes none, and strategies hear of it as of any other change of
//! their capital and positions. Losses that breakers and limits count are those of trading, so their marks move along.

use super::outside::is_real;
use super::{Engine, StepError};
use crate::identifier::{InstrumentId, StrategyId};
use crate::input::Actor;
use crate::ledger::SubLedger;
use crate::money::{Money, Price, Quantity};
use crate::output::Output;
use crate::reconciliation::{
    Adjustment, AdjustmentKind, Asset, BooksAdjusted, Ignored, IgnoringChanged, LONGEST_TEXT, MOST_IGNORED,
};

/// What one sub-ledger, or the pool, bears of a difference.
struct Part {
    strategy: Option<StrategyId>,
    quantity: Quantity,
    value: Money,
    gain: Money,
}

impl Engine {
    /// Books a difference, as a whole or not at all.
    pub(super) fn adjust(
        &mut self,
        adjustment: &Adjustment,
        kind: AdjustmentKind,
        actor: &Actor,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        self.needs_outside()?;
        check_text("reason", &adjustment.reason)?;
        let (equity, books) = (self.equity()?, self.ledger.clone());
        let booked = self.book_difference(adjustment, kind);
        let (parts, after) = match booked.and_then(|parts| Ok((parts, self.equity()?))) {
            Ok(done) => done,
            Err(error) => {
                self.ledger = books;
                return Err(error);
            }
        };
        let change = after.minus(equity)?;
        self.day_start_equity = self.day_start_equity.plus(change)?;
        self.peak_equity = self.peak_equity.plus(change)?;
        let instrument = match adjustment.asset {
            Asset::Cash => None,
            Asset::Position(instrument) => Some(instrument),
        };
        for Part { strategy, quantity, value, gain } in parts {
            if let (Some(strategy), Some(instrument)) = (strategy, instrument) {
                self.after_adjustment(strategy, instrument, outputs);
            }
            outputs.push(Output::BooksAdjusted(BooksAdjusted {
                time: self.now,
                actor: actor.clone(),
                reason: adjustment.reason.clone(),
                kind,
                strategy,
                instrument,
                quantity,
                value,
                gain,
            }));
        }
        if instrument.is_none() {
            self.rebalance_or_report(outputs);
        }
        for index in 0..self.slots.len() {
            if is_real(&self.ledger, self.slots[index].id) {
                self.tell_capital(index);
            }
        }
        Ok(())
    }

    /// Says that a difference is fine, or no more.
    pub(super) fn ignore(
        &mut self,
        subject: &str,
        difference: Option<rust_decimal::Decimal>,
        reason: &str,
        actor: &Actor,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        self.needs_outside()?;
        check_text("subject", subject)?;
        check_text("reason", reason)?;
        let ignored = &mut self.outside_facts.ignored;
        match difference {
            Some(difference) => {
                if ignored.len() >= MOST_IGNORED && !ignored.contains_key(subject) {
                    let why = format!("{MOST_IGNORED} differences are ignored already; stop ignoring some");
                    return Err(StepError::Input(why));
                }
                let (reason, since) = (reason.to_owned(), self.now);
                let fine = Ignored { difference, reason, actor: actor.clone(), since };
                ignored.insert(subject.to_owned(), fine);
            }
            None => {
                if ignored.remove(subject).is_none() {
                    return Err(StepError::Input(format!("{subject} is not ignored")));
                }
            }
        }
        outputs.push(Output::IgnoringChanged(IgnoringChanged {
            time: self.now,
            actor: actor.clone(),
            subject: subject.to_owned(),
            difference,
            reason: reason.to_owned(),
        }));
        Ok(())
    }

    fn needs_outside(&self) -> Result<(), StepError> {
        match self.outside {
            Some(_) => Ok(()),
            None => Err(StepError::Input(
                "the account trades on paper: its books are all that there is of its money".to_owned(),
            )),
        }
    }

    fn book_difference(
        &mut self,
        adjustment: &Adjustment,
        kind: AdjustmentKind,
    ) -> Result<Vec<Part>, StepError> {
        let Adjustment { asset, books, found, price, slot, .. } = adjustment;
        let (what, there) = match asset {
            Asset::Cash => ("cash".to_owned(), self.ledger.cash().0),
            Asset::Position(id) => (self.instrument(*id)?.symbol.clone(), self.held(*id).0),
        };
        if there != *books {
            let why = format!(
                "the books say {there} of {what} by now, not {books}; compare again, the difference may be another one"
            );
            return Err(StepError::Input(why));
        }
        if found.is_sign_negative() && !found.is_zero() {
            return Err(StepError::Input(format!("{found} of {what} can't be there: it is negative")));
        }
        let (found, there) = (Quantity(*found), Quantity(there));
        let (more, missing) = (found.minus(there)?, there.minus(found)?);
        if more.is_zero() {
            return Err(StepError::Input(format!("there is no difference in {what}")));
        }
        if more.is_positive() && kind == AdjustmentKind::WrittenOff {
            let why =
                format!("{more} of {what} is more than the books say; only what is missing is written off");
            return Err(StepError::Input(why));
        }
        match asset {
            Asset::Cash if more.is_positive() => {
                let value = Money(more.0);
                self.ledger.deposit(value)?;
                Ok(vec![Part { strategy: None, quantity: Quantity::ZERO, value, gain: Money::ZERO }])
            }
            Asset::Cash => self.take_cash(Money(missing.0), kind),
            Asset::Position(id) if more.is_positive() => {
                let price = check_price(*price)?.ok_or_else(|| {
                    StepError::Input(format!("say what a unit of {what} is worth: the price is missing"))
                })?;
                let strategy = self.whose(*id, slot.as_deref())?;
                let value = price.value_of(more)?.rounded_down();
                self.ledger.bring(strategy, *id, more, value, self.now)?;
                Ok(vec![Part { strategy: Some(strategy), quantity: more, value, gain: Money::ZERO }])
            }
            Asset::Position(id) => {
                let price = check_price(*price)?.filter(|_| kind == AdjustmentKind::Adopted);
                self.take_units(*id, missing, price, slot.as_deref(), kind)
            }
        }
    }

    /// Takes money out of the pool and, as far as that is not enough, of what strategies have free.
    fn take_cash(&mut self, missing: Money, kind: AdjustmentKind) -> Result<Vec<Part>, StepError> {
        let mut parts = Vec::new();
        let mut left = missing;
        let mut take = |strategy, amount: Money, left: &mut Money| -> Result<(), StepError> {
            let out = Money(-amount.0);
            let (value, gain) = match kind {
                AdjustmentKind::Adopted => (out, Money::ZERO),
                AdjustmentKind::WrittenOff => (Money::ZERO, out),
            };
            parts.push(Part { strategy, quantity: Quantity::ZERO, value, gain });
            *left = left.minus(amount)?;
            Ok(())
        };
        let of_pool = left.min(self.ledger.pool());
        if of_pool.is_positive() {
            self.ledger.withdraw(of_pool)?;
            take(None, of_pool, &mut left)?;
        }
        for strategy in self.real_strategies() {
            let free = self.ledger.sub_ledger(strategy).map_or(Money::ZERO, SubLedger::free);
            let part = left.min(free);
            if part.is_positive() {
                self.ledger.transfer(strategy, Money(-part.0))?;
                self.ledger.withdraw(part)?;
                take(Some(strategy), part, &mut left)?;
            }
        }
        if left.is_positive() {
            let free = missing.minus(left)?;
            let why = format!(
                "{missing} of cash is missing and {free} is free in the books; take working orders back first"
            );
            return Err(StepError::Input(why));
        }
        Ok(parts)
    }

    /// Takes units out of a strategy's position, or of all that hold some, in their order.
    fn take_units(
        &mut self,
        id: InstrumentId,
        missing: Quantity,
        price: Option<Price>,
        slot: Option<&str>,
        kind: AdjustmentKind,
    ) -> Result<Vec<Part>, StepError> {
        let whose = match slot {
            Some(_) => vec![self.whose(id, slot)?],
            None => self.real_strategies(),
        };
        let (mut parts, mut left) = (Vec::new(), missing);
        for strategy in whose {
            let part = left.min(self.free_quantity(strategy, id)?);
            if !part.is_positive() {
                continue;
            }
            let held_for = self.ledger.take_away(strategy, id, part)?;
            let (value, gain) = match kind {
                AdjustmentKind::Adopted => {
                    let worth = price.map_or(Ok(held_for), |price| price.value_of(part))?.rounded_down();
                    (Money(-worth.0), worth.minus(held_for)?)
                }
                AdjustmentKind::WrittenOff => (Money::ZERO, Money(-held_for.0)),
            };
            parts.push(Part { strategy: Some(strategy), quantity: Quantity(-part.0), value, gain });
            left = left.minus(part)?;
        }
        if left.is_positive() {
            let free = missing.minus(left)?;
            let why = format!(
                "{missing} of {} is missing and {free} is free in the books; take working sales back first",
                self.instrument(id)?.symbol
            );
            return Err(StepError::Input(why));
        }
        Ok(parts)
    }

    /// The position is guarded as it is now, and its strategy hears of it.
    fn after_adjustment(&mut self, strategy: StrategyId, id: InstrumentId, outputs: &mut Vec<Output>) {
        let is_open = self.ledger.sub_ledger(strategy).is_some_and(|books| books.position(id).is_some());
        if is_open {
            let plan = match self.keeper.guard(strategy, id) {
                Some(_) => None,
                None => Some(self.settings.risk.exits.bounded(None)),
            };
            if let Err(error) = self.guard(strategy, id, plan) {
                outputs.push(Output::InputRefused { time: self.now, reason: error.to_string() });
            }
        } else {
            self.keeper.forget(strategy, id);
        }
        let index = self.slots.iter().position(|slot| slot.id == strategy);
        if let Some(index) = index.filter(|index| self.slots[*index].trades(id)) {
            self.tell_position(index, id);
        }
    }

    /// Whose position it is: of the slot that is named, or of the only one that it can be.
    fn whose(&self, id: InstrumentId, slot: Option<&str>) -> Result<StrategyId, StepError> {
        if let Some(name) = slot {
            return Ok(self.slots[self.slot_index(name)?].id);
        }
        let real = self.real_strategies();
        let holds = |strategy: &StrategyId| {
            self.ledger.sub_ledger(*strategy).is_some_and(|books| books.position(id).is_some())
        };
        let holders: Vec<StrategyId> = real.iter().copied().filter(holds).collect();
        match (holders.as_slice(), real.as_slice()) {
            ([only], _) | ([], [only]) => Ok(*only),
            _ => {
                let names = self.slots.iter().filter(|slot| real.contains(&slot.id));
                let names: Vec<&str> = names.map(super::Slot::name).collect();
                let why = match names.as_slice() {
                    [] => "no strategy trades the account's money, so none can hold it".to_owned(),
                    names => format!("say whose it is: name one of {}", names.join(", ")),
                };
                Err(StepError::Input(why))
            }
        }
    }

    fn held(&self, id: InstrumentId) -> Quantity {
        let holdings = self.ledger.holdings();
        let place = holdings.binary_search_by_key(&id, |(held, _)| *held);
        place.map_or(Quantity::ZERO, |place| holdings[place].1)
    }

    fn real_strategies(&self) -> Vec<StrategyId> {
        let ids = self.slots.iter().map(|slot| slot.id);
        ids.filter(|id| is_real(&self.ledger, *id)).collect()
    }
}

fn check_price(price: Option<Price>) -> Result<Option<Price>, StepError> {
    match price {
        Some(price) if price.is_negative() => {
            Err(StepError::Input(format!("{price} is no price: it is negative")))
        }
        price => Ok(price),
    }
}

fn check_text(what: &str, text: &str) -> Result<(), StepError> {
    if text.trim().is_empty() {
        return Err(StepError::Input(format!("the {what} is missing")));
    }
    let letters = text.chars().count();
    if letters > LONGEST_TEXT {
        return Err(StepError::Input(format!(
            "the {what} has {letters} letters; {LONGEST_TEXT} are the most"
        )));
    }
    Ok(())
}
