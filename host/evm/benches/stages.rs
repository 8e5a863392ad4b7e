//! How long an order takes from stage to stage, and how many orders go side by side, on a node of this machine that makes a
//! block as soon as it has a transaction. What a real chain takes for a block comes on top.

#![allow(missing_docs, reason = "a bench")]
#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use bulkhead_core::order::Side;
use bulkhead_evm_chain::Options;
use support::Account;

/// Orders one after another, of which the first is left out: it has the token approved.
const ALONE: usize = 41;

/// Orders at once.
const TOGETHER: u32 = 100;

/// The stages of an order that nothing happens to, each with what its time is spent on.
const STAGES: [(&str, &str); 6] = [
    ("quoted", "asking the routes"),
    ("checked", "trying it, balances, gas"),
    ("signed", "a nonce and a signature"),
    ("submitted", "a server takes it"),
    ("confirmed", "a block, and the next look at it"),
    ("filled", "the receipt's events"),
];

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    runtime.block_on(async {
        alone().await;
        together().await;
    });
}

async fn alone() {
    let mut account = Account::start(Options::default()).await;
    account.settings.poll = Duration::from_millis(5);
    account.begin().await;
    let mut took: Vec<Vec<Duration>> = STAGES.iter().map(|_| Vec::new()).collect();
    let mut whole = Vec::new();
    for number in 0..ALONE {
        let before = account.told().len();
        let began = Instant::now();
        account.order(Side::Buy, "0.5");
        account.all_ended().await;
        if number == 0 {
            continue;
        }
        let (told, at) = {
            let books = account.books.lock().expect("nobody panicked");
            (books.told.clone(), books.told_at.clone())
        };
        let mut last = began;
        for ((stage, _), took) in STAGES.iter().zip(&mut took) {
            let place = (before..told.len()).find(|place| told[*place].starts_with(stage));
            let reached =
                at[place.unwrap_or_else(|| unreachable!("{stage} is not among {:?}", &told[before..]))];
            took.push(reached.saturating_duration_since(last));
            last = reached;
        }
        whole.push(last.saturating_duration_since(began));
    }
    println!("{:<12} {:>9} {:>9}  what for", "stage", "median", "p90");
    for ((stage, what), took) in STAGES.iter().zip(&mut took) {
        println!("{stage:<12} {:>9} {:>9}  {what}", shown(took, 50), shown(took, 90));
    }
    println!("{:<12} {:>9} {:>9}", "in all", shown(&mut whole, 50), shown(&mut whole, 90));
}

async fn together() {
    let mut account = Account::start(Options::default()).await;
    account.settings.poll = Duration::from_millis(20);
    account.begin().await;
    account.order(Side::Buy, "0.5");
    account.all_ended().await;
    let began = Instant::now();
    for _ in 0..TOGETHER {
        account.order(Side::Buy, "0.1");
    }
    account.all_ended().await;
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{TOGETHER} orders at once: {:.1} a second, from the gate to the books",
        f64::from(TOGETHER) / seconds
    );
}

/// In milliseconds; so many of a hundred are not longer.
fn shown(times: &mut [Duration], percent: usize) -> String {
    times.sort_unstable();
    let time = times[(times.len() * percent / 100).min(times.len() - 1)];
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
