//! A slot: the place in the account where one strategy runs, whichever version it is.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::foresight::Foresight;
use crate::identifier::{InstrumentId, OrderId, OrderTag, StrategyId};
use crate::input::{Deployment, StrategyMode};
use crate::sizing::TradeRecord;
use crate::strategy::{Description, Event, OrderUpdate, SavedState, Strategy};
use crate::time::Timestamp;

/// At least this many of the orders that ended last are remembered between two saved states.
const MOST_ENDED: usize = 1_024;

/// What a slot is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SlotStatus {
    /// The strategy is handed events.
    Running,
    /// It failed and restarts at this time.
    Restarting(Timestamp),
    /// It failed too often, and stays stopped.
    Quarantined,
    /// It was removed; its positions are still guarded.
    Removed,
}

impl SlotStatus {
    /// The stable name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Restarting(_) => "restarting",
            Self::Quarantined => "quarantined",
            Self::Removed => "removed",
        }
    }
}

/// One strategy of the account.
pub struct Slot {
    pub(super) id: StrategyId,
    pub(super) deployment: Deployment,
    pub(super) configured: Option<Deployment>,
    pub(super) description: Description,
    pub(super) status: SlotStatus,
    /// Absent while it is being called, and when it is not running.
    pub(super) instance: Option<Box<dyn Strategy>>,
    /// What it is to be told next.
    pub(super) inbox: Vec<Event>,
    /// An emptied inbox, kept for its memory.
    pub(super) spare_inbox: Vec<Event>,
    /// Its own orders that have not ended.
    pub(super) working: Vec<(OrderTag, OrderId)>,
    pub(super) saved: Option<SavedState>,
    /// How its own orders ended since the state was saved: what a restart from that state must be told.
    pub(super) ended: Vec<OrderUpdate>,
    pub(super) foresight: Foresight,
    pub(super) events_seen: u64,
    pub(super) next_save: u64,
    pub(super) next_timer: Option<Timestamp>,
    pub(super) recent_faults: VecDeque<Timestamp>,
    pub(super) faults: u64,
    pub(super) record: TradeRecord,
    pub(super) last_closed: Vec<(InstrumentId, Timestamp)>,
    /// How many instruments there were when its instance was started: it knows no later ones.
    pub(super) known_instruments: usize,
}

impl Slot {
    /// The number in orders and fills.
    #[must_use]
    pub const fn id(&self) -> StrategyId {
        self.id
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.deployment.slot
    }

    /// What runs in it, or ran last.
    #[must_use]
    pub const fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// What the configuration asked for last, which people may have changed since: what runs is in
    /// [`Self::deployment`]. `None` when the host removed it.
    #[must_use]
    pub const fn configured(&self) -> Option<&Deployment> {
        self.configured.as_ref()
    }

    /// What the version says of itself.
    #[must_use]
    pub const fn description(&self) -> &Description {
        &self.description
    }

    /// What it is doing.
    #[must_use]
    pub const fn status(&self) -> SlotStatus {
        self.status
    }

    /// Faults since it was first deployed.
    #[must_use]
    pub const fn faults(&self) -> u64 {
        self.faults
    }

    /// Events it was handed since it was first deployed.
    #[must_use]
    pub const fn events_seen(&self) -> u64 {
        self.events_seen
    }

    /// Its closed trades in sum.
    #[must_use]
    pub const fn record(&self) -> &TradeRecord {
        &self.record
    }

    /// The state it would restart from.
    #[must_use]
    pub const fn saved(&self) -> Option<&SavedState> {
        self.saved.as_ref()
    }

    /// Whether it is handed events.
    pub(super) fn listens(&self) -> bool {
        self.status == SlotStatus::Running && self.deployment.mode != StrategyMode::Off
    }

    /// Whether it may trade the instrument.
    pub(super) fn trades(&self, instrument: InstrumentId) -> bool {
        let known = usize::try_from(instrument.0).is_ok_and(|place| place < self.known_instruments);
        known && (self.deployment.instruments.is_empty() || self.deployment.instruments.contains(&instrument))
    }

    pub(super) fn order(&self, tag: OrderTag) -> Option<OrderId> {
        self.working.iter().find(|(working, _)| *working == tag).map(|(_, id)| *id)
    }

    pub(super) fn last_closed(&self, instrument: InstrumentId) -> Option<Timestamp> {
        self.last_closed.iter().find(|(closed, _)| *closed == instrument).map(|(_, time)| *time)
    }

    pub(super) fn note_ended(&mut self, update: OrderUpdate) {
        // A strategy that never saves its state must not fill the memory.
        if self.ended.len() >= 2 * MOST_ENDED {
            self.ended.drain(..MOST_ENDED);
        }
        self.ended.push(update);
    }

    pub(super) fn note_closed(&mut self, instrument: InstrumentId, time: Timestamp) {
        match self.last_closed.iter_mut().find(|(closed, _)| *closed == instrument) {
            Some(entry) => entry.1 = time,
            None => self.last_closed.push((instrument, time)),
        }
    }
}

impl Slot {
    /// Its share of the account's equity: none once it was removed.
    pub(super) fn share(&self) -> rust_decimal::Decimal {
        if self.status == SlotStatus::Removed { rust_decimal::Decimal::ZERO } else { self.deployment.weight }
    }

    pub(super) fn next_wake(&self) -> Option<Timestamp> {
        match self.status {
            SlotStatus::Restarting(at) => Some(at),
            SlotStatus::Running => self.next_timer,
            SlotStatus::Quarantined | SlotStatus::Removed => None,
        }
    }
}
