//! A market that can be read again from any place.

use std::collections::BTreeMap;

use bulkhead_core::engine::EngineSettings;
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::{Actor, Command, Deployment, Input, InputKind, StrategyMode};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::market::Bar;
use bulkhead_core::money::Money;
use bulkhead_core::time::{Span, Timestamp};
use rust_decimal::Decimal;

use super::strategy::version;

pub(crate) fn settings() -> EngineSettings {
    let instruments = vec![Instrument::new("A-USD", 2, 4), Instrument::new("B-USD", 2, 4)];
    let mut settings = EngineSettings::new(instruments, Money(Decimal::from(10_000)));
    settings.risk.cooldown = None;
    settings.save_every_events = 16;
    settings
}

/// Who deploys at the start.
pub(crate) fn host() -> Actor {
    Actor::Host("a test".to_owned())
}

/// What is deployed at the start.
pub(crate) fn deployments() -> Vec<Command> {
    [("quick", "0.5", 3.0), ("slow", "0.5", 7.0)]
        .into_iter()
        .map(|(slot, weight, period)| {
            let parameters = BTreeMap::from([(
                "period".to_owned(),
                bulkhead_core::strategy::ParameterValue::Number(period),
            )]);
            Command::Deploy(Deployment {
                slot: slot.to_owned(),
                version: version(),
                mode: StrategyMode::Live,
                weight: weight.parse().unwrap(),
                instruments: Vec::new(),
                parameters,
            })
        })
        .collect()
}

/// The bars of `minutes` minutes of both instruments.
pub(crate) fn bars(seed: u64, minutes: i64) -> Vec<Input> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f64::from(u32::try_from(state >> 40).unwrap()) / f64::from(1_u32 << 24) - 0.5
    };
    let mut prices = [100.0, 40.0];
    let mut inputs = Vec::new();
    for minute in 0..minutes {
        for (instrument, price) in (0..).map(InstrumentId).zip(&mut prices) {
            let open = *price;
            *price = (open * (1.0 + 0.02 * random())).max(1.0);
            let bar = Bar {
                instrument,
                interval: Span::MINUTE,
                open_time: Timestamp::from_seconds(60 * (minute + 1)),
                open,
                high: open.max(*price) * 1.001,
                low: open.min(*price) * 0.999,
                close: *price,
                volume: 1_000.0,
            };
            inputs.push(Input { time: bar.close_time(), kind: InputKind::Bar(bar) });
        }
    }
    inputs
}
