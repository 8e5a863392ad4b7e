//! What the sandbox costs: the same rule native and in WebAssembly, one bar a call.

use anyhow::{Result, ensure};
use bulkhead_core::input::Input;
use bulkhead_core::strategy::StrategySource;

use crate::Suite;
use crate::backtest::{Outcome, engine, engine_alone, settings, whole_path};
use crate::figures::{Figures, Goal};
use crate::market::{RandomWalk, write_csv};
use crate::measure::number;
use crate::native::NativeCrossovers;

const PART: &str = "sandbox";

pub(crate) fn measure(suite: &Suite, figures: &mut Figures) -> Result<()> {
    // Long enough to be steady, short enough for many turns.
    let count = suite.extent.bars / 4;
    let bars: Vec<Input> = RandomWalk::new().take(count).collect();
    let file = suite.directory.join("cost.csv");
    write_csv(&file, count)?;
    let ways = |native: bool| -> Result<[Outcome; 2]> {
        let start = || {
            let source: Box<dyn StrategySource> =
                if native { Box::new(NativeCrossovers) } else { Box::new(suite.sandbox.clone()) };
            engine(settings(), source, suite.version)
        };
        Ok([engine_alone(start()?, &bars)?, whole_path(start()?, &file)?])
    };
    // Once unmeasured, so that no way pays for cold caches.
    ways(true)?;
    ways(false)?;
    let (mut native, mut wasm) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..suite.extent.turns {
        let (of_native, of_wasm) = (ways(true)?, ways(false)?);
        for (place, (one, other)) in of_native.iter().zip(&of_wasm).enumerate() {
            ensure!(one.digest == other.digest, "native and WebAssembly traded differently");
            native[place].push(nanos_a_bar(one));
            wasm[place].push(nanos_a_bar(other));
        }
    }
    for (place, path, goal) in
        [(0, "engine alone", None), (1, "whole path, file to recorder", Some(Goal::AtMost(2.0)))]
    {
        figures.add(PART, format!("native rule, {path}"), "ns/bar", &native[place], None);
        figures.add(PART, format!("wasm rule, {path}"), "ns/bar", &wasm[place], None);
        let ratios: Vec<f64> =
            wasm[place].iter().zip(&native[place]).map(|(wasm, native)| wasm / native).collect();
        figures.add(PART, format!("wasm / native, {path}"), "times", &ratios, goal);
    }
    Ok(())
}

fn nanos_a_bar(outcome: &Outcome) -> f64 {
    outcome.total.as_secs_f64() * 1e9 / number(outcome.bars)
}
