//! The charts' data, as JSON inside the page.

use bulkhead_core::time::Span;
use serde::Serialize;

use crate::amount::Moment;
use crate::document::{InstrumentChart, Report};

/// Trades that are marked on the candles of all instruments together.
const MARKED_TRADES: usize = 20_000;

/// Digits that a chart can make use of.
const DIGITS: usize = 8;

#[derive(Serialize)]
struct Data<'a> {
    equity: Equity,
    instruments: Vec<Instrument<'a>>,
}

/// Columns of equal length; times are seconds since the epoch.
#[derive(Default, Serialize)]
struct Equity {
    time: Vec<i64>,
    equity: Vec<f64>,
    /// Equity by its highest value so far, less one.
    drawdown: Vec<f64>,
    benchmark: Vec<Option<f64>>,
    /// Of the last day that was over.
    rolling_sharpe: Vec<Option<f64>>,
}

#[derive(Serialize)]
struct Instrument<'a> {
    symbol: &'a str,
    interval: String,
    time: Vec<i64>,
    open: Vec<f64>,
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
    volume: Vec<f64>,
    /// Number of the slot, seconds of entry and exit, profit.
    trades: Vec<(usize, i64, i64, f64)>,
}

/// The data as JSON that can't end the element it stands in.
pub(super) fn data(report: &Report) -> String {
    let instruments = report.charts.instruments.iter().map(|chart| instrument(report, chart)).collect();
    let data = Data { equity: equity(report), instruments };
    // Serialising plain columns to a string can't fail.
    serde_json::to_string(&data).unwrap_or_default().replace('<', "\\u003c").replace('>', "\\u003e")
}

fn equity(report: &Report) -> Equity {
    let initial = report.charts.initial;
    let mut peak = initial;
    let mut columns = Equity::default();
    for point in &report.charts.points {
        peak = peak.max(point.equity);
        columns.time.push(point.time);
        columns.equity.push(rounded(point.equity));
        columns.drawdown.push(if peak > 0.0 { rounded(point.equity / peak - 1.0) } else { 0.0 });
        columns.rolling_sharpe.push(rolling_sharpe(report, point.time).map(rounded));
        columns.benchmark.push(point.benchmark.map(|growth| rounded(growth * initial)));
    }
    columns
}

/// The rolling ratio of the last day that was over at a time in seconds.
fn rolling_sharpe(report: &Report, time: i64) -> Option<f64> {
    let first = i64::from(report.daily.first()?.date.0);
    let over = time.div_euclid(Span::DAY.seconds()) - 1;
    report.daily.get(usize::try_from(over.checked_sub(first)?).ok()?)?.rolling_sharpe
}

fn instrument<'a>(report: &Report, chart: &'a InstrumentChart) -> Instrument<'a> {
    let column = |value: fn(&crate::candles::Candle) -> f64| {
        chart.candles.iter().map(|candle| rounded(value(candle))).collect::<Vec<f64>>()
    };
    let seconds = |moment: Moment| moment.0.seconds();
    let slot = |name: &str| report.per_strategy.iter().position(|row| &*row.strategy == name);
    let trades = report.trades.iter().take(MARKED_TRADES).filter(|trade| trade.symbol == chart.symbol);
    Instrument {
        symbol: &chart.symbol,
        interval: chart.interval.to_string(),
        time: chart.candles.iter().map(|candle| candle.open_time.seconds()).collect(),
        open: column(|candle| candle.open),
        high: column(|candle| candle.high),
        low: column(|candle| candle.low),
        close: column(|candle| candle.close),
        volume: column(|candle| candle.volume),
        trades: trades
            .filter_map(|trade| {
                let pnl = rounded(trade.pnl.approximate());
                Some((slot(&trade.strategy)?, seconds(trade.entry_time), seconds(trade.exit_time), pnl))
            })
            .collect(),
    }
}

/// Cut to the digits that a chart can show: the page is a good deal smaller for it.
fn rounded(value: f64) -> f64 {
    format!("{value:.*e}", DIGITS - 1).parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_eight_digits() {
        assert_eq!(rounded(46_319.123_456).to_bits(), 46_319.123_f64.to_bits());
        assert_eq!(rounded(0.000_012_345_678_9).to_bits(), 0.000_012_345_679_f64.to_bits());
        assert_eq!(rounded(0.0).to_bits(), 0.0_f64.to_bits());
    }
}
