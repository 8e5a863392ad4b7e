//! The page's tables.

use crate::amount::{Amount, ratio};
use crate::document::Report;
use crate::format::{
    Tone, count, duration, exact, money, number, or_missing, percent, signed_money, signed_percent, time,
    visible,
};
use crate::recorder::LISTED_DECISIONS;
use crate::rows::Trade;

/// Trades that the page lists.
const LISTED_TRADES: usize = 2_000;

/// Faults that the page lists.
const LISTED_FAULTS: usize = 100;

/// A table of decisions with more rows is folded, so that the trades stay in reach.
const OPEN_DECISIONS: usize = 10;

/// A table of the page.
pub(super) struct Table {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) note: String,
    /// Takes the width of the page.
    pub(super) wide: bool,
    /// Scrolls and can be sorted.
    pub(super) long: bool,
    /// Behind this text until a reader asks for it; not folded when it is empty.
    pub(super) folded: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
}

pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) numeric: bool,
}

pub(super) struct Cell {
    pub(super) text: String,
    pub(super) class: &'static str,
}

impl Table {
    /// Columns after the first `texts` hold numbers.
    fn new(id: &'static str, title: &'static str, columns: &[&'static str], texts: usize) -> Self {
        let columns = columns
            .iter()
            .enumerate()
            .map(|(index, title)| Column { title, numeric: index >= texts })
            .collect();
        let (note, folded) = (String::new(), String::new());
        Self { id, title, note, wide: false, long: false, folded, columns, rows: Vec::new() }
    }

    fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    fn rows(mut self, rows: impl Iterator<Item = Vec<Cell>>) -> Self {
        self.rows = rows.collect();
        self
    }
}

fn text(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), class: "" }
}

fn figure(text: String) -> Cell {
    Cell { text, class: "n" }
}

fn toned(text: String, tone: Tone) -> Cell {
    let class = match tone {
        Tone::Gain => "n gain",
        Tone::Loss => "n loss",
        Tone::Neutral => "n",
    };
    Cell { text, class }
}

fn profit(amount: Option<Amount>) -> Cell {
    toned(or_missing(amount, signed_money), Tone::of_amount(amount))
}

fn change(fraction: Option<f64>) -> Cell {
    toned(or_missing(fraction, signed_percent), Tone::of_number(fraction))
}

/// The tables that have something to say.
pub(super) fn tables(report: &Report) -> Vec<Table> {
    let mut tables = vec![strategies(report)];
    if report.instruments.len() > 1 {
        tables.push(instruments(report));
    }
    tables.extend([
        directions(report),
        exit_reasons(report),
        refusals(report),
        open_positions(report),
        faults(report),
        decisions(report),
    ]);
    tables.retain(|table| !table.rows.is_empty());
    // Two narrow tables share a row; one alone gets it to itself.
    let narrow: Vec<usize> =
        tables.iter().enumerate().filter(|(_, table)| !table.wide).map(|(index, _)| index).collect();
    if let [only] = narrow.as_slice() {
        tables[*only].wide = true;
    }
    tables.push(trades(report));
    tables
}

fn strategies(report: &Report) -> Table {
    let columns = [
        "Strategy",
        "Mode",
        "Orders",
        "Fills",
        "Trades",
        "Won",
        "Profit factor",
        "Expectancy",
        "Realised",
        "Open",
        "Fees",
        "Average duration",
        "Refused",
        "Faults",
    ];
    Table::new("strategies", "Strategies", &columns, 2).wide().rows(report.per_strategy.iter().map(|row| {
        vec![
            text(&*row.strategy),
            text(row.mode),
            figure(count(row.orders)),
            figure(count(row.fills)),
            figure(count(row.trades)),
            figure(or_missing(row.win_rate, percent)),
            figure(or_missing(row.profit_factor, number)),
            profit(row.expectancy),
            profit(row.realised_pnl),
            profit(row.unrealised_pnl),
            figure(or_missing(row.fees, money)),
            figure(or_missing(row.average_trade_seconds, duration)),
            figure(count(row.refusals.values().sum())),
            figure(count(row.faults)),
        ]
    }))
}

fn instruments(report: &Report) -> Table {
    let columns = [
        "Instrument",
        "Bars",
        "Orders",
        "Fills",
        "Trades",
        "Won",
        "Profit factor",
        "Realised",
        "Fees",
        "Turnover",
        "Buy and hold",
    ];
    Table::new("instruments", "Instruments", &columns, 1).wide().rows(report.instruments.iter().map(|row| {
        vec![
            text(&*row.symbol),
            figure(count(row.bars)),
            figure(count(row.orders)),
            figure(count(row.fills)),
            figure(count(row.trades)),
            figure(or_missing(row.win_rate, percent)),
            figure(or_missing(row.profit_factor, number)),
            profit(row.realised_pnl),
            figure(or_missing(row.fees, money)),
            figure(or_missing(row.turnover, money)),
            change(row.buy_and_hold_return),
        ]
    }))
}

fn directions(report: &Report) -> Table {
    let columns = ["Side", "Trades", "Won", "Profit factor", "Average", "Profit"];
    let rows = report.directions.iter().filter(|row| row.trades > 0);
    Table::new("directions", "Long and short", &columns, 1).rows(rows.map(|row| {
        vec![
            text(row.side),
            figure(count(row.trades)),
            figure(or_missing(row.win_rate, percent)),
            figure(or_missing(row.profit_factor, number)),
            profit(row.average_pnl),
            profit(row.pnl),
        ]
    }))
}

fn exit_reasons(report: &Report) -> Table {
    let columns = ["Reason", "Trades", "Won", "Average", "Profit"];
    Table::new("exits", "Exit reasons", &columns, 1).rows(report.exit_reasons.iter().map(|row| {
        vec![
            text(row.reason),
            figure(count(row.trades)),
            figure(or_missing(row.win_rate, percent)),
            profit(row.average_pnl),
            profit(row.pnl),
        ]
    }))
}

fn refusals(report: &Report) -> Table {
    let rows = report.refusals.iter().map(|(code, times)| vec![text(*code), figure(count(*times))]);
    Table::new("refusals", "Refused by the risk gate", &["Code", "Times"], 1).rows(rows)
}

fn open_positions(report: &Report) -> Table {
    let columns = [
        "Instrument",
        "Strategy",
        "Side",
        "Since",
        "Quantity",
        "Entry price",
        "Last price",
        "Fees",
        "Profit",
    ];
    Table::new("open", "Open positions", &columns, 4).wide().rows(report.open_positions.iter().map(|row| {
        vec![
            text(&*row.symbol),
            text(&*row.strategy),
            text(row.side),
            text(time(row.entry_time)),
            figure(exact(row.quantity)),
            figure(exact(Amount(row.entry_price.0.round_dp(8)))),
            figure(exact(row.mark_price)),
            figure(money(row.fees)),
            profit(Some(row.unrealised_pnl)),
        ]
    }))
}

fn faults(report: &Report) -> Table {
    let columns = ["Time", "Strategy", "What happened", "Then"];
    let mut table = Table::new("faults", "Strategy faults", &columns, 4).wide();
    if report.faults.len() > LISTED_FAULTS {
        table.note = format!("The first {LISTED_FAULTS} of {}.", count(report.metrics.faults));
    }
    table.rows(report.faults.iter().take(LISTED_FAULTS).map(|row| {
        vec![
            text(time(row.time)),
            text(&*row.strategy),
            Cell { text: visible(&row.detail), class: "wrap" },
            text(row.consequence),
        ]
    }))
}

/// Only decisions with a reason are in the report.
fn decisions(report: &Report) -> Table {
    let columns = ["Time", "Strategy", "Instrument", "Side", "Confidence", "Reason"];
    let mut table = Table::new("decisions", "Decisions", &columns, columns.len()).wide();
    table.columns[4].numeric = true;
    table.long = true;
    let listed = report.decisions.len();
    "Why strategies ordered what they did, in their own words.".clone_into(&mut table.note);
    if listed == LISTED_DECISIONS {
        table.note = format!("{} The first {} of them are listed.", table.note, count(listed as u64));
    }
    if listed > OPEN_DECISIONS {
        table.folded = format!("Show {} decisions", count(listed as u64));
    }
    table.rows(report.decisions.iter().map(|row| {
        vec![
            text(time(row.time)),
            text(&*row.strategy),
            text(&*row.symbol),
            text(row.side),
            figure(percent(row.confidence)),
            Cell { text: visible(&row.reason), class: "wrap" },
        ]
    }))
}

fn trades(report: &Report) -> Table {
    let columns = [
        "Entry",
        "Exit",
        "Strategy",
        "Instrument",
        "Side",
        "Exit reason",
        "Quantity",
        "Entry price",
        "Exit price",
        "Fees",
        "Profit",
        "Return",
    ];
    let mut table = Table::new("trades", "Trades", &columns, 6).wide();
    table.long = true;
    let total = report.trades.len();
    table.note = match total {
        0 => "No trade was closed.".to_owned(),
        total if total > LISTED_TRADES => {
            format!(
                "The first {} of {total} trades; the JSON document has them all.",
                count(LISTED_TRADES as u64)
            )
        }
        total => format!("{total} trades. A click on a heading sorts by it."),
    };
    table.rows(report.trades.iter().take(LISTED_TRADES).map(trade))
}

fn trade(row: &Trade) -> Vec<Cell> {
    let cost = row.entry_price.approximate() * row.quantity.approximate();
    vec![
        text(time(row.entry_time)),
        text(time(row.exit_time)),
        text(&*row.strategy),
        text(&*row.symbol),
        text(row.side),
        text(row.exit_reason),
        figure(exact(row.quantity)),
        figure(exact(Amount(row.entry_price.0.round_dp(8)))),
        figure(exact(row.exit_price)),
        figure(money(row.fees)),
        profit(Some(row.pnl)),
        change(ratio(row.pnl.approximate(), cost)),
    ]
}
