//! Calling strategies, and what follows when one fails.

use super::{Engine, SlotStatus, StepError};
use crate::identifier::{InstrumentId, OrderId};
use crate::input::Input;
use crate::output::{Consequence, FaultReport, Output, SlotChange, SlotEvent};
use crate::strategy::{
    Action, CapitalUpdate, Event, Fault, FaultKind, InstanceConfig, LogLine, OrderStatus, PositionUpdate,
    Strategy,
};
use crate::time::Span;

/// How often a strategy may act in one turn beyond once for each event. What its proposals bring about is
/// told within the turn, so one that answers every answer would never end.
const MAX_REACTIONS: usize = 256;

/// Doublings of the restart pause are bounded, so that the pause stays within the range of time.
const MAX_DOUBLINGS: usize = 16;

impl Engine {
    /// Hands every slot that has something in its inbox its events, in the order of the slots.
    pub(super) fn dispatch(&mut self, upcoming: &[Input], outputs: &mut Vec<Output>) {
        if self.buffers.ready.is_empty() {
            return;
        }
        let mut ready = std::mem::take(&mut self.buffers.ready);
        if ready.len() > 1 {
            ready.sort_unstable();
            ready.dedup();
        }
        // What the strategies' proposals bring about is told with the next input.
        std::mem::swap(&mut self.buffers.ready, &mut self.buffers.spare_ready);
        for index in ready.drain(..) {
            self.call(index, upcoming, outputs);
        }
        self.buffers.spare_ready = ready;
    }

    /// Tells a slot something of its own, if it listens.
    pub(super) fn tell(&mut self, index: usize, event: Event) {
        let slot = &mut self.slots[index];
        if slot.listens() {
            slot.inbox.push(event);
            self.buffers.ready.push(index);
        }
    }

    fn call(&mut self, index: usize, upcoming: &[Input], outputs: &mut Vec<Output>) {
        let slot = &mut self.slots[index];
        if !slot.listens() {
            slot.inbox.clear();
            return;
        }
        if slot.instance.is_none() {
            slot.inbox.clear();
            return;
        }
        let called = match self.recall(index, outputs) {
            Some(result) => result,
            None => self.call_instance(index, upcoming, outputs),
        };
        match called {
            Ok(()) if self.slots[index].events_seen >= self.slots[index].next_save => {
                self.save(index, outputs);
            }
            Ok(()) => {}
            Err(fault) => {
                self.slots[index].instance = None;
                self.fault(index, fault, outputs);
            }
        }
    }

    fn call_instance(
        &mut self,
        index: usize,
        upcoming: &[Input],
        outputs: &mut Vec<Output>,
    ) -> Result<(), Fault> {
        let slot = &mut self.slots[index];
        let Some(mut instance) = slot.instance.take() else { return Ok(()) };
        let mut events = std::mem::take(&mut slot.inbox);
        slot.inbox = std::mem::take(&mut slot.spare_inbox);
        let result = self.hand_over(index, &mut instance, &mut events, upcoming, outputs);
        let slot = &mut self.slots[index];
        slot.instance = Some(instance);
        events.clear();
        slot.spare_inbox = events;
        result
    }

    /// Calls until all events are handled. After an event that made the strategy act, what its proposals
    /// brought about is told before the rest.
    fn hand_over(
        &mut self,
        index: usize,
        instance: &mut Box<dyn Strategy>,
        events: &mut Vec<Event>,
        upcoming: &[Input],
        outputs: &mut Vec<Output>,
    ) -> Result<(), Fault> {
        let mut actions = std::mem::take(&mut self.buffers.actions);
        let mut start = 0;
        let mut turns = events.len().saturating_add(MAX_REACTIONS);
        let mut result = Ok(());
        while start < events.len() {
            actions.clear();
            let own = events.len();
            let foreseen = self.foresee(index, upcoming, events);
            let called = self.calls.begin();
            let answer = called.and_then(|()| instance.on_events(&events[start..], &mut actions));
            events.truncate(own);
            if answer.is_ok() {
                self.collect_log(index, instance.as_mut(), outputs);
            }
            match answer {
                Ok(consumed) if consumed > own - start && consumed <= own - start + foreseen => {
                    let ahead = consumed - (own - start);
                    self.slots[index].foresight.heard(&events[start..]);
                    start = own;
                    let silent = if actions.is_empty() { ahead } else { ahead - 1 };
                    self.remember(index, silent, &mut actions);
                }
                Ok(consumed) if consumed >= 1 && consumed <= own - start => {
                    self.slots[index].foresight.heard(&events[start..start + consumed]);
                    start += consumed;
                }
                // It is not known which of the bars it was.
                Ok(_) | Err(_) if foreseen > 0 => match self.rebuild(index) {
                    Some(rebuilt) => *instance = rebuilt,
                    None => {
                        let reason = "it can't be rebuilt from its saved state".to_owned();
                        result = Err(FaultKind::Start(reason).into());
                        break;
                    }
                },
                Ok(consumed) => {
                    let answer = format!("handled {consumed} events of {}", own - start);
                    result = Err(FaultKind::Contract(answer).into());
                    break;
                }
                Err(fault) => {
                    result = Err(fault);
                    break;
                }
            }
            if actions.is_empty() {
                continue;
            }
            if let Err(kind) = self.validate(index, &actions) {
                result = Err(kind.into());
                break;
            }
            let Some(left) = turns.checked_sub(1) else {
                let flood = format!("it acted {MAX_REACTIONS} times on what its own proposals brought about");
                result = Err(FaultKind::Flood(flood).into());
                break;
            };
            turns = left;
            for action in actions.drain(..) {
                self.act(index, action, outputs);
            }
            if start < events.len() {
                events.splice(start..start, self.slots[index].inbox.drain(..));
            }
        }
        self.slots[index].events_seen += u64::try_from(start).unwrap_or(u64::MAX);
        actions.clear();
        self.buffers.actions = actions;
        result
    }

    pub(super) fn validate(&self, index: usize, actions: &[Action]) -> Result<(), FaultKind> {
        let slot = &self.slots[index];
        let instruments = self.settings.instruments.len();
        let knows = |id: InstrumentId| {
            usize::try_from(id.0).is_ok_and(|place| place < instruments) && slot.trades(id)
        };
        actions.iter().try_for_each(|action| action.validate(knows))
    }

    /// Passes on what the strategy logged. This comes after every call that ended well, so that nothing of it
    /// hangs on how a later one ends.
    fn collect_log(&self, index: usize, instance: &mut dyn Strategy, outputs: &mut Vec<Output>) {
        let mut lines: Vec<LogLine> = Vec::new();
        instance.drain_log(&mut lines);
        let strategy = self.slots[index].id;
        outputs.extend(lines.into_iter().map(|line| Output::StrategyLog { strategy, line }));
    }

    /// Keeps the strategy's state for a restart; whether that was done. A strategy that reports that it can't
    /// goes on.
    pub(super) fn save(&mut self, index: usize, outputs: &mut Vec<Output>) -> bool {
        let every = self.settings.save_every_events.max(1);
        let slot = &mut self.slots[index];
        slot.next_save = slot.events_seen.saturating_add(every);
        let Some(mut instance) = slot.instance.take() else { return false };
        let saved = self.calls.begin().and_then(|()| instance.save());
        let saved = match saved {
            Ok(state) => Ok(state),
            Err(Fault { kind: FaultKind::Reported(reason) }) => Err(reason),
            Err(fault) => {
                self.fault(index, fault, outputs);
                return false;
            }
        };
        self.collect_log(index, instance.as_mut(), outputs);
        let slot = &mut self.slots[index];
        slot.instance = Some(instance);
        match saved {
            Ok(state) => {
                slot.saved = Some(state);
                slot.foresight.saved(self.writes_down);
                // What still waits in the inbox is not in the state.
                let waiting = slot.inbox.iter().filter_map(|event| match event {
                    Event::Order(update) if update.status.ends() => Some(update.clone()),
                    _ => None,
                });
                slot.ended = waiting.collect();
                true
            }
            Err(reason) => {
                let line = LogLine {
                    level: crate::strategy::LogLevel::Warn,
                    message: format!("could not save its state: {reason}"),
                };
                outputs.push(Output::StrategyLog { strategy: slot.id, line });
                false
            }
        }
    }

    /// Stops a strategy that misbehaved. Its working orders are taken back; its positions stay, guarded.
    pub(super) fn fault(&mut self, index: usize, fault: Fault, outputs: &mut Vec<Output>) {
        let (now, policy) = (self.now, &self.settings.faults);
        let call = self.calls.to_record(&fault.kind);
        let slot = &mut self.slots[index];
        slot.inbox.clear();
        slot.faults += 1;
        slot.recent_faults.push_back(now);
        while slot.recent_faults.front().is_some_and(|time| now.since(*time) > policy.window) {
            slot.recent_faults.pop_front();
        }
        let recent = slot.recent_faults.len();
        let consequence = if recent >= policy.quarantine_after {
            slot.status = SlotStatus::Quarantined;
            Consequence::Quarantined
        } else {
            let pause = policy.restart_after.times(1 << recent.saturating_sub(1).min(MAX_DOUBLINGS));
            let at = now.plus(pause.max(Span::from_nanos(1)));
            slot.status = SlotStatus::Restarting(at);
            Consequence::RestartAt(at)
        };
        outputs.push(Output::StrategyFault(FaultReport {
            strategy: slot.id,
            version: slot.deployment.version,
            time: now,
            event: slot.events_seen,
            fault: fault.kind,
            call,
            consequence,
        }));
        self.cancel_all(index, "its strategy failed", outputs);
        self.plan_wake();
    }

    pub(super) fn restart_if_due(&mut self, index: usize, outputs: &mut Vec<Output>) {
        if matches!(self.slots[index].status, SlotStatus::Restarting(at) if self.now >= at) {
            self.restart(index, outputs);
        }
    }

    /// Starts the slot's version again from its last saved state.
    pub(super) fn restart(&mut self, index: usize, outputs: &mut Vec<Output>) {
        match self.start_from_saved(index) {
            Ok(instance) => {
                self.run(index, instance, outputs);
                let slot = &self.slots[index];
                outputs.push(Output::SlotChanged(SlotChange {
                    strategy: slot.id,
                    slot: slot.name().to_owned(),
                    time: self.now,
                    event: SlotEvent::Restarted,
                }));
            }
            Err(fault) => self.fault(index, fault, outputs),
        }
    }

    /// Puts an instance to work and tells it what it owns.
    pub(super) fn run(&mut self, index: usize, mut instance: Box<dyn Strategy>, outputs: &mut Vec<Output>) {
        self.collect_log(index, instance.as_mut(), outputs);
        let slot = &mut self.slots[index];
        slot.foresight.forget();
        slot.instance = Some(instance);
        slot.status = SlotStatus::Running;
        slot.next_timer =
            slot.description.needs.timer.map(|interval| self.now.floor(interval).plus(interval));
        slot.next_save = slot.events_seen.saturating_add(self.settings.save_every_events.max(1));
        let instruments = self.settings.instruments.len();
        if std::mem::replace(&mut slot.known_instruments, instruments) != instruments {
            self.route_bars();
        }
        self.tell_holdings(index);
        self.plan_wake();
    }

    /// Tells a strategy what became of its orders since its state was saved, where its working ones stand,
    /// its positions and its capital.
    pub(super) fn tell_holdings(&mut self, index: usize) {
        for update in self.slots[index].ended.clone() {
            self.tell(index, Event::Order(update));
        }
        let working: Vec<OrderId> = self.slots[index].working.iter().map(|(_, order)| *order).collect();
        for order in working {
            let Some(order) = self.orders.get(&order) else { continue };
            let (terms, filled) = (order.terms().clone(), order.filled());
            let status = if filled.is_zero() { OrderStatus::Accepted } else { OrderStatus::PartiallyFilled };
            self.tell_order(&terms, status, filled, String::new());
        }
        for instrument in (0..).map(InstrumentId).take(self.settings.instruments.len()) {
            if self.slots[index].trades(instrument) {
                self.tell_position(index, instrument);
            }
        }
        self.tell_capital(index);
    }

    pub(super) fn tell_position(&mut self, index: usize, instrument: InstrumentId) {
        let held = self.ledger.sub_ledger(self.slots[index].id).and_then(|books| books.position(instrument));
        let update = match held {
            Some(position) => PositionUpdate {
                instrument,
                time: self.now,
                quantity: position.quantity.approximate(),
                average_price: position.cost.approximate() / position.quantity.approximate(),
                realised: position.realised.approximate(),
            },
            None => PositionUpdate {
                instrument,
                time: self.now,
                quantity: 0.0,
                average_price: 0.0,
                realised: 0.0,
            },
        };
        self.tell(index, Event::Position(update));
    }

    pub(super) fn tell_capital(&mut self, index: usize) {
        let Some(books) = self.ledger.sub_ledger(self.slots[index].id) else { return };
        let invested: f64 = books
            .positions()
            .iter()
            .map(|position| {
                let last = self
                    .prices
                    .market(position.instrument)
                    .and_then(crate::price_board::InstrumentMarket::last);
                last.unwrap_or(0.0) * position.quantity.approximate()
            })
            .sum();
        let update = CapitalUpdate {
            time: self.now,
            equity: books.cash().approximate() + invested,
            free_cash: books.free().approximate(),
        };
        self.tell(index, Event::Capital(update));
    }

    /// What an instance of the slot's version is told at its start.
    pub(super) fn instance_config(&self, index: usize) -> Result<InstanceConfig, StepError> {
        let slot = &self.slots[index];
        self.config_for(&slot.deployment, &slot.description)
    }
}
