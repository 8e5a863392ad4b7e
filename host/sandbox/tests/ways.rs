//! A plugin is called as a core module or by wasmtime's component layer, as its file says. Whichever it is, the
//! same strategy answers the same, and the same mistake has the same name.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

mod guest;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bulkhead_core::identifier::{ContentHash, InstrumentId, OrderTag, SignalId};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::market::{Bar, MarketTrade, Quote, Signal};
use bulkhead_core::order::Side;
use bulkhead_core::strategy::{
    CapitalUpdate, Description, Event, Fault, FillCause, FillEvent, History, InstanceConfig, OrderStatus,
    OrderUpdate, Parameter, ParameterValue, PositionUpdate, Strategy as _, StrategySource as _,
};
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_sandbox::{Grants, Limits, Sandbox, WasmStrategy};
use guest::{ACTION, ANSWER, Guest, component, config, sandbox};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

/// The same strategy in both forms.
struct Pair {
    sandbox: Sandbox,
    versions: [ContentHash; 2],
    description: Description,
}

impl Pair {
    fn new(module: &[u8]) -> Self {
        let sandbox = sandbox(Limits { orders_per_second: 1_000_000, ..Limits::default() });
        // Who does not ask for it does not notice.
        let model = include_bytes!("../../../plugins/ai/models/ai-ensemble.onnx");
        let grants = Grants::from([("ai-ensemble".to_owned(), sandbox.load_model(model).unwrap())]);
        let (direct, description) = sandbox.prepare_granted(module, &grants).unwrap();
        let (component, same) = sandbox.prepare_granted(&component(module), &grants).unwrap();
        assert_eq!(description, same);
        Self { sandbox, versions: [direct, component], description }
    }

    /// Does the same with both, and compares; gives what both gave.
    fn same<T>(&self, config: &InstanceConfig, mut act: impl FnMut(&mut WasmStrategy) -> T) -> String
    where
        T: std::fmt::Debug,
    {
        let [direct, component] = self.versions.each_ref().map(|version| {
            match self.sandbox.start(version, config) {
                Ok(mut strategy) => {
                    let did = act(&mut strategy);
                    let mut log = Vec::new();
                    strategy.drain_log(&mut log);
                    // `Debug` prints a number with all its digits, and NaN as NaN.
                    format!("{did:?} {log:?}")
                }
                Err(fault) => named(&fault),
            }
        });
        // Answers may be long: what is shown begins where they part.
        if direct != component {
            let same = direct.bytes().zip(component.bytes()).take_while(|(one, other)| one == other).count();
            let rest = |text: &str| text.chars().skip(same.saturating_sub(40)).take(200).collect::<String>();
            panic!("directly: {}\nas a component: {}", rest(&direct), rest(&component));
        }
        direct
    }
}

/// A fault without the function it happened in: a component has functions of its own.
fn named(fault: &Fault) -> String {
    let text = format!("{:?}", fault.kind);
    text.split(", in ").next().unwrap_or_default().trim_end_matches(['"', ')']).to_owned()
}

fn result<T>(result: Result<T, Fault>) -> Result<T, String> {
    result.map_err(|fault| named(&fault))
}

/// Hands over the events in batches of the given sizes until a fault.
fn answers(strategy: &mut WasmStrategy, events: &[Event], batches: &[usize]) -> Vec<String> {
    let mut told = Vec::new();
    let mut rest = events;
    for batch in batches.iter().cycle() {
        let mut actions = Vec::new();
        let Some(next) = rest.get(..(*batch).min(rest.len())).filter(|next| !next.is_empty()) else { break };
        let handled = result(strategy.on_events(next, &mut actions));
        told.push(format!("{handled:?} {actions:?}"));
        let Ok(handled) = handled else { break };
        rest = rest.get(handled..).unwrap_or_default();
    }
    told
}

/// Prices that strategies act on, and now and then a number that is none.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        40 => 50.0..150.0,
        1 => select(vec![0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, f64::MAX]),
    ]
}

/// Short texts, the empty one and such with characters of several bytes.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-zé€😀]{1,40}"]
}

fn instrument() -> impl Strategy<Value = InstrumentId> {
    select(vec![0, 0, 0, 1]).prop_map(InstrumentId)
}

fn bar() -> impl Strategy<Value = Event> {
    (
        instrument(),
        select(vec![60, 60, 60, 60, 60, 60, 60, 300, 0]),
        [number(), number(), number(), number(), number()],
    )
        .prop_map(|(instrument, seconds, [open, high, low, close, volume])| {
            Event::Bar(Bar {
                instrument,
                interval: Span::from_seconds(seconds),
                open_time: Timestamp::EPOCH,
                open,
                high,
                low,
                close,
                volume,
            })
        })
}

fn quote() -> impl Strategy<Value = Event> {
    (instrument(), [number(), number(), number(), number(), number()]).prop_map(
        |(instrument, [bid, ask, bid_size, ask_size, liquidity])| {
            let time = Timestamp::EPOCH;
            Event::Quote(Quote { instrument, time, bid, ask, bid_size, ask_size, liquidity })
        },
    )
}

fn of_the_market() -> impl Strategy<Value = Event> {
    let side = select(vec![Side::Buy, Side::Sell]);
    prop_oneof![
        10 => bar(),
        3 => quote(),
        1 => (instrument(), number(), number(), side).prop_map(|(instrument, price, quantity, taker)| {
            Event::Trade(MarketTrade { instrument, time: Timestamp::EPOCH, price, quantity, taker })
        }),
        1 => (instrument(), 0..3_u32, number()).prop_map(|(instrument, id, value)| {
            Event::Signal(Signal { instrument, id: SignalId(id), time: Timestamp::EPOCH, value })
        }),
        1 => Just(Event::Timer(Timestamp::EPOCH)),
    ]
}

fn of_the_account() -> impl Strategy<Value = Event> {
    let time = Timestamp::EPOCH;
    let tag = || (0..4_u32).prop_map(OrderTag);
    let cause = select(vec![
        FillCause::Order,
        FillCause::StopLoss,
        FillCause::Breakeven,
        FillCause::TrailingStop,
        FillCause::TakeProfit,
        FillCause::TimeStop,
        FillCause::Operator,
    ]);
    let status = select(vec![
        OrderStatus::Accepted,
        OrderStatus::PartiallyFilled,
        OrderStatus::Filled,
        OrderStatus::Denied,
        OrderStatus::Rejected,
        OrderStatus::Cancelled,
        OrderStatus::Expired,
    ]);
    prop_oneof![
        (tag(), instrument(), any::<bool>(), [number(), number(), number()], cause).prop_map(
            move |(tag, instrument, buy, [price, quantity, fee], cause)| {
                let side = if buy { Side::Buy } else { Side::Sell };
                Event::Fill(FillEvent { tag, instrument, time, side, price, quantity, fee, cause })
            }
        ),
        (tag(), instrument(), status, number(), text()).prop_map(
            move |(tag, instrument, status, filled, reason)| {
                Event::Order(OrderUpdate { tag, instrument, time, status, filled, reason })
            }
        ),
        (instrument(), [number(), number(), number()]).prop_map(
            move |(instrument, [quantity, average_price, realised])| {
                Event::Position(PositionUpdate { instrument, time, quantity, average_price, realised })
            }
        ),
        [number(), number()].prop_map(move |[equity, free_cash]| {
            Event::Capital(CapitalUpdate { time, equity, free_cash })
        }),
    ]
}

/// Moves a bar to where the price is, by up to 5 % from there; leaves what is no price.
fn walk(bar: &mut Bar, price: &mut f64) {
    if (50.0..150.0).contains(&bar.close) {
        bar.open = *price;
        *price *= 1.0 + (bar.close - 100.0) / 1_000.0;
        bar.close = *price;
        bar.high = bar.open.max(bar.close);
        bar.low = bar.open.min(bar.close);
    }
}

/// Events in the order of time, some of them with nanoseconds; the bars' prices go from one to the next.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![12 => of_the_market(), 1 => of_the_account()];
    vec((event, prop_oneof![4 => Just(60_000_000_000_i64), 1 => 0..90_000_000_000_i64]), 1..300).prop_map(
        |events| {
            let mut now = Timestamp::from_seconds(1_700_000_040);
            let mut prices = [100.0; 2];
            events
                .into_iter()
                .map(|(mut event, later)| {
                    now = now.plus(Span::from_nanos(later));
                    match &mut event {
                        Event::Bar(bar) => {
                            bar.open_time = now;
                            walk(bar, &mut prices[bar.instrument.0 as usize]);
                        }
                        Event::Quote(quote) => quote.time = now,
                        Event::Trade(trade) => trade.time = now,
                        Event::Signal(signal) => signal.time = now,
                        Event::Timer(time) => *time = now,
                        Event::Fill(fill) => fill.time = now,
                        Event::Order(update) => update.time = now,
                        Event::Position(update) => update.time = now,
                        Event::Capital(update) => update.time = now,
                    }
                    event
                })
                .collect()
        },
    )
}

fn history() -> impl Strategy<Value = History> {
    (instrument(), vec([number(), number(), number(), number(), number()], 0..60)).prop_map(
        |(instrument, bars)| {
            let column = |index: usize| bars.iter().map(|bar| bar[index]).collect();
            let time = |index: i64| Timestamp::from_seconds(1_690_000_000 + 60 * index);
            History {
                instrument,
                interval: Span::MINUTE,
                open_time: (0..).take(bars.len()).map(time).collect(),
                open: column(0),
                high: column(1),
                low: column(2),
                close: column(3),
                volume: column(4),
            }
        },
    )
}

/// A parameter's value: where its range lets it, a share of the way through that.
fn setting(parameter: &Parameter, share: f64) -> ParameterValue {
    let within = |default: f64| {
        let (low, high) = (parameter.minimum.unwrap_or(default), parameter.maximum.unwrap_or(default * 3.0));
        // Near the default: most of a large range makes strategies that never act.
        let high = high.min(default.abs().mul_add(3.0, low));
        (high - low).mul_add(share, low)
    };
    match &parameter.default {
        ParameterValue::Number(default) => ParameterValue::Number(within(*default)),
        #[expect(clippy::cast_possible_truncation, reason = "a parameter's range is of whole numbers")]
        ParameterValue::Integer(default) => {
            ParameterValue::Integer(within(f64::from(*default)).round() as i32)
        }
        ParameterValue::Flag(_) => ParameterValue::Flag(share > 0.5),
        ParameterValue::Text(default) => ParameterValue::Text(default.clone()),
    }
}

fn configured(description: &Description, shares: &[f64], history: Vec<History>) -> InstanceConfig {
    let set: BTreeMap<_, _> = description
        .parameters
        .iter()
        .zip(shares.iter().cycle())
        .filter(|(_, share)| **share > 0.5)
        .map(|(parameter, share)| (parameter.name.clone(), setting(parameter, *share)))
        .collect();
    InstanceConfig {
        instruments: vec![
            (InstrumentId(0), Instrument::new("BTC-USD", 2, 8)),
            (InstrumentId(1), Instrument::new("É", 0, 0)),
        ],
        settings: description.settings(&set).or_else(|_| description.settings(&BTreeMap::new())).unwrap(),
        signals: (0..)
            .zip(&description.needs.signals)
            .map(|(id, name)| (SignalId(id), name.clone()))
            .collect(),
        history,
    }
}

/// Reads a built plugin.
fn plugin(name: &str) -> Vec<u8> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins");
    let folder = std::env::var_os("BULKHEAD_PLUGINS").map_or_else(default, PathBuf::from);
    let path = folder.join(format!("{name}.wasm"));
    fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}. Build the plugins first: cargo xtask plugins", path.display())
    })
}

/// Whatever happens to them, under whatever settings, and when they go on from a saved state.
#[test]
fn shipped_strategies_do_the_same_both_ways() {
    for name in ["sma-crossover", "momentum", "scalping", "breakout"] {
        let pair = Pair::new(&plugin(name));
        let (acted, failed) = (Cell::new(0), Cell::new(0));
        let cases = (
            events(),
            vec(select(vec![1, 1, 1, 2, 32, 100]), 1..8),
            vec(0.0..1.0, 1..8),
            vec(history(), 0..3),
        );
        runs(100)
            .run(&cases, |(events, batches, shares, history)| {
                let config = configured(&pair.description, &shares, history);
                let (first, second) = events.split_at(events.len() / 2);
                let did = pair.same(&config, |strategy| {
                    let before = answers(strategy, first, &batches);
                    let state = result(strategy.save());
                    let after = answers(strategy, second, &batches);
                    (before, state, after, result(strategy.save()))
                });
                acted.set(acted.get() + u32::from(did.contains("Submit")));
                failed.set(failed.get() + u32::from(did.contains("Err(")));
                let restored = pair.same(&config, |strategy| {
                    answers(strategy, first, &batches);
                    strategy
                        .save()
                        .and_then(|state| {
                            let mut next = pair.sandbox.start(&pair.versions[0], &config)?;
                            next.restore(&state)?;
                            strategy.restore(&state)?;
                            Ok((answers(&mut next, second, &batches), strategy.save()?))
                        })
                        .map_err(|fault| named(&fault))
                });
                prop_assert!(!restored.is_empty());
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let (acted, failed) = (acted.get(), failed.get());
        println!("{name}: acted in {acted} of 100 runs, failed in {failed}");
        assert!(acted > 3, "{name} acted in {acted} runs only; this compares too little");
    }
}

/// It acts only after some hundred bars, and asks models, whose answers go through the guest's memory.
#[test]
fn the_ai_strategy_does_the_same_both_ways() {
    let pair = Pair::new(&plugin("ai"));
    let mut config = configured(&pair.description, &[0.0], Vec::new());
    // So that it trades on bars that mean nothing.
    for (name, value) in [("threshold", 0.5), ("disagreement", 0.0), ("exit_below", 0.45)] {
        let place = config.settings.iter().position(|(of, _)| of == name).unwrap();
        config.settings[place].1 = ParameterValue::Number(value);
    }
    let events: Vec<Event> = (0_u32..1_500)
        .map(|minute| {
            let step = f64::from(minute.wrapping_mul(2_654_435_761) >> 16) / 65_536.0 - 0.5;
            // Waves of some hours, which a model can tell from noise.
            let price = 100.0 * (1.0 + 0.03 * (f64::from(minute) / 35.0).sin() + 0.004 * step);
            Event::Bar(Bar {
                instrument: InstrumentId(0),
                interval: Span::MINUTE,
                open_time: Timestamp::from_seconds(60 * i64::from(minute)),
                open: price,
                high: price * 1.001,
                low: price * 0.999,
                close: price,
                volume: 10.0,
            })
        })
        .collect();
    let did =
        pair.same(&config, |strategy| (answers(strategy, &events, &[1, 7, 32]), result(strategy.save())));
    assert!(did.contains("Submit") && did.contains("pays: 0."), "it did not act");
}

/// Where a raw guest finds what it is to do: pointers to its answers to events, `save` and `describe`, a level, a
/// text's place and its length for the log.
const ORDERS: u32 = 192;
/// Where nothing is written, and zeros say that all went well.
const DONE: u32 = 64;

/// A guest that answers with whatever bytes it was given: those of a state, from [`ORDERS`] on.
fn raw(realloc: Option<&str>, post: &str) -> Guest {
    let guest = Guest::named("raw").import_log();
    let log = format!(
        "(if (i32.load offset=12 (i32.const {ORDERS})) (then (call $log
           (i32.load offset=16 (i32.const {ORDERS}))
           (i32.load offset=20 (i32.const {ORDERS}))
           (i32.load offset=24 (i32.const {ORDERS})))))"
    );
    let heap = "(global.set $heap (i32.const 16384))";
    let take = |pointer: &str, length: &str| {
        format!("(memory.copy (i32.const {ORDERS}) {pointer} {length}) {heap} (i32.const {DONE})")
    };
    Guest {
        // The first history's open times.
        init: format!(
            "(if (local.get 7) (then (drop (block (result i32) {}))))
             (i32.const {DONE})",
            take(
                "(i32.load offset=8 (local.get 6))",
                "(i32.shl (i32.load offset=12 (local.get 6)) (i32.const 2))"
            )
        ),
        restore: take("(local.get 1)", "(local.get 2)"),
        on_events: format!("{log} {heap} (i32.load (i32.const {ORDERS}))"),
        save: format!("(i32.load offset=4 (i32.const {ORDERS}))"),
        describe: format!(
            "(if (result i32) (i32.load offset=8 (i32.const {ORDERS}))
               (then (i32.load offset=8 (i32.const {ORDERS})))
               (else {}))",
            guest.describe
        ),
        realloc: realloc.map_or(guest.realloc.clone(), |first| format!("{first} {}", guest.realloc)),
        more: format!("(func (export \"cabi_post_{}#on-events\") (param i32) {post})", guest.interface),
        ..guest
    }
}

/// Bytes of a raw guest's memory from [`ORDERS`] on: a sound answer with three actions, in whose third
/// everything is set, and sound answers to `save` and `describe` in the same place.
fn sound() -> Vec<u8> {
    let mut image = vec![0; 4096];
    let mut word = |at: u32, value: u32| {
        let at = (at - ORDERS) as usize;
        image[at..at + 4].copy_from_slice(&value.to_le_bytes());
    };
    word(ORDERS, ANSWER);
    word(ORDERS + 4, ANSWER);
    // One event handled, three actions; as a saved state, three bytes; as a description, a short name.
    for (at, value) in [(4, 1), (8, ACTION), (12, 3)] {
        word(ANSWER + at, value);
    }
    // A purchase.
    for (at, value) in [(8, 1), (24, 1), (136, 2048), (140, 5)] {
        word(ACTION + at, value);
    }
    // A cancellation.
    for (at, value) in [(144, 1), (152, 7)] {
        word(ACTION + at, value);
    }
    // A purchase with every exit and two profits to take.
    let third = ACTION + 288;
    for (at, value) in [
        (8, 3),
        (16, 0),
        (24, 3),
        (40, 1),
        (56, 1),
        (64, 1),
        (80, 1),
        (96, 1),
        (112, 2048),
        (116, 2),
        (120, 1),
        (124, 60),
        (136, 2048),
        (140, 9),
    ] {
        word(third + at, value);
    }
    image
}

/// A word that finds the weak spots: discriminants, lengths, pointers to the edges of the guest's memory.
fn word() -> impl Strategy<Value = u32> {
    let end = 8 * 65_536;
    prop_oneof![
        select(vec![0, 1, 2, 3, 4, 7, 8, 255, 256, 1 << 16, 1 << 31, u32::MAX, u32::MAX - 7]),
        select(vec![end - 17, end - 16, end - 8, end - 4, end - 1, end, end + 1]),
        0..5_000_u32,
        any::<u32>(),
    ]
}

/// An image with some of its words, or bytes of them, put out of order.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    // Mostly where the answer and its actions are.
    let at = prop_oneof![
        (ANSWER..ANSWER + 16).boxed(),
        (ACTION..ACTION + 432).boxed(),
        (ACTION..ACTION + 432).boxed(),
        (ORDERS..ORDERS + 8).boxed(),
        (ORDERS..4_000_u32).boxed(),
    ];
    (vec((at, word(), any::<bool>()), 0..5), any::<bool>()).prop_map(|(damage, aligned)| {
        let mut image = sound();
        for (at, value, single) in damage {
            let at = if aligned { at & !3 } else { at };
            let bytes = value.to_le_bytes();
            let bytes = if single { &bytes[..1] } else { &bytes };
            let at = (at - ORDERS) as usize;
            image[at..at + bytes.len()].copy_from_slice(bytes);
        }
        image
    })
}

/// The same cases every time.
fn runs(cases: u32) -> TestRunner {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

fn state(bytes: Vec<u8>) -> bulkhead_core::strategy::SavedState {
    bulkhead_core::strategy::SavedState { schema: 1, bytes }
}

/// Each bad answer is the same fault, or harmless in the same way.
#[test]
fn garbage_is_judged_the_same_both_ways() {
    let pair = Pair::new(&raw(None, "").module());
    let seen = RefCell::new(BTreeMap::<String, u32>::new());
    runs(4_000)
        .run(&damaged(), |image| {
            let did = pair.same(&config(), |strategy| {
                strategy.restore(&state(image.clone())).unwrap();
                let answer = answers(strategy, &[guest::bar(0)], &[1]);
                (answer, result(strategy.save()))
            });
            // Only the kinds of ends are counted.
            for end in [
                "Ok(1)",
                "not aligned",
                "list pointer/length out of bounds",
                "string pointer/length out of bounds",
                "pointer out of bounds of memory",
                "unexpected discriminant",
                "invalid option discriminant",
                "invalid expected discriminant",
                "invalid utf-8",
                "Flood",
                "handled",
            ] {
                *seen.borrow_mut().entry(end.to_owned()).or_default() += u32::from(did.contains(end));
            }
            Ok(())
        })
        .unwrap();
    let seen = seen.into_inner();
    println!("{seen:?}");
    assert!(seen.values().all(|count| *count > 0), "some end was never reached: {seen:?}");
}

/// So are descriptions.
#[test]
fn garbage_descriptions_are_judged_the_same_both_ways() {
    let pair = Pair::new(&raw(None, "").module());
    // Where a sound description lies, in the guest's data.
    let described = 512_u32;
    let damage = vec((0..52_u32, word(), any::<bool>()), 0..3);
    runs(500)
        .run(&damage, |damage| {
            let mut image = vec![0; 400];
            image[8..12].copy_from_slice(&described.to_le_bytes());
            let sound = [4096, 3, 4196, 5, 1, 0, 0, 4216, 1, 0, 0, 0, 0, 0_u32];
            let at = (described - ORDERS) as usize;
            for (index, value) in sound.iter().enumerate() {
                image[at + 4 * index..at + 4 * index + 4].copy_from_slice(&value.to_le_bytes());
            }
            for (offset, value, single) in damage {
                let bytes = value.to_le_bytes();
                let bytes = if single { &bytes[..1] } else { &bytes };
                let at = at + offset as usize;
                image[at..at + bytes.len()].copy_from_slice(bytes);
            }
            let open_time = image
                .chunks_exact(4)
                .map(|word| i64::from(u32::from_le_bytes([word[0], word[1], word[2], word[3]])))
                .map(Timestamp::from_seconds)
                .collect();
            let config =
                InstanceConfig { history: vec![History { open_time, ..History::default() }], ..config() };
            let [direct, component] =
                pair.versions.each_ref().map(|version| result(pair.sandbox.needs(version, &config)));
            prop_assert_eq!(direct, component);
            Ok(())
        })
        .unwrap();
}

/// And log lines, whose level, place and length are a guest's words.
#[test]
fn garbage_log_lines_are_judged_the_same_both_ways() {
    let pair = Pair::new(&raw(None, "").module());
    let written = Cell::new(0);
    runs(500)
        .run(&(prop_oneof![0..6_u32, word()], word(), word()), |(level, pointer, length)| {
            let mut image = sound();
            for (at, value) in [(12, 1), (16, level), (20, pointer), (24, length)] {
                image[at..at + 4].copy_from_slice(&value.to_le_bytes());
            }
            let did = pair.same(&config(), |strategy| {
                strategy.restore(&state(image.clone())).unwrap();
                answers(strategy, &[guest::bar(0)], &[1])
            });
            written.set(written.get() + u32::from(did.contains("LogLine")));
            Ok(())
        })
        .unwrap();
    assert!(written.get() > 20, "{written:?} lines");
}

/// While it allocates for the host or frees an answer, a guest may not call out.
#[test]
fn a_guest_may_not_log_at_every_time() {
    let log = format!("(call $log (i32.const 0) (i32.const {}) (i32.const 5))", guest::LINE.0);
    for guest in [raw(Some(&log), ""), raw(None, &log)] {
        let pair = Pair::new(&guest.module());
        let did = pair.same(&config(), |strategy| {
            let restored = result(strategy.restore(&state(sound())));
            (restored, answers(strategy, &[guest::bar(0)], &[1]))
        });
        assert!(did.contains("cannot leave component instance"), "{did}");
    }
}

/// A post-return that traps is the call's fault, and is paid for with its fuel.
#[test]
fn freeing_an_answer_is_part_of_the_call() {
    for (post, why) in [("(unreachable)", "unreachable"), ("(loop $l (br $l))", "OutOfFuel")] {
        let pair = Pair::new(&raw(None, post).module());
        let did = pair.same(&config(), |strategy| {
            strategy.restore(&state(sound())).unwrap();
            answers(strategy, &[guest::bar(0)], &[1])
        });
        assert!(did.contains(why), "{did}");
    }
}

/// A module that does something when it is instantiated goes by way of a component, and does the same.
#[test]
fn a_module_with_a_start_function_runs() {
    let steady = Guest::steady();
    let events = guest::bars(40);
    let run = |guest: &Guest| {
        let pair = Pair::new(&guest.module());
        pair.same(&config(), |strategy| answers(strategy, &events, &[1]))
    };
    let started = Guest { more: "(func $nothing) (start $nothing)".to_owned(), ..steady.clone() };
    assert_eq!(run(&started), run(&steady));
}
