//! What operators do with an account that outlives its process: stop it, start it, halt it, copy it, look into
//! it; with SQLite and with a real Postgres server.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

#[path = "../host/store/tests/support/postgres.rs"]
#[allow(clippy::expect_used, dead_code, reason = "a test's support stops at what it did not expect")]
mod postgres;

use std::path::Path;

use serde_json::Value;
use support::account::{Account, BARS};
use support::host::{Host, PATIENCE};
use support::{output, plugin, random_bars, write_csv};

#[test]
fn sqlite_and_postgres_keep_the_same_account() {
    let parent = tempfile::tempdir().unwrap();
    let sqlite = Account::new(parent.path(), "sqlite");
    let cluster = postgres::shared();
    let url = cluster.url(&cluster.new_database());
    let server = Account::new(parent.path(), "server").with(&format!("journal.database={url}"));
    assert!(server.fail(&["run", "--speed", "max", "--json"]).contains("bulkhead db migrate"));
    server.succeed(&["db", "migrate"]);
    let (in_file, in_server) = (sqlite.run(), server.run());
    assert_ne!(in_file["strategies"][0]["fills"], 0);
    assert_eq!(in_file["digest"], in_server["digest"]);
    for account in [&sqlite, &server] {
        let replayed = account.json(&["replay", "--json"]);
        assert_eq!((&replayed["agrees"], &replayed["digest"]), (&Value::Bool(true), &in_file["digest"]));
    }
    // From one to the other, and on.
    let backup = parent.path().join("backup.db");
    server.succeed(&["db", "backup", &backup.display().to_string()]);
    let moved = Account::new(parent.path(), "moved");
    let told = moved.succeed(&["db", "restore", &backup.display().to_string()]);
    assert!(told.contains("every output is as recorded"), "{told}");
    assert_eq!(moved.run()["digest"], in_file["digest"]);
}

#[test]
fn a_run_goes_on_where_the_one_before_ended() {
    let parent = tempfile::tempdir().unwrap();
    let whole = Account::new(parent.path(), "whole").run();
    let parts = Account::new(parent.path(), "parts");
    let mut bars = 0;
    let mut digest = Value::Null;
    for duration in ["300ms", "300ms", "1h"] {
        let speed = if duration == "1h" { "max" } else { "60000" };
        let part = parts.json(&["run", "--speed", speed, "--duration", duration, "--json"]);
        bars += part["bars"].as_u64().unwrap();
        digest = part["digest"].clone();
    }
    assert_eq!(bars, BARS as u64, "each bar is taken once");
    assert_eq!(digest, whole["digest"]);
}

#[test]
fn a_halt_reaches_a_host_that_starts_later_and_survives_restarts_until_it_is_resumed() {
    let parent = tempfile::tempdir().unwrap();
    let account = Account::new(parent.path(), "account");
    let begin = account.json(&["run", "--speed", "6000", "--duration", "100ms", "--json"]);
    assert_eq!(begin["halted"], Value::Null);
    let told = account.succeed(&["halt", "--no-wait", "--reason", "the market looks odd"]);
    assert!(told.contains("no host has taken it up yet"), "{told}");
    for _ in 0..2 {
        let halted = account.json(&["run", "--speed", "6000", "--duration", "1s", "--json"]);
        assert_eq!(halted["halted"], "the market looks odd");
    }
    account.succeed(&["resume", "--no-wait"]);
    let resumed = account.json(&["run", "--speed", "6000", "--duration", "1s", "--json"]);
    assert_eq!(resumed["halted"], Value::Null);
    assert_eq!(account.json(&["replay", "--json"])["agrees"], true);
}

#[test]
fn a_halt_that_waits_for_a_host_is_carried_out_once_and_before_anything_is_traded() {
    let parent = tempfile::tempdir().unwrap();
    for speed in ["60000", "max"] {
        let account = Account::new(parent.path(), speed);
        account.json(&["run", "--speed", "6000", "--duration", "1ms", "--json"]);
        account.succeed(&["halt", "--no-wait", "--reason", "the market looks odd"]);
        // At the lower speed the answer is not durable when requests are looked for again.
        let account = account.with("journal.group_delay=1s");
        let halted = account.json(&["run", "--speed", speed, "--duration", "3s", "--json"]);
        assert!(halted["bars"].as_u64().unwrap() > 100, "{halted}");
        for slot in halted["strategies"].as_array().unwrap() {
            assert_eq!(slot["fills"], 0, "{halted}");
        }
        let steps = account.succeed(&["replay", "--print", "--json"]);
        // Refusals quote the reason too.
        let halts = steps.lines().filter(|line| line.contains(r#""command":{"halt":"#));
        assert_eq!(halts.count(), 1);
    }
}

#[test]
fn a_halt_before_the_first_start_waits_for_it_and_nothing_is_traded() {
    let parent = tempfile::tempdir().unwrap();
    let account = Account::new(parent.path(), "account").with("journal.database=sqlite:not/there/yet.db");
    let complaint = account.fail(&["resume", "--no-wait"]);
    assert!(complaint.contains("not/there"), "{complaint}");
    assert!(!account.directory.join("not").exists(), "only a halt makes a database");
    let told = account.succeed(&["halt", "--no-wait", "--reason", "not before noon"]);
    assert!(told.contains("request 1") && told.contains("no host has taken it up yet"), "{told}");
    let halted = account.run();
    assert_eq!((&halted["halted"], &halted["bars"]), (&"not before noon".into(), &BARS.into()));
    for slot in halted["strategies"].as_array().unwrap() {
        assert_eq!(slot["fills"], 0, "{halted}");
    }
    assert_eq!(account.json(&["replay", "--json"])["agrees"], true);

    // On a server too, once its schema is there.
    let cluster = postgres::shared();
    let url = cluster.url(&cluster.new_database());
    let server = Account::new(parent.path(), "server").with(&format!("journal.database={url}"));
    server.succeed(&["db", "migrate"]);
    server.succeed(&["halt", "--no-wait", "--reason", "not before noon"]);
    assert_eq!(server.run()["digest"], halted["digest"]);
}

#[test]
fn a_request_that_a_host_can_not_carry_out_is_answered_with_the_reason() {
    use bulkhead_store::database::{Database, DatabaseUrl, Options};
    use bulkhead_store::journal::ShardId;
    use bulkhead_store::storage::Outcome;

    let parent = tempfile::tempdir().unwrap();
    let account = Account::new(parent.path(), "account");
    account.succeed(&["halt", "--no-wait"]);
    let url = DatabaseUrl::file(account.directory.join("storage/bulkhead.db"));
    let mut database = Database::open(&url, Options::reader()).unwrap();
    let mut ask = |command: &str| database.request(ShardId(0), "ann", command, Some(command)).unwrap();
    let unreadable = ask("what?");
    let refused = ask(r#"{"release":{"slot":"nobody"}}"#);
    let mut host = Host::start(&account.directory, &account.arguments(&["--speed", "6000", "--json"]));
    host.wait_for(&["a request can't be read"]);
    let Some(Outcome::Refused { sequence: None, reason }) =
        database.await_outcome(unreadable, PATIENCE).unwrap()
    else {
        panic!("no command can be made of it");
    };
    assert!(reason.contains("can't be read"), "{reason}");
    let Some(Outcome::Refused { sequence: Some(_), reason }) =
        database.await_outcome(refused, PATIENCE).unwrap()
    else {
        panic!("there is no such slot");
    };
    assert!(reason.contains("nobody"), "{reason}");
    let audit = database.audit(ShardId(0), None, 1_000).unwrap();
    let release = audit.iter().find(|row| row.action == "release").unwrap();
    assert_eq!((release.actor.as_str(), release.subject.as_str()), ("ann", "nobody"));
    assert_eq!(release.detail, format!("refused: {reason}"));
    let deploy = audit.iter().find(|row| row.action == "deploy").unwrap();
    assert_eq!(deploy.actor, "host: strategies directory");
    // While it runs, an answer comes at once.
    let resumed = account.succeed(&["resume"]);
    assert!(resumed.contains("trading is resumed"), "{resumed}");
    assert_eq!(host.stop()["halted"], Value::Null);
}

/// The test is the host here: the engine refuses no halt.
#[test]
fn a_halt_that_is_refused_says_why_and_fails() {
    use bulkhead_store::database::{Database, DatabaseUrl, Options};
    use bulkhead_store::journal::ShardId;
    use bulkhead_store::storage::{AnsweredRequest, Group, Outcome, Storage as _};

    let parent = tempfile::tempdir().unwrap();
    let account = Account::new(parent.path(), "account");
    account.succeed(&["halt", "--no-wait"]);
    let url = DatabaseUrl::file(account.directory.join("storage/bulkhead.db"));
    let mut host = Database::open(&url, Options::writer()).unwrap();
    for command in ["halt", "resume"] {
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| output(&account.directory, &account.arguments(&[command])));
            while !asking.is_finished() {
                for request in host.requests(ShardId(0)).unwrap() {
                    let outcome = Outcome::Refused { sequence: None, reason: "it is a test".to_owned() };
                    let answered = vec![AnsweredRequest { id: request.id, outcome }];
                    host.commit(&Group { answered, ..Group::default() }).unwrap();
                }
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            let output = asking.join().unwrap();
            assert_eq!(output.status.code(), Some(1));
            let told = String::from_utf8(output.stderr).unwrap();
            assert!(told.contains("was refused: it is a test"), "{told}");
        });
    }
}

#[test]
fn a_changed_configuration_is_applied_to_the_account_and_a_changed_market_is_not() {
    let parent = tempfile::tempdir().unwrap();
    let account = Account::new(parent.path(), "account");
    account.json(&["run", "--speed", "6000", "--duration", "200ms", "--json"]);
    let careful = Account::new(parent.path(), "account").with("risk.max_order=0.01");
    let output = output(
        &careful.directory,
        &careful.arguments(&["run", "--speed", "6000", "--duration", "200ms", "--plain"]),
    );
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && log.contains("settings changed"), "{log}");

    write_csv(&parent.path().join("other.csv"), &random_bars(100, 6));
    let other = format!("feed.files=[\"A-USD={}\"]", parent.path().join("other.csv").display());
    let complaint = Account::new(parent.path(), "account").with(&other).fail(&["run", "--json"]);
    assert!(
        complaint.contains("trades another market") && complaint.contains("journal.database"),
        "{complaint}"
    );
}

#[test]
fn an_edited_journal_is_found_with_its_place_and_not_traded_on() {
    let parent = tempfile::tempdir().unwrap();
    let account = Account::new(parent.path(), "account").with("journal.keep_snapshots=1");
    account.run();
    assert_eq!(account.json(&["db", "verify", "--json"])["whole"], true);
    // One byte of a record's payload, where the file has it.
    let path = account.directory.join("storage/bulkhead.db");
    let _ = std::fs::remove_file(account.directory.join("storage/bulkhead.db-shm"));
    let mut bytes = std::fs::read(&path).unwrap();
    // Frames of compressed records begin with this number.
    let frames: Vec<usize> = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, at)| *at == [0x28, 0xb5, 0x2f, 0xfd])
        .map(|(at, _)| at)
        .collect();
    let middle = frames[frames.len() / 2] + 40;
    bytes[middle] ^= 0x10;
    std::fs::write(&path, bytes).unwrap();
    let complaint = account.fail(&["db", "verify"]);
    assert!(complaint.contains("record ") && complaint.contains("restore a backup"), "{complaint}");
    let complaint = account.fail(&["replay"]);
    assert!(complaint.contains("record "), "{complaint}");
}

#[test]
fn old_market_data_go_and_what_is_kept_can_still_be_gone_on_from() {
    let parent = tempfile::tempdir().unwrap();
    let account = Account::new(parent.path(), "account")
        .with("journal.keep_market=1h")
        .with("journal.keep_snapshots=2")
        .with("journal.snapshot_inputs=300");
    let first = account.run();
    let verdict = account.json(&["db", "verify", "--json"]);
    assert_eq!(verdict["whole"], true);
    assert_eq!(verdict["shards"][0]["snapshots"], 2);
    assert!(verdict["shards"][0]["dropped_payloads"].as_u64().unwrap() > 0, "{verdict}");
    let again = account.run();
    assert_eq!(again["digest"], first["digest"]);
    let complaint = account.fail(&["replay"]);
    assert!(complaint.contains("retention"), "{complaint}");
    let late = verdict["shards"][0]["inputs"].as_u64().unwrap();
    let replayed = account.json(&["replay", "--from", &late.to_string(), "--json"]);
    assert_eq!((&replayed["agrees"], &replayed["digest"]), (&Value::Bool(true), &first["digest"]));
}

#[test]
fn a_second_host_on_the_same_account_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let account = Account::new(parent.path(), "account");
    account.json(&["run", "--speed", "6000", "--duration", "100ms", "--json"]);
    let url = bulkhead_store::database::DatabaseUrl::file(account.directory.join("storage/bulkhead.db"));
    let held = bulkhead_store::database::Database::open(&url, bulkhead_store::database::Options::writer());
    let complaint = account.fail(&["run", "--json", "--duration", "100ms"]);
    assert!(complaint.contains("one writer"), "{complaint}");
    drop(held);
    account.json(&["run", "--speed", "6000", "--duration", "100ms", "--json"]);
}

/// A host on a server of its own, which a test can take away.
fn on_a_server(parent: &Path, cluster: &postgres::Cluster) -> Account {
    let url = cluster.url(&cluster.new_database());
    let account = Account::new(parent, "server")
        .with(&format!("journal.database={url}"))
        .with("journal.group_inputs=16");
    account.succeed(&["db", "migrate"]);
    account
}

#[test]
fn a_host_stands_still_while_its_database_is_away_and_goes_on_when_it_is_back() {
    let parent = tempfile::tempdir().unwrap();
    let expected = Account::new(parent.path(), "undisturbed").run();
    let cluster = postgres::Cluster::start();
    let account = on_a_server(parent.path(), &cluster);
    let mut host = Host::start(&account.directory, &account.arguments(&["--speed", "30000", "--json"]));
    host.wait_for(&["fill"]);
    for how in ["fast", "immediate"] {
        cluster.stop(how);
        host.wait_for(&["the journal can't be written"]);
        cluster.start_again("");
        host.wait_for(&["the journal can be written again"]);
    }
    let (status, summary) = host.end();
    assert!(status.success());
    let summary: Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["digest"], expected["digest"]);
    let replayed = account.json(&["replay", "--json"]);
    assert_eq!((&replayed["agrees"], &replayed["digest"]), (&Value::Bool(true), &expected["digest"]));
}

#[test]
fn a_host_whose_database_is_away_ends_when_it_is_told_to_and_loses_only_what_had_no_effect() {
    let parent = tempfile::tempdir().unwrap();
    let expected = Account::new(parent.path(), "undisturbed").run();
    let cluster = postgres::Cluster::start();
    let account = on_a_server(parent.path(), &cluster);
    let mut host = Host::start(&account.directory, &account.arguments(&["--speed", "60000", "--json"]));
    host.wait_for(&["fill"]);
    cluster.stop("fast");
    host.wait_for(&["the journal can't be written"]);
    // Not even while there is something to do that can't be done.
    let late = account.directory.join("strategies/momentum.wasm");
    std::fs::copy(plugin("momentum"), &late).unwrap();
    host.wait_for(&["a command waits", "momentum"]);
    std::fs::remove_file(late).unwrap();
    host.terminate();
    host.wait_for(&["the end of the run is not in the journal"]);
    let (status, _) = host.end();
    assert_eq!(status.code(), Some(1), "it ended by itself, and said that something was missing");
    cluster.start_again("");
    assert_eq!(account.run()["digest"], expected["digest"]);
}
