//! What the strategy costs for a bar, natively: the loop of the SDK, the account, both averages and the rule.

use bulkhead_sdk::runner::Runner;
use bulkhead_sdk::{Bar, Config, Event, Instrument, Parameters as _, Timestamp};
use divan::Bencher;
use divan::counter::ItemsCount;
use sma_crossover::{Settings, SmaCrossover};

fn main() {
    divan::main();
}

fn runner() -> Runner<SmaCrossover> {
    let instrument =
        Instrument { id: 0, symbol: "TEST-USD".to_owned(), tick: 0.01, lot: 1e-8, min_notional: 0.0 };
    let config = Config {
        instruments: vec![instrument],
        settings: Settings::default().to_settings(),
        signals: Vec::new(),
        history: Vec::new(),
    };
    Runner::start(config).expect("the defaults are allowed")
}

fn bars() -> Vec<Event> {
    let bar = |minute: u32| {
        // Falling throughout, so that it never trades.
        let close = 1e6 - f64::from(minute);
        let open_time = Timestamp::from_seconds(minute * 60);
        Event::Bar(Bar {
            instrument: 0,
            interval: 60,
            open_time,
            open: close,
            high: close,
            low: close,
            close,
            volume: 1.0,
        })
    };
    (0..100_000).map(bar).collect()
}

#[divan::bench]
fn one_bar_a_call(bencher: Bencher<'_, '_>) {
    let events = bars();
    bencher.counter(ItemsCount::new(events.len())).with_inputs(runner).bench_local_refs(|runner| {
        for event in &events {
            divan::black_box(runner.on_events(std::slice::from_ref(event)).is_ok());
        }
    });
}

#[divan::bench]
fn a_thousand_bars_a_call(bencher: Bencher<'_, '_>) {
    let events = bars();
    bencher.counter(ItemsCount::new(events.len())).with_inputs(runner).bench_local_refs(|runner| {
        for events in events.chunks(1_000) {
            divan::black_box(runner.on_events(events).is_ok());
        }
    });
}
