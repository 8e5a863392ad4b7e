//! What a call into a strategy costs, and what an instance costs. `cargo bench -p bulkhead-sandbox`.
//!
//! The guest is the hand-written one of the tests, an exponential average; with `BULKHEAD_PLUGINS` set to a
//! folder that holds `sma-crossover.wasm`, that one is measured too.

#[path = "../tests/guest/mod.rs"]
mod guest;

use std::path::PathBuf;

use bulkhead_core::identifier::ContentHash;
use bulkhead_core::strategy::{Event, InstanceConfig, Strategy as _};
use bulkhead_sandbox::{Limits, Sandbox, WasmStrategy};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use guest::{Guest, bars, config, sandbox};

fn main() {
    divan::main();
}

/// The strategies to measure, by name.
fn strategies() -> Vec<&'static str> {
    let mut names = vec!["quiet", "steady"];
    if plugin().exists() {
        names.push("sma-crossover");
    }
    names
}

fn plugin() -> PathBuf {
    let folder =
        std::env::var_os("BULKHEAD_PLUGINS").map_or_else(|| PathBuf::from("target/plugins"), PathBuf::from);
    folder.join("sma-crossover.wasm")
}

fn prepared(name: &str) -> (Sandbox, ContentHash, InstanceConfig) {
    let sandbox = sandbox(Limits { orders_per_second: 1_000_000, ..Limits::default() });
    let bytes = match name {
        "quiet" => Guest::default().module(),
        "steady" => Guest::steady().module(),
        _ => std::fs::read(plugin()).expect("the plugin was there a moment ago"),
    };
    let (version, description) = sandbox.prepare(&bytes).expect("the strategy is sound");
    let settings = description.settings(&std::collections::BTreeMap::new()).expect("defaults are allowed");
    (sandbox, version, InstanceConfig { settings, ..config() })
}

fn started(name: &str) -> WasmStrategy {
    let (sandbox, version, config) = prepared(name);
    sandbox.start(&version, &config).expect("the strategy starts")
}

/// Bars whose price falls, so that no strategy here acts: what is measured is the call.
fn falling(count: u32) -> Vec<Event> {
    let mut events = bars(count);
    for (index, event) in (0_u32..).zip(&mut events) {
        if let Event::Bar(bar) = event {
            bar.close = -f64::from(index);
        }
    }
    events
}

#[divan::bench(args = strategies())]
fn one_bar(bencher: Bencher<'_, '_>, name: &str) {
    let mut strategy = started(name);
    let events = falling(1_000);
    let mut actions = Vec::new();
    bencher.counter(ItemsCount::new(events.len())).bench_local(|| {
        for event in &events {
            let handled = strategy.on_events(std::slice::from_ref(black_box(event)), &mut actions);
            black_box(handled.expect("the strategy is sound"));
            actions.clear();
        }
    });
}

#[divan::bench(args = strategies())]
fn batches_of_1000_bars(bencher: Bencher<'_, '_>, name: &str) {
    let mut strategy = started(name);
    let events = falling(1_000);
    let mut actions = Vec::new();
    bencher.counter(ItemsCount::new(events.len())).bench_local(|| {
        let mut at = 0;
        while let Some(rest) = events.get(at..).filter(|rest| !rest.is_empty()) {
            at += strategy.on_events(black_box(rest), &mut actions).expect("the strategy is sound");
            actions.clear();
        }
    });
}

/// Every bar brings an order. Time goes on from bar to bar, as the limit of orders per second wants it.
#[divan::bench]
fn one_bar_with_an_order(bencher: Bencher<'_, '_>) {
    let sandbox = sandbox(Limits::default());
    let mut strategy = guest::start(&sandbox, &Guest::default().on_events(guest::buys("(f64.const 1)", 1)));
    let mut event = bars(1).remove(0);
    let mut actions = Vec::new();
    bencher.counter(ItemsCount::new(1_000_u32)).bench_local(|| {
        for _ in 0..1_000 {
            if let Event::Bar(bar) = &mut event {
                bar.open_time = bar.open_time.plus(bar.interval);
            }
            black_box(strategy.on_events(std::slice::from_ref(&event), &mut actions).expect("it is sound"));
            actions.clear();
        }
    });
}

#[divan::bench(args = strategies())]
fn instantiate(bencher: Bencher<'_, '_>, name: &str) {
    let (sandbox, version, config) = prepared(name);
    bencher.bench_local(|| sandbox.start(&version, &config).expect("the strategy starts"));
}

#[divan::bench(args = strategies(), sample_count = 5, sample_size = 1)]
fn prepare(bencher: Bencher<'_, '_>, name: &str) {
    bencher.with_inputs(|| ()).bench_local_refs(|()| prepared(name));
}
