//! From what a strategy proposes to an order at the venue: intent, size, grid, gate, reservation.

use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive as _;

use super::outside::requested;
use super::{Engine, SlotStatus, StepError};
use crate::identifier::{InstrumentId, OrderId, OrderTag, StrategyId};
use crate::input::StrategyMode;
use crate::instrument::{Instrument, Rounding};
use crate::money::{Money, Overflow, Price, Quantity};
use crate::order::{Order, OrderTerms, Origin, Pricing, Side, Transition};
use crate::output::{Output, RefusedProposal};
use crate::risk::{
    ApprovedOrder, Exposure, Refusal, RefusalCode, Situation, check_entry, check_reduction, risk_decimal,
};
use crate::sizing::SizingFacts;
use crate::strategy::{Action, Amount, Event, Intent, OrderKind, OrderStatus, OrderUpdate, Proposal, Submit};
use crate::time::Span;
use crate::venue::Venue as _;

/// An intent made concrete.
struct Sized {
    side: Side,
    quantity: Quantity,
}

impl Engine {
    /// Acts on one valid proposal of a slot.
    pub(super) fn act(&mut self, index: usize, action: Action, outputs: &mut Vec<Output>) {
        let Action { proposal, confidence, reason } = action;
        match proposal {
            Proposal::Submit(submit) => self.submit(index, submit, confidence, reason, outputs),
            Proposal::Cancel(tag) => {
                if let Some(order) = self.slots[index].order(tag) {
                    self.cancel(order, "its strategy cancelled it", outputs);
                }
            }
            Proposal::ChangeExits { instrument, plan } => {
                let plan = self.settings.risk.exits.bounded(Some(&plan));
                if let Err(error) = self.guard(self.slots[index].id, instrument, Some(plan)) {
                    outputs.push(Output::InputRefused { time: self.now, reason: error.to_string() });
                }
            }
        }
    }

    fn submit(
        &mut self,
        index: usize,
        submit: Submit,
        confidence: f64,
        reason: String,
        outputs: &mut Vec<Output>,
    ) {
        let (instrument, tag) = (submit.instrument, submit.tag);
        let side = match submit.intent {
            Intent::Sell(_) | Intent::Close => Side::Sell,
            Intent::Buy(_) | Intent::Target(_) => Side::Buy,
        };
        match self.approve(index, submit, confidence, reason) {
            Ok((terms, approved)) => self.place(terms, approved, outputs),
            Err((refused_side, refusal)) => {
                let strategy = self.slots[index].id;
                self.tell(
                    index,
                    Event::Order(OrderUpdate {
                        tag,
                        instrument,
                        time: self.now,
                        status: OrderStatus::Denied,
                        filled: 0.0,
                        reason: refusal.to_string(),
                    }),
                );
                outputs.push(Output::Refused(RefusedProposal {
                    strategy,
                    instrument,
                    side: refused_side.unwrap_or(side),
                    time: self.now,
                    refusal,
                }));
            }
        }
    }

    /// Sizes a proposal and passes it through the gate.
    fn approve(
        &self,
        index: usize,
        submit: Submit,
        confidence: f64,
        reason: String,
    ) -> Result<(OrderTerms, ApprovedOrder), (Option<Side>, Refusal)> {
        let slot = &self.slots[index];
        let id = submit.instrument;
        let invalid = |what: String| (None, Refusal::new(RefusalCode::InvalidSize, what));
        let out_of_range = |overflow: Overflow| invalid(format!("error=\"{overflow}\""));
        let instrument = self.instrument(id).map_err(|error| invalid(error.to_string()))?;
        if slot.order(submit.tag).is_some() {
            return Err((None, Refusal::new(RefusalCode::Duplicate, format!("tag={}", submit.tag.0))));
        }
        let Some(price) = self.price(id) else {
            let facts = format!("symbol={}", instrument.symbol);
            return Err((None, Refusal::new(RefusalCode::PriceUnknown, facts)));
        };
        let equity = self.equity_of(slot.id).map_err(out_of_range)?;
        let sized = self.size(index, &submit, confidence, price, equity).map_err(out_of_range)?;
        let refused = |refusal: Refusal| (Some(sized.side), refusal);
        let pricing = match submit.kind {
            OrderKind::Market => Pricing::Market,
            OrderKind::Limit(limit) => {
                // Never past the strategy's limit: a buy's is rounded down, a sale's up.
                let rounding = if sized.side == Side::Buy { Rounding::Down } else { Rounding::Up };
                let limit = instrument.price(limit, rounding);
                Pricing::Limit(limit.ok_or_else(|| invalid("limit=0 after rounding to the tick".to_owned()))?)
            }
        };
        let expected = match pricing {
            Pricing::Market => price,
            Pricing::Limit(limit) => limit,
        };
        let Sized { side, quantity } = sized;
        let cut = self.cut_to_probe(slot.id, side, quantity, expected, equity).map_err(out_of_range)?;
        let quantity = instrument
            .round_quantity(cut, Rounding::Down)
            .ok_or_else(|| invalid(format!("quantity={cut}")))?;
        let terms = OrderTerms {
            id: OrderId(self.next_order),
            strategy: slot.id,
            tag: submit.tag,
            instrument: id,
            side: sized.side,
            quantity,
            pricing,
            origin: Origin::Strategy,
            created: self.now,
            reference_price: price,
            confidence,
            reason,
            exits: submit.exits,
        };
        let approved = match sized.side {
            Side::Sell => {
                let free = self.free_quantity(slot.id, id).map_err(out_of_range)?;
                check_reduction(terms.clone(), free)
            }
            Side::Buy => {
                let situation = self.situation(index, &terms, instrument, equity).map_err(out_of_range)?;
                check_entry(terms.clone(), &self.settings.risk, &situation)
            }
        };
        approved.map(|approved| (terms, approved)).map_err(refused)
    }

    /// While a breaker is half-open, purchases are as large as a probe may be.
    pub(super) fn cut_to_probe(
        &self,
        strategy: StrategyId,
        side: Side,
        quantity: Quantity,
        price: Price,
        equity: Money,
    ) -> Result<Quantity, Overflow> {
        if side == Side::Sell || self.breakers.are_closed() || self.is_make_believe(strategy) {
            return Ok(quantity);
        }
        let largest = self.breakers.probe_value(equity, &self.settings.risk.breakers)?;
        largest.map_or(Ok(quantity), |value| Ok(quantity.min(value.buys_at(price)?)))
    }

    /// The account's equity, or a shadow's own.
    pub(super) fn equity_of(&self, strategy: StrategyId) -> Result<Money, Overflow> {
        if self.is_make_believe(strategy) { self.slot_equity(strategy) } else { self.equity() }
    }

    pub(super) fn is_make_believe(&self, strategy: StrategyId) -> bool {
        self.ledger.sub_ledger(strategy).is_some_and(crate::ledger::SubLedger::is_make_believe)
    }

    pub(super) fn free_quantity(
        &self,
        strategy: StrategyId,
        instrument: InstrumentId,
    ) -> Result<Quantity, Overflow> {
        self.ledger
            .sub_ledger(strategy)
            .and_then(|books| books.position(instrument))
            .map_or(Ok(Quantity::ZERO), crate::position::Position::free)
    }

    fn size(
        &self,
        index: usize,
        submit: &Submit,
        confidence: f64,
        price: Price,
        equity: Money,
    ) -> Result<Sized, Overflow> {
        let slot = &self.slots[index];
        let free = self.free_quantity(slot.id, submit.instrument)?;
        let basis = match submit.kind {
            OrderKind::Limit(limit) => Price(Decimal::from_f64(limit).ok_or(Overflow)?),
            OrderKind::Market => price,
        };
        Ok(match submit.intent {
            Intent::Close => Sized { side: Side::Sell, quantity: free },
            Intent::Buy(amount) => Sized {
                side: Side::Buy,
                quantity: self.amount(index, submit, amount, confidence, basis, equity)?,
            },
            Intent::Sell(amount) => {
                let quantity = self.amount(index, submit, amount, confidence, basis, equity)?;
                Sized { side: Side::Sell, quantity: quantity.min(free) }
            }
            Intent::Target(target) => {
                let target = Quantity(Decimal::from_f64(target).ok_or(Overflow)?);
                let held = self.held_and_in_flight(slot.id, submit.instrument)?;
                if target >= held {
                    Sized { side: Side::Buy, quantity: target.minus(held)? }
                } else {
                    Sized { side: Side::Sell, quantity: held.minus(target)?.min(free) }
                }
            }
        })
    }

    /// What a position will be when all working orders are filled.
    fn held_and_in_flight(
        &self,
        strategy: StrategyId,
        instrument: InstrumentId,
    ) -> Result<Quantity, Overflow> {
        let held = self
            .ledger
            .sub_ledger(strategy)
            .and_then(|books| books.position(instrument))
            .map_or(Quantity::ZERO, |position| position.quantity);
        self.orders
            .values()
            .filter(|order| order.terms().strategy == strategy && order.terms().instrument == instrument)
            .try_fold(held, |sum, order| match order.terms().side {
                Side::Buy => sum.plus(order.remaining()),
                Side::Sell => sum.minus(order.remaining()),
            })
    }

    fn amount(
        &self,
        index: usize,
        submit: &Submit,
        amount: Amount,
        confidence: f64,
        price: Price,
        equity: Money,
    ) -> Result<Quantity, Overflow> {
        let slot = &self.slots[index];
        let decimal = |value: f64| Decimal::from_f64(value).ok_or(Overflow);
        match amount {
            Amount::Quantity(quantity) => Ok(Quantity(decimal(quantity)?)),
            Amount::Notional(notional) => Money(decimal(notional)?).buys_at(price),
            Amount::CapitalShare(share) => {
                let wanted = self.slot_equity(slot.id)?.scaled(decimal(share)?)?.buys_at(price)?;
                self.affordable(slot.id, wanted, price)
            }
            Amount::Standard => {
                let market = self.prices.market(submit.instrument);
                let wanted = self.settings.sizing.quantity(&SizingFacts {
                    equity,
                    price,
                    confidence,
                    daily_volatility: market.and_then(crate::price_board::InstrumentMarket::daily_volatility),
                    drawdown: if self.is_make_believe(slot.id) { 0.0 } else { self.drawdown(equity) },
                    record: slot.record,
                })?;
                match self.settings.sizing {
                    crate::sizing::Sizing::Fraction(_) => self.affordable(slot.id, wanted, price),
                    _ => Ok(wanted),
                }
            }
        }
    }

    /// A relative size is cut to what the free cash pays for, with fees and the reserve's margin.
    fn affordable(&self, strategy: StrategyId, wanted: Quantity, price: Price) -> Result<Quantity, Overflow> {
        let Some(books) = self.ledger.sub_ledger(strategy) else { return Ok(Quantity::ZERO) };
        let venue = self.venue.settings();
        let fee = crate::money::from_basis_points(venue.fee_bps);
        let factor = Decimal::ONE
            .checked_add(fee)
            .and_then(|factor| factor.checked_add(self.settings.risk.reserve_margin))
            .ok_or(Overflow)?;
        let budget = books.free().minus(venue.gas)?.max(Money::ZERO);
        Ok(wanted.min(budget.buys_at(Price(price.0.checked_mul(factor).ok_or(Overflow)?))?))
    }

    pub(super) fn situation<'a>(
        &'a self,
        index: usize,
        terms: &OrderTerms,
        instrument: &'a Instrument,
        equity: Money,
    ) -> Result<Situation<'a>, Overflow> {
        let slot = &self.slots[index];
        let shadow = self.is_make_believe(slot.id);
        let market = self.prices.market(terms.instrument);
        let venue = self.venue.settings();
        let value = terms.expected_price().value_of(terms.quantity)?;
        let books = self.ledger.sub_ledger(slot.id);
        let volume = market.map_or(0.0, crate::price_board::InstrumentMarket::last_volume);
        let look = self.settings.risk.look_at_exposure();
        Ok(Situation {
            now: self.now,
            // A person may trade where the strategy may not.
            mode: if terms.origin == Origin::Manual { StrategyMode::Live } else { slot.deployment.mode },
            halt: self.halted.as_ref().filter(|_| !shadow),
            breakers: (!shadow).then_some(&self.breakers),
            instrument,
            price_age: self.prices.age(terms.instrument, self.now),
            equity,
            day_start_equity: (!shadow).then_some(self.day_start_equity),
            peak_equity: (!shadow).then_some(self.peak_equity),
            exposure: if look { Some(self.exposure(index, terms, instrument, equity)?) } else { None },
            last_closed: slot.last_closed(terms.instrument),
            recent_orders: self.orders_in_last_minute(slot.id),
            duplicate: self.orders.values().map(Order::terms).any(|other| {
                other.strategy == terms.strategy
                    && other.instrument == terms.instrument
                    && other.side == terms.side
                    && other.pricing == terms.pricing
                    && other.quantity == terms.quantity
            }),
            expected_slippage: venue.slippage(terms.quantity.approximate(), volume),
            gas: venue.gas,
            fee: venue.fee(value)?,
            liquidity: market.and_then(crate::price_board::InstrumentMarket::liquidity),
            free_cash: books.map_or(Money::ZERO, crate::ledger::SubLedger::free),
        })
    }

    /// Those of the account; for a shadow its own.
    fn orders_in_last_minute(&self, strategy: StrategyId) -> u32 {
        let since = self.now.minus(Span::MINUTE);
        let shadow = self.is_make_believe(strategy);
        let counts = |whose: StrategyId| whose == strategy || !(shadow || self.is_make_believe(whose));
        let recent = self.recent_orders.iter().rev().take_while(|(time, _)| *time > since);
        u32::try_from(recent.filter(|(_, whose)| counts(*whose)).count()).unwrap_or(u32::MAX)
    }

    fn exposure(
        &self,
        index: usize,
        terms: &OrderTerms,
        instrument: &Instrument,
        equity: Money,
    ) -> Result<Exposure, Overflow> {
        let slot = &self.slots[index];
        let shadow = self.is_make_believe(slot.id);
        let mut exposure = Exposure {
            instrument: Money::ZERO,
            cluster: Money::ZERO,
            total: Money::ZERO,
            strategy: Money::ZERO,
            // Make-believe money is all the shadow's own.
            strategy_budget: match slot.status {
                _ if shadow => equity,
                // It has no share any more; what is left in its books is what a person can trade with.
                SlotStatus::Removed => self.slot_equity(slot.id)?,
                _ => equity.scaled(slot.share())?,
            },
            open_risk: Money::ZERO,
            new_risk: self.new_risk(terms),
        };
        for other in &self.slots {
            let own = other.id == slot.id;
            if !self.counts_for(slot.id, other.id) {
                continue;
            }
            let Some(books) = self.ledger.sub_ledger(other.id) else { continue };
            for position in books.positions() {
                let Some(price) = self.price(position.instrument) else { continue };
                let value = price.value_of(position.quantity)?;
                let risk = self.risk_of(other.id, position.instrument, price);
                exposure.open_risk = exposure.open_risk.plus(value.scaled(risk)?)?;
                exposure.add(self, position.instrument, terms.instrument, instrument, value, own)?;
            }
        }
        for order in self.orders.values().filter(|order| order.terms().side == Side::Buy) {
            let other = order.terms();
            let own = other.strategy == slot.id;
            if !self.counts_for(slot.id, other.strategy) {
                continue;
            }
            let value = order.remaining_value()?;
            exposure.open_risk = exposure.open_risk.plus(value.scaled(self.new_risk(other))?)?;
            exposure.add(self, other.instrument, terms.instrument, instrument, value, own)?;
        }
        Ok(exposure)
    }

    /// What stops leave at risk of all positions and working purchases that a slot's limits look at.
    pub(super) fn open_risk(&self, index: usize) -> Result<Money, Overflow> {
        let slot = self.slots[index].id;
        let mut open = Money::ZERO;
        for other in self.slots.iter().filter(|other| self.counts_for(slot, other.id)) {
            let positions = self.ledger.sub_ledger(other.id).map_or(&[][..], |books| books.positions());
            for position in positions {
                let Some(price) = self.price(position.instrument) else { continue };
                let risk = self.risk_of(other.id, position.instrument, price);
                open = open.plus(price.value_of(position.quantity)?.scaled(risk)?)?;
            }
        }
        for order in self.orders.values().filter(|order| order.terms().side == Side::Buy) {
            if self.counts_for(slot, order.terms().strategy) {
                open = open.plus(order.remaining_value()?.scaled(self.new_risk(order.terms()))?)?;
            }
        }
        Ok(open)
    }

    /// Whether one slot's limits look at another's books: a shadow's look at its own alone, and nobody else's look at a
    /// shadow's.
    fn counts_for(&self, slot: StrategyId, other: StrategyId) -> bool {
        other == slot || !(self.is_make_believe(slot) || self.is_make_believe(other))
    }

    /// The part of a position that its stop leaves at risk.
    fn risk_of(&self, strategy: StrategyId, instrument: InstrumentId, price: Price) -> Decimal {
        let guard = self.keeper.guard(strategy, instrument);
        risk_decimal(guard.map_or(1.0, |guard| guard.risk_fraction(price.approximate())))
    }

    /// The part of a new position that its stop puts at risk.
    fn new_risk(&self, terms: &OrderTerms) -> Decimal {
        let plan = self.settings.risk.exits.bounded(terms.exits.as_ref());
        let nearest = [plan.stop_loss, plan.trailing].into_iter().flatten().fold(1.0, f64::min);
        risk_decimal(nearest)
    }

    /// Makes an approved order: funds are set aside, and it goes to the venue.
    pub(super) fn place(&mut self, terms: OrderTerms, approved: ApprovedOrder, outputs: &mut Vec<Output>) {
        let Some(order) = self.accept(terms, approved, outputs) else { return };
        let now = self.now;
        if let Some(outside) = self.outside_of(order.terms().strategy) {
            outside.accept(order.terms(), now, &mut Vec::new());
            outputs.push(requested(&order));
        } else {
            self.venue.accept(order.terms(), now, &mut self.buffers.reports);
        }
        self.orders.insert(order.terms().id, order);
        self.apply_reports(outputs);
        self.report_breakers(outputs);
    }

    /// Sets funds aside and makes the order known. It is then in flight.
    pub(super) fn accept(
        &mut self,
        terms: OrderTerms,
        approved: ApprovedOrder,
        outputs: &mut Vec<Output>,
    ) -> Option<Order> {
        let mut order = match approved.reserve(&mut self.ledger) {
            Ok(order) => order,
            Err(error) => {
                // The gate has looked at the same books, so this is a defect; nothing was booked.
                outputs.push(Output::InputRefused { time: self.now, reason: error.to_string() });
                return None;
            }
        };
        self.note_accepted(&order);
        self.next_order += 1;
        if self.settings.risk.orders_per_minute.is_some() {
            let since = self.now.minus(Span::MINUTE);
            while self.recent_orders.front().is_some_and(|(time, _)| *time <= since) {
                self.recent_orders.pop_front();
            }
            self.recent_orders.push_back((self.now, terms.strategy));
        }
        if let Some(slot) = self.slot_mut(terms.strategy)
            && terms.tag != OrderTag(0)
        {
            slot.working.push((terms.tag, terms.id));
        }
        let slot = usize::try_from(terms.strategy.0).ok().and_then(|index| self.slots.get(index));
        let instrument = self.settings.instrument(terms.instrument);
        if let (Some(slot), Some(instrument)) = (slot, instrument) {
            self.digest.order(&terms, slot.name(), &instrument.symbol);
        }
        self.tell_order(&terms, OrderStatus::Accepted, Quantity::ZERO, String::new());
        if order.apply(Transition::Send).is_err() {
            return None;
        }
        outputs.push(Output::OrderAccepted(terms));
        Some(order)
    }

    /// Tells a strategy where its own order stands.
    pub(super) fn tell_order(
        &mut self,
        terms: &OrderTerms,
        status: OrderStatus,
        filled: Quantity,
        reason: String,
    ) {
        if terms.tag == OrderTag(0) {
            return;
        }
        if let Ok(index) = usize::try_from(terms.strategy.0)
            && index < self.slots.len()
        {
            let update = OrderUpdate {
                tag: terms.tag,
                instrument: terms.instrument,
                time: self.now,
                status,
                filled: filled.approximate(),
                reason,
            };
            if status.ends() {
                self.slots[index].note_ended(update.clone());
            }
            self.tell(index, Event::Order(update));
        }
    }

    /// Sells at the market what an operator wants closed.
    pub(super) fn close_position(
        &mut self,
        index: usize,
        id: InstrumentId,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        let strategy = self.slots[index].id;
        let price = self.price(id).ok_or_else(|| StepError::Input(format!("{id} has no price yet")))?;
        if self.books(strategy)?.position(id).is_none() {
            let name = self.slots[index].name();
            return Err(StepError::Input(format!("\"{name}\" has no position in {id} to close")));
        }
        if self.is_being_sold(strategy, id) {
            let name = self.slots[index].name();
            let reason = format!("\"{name}\" is selling {id} already; wait for what the venue says");
            return Err(StepError::Input(reason));
        }
        self.cancel_sales(index, id, "its position is to be closed", outputs);
        let free = self.free_quantity(strategy, id)?;
        self.sell_at_market(strategy, id, price, free, "closed by the operator", outputs)
    }

    /// Sells what is free of a position on an operator's behalf.
    pub(super) fn sell_at_market(
        &mut self,
        strategy: StrategyId,
        instrument: InstrumentId,
        price: Price,
        free: Quantity,
        reason: &str,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        let terms = OrderTerms {
            id: OrderId(self.next_order),
            strategy,
            tag: OrderTag(0),
            instrument,
            side: Side::Sell,
            quantity: free,
            pricing: Pricing::Market,
            origin: Origin::Manual,
            created: self.now,
            reference_price: price,
            confidence: 1.0,
            reason: reason.to_owned(),
            exits: None,
        };
        let approved =
            check_reduction(terms.clone(), free).map_err(|refusal| StepError::Input(refusal.to_string()))?;
        self.place(terms, approved, outputs);
        Ok(())
    }

    /// Whether a slot's mode lets it hold real money.
    pub(super) const fn is_live(mode: StrategyMode) -> bool {
        !matches!(mode, StrategyMode::Shadow)
    }
}

impl Exposure {
    fn add(
        &mut self,
        engine: &Engine,
        held: InstrumentId,
        wanted: InstrumentId,
        instrument: &Instrument,
        value: Money,
        own: bool,
    ) -> Result<(), Overflow> {
        self.total = self.total.plus(value)?;
        if own {
            self.strategy = self.strategy.plus(value)?;
        }
        if held == wanted {
            self.instrument = self.instrument.plus(value)?;
        }
        let cluster = engine.instrument(held).map_or("", |held| &held.cluster);
        if held == wanted || (!instrument.cluster.is_empty() && cluster == instrument.cluster) {
            self.cluster = self.cluster.plus(value)?;
        }
        Ok(())
    }
}
