//! What `bulkhead plugin check` finds out about a file: what it is, whether it is taken, what it costs, and
//! whether it does the same twice.
//!
//! The strategy runs over a standard series: minute bars of one instrument and whatever else it asks for, from
//! a fixed seed, with every order filled at once at the last price. The series is no market and the result no
//! forecast; it is there so that fuel per event can be compared between versions.

use std::collections::BTreeMap;

use bulkhead_core::identifier::{ContentHash, InstrumentId, SignalId};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::strategy::{
    Action, Description, Fault, InstanceConfig, Needs, SavedState, Strategy as _, StrategySource as _,
};
use serde::Serialize;

use crate::compiler::CompilerProgram;
use crate::inspect::Inspection;
use crate::instance::WasmStrategy;
use crate::limits::Limits;
use crate::models::Grants;
use crate::sandbox::{Sandbox, Settings};

mod series;

use series::Series;

/// Minutes of the standard series.
const MINUTES: u32 = 2_000;

/// What a check found.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// The SHA-256 of the file, which is the version's identity.
    pub sha256: ContentHash,
    /// Everything that speaks against running it; empty when it passed.
    pub problems: Vec<String>,
    /// What the file is made of; absent when it was refused.
    pub file: Option<Inspection>,
    /// What the strategy says of itself; absent when it was refused.
    pub description: Option<Description>,
    /// How it did on the standard series; absent when it could not be started.
    pub series: Option<SeriesReport>,
}

impl CheckReport {
    /// Whether nothing speaks against running it.
    #[must_use]
    pub const fn passed(&self) -> bool {
        self.problems.is_empty()
    }
}

/// How a strategy did on the standard series.
#[derive(Debug, Clone, Serialize)]
pub struct SeriesReport {
    /// Events handed over.
    pub events: u64,
    /// Actions proposed.
    pub actions: u64,
    /// Instructions (fuel units) for an event, on average.
    pub mean_fuel: u64,
    /// Instructions for the costliest event.
    pub largest_fuel: u64,
    /// The share of the budget of one call that the costliest event used, in percent.
    pub largest_fuel_percent: f64,
    /// Bytes of memories and tables at the end.
    pub memory_bytes: u64,
    /// Bytes of its saved state at the end.
    pub state_bytes: u64,
    /// Whether a second run gave the same actions, fuel and state.
    pub deterministic: bool,
    /// Whether an instance that took over the state halfway went on with the same actions.
    pub survives_restart: bool,
    /// The SHA-256 of all actions.
    pub actions_sha256: ContentHash,
}

/// What models may be, and the files of those that are granted, by their names.
pub type GrantedFiles = (bulkhead_inference::Limits, BTreeMap<String, Vec<u8>>);

/// Checks a file under limits, compiled by a program or in this process.
#[must_use]
pub fn check(bytes: &[u8], limits: &Limits, compiler: Option<CompilerProgram>) -> CheckReport {
    check_granted(bytes, limits, compiler, &GrantedFiles::default())
}

/// The same for a strategy that is granted these models.
#[must_use]
pub fn check_granted(
    bytes: &[u8],
    limits: &Limits,
    compiler: Option<CompilerProgram>,
    models: &GrantedFiles,
) -> CheckReport {
    let mut report = CheckReport {
        sha256: ContentHash::of(bytes),
        problems: Vec::new(),
        file: None,
        description: None,
        series: None,
    };
    if let Err(problem) = fill(&mut report, bytes, limits, compiler, models) {
        report.problems.push(problem);
    }
    report
}

fn fill(
    report: &mut CheckReport,
    bytes: &[u8],
    limits: &Limits,
    compiler: Option<CompilerProgram>,
    models: &GrantedFiles,
) -> Result<(), String> {
    let (model_limits, models) = models;
    let settings =
        Settings { limits: limits.clone(), models: model_limits.clone(), compiler, ..Settings::default() };
    let sandbox = Sandbox::new(settings).map_err(|error| error.to_string())?;
    let mut grants = Grants::new();
    for (name, file) in models {
        let hash = sandbox.load_model(file).map_err(|refused| format!("the model \"{name}\": {refused}"))?;
        grants.insert(name.clone(), hash);
    }
    let (version, description) =
        sandbox.prepare_granted(bytes, &grants).map_err(|refused| refused.to_string())?;
    report.file = sandbox.inspection(&version);
    report.description = Some(description.clone());
    let config = config(&description)?;
    let (needs, _) = sandbox.needs(&version, &config).map_err(|fault| fault.to_string())?;
    let start = || sandbox.start(&version, &config).map_err(|fault| fault.to_string());
    let whole = Run::over(&needs, start()?, None)?;
    let again = Run::over(&needs, start()?, None)?;
    let restarted = Run::over(&needs, start()?, Some(&start))?;
    let deterministic =
        whole.actions == again.actions && whole.fuel == again.fuel && whole.state == again.state;
    if !deterministic {
        report.problems.push("two runs over the same series differ".to_owned());
    }
    report.series = Some(whole.report(limits, deterministic, whole.actions == restarted.actions));
    Ok(())
}

/// The defaults of every parameter, one instrument, no history.
fn config(description: &Description) -> Result<InstanceConfig, String> {
    let settings = description
        .settings(&BTreeMap::new())
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    let signals = (0..).map(SignalId).zip(description.needs.signals.iter().cloned()).collect();
    let instruments = vec![(InstrumentId(0), Instrument::new("TEST-USD", 2, 6))];
    Ok(InstanceConfig { instruments, settings, signals, history: Vec::new() })
}

/// What a run over the standard series brought.
struct Run {
    /// Every action with all its digits.
    actions: Vec<String>,
    fuel: Vec<u64>,
    state: SavedState,
    memory_bytes: usize,
}

impl Run {
    /// Hands the series to an instance, one event at a time; halfway, to a new one with the old one's state.
    fn over(
        needs: &Needs,
        mut strategy: WasmStrategy,
        restart: Option<&dyn Fn() -> Result<WasmStrategy, String>>,
    ) -> Result<Self, String> {
        let mut series = Series::new(needs);
        let (mut all, mut fuel) = (Vec::new(), Vec::new());
        let mut actions: Vec<Action> = Vec::new();
        for minute in 0..MINUTES {
            if let Some(start) = restart.filter(|_| minute == MINUTES / 2) {
                let failed = |what: &'static str| move |fault: Fault| format!("{what} halfway: it {fault}");
                let state = strategy.save().map_err(failed("save"))?;
                strategy = start()?;
                strategy.restore(&state).map_err(failed("restore"))?;
            }
            series.advance(minute);
            while let Some(event) = series.next() {
                actions.clear();
                let number = fuel.len() + 1;
                let at = |what: String| format!("at event {number} of the standard series it {what}");
                strategy
                    .on_events(std::slice::from_ref(&event), &mut actions)
                    .map_err(|fault| at(fault.to_string()))?;
                fuel.push(strategy.last_fuel());
                for action in &actions {
                    action
                        .validate(|instrument| instrument == InstrumentId(0))
                        .map_err(|kind| at(kind.to_string()))?;
                    all.push(format!("{action:?}"));
                    series.act(action);
                }
            }
        }
        let memory_bytes = strategy.memory_bytes();
        let state = strategy.save().map_err(|fault| format!("save after the standard series: it {fault}"))?;
        Ok(Self { actions: all, fuel, state, memory_bytes })
    }

    fn report(&self, limits: &Limits, deterministic: bool, survives_restart: bool) -> SeriesReport {
        let events = self.fuel.len() as u64;
        let largest_fuel = self.fuel.iter().copied().max().unwrap_or(0);
        let total: u64 = self.fuel.iter().sum();
        let percent_hundredths = largest_fuel.saturating_mul(10_000) / limits.fuel_per_call.max(1);
        SeriesReport {
            events,
            actions: self.actions.len() as u64,
            mean_fuel: total / events.max(1),
            largest_fuel,
            largest_fuel_percent: f64::from(u32::try_from(percent_hundredths).unwrap_or(u32::MAX)) / 100.0,
            memory_bytes: self.memory_bytes as u64,
            state_bytes: self.state.bytes.len() as u64,
            deterministic,
            survives_restart,
            actions_sha256: ContentHash::of(self.actions.join("\n").as_bytes()),
        }
    }
}
