use bulkhead_sdk::indicators::Sma;
use bulkhead_sdk::state;

use crate::row::{Row, log_ratio};
use crate::scale::Step;
use crate::table::Name;

/// Longer runs are as good as this one.
const LONGEST_STREAK: i32 = 10;

/// The shape of single bars.
#[state]
#[derive(Debug, Clone)]
pub(crate) struct Candle {
    bodies: Sma,
    /// Bars in a row that closed higher; negative for lower.
    streak: i32,
}

impl Candle {
    pub(crate) fn new() -> Self {
        Self { bodies: Sma::new(5), streak: 0 }
    }

    pub(crate) fn update(&mut self, step: &Step, row: &mut Row) {
        let share = |part: f64| step.range().map_or(0.0, |range| part / range);
        let body = share(step.close - step.open);
        row.set(Name::Body, body);
        row.set(Name::UpperWick, share(step.high - step.open.max(step.close)));
        row.set(Name::LowerWick, share(step.open.min(step.close) - step.low));
        row.set_known(Name::BodyMean5, self.bodies.update(body));
        row.set_known(Name::RangeRatio, step.atr.and_then(|atr| log_ratio(step.high - step.low, atr)));
        let gap = step.last_close.map(|last| libm::log(step.open / last));
        row.set_known(Name::Gap, step.in_usual(gap, 1.0));

        self.streak = match step.log_return {
            Some(change) if change > 0.0 => (self.streak.max(0) + 1).min(LONGEST_STREAK),
            Some(change) if change < 0.0 => (self.streak.min(0) - 1).max(-LONGEST_STREAK),
            _ => 0,
        };
        row.set(Name::Streak, f64::from(self.streak) / 5.0);
    }
}
