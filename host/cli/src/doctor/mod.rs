//! `bulkhead doctor`: whether everything is as a host needs it to trade. Nothing is changed, nothing is sent, and no secret
//! is told. Real funds are not traded while something of it is broken.

#[cfg(feature = "evm")]
mod chain;
#[cfg(feature = "evm")]
mod contracts;
#[cfg(feature = "evm")]
mod funds;
#[cfg(feature = "evm")]
mod key;
mod machine;
#[cfg(feature = "solana")]
mod solana;

use std::fmt;

use anyhow::{Result, ensure};
use bulkhead_configuration::{Configuration, Mode};
use comfy_table::Table;
use serde::Serialize;

use crate::arguments::DoctorArguments;
use crate::configuration;
#[cfg(feature = "evm")]
use crate::shard::Account;

/// What is said of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// It is as it should be.
    Ok,
    /// It was not looked at.
    Skipped,
    /// It works, and somebody should look.
    Warning,
    /// Nothing can be traded with it.
    Failed,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Failed => "FAILED",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Check {
    /// Of which account; everybody's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    /// What it is, in a few stable words.
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    /// What was found.
    pub(crate) found: String,
    /// What to do; empty when there is nothing to do.
    pub(crate) advice: String,
}

impl Check {
    fn new(name: impl Into<String>, verdict: Verdict, found: impl Into<String>, advice: &str) -> Self {
        let (name, found, advice) = (name.into(), found.into(), advice.to_owned());
        Self { account: None, name, verdict, found, advice }
    }

    fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(name, Verdict::Ok, found, "")
    }

    fn failed(name: impl Into<String>, found: impl Into<String>, advice: &str) -> Self {
        Self::new(name, Verdict::Failed, found, advice)
    }

    fn warning(name: impl Into<String>, found: impl Into<String>, advice: &str) -> Self {
        Self::new(name, Verdict::Warning, found, advice)
    }

    fn skipped(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(name, Verdict::Skipped, why, "")
    }

    #[cfg(feature = "evm")]
    fn of(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }
}

impl fmt::Display for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(account) = &self.account {
            write!(formatter, "{account}, ")?;
        }
        write!(formatter, "{}: {}", self.name, self.found)?;
        if self.advice.is_empty() { Ok(()) } else { write!(formatter, " ({})", self.advice) }
    }
}

/// All of it, as `--json` prints it.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    /// Whether nothing has failed.
    ok: bool,
    checks: &'a [Check],
}

/// Looks at everything and says what was found.
pub(crate) fn doctor(arguments: &DoctorArguments) -> Result<()> {
    let checks = match configuration::layers(&arguments.configuration, None).and_then(|layers| layers.read())
    {
        Err(invalid) => {
            let found = invalid.to_string();
            vec![Check::failed("configuration", found, "mend what is said there; nothing else was looked at")]
        }
        Ok(configuration) => examine(arguments, &configuration)?,
    };
    let failed: Vec<&str> = checks
        .iter()
        .filter(|check| check.verdict == Verdict::Failed)
        .map(|check| check.name.as_str())
        .collect();
    if arguments.json {
        let document = Document { schema: 1, ok: failed.is_empty(), checks: &checks };
        anstream::println!("{}", serde_json::to_string_pretty(&document)?);
    } else {
        anstream::println!("{}", for_people(&checks));
    }
    ensure!(failed.is_empty(), "{} failed: {}", counted(failed.len()), failed.join(", "));
    Ok(())
}

fn examine(arguments: &DoctorArguments, configuration: &Configuration) -> Result<Vec<Check>> {
    let mut checks = vec![configured(configuration)];
    checks.extend(machine::checks(configuration));
    let accounts = configuration.accounts()?;
    let concerned = accounts.iter().any(|(_, configuration)| is_of_a_chain(configuration));
    if concerned {
        checks.extend(of_chains(&accounts, arguments)?);
    } else {
        checks.push(Check::skipped("chain", "the configuration trades on paper, on markets of no chain"));
    }
    Ok(checks)
}

fn is_of_a_chain(configuration: &Configuration) -> bool {
    configuration.mode == Mode::Live || configuration.feed.source.is_live()
}

#[cfg(feature = "evm")]
fn of_chains(accounts: &[(String, Configuration)], arguments: &DoctorArguments) -> Result<Vec<Check>> {
    chain::checks(accounts, &arguments.passphrase)
}

#[cfg(not(feature = "evm"))]
#[expect(clippy::unnecessary_wraps, reason = "as with chains")]
fn of_chains(_: &[(String, Configuration)], _: &DoctorArguments) -> Result<Vec<Check>> {
    let advice = "build it with `--features evm`, or trade on paper on another feed";
    Ok(vec![Check::failed("chain", crate::WITHOUT_EVM, advice)])
}

/// Refuses to trade real funds while something is broken. The keys were opened by then.
#[cfg(feature = "evm")]
pub(crate) fn ensure_sound(runtime: &tokio::runtime::Handle, accounts: &[Account]) -> Result<()> {
    let live: Vec<&Account> =
        accounts.iter().filter(|account| account.configuration.mode == Mode::Live).collect();
    let Some(first) = live.first() else { return Ok(()) };
    let mut checks = machine::checks(&first.configuration);
    for account in &live {
        let (name, configuration) = (&account.name, &account.configuration);
        let has_begun = funds::has_begun(configuration);
        checks.extend(runtime.block_on(chain::of_account(name, configuration, has_begun))?);
    }
    for check in checks.iter().filter(|check| check.verdict == Verdict::Warning) {
        tracing::warn!("{check}");
    }
    let failed: Vec<String> =
        checks.iter().filter(|check| check.verdict == Verdict::Failed).map(ToString::to_string).collect();
    if failed.is_empty() {
        return Ok(());
    }
    anyhow::bail!(
        "real funds are not traded while {} of `bulkhead doctor` fail: {}",
        counted(failed.len()),
        failed.join("; ")
    )
}

fn counted(checks: usize) -> String {
    if checks == 1 { "1 check".to_owned() } else { format!("{checks} checks") }
}

fn configured(configuration: &Configuration) -> Check {
    let accounts = configuration.accounts.len().max(1);
    let accounts = if accounts == 1 { "1 account".to_owned() } else { format!("{accounts} accounts") };
    let found = format!(
        "mode {}, {accounts}, markets from {}",
        configuration.mode.name(),
        configuration.feed.source.name()
    );
    Check::ok("configuration", found)
}

fn for_people(checks: &[Check]) -> String {
    let mut lines = Table::new();
    lines
        .load_style(comfy_table::presets::NOTHING)
        .set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    for check in checks {
        let name = match &check.account {
            Some(account) => format!("{account}: {}", check.name),
            None => check.name.clone(),
        };
        let found = match check.advice.as_str() {
            "" => check.found.clone(),
            advice => format!("{}\n→ {advice}", check.found),
        };
        lines.add_row([check.verdict.name().to_owned(), name, found]);
    }
    lines.to_string()
}
