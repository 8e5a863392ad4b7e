//! `bulkhead halt` and `bulkhead resume`: commands to the host through its database, so that they reach it
//! wherever it runs, and also one that starts later.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bulkhead_core::input::{Command, HaltAction};
use bulkhead_store::database::{Database, Options};
use bulkhead_store::storage::Outcome;

use crate::arguments::{ConfigurationArguments, HaltArguments, ResumeArguments};
use crate::configuration;
use crate::shard::{self, database_url};

/// How long a running host may take to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Stops trading.
pub(crate) fn halt(arguments: &HaltArguments) -> Result<()> {
    let action = match (arguments.flatten, arguments.cancel) {
        (true, _) => HaltAction::Flatten,
        (false, true) => HaltAction::CancelOrders,
        (false, false) => HaltAction::StopEntries,
    };
    let command = Command::Halt { reason: arguments.reason.clone(), action };
    let (account, wait) = (arguments.account.as_deref(), !arguments.no_wait);
    ask(&arguments.configuration, account, &command, wait, "trading is halted")
}

/// Ends a halt.
pub(crate) fn resume(arguments: &ResumeArguments) -> Result<()> {
    let command = Command::Resume {};
    let (account, wait) = (arguments.account.as_deref(), !arguments.no_wait);
    ask(&arguments.configuration, account, &command, wait, "trading is resumed")
}

/// The user of the operating system.
pub(crate) fn operator() -> String {
    std::env::var("USER").unwrap_or_else(|_| "operator".to_owned())
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
    // A halt must be possible before the first start, so that nothing is traded by mistake.
    if matches!(command, Command::Halt { .. }) && Database::make(&url)? {
        anstream::eprintln!(
            "there was no {url}, so no host has run with this configuration yet; if one runs that is to be \
             halted, give its --config and --set here, in its directory"
        );
    }
    let mut database = Database::open(&url, Options::reader())?;
    let configured: Vec<String> = configuration.accounts()?.into_iter().map(|(name, _)| name).collect();
    let known = database.register_accounts(&configured)?;
    let asked_for = account.map(|_| shard::find(&mut database, account)).transpose()?;
    let accounts = known.iter().filter(|row| asked_for.is_none_or(|shard| shard == row.shard));
    let command = serde_json::to_string(command)?;
    // All are asked before any is waited for.
    let mut requests = Vec::new();
    for row in accounts {
        let of_account = if known.len() > 1 { format!("{}: ", row.name) } else { String::new() };
        requests.push((of_account, database.request(row.shard, &operator(), &command, None)?));
    }
    let patience = if wait { PATIENCE } else { Duration::ZERO };
    let asked = Instant::now();
    let mut refusals = Vec::new();
    for (of_account, request) in requests {
        match database.await_outcome(request, patience.saturating_sub(asked.elapsed()))? {
            Some(Outcome::Applied { sequence }) => {
                anstream::println!("{of_account}{done} (request {request}, {sequence})");
            }
            Some(Outcome::Refused { reason, .. }) => {
                refusals.push(format!("{of_account}request {request} was refused: {reason}"));
            }
            None => anstream::println!(
                "{of_account}request {request} is in {url}; no host has taken it up yet: the next that starts does so first"
            ),
        }
    }
    ensure!(refusals.is_empty(), refusals.join("\n"));
    Ok(())
}
