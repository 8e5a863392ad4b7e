//! Trading while thousands of clients have live updates, beside trading while nobody watches.
//!
//! At full speed it is told how many bars the engine takes, and how much of a processor a bar costs its thread: the first
//! suffers when processors are short, the second only if the engine itself has to do more or to wait. At a pace it is told
//! when the orders and fills that follow from a bar were durable and told, and when each client had them, counted from
//! the moment at which the bar was due.

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

/// Times as fast as the minutes of the market: a bar is due every so many microseconds.
const PACE: &str = "3000";
const BAR_MICROS: i64 = 20_000;

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
        std::thread::sleep(Duration::from_secs(1));
        host.released();
        single.begin()?;
        std::thread::sleep(long);
        alone.push(host.released());
        one.push(single.received()?.events);
        drop(single);

        let mut crowd = LiveClients::connect(&host, clients, TOPICS)?;
        std::thread::sleep(Duration::from_secs(3));
        host.released();
        crowd.begin()?;
        let began = Instant::now();
        std::thread::sleep(long);
        watched.push(host.released());
        let received = crowd.received()?;
        delivered.push(as_number(received.messages) / began.elapsed().as_secs_f64());
        dropped.push(as_number(received.dropped));
        all.push(received.events);
        drop(crowd);
        wait_for_subscribers(&host, 0)?;
    }
    let alone: Vec<Punctual> = alone.iter().map(|turn| Punctual::of(turn)).collect();
    let watched: Vec<Punctual> = watched.iter().map(|turn| Punctual::of(turn)).collect();
    let of_clients = |turns: Vec<Vec<(u64, i64)>>, released: &[Punctual]| -> Vec<Vec<f64>> {
        turns.iter().zip(released).map(|(turn, released)| released.late(turn)).collect()
    };
    let (one, all) = (of_clients(one, &alone), of_clients(all, &watched));
    let late = |turns: Vec<Punctual>| -> Vec<Vec<f64>> { turns.into_iter().map(|turn| turn.late).collect() };
    let (alone, watched) = (late(alone), late(watched));
    let at = |turns: &[Vec<f64>], part: f64| -> Vec<f64> {
        turns.iter().map(|turn| quantile(turn, part)).collect()
    };
    let with = format!("with {clients} clients");
    for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
        let (alone, watched) = (at(&alone, part), at(&watched, part));
        let ratios: Vec<f64> = watched.iter().zip(&alone).map(|(watched, alone)| watched / alone).collect();
        figures.add(
            PART,
            format!("bar due to orders durable and told, nobody watching, {name}"),
            "ms",
            &alone,
            None,
        );
        figures.add(PART, format!("the same {with}, {name}"), "ms", &watched, None);
        figures.add(PART, format!("with clients / without, {name}"), "times", &ratios, None);
    }
    for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
        figures.add(
            PART,
            format!("bar due to its orders at the only client, {name}"),
            "ms",
            &at(&one, part),
            None,
        );
        figures.add(
            PART,
            format!("bar due to its orders at each of {clients} clients, {name}"),
            "ms",
            &at(&all, part),
            None,
        );
    }
    figures.add(PART, "messages delivered at a pace", "messages/s", &delivered, None);
    figures.add(PART, "clients that were dropped at a pace", "clients", &dropped, Some(Goal::AtMost(0.0)));
    Ok(())
}

/// When the bars of a turn were due.
///
/// They are due at even distances, and nothing that follows from one is told before; so who was told earliest of all
/// nearby shows when that was, but for the shortest time that it takes. Only those nearby, as an input that is no bar,
/// such as a checkpoint, moves all that come after it by a place.
struct Punctual {
    due: BTreeMap<u64, i64>,
    /// How late each was told, in milliseconds.
    late: Vec<f64>,
}

impl Punctual {
    fn of(released: &[Released]) -> Self {
        const NEARBY: usize = 20;
        let offset = |at: &Released| at.micros - BAR_MICROS * at.input.cast_signed();
        let earliest = |some: &[Released]| some.iter().map(offset).min().unwrap_or(i64::MIN);
        let mut due = BTreeMap::new();
        for (at, one) in released.iter().enumerate() {
            let before = earliest(&released[at.saturating_sub(NEARBY)..=at]);
            let after = earliest(&released[at..(at + NEARBY).min(released.len())]);
            due.insert(one.input, before.max(after) + BAR_MICROS * one.input.cast_signed());
        }
        let told: Vec<(u64, i64)> = released.iter().map(|one| (one.input, one.micros)).collect();
        let mut punctual = Self { due, late: Vec::new() };
        punctual.late = punctual.late(&told);
        punctual
    }

    /// How late something that follows from these inputs came, where it is known when they were due.
    fn late(&self, told: &[(u64, i64)]) -> Vec<f64> {
        told.iter()
            .filter_map(|(input, micros)| Some(micros_to_millis(micros - self.due.get(input)?)))
            .collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a run")]
fn micros_to_millis(micros: i64) -> f64 {
    micros as f64 / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "counts here stay far below 2^53")]
fn as_number(count: u64) -> f64 {
    count as f64
}
