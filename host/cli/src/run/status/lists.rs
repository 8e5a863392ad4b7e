//! The tables and lists of the screen as lines of text, none more than their area holds.

use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use rust_decimal::Decimal;
use tracing::Level;

use super::columns::{Column, ESSENTIAL, cut, table};
use super::drawing::Palette;
use super::numbers::{change, count, elapsed, grouped, moment, signed};
use super::snapshot::Snapshot;
use crate::log_lines::LogLine;

pub(super) fn strategies(snapshot: &Snapshot, area: Rect, palette: Palette) -> Vec<Line<'static>> {
    let rows = &snapshot.strategies;
    if rows.is_empty() {
        let hint = format!("none yet: .wasm files copied to {} are taken up at once", snapshot.directory);
        return vec![Line::styled(cut(&hint, usize::from(area.width)), palette.warning())];
    }
    let (rows, more) = first(rows, usize::from(area.height) - 1);
    let counted = |number: u64, some: Style| {
        Span::styled(count(number), if number == 0 { palette.quiet() } else { some })
    };
    let columns = vec![
        Column::text("strategy", ESSENTIAL, cells(rows, |row| row.name.clone().into())).elastic(13),
        Column::text("version", 3, cells(rows, |row| row.version.clone().into())),
        Column::text("mode", 5, cells(rows, |row| row.mode.into())),
        Column::text(
            "status",
            ESSENTIAL,
            cells(rows, |row| Span::styled(row.status, palette.tone(row.tone))),
        ),
        Column::numbers(
            "weight",
            2,
            cells(rows, |row| {
                format!("{}%", (row.weight * Decimal::ONE_HUNDRED).round_dp(1).normalize()).into()
            }),
        ),
        Column::numbers("capital", 6, cells(rows, |row| grouped(row.capital, 2).into())).at_least(8),
        Column::numbers(
            "pnl",
            ESSENTIAL,
            cells(rows, |row| {
                let earned = row.capital.saturating_sub(row.funded);
                Span::styled(signed(earned, 2), palette.result(earned))
            }),
        )
        .at_least(8),
        Column::numbers(
            "pnl %",
            1,
            cells(rows, |row| {
                let earned = row.capital.saturating_sub(row.funded);
                Span::styled(change(earned, row.funded), palette.result(earned))
            }),
        )
        .at_least(7),
        Column::numbers("fills", 7, cells(rows, |row| counted(row.fills, Style::new()))),
        Column::numbers("faults", 8, cells(rows, |row| counted(row.faults, palette.warning()))),
        Column::numbers("refused", 4, cells(rows, |row| counted(row.refusals, Style::new()))),
    ];
    with_rest(table(columns, usize::from(area.width), Some(palette.quiet())), more, palette)
}

pub(super) fn positions(snapshot: &Snapshot, area: Rect, palette: Palette) -> Vec<Line<'static>> {
    let rows = &snapshot.positions;
    if rows.is_empty() {
        return vec![Line::styled("none open", palette.quiet())];
    }
    let (rows, more) = first(rows, usize::from(area.height) - 1);
    let unknown = || Span::styled("–", palette.quiet());
    let price = |price: Option<Decimal>, places: u32| {
        price.map_or_else(unknown, |price| grouped(price, places).into())
    };
    let columns = vec![
        Column::text("strategy", ESSENTIAL, cells(rows, |row| row.strategy.clone().into())).elastic(13),
        Column::text("symbol", ESSENTIAL, cells(rows, |row| row.symbol.clone().into())).elastic(8),
        Column::numbers("quantity", 3, cells(rows, |row| row.quantity.to_string().into())).at_least(8),
        Column::numbers("entry", 2, cells(rows, |row| grouped(row.entry, row.price_places).into()))
            .at_least(9),
        Column::numbers("last", 4, cells(rows, |row| price(row.last, row.price_places))).at_least(9),
        Column::numbers("stop", 1, cells(rows, |row| price(row.stop, row.price_places))).at_least(9),
        Column::numbers(
            "pnl",
            ESSENTIAL,
            cells(rows, |row| {
                row.pnl.map_or_else(unknown, |pnl| Span::styled(signed(pnl, 2), palette.result(pnl)))
            }),
        )
        .at_least(8),
        Column::numbers(
            "pnl %",
            5,
            cells(rows, |row| {
                row.pnl.map_or_else(unknown, |pnl| Span::styled(change(pnl, row.cost), palette.result(pnl)))
            }),
        )
        .at_least(7),
    ];
    with_rest(table(columns, usize::from(area.width), Some(palette.quiet())), more, palette)
}

pub(super) fn trades(snapshot: &Snapshot, area: Rect, palette: Palette) -> Vec<Line<'static>> {
    let (rows, _) = newest(&snapshot.trades, area);
    if rows.is_empty() {
        return vec![Line::styled("none yet", palette.quiet())];
    }
    let today = all_today(snapshot, rows.iter().map(|row| row.time));
    let columns = vec![
        Column::text(
            "",
            ESSENTIAL,
            cells(rows, |row| Span::styled(moment(row.time, today), palette.quiet())),
        ),
        Column::text("", ESSENTIAL, cells(rows, |row| row.strategy.clone().into())).elastic(13),
        Column::text("", ESSENTIAL, cells(rows, |row| row.symbol.clone().into())).elastic(8),
        Column::text("", ESSENTIAL, cells(rows, |row| row.side.into())).at_least(4),
        Column::numbers("", 2, cells(rows, |row| row.quantity.to_string().into())).at_least(9),
        Column::numbers(
            "",
            3,
            cells(rows, |row| {
                row.price.map_or_else(Span::default, |price| grouped(price, row.price_places).into())
            }),
        )
        .at_least(9),
        Column::numbers(
            "",
            5,
            cells(rows, |row| {
                row.pnl.map_or_else(Span::default, |pnl| Span::styled(signed(pnl, 2), palette.result(pnl)))
            }),
        )
        .at_least(8),
        Column::text(
            "",
            4,
            cells(rows, |row| {
                if row.price.is_some() {
                    return Span::styled(row.what, palette.quiet());
                }
                let reason = if row.reason.is_empty() { String::new() } else { format!(": {}", row.reason) };
                Span::styled(format!("{}{reason}", row.what), palette.warning())
            }),
        )
        .elastic(9),
    ];
    table(columns, usize::from(area.width), None)
}

pub(super) fn refusals(snapshot: &Snapshot, area: Rect, palette: Palette) -> Vec<Line<'static>> {
    let (rows, _) = newest(&snapshot.refusals, area);
    if rows.is_empty() {
        return vec![Line::styled("none yet", palette.quiet())];
    }
    let today = all_today(snapshot, rows.iter().map(|row| row.time));
    let columns = vec![
        Column::text(
            "",
            ESSENTIAL,
            cells(rows, |row| Span::styled(moment(row.time, today), palette.quiet())),
        ),
        Column::text("", ESSENTIAL, cells(rows, |row| row.strategy.clone().into())).elastic(13),
        Column::text("", ESSENTIAL, cells(rows, |row| row.symbol.clone().into())).elastic(8),
        Column::text("", 2, cells(rows, |row| row.side.into())).at_least(4),
        Column::numbers(
            "",
            3,
            cells(rows, |row| {
                if row.times > 1 { format!("{}×", count(row.times)).into() } else { Span::default() }
            }),
        )
        .at_least(4),
        Column::text("", ESSENTIAL, cells(rows, |row| row.code.into())),
        Column::text("", 1, cells(rows, |row| Span::styled(row.facts.clone(), palette.quiet()))).elastic(8),
    ];
    table(columns, usize::from(area.width), None)
}

pub(super) fn log(snapshot: &Snapshot, area: Rect, palette: Palette) -> Vec<Line<'static>> {
    let width = usize::from(area.width);
    let line = |(at, line): (std::time::Duration, &LogLine)| {
        let style = match line.level {
            Level::ERROR => palette.bad(),
            Level::WARN => palette.warning(),
            _ => Style::new(),
        };
        let time = Span::styled(format!("{:>7} ", elapsed(at)), palette.quiet());
        let text = cut(&line.text, width.saturating_sub(time.width()));
        Line::from(vec![time, Span::styled(text, style.remove_modifier(Modifier::DIM))])
    };
    shown(&snapshot.lines, usize::from(area.height)).into_iter().map(line).collect()
}

/// The newest lines, but half of the room is kept for warnings and errors as long as there are any.
fn shown(lines: &[(std::time::Duration, LogLine)], room: usize) -> Vec<(std::time::Duration, &LogLine)> {
    let grave = lines.iter().filter(|(_, line)| line.is_grave()).count().min(room / 2);
    let (mut grave, mut others) = (grave, room - grave);
    let mut kept = Vec::with_capacity(room);
    for (at, line) in lines {
        // A grave line takes a free place like any other, once those that are kept for it are used.
        let place = if line.is_grave() && grave > 0 { &mut grave } else { &mut others };
        if *place > 0 {
            *place -= 1;
            kept.push((*at, line));
        }
    }
    kept
}

fn cells<T>(rows: &[T], cell: impl Fn(&T) -> Span<'static>) -> Vec<Span<'static>> {
    rows.iter().map(cell).collect()
}

/// The rows that fit, and how many do not. A line is left for saying so.
fn first<T>(rows: &[T], room: usize) -> (&[T], usize) {
    if rows.len() <= room {
        (rows, 0)
    } else {
        (&rows[..room.saturating_sub(1)], rows.len() + 1 - room.max(1))
    }
}

fn newest<T>(rows: &[T], area: Rect) -> (&[T], usize) {
    let shown = rows.len().min(usize::from(area.height));
    (&rows[..shown], rows.len() - shown)
}

fn with_rest(mut lines: Vec<Line<'static>>, more: usize, palette: Palette) -> Vec<Line<'static>> {
    if more > 0 {
        lines.push(Line::styled(format!("and {more} more"), palette.quiet()));
    }
    lines
}

fn all_today(snapshot: &Snapshot, times: impl Iterator<Item = bulkhead_core::time::Timestamp>) -> bool {
    let day = bulkhead_core::time::Span::DAY;
    let today = snapshot.time.floor(day);
    times.into_iter().all(|time| time.floor(day) == today)
}
