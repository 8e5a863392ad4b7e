//! What the sandbox costs: the same rule native and in WebAssembly, one bar a call as while trading; and what
//! backtests save by handing bars ahead of their turn.

use anyhow::{Result, ensure};
use bulkhead_core::input::Input;
use bulkhead_core::strategy::StrategySource;

use crate::Suite;
use crate::backtest::{Handing, Outcome, engine, engine_alone, settings, whole_path};
use crate::figures::{Figures, Goal};
use crate::market::{RandomWalk, write_csv};
use crate::measure::number;
use crate::native::NativeCrossovers;

const PART: &str = "sandbox";

/// A way of running the rule.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    is_native: bool,
    handing: Handing,
}

const NATIVE: Way = Way { name: "native rule", is_native: true, handing: Handing::OneByOne };

const SANDBOXED: [(Way, Option<Goal>); 2] = [
    (
        Way { name: "wasm rule, one bar a call", is_native: false, handing: Handing::OneByOne },
        Some(Goal::AtMost(2.0)),
    ),
    (Way { name: "wasm rule, bars ahead of their turn", is_native: false, handing: Handing::Ahead }, None),
];

pub(crate) fn measure(suite: &Suite, figures: &mut Figures) -> Result<()> {
    // Long enough to be steady, short enough for many turns.
    let count = suite.extent.bars / 4;
    let bars: Vec<Input> = RandomWalk::new().take(count).collect();
    let file = suite.directory.join("cost.csv");
    write_csv(&file, count)?;
    let start = |way: Way| {
        let source: Box<dyn StrategySource> =
            if way.is_native { Box::new(NativeCrossovers) } else { Box::new(suite.sandbox.clone()) };
        engine(settings(), source, suite.version)
    };
    let alone = |way: Way| engine_alone(start(way)?, &bars, way.handing);
    let whole = |way: Way| whole_path(start(way)?, &file, way.handing);
    compare(suite, figures, "engine alone", [None, None], alone)?;
    compare(suite, figures, "whole path, file to recorder", SANDBOXED.map(|(_, goal)| goal), whole)
}

/// Runs all ways in turns.
fn compare(
    suite: &Suite,
    figures: &mut Figures,
    path: &str,
    goals: [Option<Goal>; 2],
    run: impl Fn(Way) -> Result<Outcome>,
) -> Result<()> {
    // Once unmeasured, so that no way pays for cold caches.
    let digest = run(NATIVE)?.digest;
    let mut native = Vec::new();
    let mut sandboxed = [Vec::new(), Vec::new()];
    for _ in 0..suite.extent.turns {
        native.push(nanos_a_bar(&run(NATIVE)?));
        for ((way, _), samples) in SANDBOXED.iter().zip(&mut sandboxed) {
            let outcome = run(*way)?;
            ensure!(outcome.digest == digest, "native and WebAssembly traded differently");
            samples.push(nanos_a_bar(&outcome));
        }
    }
    figures.add(PART, format!("{path}: {}", NATIVE.name), "ns/bar", &native, None);
    for (((way, _), samples), goal) in SANDBOXED.iter().zip(&sandboxed).zip(goals) {
        figures.add(PART, format!("{path}: {}", way.name), "ns/bar", samples, None);
        let ratios: Vec<f64> = samples.iter().zip(&native).map(|(wasm, native)| wasm / native).collect();
        figures.add(PART, "… as a multiple of the native rule", "times", &ratios, goal);
    }
    Ok(())
}

fn nanos_a_bar(outcome: &Outcome) -> f64 {
    outcome.total.as_secs_f64() * 1e9 / number(outcome.bars)
}
