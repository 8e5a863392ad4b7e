//! A hostile strategy beside a good one in the whole engine: the host lives, and what the good one does is to
//! the last digit what it does alone.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use serde_json::Value;
use support::host::Host;
use support::{bomb, json, output, plugin, random_bars, strategies, test_plugin, write_csv};

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

/// Little enough memory that a greedy bomb meets the limit soon.
const LITTLE_MEMORY: &str = "--set=sandbox.compile_memory_bytes=300000000";

/// Room for a file that compiles for very long.
const LARGE_FILES: &str = "--set=sandbox.wasm_bytes=200000000";

/// Bombs for the compiler, at the start and while it trades: they are refused with the limit that they ran into, and
/// the other strategy's orders are those of a host that never saw one.
#[test]
fn compile_bombs_are_refused_and_the_other_strategy_trades_on() {
    let directory = tempfile::tempdir().unwrap();
    let (calm, bombed) = (directory.path().join("calm"), directory.path().join("bombed"));
    for directory in [&calm, &bombed] {
        std::fs::create_dir(directory).unwrap();
        strategies(directory, &["sma-crossover"]);
    }
    let to_the_end = ["run", "--speed", "max", "--json", "--set=simulator.steps=4000"];
    let expected = json(&calm, &to_the_end);

    let slowly = ["--speed", "600", "--json", "--set=simulator.steps=4000"];
    let files = ["greedy", "slow"].map(|name| bombed.join(format!("strategies/{name}.wasm")));
    std::fs::write(&files[0], bomb::greedy()).unwrap();
    let mut host = Host::start(&bombed, &[&slowly[..], &[LITTLE_MEMORY]].concat());
    host.wait_for(&["refused", "greedy.wasm", "286 MiB of memory (limit compile_memory_bytes)"]);
    host.wait_for(&["strategy started", "sma-crossover"]);
    host.wait_for(&["fill"]);
    host.stop();
    std::fs::remove_file(&files[0]).unwrap();

    let mut host =
        Host::start(&bombed, &[&slowly[..], &[LARGE_FILES, "--set=sandbox.compile_ms=4000"]].concat());
    host.wait_for(&["fill"]);
    std::fs::write(&files[1], bomb::slow(1_500)).unwrap();
    host.wait_for(&["refused", "slow.wasm", "4000 ms (limit compile_ms)"]);
    host.wait_for(&["fill"]);
    host.stop();
    std::fs::remove_file(&files[1]).unwrap();

    assert_eq!(json(&bombed, &to_the_end)["digest"], expected["digest"]);
}

/// The other commands that compile are protected in the same way.
#[test]
fn a_bomb_ends_no_command() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("greedy.wasm"), bomb::greedy()).unwrap();
    write_csv(&directory.path().join("bars.csv"), &random_bars(10, 3));
    for arguments in [
        &["plugin", "check", "greedy.wasm", LITTLE_MEMORY][..],
        &["backtest", "--strategy", "greedy.wasm", "--data", "X-USD=bars.csv", LITTLE_MEMORY],
    ] {
        let output = output(directory.path(), arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        assert!(text.contains("limit compile_memory_bytes"), "{arguments:?}: {text}");
    }
}

/// A host that is told to end while it compiles does not wait for the compiler.
#[test]
fn the_end_does_not_wait_for_a_compiler() {
    let directory = tempfile::tempdir().unwrap();
    let strategies = strategies(directory.path(), &["sma-crossover"]);
    std::fs::write(strategies.join("slow.wasm"), bomb::slow(1_500)).unwrap();
    // An hour is longer than anybody waits for this test.
    let mut host = Host::start(
        directory.path(),
        &["--json", "--set=sandbox.compile_ms=3600000", "--set=sandbox.wasm_bytes=200000000"],
    );
    host.wait_for(&["preparing the strategies"]);
    host.stop();
}
