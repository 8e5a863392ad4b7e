//! Several accounts in one host: each is what it would be alone, and none waits for another.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use serde_json::Value;
use support::account::{Account, BARS};
use support::host::Host;
use support::{output, test_plugin};

/// A host with a directory of its own, on the same bars each time.
fn setup(parent: &Path, name: &str, settings: &[&str]) -> Account {
    settings.iter().fold(Account::new(parent, name), |account, setting| account.with(setting))
}

fn start(setup: &Account, more: &[&str]) -> Host {
    Host::start(&setup.directory, &setup.arguments(&[&["--json"], more].concat()))
}

fn account<'a>(summary: &'a Value, name: &str) -> &'a Value {
    let accounts = summary["accounts"].as_array().unwrap();
    accounts.iter().find(|account| account["name"] == name).unwrap_or_else(|| panic!("{name} in {summary}"))
}

/// What two accounts have of their own, as `--set` takes it.
const OF_ALICE: [&str; 2] = ["cash=7000", "risk.max_order=0.05"];
const OF_BOB: [&str; 2] = ["slots.breakout.mode=shadow", "slots.sma-crossover.weight=0.2"];

/// Alice, bob, and one who has nothing of its own.
fn three_accounts() -> Vec<String> {
    let alice = OF_ALICE.map(|setting| format!("accounts.alice.{setting}"));
    let bob = OF_BOB.map(|setting| format!("accounts.bob.{setting}"));
    let carol = "accounts.carol={}".to_owned();
    alice.into_iter().chain(bob).chain([carol]).collect()
}

fn borrowed(settings: &[String]) -> Vec<&str> {
    settings.iter().map(String::as_str).collect()
}

#[test]
fn each_account_does_what_it_would_do_alone_on_however_many_threads() {
    let parent = tempfile::tempdir().unwrap();
    let alone = |name: &str, settings: &[&str]| setup(parent.path(), name, settings).run();
    let alone = [
        ("alice", alone("alice", &OF_ALICE)),
        ("bob", alone("bob", &OF_BOB)),
        ("carol", alone("carol", &[])),
    ];
    for threads in ["1", "2", "3"] {
        let mut settings = three_accounts();
        settings.push(format!("threads={threads}"));
        let setup = setup(parent.path(), &format!("together-{threads}"), &borrowed(&settings));
        let together = setup.run();
        for (name, alone) in &alone {
            let account = account(&together, name);
            for what in ["digest", "equity", "cash", "bars"] {
                assert_eq!(account[what], alone[what], "{what} of {name} on {threads} threads");
            }
            let of_account = together["strategies"].as_array().unwrap().iter();
            let orders: Vec<_> =
                of_account.filter(|slot| slot["account"] == *name).map(|slot| &slot["orders"]).collect();
            let expected: Vec<_> =
                alone["strategies"].as_array().unwrap().iter().map(|slot| &slot["orders"]).collect();
            assert_eq!(orders, expected, "of {name}");
            assert!(expected.iter().any(|orders| **orders != 0), "{name} does nothing: {alone}");
            let replayed = setup.json(&["replay", "--json", "--account", name]);
            assert_eq!((&replayed["agrees"], &replayed["digest"]), (&Value::Bool(true), &alone["digest"]));
        }
        let cents = |value: &Value| value.as_str().unwrap().parse::<rust_decimal::Decimal>().unwrap();
        let sum = alone.iter().map(|(_, alone)| cents(&alone["equity"])).sum();
        assert_eq!(cents(&together["equity"]), sum);
        assert_eq!(setup.json(&["db", "verify", "--json"])["shards"].as_array().unwrap().len(), 3);
    }
}

#[test]
fn an_account_goes_on_whichever_others_come_and_go() {
    let parent = tempfile::tempdir().unwrap();
    let undisturbed = setup(parent.path(), "undisturbed", &OF_BOB).run();
    let of_bob = OF_BOB.map(|setting| format!("accounts.bob.{setting}"));
    let mut setup = setup(parent.path(), "moved", &borrowed(&of_bob));
    let mut host = start(&setup, &["--speed", "60000"]);
    host.wait_for(&["fill"]);
    let first = host.stop();
    assert!(account(&first, "bob")["bars"].as_u64().unwrap() < BARS as u64, "{first}");

    // Before it by name, after it by age.
    let everyone = setup.settings.clone();
    setup.settings.push("accounts.alice.cash=500".to_owned());
    let second = setup.run();
    assert_eq!(account(&second, "bob")["digest"], undisturbed["digest"]);
    assert_eq!(account(&second, "alice")["bars"], BARS);
    assert!(account(&second, "bob")["recovery"]["replayed"].is_u64(), "{second}");

    setup.settings = everyone.into_iter().filter(|setting| !setting.contains("bob")).collect();
    setup.settings.push("accounts.alice.cash=500".to_owned());
    let host = start(&setup, &["--speed", "max"]);
    let mut host = host;
    host.wait_for(&["is not in the configuration", "bob"]);
    assert!(host.end().0.success());
    let refused = setup.fail(&["replay"]);
    assert!(refused.contains("bob, alice") && refused.contains("--account"), "{refused}");
    let refused = setup.fail(&["replay", "--account", "eve"]);
    assert!(refused.contains("no account \"eve\""), "{refused}");
}

#[test]
fn a_slow_account_keeps_no_other_from_trading() {
    let parent = tempfile::tempdir().unwrap();
    let settings = [
        "threads=2",
        "accounts.fast.slots.hostile.mode=off",
        "accounts.fast.slots.hostile.weight=0",
        "accounts.slow.slots.hostile.weight=0",
        "accounts.slow.slots.hostile.mode=live",
        "accounts.slow.slots.hostile.parameters.misdeed=slow",
        "accounts.slow.slots.hostile.parameters.from=1",
    ];
    let setup = setup(parent.path(), "host", &settings);
    std::fs::copy(test_plugin("hostile"), setup.directory.join("strategies/hostile.wasm")).unwrap();
    let mut host = start(&setup, &["--speed", "max"]);
    host.wait_for(&["stopped", "fast"]);
    let summary = host.stop();
    assert_eq!(account(&summary, "fast")["bars"], BARS);
    let slow = account(&summary, "slow")["bars"].as_u64().unwrap();
    assert!(slow < BARS as u64 / 2, "the slow account had {slow} bars by then");
    let faults =
        summary["strategies"].as_array().unwrap().iter().map(|slot| slot["faults"].as_u64().unwrap());
    assert_eq!(faults.sum::<u64>(), 0, "being slow is no fault: {summary}");
}

#[test]
fn a_halt_stops_every_account_unless_one_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let setup = setup(parent.path(), "host", &["accounts.alice={}", "accounts.bob={}"]);
    let mut host = start(&setup, &["--speed", "600"]);
    host.wait_for(&["strategy started", "bob"]);
    setup.succeed(&["halt", "--account", "alice", "--reason", "the first"]);
    let told = setup.succeed(&["halt", "--reason", "the second"]);
    assert_eq!(told.matches("trading is halted").count(), 2, "{told}");
    setup.succeed(&["resume", "--account", "bob"]);
    let summary = host.stop();
    assert_eq!(account(&summary, "alice")["halted"], "the second");
    assert_eq!(account(&summary, "bob")["halted"], Value::Null);
}

#[test]
fn an_account_that_can_not_be_recovered_keeps_no_other_from_trading() {
    let parent = tempfile::tempdir().unwrap();
    let setup = setup(parent.path(), "host", &["accounts.alice={}", "accounts.bob={}"]);
    let whole = setup.run();
    let database = setup.directory.join("storage/bulkhead.db");
    damage_the_first_journal(&database);
    let output = output(&setup.directory, &setup.arguments(&["run", "--speed", "max", "--json"]));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("journal is damaged"), "{complaint}");
    assert!(complaint.contains("error: account alice: "), "{complaint}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["accounts"].as_array().unwrap().len(), 1);
    assert_eq!(account(&summary, "bob")["digest"], account(&whole, "bob")["digest"]);
}

#[test]
fn accounts_that_can_not_be_written_end_together_and_say_so() {
    let parent = tempfile::tempdir().unwrap();
    let names = ["alice", "bob", "carol"];
    let settings = names.map(|name| format!("accounts.{name}={{}}"));
    let setup = setup(parent.path(), "host", &[&borrowed(&settings)[..], &["threads=1"]].concat());
    let mut host = start(&setup, &["--speed", "600"]);
    host.wait_for(&["strategy started", "sma-crossover", "carol"]);
    let held = hold(&setup.directory.join("storage/bulkhead.db"));
    host.terminate();
    let complaint = host.wait_for(&["3 accounts failed"]);
    assert!(!complaint.contains("cut off"), "{complaint}");
    for name in names {
        host.wait_for(&[&format!("account {name}: the end of the run is not in the journal")]);
    }
    assert_eq!(host.end().0.code(), Some(1));
    drop(held);
    // What was not written had no effect, so nothing is missed.
    for name in names {
        assert_eq!(setup.json(&["replay", "--json", "--account", name])["agrees"], true, "{name}");
    }
}

/// Keeps everybody else from writing to the database until this is dropped.
fn hold(database: &Path) -> (sqlx::SqliteConnection, tokio::runtime::Runtime) {
    use sqlx::{Connection as _, Executor as _};

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let connection = runtime.block_on(async {
        let url = format!("sqlite:{}", database.display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        connection.execute("PRAGMA busy_timeout = 60000").await.unwrap();
        connection.execute("BEGIN IMMEDIATE").await.unwrap();
        connection
    });
    (connection, runtime)
}

/// Edits a record that no snapshot covers, which only the first account has then.
fn damage_the_first_journal(database: &Path) {
    use sqlx::{Connection as _, Executor as _};

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite:{}", database.display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        connection.execute("DELETE FROM snapshots WHERE shard = 0").await.unwrap();
        let damage = "UPDATE journal SET payload = x'00' WHERE shard = 0 AND number = 3";
        assert_eq!(connection.execute(damage).await.unwrap().rows_affected(), 1);
        connection.close().await.unwrap();
    });
}

#[test]
fn accounts_that_were_killed_together_do_what_they_would_have_done() {
    let parent = tempfile::tempdir().unwrap();
    let settings = three_accounts();
    let undisturbed = setup(parent.path(), "undisturbed", &borrowed(&settings)).run();
    let mut settings = settings;
    settings.extend(["journal.group_inputs=64", "journal.snapshot_inputs=500"].map(str::to_owned));
    let setup = setup(parent.path(), "killed", &borrowed(&settings));
    for _ in 0..8 {
        let mut host = start(&setup, &["--speed", "60000"]);
        host.wait_for(&["fill", "bob"]);
        host.kill();
    }
    let at_last = setup.run();
    assert_eq!(at_last["digest"], undisturbed["digest"]);
    assert!(at_last["accounts"][0]["recovery"]["replayed"].is_u64(), "{at_last}");
}
