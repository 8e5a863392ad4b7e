//! Everything that must pass before a change lands, in phases. A phase that fails doesn't stop the next: one
//! run tells all that is wrong.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::contract;
use crate::dependencies;
use crate::fuzz;
use crate::process;
use crate::smoke;
use crate::solana_validator;
use crate::test;
use crate::train;
use crate::workspace::Workspace;

type Check = fn(&Workspace) -> Result<()>;

/// Cheap ones first.
const PHASES: [(&str, Check); 9] = [
    ("format", format),
    ("lints", lints),
    ("dependencies", dependencies::check),
    ("documentation", documentation),
    ("demo", smoke::run),
    ("contract", contract::check),
    ("fuzzing", fuzzing),
    ("training", train::check),
    (TESTS, tests),
];

const TESTS: &str = "tests";

/// How long each target is fuzzed: enough to see that it works and finds nothing near what it begins with. More is for
/// `cargo xtask fuzz`.
const FUZZING_SECONDS: u64 = 20;

/// Runs the phases and ends with a table of how each went.
pub(crate) fn run(workspace: &Workspace, without_tests: bool) -> Result<()> {
    let mut table = String::new();
    let mut failed = Vec::new();
    for (name, check) in PHASES {
        if without_tests && name == TESTS {
            continue;
        }
        eprintln!("\n==> {name}");
        let started = Instant::now();
        let outcome = check(workspace);
        let line = table_line(name, outcome.is_ok(), started.elapsed());
        eprint!("<== {line}");
        table += &line;
        if let Err(error) = outcome {
            eprintln!("    {error:#}");
            failed.push(name);
        }
    }
    eprint!("\n{table}");
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

fn table_line(name: &str, passed: bool, took: Duration) -> String {
    let verdict = if passed { "ok" } else { "FAILED" };
    format!("{name:<14} {verdict:<6} {:>6.1} s\n", took.as_secs_f64())
}

fn format(workspace: &Workspace) -> Result<()> {
    let outcome = process::run(workspace.cargo().args(["fmt", "--all", "--check"]));
    // A workspace of its own.
    let validator = solana_validator::manifest(workspace);
    outcome.and(process::run(workspace.cargo().args(["fmt", "--check", "--manifest-path"]).arg(validator)))
}

fn lints(workspace: &Workspace) -> Result<()> {
    process::run(workspace.cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--features",
        test::FEATURES,
        "--keep-going",
        "--",
        "-D",
        "warnings",
    ]))
}

fn documentation(workspace: &Workspace) -> Result<()> {
    // With the features of the lints, whose work on dependencies it shares.
    process::run(
        workspace
            .cargo()
            .args(["doc", "--workspace", "--no-deps", "--features", test::FEATURES])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

fn fuzzing(workspace: &Workspace) -> Result<()> {
    fuzz::run(workspace, FUZZING_SECONDS, &[], fuzz::Built::Quickly)
}

fn tests(workspace: &Workspace) -> Result<()> {
    test::run(workspace, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_tells_each_phase_its_verdict_and_its_time() {
        assert_eq!(
            table_line("lints", true, Duration::from_millis(61_300)),
            "lints          ok       61.3 s\n"
        );
        assert_eq!(table_line("demo", false, Duration::from_secs(5)), "demo           FAILED    5.0 s\n");
    }
}
