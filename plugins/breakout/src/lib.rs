//! Buys when the price leaves its recent range upwards, and sells when it falls out of it downwards.
//!
//! **Rule.** It buys at market when it holds nothing and a bar
//! - closes above the highest high of the `entry_bars` bars before it,
//! - has risen by more than `momentum` over the last `momentum_bars` bars, and
//! - comes after bars whose average true range, as a fraction of the close, is from `quiet` to `wild`: below,
//!   a new high says little and fees eat the move; above, the stop would have to be too wide.
//!
//! It sells everything when a bar closes below the lowest low of the `exit_bars` bars before it. Until then
//! the host guards the position with a stop `stop_ranges` average true ranges below the entry, and one
//! `trailing_ranges` below the highest price since.

use bulkhead_sdk::indicators::{Atr, Highest, Lowest, RateOfChange};
use bulkhead_sdk::prelude::*;

/// What the operator can set.
#[state]
#[derive(Debug, Clone, Parameters)]
pub struct Settings {
    /// Length of a bar in seconds; 0 for the bars as the feed delivers them.
    #[parameter(default = 0, min = 0, max = 604_800)]
    pub interval_seconds: u32,
    /// Bars before the present one whose highest high must be exceeded.
    #[parameter(default = 20, min = 2, max = 10_000)]
    pub entry_bars: u32,
    /// Bars before the present one whose lowest low ends the trade.
    #[parameter(default = 10, min = 2, max = 10_000)]
    pub exit_bars: u32,
    /// Bars over which the momentum is measured.
    #[parameter(default = 10, min = 1, max = 10_000)]
    pub momentum_bars: u32,
    /// Rise over those bars that must be exceeded, as a fraction.
    #[parameter(default = 0.003, min = 0, max = 10)]
    pub momentum: f64,
    /// Bars in the average true range.
    #[parameter(default = 14, min = 2, max = 10_000)]
    pub range_bars: u32,
    /// Smallest average true range at which it buys, as a fraction of the price.
    #[parameter(default = 0.0003, min = 0, max = 1)]
    pub quiet: f64,
    /// Largest average true range at which it buys, as a fraction of the price.
    #[parameter(default = 0.08, min = 0, max = 1)]
    pub wild: f64,
    /// Distance of the stop from the entry, in average true ranges.
    #[parameter(default = 3, min = 0.1, max = 100)]
    pub stop_ranges: f64,
    /// Distance of the trailing stop from the highest price since the entry, in average true ranges.
    #[parameter(default = 5, min = 0.1, max = 100)]
    pub trailing_ranges: f64,
}

/// The rule's memory for one instrument.
#[state]
#[derive(Debug)]
pub struct Breakout {
    settings: Settings,
    highs: Highest,
    lows: Lowest,
    change: RateOfChange,
    range: Atr,
    outlook: Outlook,
}

/// What the last bar says.
#[state]
#[derive(Debug, Clone, Copy, PartialEq)]
enum Outlook {
    /// Nothing.
    Inside,
    /// To buy, with this average true range as a fraction of the price.
    Up { range: f64 },
    /// To sell.
    Down,
}

impl Strategy for Breakout {
    type Parameters = Settings;

    fn needs(settings: &Settings) -> Needs {
        let Settings { interval_seconds, entry_bars, exit_bars, momentum_bars, range_bars, .. } = *settings;
        // One more than a window, as windows end before the bar that is compared with them.
        Needs::bars(interval_seconds)
            .warm_up(1 + entry_bars.max(exit_bars).max(momentum_bars).max(range_bars))
    }

    fn check(settings: &Settings) -> Result<(), String> {
        let Settings { quiet, wild, .. } = settings;
        if quiet < wild { Ok(()) } else { Err("quiet must be below wild".to_owned()) }
    }

    fn new(settings: &Settings) -> Self {
        Self {
            highs: Highest::new(settings.entry_bars),
            lows: Lowest::new(settings.exit_bars),
            change: RateOfChange::new(settings.momentum_bars),
            range: Atr::new(settings.range_bars),
            settings: settings.clone(),
            outlook: Outlook::Inside,
        }
    }

    fn observe(&mut self, bar: &Bar) {
        let range = self.range.value().map(|range| range / bar.close);
        let change = self.change.update(bar.close);
        self.outlook = match (self.highs.value(), self.lows.value(), range, change) {
            (_, Some(low), _, _) if bar.close < low => Outlook::Down,
            (Some(high), _, Some(range), Some(change))
                if bar.close > high
                    && change > self.settings.momentum
                    && (self.settings.quiet..=self.settings.wild).contains(&range) =>
            {
                Outlook::Up { range }
            }
            _ => Outlook::Inside,
        };
        self.highs.update(bar.high);
        self.lows.update(bar.low);
        self.range.update(bar.high, bar.low, bar.close);
    }

    fn on_bar(&mut self, _bar: &Bar, context: &mut Context) {
        match (self.outlook, context.stance()) {
            (Outlook::Up { range }, Stance::Flat) => {
                let plan = ExitPlan::none()
                    .stop_loss((range * self.settings.stop_ranges).clamp(MIN_STOP, MAX_STOP))
                    .trailing((range * self.settings.trailing_ranges).clamp(MIN_STOP, MAX_STOP));
                context.buy().exits(plan).reason("close above the highest high");
            }
            (Outlook::Down, Stance::Long) => {
                context.close().reason("close below the lowest low");
            }
            _ => {}
        }
    }
}

/// Closer stops would be hit by the spread alone.
const MIN_STOP: f64 = 0.001;
/// The contract wants stops above 0 and below 1; a wider one than this guards nothing.
const MAX_STOP: f64 = 0.5;

bulkhead_sdk::export!(Breakout);

#[cfg(test)]
mod tests {
    use bulkhead_sdk::harness::{Harness, Setup};

    use super::*;

    /// Channels of 3 and 2 bars, a rise of 1 % over 2, ranges from 0.5 % to 5 %.
    fn settings() -> Settings {
        Settings {
            entry_bars: 3,
            exit_bars: 2,
            momentum_bars: 2,
            momentum: 0.01,
            range_bars: 2,
            quiet: 0.005,
            wild: 0.05,
            ..Settings::default()
        }
    }

    fn start(settings: &Settings) -> Harness<Breakout> {
        let mut harness = Setup::new().parameters(settings).start().unwrap();
        for _ in 0..4 {
            assert!(harness.bar([100.0, 101.0, 99.0, 100.0], 1.0).is_empty(), "inside its range");
        }
        harness
    }

    #[test]
    fn buys_a_close_above_the_highest_high_and_sells_below_the_lowest_low() {
        let mut harness = start(&settings());
        let actions = harness.bar([100.0, 102.5, 100.0, 102.0], 1.0);
        assert!(actions.len() == 1 && actions[0].is_buy(), "{actions:?}");
        assert!(harness.bar([102.0, 103.0, 101.0, 101.5], 1.0).is_empty());
        assert!(harness.bar([101.5, 102.0, 101.0, 101.0], 1.0).is_empty(), "the lowest low is 100");
        assert!(harness.bar([101.0, 102.0, 99.0, 101.0], 1.0).is_empty(), "only the low is below");
        let actions = harness.bar([101.0, 101.0, 98.0, 98.5], 1.0);
        assert!(actions.len() == 1 && actions[0].is_close(), "{actions:?}");
    }

    #[test]
    fn its_plan_is_in_average_true_ranges() {
        let mut harness = start(&settings());
        let actions = harness.bar([100.0, 102.5, 100.0, 102.0], 1.0);
        let plan = actions[0].submit().and_then(|submit| submit.exits.clone()).unwrap();
        // The bars before have a true range of 2.
        let near =
            |level: Option<f64>, expected: f64| level.is_some_and(|level| (level - expected).abs() < 1e-12);
        assert!(near(plan.stop_loss, 3.0 * 2.0 / 102.0), "{plan:?}");
        assert!(near(plan.trailing, 5.0 * 2.0 / 102.0), "{plan:?}");
    }

    #[test]
    fn a_high_above_the_range_is_not_enough() {
        let mut harness = start(&Settings { momentum: 0.0, ..settings() });
        assert!(
            harness.bar([100.0, 105.0, 100.0, 101.0], 1.0).is_empty(),
            "the close is at the highest high"
        );
    }

    #[test]
    fn does_nothing_without_momentum() {
        let mut harness = start(&Settings { momentum: 0.03, ..settings() });
        assert!(harness.bar([100.0, 102.5, 100.0, 102.0], 1.0).is_empty());
    }

    #[test]
    fn does_nothing_when_it_is_too_quiet_or_too_wild() {
        let mut harness = start(&Settings { quiet: 0.03, ..settings() });
        assert!(harness.bar([100.0, 102.5, 100.0, 102.0], 1.0).is_empty());
        let mut harness = start(&Settings { wild: 0.01, ..settings() });
        assert!(harness.bar([100.0, 102.5, 100.0, 102.0], 1.0).is_empty());
    }

    #[test]
    fn does_not_buy_twice() {
        let mut harness = start(&settings());
        assert_eq!(harness.bar([100.0, 102.5, 100.0, 102.0], 1.0).len(), 1);
        assert!(harness.bar([102.0, 106.0, 102.0, 106.0], 1.0).is_empty());
    }

    #[test]
    fn a_band_that_holds_nothing_is_refused() {
        let error = Setup::new().parameters(&Settings { quiet: 0.1, ..settings() }).start::<Breakout>().err();
        assert_eq!(error.as_deref(), Some("quiet must be below wild"));
    }
}
