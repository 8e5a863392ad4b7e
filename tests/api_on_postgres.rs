//! The API on a database server: many at once, a server that goes away, and a journal that stands still.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../host/store/tests/support/postgres.rs"]
#[allow(clippy::expect_used, dead_code, reason = "a test's support stops at what it did not expect")]
mod postgres;
mod support;

use std::thread;

use serde_json::{Value, json};
use support::account::Account;
use support::client::{Client, halt, start, token};

const MAIN: &str = "/api/v1/accounts/main";

#[test]
fn the_api_reads_and_changes_an_account_on_a_server() {
    let parent = tempfile::tempdir().unwrap();
    let cluster = postgres::Cluster::start();
    let database = cluster.new_database();
    let account =
        Account::new(parent.path(), "server").with(&format!("journal.database={}", cluster.url(&database)));
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

    // While the journal stands still a change waits, and its caller is told where to look.
    let waiting = thread::scope(|scope| {
        let hold = "BEGIN; LOCK TABLE journal IN EXCLUSIVE MODE; SELECT pg_sleep(12); COMMIT";
        let held = scope.spawn(|| cluster.sql(&database, hold));
        let is_held = "SELECT count(*) FROM pg_locks WHERE granted AND mode = 'ExclusiveLock' \
                       AND relation = 'journal'::regclass";
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

    // A server that is away is said to be, and is used again when it is back.
    cluster.stop("fast");
    let gone = admin.wait_for_status(&at("/orders?limit=1"), 503);
    assert_eq!(gone.body["type"], "urn:bulkhead:problem:database-unavailable");
    assert_eq!(admin.get("/healthz").status, 200, "the host itself is there");
    assert_eq!(admin.get("/readyz").status, 503);
    cluster.start_again("");
    admin.wait_for_status(&at("/orders?limit=1"), 200);
    let resumed = admin.post(&at("/resume"), "two", &Value::Null);
    assert_eq!(resumed.status, 200, "{resumed:?}");
    host.stop();
}
