use bulkhead_sdk::indicators::Sma;
use bulkhead_sdk::state;

use crate::ring::Ring;
use crate::scale::deviation;

/// The mean move of all instruments, minute by minute.
///
/// Features look at complete minutes only, so that it makes no difference in which order the bars of one minute
/// come.
#[state]
#[derive(Debug, Clone)]
pub(crate) struct Market {
    /// The open time of the minute whose returns are coming in.
    minute: u32,
    sum: f64,
    count: u32,
    last: Option<Minute>,
    /// The sum of all means, at the end of each minute.
    levels: Ring,
    level: f64,
    squares: Sma,
}

/// A complete minute.
#[state]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Minute {
    /// Seconds since 1970.
    pub(crate) open_time: u32,
    /// Of the logarithmic returns.
    pub(crate) mean: f64,
    /// How many instruments had a return.
    pub(crate) count: u32,
}

impl Market {
    pub(crate) fn new() -> Self {
        Self {
            minute: 0,
            sum: 0.0,
            count: 0,
            last: None,
            levels: Ring::new(61),
            level: 0.0,
            squares: Sma::new(60),
        }
    }

    /// Takes the return of a bar. Bars of minutes that are complete come too late.
    pub(crate) fn take(&mut self, open_time: u32, log_return: Option<f64>) {
        if open_time > self.minute {
            self.complete_minute();
            self.minute = open_time;
        }
        if open_time == self.minute
            && let Some(log_return) = log_return
        {
            self.sum += log_return;
            self.count += 1;
        }
    }

    fn complete_minute(&mut self) {
        if self.count > 0 {
            let mean = self.sum / f64::from(self.count);
            self.level += mean;
            self.levels.push(self.level);
            self.squares.update(mean * mean);
            self.last = Some(Minute { open_time: self.minute, mean, count: self.count });
        }
        (self.sum, self.count) = (0.0, 0);
    }

    /// The last complete minute that had returns.
    pub(crate) fn last(&self) -> Option<Minute> {
        self.last
    }

    /// The return over the last minutes, at most 60.
    pub(crate) fn over(&self, minutes: u32) -> Option<f64> {
        self.levels.change(minutes)
    }

    /// The volatility of 60 minutes for one minute; above 0.
    pub(crate) fn usual(&self) -> Option<f64> {
        self.squares.value().map(deviation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_counts_when_it_is_complete() {
        let mut market = Market::new();
        market.take(60, Some(0.5));
        market.take(60, None);
        market.take(60, Some(-0.25));
        assert!(market.last().is_none());
        market.take(120, Some(0.25));
        let last = market.last().unwrap();
        assert_eq!((last.open_time, last.count), (60, 2));
        assert!((last.mean - 0.125).abs() < 1e-15);
        market.take(60, Some(9.0));
        market.take(180, None);
        assert_eq!(market.over(1), Some(0.25));
    }
}
