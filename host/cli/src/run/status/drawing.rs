//! Draws a snapshot. Colour is for what it means: gains and losses, warnings, and what stands still.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Borders, Sparkline};
use rust_decimal::Decimal;

use bulkhead_core::time::Timestamp;
use bulkhead_feeds::pacer::Speed;

use super::columns::cut;
use super::lists;
use super::numbers::{change, count, date_and_time, grouped, rate, signed};
use super::room::{HEADER, Room};
use super::snapshot::{Snapshot, Tone};

/// The narrowest small chart that says something.
const NARROWEST_CURVE: u16 = 8;

/// What marks what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Palette {
    pub(super) colour: bool,
}

impl Palette {
    pub(super) fn quiet(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) fn good(self) -> Style {
        if self.colour { Style::new().green() } else { Style::new() }
    }

    pub(super) fn warning(self) -> Style {
        if self.colour { Style::new().yellow() } else { Style::new().bold() }
    }

    pub(super) fn bad(self) -> Style {
        if self.colour { Style::new().red() } else { Style::new().bold() }
    }

    /// For a gain or a loss.
    pub(super) fn result(self, amount: Decimal) -> Style {
        if amount.round_dp(2).is_zero() {
            self.quiet()
        } else if amount.is_sign_positive() {
            self.good()
        } else if self.colour {
            self.bad()
        } else {
            Style::new()
        }
    }

    pub(super) fn tone(self, tone: Tone) -> Style {
        match tone {
            Tone::Normal => Style::new(),
            Tone::Quiet => self.quiet(),
            Tone::Warning => self.warning(),
            Tone::Bad => self.bad(),
        }
    }
}

/// Draws the whole screen.
pub(super) fn draw(frame: &mut Frame<'_>, snapshot: &Snapshot, palette: Palette) {
    let area = frame.area();
    let room = Room::share(
        area.height,
        snapshot.strategies.len(),
        snapshot.positions.len(),
        snapshot.most_positions,
    );
    let mut below = header(frame, area, snapshot, room.chart.is_none(), palette);
    let mut part = |frame: &mut Frame<'_>, title: &str, lines: Option<u16>| {
        let lines = lines?;
        let taken = Rect { height: (lines + 1).min(below.height), ..below };
        below.y += taken.height;
        below.height -= taken.height;
        let title = Span::styled(format!(" {title} "), Style::new().not_dim());
        let block = Block::new().borders(Borders::TOP).border_style(palette.quiet()).title(title);
        let inner = indented(block.inner(taken));
        frame.render_widget(block, taken);
        Some(inner)
    };
    if let Some(area) = part(frame, "Equity", room.chart) {
        chart(frame, area, &snapshot.curve, palette);
    }
    if let Some(area) = part(frame, "Strategies", room.strategies) {
        frame.render_widget(text(lists::strategies(snapshot, area, palette)), area);
    }
    if let Some(area) = part(frame, "Positions", room.positions) {
        frame.render_widget(text(lists::positions(snapshot, area, palette)), area);
    }
    if let Some(area) = part(frame, "Orders", room.trades) {
        frame.render_widget(text(lists::trades(snapshot, area, palette)), area);
    }
    if let Some(area) = part(frame, "Refusals", room.refusals) {
        frame.render_widget(text(lists::refusals(snapshot, area, palette)), area);
    }
    if let Some(area) = part(frame, "Log", room.lines) {
        frame.render_widget(text(lists::log(snapshot, area, palette)), area);
    }
}

fn text(lines: Vec<Line<'static>>) -> Text<'static> {
    Text::from(lines)
}

/// A column free on either side.
fn indented(area: Rect) -> Rect {
    Rect { x: area.x + area.width.min(1), width: area.width.saturating_sub(2), ..area }
}

/// The account in two lines; gives the rest of the area.
fn header(frame: &mut Frame<'_>, area: Rect, snapshot: &Snapshot, curve: bool, palette: Palette) -> Rect {
    let inner = indented(area);
    let line = |number: u16| Rect {
        y: inner.y + number.min(inner.height),
        height: inner.height.saturating_sub(number).min(1),
        ..inner
    };

    let speed = match snapshot.speed {
        Speed::Max => "full speed".to_owned(),
        Speed::Times(times) => format!("{times}× speed"),
    };
    let mut market = vec![
        vec![
            Span::styled("Bulkhead", Style::new().bold()),
            Span::raw("  "),
            Span::styled("PAPER", Style::new().bold()),
        ],
        if snapshot.time == Timestamp::EPOCH {
            vec![Span::styled("no event yet", palette.quiet())]
        } else {
            vec![Span::raw(date_and_time(snapshot.time)), Span::styled(" UTC", palette.quiet())]
        },
        vec![Span::raw(speed)],
        vec![
            Span::raw(count(snapshot.bars)),
            Span::styled(" bars  ", palette.quiet()),
            Span::raw(rate(snapshot.bars_per_second)),
        ],
    ];
    let keys = match &snapshot.place {
        Some(place) => {
            let which = format!("{} of {}", place.number + 1, place.of);
            market.insert(
                1,
                vec![
                    Span::styled(place.account.replace(char::is_control, " "), Style::new().bold()),
                    Span::raw(" "),
                    Span::styled(which, palette.quiet()),
                ],
            );
            Line::styled("Tab next  q ends", palette.quiet())
        }
        None => Line::styled("q ends", palette.quiet()),
    };
    let (market, width) = joined(market, inner.width);
    frame.render_widget(market, line(0));
    if let Some(area) = right_of(line(0), width, u16::try_from(keys.width()).unwrap_or(u16::MAX)) {
        frame.render_widget(keys.right_aligned(), area);
    }

    // Rounding noise of an empty account may be below 0.
    let exposure = if snapshot.exposure > 0.0 { snapshot.exposure } else { 0.0 };
    let earned = snapshot.equity.saturating_sub(snapshot.started_with);
    let result = palette.result(earned);
    let mut account = vec![vec![
        Span::styled("equity ", palette.quiet()),
        Span::styled(grouped(snapshot.equity, 2), Style::new().bold()),
        Span::raw("  "),
        Span::styled(signed(earned, 2), result),
        Span::raw(" "),
        Span::styled(change(earned, snapshot.started_with), result),
    ]];
    let exposed =
        vec![Span::styled("exposure ", palette.quiet()), Span::raw(format!("{:.1}%", 100.0 * exposure))];
    account.extend(match &snapshot.halted {
        Some(reason) => [
            vec![
                Span::styled("HALTED ", palette.bad().bold()),
                Span::styled(reason.replace(char::is_control, " "), palette.bad()),
            ],
            exposed,
        ],
        None => [exposed, vec![Span::styled("not halted", palette.quiet())]],
    });
    let (account, width) = joined(account, inner.width);
    frame.render_widget(account, line(1));
    if curve && let Some(area) = right_of(line(1), width, NARROWEST_CURVE) {
        frame.render_widget(sparkline(&snapshot.curve, area, palette), area);
    }
    let used = HEADER.min(area.height);
    Rect { y: area.y + used, height: area.height - used, ..area }
}

/// As many of the groups as fit, and how wide they are; one that is not whole is cut.
fn joined(groups: Vec<Vec<Span<'static>>>, width: u16) -> (Line<'static>, u16) {
    let mut line = Line::default();
    for group in groups {
        let gap = if line.spans.is_empty() { 0 } else { 3 };
        let left = usize::from(width).saturating_sub(line.width() + gap);
        if left < group.first().map_or(0, Span::width) {
            break;
        }
        line.push_span(" ".repeat(gap));
        for span in group {
            let left = usize::from(width).saturating_sub(line.width());
            line.push_span(Span::styled(cut(&span.content, left), span.style));
        }
    }
    let used = u16::try_from(line.width()).unwrap_or(u16::MAX);
    (line, used)
}

/// What is right of so many columns and a gap, if it is wide enough.
fn right_of(area: Rect, columns: u16, least: u16) -> Option<Rect> {
    let taken = columns.saturating_add(3);
    let width = area.width.saturating_sub(taken);
    (width >= least).then(|| Rect { x: area.x + taken, width, ..area })
}

/// The equity over the whole run, with its ends named.
fn chart(frame: &mut Frame<'_>, area: Rect, curve: &[f64], palette: Palette) {
    let bound =
        |fold: fn(f64, f64) -> f64| curve.iter().copied().reduce(fold).and_then(Decimal::from_f64_retain);
    let (Some(highest), Some(lowest)) = (bound(f64::max), bound(f64::min)) else { return };
    let labels = [(area.y, highest), (area.bottom().saturating_sub(1), lowest)]
        .map(|(y, value)| (y, Line::styled(grouped(value, 2), palette.quiet()).right_aligned()));
    let width = labels.iter().map(|(_, label)| label.width()).max().unwrap_or(0);
    let width = u16::try_from(width).unwrap_or(u16::MAX).saturating_add(1).min(area.width);
    for (y, label) in labels {
        frame.render_widget(label, Rect { x: area.right() - width, y, width, height: 1 }.intersection(area));
    }
    let area = Rect { width: area.width - width, ..area };
    frame.render_widget(sparkline(curve, area, palette), area);
}

/// The curve over the whole width, its lowest value as the smallest bar.
fn sparkline(curve: &[f64], area: Rect, palette: Palette) -> Sparkline<'static> {
    let points = curve.len().min(usize::from(area.width));
    let value = |point: usize| curve[(point + 1) * curve.len() / points - 1];
    let (lowest, highest) = (0..points)
        .map(value)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    let top = f64::from(area.height.saturating_mul(8).max(1));
    let range = highest - lowest;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and the eighths of the lines"
    )]
    let bar = |value: f64| {
        let part = if range > 0.0 { (value - lowest) / range } else { 0.0 };
        (1.0 + part * (top - 1.0)) as u64
    };
    let bars: Vec<u64> = (0..points).map(value).map(bar).collect();
    Sparkline::default().data(bars).max(u64::from(area.height).saturating_mul(8)).style(palette.quiet())
}
