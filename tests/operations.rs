//! The files for operators in `ops/`: what they name exists in the host's own output, and what reads them takes them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use support::account::Account;
use support::client::{Client, token};
use support::host::Host;
use support::receiver::{Reply, Server};
use support::root;
use yaml_rust2::{Yaml, YamlLoader};

fn ops(file: &str) -> PathBuf {
    root().join("ops").join(file)
}

fn yaml(file: &str) -> Yaml {
    let text = std::fs::read_to_string(ops(file)).unwrap();
    let mut documents = YamlLoader::load_from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert_eq!(documents.len(), 1, "{file}");
    documents.remove(0)
}

fn dashboard() -> Value {
    serde_json::from_str(&std::fs::read_to_string(ops("grafana/bulkhead.json")).unwrap()).unwrap()
}

/// Every expression of the dashboard and of the rules, with where it is.
fn expressions() -> Vec<(String, String)> {
    let dashboard = dashboard();
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            found.push((format!("panel {}", panel["title"]), target["expr"].as_str().unwrap().to_owned()));
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if let Some(definition) = variable["definition"].as_str() {
            found.push((format!("variable {}", variable["name"]), definition.to_owned()));
        }
    }
    let rules = yaml("prometheus/alerts.yml");
    for group in rules["groups"].as_vec().unwrap() {
        for rule in group["rules"].as_vec().unwrap() {
            let name = rule["alert"].as_str().unwrap();
            assert!(rule["annotations"]["summary"].as_str().is_some(), "{name} says nothing");
            let severity = rule["labels"]["severity"].as_str().unwrap();
            assert!(["warning", "critical"].contains(&severity), "{name}");
            found.push((name.to_owned(), rule["expr"].as_str().unwrap().to_owned()));
        }
    }
    found
}

/// The words in a text of which metrics are made.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("bulkhead_")).map(str::to_owned).collect()
}

/// What a host that has done something of everything says of itself.
fn scrape() -> String {
    let parent = tempfile::tempdir().unwrap();
    let hook = Server::start(|_| Reply::status(204));
    let account = Account::new(parent.path(), "host")
        .with(&format!("alerts.webhooks.desk.url={}", hook.url))
        .with("alerts.webhooks.desk.secret=env:HOOK_SECRET");
    let viewer = token(&account, "viewer");
    let trader = token(&account, "trader");
    let mut command = support::bulkhead(&account.directory);
    command.env("BULKHEAD__API__LISTEN", "127.0.0.1:0").env("HOOK_SECRET", "s").arg("run");
    command.args(account.arguments(&["--json", "--speed", "2000"]));
    let mut host = Host::start_command(command);
    let address = support::client::address(&mut host);
    host.wait_for(&["trade closed"]);
    hook.wait(|request| request.body["kind"] == "position-closed");
    let too_large =
        json!({ "strategy": "breakout", "instrument": "A-USD", "side": "buy", "quantity": "1000000" });
    let refused =
        Client::new(&address, Some(&trader)).post("/api/v1/accounts/main/orders", "one", &too_large);
    assert_eq!(refused.status, 422, "{refused:?}");
    let client = Client::new(&address, Some(&viewer));
    // A strategy's own proposal is refused sooner or later.
    let asked = std::time::Instant::now();
    let text = loop {
        let text = client.get("/metrics").text;
        if text.contains("bulkhead_refusals_total") && text.contains("bulkhead_alerts_total") {
            break text;
        }
        assert!(asked.elapsed() < support::host::PATIENCE, "{text}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    host.stop();
    text
}

#[test]
fn every_metric_that_is_named_is_one_that_the_host_has() {
    let scraped = scrape();
    let mut known: BTreeSet<String> = scraped
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(['{', ' ']).next().unwrap().to_owned())
        .collect();
    // Only of a market that somebody is asked for; `on_chain.rs` sees them.
    known.extend(
        ["failing", "failures_total", "newest_timestamp_seconds"].map(|name| format!("bulkhead_feed_{name}")),
    );
    let mut named = BTreeSet::new();
    for (place, expression) in expressions() {
        let found = metrics(&expression);
        assert!(!found.is_empty() || expression.starts_with("up{"), "{place}: {expression}");
        for metric in &found {
            assert!(
                known.contains(metric),
                "{place} names {metric}, which the host does not have: {known:?}"
            );
        }
        named.extend(found);
    }
    // And the other way round: what is measured can be seen.
    let unseen: Vec<_> = known
        .iter()
        .filter(|metric| {
            metric.starts_with("bulkhead_") && !metric.ends_with("_sum") && !metric.ends_with("_count")
        })
        .filter(|metric| !named.contains(*metric))
        .collect();
    assert!(unseen.is_empty(), "nothing shows {unseen:?}");
    for sample in [
        "bulkhead_alerts_total{channel=\"webhooks.desk\",outcome=\"sent\"}",
        "bulkhead_task_failures_total{task=\"api\"} 0",
        "bulkhead_journal_commit_seconds_count{account=\"main\"}",
    ] {
        assert!(scraped.contains(sample), "{sample} in {scraped}");
    }
}

#[test]
fn panels_have_numbers_of_their_own_and_lie_side_by_side() {
    let dashboard = dashboard();
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{}", panel["title"]);
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
        assert!(x + w <= 24, "{}", panel["title"]);
        for column in x..x + w {
            for row in y..y + h {
                assert!(taken.insert((column, row)), "{} lies on another", panel["title"]);
            }
        }
    }
}

#[test]
fn prometheus_takes_its_files() {
    assert_eq!(yaml("prometheus/prometheus.yml")["rule_files"][0].as_str(), Some("alerts.yml"));
    // `cargo xtask test` gets it; without it the rules were still read above.
    let promtool =
        std::env::var_os("BULKHEAD_PROMTOOL").map_or_else(|| PathBuf::from("promtool"), PathBuf::from);
    let run = |command: &str, file: &str| {
        Command::new(&promtool).args(["check", command]).args(["--syntax-only"]).arg(ops(file)).output()
    };
    match run("config", "prometheus/prometheus.yml") {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{text}");
            let rules = Command::new(&promtool)
                .args(["check", "rules"])
                .arg(ops("prometheus/alerts.yml"))
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&rules.stdout) + String::from_utf8_lossy(&rules.stderr);
            assert!(rules.status.success() && text.contains("rules found"), "{text}");
        }
        Err(error) if std::env::var_os("BULKHEAD_PROMTOOL").is_none() => {
            eprintln!("there is no promtool here ({error}); `cargo xtask test` gets it");
        }
        Err(error) => panic!("{}: {error}", promtool.display()),
    }
}

#[test]
fn nothing_in_the_compose_file_can_be_reached_from_other_machines_and_no_password_is_in_it() {
    let compose = yaml("compose.yaml");
    let services = compose["services"].as_hash().unwrap();
    let names: Vec<&str> = services.keys().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(names, ["bulkhead", "postgres", "prometheus", "grafana"]);
    for (name, service) in services {
        for port in service["ports"].as_vec().into_iter().flatten() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name:?}: {port:?}");
        }
        for (key, value) in service["environment"].as_hash().into_iter().flatten() {
            if key.as_str().unwrap().contains("PASSWORD") {
                assert!(value.as_str().unwrap().starts_with("${"), "{name:?}: {key:?}");
            }
        }
        // The host's image brings its own.
        assert!(
            name.as_str() == Some("bulkhead") || !service["healthcheck"]["test"].is_badvalue(),
            "{name:?}"
        );
        for volume in service["volumes"].as_vec().into_iter().flatten() {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            if let Some(file) = source.strip_prefix("./") {
                assert!(ops(file).exists(), "{name:?}: {source}");
            } else {
                assert!(
                    !compose["volumes"].as_hash().unwrap()[&Yaml::String(source.to_owned())].is_badvalue()
                );
            }
        }
    }
    for file in
        ["grafana/provisioning/datasources/prometheus.yml", "grafana/provisioning/dashboards/bulkhead.yml"]
    {
        assert_eq!(yaml(file)["apiVersion"].as_i64(), Some(1), "{file}");
    }
    let image = std::fs::read_to_string(ops("Containerfile")).unwrap();
    for part in ["USER bulkhead", "HEALTHCHECK", "--locked", "npm ci"] {
        assert!(image.contains(part), "{part}");
    }
}

#[test]
fn systemd_takes_the_unit() {
    let unit = std::fs::read_to_string(ops("systemd/bulkhead.service")).unwrap();
    for line in ["NoNewPrivileges=yes", "ProtectSystem=strict", "DynamicUser=yes", "CapabilityBoundingSet="] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
    // What is installed where is the operator's; here it is enough that there is a program.
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("bulkhead.service");
    std::fs::write(&file, unit.replace("/usr/local/bin/bulkhead", env!("CARGO_BIN_EXE_bulkhead"))).unwrap();
    let verified = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file).output();
    match verified {
        Ok(output) => {
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && !complaint.contains("bulkhead.service:"), "{complaint}");
        }
        Err(error) => eprintln!("there is no systemd-analyze here: {error}"),
    }
}
