//! What a run amounted to.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use bulkhead_api::live::SlotCounts;
use bulkhead_core::engine::Engine;
use bulkhead_core::identifier::{ContentHash, InstrumentId, StrategyId};
use bulkhead_core::money::Money;
use bulkhead_core::output::Output;
use bulkhead_sequencer::recovery::RecoveryReport;
use comfy_table::{CellAlignment, Table};
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};

/// The version of the summary's shape; see `docs/run-json.md`.
const SCHEMA: u32 = 1;

/// Counts while the host runs.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) bars: u64,
    slots: BTreeMap<StrategyId, SlotTally>,
}

#[derive(Debug, Default)]
struct SlotTally {
    orders: u64,
    fills: u64,
    refusals: BTreeMap<InstrumentId, Refusals>,
}

/// Refused proposals by the code of the refusal.
type Refusals = BTreeMap<&'static str, u64>;

/// What a run amounted to, as `--json` prints it. Money is in decimal strings.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    schema: u32,
    mode: &'static str,
    /// Of all accounts.
    strategies: Vec<SlotSummary>,
    cash: String,
    equity: String,
    bars: u64,
    seconds: f64,
    halted: Option<String>,
    digest: String,
    /// What the start found in the journal; absent when the account began with this run, or when there are
    /// several.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery: Option<RecoverySummary>,
    accounts: Vec<AccountSummary>,
}

/// What a run amounted to for one account.
#[derive(Debug, Serialize)]
pub(super) struct AccountSummary {
    name: String,
    #[serde(serialize_with = "as_text")]
    cash: Money,
    #[serde(serialize_with = "as_text")]
    equity: Money,
    bars: u64,
    seconds: f64,
    halted: Option<String>,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery: Option<RecoverySummary>,
    #[serde(skip)]
    strategies: Vec<SlotSummary>,
}

/// How the run came to where it began.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RecoverySummary {
    /// The input up to which the snapshot went; absent when everything was stepped again.
    snapshot: Option<u64>,
    unusable_snapshots: usize,
    replayed: u64,
    sequence: u64,
    orders: usize,
    seconds: f64,
}

impl RecoverySummary {
    pub(super) fn of(report: &RecoveryReport, seconds: f64) -> Self {
        Self {
            snapshot: report.snapshot.map(|sequence| sequence.0),
            unusable_snapshots: report.unusable_snapshots.len(),
            replayed: report.replayed,
            sequence: report.last.0,
            orders: report.orders.len(),
            seconds,
        }
    }
}

#[derive(Debug, Serialize)]
struct SlotSummary {
    account: String,
    name: String,
    version: String,
    sha256: String,
    mode: &'static str,
    status: &'static str,
    weight: String,
    orders: u64,
    fills: u64,
    faults: u64,
    refusals: Refusals,
    /// The same by the symbol of the instrument.
    refusals_by_instrument: BTreeMap<String, Refusals>,
    capital: String,
    pnl: String,
}

impl SlotTally {
    fn refused(&self) -> u64 {
        self.refusals.values().flat_map(BTreeMap::values).sum()
    }

    fn refusals_by_code(&self) -> Refusals {
        let mut all = Refusals::new();
        for (code, count) in self.refusals.values().flatten() {
            *all.entry(*code).or_default() += count;
        }
        all
    }
}

impl Tally {
    pub(super) fn add(&mut self, output: &Output) {
        match output {
            Output::OrderAccepted(terms) => self.slot(terms.strategy).orders += 1,
            Output::Filled(fill) => self.slot(fill.strategy).fills += 1,
            Output::Refused(refused) => {
                let of_instrument =
                    self.slot(refused.strategy).refusals.entry(refused.instrument).or_default();
                *of_instrument.entry(refused.refusal.code.name()).or_default() += 1;
            }
            _ => {}
        }
    }

    fn slot(&mut self, strategy: StrategyId) -> &mut SlotTally {
        self.slots.entry(strategy).or_default()
    }

    /// What the strategy traded and was refused so far.
    pub(super) fn counts(&self, strategy: StrategyId) -> SlotCounts {
        let of = |slot: &SlotTally| SlotCounts {
            orders: slot.orders,
            fills: slot.fills,
            refusals: slot.refused(),
            ..SlotCounts::default()
        };
        self.slots.get(&strategy).map(of).unwrap_or_default()
    }

    /// Sums an account up.
    pub(super) fn summary(
        &self,
        account: String,
        engine: &Engine,
        elapsed: Duration,
        recovery: Option<RecoverySummary>,
    ) -> Result<AccountSummary> {
        let none = SlotTally::default();
        let mut strategies = Vec::new();
        for slot in engine.slots() {
            let tally = self.slots.get(&slot.id()).unwrap_or(&none);
            let capital = engine.slot_equity(slot.id())?;
            let funded = engine
                .ledger()
                .sub_ledger(slot.id())
                .map(bulkhead_core::ledger::SubLedger::funded)
                .unwrap_or_default();
            strategies.push(SlotSummary {
                account: account.clone(),
                name: slot.name().to_owned(),
                version: slot.description().version.clone(),
                sha256: slot.deployment().version.to_string(),
                mode: slot.deployment().mode.name(),
                status: slot.status().name(),
                weight: text(slot.deployment().weight),
                orders: tally.orders,
                fills: tally.fills,
                faults: slot.faults(),
                refusals: tally.refusals_by_code(),
                refusals_by_instrument: tally
                    .refusals
                    .iter()
                    .map(|(id, refusals)| (symbol(engine, *id), refusals.clone()))
                    .collect(),
                capital: text(capital.0),
                pnl: text(capital.minus(funded)?.0),
            });
        }
        Ok(AccountSummary {
            name: account,
            cash: engine.ledger().cash(),
            equity: engine.equity()?,
            bars: self.bars,
            seconds: elapsed.as_secs_f64(),
            halted: engine.halted().map(str::to_owned),
            digest: engine.digest().to_string(),
            recovery,
            strategies,
        })
    }
}

impl Summary {
    /// Adds the accounts up.
    pub(super) fn of(mut accounts: Vec<AccountSummary>, seconds: f64) -> Result<Self> {
        let (mut cash, mut equity) = (Money::default(), Money::default());
        for account in &accounts {
            cash = cash.plus(account.cash)?;
            equity = equity.plus(account.equity)?;
        }
        let strategies =
            accounts.iter_mut().flat_map(|account| std::mem::take(&mut account.strategies)).collect();
        let halted = accounts.iter().find_map(|account| Some((&account.name, account.halted.as_ref()?)));
        let (halted, digest, recovery) = match accounts.as_slice() {
            [only] => (only.halted.clone(), only.digest.clone(), only.recovery.clone()),
            several => {
                let digests: Vec<&str> = several.iter().map(|account| account.digest.as_str()).collect();
                let digest = ContentHash::of(digests.join("\n").as_bytes()).to_string();
                (halted.map(|(name, why)| format!("{name}: {why}")), digest, None)
            }
        };
        Ok(Self {
            schema: SCHEMA,
            mode: "paper",
            strategies,
            cash: text(cash.0),
            equity: text(equity.0),
            bars: accounts.iter().map(|account| account.bars).sum(),
            seconds,
            halted,
            digest,
            recovery,
            accounts,
        })
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let several = self.accounts.len() > 1;
        let of_account = |name: &str| several.then(|| name.to_owned());
        let mut table = Table::new();
        let columns = [
            "strategy", "version", "mode", "status", "weight", "fills", "faults", "refused", "capital", "pnl",
        ];
        table
            .load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY)
            .set_header(of_account("account").into_iter().chain(columns.map(str::to_owned)));
        for slot in &self.strategies {
            let cells = [
                slot.name.clone(),
                slot.version.clone(),
                slot.mode.to_owned(),
                slot.status.to_owned(),
                slot.weight.clone(),
                slot.fills.to_string(),
                slot.faults.to_string(),
                slot.refusals.values().sum::<u64>().to_string(),
                cents(&slot.capital),
                cents(&slot.pnl),
            ];
            table.add_row(of_account(&slot.account).into_iter().chain(cells));
        }
        for column in table.column_iter_mut().skip(4 + usize::from(several)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let bars = self.bars;
        format!(
            "{table}\nequity {} · {bars} bars in {:.1} s · digest {}",
            cents(&self.equity),
            self.seconds,
            &self.digest[..12.min(self.digest.len())]
        )
    }
}

fn as_text<S: Serializer>(amount: &Money, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(amount.0))
}

fn symbol(engine: &Engine, id: InstrumentId) -> String {
    engine.settings().instrument(id).map_or_else(|| id.to_string(), |instrument| instrument.symbol.clone())
}

fn text(amount: Decimal) -> String {
    amount.normalize().to_string()
}

fn cents(amount: &str) -> String {
    amount.parse::<Decimal>().map_or_else(|_| amount.to_owned(), |amount| format!("{amount:.2}"))
}
