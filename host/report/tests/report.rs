//! The report of a made-up run, against files that hold what it must look like. To renew them after a wanted
//! change: `UPDATE_GOLDEN=1 cargo test -p bulkhead-report --test report`, then read the difference.

#![expect(clippy::unwrap_used, reason = "a test may fail this way")]

mod sample;

use std::fs;
use std::path::Path;

use bulkhead_core::identifier::{ContentHash, InstrumentId, StrategyId};
use bulkhead_core::input::StrategyMode;
use bulkhead_core::market::Bar;
use bulkhead_core::money::Money;
use bulkhead_core::output::Output;
use bulkhead_core::strategy::{LogLevel, LogLine};
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_report::{Colours, Final, Performance, Recorder, RecorderSettings, Report, Slot};
use rust_decimal::Decimal;
use sample::Sample;

/// Ten days of hours; the second slot's name tries to break out of the page.
fn report() -> Report {
    sample::sample(&Sample {
        bars: 240,
        interval: Span::from_seconds(3_600),
        slots: ["trend", "</script><b>&\"'", "shadow"],
        notional: 2_400,
        patience: 20.0,
        band: 0.002,
    })
}

fn json(report: &Report) -> String {
    let mut bytes = Vec::new();
    report.write_json(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// The part of the page between two texts.
fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    page.split_once(start).unwrap().1.split_once(end).unwrap().0
}

fn assert_golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    let line = expected.lines().zip(found.lines()).position(|(expected, found)| expected != found);
    assert!(expected == found, "{name} differs from line {:?}", line.map(|line| line + 1));
}

#[test]
fn the_json_document_is_as_agreed() {
    assert_golden("report.json", &json(&report()));
}

#[test]
fn the_terminal_report_is_as_agreed_and_fits_100_columns() {
    let text = report().terminal(Colours::Off);
    assert!(text.lines().all(|line| line.chars().count() <= 100));
    assert!(!text.contains('\u{1b}'));
    assert_golden("report.txt", &text);
}

#[test]
fn colours_add_escape_sequences_and_nothing_else() {
    let coloured = report().terminal(Colours::On);
    assert!(coloured.contains("\u{1b}["));
    // A sequence that a strategy put into its message is not among them.
    assert!(coloured.contains("\u{fffd}[31mred"));
}

#[test]
fn the_pages_data_is_as_agreed() {
    let page = report().html().unwrap();
    let data = between(&page, "<script type=\"application/json\" id=\"data\">", "</script>");
    assert_golden("chart-data.json", &data.replace("],", "],\n"));
    let tables = between(&page, "<section class=\"groups\"", "</main>");
    assert_golden("tables.html", tables);
}

#[test]
fn the_page_loads_nothing_and_no_text_becomes_markup() {
    let page = report().html().unwrap();
    assert!(!page.contains("</script><b>"));
    assert!(!page.contains("<on_events>"));
    assert!(!page.contains("<b onclick"));
    // Data, library and the page's own script, and nothing that names a source.
    assert_eq!(page.matches("<script").count(), 3);
    assert_eq!(page.matches("</script>").count(), 3);
    for loading in ["<link", "<img", "<iframe", " src=", "@import", "url(", "fetch(", "XMLHttpRequest"] {
        let own = page.replace(include_str!("../assets/lightweight-charts.standalone.production.js"), "");
        assert!(!own.contains(loading), "{loading}");
    }
    assert!(page.contains("https://www.tradingview.com/"));
}

#[test]
fn a_symbol_cant_end_the_data() {
    let mut settings = RecorderSettings::new(Money(Decimal::from(100)));
    settings.instruments = vec!["</script><script>alert(1)</script><!--".to_owned()];
    let mut recorder = Recorder::new(settings);
    let (open_time, interval) = (Timestamp::EPOCH, Span::MINUTE);
    let (open, high, low, close, volume) = (1.0, 1.0, 1.0, 1.0, 1.0);
    recorder.bar(&Bar { instrument: InstrumentId(0), interval, open_time, open, high, low, close, volume });
    recorder.equity(open_time.plus(interval), 100.0, 0.0);
    let page = recorder.finish(end(100)).html().unwrap();
    assert!(!page.contains("alert(1)</script>"));
    assert_eq!(page.matches("</script>").count(), 3);
    assert!(page.contains("\\u003c/script\\u003e"));
}

#[test]
fn the_books_of_the_report_add_up() {
    let report = report();
    let metrics = &report.metrics;
    let traded: Decimal = report.trades.iter().map(|trade| trade.pnl.0).sum();
    let open: Decimal = report.open_positions.iter().map(|position| position.unrealised_pnl.0).sum();
    assert_eq!(metrics.final_equity.0 - metrics.initial_equity.0, traded + open);
    assert!(!report.notes.iter().any(|note| note.contains("neither")));
    let by_strategy: u64 =
        report.per_strategy.iter().filter(|row| row.mode == "live").map(|row| row.trades).sum();
    let by_instrument: u64 = report.instruments.iter().map(|row| row.trades).sum();
    let by_reason: u64 = report.exit_reasons.iter().map(|row| row.trades).sum();
    assert!(metrics.trades > 10);
    assert_eq!([by_strategy, by_instrument, by_reason], [metrics.trades; 3]);
    assert_eq!(report.refusals.values().sum::<u64>(), metrics.refusals);
    assert!(report.shadow_trades.len() > 5);
}

#[test]
fn equal_runs_give_equal_reports() {
    assert_eq!(json(&report()), json(&report()));
}

fn end(equity: i64) -> Final {
    Final {
        equity: Money(Decimal::from(equity)),
        open_positions: Vec::new(),
        settings: serde_json::Value::Null,
        data: Vec::new(),
        strategies: Vec::new(),
        digest: String::new(),
        performance: Performance::new(0, 0.0, None),
    }
}

#[test]
fn a_run_in_which_nothing_happened_has_a_report() {
    let report = Recorder::new(RecorderSettings::new(Money(Decimal::from(100)))).finish(end(100));
    let document: serde_json::Value = serde_json::from_str(&json(&report)).unwrap();
    for missing in
        ["sharpe", "sortino", "calmar", "cagr", "profit_factor", "win_rate", "buy_and_hold_return", "start"]
    {
        assert!(document["metrics"][missing].is_null(), "{missing}");
    }
    assert_eq!(document["metrics"]["total_return"], 0.0);
    assert_eq!(document["schema"], 1);
    assert!(report.terminal(Colours::Off).contains("nothing happened"));
    assert!(report.html().unwrap().contains("No trade was closed."));
}

/// Who ordered something speaks by orders.
#[test]
fn a_strategy_that_ordered_nothing_has_its_last_words_noted() {
    let mut settings = RecorderSettings::new(Money(Decimal::from(100)));
    settings.slots = vec![Slot { id: StrategyId(0), name: "quiet".to_owned(), mode: StrategyMode::Live }];
    let mut recorder = Recorder::new(settings);
    for message in ["not sure", "not sure <b>yet</b>"] {
        let line = LogLine { level: LogLevel::Info, message: message.to_owned() };
        recorder.output(&Output::StrategyLog { strategy: StrategyId(0), line });
    }
    let report = recorder.finish(end(100));
    let note = "quiet ordered nothing. The last line of its log: not sure <b>yet</b>";
    assert_eq!(report.notes, [note]);
    assert!(!report.html().unwrap().contains("<b>yet"));
    assert!(!crate::report().notes.iter().any(|note| note.contains("ordered nothing")));
}

#[test]
fn no_equity_and_no_initial_money_do_no_harm() {
    let mut recorder = Recorder::new(RecorderSettings::new(Money::ZERO));
    for day in 0..5 {
        recorder.equity(Timestamp::from_seconds(86_400 * day), -5.0, f64::NAN);
        recorder.equity(Timestamp::from_seconds(86_400 * day), -5.0, 0.0);
    }
    let report = recorder.finish(end(-5));
    let text = json(&report);
    assert!(!text.contains("NaN") && !text.contains("inf"));
    assert!(report.metrics.total_return.is_none());
    assert!(report.notes.iter().any(|note| note.starts_with("5 equity samples")));
}

/// Forty days: the chart of the rolling ratio begins where the thirtieth day is over, with that day's figure.
#[test]
fn a_long_run_has_a_rolling_sharpe_ratio() {
    let report = sample::sample(&Sample {
        bars: 40 * 24,
        interval: Span::from_seconds(3_600),
        slots: ["a", "b", "c"],
        notional: 2_400,
        patience: 20.0,
        band: 0.002,
    });
    let thirtieth = report.daily[29].rolling_sharpe.unwrap();
    assert!(report.daily[28].rolling_sharpe.is_none());
    let page = report.html().unwrap();
    let data = between(&page, "<script type=\"application/json\" id=\"data\">", "</script>");
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let rolling = data["equity"]["rolling_sharpe"].as_array().unwrap();
    let first = rolling.iter().position(|value| !value.is_null()).unwrap();
    let start = data["instruments"][0]["time"][0].as_i64().unwrap();
    assert_eq!(data["equity"]["time"][first].as_i64().unwrap(), start + 30 * 86_400);
    let difference = rolling[first].as_f64().unwrap() - thirtieth;
    assert!(difference.abs() < 1e-6 * thirtieth.abs(), "{} is not {thirtieth}", rolling[first]);
}

#[test]
fn memory_of_the_charts_is_bounded() {
    let report = sample::sample(&Sample {
        bars: 30_000,
        interval: Span::MINUTE,
        slots: ["a", "b", "c"],
        notional: 100,
        patience: 5_000.0,
        band: 0.2,
    });
    let page = report.html().unwrap();
    let data = between(&page, "<script type=\"application/json\" id=\"data\">", "</script>");
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let candles = data["instruments"][0]["time"].as_array().unwrap().len();
    let points = data["equity"]["time"].as_array().unwrap().len();
    assert!((500..=5_000).contains(&candles), "{candles}");
    assert!((1_000..=4_001).contains(&points), "{points}");
}

#[test]
fn the_chart_library_is_the_one_that_its_readme_names() {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let library = fs::read(assets.join("lightweight-charts.standalone.production.js")).unwrap();
    let readme = fs::read_to_string(assets.join("README.md")).unwrap();
    assert!(readme.contains(&ContentHash::of(&library).to_string()));
}
