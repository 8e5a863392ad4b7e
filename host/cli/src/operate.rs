//! `bulkhead halt` and `bulkhead resume`: commands to the host through its database, so that they reach it
//! wherever it runs, and also one that starts later.

use std::time::{Duration, Instant};

use anyhow::Result;
use bulkhead_core::input::{Actor, Command, HaltAction};
use bulkhead_store::database::{Database, Options, RequestState};

use crate::arguments::{ConfigurationArguments, HaltArguments, ResumeArguments};
use crate::configuration;
use crate::shard::{self, database_url};

/// How long a running host may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is looked whether it has.
const INTERVAL: Duration = Duration::from_millis(50);

/// Stops trading.
pub(crate) fn halt(arguments: &HaltArguments) -> Result<()> {
    let action = match (arguments.flatten, arguments.cancel) {
        (true, _) => HaltAction::Flatten,
        (false, true) => HaltAction::CancelOrders,
        (false, false) => HaltAction::StopEntries,
    };
    let command = Command::Halt { reason: arguments.reason.clone(), actor: operator(), action };
    let (account, wait) = (arguments.account.as_deref(), !arguments.no_wait);
    ask(&arguments.configuration, account, &command, wait, "trading is halted")
}

/// Ends a halt.
pub(crate) fn resume(arguments: &ResumeArguments) -> Result<()> {
    let command = Command::Resume { actor: operator() };
    let (account, wait) = (arguments.account.as_deref(), !arguments.no_wait);
    ask(&arguments.configuration, account, &command, wait, "trading is resumed")
}

/// The user of the operating system.
fn operator() -> Actor {
    Actor::Person(std::env::var("USER").unwrap_or_else(|_| "operator".to_owned()))
}

fn ask(
    configuration: &ConfigurationArguments,
    account: Option<&str>,
    command: &Command,
    wait: bool,
    done: &str,
) -> Result<()> {
    let configuration = configuration::layers(configuration, None)?.read()?;
    let url = database_url(&configuration)?;
    let mut database = Database::open(&url, Options::reader())?;
    let accounts = match account {
        Some(_) => vec![shard::find(&mut database, account)?],
        None => database.account_names()?.into_iter().map(|row| row.shard).collect(),
    };
    let command = serde_json::to_string(command)?;
    // All are asked before any is waited for.
    let mut waiting = Vec::new();
    for shard in accounts {
        waiting.push(database.request(shard, &operator().to_string(), &command)?);
    }
    let asked = Instant::now();
    while wait && !waiting.is_empty() && asked.elapsed() < PATIENCE {
        let mut still = Vec::new();
        for request in waiting {
            match database.request_state(request)? {
                Some(RequestState::Answered(sequence)) => {
                    anstream::println!("{done} (request {request}, {sequence})");
                }
                _ => still.push(request),
            }
        }
        waiting = still;
        if !waiting.is_empty() {
            std::thread::sleep(INTERVAL);
        }
    }
    for request in waiting {
        anstream::println!(
            "request {request} is in {url}; no host has taken it up yet: the next that starts does so first"
        );
    }
    Ok(())
}
