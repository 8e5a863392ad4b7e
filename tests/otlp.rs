//! Traces of the real host, at a server in the place of a collector.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use support::account::Account;
use support::bulkhead;
use support::client::{Client, address, token};
use support::host::{Host, PATIENCE};
use support::receiver::{Received, Reply, Server};

const SECRET: &str = "planted-collector-secret";

fn start(account: &Account) -> Host {
    let mut command = bulkhead(&account.directory);
    command.env("OTLP_TOKEN", SECRET).env("BULKHEAD__API__LISTEN", "127.0.0.1:0");
    // What is for this machine is given to no proxy; nobody is there.
    command.env("ALL_PROXY", "http://127.0.0.1:1");
    command.arg("run").args(account.arguments(&["--json", "--speed", "2000"]));
    Host::start_command(command)
}

#[test]
fn requests_and_inputs_that_led_to_orders_reach_the_collector() {
    let parent = tempfile::tempdir().unwrap();
    let collector = Server::start(|_| Reply::status(200));
    let account = Account::new(parent.path(), "host")
        .with(&format!("otlp.endpoint={}", collector.url))
        .with("otlp.headers.x-token=env:OTLP_TOKEN")
        .with("otlp.service=a-test");
    let viewer = token(&account, "viewer");
    let mut host = start(&account);
    let client = Client::new(&address(&mut host), Some(&viewer));
    host.wait_for(&["trade closed"]);
    assert_eq!(client.get("/api/v1/accounts/main").status, 200);
    // Names and texts are in protobuf as they are; what they mean is tested where it is made. What is looked for may come
    // with what was looked for before.
    let mut came = Vec::new();
    let mut has = |wanted: &[&str]| {
        let is_wanted = |request: &Received| wanted.iter().all(|text| request.text.contains(text));
        while !came.iter().any(is_wanted) {
            let request = collector.next();
            assert_eq!((request.path.as_str(), request.headers["x-token"].as_str()), ("/v1/traces", SECRET));
            assert_eq!(request.headers["content-type"], "application/x-protobuf");
            came.push(request);
        }
    };
    has(&["a-test", "input", "bulkhead.sequence", "bulkhead.orders", "A-USD", "buy"]);
    has(&["a-test", "GET /api/v1/accounts/{account}", "bulkhead.request_id"]);
    // It is counted once the collector has answered.
    let counted = |metrics: &str| {
        let lines = metrics.lines().filter_map(|line| line.strip_prefix("bulkhead_otlp_spans_total"));
        lines.filter(|line| line.starts_with("{outcome=\"sent\"}") && !line.ends_with(" 0")).count()
    };
    let asked = Instant::now();
    while counted(&client.get("/metrics").text) == 0 {
        assert!(asked.elapsed() < PATIENCE, "{}", client.get("/metrics").text);
        std::thread::sleep(Duration::from_millis(20));
    }
    let configured = account.succeed(&["config"]);
    assert!(configured.contains("env:OTLP_TOKEN") && !configured.contains("planted"), "{configured}");
    assert_eq!(host.count(&["planted"]), 0);
    host.stop();
}

#[test]
fn a_collector_that_is_away_is_said_once_and_keeps_nobody_from_trading_or_from_ending() {
    let parent = tempfile::tempdir().unwrap();
    // Nobody listens at a port that was given back.
    let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let account = Account::new(parent.path(), "host").with(&format!("otlp.endpoint=http://{away}"));
    let mut host = start(&account);
    host.wait_for(&["traces can't be delivered"]);
    host.wait_for(&["trade closed"]);
    let summary = host.stop();
    assert!(summary["bars"].as_u64().unwrap() > 0, "{summary}");
    // A header's value that leads nowhere, and an address that is not encrypted.
    let complaint = account.fail(&["run", "--json", "--set", "otlp.headers.x-token=env:NOT_SET"]);
    assert!(complaint.contains("otlp.headers.x-token") && complaint.contains("NOT_SET"), "{complaint}");
    let other = Account::new(parent.path(), "other");
    let complaint = other.fail(&["run", "--json", "--set", "otlp.endpoint=http://otel.example.org"]);
    assert!(complaint.contains("otlp.endpoint") && complaint.contains("https://"), "{complaint}");
}
