//! The deterministic simulation: from a seed a random market, random settings, random strategies, faults and
//! commands. Every invariant of the engine is checked after every step, against books that listen to the
//! outputs alone.
//!
//! `BULKHEAD_SEEDS` and `BULKHEAD_SEED_START` choose the seeds of a long run; without them the seeds of
//! `seeds.txt`, which once found something, and a fixed range are run.

#![allow(clippy::unwrap_used, reason = "a simulation that can't go on has failed")]
#![allow(clippy::print_stdout, reason = "a seed that fails is told at once")]

#[path = "simulation/books.rs"]
mod books;
#[path = "simulation/checks.rs"]
mod checks;
#[path = "simulation/controls.rs"]
mod controls;
#[path = "simulation/random.rs"]
mod random;
#[path = "simulation/scenario.rs"]
mod scenario;
#[path = "simulation/strategies.rs"]
mod strategies;

use std::panic::{AssertUnwindSafe, catch_unwind};

use bulkhead_core::engine::{Engine, EngineSnapshot};
use bulkhead_core::identifier::{OrderId, StrategyId};
use bulkhead_core::input::InputKind;
use bulkhead_core::output::Output;
use bulkhead_core::strategy::FaultKind;

use crate::checks::Checker;
use crate::scenario::{HOSTILE_SLOT, Scenario};
use crate::strategies::Source;

/// Seeds of an ordinary test run, besides the corpus.
const SEEDS: u64 = 150;

#[test]
fn every_invariant_holds_after_every_step() {
    each_seed("every_invariant_holds_after_every_step", |seed| {
        let scenario = Scenario::random(seed);
        run(&scenario, false, true)?;
        Ok(())
    });
}

#[test]
fn two_runs_are_equal_and_so_is_one_that_delivers_events_one_at_a_time() {
    each_seed("two_runs_are_equal_and_so_is_one_that_delivers_events_one_at_a_time", |seed| {
        let scenario = Scenario::random(seed);
        let (first, digest) = run(&scenario, false, false)?;
        let (second, again) = run(&scenario, false, false)?;
        same(&first, &second)?;
        if digest != again {
            return Err("two runs have different digests".to_owned());
        }
        let (single, digest_of_single) = run(&scenario, true, false)?;
        same(&without_cuts(first), &without_cuts(single))?;
        if digest != digest_of_single { Err("the digest depends on the batches".to_owned()) } else { Ok(()) }
    });
}

#[test]
fn going_on_from_snapshots_is_the_same_as_going_on() {
    each_seed("going_on_from_snapshots_is_the_same_as_going_on", |seed| {
        let scenario = Scenario::with_checkpoints(seed);
        let (going_on, digest) = run(&scenario, false, true)?;
        let mut engine = start(&scenario, false)?;
        for (number, (step, expected)) in scenario.steps.iter().zip(&going_on).enumerate() {
            let mut outputs = Vec::new();
            engine.step(&step.input, &mut outputs);
            if outputs != *expected {
                return Err(format!("step {number} differs:\n  {outputs:?}\n  {expected:?}"));
            }
            if matches!(step.input.kind, InputKind::Checkpoint) {
                engine =
                    started_again(&scenario, &engine).map_err(|what| format!("step {number}: {what}"))?;
            }
        }
        if engine.digest().to_string() != digest { Err("the digests differ".to_owned()) } else { Ok(()) }
    });
}

/// An engine from the written snapshot of another. What it would write itself must be the same.
fn started_again(scenario: &Scenario, engine: &Engine) -> Result<Engine, String> {
    let written = postcard::to_allocvec(&engine.snapshot()).map_err(|error| error.to_string())?;
    let read: EngineSnapshot = postcard::from_bytes(&written).map_err(|error| error.to_string())?;
    let source = Source::new(&scenario.profiles, false);
    let again = Engine::restore(read, Box::new(source)).map_err(|error| error.to_string())?;
    let written_again = postcard::to_allocvec(&again.snapshot()).map_err(|error| error.to_string())?;
    if written == written_again { Ok(again) } else { Err("the snapshots differ".to_owned()) }
}

#[test]
fn what_one_strategy_does_reaches_no_other() {
    each_seed("what_one_strategy_does_reaches_no_other", |seed| {
        let scenario = Scenario::isolation(seed);
        let with = run(&scenario, false, true)?.0;
        let without = run(&scenario.without_hostile(), false, true)?.0;
        let hostile = scenario.hostile_slot();
        same(&of_others(with, hostile), &of_others(without, hostile))
    });
}

#[test]
fn a_fault_changes_nothing_of_strategies_that_share_the_account() {
    each_seed("a_fault_changes_nothing_of_strategies_that_share_the_account", |seed| {
        let scenario = Scenario::shared_account(seed);
        let faulty = run(&scenario, false, true)?.0;
        let calm = run(&scenario.with_calm_hostile(), false, true)?.0;
        let hostile = scenario.hostile_slot();
        same(&of_others(faulty, hostile), &of_others(calm, hostile))
    });
}

fn start(scenario: &Scenario, one_at_a_time: bool) -> Result<Engine, String> {
    let source = Source::new(&scenario.profiles, one_at_a_time);
    Engine::new(scenario.settings.clone(), Box::new(source)).map_err(|error| error.to_string())
}

/// Runs a scenario; the outputs of each step, and the digest.
fn run(
    scenario: &Scenario,
    one_at_a_time: bool,
    checked: bool,
) -> Result<(Vec<Vec<Output>>, String), String> {
    let mut engine = start(scenario, one_at_a_time)?;
    let mut checker = Checker::new(scenario);
    let mut all = Vec::with_capacity(scenario.steps.len());
    for (number, step) in scenario.steps.iter().enumerate() {
        let mut outputs = Vec::new();
        let stepped = catch_unwind(AssertUnwindSafe(|| engine.step(&step.input, &mut outputs)));
        let place = || format!("step {number}, {:?}", step.input);
        stepped.map_err(|_| format!("the engine panicked at {}", place()))?;
        if checked {
            checker.check(&engine, step, &outputs).map_err(|what| format!("{what}\n  at {}", place()))?;
        }
        all.push(outputs);
    }
    Ok((all, engine.digest().to_string()))
}

fn each_seed(test: &str, check: impl Fn(u64) -> Result<(), String>) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let start = number("BULKHEAD_SEED_START");
    let count = number("BULKHEAD_SEEDS");
    let corpus = include_str!("seeds.txt").lines().filter(|line| !line.starts_with('#'));
    let corpus = corpus.filter_map(|line| line.split_whitespace().next()?.parse().ok());
    let chosen = start.is_some() || count.is_some();
    let range = start.unwrap_or(0)..start.unwrap_or(0) + count.unwrap_or(if chosen { 1 } else { SEEDS });
    let seeds = corpus.filter(|_| !chosen).chain(range);
    let mut failures = 0;
    for seed in seeds {
        if let Err(what) = check(seed) {
            failures += 1;
            println!("seed {seed} fails {test}: {what}");
            println!("  again: cargo xtask simulate --start {seed} --seeds 1");
            assert!(failures < 5, "{failures} seeds failed, the last is {seed}; see above");
        }
    }
    assert!(failures == 0, "{failures} seeds failed; see above");
}

fn same(first: &[Vec<Output>], second: &[Vec<Output>]) -> Result<(), String> {
    for (number, (one, other)) in first.iter().zip(second).enumerate() {
        if one != other {
            return Err(format!("step {number} differs:\n  {one:?}\n  {other:?}"));
        }
    }
    Ok(())
}

/// Without what a fault report says of the call that failed, which depends on the cut into calls.
fn without_cuts(mut steps: Vec<Vec<Output>>) -> Vec<Vec<Output>> {
    for output in steps.iter_mut().flatten() {
        if let Output::StrategyFault(report) = output
            && let FaultKind::Contract(answer) = &mut report.fault
        {
            answer.clear();
        }
    }
    steps
}

/// What concerns the other strategies, without order numbers: those count over the account.
fn of_others(steps: Vec<Vec<Output>>, hostile: StrategyId) -> Vec<Vec<Output>> {
    let others = |output: &mut Output| {
        let (strategy, order) = match output {
            Output::OrderAccepted(terms) => (terms.strategy, Some(&mut terms.id)),
            Output::OrderChanged(change) => (change.strategy, Some(&mut change.order)),
            Output::Filled(fill) => (fill.strategy, Some(&mut fill.order)),
            Output::Refused(refused) => (refused.strategy, None),
            Output::TradeClosed(trade) => (trade.strategy, None),
            Output::Charged { strategy, .. } | Output::StrategyLog { strategy, .. } => (*strategy, None),
            Output::StrategyFault(report) => (report.strategy, None),
            Output::SlotChanged(change) => (change.strategy, None),
            // The account's breakers look at nobody's faults.
            Output::BreakerChanged(_) | Output::SettingsChanged { .. } => return true,
            // Only commands to the slot that misbehaves are refused.
            Output::TradingState(_) | Output::InputRefused { .. } => return false,
            Output::VenueRequested { .. }
            | Output::StageReached(_)
            | Output::BooksAdjusted(_)
            | Output::IgnoringChanged(_) => {
                unreachable!("the scenarios trade on paper")
            }
        };
        if let Some(order) = order {
            *order = OrderId(0);
        }
        strategy != hostile
    };
    steps
        .into_iter()
        .map(|step| step.into_iter().filter_map(|mut o| others(&mut o).then_some(o)).collect())
        .collect()
}

impl Scenario {
    fn hostile_slot(&self) -> StrategyId {
        use bulkhead_core::input::Command;
        let deploys = self.steps.iter().filter_map(|step| match &step.input.kind {
            InputKind::Command(asked) => match &asked.command {
                Command::Deploy(deployment) => Some(&deployment.slot),
                _ => None,
            },
            _ => None,
        });
        let place = deploys.into_iter().position(|slot| slot == HOSTILE_SLOT).unwrap();
        StrategyId(u32::try_from(place).unwrap())
    }
}
