//! What must hold after every step.

use std::collections::BTreeMap;

use bulkhead_core::engine::{Engine, SlotStatus};
use bulkhead_core::identifier::{InstrumentId, StrategyId};
use bulkhead_core::input::{Command, Input, InputKind, StrategyMode};
use bulkhead_core::money::{Money, Price};
use bulkhead_core::order::{OrderState, Origin, Side};
use bulkhead_core::output::Output;
use bulkhead_core::strategy::{ExitPlan, FillCause};
use bulkhead_core::time::Timestamp;
use bulkhead_core::venue::paper::FillTiming;
use rust_decimal::Decimal;

use crate::books::{Books, StrategyBooks, ensure, units};
use crate::controls::Controls;
use crate::scenario::{Scenario, Step};

/// A position's guard as it was after the step before.
#[derive(Debug, Clone)]
struct Guarded {
    opened: Timestamp,
    entry: Price,
    plan: ExitPlan,
    stop: Option<Price>,
    tiers_sold: usize,
}

pub(crate) struct Checker<'a> {
    scenario: &'a Scenario,
    books: Books,
    guards: BTreeMap<(StrategyId, InstrumentId), Guarded>,
    controls: Controls,
    before: Timestamp,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(scenario: &'a Scenario) -> Self {
        Self {
            scenario,
            books: Books::default(),
            guards: BTreeMap::new(),
            controls: Controls::default(),
            before: Timestamp::EPOCH,
        }
    }

    pub(crate) fn check(&mut self, engine: &Engine, step: &Step, outputs: &[Output]) -> Result<(), String> {
        self.refusals(engine, step, outputs)?;
        let settings = engine.settings();
        let fills_at_once = settings.venue.timing == FillTiming::SameClose;
        self.changes_of_money(engine)?;
        self.books.listen(outputs, &settings.instruments, fills_at_once)?;
        self.money(engine)?;
        self.positions(engine)?;
        self.orders(engine)?;
        self.slots(engine, outputs)?;
        self.controls.check(engine, &step.input, outputs, &self.books)?;
        self.limits(engine, outputs)?;
        self.fill_prices(&step.input, outputs)?;
        self.exits(engine, step, outputs)?;
        self.before = engine.now();
        Ok(())
    }

    fn refusals(&self, engine: &Engine, step: &Step, outputs: &[Output]) -> Result<(), String> {
        let refused = outputs.iter().filter(|output| matches!(output, Output::InputRefused { .. })).count();
        if step.unusable {
            ensure!(outputs.len() == 1 && refused == 1, "an unusable input had results: {outputs:?}");
            ensure!(engine.now() == self.before, "an unusable input moved time");
        } else if !matches!(step.input.kind, InputKind::Command(_)) && !self.scenario.extreme {
            ensure!(refused == 0, "a sound input was refused: {outputs:?}");
        }
        if let InputKind::Command(asked) = &step.input.kind
            && let Command::PlaceOrder(order) = &asked.command
        {
            let is_it = |output: &Output| {
                matches!(output, Output::OrderAccepted(terms) if terms.reason.starts_with("ordered by")
                    && (terms.instrument, terms.side) == (order.instrument, order.side))
            };
            let accepted = outputs.iter().any(is_it);
            // What comes of time may be refused besides.
            ensure!(accepted || refused > 0, "nobody is told what became of {order:?}: {outputs:?}");
        }
        Ok(())
    }

    /// A slot that goes between real and make-believe money starts its books anew, before anything else.
    fn changes_of_money(&mut self, engine: &Engine) -> Result<(), String> {
        for (id, sub) in (0..).map(StrategyId).zip(engine.ledger().sub_ledgers()) {
            let books = self.books.strategies.entry(id).or_default();
            if books.make_believe != sub.is_make_believe() {
                ensure!(books.holdings.is_empty(), "{id} changed its money with {:?}", books.holdings);
                *books = StrategyBooks { make_believe: sub.is_make_believe(), ..StrategyBooks::default() };
            }
        }
        Ok(())
    }

    fn money(&mut self, engine: &Engine) -> Result<(), String> {
        let ledger = engine.ledger();
        ensure!(!ledger.pool().is_negative(), "the pool holds {}", ledger.pool());
        let mut account = units(ledger.pool().0)?;
        for (id, sub) in (0..).map(StrategyId).zip(ledger.sub_ledgers()) {
            let books = self.books.strategies.entry(id).or_default();
            let (cash, funded) = (units(sub.cash().0)?, units(sub.funded().0)?);
            ensure!(
                cash - funded == books.flow,
                "{id} has {} of {}, not {}",
                sub.cash(),
                sub.funded(),
                books.flow
            );
            ensure!(units(sub.fees().0)? == books.fees, "{id} paid {}, not {}", sub.fees(), books.fees);
            ensure!(
                units(sub.realised().0)? == books.realised,
                "{id} realised {}, not {}",
                sub.realised(),
                books.realised
            );
            ensure!(!sub.reserved().is_negative() && !sub.free().is_negative(), "{id}: {sub:?}");
            ensure!(sub.free().plus(sub.reserved()) == Ok(sub.cash()), "{id}: {sub:?}");
            let mut invested = 0;
            for position in sub.positions() {
                invested += units(position.cost.0)? + units(position.entry_fees.0)?;
            }
            ensure!(books.flow == books.realised - invested, "{id}: cash and cost disagree: {sub:?}");
            if !sub.is_make_believe() {
                account += cash;
            }
        }
        ensure!(units(ledger.cash().0)? == account, "the account has {}, its parts {account}", ledger.cash());
        let deposited = units(ledger.deposited().0)?;
        ensure!(
            account == deposited + self.books.account,
            "{} deposited, {account} there",
            ledger.deposited()
        );
        Ok(())
    }

    fn positions(&self, engine: &Engine) -> Result<(), String> {
        let ledger = engine.ledger();
        let mut held: BTreeMap<InstrumentId, Decimal> = BTreeMap::new();
        for (id, sub) in (0..).map(StrategyId).zip(ledger.sub_ledgers()) {
            let books = &self.books.strategies[&id];
            ensure!(sub.positions().len() == books.holdings.len(), "{id}: {sub:?}, not {:?}", books.holdings);
            for position in sub.positions() {
                let holding = books.holdings.get(&position.instrument).copied().unwrap_or_default();
                ensure!(position.quantity.0 == holding.quantity, "{id}: {position:?}, not {holding:?}");
                ensure!(position.quantity.is_positive(), "{id}: {position:?}");
                ensure!(!position.reserved.is_negative(), "{id}: {position:?}");
                ensure!(position.reserved <= position.quantity, "{id}: {position:?}");
                ensure!(!position.cost.is_negative(), "{id}: {position:?}");
                let cost = holding.cost / 1e16;
                let off = (position.cost.approximate() - cost).abs();
                ensure!(off <= 1e-9 * cost + 1e-12, "{id}: {position:?}, not {holding:?}");
                ensure!(position.entered >= position.quantity, "{id}: {position:?}");
                if !sub.is_make_believe() {
                    *held.entry(position.instrument).or_default() += position.quantity.0;
                }
            }
        }
        let total: Vec<_> = ledger.holdings().iter().map(|(id, quantity)| (*id, quantity.0)).collect();
        ensure!(held.into_iter().eq(total.iter().copied()), "holdings {total:?}");
        Ok(())
    }

    fn orders(&self, engine: &Engine) -> Result<(), String> {
        let mut money: BTreeMap<StrategyId, Money> = BTreeMap::new();
        let mut quantity: BTreeMap<(StrategyId, InstrumentId), Decimal> = BTreeMap::new();
        ensure!(
            engine.orders().count() == self.books.orders.len(),
            "open are {:?}",
            self.books.orders.keys()
        );
        for order in engine.orders() {
            let terms = order.terms();
            let Some(booked) = self.books.orders.get(&terms.id) else {
                return Err(format!("{} was never accepted", terms.id));
            };
            ensure!(!order.state().is_final(), "{} is open and {}", terms.id, order.state());
            ensure!(order.state() == booked.state, "{} is {}, not {}", terms.id, order.state(), booked.state);
            ensure!(order.filled().0 == booked.filled, "{order:?}, not {booked:?}");
            ensure!(order.remaining().is_positive(), "{order:?} has nothing left");
            ensure!(!order.reserved_money().is_negative(), "{order:?}");
            match terms.side {
                Side::Buy => ensure!(order.reserved_quantity().is_zero(), "{order:?}"),
                Side::Sell => {
                    ensure!(order.reserved_money().is_zero(), "{order:?}");
                    ensure!(order.reserved_quantity() == order.remaining(), "{order:?}");
                }
            }
            let sum = money.entry(terms.strategy).or_default();
            *sum = sum.plus(order.reserved_money()).map_err(|error| error.to_string())?;
            *quantity.entry((terms.strategy, terms.instrument)).or_default() += order.reserved_quantity().0;
        }
        for (id, sub) in (0..).map(StrategyId).zip(engine.ledger().sub_ledgers()) {
            let reserved = money.remove(&id).unwrap_or_default();
            ensure!(
                sub.reserved() == reserved,
                "{id} has {} reserved, its orders {reserved}",
                sub.reserved()
            );
            for position in sub.positions() {
                let reserved = quantity.remove(&(id, position.instrument)).unwrap_or_default();
                ensure!(position.reserved.0 == reserved, "{id}: {position:?}, its orders {reserved}");
            }
        }
        quantity.retain(|_, reserved| !reserved.is_zero());
        ensure!(quantity.is_empty(), "sales of nothing: {quantity:?}");
        Ok(())
    }

    fn slots(&self, engine: &Engine, outputs: &[Output]) -> Result<(), String> {
        let mut live = Decimal::ZERO;
        for slot in engine.slots() {
            let weight = slot.deployment().weight;
            ensure!((Decimal::ZERO..=Decimal::ONE).contains(&weight), "{} weighs {weight}", slot.name());
            let sub = engine.ledger().sub_ledger(slot.id()).ok_or("a slot without books")?;
            let counts = !sub.is_make_believe() && slot.status() != SlotStatus::Removed;
            live += if counts { weight } else { Decimal::ZERO };
            match slot.deployment().mode {
                StrategyMode::Live => ensure!(!sub.is_make_believe(), "{} is live on nothing", slot.name()),
                StrategyMode::Shadow => ensure!(sub.is_make_believe(), "{} is a live shadow", slot.name()),
                StrategyMode::Off => {}
            }
            let idle = slot.deployment().mode == StrategyMode::Off || slot.status() != SlotStatus::Running;
            for order in engine.orders().filter(|order| order.terms().strategy == slot.id()) {
                let own = order.terms().origin == Origin::Strategy;
                ensure!(!(idle && own), "{} is {:?} and has {order:?}", slot.name(), slot.status());
                let opens = order.terms().side == Side::Buy && !sub.is_make_believe();
                ensure!(!(opens && engine.halted().is_some()), "halted, with {order:?}");
            }
        }
        ensure!(live <= Decimal::ONE, "the weights sum to {live}");
        if engine.halted().is_some() {
            for output in outputs {
                let Output::Filled(fill) = output else { continue };
                let halted_now = outputs.iter().any(|output| matches!(output, Output::TradingState(_)));
                let shadow = self.books.strategies[&fill.strategy].make_believe;
                ensure!(fill.side == Side::Sell || shadow || halted_now, "halted, with {fill:?}");
            }
        }
        Ok(())
    }

    /// The limits on what is held and in flight, looked at after the steps that added to it.
    fn limits(&self, engine: &Engine, outputs: &[Output]) -> Result<(), String> {
        let limits = &engine.settings().risk;
        if engine.settings().venue.timing == FillTiming::SameClose {
            return Ok(());
        }
        for output in outputs {
            let Output::OrderAccepted(terms) = output else { continue };
            if terms.side == Side::Sell {
                continue;
            }
            let make_believe = |id: StrategyId| self.books.strategies[&id].make_believe;
            let shadow = make_believe(terms.strategy);
            let counts = |id: StrategyId| id == terms.strategy || (!shadow && !make_believe(id));
            let (mut in_instrument, mut total) = (0.0, 0.0);
            let mut add = |id: InstrumentId, value: f64| {
                total += value;
                in_instrument += if id == terms.instrument { value } else { 0.0 };
            };
            for (id, sub) in (0..).map(StrategyId).zip(engine.ledger().sub_ledgers()) {
                for position in sub.positions().iter().filter(|_| counts(id)) {
                    let instrument = &engine.settings().instruments[position.instrument.0 as usize];
                    let price = engine.prices().price(position.instrument, instrument);
                    add(
                        position.instrument,
                        price.unwrap_or_default().approximate() * position.quantity.approximate(),
                    );
                }
            }
            for order in engine.orders().filter(|order| order.terms().side == Side::Buy) {
                let other = order.terms();
                if counts(other.strategy) {
                    add(other.instrument, order.remaining_value().unwrap().approximate());
                }
            }
            let equity = if shadow { engine.slot_equity(terms.strategy) } else { engine.equity() };
            let equity = equity.map_err(|error| error.to_string())?.approximate();
            // Transactions that failed since have cost gas, and a limit may be beyond the last price.
            let failures =
                outputs.iter().filter(|output| matches!(output, Output::Charged { .. })).count() as f64;
            let most = |fraction: Decimal| {
                let equity = equity + failures * engine.settings().venue.gas.approximate();
                equity * Money(fraction).approximate() * (1.0 + 1e-9)
            };
            if let Some(fraction) = limits.max_position {
                ensure!(
                    in_instrument <= most(fraction) + 1e-9,
                    "{in_instrument} of {equity} after {terms:?}"
                );
            }
            if let Some(fraction) = limits.max_exposure {
                ensure!(total <= most(fraction) + 1e-9, "{total} of {equity} exposed after {terms:?}");
            }
        }
        Ok(())
    }

    /// No fill is better than what the market was.
    fn fill_prices(&self, input: &Input, outputs: &[Output]) -> Result<(), String> {
        for output in outputs {
            let Output::Filled(fill) = output else { continue };
            let price = fill.price.approximate();
            let possible = match (&input.kind, fill.side) {
                (InputKind::Bar(bar), Side::Buy) => price >= bar.low * (1.0 - 1e-12),
                (InputKind::Bar(bar), Side::Sell) => price <= bar.high * (1.0 + 1e-12),
                (InputKind::Quote(quote), Side::Buy) => price >= quote.ask * (1.0 - 1e-12),
                (InputKind::Quote(quote), Side::Sell) => price <= quote.bid * (1.0 + 1e-12),
                (InputKind::Trade(trade), Side::Buy) => price >= trade.price * (1.0 - 1e-12),
                (InputKind::Trade(trade), Side::Sell) => price <= trade.price * (1.0 + 1e-12),
                _ => false,
            };
            ensure!(possible, "{fill:?} on {input:?}");
        }
        Ok(())
    }

    fn exits(&mut self, engine: &Engine, step: &Step, outputs: &[Output]) -> Result<(), String> {
        let mut guards = BTreeMap::new();
        let policy = &engine.settings().risk.exits;
        for (id, sub) in (0..).map(StrategyId).zip(engine.ledger().sub_ledgers()) {
            for position in sub.positions() {
                let key = (id, position.instrument);
                let Some(guard) = engine.exits().guard(id, position.instrument) else {
                    let always = policy.widest_stop.is_some() || policy.longest_holding.is_some();
                    ensure!(!always, "{id} holds {position:?} unguarded");
                    continue;
                };
                ensure!(!guard.plan().is_empty(), "{guard:?} has nothing to do");
                policy.admits(guard.plan()).map_err(|what| format!("{guard:?}: {what}"))?;
                let stops = guard.plan().stop_loss.is_some() || guard.plan().trailing.is_some();
                ensure!(!stops || guard.stop().is_some(), "{guard:?} has no stop");
                let mut now = Guarded {
                    opened: position.opened,
                    entry: guard.entry(),
                    plan: guard.plan().clone(),
                    stop: guard.stop(),
                    tiers_sold: 0,
                };
                let same = self.guards.get(&key).filter(|before| {
                    before.opened == now.opened && before.entry == now.entry && before.plan == now.plan
                });
                if let Some(before) = same {
                    ensure!(before.stop <= now.stop, "a stop was loosened: {before:?}, then {now:?}");
                    now.tiers_sold = before.tiers_sold + tier_fills(outputs, key);
                    let most = now.plan.take_profits.len();
                    ensure!(now.tiers_sold <= most, "{} tiers sold of {now:?}", now.tiers_sold);
                }
                guards.insert(key, now);
            }
        }
        if !step.unusable {
            self.stops_fired(&step.input, outputs, &guards)?;
        }
        self.guards = guards;
        for slot in engine.slots() {
            for number in 0..u32::try_from(engine.settings().instruments.len()).unwrap() {
                let id = InstrumentId(number);
                let sub = engine.ledger().sub_ledger(slot.id()).ok_or("a slot without books")?;
                let guarded = engine.exits().guard(slot.id(), id).is_some();
                ensure!(!guarded || sub.position(id).is_some(), "{} guards no position in {id}", slot.name());
            }
        }
        Ok(())
    }

    /// A bar that reaches a stop, or comes after its longest holding, ends the position, unless the sale itself failed or a purchase moved the
    /// stop first.
    fn stops_fired(
        &self,
        input: &Input,
        outputs: &[Output],
        after: &BTreeMap<(StrategyId, InstrumentId), Guarded>,
    ) -> Result<(), String> {
        let InputKind::Bar(bar) = &input.kind else { return Ok(()) };
        if bar.close_time() < self.before {
            return Ok(());
        }
        for (key, guarded) in self.guards.iter().filter(|((_, id), _)| *id == bar.instrument) {
            let at_stop = guarded.stop.is_some_and(|stop| bar.low <= stop.approximate());
            let old = guarded.plan.max_holding.is_some_and(|most| bar.open_time >= guarded.opened.plus(most));
            let reached = at_stop || old;
            let still_held = after.get(key).is_some_and(|now| now.opened == guarded.opened);
            let excused = outputs.iter().any(|output| match output {
                Output::Filled(fill) => (fill.strategy, fill.instrument) == *key && fill.side == Side::Buy,
                Output::OrderChanged(change) => {
                    change.state == OrderState::Rejected
                        && change.strategy == key.0
                        && outputs.iter().any(|output| {
                            matches!(output, Output::OrderAccepted(terms)
                                if terms.id == change.order && matches!(terms.origin, Origin::Exit(_)))
                        })
                }
                _ => false,
            });
            ensure!(!reached || !still_held || excused, "{guarded:?} held through {bar:?}");
        }
        Ok(())
    }
}

fn tier_fills(outputs: &[Output], key: (StrategyId, InstrumentId)) -> usize {
    let of_tier = |output: &&Output| {
        matches!(output, Output::Filled(fill)
            if (fill.strategy, fill.instrument) == key && fill.cause == FillCause::TakeProfit)
    };
    outputs.iter().filter(of_tier).count()
}
