//! `bulkhead plugin`: looking at plugin files and versions.

use anyhow::{Result, bail, ensure};
use bulkhead_configuration::Configuration;
use bulkhead_core::identifier::ContentHash;
use bulkhead_sandbox::check::CheckReport;
use comfy_table::Table;
use serde_json::json;

use crate::arguments::{ConfigurationArguments, PluginCommand};
use crate::configuration;
use crate::market_data::read;
use crate::model_files::{self, GrantingSandbox};
use crate::strategy_files;

/// Runs one of the plugin commands.
pub(crate) fn plugin(command: &PluginCommand) -> Result<()> {
    match command {
        PluginCommand::Check { configuration, file, json } => check(&configured(configuration)?, file, *json),
        PluginCommand::List { configuration, json } => list(&configured(configuration)?, *json),
        PluginCommand::Rollback { configuration, slot, hash } => {
            rollback(&configured(configuration)?, slot, hash)
        }
    }
}

fn configured(arguments: &ConfigurationArguments) -> Result<Configuration> {
    Ok(configuration::layers(arguments, None)?.read()?)
}

fn check(configuration: &Configuration, file: &std::path::Path, json: bool) -> Result<()> {
    let limits = &configuration.sandbox;
    let slot = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let models = model_files::granted(configuration, &slot)?;
    let compiler = Some(strategy_files::compiler()?);
    let report = bulkhead_sandbox::check::check_granted(&read(file)?, limits, compiler, &models);
    if json {
        anstream::println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        anstream::print!("{}", describe(&report));
    }
    ensure!(report.passed(), "{} is refused: {}", file.display(), report.problems.join("; "));
    Ok(())
}

/// A check's result for people.
fn describe(report: &CheckReport) -> String {
    let mut lines = Table::new();
    lines.load_style(comfy_table::presets::NOTHING);
    let mut add = |name: &str, value: String| {
        lines.add_row([name.to_owned(), value]);
    };
    if let Some(description) = &report.description {
        add("strategy", format!("{} {}", description.name, description.version));
    }
    add("sha256", report.sha256.to_string());
    if let Some(file) = &report.file {
        let imports = if file.imports.is_empty() { "none".to_owned() } else { file.imports.join(", ") };
        add("file", format!("{} bytes, {} functions", file.bytes, file.functions));
        add("imports", imports);
    }
    if let Some(description) = &report.description {
        let needs = &description.needs;
        let mut inputs: Vec<String> = needs
            .bar_intervals
            .iter()
            .map(|interval| {
                if interval.nanos() == 0 {
                    "bars of the feed".to_owned()
                } else {
                    format!("bars of {interval}")
                }
            })
            .collect();
        inputs.extend(needs.quotes.then(|| "quotes".to_owned()));
        inputs.extend(needs.trades.then(|| "trades".to_owned()));
        inputs.extend(needs.signals.iter().map(|signal| format!("signal \"{signal}\"")));
        add("wants", inputs.join(", "));
    }
    if let Some(series) = &report.series {
        add(
            "fuel an event",
            format!(
                "{} on average, {} at most ({:.2} % of the budget)",
                series.mean_fuel, series.largest_fuel, series.largest_fuel_percent
            ),
        );
        add(
            "memory",
            format!("{} KiB, saved state {} bytes", series.memory_bytes / 1024, series.state_bytes),
        );
        add("actions", format!("{} on {} events of the standard series", series.actions, series.events));
        add("deterministic", if series.deterministic { "yes" } else { "NO" }.to_owned());
        add(
            "restart",
            if series.survives_restart {
                "goes on as if nothing had happened"
            } else {
                "goes on differently after a restart"
            }
            .to_owned(),
        );
    }
    let mut text = format!("{lines}\n");
    if let Some(description) =
        report.description.as_ref().filter(|description| !description.parameters.is_empty())
    {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header([
            "parameter",
            "default",
            "from",
            "to",
            "meaning",
        ]);
        for parameter in &description.parameters {
            let bound = |bound: Option<f64>| bound.map(|v| v.to_string()).unwrap_or_default();
            table.add_row([
                parameter.name.clone(),
                parameter.default.to_string(),
                bound(parameter.minimum),
                bound(parameter.maximum),
                parameter.meaning.clone(),
            ]);
        }
        text.push_str(&format!("{table}\n"));
    }
    text
}

fn list(configuration: &Configuration, json: bool) -> Result<()> {
    let sandbox = GrantingSandbox::new(strategy_files::sandbox(configuration)?, configuration);
    let mut rows = Vec::new();
    for (slot, path) in strategy_files::list(&configuration.strategies.directory)? {
        let bytes = read(&path)?;
        let (hash, version, state) = match sandbox.prepare(&slot, &bytes) {
            Ok((hash, description)) => (hash, description.version, "ok".to_owned()),
            Err(refused) => (ContentHash::of(&bytes), String::new(), format!("refused: {refused:#}")),
        };
        rows.push((slot, version, hash, bytes.len(), state));
    }
    let kept = sandbox.sandbox().kept_versions()?;
    if json {
        let files: Vec<_> = rows
            .iter()
            .map(|(slot, version, hash, bytes, state)| {
                json!({ "slot": slot, "version": version, "sha256": hash.to_string(), "bytes": bytes, "state": state })
            })
            .collect();
        let kept: Vec<String> = kept.iter().map(ToString::to_string).collect();
        anstream::println!("{}", serde_json::to_string_pretty(&json!({ "files": files, "kept": kept }))?);
        return Ok(());
    }
    let mut table = Table::new();
    table
        .load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY)
        .set_header(["slot", "version", "sha256", "bytes", "state"]);
    for (slot, version, hash, bytes, state) in rows {
        table.add_row([slot, version, hash.short(), bytes.to_string(), state]);
    }
    anstream::println!(
        "{table}\n{} versions are kept; `bulkhead plugin rollback SLOT SHA256` puts one back",
        kept.len()
    );
    Ok(())
}

/// Writes a kept version over the slot's file, whole or not at all.
fn rollback(configuration: &Configuration, slot: &str, version: &str) -> Result<()> {
    ensure!(
        strategy_files::is_slot_name(slot),
        "\"{slot}\" is no slot: give the name of a file in {}, without its .wasm",
        configuration.strategies.directory.display()
    );
    let sandbox = strategy_files::sandbox(configuration)?;
    let wanted = version.to_lowercase();
    let found: Vec<ContentHash> =
        sandbox.kept_versions()?.into_iter().filter(|hash| hash.to_string().starts_with(&wanted)).collect();
    let hash = match found.as_slice() {
        [hash] if !wanted.is_empty() => *hash,
        [] => bail!("no kept version begins with \"{version}\"; `bulkhead plugin list --json` shows them"),
        _ => bail!("{} kept versions begin with \"{version}\"; give more digits", found.len()),
    };
    let bytes = sandbox.kept_file(&hash)?;
    let target = strategy_files::put(&configuration.strategies.directory, slot, &bytes, |_| Ok(()))?;
    anstream::println!("{} is version {} again; a running host takes it up", target.display(), hash.short());
    Ok(())
}
