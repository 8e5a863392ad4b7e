//! Long while the price is above the mean of the last prices, flat below.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bulkhead_core::identifier::{ContentHash, InstrumentId, OrderTag};
use bulkhead_core::strategy::{
    Action, Amount, Description, Event, Fault, FaultKind, InstanceConfig, Intent, Needs, OrderKind,
    Parameter, ParameterValue, Proposal, SavedState, Strategy, StrategySource, Submit,
};
use bulkhead_core::time::Span;
use bulkhead_sequencer::replay::Versions;

pub(crate) fn version() -> ContentHash {
    ContentHash::of(b"above the mean")
}

/// All versions that there are: one.
#[derive(Clone, Copy)]
pub(crate) struct Source;

impl Versions for Source {
    fn source(&self) -> Box<dyn StrategySource> {
        Box::new(Self)
    }

    fn prepare(&self, wanted: &ContentHash) -> Result<(), String> {
        if *wanted == version() { Ok(()) } else { Err("there is no such version".to_owned()) }
    }
}

impl StrategySource for Source {
    fn describe(&self, wanted: &ContentHash) -> Result<Description, Fault> {
        self.prepare(wanted).map_err(FaultKind::Start)?;
        Ok(Description {
            name: "above-the-mean".to_owned(),
            version: "1.0.0".to_owned(),
            state_schema: 1,
            parameters: vec![Parameter {
                name: "period".to_owned(),
                meaning: "bars in the mean".to_owned(),
                default: ParameterValue::Number(5.0),
                minimum: Some(1.0),
                maximum: Some(100.0),
            }],
            needs: Needs { bar_intervals: vec![Span::ZERO], ..Needs::default() },
            warm_up_bars: 0,
        })
    }

    fn instantiate(&self, wanted: &ContentHash, config: &InstanceConfig) -> Result<Box<dyn Strategy>, Fault> {
        self.prepare(wanted).map_err(FaultKind::Start)?;
        let period = config.settings.iter().find(|(name, _)| *name == "period");
        let Some((_, ParameterValue::Number(period))) = period else {
            return Err(FaultKind::Start("no period".to_owned()).into());
        };
        Ok(Box::new(AboveTheMean {
            weight: 1.0 / period,
            means: BTreeMap::new(),
            held: BTreeMap::new(),
            orders: 0,
        }))
    }
}

/// The same version, but the instance that is started first fails once.
#[derive(Clone)]
pub(crate) struct Unsteady {
    fault: FaultKind,
    at: u32,
    failed: Arc<AtomicBool>,
}

impl Unsteady {
    /// Runs over the deadline at this event, which it would not do again.
    pub(crate) fn that_fails_at(event: u32) -> Self {
        Self { fault: FaultKind::Deadline(100), at: event, failed: Arc::default() }
    }

    /// Traps at this event, for a reason that a replay does not know.
    pub(crate) fn that_traps_at(event: u32) -> Self {
        Self { fault: FaultKind::Trap("cosmic ray".to_owned()), at: event, failed: Arc::default() }
    }
}

impl Versions for Unsteady {
    fn source(&self) -> Box<dyn StrategySource> {
        Box::new(self.clone())
    }

    fn prepare(&self, version: &ContentHash) -> Result<(), String> {
        Source.prepare(version)
    }
}

impl StrategySource for Unsteady {
    fn describe(&self, version: &ContentHash) -> Result<Description, Fault> {
        Source.describe(version)
    }

    fn instantiate(
        &self,
        version: &ContentHash,
        config: &InstanceConfig,
    ) -> Result<Box<dyn Strategy>, Fault> {
        let strategy = Source.instantiate(version, config)?;
        Ok(Box::new(FailsOnce { strategy, plan: self.clone(), events: 0 }))
    }
}

struct FailsOnce {
    strategy: Box<dyn Strategy>,
    plan: Unsteady,
    events: u32,
}

impl Strategy for FailsOnce {
    fn on_events(&mut self, events: &[Event], actions: &mut Vec<Action>) -> Result<usize, Fault> {
        self.events += 1;
        if self.events >= self.plan.at && !self.plan.failed.swap(true, Ordering::Relaxed) {
            return Err(self.plan.fault.clone().into());
        }
        self.strategy.on_events(events, actions)
    }

    fn save(&mut self) -> Result<SavedState, Fault> {
        self.strategy.save()
    }

    fn restore(&mut self, state: &SavedState) -> Result<(), Fault> {
        self.strategy.restore(state)
    }
}

struct AboveTheMean {
    weight: f64,
    means: BTreeMap<InstrumentId, f64>,
    held: BTreeMap<InstrumentId, f64>,
    orders: u32,
}

impl Strategy for AboveTheMean {
    fn on_events(&mut self, events: &[Event], actions: &mut Vec<Action>) -> Result<usize, Fault> {
        for (place, event) in events.iter().enumerate() {
            match event {
                Event::Position(position) => {
                    self.held.insert(position.instrument, position.quantity);
                }
                Event::Bar(bar) => {
                    let mean = self.means.entry(bar.instrument).or_insert(bar.close);
                    *mean += (bar.close - *mean) * self.weight;
                    let holds = self.held.get(&bar.instrument).is_some_and(|held| *held > 0.0);
                    let intent = match (bar.close > *mean, holds) {
                        (true, false) => Intent::Buy(Amount::Standard),
                        (false, true) => Intent::Close,
                        _ => continue,
                    };
                    self.orders += 1;
                    actions.push(Action {
                        proposal: Proposal::Submit(Submit {
                            tag: OrderTag(self.orders),
                            instrument: bar.instrument,
                            intent,
                            kind: OrderKind::Market,
                            exits: None,
                        }),
                        confidence: 0.7,
                        reason: "the mean was crossed".to_owned(),
                    });
                    return Ok(place + 1);
                }
                _ => {}
            }
        }
        Ok(events.len())
    }

    fn save(&mut self) -> Result<SavedState, Fault> {
        let bytes = postcard::to_allocvec(&(&self.means, &self.held, self.orders)).unwrap();
        Ok(SavedState { schema: 1, bytes })
    }

    fn restore(&mut self, state: &SavedState) -> Result<(), Fault> {
        (self.means, self.held, self.orders) = postcard::from_bytes(&state.bytes).unwrap();
        Ok(())
    }
}
