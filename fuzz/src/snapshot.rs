use std::collections::BTreeMap;

use bulkhead_core::engine::{Engine, EngineSnapshot};
use bulkhead_core::identifier::{InstrumentId, SignalId};
use bulkhead_core::input::{
    Actor, Command, Deployment, HaltAction, Input, InputKind, ManualAmount, ManualOrder, SettingsChange,
    StrategyMode,
};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::market::{Bar, MarketTrade, Quote, Signal};
use bulkhead_core::money::Quantity;
use bulkhead_core::order::{Pricing, Side};
use bulkhead_core::price_board::InstrumentMarket;
use bulkhead_core::reconciliation::{Adjustment, Asset};
use bulkhead_core::strategy::ExitPlan;
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_sequencer::snapshot::ShardSnapshot;
use bulkhead_store::journal::{ENCODING, encode};
use rust_decimal::Decimal;

use crate::payload::{Written, check_same};
use crate::strategy::{Source, VERSION};

/// The first byte says how the payload is written: 0 means that it is not compressed yet, any other is the
/// encoding's number.
///
/// Whatever decodes is written and read again to the same, and an engine goes on from it or refuses it.
pub fn check(bytes: &[u8]) {
    let Some(written) = Written::from(bytes) else { return };
    let (encoding, payload) = written.payload();
    let Ok(snapshot) = ShardSnapshot::decode(encoding, &payload) else { return };
    let payload = encode(&snapshot).expect("what was read can be written");
    let again = ShardSnapshot::decode(ENCODING, &payload).expect("what was written can be read");
    check_same(&snapshot, &again);
    let Ok(mut engine) = Engine::restore(snapshot.engine, Box::new(Source)) else { return };
    // A snapshot of what it is now can be taken, and gone on from by another engine.
    let taken: EngineSnapshot = engine.snapshot();
    assert!(Engine::restore(taken, Box::new(Source)).is_ok(), "it is not taken for sound a second time");
    go_on(&mut engine);
}

/// Steps a market and some commands; nothing of it may panic, whatever state the engine is in.
pub(crate) fn go_on(engine: &mut Engine) {
    let mut outputs = Vec::new();
    for kind in inputs(engine) {
        let time = match &kind {
            InputKind::Bar(bar) => bar.close_time(),
            _ => engine.now(),
        };
        engine.step(&Input { time: time.max(engine.now()), kind }, &mut outputs);
        outputs.clear();
    }
    // Whatever is shown to people can be worked out, or refused.
    let _ = engine.equity();
    let _ = engine.equity_estimate();
    for slot in engine.slots() {
        let _ = engine.slot_equity(slot.id());
    }
    for order in engine.orders() {
        let _ = (order.remaining(), order.remaining_value());
    }
}

/// A rise and a fall that reach stops and tiers, with every kind of input between.
fn inputs(engine: &Engine) -> Vec<InputKind> {
    let start = engine.now().max(Timestamp::EPOCH);
    let slot = engine.slots().first().map_or_else(|| "new".to_owned(), |slot| slot.name().to_owned());
    let last = |id| engine.prices().market(id).and_then(InstrumentMarket::last).unwrap_or(100.0);
    let mut inputs = vec![InputKind::Timer, InputKind::command(actor(), deployment("new"))];
    for instrument in (0..engine.settings().instruments.len().min(2)).filter_map(|at| u32::try_from(at).ok())
    {
        let id = InstrumentId(instrument);
        for (minute, factor) in (1..).zip([1.0, 1.5, 3.0, 0.9, 0.3]) {
            inputs.push(InputKind::Bar(bar(id, start.plus(Span::MINUTE.times(minute)), last(id) * factor)));
        }
        let time = start.plus(Span::MINUTE.times(7));
        let (price, quantity) = (last(id), 3.0);
        inputs.push(InputKind::Quote(Quote {
            instrument: id,
            time,
            bid: price,
            ask: price * 1.01,
            bid_size: quantity,
            ask_size: quantity,
            liquidity: 1e6,
        }));
        inputs.push(InputKind::Trade(MarketTrade {
            instrument: id,
            time,
            price,
            quantity,
            taker: Side::Buy,
        }));
        inputs.push(InputKind::Signal(Signal { instrument: id, id: SignalId(0), time, value: 0.5 }));
        inputs.push(InputKind::command(actor(), order(&slot, id)));
        let exits = Command::ChangeExits { slot: slot.clone(), instrument: id, plan: ExitPlan::default() };
        inputs.push(InputKind::command(actor(), exits));
        inputs.push(InputKind::command(actor(), Command::Close { slot: slot.clone(), instrument: id }));
    }
    inputs.extend([
        InputKind::command(actor(), Command::SetWeights(BTreeMap::from([(slot.clone(), Decimal::ONE)]))),
        InputKind::command(actor(), Command::SetMode { slot: slot.clone(), mode: StrategyMode::Shadow }),
        InputKind::command(actor(), Command::Release { slot: slot.clone() }),
        halt(HaltAction::CancelOrders),
        InputKind::command(actor(), Command::Resume {}),
        InputKind::command(actor(), Command::Adopt(Box::new(adjustment(engine, Decimal::ONE)))),
        InputKind::command(actor(), Command::WriteOff(Box::new(adjustment(engine, -Decimal::ONE)))),
        halt(HaltAction::Flatten),
        InputKind::command(actor(), Command::ChangeSettings(Box::new(change(engine)))),
        InputKind::command(actor(), deployment(&slot)),
        InputKind::command(actor(), Command::Replace { slot: slot.clone(), version: VERSION }),
        InputKind::command(
            actor(),
            Command::SetParameters { slot: slot.clone(), parameters: BTreeMap::new() },
        ),
        InputKind::Checkpoint,
        InputKind::command(actor(), Command::Remove { slot }),
        InputKind::Timer,
    ]);
    inputs
}

fn actor() -> Actor {
    Actor::Person("a check".to_owned())
}

/// So much more, or less, of cash than the engine says.
fn adjustment(engine: &Engine, difference: Decimal) -> Adjustment {
    let books = engine.ledger().cash().0;
    Adjustment {
        asset: Asset::Cash,
        books,
        found: books.saturating_add(difference),
        price: None,
        slot: None,
        reason: "a check".to_owned(),
    }
}

fn halt(action: HaltAction) -> InputKind {
    InputKind::command(actor(), Command::Halt { reason: "a check".to_owned(), action })
}

/// One more instrument, and all else as it is, as the configuration alone may ask.
fn change(engine: &Engine) -> SettingsChange {
    let mut settings = engine.settings().changeable();
    settings.instruments.push(Instrument::new("NEW-USD", 2, 4));
    SettingsChange { settings, of: None }
}

fn order(slot: &str, instrument: InstrumentId) -> Command {
    Command::PlaceOrder(Box::new(ManualOrder {
        slot: slot.to_owned(),
        instrument,
        side: Side::Buy,
        amount: ManualAmount::Quantity(Quantity(Decimal::ONE)),
        pricing: Pricing::Market,
        exits: None,
    }))
}

fn deployment(slot: &str) -> Command {
    Command::Deploy(Deployment {
        slot: slot.to_owned(),
        version: VERSION,
        mode: StrategyMode::Live,
        weight: Decimal::new(5, 1),
        instruments: Vec::new(),
        parameters: BTreeMap::new(),
    })
}

fn bar(instrument: InstrumentId, open_time: Timestamp, price: f64) -> Bar {
    Bar {
        instrument,
        interval: Span::MINUTE,
        open_time,
        open: price,
        high: price * 1.01,
        low: price * 0.99,
        close: price,
        volume: 1_000.0,
    }
}
