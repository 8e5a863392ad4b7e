//! What an engine is set up with.

use serde::{Deserialize, Serialize};

use super::StepError;
use crate::identifier::InstrumentId;
use crate::instrument::Instrument;
use crate::money::Money;
use crate::risk::RiskLimits;
use crate::sizing::Sizing;
use crate::time::Span;
use crate::venue::paper::PaperSettings;

/// What an engine is set up with. While it lives, [`ChangeableSettings`] can be changed and nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineSettings {
    /// What can be traded; an instrument's place is its number.
    pub instruments: Vec<Instrument>,
    /// What signals there can be; a signal's place is its number.
    pub signals: Vec<String>,
    /// What the account starts with. Each shadow gets as much make-believe money.
    pub cash: Money,
    /// The gate's limits.
    pub risk: RiskLimits,
    /// The size of standard orders.
    pub sizing: Sizing,
    /// The paper venue.
    pub venue: PaperSettings,
    /// What follows from a strategy's faults.
    pub faults: FaultPolicy,
    /// How often capital is moved back to the weights, in event time, besides when weights change.
    pub rebalance_every: Span,
    /// A strategy's state is saved each time it was handed this many events.
    pub save_every_events: u64,
    /// Bars kept per instrument and interval for the warm-up of strategies that start later.
    pub history_bars: usize,
}

impl EngineSettings {
    /// Prices and quantities can be rounded to a grid only if it has a step.
    pub(super) fn check_grids(&self) -> Result<(), StepError> {
        for instrument in &self.instruments {
            if !instrument.tick.is_positive() || !instrument.lot.is_positive() {
                return Err(StepError::Input(format!(
                    "{} has tick {} and lot {}; both must be above 0",
                    instrument.symbol, instrument.tick, instrument.lot
                )));
            }
        }
        Ok(())
    }

    /// Defaults for these instruments and this much money.
    #[must_use]
    pub fn new(instruments: Vec<Instrument>, cash: Money) -> Self {
        Self {
            instruments,
            signals: Vec::new(),
            cash,
            risk: RiskLimits::default(),
            sizing: Sizing::default(),
            venue: PaperSettings::default(),
            faults: FaultPolicy::default(),
            rebalance_every: Span::DAY,
            save_every_events: 4_096,
            history_bars: 512,
        }
    }
}

/// The part of the settings that an operator can change while the engine runs, as a whole. It means what it
/// does in [`EngineSettings`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeableSettings {
    /// The same in the same order with the same grid, and new ones after them. `min_notional` and `cluster`
    /// can change. A running strategy trades a new one from its next start.
    pub instruments: Vec<Instrument>,
    /// The gate's limits, the bounds of exits, and the breakers.
    pub risk: RiskLimits,
    /// The size of standard orders.
    pub sizing: Sizing,
    /// The paper venue's costs and delays. Its timing and seed stay as they are.
    pub venue: PaperSettings,
    /// What follows from a strategy's faults.
    pub faults: FaultPolicy,
    /// How often capital is moved back to the weights.
    pub rebalance_every: Span,
    /// A strategy's state is saved each time it was handed this many events.
    pub save_every_events: u64,
}

impl EngineSettings {
    /// The instrument of this number.
    #[must_use]
    pub fn instrument(&self, id: InstrumentId) -> Option<&Instrument> {
        usize::try_from(id.0).ok().and_then(|place| self.instruments.get(place))
    }

    /// The part that can be changed at run time.
    #[must_use]
    pub fn changeable(&self) -> ChangeableSettings {
        ChangeableSettings {
            instruments: self.instruments.clone(),
            risk: self.risk.clone(),
            sizing: self.sizing.clone(),
            venue: self.venue.clone(),
            faults: self.faults.clone(),
            rebalance_every: self.rebalance_every,
            save_every_events: self.save_every_events,
        }
    }

    /// Takes over what was changed.
    pub(super) fn change(&mut self, changed: ChangeableSettings) {
        let ChangeableSettings {
            instruments,
            risk,
            sizing,
            venue,
            faults,
            rebalance_every,
            save_every_events,
        } = changed;
        (self.instruments, self.risk, self.sizing, self.venue) = (instruments, risk, sizing, venue);
        (self.faults, self.rebalance_every, self.save_every_events) =
            (faults, rebalance_every, save_every_events);
    }
}

/// What follows from a strategy's faults. Times are event time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultPolicy {
    /// This many faults within the window quarantine the strategy.
    pub quarantine_after: usize,
    /// How far back faults count.
    pub window: Span,
    /// The pause before the first restart; it doubles with each further fault in the window.
    pub restart_after: Span,
}

impl Default for FaultPolicy {
    fn default() -> Self {
        Self { quarantine_after: 3, window: Span::from_seconds(3_600), restart_after: Span::from_seconds(60) }
    }
}
