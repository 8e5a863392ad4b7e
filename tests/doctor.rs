//! `bulkhead doctor` says what is broken and what to do, and real funds are not traded until it is mended.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use serde_json::Value;
use support::bulkhead;

/// The exit status, and what was found.
fn doctor(directory: &Path, arguments: &[String]) -> (Option<i32>, Value) {
    let output = bulkhead(directory).args(["doctor", "--json"]).args(arguments).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    let found = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {complaint}"));
    (output.status.code(), found)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn check<'a>(found: &'a Value, name: &str) -> &'a Value {
    let checks = found["checks"].as_array().unwrap();
    let is_it = |check: &&Value| check["name"].as_str().unwrap().starts_with(name);
    checks.iter().find(is_it).unwrap_or_else(|| panic!("no {name} in {found}"))
}

#[test]
fn paper_needs_a_machine_and_no_chain() {
    let directory = tempfile::tempdir().unwrap();
    let (status, found) = doctor(directory.path(), &[]);
    assert_eq!((status, &found["ok"]), (Some(0), &Value::Bool(true)), "{found}");
    for name in ["configuration", "database", "disk", "open files"] {
        assert_ne!(check(&found, name)["verdict"], "failed", "{name}");
    }
    assert_eq!(check(&found, "chain")["verdict"], "skipped");
    // Nothing was made.
    assert!(!directory.path().join("storage").exists());
}

#[test]
fn what_is_broken_is_named_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let (status, found) = doctor(directory.path(), &words(&["--set", "risk.max_order=much"]));
    assert_eq!((status, &found["ok"]), (Some(1), &Value::Bool(false)));
    let configuration = check(&found, "configuration");
    assert_eq!(configuration["verdict"], "failed");
    assert!(configuration["found"].as_str().unwrap().contains("max_order"), "{configuration}");

    std::fs::create_dir(directory.path().join("storage")).unwrap();
    std::fs::write(directory.path().join("storage/bulkhead.db"), "no database").unwrap();
    let (status, found) = doctor(directory.path(), &[]);
    assert_eq!(status, Some(1));
    let database = check(&found, "database");
    assert_eq!(database["verdict"], "failed");
    assert!(!database["advice"].as_str().unwrap().is_empty());
}

#[cfg(feature = "evm")]
mod on_a_chain {
    use alloy_primitives::U256;
    use bulkhead_evm_chain::market::LocalMarket;

    use super::*;
    use crate::support::chain_place::Place;
    use crate::support::outside_account::PASSPHRASE;

    fn looked_at(place: &Place, more: &[&str]) -> (Option<i32>, Value) {
        let passphrase = ["--passphrase-file", "passphrase"];
        doctor(place.path(), &place.arguments(&[more, &passphrase].concat()))
    }

    #[test]
    fn an_account_that_can_trade_has_nothing_that_fails() {
        let place = Place::new();
        let (status, found) = looked_at(&place, &[]);
        assert_eq!((status, &found["ok"]), (Some(0), &Value::Bool(true)), "{found:#}");
        for name in ["endpoint 1", "contracts", "key", "native balance", "currency", "approvals"] {
            assert_eq!(check(&found, name)["verdict"], "ok", "{found:#}");
        }
        // The key of the tests signs anything.
        assert_eq!(check(&found, "key's limits")["verdict"], "warning");
        assert_eq!(check(&found, "books")["verdict"], "skipped");
        let text = found.to_string();
        assert!(!text.contains(PASSPHRASE) && !text.contains(&LocalMarket::trader().to_bytes().to_string()));

        let mut host = place.start(&[]);
        host.wait_for(&["strategy started", "sma-crossover"]);
        host.stop();
        let (_, found) = looked_at(&place, &[]);
        assert_eq!(check(&found, "books")["verdict"], "ok", "{found:#}");
    }

    #[test]
    fn each_thing_that_is_broken_is_found() {
        let place = Place::new();
        let nothing = "0x00000000000000000000000000000000000000aa";
        let pool = format!("evm.markets.WETH-USD.pool.address=\"{nothing}\"");
        let away = format!("evm.endpoints=[\"http://127.0.0.1:9\",\"{}\"]", place.chain.url());
        for (setting, name, verdict, words) in [
            ("evm.chain_id=1", "endpoint 1", "failed", "it is of chain 31337"),
            ("evm.endpoints=[\"http://127.0.0.1:9\"]", "endpoint 1", "failed", "connection"),
            (away.as_str(), "endpoint 1", "warning", "connection"),
            (pool.as_str(), "contracts", "failed", "the pool of WETH-USD"),
            ("evm.tokens.USD.decimals=8", "contracts", "failed", "has 6 decimals"),
            ("evm.key=nobody", "key", "failed", "nobody"),
            ("evm.signer=process", "key", "failed", "signer"),
            ("evm.gas.reserve=1000000", "native balance", "failed", "evm.gas.reserve"),
            ("cash=30000", "currency", "failed", "20000 USD"),
        ] {
            let (status, found) = looked_at(&place, &["--set", setting]);
            let found = check(&found, name);
            assert_eq!(found["verdict"], verdict, "{setting}: {found}");
            assert!(found["found"].as_str().unwrap().contains(words), "{setting}: {found}");
            assert_eq!(status, Some(i32::from(verdict == "failed")), "{setting}");
        }
        let router = place.chain.deployed().v2_router;
        let dollar = place.chain.deployed().tokens.dollar;
        let trader = LocalMarket::trader();
        let approved = place.chain.approve(dollar, &trader, router, U256::MAX);
        place.runtime.block_on(approved).unwrap();
        assert_eq!(check(&looked_at(&place, &[]).1, "approvals")["verdict"], "warning");
    }

    #[test]
    fn real_funds_are_not_traded_while_something_is_broken() {
        let place = Place::new();
        let sure = ["--plain", "--live", "--passphrase-file", "passphrase", "--live-token"];
        let token = place.token();
        let reserve = ["--set", "evm.gas.reserve=1000000"];
        let refused = place.run_once(&[&sure[..], &[&token], &reserve[..]].concat());
        let complaint = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{complaint}");
        assert!(complaint.contains("native balance") && complaint.contains("bulkhead doctor"), "{complaint}");
        assert_eq!(place.transactions(), 0);
    }
}
