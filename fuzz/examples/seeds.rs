//! Writes the seeds: what a fuzzer starts from, taken from the real encoders. `cargo run -p bulkhead-fuzz
//! --example seeds` after a change of a format; files under other names, which the fuzzers found, are left alone.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for developers")]

use std::collections::BTreeMap;
use std::path::Path;

use bulkhead_configuration::Layers;
use bulkhead_core::engine::{Engine, EngineSettings};
use bulkhead_core::identifier::{InstrumentId, OrderId, SignalId};
use bulkhead_core::input::{
    Actor, Command, Deployment, HaltAction, Input, InputKind, ManualAmount, ManualOrder, SettingsChange,
    StrategyMode,
};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::market::{Bar, MarketTrade, Quote, Signal};
use bulkhead_core::money::{Money, Price};
use bulkhead_core::order::{Pricing, Side};
use bulkhead_core::reconciliation::{Adjustment, Asset};
use bulkhead_core::strategy::ExitPlan;
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_core::venue::Execution;
use bulkhead_fuzz::strategy::{Source, VERSION};
use bulkhead_sequencer::snapshot::ShardSnapshot;
use bulkhead_store::journal::{ENCODING, NumberedOutput, Opening, Sequence, encode, encode_market};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;

fn main() {
    journal_payloads();
    snapshots();
    outside_snapshot();
    files();
    configurations();
    transactions();
    wallet_trades();
}

fn write(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), bytes).unwrap();
    println!("{target}/{name}: {} bytes", bytes.len());
}

/// A transaction that does what was asked for, and some that don't.
fn transactions() {
    let honest = bulkhead_fuzz::solana_transaction::honest();
    write("solana_transaction", "honest", &honest);
    write("solana_transaction", "cut-off", &honest[..honest.len() / 2]);
    write("solana_transaction", "longer", &[&honest[..], &[0]].concat());
    let mut signers = honest.clone();
    // Behind the signature and the version.
    signers[66] = 2;
    write("solana_transaction", "two-signers", &signers);
}

/// A swap that makes a pool, one that failed, one without owners, and half of one.
fn wallet_trades() {
    let swap = bulkhead_fuzz::wallet_trade::swap();
    let write_value = |name: &str, value: &Value| write("wallet_trade", name, value.to_string().as_bytes());
    write_value("swap", &swap);
    let mut failed = swap.clone();
    failed["meta"]["err"] = "AccountNotFound".into();
    write_value("failed", &failed);
    let mut without_owners = swap.clone();
    without_owners["meta"]["postTokenBalances"][0]["owner"] = Value::Null;
    write_value("without-owners", &without_owners);
    let text = swap.to_string();
    write("wallet_trade", "cut-off", &text.as_bytes()[..text.len() / 2]);
}

/// A payload that is not compressed yet, after the bytes that say what it is.
fn plain(first: &[u8], content: &impl Serialize) -> Vec<u8> {
    [first, &[0], &postcard::to_allocvec(content).unwrap()].concat()
}

/// A payload as it is in the database.
fn compressed(first: &[u8], content: &impl Serialize) -> Vec<u8> {
    [first, &[u8::try_from(ENCODING).unwrap()], &encode(content).unwrap()].concat()
}

fn settings() -> EngineSettings {
    let instruments = vec![Instrument::new("A-USD", 2, 4), Instrument::new("B-USD", 2, 4)];
    let mut settings = EngineSettings::new(instruments, Money(Decimal::from(10_000)));
    settings.signals = vec!["mood".to_owned()];
    settings.risk.cooldown = None;
    // A snapshot is to stay small.
    settings.history_bars = 3;
    settings
}

fn actor() -> Actor {
    Actor::Person("seeds".to_owned())
}

fn deploy(slot: &str, mode: StrategyMode) -> InputKind {
    InputKind::command(
        actor(),
        Command::Deploy(Deployment {
            slot: slot.to_owned(),
            version: VERSION,
            mode,
            weight: Decimal::new(5, 1),
            instruments: Vec::new(),
            parameters: BTreeMap::new(),
        }),
    )
}

fn order(side: Side, amount: ManualAmount) -> Command {
    Command::PlaceOrder(Box::new(ManualOrder {
        slot: "first".to_owned(),
        instrument: InstrumentId(0),
        side,
        amount,
        pricing: Pricing::Market,
        exits: None,
    }))
}

/// Two strategies, then bars of both instruments and what else there is.
fn inputs() -> Vec<Input> {
    let mut inputs: Vec<Input> = [
        deploy("first", StrategyMode::Live),
        deploy("shadow", StrategyMode::Shadow),
        InputKind::command(
            actor(),
            Command::SetWeights(BTreeMap::from([("first".to_owned(), Decimal::ONE)])),
        ),
    ]
    .into_iter()
    .map(|kind| Input { time: Timestamp::EPOCH, kind })
    .collect();
    for minute in 1..=12_i32 {
        let open_time = Timestamp::from_seconds(60 * i64::from(minute));
        for instrument in [InstrumentId(0), InstrumentId(1)] {
            let price = 100.0 + 3.0 * f64::from(minute % 5);
            let bar = Bar {
                instrument,
                interval: Span::MINUTE,
                open_time,
                open: price,
                high: price + 2.0,
                low: price - 2.0,
                close: price + 1.0,
                volume: 1_000.0,
            };
            inputs.push(Input { time: bar.close_time(), kind: InputKind::Bar(bar) });
        }
    }
    let (instrument, time) = (InstrumentId(0), Timestamp::from_seconds(60 * 14));
    let quote =
        Quote { instrument, time, bid: 100.0, ask: 100.5, bid_size: 1.0, ask_size: 1.0, liquidity: 1e6 };
    let trade = MarketTrade { instrument, time, price: 100.25, quantity: 2.0, taker: Side::Sell };
    let slot = || "first".to_owned();
    inputs.extend(
        [
            InputKind::Quote(quote),
            InputKind::Trade(trade),
            InputKind::Signal(Signal { instrument, id: SignalId(0), time, value: 0.5 }),
            InputKind::Timer,
            InputKind::command(
                actor(),
                Command::Halt { reason: "a look".to_owned(), action: HaltAction::Flatten },
            ),
            InputKind::command(actor(), Command::Resume {}),
            InputKind::command(
                actor(),
                Command::ChangeSettings(Box::new(SettingsChange {
                    settings: settings().changeable(),
                    of: None,
                })),
            ),
            InputKind::command(
                actor(),
                order(Side::Buy, ManualAmount::Notional(Money(Decimal::ONE_HUNDRED))),
            ),
            InputKind::command(actor(), order(Side::Sell, ManualAmount::All)),
            InputKind::command(actor(), Command::CancelOrder { order: OrderId(1) }),
            InputKind::command(
                actor(),
                Command::ChangeExits { slot: slot(), instrument, plan: ExitPlan::default() },
            ),
            InputKind::command(actor(), Command::SetParameters { slot: slot(), parameters: BTreeMap::new() }),
            InputKind::command(actor(), Command::Replace { slot: slot(), version: VERSION }),
            InputKind::command(actor(), Command::Close { slot: slot(), instrument }),
            InputKind::command(actor(), Command::SetMode { slot: slot(), mode: StrategyMode::Off }),
            InputKind::command(actor(), Command::Release { slot: slot() }),
            InputKind::command(actor(), Command::Remove { slot: slot() }),
            InputKind::Checkpoint,
        ]
        .map(|kind| Input { time, kind }),
    );
    inputs.extend(differences(time));
    inputs
}

/// What people do about differences between the books and what is outside. On paper there are none.
fn differences(time: Timestamp) -> Vec<Input> {
    let adjustment = |asset, books: i64, found: i64| {
        Box::new(Adjustment {
            asset,
            books: Decimal::from(books),
            found: Decimal::from(found),
            price: Some(Price(Decimal::ONE_HUNDRED)),
            slot: Some("first".to_owned()),
            reason: "a look".to_owned(),
        })
    };
    let subject = || "balance:USD".to_owned();
    let reason = || "it is fine".to_owned();
    [
        Command::Adopt(adjustment(Asset::Cash, 10_000, 9_000)),
        Command::Adopt(adjustment(Asset::Position(InstrumentId(0)), 0, 3)),
        Command::WriteOff(adjustment(Asset::Position(InstrumentId(0)), 3, 2)),
        Command::Ignore { subject: subject(), difference: Decimal::TEN, reason: reason() },
        Command::StopIgnoring { subject: subject(), reason: reason() },
        Command::Ignore { subject: subject(), difference: Decimal::ONE, reason: reason() },
    ]
    .map(|command| Input { time, kind: InputKind::command(actor(), command) })
    .into()
}

fn journal_payloads() {
    let inputs = inputs();
    let (commands, rest) = inputs.split_at(3);
    let (bars, others) = rest.split_at(24);
    write("journal_payload", "inputs-commands", &plain(&[0], &commands));
    write("journal_payload", "inputs-bars", &plain(&[0], &[commands, &bars[..6]].concat()));
    write("journal_payload", "inputs-others", &plain(&[0], &[&commands[..1], others].concat()));
    write("journal_payload", "inputs-compressed", &compressed(&[0], &bars[..4].to_vec()));

    let market: Vec<Input> = rest
        .iter()
        .filter(|input| !matches!(input.kind, InputKind::Command(_) | InputKind::Venue(_)))
        .cloned()
        .collect();
    let columns = encode_market(&market).unwrap();
    let unpacked = zstd::bulk::decompress(&columns, 1 << 20).unwrap();
    write("journal_payload", "market", &[&[3, 0], unpacked.as_slice()].concat());
    write("journal_payload", "market-compressed", &[&[3, 1], columns.as_slice()].concat());

    let mut engine = Engine::new(settings(), Box::new(Source)).unwrap();
    let mut outputs = Vec::new();
    for (sequence, input) in (1..).map(Sequence).zip(&inputs) {
        let mut these = Vec::new();
        engine.step(input, &mut these);
        outputs.extend(these.into_iter().map(|output| NumberedOutput { sequence, output }));
    }
    let mut outside = Engine::new(settings(), Box::new(Source)).unwrap().executing(Execution::Outside);
    for input in commands.iter().chain(&differences(Timestamp::EPOCH)) {
        let mut these = Vec::new();
        outside.step(input, &mut these);
        let sequence = Sequence(1);
        outputs.extend(these.into_iter().map(|output| NumberedOutput { sequence, output }));
    }
    // One of each kind is enough, as far as the text of their kind tells.
    let kind =
        |output: &NumberedOutput| format!("{:?}", output.output).split(['(', ' ']).next().map(str::to_owned);
    let mut kinds = std::collections::BTreeSet::new();
    outputs.retain(|output| kinds.insert(kind(output)));
    write("journal_payload", "outputs", &plain(&[1], &outputs));
    write("journal_payload", "outputs-compressed", &compressed(&[1], &outputs));

    let opening = Opening {
        settings: settings(),
        feed: "csv".to_owned(),
        made_by: "seeds".to_owned(),
        execution: Execution::Paper,
    };
    write("journal_payload", "opening", &plain(&[2], &opening));
    write("journal_payload", "opening-compressed", &compressed(&[2], &opening));
}

fn snapshots() {
    let inputs = inputs();
    for (name, steps) in [
        ("fresh", 0),
        ("deployed", 3),
        ("first-bars", 5),
        ("orders", 8),
        ("positions", 14),
        ("many-bars", 27),
        ("failed", 29),
        ("by-hand", 40),
        ("closed", 41),
        ("removed", inputs.len()),
    ] {
        let mut engine = Engine::new(settings(), Box::new(Source)).unwrap();
        let mut outputs = Vec::new();
        let checkpoint = Input { time: Timestamp::EPOCH, kind: InputKind::Checkpoint };
        for input in inputs.iter().take(steps).chain([&checkpoint]) {
            engine.step(&Input { time: input.time.max(engine.now()), ..input.clone() }, &mut outputs);
        }
        let snapshot = ShardSnapshot { engine: engine.snapshot(), feed_inputs: steps as u64 };
        write("snapshot", name, &plain(&[], &snapshot));
        if name == "positions" {
            write("snapshot", "positions-compressed", &compressed(&[], &snapshot));
        }
        if name == "fresh" {
            // It ends with empty lists of slots to be told something and of configured ones, and the number of
            // inputs.
            let mut bytes = plain(&[], &snapshot);
            bytes.truncate(bytes.len() - 3);
            bytes.extend([1, 99, 0, 0]);
            write("snapshot", "slot-that-is-not-there", &bytes);
        }
    }
}

fn outside_snapshot() {
    let mut engine = Engine::new(settings(), Box::new(Source)).unwrap().executing(Execution::Outside);
    let mut outputs = Vec::new();
    let time = Timestamp::EPOCH;
    let checkpoint = Input { time, kind: InputKind::Checkpoint };
    for input in inputs().iter().take(3).chain(&differences(time)).chain([&checkpoint]) {
        engine.step(input, &mut outputs);
    }
    let snapshot = ShardSnapshot { engine: engine.snapshot(), feed_inputs: 0 };
    write("snapshot", "outside", &plain(&[], &snapshot));
}

fn files() {
    for (name, text) in [
        (
            "header",
            "0timestamp,open,high,low,close,volume\n2022-01-01 00:00:00,1,2,0.5,1.5,10\n2022-01-01 00:01:00,1.5,1.5,1.25,1.25,0\n",
        ),
        (
            "bom-semicolons",
            "0\u{feff}Open Time;Open;High;Low;Close;Volume\r\n2022-01-01T00:00:00Z;1;2;0.5;1.5;10\r\n\r\n2022-01-01T00:01:00Z;1.5;1.5;1.25;1.25;0",
        ),
        ("tabs-seconds", "01640995200\t1\t2\t0.5\t1.5\t10\n1640995260\t1.5\t1.5\t1.25\t1.25\t0\n"),
        ("milliseconds", "01640995200000,1,2,0.5,1.5\n1640995260000,1.5,1.5,1.25,1.25\n"),
        ("nanoseconds", "01640995200000000000,1,2,0.5,1.5\n1640995260000000000,1.5,1.5,1.25,1.25\n"),
        ("fractions", "01640995200.5,1,2,0.5,1.5\n1640995260.500000001,1.5,1.5,1.25,1.25\n"),
        (
            "quoted-other-columns",
            "0unix,date,symbol,open,high,low,close,Volume BTC,Volume USD\n1640995200,\"a,\"\"b\",X,1,2,0.5,1.5,10,11\n1640995260,b,X,1.5,1.5,1.25,1.25,0,0\n",
        ),
        (
            "offsets",
            "12022-01-01T00:00:00+01:00,1,2,0.5,1.5,10\n2022-01-01T01:01:00.25+02:00,1,2,0.5,1.5,10\n2022-01-01,1,2,1,1,1\n",
        ),
        (
            "bad-rows",
            "3t,o,h,l,c,v\n0,1,1,1,1,1\n60,1,0.5,2,1,1\n60,1,1,1,1,1\n180,-1,1,1,1,1\n240,1,9,1,9,1\n300,1,1,2,1,-1\n360,NaN,1,1,1,\n30,1,1,1,1,1\n420,1,1\n4200,1,1,1,1,1\n",
        ),
        ("exponents", "4t,o,h,l,c,v\n0,1e0,1.5E+1,1e-1,12345678901234567890.5,1e-320\n60,1,2,0.5,1.5,\n"),
        ("ends-of-time", "5-9223372036,1,2,0.5,1.5,10\n0,1,2,0.5,1.5,10\n9223372036,1,2,0.5,1.5,10\n"),
        ("backwards", "1120,1,2,0.5,1.5,10\n60,1,2,0.5,1.5,10\n0,1,2,0.5,1.5,10\n"),
    ] {
        write("csv", name, text.as_bytes());
    }
}

/// Configurations as people write them, and each section as the host prints it.
fn configurations() {
    let configuration = Layers::defaults().read().unwrap();
    let whole = toml::Table::try_from(configuration).unwrap();
    for (section, value) in &whole {
        if value.is_table() {
            let table = toml::Table::from_iter([(section.clone(), value.clone())]);
            let text = toml::to_string_pretty(&table).unwrap();
            write("configuration", &format!("section-{section}"), text.as_bytes());
        }
    }
    for (name, text) in [
        ("empty", ""),
        ("top", "mode = \"paper\"\ncash = \"10000\"\nspeed = \"max\"\nstorage = \"x\"\n"),
        (
            "slots",
            "[slots.x]\nmode = \"live\"\nweight = 0.5\ninstruments = [\"A-USD\"]\nparameters = {a = 1, b = 0.5, c = true, d = \"x\"}\n",
        ),
        (
            "instruments",
            "[instruments.A-USD]\ntick = 0.01\nlot = \"0.001\"\nmin_notional = 10\ncluster = \"majors\"\n[risk]\nallowed_symbols = [\"A-USD\"]\n",
        ),
        (
            "exits",
            "[risk.exits]\nstop_loss = 0.1\ntrailing = \"off\"\nmax_holding = \"3d\"\ntake_profits = [{gain = 0.1, share = 0.5}, {gain = 0.3, share = 1.0}]\n",
        ),
        (
            "journal",
            "[journal]\ndatabase = \"sqlite:x.db\"\ndurability = \"normal\"\nkeep_market = \"30d\"\n",
        ),
        (
            "accounts",
            "[accounts.a]\ncash = 5000\n[accounts.a.slots.x]\nmode = \"live\"\nweight = 1\n[accounts.b.risk]\nmax_order = 0.2\n",
        ),
        (
            "flags",
            "risk.max_order=0.2\nrisk.cooldown=off\nBULKHEAD__CASH=77\nBULKHEAD__RISK__BREAKERS__LOSSES=\"3\"\nfeed.files=[\"A-USD=x.csv\"]\n---\n[risk]\nmax_order = 0.1\n",
        ),
        (
            "problems",
            "no such flag\n=1\n.=2\na..b=\"\n---\nspeeed = 1\ncash = \"lots\"\n[risk]\nmax_order = \"half\"\n[paper]\nlatency = 5\n",
        ),
    ] {
        write("configuration", name, text.as_bytes());
    }
}
