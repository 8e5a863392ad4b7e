//! Follows the trend with two simple moving averages of the closes.
//!
//! **Rule.** It is long while the fast average is above the slow one, from the first bar on which both are
//! known, and flat while the fast one is below. While they are equal it stays as it is.
//!
//! - An entry is a market order of the operator's standard size, with full confidence; the exit sells
//!   everything. It brings no exit plan of its own, so the operator's default guards the position.
//! - An entry that was denied or rejected is tried again after `retry_bars` bars, not on every bar.
//! - When the host closed the position (a stop, a target, an operator), it stays out until the averages have
//!   crossed anew.
//! - While an order is working it waits.
//!
//! The averages do not drift, however long it runs, and two that are equal in decimals count as equal though
//! binary fractions may differ in the last digits.

mod averages;

use std::cmp::Ordering;

use bulkhead_sdk::prelude::*;

use crate::averages::Averages;

/// What the operator can set.
#[derive(Debug, Clone, PartialEq, Parameters)]
pub struct Settings {
    /// Bars in the fast average; below `slow`.
    #[parameter(default = 10, min = 1, max = 10_000)]
    pub fast: u32,
    /// Bars in the slow average.
    #[parameter(default = 30, min = 2, max = 10_000)]
    pub slow: u32,
    /// Length of a bar in seconds; 0 for the bars as the feed delivers them.
    #[parameter(default = 0, min = 0, max = 604_800)]
    pub interval_seconds: u32,
    /// Bars to wait before an entry that was refused is tried again.
    #[parameter(default = 10, min = 1, max = 100_000)]
    pub retry_bars: u32,
}

/// The rule's memory for one instrument.
#[state]
#[derive(Debug)]
pub struct SmaCrossover {
    averages: Averages,
    retry_bars: u32,
    /// Where the fast average was when they last differed.
    trend: Option<Trend>,
    /// The tag of the last entry.
    entry: Option<u32>,
    /// Bars to let pass before an entry.
    pause: u32,
    /// The host closed the position of this trend.
    closed_by_host: bool,
}

#[state]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trend {
    /// The fast average is above the slow one.
    Up,
    /// The fast average is below the slow one.
    Down,
}

impl Strategy for SmaCrossover {
    type Parameters = Settings;

    fn needs(settings: &Settings) -> Needs {
        Needs::bars(settings.interval_seconds).warm_up(settings.slow)
    }

    fn check(settings: &Settings) -> Result<(), String> {
        let Settings { fast, slow, .. } = settings;
        if fast < slow {
            Ok(())
        } else {
            Err(format!("fast is {fast} and slow is {slow}; fast must be below slow"))
        }
    }

    fn new(settings: &Settings) -> Self {
        Self {
            averages: Averages::new(settings.fast, settings.slow),
            retry_bars: settings.retry_bars,
            trend: None,
            entry: None,
            pause: 0,
            closed_by_host: false,
        }
    }

    fn observe(&mut self, bar: &Bar) {
        let trend = match self.averages.update(bar.close) {
            Some(Ordering::Greater) => Trend::Up,
            Some(Ordering::Less) => Trend::Down,
            Some(Ordering::Equal) | None => return,
        };
        if self.trend != Some(trend) {
            self.trend = Some(trend);
            self.pause = 0;
            self.closed_by_host = false;
        }
    }

    fn on_bar(&mut self, _bar: &Bar, context: &mut Context) {
        self.pause = self.pause.saturating_sub(1);
        match (self.trend, context.stance()) {
            (Some(Trend::Up), Stance::Flat) if self.pause == 0 && !self.closed_by_host => {
                self.entry = Some(context.buy().reason("fast average above slow").tag());
            }
            (Some(Trend::Down), Stance::Long) => {
                context.close().reason("fast average below slow");
            }
            _ => {}
        }
    }

    fn on_fill(&mut self, fill: &Fill, context: &mut Context) {
        if fill.cause != FillCause::Order && context.position().quantity <= 0.0 {
            self.closed_by_host = true;
        }
    }

    fn on_order_update(&mut self, update: &OrderUpdate, _context: &mut Context) {
        let is_refused = matches!(update.status, OrderStatus::Denied | OrderStatus::Rejected);
        if is_refused && self.entry == Some(update.tag) {
            self.pause = self.retry_bars;
        }
    }
}

bulkhead_sdk::export!(SmaCrossover);

#[cfg(test)]
mod tests {
    use bulkhead_sdk::harness::{Harness, Setup};

    use super::*;

    const FLAT: [f64; 5] = [10.0; 5];

    fn start() -> Harness<SmaCrossover> {
        start_with(Setup::new())
    }

    fn start_with(setup: Setup) -> Harness<SmaCrossover> {
        let settings = Settings { fast: 2, slow: 4, retry_bars: 3, ..Settings::default() };
        setup.parameters(&settings).start().unwrap()
    }

    /// The averages become known with the fast one above, which brings a buy with tag 1.
    fn enter(harness: &mut Harness<SmaCrossover>) {
        assert!(harness.closes(&[10.0, 10.0, 11.0]).is_empty());
        let actions = harness.close(11.0);
        assert!(actions.len() == 1 && actions[0].is_buy(), "{actions:?}");
    }

    #[test]
    fn buys_on_the_first_bar_that_shows_the_fast_average_above() {
        let mut harness = start();
        enter(&mut harness);
        assert!(harness.close(12.0).is_empty());
        assert!(harness.position().quantity > 0.0);
    }

    #[test]
    fn closes_when_the_fast_average_falls_below() {
        let mut harness = start();
        enter(&mut harness);
        assert!(harness.closes(&[12.0, 13.0, 12.5]).is_empty(), "12.75 is above 12.125");
        let actions = harness.close(8.0);
        assert!(actions.len() == 1 && actions[0].is_close(), "{actions:?}");
        assert!(harness.close(8.0).is_empty());
        assert!(harness.position().quantity <= 0.0);
    }

    #[test]
    fn does_nothing_while_the_averages_are_equal_or_falling() {
        let mut harness = start();
        assert!(harness.closes(&FLAT).is_empty());
        assert!(harness.closes(&[9.0, 8.0, 7.0, 6.0]).is_empty());
    }

    #[test]
    fn keeps_its_position_while_the_averages_are_equal() {
        let mut harness = start();
        enter(&mut harness);
        assert!(harness.closes(&[12.0, 12.0, 12.0, 12.0, 12.0]).is_empty());
        assert!(harness.position().quantity > 0.0);
    }

    #[test]
    fn decimals_whose_sums_are_equal_count_as_equal() {
        // Both averages are 0.3, but in binary the fast one comes out above.
        assert!(start().closes(&[0.1, 0.5, 0.2, 0.4]).is_empty());
    }

    #[test]
    fn is_warm_at_once_with_past_bars() {
        let mut harness = start_with(Setup::new().past_closes(0, 60, &[10.0, 10.0, 11.0, 11.0]));
        assert!(harness.close(11.0)[0].is_buy());
    }

    #[test]
    fn a_refused_entry_waits() {
        let mut harness = start_with(Setup::new().manual_fills());
        enter(&mut harness);
        harness.deny(1, "EXPOSURE_LIMIT: limit=0");
        assert!(harness.closes(&[12.0, 13.0]).is_empty());
        let again = harness.close(14.0);
        assert!(again[0].is_buy(), "{again:?}");
        harness.reject(2, "reverted");
        assert!(harness.closes(&[15.0, 16.0]).is_empty());
        assert!(harness.close(17.0)[0].is_buy());
    }

    #[test]
    fn a_fresh_cross_does_not_wait_for_an_older_refusal() {
        let mut harness = start_with(Setup::new().manual_fills());
        enter(&mut harness);
        harness.deny(1, "EXPOSURE_LIMIT: limit=0");
        assert!(harness.close(5.0).is_empty());
        assert!(harness.close(40.0)[0].is_buy());
    }

    #[test]
    fn a_refused_exit_is_tried_on_the_next_bar() {
        let mut harness = start_with(Setup::new().manual_fills());
        enter(&mut harness);
        harness.fill(1, 11.0, 100.0);
        assert!(harness.close(5.0)[0].is_close());
        harness.reject(2, "reverted");
        assert!(harness.close(5.0)[0].is_close());
    }

    #[test]
    fn waits_while_an_order_is_working() {
        let mut harness = start_with(Setup::new().manual_fills());
        enter(&mut harness);
        assert!(harness.closes(&[12.0, 5.0, 4.0]).is_empty());
        harness.fill(1, 4.0, 250.0);
        assert!(harness.close(4.0)[0].is_close());
    }

    #[test]
    fn stays_out_after_the_host_closed_until_the_averages_cross_anew() {
        let mut harness = start();
        enter(&mut harness);
        harness.close(12.0);
        harness.host_sells(FillCause::StopLoss, 11.5);
        assert!(harness.closes(&[13.0, 14.0, 15.0]).is_empty());
        assert!(harness.closes(&[5.0, 5.0]).is_empty());
        assert!(harness.closes(&[30.0]).iter().any(bulkhead_sdk::Action::is_buy));
    }

    #[test]
    fn goes_on_from_a_saved_memory() {
        let mut harness = start();
        enter(&mut harness);
        harness.close(12.0);
        let state = harness.save().unwrap();
        harness.restart_from(&state).unwrap();
        assert!(harness.close(12.5).is_empty(), "it knows that it is long");
        assert!(harness.close(3.0)[0].is_close(), "and its averages");
    }

    #[test]
    fn a_fast_average_that_is_slower_is_refused() {
        let settings = Settings { fast: 30, slow: 30, ..Settings::default() };
        let error = Setup::new().parameters(&settings).start::<SmaCrossover>().err();
        assert_eq!(error.as_deref(), Some("fast is 30 and slow is 30; fast must be below slow"));
    }
}
