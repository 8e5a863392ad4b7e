//! How equity grew by trading. What the owner brought or took away meanwhile is no gain and no loss, so each stretch
//! between two of these counts by its ratio alone: this is the time-weighted return.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

/// The way of a unit of equity from the first point on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Growth {
    /// What the unit was worth when something was brought or taken last, and the equity after that.
    since: Option<(Decimal, Decimal)>,
    worth: Decimal,
    peak: Decimal,
    deepest: f64,
}

impl Default for Growth {
    fn default() -> Self {
        Self { since: None, worth: Decimal::ONE, peak: Decimal::ONE, deepest: 0.0 }
    }
}

impl Growth {
    /// The next point. `brought` is what the owner brought since the one before it, or took away when negative; before
    /// the first point it does not matter.
    pub(super) fn follow(&mut self, equity: Decimal, brought: Decimal) {
        let Some((worth, from)) = self.since else {
            self.since = Some((self.worth, equity));
            return;
        };
        let earned = equity.checked_sub(brought);
        // Of nothing there is no ratio.
        let grown = earned.and_then(|earned| worth.checked_mul(earned)?.checked_div(from));
        self.worth = grown.unwrap_or(self.worth);
        if !brought.is_zero() || from.is_zero() {
            self.since = Some((self.worth, equity));
        }
        self.peak = self.peak.max(self.worth);
        let fall = self.peak.checked_sub(self.worth).and_then(|fall| fall.checked_div(self.peak)?.to_f64());
        self.deepest = self.deepest.max(fall.unwrap_or_default());
    }

    /// By which part it grew; `None` before there is a point.
    pub(super) fn total_return(&self) -> Option<f64> {
        self.since?;
        self.worth.checked_sub(Decimal::ONE)?.to_f64()
    }

    /// The deepest fall from a peak, as a part of the peak; `None` before there is a point.
    pub(super) fn max_drawdown(&self) -> Option<f64> {
        self.since.map(|_| self.deepest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(points: &[(i64, i64)]) -> (f64, f64) {
        let mut growth = Growth::default();
        for (equity, brought) in points {
            growth.follow(Decimal::from(*equity), Decimal::from(*brought));
        }
        (growth.total_return().unwrap(), growth.max_drawdown().unwrap())
    }

    #[test]
    fn without_anything_brought_it_is_the_last_point_over_the_first() {
        assert_eq!(Growth::default().total_return(), None);
        assert_eq!(after(&[(200, 0)]), (0.0, 0.0));
        assert_eq!(after(&[(200, 0), (250, 0), (150, 0), (220, 0)]), (0.1, 0.4));
    }

    #[test]
    fn what_the_owner_brings_or_takes_is_neither_gain_nor_fall() {
        // 10 % on 100, then 100 brought, then 10 % on 210, then half of it taken.
        assert_eq!(after(&[(100, 0), (110, 0), (210, 100), (231, 0), (115, -116)]), (0.21, 0.0));
        // A loss beside what was brought is one.
        assert_eq!(after(&[(100, 0), (150, 100)]), (-0.5, 0.5));
    }

    #[test]
    fn an_account_that_begins_with_nothing_counts_from_what_is_brought() {
        assert_eq!(after(&[(0, 0), (100, 100), (120, 0)]), (0.2, 0.0));
    }
}
