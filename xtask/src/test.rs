//! Every test of the workspace, with what they need built beforehand.

use std::process::Command;

use anyhow::Result;

use crate::dashboard;
use crate::demo;
use crate::evm_chain;
use crate::plugins::{self, PLUGINS_VARIABLE};
use crate::postgres;
use crate::process;
use crate::promtool;
use crate::secret_service;
use crate::workspace::Workspace;

/// Tells end-to-end tests and benches which `bulkhead` binary to drive.
pub(crate) const BINARY_VARIABLE: &str = "BULKHEAD_BIN";

/// What the binary does only where it is asked for. What it needs is built with the workspace anyway.
pub(crate) const FEATURES: &str = "bulkhead/solana,bulkhead/ledger,bulkhead/keyring,bulkhead/otlp";

/// The same where there is no chain to test on.
const FEATURES_WITHOUT_CHAIN: &str = "bulkhead/otlp,bulkhead-signing/ledger";

/// A filter that is part of this runs the dashboard's tests as well.
const DASHBOARD: &str = "dashboard browser";

/// A filter that is part of this may run the tests of the keys' commands.
const KEYS: &str = "keys keyring passphrase";

/// A filter that is part of this may run the test of the files for operators.
const OPERATIONS: &str = "operations";

/// Runs the tests, or those whose name contains `filter`.
pub(crate) fn run(workspace: &Workspace, filter: Option<&str>) -> Result<()> {
    postgres::find_or_install()?;
    let plugins = plugins::build(workspace)?;
    dashboard::build(workspace)?;
    let has_chain = evm_chain::prepare(workspace)?;
    let features = if has_chain { FEATURES } else { FEATURES_WITHOUT_CHAIN };
    // It is built together with the tests.
    let binary = demo::host_binary(workspace);
    let with_environment = |command: &mut Command| {
        process::run(command.env(PLUGINS_VARIABLE, &plugins).env(BINARY_VARIABLE, &binary))
    };

    let mut tests = workspace.cargo();
    if process::succeeds(workspace.cargo().args(["nextest", "--version"])) {
        tests.args(["nextest", "run", "--workspace", "--features", features]);
        if filter.is_some() {
            // What the filter names may be a documentation test.
            tests.arg("--no-tests=warn");
        }
    } else {
        eprintln!("cargo-nextest is not installed: the tests run with `cargo test`, which takes longer.");
        tests.args(["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"]);
        tests.args(["--features", features]);
    }
    if !has_chain {
        tests.args(evm_chain::PACKAGES.iter().flat_map(|package| ["--exclude", package]));
    }
    if filter.is_none_or(|filter| OPERATIONS.contains(filter)) {
        promtool::give(workspace, &mut tests)?;
    }
    if has_chain && filter.is_none_or(|filter| KEYS.contains(filter)) {
        secret_service::give(&mut tests);
    }
    let outcome = with_environment(tests.args(filter));

    // The examples in the documentation run even when a test failed: one run should tell all that is wrong.
    let mut examples = workspace.cargo();
    examples.args(["test", "--doc", "--workspace", "--features", features]).args(filter);
    let examples_outcome = with_environment(&mut examples);

    let dashboard_outcome = if filter.is_none_or(|filter| DASHBOARD.contains(filter)) {
        dashboard::test(workspace, &plugins, &binary)
    } else {
        Ok(())
    };
    outcome.and(examples_outcome).and(dashboard_outcome)
}
