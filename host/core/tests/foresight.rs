//! Handing bars over ahead of their turn changes nothing but the speed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use bulkhead_core::engine::{Engine, EngineSettings};
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::{Command, HaltAction, Input, ManualAmount, ManualOrder};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::money::{Money, Quantity};
use bulkhead_core::order::{Pricing, Side};
use bulkhead_core::output::Output;
use bulkhead_core::risk::RiskLimits;
use bulkhead_core::sizing::Sizing;
use bulkhead_core::strategy::{
    Action, Amount, Event, Fault, FaultKind, InstanceConfig, Intent, SavedState, Strategy,
};
use bulkhead_core::time::Span;
use bulkhead_core::venue::paper::PaperSettings;
use rust_decimal::Decimal;
use support::*;

fn settings(risk: RiskLimits) -> EngineSettings {
    let instruments = vec![Instrument::new("X-USD", 2, 8), Instrument::new("Y-USD", 2, 8)];
    let mut settings = EngineSettings::new(instruments, Money(Decimal::from(1_000_000)));
    settings.venue = PaperSettings::exact(Decimal::TEN);
    settings.risk = risk;
    settings.sizing = Sizing::Quantity(Quantity(Decimal::ONE));
    settings.save_every_events = 500;
    settings
}

/// Counts bars; acts and fails at counts that its state decides, and tells how many events it gets at once.
struct Counter {
    bars: u64,
    fails_every: u64,
    acts_every: u64,
    batches: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl Strategy for Counter {
    fn on_events(&mut self, events: &[Event], actions: &mut Vec<Action>) -> Result<usize, Fault> {
        if events.len() > 1 {
            self.batches.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        for (index, event) in events.iter().enumerate() {
            let Event::Bar(bar) = event else { continue };
            self.bars += 1;
            if self.bars.is_multiple_of(self.fails_every) {
                return Err(FaultKind::Trap(format!("at bar {}", self.bars)).into());
            }
            if self.bars.is_multiple_of(self.acts_every) {
                let tag = u32::try_from(self.bars).unwrap();
                let buys = (self.bars / self.acts_every) % 2 == 1;
                let intent = if buys { Intent::Buy(Amount::Standard) } else { Intent::Close };
                actions.push(market(tag, bar.instrument, intent));
                return Ok(index + 1);
            }
        }
        Ok(events.len())
    }

    fn save(&mut self) -> Result<SavedState, Fault> {
        Ok(SavedState { schema: 1, bytes: self.bars.to_le_bytes().to_vec() })
    }

    fn restore(&mut self, state: &SavedState) -> Result<(), Fault> {
        self.bars = u64::from_le_bytes(state.bytes.as_slice().try_into().unwrap());
        Ok(())
    }
}

/// Two instruments side by side.
fn market_inputs() -> Vec<Input> {
    let mut inputs = Vec::new();
    for (place, input) in random_walk(6_000).into_iter().enumerate() {
        let mut other = input.clone();
        if let bulkhead_core::input::InputKind::Bar(bar) = &mut other.kind {
            bar.instrument = InstrumentId(1);
            if place % 997 == 0 {
                bar.high = f64::NAN;
            }
        }
        inputs.extend([input, other]);
    }
    inputs
}

fn compare(risk: &RiskLimits, source: impl Fn() -> NativeSource, names: &[&str]) -> usize {
    compare_over(&market_inputs(), &settings(risk.clone()), source, names)
}

fn compare_over(
    inputs: &[Input],
    settings: &EngineSettings,
    source: impl Fn() -> NativeSource,
    names: &[&str],
) -> usize {
    let deploys: Vec<Input> = names.iter().map(|name| deploy(name, Decimal::new(3, 1))).collect();
    let start = || {
        let mut engine = engine(settings.clone(), source());
        let mut outputs = Vec::new();
        deploys.iter().for_each(|input| drop(engine.step(input, &mut outputs)));
        engine
    };
    let mut stepped = start();
    let mut expected: Vec<Output> = Vec::new();
    inputs.iter().for_each(|input| drop(stepped.step(input, &mut expected)));

    let mut played = start();
    let mut found = Vec::new();
    let mut keep = |_: &Engine, _: &Input, outputs: &mut Vec<Output>| found.append(outputs);
    for slice in inputs.chunks(777) {
        played.play(slice, &mut keep);
    }
    for (place, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(found, expected, "output {place}");
    }
    assert_eq!(found.len(), expected.len());
    assert_eq!(played.digest().to_string(), stepped.digest().to_string());
    for (played, stepped) in played.slots().iter().zip(stepped.slots()) {
        assert_eq!(played.events_seen(), stepped.events_seen());
        assert_eq!(played.saved(), stepped.saved());
    }
    expected.len()
}

#[test]
fn the_outputs_are_those_of_one_bar_a_call() {
    let crossover =
        || NativeSource::default().with("crossover", |_: &InstanceConfig| Box::new(NativeCrossover::new()));
    for risk in [RiskLimits::none(), RiskLimits::default()] {
        assert!(compare(&risk, crossover, &["crossover"]) > 200);
    }
}

#[test]
fn a_failure_among_several_bars_is_found_on_its_own_bar() {
    let batches = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let source = || {
        let counter = |fails_every, acts_every| {
            let batches = std::sync::Arc::clone(&batches);
            move |_: &InstanceConfig| -> Box<dyn Strategy> {
                Box::new(Counter { bars: 0, fails_every, acts_every, batches: batches.clone() })
            }
        };
        NativeSource::default()
            .with("fails", counter(1_789, 37))
            .with("fails-as-it-acts", counter(1_850, 37))
            .with("calm", counter(u64::MAX, 53))
    };
    let outputs = compare(&RiskLimits::none(), source, &["fails", "fails-as-it-acts", "calm"]);
    assert!(outputs > 500, "{outputs}");
    assert!(batches.load(std::sync::atomic::Ordering::Relaxed) > 500, "bars are handed over ahead");
}

#[test]
fn what_a_halt_sells_is_told_on_its_own_bar() {
    let mut settings = settings(RiskLimits::none());
    // Most sales fail and cost gas, so that the strategy is told of its capital again and again.
    settings.venue.failure_probability = 0.7;
    settings.venue.gas = Money(Decimal::ONE);
    settings.venue.seed = 5;
    let mut inputs: Vec<Input> = market_inputs().into_iter().take(1_600).collect();
    for place in [1_500, 1_100, 700, 300] {
        let time = inputs[place].time;
        inputs.insert(place, Input { time, ..command(halt(HaltAction::Flatten)) });
        let later = place + 60;
        inputs.insert(later, Input { time: inputs[later].time, ..command(Command::Resume {}) });
    }
    let batches = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let source = || {
        let batches = std::sync::Arc::clone(&batches);
        NativeSource::default().with("counter", move |_: &InstanceConfig| {
            Box::new(Counter { bars: 0, fails_every: u64::MAX, acts_every: 7, batches: batches.clone() })
        })
    };
    settings.save_every_events = 50;
    assert!(compare_over(&inputs, &settings, source, &["counter"]) > 100);
    assert!(batches.load(std::sync::atomic::Ordering::Relaxed) > 10, "bars are handed over ahead");
}

#[test]
fn what_a_person_trades_is_told_on_its_own_bar() {
    let mut settings = settings(RiskLimits::none());
    settings.venue.latency = Span::from_seconds(150);
    let order = |side: Side, amount: ManualAmount| {
        let (slot, instrument) = ("counter".to_owned(), InstrumentId(0));
        let pricing = Pricing::Market;
        let order = ManualOrder { slot, instrument, side, amount, pricing, exits: None };
        command(Command::PlaceOrder(Box::new(order)))
    };
    let mut inputs: Vec<Input> = market_inputs().into_iter().take(1_600).collect();
    for place in [1_500, 1_100, 700, 300] {
        let value = ManualAmount::Notional(Money(Decimal::ONE_HUNDRED));
        let time = inputs[place].time;
        inputs.insert(place, Input { time, ..order(Side::Buy, value) });
        let time = inputs[place + 60].time;
        inputs.insert(place + 60, Input { time, ..order(Side::Sell, ManualAmount::All) });
    }
    let batches = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let source = || {
        let batches = std::sync::Arc::clone(&batches);
        NativeSource::default().with("counter", move |_: &InstanceConfig| {
            Box::new(Counter {
                bars: 0,
                fails_every: u64::MAX,
                acts_every: u64::MAX,
                batches: batches.clone(),
            })
        })
    };
    settings.save_every_events = 50;
    assert!(compare_over(&inputs, &settings, source, &["counter"]) > 20);
    assert!(batches.load(std::sync::atomic::Ordering::Relaxed) > 10, "bars are handed over ahead");
}
