//! The figures of a run. `docs/metrics.md` has each formula and where it comes from.

use bulkhead_core::output::ClosedTrade;
use serde::Serialize;

use crate::amount::{Amount, Moment, finite, ratio};
use crate::calendar::Day;
use crate::equity::{EquityTrack, Fall};
use crate::recorder::{Activity, Recorder, benchmark};
use crate::returns::{DAYS_PER_YEAR, DailyReturn, Ratios};
use crate::statistics::seconds;

/// The figures of a run. Money is exact unless a field says that it was estimated; fractions are of one, so
/// 0.05 is 5 %. What is not defined is missing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metrics {
    /// When the first bar opened, or the first sample was taken.
    pub start: Option<Moment>,
    /// When the last sample was taken.
    pub end: Option<Moment>,
    /// Days from start to end, with their fraction.
    pub days: f64,
    /// What the account started with.
    pub initial_equity: Amount,
    /// What it ended with, open positions at their mark.
    pub final_equity: Amount,
    /// The difference.
    pub net_profit: Option<Amount>,
    /// Net profit as a fraction of the initial equity.
    pub total_return: Option<f64>,
    /// Compound annual growth rate; missing for less than a day.
    pub cagr: Option<f64>,
    /// Return of buying all instruments in equal parts at their first closes, and holding, without costs.
    pub buy_and_hold_return: Option<f64>,
    /// Annualised Sharpe ratio of daily returns.
    pub sharpe: Option<f64>,
    /// Annualised Sortino ratio of daily returns.
    pub sortino: Option<f64>,
    /// CAGR divided by the maximum drawdown.
    pub calmar: Option<f64>,
    /// Annualised standard deviation of daily returns.
    pub volatility: Option<f64>,
    /// The deepest fall from a peak, as a positive fraction of the peak; 0 when equity never fell.
    pub max_drawdown: f64,
    /// The particulars of that fall.
    pub drawdown: Option<Drawdown>,
    /// Longest time from a peak until equity was back there, or until the end.
    pub longest_drawdown_seconds: f64,
    /// Fraction of the time spent below the highest equity so far.
    pub time_under_water: Option<f64>,
    /// Time-weighted mean of the positions' value as a fraction of equity.
    pub exposure: Option<f64>,
    /// Fraction of the time with any position.
    pub time_in_market: Option<f64>,
    /// Orders that passed the risk gate.
    pub orders: u64,
    /// Orders that the venue rejected, or that failed there.
    pub orders_rejected: u64,
    /// Orders that were cancelled.
    pub orders_cancelled: u64,
    /// Orders whose time ran out.
    pub orders_expired: u64,
    /// Executions.
    pub fills: u64,
    /// Closed positions, or parts of positions.
    pub trades: u64,
    /// Trades with a profit after fees.
    pub wins: u64,
    /// Trades with a loss after fees.
    pub losses: u64,
    /// Wins as a fraction of trades.
    pub win_rate: Option<f64>,
    /// Sum of profits divided by sum of losses.
    pub profit_factor: Option<f64>,
    /// Mean profit of a trade.
    pub expectancy: Option<Amount>,
    /// Mean profit of the wins.
    pub average_win: Option<Amount>,
    /// Mean loss of the losses, as a positive amount.
    pub average_loss: Option<Amount>,
    /// The trade with the highest profit; the first of equals.
    pub best_trade: Option<NotableTrade>,
    /// The trade with the lowest profit; the first of equals.
    pub worst_trade: Option<NotableTrade>,
    /// The day with the highest return; the first of equals.
    pub best_day: Option<NotableDay>,
    /// The day with the lowest return; the first of equals.
    pub worst_day: Option<NotableDay>,
    /// Mean time from entry to exit.
    pub average_trade_seconds: Option<f64>,
    /// Most wins in a row, by exit.
    pub longest_win_streak: u64,
    /// Most losses in a row, by exit.
    pub longest_loss_streak: u64,
    /// Sum of the trades' profits after fees.
    pub realised_pnl: Option<Amount>,
    /// Profit of the positions that are still open.
    pub unrealised_pnl: Option<Amount>,
    /// Fees and gas of all executions, and charges.
    pub fees: Option<Amount>,
    /// The part of the fees that belongs to no execution, such as the gas of failed transactions.
    pub charges: Option<Amount>,
    /// Sum of price times quantity of all executions.
    pub turnover: Option<Amount>,
    /// Turnover as a multiple of the initial equity.
    pub turnover_ratio: Option<f64>,
    /// Proposals that the risk gate refused.
    pub refusals: u64,
    /// Faults of strategies.
    pub faults: u64,
}

/// A fall from a peak of equity. Amounts come from samples in binary fractions, to eight decimal places.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drawdown {
    /// Peak less trough.
    pub amount: Option<Amount>,
    /// Equity at the peak.
    pub peak_equity: Option<Amount>,
    /// The last moment at the peak.
    pub peak_time: Moment,
    /// Equity at the trough.
    pub trough_equity: Option<Amount>,
    /// When equity was lowest.
    pub trough_time: Moment,
    /// When equity was back at the peak; missing when that did not happen.
    pub recovery_time: Option<Moment>,
    /// From the peak to the recovery, or to the end.
    pub duration_seconds: f64,
    /// From the trough to the recovery.
    pub recovery_seconds: Option<f64>,
}

/// A trade worth mentioning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotableTrade {
    /// Whose.
    pub strategy: String,
    /// In what.
    pub symbol: String,
    /// When the position was opened.
    pub entry_time: Moment,
    /// When it was closed.
    pub exit_time: Moment,
    /// Profit after fees.
    pub pnl: Amount,
}

/// A day worth mentioning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NotableDay {
    /// The day in UTC.
    pub date: Day,
    /// Its return.
    #[serde(rename = "return")]
    pub value: f64,
}

impl Metrics {
    /// The figures of a run that ended with this equity, of which `unrealised` is in open positions.
    pub(crate) fn new(
        recorder: &Recorder,
        days: &[DailyReturn],
        equity: rust_decimal::Decimal,
        unrealised: Option<rust_decimal::Decimal>,
    ) -> Self {
        let (track, account, trades) = (&recorder.equity, &recorder.account, &recorder.account.trades);
        let initial = recorder.settings.initial_equity.0;
        let growth = equity.checked_div(initial).map(|growth| Amount(growth).approximate());
        let elapsed = seconds(track.elapsed());
        let elapsed_days = elapsed / 86_400.0;
        let cagr =
            growth.filter(|_| elapsed_days >= 1.0).and_then(|growth| annual_growth(growth, elapsed_days));
        let ratios = Ratios::of(days);
        let max_drawdown = track.deepest().map_or(0.0, |fall| fall.depth);
        let traded = recorder.instruments.values().any(|instrument| instrument.candles.bars() > 0);
        Self {
            start: track.start().map(Moment),
            end: track.start().map(|_| Moment(track.end())),
            days: elapsed_days,
            initial_equity: Amount(initial),
            final_equity: Amount(equity),
            net_profit: equity.checked_sub(initial).map(Amount),
            total_return: growth.map(|growth| growth - 1.0),
            cagr,
            buy_and_hold_return: traded.then(|| benchmark(&recorder.instruments) - 1.0).and_then(finite),
            sharpe: ratios.sharpe,
            sortino: ratios.sortino,
            calmar: cagr.and_then(|cagr| ratio(cagr, max_drawdown)),
            volatility: ratios.volatility,
            max_drawdown,
            drawdown: track.deepest().map(|fall| Drawdown::new(fall, track)),
            longest_drawdown_seconds: seconds(track.longest_fall()),
            time_under_water: ratio(seconds(track.under_water()), elapsed),
            exposure: ratio(track.exposure_time() / 1e9, elapsed),
            time_in_market: ratio(seconds(track.invested()), elapsed),
            orders: account.orders,
            orders_rejected: account.rejected,
            orders_cancelled: account.cancelled,
            orders_expired: account.expired,
            fills: account.fills,
            trades: trades.count,
            wins: trades.wins,
            losses: trades.losses,
            win_rate: trades.win_rate(),
            profit_factor: trades.profit_factor(),
            expectancy: trades.expectancy(),
            average_win: trades.average_win(),
            average_loss: trades.average_loss(),
            best_trade: first_extreme(&recorder.trades, |a, b| a.pnl > b.pnl).map(|t| recorder.notable(t)),
            worst_trade: first_extreme(&recorder.trades, |a, b| a.pnl < b.pnl).map(|t| recorder.notable(t)),
            best_day: first_extreme(days, |a, b| a.value > b.value).map(NotableDay::new),
            worst_day: first_extreme(days, |a, b| a.value < b.value).map(NotableDay::new),
            average_trade_seconds: trades.average_seconds(),
            longest_win_streak: trades.longest_win_streak(),
            longest_loss_streak: trades.longest_loss_streak(),
            realised_pnl: trades.pnl.amount(),
            unrealised_pnl: unrealised.map(Amount),
            fees: account.fees.amount(),
            charges: account.charges.amount(),
            turnover: account.turnover.amount(),
            turnover_ratio: account
                .turnover
                .approximate()
                .and_then(|turnover| ratio(turnover, Amount(initial).approximate())),
            refusals: refusals(account),
            faults: account.faults,
        }
    }
}

impl Drawdown {
    fn new(fall: &Fall, track: &EquityTrack) -> Self {
        let until = |end: bulkhead_core::time::Timestamp, start| seconds(end.since(start).nanos());
        Self {
            amount: Amount::estimated(fall.peak - fall.trough),
            peak_equity: Amount::estimated(fall.peak),
            peak_time: Moment(fall.peak_time),
            trough_equity: Amount::estimated(fall.trough),
            trough_time: Moment(fall.trough_time),
            recovery_time: fall.recovery_time.map(Moment),
            duration_seconds: until(fall.recovery_time.unwrap_or(track.end()), fall.peak_time),
            recovery_seconds: fall.recovery_time.map(|recovery| until(recovery, fall.trough_time)),
        }
    }
}

impl NotableDay {
    fn new(day: &DailyReturn) -> Self {
        Self { date: day.day, value: day.value }
    }
}

impl Recorder {
    fn notable(&self, trade: &ClosedTrade) -> NotableTrade {
        NotableTrade {
            strategy: self.strategy_name(trade.strategy).to_string(),
            symbol: self.symbol(trade.instrument).to_string(),
            entry_time: Moment(trade.entry_time),
            exit_time: Moment(trade.exit_time),
            pnl: Amount(trade.pnl.0),
        }
    }
}

/// Refused proposals of all codes.
pub(crate) fn refusals(activity: &Activity) -> u64 {
    activity.refusals.values().sum()
}

/// The rate that, compounded over years of 365 days, gives this growth. A platform's own `pow` may differ in
/// the last digit, so the portable one is used.
fn annual_growth(growth: f64, days: f64) -> Option<f64> {
    if growth < 0.0 { None } else { finite(libm::pow(growth, DAYS_PER_YEAR / days) - 1.0) }
}

fn first_extreme<T>(items: &[T], beats: impl Fn(&T, &T) -> bool) -> Option<&T> {
    items.iter().reduce(|best, next| if beats(next, best) { next } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_compounds_over_a_year_of_365_days() {
        assert!((annual_growth(1.21, 730.0).unwrap() - 0.1).abs() < 1e-12);
        assert!((annual_growth(1.1, 182.5).unwrap() - 0.21).abs() < 1e-12);
        assert_eq!(annual_growth(0.0, 10.0), Some(-1.0));
        assert_eq!(annual_growth(-0.1, 10.0), None);
        assert_eq!(annual_growth(1e300, 1.0), None);
    }

    #[test]
    fn of_equals_the_first_is_named() {
        assert_eq!(first_extreme(&[(1, 'a'), (3, 'b'), (3, 'c')], |a, b| a.0 > b.0), Some(&(3, 'b')));
    }
}
