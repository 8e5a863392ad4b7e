//! Daily returns and the ratios made from them. Days are calendar days of UTC: one without a sample repeats
//! the close before it, so that 365 of them make a year.

use crate::amount::{finite, ratio};
use crate::calendar::{Day, Month};
use crate::equity::DayClose;

/// Days that make a year: markets of this kind never close.
pub(crate) const DAYS_PER_YEAR: f64 = 365.0;

/// One calendar day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DailyReturn {
    pub(crate) day: Day,
    pub(crate) equity: f64,
    pub(crate) value: f64,
}

/// One month.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct MonthlyReturn {
    pub(crate) month: Month,
    pub(crate) start_equity: f64,
    pub(crate) end_equity: f64,
}

/// The returns of all calendar days from the first close to the last; nothing when equity was not positive,
/// as there are no returns on nothing.
pub(crate) fn daily(initial: f64, closes: &[DayClose]) -> Option<Vec<DailyReturn>> {
    let mut returns: Vec<DailyReturn> = Vec::with_capacity(closes.len());
    let mut before = initial;
    for close in closes {
        if let Some(last) = returns.last().copied() {
            let missing = last.day.0 + 1..close.day.0;
            returns.extend(missing.map(|day| DailyReturn { day: Day(day), value: 0.0, ..last }));
        }
        if before <= 0.0 {
            return None;
        }
        returns.push(DailyReturn {
            day: close.day,
            equity: close.equity,
            value: close.equity / before - 1.0,
        });
        before = close.equity;
    }
    Some(returns)
}

/// From the close of the month before to the last close of the month.
pub(crate) fn monthly(initial: f64, days: &[DailyReturn]) -> Vec<MonthlyReturn> {
    let mut months: Vec<MonthlyReturn> = Vec::new();
    let mut before = initial;
    for day in days {
        let month = day.day.month();
        match months.last_mut() {
            Some(last) if last.month == month => last.end_equity = day.equity,
            _ => months.push(MonthlyReturn { month, start_equity: before, end_equity: day.equity }),
        }
        before = day.equity;
    }
    months
}

/// Ratios of daily returns, a year's worth each; the risk-free rate is taken as zero.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Ratios {
    pub(crate) sharpe: Option<f64>,
    pub(crate) sortino: Option<f64>,
    pub(crate) volatility: Option<f64>,
}

/// Spread of returns that is rounding, relative to their mean.
const ROUNDING: f64 = 1e-12;

impl Ratios {
    pub(crate) fn of(days: &[DailyReturn]) -> Self {
        if days.len() < 2 {
            return Self::default();
        }
        #[expect(clippy::cast_precision_loss, reason = "days are few")]
        let count = days.len() as f64;
        let mean = days.iter().map(|day| day.value).sum::<f64>() / count;
        let squares: f64 = days.iter().map(|day| (day.value - mean) * (day.value - mean)).sum();
        let downside_squares: f64 = days.iter().map(|day| day.value.min(0.0) * day.value.min(0.0)).sum();
        let deviation = (squares / (count - 1.0)).sqrt();
        let downside = (downside_squares / count).sqrt();
        let year = DAYS_PER_YEAR.sqrt();
        let annual = |risk: f64| {
            if risk <= mean.abs() * ROUNDING { None } else { ratio(mean, risk).map(|daily| daily * year) }
        };
        Self { sharpe: annual(deviation), sortino: annual(downside), volatility: finite(deviation * year) }
    }
}

/// Days that a rolling ratio looks back over.
const ROLLING_DAYS: usize = 30;

/// For each day the Sharpe ratio of the thirty days that end with it; missing for the first twenty-nine.
pub(crate) fn rolling_sharpe(days: &[DailyReturn]) -> Vec<Option<f64>> {
    let unknown = days.len().min(ROLLING_DAYS - 1);
    let known = days.windows(ROLLING_DAYS).map(|window| Ratios::of(window).sharpe);
    std::iter::repeat_n(None, unknown).chain(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closes(values: &[(i32, f64)]) -> Vec<DayClose> {
        values.iter().map(|&(day, equity)| DayClose { day: Day(day), equity }).collect()
    }

    fn close_to(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        assert!((found - expected).abs() < 1e-9 * expected.abs(), "{found} is not {expected}");
    }

    /// Expected values by hand: returns +10 %, −10 %, +20 %; mean 1/15; sample deviation √(7/300).
    #[test]
    fn ratios_follow_their_formulas() {
        let days = daily(100.0, &closes(&[(0, 110.0), (1, 99.0), (2, 118.8)])).unwrap();
        let ratios = Ratios::of(&days);
        let mean = 0.2 / 3.0;
        let deviation =
            (((0.1_f64 - mean).powi(2) + (-0.1 - mean).powi(2) + (0.2 - mean).powi(2)) / 2.0).sqrt();
        assert!((deviation - (7.0_f64 / 300.0).sqrt()).abs() < 1e-12);
        close_to(ratios.sharpe, (1.0 / 15.0) / (7.0_f64 / 300.0).sqrt() * 365.0_f64.sqrt());
        close_to(ratios.sortino, (1.0 / 15.0) / (0.01_f64 / 3.0).sqrt() * 365.0_f64.sqrt());
        close_to(ratios.volatility, (7.0_f64 / 300.0).sqrt() * 365.0_f64.sqrt());
    }

    #[test]
    fn days_without_a_sample_have_no_return() {
        let days = daily(100.0, &closes(&[(0, 110.0), (3, 121.0)])).unwrap();
        let values: Vec<f64> = days.iter().map(|day| (day.value * 1e9).round() / 1e9).collect();
        assert_eq!(values, [0.1, 0.0, 0.0, 0.1]);
    }

    #[test]
    fn what_is_not_defined_is_missing() {
        let one = daily(100.0, &closes(&[(0, 110.0)])).unwrap();
        assert_eq!(Ratios::of(&one), Ratios::default());
        let flat = daily(100.0, &closes(&[(0, 100.0), (1, 100.0)])).unwrap();
        assert_eq!((Ratios::of(&flat).sharpe, Ratios::of(&flat).sortino), (None, None));
        let rising = daily(100.0, &closes(&[(0, 110.0), (1, 121.0), (2, 133.1)])).unwrap();
        assert_eq!((Ratios::of(&rising).sharpe, Ratios::of(&rising).sortino), (None, None));
        assert_eq!(daily(100.0, &closes(&[(0, -1.0), (1, 5.0)])), None);
    }

    #[test]
    fn a_rolling_ratio_is_that_of_its_window() {
        let growth = |day: i32| 100.0 + f64::from(day % 7) + f64::from(day);
        let values: Vec<(i32, f64)> = (0..40).map(|day| (day, growth(day))).collect();
        let days = daily(100.0, &closes(&values)).unwrap();
        let rolling = rolling_sharpe(&days);
        assert_eq!(rolling.len(), days.len());
        assert!(rolling[..29].iter().all(Option::is_none));
        assert_eq!(rolling[29], Ratios::of(&days[..30]).sharpe);
        assert_eq!(rolling[39], Ratios::of(&days[10..]).sharpe);
        assert!(rolling[29].is_some() && rolling[29] != rolling[39]);
        assert_eq!(rolling_sharpe(&days[..5]), [None; 5]);
    }

    #[test]
    fn months_chain() {
        // 1970-01-30, -31, 1970-02-01, 1970-03-01.
        let days = daily(100.0, &closes(&[(29, 110.0), (30, 120.0), (31, 60.0), (59, 90.0)])).unwrap();
        let months: Vec<(String, f64, f64)> = monthly(100.0, &days)
            .iter()
            .map(|m| (m.month.to_string(), m.start_equity, m.end_equity))
            .collect();
        assert_eq!(
            months,
            [
                ("1970-01".to_owned(), 100.0, 120.0),
                ("1970-02".to_owned(), 120.0, 60.0),
                ("1970-03".to_owned(), 60.0, 90.0)
            ]
        );
    }
}
