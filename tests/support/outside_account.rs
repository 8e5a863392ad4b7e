//! An account of the real host that is to trade on a chain, whichever chain it is.

use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use bulkhead_core::order::Side;
use bulkhead_store::database::{Database, DatabaseUrl, Options};
use bulkhead_store::journal::ShardId;
use bulkhead_store::read_models::{FillFilter, FillRow, OrderFilter};
use bulkhead_store::storage::Storage as _;
use rust_decimal::Decimal;

use super::host::{Host, PATIENCE};
use super::{bulkhead, strategies, succeed};

/// What the account begins with, of what its address holds.
pub(crate) const CASH: u64 = 10_000;

pub(crate) const PASSPHRASE: &str = "a passphrase of a test";

/// What all tests of the examples change: one strategy trades, on bars that come soon.
const ALWAYS: [&str; 4] = [
    "feed.interval=1s",
    "slots.sma-crossover.weight=1",
    "slots.momentum.weight=0",
    "slots.scalping.weight=0",
];

/// An account with a key, in a directory of its own.
pub(crate) struct OutsideAccount {
    directory: tempfile::TempDir,
    example: PathBuf,
    instrument: &'static str,
    settings: Vec<String>,
}

impl OutsideAccount {
    /// With the configuration that people are shown, changed by these settings, and a key in this format.
    pub(crate) fn new(
        example: PathBuf,
        instrument: &'static str,
        settings: Vec<String>,
        (format, key): (&str, &str),
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        strategies(directory.path(), &["sma-crossover"]);
        let account = Self { directory, example, instrument, settings };
        account.private("passphrase", PASSPHRASE);
        account.private("key", key);
        let import = ["keys", "import", "trader", "--format", format, "--from", "key", "--allow-anything"];
        succeed(account.path(), &[&import[..], &["--passphrase-file", "passphrase"]].concat());
        account
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
        let mut arguments: Vec<String> = vec!["--config".to_owned(), self.example.display().to_string()];
        for setting in self.settings.iter().map(String::as_str).chain(ALWAYS) {
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

    /// The token that stands for what is traded with.
    pub(crate) fn token(&self) -> String {
        self.token_with(&[])
    }

    pub(crate) fn start(&self, more: &[&str]) -> Host {
        let token = self.token_with(more);
        let sure = ["--json", "--live", "--live-token", &token, "--passphrase-file", "passphrase"];
        Host::start(self.path(), &self.arguments(&[&sure[..], more].concat()))
    }

    /// Has a person ask for something, and waits until it is carried out.
    pub(crate) fn ask(&self, words: &[&str]) {
        let at = ["--strategy", "sma-crossover", "--instrument", self.instrument];
        succeed(self.path(), &[words, &at[..]].concat());
    }

    pub(crate) fn database(&self) -> Database {
        let url = DatabaseUrl::file(self.path().join("storage/bulkhead.db"));
        Database::open(&url, Options::reader()).unwrap()
    }

    pub(crate) fn fills(&self) -> Vec<FillRow> {
        self.database().fills(ShardId(0), &FillFilter::default(), None, usize::MAX).unwrap()
    }

    /// What was paid for gas, rent and fees, as the books have it, also by orders that came to nothing.
    pub(crate) fn fees(&self) -> Decimal {
        let charges = self.database().charges(ShardId(0), None, usize::MAX).unwrap();
        let of_fills = self.fills().iter().map(|fill| fill.fee.0).sum::<Decimal>();
        of_fills + charges.iter().map(|charge| charge.amount.0).sum::<Decimal>()
    }

    /// What was bought and not sold, as the books have it.
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

    /// Lets the key sign what this says, and nothing else.
    pub(crate) fn replace_policy(&self, policy: &str) {
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
}

/// The signer's process, ended with the test.
pub(crate) struct Signer(Child);

impl Drop for Signer {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
