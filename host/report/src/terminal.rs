//! The report as tables for a terminal of 100 columns.

use std::fmt::Write as _;

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle};

use crate::amount::Amount;
use crate::document::Report;
use crate::figures::{self, Figure, Group};
use crate::format::{
    MISSING, Tone, bytes, count, duration, exact, minute, money, number, or_missing, percent, rate,
    signed_money, signed_percent, signed_tenths, visible,
};

/// Columns that the report may use.
const WIDTH: u16 = 100;

/// Faults that are listed; the JSON has more.
const FAULTS: usize = 5;

const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Whether the text carries colours, as ANSI escape sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// For terminals, and for writers that take the sequences out where they are not wanted.
    On,
    /// For files and pipes.
    Off,
}

impl Report {
    /// The report as text of at most 100 columns, without the single trades.
    #[must_use]
    pub fn terminal(&self, colours: Colours) -> String {
        let mut page = Page { colours, text: String::new() };
        page.line(&format!("{} · {}", page.bold(&visible(&figures::subject(self))), figures::period(self)));
        let [result, risk, trades, activity] = figures::groups(self);
        page.figures(&result, &risk);
        page.figures(&trades, &activity);
        page.strategies(self);
        page.instruments(self);
        page.exit_reasons(self);
        page.refusals(self);
        page.months(self);
        page.open_positions(self);
        page.faults(self);
        page.notes(self);
        page.footer(self);
        page.text
    }
}

struct Page {
    colours: Colours,
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn bold(&self, text: &str) -> String {
        match self.colours {
            Colours::On => format!("{0}{text}{0:#}", anstyle::Style::new().bold()),
            Colours::Off => text.to_owned(),
        }
    }

    fn table(&mut self, header: &[&str], left_columns: usize, rows: impl IntoIterator<Item = Vec<Cell>>) {
        let mut table = Table::new();
        table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
        table.set_header(header.iter().map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
        for row in rows {
            table.add_row(row);
        }
        match self.colours {
            Colours::On => table.enforce_styling(),
            Colours::Off => table.force_no_tty(),
        };
        for column in table.column_iter_mut().skip(left_columns) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        self.text.push('\n');
        for line in table.lines() {
            self.line(&line);
        }
    }

    fn figures(&mut self, left: &Group, right: &Group) {
        let mut table = Table::new();
        table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
        let title = |group: &Group| Cell::new(group.title).add_attribute(Attribute::Bold);
        table.set_header([title(left), Cell::new(""), Cell::new("  "), title(right), Cell::new("")]);
        let cells = |figure: Option<&Figure>| match figure {
            Some(figure) => [Cell::new(figure.label), coloured(figure.value.clone(), figure.tone)],
            None => [Cell::new(""), Cell::new("")],
        };
        for row in 0..left.figures.len().max(right.figures.len()) {
            let [label, value] = cells(left.figures.get(row));
            let [next_label, next_value] = cells(right.figures.get(row));
            table.add_row([label, value, Cell::new(""), next_label, next_value]);
        }
        match self.colours {
            Colours::On => table.enforce_styling(),
            Colours::Off => table.force_no_tty(),
        };
        for (index, column) in table.column_iter_mut().enumerate() {
            match index {
                0 | 3 => {
                    column.set_constraint(comfy_table::ColumnConstraint::Absolute(
                        comfy_table::Width::Fixed(22),
                    ));
                }
                1 | 4 => {
                    column.set_cell_alignment(CellAlignment::Right);
                    column.set_constraint(comfy_table::ColumnConstraint::Absolute(
                        comfy_table::Width::Fixed(24),
                    ));
                }
                _ => {}
            }
        }
        self.text.push('\n');
        for line in table.lines() {
            self.line(&line);
        }
    }

    fn strategies(&mut self, report: &Report) {
        let header =
            ["Strategy", "Mode", "Trades", "Won", "Profit factor", "Profit", "Open", "Fees", "Faults"];
        self.table(
            &header,
            2,
            report.per_strategy.iter().map(|row| {
                vec![
                    Cell::new(visible(&row.strategy)),
                    Cell::new(row.mode),
                    Cell::new(count(row.trades)),
                    Cell::new(or_missing(row.win_rate, percent)),
                    Cell::new(or_missing(row.profit_factor, number)),
                    profit(row.realised_pnl),
                    profit(row.unrealised_pnl),
                    Cell::new(or_missing(row.fees, money)),
                    Cell::new(count(row.faults)),
                ]
            }),
        );
    }

    fn instruments(&mut self, report: &Report) {
        if report.instruments.len() < 2 {
            return;
        }
        let header =
            ["Instrument", "Bars", "Orders", "Trades", "Won", "Profit factor", "Profit", "Fees", "Held"];
        self.table(
            &header,
            1,
            report.instruments.iter().map(|row| {
                vec![
                    Cell::new(visible(&row.symbol)),
                    Cell::new(count(row.bars)),
                    Cell::new(count(row.orders)),
                    Cell::new(count(row.trades)),
                    Cell::new(or_missing(row.win_rate, percent)),
                    Cell::new(or_missing(row.profit_factor, number)),
                    profit(row.realised_pnl),
                    Cell::new(or_missing(row.fees, money)),
                    change(row.buy_and_hold_return),
                ]
            }),
        );
    }

    fn exit_reasons(&mut self, report: &Report) {
        if report.exit_reasons.is_empty() {
            return;
        }
        self.table(
            &["Exit reason", "Trades", "Won", "Average", "Profit"],
            1,
            report.exit_reasons.iter().map(|row| {
                vec![
                    Cell::new(row.reason),
                    Cell::new(count(row.trades)),
                    Cell::new(or_missing(row.win_rate, percent)),
                    profit(row.average_pnl),
                    profit(row.pnl),
                ]
            }),
        );
    }

    fn refusals(&mut self, report: &Report) {
        if report.refusals.is_empty() {
            return;
        }
        self.table(
            &["Refused by the risk gate", "Times"],
            1,
            report.refusals.iter().map(|(code, times)| vec![Cell::new(code), Cell::new(count(*times))]),
        );
    }

    fn months(&mut self, report: &Report) {
        let years = figures::years(report);
        if years.is_empty() {
            return;
        }
        let header =
            ["%", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Year"];
        let short = |value: Option<f64>| {
            let text = value.map_or_else(String::new, |value| signed_tenths(value * 100.0));
            coloured(text, Tone::of_number(value))
        };
        self.table(
            &header,
            1,
            years.iter().map(|year| {
                let months = year.months.iter().copied().map(short);
                std::iter::once(Cell::new(year.year)).chain(months).chain([short(year.total)]).collect()
            }),
        );
    }

    fn open_positions(&mut self, report: &Report) {
        if report.open_positions.is_empty() {
            return;
        }
        self.table(
            &["Open position", "Strategy", "Since", "Quantity", "Entry", "Mark", "Profit"],
            3,
            report.open_positions.iter().map(|row| {
                vec![
                    Cell::new(visible(&row.symbol)),
                    Cell::new(visible(&row.strategy)),
                    Cell::new(minute(row.entry_time)),
                    Cell::new(exact(row.quantity)),
                    Cell::new(exact(Amount(row.entry_price.0.round_dp(8)))),
                    Cell::new(exact(row.mark_price)),
                    profit(Some(row.unrealised_pnl)),
                ]
            }),
        );
    }

    fn faults(&mut self, report: &Report) {
        if report.faults.is_empty() {
            return;
        }
        self.table(
            &["Fault", "Strategy", "What happened", "Then"],
            4,
            report.faults.iter().take(FAULTS).map(|row| {
                vec![
                    Cell::new(minute(row.time)),
                    Cell::new(visible(&row.strategy)),
                    Cell::new(visible(&row.detail)),
                    Cell::new(row.consequence),
                ]
            }),
        );
        if report.faults.len() > FAULTS {
            self.line(&format!(" and {} more", report.faults.len() - FAULTS));
        }
    }

    fn notes(&mut self, report: &Report) {
        if report.notes.is_empty() {
            return;
        }
        let mut table = Table::new();
        table
            .load_style(TableStyle::new())
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(WIDTH);
        for note in &report.notes {
            table.add_row(["•", &visible(note)]);
        }
        self.text.push('\n');
        for line in table.force_no_tty().lines() {
            self.line(&line);
        }
    }

    fn footer(&mut self, report: &Report) {
        let performance = &report.performance;
        let mut speed =
            format!("{} bars in {}", count(performance.bars), duration(performance.engine_seconds));
        if let Some(bars) = performance.bars_per_second {
            // Writing to a string can't fail.
            let _ = write!(speed, ", {} bars/s", rate(bars));
        }
        if let Some(peak) = performance.peak_rss_bytes {
            let _ = write!(speed, ", {} of memory at most", bytes(peak));
        }
        self.text.push('\n');
        self.line(&format!(" {speed}"));
        self.line(&format!(" digest {}", if report.digest.is_empty() { MISSING } else { &report.digest }));
    }
}

fn coloured(text: String, tone: Tone) -> Cell {
    let cell = Cell::new(text);
    match tone {
        Tone::Gain => cell.fg(Color::Green),
        Tone::Loss => cell.fg(Color::Red),
        Tone::Neutral => cell,
    }
}

fn profit(amount: Option<Amount>) -> Cell {
    coloured(or_missing(amount, signed_money), Tone::of_amount(amount))
}

fn change(fraction: Option<f64>) -> Cell {
    coloured(or_missing(fraction, signed_percent), Tone::of_number(fraction))
}
