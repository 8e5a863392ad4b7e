//! Tables whose columns are as wide as what they hold, and which leave out the less important ones where
//! there is no room.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// One column.
pub(super) struct Column {
    heading: &'static str,
    cells: Vec<Span<'static>>,
    numeric: bool,
    least: usize,
    /// May be cut down to `least`.
    elastic: bool,
    /// Left out before columns of higher importance.
    importance: u8,
}

/// Never left out.
pub(super) const ESSENTIAL: u8 = u8::MAX;

impl Column {
    /// Text, flush left.
    pub(super) fn text(heading: &'static str, importance: u8, cells: Vec<Span<'static>>) -> Self {
        Self { heading, cells, numeric: false, least: 0, elastic: false, importance }
    }

    /// Numbers, flush right.
    pub(super) fn numbers(heading: &'static str, importance: u8, cells: Vec<Span<'static>>) -> Self {
        Self { numeric: true, ..Self::text(heading, importance, cells) }
    }

    /// At least this wide, so that the table stands still while its numbers change.
    pub(super) fn at_least(self, width: usize) -> Self {
        Self { least: width, ..self }
    }

    /// May be cut down to this width; what is longer ends in "…".
    pub(super) fn elastic(self, least: usize) -> Self {
        Self { least, elastic: true, ..self }
    }

    fn natural(&self) -> usize {
        let cells = self.cells.iter().map(Span::width).max().unwrap_or(0);
        cells.max(Span::raw(self.heading).width()).max(self.least)
    }

    fn narrowest(&self) -> usize {
        if self.elastic { self.least.min(self.natural()) } else { self.natural() }
    }

    fn cell(&self, row: usize) -> Span<'static> {
        self.cells.get(row).cloned().unwrap_or_default()
    }
}

/// The table's lines, each as wide as `width` at most: the headings in their style, then the cells.
pub(super) fn table(mut columns: Vec<Column>, width: usize, headings: Option<Style>) -> Vec<Line<'static>> {
    let needed = |columns: &[Column]| {
        columns.iter().map(Column::narrowest).sum::<usize>() + columns.len().saturating_sub(1)
    };
    while needed(&columns) > width {
        let least = columns
            .iter()
            .enumerate()
            .filter(|(_, column)| column.importance != ESSENTIAL)
            .min_by_key(|(_, column)| column.importance)
            .map(|(place, _)| place);
        match least {
            Some(place) => drop(columns.remove(place)),
            None => break,
        }
    }
    let mut widths: Vec<usize> = columns.iter().map(Column::narrowest).collect();
    let mut spare = width.saturating_sub(needed(&columns));
    for (column, width) in columns.iter().zip(&mut widths) {
        let wanted = column.natural().saturating_sub(*width).min(spare);
        *width += wanted;
        spare -= wanted;
    }
    let gaps = columns.len().saturating_sub(1);
    let gap = " ".repeat(1 + spare.checked_div(gaps).unwrap_or(0).min(2));

    let row = |cell: &dyn Fn(&Column) -> Span<'static>| {
        let mut spans = Vec::with_capacity(2 * columns.len());
        for (place, (column, width)) in columns.iter().zip(&widths).enumerate() {
            if place > 0 {
                spans.push(Span::raw(gap.clone()));
            }
            spans.push(fitted(&cell(column), *width, column.numeric));
        }
        Line::from(spans)
    };
    let rows = columns.iter().map(|column| column.cells.len()).max().unwrap_or(0);
    let heading = headings.map(|style| row(&|column| Span::styled(column.heading, style)));
    heading.into_iter().chain((0..rows).map(|number| row(&|column| column.cell(number)))).collect()
}

/// The text cut and padded to the width.
fn fitted(span: &Span<'static>, width: usize, flush_right: bool) -> Span<'static> {
    let text = cut(&span.content, width);
    let padding = " ".repeat(width.saturating_sub(Span::raw(&text).width()));
    let text = if flush_right { padding + &text } else { text + &padding };
    Span::styled(text, span.style)
}

/// The text if it fits, else its beginning and "…".
pub(super) fn cut(text: &str, width: usize) -> String {
    if Span::raw(text).width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for character in text.chars() {
        used += Span::raw(character.to_string()).width();
        if used > width {
            break;
        }
        kept.push(character);
    }
    if width > 0 {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(texts: &[&str]) -> Vec<Span<'static>> {
        texts.iter().map(|text| Span::raw((*text).to_owned())).collect()
    }

    fn columns() -> Vec<Column> {
        vec![
            Column::text("name", ESSENTIAL, cells(&["sma-crossover", "a"])).elastic(6),
            Column::text("version", 1, cells(&["0.1.0", "12.0.3"])),
            Column::numbers("pnl", ESSENTIAL, cells(&["+1.00", "-12.50"])),
        ]
    }

    fn shown(width: usize) -> Vec<String> {
        table(columns(), width, Some(Style::new())).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn wide_tables_have_wide_gaps_up_to_a_limit() {
        assert_eq!(
            shown(80),
            [
                "name            version      pnl",
                "sma-crossover   0.1.0      +1.00",
                "a               12.0.3    -12.50"
            ]
        );
    }

    #[test]
    fn elastic_columns_give_way_first_and_unimportant_ones_go_next() {
        assert_eq!(shown(21), ["name   version    pnl", "sma-c… 0.1.0    +1.00", "a      12.0.3  -12.50"]);
        assert_eq!(shown(20), ["name             pnl", "sma-crossover  +1.00", "a             -12.50"]);
        assert_eq!(shown(3), ["name      pnl", "sma-c…  +1.00", "a      -12.50"]);
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(cut("策略策略", 8), "策略策略");
        assert_eq!(cut("策略策略", 6), "策略…");
        assert_eq!(cut("abc", 0), "");
    }
}
