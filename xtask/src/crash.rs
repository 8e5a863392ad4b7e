//! Kills the real host at random moments, more often than the test suite does.

use anyhow::{Result, ensure};

use crate::demo;
use crate::plugins::{self, PLUGINS_VARIABLE};
use crate::process;
use crate::workspace::Workspace;

const PACKAGE: &str = "bulkhead";
const TEST: &str = "crash";

/// Tells the test how often the host is killed.
const ROUNDS_VARIABLE: &str = "BULKHEAD_CRASH_ROUNDS";

/// Tells the test the moments.
const SEED_VARIABLE: &str = "BULKHEAD_CRASH_SEED";

/// Kills the host so many times.
pub(crate) fn run(workspace: &Workspace, rounds: u64, seed: u64) -> Result<()> {
    ensure!(rounds > 0, "--rounds must be at least 1");
    let plugins = plugins::build(workspace)?;
    demo::build_host(workspace)?;
    process::run(
        workspace
            .cargo()
            .args(["test", "--package", PACKAGE, "--test", TEST, "--", "--nocapture"])
            .env(PLUGINS_VARIABLE, &plugins)
            .env(ROUNDS_VARIABLE, rounds.to_string())
            .env(SEED_VARIABLE, seed.to_string()),
    )
}
