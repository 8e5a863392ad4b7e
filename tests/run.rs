//! `bulkhead run` as its operators see it: plugins come, change and go while it trades.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use serde_json::Value;
use support::host::Host;
use support::{another_version, json, plugin, replace, strategies, succeed};

fn strategy<'a>(summary: &'a Value, name: &str) -> &'a Value {
    let strategies = summary["strategies"].as_array().unwrap();
    strategies
        .iter()
        .find(|strategy| strategy["name"] == name)
        .unwrap_or_else(|| panic!("{name} in {summary}"))
}

#[test]
fn five_strategies_trade_the_default_market() {
    let directory = tempfile::tempdir().unwrap();
    strategies(directory.path(), &["ai", "breakout", "momentum", "scalping", "sma-crossover"]);
    let arguments = ["run", "--speed", "max", "--json", "--set", "simulator.steps=20000"];
    let summary = json(directory.path(), &arguments);
    for name in ["ai", "breakout", "momentum", "scalping", "sma-crossover"] {
        let strategy = strategy(&summary, name);
        assert!(strategy["fills"].as_u64().unwrap() > 0, "{name} does not trade: {summary}");
        assert_eq!(strategy["faults"], 0, "{summary}");
        check_refusals(strategy);
    }
    assert_eq!(json(directory.path(), &arguments)["digest"], summary["digest"]);
}

/// Refusals by instrument add up to those by code.
fn check_refusals(strategy: &Value) {
    let mut sums = serde_json::Map::new();
    for refusals in strategy["refusals_by_instrument"].as_object().unwrap().values() {
        for (code, count) in refusals.as_object().unwrap() {
            let before = sums.get(code).and_then(Value::as_u64).unwrap_or(0);
            sums.insert(code.clone(), (before + count.as_u64().unwrap()).into());
        }
    }
    assert_eq!(Value::Object(sums), strategy["refusals"], "{strategy}");
}

#[test]
fn plugins_are_added_replaced_broken_and_removed_while_it_trades() {
    let directory = tempfile::tempdir().unwrap();
    let strategies = strategies(directory.path(), &["sma-crossover"]);
    let mut host = Host::start(directory.path(), &["--speed", "6000", "--json", "--duration", "5m"]);
    host.wait_for(&["strategy started", "sma-crossover"]);

    replace(&strategies.join("momentum.wasm"), &std::fs::read(plugin("momentum")).unwrap());
    host.wait_for(&["strategy started", "momentum"]);

    replace(&strategies.join("sma-crossover.wasm"), &another_version("sma-crossover"));
    host.wait_for(&["strategy replaced", "sma-crossover"]);

    std::fs::write(strategies.join("momentum.wasm"), b"half a file").unwrap();
    host.wait_for(&["refused", "momentum"]);

    std::fs::remove_file(strategies.join("sma-crossover.wasm")).unwrap();
    host.wait_for(&["strategy removed", "sma-crossover"]);

    let summary = host.stop();
    assert_eq!(strategy(&summary, "sma-crossover")["status"], "removed");
    let momentum = strategy(&summary, "momentum");
    assert_eq!((&momentum["status"], &momentum["faults"]), (&"running".into(), &0.into()));
}

/// A file that was broken at the start is refused once, and taken once it is whole.
#[test]
fn a_broken_file_is_refused_once_and_taken_when_it_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let strategies = strategies(directory.path(), &["sma-crossover"]);
    let file = strategies.join("momentum.wasm");
    let whole = std::fs::read(plugin("momentum")).unwrap();
    let half = &whole[..whole.len() / 2];
    std::fs::write(&file, half).unwrap();
    let mut host = Host::start(directory.path(), &["--speed", "60", "--json"]);
    host.wait_for(&["plugin refused", "momentum.wasm"]);
    host.wait_for(&["strategy started", "sma-crossover"]);
    // By the time that a new file is taken up, the directory has been looked through.
    replace(&strategies.join("breakout.wasm"), &std::fs::read(plugin("breakout")).unwrap());
    host.wait_for(&["strategy started", "breakout"]);
    replace(&file, &whole);
    host.wait_for(&["strategy started", "momentum"]);
    assert_eq!(host.count(&["plugin refused"]), 1);
    replace(&file, half);
    host.wait_for(&["plugin refused", "momentum.wasm"]);
    host.stop();
}

/// Ctrl-C ends a run that would take for ever, at full speed and while it waits for the next bar, with everything
/// done and told.
#[test]
fn ctrl_c_ends_a_run_in_order() {
    for speed in ["max", "0.001"] {
        let directory = tempfile::tempdir().unwrap();
        strategies(directory.path(), &["sma-crossover"]);
        let mut host = Host::start(directory.path(), &["--speed", speed, "--json"]);
        host.wait_for(&["strategy started", "sma-crossover"]);
        host.interrupt();
        let (status, text) = host.end();
        assert!(status.success(), "{status:?}");
        let summary: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(strategy(&summary, "sma-crossover")["status"], "running");
        succeed(directory.path(), &["replay"]);
    }
}

#[test]
fn a_duration_ends_the_run() {
    let directory = tempfile::tempdir().unwrap();
    strategies(directory.path(), &["sma-crossover"]);
    let summary = json(directory.path(), &["run", "--duration", "2s", "--speed", "max", "--json"]);
    assert!(summary["seconds"].as_f64().unwrap() >= 2.0);
    assert!(summary["bars"].as_u64().unwrap() > 1_000);
}

#[test]
fn without_strategies_it_says_where_to_put_them() {
    let directory = tempfile::tempdir().unwrap();
    let output = support::output(directory.path(), &["run", "--duration", "1s", "--speed", "max", "--json"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("there are no strategies"));
}
