//! Every chore of the repository, as `cargo xtask <verb>`: what a person types and what CI runs.
//!
//! It sets up what is missing, builds the plugins for wasm32 and starts cargo or the `bulkhead` binary with
//! the right environment. It must never depend on another crate of the workspace, so that it builds in
//! seconds on a fresh clone and still runs when the rest doesn't compile.
//!
//! Start reading at [`Verb`]; each verb has a module of its name. The order in which a compiler for wasm32 is
//! looked for is in [`wasm_compiler`].

#![expect(clippy::print_stderr, reason = "a command-line tool tells its user what it does")]

mod bench;
mod ci;
mod contract;
mod crash;
mod dashboard;
mod debian_packages;
mod demo;
mod dependencies;
mod evm_chain;
mod fuzz;
mod plugins;
mod postgres;
mod process;
mod promtool;
mod python;
mod secret_service;
mod simulate;
mod smoke;
mod solana_chain;
mod solana_validator;
mod test;
mod train;
mod wasm_compiler;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// The command line of `cargo xtask`.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "What people and CI run in this repository"
)]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Get a wasm32 compiler and Postgres for the tests; done by the other verbs too
    Setup,
    /// Build the plugins into target/plugins
    Plugins,
    /// Install the node and the contracts that the tests of the EVM executor run on
    EvmChain {
        /// Start a chain with pools in which others trade, to try things on, until Ctrl-C
        #[arg(long)]
        serve: bool,
    },
    /// Start a Solana chain with a pool in which others trade, to try things on
    SolanaChain,
    /// Build the dashboard, which the host takes along when it is built
    Dashboard,
    /// Build everything and watch five strategies trade paper money
    Demo {
        /// What `bulkhead run` is given besides the strategies, e.g. `-- --duration 60s`
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// Run every test, or those whose name contains FILTER
    Test {
        /// Part of a test's name
        filter: Option<String>,
        /// Also run the tests of trading on Solana against a fuller validator, which is built for that
        #[arg(long)]
        full: bool,
    },
    /// Run the performance suite, or the benches whose name contains FILTER
    Bench {
        /// Part of a bench's name
        filter: Option<String>,
        /// Arguments for the benches themselves
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// Run the deterministic simulation over many seeds
    Simulate {
        /// How many seeds to run
        #[arg(long, default_value_t = 1000)]
        seeds: u64,
        /// The first seed
        #[arg(long, default_value_t = 0)]
        start: u64,
    },
    /// Kill the host at random moments and check that nothing is lost
    Crash {
        /// Where its orders are executed
        #[arg(long, value_enum, default_value_t = crash::Venue::Paper)]
        venue: crash::Venue,
        /// How often it is killed
        #[arg(long, default_value_t = 200)]
        rounds: u64,
        /// Other moments
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Try random bytes on everything that decodes bytes from outside
    Fuzz {
        /// How long each target is tried
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Those targets; all when none is named
        #[arg(value_name = "TARGET")]
        targets: Vec<String>,
    },
    /// Ask the API thousands of things and check that it answers as it is described
    Contract,
    /// Train the models of the AI strategy, on the example or on bars of your own
    Train(train::Options),
    /// Check licences, duplicate versions and sources of the dependencies
    Deny,
    /// Run the demo for some seconds and check that all five strategies took part
    Smoke,
    /// Run everything that must pass before a change lands
    Ci {
        /// Leave the tests out, for when `cargo xtask test` runs beside it
        #[arg(long)]
        without_tests: bool,
    },
}

fn main() -> ExitCode {
    let verb = CommandLine::parse().verb;
    match Workspace::load().and_then(|workspace| run(&workspace, verb)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(workspace: &Workspace, verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Setup => {
            let compiler = wasm_compiler::find_or_install()?;
            eprintln!("ready: plugins are built with {compiler}");
            let postgres = postgres::find_or_install()?;
            eprintln!("ready: tests start Postgres from {}", postgres.display());
            Ok(())
        }
        Verb::Plugins => plugins::build(workspace).map(|_| ()),
        Verb::Dashboard => dashboard::build(workspace),
        Verb::EvmChain { serve } => evm_chain::run(workspace, serve),
        Verb::SolanaChain => solana_chain::run(workspace),
        Verb::Demo { arguments } => demo::run(workspace, &arguments),
        Verb::Test { filter, full } => {
            let outcome = test::run(workspace, filter.as_deref());
            if !full {
                return outcome;
            }
            outcome.and(solana_validator::run(workspace, filter.as_deref()))
        }
        Verb::Bench { filter, arguments } => bench::run(workspace, filter.as_deref(), &arguments),
        Verb::Simulate { seeds, start } => simulate::run(workspace, seeds, start),
        Verb::Crash { venue, rounds, seed } => crash::run(workspace, venue, rounds, seed),
        Verb::Fuzz { seconds, targets } => fuzz::run(workspace, seconds, &targets, fuzz::Built::Thoroughly),
        Verb::Contract => contract::check(workspace),
        Verb::Train(options) => train::run(workspace, &options),
        Verb::Deny => dependencies::check(workspace),
        Verb::Smoke => smoke::run(workspace),
        Verb::Ci { without_tests } => ci::run(workspace, without_tests),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_verb_says_in_one_line_what_it_does() {
        for verb in CommandLine::command().get_subcommands() {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!about.is_empty(), "{} says nothing", verb.get_name());
            assert!(about.len() <= 80, "{} says too much: {about}", verb.get_name());
        }
    }

    #[test]
    fn what_follows_two_dashes_reaches_the_demo_untouched() {
        let line = CommandLine::try_parse_from(["cargo xtask", "demo", "--", "--speed", "max", "--json"])
            .expect("parses");
        let Verb::Demo { arguments } = line.verb else { panic!("another verb: {:?}", line.verb) };
        assert_eq!(arguments, ["--speed", "max", "--json"]);
    }
}
