//! The configuration: defaults, file, environment and flags in layers, understood as a whole. All problems
//! are reported at once, each with where it comes from, what was found and what is allowed.
//!
//! It is a crate of its own so that whatever reads a configuration can do without the WebAssembly compiler.
//!
//! What this crate must never do: read the environment or the command line by itself (its caller hands over
//! what is there), show a password, or stop at the first problem.
//!
//! Where to start reading: [`Layers`] for where values come from, [`Configuration`] for what there is, `sections`
//! for what it means to the core.

mod accounts;
mod alerts;
mod api;
mod breakers;
mod chain;
mod evm;
mod journal;
mod layers;
mod log;
mod models;
mod otlp;
mod sections;
mod solana;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use bulkhead_core::engine::{EngineSettings, FaultPolicy};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::money::Money;
use bulkhead_core::risk::RiskLimits;
use bulkhead_core::sizing::Sizing;
use bulkhead_core::strategy::Limits;
use bulkhead_core::venue::paper::PaperSettings;
use bulkhead_feeds::pacer::Speed;
use bulkhead_feeds::simulator::SimulatorSettings;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub use self::accounts::OwnSettings;
pub use self::alerts::{Alerts, KINDS, Telegram, Webhook, is_reference, is_safe_address};
pub use self::api::{Api, Wallet, WalletRole};
pub use self::breakers::Breakers;
pub use self::chain::{ChainReconciliation, ExternalKey, SignerPlace, Surplus};
pub use self::evm::{
    Evm, EvmExecution, EvmGas, EvmMarket, EvmPool, EvmPrivate, EvmRoute, EvmToken, EvmVersion,
};
pub use self::journal::{Durability, Journal};
pub use self::layers::Layers;
pub use self::log::{Log, LogFormat};
pub use self::models::Models;
pub use self::otlp::Otlp;
pub use self::sections::{
    Exits, Faults, Feed, FeedSource, InstrumentTerms, Mode, Paper, Risk, SizingMethod, SizingSection, Slot,
    Strategies,
};
pub use self::solana::{
    LEADERS, Solana, SolanaBundles, SolanaExecution, SolanaFees, SolanaFinality, SolanaLeader, SolanaMarket,
    SolanaPools, SolanaProtection, SolanaSwapForm, SolanaSwaps, SolanaToken, SolanaTokenProgram, SolanaWatch,
};
pub use self::values::{Limit, Setting, Threads, Value as TextValue};

/// The embedded defaults.
const DEFAULTS: &str = include_str!("defaults.toml");

/// Deserialising stops at its first problem; it is removed and the rest is tried again, at most so often.
const MOST_PROBLEMS: usize = 100;

/// Everything that can be configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// Whether real funds may move.
    pub mode: Mode,
    /// What the account starts with, above 0.
    pub cash: Setting<Decimal>,
    /// How fast event time passes.
    pub speed: Speed,
    /// The directory with compiled code, every plugin version that ever ran, and the journal unless it is elsewhere.
    pub storage: PathBuf,
    /// How many threads trade, at most one for each account.
    pub threads: Setting<Threads>,
    /// Where plugin files are looked for.
    pub strategies: Strategies,
    /// What runs with which part of the capital, by the name of the plugin file.
    pub slots: BTreeMap<String, Slot>,
    /// Where market data come from.
    pub feed: Feed,
    /// The simulated market.
    #[serde(default)]
    pub simulator: SimulatorSettings,
    /// Terms of instruments that their data do not say, by symbol.
    #[serde(default)]
    pub instruments: BTreeMap<String, InstrumentTerms>,
    /// What the risk gate allows.
    #[serde(default)]
    pub risk: Risk,
    /// How large a standard order is.
    #[serde(default)]
    pub sizing: SizingSection,
    /// The paper venue.
    #[serde(default)]
    pub paper: Paper,
    /// What follows from a strategy's faults.
    #[serde(default)]
    pub faults: Faults,
    /// Where the journal is, and how it is written.
    #[serde(default)]
    pub journal: Journal,
    /// What a strategy may use.
    #[serde(default)]
    pub sandbox: Limits,
    /// Which strategies may see which models.
    #[serde(default)]
    pub models: Models,
    /// Where the admin API and the dashboard are served.
    #[serde(default)]
    pub api: Api,
    /// Who is told what happens.
    #[serde(default)]
    pub alerts: Alerts,
    /// The host's log.
    #[serde(default)]
    pub log: Log,
    /// Where traces are sent; nowhere when there is no such section.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otlp: Option<Otlp>,
    /// The EVM chain that accounts trade on, or whose pools they see; none when there is no such section.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evm: Option<Evm>,
    /// The Solana cluster that accounts trade on, or whose prices they see; none when there is no such section.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solana: Option<Solana>,
    /// What accounts have of their own, by their names; one called main when there are none.
    #[serde(default)]
    pub accounts: BTreeMap<String, OwnSettings>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, variable or flag.
    pub origin: String,
    /// The key's path.
    pub key: String,
    /// What stands there; empty when nothing does.
    pub found: String,
    /// What is allowed.
    pub allowed: String,
}

/// All that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InvalidConfiguration(
    /// Every problem, at least one.
    pub Vec<Problem>,
);

impl fmt::Display for InvalidConfiguration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(formatter, "the configuration has {count} problem{}:", if count == 1 { "" } else { "s" })?;
        for problem in &self.0 {
            write!(formatter, "\n  {}: {}", problem.origin, problem.key)?;
            if !problem.found.is_empty() {
                write!(formatter, " = {}", problem.found)?;
            }
            write!(formatter, "\n      {}", problem.allowed)?;
        }
        Ok(())
    }
}

impl Layers {
    /// The embedded defaults.
    #[must_use]
    pub fn defaults() -> Self {
        let mut layers = Self::default();
        let table = DEFAULTS.parse::<Table>().expect("the embedded defaults are tested to be TOML");
        layers.add(table, "defaults");
        layers
    }

    /// Lays the value of a flag `--set KEY=VALUE` over what is there.
    ///
    /// # Errors
    ///
    /// [`InvalidConfiguration`] when there is no `=`.
    pub fn add_flag(&mut self, setting: &str) -> Result<(), InvalidConfiguration> {
        let Some((key, value)) = setting.split_once('=') else {
            return Err(InvalidConfiguration(vec![Problem {
                origin: "--set".to_owned(),
                key: setting.to_owned(),
                found: String::new(),
                allowed: "KEY=VALUE is expected, as in --set risk.max_order=0.2".to_owned(),
            }]));
        };
        self.set(key.trim(), value.trim(), "--set");
        Ok(())
    }

    /// Lays a file over what is there.
    ///
    /// # Errors
    ///
    /// [`InvalidConfiguration`] when it can't be read or is not TOML.
    pub fn add_file(&mut self, path: &Path) -> Result<(), InvalidConfiguration> {
        let problem = |allowed: String| {
            InvalidConfiguration(vec![Problem {
                origin: path.display().to_string(),
                key: "(the file)".to_owned(),
                found: String::new(),
                allowed,
            }])
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| problem(format!("can't be read: {error}; give --config a TOML file")))?;
        // Without the line itself, which may hold a secret.
        let table = text.parse::<Table>().map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            problem(format!("is not TOML: line {line}: {}", error.message()))
        })?;
        self.add(table, &path.display().to_string());
        Ok(())
    }

    /// Lays a file that holds one section's keys over what is there.
    ///
    /// # Errors
    ///
    /// [`InvalidConfiguration`] when it can't be read or is not TOML.
    pub fn add_section_file(&mut self, section: &str, path: &Path) -> Result<(), InvalidConfiguration> {
        let mut file = Self::default();
        file.add_file(path)?;
        let keys = match file.table.remove(section) {
            Some(Value::Table(keys)) => keys,
            _ => file.table,
        };
        self.add(Table::from_iter([(section.to_owned(), Value::Table(keys))]), &path.display().to_string());
        Ok(())
    }

    /// Understands the whole.
    ///
    /// # Errors
    ///
    /// [`InvalidConfiguration`] with all that is wrong.
    pub fn read(&self) -> Result<Configuration, InvalidConfiguration> {
        let (configuration, mut problems) = self.read_alone();
        if let Some(configuration) = &configuration {
            let common = problems.clone();
            for (name, own) in &configuration.accounts {
                problems.extend(self.account_problems(name, own, &common));
            }
        }
        if let (Some(configuration), true) = (&configuration, problems.is_empty()) {
            problems.extend(self.shared_keys(configuration)?);
            problems.extend(self.other_markets(configuration)?);
        }
        match configuration {
            Some(configuration) if problems.is_empty() => Ok(configuration),
            _ => Err(InvalidConfiguration(problems)),
        }
    }

    /// Understands everything but what accounts have of their own; what can't be understood, and what is
    /// out of range, is as by default.
    fn read_alone(&self) -> (Option<Configuration>, Vec<Problem>) {
        let mut table = self.table.clone();
        let mut defaults = Self::defaults().table;
        let mut problems = Vec::new();
        let configuration = loop {
            match serde_path_to_error::deserialize::<_, Configuration>(Value::Table(table.clone())) {
                Ok(configuration) => break Some(configuration),
                Err(error) => {
                    let (path, allowed) = located(&error);
                    let found = remove(&mut table, &path);
                    // What must be there is read on with its default, so that its absence is no problem more.
                    if let Some(default) = remove(&mut defaults, &path) {
                        table = laid_over(table, &path, default);
                    }
                    problems.push(if may_hold_secrets(&path) {
                        self.secretive(&path, found.as_ref(), &allowed)
                    } else {
                        Problem {
                            origin: self.origin(&path).to_owned(),
                            key: path,
                            found: found.as_ref().map(ToString::to_string).unwrap_or_default(),
                            allowed,
                        }
                    });
                    if found.is_none() || problems.len() == MOST_PROBLEMS {
                        break None;
                    }
                }
            }
        };
        if let Some(configuration) = &configuration {
            problems.extend(self.out_of_range(configuration));
        }
        (configuration, problems)
    }

    /// A problem where a secret may have been written in the wrong place: it is not repeated.
    fn secretive(&self, path: &str, found: Option<&Value>, allowed: &str) -> Problem {
        let is_unknown = allowed.starts_with("unknown field");
        let allowed = match (is_unknown, allowed.split_once("expected ")) {
            (true, Some((_, known))) => format!("there is no such key; expected {known}"),
            (false, Some((_, expected))) => format!("expected {expected}"),
            (_, None) if allowed.starts_with("missing field") => allowed.to_owned(),
            (_, None) => "it can't be understood".to_owned(),
        };
        // The name of a key that does not exist may itself be what was to be the value.
        let shown = match (is_unknown, path.rsplit_once('.')) {
            (true, Some((section, key))) if !is_name(key) => format!("{section}.{}", alerts::NOT_SHOWN),
            _ => path.to_owned(),
        };
        let found = found.map(|_| alerts::NOT_SHOWN.to_owned()).unwrap_or_default();
        Problem { origin: self.origin(path).to_owned(), key: shown, found, allowed }
    }

    fn out_of_range(&self, configuration: &Configuration) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = |key: &str, found: String, right: bool, allowed: &str| {
            if !right {
                problems.push(Problem {
                    origin: self.origin(key).to_owned(),
                    key: key.to_owned(),
                    found,
                    allowed: allowed.to_owned(),
                });
            }
        };
        let c = configuration;
        check(
            "cash",
            c.cash.0.to_string(),
            c.cash.0 > Decimal::ZERO && Money(c.cash.0).booked().is_ok(),
            "an amount above 0 and below 7.9 million millions is expected",
        );
        let mut live = c.slots.values().filter(|slot| slot.mode == bulkhead_core::input::StrategyMode::Live);
        // Weights that are no weights may be too large to be added.
        let sum = live.try_fold(Decimal::ZERO, |sum, slot| sum.checked_add(slot.weight.0));
        let found = sum.map_or_else(|| "a number out of range".to_owned(), |sum| sum.to_string());
        check(
            "slots",
            format!("weights that sum to {found}"),
            sum.is_some_and(|sum| sum <= Decimal::ONE),
            "the live weights may sum to at most 1",
        );
        for (name, slot) in &c.slots {
            let range = Decimal::ZERO..=Decimal::ONE;
            let key = format!("slots.{name}.weight");
            check(
                &key,
                slot.weight.0.to_string(),
                range.contains(&slot.weight.0),
                "a number from 0 to 1 is expected",
            );
        }
        if c.feed.source == FeedSource::Csv {
            check(
                "feed.files",
                "[]".to_owned(),
                !c.feed.files.is_empty(),
                "the source \"csv\" needs at least one file",
            );
        }
        let fraction = |value: Option<f64>| value.is_none_or(|v| v > 0.0 && v <= 1.0);
        let part = |value: Option<Decimal>| value.is_none_or(|v| v > Decimal::ZERO && v <= Decimal::ONE);
        for (key, value) in [
            ("risk.max_order", c.risk.max_order.0),
            ("risk.max_position", c.risk.max_position.0),
            ("risk.max_exposure", c.risk.max_exposure.0),
            ("risk.max_cluster", c.risk.max_cluster.0),
            ("risk.max_open_risk", c.risk.max_open_risk.0),
            ("risk.daily_loss", c.risk.daily_loss.0),
            ("risk.drawdown", c.risk.drawdown.0),
            ("risk.gas_cap", c.risk.gas_cap.0),
            ("sizing.fraction", Some(c.sizing.fraction.0)),
            ("sizing.kelly", c.sizing.kelly.0),
        ] {
            let found = value.map(|v| v.to_string()).unwrap_or_default();
            check(key, found, part(value), "a fraction above 0 and at most 1 is expected (0.02 is 2 %)");
        }
        for (key, value) in [
            ("risk.price_collar", c.risk.price_collar.0),
            ("risk.max_liquidity_share", c.risk.max_liquidity_share.0),
            ("paper.participation", c.paper.participation.0),
        ] {
            let found = value.map(|v| v.to_string()).unwrap_or_default();
            check(key, found, fraction(value), "a fraction above 0 and at most 1 is expected");
        }
        for problem in c.risk.breakers.problems() {
            check(&format!("risk.breakers.{}", problem.key), problem.found, false, problem.allowed);
        }
        let probability = c.paper.failure_probability.0;
        check(
            "paper.failure_probability",
            probability.to_string(),
            (0.0..1.0).contains(&probability),
            "a probability from 0 to below 1 is expected",
        );
        let fee = c.paper.fee_bps.0;
        check(
            "paper.fee_bps",
            fee.to_string(),
            (Decimal::ZERO..=Decimal::from(10_000)).contains(&fee),
            "basis points from 0 to 10000 are expected",
        );
        for (key, value) in
            [("paper.slippage_bps", c.paper.slippage_bps.0), ("paper.impact_bps", c.paper.impact_bps.0)]
        {
            check(
                key,
                value.to_string(),
                (0.0..=10_000.0).contains(&value),
                "basis points from 0 to 10000 are expected",
            );
        }
        check(
            "sizing.quantity",
            c.sizing.quantity.0.to_string(),
            c.sizing.quantity.0 > Decimal::ZERO,
            "a quantity above 0 is expected",
        );
        check(
            "sizing.notional",
            c.sizing.notional.0.to_string(),
            c.sizing.notional.0 > Decimal::ZERO,
            "an amount above 0 is expected",
        );
        for (key, found, allowed) in c.journal.problems().into_iter().chain(c.api.problems()) {
            check(key, found, false, allowed);
        }
        for (key, found, allowed) in
            c.alerts.problems().into_iter().chain(c.otlp.iter().flat_map(Otlp::problems))
        {
            check(&key, found, false, &allowed);
        }
        for (key, found, allowed) in
            c.evm.iter().flat_map(Evm::problems).chain(c.solana.iter().flat_map(Solana::problems))
        {
            check(&key, found, false, &allowed);
        }
        for (key, found, allowed) in c.chain_problems() {
            check(key, found, false, allowed);
        }
        check(
            "feed.interval",
            TextValue::show(&c.feed.interval.0),
            c.feed.interval.0 >= bulkhead_core::time::Span::from_seconds(1),
            "at least a second is expected",
        );
        let plan = bulkhead_core::exits::ExitPolicy::from(&c.risk.exits).default_plan;
        if let Err(reason) = plan.validate() {
            check("risk.exits", String::new(), false, &reason);
        }
        for (symbol, terms) in &c.instruments {
            for (name, value) in [("tick", &terms.tick), ("lot", &terms.lot)] {
                let key = format!("instruments.{symbol}.{name}");
                let right = value.as_ref().is_none_or(|step| step.0 > Decimal::ZERO);
                let found = value.as_ref().map(|step| step.0.to_string()).unwrap_or_default();
                check(&key, found, right, "a step above 0 is expected");
            }
        }
        for (section, listed) in
            [("simulator", c.simulator.validate()), ("feed.quality", c.feed.quality.validate())]
        {
            for problem in listed {
                let key = format!("{section}.{}", problem.key);
                check(&key, problem.found, false, &problem.allowed);
            }
        }
        for (key, name) in c.models.odd_names() {
            let allowed = "names of lower-case letters, digits, \"-\" and \"_\" are expected, at most 64 long, with a letter first";
            check(&key, format!("{name:?}"), false, allowed);
        }
        if let Err(invalid) = c.models.limits.validate() {
            for problem in invalid.problems {
                check("models.limits", String::new(), false, &problem);
            }
        }
        if let Err(invalid) = c.sandbox.validate() {
            for problem in invalid.problems {
                check("sandbox", String::new(), false, &problem);
            }
        }
        problems
    }
}

/// Where an error is, and what it says. For an unknown key serde names the table and, in its message, the
/// key.
fn located(error: &serde_path_to_error::Error<toml::de::Error>) -> (String, String) {
    let message = error.inner().message().trim().to_owned();
    let path = error.path().to_string();
    let path = if path == "." { String::new() } else { path };
    match message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) {
        Some(key) if path.rsplit('.').next().is_none_or(|last| last != key) => {
            let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            (path, message)
        }
        _ => (path, message),
    }
}

fn may_hold_secrets(path: &str) -> bool {
    let mut parts = path.split(['.', '[']);
    match parts.next().unwrap_or_default() {
        "alerts" | "otlp" => true,
        "evm" => matches!(parts.next(), None | Some("endpoints" | "private")),
        "solana" => matches!(parts.next(), None | Some("endpoints" | "swaps" | "bundles" | "watch")),
        _ => false,
    }
}

fn is_name(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn laid_over(table: Table, path: &str, value: Value) -> Table {
    let mut layers = Layers::default();
    layers.table = table;
    layers.set_value(path, value, "defaults");
    layers.table
}

/// Takes the value at a path such as `a.b[2].c` out of a table.
fn remove(table: &mut Table, path: &str) -> Option<Value> {
    let normalised = path.replace('[', ".").replace(']', "");
    let mut parts: Vec<&str> = normalised.split('.').filter(|part| !part.is_empty()).collect();
    let last = parts.pop()?;
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else { return table.remove(last) };
    let mut value = table.get_mut(first)?;
    for part in parts {
        value = match value {
            Value::Table(table) => table.get_mut(part)?,
            Value::Array(items) => items.get_mut(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    match value {
        Value::Table(table) => table.remove(last),
        Value::Array(items) => {
            let index = last.parse::<usize>().ok().filter(|index| *index < items.len())?;
            Some(items.remove(index))
        }
        _ => None,
    }
}

impl Configuration {
    /// What the engine is set up with, for these instruments.
    #[must_use]
    pub fn engine_settings(&self, mut instruments: Vec<Instrument>, signals: Vec<String>) -> EngineSettings {
        for instrument in &mut instruments {
            if let Some(terms) = self.instruments.get(&instrument.symbol) {
                terms.apply(instrument);
            }
        }
        let mut settings = EngineSettings::new(instruments, Money(self.cash.0));
        settings.signals = signals;
        settings.risk = RiskLimits::from(&self.risk);
        settings.sizing = Sizing::from(&self.sizing);
        settings.venue = PaperSettings::from(&self.paper);
        settings.faults = FaultPolicy::from(&self.faults);
        settings
    }
}

/// What a file with this text makes of the defaults.
#[cfg(test)]
fn read(text: &str) -> Result<Configuration, InvalidConfiguration> {
    let mut layers = Layers::defaults();
    layers.add(text.parse().unwrap(), "test.toml");
    layers.read()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_cores() {
        let configuration = Layers::defaults().read().unwrap();
        let settings = configuration.engine_settings(Vec::new(), Vec::new());
        assert_eq!(settings.risk, RiskLimits::default());
        assert_eq!(settings.venue, PaperSettings::default());
        assert_eq!(settings.sizing, Sizing::default());
        assert_eq!(settings.faults, FaultPolicy::default());
    }

    #[test]
    fn all_problems_are_reported_at_once_with_origin_and_key() {
        let error = read(
            "speeed = 1\ncash = \"lots\"\n[risk]\nmax_order = \"half\"\ncool_down = \"1h\"\n[paper]\nlatency = 5",
        )
        .unwrap_err();
        let keys: Vec<&str> = error.0.iter().map(|problem| problem.key.as_str()).collect();
        for key in ["cash", "speeed", "risk.max_order", "risk.cool_down", "paper.latency"] {
            assert!(keys.contains(&key), "{key} is missing in {keys:?}");
        }
        assert!(error.0.iter().all(|problem| problem.origin == "test.toml"), "{error}");
        let text = error.to_string();
        assert!(text.contains("test.toml: risk.max_order = \"half\""), "{text}");
    }

    #[test]
    fn what_is_well_formed_is_checked_for_its_range() {
        let error = read(
            "cash = 0\n[risk]\ndaily_loss = 1.5\n[slots.x]\nmode = \"live\"\nweight = 0.9\n[feed]\nsource = \"csv\"",
        )
        .unwrap_err();
        let keys: Vec<&str> = error.0.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["cash", "slots", "feed.files", "risk.daily_loss"]);
    }

    #[test]
    fn breakers_are_set_each_by_itself_and_can_be_switched_off() {
        let text =
            "[risk.breakers]\nlosses = 3\nlosses_pause = \"10m\"\nfailures = \"off\"\nprobe_orders = 2";
        let breakers = RiskLimits::from(&read(text).unwrap().risk).breakers;
        let streak = breakers.losing_streak.unwrap();
        assert_eq!((streak.losses, streak.pause.seconds()), (3, 600));
        assert_eq!(breakers.error_rate, None);
        assert_eq!(breakers.probing.orders, 2);
        assert_eq!(breakers.drawdown, RiskLimits::default().breakers.drawdown);
    }

    #[test]
    fn breakers_that_could_never_trip_or_never_close_are_refused() {
        let error = read(
            "[risk.breakers]\nfailures = 30\nlosses = 0\ndaily_loss = 0.5\ndrawdown = 2\nprobe_orders = 0\nprobe_size = 0",
        )
        .unwrap_err();
        let keys: Vec<&str> = error.0.iter().map(|problem| problem.key.as_str()).collect();
        let expected = ["failures", "losses", "daily_loss", "drawdown", "probe_orders", "probe_size"]
            .map(|key| format!("risk.breakers.{key}"));
        assert_eq!(keys, expected);
    }

    #[test]
    fn cash_beyond_what_the_books_hold_is_a_problem() {
        assert!(read("cash = \"7900000000000\"").is_ok());
        let error = read("cash = \"8000000000000\"").unwrap_err();
        assert_eq!(error.0[0].key, "cash");
    }

    #[test]
    fn weights_that_are_too_large_to_be_added_are_problems() {
        let largest = Decimal::MAX;
        let slot = |name: &str| format!("[slots.{name}]\nmode = \"live\"\nweight = \"{largest}\"\n");
        let error = read(&(slot("x") + &slot("y"))).unwrap_err();
        let keys: Vec<&str> = error.0.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["slots", "slots.x.weight", "slots.y.weight"]);
    }

    #[test]
    fn a_limit_can_be_switched_off() {
        let configuration = read("[risk]\ncooldown = \"off\"\n[risk.exits]\nstop_loss = 0.1").unwrap();
        assert_eq!(configuration.risk.cooldown.0, None);
        assert_eq!(configuration.risk.exits.stop_loss.0, Some(0.1));
    }
}
