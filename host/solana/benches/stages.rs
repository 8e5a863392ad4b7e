//! How long an order takes from stage to stage, what is asked for it, and how many orders go side by side, on a chain of
//! this machine whose slots are a fiftieth of a real one's. What a real cluster takes for a slot, and the way to its
//! servers, comes on top.

#![allow(missing_docs, reason = "a bench")]
#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bulkhead_core::order::Side;
use bulkhead_solana::settings::Finality;
use support::{Account, Form};

/// Orders one after another, of which the first is left out: it makes the token account and has the token looked at.
const ALONE: usize = 41;

/// Orders at once.
const TOGETHER: u32 = 100;

/// The stages of an order that nothing happens to, each with what its time is spent on.
const STAGES: [(&str, &str); 6] = [
    ("quoted", "asking the aggregator until the quantity fits"),
    ("checked", "its transaction, lookup tables, a trial, another trial of what it came to"),
    ("signed", "balances once more, a signature"),
    ("submitted", "a server takes it"),
    ("confirmed", "a slot, votes, and the next look at it"),
    ("filled", "the balances before and after"),
];

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    runtime.block_on(async {
        alone().await;
        together().await;
    });
}

async fn alone() {
    let account = begun(Duration::from_millis(5)).await;
    let mut took: Vec<Vec<Duration>> = STAGES.iter().map(|_| Vec::new()).collect();
    let (mut whole, mut asked) = (Vec::new(), (0, 0));
    let counts = |account: &Account| {
        (account.chain.server().faults().asked().len(), account.jupiter.faults().asked().len())
    };
    for number in 0..ALONE {
        let before = account.told().len();
        let began = Instant::now();
        account.order(Side::Buy, "0.5");
        account.all_ended().await;
        if number == 0 {
            asked = counts(&account);
            continue;
        }
        let (told, at) = {
            let books = account.books.lock().expect("nobody panicked");
            (books.told.clone(), books.told_at.clone())
        };
        let mut last = began;
        for ((stage, _), took) in STAGES.iter().zip(&mut took) {
            // A purchase is for an exact amount of what is paid, so hardly ever for all that was ordered.
            let is_it = |told: &str| told.trim_start_matches("partially-").starts_with(stage);
            let place = (before..told.len()).find(|place| is_it(&told[*place]));
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
    let trades = f64::from(u32::try_from(ALONE - 1).unwrap_or(u32::MAX));
    let (servers, aggregator) = counts(&account);
    let each = |all: usize, first: usize| f64::from(u32::try_from(all - first).unwrap_or(u32::MAX)) / trades;
    println!(
        "asked for each trade: servers {:.1} times, the aggregator {:.1} times",
        each(servers, asked.0),
        each(aggregator, asked.1)
    );
    let mut methods: BTreeMap<String, u32> = BTreeMap::new();
    for request in account.chain.server().faults().asked().into_iter().skip(asked.0) {
        *methods.entry(request.method).or_default() += 1;
    }
    for (method, times) in methods {
        println!("  {method:<32} {:>5.1}", f64::from(times) / trades);
    }
}

async fn together() {
    let account = begun(Duration::from_millis(20)).await;
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

async fn begun(poll: Duration) -> Account {
    let mut account = Account::start(Form::Current).await;
    account.settings.poll = poll;
    account.settings.finality = Finality::Confirmed;
    account.settings.market_order_timeout = Duration::from_secs(600);
    account.begin().await;
    account
}

/// In milliseconds; so many of a hundred are not longer.
fn shown(times: &mut [Duration], percent: usize) -> String {
    times.sort_unstable();
    let time = times[(times.len() * percent / 100).min(times.len() - 1)];
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
