//! `bulkhead db`: looking after the database.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bulkhead_configuration::Configuration;
use bulkhead_store::database::{Database, DatabaseUrl, Options};
use bulkhead_store::verify::{self, verify};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::arguments::{ConfigurationArguments, DatabaseCommand};
use crate::configuration;
use crate::replay;
use crate::shard::database_url;

/// What `verify --json` prints.
#[derive(Debug, Serialize)]
struct Verdict {
    schema: u32,
    whole: bool,
    shards: Vec<ShardVerdict>,
}

#[derive(Debug, Serialize)]
struct ShardVerdict {
    shard: u32,
    records: u64,
    inputs: u64,
    snapshots: usize,
    dropped_payloads: u64,
    checksum: String,
}

/// Does what is asked.
pub(crate) fn database(command: &DatabaseCommand) -> Result<()> {
    match command {
        DatabaseCommand::Migrate { configuration } => {
            let (_, url) = read(configuration)?;
            Database::open(&url, Options::writer().migrating())?;
            anstream::println!("{url} is up to date");
            Ok(())
        }
        DatabaseCommand::Backup { configuration, file } => {
            let (_, url) = read(configuration)?;
            copy(&url, &DatabaseUrl::file(file), "the backup")
        }
        DatabaseCommand::Restore { configuration, file } => {
            let (configuration, url) = read(configuration)?;
            restore(&configuration, file, &url)
        }
        DatabaseCommand::Verify { configuration, json } => {
            let (_, url) = read(configuration)?;
            check(&url, *json)
        }
    }
}

fn read(arguments: &ConfigurationArguments) -> Result<(Configuration, DatabaseUrl)> {
    let configuration = configuration::layers(arguments, None)?.read()?;
    let url = database_url(&configuration)?;
    Ok((configuration, url))
}

fn restore(configuration: &Configuration, backup: &Path, url: &DatabaseUrl) -> Result<()> {
    ensure!(backup.is_file(), "there is no backup {}", backup.display());
    if let Some(directory) = url.path().and_then(Path::parent) {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("{} can't be made", directory.display()))?;
    }
    copy(&DatabaseUrl::file(backup), url, "the restored database")?;
    let replayed = replay::agree(configuration, url)
        .context("the database is restored, but its journal does not come out as it was recorded")?;
    anstream::println!("its {replayed} inputs were stepped again: every output is as recorded");
    Ok(())
}

fn copy(from: &DatabaseUrl, to: &DatabaseUrl, what: &str) -> Result<()> {
    let mut source = Database::open(from, Options::reader())?;
    let spinner = spinner(format!("copying {from}"));
    let reports = source.copy_to(to)?;
    spinner.finish_and_clear();
    for report in reports {
        anstream::println!("{what} {to} is whole: {}", in_words(&report));
    }
    Ok(())
}

fn check(url: &DatabaseUrl, json: bool) -> Result<()> {
    let mut database = Database::open(url, Options::reader())?;
    let mut verdict = Verdict { schema: 1, whole: true, shards: Vec::new() };
    for shard in database.shards()? {
        let spinner = spinner(format!("{shard}"));
        let report = verify(&mut database, shard, &mut |record| spinner.set_message(record.to_string()))?;
        spinner.finish_and_clear();
        if !json {
            anstream::println!("{shard} is whole: {}", in_words(&report));
        }
        verdict.shards.push(ShardVerdict {
            shard: shard.0,
            records: report.chain.number().0,
            inputs: report.chain.sequence().0,
            snapshots: report.snapshots,
            dropped_payloads: report.dropped_payloads,
            checksum: report.chain.checksum().to_string(),
        });
    }
    if json {
        anstream::println!("{}", serde_json::to_string_pretty(&verdict)?);
    } else if verdict.shards.is_empty() {
        anstream::println!("{url} is empty");
    }
    Ok(())
}

fn in_words(report: &verify::Report) -> String {
    let dropped = match report.dropped_payloads {
        0 => String::new(),
        dropped => format!(", {dropped} of them without their market data"),
    };
    format!(
        "{} records with {} inputs{dropped}, {} snapshots, checksum {:.12}",
        report.chain.number().0,
        report.chain.sequence().0,
        report.snapshots,
        report.chain.checksum().to_string()
    )
}

/// Turns on a terminal, and is not there otherwise.
fn spinner(message: String) -> ProgressBar {
    use std::io::IsTerminal as _;
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let spinner = ProgressBar::new_spinner().with_message(message);
    spinner.enable_steady_tick(std::time::Duration::from_millis(100));
    spinner
}
