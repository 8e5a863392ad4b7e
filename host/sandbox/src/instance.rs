//! One running instance of a strategy: the path of every event into the guest and of every answer out.

use std::fmt;
use std::sync::Arc;

use bulkhead_core::strategy::{
    Action, Event, Fault, FaultKind, InstanceConfig, LogLine, Proposal, SavedState, Strategy,
};
use bulkhead_core::time::{Span, Timestamp};
use wasmtime::{Engine, Error, Store, Trap, WasmBacktrace};

use crate::bindings::bulkhead::strategy::types as wit;
use crate::convert;
use crate::engine::ticks;
use crate::guest::{Guest, OverBudget, Ready, State};
use crate::limits::{Limits, count};
use crate::memory::OverLimit;
use crate::models::{InstanceModels, ModelFailure};
use crate::text::{clean, cleaned};

/// How much of an action's reason is kept.
const REASON_BYTES: usize = 200;

/// How much of an error that a guest reports is kept.
const ERROR_BYTES: usize = 400;

/// Events for which an instance keeps its buffer; larger batches get one of their own, so that thousands of
/// instances do not each hold one.
const KEPT_EVENTS: usize = 64;

struct Live {
    store: Store<State>,
    guest: Guest,
}

/// A strategy in its sandbox.
///
/// After a fault the guest is gone, and with it its memory; every later call answers with the same fault.
pub struct WasmStrategy {
    live: Result<Live, Fault>,
    limits: Arc<Limits>,
    events: Vec<wit::Event>,
    last_fuel: u64,
    order_second: Timestamp,
    orders_in_second: u64,
}

impl fmt::Debug for WasmStrategy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("WasmStrategy")
            .field("fault", &self.live.as_ref().err())
            .field("last_fuel", &self.last_fuel)
            .finish_non_exhaustive()
    }
}

/// What a call may use.
#[derive(Clone, Copy)]
struct Budget {
    fuel: u64,
    /// Bytes that the guest may make the host copy.
    answer_bytes: usize,
}

impl WasmStrategy {
    /// Instantiates a version, without calling it.
    pub(crate) fn new(
        engine: &Engine,
        ready: &Ready,
        limits: &Arc<Limits>,
        models: InstanceModels,
    ) -> Result<Self, Fault> {
        let mut store = Store::new(engine, State::new(limits, models));
        store.limiter(|state| &mut state.limiter);
        let budget = Budget { fuel: limits.fuel_per_start, answer_bytes: 0 };
        prepare_call(&mut store, budget, limits).map_err(|error| fault_of(&error, budget, limits))?;
        let guest = ready.instantiate(&mut store).map_err(|error| fault_of(&error, budget, limits))?;
        Ok(Self {
            live: Ok(Live { store, guest }),
            limits: Arc::clone(limits),
            events: Vec::new(),
            last_fuel: 0,
            order_second: Timestamp::EPOCH,
            orders_in_second: 0,
        })
    }

    /// Instructions (fuel units) that the last call executed.
    #[must_use]
    pub const fn last_fuel(&self) -> u64 {
        self.last_fuel
    }

    /// Bytes of the guest's memories and tables; 0 after a fault.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.live.as_ref().map_or(0, |live| live.store.data().limiter.used())
    }

    pub(crate) fn describe(&mut self) -> Result<wit::Description, Fault> {
        let texts = self.limits.description_items.saturating_mul(3).saturating_add(4);
        let answer_bytes = count(self.limits.text_bytes.saturating_mul(texts)).saturating_mul(2);
        let budget = Budget { fuel: self.limits.fuel_per_start, answer_bytes };
        self.call(budget, Guest::describe)
    }

    pub(crate) fn init(&mut self, config: &InstanceConfig) -> Result<(), Fault> {
        let config = convert::config(config);
        let answer_bytes = small_answer(&self.limits);
        let budget = Budget { fuel: self.limits.fuel_per_start, answer_bytes };
        let answer = self.call(budget, |guest, store| guest.init(store, &config))?;
        answer.or_else(|error| self.stop(reported(&error)))
    }

    /// Discards the guest.
    fn stop<T>(&mut self, kind: FaultKind) -> Result<T, Fault> {
        let fault = Fault { kind };
        self.live = Err(fault.clone());
        Err(fault)
    }

    fn call<T>(
        &mut self,
        budget: Budget,
        call: impl FnOnce(&Guest, &mut Store<State>) -> Result<T, Error>,
    ) -> Result<T, Fault> {
        let live = match &mut self.live {
            Ok(live) => live,
            Err(fault) => return Err(fault.clone()),
        };
        let Live { store, guest } = live;
        let answer = prepare_call(store, budget, &self.limits).and_then(|()| call(guest, store));
        self.last_fuel = budget.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) => self.stop(fault_of(&error, budget, &self.limits)),
        }
    }

    /// The check of what the guest answered that needs no look at the actions' values.
    fn accept(
        &mut self,
        events: &[Event],
        reaction: wit::Reaction,
        actions: &mut Vec<Action>,
    ) -> Result<usize, FaultKind> {
        let handled = usize::try_from(reaction.consumed).unwrap_or(usize::MAX);
        let Some(last) = handled.checked_sub(1).and_then(|last| events.get(last)) else {
            let (consumed, handed) = (reaction.consumed, events.len());
            return Err(FaultKind::Contract(format!(
                "it says that it handled {consumed} of {handed} events"
            )));
        };
        let proposed = reaction.actions;
        if proposed.is_empty() {
            return Ok(handled);
        }
        if proposed.len() > count(self.limits.actions_per_call) {
            let (found, limit) = (proposed.len(), self.limits.actions_per_call);
            return Err(FaultKind::Flood(format!("{found} actions in one answer; at most {limit}")));
        }
        let before = actions.len();
        actions.extend(proposed.into_iter().map(|mut action| {
            action.reason = cleaned(action.reason, REASON_BYTES);
            convert::action(action)
        }));
        let new = actions.get(before..).unwrap_or_default();
        let orders = new.iter().filter(|action| matches!(action.proposal, Proposal::Submit(_))).count();
        self.count_orders(convert::event_time(last), orders as u64)?;
        Ok(handled)
    }

    fn count_orders(&mut self, time: Timestamp, orders: u64) -> Result<(), FaultKind> {
        let second = time.floor(Span::from_seconds(1));
        if second > self.order_second {
            self.order_second = second;
            self.orders_in_second = 0;
        }
        self.orders_in_second = self.orders_in_second.saturating_add(orders);
        if self.orders_in_second > self.limits.orders_per_second {
            let (found, limit) = (self.orders_in_second, self.limits.orders_per_second);
            return Err(FaultKind::Flood(format!("{found} orders in one second; at most {limit}")));
        }
        Ok(())
    }
}

impl Strategy for WasmStrategy {
    fn on_events(&mut self, events: &[Event], actions: &mut Vec<Action>) -> Result<usize, Fault> {
        let Some(last) = events.last() else {
            return Ok(0);
        };
        if let Ok(live) = &mut self.live {
            live.store.data_mut().log.advance(convert::event_time(last));
        }
        let budget = Budget { fuel: self.limits.fuel_per_call, answer_bytes: small_answer(&self.limits) };
        let answer = if let [event] = events {
            let event = convert::event(event);
            self.call(budget, |guest, store| guest.on_events(store, std::slice::from_ref(&event)))?
        } else {
            let mut converted = std::mem::take(&mut self.events);
            converted.clear();
            converted.extend(events.iter().map(convert::event));
            let answer = self.call(budget, |guest, store| guest.on_events(store, &converted));
            if converted.capacity() <= KEPT_EVENTS {
                self.events = converted;
            }
            answer?
        };
        let before = actions.len();
        let handled = match answer {
            Ok(reaction) => self.accept(events, reaction, actions),
            Err(error) => Err(reported(&error)),
        };
        handled.or_else(|kind| {
            actions.truncate(before);
            self.stop(kind)
        })
    }

    fn save(&mut self) -> Result<SavedState, Fault> {
        let limit = count(self.limits.saved_state_bytes);
        let answer_bytes = limit.saturating_add(small_answer(&self.limits));
        let budget = Budget { fuel: self.limits.fuel_per_start, answer_bytes };
        match self.call(budget, Guest::save)? {
            Ok(state) if state.bytes.len() > limit => {
                let found = state.bytes.len();
                self.stop(FaultKind::Flood(format!("a saved state of {found} bytes; at most {limit}")))
            }
            Ok(state) => Ok(SavedState { schema: state.schema, bytes: state.bytes }),
            // The contract's one harmless error: the strategy goes on, its last saved state remains.
            Err(error) => Err(reported(&error).into()),
        }
    }

    fn restore(&mut self, state: &SavedState) -> Result<(), Fault> {
        let state = wit::SavedState { schema: state.schema, bytes: state.bytes.clone() };
        let budget = Budget { fuel: self.limits.fuel_per_start, answer_bytes: small_answer(&self.limits) };
        let answer = self.call(budget, |guest, store| guest.restore(store, &state))?;
        answer.or_else(|error| self.stop(reported(&error)))
    }

    fn drain_log(&mut self, lines: &mut Vec<LogLine>) {
        if let Ok(live) = &mut self.live {
            live.store.data_mut().log.drain(lines);
        }
    }
}

/// Bytes that the answer to an event call may make the host copy: room for every action with its plan and a
/// reason longer than what is kept of it. A log line counts on its own.
fn small_answer(limits: &Limits) -> usize {
    count(limits.actions_per_call.saturating_mul(1024).saturating_add(64 * 1024))
}

fn prepare_call(store: &mut Store<State>, budget: Budget, limits: &Limits) -> Result<(), Error> {
    store.set_fuel(budget.fuel)?;
    store.set_epoch_deadline(ticks(limits.deadline_ms));
    store.set_hostcall_fuel(budget.answer_bytes);
    store.data_mut().answer_bytes = budget.answer_bytes;
    Ok(())
}

fn reported(error: &str) -> FaultKind {
    FaultKind::Reported(clean(error, ERROR_BYTES))
}

/// What an error of wasmtime's says of the strategy.
fn fault_of(error: &Error, budget: Budget, limits: &Limits) -> FaultKind {
    if let Some(failure) = error.downcast_ref::<ModelFailure>() {
        return FaultKind::Model(clean(&failure.to_string(), ERROR_BYTES));
    }
    if let Some(OverLimit(what)) = error.downcast_ref() {
        return FaultKind::MemoryLimit(what.clone());
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => FaultKind::OutOfFuel(budget.fuel),
        Some(Trap::StackOverflow) => FaultKind::StackOverflow,
        Some(Trap::Interrupt) => FaultKind::Deadline(limits.deadline_ms),
        Some(trap) => FaultKind::Trap(format!("{trap}{}", place(error))),
        None => {
            let cause = clean(&error.root_cause().to_string(), ERROR_BYTES);
            // wasmtime keeps this error's type to itself.
            if error.is::<OverBudget>() || cause.contains("fuel allocated for hostcalls") {
                let limit = budget.answer_bytes;
                FaultKind::Flood(format!("an answer or log line of more than {limit} bytes"))
            } else {
                FaultKind::Contract(format!("{cause}{}", place(error)))
            }
        }
    }
}

/// The guest's innermost function, as ", in …".
fn place(error: &Error) -> String {
    let frame = error.downcast_ref::<WasmBacktrace>().and_then(|trace| trace.frames().first());
    match frame {
        None => String::new(),
        Some(frame) => match frame.func_name() {
            Some(name) => format!(", in {}", clean(name, 100)),
            None => format!(", in function {}", frame.func_index()),
        },
    }
}
