//! The host's log as programs read it: from a fill back to what brought it about, by the log alone.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use serde_json::Value;
use support::account::Account;
use support::bulkhead;

/// The log of a run, and what it printed.
fn log(account: &Account, settings: &[&str]) -> Vec<Value> {
    let mut command = bulkhead(&account.directory);
    command.env("RUST_LOG", "debug").arg("run");
    command.args(account.arguments(&[&["--json", "--speed", "max"], settings].concat()));
    let output = command.output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn with<'a>(log: &'a [Value], message: &'a str) -> impl Iterator<Item = &'a Value> {
    log.iter().filter(move |line| line["message"] == message)
}

#[test]
fn a_fill_is_followed_back_to_its_market_event_by_the_log_alone() {
    let parent = tempfile::tempdir().unwrap();
    let account = Account::new(parent.path(), "host");
    let log = log(&account, &["--log-format", "json"]);
    let fill = with(&log, "fill").next().unwrap();
    let (order, input) = (&fill["order"], fill["input"].as_u64().unwrap());
    assert!(order.is_u64() && fill["slot"].is_string() && fill["timestamp"].is_string(), "{fill}");
    let accepted = with(&log, "order accepted").find(|line| line["order"] == *order).unwrap();
    let decided = accepted["input"].as_u64().unwrap();
    assert!(decided < input, "it fills at a later event: {accepted} {fill}");
    let changed = with(&log, "order changed").filter(|line| line["order"] == *order);
    let states: Vec<&str> = changed.map(|line| line["state"].as_str().unwrap()).collect();
    assert_eq!(states.last(), Some(&"filled"));
    // The number is that of the journal.
    for sequence in [decided, input] {
        let sequence = sequence.to_string();
        let printed =
            account.succeed(&["replay", "--from", &sequence, "--until", &sequence, "--print", "--json"]);
        let line = printed.lines().find(|line| line.contains(&format!("\"sequence\":{sequence},")));
        let line: Value = serde_json::from_str(line.unwrap()).unwrap();
        assert!(line["input"]["kind"]["bar"].is_object(), "{line}");
    }
}

#[test]
fn the_configuration_says_how_the_log_is_written_unless_the_command_line_does() {
    let parent = tempfile::tempdir().unwrap();
    let account = Account::new(parent.path(), "host").with("log.format=json");
    assert!(with(&log(&account, &[]), "fill").count() > 0);
    let mut command = bulkhead(&account.directory);
    command.args(account.arguments(&["run", "--json", "--speed", "max", "--log-format", "text"]));
    let output = command.output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    let first = log.lines().next().unwrap();
    assert!(serde_json::from_str::<Value>(first).is_err(), "{first}");
}
