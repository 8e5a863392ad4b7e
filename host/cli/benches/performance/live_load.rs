//! Trading while thousands of clients have live updates, beside trading while nobody watches.
//!
//! At full speed it is told how many bars the engine takes, and how much of a processor a bar costs its thread: the first
//! suffers when processors are short, the second only if the engine itself has to do more. At a pace it is told how long
//! commits take, and how long after the engine's thread has told of an order or a fill each client had it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::Suite;
use crate::figures::{Figures, Goal};
use crate::live_clients::{LiveClients, Received, most};
use crate::market::{SYMBOL, write_csv};
use crate::measure::{number, quantile};
use crate::serving_host::{PATIENCE, Plan, Released, ServingHost};

const PART: &str = "live";

/// What the clients subscribe to. At full speed only what is shown four times a second: nobody reads ten thousand orders a
/// second.
const TOPICS: &str = "account,orders,fills,trades,bars";
const TOPICS_AT_FULL_SPEED: &str = "account";

/// Times as fast as the minutes of the market: 50 bars a second.
const PACE: &str = "3000";

pub(crate) fn measure(suite: &Suite, figures: &mut Figures) -> Result<()> {
    let clients = most(suite.extent.clients);
    figures.add(
        PART,
        format!("clients that the system allows, of {} wanted", suite.extent.clients),
        "clients",
        &[number(clients)],
        None,
    );
    at_full_speed(suite, clients, figures)?;
    at_a_pace(suite, clients, figures)
}

/// Waits until the host has forgotten all clients but those.
fn wait_for_subscribers(host: &ServingHost, count: usize) -> Result<()> {
    let asked = Instant::now();
    while host.subscribers()? != count {
        ensure!(asked.elapsed() < PATIENCE, "{} clients, {count} expected", host.subscribers()?);
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn at_full_speed(suite: &Suite, clients: usize, figures: &mut Figures) -> Result<()> {
    let feed = "[feed]\nsource = \"simulator\"\n[simulator]\nsteps = 1000000000\n";
    let plan = Plan::new(suite, "full-speed", feed, clients + 64, "max")?;
    let host = ServingHost::start(&plan)?;
    let [mut alone, mut watched] = [Rates::default(), Rates::default()];
    let (mut delivered, mut megabytes, mut memory, mut dropped) = (vec![], vec![], vec![], vec![]);
    for _ in 0..suite.extent.turns.min(5) {
        alone.measure(&host, suite.extent.seconds)?;
        let before = host.resident_bytes()?;
        let mut crowd = LiveClients::connect(&host, clients, TOPICS_AT_FULL_SPEED)?;
        std::thread::sleep(suite.extent.seconds / 4);
        memory.push((host.resident_bytes()? - before) / 1e3 / number(crowd.connected));
        crowd.begin()?;
        let began = Instant::now();
        watched.measure(&host, suite.extent.seconds)?;
        let Received { messages, bytes, dropped: gone, .. } = crowd.received()?;
        let seconds = began.elapsed().as_secs_f64();
        delivered.push(as_number(messages) / seconds);
        megabytes.push(as_number(bytes) / 1e6 / seconds);
        dropped.push(as_number(gone));
        ensure!(crowd.connected == clients, "{} of {clients} clients were let in", crowd.connected);
        drop(crowd);
        wait_for_subscribers(&host, 0)?;
    }
    // Later turns use again what the first has freed.
    memory.truncate(1);
    let with = format!("with {clients} clients");
    figures.add(PART, "at full speed, nobody watching", "bars/s", &alone.bars, None);
    figures.add(PART, format!("at full speed, {with}"), "bars/s", &watched.bars, None);
    figures.add(
        PART,
        "bars/s with clients / without",
        "times",
        &watched.over(&alone, |rates| &rates.bars),
        Some(Goal::AtLeast(0.9)),
    );
    figures.add(PART, "work of the trading thread for a bar, nobody watching", "ns", &alone.work, None);
    figures.add(PART, format!("work of the trading thread for a bar, {with}"), "ns", &watched.work, None);
    figures.add(
        PART,
        "work for a bar with clients / without",
        "times",
        &watched.over(&alone, |rates| &rates.work),
        Some(Goal::AtMost(1.1)),
    );
    figures.add(
        PART,
        "trading thread ready but without a processor, nobody watching",
        "%",
        &alone.waiting,
        None,
    );
    figures.add(
        PART,
        format!("trading thread ready but without a processor, {with}"),
        "%",
        &watched.waiting,
        None,
    );
    figures.add(PART, "messages delivered", "messages/s", &delivered, None);
    figures.add(PART, "of that", "MB/s", &megabytes, None);
    figures.add(PART, "clients that were dropped", "clients", &dropped, Some(Goal::AtMost(0.0)));
    figures.add(PART, "memory of the host for a client", "kB", &memory, None);
    Ok(())
}

/// How the thread that trades gets on, turn by turn.
#[derive(Default)]
struct Rates {
    bars: Vec<f64>,
    work: Vec<f64>,
    waiting: Vec<f64>,
}

impl Rates {
    fn measure(&mut self, host: &ServingHost, long: Duration) -> Result<()> {
        let ((bars, began), usage) = (host.bars()?, host.usage()?);
        std::thread::sleep(long);
        let ((more_bars, ended), more_usage) = (host.bars()?, host.usage()?);
        let bars = as_number(more_bars - bars);
        let seconds = ended.duration_since(began).as_secs_f64();
        self.bars.push(bars / seconds);
        self.work.push((more_usage.worked - usage.worked).as_secs_f64() * 1e9 / bars);
        self.waiting.push((more_usage.waited - usage.waited).as_secs_f64() / seconds * 100.0);
        Ok(())
    }

    /// Turn by turn, how much this is of another.
    fn over(&self, other: &Self, of: impl Fn(&Self) -> &Vec<f64>) -> Vec<f64> {
        of(self).iter().zip(of(other)).map(|(this, other)| this / other).collect()
    }
}

fn at_a_pace(suite: &Suite, clients: usize, figures: &mut Figures) -> Result<()> {
    let file = suite.directory.join("paced.csv");
    write_csv(&file, suite.extent.bars)?;
    let feed = format!("[feed]\nsource = \"csv\"\nfiles = [{:?}]\n", format!("{SYMBOL}={}", file.display()));
    let plan = Plan::new(suite, "paced", &feed, clients + 64, PACE)?;
    let host = ServingHost::start(&plan)?;
    let long = suite.extent.seconds * 3;
    let (mut alone, mut watched, mut one, mut all) = (vec![], vec![], vec![], vec![]);
    let (mut delivered, mut dropped) = (vec![], vec![]);
    for _ in 0..suite.extent.turns.min(5) {
        let mut single = LiveClients::connect(&host, 1, TOPICS)?;
        let (commit, received, released) = turn(&host, &mut single, long)?;
        alone.push(commit);
        one.push(delays(&released, &received.events));
        drop(single);

        let mut crowd = LiveClients::connect(&host, clients, TOPICS)?;
        let (commit, received, released) = turn(&host, &mut crowd, long)?;
        watched.push(commit);
        delivered.push(as_number(received.messages) / long.as_secs_f64());
        dropped.push(as_number(received.dropped));
        all.push(delays(&released, &received.events));
        drop(crowd);
        wait_for_subscribers(&host, 0)?;
    }
    let ratios: Vec<f64> = watched.iter().zip(&alone).map(|(watched, alone)| watched / alone).collect();
    let of_one = |what: &str| format!("{what}, 1 client");
    let of_all = |what: &str| format!("{what}, {clients} clients");
    let commit = "a bar to durable, mean";
    figures.add(PART, of_one(commit), "ms", &alone, None);
    figures.add(PART, of_all(commit), "ms", &watched, None);
    figures.add(PART, format!("{commit}, with clients / with 1"), "times", &ratios, None);
    for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
        let at = |turns: &[Vec<f64>]| -> Vec<f64> { turns.iter().map(|turn| quantile(turn, part)).collect() };
        let what = format!("an order told by the engine's thread to received, {name}");
        figures.add(PART, of_one(&what), "ms", &at(&one), None);
        figures.add(PART, of_all(&what), "ms", &at(&all), None);
    }
    figures.add(PART, "messages delivered at a pace", "messages/s", &delivered, None);
    figures.add(PART, "clients that were dropped at a pace", "clients", &dropped, Some(Goal::AtMost(0.0)));
    Ok(())
}

/// A while with these clients: the mean time of a commit in milliseconds, what they received, and when it was told.
fn turn(
    host: &ServingHost,
    clients: &mut LiveClients,
    long: Duration,
) -> Result<(f64, Received, Vec<Released>)> {
    std::thread::sleep(Duration::from_secs(3));
    host.released();
    let (seconds, commits) = host.commits()?;
    clients.begin()?;
    std::thread::sleep(long);
    let (more_seconds, more_commits) = host.commits()?;
    let received = clients.received()?;
    Ok(((more_seconds - seconds) * 1e3 / (more_commits - commits), received, host.released()))
}

/// How long after the thread that trades had told of it each was received, in milliseconds.
fn delays(released: &[Released], received: &[(u64, i64)]) -> Vec<f64> {
    let told: BTreeMap<u64, i64> = released.iter().map(|one| (one.input, one.micros)).collect();
    received.iter().filter_map(|(input, micros)| Some(micros_to_millis(micros - told.get(input)?))).collect()
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a run")]
fn micros_to_millis(micros: i64) -> f64 {
    micros as f64 / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "counts here stay far below 2^53")]
fn as_number(count: u64) -> f64 {
    count as f64
}
