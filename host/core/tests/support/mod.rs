//! Native strategies and markets for tests and benches of the engine.
#![allow(dead_code, reason = "each test uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::{BTreeMap, VecDeque};

use bulkhead_core::engine::{Engine, EngineSettings};
use bulkhead_core::identifier::{ContentHash, InstrumentId, OrderTag};
use bulkhead_core::input::{Actor, Command, Deployment, HaltAction, Input, InputKind, StrategyMode};
use bulkhead_core::market::Bar;
use bulkhead_core::strategy::{
    Action, Amount, Description, Event, Fault, FaultKind, InstanceConfig, Intent, Needs, OrderKind,
    Parameter, Proposal, SavedState, Strategy, StrategySource, Submit,
};
use bulkhead_core::time::{Span, Timestamp};
use rust_decimal::Decimal;

/// Makes strategies from plain functions, by name.
#[derive(Default)]
pub(crate) struct NativeSource {
    makers: BTreeMap<ContentHash, (Description, Maker)>,
}

pub(crate) type Maker = Box<dyn Fn(&InstanceConfig) -> Box<dyn Strategy> + Send>;

impl NativeSource {
    pub(crate) fn with(
        mut self,
        name: &str,
        maker: impl Fn(&InstanceConfig) -> Box<dyn Strategy> + Send + 'static,
    ) -> Self {
        self.makers.insert(version(name), (description(name), Box::new(maker)));
        self
    }

    pub(crate) fn with_parameters(
        mut self,
        name: &str,
        parameters: Vec<Parameter>,
        maker: impl Fn(&InstanceConfig) -> Box<dyn Strategy> + Send + 'static,
    ) -> Self {
        let description = Description { parameters, ..description(name) };
        self.makers.insert(version(name), (description, Box::new(maker)));
        self
    }

    pub(crate) fn with_needs(
        mut self,
        name: &str,
        needs: Needs,
        maker: impl Fn(&InstanceConfig) -> Box<dyn Strategy> + Send + 'static,
    ) -> Self {
        let description = Description { needs, ..description(name) };
        self.makers.insert(version(name), (description, Box::new(maker)));
        self
    }
}

pub(crate) fn version(name: &str) -> ContentHash {
    ContentHash::of(name.as_bytes())
}

fn description(name: &str) -> Description {
    Description {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        state_schema: 1,
        parameters: Vec::new(),
        needs: Needs { bar_intervals: vec![Span::ZERO], ..Needs::default() },
        warm_up_bars: 0,
    }
}

impl StrategySource for NativeSource {
    fn describe(&self, version: &ContentHash) -> Result<Description, Fault> {
        let found = self.makers.get(version).map(|(description, _)| description.clone());
        found.ok_or_else(|| FaultKind::Start(format!("no version {version}")).into())
    }

    fn instantiate(
        &self,
        version: &ContentHash,
        config: &InstanceConfig,
    ) -> Result<Box<dyn Strategy>, Fault> {
        let made = self.makers.get(version).map(|(_, maker)| maker(config));
        made.ok_or_else(|| FaultKind::Start(format!("no version {version}")).into())
    }
}

/// A strategy from a closure that answers one event.
pub(crate) struct Scripted<F>(pub(crate) F);

impl<F: FnMut(&Event, &mut Vec<Action>) -> Result<(), FaultKind> + Send> Strategy for Scripted<F> {
    fn on_events(&mut self, events: &[Event], actions: &mut Vec<Action>) -> Result<usize, Fault> {
        for (index, event) in events.iter().enumerate() {
            (self.0)(event, actions)?;
            if !actions.is_empty() {
                return Ok(index + 1);
            }
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

/// The crossover rule on one instrument, for comparison with its plugin.
pub(crate) struct NativeCrossover {
    fast: Average,
    slow: Average,
    long: bool,
    tag: u32,
}

struct Average {
    window: VecDeque<f64>,
    length: usize,
    sum: f64,
}

impl Average {
    fn new(length: usize) -> Self {
        Self { window: VecDeque::with_capacity(length + 1), length, sum: 0.0 }
    }

    fn update(&mut self, value: f64) -> Option<f64> {
        self.window.push_back(value);
        self.sum += value;
        if self.window.len() > self.length {
            self.sum -= self.window.pop_front().unwrap_or(0.0);
        }
        (self.window.len() == self.length).then(|| self.sum / self.length as f64)
    }
}

impl NativeCrossover {
    pub(crate) fn new() -> Self {
        Self { fast: Average::new(10), slow: Average::new(30), long: false, tag: 0 }
    }
}

impl Strategy for NativeCrossover {
    fn on_events(&mut self, events: &[Event], actions: &mut Vec<Action>) -> Result<usize, Fault> {
        for (index, event) in events.iter().enumerate() {
            let Event::Bar(bar) = event else { continue };
            let (fast, slow) = (self.fast.update(bar.close), self.slow.update(bar.close));
            let (Some(fast), Some(slow)) = (fast, slow) else { continue };
            let equal = (fast - slow).abs() <= slow * 1e-12;
            if equal || (fast > slow) == self.long {
                continue;
            }
            self.long = fast > slow;
            self.tag += 1;
            let intent = if self.long { Intent::Buy(Amount::Standard) } else { Intent::Close };
            actions.push(market(self.tag, bar.instrument, intent));
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

pub(crate) fn market(tag: u32, instrument: InstrumentId, intent: Intent) -> Action {
    Action {
        proposal: Proposal::Submit(Submit {
            tag: OrderTag(tag),
            instrument,
            intent,
            kind: OrderKind::Market,
            exits: None,
        }),
        confidence: 1.0,
        reason: String::new(),
    }
}

pub(crate) fn deploy(name: &str, weight: Decimal) -> Input {
    deploy_as(name, name, weight, StrategyMode::Live)
}

pub(crate) fn deploy_as(slot: &str, name: &str, weight: Decimal, mode: StrategyMode) -> Input {
    command(Command::Deploy(Deployment {
        slot: slot.to_owned(),
        version: version(name),
        mode,
        weight,
        instruments: Vec::new(),
        parameters: BTreeMap::new(),
    }))
}

pub(crate) fn command(command: Command) -> Input {
    Input { time: Timestamp::EPOCH, kind: InputKind::command(person(), command) }
}

pub(crate) fn person() -> Actor {
    Actor::Person("anna".to_owned())
}

pub(crate) fn halt(action: HaltAction) -> Command {
    Command::Halt { reason: "test".to_owned(), action }
}

pub(crate) fn engine(settings: EngineSettings, source: NativeSource) -> Engine {
    Engine::new(settings, Box::new(source)).unwrap()
}

pub(crate) fn bar(instrument: u32, minute: i64, open: f64, high: f64, low: f64, close: f64) -> Input {
    let open_time = Timestamp::from_seconds(minute * 60);
    let bar = Bar {
        instrument: InstrumentId(instrument),
        interval: Span::MINUTE,
        open_time,
        open,
        high,
        low,
        close,
        volume: 1_000.0,
    };
    Input { time: bar.close_time(), kind: InputKind::Bar(bar) }
}

/// A random walk in cents around 100 that trades often under the crossover rule.
pub(crate) fn random_walk(bars: i64) -> Vec<Input> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40).cast_signed()
    };
    let mut price = 10_000_i64;
    (0..bars)
        .map(|minute| {
            let open = price;
            price = (price + next() % 41 - 20 + (10_000 - price) / 200).max(100);
            let high = open.max(price) + next() % 5;
            let low = (open.min(price) - next() % 5).max(1);
            let cents = |value: i64| value as f64 / 100.0;
            bar(0, minute, cents(open), cents(high), cents(low), cents(price))
        })
        .collect()
}
