//! `bulkhead reconcile`: what the books say held against what the chain says, and what a person says becomes of a
//! difference. The books are those of the journal, whether a host runs on it or not.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use bulkhead_api::ReconciliationTable;
use bulkhead_configuration::{Configuration, Mode, Solana};
use bulkhead_core::engine::Engine;
use bulkhead_core::input::Command;
use bulkhead_core::money::Price;
use bulkhead_core::reconciliation::Adjustment;
use bulkhead_evm::reconcile::EvmWallet;
use bulkhead_evm::rpc::Endpoints;
use bulkhead_sequencer::recovery::recover;
use bulkhead_store::clock::now;
use bulkhead_store::database::{Database, Options};
use bulkhead_venue::reconcile::books::BookedAsset;
use bulkhead_venue::reconcile::figures::ChainName;
use bulkhead_venue::reconcile::{Reconciliation, Row, RowKind, Verdict, Wallet};
use comfy_table::{CellAlignment, Table};
use rust_decimal::Decimal;
use serde::Serialize;
use tokio::runtime::{Builder, Runtime};

use crate::arguments::{
    AdjustmentArguments, ReconcileAction, ReconcileArguments, RequestArguments, WrongUsage,
};
use crate::by_hand::Asking;
use crate::chain::reconciliation::{Comparison, table};
use crate::chain::{settings, signer};
use crate::shard::{self, KeptVersions, database_url};
use crate::{configuration, strategy_files};

/// All accounts, as `--json` prints them.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    /// Whether nothing differs beyond the tolerance.
    agrees: bool,
    accounts: Vec<Compared<'a>>,
}

#[derive(Serialize)]
struct Compared<'a> {
    account: &'a str,
    #[serde(flatten)]
    table: ReconciliationTable,
}

/// Compares, or does about a difference what is asked.
pub(crate) fn reconcile(arguments: &ReconcileArguments) -> Result<()> {
    match &arguments.action {
        None => show(arguments),
        Some(ReconcileAction::Adopt(adjustment)) => {
            let (mut asking, adjustment) = adjusted(adjustment)?;
            asking.ask(&Command::Adopt(Box::new(adjustment)), "the difference is booked")
        }
        Some(ReconcileAction::WriteOff(adjustment)) => {
            let (mut asking, adjustment) = adjusted(adjustment)?;
            asking.ask(&Command::WriteOff(Box::new(adjustment)), "the loss is booked")
        }
        Some(ReconcileAction::Ignore { difference: subject, reason, request }) => {
            let (found, mut asking) = compared_for(request)?;
            let row = row(&found, subject)?;
            let command = Command::Ignore {
                subject: row.subject.clone(),
                difference: row.difference,
                reason: reason.clone(),
            };
            asking.ask(&command, "the difference is ignored")
        }
        Some(ReconcileAction::StopIgnoring { difference, reason, request }) => {
            let command = Command::StopIgnoring { subject: difference.clone(), reason: reason.clone() };
            Asking::of(request)?.ask(&command, "the difference counts again")
        }
    }
}

/// An account's books and chain, compared now.
pub(crate) fn compare(name: &str, configuration: &Configuration) -> Result<Reconciliation> {
    let engine = engine(name, configuration)?;
    let (runtime, comparison) = comparison(name, configuration)?;
    let books = comparison.books(&engine);
    Ok(runtime.block_on(comparison.compare(&books))?)
}

/// The account as the journal has it.
fn engine(name: &str, configuration: &Configuration) -> Result<Engine> {
    let url = database_url(configuration)?;
    let mut database = Database::open(&url, Options::reader())?;
    let shard = shard::find(&mut database, Some(name))?;
    let versions = KeptVersions::new(strategy_files::sandbox(configuration)?, &url);
    let recovered = recover(&mut database, shard, &versions)
        .with_context(|| format!("the books of {name} can't be read from {url}"))?;
    let recovered =
        recovered.with_context(|| format!("{name} has no books yet; they begin with its first run"))?;
    ensure!(recovered.position.engine.outside().is_some(), "{name} trades on paper in {url}");
    Ok(recovered.position.engine)
}

/// What is compared, and who waits for it.
fn comparison(name: &str, configuration: &Configuration) -> Result<(Runtime, Comparison)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let comparison = match (&configuration.evm, &configuration.solana) {
        (Some(evm), _) => {
            let endpoints = Arc::new(Endpoints::new(evm.chain_id, &settings::endpoints(evm)?)?);
            let (address, settings) = (signer::address(configuration)?, settings::chain_settings(evm)?);
            let wallet = Arc::new(EvmWallet { endpoints, settings, address });
            Comparison::new(name, wallet, &evm.reconciliation)
        }
        (None, Some(solana)) => {
            Comparison::new(name, solana_wallet(configuration, solana)?, &solana.reconciliation)
        }
        (None, None) => bail!("the section of the chain is missing"),
    };
    Ok((runtime, comparison))
}

#[cfg(feature = "solana")]
fn solana_wallet(configuration: &Configuration, solana: &Solana) -> Result<Arc<dyn Wallet>> {
    let owner = crate::chain::solana::signer::address(configuration)?;
    Ok(Arc::new(crate::chain::solana::venue::wallet(solana, owner)?))
}

#[cfg(not(feature = "solana"))]
fn solana_wallet(_: &Configuration, _: &Solana) -> Result<Arc<dyn Wallet>> {
    bail!(crate::WITHOUT_SOLANA)
}

/// The accounts that trade outside; the one that is named, or all.
fn accounts(
    arguments: &crate::arguments::ConfigurationArguments,
    named: Option<&str>,
) -> Result<Vec<(String, Configuration)>> {
    let configuration = configuration::layers(arguments, None)?.read()?;
    let mut accounts = configuration.accounts()?;
    if let Some(named) = named {
        accounts.retain(|(name, _)| name == named);
        if accounts.is_empty() {
            return Err(WrongUsage(format!("there is no account \"{named}\" in the configuration")).into());
        }
    }
    accounts.retain(|(_, configuration)| configuration.mode == Mode::Live);
    if accounts.is_empty() {
        let why = "the configuration trades on paper: its books are all that there is, and there is nothing to hold \
                   them against";
        return Err(WrongUsage(why.to_owned()).into());
    }
    Ok(accounts)
}

fn show(arguments: &ReconcileArguments) -> Result<()> {
    let accounts = accounts(&arguments.configuration, arguments.account.as_deref())?;
    let mut compared = Vec::new();
    for (name, configuration) in &accounts {
        let found = compare(name, configuration).with_context(|| format!("account {name}"))?;
        compared.push((name, found));
    }
    let differing: Vec<&str> =
        compared.iter().filter(|(_, found)| differs(found)).map(|(name, _)| name.as_str()).collect();
    if arguments.json {
        let accounts = compared
            .iter()
            .map(|(account, found)| Compared { account, table: table(found, now()) })
            .collect();
        let document = Document { schema: 1, agrees: differing.is_empty(), accounts };
        anstream::println!("{}", serde_json::to_string_pretty(&document)?);
    } else {
        for (name, found) in &compared {
            anstream::println!("{}", for_people(name, found));
        }
    }
    ensure!(differing.is_empty(), "the books and the chain differ: {}", differing.join(", "));
    Ok(())
}

/// Whether something differs beyond the tolerance. A permission that is left is no loss, and what anybody can send no
/// difference.
fn differs(found: &Reconciliation) -> bool {
    let is_difference = |row: &&Row| !matches!(row.kind, RowKind::Allowance | RowKind::OtherTokens);
    found.rows.iter().filter(is_difference).any(|row| row.verdict.is_open())
}

fn for_people(name: &str, found: &Reconciliation) -> String {
    let figures = &found.figures;
    let mut lines = Table::new();
    lines.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header([
        "difference",
        "books",
        "chain",
        "differs by",
        "tolerated",
        "verdict",
    ]);
    for column in 1..=4 {
        if let Some(column) = lines.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for row in &found.rows {
        lines.add_row([
            row.subject.clone(),
            shown(row.books),
            shown(row.chain),
            shown(row.difference),
            shown(row.tolerance),
            verdict(row),
        ]);
    }
    let (block, costs) = match figures.chain {
        ChainName::Evm(_) => ("block", "gas"),
        ChainName::Solana(_) => ("slot", "fees"),
    };
    let mut text = format!(
        "{name}: {} on {}, {block} {}, {} native for {costs}\n{lines}",
        figures.address,
        figures.chain,
        figures.block,
        shown(figures.native)
    );
    for row in found.rows.iter().filter(|row| row.verdict.is_open()) {
        text.push_str(&format!("\n{}: {}\n  {}", row.subject, row.in_words(), advice(row)));
    }
    text
}

fn verdict(row: &Row) -> String {
    match &row.ignored {
        Some(ignored) if row.verdict == Verdict::Ignored => {
            format!("ignored ({}: {})", ignored.actor, ignored.reason)
        }
        _ => row.verdict.name().to_owned(),
    }
}

fn shown(amount: Decimal) -> String {
    if amount == Decimal::MAX {
        return "unlimited".to_owned();
    }
    amount.round_dp(8).normalize().to_string()
}

/// What can be done about a difference.
fn advice(row: &Row) -> String {
    let Row { subject, token, .. } = row;
    let ignore = format!("`bulkhead reconcile ignore --difference {subject} --reason …` if it is fine");
    match row.kind {
        RowKind::Balance if row.unexplained().is_sign_negative() => format!(
            "`bulkhead reconcile adopt --token {token} --reason …` if you took it away, `… write-off …` if it is lost, \
             {ignore}"
        ),
        RowKind::Balance => format!(
            "`bulkhead reconcile adopt --token {token} --reason …` (with --price for what is no cash) if it is the \
             account's, {ignore}"
        ),
        RowKind::Allowance => {
            format!("an order that failed may have left it; the next one of the kind uses it up, {ignore}")
        }
        RowKind::Delegate | RowKind::CloseAuthority => format!(
            "take the permission back with a wallet. If you did not give it, somebody has the key: move the funds to \
             another one now; {ignore}"
        ),
        RowKind::OtherTokens => format!("anybody can send some, and nothing is done with them; {ignore}"),
        RowKind::Rent => "closing the accounts brings it back".to_owned(),
        RowKind::Transactions | RowKind::Pending => format!(
            "somebody else uses the key. If that was not you, move the funds to another key now; {ignore}"
        ),
    }
}

/// A difference in a token, as it is to be booked.
fn adjusted(arguments: &AdjustmentArguments) -> Result<(Asking<'_>, Adjustment)> {
    let (found, asking) = compared_for(&arguments.request)?;
    let row = row(&found, &format!("balance:{}", arguments.token))?;
    let open = row.unexplained();
    ensure!(!open.is_zero(), "there is no difference in {}", arguments.token);
    let part = part(row, arguments.instrument.as_deref())?;
    let adjustment = Adjustment {
        asset: part.asset,
        books: part.booked,
        found: part.booked.checked_add(open).context("the difference is too large to be booked")?,
        price: arguments.price.map(Price),
        slot: arguments.strategy.clone(),
        reason: arguments.reason.clone(),
    };
    Ok((asking, adjustment))
}

/// Where a token's difference is booked.
fn part<'a>(row: &'a Row, instrument: Option<&str>) -> Result<&'a BookedAsset> {
    let symbols: Vec<&str> = row.assets.iter().map(|asset| asset.symbol.as_str()).collect();
    match (instrument, row.assets.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => bail!("{} is traded as {}; name one with --instrument", row.token, symbols.join(", ")),
        (Some(symbol), assets) => {
            let found = assets.iter().find(|asset| asset.symbol == symbol);
            found.with_context(|| {
                format!("{} is not traded as {symbol}, but as {}", row.token, symbols.join(", "))
            })
        }
    }
}

fn row<'a>(found: &'a Reconciliation, subject: &str) -> Result<&'a Row> {
    let row = found.rows.iter().find(|row| row.subject == subject);
    row.with_context(|| {
        let subjects: Vec<&str> = found.rows.iter().map(|row| row.subject.as_str()).collect();
        format!("there is no {subject}; there are: {}", subjects.join(", "))
    })
}

/// The one account that something is asked of, compared now.
fn compared_for(request: &RequestArguments) -> Result<(Reconciliation, Asking<'_>)> {
    let accounts = accounts(&request.configuration, request.account.as_deref())?;
    let [(name, configuration)] = accounts.as_slice() else {
        let names: Vec<&str> = accounts.iter().map(|(name, _)| name.as_str()).collect();
        return Err(WrongUsage(format!("name one of {} with --account", names.join(", "))).into());
    };
    let found = compare(name, configuration).with_context(|| format!("account {name}"))?;
    Ok((found, Asking::of(request)?))
}
