//! What the recorder costs a market step: `cargo bench -p bulkhead-report`.

use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::market::Bar;
use bulkhead_core::money::Money;
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_report::{Recorder, RecorderSettings};
use divan::Bencher;
use divan::counter::ItemsCount;
use rust_decimal::Decimal;

const STEPS: u32 = 1_000_000;

fn main() {
    divan::main();
}

fn recorder() -> Recorder {
    let mut settings = RecorderSettings::new(Money(Decimal::from(10_000)));
    settings.instruments = vec!["BTC-USD".to_owned()];
    Recorder::new(settings)
}

fn time(step: u32) -> Timestamp {
    Timestamp::from_seconds(60 * i64::from(step))
}

/// A saw: every step is a new peak or a new trough.
fn equity(step: u32) -> f64 {
    10_000.0 + f64::from(step % 97) - f64::from(step % 89)
}

#[divan::bench(sample_count = 10)]
fn equity_samples(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(STEPS)).with_inputs(recorder).bench_local_values(|mut recorder| {
        for step in 0..STEPS {
            recorder.equity(time(step), equity(step), 0.5);
        }
        recorder
    });
}

#[divan::bench(sample_count = 10)]
fn bars(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(STEPS)).with_inputs(recorder).bench_local_values(|mut recorder| {
        for step in 0..STEPS {
            let open = equity(step);
            recorder.bar(&Bar {
                instrument: InstrumentId(0),
                interval: Span::MINUTE,
                open_time: time(step),
                open,
                high: open + 1.0,
                low: open - 1.0,
                close: open,
                volume: 1.0,
            });
        }
        recorder
    });
}
