//! `bulkhead backtest`: the same engine over the past.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bulkhead_configuration::{Configuration, Paper, Risk, Setting, TextValue as _};
use bulkhead_core::engine::{Engine, SlotStatus};
use bulkhead_core::identifier::ContentHash;
use bulkhead_core::input::{Actor, Command, Deployment, Input, InputKind, StrategyMode};
use bulkhead_core::order::Side;
use bulkhead_core::output::{Output, SlotEvent};
use bulkhead_core::risk::RiskLimits;
use bulkhead_core::strategy::{Description, ParameterValue};
use bulkhead_core::time::Timestamp;
use bulkhead_core::venue::paper::PaperSettings;
use bulkhead_report::recorder::{DataFile, Final, OpenPosition, Performance, Slot, StrategyVersion};
use bulkhead_report::{Colours, Recorder, RecorderSettings, Report};
use rust_decimal::Decimal;

use crate::arguments::{BacktestArguments, Fill, WrongUsage};
use crate::configuration;
use crate::market_data::{self, MarketData, read};
use crate::model_files::GrantingSandbox;
use crate::playing;
use crate::{memory_use, strategy_files};

/// How much everything else goes first in the background.
const NICENESS: i32 = 15;

/// A strategy that is to be tested.
struct Candidate {
    slot: String,
    version: ContentHash,
    description: Description,
    mode: StrategyMode,
    weight: Decimal,
    parameters: BTreeMap<String, ParameterValue>,
}

/// Runs the backtest and prints its report.
pub(crate) fn backtest(arguments: &BacktestArguments) -> Result<()> {
    if arguments.background {
        // Without it it only takes more of the machine.
        let _ = rustix::process::nice(NICENESS);
    }
    #[cfg(target_os = "linux")]
    if let Some(host) = arguments.ends_with {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
            .context("it can't be made to end with the host")?;
        // The host may have ended before.
        anyhow::ensure!(
            rustix::process::getppid().is_some_and(|parent| parent.as_raw_pid().cast_unsigned() == host),
            "the host has ended"
        );
    }
    let configuration = configure(arguments)?;
    let sandbox = GrantingSandbox::new(strategy_files::sandbox(&configuration)?, &configuration);
    let mut candidates = Vec::new();
    for name in &arguments.strategy {
        let (slot, path) = strategy_files::find(&configuration.strategies.directory, name)?;
        let (version, description) = sandbox
            .prepare(&slot, &read(&path)?)
            .with_context(|| format!("{} is refused", path.display()))?;
        if candidates.iter().any(|other: &Candidate| other.slot == slot) {
            let why =
                format!("the strategy \"{slot}\" is given twice; copy one of the files to another name");
            return Err(WrongUsage(why).into());
        }
        let parameters =
            configuration.slots.get(&slot).map(|slot| slot.parameters.clone()).unwrap_or_default();
        candidates.push(Candidate {
            slot,
            version,
            description,
            mode: StrategyMode::Live,
            weight: Decimal::ZERO,
            parameters,
        });
    }
    if arguments.weight.is_empty() && arguments.configuration.config.is_some() {
        for candidate in &mut candidates {
            if let Some(slot) = configuration.slots.get(&candidate.slot) {
                (candidate.weight, candidate.mode) = (slot.weight.0, slot.mode);
            }
        }
    } else {
        set_weights(&mut candidates, &arguments.weight)?;
    }
    set_parameters(&mut candidates, &arguments.param)?;

    let data = MarketData::open(&configuration)?;
    let signals = Vec::new();
    let settings = configuration.engine_settings(data.instruments.clone(), signals);
    let mut recorder_settings = RecorderSettings::new(settings.cash);
    recorder_settings.instruments =
        data.instruments.iter().map(|instrument| instrument.symbol.clone()).collect();
    let engine = Engine::new(settings, Box::new(sandbox.sandbox().clone()))?;
    let mut run = Backtest {
        engine,
        recorder: Recorder::new(recorder_settings),
        outputs: Vec::new(),
        bars: 0,
        busy: Duration::ZERO,
    };
    for candidate in &candidates {
        run.deploy(candidate)?;
    }
    let files = data.files.iter().map(|file| DataFile {
        symbol: file.symbol.clone(),
        sha256: file.sha256.to_string(),
        bars: file.rows,
    });
    let files: Vec<DataFile> = files.collect();
    run.play(&data, arguments.background)?;
    let report = run.finish(&configuration, &candidates, files, arguments)?;
    write(&report, arguments)
}

/// The layers of a backtest: without a configuration file exact fills and a fee of 10 basis points, so that
/// results can be compared by hand; flags change single keys.
fn configure(arguments: &BacktestArguments) -> Result<Configuration> {
    let table = |section: &str, value: toml::Table| {
        toml::Table::from_iter([(section.to_owned(), toml::Value::Table(value))])
    };
    let paper = |settings: &PaperSettings| -> Result<toml::Table> {
        Ok(table("paper", toml::Table::try_from(Paper::from(settings))?))
    };
    let exact = match arguments.configuration.config {
        None => Some((paper(&PaperSettings::exact(Decimal::TEN))?, "defaults of backtest")),
        Some(_) => None,
    };
    let mut layers = configuration::layers(&arguments.configuration, exact)?;
    match arguments.fill {
        Some(Fill::Realistic) => layers.add(paper(&PaperSettings::default())?, "--fill"),
        Some(Fill::NextOpen) => layers.set("paper.fill", "next-open", "--fill"),
        Some(Fill::SameClose) => layers.set("paper.fill", "same-close", "--fill"),
        None => {}
    }
    let mut flag = |key: &str, value: Option<String>, name: &str| {
        if let Some(value) = value {
            layers.set_text(key, &value, name);
        }
    };
    flag("cash", arguments.cash.map(|v| v.to_string()), "--cash");
    flag("paper.fee_bps", arguments.fee_bps.map(|v| v.to_string()), "--fee-bps");
    flag("paper.slippage_bps", arguments.slippage_bps.map(|v| v.to_string()), "--slippage-bps");
    if let Some(sizing) = &arguments.sizing {
        let (method, size) = sizing.split_once('=').ok_or_else(|| {
            WrongUsage(format!("--sizing {sizing}: write fraction=0.02, notional=1000 or quantity=2"))
        })?;
        flag("sizing.method", Some(method.to_owned()), "--sizing");
        flag(&format!("sizing.{method}"), Some(size.to_owned()), "--sizing");
    }
    match arguments.risk.as_deref() {
        None => {}
        Some("default") => {
            layers.add(table("risk", toml::Table::try_from(Risk::default())?), "--risk default");
        }
        Some("none") => {
            let none = toml::Table::try_from(Risk::from(&RiskLimits::none()))?;
            layers.add(table("risk", none), "--risk none");
        }
        Some(file) => layers.add_section_file("risk", Path::new(file))?,
    }
    market_data::past(layers, &arguments.market)
}

fn set_weights(candidates: &mut [Candidate], weights: &[String]) -> Result<(), WrongUsage> {
    let parse = |text: &str| {
        Decimal::parse(text)
            .filter(|weight| (Decimal::ZERO..=Decimal::ONE).contains(weight))
            .ok_or_else(|| WrongUsage(format!("--weight {text}: a share from 0 to 1 is expected")))
    };
    if weights.is_empty() {
        let count = Decimal::from(candidates.len());
        for candidate in candidates {
            candidate.weight = (Decimal::ONE / count).trunc_with_scale(6);
        }
        return Ok(());
    }
    let named: Vec<(&str, &str)> = weights.iter().filter_map(|weight| weight.split_once('=')).collect();
    if named.len() == weights.len() {
        for (name, share) in named {
            let known =
                candidates.iter().map(|candidate| candidate.slot.clone()).collect::<Vec<_>>().join(", ");
            let candidate = candidates.iter_mut().find(|candidate| candidate.slot == name);
            let unknown = || WrongUsage(format!("--weight {name}: there are: {known}"));
            candidate.ok_or_else(unknown)?.weight = parse(share)?;
        }
        return Ok(());
    }
    if weights.len() != candidates.len() {
        let (shares, strategies) = (weights.len(), candidates.len());
        return Err(WrongUsage(format!(
            "--weight: {shares} shares for {strategies} strategies; give one for each, or NAME=SHARE"
        )));
    }
    for (candidate, weight) in candidates.iter_mut().zip(weights) {
        candidate.weight = parse(weight)?;
    }
    Ok(())
}

fn set_parameters(candidates: &mut [Candidate], parameters: &[String]) -> Result<(), WrongUsage> {
    for parameter in parameters {
        let (key, value) = parameter
            .split_once('=')
            .ok_or_else(|| WrongUsage(format!("--param {parameter}: write KEY=VALUE or NAME:KEY=VALUE")))?;
        let (slot, key) = match key.split_once(':') {
            Some((slot, key)) => (Some(slot), key),
            None => (None, key),
        };
        let mut taken = false;
        for candidate in candidates.iter_mut() {
            let has = candidate.description.parameters.iter().any(|known| known.name == key);
            if slot.is_none_or(|slot| slot == candidate.slot) && has {
                candidate.parameters.insert(key.to_owned(), parameter_value(value));
                taken = true;
            }
        }
        if !taken {
            let known: Vec<String> = candidates
                .iter()
                .flat_map(|candidate| {
                    candidate.description.parameters.iter().map(|p| format!("{}:{}", candidate.slot, p.name))
                })
                .collect();
            return Err(WrongUsage(format!(
                "--param {parameter}: no strategy has that parameter; there are: {}",
                known.join(", ")
            )));
        }
    }
    Ok(())
}

/// A value as its text looks: true or false, a whole number, a number, else a text.
pub(crate) fn parameter_value(text: &str) -> ParameterValue {
    if let Ok(flag) = text.parse() {
        ParameterValue::Flag(flag)
    } else if let Ok(integer) = text.parse() {
        ParameterValue::Integer(integer)
    } else if let Some(number) = f64::parse(text) {
        ParameterValue::Number(number)
    } else {
        ParameterValue::Text(text.to_owned())
    }
}

struct Backtest {
    engine: Engine,
    recorder: Recorder,
    outputs: Vec<Output>,
    bars: u64,
    /// Time in the engine and the recorder, without reading the files.
    busy: Duration,
}

impl Backtest {
    fn deploy(&mut self, candidate: &Candidate) -> Result<()> {
        let deployment = Deployment {
            slot: candidate.slot.clone(),
            version: candidate.version,
            mode: candidate.mode,
            weight: candidate.weight,
            instruments: Vec::new(),
            parameters: candidate.parameters.clone(),
        };
        let kind = InputKind::command(Actor::Host("backtest".to_owned()), Command::Deploy(deployment));
        self.outputs.clear();
        self.engine.step(&Input { time: Timestamp::EPOCH, kind }, &mut self.outputs);
        for output in &self.outputs {
            match output {
                Output::InputRefused { reason, .. } => bail!("{} can't run: {reason}", candidate.slot),
                Output::SlotChanged(change) => match &change.event {
                    SlotEvent::DeploymentFailed { reason, .. } => {
                        bail!("{} can't run: {reason}", candidate.slot)
                    }
                    _ => self.recorder.slot(&Slot {
                        id: change.strategy,
                        name: change.slot.clone(),
                        mode: candidate.mode,
                    }),
                },
                _ => {}
            }
            self.recorder.output(output);
        }
        Ok(())
    }

    fn play(&mut self, data: &MarketData, in_background: bool) -> Result<()> {
        playing::play(data, "backtest", in_background, |batch| {
            let started = Instant::now();
            self.take(batch);
            self.busy += started.elapsed();
            Ok(())
        })
    }

    fn take(&mut self, batch: &[Input]) {
        let Self { engine, recorder, bars, .. } = self;
        engine.play(batch, |engine, input, outputs| {
            if let InputKind::Bar(bar) = &input.kind {
                *bars += 1;
                recorder.bar(bar);
            }
            for output in outputs.drain(..) {
                recorder.output(&output);
            }
            let (equity, exposure) = engine.equity_estimate();
            recorder.equity(input.time, equity, exposure);
        });
    }

    fn finish(
        self,
        configuration: &Configuration,
        candidates: &[Candidate],
        data: Vec<DataFile>,
        arguments: &BacktestArguments,
    ) -> Result<Report> {
        let engine = &self.engine;
        let mut open_positions = Vec::new();
        for slot in engine.slots() {
            let Some(books) = engine.ledger().sub_ledger(slot.id()) else { continue };
            for position in books.positions() {
                let Some(instrument) = engine.settings().instrument(position.instrument) else { continue };
                let mark_price = engine.prices().price(position.instrument, instrument).unwrap_or_default();
                open_positions.push(OpenPosition {
                    strategy: slot.id(),
                    instrument: position.instrument,
                    side: Side::Buy,
                    entry_time: position.opened,
                    entry_price: position.average_price()?,
                    quantity: position.quantity,
                    mark_price,
                    fees: position.entry_fees,
                    unrealised_pnl: position.unrealised(mark_price)?,
                });
            }
        }
        let stopped: Vec<&str> = engine
            .slots()
            .iter()
            .filter(|slot| slot.status() == SlotStatus::Quarantined)
            .map(bulkhead_core::engine::Slot::name)
            .collect();
        if !stopped.is_empty() {
            anstream::eprintln!("warning: quarantined before the end: {}", stopped.join(", "));
        }
        let end = Final {
            equity: engine.equity()?,
            open_positions,
            settings: settings_of_report(configuration, candidates, arguments)?,
            data,
            strategies: candidates
                .iter()
                .map(|candidate| StrategyVersion {
                    name: candidate.slot.clone(),
                    version: candidate.description.version.clone(),
                    sha256: candidate.version.to_string(),
                })
                .collect(),
            digest: engine.digest().to_string(),
            performance: Performance::new(
                self.bars,
                self.busy.as_secs_f64(),
                memory_use::peak_resident_bytes(),
            ),
        };
        Ok(self.recorder.finish(end))
    }
}

/// What decided the result: only what a backtest looks at.
fn settings_of_report(
    configuration: &Configuration,
    candidates: &[Candidate],
    arguments: &BacktestArguments,
) -> Result<serde_json::Value> {
    let strategies: serde_json::Map<String, serde_json::Value> = candidates
        .iter()
        .map(|candidate| {
            let settings = candidate.description.settings(&candidate.parameters).unwrap_or_default();
            let parameters: BTreeMap<String, ParameterValue> = settings.into_iter().collect();
            let value = serde_json::json!({ "weight": Setting(candidate.weight), "parameters": parameters });
            (candidate.slot.clone(), value)
        })
        .collect();
    Ok(serde_json::json!({
        "cash": configuration.cash,
        "strategies": strategies,
        "risk": configuration.risk,
        "risk_profile": arguments.risk.as_deref().unwrap_or("default"),
        "sizing": configuration.sizing,
        "paper": configuration.paper,
        "quality": configuration.feed.quality,
    }))
}

fn write(report: &Report, arguments: &BacktestArguments) -> Result<()> {
    let to_standard_output = arguments.json.as_deref() == Some(Path::new("-"));
    if let Some(path) = &arguments.json {
        if to_standard_output {
            let mut output = std::io::BufWriter::new(std::io::stdout().lock());
            report
                .write_json(&mut output)
                .and_then(|()| output.flush())
                .context("the report can't be written")?;
            anstream::println!();
        } else {
            let file = std::fs::File::create(path)
                .with_context(|| format!("{} can't be written", path.display()))?;
            let mut file = std::io::BufWriter::new(file);
            report
                .write_json(&mut file)
                .and_then(|()| file.flush())
                .with_context(|| format!("{} can't be written", path.display()))?;
        }
    }
    if let Some(path) = &arguments.html {
        std::fs::write(path, report.html()?)
            .with_context(|| format!("{} can't be written", path.display()))?;
    }
    if !to_standard_output {
        anstream::println!("{}", report.terminal(Colours::On));
        for path in [&arguments.json, &arguments.html].into_iter().flatten() {
            anstream::println!("written: {}", path.display());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bulkhead_core::venue::paper::FillTiming;

    use super::*;
    use bulkhead_configuration::SizingMethod;

    fn configured(line: &str) -> Result<Configuration> {
        use clap::Parser as _;
        let line = format!("bulkhead backtest --strategy s --data X=x.csv {line}");
        let arguments = crate::arguments::Arguments::try_parse_from(line.split_whitespace())?;
        let crate::arguments::Command::Backtest(arguments) = arguments.command else { panic!("a backtest") };
        configure(&arguments)
    }

    #[test]
    fn a_backtest_fills_exactly_unless_told_otherwise() {
        let venue = |line: &str| PaperSettings::from(&configured(line).unwrap().paper);
        assert_eq!(venue(""), PaperSettings::exact(Decimal::TEN));
        assert_eq!(venue("--fill realistic"), PaperSettings::default());
        assert_eq!(venue("--fill same-close").timing, FillTiming::SameClose);
        assert_eq!(venue("--fee-bps 7.5 --slippage-bps 3").fee_bps, Decimal::new(75, 1));
    }

    #[test]
    fn without_risk_only_solvency_is_left() {
        let configuration = configured("--risk none --sizing quantity=2 --cash 500").unwrap();
        assert_eq!(RiskLimits::from(&configuration.risk), RiskLimits::none());
        assert_eq!(configuration.sizing.method, SizingMethod::Quantity);
        assert_eq!(configuration.cash.0, Decimal::from(500));
    }

    #[test]
    fn values_are_read_as_they_look() {
        assert_eq!(parameter_value("10"), ParameterValue::Integer(10));
        assert_eq!(parameter_value("0.5"), ParameterValue::Number(0.5));
        assert_eq!(parameter_value("true"), ParameterValue::Flag(true));
        assert_eq!(parameter_value("fast"), ParameterValue::Text("fast".to_owned()));
    }
}
