//! An engine that trades often, so that there is something to read.

use std::collections::BTreeMap;

use bulkhead_core::engine::{Engine, EngineSettings};
use bulkhead_core::identifier::{ContentHash, InstrumentId, OrderTag};
use bulkhead_core::input::{Actor, Command, Deployment, HaltAction, Input, InputKind, StrategyMode};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::market::Bar;
use bulkhead_core::money::Money;
use bulkhead_core::output::Output;
use bulkhead_core::risk::RiskLimits;
use bulkhead_core::strategy::{
    Action, Amount, Description, Event, Fault, InstanceConfig, Intent, Needs, OrderKind, Proposal,
    SavedState, Strategy, StrategySource, Submit,
};
use bulkhead_core::time::{Span, Timestamp};
use rust_decimal::Decimal;

/// Buys on some bars and closes on others.
struct InAndOut {
    bars: u32,
}

impl Strategy for InAndOut {
    fn on_events(&mut self, events: &[Event], actions: &mut Vec<Action>) -> Result<usize, Fault> {
        for (index, event) in events.iter().enumerate() {
            let Event::Bar(bar) = event else { continue };
            self.bars += 1;
            let intent = match self.bars % 7 {
                1 | 3 => Intent::Buy(Amount::Notional(300.0)),
                6 => Intent::Close,
                _ => continue,
            };
            let submit = Submit {
                tag: OrderTag(self.bars),
                instrument: bar.instrument,
                intent,
                kind: OrderKind::Market,
                exits: None,
            };
            let reason = "it's \"time\"; — ünï".to_owned();
            actions.push(Action { proposal: Proposal::Submit(submit), confidence: 1.0 / 3.0, reason });
            return Ok(index + 1);
        }
        Ok(events.len())
    }

    fn save(&mut self) -> Result<SavedState, Fault> {
        Ok(SavedState { schema: 1, bytes: Vec::new() })
    }

    fn restore(&mut self, _: &SavedState) -> Result<(), Fault> {
        Ok(())
    }
}

struct Source;

impl StrategySource for Source {
    fn describe(&self, _: &ContentHash) -> Result<Description, Fault> {
        Ok(Description {
            name: "in-and-out".to_owned(),
            version: "1.0.0".to_owned(),
            state_schema: 1,
            parameters: Vec::new(),
            needs: Needs { bar_intervals: vec![Span::ZERO], ..Needs::default() },
            warm_up_bars: 0,
        })
    }

    fn instantiate(&self, _: &ContentHash, _: &InstanceConfig) -> Result<Box<dyn Strategy>, Fault> {
        Ok(Box::new(InAndOut { bars: 0 }))
    }
}

/// An engine with two instruments whose transactions often fail.
pub(crate) fn engine() -> Engine {
    let instruments = vec![Instrument::new("BTC-USD", 2, 6), Instrument::new("ETH-USD", 2, 5)];
    let mut settings = EngineSettings::new(instruments, Money(Decimal::from(10_000)));
    settings.risk = RiskLimits::none();
    settings.venue.failure_probability = 0.2;
    settings.venue.participation = Some(0.05);
    Engine::new(settings, Box::new(Source)).expect("an engine")
}

/// Two deployments, bars of both instruments, a halt and a resumption.
pub(crate) fn inputs(minutes: i64) -> Vec<Input> {
    let command = |kind| Input {
        time: Timestamp::EPOCH,
        kind: InputKind::command(Actor::Host("a test".to_owned()), kind),
    };
    let deploy = |slot: &str, mode, weight| {
        command(Command::Deploy(Deployment {
            slot: slot.to_owned(),
            version: ContentHash::of(slot.as_bytes()),
            mode,
            weight,
            instruments: Vec::new(),
            parameters: BTreeMap::new(),
        }))
    };
    let mut inputs = vec![
        deploy("real", StrategyMode::Live, Decimal::new(5, 1)),
        deploy("shadow", StrategyMode::Shadow, Decimal::new(5, 1)),
    ];
    for minute in 1..minutes {
        for instrument in [0_u32, 1] {
            let price = 100.0 + f64::from(instrument) * 50.0 + ((minute * 37) % 11) as f64 * 0.37;
            let bar = Bar {
                instrument: InstrumentId(instrument),
                interval: Span::MINUTE,
                open_time: Timestamp::from_seconds(minute * 60),
                open: price,
                high: price + 0.5,
                low: price - 0.5,
                close: price + 0.11,
                volume: 40.0,
            };
            inputs.push(Input { time: bar.close_time(), kind: InputKind::Bar(bar) });
        }
        if minute % 50 == 0 {
            let time = inputs.last().expect("a bar").time;
            let actor = Actor::Person("anna".to_owned());
            let (reason, action) = ("lunch".to_owned(), HaltAction::StopEntries);
            let halt = Command::Halt { reason, action };
            inputs.push(Input { time, kind: InputKind::command(actor.clone(), halt) });
            inputs.push(Input { time, kind: InputKind::command(actor, Command::Resume {}) });
        }
    }
    inputs
}

/// The outputs of one step.
pub(crate) fn step(engine: &mut Engine, input: &Input) -> Vec<Output> {
    let mut outputs = Vec::new();
    engine.step(input, &mut outputs);
    outputs
}
