//! What a row costs, after histories of different lengths: it must not grow with them.

use bulkhead_ai_features::Extractor;
use bulkhead_sdk::{Bar, Timestamp};
use divan::Bencher;
use divan::counter::ItemsCount;

fn main() {
    divan::main();
}

const ROWS: u32 = 1_000;

fn bar(minute: u32) -> Bar {
    let close = 100.0 + f64::from(minute % 97) * 0.1;
    Bar {
        instrument: 0,
        interval: 60,
        open_time: Timestamp::from_seconds(60 * minute),
        open: close - 0.05,
        high: close + 0.2,
        low: close - 0.2,
        close,
        volume: 1.0 + f64::from(minute % 13),
    }
}

#[divan::bench(args = [300, 3_000, 30_000, 300_000])]
fn rows_after_bars(bencher: Bencher<'_, '_>, bars: u32) {
    let mut extractor = Extractor::new();
    for minute in 0..bars {
        extractor.on_bar(&bar(minute));
    }
    bencher.counter(ItemsCount::new(ROWS)).with_inputs(|| extractor.clone()).bench_local_refs(|extractor| {
        for minute in bars..bars + ROWS {
            divan::black_box(extractor.on_bar(&bar(minute)));
        }
    });
}
