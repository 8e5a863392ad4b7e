//! The tests of trading on Solana once more, against a fuller validator. It is built in a workspace of its own, so that
//! the versions that it pins bind nothing else, and only on demand: it takes some minutes, once.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::process;
use crate::test;
use crate::workspace::Workspace;

/// Tells the chain of the tests which validator to start in the place of its own machine.
const VALIDATOR_VARIABLE: &str = "BULKHEAD_SOLANA_VALIDATOR";

/// The tests that ask of a chain what every chain can do, as good as all of them.
const TESTS: [&str; 5] = ["trading", "malicious", "crash", "bundles", "reconcile"];

/// Those among them that need a chain which does as it is told: loses or holds transactions, stands still or hurries.
const LEFT_OUT: [&str; 7] = [
    "a_bundle_that_gets_nowhere_is_sent_to_everybody_after_a_while",
    "a_raised_fee_is_not_paid",
    "a_sale_of_native_currency_on_its_way_may_have_cost_its_fees_and_no_more",
    "a_server_that_is_behind_is_left_out",
    "an_order_on_its_way_is_no_difference_wherever_it_is",
    "at_every_boundary_with_a_transaction_that_lands_late",
    "one_that_may_go_nowhere_else_expires",
];

/// The workspace that the validator is built in.
pub(crate) fn manifest(workspace: &Workspace) -> PathBuf {
    workspace.root.join("tests").join("solana-validator").join("Cargo.toml")
}

/// Builds the validator, and runs the tests that it can be used for, or those of them whose name contains `filter`.
pub(crate) fn run(workspace: &Workspace, filter: Option<&str>) -> Result<()> {
    if !process::succeeds(workspace.cargo().args(["nextest", "--version"])) {
        bail!("cargo-nextest is needed for these tests: cargo install --locked cargo-nextest");
    }
    let directory = workspace.target.join("solana-validator");
    if !directory.exists() {
        eprintln!("Building the validator; the first time takes long, as it is hundreds of crates.");
    }
    let build = ["build", "--locked", "--manifest-path"];
    let manifest = manifest(workspace);
    process::run(workspace.cargo().args(build).arg(manifest).arg("--target-dir").arg(&directory))?;
    let program =
        directory.join("debug").join(format!("bulkhead-solana-validator{}", std::env::consts::EXE_SUFFIX));
    let mut tests = workspace.cargo();
    tests.args(["nextest", "run", "--workspace", "--features", test::FEATURES]);
    tests.args(TESTS.iter().flat_map(|name| ["--test", name]));
    let chosen = format!("package(bulkhead-solana) & !test(/^({})$/)", LEFT_OUT.join("|"));
    tests.args(["--no-tests=warn", "-E", &chosen]);
    process::run(tests.args(filter).env(VALIDATOR_VARIABLE, program))
}
