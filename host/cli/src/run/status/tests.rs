//! The screen as people see it, drawn from made-up snapshots. The expected screens are in `screens/`.

use std::time::{Duration, Instant};

use bulkhead_core::identifier::{InstrumentId, OrderId, OrderTag, StrategyId};
use bulkhead_core::money::{Money, Price, Quantity};
use bulkhead_core::order::{Fill, Side};
use bulkhead_core::output::{ClosedTrade, Output, RefusedProposal};
use bulkhead_core::risk::{Refusal, RefusalCode};
use bulkhead_core::strategy::FillCause;
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_feeds::pacer::Speed;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;
use rust_decimal::Decimal;
use tracing::Level;

use super::activity::Activity;
use super::drawing::{Palette, draw};
use super::snapshot::{PositionRow, RefusalRow, Snapshot, StrategyRow, Tone, TradeRow};
use super::{CURVE_POINTS, Curve, Place};
use crate::log_lines::LogLine;

const NOW: Timestamp = Timestamp::from_seconds(1_709_294_580);

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn strategy(name: &str, status: &'static str, tone: Tone, capital: &str, faults: u64) -> StrategyRow {
    StrategyRow {
        name: name.to_owned(),
        version: "0.1.0".to_owned(),
        mode: "live",
        status,
        tone,
        weight: decimal("0.25"),
        capital: decimal(capital),
        funded: decimal("2500"),
        fills: 1_204,
        faults,
        refusals: 31,
    }
}

fn position(strategy: &str, symbol: &str, last: Option<&str>, pnl: Option<&str>) -> PositionRow {
    PositionRow {
        strategy: strategy.to_owned(),
        symbol: symbol.to_owned(),
        quantity: decimal("0.02513"),
        price_places: 2,
        entry: decimal("42150.10333333"),
        last: last.map(decimal),
        stop: Some(decimal("39999.5")),
        cost: decimal("1059.23"),
        pnl: pnl.map(decimal),
    }
}

fn trade(seconds_ago: i64, price: Option<&str>, what: &'static str, pnl: Option<&str>) -> TradeRow {
    TradeRow {
        time: NOW.minus(Span::from_seconds(seconds_ago)),
        strategy: "momentum".to_owned(),
        symbol: "BTC-USD".to_owned(),
        side: "sell",
        quantity: decimal("0.02513"),
        price_places: 2,
        price: price.map(decimal),
        what,
        reason: if price.is_none() { "the transaction failed".to_owned() } else { String::new() },
        pnl: pnl.map(decimal),
    }
}

fn refusal(times: u64) -> RefusalRow {
    RefusalRow {
        time: NOW,
        strategy: "momentum".to_owned(),
        symbol: "BTC-USD".to_owned(),
        side: "buy",
        code: "COOLDOWN_ACTIVE",
        facts: "left=21m cooldown=1h".to_owned(),
        times,
    }
}

fn snapshot() -> Snapshot {
    let started = Instant::now();
    let line =
        |seconds: u64, level, text: &str| (Duration::from_secs(seconds), LogLine::new(started, level, text));
    Snapshot {
        place: None,
        time: NOW,
        speed: Speed::Times(600.0),
        bars: 12_345,
        bars_per_second: 40.3,
        equity: decimal("10123.456"),
        started_with: decimal("10000"),
        exposure: 0.421,
        halted: None,
        curve: (0_u8..200).map(|point| 10_000.0 + f64::from(point) + f64::from(point % 40) * 4.0).collect(),
        strategies: vec![
            strategy("breakout", "running", Tone::Normal, "2546.84", 0),
            strategy("momentum", "restarting", Tone::Warning, "2499.99", 2),
            strategy("scalping", "quarantined", Tone::Bad, "2380.11", 5),
            strategy("sma-crossover", "removed", Tone::Quiet, "2500", 0),
        ],
        positions: vec![
            position("breakout", "BTC-USD", Some("43000"), Some("21.36")),
            position("momentum", "NEW-USD", None, None),
        ],
        most_positions: 3,
        trades: vec![
            trade(0, Some("43000.1"), "order", Some("21.36")),
            trade(60, Some("40000"), "stop-loss", Some("-1054.02")),
            trade(61, None, "rejected", None),
        ],
        refusals: vec![refusal(12), refusal(1)],
        lines: vec![
            line(75, Level::INFO, "momentum: strategy says: hello"),
            line(74, Level::INFO, "momentum: strategy says: hi"),
            line(61, Level::ERROR, "plugin refused · file strategies/bad.wasm · reason it imports wasi:cli"),
            line(1, Level::INFO, "breakout: strategy started · version 9421db13b2b3"),
        ],
        directory: "strategies".to_owned(),
    }
}

fn drawn(snapshot: &Snapshot, width: u16, height: u16, colour: bool) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, snapshot, Palette { colour })).unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let rows = buffer.content.chunks(usize::from(buffer.area.width));
    let lines = rows.map(|row| {
        let mut line = String::new();
        let mut column = 0;
        // A wide character has the cell after its own too.
        while let Some(cell) = row.get(column) {
            line.push_str(cell.symbol());
            column += ratatui::text::Span::raw(cell.symbol()).width().max(1);
        }
        line.trim_end().to_owned() + "\n"
    });
    lines.collect()
}

#[track_caller]
fn assert_screen(snapshot: &Snapshot, width: u16, height: u16, expected: &str) {
    let found = text(&drawn(snapshot, width, height, true));
    assert!(found == expected, "the screen is now:\n{found}");
}

#[test]
fn a_usual_terminal_shows_everything_once() {
    assert_screen(&snapshot(), 80, 24, include_str!("screens/80x24.txt"));
}

#[test]
fn a_large_terminal_shows_more() {
    assert_screen(&snapshot(), 120, 40, include_str!("screens/120x40.txt"));
}

#[test]
fn without_strategies_the_screen_says_what_to_do() {
    let nothing = Snapshot {
        time: Timestamp::EPOCH,
        speed: Speed::Max,
        bars: 0,
        bars_per_second: 0.0,
        equity: decimal("10000"),
        exposure: -0.0,
        curve: Vec::new(),
        strategies: Vec::new(),
        positions: Vec::new(),
        most_positions: 0,
        trades: Vec::new(),
        refusals: Vec::new(),
        lines: Vec::new(),
        ..snapshot()
    };
    assert_screen(&nothing, 80, 24, include_str!("screens/80x24-empty.txt"));
}

#[test]
fn one_of_several_accounts_is_named() {
    let place = Place { account: "savings".to_owned(), number: 1, of: 3 };
    let screen = text(&drawn(&Snapshot { place: Some(place), ..snapshot() }, 120, 24, true));
    let first = screen.lines().next().unwrap();
    assert!(first.contains("savings 2 of 3") && first.contains("Tab next"), "{first}");
}

#[test]
fn long_names_and_many_rows_keep_their_place() {
    let mut crowded = snapshot();
    crowded.halted =
        Some("the account fell 25.3% from its highest equity; release it with `halt off`".to_owned());
    for row in &mut crowded.strategies {
        row.name = format!("{}-with-a-name-that-goes-on-for-ever", row.name);
        row.capital *= Decimal::from(1_000_000);
        row.version = "10.20.30-beta.4".to_owned();
    }
    crowded.strategies[1].name = "策略".repeat(8);
    crowded.strategies.extend((0..9).map(|_| strategy("another", "running", Tone::Normal, "2500", 0)));
    for row in &mut crowded.positions {
        row.symbol = "A-VERY-LONG-SYMBOL-USD".to_owned();
        row.quantity = decimal("123456789.123456789");
    }
    assert_screen(&crowded, 80, 24, include_str!("screens/80x24-crowded.txt"));
}

#[test]
fn every_size_can_be_drawn() {
    for (width, height) in (0..130).step_by(7).flat_map(|width| (0..45).map(move |height| (width, height))) {
        drawn(&snapshot(), width, height, true);
    }
}

#[test]
fn colours_mean_something_and_can_be_turned_off() {
    let screen = drawn(&snapshot(), 120, 40, true);
    let colour_of = |found: &str| {
        let place = (0..screen.area.height).find_map(|y| {
            let row: Vec<&str> = (0..120).map(|x| screen[(x, y)].symbol()).collect();
            let line = row.concat();
            line.find(found).map(|start| (u16::try_from(line[..start].chars().count()).unwrap(), y))
        });
        screen[place.unwrap()].fg
    };
    assert_eq!(colour_of("+46.84"), Color::Green);
    assert_eq!(colour_of("-1,054.02"), Color::Red);
    assert_eq!(colour_of("restarting"), Color::Yellow);
    assert_eq!(colour_of("quarantined"), Color::Red);
    assert_eq!(colour_of("plugin refused"), Color::Red);
    assert_eq!(colour_of("breakout"), Color::Reset);

    let plain = drawn(&snapshot(), 120, 40, false);
    assert!(plain.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    assert_eq!(text(&plain), text(&screen));
}

#[test]
fn the_curve_spans_the_whole_run_however_long_it_is() {
    let mut curve = Curve::default();
    for point in 0..100_000_u32 {
        curve.add(f64::from(point));
    }
    assert!((CURVE_POINTS / 2..=CURVE_POINTS).contains(&curve.points.len()));
    assert!(curve.points[0] < 1.0 && curve.points[curve.points.len() - 1] > 99_000.0);
    let distances: Vec<f64> = curve.points.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (first, last) = (distances[0], distances[distances.len() - 1]);
    assert!((first - last).abs() < 0.5, "{first} {last}");
}

#[test]
fn sales_carry_what_they_earned_and_refusals_of_a_kind_share_a_line() {
    let (strategy, instrument) = (StrategyId(0), InstrumentId(0));
    let fill = |side| Fill {
        order: OrderId(1),
        strategy,
        tag: OrderTag(1),
        instrument,
        side,
        quantity: Quantity(Decimal::ONE),
        price: Price(Decimal::TEN),
        fee: Money::ZERO,
        time: NOW,
        cause: FillCause::Order,
    };
    let mut activity = Activity::default();
    activity.take(&Output::Filled(fill(Side::Buy)));
    activity.take(&Output::TradeClosed(ClosedTrade {
        strategy,
        instrument,
        side: Side::Buy,
        entry_time: NOW,
        exit_time: NOW,
        entry_price: Price(Decimal::TEN),
        exit_price: Price(Decimal::TEN),
        quantity: Quantity(Decimal::ONE),
        fees: Money::ZERO,
        pnl: Money(Decimal::TWO),
        exit_reason: FillCause::Order,
    }));
    activity.take(&Output::Filled(fill(Side::Sell)));
    activity.take(&Output::Filled(fill(Side::Sell)));
    let earned: Vec<Option<Money>> = activity.trades.iter().map(|trade| trade.pnl).collect();
    assert_eq!(earned, [None, Some(Money(Decimal::TWO)), None]);

    for code in [RefusalCode::Cooldown, RefusalCode::OrderRate, RefusalCode::Cooldown] {
        let refusal = Refusal { code, facts: String::new() };
        activity.take(&Output::Refused(RefusedProposal {
            strategy,
            instrument,
            side: Side::Buy,
            time: NOW,
            refusal,
        }));
    }
    let refusals: Vec<_> =
        activity.refusals.iter().map(|refused| (refused.last.refusal.code, refused.times)).collect();
    assert_eq!(refusals, [(RefusalCode::Cooldown, 2), (RefusalCode::OrderRate, 1)]);
    let other = Output::InputRefused { time: NOW, reason: String::new() };
    assert!(!activity.take(&other), "it belongs in the log");
}
