//! The real host is killed at random moments, again and again: each time it goes on where its journal ends,
//! and at the end it has done what one that was never killed does.
//!
//! `BULKHEAD_CRASH_ROUNDS` says how often it is killed at least; `cargo xtask crash --rounds N` sets it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a seed that fails must be known")]

mod support;

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use support::host::PATIENCE;
use support::random::Random;
use support::{bulkhead, json, random_bars, strategies, write_csv};

/// Kills in an ordinary test run.
const ROUNDS: u64 = 200;

/// Bars of each of two files.
const BARS: usize = 12_000;

/// A run that is not disturbed takes some seconds at this speed.
const SPEED: &str = "120000";

/// The longest that a host lives, or works, before it is killed.
const LONGEST_LIFE: u64 = 500;

/// Groups and snapshots small and frequent, so that kills fall into every part of their making.
const SETTINGS: [&str; 7] = [
    "journal.group_inputs=64",
    "journal.group_delay=1ms",
    "journal.snapshot_inputs=500",
    "risk.cooldown=off",
    // So that it trades on bars that mean nothing.
    "slots.ai.parameters.threshold=0.5",
    "slots.ai.parameters.disagreement=0",
    "slots.ai.parameters.exit_below=0.4",
];

struct Account {
    directory: PathBuf,
    strategies: PathBuf,
    data: String,
}

impl Account {
    fn new(parent: &Path, name: &str, round: u64) -> Self {
        let directory = parent.join(format!("{name}-{round}"));
        std::fs::create_dir_all(&directory).unwrap();
        let strategies = strategies(&directory, &["ai", "breakout", "momentum", "scalping", "sma-crossover"]);
        for (symbol, seed) in [("A-USD", 11), ("B-USD", 12)] {
            write_csv(&parent.join(format!("{symbol}.csv")), &random_bars(BARS, seed));
        }
        let file = |symbol: &str| format!("\"{symbol}={}\"", parent.join(format!("{symbol}.csv")).display());
        let data = format!("feed.files=[{}, {}]", file("A-USD"), file("B-USD"));
        Self { directory, strategies, data }
    }

    fn arguments(&self, command: &str) -> Vec<String> {
        let mut arguments: Vec<String> =
            [command, "--strategies", &self.strategies.display().to_string()].map(str::to_owned).to_vec();
        for setting in SETTINGS.into_iter().chain(["feed.source=csv", &self.data]) {
            arguments.extend(["--set".to_owned(), setting.to_owned()]);
        }
        arguments
    }

    fn run(&self, more: &[&str]) -> Value {
        let mut arguments = self.arguments("run");
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        json(&self.directory, &arguments)
    }

    fn start(&self) -> Host {
        let mut child = bulkhead(&self.directory)
            .args(self.arguments("run"))
            .args(["--speed", SPEED, "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (at_work, trades) = channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = std::thread::spawn(move || {
            let mut log = Vec::new();
            for line in lines.map_while(Result::ok) {
                if AT_WORK.iter().any(|told| line.contains(told)) {
                    // Whoever was told already listens no more.
                    let _ = at_work.send(());
                }
                log.push(line);
            }
            log.join("\n")
        });
        Host { child, trades, log }
    }

    /// Checks the chain, and steps everything again; the replay's summary.
    fn check(&self) -> Value {
        let verified = json(&self.directory, &["db", "verify", "--json"]);
        assert_eq!(verified["whole"], true, "{verified}");
        let replayed = json(&self.directory, &["replay", "--json"]);
        assert_eq!(replayed["agrees"], true, "{replayed}");
        replayed
    }
}

/// What the host says when its journal has begun.
const AT_WORK: [&str; 2] = ["was recovered from its journal", "strategy started"];

struct Host {
    child: Child,
    /// Told when it is at work; gone when it has ended.
    trades: Receiver<()>,
    log: JoinHandle<String>,
}

impl Host {
    /// Kills it, at work or at any moment, unless it has ended; how it ended, its summary and its log.
    fn kill(mut self, random: &mut Random, at_work: bool) -> (ExitStatus, String, String) {
        if at_work {
            let _ = self.trades.recv_timeout(PATIENCE);
        }
        std::thread::sleep(Duration::from_millis(random.below(LONGEST_LIFE)));
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        let mut summary = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut summary).unwrap();
        (status, summary, self.log.join().unwrap())
    }
}

#[test]
fn a_host_that_is_killed_again_and_again_does_what_one_does_that_never_was() {
    let rounds = std::env::var("BULKHEAD_CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let seed = std::env::var("BULKHEAD_CRASH_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("BULKHEAD_CRASH_SEED={seed}");
    let mut random = Random(seed);
    let parent = tempfile::tempdir().unwrap();
    let undisturbed = Account::new(parent.path(), "undisturbed", 0).run(&["--speed", "max", "--json"]);
    assert!(undisturbed["strategies"].as_array().unwrap().iter().any(|slot| slot["fills"] != 0));

    let (mut kills, mut accounts, mut recoveries) = (0, 0, 0);
    while kills < rounds {
        accounts += 1;
        let account = Account::new(parent.path(), "killed", accounts);
        // Whether anything was made known that must be in the journal.
        let mut began = false;
        let digest = loop {
            // However slow the machine is, every other kill hits the host at work.
            let (status, summary, log) = account.start().kill(&mut random, kills % 2 == 1);
            recoveries += u64::from(log.contains(AT_WORK[0]));
            began |= AT_WORK.iter().any(|told| log.contains(told));
            if status.success() {
                break serde_json::from_str::<Value>(&summary).unwrap()["digest"].clone();
            }
            assert_eq!(status.code(), None, "it was not the kill that ended it: {log}");
            kills += 1;
            if kills.is_multiple_of(50) && began {
                account.check();
            }
            if kills >= rounds {
                break account.run(&["--speed", "max", "--json"])["digest"].clone();
            }
        };
        assert_eq!(digest, undisturbed["digest"], "after {kills} kills with seed {seed}");
        let replayed = account.check();
        assert_eq!(replayed["digest"], undisturbed["digest"]);
        check_orders(&account);
    }
    // Else the host was always killed before it had done anything.
    assert!(recoveries > rounds / 4, "{recoveries} recoveries of {rounds} kills");
}

/// No order is lost or there twice, and each has all its executions.
fn check_orders(account: &Account) {
    use bulkhead_core::money::Quantity;
    use bulkhead_store::database::{Database, DatabaseUrl, Options};
    use bulkhead_store::journal::ShardId;
    use bulkhead_store::read_models::{FillFilter, OrderFilter};
    use std::collections::BTreeMap;

    let url = DatabaseUrl::file(account.directory.join("storage/bulkhead.db"));
    let mut database = Database::open(&url, Options::reader()).unwrap();
    let orders = database.orders(ShardId(0), &OrderFilter::default(), None, usize::MAX).unwrap();
    let fills = database.fills(ShardId(0), &FillFilter::default(), None, usize::MAX).unwrap();
    let mut numbers: Vec<u64> = orders.iter().map(|order| order.id.0).collect();
    numbers.sort_unstable();
    let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected, "orders are numbered without gaps");
    let mut filled = BTreeMap::new();
    for fill in &fills {
        let sum: &mut Quantity = filled.entry(fill.order_id).or_default();
        *sum = sum.plus(fill.quantity).unwrap();
    }
    for order in &orders {
        assert_eq!(filled.get(&order.id).copied().unwrap_or_default(), order.filled, "{order:?}");
    }
}
