//! The engine without a sandbox: what one bar costs when the strategy is native code.

#[path = "../tests/support/mod.rs"]
mod support;

use bulkhead_core::engine::EngineSettings;
use bulkhead_core::instrument::Instrument;
use bulkhead_core::money::{Money, Quantity};
use bulkhead_core::output::Output;
use bulkhead_core::risk::RiskLimits;
use bulkhead_core::sizing::Sizing;
use bulkhead_core::venue::paper::PaperSettings;
use divan::Bencher;
use divan::counter::ItemsCount;
use rust_decimal::Decimal;
use support::{NativeCrossover, NativeSource, deploy, engine, random_walk};

fn main() {
    divan::main();
}

const BARS: i64 = 200_000;

fn settings(risk: RiskLimits) -> EngineSettings {
    let mut settings =
        EngineSettings::new(vec![Instrument::new("X-USD", 2, 8)], Money(Decimal::from(1_000_000)));
    settings.venue = PaperSettings::exact(Decimal::TEN);
    settings.risk = risk;
    settings.sizing = Sizing::Quantity(Quantity(Decimal::ONE));
    settings
}

fn bench(bencher: Bencher<'_, '_>, risk: &RiskLimits) {
    let bars = random_walk(BARS);
    bencher.counter(ItemsCount::new(bars.len())).bench(|| {
        let source = NativeSource::default().with("crossover", |_| Box::new(NativeCrossover::new()));
        let mut engine = engine(settings(risk.clone()), source);
        let mut outputs = Vec::new();
        engine.step(&deploy("crossover", Decimal::ONE), &mut outputs);
        let mut fills = 0;
        for bar in &bars {
            outputs.clear();
            engine.step(bar, &mut outputs);
            fills += outputs.iter().filter(|output| matches!(output, Output::Filled(_))).count();
        }
        fills
    });
}

#[divan::bench]
fn crossover_solvency_only(bencher: Bencher<'_, '_>) {
    bench(bencher, &RiskLimits::none());
}

#[divan::bench]
fn crossover_default_risk(bencher: Bencher<'_, '_>) {
    bench(bencher, &RiskLimits::default());
}
