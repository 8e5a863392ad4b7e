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
//! binary fractions may differ in the last digits: see [`EQUAL_WITHIN`].

use bulkhead_sdk::indicators::Sma;
use bulkhead_sdk::prelude::*;

/// Averages whose difference is at most this part of them are equal. Rounding moves them by some 1e-16; a
/// real difference is at least one price step over `slow` bars, which is far more.
pub const EQUAL_WITHIN: f64 = 1e-12;

/// What the operator can set.
#[derive(Debug, Clone, PartialEq, Parameters)]
pub struct Settings {
    /// Bars in the fast average; below `slow`.
    #[parameter(default = 10, min = 1, max = 10_000)]
    pub fast: u32,
    /// Bars in the slow average.
    #[parameter(default = 30, min = 2, max = 10_000)]
    pub slow: u32,
    /// Length of a bar in seconds.
    #[parameter(default = 60, min = 1, max = 604_800)]
    pub interval_seconds: u32,
    /// Bars to wait before an entry that was refused is tried again.
    #[parameter(default = 10, min = 1, max = 100_000)]
    pub retry_bars: u32,
}

/// The rule's memory for one instrument.
#[state]
#[derive(Debug)]
pub struct SmaCrossover {
    fast: Sma,
    slow: Sma,
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
            fast: Sma::new(settings.fast),
            slow: Sma::new(settings.slow),
            retry_bars: settings.retry_bars,
            trend: None,
            entry: None,
            pause: 0,
            closed_by_host: false,
        }
    }

    fn observe(&mut self, bar: &Bar) {
        let (fast, slow) = (self.fast.update(bar.close), self.slow.update(bar.close));
        let (Some(fast), Some(slow)) = (fast, slow) else { return };
        if (fast - slow).abs() <= slow.abs() * EQUAL_WITHIN {
            return;
        }
        let trend = if fast > slow { Trend::Up } else { Trend::Down };
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
