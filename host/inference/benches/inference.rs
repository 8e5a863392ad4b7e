//! What a row costs in the shipped ensemble, and what its parts of other sizes would. The shares of a second that a host with
//! many instruments spends on it follow from the first; that fuel is about a nanosecond, from the last.

#![allow(missing_docs, reason = "a bench")]

use std::fs;
use std::path::Path;
use std::time::Instant;

use bulkhead_inference::{Limits, Model, Session};
use divan::Bencher;
use divan::counter::ItemsCount;

/// The model that is shipped.
const SHIPPED: &str = "../../plugins/ai/models/ai-ensemble.onnx";

/// Single rows whose times are sorted: enough for a hundredth of a hundredth to be some.
const SAMPLES: usize = 100_000;

fn main() {
    tail();
    divan::main();
}

/// How long the slowest take, which medians don't tell.
#[allow(clippy::print_stdout, reason = "a bench prints what it measured")]
fn tail() {
    let mut session = session(SHIPPED);
    let rows = rows(&session, 1);
    let mut times: Vec<_> = (0..SAMPLES)
        .map(|_| {
            let began = Instant::now();
            divan::black_box(session.run(&rows).expect("an answer"));
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    let (model, at) = (session.model(), |share: usize| times[SAMPLES * share / 10_000 - 1]);
    println!(
        "shipped ensemble, one row: p50 {:?}, p99 {:?}, p99.99 {:?}; {} units of work",
        at(5_000),
        at(9_900),
        at(9_999),
        model.work_per_row()
    );
}

fn file(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read(&path).unwrap_or_else(|error| unreachable!("{}: {error}", path.display()))
}

fn session(path: &str) -> Session {
    let model = Model::load(&file(path), &Limits::default()).expect("the model is sound");
    Session::start(&model).expect("the runtime starts")
}

/// Numbers between −1 and 1.
fn rows(session: &Session, count: usize) -> Vec<f32> {
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let number = |place: usize| ((place * 7_919 % 2_003) as f32) / 1_001.5 - 1.0;
    (0..session.model().row() * count).map(number).collect()
}

/// Rows at a time: one to decide, more to find out why.
#[divan::bench(args = [1, 8, 101])]
fn shipped(bencher: Bencher<'_, '_>, count: usize) {
    let mut session = session(SHIPPED);
    let rows = rows(&session, count);
    bencher.counter(ItemsCount::new(count)).bench_local(|| session.run(&rows).expect("an answer"));
}

/// Work units that are charged for a row, as items: items a second should be about 10⁹.
#[divan::bench(args = [SHIPPED, "testdata/linear.onnx", "testdata/trees.onnx"])]
fn charged(bencher: Bencher<'_, '_>, path: &str) {
    let mut session = session(path);
    let rows = rows(&session, 1);
    let work = session.model().work_per_row();
    bencher.counter(ItemsCount::new(work)).bench_local(|| session.run(&rows).expect("an answer"));
}

#[divan::bench]
fn loading(bencher: Bencher<'_, '_>) {
    let file = file(SHIPPED);
    bencher.bench_local(|| Model::load(&file, &Limits::default()).expect("the model is sound"));
}
