use bulkhead_core::engine::{Engine, EngineSettings};
use bulkhead_core::input::{Input, InputKind};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::money::Money;
use bulkhead_store::journal::{
    ENCODING, NumberedOutput, Opening, decode_commands, decode_market, encode, encode_market,
};
use rust_decimal::Decimal;

use crate::payload::{Written, check_same};
use crate::strategy::Source;

/// A recovery steps every input that it decodes; so many are enough to find out.
const MOST_STEPS: usize = 64;

/// The first byte says of which record the payload is, the rest is as in [`snapshot`](crate::snapshot::check).
///
/// Whatever decodes is written and read again to the same, as rows and as columns, an engine can be set up with
/// any opening or refuses it, and steps any inputs.
pub fn check(bytes: &[u8]) {
    let Some((record, rest)) = bytes.split_first() else { return };
    let Some(written) = Written::from(rest) else { return };
    match record % 4 {
        0 => {
            let (encoding, payload) = written.payload();
            if let Ok(inputs) = decode_commands(encoding, &payload) {
                let payload = encode(&inputs).expect("what was read can be written");
                let again = decode_commands(ENCODING, &payload).expect("what was written can be read");
                check_same(&inputs, &again);
                check_market(&inputs);
                step(engine(), &inputs);
            }
        }
        1 => {
            written.decoded::<Vec<NumberedOutput>>();
        }
        2 => {
            if let Some(opening) = written.decoded::<Opening>()
                && let Ok(engine) = Engine::new(opening.settings, Box::new(Source))
            {
                step(engine, &[]);
            }
        }
        _ => {
            let (encoding, payload) = written.payload();
            if let Ok(inputs) = decode_market(encoding, &payload) {
                check_market(&inputs);
                step(engine(), &inputs);
            }
        }
    }
}

/// Inputs of the market come back from their columns exactly as they were; commands have none.
fn check_market(inputs: &[Input]) {
    let has_command =
        inputs.iter().any(|input| matches!(input.kind, InputKind::Command(_) | InputKind::Venue(_)));
    match encode_market(inputs) {
        Ok(payload) => {
            let again = decode_market(ENCODING, &payload).expect("what was written can be read");
            check_same(&inputs, &again.as_slice());
        }
        Err(error) => assert!(has_command, "inputs of the market can't be written: {error}"),
    }
}

fn step(mut engine: Engine, inputs: &[Input]) {
    let mut outputs = Vec::new();
    for input in inputs.iter().take(MOST_STEPS) {
        engine.step(input, &mut outputs);
        outputs.clear();
    }
    crate::snapshot::go_on(&mut engine);
}

fn engine() -> Engine {
    let instruments = vec![Instrument::new("A-USD", 2, 4), Instrument::new("B-USD", 2, 4)];
    let mut settings = EngineSettings::new(instruments, Money(Decimal::from(10_000)));
    settings.signals = vec!["mood".to_owned()];
    settings.risk.cooldown = None;
    Engine::new(settings, Box::new(Source)).expect("the settings are sound")
}
