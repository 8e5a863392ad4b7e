//! The performance suite: every `[[bench]]` of the workspace, optimised, with what it needs built or found.
//!
//! A bench says what its numbers mean. Those that the documentation quotes print ratios between things that
//! were measured in one run, as absolute times differ from machine to machine. The suite over the full engine
//! is the bench named `performance`, the one over the journal `journal`.

use std::ffi::OsString;

use anyhow::{Result, ensure};

use crate::plugins::{self, PLUGINS_VARIABLE};
use crate::postgres;
use crate::process;
use crate::test::BINARY_VARIABLE;
use crate::workspace::Workspace;

/// Benches that load plugins.
const WITH_PLUGINS: [&str; 2] = ["call", "performance"];

/// Benches that run the command.
const WITH_BINARY: [&str; 1] = ["performance"];

/// Benches that start a Postgres server of their own.
const WITH_POSTGRES: [&str; 1] = ["journal"];

/// Runs the benches whose name contains `filter`, handing them `arguments`.
pub(crate) fn run(workspace: &Workspace, filter: Option<&str>, arguments: &[OsString]) -> Result<()> {
    let chosen = benches(workspace, filter);
    ensure!(!chosen.is_empty(), "no bench has '{}' in its name", filter.unwrap_or_default());

    let any_of = |names: &[&str]| chosen.iter().any(|(_, bench)| names.contains(bench));
    if any_of(&WITH_POSTGRES) {
        postgres::find_or_install()?;
    }
    let plugins = if any_of(&WITH_PLUGINS) { Some(plugins::build(workspace)?) } else { None };
    eprintln!("Building with all optimisations; the first time takes some minutes.");
    let binary = workspace.target.join("release").join(format!("bulkhead{}", std::env::consts::EXE_SUFFIX));
    if any_of(&WITH_BINARY) {
        process::run(workspace.cargo().args(["build", "--release", "--package", "bulkhead"]))?;
    }

    for (package, bench) in chosen {
        let mut cargo = workspace.cargo();
        cargo.args(["bench", "--package", package, "--bench", bench]);
        cargo.env(BINARY_VARIABLE, &binary);
        if let Some(plugins) = &plugins {
            cargo.env(PLUGINS_VARIABLE, plugins);
        }
        if !arguments.is_empty() {
            cargo.arg("--").args(arguments);
        }
        process::run(&mut cargo)?;
    }
    Ok(())
}

/// The benches of the workspace, as package and name.
fn benches<'a>(workspace: &'a Workspace, filter: Option<&str>) -> Vec<(&'a str, &'a str)> {
    let of_packages = workspace.packages.iter().flat_map(|package| {
        let benches = package.targets.iter().filter(|target| target.is("bench"));
        benches.map(|bench| (package.name.as_str(), bench.name.as_str()))
    });
    of_packages.filter(|(_, bench)| filter.is_none_or(|part| bench.contains(part))).collect()
}
