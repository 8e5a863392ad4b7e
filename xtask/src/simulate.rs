//! Long runs of the deterministic simulation: random markets, strategies and faults from a seed, with every
//! invariant checked after every step. The test suite runs a fixed set of seeds; this runs any range.

use anyhow::{Result, ensure};

use crate::process;
use crate::workspace::Workspace;

const PACKAGE: &str = "bulkhead-core";
const TEST: &str = "simulation";

/// Tells the simulation test how many seeds to run.
const COUNT_VARIABLE: &str = "BULKHEAD_SEEDS";

/// Tells the simulation test the first seed.
const START_VARIABLE: &str = "BULKHEAD_SEED_START";

/// Runs the seeds `start .. start + seeds`.
pub(crate) fn run(workspace: &Workspace, seeds: u64, start: u64) -> Result<()> {
    ensure!(seeds > 0, "--seeds must be at least 1");
    ensure!(start.checked_add(seeds).is_some(), "--start and --seeds go past the largest seed, {}", u64::MAX);
    ensure!(workspace.has_target(PACKAGE, "test", TEST), "{PACKAGE} has no test named {TEST}");
    process::run(
        workspace
            .cargo()
            .args(["test", "--release", "--package", PACKAGE, "--test", TEST, "--", "--nocapture"])
            .env(COUNT_VARIABLE, seeds.to_string())
            .env(START_VARIABLE, start.to_string()),
    )
}
