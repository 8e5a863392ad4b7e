//! What the journal costs: throughput behind it, how long a commit takes, replay and recovery, and how the
//! database grows. `cargo xtask bench journal` runs it.
//!
//! No sandbox takes part: the strategy is native and does next to nothing, so that what is measured is the
//! journal and not the rule. What is compared is measured in one run, in turns. Nothing here asserts a time:
//! whether a goal is met is printed, and that is all.
//!
//! The databases are in cargo's folder for temporary files (the Postgres server's in the system's), which must
//! be on a disk: in memory, a sync costs nothing and the figures mean nothing.
//!
//! Where to start reading: [`throughput`], [`latency`], [`replay`] and [`growth`] are the four parts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the server for tests is shared with the tests")]

#[path = "../../../cli/benches/performance/figures.rs"]
mod figures;
mod growth;
mod latency;
mod market;
#[path = "../../../cli/benches/performance/measure.rs"]
#[allow(dead_code, reason = "the other suite looks at memory too")]
mod measure;
mod place;
#[path = "../../../store/tests/support/postgres.rs"]
#[allow(dead_code, reason = "the tests do more with their server")]
mod postgres;
mod replay;
mod run;
mod strategy;
mod throughput;

use anyhow::Result;

use crate::figures::Figures;
use crate::place::Places;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    /// Turns of each comparison.
    pub(crate) turns: usize,
    /// Events with few orders among them, and with many.
    pub(crate) quiet_events: usize,
    pub(crate) busy_events: usize,
    /// Commits of each size of group, and seconds of each delay.
    pub(crate) commits: usize,
    pub(crate) seconds: u64,
    /// Events of a replay.
    pub(crate) replayed: usize,
}

impl Extent {
    const WHOLE: Self = Self {
        turns: 5,
        quiet_events: 500_000,
        busy_events: 100_000,
        commits: 400,
        seconds: 3,
        replayed: 1_000_000,
    };
    /// To see that the suite works; its figures mean little.
    const QUICK: Self = Self {
        turns: 1,
        quiet_events: 50_000,
        busy_events: 10_000,
        commits: 40,
        seconds: 1,
        replayed: 100_000,
    };
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let known = ["--json", "--quick", "--bench", "--without-postgres"];
    if let Some(unknown) =
        arguments.iter().find(|argument| argument.starts_with("--") && !known.contains(&argument.as_str()))
    {
        anyhow::bail!(
            "{unknown} is unknown; there are --json, --quick and --without-postgres, and names of parts: \
             throughput latency replay growth"
        );
    }
    let parts: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |part: &str| parts.is_empty() || parts.contains(&part);
    let extent = if has("--quick") { Extent::QUICK } else { Extent::WHOLE };

    let places = Places::new(!has("--without-postgres"))?;
    let mut figures = Figures::default();
    if wanted("throughput") {
        throughput::measure(extent, &places, &mut figures)?;
    }
    if wanted("latency") {
        latency::measure(extent, &places, &mut figures)?;
    }
    if wanted("replay") {
        replay::measure(extent, &places, &mut figures)?;
    }
    if wanted("growth") {
        growth::measure(extent, &places, &mut figures)?;
    }
    figures.print(has("--json"))
}
