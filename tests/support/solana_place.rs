//! A Solana chain with a market, and an account of the real host that is to trade there.

use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use bulkhead_core::order::Side;
use bulkhead_solana_chain::market::LocalMarket;
use bulkhead_solana_chain::program::ROUTER;
use bulkhead_solana_chain::rpc::GENESIS_HASH;
use bulkhead_solana_chain::tokens::{associated, transfer_tokens};
use bulkhead_solana_chain::{Chain, Options};
use bulkhead_store::database::{Database, DatabaseUrl, Options as DatabaseOptions};
use bulkhead_store::journal::ShardId;
use bulkhead_store::read_models::{FillFilter, FillRow, OrderFilter};
use bulkhead_store::storage::Storage as _;
use rust_decimal::Decimal;
use solana_signer::Signer as _;
use tokio::runtime::Runtime;

use super::host::{Host, PATIENCE};
use super::{bulkhead, root, strategies, succeed};

/// What the account begins with, of what its wallet holds.
pub(crate) const CASH: u64 = 10_000;

pub(crate) const PASSPHRASE: &str = "a passphrase of a test";

/// A chain with a market, and an account that is to trade there.
pub(crate) struct Place {
    pub(crate) runtime: Runtime,
    pub(crate) chain: Chain,
    pub(crate) market: LocalMarket,
    directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let (chain, market) = runtime.block_on(async {
            let chain = Chain::start(Options::default()).await;
            let market = LocalMarket::open(&chain, 0).await;
            (chain, market)
        });
        let directory = tempfile::tempdir().unwrap();
        strategies(directory.path(), &["sma-crossover"]);
        let place = Self { runtime, chain, market, directory };
        place.private("passphrase", PASSPHRASE);
        place.private("key", &place.market.trader_as_json());
        let import = ["keys", "import", "trader", "--format", "solana", "--from", "key", "--allow-anything"];
        succeed(place.path(), &[&import[..], &["--passphrase-file", "passphrase"]].concat());
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A file that only its owner may read.
    pub(crate) fn private(&self, name: &str, content: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// The arguments of a run with the configuration that people are shown.
    pub(crate) fn arguments(&self, more: &[&str]) -> Vec<String> {
        let mut arguments: Vec<String> = vec!["--config".to_owned(), example().display().to_string()];
        let endpoints = format!("solana.endpoints=[\"{}\"]", self.chain.url());
        let swaps = format!("solana.swaps.address={}", self.market.jupiter.url());
        for setting in [
            &endpoints,
            &swaps,
            "solana.swaps.quote_every=100ms",
            "solana.execution.poll=50ms",
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

    pub(crate) fn run_once(&self, more: &[&str]) -> Output {
        bulkhead(self.path()).arg("run").args(self.arguments(more)).output().unwrap()
    }

    /// The token that stands for what is traded with, when the configuration says this as well.
    pub(crate) fn token_with(&self, more: &[&str]) -> String {
        let refused =
            self.run_once(&[&["--plain", "--live", "--passphrase-file", "passphrase"], more].concat());
        assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stderr));
        let complaint = String::from_utf8(refused.stderr).unwrap();
        let (_, token) = complaint.split_once("--live-token ").expect(&complaint);
        token.split_whitespace().next().unwrap().to_owned()
    }

    pub(crate) fn start(&self, more: &[&str]) -> Host {
        let token = self.token_with(more);
        let sure = ["--json", "--live", "--live-token", &token, "--passphrase-file", "passphrase"];
        Host::start(self.path(), &self.arguments(&[&sure[..], more].concat()))
    }

    /// Has a person ask for something, and waits until it is carried out.
    pub(crate) fn ask(&self, words: &[&str]) {
        let at = ["--strategy", "sma-crossover", "--instrument", "SOL-USD"];
        succeed(self.path(), &[words, &at[..]].concat());
    }

    /// Dollars of the wallet on the chain.
    pub(crate) fn dollars(&self) -> Decimal {
        let units = self.chain.tokens_of(self.market.trader().pubkey(), self.market.dollar);
        Decimal::from_i128_with_scale(units.into(), 6)
    }

    /// SOL of the wallet on the chain.
    pub(crate) fn sol(&self) -> Decimal {
        Decimal::from_i128_with_scale(self.chain.lamports(self.market.trader().pubkey()).into(), 9)
    }

    /// So many dollars go somewhere else with the wallet's key.
    pub(crate) fn take(&self, dollars: u64) {
        let (trader, dollar) = (self.market.trader(), self.market.dollar);
        let (owner, elsewhere) = (trader.pubkey(), self.chain.address());
        self.chain.put_tokens(elsewhere, dollar, self.chain.address(), 0);
        let program = self.chain.program_of(dollar);
        let from = associated(owner, dollar, program);
        let transfer = transfer_tokens(program, from, elsewhere, owner, dollars * 1_000_000);
        self.chain.execute(trader, &[transfer]).unwrap();
    }

    /// Transactions that the wallet paid for and that landed, whether they succeeded or not.
    pub(crate) fn transactions(&self) -> usize {
        let owner = self.market.trader().pubkey();
        let ledger = self.chain.ledger();
        ledger.all_landed().filter(|(_, landed)| landed.keys.first() == Some(&owner)).count()
    }

    pub(crate) fn database(&self) -> Database {
        let url = DatabaseUrl::file(self.path().join("storage/bulkhead.db"));
        Database::open(&url, DatabaseOptions::reader()).unwrap()
    }

    pub(crate) fn fills(&self) -> Vec<FillRow> {
        self.database().fills(ShardId(0), &FillFilter::default(), None, usize::MAX).unwrap()
    }

    /// What was paid for fees and rent, as the books have it, also by orders that came to nothing.
    pub(crate) fn fees(&self) -> Decimal {
        let charges = self.database().charges(ShardId(0), None, usize::MAX).unwrap();
        let of_fills = self.fills().iter().map(|fill| fill.fee.0).sum::<Decimal>();
        of_fills + charges.iter().map(|charge| charge.amount.0).sum::<Decimal>()
    }

    /// SOL that was bought and not sold, as the books have it.
    pub(crate) fn held(&self) -> Decimal {
        let signed = |fill: &FillRow| match fill.side {
            Side::Buy => fill.quantity.0,
            Side::Sell => -fill.quantity.0,
        };
        self.fills().iter().map(signed).sum()
    }

    pub(crate) fn has_open_orders(&self) -> bool {
        let mut database = self.database();
        let orders = database.orders(ShardId(0), &OrderFilter::default(), None, usize::MAX).unwrap();
        let waiting = database.requests(ShardId(0)).unwrap();
        !waiting.is_empty() || orders.iter().any(|order| !order.state.is_final())
    }

    /// Lets the key give so many dollars a day for SOL at the aggregator, and nothing else.
    pub(crate) fn policy(&self, dollars: u64) {
        let units = dollars * 1_000_000;
        let policy = format!(
            r#"
            [solana]
            max_priority_fee = "1_000_000"
            max_fees_per_day = "1_000_000_000"
            routers = ["{ROUTER}"]
            native = {{ per_transaction = "10_000_000_000", per_day = "10_000_000_000" }}
            [[solana.token]]
            mint = "{}"
            spend = {{ per_transaction = "{units}", per_day = "{units}" }}
            "#,
            self.market.dollar
        );
        std::fs::write(self.path().join("policy.toml"), policy).unwrap();
        let replace =
            ["keys", "policy", "trader", "--policy", "policy.toml", "--passphrase-file", "passphrase"];
        succeed(self.path(), &replace);
    }

    pub(crate) fn start_signer(&self) -> Signer {
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

    /// What is on the chain, as the example names it.
    pub(crate) fn addresses(&self) -> [String; 2] {
        [GENESIS_HASH.to_owned(), self.market.dollar.to_string()]
    }
}

pub(crate) fn example() -> PathBuf {
    root().join("examples/solana-local.toml").canonicalize().unwrap()
}

/// The signer's process, ended with the test.
pub(crate) struct Signer(Child);

impl Drop for Signer {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
