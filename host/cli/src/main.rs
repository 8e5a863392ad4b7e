//! The `bulkhead` command: reads the command line, wires the parts together and shows people what happens.
//!
//! It decides nothing about money; that is the core's. Where to start reading: `arguments` for what can be
//! asked, `run` for the host at work, `backtest` for the same engine over the past.

mod alerts;
mod arguments;
mod backtest;
mod by_hand;
#[cfg(feature = "evm")]
mod chain;
mod compare;
mod configuration;
mod database;
mod doctor;
mod feature_file;
mod features;
mod key_arguments;
#[cfg(feature = "evm")]
mod keys;
mod log_filter;
mod log_lines;
mod market_data;
mod measured;
mod memory_use;
mod model_files;
mod open_files;
mod operate;
mod playing;
mod plugin;
#[cfg(feature = "evm")]
mod reconcile;
mod replay;
mod run;
mod shard;
#[cfg(feature = "evm")]
mod signer;
mod strategy_files;
mod token;

use std::process::ExitCode;

use anyhow::Result;
use bulkhead_configuration::{InvalidConfiguration, LogFormat};
use bulkhead_store::database::DatabaseUrl;
use clap::Parser as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

use crate::arguments::{Arguments, Colour, Command, WrongUsage};

/// Wrong usage or configuration, as with clap.
const WRONG_USAGE: u8 = 2;

#[cfg(not(feature = "evm"))]
const WITHOUT_EVM: &str = "this bulkhead was built without EVM chains; `cargo build --release -p bulkhead --features evm` builds one with them";
#[cfg(all(feature = "evm", not(feature = "solana")))]
const WITHOUT_SOLANA: &str = "this bulkhead was built without Solana; `cargo build --release -p bulkhead --features solana` builds one with it";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // First of all: this process has limits to set for itself, and no log, colours or configuration to look for.
    if let Command::CompilePlugin { memory_bytes, seconds } = arguments.command {
        return compile_plugin(memory_bytes, seconds);
    }
    match arguments.color {
        Colour::Auto => {}
        Colour::Always => anstream::ColorChoice::Always.write_global(),
        Colour::Never => anstream::ColorChoice::Never.write_global(),
    }
    start_log(log_format(&arguments));
    // Strategies run on the thread that calls them; its stack must hold theirs.
    let worker = std::thread::Builder::new()
        .name("engine".to_owned())
        .stack_size(4 * bulkhead_sandbox::THREAD_STACK_BYTES)
        .spawn(move || execute(&arguments.command));
    let result = match worker.map(std::thread::JoinHandle::join) {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => return ExitCode::FAILURE,
        Err(error) => Err(anyhow::Error::new(error).context("the engine's thread can't be started")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("error: {}", in_one_line(&error));
            let is_wrong_usage = error.is::<InvalidConfiguration>() || error.is::<WrongUsage>();
            if is_wrong_usage { ExitCode::from(WRONG_USAGE) } else { ExitCode::FAILURE }
        }
    }
}

/// An error with its causes, each said once: many of them say their cause themselves.
fn in_one_line(error: &anyhow::Error) -> String {
    let mut line = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !line.ends_with(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    line
}

fn compile_plugin(memory_bytes: u64, seconds: u64) -> ExitCode {
    match bulkhead_sandbox::serve_as_compiler(memory_bytes, seconds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: &Command) -> Result<()> {
    match command {
        Command::Run(arguments) => run::run(arguments),
        Command::Backtest(arguments) => backtest::backtest(arguments),
        Command::Features(arguments) => features::features(arguments),
        Command::Replay(arguments) => replay::replay(arguments),
        Command::Halt(arguments) => operate::halt(arguments),
        Command::Resume(arguments) => operate::resume(arguments),
        #[cfg(feature = "evm")]
        Command::Reconcile(arguments) => reconcile::reconcile(arguments),
        #[cfg(not(feature = "evm"))]
        Command::Reconcile(_) => Err(WrongUsage(WITHOUT_EVM.to_owned()).into()),
        Command::Doctor(arguments) => doctor::doctor(arguments),
        Command::Order(command) => by_hand::order(command),
        Command::Close(arguments) => by_hand::close(arguments),
        Command::Cancel(arguments) => by_hand::cancel(arguments),
        Command::Compare(arguments) => compare::compare(arguments),
        Command::Db(command) => database::database(command),
        Command::Plugin(command) => plugin::plugin(command),
        Command::Token(command) => token::token(command),
        #[cfg(feature = "evm")]
        Command::Keys(command) => keys::keys(command),
        #[cfg(feature = "evm")]
        Command::Signer(arguments) => signer::signer(arguments),
        #[cfg(not(feature = "evm"))]
        Command::Keys(_) | Command::Signer(_) => Err(WrongUsage(WITHOUT_EVM.to_owned()).into()),
        Command::Alert(command) => alerts::alert(command),
        Command::CompilePlugin { .. } => Ok(()),
        Command::Config(arguments) => {
            let mut configuration = configuration::layers(arguments, None)?.read()?;
            // Without the password that may be in it.
            if let Some(url) = &mut configuration.journal.database {
                *url =
                    url.parse::<DatabaseUrl>().map_or_else(|_| "not shown".to_owned(), |url| url.to_string());
            }
            anstream::print!("{}", toml::to_string_pretty(&configuration)?);
            Ok(())
        }
    }
}

/// How log lines are written: as the command line says, or else the configuration of the host that is to run. A
/// configuration that can't be read is complained about where it is used.
fn log_format(arguments: &Arguments) -> LogFormat {
    let asked = arguments.log_format.map(|format| match format {
        arguments::LogFormat::Text => LogFormat::Text,
        arguments::LogFormat::Json => LogFormat::Json,
    });
    let configured = || match &arguments.command {
        Command::Run(run) => {
            let layers = configuration::layers(&run.configuration, None).ok()?;
            layers.read().ok().map(|configuration| configuration.log.format)
        }
        _ => None,
    };
    asked.or_else(configured).unwrap_or_default()
}

/// Log lines go to standard error, or to the status view while it is on; `RUST_LOG=debug` shows more of them.
fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colour = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let text = (format == LogFormat::Text)
        .then(|| fmt::layer().with_writer(log_lines::standard_error).with_target(false).with_ansi(colour));
    let json = (format == LogFormat::Json).then(|| {
        let lines = fmt::layer().with_writer(log_lines::standard_error).with_target(false).with_ansi(false);
        lines.json().flatten_event(true).with_span_list(false)
    });
    let heard = log_filter::filtered(tracing_subscriber::registry(), filter);
    heard.with(text).with(json).with(log_lines::Keep).init();
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let cause = || std::io::Error::other("no space");
        let repeats = bulkhead_sandbox::SetUpError::Directory { path: "code".into(), source: cause() };
        let error = anyhow::Error::new(repeats).context("the sandbox can't be set up");
        assert_eq!(
            in_one_line(&error),
            "the sandbox can't be set up: the directory code can't be used: no space"
        );
        let error = Err::<(), _>(cause()).context("x.csv can't be written").unwrap_err();
        assert_eq!(in_one_line(&error), "x.csv can't be written: no space");
    }
}
