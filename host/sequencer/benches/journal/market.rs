//! The market that everything is measured on: the same bars in every run on every machine.

use std::collections::BTreeMap;

use bulkhead_core::engine::EngineSettings;
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::{Actor, Command, Deployment, Input, InputKind, StrategyMode};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::market::Bar;
use bulkhead_core::money::{Money, Quantity};
use bulkhead_core::risk::RiskLimits;
use bulkhead_core::sizing::Sizing;
use bulkhead_core::strategy::ParameterValue;
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_core::venue::paper::PaperSettings;
use rust_decimal::Decimal;

use crate::strategy::version;

/// 2022-01-01T00:00:00Z.
const START_SECONDS: i64 = 1_640_995_200;

/// Instruments whose bars follow one another in each minute.
pub(crate) const INSTRUMENTS: u32 = 20;

/// Solvency is the only check, and orders of one unit fill whole at the next open.
pub(crate) fn settings() -> EngineSettings {
    let instruments = (0..INSTRUMENTS).map(|number| Instrument::new(&format!("I{number}-USD"), 2, 4));
    let mut settings = EngineSettings::new(instruments.collect(), Money(Decimal::from(100_000_000)));
    settings.risk = RiskLimits::none();
    settings.sizing = Sizing::Quantity(Quantity(Decimal::ONE));
    settings.venue = PaperSettings::exact(Decimal::TEN);
    settings
}

/// Runs the strategy that orders on each of so many bars.
pub(crate) fn deployment(bars_per_order: u32) -> Input {
    let parameters = BTreeMap::from([("bars".to_owned(), ParameterValue::Number(bars_per_order.into()))]);
    let deployment = Deployment {
        slot: "bench".to_owned(),
        version: version(),
        mode: StrategyMode::Live,
        weight: Decimal::ONE,
        instruments: Vec::new(),
        parameters,
    };
    Input {
        time: Timestamp::EPOCH,
        kind: InputKind::command(Actor::Host("benchmark".to_owned()), Command::Deploy(deployment)),
    }
}

/// One-minute bars of random walks in whole cents, with volumes of four digits after the point.
pub(crate) fn bars(count: usize) -> Vec<Input> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    // Marsaglia's xorshift64.
    let mut below = move |bound: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        i64::try_from((state >> 33) % bound).unwrap_or_default()
    };
    let mut cents: Vec<i64> = (0..i64::from(INSTRUMENTS)).map(|number| 5_000 * (number + 1)).collect();
    let mut inputs = Vec::with_capacity(count);
    for minute in 0.. {
        for (instrument, cents) in (0..).map(InstrumentId).zip(&mut cents) {
            if inputs.len() == count {
                return inputs;
            }
            let open = *cents + below(3) - 1;
            let close = (open + below(41) - 20).max(1_000);
            let (high, low) = (open.max(close) + below(6), open.min(close) - below(6));
            *cents = close;
            let bar = Bar {
                instrument,
                interval: Span::MINUTE,
                open_time: Timestamp::from_seconds(START_SECONDS + 60 * minute),
                open: float(open) / 100.0,
                high: float(high) / 100.0,
                low: float(low) / 100.0,
                close: float(close) / 100.0,
                volume: float(below(10_000_000)) / 10_000.0,
            };
            inputs.push(Input { time: bar.close_time(), kind: InputKind::Bar(bar) });
        }
    }
    inputs
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
const fn float(number: i64) -> f64 {
    number as f64
}
