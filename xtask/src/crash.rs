//! Kills the real host at random moments, more often than the test suite does.

use anyhow::{Result, ensure};
use clap::ValueEnum;

use crate::demo;
use crate::evm_chain;
use crate::plugins::{self, PLUGINS_VARIABLE};
use crate::process;
use crate::workspace::Workspace;

const PACKAGE: &str = "bulkhead";

/// Where orders are executed while the host is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Venue {
    /// On paper.
    Paper,
    /// On an EVM chain of this machine.
    Evm,
    /// On a Solana chain of this machine.
    Solana,
}

/// Tells the test how often the host is killed.
const ROUNDS_VARIABLE: &str = "BULKHEAD_CRASH_ROUNDS";

/// Tells the test the moments.
const SEED_VARIABLE: &str = "BULKHEAD_CRASH_SEED";

/// Kills the host so many times.
pub(crate) fn run(workspace: &Workspace, venue: Venue, rounds: u64, seed: u64) -> Result<()> {
    ensure!(rounds > 0, "--rounds must be at least 1");
    let which: &[&str] = match venue {
        Venue::Paper => &["--test", "crash", "--", "--nocapture"],
        Venue::Evm => {
            ensure!(evm_chain::prepare(workspace)?, "install Node to start the chain");
            &["--features", "evm", "--test", "on_chain", "--", "--nocapture", "again_and_again"]
        }
        Venue::Solana => {
            &["--features", "solana", "--test", "on_solana", "--", "--nocapture", "again_and_again"]
        }
    };
    let plugins = plugins::build(workspace)?;
    demo::build_host(workspace)?;
    process::run(
        workspace
            .cargo()
            .args(["test", "--package", PACKAGE])
            .args(which)
            .env(PLUGINS_VARIABLE, &plugins)
            .env(ROUNDS_VARIABLE, rounds.to_string())
            .env(SEED_VARIABLE, seed.to_string()),
    )
}
