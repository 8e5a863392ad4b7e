//! Sums over closed trades: for the account, a strategy, an instrument, an exit reason.

use bulkhead_core::output::ClosedTrade;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use crate::amount::{Amount, ratio, share};

/// An exact sum, missing once it has left the range of decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sum(Option<Decimal>);

impl Default for Sum {
    fn default() -> Self {
        Self(Some(Decimal::ZERO))
    }
}

impl Sum {
    pub(crate) fn add(&mut self, amount: Decimal) {
        self.0 = self.0.and_then(|sum| sum.checked_add(amount));
    }

    /// Adds a product.
    pub(crate) fn add_product(&mut self, left: Decimal, right: Decimal) {
        self.0 = self.0.and_then(|sum| sum.checked_add(left.checked_mul(right)?));
    }

    #[cfg(test)]
    pub(crate) fn exact(self) -> Option<Decimal> {
        self.0
    }

    pub(crate) fn amount(self) -> Option<Amount> {
        self.0.map(Amount)
    }

    pub(crate) fn approximate(self) -> Option<f64> {
        self.0.and_then(|sum| sum.to_f64())
    }

    /// The sum divided by a count, to 8 places; missing for none.
    pub(crate) fn mean(self, count: u64) -> Option<Amount> {
        self.0?.checked_div(Decimal::from(count)).map(|mean| Amount(mean.round_dp(8)))
    }
}

/// A run of wins or losses.
#[derive(Debug, Clone, Copy, Default)]
struct Streak {
    current: u64,
    longest: u64,
}

impl Streak {
    fn next(&mut self, goes_on: bool) {
        self.current = if goes_on { self.current + 1 } else { 0 };
        self.longest = self.longest.max(self.current);
    }
}

/// Sums over closed trades. A trade whose profit is exactly zero is neither won nor lost.
#[derive(Debug, Clone, Default)]
pub(crate) struct TradeStatistics {
    pub(crate) count: u64,
    pub(crate) wins: u64,
    pub(crate) losses: u64,
    pub(crate) pnl: Sum,
    gross_profit: Sum,
    gross_loss: Sum,
    seconds: f64,
    win_streak: Streak,
    loss_streak: Streak,
}

impl TradeStatistics {
    pub(crate) fn add(&mut self, trade: &ClosedTrade) {
        let (won, lost) = (trade.pnl.is_positive(), trade.pnl.is_negative());
        self.count += 1;
        self.pnl.add(trade.pnl.0);
        if won {
            self.wins += 1;
            self.gross_profit.add(trade.pnl.0);
        }
        if lost {
            self.losses += 1;
            self.gross_loss.add(-trade.pnl.0);
        }
        self.win_streak.next(won);
        self.loss_streak.next(lost);
        self.seconds += seconds(trade.exit_time.since(trade.entry_time).nanos());
    }

    pub(crate) fn win_rate(&self) -> Option<f64> {
        share(self.wins, self.count)
    }

    pub(crate) fn profit_factor(&self) -> Option<f64> {
        ratio(self.gross_profit.approximate()?, self.gross_loss.approximate()?)
    }

    pub(crate) fn expectancy(&self) -> Option<Amount> {
        self.pnl.mean(self.count)
    }

    pub(crate) fn average_win(&self) -> Option<Amount> {
        self.gross_profit.mean(self.wins)
    }

    /// A positive amount.
    pub(crate) fn average_loss(&self) -> Option<Amount> {
        self.gross_loss.mean(self.losses)
    }

    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub(crate) fn average_seconds(&self) -> Option<f64> {
        ratio(self.seconds, self.count as f64)
    }

    pub(crate) const fn longest_win_streak(&self) -> u64 {
        self.win_streak.longest
    }

    pub(crate) const fn longest_loss_streak(&self) -> u64 {
        self.loss_streak.longest
    }
}

/// Nanoseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "a statistic; the rounding is far below its meaning")]
pub(crate) fn seconds(nanos: i64) -> f64 {
    nanos as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use bulkhead_core::identifier::{InstrumentId, StrategyId};
    use bulkhead_core::money::{Money, Price, Quantity};
    use bulkhead_core::order::Side;
    use bulkhead_core::strategy::FillCause;
    use bulkhead_core::time::Timestamp;

    use super::*;

    fn statistics(pnls: &[&str]) -> TradeStatistics {
        let mut statistics = TradeStatistics::default();
        for pnl in pnls {
            statistics.add(&ClosedTrade {
                strategy: StrategyId(0),
                instrument: InstrumentId(0),
                side: Side::Buy,
                entry_time: Timestamp::from_seconds(10),
                exit_time: Timestamp::from_seconds(40),
                entry_price: Price(Decimal::ONE),
                exit_price: Price(Decimal::ONE),
                quantity: Quantity(Decimal::ONE),
                fees: Money::ZERO,
                pnl: Money(pnl.parse().unwrap()),
                exit_reason: FillCause::Order,
            });
        }
        statistics
    }

    #[test]
    fn sums_streaks_and_averages() {
        let all = statistics(&["5", "2.5", "0", "-1", "-0.5", "-1.5", "4"]);
        assert_eq!((all.count, all.wins, all.losses), (7, 3, 3));
        assert_eq!(all.pnl.exact(), Some(Decimal::new(85, 1)));
        assert_eq!(all.expectancy().unwrap().to_string(), "1.21428571");
        assert_eq!(all.average_loss().unwrap().to_string(), "1");
        assert!((all.profit_factor().unwrap() - 11.5 / 3.0).abs() < 1e-15);
        assert!((all.win_rate().unwrap() - 3.0 / 7.0).abs() < 1e-15);
        assert_eq!((all.longest_win_streak(), all.longest_loss_streak()), (2, 3));
        assert_eq!(all.average_seconds(), Some(30.0));
    }

    #[test]
    fn without_losses_there_is_no_profit_factor() {
        assert_eq!(statistics(&["1", "2"]).profit_factor(), None);
        let none = statistics(&[]);
        assert_eq!((none.win_rate(), none.expectancy(), none.average_seconds()), (None, None, None));
    }

    #[test]
    fn a_sum_out_of_range_is_missing_not_wrong() {
        let mut sum = Sum::default();
        sum.add(Decimal::MAX);
        sum.add(Decimal::ONE);
        sum.add(-Decimal::MAX);
        assert_eq!((sum.exact(), sum.mean(2)), (None, None));
    }
}
