//! The real host on a real chain: from the configuration of `examples/` to transactions that landed, and books that say what the
//! chain says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use bulkhead_evm_chain::Deployed;
use bulkhead_evm_chain::market::{LocalMarket, TRADER_DOLLARS};
use bulkhead_evm_chain::web3signer::Web3Signer;
use rust_decimal::Decimal;
use serde_json::Value;
use support::chain_place::{Place, example};
use support::client::viewer;
use support::host::{Host, PATIENCE};
use support::outside_account::{CASH, PASSPHRASE};
use support::random::Random;
use support::{bulkhead, json};

#[test]
fn the_example_names_what_is_on_every_such_chain() {
    let place = Place::new();
    let Deployed { weth, v2_router, v3_router, v3_quoter, tokens, .. } = place.chain.deployed();
    let text = std::fs::read_to_string(example()).unwrap().to_lowercase();
    for address in [weth, v2_router, v3_router, v3_quoter, &tokens.dollar, &place.market.v2_pool] {
        let address = address.to_string().to_lowercase();
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
    let address = LocalMarket::trader().address().to_string();
    let without = complaint(&[]);
    assert!(
        without.contains("--live") && without.contains(&address) && without.contains("10000 USD"),
        "{without}"
    );
    let token = place.token();
    assert!(complaint(&["--live", "--live-token", "live-0000000000"]).contains("other terms"));
    // More money is other terms.
    assert!(complaint(&["--live", "--live-token", &token, "--set", "cash=20000"]).contains("other terms"));
    assert!(complaint(&["--set", "mode=paper", "--live"]).contains("trades on paper"));
    assert_eq!(place.transactions(), 0);
}

#[test]
fn an_order_becomes_a_transaction_and_the_books_say_what_the_chain_says() {
    let place = Place::new();
    let mut host = place.start(&[]);
    host.wait_for(&["strategy started", "sma-crossover"]);
    place.ask(&["order", "buy", "--notional", "900"]);
    host.wait_for(&["fill", "side=\"buy\""]);
    let bought = place.coins();
    assert!(bought > Decimal::ZERO);
    place.ask(&["close"]);
    host.wait_for(&["fill", "side=\"sell\""]);
    let summary = host.stop();
    assert_eq!(place.coins(), Decimal::ZERO);
    // An approval and a swap each way.
    assert_eq!(place.transactions(), 4);
    let cash: Decimal = summary["cash"].as_str().unwrap().parse().unwrap();
    // Gas is paid in native currency, and booked in dollars.
    assert_eq!(place.dollars() - Decimal::from(TRADER_DOLLARS - CASH), cash + place.fees());
    let replayed = json(place.path(), &["replay", "--json"]);
    assert_eq!(replayed["agrees"], true, "{replayed}");
}

#[test]
fn a_host_that_is_killed_with_an_order_on_its_way_finds_it_again() {
    let place = Place::new();
    place.runtime.block_on(place.chain.set_automine(false));
    let mut host = place.start(&[]);
    host.wait_for(&["strategy started", "sma-crossover"]);
    place.ask(&["order", "buy", "--notional", "900"]);
    // The approval waits for a block that does not come.
    host.wait_for(&["order at the venue", "submitted"]);
    host.kill();
    place.runtime.block_on(async {
        place.chain.set_automine(true).await;
        place.chain.mine(1).await;
    });
    let mut host = place.start(&[]);
    host.wait_for(&["taking up orders that are on their way"]);
    host.wait_for(&["fill", "side=\"buy\""]);
    host.stop();
    assert_eq!(place.transactions(), 2);
    let fills = place.fees();
    assert!(fills > Decimal::ZERO);
}

/// Kills in an ordinary test run; `cargo xtask crash --venue evm --rounds N` sets it.
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
    assert_eq!(place.coins(), place.held());
    let replayed = json(place.path(), &["replay", "--json"]);
    assert_eq!(replayed["agrees"], true, "{replayed}");
}

/// Prices of the chain, and nothing is sent there.
#[test]
fn paper_is_traded_on_the_prices_of_the_chain() {
    let place = Place::new();
    let arguments = place.arguments(&["--json", "--set", "mode=paper", "--set", "api.listen=127.0.0.1:0"]);
    let (mut host, client) = viewer(place.path(), || Host::start(place.path(), &arguments));
    client.wait_for_a_price();
    place.ask(&["order", "buy", "--notional", "900"]);
    place.runtime.block_on(place.market.others_trade(&place.chain, true, 30));
    host.wait_for(&["fill", "side=\"buy\""]);
    host.stop();
    assert_eq!(place.transactions(), 0);
    // Its books are of paper, so real funds don't go on with them.
    let refused = place.run_once(&[
        "--plain",
        "--live",
        "--live-token",
        &place.token(),
        "--passphrase-file",
        "passphrase",
    ]);
    let complaint = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && complaint.contains("trades paper"), "{complaint}");
}

/// Whoever watches sees that prices have stopped, and why, before anything goes wrong over it.
#[test]
fn a_chain_that_can_not_be_followed_is_seen_in_the_view_and_the_metrics() {
    let mut place = Place::new();
    let arguments = place.arguments(&["--json", "--set", "mode=paper", "--set", "api.listen=127.0.0.1:0"]);
    let (host, client) = viewer(place.path(), || Host::start(place.path(), &arguments));
    let asking = |wanted: &dyn Fn(&Value) -> bool| {
        let view = client.wait("/api/v1/accounts/main/view", |view| wanted(&view["feed"]["asking"]));
        view["feed"]["asking"].clone()
    };
    let seen = asking(&|asking| asking["newest"].is_string());
    assert_eq!((&seen["failures"], &seen["failing"]), (&0.into(), &Value::Null), "{seen}");
    let metric = |name: &str| {
        let text = client.get("/metrics").text;
        let start = format!("bulkhead_feed_{name}{{account=\"main\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("no {start}: {text}")).parse::<u64>().unwrap()
    };
    let newest = metric("newest_timestamp_seconds");
    assert!(newest > 1_500_000_000, "{newest}");
    assert_eq!((metric("failing"), metric("failures_total")), (0, 0));

    place.chain.stop();
    let seen = asking(&|asking| asking["failing"].is_string());
    assert!(seen["failures"].as_u64().unwrap() > 0 && seen["newest"].is_string(), "{seen}");
    assert!(!seen["failing"].as_str().unwrap().contains("://"), "{seen}");
    assert!(metric("failing") == 1 && metric("failures_total") > 0);

    place.chain.restart();
    let seen = asking(&|asking| asking["failing"].is_null());
    assert!(seen["failures"].as_u64().unwrap() > 0, "{seen}");
    host.stop();
}

#[test]
fn a_process_of_its_own_signs_what_the_keys_policy_allows_and_nothing_else() {
    let place = Place::new();
    place.policy(1_000);
    let signer = place.start_signer();
    let mut host = place.start(&["--set", "evm.signer=process"]);
    host.wait_for(&["strategy started", "sma-crossover"]);
    place.ask(&["order", "buy", "--notional", "900"]);
    host.wait_for(&["fill", "side=\"buy\""]);
    let (transactions, coins) = (place.transactions(), place.coins());
    // The gate lets it pass, and the day's limit of the key does not.
    place.ask(&["order", "buy", "--notional", "500"]);
    let refused = host.wait_for(&["not executed"]);
    assert!(refused.contains("in 24 hours") && refused.contains("limit"), "{refused}");
    // The approval counts for nothing, as nothing was spent.
    assert_eq!((place.transactions(), place.coins()), (transactions + 1, coins));
    // Without a signer nothing begins.
    drop(signer);
    let summary = host.stop();
    assert_eq!(summary["halted"], Value::Null);
    let without =
        place.run_once(&["--plain", "--live", "--live-token", &place.token(), "--set", "evm.signer=process"]);
    let complaint = String::from_utf8(without.stderr).unwrap();
    assert!(!without.status.success() && complaint.contains("bulkhead signer"), "{complaint}");
}

#[test]
fn a_web3signer_is_asked_for_what_the_keys_policy_allows_and_nothing_else() {
    let place = Place::new();
    place.policy(1_000);
    let signer = Web3Signer::start(LocalMarket::trader());
    let address = format!("evm.address={}", LocalMarket::trader().address());
    let elsewhere = format!("evm.external={{ policy = \"policy.toml\", url = \"{}\" }}", signer.url);
    let settings = ["--set", "evm.signer=web3signer", "--set", &address, "--set", &elsewhere];
    let mut host = place.start(&settings);
    host.wait_for(&["strategy started", "sma-crossover"]);
    place.ask(&["order", "buy", "--notional", "900"]);
    host.wait_for(&["fill", "side=\"buy\""]);
    assert_eq!(signer.signed(), 2, "an approval and a trade");
    let (transactions, coins) = (place.transactions(), place.coins());
    place.ask(&["order", "buy", "--notional", "500"]);
    let refused = host.wait_for(&["not executed"]);
    assert!(refused.contains("in 24 hours") && refused.contains("limit"), "{refused}");
    assert_eq!((place.transactions(), place.coins(), signer.signed()), (transactions + 1, coins, 3));
    host.stop();
    // Nobody trades with a policy that can't be read.
    let token = place.token_with(&settings);
    std::fs::remove_file(place.path().join("policy.toml")).unwrap();
    let without = place.run_once(&[&["--plain", "--live", "--live-token", &token][..], &settings].concat());
    let complaint = String::from_utf8(without.stderr).unwrap();
    assert!(!without.status.success() && complaint.contains("policy.toml"), "{complaint}");
}

/// Wherever somebody may look: logs of every level, the journal and whatever else is written.
#[test]
fn no_secret_is_in_any_log_or_file() {
    const PLANTED: &str = "planted-secret-of-the-endpoint";
    let place = Place::new();
    let endpoint = format!("evm.endpoints=[\"{}/?key={PLANTED}\"]", place.chain.url());
    let token = place.token();
    let mut command = bulkhead(place.path());
    command.arg("run").args(place.arguments(&[
        "--json",
        "--live",
        "--live-token",
        &token,
        "--passphrase-file",
        "passphrase",
        "--set",
        &endpoint,
    ]));
    command.env("RUST_LOG", "trace");
    let mut host = Host::start_command(command);
    host.wait_for(&["strategy started", "sma-crossover"]);
    place.ask(&["order", "buy", "--notional", "900"]);
    host.wait_for(&["fill", "side=\"buy\""]);
    let log = host.log().join("\n");
    let key = LocalMarket::trader().to_bytes();
    let hex = key.to_string().trim_start_matches("0x").to_lowercase();
    for secret in [PASSPHRASE, PLANTED, &hex] {
        assert!(!log.to_lowercase().contains(&secret.to_lowercase()), "{secret} is in the log");
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
                let bytes = std::fs::read(&path).unwrap();
                let found = |secret: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
                for secret in [PASSPHRASE.as_bytes(), PLANTED.as_bytes(), hex.as_bytes(), key.as_slice()] {
                    assert!(!found(secret), "a secret is in {}", path.display());
                }
            }
        }
    }
}
