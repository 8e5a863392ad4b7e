//! A hostile strategy beside a good one in the whole engine: the host lives, and what the good one does is to
//! the last digit what it does alone.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use serde_json::Value;
use support::{json, plugin, random_bars, test_plugin, write_csv};

const BARS: usize = 2_000;

/// Each misdeed, and what the host calls it.
const MISDEEDS: [(&str, Option<&str>); 11] = [
    ("panic", Some("trap")),
    ("index", Some("trap")),
    ("loop", Some("out-of-fuel")),
    ("recursion", Some("stack-overflow")),
    ("memory", Some("memory-limit")),
    ("order-flood", Some("flood")),
    ("nan", Some("invalid-action")),
    ("infinity", Some("invalid-action")),
    ("negative", Some("invalid-action")),
    ("confidence", Some("invalid-action")),
    // Lines beyond the limit are dropped; that is no fault.
    ("log-flood", None),
];

/// The good strategy, beside a hostile one that misbehaves so, or beside one that does not.
fn beside(directory: &Path, misdeed: &str) -> Value {
    let file = directory.join("bars.csv");
    if !file.exists() {
        write_csv(&file, &random_bars(BARS, 3));
    }
    let (good, hostile) = (plugin("sma-crossover"), test_plugin("hostile"));
    let (data, misdeed) = (format!("X-USD={}", file.display()), format!("hostile:misdeed={misdeed}"));
    let mut arguments = vec!["backtest", "--strategy", good.to_str().unwrap(), hostile.to_str().unwrap()];
    arguments.extend(["--weight", "0.5", "0.5", "--data", &data, "--param", &misdeed]);
    arguments.extend(["--sizing", "quantity=2", "--risk", "none", "--json", "-"]);
    json(directory, &arguments)
}

fn trades_of<'a>(report: &'a Value, strategy: &str) -> Vec<&'a Value> {
    report["trades"].as_array().unwrap().iter().filter(|trade| trade["strategy"] == strategy).collect()
}

#[test]
fn whatever_it_does_the_other_strategy_trades_as_if_it_were_alone() {
    let directory = tempfile::tempdir().unwrap();
    let calm = beside(directory.path(), "nothing");
    let expected = trades_of(&calm, "sma-crossover");
    assert!(expected.len() > 20, "{} trades test too little", expected.len());
    assert!(!trades_of(&calm, "hostile").is_empty(), "it trades while it behaves");
    for (misdeed, fault) in MISDEEDS {
        let report = beside(directory.path(), misdeed);
        assert_eq!(trades_of(&report, "sma-crossover"), expected, "beside {misdeed}");
        let faults = report["faults"].as_array().map_or(&[][..], Vec::as_slice);
        let of_hostile = faults.iter().filter(|found| found["strategy"] == "hostile");
        let kinds: Vec<&str> = of_hostile.map(|found| found["kind"].as_str().unwrap()).collect();
        match fault {
            Some(kind) => {
                assert!(
                    !kinds.is_empty() && kinds.iter().all(|found| *found == kind),
                    "{misdeed}: {kinds:?}"
                );
            }
            None => assert!(kinds.is_empty(), "{misdeed}: {kinds:?}"),
        }
    }
}
