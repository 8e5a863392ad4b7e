//! `bulkhead compare`: what two accounts executed that were to do the same, side by side.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use bulkhead_core::identifier::{InstrumentId, StrategyId};
use bulkhead_core::time::Timestamp;
use bulkhead_report::Amount;
use bulkhead_report::comparison::{Comparison, Execution, InstrumentComparison};
use bulkhead_store::database::{Database, Options};
use bulkhead_store::journal::ShardId;
use bulkhead_store::read_models::FillFilter;
use comfy_table::{CellAlignment, Table};

use crate::arguments::CompareArguments;
use crate::configuration;
use crate::shard::{self, database_url};

/// Prints the comparison.
pub(crate) fn compare(arguments: &CompareArguments) -> Result<()> {
    let configuration = configuration::layers(&arguments.configuration, None)?.read()?;
    let mut database = Database::open(&database_url(&configuration)?, Options::reader())?;
    let names = [arguments.with.clone(), arguments.account.clone()];
    let with = executions(&mut database, arguments, &names[0])?;
    let of = executions(&mut database, arguments, &names[1])?;
    let comparison = Comparison::of(names, [&with, &of]).context("the amounts can't be summed")?;
    if arguments.json {
        anstream::println!("{}", serde_json::to_string_pretty(&comparison)?);
    } else if comparison.instruments.is_empty() {
        anstream::println!("neither account has executed anything");
    } else {
        anstream::println!("{}", table(&comparison));
    }
    Ok(())
}

fn executions(
    database: &mut Database,
    arguments: &CompareArguments,
    account: &str,
) -> Result<Vec<Execution>> {
    let shard = shard::find(database, Some(account))?;
    let symbols: BTreeMap<InstrumentId, String> =
        database.instruments(shard)?.into_iter().map(|row| (row.instrument, row.symbol)).collect();
    let filter = FillFilter {
        strategy: arguments.strategy.as_deref().map(|name| strategy(database, shard, name)).transpose()?,
        from: arguments.from.map(moment).transpose()?,
        until: arguments.until.map(moment).transpose()?,
        ..FillFilter::default()
    };
    let fills = database.fills(shard, &filter, None, usize::MAX)?;
    let executions = fills.into_iter().map(|fill| Execution {
        instrument: symbols.get(&fill.instrument).cloned().unwrap_or_else(|| fill.instrument.0.to_string()),
        side: fill.side,
        quantity: fill.quantity,
        price: fill.price,
        fee: fill.fee,
    });
    Ok(executions.collect())
}

fn strategy(database: &mut Database, shard: ShardId, name: &str) -> Result<StrategyId> {
    let slots = database.slots(shard)?;
    match slots.iter().find(|row| row.name == name) {
        Some(row) => Ok(row.strategy),
        None => {
            let names: Vec<&str> = slots.iter().map(|row| row.name.as_str()).collect();
            bail!("the account has no strategy \"{name}\"; it has: {}", names.join(", "))
        }
    }
}

fn moment(time: jiff::Timestamp) -> Result<Timestamp> {
    let nanos = i64::try_from(time.as_nanosecond()).with_context(|| format!("{time} is out of range"))?;
    Ok(Timestamp::from_nanos(nanos))
}

fn table(comparison: &Comparison) -> Table {
    let [with, of] = &comparison.accounts;
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header([
        "",
        "",
        with.as_str(),
        of.as_str(),
        "difference",
    ]);
    for instrument in &comparison.instruments {
        for (place, row) in rows(instrument).into_iter().enumerate() {
            let symbol = if place == 0 { instrument.instrument.as_str() } else { "" };
            table.add_row([symbol].into_iter().map(str::to_owned).chain(row));
        }
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// What the figure is, of each account, and by how much they differ.
fn rows(of: &InstrumentComparison) -> [[String; 4]; 5] {
    let [first, second] = &of.totals;
    let known = |amount: Option<Amount>| amount.map_or_else(|| "–".to_owned(), |amount| amount.to_string());
    let worse = |bps: Option<Amount>| {
        bps.map_or_else(
            || "–".to_owned(),
            |Amount(bps)| {
                let word = if bps.is_sign_negative() { "better" } else { "worse" };
                format!("{} bps {word}", bps.abs().normalize())
            },
        )
    };
    let row = |what: &str, first: String, second: String, difference: String| {
        [what.to_owned(), first, second, difference]
    };
    [
        row("fills", first.fills.to_string(), second.fills.to_string(), String::new()),
        row("held", first.held.to_string(), second.held.to_string(), of.held_difference.to_string()),
        row(
            "mean price bought",
            known(first.mean_bought),
            known(second.mean_bought),
            worse(of.bought_worse_bps),
        ),
        row("mean price sold", known(first.mean_sold), known(second.mean_sold), worse(of.sold_worse_bps)),
        row("fees and gas", first.fees.to_string(), second.fees.to_string(), of.fees_difference.to_string()),
    ]
}
