//! Accounts in one host: how much more a second thread brings, and how many accounts a machine carries.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::Suite;
use crate::figures::Figures;
use crate::market::{SYMBOL, write_csv};
use crate::measure::number;

const PART: &str = "accounts";

/// One for each of two threads, so that neither shares.
const PAIR: usize = 2;

pub(crate) fn measure(suite: &Suite, figures: &mut Figures) -> Result<()> {
    let few = Market::write(suite, "pair.csv", suite.extent.few_bars)?;
    let many = Market::write(suite, "crowd.csv", suite.extent.few_bars / 100)?;
    let (mut alone, mut side_by_side, mut crowd) = (vec![], vec![], vec![]);
    for turn in 0..suite.extent.turns {
        alone.push(bars_a_second(suite, &few, PAIR, 1, turn)?);
        side_by_side.push(bars_a_second(suite, &few, PAIR, PAIR, turn)?);
        crowd.push(bars_a_second(suite, &many, suite.extent.accounts, PAIR, turn)?);
    }
    let ratios: Vec<f64> = side_by_side.iter().zip(&alone).map(|(two, one)| two / one).collect();
    figures.add(PART, "2 accounts on 1 thread, with their journals", "bars/s", &alone, None);
    figures.add(PART, "2 accounts on 2 threads", "bars/s", &side_by_side, None);
    figures.add(PART, "2 threads / 1 thread", "times", &ratios, None);
    let name = format!("{} accounts on 2 threads", suite.extent.accounts);
    figures.add(PART, name, "bars/s", &crowd, None);
    Ok(())
}

/// A file of bars.
struct Market {
    argument: String,
    bars: usize,
}

impl Market {
    fn write(suite: &Suite, name: &str, bars: usize) -> Result<Self> {
        let path = suite.directory.join(name);
        write_csv(&path, bars)?;
        Ok(Self { argument: format!("{SYMBOL}={}", path.display()), bars })
    }
}

/// The bars of all accounts by the time that the whole run took, its start and its end included.
fn bars_a_second(
    suite: &Suite,
    market: &Market,
    accounts: usize,
    threads: usize,
    turn: usize,
) -> Result<f64> {
    let directory = suite.directory.join(format!("accounts-{accounts}-{threads}-{turn}"));
    let strategies = directory.join("strategies");
    std::fs::create_dir_all(&strategies)?;
    std::fs::copy(&suite.plugin, strategies.join("sma-crossover.wasm"))?;
    let mut settings = format!(
        "threads = {threads}\nstorage = {:?}\n[strategies]\ndirectory = {strategies:?}\n\
         [feed]\nsource = \"csv\"\nfiles = [{:?}]\n[slots.sma-crossover]\nmode = \"live\"\n\
         [slots.momentum]\nweight = 0\n",
        directory.join("storage"),
        market.argument
    );
    settings += "[risk]\ncooldown = \"off\"\n";
    for account in 0..accounts {
        writeln!(settings, "[accounts.a{account}]\nslots.sma-crossover.weight = 0.5")?;
    }
    let file = directory.join("bulkhead.toml");
    std::fs::write(&file, settings)?;
    let started = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_bulkhead"))
        .args(["run", "--speed", "max", "--json", "--config"])
        .arg(&file)
        .env("RUST_LOG", "warn")
        .output()
        .context("the command can't be started")?;
    let seconds = started.elapsed().as_secs_f64();
    ensure!(output.status.success(), "the command failed: {}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout)?;
    let expected = accounts * market.bars;
    ensure!(summary["bars"] == expected, "{} bars were handled of {expected}", summary["bars"]);
    std::fs::remove_dir_all(&directory)?;
    Ok(number(expected) / seconds)
}
