//! The engine set up as `bulkhead backtest` does it, and that command's loop, in this process.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use bulkhead_core::engine::{Engine, EngineSettings};
use bulkhead_core::identifier::{ContentHash, InstrumentId, StrategyId};
use bulkhead_core::input::{Actor, Command, Deployment, Input, InputKind, StrategyMode};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::money::{Money, Quantity};
use bulkhead_core::output::{Output, SlotEvent};
use bulkhead_core::risk::RiskLimits;
use bulkhead_core::sizing::Sizing;
use bulkhead_core::strategy::StrategySource;
use bulkhead_core::venue::paper::PaperSettings;
use bulkhead_feeds::Feed as _;
use bulkhead_feeds::csv::{CsvFeed, CsvSettings};
use bulkhead_report::recorder::Slot;
use bulkhead_report::{Recorder, RecorderSettings};
use cpu_time::ThreadTime;
use rust_decimal::Decimal;

use crate::market::SYMBOL;
use crate::measure::timed;

/// The slot's name, which is in the digest.
pub(crate) const SLOT: &str = "sma-crossover";

/// Inputs that are pulled from the feed at a time, as the command does.
const BATCH: usize = 4_096;

/// What the account starts with.
pub(crate) const CASH: i64 = 1_000_000;

/// Orders of one unit, filled at the next open for 10 basis points, with solvency as the only check: the rules
/// on which other engines were measured.
pub(crate) fn settings() -> EngineSettings {
    let instruments = vec![Instrument::new(SYMBOL, 2, 8)];
    let mut settings = EngineSettings::new(instruments, Money(Decimal::from(CASH)));
    settings.venue = PaperSettings::exact(Decimal::TEN);
    settings.risk = RiskLimits::none();
    settings.sizing = Sizing::Quantity(Quantity(Decimal::ONE));
    settings
}

/// An engine that runs one strategy on all its capital.
pub(crate) fn engine(
    settings: EngineSettings,
    source: Box<dyn StrategySource>,
    version: ContentHash,
) -> Result<Engine> {
    let mut engine = Engine::new(settings, source)?;
    deploy(&mut engine, SLOT, version, Decimal::ONE)?;
    Ok(engine)
}

/// Puts a version into a slot at the engine's present time.
pub(crate) fn deploy(engine: &mut Engine, slot: &str, version: ContentHash, weight: Decimal) -> Result<()> {
    let deployment = Deployment {
        slot: slot.to_owned(),
        version,
        mode: StrategyMode::Live,
        weight,
        instruments: Vec::new(),
        parameters: BTreeMap::new(),
    };
    let mut outputs = Vec::new();
    let kind = InputKind::command(Actor::Host("benchmark".to_owned()), Command::Deploy(deployment));
    engine.step(&Input { time: engine.now(), kind }, &mut outputs);
    for output in outputs {
        match output {
            Output::InputRefused { reason, .. } => bail!("{slot} can't run: {reason}"),
            Output::SlotChanged(change) => {
                if let SlotEvent::DeploymentFailed { reason, .. } = change.event {
                    bail!("{slot} can't run: {reason}");
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// What a run came to.
pub(crate) struct Outcome {
    /// Of the whole: reading the file, the engine, the recorder.
    pub(crate) total: Duration,
    /// Of the engine and the recorder.
    pub(crate) engine: Duration,
    pub(crate) bars: usize,
    pub(crate) orders: usize,
    pub(crate) digest: String,
}

/// How the engine is handed its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handing {
    /// One by one, as while trading: one bar a call.
    OneByOne,
    /// With those that follow, as a backtest does: a strategy that nothing else can reach gets several bars in
    /// one call.
    Ahead,
}

impl Handing {
    fn hand(
        self,
        engine: &mut Engine,
        inputs: &[Input],
        mut after: impl FnMut(&Engine, &Input, &mut Vec<Output>),
    ) {
        match self {
            Self::Ahead => engine.play(inputs, after),
            Self::OneByOne => {
                let mut outputs = Vec::new();
                for input in inputs {
                    engine.step(input, &mut outputs);
                    after(engine, input, &mut outputs);
                    outputs.clear();
                }
            }
        }
    }
}

/// Only the engine, on bars that are in memory.
pub(crate) fn engine_alone(mut engine: Engine, bars: &[Input], handing: Handing) -> Result<Outcome> {
    let mut orders = 0;
    let (time, ()) = timed(|| {
        for batch in bars.chunks(BATCH) {
            handing.hand(&mut engine, batch, |_, _, outputs| {
                for output in outputs.drain(..) {
                    orders += usize::from(matches!(output, Output::OrderAccepted(_)));
                }
            });
        }
    });
    let digest = sound(&engine)?;
    Ok(Outcome { total: time, engine: time, bars: bars.len(), orders, digest })
}

/// The whole path of a backtest, from the file to the recorder.
pub(crate) fn whole_path(mut engine: Engine, file: &Path, handing: Handing) -> Result<Outcome> {
    let mut recorder_settings = RecorderSettings::new(Money(Decimal::from(CASH)));
    recorder_settings.instruments = vec![SYMBOL.to_owned()];
    let mut recorder = Recorder::new(recorder_settings);
    recorder.slot(&Slot { id: StrategyId(0), name: SLOT.to_owned(), mode: StrategyMode::Live });
    let mut feed = CsvFeed::open(file, &csv_settings())?;
    let mut batch: Vec<Input> = Vec::with_capacity(BATCH);
    let mut outcome =
        Outcome { total: Duration::ZERO, engine: Duration::ZERO, bars: 0, orders: 0, digest: String::new() };
    let beginning = ThreadTime::now();
    loop {
        batch.clear();
        if feed.next_batch(&mut batch, BATCH)? == 0 {
            break;
        }
        let (time, ()) = timed(|| {
            handing.hand(&mut engine, &batch, |engine, input, outputs| {
                if let InputKind::Bar(bar) = &input.kind {
                    recorder.bar(bar);
                }
                for output in outputs.drain(..) {
                    outcome.orders += usize::from(matches!(output, Output::OrderAccepted(_)));
                    recorder.output(&output);
                }
                let (equity, exposure) = engine.equity_estimate();
                recorder.equity(input.time, equity, exposure);
            });
        });
        outcome.engine += time;
        outcome.bars += batch.len();
    }
    outcome.total = beginning.elapsed();
    outcome.digest = sound(&engine)?;
    Ok(outcome)
}

/// Only the reading of the file; the time and the rows.
pub(crate) fn parse_alone(file: &Path) -> Result<(Duration, usize)> {
    let mut feed = CsvFeed::open(file, &csv_settings())?;
    let mut batch: Vec<Input> = Vec::with_capacity(BATCH);
    let mut rows = 0;
    let started = ThreadTime::now();
    loop {
        batch.clear();
        match feed.next_batch(&mut batch, BATCH)? {
            0 => return Ok((started.elapsed(), rows)),
            count => rows += count,
        }
        std::hint::black_box(&batch);
    }
}

fn csv_settings() -> CsvSettings {
    CsvSettings { instrument: InstrumentId(0), symbol: Some(SYMBOL.to_owned()), ..CsvSettings::default() }
}

/// The digest of a run in which no strategy failed: one that stopped early would look fast.
pub(crate) fn sound(engine: &Engine) -> Result<String> {
    let faults: u64 = engine.slots().iter().map(bulkhead_core::engine::Slot::faults).sum();
    ensure!(faults == 0, "{faults} faults; what was measured is not the rule");
    Ok(engine.digest().to_string())
}
