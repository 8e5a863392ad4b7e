//! The whole state at one moment, and an engine that goes on from it.
//!
//! A running strategy's memory is its own affair: it can be had only as the state that it saves. So that what
//! follows a snapshot is the same for the engine that goes on and for one that is started from the snapshot,
//! both go on with strategies that were started from their saved states: see
//! [`InputKind::Checkpoint`](crate::input::InputKind::Checkpoint).

mod consistency;

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::calls::Calls;
use super::foresight::Foresight;
use super::history::BarHistory;
use super::{Buffers, ChangeableSettings, Engine, EngineSettings, Slot, SlotStatus};
use crate::digest::RunDigest;
use crate::exits::PositionKeeper;
use crate::identifier::{ContentHash, InstrumentId, OrderId, OrderTag, StrategyId};
use crate::input::Deployment;
use crate::ledger::{Ledger, SubLedger};
use crate::money::Money;
use crate::order::Order;
use crate::output::Output;
use crate::price_board::PriceBoard;
use crate::reconciliation::OutsideFacts;
use crate::risk::{Breakers, Halt};
use crate::sizing::TradeRecord;
use crate::strategy::{Description, Event, Fault, OrderUpdate, SavedState, Strategy, StrategySource};
use crate::time::Timestamp;
use crate::venue::outside::OutsideVenue;
use crate::venue::paper::PaperVenue;

/// An engine's whole state after a checkpoint.
///
/// In forms without names of fields, its order of fields is the format: the first encoding of journals has all but
/// the last three, and is read as an `EngineSnapshot<(), (), ()>`; the second all but the last two, an
/// `EngineSnapshot<Configured, (), ()>`; the third all but the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineSnapshot<C = Configured, O = Option<OutsideVenue>, F = OutsideFacts> {
    settings: EngineSettings,
    now: Timestamp,
    ledger: Ledger,
    prices: PriceBoard,
    history: BarHistory,
    venue: PaperVenue,
    keeper: PositionKeeper,
    slots: Vec<SlotSnapshot>,
    orders: BTreeMap<OrderId, Order>,
    next_order: u64,
    recent_orders: VecDeque<(Timestamp, StrategyId)>,
    halted: Option<Halt>,
    breakers: Breakers,
    settings_version: u64,
    next_day: Timestamp,
    day_start_equity: Money,
    peak_equity: Money,
    next_rebalance: Timestamp,
    next_wake: Option<Timestamp>,
    digest: RunDigest,
    /// Slots with something in their inbox.
    ready: Vec<usize>,
    configured: C,
    outside: O,
    outside_facts: F,
}

/// What the configuration asked for last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Configured {
    /// For each slot.
    slots: Vec<Option<Deployment>>,
    settings: ChangeableSettings,
}

impl<O, F> EngineSnapshot<(), O, F> {
    /// A snapshot from before engines remembered what the configuration asked for: it is taken to be what they run
    /// and go by.
    #[must_use]
    pub fn completed(self) -> EngineSnapshot<Configured, O, F> {
        let asked =
            |slot: &SlotSnapshot| (slot.status != SlotStatus::Removed).then(|| slot.deployment.clone());
        let configured = Configured {
            slots: self.slots.iter().map(asked).collect(),
            settings: self.settings.changeable(),
        };
        self.with(|_, outside, facts| (configured, outside, facts))
    }
}

impl<C> EngineSnapshot<C, (), ()> {
    /// A snapshot from before there were venues outside.
    #[must_use]
    pub fn on_paper(self) -> EngineSnapshot<C> {
        self.with(|configured, (), ()| (configured, None, OutsideFacts::default()))
    }
}

impl<C> EngineSnapshot<C, Option<OutsideVenue>, ()> {
    /// A snapshot from before books were held against the world outside. What was paid there until then is what the
    /// books of those who trade there say; how much landed is not known.
    #[must_use]
    pub fn unreconciled(self) -> EngineSnapshot<C> {
        let mut facts = OutsideFacts::default();
        if self.outside.is_some() {
            let real = self.ledger.sub_ledgers().iter().filter(|books| !books.is_make_believe());
            // A sum that no account comes to is left out: it shows as a difference.
            let costs = real.map(SubLedger::fees).try_fold(Money::ZERO, Money::plus);
            facts.costs = costs.unwrap_or(Money::ZERO);
        }
        self.with(|configured, outside, ()| (configured, outside, facts))
    }
}

impl<C, O, F> EngineSnapshot<C, O, F> {
    fn with<D, P, G>(self, later: impl FnOnce(C, O, F) -> (D, P, G)) -> EngineSnapshot<D, P, G> {
        let (configured, outside, outside_facts) = later(self.configured, self.outside, self.outside_facts);
        EngineSnapshot {
            configured,
            outside,
            outside_facts,
            settings: self.settings,
            now: self.now,
            ledger: self.ledger,
            prices: self.prices,
            history: self.history,
            venue: self.venue,
            keeper: self.keeper,
            slots: self.slots,
            orders: self.orders,
            next_order: self.next_order,
            recent_orders: self.recent_orders,
            halted: self.halted,
            breakers: self.breakers,
            settings_version: self.settings_version,
            next_day: self.next_day,
            day_start_equity: self.day_start_equity,
            peak_equity: self.peak_equity,
            next_rebalance: self.next_rebalance,
            next_wake: self.next_wake,
            digest: self.digest,
            ready: self.ready,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SlotSnapshot {
    id: StrategyId,
    deployment: Deployment,
    description: Description,
    status: SlotStatus,
    /// Whether it has an instance, which was started from the saved state.
    has_instance: bool,
    inbox: Vec<Event>,
    working: Vec<(OrderTag, OrderId)>,
    saved: Option<SavedState>,
    ended: Vec<OrderUpdate>,
    events_seen: u64,
    next_save: u64,
    next_timer: Option<Timestamp>,
    recent_faults: VecDeque<Timestamp>,
    faults: u64,
    record: TradeRecord,
    last_closed: Vec<(InstrumentId, Timestamp)>,
    known_instruments: usize,
}

/// Why an engine can't go on from a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// No engine writes such a snapshot.
    #[error("the snapshot does not hold together: {0}; go on from another one, or from the journal alone")]
    Inconsistent(String),
    /// A strategy can't be started from its saved state.
    #[error("\"{slot}\" can't go on from its saved state with version {}: {fault}", version.short())]
    Strategy {
        /// Whose strategy.
        slot: String,
        /// The version that ran.
        version: ContentHash,
        /// Why it can't be started.
        fault: Fault,
    },
}

impl EngineSnapshot {
    /// Event time of the last input.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The settings in force.
    #[must_use]
    pub const fn settings(&self) -> &EngineSettings {
        &self.settings
    }

    /// The strategy versions that the engine needs to go on, whether they run at the moment or not.
    pub fn versions(&self) -> impl Iterator<Item = ContentHash> {
        self.slots.iter().map(|slot| slot.deployment.version)
    }
}

impl Engine {
    /// The whole state. Only what follows a checkpoint without another input between can be gone on from.
    #[must_use]
    pub fn snapshot(&self) -> EngineSnapshot {
        EngineSnapshot {
            settings: self.settings.clone(),
            now: self.now,
            ledger: self.ledger.clone(),
            prices: self.prices.clone(),
            history: self.history.clone(),
            venue: self.venue.clone(),
            keeper: self.keeper.clone(),
            slots: self.slots.iter().map(SlotSnapshot::of).collect(),
            orders: self.orders.clone(),
            next_order: self.next_order,
            recent_orders: self.recent_orders.clone(),
            halted: self.halted.clone(),
            breakers: self.breakers.clone(),
            settings_version: self.settings_version,
            next_day: self.next_day,
            day_start_equity: self.day_start_equity,
            peak_equity: self.peak_equity,
            next_rebalance: self.next_rebalance,
            next_wake: self.next_wake,
            digest: self.digest.clone(),
            ready: self.buffers.ready.clone(),
            configured: Configured {
                slots: self.slots.iter().map(|slot| slot.configured.clone()).collect(),
                settings: self.configured.clone(),
            },
            outside: self.outside.clone(),
            outside_facts: self.outside_facts.clone(),
        }
    }

    /// An engine that goes on from a snapshot. Its strategy versions must be there: see
    /// [`EngineSnapshot::versions`].
    ///
    /// # Errors
    ///
    /// [`RestoreError`] when the snapshot does not hold together, or a strategy can't be started from its saved
    /// state.
    pub fn restore(snapshot: EngineSnapshot, source: Box<dyn StrategySource>) -> Result<Self, RestoreError> {
        snapshot.check().map_err(RestoreError::Inconsistent)?;
        let instruments = snapshot.settings.instruments.len();
        let mut engine = Self {
            source,
            now: snapshot.now,
            ledger: snapshot.ledger,
            prices: snapshot.prices,
            history: snapshot.history,
            venue: snapshot.venue,
            outside: snapshot.outside,
            outside_facts: snapshot.outside_facts,
            keeper: snapshot.keeper,
            slots: Vec::with_capacity(snapshot.slots.len()),
            bar_routes: vec![Vec::new(); instruments],
            orders: snapshot.orders,
            next_order: snapshot.next_order,
            recent_orders: snapshot.recent_orders,
            halted: snapshot.halted,
            breakers: snapshot.breakers,
            settings_version: snapshot.settings_version,
            next_day: snapshot.next_day,
            day_start_equity: snapshot.day_start_equity,
            peak_equity: snapshot.peak_equity,
            next_rebalance: snapshot.next_rebalance,
            next_wake: snapshot.next_wake,
            writes_down: false,
            digest: snapshot.digest,
            calls: Calls::default(),
            buffers: Buffers { ready: snapshot.ready, ..Buffers::default() },
            settings: snapshot.settings,
            configured: snapshot.configured.settings,
        };
        for (slot, configured) in snapshot.slots.into_iter().zip(snapshot.configured.slots) {
            let index = engine.slots.len();
            let has_instance = slot.has_instance;
            engine.slots.push(slot.into_slot(configured));
            if has_instance {
                let mut instance =
                    engine.start_from_saved(index).map_err(|fault| RestoreError::Strategy {
                        slot: engine.slots[index].name().to_owned(),
                        version: engine.slots[index].deployment.version,
                        fault,
                    })?;
                instance.drain_log(&mut Vec::new());
                engine.slots[index].instance = Some(instance);
            }
        }
        engine.route_bars();
        Ok(engine)
    }

    /// Saves every strategy and lets it go on from what it saved. One that can't save goes on from what it
    /// saved last, as after a restart.
    pub(super) fn checkpoint(&mut self, outputs: &mut Vec<Output>) {
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            if slot.instance.is_none() {
                continue;
            }
            slot.foresight.forget();
            if !self.save(index, outputs) {
                let slot = &mut self.slots[index];
                if slot.instance.take().is_some() {
                    // It is told everything anew.
                    slot.inbox.clear();
                    self.restart(index, outputs);
                }
                continue;
            }
            match self.start_from_saved(index) {
                Ok(mut instance) => {
                    // It logged its start when it was first started.
                    instance.drain_log(&mut Vec::new());
                    let slot = &mut self.slots[index];
                    slot.instance = Some(instance);
                    // It was started with what there is by now.
                    slot.known_instruments = self.settings.instruments.len();
                }
                Err(fault) => {
                    self.slots[index].instance = None;
                    self.fault(index, fault, outputs);
                }
            }
        }
        self.route_bars();
    }

    /// An instance of the slot's version, as it was when it was saved.
    pub(super) fn start_from_saved(&mut self, index: usize) -> Result<Box<dyn Strategy>, Fault> {
        let config = self
            .instance_config(index)
            .map_err(|error| crate::strategy::FaultKind::Start(error.to_string()))?;
        let slot = &self.slots[index];
        self.calls.begin()?;
        let mut instance = self.source.instantiate_in(slot.name(), &slot.deployment.version, &config)?;
        if let Some(state) = &slot.saved {
            self.calls.begin()?;
            instance.restore(state)?;
        }
        Ok(instance)
    }
}

impl SlotSnapshot {
    fn of(slot: &Slot) -> Self {
        Self {
            id: slot.id,
            deployment: slot.deployment.clone(),
            description: slot.description.clone(),
            status: slot.status,
            has_instance: slot.instance.is_some(),
            inbox: slot.inbox.clone(),
            working: slot.working.clone(),
            saved: slot.saved.clone(),
            ended: slot.ended.clone(),
            events_seen: slot.events_seen,
            next_save: slot.next_save,
            next_timer: slot.next_timer,
            recent_faults: slot.recent_faults.clone(),
            faults: slot.faults,
            record: slot.record,
            last_closed: slot.last_closed.clone(),
            known_instruments: slot.known_instruments,
        }
    }

    fn into_slot(self, configured: Option<Deployment>) -> Slot {
        Slot {
            id: self.id,
            deployment: self.deployment,
            configured,
            description: self.description,
            status: self.status,
            instance: None,
            inbox: self.inbox,
            spare_inbox: Vec::new(),
            working: self.working,
            saved: self.saved,
            ended: self.ended,
            foresight: Foresight::default(),
            events_seen: self.events_seen,
            next_save: self.next_save,
            next_timer: self.next_timer,
            recent_faults: self.recent_faults,
            faults: self.faults,
            record: self.record,
            last_closed: self.last_closed,
            known_instruments: self.known_instruments,
        }
    }
}
