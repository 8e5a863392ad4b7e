//! Thousands of strategies in one process.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bulkhead_core::engine::Engine;
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::{Input, InputKind};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::strategy::{Event, InstanceConfig, Strategy as _, StrategySource as _};
use bulkhead_sandbox::Grants;
use rust_decimal::Decimal;

use crate::Suite;
use crate::backtest::{deploy, settings, sound};
use crate::figures::Figures;
use crate::market::{RandomWalk, SYMBOL};
use crate::measure::{number, resident_bytes, timed};

const PART: &str = "instances";

/// Bars that every strategy is told.
const BARS: usize = 300;

/// Some before anything is measured: the averages become known.
const FIRST_BARS: usize = 60;

pub(crate) fn measure(suite: &Suite, figures: &mut Figures) -> Result<()> {
    let count = suite.extent.instances;
    // Before others have taken memory that instances could use again.
    instances_with_a_model(suite, count / 10, figures)?;
    instances_alone(suite, count, figures)?;

    let mut costs = Vec::new();
    for slots in [1, count] {
        let mut samples = Vec::new();
        for _ in 0..suite.extent.turns.min(3) {
            samples.push(events_a_second(suite, slots)?);
        }
        figures.add(
            PART,
            format!("bars handed to strategies, {slots} in one engine"),
            "bars/s",
            &samples,
            None,
        );
        costs.push(samples);
    }
    if let [one, many] = costs.as_slice() {
        let ratios: Vec<f64> = one.iter().zip(many).map(|(one, many)| one / many).collect();
        figures.add(PART, format!("cost of a bar, {count} strategies / 1"), "times", &ratios, None);
    }
    Ok(())
}

fn instances_alone(suite: &Suite, count: usize, figures: &mut Figures) -> Result<()> {
    let description = suite.sandbox.describe(&suite.version)?;
    let config = InstanceConfig {
        instruments: vec![(InstrumentId(0), Instrument::new(SYMBOL, 2, 8))],
        settings: description.settings(&BTreeMap::new()).unwrap_or_default(),
        signals: Vec::new(),
        history: Vec::new(),
    };
    let (mut micros, mut kilobytes) = (Vec::new(), Vec::new());
    for _ in 0..suite.extent.turns.min(3) {
        let mut instances = Vec::with_capacity(count);
        let before = resident_bytes()?;
        let (time, started) = timed(|| {
            for _ in 0..count {
                instances.push(suite.sandbox.start(&suite.version, &config)?);
            }
            Ok::<(), anyhow::Error>(())
        });
        started?;
        micros.push(time.as_secs_f64() * 1e6 / number(count));
        kilobytes.push((resident_bytes()? - before) / 1e3 / number(count));
    }
    // What the first turn frees is used again by the next, so only the first tells what an instance takes.
    kilobytes.truncate(1);
    figures.add(PART, format!("start one of {count}"), "µs", &micros, None);
    figures.add(PART, format!("memory of one of {count}"), "kB", &kilobytes, None);
    Ok(())
}

/// The AI strategy with the shipped model, once all windows are full and the model was asked.
fn instances_with_a_model(suite: &Suite, count: usize, figures: &mut Figures) -> Result<()> {
    const MODEL: &str = "ai-ensemble";
    // Its windows are not full yet.
    const WITHOUT_MODEL: usize = 200;
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("{} can't be read", path.display()));
    let model =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/ai/models").join(format!("{MODEL}.onnx"));
    let grants = Grants::from([(MODEL.to_owned(), suite.sandbox.load_model(&read(&model)?)?)]);
    let file = read(&suite.plugin.with_file_name("ai.wasm"))?;
    let (version, description) = suite.sandbox.prepare_granted(&file, &grants)?;
    let config = InstanceConfig {
        instruments: vec![(InstrumentId(0), Instrument::new(SYMBOL, 2, 8))],
        settings: description.settings(&BTreeMap::new()).unwrap_or_default(),
        signals: Vec::new(),
        history: Vec::new(),
    };
    let bars: Vec<Event> = RandomWalk::new()
        .filter_map(|input| match input.kind {
            InputKind::Bar(bar) => Some(Event::Bar(bar)),
            _ => None,
        })
        .take(BARS)
        .collect();
    let mut instances = Vec::with_capacity(count);
    let mut actions = Vec::new();
    let before = resident_bytes()?;
    for _ in 0..count {
        let mut instance = suite.sandbox.start(&version, &config)?;
        let (mut unasked, mut asked) = (0, 0);
        for (number, bar) in bars.iter().enumerate() {
            instance.on_events(std::slice::from_ref(bar), &mut actions)?;
            asked = instance.last_fuel();
            if number == WITHOUT_MODEL {
                unasked = asked;
            }
        }
        // A row of the model alone is paid with more.
        ensure!(asked > unasked + 40_000, "the model was not asked, so this measures too little");
        instances.push(instance);
    }
    let kilobytes = (resident_bytes()? - before) / 1e3 / number(count);
    figures.add(PART, format!("memory of one of {count} with the shipped model"), "kB", &[kilobytes], None);
    Ok(())
}

/// Bars handed to all slots together in a second, each slot trading its own share of the capital.
fn events_a_second(suite: &Suite, slots: usize) -> Result<f64> {
    let mut engine = Engine::new(settings(), Box::new(suite.sandbox.clone()))?;
    let weight = (Decimal::ONE / Decimal::from(slots)).trunc_with_scale(6);
    for slot in 0..slots {
        deploy(&mut engine, &format!("slot-{slot}"), suite.version, weight)?;
    }
    let bars: Vec<Input> = RandomWalk::new().take(FIRST_BARS + BARS * (2_000 / slots).max(1)).collect();
    let mut outputs = Vec::new();
    let (first, measured) = bars.split_at(FIRST_BARS);
    let mut play = |bars: &[Input]| {
        for bar in bars {
            outputs.clear();
            engine.step(bar, &mut outputs);
        }
    };
    play(first);
    let (time, ()) = timed(|| play(measured));
    sound(&engine)?;
    Ok(number(measured.len() * slots) / time.as_secs_f64())
}
