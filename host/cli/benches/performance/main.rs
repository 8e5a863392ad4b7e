//! The performance suite: what the documentation says about speed comes from here.
//! `cargo xtask bench performance` builds what it needs and runs it.
//!
//! What is compared is measured in one run, in turns (A B A B …), so that a machine that others use too bends
//! both sides alike; the figure is the median of the turns' ratios. Times are CPU time of the thread that does
//! the work, where one thread does it. Nothing here asserts a time: whether a goal is met is printed, and that
//! is all. What is asserted is that all ways of running the same rule did the same work.
//!
//! Where to start reading: [`strategy_cost`], [`full_path`], [`instances`], [`hot_swap`], [`accounts`], [`live_load`] and
//! [`large_database`] are the parts.

mod accounts;
mod backtest;
mod figures;
mod full_path;
mod hot_swap;
mod instances;
mod large_database;
mod live_clients;
mod live_load;
mod market;
mod measure;
mod native;
mod serving_host;
mod strategy_cost;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bulkhead_core::identifier::ContentHash;
use bulkhead_sandbox::{Limits, Sandbox, Settings};

use crate::figures::Figures;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    /// Turns of each comparison.
    pub(crate) turns: usize,
    /// Bars of a long backtest, and of one to compare its memory with.
    pub(crate) bars: usize,
    pub(crate) few_bars: usize,
    pub(crate) instances: usize,
    pub(crate) swaps: usize,
    pub(crate) accounts: usize,
    /// Clients of the live updates.
    pub(crate) clients: usize,
    /// Orders in a large database.
    pub(crate) orders: usize,
    /// How long a turn with the API lasts.
    pub(crate) seconds: Duration,
}

impl Extent {
    const WHOLE: Self = Self {
        turns: 7,
        bars: 1_000_000,
        few_bars: 100_000,
        instances: 2_000,
        swaps: 7,
        accounts: 200,
        clients: 5_000,
        orders: 1_000_000,
        seconds: Duration::from_secs(8),
    };
    /// To see that the suite works; its figures mean little.
    const QUICK: Self = Self {
        turns: 2,
        bars: 100_000,
        few_bars: 20_000,
        instances: 200,
        swaps: 2,
        accounts: 20,
        clients: 200,
        orders: 20_000,
        seconds: Duration::from_secs(2),
    };
}

/// What every part needs.
pub(crate) struct Suite {
    pub(crate) extent: Extent,
    /// For files that are gone afterwards.
    pub(crate) directory: PathBuf,
    /// The crossover plugin.
    pub(crate) plugin: PathBuf,
    pub(crate) wasm: Vec<u8>,
    pub(crate) sandbox: Sandbox,
    pub(crate) version: ContentHash,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((first, others)) = arguments.split_first()
        && first == live_clients::ARGUMENT
    {
        return live_clients::be(others);
    }
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let known = ["--json", "--quick", "--bench"];
    if let Some(unknown) =
        arguments.iter().find(|argument| argument.starts_with("--") && !known.contains(&argument.as_str()))
    {
        anyhow::bail!(
            "{unknown} is unknown; there are --json and --quick, and names of parts: accounts cost instances live path \
             reads swap"
        );
    }
    let parts: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |part: &str| parts.is_empty() || parts.contains(&part);

    let directory = tempfile::tempdir()?;
    let suite = Suite::new(if has("--quick") { Extent::QUICK } else { Extent::WHOLE }, directory.path())?;
    let mut figures = Figures::default();
    if wanted("instances") {
        // First, as it looks at the memory of this process.
        instances::measure(&suite, &mut figures)?;
    }
    if wanted("cost") {
        strategy_cost::measure(&suite, &mut figures)?;
    }
    if wanted("path") {
        full_path::measure(&suite, &mut figures)?;
    }
    if wanted("swap") {
        hot_swap::measure(&suite, &mut figures)?;
    }
    if wanted("accounts") {
        accounts::measure(&suite, &mut figures)?;
    }
    if wanted("live") {
        live_load::measure(&suite, &mut figures)?;
    }
    if wanted("reads") {
        large_database::measure(&suite, &mut figures)?;
    }
    figures.print(has("--json"))
}

impl Suite {
    fn new(extent: Extent, directory: &Path) -> Result<Self> {
        let plugin = plugin()?;
        let wasm = std::fs::read(&plugin).with_context(|| format!("{} can't be read", plugin.display()))?;
        let sandbox = sandbox(&directory.join("compiled"))?;
        let (version, _) = sandbox.prepare(&wasm)?;
        Ok(Self { extent, directory: directory.to_owned(), plugin, wasm, sandbox, version })
    }
}

/// A sandbox with the limits that everybody gets.
fn sandbox(artefacts: &Path) -> Result<Sandbox> {
    let settings =
        Settings { limits: Limits::default(), artefacts: Some(artefacts.to_owned()), ..Settings::default() };
    Ok(Sandbox::new(settings)?)
}

/// The crossover plugin, which `cargo xtask` has built.
fn plugin() -> Result<PathBuf> {
    let directory = std::env::var_os("BULKHEAD_PLUGINS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins"), PathBuf::from);
    let plugin = directory.join("sma-crossover.wasm");
    ensure!(plugin.is_file(), "{} is missing; `cargo xtask plugins` builds it", plugin.display());
    Ok(plugin)
}
