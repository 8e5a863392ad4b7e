//! What venues report, booked; and exits, executed.

use super::outside::{is_real, requested};
use super::{Engine, StepError};
use crate::exits::{GuardedPosition, TriggeredExit};
use crate::identifier::{InstrumentId, OrderId, OrderTag, StrategyId};
use crate::instrument::Rounding;
use crate::ledger::{LedgerError, Settlement};
use crate::market::{Bar, Quote};
use crate::money::{Money, Price, Quantity};
use crate::order::{Fill, Order, OrderState, OrderTerms, Origin, Pricing, Side, Transition};
use crate::output::{ClosedTrade, OrderChange, Output};
use crate::position::ClosedPart;
use crate::risk::check_reduction;
use crate::strategy::{Event, ExitPlan, FillCause, FillEvent, OrderStatus};
use crate::time::Timestamp;
use crate::venue::outside::Request;
use crate::venue::paper::BarPhase;
use crate::venue::{Cancellation, Exit, Report, ReportedEvent, Venue as _};

impl Engine {
    pub(super) fn execute_on_bar(&mut self, bar: &Bar, phase: BarPhase, outputs: &mut Vec<Output>) {
        let Some(instrument) = self.settings.instrument(bar.instrument) else { return };
        self.venue.on_bar(bar, phase, instrument, &mut self.buffers.reports);
        self.apply_reports(outputs);
    }

    pub(super) fn execute_on_quote(&mut self, quote: &Quote, outputs: &mut Vec<Output>) {
        let Some(instrument) = self.settings.instrument(quote.instrument) else { return };
        if !self.venue.is_idle(quote.instrument) {
            self.venue.on_quote(quote, instrument, &mut self.buffers.reports);
            self.apply_reports(outputs);
        }
    }

    pub(super) fn execute_on_price(
        &mut self,
        id: InstrumentId,
        price: f64,
        volume: f64,
        time: Timestamp,
        outputs: &mut Vec<Output>,
    ) {
        let Some(instrument) = self.settings.instrument(id) else { return };
        if !self.venue.is_idle(id) {
            self.venue.on_price(id, price, volume, time, instrument, &mut self.buffers.reports);
            self.apply_reports(outputs);
        }
    }

    /// Stops first, then tiers one by one, then the levels move.
    pub(super) fn exits_on_bar(&mut self, bar: &Bar, outputs: &mut Vec<Output>) {
        let mut triggered = std::mem::take(&mut self.buffers.triggered);
        self.keeper.stops_on_bar(bar, &mut triggered);
        for exit in triggered.drain(..) {
            self.exit_or_report(&exit, bar.volume, outputs);
        }
        self.keeper.tiers_on_bar(bar, &mut triggered);
        for first in triggered.drain(..) {
            // Each position by itself: that one of them reaches its next tier is no reason to try another's
            // failed sale again.
            let mut next = Some(first);
            while let Some(exit) = next.take() {
                if self.exit_or_report(&exit, bar.volume, outputs) {
                    next = self.keeper.tier_on_bar(exit.strategy, bar);
                }
            }
        }
        self.buffers.triggered = triggered;
        if let Some(instrument) = self.settings.instrument(bar.instrument) {
            self.keeper.after_bar(bar, instrument);
        }
    }

    pub(super) fn exits_on_price(
        &mut self,
        id: InstrumentId,
        price: f64,
        time: Timestamp,
        outputs: &mut Vec<Output>,
    ) {
        if self.keeper.is_idle(id) {
            return;
        }
        let Some(instrument) = self.settings.instrument(id) else { return };
        let mut triggered = std::mem::take(&mut self.buffers.triggered);
        self.keeper.on_price(id, price, time, instrument, &mut triggered);
        let volume = self.prices.market(id).map_or(0.0, crate::price_board::InstrumentMarket::last_volume);
        for exit in triggered.drain(..) {
            self.exit_or_report(&exit, volume, outputs);
        }
        self.buffers.triggered = triggered;
    }

    /// One position's exit must not keep the others from theirs.
    fn exit_or_report(&mut self, exit: &TriggeredExit, volume: f64, outputs: &mut Vec<Output>) -> bool {
        self.exit(exit, volume, outputs).unwrap_or_else(|error| {
            outputs.push(Output::InputRefused { time: self.now, reason: error.to_string() });
            false
        })
    }

    /// Sells what an exit wants sold; whether that was done. A failed one is triggered again by the next
    /// price.
    fn exit(
        &mut self,
        exit: &TriggeredExit,
        volume: f64,
        outputs: &mut Vec<Output>,
    ) -> Result<bool, StepError> {
        let index = place_of(exit.strategy);
        if self.is_being_sold(exit.strategy, exit.instrument) {
            return Ok(false);
        }
        // The position's own working sales would hold back what the exit must sell.
        self.cancel_sales(index, exit.instrument, "an exit was triggered", outputs);
        let instrument = self.instrument(exit.instrument)?;
        let Some(position) = self.books(exit.strategy)?.position(exit.instrument) else {
            self.keeper.forget(exit.strategy, exit.instrument);
            return Ok(false);
        };
        let (held, free) = (position.quantity, position.free()?);
        let quantity = match exit.quantity {
            Some(part) => instrument.round_quantity(part.min(free), Rounding::Down).unwrap_or(free),
            None => free,
        };
        let tier = exit.cause == FillCause::TakeProfit;
        if quantity.is_zero() && tier {
            // The position is too small to be split: the tier counts as taken.
            let instrument = instrument.clone();
            self.keeper.tier_taken(exit.strategy, exit.instrument, &instrument);
            return Ok(true);
        }
        let terms = OrderTerms {
            id: OrderId(self.next_order),
            strategy: exit.strategy,
            tag: OrderTag(0),
            instrument: exit.instrument,
            side: Side::Sell,
            quantity,
            pricing: Pricing::Market,
            origin: Origin::Exit(exit.cause),
            created: self.now,
            reference_price: instrument.price(exit.price, Rounding::Nearest).unwrap_or(Price::ZERO),
            confidence: 1.0,
            reason: String::new(),
            exits: None,
        };
        let Ok(approved) = check_reduction(terms.clone(), free) else { return Ok(false) };
        let Some(order) = self.accept(terms, approved, outputs) else { return Ok(false) };
        let (id, instrument) = (order.terms().id, self.instrument(exit.instrument)?.clone());
        let sale = Exit { terms: order.terms(), price: exit.price, volume, time: exit.time };
        if let Some(outside) = self.outside_of(exit.strategy) {
            outside.execute_exit(&sale, &instrument, &mut Vec::new());
            outputs.push(requested(&order));
            self.orders.insert(id, order);
            return Ok(false);
        }
        self.venue.execute_exit(&sale, &instrument, &mut self.buffers.reports);
        self.orders.insert(id, order);
        self.apply_reports(outputs);
        // What counts is what was booked: the books refuse a sale whose fee nobody can pay.
        let position = self.books(exit.strategy)?.position(exit.instrument);
        let executed = position.is_none_or(|position| position.quantity < held);
        if executed && tier {
            self.keeper.tier_taken(exit.strategy, exit.instrument, &instrument);
        }
        Ok(executed)
    }

    /// Books what the venue has reported.
    pub(super) fn apply_reports(&mut self, outputs: &mut Vec<Output>) {
        let mut reports = std::mem::take(&mut self.buffers.reports);
        for report in reports.drain(..) {
            if let Err(error) = self.apply_report(report, outputs) {
                outputs.push(Output::InputRefused { time: self.now, reason: error.to_string() });
            }
        }
        self.buffers.reports = reports;
    }

    pub(super) fn apply_report(
        &mut self,
        report: Report,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        let Some(mut order) = self.orders.remove(&report.order) else {
            let reason = format!("the venue reported on {}, which is not open", report.order);
            return Err(StepError::Input(reason));
        };
        match report.event {
            ReportedEvent::Acknowledged => {
                if order.apply(Transition::Acknowledge).is_ok() {
                    outputs.push(Output::OrderChanged(change(&order, report.time, String::new())));
                }
                self.orders.insert(report.order, order);
                Ok(())
            }
            ReportedEvent::Executed { quantity, price, fee } => {
                self.book(order, quantity, price, fee, report.time, outputs)
            }
            ReportedEvent::Rejected { reason, gas } => {
                let strategy = order.terms().strategy;
                self.end(order, Transition::Reject, report.time, reason, outputs);
                self.charge(strategy, gas, report.time, outputs)
            }
            ReportedEvent::Expired => {
                self.end(order, Transition::Expire, report.time, "no price came in time".to_owned(), outputs);
                Ok(())
            }
            ReportedEvent::Settled { quantity, value, fee } => {
                self.settle(order, quantity, value, fee, report.time, outputs)
            }
            ReportedEvent::Cancelled { gas } => {
                let strategy = order.terms().strategy;
                let reason = "it was taken back".to_owned();
                self.end(order, Transition::Cancel, report.time, reason, outputs);
                self.charge(strategy, gas, report.time, outputs)
            }
        }
    }

    /// Books what an attempt cost that brought nothing.
    pub(super) fn charge(
        &mut self,
        strategy: StrategyId,
        amount: Money,
        time: Timestamp,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        let booked = self.ledger.charge(strategy, amount)?;
        if booked.is_positive() {
            self.note_cost_outside(strategy, booked);
            outputs.push(Output::Charged { strategy, time, amount: booked });
            self.tell_capital(place_of(strategy));
        }
        Ok(())
    }

    /// Books an execution. When the books can't pay for it, the order ends as rejected and nothing is
    /// booked.
    fn book(
        &mut self,
        mut order: Order,
        quantity: Quantity,
        price: Price,
        fee: Money,
        time: Timestamp,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        let terms = order.terms();
        let (strategy, instrument, side) = (terms.strategy, terms.instrument, terms.side);
        let complete = quantity == order.remaining();
        let settled = price.value_of(quantity).map_err(LedgerError::from).and_then(|value| {
            let value = match side {
                Side::Buy => value.rounded_up(),
                Side::Sell => value.rounded_down(),
            };
            let settlement = Settlement { strategy, instrument, quantity, value, fee, time };
            let closed = match side {
                Side::Buy => self.settle_buy(&mut order, &settlement, complete).map(|()| None),
                Side::Sell => self.settle_sell(&mut order, &settlement).map(Some),
            };
            Ok((settlement, closed?))
        });
        let (settlement, closed) = match settled {
            Ok(settled) => settled,
            Err(error) => {
                self.venue.cancel(order.terms());
                self.end(order, Transition::Reject, time, error.to_string(), outputs);
                return Ok(());
            }
        };
        let transition = if complete { Transition::FillRest } else { Transition::FillPart };
        order.apply(transition).map_err(|error| StepError::Input(error.to_string()))?;
        self.after_fill(order, &settlement, price, closed, outputs)
    }

    pub(super) fn settle_buy(
        &mut self,
        order: &mut Order,
        settlement: &Settlement,
        complete: bool,
    ) -> Result<(), LedgerError> {
        let total = settlement.value.plus(settlement.fee)?;
        let reserved = order.reserved_money();
        if total > reserved {
            // The price moved past the margin: more is reserved before it is spent.
            self.ledger.reserve(settlement.strategy, total.minus(reserved)?)?;
            // Noted at once: should the settlement fail, the order's end must free this too.
            order.set_progress(order.filled(), total, Quantity::ZERO);
        }
        self.ledger.settle_buy(settlement, total)?;
        let mut left = order.reserved_money().minus(total)?;
        if complete {
            self.ledger.release(settlement.strategy, left)?;
            left = Money::ZERO;
        }
        order.set_progress(order.filled().plus(settlement.quantity)?, left, Quantity::ZERO);
        Ok(())
    }

    pub(super) fn settle_sell(
        &mut self,
        order: &mut Order,
        settlement: &Settlement,
    ) -> Result<ClosedPart, LedgerError> {
        let part = self.ledger.settle_sell(settlement)?;
        let left = order.reserved_quantity().minus(settlement.quantity)?;
        order.set_progress(order.filled().plus(settlement.quantity)?, Money::ZERO, left);
        Ok(part)
    }

    /// Makes a booked fill known, and has its position guarded. The books have changed already, so nothing
    /// here may stop halfway: an error is handed on at the end.
    pub(super) fn after_fill(
        &mut self,
        order: Order,
        settlement: &Settlement,
        price: Price,
        closed: Option<ClosedPart>,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        let terms = order.terms();
        let (strategy, instrument, index) = (terms.strategy, terms.instrument, place_of(terms.strategy));
        let fill = Fill {
            order: terms.id,
            strategy,
            tag: terms.tag,
            instrument,
            side: terms.side,
            quantity: settlement.quantity,
            price,
            fee: settlement.fee,
            time: settlement.time,
            cause: terms.origin.cause(),
        };
        if let (Some(slot), Some(traded)) = (self.slots.get(index), self.settings.instrument(instrument)) {
            self.digest.fill(&fill, slot.name(), &traded.symbol);
        }
        let followed = match closed {
            None => {
                let plan = if self.keeper.guard(strategy, instrument).is_some() && terms.exits.is_none() {
                    None
                } else {
                    Some(self.settings.risk.exits.bounded(terms.exits.as_ref()))
                };
                self.guard(strategy, instrument, plan)
            }
            Some(part) => self.after_sale(&fill, part, outputs),
        };
        // What a person trades may be something that the strategy was never told of.
        let is_known = self.slots.get(index).is_some_and(|slot| slot.trades(instrument));
        if is_known {
            self.tell(
                index,
                Event::Fill(FillEvent {
                    tag: fill.tag,
                    instrument,
                    time: fill.time,
                    side: fill.side,
                    price: price.approximate(),
                    quantity: fill.quantity.approximate(),
                    fee: fill.fee.approximate(),
                    cause: fill.cause,
                }),
            );
        }
        outputs.push(Output::Filled(fill));
        outputs.push(Output::OrderChanged(change(&order, settlement.time, String::new())));
        let status = match order.state() {
            OrderState::Filled => OrderStatus::Filled,
            _ => OrderStatus::PartiallyFilled,
        };
        self.tell_order(order.terms(), status, order.filled(), String::new());
        if is_known {
            self.tell_position(index, instrument);
        }
        self.tell_capital(index);
        if order.state().is_final() {
            self.note_ended(&order, Transition::FillRest);
            self.forget_tag(order.terms());
            self.ended_outside(&order);
        } else {
            self.orders.insert(order.terms().id, order);
        }
        followed
    }

    fn after_sale(
        &mut self,
        fill: &Fill,
        part: ClosedPart,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        let now = self.now;
        let still_open = self
            .ledger
            .sub_ledger(fill.strategy)
            .is_some_and(|books| books.position(fill.instrument).is_some());
        if !still_open {
            self.keeper.forget(fill.strategy, fill.instrument);
            self.note_position_closed(fill.strategy, part.realised);
        }
        let mut recorded = Ok(());
        if let Some(slot) = self.slot_mut(fill.strategy) {
            recorded = slot.record.add(part.pnl);
            if !still_open {
                slot.note_closed(fill.instrument, now);
            }
        }
        // The last price may be older than the one it was sold at.
        self.watch_equity();
        outputs.push(Output::TradeClosed(ClosedTrade {
            strategy: fill.strategy,
            instrument: fill.instrument,
            side: Side::Buy,
            entry_time: part.opened,
            exit_time: fill.time,
            entry_price: part.entry_price,
            exit_price: fill.price,
            quantity: fill.quantity,
            fees: part.entry_fees.plus(fill.fee)?,
            pnl: part.pnl,
            exit_reason: fill.cause,
        }));
        Ok(recorded?)
    }

    /// Guards a position with a plan, or with the one it has.
    pub(super) fn guard(
        &mut self,
        strategy: StrategyId,
        id: InstrumentId,
        plan: Option<ExitPlan>,
    ) -> Result<(), StepError> {
        let Some(position) = self.ledger.sub_ledger(strategy).and_then(|books| books.position(id)) else {
            return Ok(());
        };
        let guarded = GuardedPosition {
            strategy,
            instrument: id,
            opened: position.opened,
            entry: position.average_price()?,
            entered: position.entered,
        };
        let instrument =
            self.settings.instrument(id).ok_or_else(|| StepError::Input(format!("{id} does not exist")))?;
        self.keeper.guard_position(&guarded, plan, instrument);
        Ok(())
    }

    /// Ends an order that was not wholly filled: what is still set aside is freed.
    pub(super) fn end(
        &mut self,
        mut order: Order,
        transition: Transition,
        time: Timestamp,
        reason: String,
        outputs: &mut Vec<Output>,
    ) {
        let (money, quantity) = (order.reserved_money(), order.reserved_quantity());
        let (strategy, instrument) = (order.terms().strategy, order.terms().instrument);
        let freed = self.ledger.release(strategy, money).and_then(|()| {
            if quantity.is_zero() {
                Ok(())
            } else {
                self.ledger.release_quantity(strategy, instrument, quantity)
            }
        });
        order.set_progress(order.filled(), Money::ZERO, Quantity::ZERO);
        let moved = order.apply(transition);
        for problem in
            [freed.err().map(|e| e.to_string()), moved.err().map(|e| e.to_string())].into_iter().flatten()
        {
            outputs.push(Output::InputRefused { time, reason: problem });
        }
        let status = match transition {
            Transition::Reject => OrderStatus::Rejected,
            Transition::Expire => OrderStatus::Expired,
            _ => OrderStatus::Cancelled,
        };
        self.note_ended(&order, transition);
        self.forget_tag(order.terms());
        self.ended_outside(&order);
        self.tell_order(order.terms(), status, order.filled(), reason.clone());
        outputs.push(Output::OrderChanged(change(&order, time, reason)));
    }

    /// Takes an order back, if the venue still has it; whether it had. A venue outside is asked to, and the order stays
    /// until it has answered.
    pub(super) fn cancel(&mut self, id: OrderId, why: &str, outputs: &mut Vec<Output>) -> bool {
        let Some(order) = self.orders.get(&id) else { return false };
        let (terms, strategy) = (order.terms(), order.terms().strategy);
        let cancellation = match self.outside.as_mut().filter(|_| is_real(&self.ledger, strategy)) {
            Some(outside) => outside.cancel(terms),
            None => self.venue.cancel(terms),
        };
        match cancellation {
            Cancellation::NotThere => return false,
            Cancellation::AskedBefore => return true,
            Cancellation::Asked => {
                outputs.push(Output::VenueRequested { order: id, request: Request::Cancel });
                return true;
            }
            Cancellation::Done => {}
        }
        if let Some(order) = self.orders.remove(&id) {
            let now = self.now;
            self.end(order, Transition::Cancel, now, why.to_owned(), outputs);
            // Some of it may have been executed, which a half-open breaker waits for.
            self.report_breakers(outputs);
        }
        true
    }

    /// Takes a strategy's own working orders back. What a person ordered stays.
    pub(super) fn cancel_all(&mut self, index: usize, why: &str, outputs: &mut Vec<Output>) {
        let strategy = self.slots[index].id;
        let own = |terms: &OrderTerms| terms.strategy == strategy && terms.origin == Origin::Strategy;
        self.cancel_where(own, why, outputs);
    }

    /// Takes a slot's working sales of an instrument back.
    pub(super) fn cancel_sales(
        &mut self,
        index: usize,
        id: InstrumentId,
        why: &str,
        outputs: &mut Vec<Output>,
    ) {
        let Some(strategy) = self.slots.get(index).map(super::slot::Slot::id) else { return };
        let of_position = |terms: &OrderTerms| {
            terms.strategy == strategy && terms.instrument == id && terms.side == Side::Sell
        };
        self.cancel_where(of_position, why, outputs);
    }

    /// Takes back what would open positions with the account's money.
    pub(super) fn cancel_purchases(&mut self, why: &str, outputs: &mut Vec<Output>) {
        let live: Vec<bool> =
            self.ledger.sub_ledgers().iter().map(|books| !books.is_make_believe()).collect();
        let opens = |terms: &OrderTerms| {
            terms.side == Side::Buy && live.get(place_of(terms.strategy)).copied().unwrap_or(true)
        };
        self.cancel_where(opens, why, outputs);
    }

    pub(super) fn cancel_where(
        &mut self,
        matches: impl Fn(&OrderTerms) -> bool,
        why: &str,
        outputs: &mut Vec<Output>,
    ) {
        let ids: Vec<OrderId> = self
            .orders
            .values()
            .map(Order::terms)
            .filter(|terms| matches(terms))
            .map(|terms| terms.id)
            .collect();
        for id in ids {
            self.cancel(id, why, outputs);
        }
    }

    fn forget_tag(&mut self, terms: &OrderTerms) {
        let id = terms.id;
        if let Some(slot) = self.slot_mut(terms.strategy) {
            slot.working.retain(|(_, order)| *order != id);
        }
    }
}

fn change(order: &Order, time: Timestamp, reason: String) -> OrderChange {
    let terms = order.terms();
    OrderChange {
        order: terms.id,
        strategy: terms.strategy,
        time,
        state: order.state(),
        filled: order.filled(),
        reason,
    }
}

pub(super) fn place_of(id: StrategyId) -> usize {
    usize::try_from(id.0).unwrap_or(usize::MAX)
}
