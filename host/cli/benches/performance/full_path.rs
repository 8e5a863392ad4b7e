//! A backtest of a million bars: reading, the engine phase, and memory.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use bulkhead_core::risk::RiskLimits;
use bulkhead_core::sizing::Sizing;
use serde_json::Value;

use crate::Suite;
use crate::backtest::{CASH, Handing, engine, parse_alone, settings, whole_path};
use crate::figures::{Figures, Goal};
use crate::market::{SYMBOL, write_csv};
use crate::measure::number;

const PART: &str = "backtest";

pub(crate) fn measure(suite: &Suite, figures: &mut Figures) -> Result<()> {
    let (long, short) = (suite.directory.join("long.csv"), suite.directory.join("short.csv"));
    write_csv(&long, suite.extent.bars)?;
    write_csv(&short, suite.extent.few_bars)?;
    let (mut rows_a_second, mut bars_a_second, mut limited, mut shares) = (vec![], vec![], vec![], vec![]);
    let (mut orders, mut digest) = (0, String::new());
    for _ in 0..suite.extent.turns {
        let (time, rows) = parse_alone(&long)?;
        ensure!(rows == suite.extent.bars, "{rows} rows were read of {}", suite.extent.bars);
        rows_a_second.push(number(rows) / time.as_secs_f64());

        let wasm = || Box::new(suite.sandbox.clone());
        let outcome = whole_path(engine(settings(), wasm(), suite.version)?, &long, Handing::Ahead)?;
        bars_a_second.push(number(outcome.bars) / outcome.engine.as_secs_f64());
        shares.push(outcome.engine.as_secs_f64() / outcome.total.as_secs_f64() * 100.0);
        (orders, digest) = (outcome.orders, outcome.digest);

        let mut with_limits = settings();
        (with_limits.risk, with_limits.sizing) = (RiskLimits::default(), Sizing::default());
        let outcome = whole_path(engine(with_limits, wasm(), suite.version)?, &long, Handing::Ahead)?;
        limited.push(number(outcome.bars) / outcome.engine.as_secs_f64());
    }
    figures.add(PART, "orders", "orders", &[number(orders)], None);
    figures.add(PART, "reading the CSV alone", "rows/s", &rows_a_second, Some(Goal::AtLeast(5e6)));
    figures.add(PART, "engine phase", "bars/s", &bars_a_second, Some(Goal::AtLeast(2.3e6)));
    figures.add(PART, "engine phase's share of the whole", "%", &shares, None);
    figures.add(PART, "engine phase with the default limits and sizing", "bars/s", &limited, None);

    // The command itself. Its seconds are those of a clock on the wall, so they are upper bounds here.
    backtest(suite, &short)?;
    let (mut command_bars, mut growth) = (vec![], vec![]);
    for _ in 0..suite.extent.turns.min(3) {
        let (few, many) = (backtest(suite, &short)?, backtest(suite, &long)?);
        ensure!(many["digest"] == digest.as_str(), "the command traded differently");
        let performance = |report: &Value, key: &str| {
            report["performance"][key].as_f64().with_context(|| format!("the report has no {key}"))
        };
        command_bars.push(performance(&many, "bars_per_second")?);
        let peaks = [performance(&few, "peak_rss_bytes")?, performance(&many, "peak_rss_bytes")?];
        growth.push((peaks[1] - peaks[0]) / 1e6);
    }
    figures.add(PART, "engine phase of the command, by the wall clock", "bars/s", &command_bars, None);
    let name = format!("peak memory, {} bars less {} bars", suite.extent.bars, suite.extent.few_bars);
    figures.add(PART, name, "MB", &growth, Some(Goal::AtMost(50.0)));
    Ok(())
}

/// The report of `bulkhead backtest` on a file.
fn backtest(suite: &Suite, file: &Path) -> Result<Value> {
    let binary = std::env::var_os("BULKHEAD_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_bulkhead").into());
    let report = suite.directory.join("report.json");
    let mut data = std::ffi::OsString::from(SYMBOL);
    data.push("=");
    data.push(file);
    let output = Command::new(binary)
        .current_dir(&suite.directory)
        .env("BULKHEAD__STORAGE", suite.directory.join("storage"))
        .args(["backtest", "--risk", "none", "--sizing", "quantity=1", "--fee-bps", "10", "--cash"])
        .arg(CASH.to_string())
        .arg("--strategy")
        .arg(&suite.plugin)
        .arg("--data")
        .arg(data)
        .arg("--json")
        .arg(&report)
        .output()
        .context("the command can't be started")?;
    ensure!(output.status.success(), "the command failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&std::fs::read(&report)?)?)
}
