//! The figures that people are shown, with their names, in the order in which they are read. The terminal
//! and the page show the same.

use crate::document::Report;
use crate::format::{
    MISSING, Tone, count, duration, minute, money, number, or_missing, percent, signed_money, signed_percent,
};
use crate::metrics::{Metrics, NotableDay, NotableTrade};

/// A figure with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Figure {
    pub(crate) label: &'static str,
    pub(crate) value: String,
    pub(crate) tone: Tone,
}

/// Figures that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) figures: Vec<Figure>,
}

fn plain(label: &'static str, value: String) -> Figure {
    Figure { label, value, tone: Tone::Neutral }
}

fn toned(label: &'static str, value: String, tone: Tone) -> Figure {
    Figure { label, value, tone }
}

fn signed_fraction(label: &'static str, value: Option<f64>) -> Figure {
    toned(label, or_missing(value, signed_percent), Tone::of_number(value))
}

/// All figures of a run in four groups.
pub(crate) fn groups(report: &Report) -> [Group; 4] {
    let metrics = &report.metrics;
    [
        Group { title: "Result", figures: result(metrics) },
        Group { title: "Risk", figures: risk(metrics) },
        Group { title: "Trades", figures: trades(report) },
        Group { title: "Activity", figures: activity(metrics) },
    ]
}

fn result(metrics: &Metrics) -> Vec<Figure> {
    let net = metrics.net_profit;
    vec![
        plain("Initial equity", money(metrics.initial_equity)),
        plain("Final equity", money(metrics.final_equity)),
        toned("Net profit", or_missing(net, signed_money), Tone::of_amount(net)),
        signed_fraction("Total return", metrics.total_return),
        signed_fraction("CAGR", metrics.cagr),
        signed_fraction("Buy and hold", metrics.buy_and_hold_return),
        day("Best day", metrics.best_day.as_ref()),
        day("Worst day", metrics.worst_day.as_ref()),
        plain("Exposure", or_missing(metrics.exposure, percent)),
        plain("Time in market", or_missing(metrics.time_in_market, percent)),
    ]
}

fn risk(metrics: &Metrics) -> Vec<Figure> {
    let depth = if metrics.max_drawdown > 0.0 { Tone::Loss } else { Tone::Neutral };
    let drawdown = metrics.drawdown.as_ref();
    let recovery = match drawdown {
        None => MISSING.to_owned(),
        Some(drawdown) => drawdown.recovery_time.map_or_else(|| "not recovered".to_owned(), minute),
    };
    vec![
        plain("Sharpe", or_missing(metrics.sharpe, number)),
        plain("Sortino", or_missing(metrics.sortino, number)),
        plain("Calmar", or_missing(metrics.calmar, number)),
        plain("Volatility", or_missing(metrics.volatility, percent)),
        toned("Max drawdown", signed_percent(-metrics.max_drawdown), depth),
        toned("Max drawdown, amount", or_missing(drawdown.and_then(|d| d.amount), money), depth),
        plain("Peak", or_missing(drawdown, |d| minute(d.peak_time))),
        plain("Trough", or_missing(drawdown, |d| minute(d.trough_time))),
        plain("Recovery", recovery),
        plain("Drawdown lasted", or_missing(drawdown, |d| duration(d.duration_seconds))),
        plain("Longest drawdown", duration(metrics.longest_drawdown_seconds)),
        plain("Time under water", or_missing(metrics.time_under_water, percent)),
    ]
}

/// Trades that were entered by buying and by selling.
fn long_and_short(report: &Report) -> String {
    report.directions.iter().map(|row| count(row.trades)).collect::<Vec<_>>().join(" / ")
}

fn trades(report: &Report) -> Vec<Figure> {
    let metrics = &report.metrics;
    let streaks = format!("{} / {}", count(metrics.longest_win_streak), count(metrics.longest_loss_streak));
    vec![
        plain("Trades", count(metrics.trades)),
        plain("Long / short", long_and_short(report)),
        plain("Wins / losses", format!("{} / {}", count(metrics.wins), count(metrics.losses))),
        plain("Win rate", or_missing(metrics.win_rate, percent)),
        plain("Profit factor", or_missing(metrics.profit_factor, number)),
        toned(
            "Expectancy",
            or_missing(metrics.expectancy, signed_money),
            Tone::of_amount(metrics.expectancy),
        ),
        plain("Average win", or_missing(metrics.average_win, money)),
        plain("Average loss", or_missing(metrics.average_loss, money)),
        trade("Best trade", metrics.best_trade.as_ref()),
        trade("Worst trade", metrics.worst_trade.as_ref()),
        plain("Average duration", or_missing(metrics.average_trade_seconds, duration)),
        plain("Streaks, won / lost", streaks),
    ]
}

fn activity(metrics: &Metrics) -> Vec<Figure> {
    let (realised, open) = (metrics.realised_pnl, metrics.unrealised_pnl);
    vec![
        plain("Orders", count(metrics.orders)),
        plain("Fills", count(metrics.fills)),
        plain("Orders rejected", count(metrics.orders_rejected)),
        plain("Orders cancelled", count(metrics.orders_cancelled)),
        plain("Orders expired", count(metrics.orders_expired)),
        plain("Proposals refused", count(metrics.refusals)),
        plain("Strategy faults", count(metrics.faults)),
        toned("Realised profit", or_missing(realised, signed_money), Tone::of_amount(realised)),
        toned("Open profit", or_missing(open, signed_money), Tone::of_amount(open)),
        plain("Fees", or_missing(metrics.fees, money)),
        plain("Turnover", or_missing(metrics.turnover, money)),
        plain("Turnover / equity", or_missing(metrics.turnover_ratio, |ratio| format!("{}×", number(ratio)))),
    ]
}

fn day(label: &'static str, day: Option<&NotableDay>) -> Figure {
    let text = or_missing(day, |day| format!("{}  {}", day.date, signed_percent(day.value)));
    toned(label, text, Tone::of_number(day.map(|day| day.value)))
}

fn trade(label: &'static str, trade: Option<&NotableTrade>) -> Figure {
    let pnl = trade.map(|trade| trade.pnl);
    toned(label, or_missing(pnl, signed_money), Tone::of_amount(pnl))
}

/// "sma-crossover on BTC-USD".
pub(crate) fn subject(report: &Report) -> String {
    let strategies: Vec<&str> = report.per_strategy.iter().map(|row| &*row.strategy).collect();
    let instruments: Vec<&str> = report.instruments.iter().map(|row| &*row.symbol).collect();
    format!("{} on {}", list(&strategies, "strategies"), list(&instruments, "instruments"))
}

/// Up to four names, else how many there are.
fn list(names: &[&str], kind: &str) -> String {
    match names {
        [] => format!("no {kind}"),
        [only] => (*only).to_owned(),
        [first @ .., last] if names.len() <= 4 => format!("{} and {last}", first.join(", ")),
        many => format!("{} {kind}", many.len()),
    }
}

/// "2021-12-31 23:01 to 2022-01-31 23:59 UTC".
pub(crate) fn period(report: &Report) -> String {
    match (report.metrics.start, report.metrics.end) {
        (Some(start), Some(end)) => format!("{} to {} UTC", minute(start), minute(end)),
        _ => "nothing happened".to_owned(),
    }
}

/// The months of a year in a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Year {
    pub(crate) year: i16,
    pub(crate) months: [Option<f64>; 12],
    /// The months chained.
    pub(crate) total: Option<f64>,
}

/// Monthly returns as one row a year.
pub(crate) fn years(report: &Report) -> Vec<Year> {
    let mut years: Vec<Year> = Vec::new();
    for row in &report.monthly {
        if years.last().is_none_or(|year| year.year != row.month.year) {
            years.push(Year { year: row.month.year, months: [None; 12], total: Some(0.0) });
        }
        let place = usize::try_from(row.month.month - 1).unwrap_or(0);
        if let (Some(year), Some(value)) = (years.last_mut(), row.value) {
            if let Some(month) = year.months.get_mut(place) {
                *month = Some(value);
            }
            year.total = year.total.map(|total| (1.0 + total) * (1.0 + value) - 1.0);
        }
    }
    years
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_while_they_are_few() {
        assert_eq!(list(&[], "strategies"), "no strategies");
        assert_eq!(list(&["a"], "strategies"), "a");
        assert_eq!(list(&["a", "b", "c"], "strategies"), "a, b and c");
        assert_eq!(list(&["a", "b", "c", "d", "e"], "instruments"), "5 instruments");
    }
}
