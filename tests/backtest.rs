//! `bulkhead backtest` as its users call it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use serde_json::Value;
use support::{json, plugin, random_bars, root, strategies, succeed, write_csv};

/// What the crossover rule does with these bars, in exact integers: prices in cents, money in units of a
/// hundred-thousandth of a cent, so that a fee of 10 basis points is whole.
struct Reference {
    cash: i128,
    trades: Vec<(usize, usize, i64, i64)>,
    held_since: Option<(usize, i64)>,
    fills: usize,
}

const UNIT: i128 = 100_000;

fn reference(bars: &[[i64; 4]], cash_units: i128, quantity: i128) -> Reference {
    let mut result =
        Reference { cash: cash_units * 100 * UNIT, trades: Vec::new(), held_since: None, fills: 0 };
    let mut wanted: Option<bool> = None;
    for index in 0..bars.len() {
        let open = bars[index][0];
        let value = i128::from(open) * quantity * UNIT;
        let fee = value / 1_000;
        match wanted.take() {
            Some(true) => {
                result.cash -= value + fee;
                result.held_since = Some((index, open));
                result.fills += 1;
            }
            Some(false) => {
                result.cash += value - fee;
                let (entry, entry_price) = result.held_since.take().unwrap();
                result.trades.push((entry, index, entry_price, open));
                result.fills += 1;
            }
            None => {}
        }
        if index + 1 >= 30 {
            let sum = |length: usize| bars[index + 1 - length..=index].iter().map(|bar| bar[3]).sum::<i64>();
            let (fast, slow) = (3 * sum(10), sum(30));
            if fast > slow && result.held_since.is_none() {
                wanted = Some(true);
            } else if fast < slow && result.held_since.is_some() {
                wanted = Some(false);
            }
        }
    }
    result
}

fn exact(directory: &Path, file: &Path, extra: &[&str]) -> Value {
    let sma = plugin("sma-crossover");
    let data = format!("X-USD={}", file.display());
    let mut arguments = vec!["backtest", "--strategy", sma.to_str().unwrap(), "--data", &data];
    arguments.extend(["--sizing", "quantity=2", "--risk", "none", "--cash", "10000", "--json", "-"]);
    arguments.extend(extra);
    json(directory, &arguments)
}

/// An amount in the reference's units.
fn units(amount: &str) -> i128 {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    let digits = format!("{whole}{fraction:0<7}");
    assert!(fraction.len() <= 7, "{amount} is finer than the reference");
    digits.parse().unwrap()
}

#[test]
fn the_result_equals_an_exact_computation_by_hand() {
    let directory = tempfile::tempdir().unwrap();
    for seed in [1, 7, 42] {
        let bars = random_bars(20_000, seed);
        let file = directory.path().join("bars.csv");
        write_csv(&file, &bars);
        let expected = reference(&bars, 10_000, 2);
        let report = exact(directory.path(), &file, &[]);

        let metrics = &report["metrics"];
        assert_eq!(metrics["fills"], expected.fills);
        assert!(expected.fills > 400, "{} fills test too little", expected.fills);
        let last = i128::from(bars[bars.len() - 1][3]);
        let marked = expected.held_since.map_or(0, |_| last * 2 * UNIT);
        assert_eq!(units(metrics["final_equity"].as_str().unwrap()), expected.cash + marked);

        let trades = report["trades"].as_array().unwrap();
        assert_eq!(trades.len(), expected.trades.len());
        for (trade, (_, _, entry, exit)) in trades.iter().zip(&expected.trades) {
            assert_eq!(units(trade["entry_price"].as_str().unwrap()), i128::from(*entry) * UNIT);
            assert_eq!(units(trade["exit_price"].as_str().unwrap()), i128::from(*exit) * UNIT);
        }
    }
}

#[test]
fn two_runs_agree_and_other_bars_give_another_digest() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bars.csv");
    let digest = |seed| {
        write_csv(&file, &random_bars(3_000, seed));
        exact(directory.path(), &file, &[])["digest"].as_str().unwrap().to_owned()
    };
    assert_eq!(digest(5), digest(5));
    assert_ne!(digest(5), digest(6));
}

#[test]
fn backtest_and_run_give_the_same_digest_on_the_same_file() {
    let directory = tempfile::tempdir().unwrap();
    let names = ["ai", "breakout", "momentum", "scalping", "sma-crossover"];
    strategies(directory.path(), &names);
    let file = directory.path().join("X-USD.csv");
    write_csv(&file, &random_bars(5_000, 11));
    let configuration = directory.path().join("bulkhead.toml");
    std::fs::write(
        &configuration,
        "[feed]\nsource = \"csv\"\nfiles = [\"X-USD.csv\"]\n[risk]\ncooldown = \"off\"\n\
         [slots.sma-crossover]\nmode = \"live\"\nweight = 0.4\n[slots.momentum]\nweight = 0.2\n\
         [slots.scalping]\nweight = 0.1\nparameters = { minimum_volatility = 0.001 }\n\
         [slots.breakout]\nmode = \"live\"\nweight = 0.15\n\
         [slots.ai]\nweight = 0.15\nparameters = { threshold = 0.5, disagreement = 0.0 }\n",
    )
    .unwrap();
    let run = json(directory.path(), &["run", "--config", "bulkhead.toml", "--speed", "max", "--json"]);
    let mut arguments =
        vec!["backtest", "--config", "bulkhead.toml", "--data", "X-USD.csv", "--json", "-", "--strategy"];
    arguments.extend(names);
    let backtest = json(directory.path(), &arguments);
    assert!(backtest["metrics"]["fills"].as_u64().unwrap() > 10, "{}", backtest["metrics"]["fills"]);
    let decisions = backtest["decisions"].as_array().unwrap();
    let by_models = decisions.iter().filter(|decision| decision["strategy"] == "ai");
    let said: Vec<&str> = by_models.map(|decision| decision["reason"].as_str().unwrap()).collect();
    assert!(said.iter().all(|reason| reason.contains("pays: 0.") && reason.contains("trees 0.")), "{said:?}");
    assert_eq!(run["digest"], backtest["digest"]);
    assert_eq!(run["equity"], backtest["metrics"]["final_equity"]);
}

#[test]
fn a_month_like_file_backtests_with_all_five_and_writes_its_reports() {
    let directory = tempfile::tempdir().unwrap();
    let example = root().join("examples/btc-perp-1m.csv");
    let data = format!("BTC-USD={}", example.display());
    let mut arguments: Vec<String> =
        ["backtest", "--data", &data, "--json", "r.json", "--html", "r.html", "--strategy"]
            .map(str::to_owned)
            .to_vec();
    arguments.extend(
        ["momentum", "scalping", "ai", "breakout", "sma-crossover"]
            .map(|name| plugin(name).display().to_string()),
    );
    strategies(directory.path(), &["ai"]);
    let text = succeed(directory.path(), &arguments);
    assert!(text.to_lowercase().contains("sharpe"), "{text}");
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(directory.path().join("r.json")).unwrap()).unwrap();
    assert_eq!(report["schema"], 1);
    assert_eq!(report["strategies"].as_array().unwrap().len(), 5);
    assert!(report["data"][0]["bars"].as_u64().unwrap() > 4_000);
    let page = std::fs::read_to_string(directory.path().join("r.html")).unwrap();
    assert!(page.contains("<html") && !page.contains("src=\"http"), "the page needs no network");
}

#[test]
fn parameters_and_fill_models_change_the_result() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bars.csv");
    write_csv(&file, &random_bars(3_000, 3));
    let fills = |extra: &[&str]| exact(directory.path(), &file, extra)["metrics"]["fills"].as_u64().unwrap();
    assert!(fills(&["--param", "fast=20", "--param", "slow=100"]) < fills(&[]));
    let equity = |extra: &[&str]| exact(directory.path(), &file, extra)["metrics"]["final_equity"].clone();
    assert_ne!(equity(&["--fill", "same-close"]), equity(&[]));
    assert_ne!(equity(&["--slippage-bps", "5"]), equity(&[]));
}
