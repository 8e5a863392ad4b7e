//! The report as one web page that loads nothing: style, script, chart library and data are inside. Every
//! text goes through the template's escaping; the chart data goes in as JSON that cannot end its element.

mod charts;
mod tables;

use askama::Template;

use crate::amount::ratio;
use crate::document::Report;
use crate::figures::{self, Group};
use crate::format::{
    Tone, bytes, count, duration, minute, money, number, or_missing, percent, rate, signed_money,
    signed_percent, signed_tenths,
};
use tables::Table;

const CSS: &str = include_str!("../assets/report.css");
const SCRIPT: &str = include_str!("../assets/report.js");
const LIBRARY: &str = include_str!("../assets/lightweight-charts.standalone.production.js");

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A monthly return, as a fraction, that gets the strongest colour.
const STRONGEST: f64 = 0.10;

/// The page could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTML report could not be written: {0}")]
pub struct HtmlError(#[from] askama::Error);

impl Report {
    /// The report as a self-contained web page.
    ///
    /// # Errors
    ///
    /// [`HtmlError`] when the template fails, which it does for no report that a recorder makes.
    pub fn html(&self) -> Result<String, HtmlError> {
        Ok(Page::new(self).render()?)
    }
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    subject: String,
    period: String,
    cards: [Card; 6],
    notes: &'a [String],
    equity_summary: String,
    has_candles: bool,
    symbols: Vec<&'a str>,
    slots: Vec<&'a str>,
    groups: [Group; 4],
    years: Vec<YearRow>,
    month_names: [&'static str; 12],
    tables: Vec<Table>,
    provenance: Vec<Origin>,
    settings: String,
    data: String,
    css: &'static str,
    library: &'static str,
    script: &'static str,
}

/// A figure at the head of the page.
struct Card {
    label: &'static str,
    value: String,
    tone: &'static str,
    detail: String,
}

struct YearRow {
    year: i16,
    cells: Vec<HeatCell>,
}

struct HeatCell {
    text: String,
    tone: &'static str,
    /// 0 to 1, for the strength of the colour; empty where there is no return.
    heat: String,
}

/// What a reader needs to make the same run again.
struct Origin {
    label: String,
    value: String,
}

impl Tone {
    /// The style class.
    const fn class(self) -> &'static str {
        match self {
            Self::Gain => "gain",
            Self::Loss => "loss",
            Self::Neutral => "",
        }
    }
}

impl<'a> Page<'a> {
    fn new(report: &'a Report) -> Self {
        let metrics = &report.metrics;
        Self {
            subject: figures::subject(report),
            period: figures::period(report),
            cards: cards(report),
            notes: &report.notes,
            equity_summary: format!(
                "From {} to {}, deepest drawdown {}.",
                money(metrics.initial_equity),
                money(metrics.final_equity),
                percent(metrics.max_drawdown)
            ),
            has_candles: !report.charts.instruments.is_empty(),
            symbols: report.charts.instruments.iter().map(|chart| &*chart.symbol).collect(),
            slots: report.per_strategy.iter().map(|row| &*row.strategy).collect(),
            groups: figures::groups(report),
            years: figures::years(report).iter().map(year_row).collect(),
            month_names: MONTHS,
            tables: tables::tables(report),
            provenance: provenance(report),
            settings: serde_json::to_string_pretty(&report.settings).unwrap_or_default(),
            data: charts::data(report),
            css: CSS,
            library: LIBRARY,
            script: SCRIPT,
        }
    }
}

fn cards(report: &Report) -> [Card; 6] {
    let metrics = &report.metrics;
    let drawdown = metrics.drawdown.as_ref().map_or_else(
        || "never below a peak".to_owned(),
        |fall| format!("{}, lasted {}", or_missing(fall.amount, money), duration(fall.duration_seconds)),
    );
    [
        Card {
            label: "Total return",
            value: or_missing(metrics.total_return, signed_percent),
            tone: Tone::of_number(metrics.total_return).class(),
            detail: format!("buy and hold {}", or_missing(metrics.buy_and_hold_return, signed_percent)),
        },
        Card {
            label: "Final equity",
            value: money(metrics.final_equity),
            tone: "",
            detail: format!("{} {}", or_missing(metrics.net_profit, signed_money), report.currency),
        },
        Card {
            label: "Max drawdown",
            value: signed_percent(-metrics.max_drawdown),
            tone: if metrics.max_drawdown > 0.0 { "loss" } else { "" },
            detail: drawdown,
        },
        Card {
            label: "Sharpe",
            value: or_missing(metrics.sharpe, number),
            tone: "",
            detail: format!(
                "Sortino {}, Calmar {}",
                or_missing(metrics.sortino, number),
                or_missing(metrics.calmar, number)
            ),
        },
        Card {
            label: "Win rate",
            value: or_missing(metrics.win_rate, percent),
            tone: "",
            detail: format!(
                "{} trades, profit factor {}",
                count(metrics.trades),
                or_missing(metrics.profit_factor, number)
            ),
        },
        Card {
            label: "Exposure",
            value: or_missing(metrics.exposure, percent),
            tone: "",
            detail: format!("fees {}", or_missing(metrics.fees, money)),
        },
    ]
}

fn year_row(year: &figures::Year) -> YearRow {
    let cell = |value: &Option<f64>| match value {
        None => HeatCell { text: String::new(), tone: "", heat: String::new() },
        Some(value) => HeatCell {
            text: signed_tenths(value * 100.0),
            tone: Tone::of_number(Some(*value)).class(),
            heat: format!("{:.2}", ratio(value.abs(), STRONGEST).map_or(0.0, |heat| heat.min(1.0))),
        },
    };
    YearRow { year: year.year, cells: year.months.iter().chain([&year.total]).map(cell).collect() }
}

fn provenance(report: &Report) -> Vec<Origin> {
    let performance = &report.performance;
    let data = report.data.iter().map(|file| Origin {
        label: format!("Data, {}, {} bars", file.symbol, count(file.bars)),
        value: file.sha256.clone(),
    });
    let strategies = report.strategies.iter().map(|strategy| Origin {
        label: format!("Strategy, {} {}", strategy.name, strategy.version),
        value: strategy.sha256.clone(),
    });
    let digest = Origin { label: "Digest of orders and fills".to_owned(), value: report.digest.clone() };
    let speed = Origin {
        label: "Speed".to_owned(),
        value: format!(
            "{} bars in {}, {} bars/s, {} of memory at most",
            count(performance.bars),
            duration(performance.engine_seconds),
            or_missing(performance.bars_per_second, rate),
            or_missing(performance.peak_rss_bytes, bytes)
        ),
    };
    let halts = report.trading_states.iter().map(|state| Origin {
        label: format!("{} {}", if state.halted { "Halted" } else { "Resumed" }, minute(state.time)),
        value: state.reason.clone(),
    });
    data.chain(strategies).chain([digest]).chain(halts).chain([speed]).collect()
}
