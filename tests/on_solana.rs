//! The real host on a real virtual machine of Solana: from the configuration of `examples/` to transactions that landed, and
//! books that say what the chain says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use bulkhead_solana_chain::Fault;
use bulkhead_solana_chain::market::{TRADER_DOLLARS, TRADER_SOL};
use rust_decimal::Decimal;
use serde_json::Value;
use solana_signer::Signer as _;
use support::client::viewer;
use support::host::{Host, PATIENCE};
use support::outside_account::{CASH, PASSPHRASE};
use support::random::Random;
use support::solana_place::{Place, example};
use support::{bulkhead, json, succeed};

#[test]
fn the_example_names_what_is_on_every_such_chain() {
    let place = Place::new();
    let text = std::fs::read_to_string(example()).unwrap();
    for address in place.addresses() {
        assert!(text.contains(&address), "{address} is not in the example");
    }
}

#[test]
fn real_funds_move_only_when_the_very_terms_are_confirmed() {
    let place = Place::new();
    let complaint = |more: &[&str]| {
        let output = place.run_once(&[&["--plain"], more].concat());
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).unwrap()
    };
    let wallet = place.market.trader().pubkey().to_string();
    let without = complaint(&[]);
    assert!(without.contains("--live") && without.contains(&wallet), "{without}");
    assert!(without.contains("10000 USD") && without.contains("of Solana"), "{without}");
    let token = place.token_with(&[]);
    assert!(complaint(&["--live", "--live-token", &token, "--set", "cash=20000"]).contains("other terms"));
    assert_eq!(place.transactions(), 0);
}

#[test]
fn an_order_becomes_a_transaction_and_the_books_say_what_the_chain_says() {
    let place = Place::new();
    let mut host = place.start(&[]);
    host.wait_for(&["strategy started", "sma-crossover"]);
    place.ask(&["order", "buy", "--notional", "900"]);
    host.wait_for(&["fill", "side=\"buy\""]);
    let bought = place.held();
    assert!(bought > Decimal::ZERO);
    // Fees and rent are paid in SOL, too.
    let paid = Decimal::from(TRADER_SOL) + bought - place.sol();
    assert!(paid > Decimal::ZERO && paid < Decimal::new(1, 2), "{paid} SOL were paid besides");
    place.ask(&["close"]);
    host.wait_for(&["fill", "side=\"sell\""]);
    let summary = host.stop();
    assert_eq!((place.held(), place.transactions()), (Decimal::ZERO, 2));
    let cash: Decimal = summary["cash"].as_str().unwrap().parse().unwrap();
    assert_eq!(place.dollars() - Decimal::from(TRADER_DOLLARS - CASH), cash + place.fees());
    let replayed = json(place.path(), &["replay", "--json"]);
    assert_eq!(replayed["agrees"], true, "{replayed}");
}

#[test]
fn what_is_taken_away_behind_the_hosts_back_halts_it_until_a_person_has_said_what_it_was() {
    let place = Place::new();
    let mut host = place.start(&["--set", "solana.reconciliation.every=300ms"]);
    host.wait_for(&["the books agree with the chain"]);
    host.wait_for(&["strategy started", "sma-crossover"]);
    place.ask(&["order", "buy", "--notional", "900"]);
    host.wait_for(&["fill", "side=\"buy\""]);
    let compared = |agrees: bool| {
        let output =
            bulkhead(place.path()).arg("reconcile").args(place.arguments(&["--json"])).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{complaint}"));
        assert_eq!((output.status.success(), &found["agrees"]), (agrees, &agrees.into()), "{found}");
        found["accounts"][0].clone()
    };
    let found = compared(true);
    assert_eq!((&found["cluster"], &found["chain_id"]), (&place.addresses()[0].clone().into(), &Value::Null));
    // What the wallet holds beside the account's cash was there before.
    assert_eq!(row(&found, "balance:USD")["verdict"], "ignored");

    place.take(250);
    host.wait_for(&["trading halted", "250 USD is missing", "the host (reconciliation)"]);
    let found = compared(false);
    let dollars = row(&found, "balance:USD");
    assert_eq!((&dollars["unexplained"], &dollars["verdict"]), (&"-250".into(), &"halts".into()));

    let adopt = ["adopt", "--token", "USD", "--reason", "a person looked"];
    let mut words = vec!["reconcile".to_owned()];
    words.extend(adopt.map(str::to_owned));
    words.extend(place.arguments(&[]));
    succeed(place.path(), &words);
    host.wait_for(&["the books were adjusted", "value=-250", "a person looked"]);
    compared(true);
    succeed(place.path(), &["resume"]);
    host.wait_for(&["trading resumed"]);
    assert_eq!(host.stop()["halted"], Value::Null);
}

fn row<'a>(found: &'a Value, subject: &str) -> &'a Value {
    let rows = found["rows"].as_array().unwrap();
    rows.iter().find(|row| row["subject"] == subject).unwrap_or_else(|| panic!("no {subject}: {found}"))
}

/// Kills in an ordinary test run; `cargo xtask crash --venue solana --rounds N` sets it.
const ROUNDS: u64 = 8;

/// The longest that a host lives before it is killed, in milliseconds. An order takes a few hundred.
const LONGEST_LIFE: u64 = 1_500;

#[test]
#[allow(clippy::print_stdout, reason = "a seed that fails must be known")]
fn a_host_that_is_killed_again_and_again_trades_each_order_once() {
    let rounds = std::env::var("BULKHEAD_CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let seed = std::env::var("BULKHEAD_CRASH_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("BULKHEAD_CRASH_SEED={seed}");
    let mut random = Random(seed);
    let place = Place::new();
    for round in 0..rounds {
        let mut host = place.start(&[]);
        if round % 2 == 0 {
            host.wait_for(&[if round == 0 { "strategy started" } else { "was recovered" }]);
        }
        let more = ["order", "buy", "--notional", "300", "--no-wait"];
        let less = ["order", "sell", "--all", "--no-wait"];
        place.ask(if random.below(3) == 0 { &less } else { &more });
        std::thread::sleep(Duration::from_millis(random.below(LONGEST_LIFE)));
        host.kill();
    }
    let mut host = place.start(&[]);
    host.wait_for(&["was recovered"]);
    let until = Instant::now() + PATIENCE;
    while place.has_open_orders() {
        assert!(Instant::now() < until, "orders are still open");
        std::thread::sleep(Duration::from_millis(100));
    }
    let summary = host.stop();
    let cash: Decimal = summary["cash"].as_str().unwrap().parse().unwrap();
    assert_eq!(place.dollars() - Decimal::from(TRADER_DOLLARS - CASH), cash + place.fees());
    let paid = Decimal::from(TRADER_SOL) + place.held() - place.sol();
    assert!(paid >= Decimal::ZERO && paid < Decimal::new(1, 1), "{paid} SOL were paid besides");
    let replayed = json(place.path(), &["replay", "--json"]);
    assert_eq!(replayed["agrees"], true, "{replayed}");
}

/// What the cluster's servers and the aggregator do meanwhile is of no matter to an order that is on its way.
#[test]
fn an_order_outlives_a_server_that_loses_it() {
    let place = Place::new();
    place.chain.server().faults().fail("sendTransaction", Fault::CloseBefore, 1);
    let mut host = place.start(&[]);
    host.wait_for(&["strategy started", "sma-crossover"]);
    place.ask(&["order", "buy", "--notional", "900"]);
    host.wait_for(&["fill", "side=\"buy\""]);
    host.stop();
    assert_eq!(place.transactions(), 1);
}

/// Prices of the aggregator, and nothing is sent.
#[test]
fn paper_is_traded_on_the_prices_of_the_aggregator() {
    let place = Place::new();
    let arguments = place.arguments(&["--json", "--set", "mode=paper", "--set", "api.listen=127.0.0.1:0"]);
    let (mut host, client) = viewer(place.path(), || Host::start(place.path(), &arguments));
    client.wait_for_a_price();
    place.ask(&["order", "buy", "--notional", "900"]);
    place.market.others_trade(&place.chain, true, 30);
    host.wait_for(&["fill", "side=\"buy\""]);
    host.stop();
    assert_eq!(place.transactions(), 0);
}

#[test]
fn a_process_of_its_own_signs_what_the_keys_policy_allows_and_nothing_else() {
    let place = Place::new();
    place.policy(1_000);
    let signer = place.start_signer();
    let mut host = place.start(&["--set", "solana.signer=process"]);
    host.wait_for(&["strategy started", "sma-crossover"]);
    place.ask(&["order", "buy", "--notional", "900"]);
    host.wait_for(&["fill", "side=\"buy\""]);
    // The gate lets it pass, and the day's limit of the key does not.
    place.ask(&["order", "buy", "--notional", "500"]);
    let refused = host.wait_for(&["not executed"]);
    assert!(refused.contains("in 24 hours") && refused.contains("limit"), "{refused}");
    assert_eq!(place.transactions(), 1);
    drop(signer);
    host.stop();
}

impl Place {
    /// What a command that prints JSON says of the account, and whether it is content.
    fn asked(&self, command: &str) -> (bool, Value) {
        let arguments = self.arguments(&["--json"]);
        let output = bulkhead(self.path()).arg(command).args(arguments).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        let found = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {complaint}"));
        (output.status.success(), found)
    }
}

#[test]
fn the_doctor_says_what_is_missing_and_nothing_is_traded_before_it_is_there() {
    let place = Place::new();
    let check = |name: &str| {
        let (_, found) = place.asked("doctor");
        let checks = found["checks"].as_array().unwrap().clone();
        let found = checks.iter().find(|check| check["name"].as_str().unwrap().starts_with(name)).cloned();
        found.unwrap_or_else(|| panic!("no {name} in {checks:?}"))
    };
    for name in ["endpoint 1", "price of SOL-USD", "native balance", "currency"] {
        assert_eq!(check(name)["verdict"], "ok", "{name}");
    }
    assert_eq!(check("key's limits")["verdict"], "warning");
    place.policy(1);
    assert_eq!(check("key's limits")["verdict"], "warning", "a dollar a day is little");
    let owner = place.market.trader().pubkey();
    place.chain.give_tokens(place.market.dollar, owner, 5_000_000);
    let currency = check("currency");
    assert_eq!(currency["verdict"], "failed", "{currency}");
    assert!(currency["found"].as_str().unwrap().contains("5 USD"), "{currency}");
    let token = place.token_with(&[]);
    let sure = ["--plain", "--live", "--live-token", &token, "--passphrase-file", "passphrase"];
    let refused = place.run_once(&sure);
    let complaint = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && complaint.contains("bulkhead doctor"), "{complaint}");
    assert_eq!(place.transactions(), 0);
}

/// A leader's trade is written down before strategies are told of it, and told once.
#[test]
fn what_a_tracked_wallet_trades_is_written_down_and_told() {
    let place = Place::new();
    let leader = place.chain.keypair();
    place.chain.give_lamports(leader.pubkey(), 1_000_000_000);
    place.chain.give_tokens(place.market.dollar, leader.pubkey(), 5_000_000_000);
    let wallet = format!("solana.wallets.whale={{ address = \"{}\", signal = 7 }}", leader.pubkey());
    let (often, late) = ("solana.watch.look_every=100ms", "solana.watch.told_within=3650d");
    // The chain's time is another one than the wall clock's.
    let settings = ["--json", "--set", "mode=paper", "--set", &wallet, "--set", often, "--set", late];
    let mut host = Host::start(place.path(), &place.arguments(&settings));
    host.wait_for(&["strategy started", "sma-crossover"]);
    let trades = || place.database().leader_trades(&leader.pubkey().to_string(), None, 10).unwrap();
    let until = Instant::now() + PATIENCE;
    // Watching begins with what is new.
    while trades().is_empty() {
        assert!(Instant::now() < until, "the trade was not seen");
        place.market.buys(&place.chain, &leader, 100);
        std::thread::sleep(Duration::from_millis(500));
    }
    let first = trades().pop().unwrap();
    assert!(first.told && first.got > Decimal::new(6, 1) && first.given == Decimal::from(100), "{first:?}");
    let known = place.database().tracked_wallets().unwrap();
    assert_eq!((known.len(), known[0].name.as_str()), (1, "whale"));
    host.stop();
    let replayed = json(place.path(), &["replay", "--json"]);
    assert_eq!(replayed["agrees"], true, "{replayed}");
}

/// Wherever somebody may look: logs of every level, the journal and whatever else is written.
#[test]
fn no_secret_is_in_any_log_or_file() {
    const PLANTED: &str = "planted-secret-of-the-endpoint";
    let place = Place::new();
    let endpoint = format!("solana.endpoints=[\"{}/?key={PLANTED}\"]", place.chain.url());
    let settings = ["--set", endpoint.as_str()];
    let token = place.token_with(&settings);
    let mut command = bulkhead(place.path());
    let sure = ["--json", "--live", "--live-token", &token, "--passphrase-file", "passphrase"];
    command.arg("run").args(place.arguments(&[&sure[..], &settings].concat()));
    command.env("RUST_LOG", "trace");
    let mut host = Host::start_command(command);
    host.wait_for(&["strategy started", "sma-crossover"]);
    place.ask(&["order", "buy", "--notional", "900"]);
    host.wait_for(&["fill", "side=\"buy\""]);
    let log = host.log().join("\n");
    let bytes = place.market.trader().to_bytes();
    let text = place.market.trader().to_base58_string();
    for secret in [PASSPHRASE, PLANTED, &text, &place.market.trader_as_json()] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    let mut folders = vec![place.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let given = path.parent() == Some(place.path())
                && (path.ends_with("key") || path.ends_with("passphrase"));
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() && !given {
                let content = std::fs::read(&path).unwrap();
                let found = |secret: &[u8]| content.windows(secret.len()).any(|window| window == secret);
                for secret in [PASSPHRASE.as_bytes(), PLANTED.as_bytes(), text.as_bytes(), &bytes[..32]] {
                    assert!(!found(secret), "a secret is in {}", path.display());
                }
            }
        }
    }
}
