//! The API on a database server: many at once, a server that goes away, and a journal that stands still.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../host/store/tests/support/postgres.rs"]
#[allow(clippy::expect_used, dead_code, reason = "a test's support stops at what it did not expect")]
mod postgres;
mod support;

use std::thread;

use bulkhead_store::database::{Database, Options};
use bulkhead_store::journal::ShardId;
use serde_json::{Value, json};
use support::account::Account;
use support::client::{Client, halt, named_token, start, token};
use support::{another_version, plugin};

const MAIN: &str = "/api/v1/accounts/main";

#[test]
fn the_api_reads_and_changes_an_account_on_a_server() {
    let parent = tempfile::tempdir().unwrap();
    let cluster = postgres::Cluster::start();
    let database = cluster.new_database();
    let account =
        Account::new(parent.path(), "server").with(&format!("journal.database={}", cluster.url(&database)));
    let account = account.with("journal.group_inputs=1");
    account.succeed(&["db", "migrate"]);
    let secret = token(&account, "admin");
    let (mut host, address) = start(&account, &["--speed", "600"]);
    host.wait_for(&["trade closed"]);
    let admin = Client::new(&address, Some(&secret));
    let at = |rest: &str| format!("{MAIN}{rest}");
    for list in ["/orders?limit=1", "/trades?limit=1", "/fills?limit=1", "/equity?limit=1", "/audit?limit=1"]
    {
        let items =
            admin.wait(&at(list), |page| page["items"].as_array().is_some_and(|items| !items.is_empty()));
        assert_eq!(items["items"].as_array().unwrap().len(), 1, "{list}");
    }
    let sums = admin.get(&at("/analytics")).body;
    assert!(sums["overall"]["trades"].as_u64().unwrap() > 0, "{sums}");
    assert!(admin.get("/metrics").text.contains("bulkhead_orders{account=\"main\""));

    // Of those who make the same token at once, one does.
    let body = json!({ "name": "desk", "role": "viewer" });
    let made: Vec<u16> = thread::scope(|scope| {
        let make = || Client::new(&address, Some(&secret)).post("/api/v1/tokens", "k", &body).status;
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let mut sorted = made.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [201, 409, 409, 409, 409, 409, 409, 409], "{made:?}");

    let is_held = "SELECT count(*) FROM pg_locks WHERE granted AND mode = 'ExclusiveLock' \
                   AND relation = 'journal'::regclass";
    // While the journal stands still a change waits, and its caller is told where to look.
    let waiting = thread::scope(|scope| {
        let hold = "BEGIN; LOCK TABLE journal IN EXCLUSIVE MODE; SELECT pg_sleep(12); COMMIT";
        let held = scope.spawn(|| cluster.sql(&database, hold));
        while cluster.sql(&database, is_held) != "1" {
            assert!(!held.is_finished());
        }
        let answer = admin.post(&at("/halt"), "one", &halt());
        assert!(!held.is_finished(), "the journal was held too short");
        answer
    });
    assert_eq!((waiting.status, &waiting.body["state"]), (202, &json!("waiting")), "{waiting:?}");
    let request = format!("/api/v1/requests/{}", waiting.body["request"]);
    let applied = admin.wait(&request, |state| state["state"] == "applied");
    assert!(applied["sequence"].is_u64(), "{applied}");
    let again = admin.post(&at("/halt"), "one", &halt());
    assert_eq!((again.status, &again.body["sequence"]), (200, &applied["sequence"]), "it is the same halt");

    // One whose token is taken back while it waits for the journal is not carried out.
    let ops = Client::new(&address, Some(&named_token(&account, "ops", "operator", &[])));
    let late = thread::scope(|scope| {
        let hold = "BEGIN; LOCK TABLE journal IN EXCLUSIVE MODE; SELECT pg_sleep(20); COMMIT";
        let held = scope.spawn(|| cluster.sql(&database, hold));
        while cluster.sql(&database, is_held) != "1" {
            assert!(!held.is_finished());
        }
        // With one input in a group these fill what there is of room before the journal.
        let mut asking = Database::open(&cluster.url(&database).parse().unwrap(), Options::reader()).unwrap();
        for key in ["a", "b", "c", "d"] {
            asking.request(ShardId(0), "ann", r#"{"resume":{}}"#, Some(key)).unwrap();
        }
        host.wait_for(&["a command waits until the journal can be written"]);
        let late = ops.post(&at("/halt"), "late", &halt());
        let revoked = admin.send("DELETE", "/api/v1/tokens/ops", &[], &[]);
        assert!(revoked.status < 300, "{revoked:?}");
        assert!(!held.is_finished(), "the journal was held too short");
        late
    });
    assert_eq!(late.status, 202, "{late:?}");
    let late = format!("/api/v1/requests/{}", late.body["request"]);
    let refused = admin.wait(&late, |state| state["state"] != "waiting");
    assert_eq!(refused["state"], "refused", "{refused}");
    assert!(refused["reason"].as_str().unwrap().contains("\"ops\" was taken back"), "{refused}");

    // A server that is away is said to be, and is used again when it is back.
    cluster.stop("fast");
    let gone = admin.wait_for_status(&at("/orders?limit=1"), 503);
    assert_eq!(gone.body["type"], "urn:bulkhead:problem:database-unavailable");
    assert_eq!(admin.get("/healthz").status, 200, "the host itself is there");
    assert_eq!(admin.get("/readyz").status, 503);
    // What is uploaded now could be nobody's; what is copied in waits until the database can say that nobody uploaded it.
    let upload = admin.send("PUT", "/api/v1/plugins/second", &[], &another_version("breakout"));
    assert_eq!(upload.status, 503, "{upload:?}");
    assert!(!account.directory.join("strategies/second.wasm").exists());
    std::fs::copy(plugin("momentum"), account.directory.join("strategies/momentum.wasm")).unwrap();
    host.wait_for(&["a plugin waits until the database answers", "momentum"]);
    cluster.start_again("");
    admin.wait_for_status(&at("/orders?limit=1"), 200);
    admin.wait(&at("/strategies/momentum"), |strategy| strategy["status"] == "running");
    let audit = admin.wait(&at("/audit?limit=100"), |page| page["items"].is_array());
    let rows = audit["items"].as_array().unwrap().iter();
    let deployed = rows.filter(|row| row["action"] == "deploy" && row["subject"] == "momentum");
    let by: Vec<_> = deployed.map(|row| row["actor"].as_str().unwrap()).collect();
    assert_eq!(by, ["host: strategies directory"]);
    let resumed = admin.post(&at("/resume"), "two", &Value::Null);
    assert_eq!(resumed.status, 200, "{resumed:?}");
    host.stop();
}
