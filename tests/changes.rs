//! What people change while the host runs, and what becomes of it when the host starts again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use bulkhead_core::identifier::ContentHash;
use bulkhead_core::time::Timestamp;
use bulkhead_store::database::{Database, DatabaseUrl, Options, WrittenPlugin};
use bulkhead_store::journal::ShardId;
use bulkhead_store::read_models::SlotRow;
use bulkhead_store::storage::{Authority, Outcome};
use support::account::Account;
use support::client::{named_token, start};
use support::host::{Host, PATIENCE};
use support::{output, plugin};

const SHARD: ShardId = ShardId(0);

/// Two strategies that the whole capital can be given to.
fn account(parent: &std::path::Path) -> Account {
    Account::new(parent, "account").with("slots.momentum.weight=0").with("slots.scalping.weight=0")
}

fn database(account: &Account) -> Database {
    let url = DatabaseUrl::file(account.directory.join("storage/bulkhead.db"));
    Database::open(&url, Options::reader()).unwrap()
}

/// Leaves requests, has a host carry them out, and checks that it could.
fn change(account: &Account, commands: &[&str]) {
    let mut database = database(account);
    let ask = |command: &&str| database.request(SHARD, "ann", command, None).unwrap();
    let requests: Vec<i64> = commands.iter().map(ask).collect();
    account.run();
    for (request, command) in requests.into_iter().zip(commands) {
        let outcome = database.await_outcome(request, std::time::Duration::ZERO).unwrap();
        assert!(matches!(outcome, Some(Outcome::Applied { .. })), "{command}: {outcome:?}");
    }
}

/// Weight, mode and status.
fn slot(account: &Account, name: &str) -> (String, String, String) {
    let slots = database(account).slots(SHARD).unwrap();
    let SlotRow { weight, mode, status, .. } = slots.into_iter().find(|slot| slot.name == name).unwrap();
    (weight.normalize().to_string(), mode.name().to_owned(), status)
}

/// How often the audit has a command of this slot, and what it said last.
fn audited(account: &Account, action: &str, name: &str) -> (usize, String) {
    let audit = database(account).audit(SHARD, None, 10_000).unwrap();
    let rows: Vec<_> = audit.into_iter().filter(|row| row.action == action && row.subject == name).collect();
    (rows.len(), rows.first().map(|row| row.detail.clone()).unwrap_or_default())
}

fn is(found: &(String, String, String), weight: &str, mode: &str, status: &str) {
    assert_eq!((found.0.as_str(), found.1.as_str(), found.2.as_str()), (weight, mode, status));
}

#[test]
fn what_a_person_changed_stays_until_the_configuration_of_the_slot_changes() {
    let parent = tempfile::tempdir().unwrap();
    let account = account(parent.path())
        .with("slots.sma-crossover.weight=0.4")
        .with("slots.breakout.weight=0.3")
        .with("slots.breakout.mode=live");
    account.run();
    is(&slot(&account, "sma-crossover"), "0.4", "live", "running");
    change(
        &account,
        &[
            r#"{"set-weights":{"sma-crossover":"0.25"}}"#,
            r#"{"set-parameters":{"slot":"sma-crossover","parameters":{"fast":5}}}"#,
            r#"{"set-mode":{"slot":"breakout","mode":"off"}}"#,
        ],
    );
    is(&slot(&account, "sma-crossover"), "0.25", "live", "running");
    let deployments = audited(&account, "deploy", "sma-crossover").0;

    // Another start changes nothing, nor does one with a change that is not the slot's.
    account.run();
    let other = Account::new(parent.path(), "account");
    let other = Account { settings: account.settings.clone(), ..other }.with("slots.breakout.weight=0.2");
    other.run();
    is(&slot(&account, "sma-crossover"), "0.25", "live", "running");
    assert_eq!(audited(&account, "deploy", "sma-crossover").0, deployments);
    // The configuration of that other slot holds as a whole.
    is(&slot(&account, "breakout"), "0.2", "live", "running");

    // Another version of the file keeps what was changed.
    let file = account.directory.join("strategies/sma-crossover.wasm");
    std::fs::write(&file, support::another_version("sma-crossover")).unwrap();
    other.run();
    is(&slot(&account, "sma-crossover"), "0.25", "live", "running");
    assert_eq!(audited(&account, "replace", "sma-crossover").0, 1);
    assert_eq!(audited(&account, "deploy", "sma-crossover").0, deployments);

    // The slot's own configuration changes: that holds.
    let changed = other.with("slots.sma-crossover.weight=0.35");
    changed.run();
    is(&slot(&account, "sma-crossover"), "0.35", "live", "running");
    let (count, detail) = audited(&account, "deploy", "sma-crossover");
    assert_eq!(count, deployments + 1);
    assert!(!detail.contains("fast"), "{detail}");
    assert_eq!(account.json(&["replay", "--json"])["agrees"], true);
}

#[test]
fn a_strategy_that_a_person_removed_stays_so_until_its_file_changes() {
    let parent = tempfile::tempdir().unwrap();
    let account = account(parent.path()).with("slots.sma-crossover.weight=0.4");
    account.run();
    change(&account, &[r#"{"remove":{"slot":"sma-crossover"}}"#]);
    assert_eq!(slot(&account, "sma-crossover").2, "removed");
    account.run();
    assert_eq!(slot(&account, "sma-crossover").2, "removed");
    // Taken away and put back, it begins as configured.
    let file = account.directory.join("strategies/sma-crossover.wasm");
    std::fs::remove_file(&file).unwrap();
    account.run();
    std::fs::copy(plugin("sma-crossover"), &file).unwrap();
    account.run();
    is(&slot(&account, "sma-crossover"), "0.4", "live", "running");
}

#[test]
fn what_was_uploaded_right_before_a_crash_is_deployed_in_the_uploaders_name() {
    let parent = tempfile::tempdir().unwrap();
    let account = account(parent.path()).with("slots.sma-crossover.weight=0.4");
    account.run();
    let file = account.directory.join("strategies/sma-crossover.wasm");
    let content = support::another_version("sma-crossover");
    let written = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(1_700_000_000_123_456_789);
    let write = |modified| {
        std::fs::write(&file, &content).unwrap();
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    };
    let who = |action: &str| {
        let audit = database(&account).audit(SHARD, None, 10_000).unwrap();
        let rows = audit.into_iter().filter(|row| row.action == action && row.subject == "sma-crossover");
        rows.map(|row| row.actor).collect::<Vec<_>>()
    };
    // As far as an upload got: it is written down and the file is there.
    let upload = WrittenPlugin {
        slot: "sma-crossover".to_owned(),
        version: ContentHash::of(&content),
        modified: Timestamp::from_nanos(1_700_000_000_123_456_789),
    };
    database(&account).note_upload(&upload, "ann").unwrap();
    write(written);
    account.run();
    assert_eq!(who("replace"), ["ann"]);
    assert_eq!(who("deploy"), ["host: strategies directory"]);

    // What the configuration asks for of a version that was there before is not her doing.
    let settings = account.settings.clone();
    let changed = Account { settings, ..Account::new(parent.path(), "account") };
    changed.with("slots.sma-crossover.weight=0.3").run();
    assert_eq!(who("deploy"), ["host: strategies directory", "host: strategies directory"]);

    // The same bytes, copied in by somebody else at another time.
    std::fs::remove_file(&file).unwrap();
    account.run();
    write(written + std::time::Duration::from_nanos(1_000_000));
    account.run();
    assert_eq!(who("deploy").first().map(String::as_str), Some("host: strategies directory"));
    assert_eq!(who("deploy").len(), 3);
    assert_eq!(account.json(&["replay", "--json"])["agrees"], true);
}

/// What the command prints as JSON, and whether it succeeded.
fn by_hand(account: &Account, command: &[&str]) -> (serde_json::Value, bool) {
    let output = output(&account.directory, &account.arguments(&[command, &["--json"]].concat()));
    let answer = serde_json::from_slice(&output.stdout);
    let answer = answer.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (answer, output.status.success())
}

#[test]
fn what_a_token_asked_for_is_not_done_when_it_is_not_good_for_it_any_more() {
    let parent = tempfile::tempdir().unwrap();
    let account = account(parent.path());
    account.run();
    for (name, role) in [("ann", "operator"), ("bob", "operator"), ("cat", "trader")] {
        named_token(&account, name, role, &[]);
    }
    let needed = |role: &str| Authority { credential: "token".to_owned(), needed_role: role.to_owned() };
    let ask = |name: &str, command: &str| {
        database(&account).authorised_request(SHARD, name, command, None, &needed("operator")).unwrap()
    };
    let outcome = |request| database(&account).await_outcome(request, PATIENCE).unwrap().unwrap();
    let refused = |request| match outcome(request) {
        Outcome::Refused { sequence: None, reason } => reason,
        other => panic!("{other:?}"),
    };
    // They asked while no host ran.
    let halt = r#"{"halt":{"reason":"lunch","action":"stop-entries"}}"#;
    let waiting = [ask("ann", halt), ask("bob", halt), ask("cat", halt)];
    account.succeed(&["token", "revoke", "bob"]);
    account.run();
    assert!(matches!(outcome(waiting[0]), Outcome::Applied { .. }));
    let reason = refused(waiting[1]);
    assert!(reason.contains("the token \"bob\" was taken back; nothing was done"), "{reason}");
    assert!(refused(waiting[2]).contains("\"cat\" has the role trader, and operator is needed"));
    let halts = database(&account).audit(SHARD, None, 10_000).unwrap().into_iter();
    let halts: Vec<_> = halts.filter(|row| row.action == "halt").map(|row| row.actor).collect();
    assert_eq!(halts, ["ann"], "nothing else came to the engine");

    assert_eq!(account.json(&["replay", "--json"])["agrees"], true);
}

#[test]
fn a_running_host_does_nothing_for_a_token_that_was_taken_back() {
    let parent = tempfile::tempdir().unwrap();
    let account = account(parent.path());
    named_token(&account, "ann", "operator", &[]);
    let (mut host, _) = start(&account, &["--speed", "10"]);
    account.succeed(&["token", "revoke", "ann"]);
    let halt = r#"{"halt":{"reason":"lunch","action":"stop-entries"}}"#;
    let authority = Authority { credential: "token".to_owned(), needed_role: "operator".to_owned() };
    let late = database(&account).authorised_request(SHARD, "ann", halt, None, &authority).unwrap();
    host.wait_for(&["a request is not carried out", "ann"]);
    let outcome = |request| database(&account).await_outcome(request, PATIENCE).unwrap().unwrap();
    let Outcome::Refused { sequence: None, reason } = outcome(late) else { panic!("{:?}", outcome(late)) };
    assert!(reason.contains("\"ann\" was taken back"), "{reason}");
    // Who may write to the database needs no token.
    let by_hand = database(&account).request(SHARD, "ann", halt, None).unwrap();
    assert!(matches!(outcome(by_hand), Outcome::Applied { .. }));
    host.stop();
}

#[test]
fn an_order_by_hand_that_waited_for_a_host_for_long_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let account = account(parent.path());
    account.run();
    let order = r#"{"place-order":{"slot":"sma-crossover","instrument":0,"side":"buy","amount":"all","pricing":"market"}}"#;
    let (late, halt) = (
        database(&account).request(SHARD, "ann", order, None).unwrap(),
        database(&account)
            .request(SHARD, "ann", r#"{"halt":{"reason":"test","action":"stop-entries"}}"#, None)
            .unwrap(),
    );
    let file = account.directory.join("storage/bulkhead.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        use sqlx::Connection as _;
        let url = format!("sqlite:{}", file.display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let earlier = "UPDATE requests SET asked = asked - 3600000000000";
        sqlx::query(earlier).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
    account.run();
    let outcome = |request| database(&account).await_outcome(request, std::time::Duration::ZERO).unwrap();
    let Some(Outcome::Refused { reason, .. }) = outcome(late) else { panic!("{:?}", outcome(late)) };
    assert!(reason.contains("waited 36") && reason.ends_with("order again"), "{reason}");
    assert!(matches!(outcome(halt), Some(Outcome::Applied { .. })), "a halt is as good as on the first day");
}

#[test]
fn people_order_close_and_cancel_while_the_host_runs() {
    let parent = tempfile::tempdir().unwrap();
    let account =
        account(parent.path()).with("slots.sma-crossover.weight=0.4").with("slots.sma-crossover.mode=off");
    let place = ["--strategy", "sma-crossover", "--instrument", "A-USD"];
    let order = |words: &[&str]| by_hand(&account, &[&["order"], words, &place[..]].concat());
    assert!(account.fail(&["cancel", "1"]).contains("bulkhead.db"));

    let mut host = Host::start(&account.directory, &account.arguments(&["--speed", "600", "--json"]));
    host.wait_for(&["strategy started", "sma-crossover"]);
    let unknown = ["order", "buy", "--quantity", "1", "--strategy", "nobody", "--instrument", "A-USD"];
    let told = account.fail(&unknown);
    assert!(told.contains("\"nobody\"") && told.contains("sma-crossover"), "{told}");
    let unknown = ["close", "--strategy", "sma-crossover", "--instrument", "Z-USD"];
    assert!(account.fail(&unknown).contains("it has: A-USD"));

    // Until the first bar there is no price.
    let started = std::time::Instant::now();
    let bought = loop {
        let (answer, success) = order(&["buy", "--notional", "100"]);
        if success {
            break answer;
        }
        assert!(answer["reason"].as_str().unwrap().starts_with("PRICE_UNKNOWN"), "{answer}");
        assert!(started.elapsed() < PATIENCE);
    };
    assert_eq!((&bought["state"], &bought["order"]["side"]), (&"applied".into(), &"buy".into()));
    let (refused, success) = order(&["buy", "--notional", "1000000"]);
    assert!(!success && refused["state"] == "refused", "{refused}");
    assert!(!refused["reason"].as_str().unwrap().is_empty(), "{refused}");

    // Far from the market, where it waits.
    let held = || database(&account).positions(SHARD).unwrap().pop();
    while held().is_none() {
        assert!(started.elapsed() < PATIENCE);
    }
    let last = database(&account).orders(SHARD, &Default::default(), None, 1).unwrap().remove(0);
    let limit = (last.reference_price.0 * rust_decimal::Decimal::TEN).to_string();
    let (sale, success) = order(&["sell", "--all", "--limit", &limit]);
    assert!(success, "{sale}");
    let number = sale["order"]["id"].to_string();
    let (cancelled, success) = by_hand(&account, &["cancel", &number]);
    assert!(success && cancelled["state"] == "applied", "{cancelled}");
    let (again, success) = by_hand(&account, &["cancel", &number]);
    assert!(!success && again["reason"].as_str().unwrap().contains("does not work"), "{again}");
    let told = account.succeed(&[&["close"], &place[..]].concat());
    assert!(told.contains("the position is being closed") && told.contains("sell"), "{told}");
    host.stop();
    let (count, detail) = audited(&account, "place-order", "sma-crossover");
    assert!(count >= 3, "{count}");
    assert!(detail.starts_with("sell all A-USD at "), "{detail}");
    let replayed = account.json(&["replay", "--json"]);
    assert_eq!(replayed["agrees"], true);
}
