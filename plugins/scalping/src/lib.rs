//! Scalping: in a lively market with a narrow spread, buys what has fallen far below its short mean and sells
//! when the price is back at the mean.
//!
//! # The rule
//!
//! The strategy decides on each complete bar of the feed; its defaults suit one-minute bars. It is **active**
//! while both filters pass:
//!
//! - **Volatility above 5 %.** Volatility is the realised volatility of the last 20 bars, for the window as a
//!   whole: √Σr² over the 20 logarithmic returns of the closes. A market whose price moves 2 % a bar has
//!   0.02 · √20 ≈ 9 %; 5 % is reached from 1.1 % a bar on.
//! - **Spread below 1 %.** The spread is (ask − bid) / middle of the last quote, which counts for two minutes.
//!   When there is no such quote the spread is unknown, and that passes, because files of bars have no
//!   quotes and could not be tested on otherwise. Where money is at stake, set `require_quotes`: then an
//!   unknown spread does not pass.
//!
//! While active and holding nothing, it buys when the close is at least 2 standard deviations below the mean
//! of the last 20 closes. The confidence grows with the distance: one half at the entry level, 1 at twice
//! that. It sells all when the close has come back to the mean, whatever the filters say then.
//!
//! The exits are tight: a stop at 3 %, a trailing stop at 3 %, all sold at a gain of 4 %, and an end after
//! ten minutes, as a price that has not come back by then has found a new mean.
//!
//! After a refused order, and after a position is closed, it proposes nothing for the instrument for two
//! minutes. Each instrument is looked at by itself. All numbers above are parameters' defaults.
//!
//! Where to start reading: [`Scalping`]'s `on_bar`.

use bulkhead_sdk::indicators::{RealisedVolatility, ZScore};
use bulkhead_sdk::prelude::*;

/// What the operator can set.
#[state]
#[derive(Debug, Clone, Parameters)]
pub struct Settings {
    /// Realised volatility over the window above which it is active, as a fraction.
    #[parameter(default = 0.05, min = 0, max = 10)]
    pub minimum_volatility: f64,
    /// Bars in the window of the volatility.
    #[parameter(default = 20, min = 2, max = 1_000)]
    pub volatility_bars: u32,
    /// Spread below which it is active, as a fraction of the middle price.
    #[parameter(default = 0.01, min = 0.000_001, max = 1)]
    pub maximum_spread: f64,
    /// Whether it stays inactive while the spread is unknown.
    #[parameter(default = false)]
    pub require_quotes: bool,
    /// Seconds for which a quote counts.
    #[parameter(default = 120, min = 1, max = 86_400)]
    pub quote_seconds: u32,
    /// Bars in the mean to which the price is expected to return.
    #[parameter(default = 20, min = 3, max = 1_000)]
    pub mean_bars: u32,
    /// Standard deviations below the mean at which it buys.
    #[parameter(default = 2.0, min = 0.1, max = 10)]
    pub entry_deviations: f64,
    /// Standard deviations from the mean at which it sells; 0 is the mean itself, negative is below it.
    #[parameter(default = 0.0, min = -5, max = 5)]
    pub exit_deviations: f64,
    /// Fall below the entry at which all is sold, as a fraction.
    #[parameter(default = 0.03, min = 0.0001, max = 0.9)]
    pub stop_loss: f64,
    /// Fall below the highest price since entry at which all is sold, as a fraction.
    #[parameter(default = 0.03, min = 0.0001, max = 0.9)]
    pub trailing_stop: f64,
    /// Gain at which all is sold, as a fraction.
    #[parameter(default = 0.04, min = 0.0001, max = 10)]
    pub take_profit: f64,
    /// Seconds after which the position is sold in any case.
    #[parameter(default = 600, min = 1, max = 86_400)]
    pub holding_seconds: u32,
    /// Seconds without proposals after a refused order or a closed position.
    #[parameter(default = 120, min = 0, max = 86_400)]
    pub pause_seconds: u32,
}

/// What the strategy remembers of one instrument.
#[state]
#[derive(Debug)]
pub struct Scalping {
    settings: Settings,
    volatility: RealisedVolatility,
    score: ZScore,
    /// The last quote's time and relative spread.
    spread: Option<(Timestamp, f64)>,
    /// Before this moment nothing is proposed.
    paused_until: Timestamp,
}

impl Strategy for Scalping {
    type Parameters = Settings;

    fn needs(settings: &Settings) -> Needs {
        let warm_up = settings.mean_bars.max(settings.volatility_bars + 1);
        Needs::feed_bars().quotes().warm_up(warm_up)
    }

    fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            volatility: RealisedVolatility::new(settings.volatility_bars),
            score: ZScore::new(settings.mean_bars),
            spread: None,
            paused_until: Timestamp::default(),
        }
    }

    fn check(settings: &Settings) -> Result<(), String> {
        let Settings { entry_deviations, exit_deviations, mean_bars, .. } = settings;
        if *exit_deviations <= -entry_deviations {
            return Err(format!(
                "exit_deviations is {exit_deviations}; it must be above -entry_deviations, {}",
                -entry_deviations
            ));
        }
        // No value is further from the mean of a window that it is part of.
        let reach = (f64::from(*mean_bars) - 1.0).sqrt();
        if *entry_deviations >= reach {
            return Err(format!(
                "entry_deviations is {entry_deviations}; with mean_bars {mean_bars} it must be below {reach:.2}"
            ));
        }
        Ok(())
    }

    fn observe(&mut self, bar: &Bar) {
        self.volatility.update(bar.close);
        self.score.update(bar.close);
    }

    fn on_bar(&mut self, _: &Bar, context: &mut Context) {
        let now = context.now();
        if now < self.paused_until {
            return;
        }
        let (Some(volatility), Some(score)) = (self.volatility.value(), self.score.value()) else { return };
        let entry = -self.settings.entry_deviations;
        match context.stance() {
            Stance::Flat if score <= entry && self.is_active(volatility, now) => {
                context
                    .buy()
                    .exits(self.exit_plan())
                    .confidence((score / entry / 2.0).min(1.0))
                    .reason(format!("{score:.2} deviations from the mean, volatility {volatility:.3}"));
            }
            Stance::Long if score >= self.settings.exit_deviations => {
                context.close().reason(format!("{score:.2} deviations from the mean"));
            }
            _ => {}
        }
    }

    fn on_quote(&mut self, quote: &Quote, _context: &mut Context) {
        self.spread = Some((quote.time, quote.relative_spread()));
    }

    fn on_order_update(&mut self, update: &OrderUpdate, context: &mut Context) {
        if matches!(update.status, OrderStatus::Denied | OrderStatus::Rejected) {
            self.pause(context.now());
        }
    }

    fn on_fill(&mut self, fill: &Fill, context: &mut Context) {
        if fill.side == Side::Sell && context.position().quantity <= 0.0 {
            self.pause(context.now());
        }
    }
}

impl Scalping {
    fn is_active(&self, volatility: f64, now: Timestamp) -> bool {
        let is_narrow = match self.spread {
            Some((time, spread)) if now <= time.plus_seconds(self.settings.quote_seconds) => {
                spread < self.settings.maximum_spread
            }
            _ => !self.settings.require_quotes,
        };
        is_narrow && volatility > self.settings.minimum_volatility
    }

    fn exit_plan(&self) -> ExitPlan {
        let settings = &self.settings;
        ExitPlan::none()
            .stop_loss(settings.stop_loss)
            .trailing(settings.trailing_stop)
            .take_profit(settings.take_profit, 1.0)
            .max_holding_seconds(settings.holding_seconds)
    }

    fn pause(&mut self, now: Timestamp) {
        self.paused_until = now.plus_seconds(self.settings.pause_seconds);
    }
}

bulkhead_sdk::export!(Scalping);

#[cfg(test)]
mod tests;
