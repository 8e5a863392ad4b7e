//! A native strategy that does next to nothing between its orders.

use bulkhead_core::identifier::{ContentHash, OrderTag};
use bulkhead_core::strategy::{
    Action, Amount, Description, Event, Fault, FaultKind, InstanceConfig, Intent, Needs, OrderKind,
    Parameter, ParameterValue, Proposal, SavedState, Strategy, StrategySource, Submit,
};
use bulkhead_core::time::Span;
use bulkhead_sequencer::replay::Versions;

pub(crate) fn version() -> ContentHash {
    ContentHash::of(b"in and out")
}

/// All versions that there are: one.
pub(crate) struct Source;

impl Versions for Source {
    fn source(&self) -> Box<dyn StrategySource> {
        Box::new(Self)
    }

    fn prepare(&self, _: &ContentHash) -> Result<(), String> {
        Ok(())
    }
}

impl StrategySource for Source {
    fn describe(&self, _: &ContentHash) -> Result<Description, Fault> {
        Ok(Description {
            name: "in-and-out".to_owned(),
            version: "1.0.0".to_owned(),
            state_schema: 1,
            parameters: vec![Parameter {
                name: "bars".to_owned(),
                meaning: "bars an order".to_owned(),
                default: ParameterValue::Number(100.0),
                minimum: Some(1.0),
                maximum: None,
            }],
            needs: Needs { bar_intervals: vec![Span::ZERO], ..Needs::default() },
            warm_up_bars: 0,
        })
    }

    fn instantiate(&self, _: &ContentHash, config: &InstanceConfig) -> Result<Box<dyn Strategy>, Fault> {
        let bars = config.settings.iter().find(|(name, _)| *name == "bars");
        let Some((_, ParameterValue::Number(bars))) = bars else {
            return Err(FaultKind::Start("no number of bars".to_owned()).into());
        };
        Ok(Box::new(InAndOut { bars_per_order: *bars, due: 0.0, held: Vec::new(), orders: 0 }))
    }
}

/// Buys and closes in turn, in whatever instrument's bar it is when an order is due.
struct InAndOut {
    bars_per_order: f64,
    due: f64,
    held: Vec<bool>,
    orders: u32,
}

impl Strategy for InAndOut {
    fn on_events(&mut self, events: &[Event], actions: &mut Vec<Action>) -> Result<usize, Fault> {
        for (place, event) in events.iter().enumerate() {
            let Event::Bar(bar) = event else { continue };
            self.due += 1.0;
            if self.due < self.bars_per_order {
                continue;
            }
            self.due -= self.bars_per_order;
            self.orders += 1;
            let instrument = usize::try_from(bar.instrument.0).unwrap_or_default();
            if self.held.len() <= instrument {
                self.held.resize(instrument + 1, false);
            }
            let held = &mut self.held[instrument];
            let intent = if *held { Intent::Close } else { Intent::Buy(Amount::Standard) };
            *held = !*held;
            actions.push(Action {
                proposal: Proposal::Submit(Submit {
                    tag: OrderTag(self.orders),
                    instrument: bar.instrument,
                    intent,
                    kind: OrderKind::Market,
                    exits: None,
                }),
                confidence: 0.7,
                reason: "it is time for an order".to_owned(),
            });
            return Ok(place + 1);
        }
        Ok(events.len())
    }

    fn save(&mut self) -> Result<SavedState, Fault> {
        let state = postcard::to_allocvec(&(self.due, &self.held, self.orders));
        let bytes = state.map_err(|error| FaultKind::Start(error.to_string()))?;
        Ok(SavedState { schema: 1, bytes })
    }

    fn restore(&mut self, state: &SavedState) -> Result<(), Fault> {
        (self.due, self.held, self.orders) =
            postcard::from_bytes(&state.bytes).map_err(|error| FaultKind::Start(error.to_string()))?;
        Ok(())
    }
}
