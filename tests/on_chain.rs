//! The real host on a real chain: from the configuration of `examples/` to transactions that landed, and books that say what the
//! chain says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use bulkhead_core::order::Side;
use bulkhead_evm_chain::market::{LocalMarket, TRADER_DOLLARS};
use bulkhead_evm_chain::{Chain, Deployed};
use bulkhead_store::database::{Database, DatabaseUrl, Options};
use bulkhead_store::journal::ShardId;
use bulkhead_store::read_models::{FillFilter, FillRow, OrderFilter};
use bulkhead_store::storage::Storage as _;
use rust_decimal::Decimal;
use support::host::{Host, PATIENCE};
use support::{bulkhead, json, root, strategies, succeed};
use tokio::runtime::Runtime;

/// What the account begins with, of what its address holds.
const CASH: u64 = 10_000;

const PASSPHRASE: &str = "a passphrase of a test";

/// A chain with a market, and an account that is to trade there.
struct Place {
    runtime: Runtime,
    chain: Chain,
    market: LocalMarket,
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let (chain, market) = runtime.block_on(async {
            let chain = Chain::start().await;
            let market = LocalMarket::open(&chain).await;
            (chain, market)
        });
        let directory = tempfile::tempdir().unwrap();
        strategies(directory.path(), &["sma-crossover"]);
        let place = Self { runtime, chain, market, directory };
        place.private("passphrase", PASSPHRASE);
        place.private("key", &LocalMarket::trader().to_bytes().to_string());
        let import = ["keys", "import", "trader", "--format", "hex", "--from", "key", "--allow-anything"];
        succeed(place.path(), &[&import[..], &["--passphrase-file", "passphrase"]].concat());
        place
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A file that only its owner may read.
    fn private(&self, name: &str, content: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// The arguments of a run with the configuration that people are shown.
    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let mut arguments: Vec<String> = vec!["--config".to_owned(), example().display().to_string()];
        let endpoints = format!("evm.endpoints=[\"{}\"]", self.chain.url());
        for setting in [
            &endpoints,
            "feed.interval=1s",
            "slots.sma-crossover.weight=1",
            "slots.momentum.weight=0",
            "slots.scalping.weight=0",
        ] {
            arguments.extend(["--set".to_owned(), setting.to_owned()]);
        }
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        arguments
    }

    fn run_once(&self, more: &[&str]) -> Output {
        let arguments = self.arguments(more);
        bulkhead(self.path()).arg("run").args(arguments).output().unwrap()
    }

    /// The token that stands for what is traded with.
    fn token(&self) -> String {
        let refused = self.run_once(&["--plain", "--live", "--passphrase-file", "passphrase"]);
        assert_eq!(refused.status.code(), Some(2));
        let complaint = String::from_utf8(refused.stderr).unwrap();
        let (_, token) = complaint.split_once("--live-token ").expect(&complaint);
        token.split_whitespace().next().unwrap().to_owned()
    }

    fn start(&self, more: &[&str]) -> Host {
        let token = self.token();
        let sure = ["--json", "--live", "--live-token", &token, "--passphrase-file", "passphrase"];
        Host::start(self.path(), &self.arguments(&[&sure[..], more].concat()))
    }

    /// Has a person ask for something, and waits until it is carried out.
    fn ask(&self, words: &[&str]) {
        let at = ["--strategy", "sma-crossover", "--instrument", "WETH-USD"];
        succeed(self.path(), &[words, &at[..]].concat());
    }

    /// Dollars of the address on the chain.
    fn dollars(&self) -> Decimal {
        let token = self.chain.deployed().tokens.dollar;
        let units = self.runtime.block_on(self.chain.balance_of(token, LocalMarket::trader().address()));
        Decimal::new(i64::try_from(units).unwrap(), 6)
    }

    fn coins(&self) -> Decimal {
        let token = self.chain.deployed().weth;
        let units = self.runtime.block_on(self.chain.balance_of(token, LocalMarket::trader().address()));
        Decimal::from_i128_with_scale(i128::try_from(units).unwrap(), 18)
    }

    fn transactions(&self) -> u64 {
        self.runtime.block_on(self.chain.transaction_count(LocalMarket::trader().address()))
    }

    fn database(&self) -> Database {
        let url = DatabaseUrl::file(self.path().join("storage/bulkhead.db"));
        Database::open(&url, Options::reader()).unwrap()
    }

    fn fills(&self) -> Vec<FillRow> {
        self.database().fills(ShardId(0), &FillFilter::default(), None, usize::MAX).unwrap()
    }

    /// What was paid for gas and fees, as the books have it, also by orders that came to nothing.
    fn fees(&self) -> Decimal {
        let charges = self.database().charges(ShardId(0), None, usize::MAX).unwrap();
        let of_fills = self.fills().iter().map(|fill| fill.fee.0).sum::<Decimal>();
        of_fills + charges.iter().map(|charge| charge.amount.0).sum::<Decimal>()
    }

    /// Coins that were bought and not sold, as the books have it.
    fn held(&self) -> Decimal {
        let signed = |fill: &FillRow| match fill.side {
            Side::Buy => fill.quantity.0,
            Side::Sell => -fill.quantity.0,
        };
        self.fills().iter().map(signed).sum()
    }

    fn has_open_orders(&self) -> bool {
        let mut database = self.database();
        let orders = database.orders(ShardId(0), &OrderFilter::default(), None, usize::MAX).unwrap();
        let waiting = database.requests(ShardId(0)).unwrap();
        !waiting.is_empty() || orders.iter().any(|order| !order.state.is_final())
    }
}

fn example() -> PathBuf {
    root().join("examples/evm-local.toml").canonicalize().unwrap()
}

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

/// Moments to kill at; the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Prices of the chain, and nothing is sent there.
#[test]
fn paper_is_traded_on_the_prices_of_the_chain() {
    let place = Place::new();
    let arguments = place.arguments(&["--json", "--set", "mode=paper"]);
    let mut host = Host::start(place.path(), &arguments);
    host.wait_for(&["strategy started", "sma-crossover"]);
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

/// The signer's process, ended with the test.
struct Signer(Child);

impl Drop for Signer {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Place {
    fn start_signer(&self) -> Signer {
        let signer = bulkhead(self.path())
            .args(["signer", "--passphrase-file", "passphrase"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let signer = Signer(signer);
        let socket = self.path().join("storage/signer/socket");
        let until = Instant::now() + PATIENCE;
        while !socket.exists() {
            assert!(Instant::now() < until, "the signer does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        signer
    }

    /// Lets the key sign purchases and sales of so many dollars at the example's routers, and nothing else.
    fn policy(&self, dollars: u64) {
        let Deployed { weth, v2_router, v3_router, tokens, .. } = self.chain.deployed();
        let dollar = tokens.dollar;
        let units = dollars * 1_000_000;
        let policy = format!(
            r#"
            [[chain]]
            id = 31337
            max_fee_per_gas = "50_000_000_000"
            max_gas = 500_000
            max_fees_per_day = "1_000_000_000_000_000_000"
            max_deadline_seconds = 3600
            wrapped_native = "{weth}"
            [[chain.router]]
            address = "{v2_router}"
            kind = "uniswap-v2"
            [[chain.router]]
            address = "{v3_router}"
            kind = "uniswap-v3"
            [[chain.token]]
            address = "{dollar}"
            spend = {{ per_transaction = "{units}", per_day = "{units}" }}
            spenders = ["{v2_router}", "{v3_router}"]
            [[chain.token]]
            address = "{weth}"
            spend = {{ per_transaction = "1_000_000_000_000_000_000", per_day = "1_000_000_000_000_000_000" }}
            spenders = ["{v2_router}", "{v3_router}"]
            "#
        );
        std::fs::write(self.path().join("policy.toml"), policy).unwrap();
        let replace =
            ["keys", "policy", "trader", "--policy", "policy.toml", "--passphrase-file", "passphrase"];
        succeed(self.path(), &replace);
    }
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
    assert_eq!(summary["halted"], serde_json::Value::Null);
    let without =
        place.run_once(&["--plain", "--live", "--live-token", &place.token(), "--set", "evm.signer=process"]);
    let complaint = String::from_utf8(without.stderr).unwrap();
    assert!(!without.status.success() && complaint.contains("bulkhead signer"), "{complaint}");
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
