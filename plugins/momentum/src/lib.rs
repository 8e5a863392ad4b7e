//! Momentum: buys into a strong rise that several things confirm, and leaves when the momentum is lost.
//!
//! # The rule
//!
//! On each complete one-minute bar the strategy gathers evidence, each piece from −1 (against a strong rise)
//! to +1 (for it):
//!
//! - **Rate of change** over 10 bars, measured in what is usual: the logarithmic change divided by the
//!   realised volatility over as many bars. Two times the usual is +1.
//! - **Breakout**: +1 when the close is above the highest high of the 20 bars before, −1 when it is below
//!   their lowest low.
//! - **Volume surge**: volume against the mean of the 20 bars before. Four times as much is +1, a quarter −1.
//!   Neutral when the feed knows no volume.
//! - **Trend**: +1 when the exponential average over 10 bars and the close are both above the average over
//!   30, −1 when both are below.
//! - **Longer trends**: the same with 5 and 12 bars of five minutes, and of one hour. Neutral while the
//!   averages are not known.
//! - **Sentiment**, where the operator feeds a signal of this name: its value, from −1 to +1.
//! - **Mentions**, likewise: a count against the mean of the ten before, as with volume.
//!
//! A logistic model makes a probability of it (weights and reasons: `probability.rs`). The strategy buys when
//! it holds nothing, the probability is at least 0.70, and the **volatility filter** passes: realised
//! volatility over 20 bars is neither so low that fees eat the move, nor so high that the stop is noise. The
//! action's confidence is the probability, so the operator's sizing scales with it.
//!
//! The position has an exit plan of its own, within a tighter frame than the host's usual one (15 % stop,
//! 20 % trailing, tiers at 30 % and 75 %), because the move is expected within hours: 10 % stop, 12 %
//! trailing, a third sold at 15 % and another at 35 %, and an end after four hours. Before that the strategy
//! closes when momentum is lost: the rate of change is negative and the close is below the slow average.
//!
//! After a refused order, and after a position is closed, it proposes nothing for the instrument for five
//! minutes. Each instrument is looked at by itself. All numbers above are parameters' defaults.
//!
//! Where to start reading: [`Momentum`]'s `on_bar`.

mod attention;
mod probability;
mod trend;

use bulkhead_sdk::indicators::{Highest, Lowest, RateOfChange, RealisedVolatility, VolumeRatio};
use bulkhead_sdk::prelude::*;

use crate::attention::Attention;
use crate::probability::{Evidence, strength, surge};
use crate::trend::Trend;

/// The bars on which the strategy decides, in seconds.
const BAR: u32 = 60;
const FIVE_MINUTES: u32 = 300;
const HOUR: u32 = 3_600;

/// What the operator can set.
#[state]
#[derive(Debug, Clone, Parameters)]
pub struct Settings {
    /// Probability of a strong rise from which it buys.
    #[parameter(default = 0.70, min = 0.5, max = 0.99)]
    pub threshold: f64,
    /// One-minute bars over which the rate of change is measured.
    #[parameter(default = 10, min = 1, max = 1_000)]
    pub change_bars: u32,
    /// One-minute bars whose high a close must exceed to be a breakout.
    #[parameter(default = 20, min = 2, max = 1_000)]
    pub breakout_bars: u32,
    /// One-minute bars whose mean volume is what is usual.
    #[parameter(default = 20, min = 2, max = 1_000)]
    pub volume_bars: u32,
    /// One-minute bars in the fast average of the trend; fewer than in the slow one.
    #[parameter(default = 10, min = 1, max = 1_000)]
    pub fast_bars: u32,
    /// One-minute bars in the slow average of the trend.
    #[parameter(default = 30, min = 2, max = 1_000)]
    pub slow_bars: u32,
    /// Bars in the fast averages of the five-minute and the one-hour trend; fewer than in the slow ones.
    #[parameter(default = 5, min = 1, max = 100)]
    pub longer_fast_bars: u32,
    /// Bars in the slow averages of the five-minute and the one-hour trend.
    #[parameter(default = 12, min = 2, max = 100)]
    pub longer_slow_bars: u32,
    /// One-minute bars over which realised volatility is measured.
    #[parameter(default = 20, min = 2, max = 1_000)]
    pub volatility_bars: u32,
    /// Realised volatility over these bars below which it does not buy, as a fraction.
    #[parameter(default = 0.002, min = 0, max = 10)]
    pub minimum_volatility: f64,
    /// Realised volatility over these bars above which it does not buy, as a fraction.
    #[parameter(default = 0.60, min = 0, max = 10)]
    pub maximum_volatility: f64,
    /// Seconds for which a sentiment or a count of mentions counts.
    #[parameter(default = 3_600, min = 1, max = 604_800)]
    pub signal_seconds: u32,
    /// Fall below the entry at which all is sold, as a fraction.
    #[parameter(default = 0.10, min = 0.001, max = 0.9)]
    pub stop_loss: f64,
    /// Fall below the highest price since entry at which all is sold, as a fraction.
    #[parameter(default = 0.12, min = 0.001, max = 0.9)]
    pub trailing_stop: f64,
    /// Gain at which the first part is sold, as a fraction.
    #[parameter(default = 0.15, min = 0.001, max = 100)]
    pub first_gain: f64,
    /// Gain at which the second part is sold, as a fraction; above the first.
    #[parameter(default = 0.35, min = 0.001, max = 100)]
    pub second_gain: f64,
    /// Share of the position sold at each of the two gains, as a fraction.
    #[parameter(default = 0.33, min = 0.01, max = 0.5)]
    pub gain_share: f64,
    /// Seconds after which the position is sold in any case.
    #[parameter(default = 14_400, min = 60, max = 31_536_000)]
    pub holding_seconds: u32,
    /// Seconds without proposals after a refused order or a closed position.
    #[parameter(default = 300, min = 0, max = 86_400)]
    pub pause_seconds: u32,
}

/// What the strategy remembers of one instrument.
#[state]
#[derive(Debug)]
pub struct Momentum {
    settings: Settings,
    change: RateOfChange,
    volatility: RealisedVolatility,
    highest: Highest,
    lowest: Lowest,
    /// +1, −1 or 0 for the last bar; `None` while the range before it is not known.
    breakout: Option<f64>,
    volume: VolumeRatio,
    trend: Trend,
    five_minutes: Trend,
    hour: Trend,
    attention: Attention,
    /// Before this moment nothing is proposed.
    paused_until: Timestamp,
}

impl Strategy for Momentum {
    type Parameters = Settings;

    fn needs(settings: &Settings) -> Needs {
        let longest = [
            settings.change_bars + 1,
            settings.breakout_bars + 1,
            settings.volume_bars + 1,
            settings.slow_bars,
            settings.volatility_bars + 1,
        ];
        Needs::bars(BAR)
            .and_bars(FIVE_MINUTES)
            .and_bars(HOUR)
            .signal("sentiment")
            .signal("mentions")
            .warm_up(longest.into_iter().fold(0, u32::max))
    }

    fn new(settings: &Settings) -> Self {
        let longer = || Trend::new(settings.longer_fast_bars, settings.longer_slow_bars);
        Self {
            settings: settings.clone(),
            change: RateOfChange::new(settings.change_bars),
            volatility: RealisedVolatility::new(settings.volatility_bars),
            highest: Highest::new(settings.breakout_bars),
            lowest: Lowest::new(settings.breakout_bars),
            breakout: None,
            volume: VolumeRatio::new(settings.volume_bars),
            trend: Trend::new(settings.fast_bars, settings.slow_bars),
            five_minutes: longer(),
            hour: longer(),
            attention: Attention::new(settings.signal_seconds),
            paused_until: Timestamp::default(),
        }
    }

    fn check(settings: &Settings) -> Result<(), String> {
        let rules = [
            (settings.fast_bars < settings.slow_bars, "fast_bars must be below slow_bars"),
            (
                settings.longer_fast_bars < settings.longer_slow_bars,
                "longer_fast_bars must be below longer_slow_bars",
            ),
            (
                settings.minimum_volatility < settings.maximum_volatility,
                "minimum_volatility must be below maximum_volatility",
            ),
            (settings.first_gain < settings.second_gain, "first_gain must be below second_gain"),
        ];
        let broken: Vec<&str> = rules.into_iter().filter(|(holds, _)| !holds).map(|(_, rule)| rule).collect();
        if broken.is_empty() { Ok(()) } else { Err(broken.join("; ")) }
    }

    fn observe(&mut self, bar: &Bar) {
        match bar.interval {
            BAR => self.observe_minute(bar),
            FIVE_MINUTES => self.five_minutes.update(bar.close),
            HOUR => self.hour.update(bar.close),
            _ => {}
        }
    }

    fn on_bar(&mut self, bar: &Bar, context: &mut Context) {
        if bar.interval != BAR || context.now() < self.paused_until {
            return;
        }
        let Some(evidence) = self.evidence(context.now()) else { return };
        let probability = evidence.probability();
        match context.stance() {
            Stance::Flat if probability >= self.settings.threshold && self.is_volatility_fit() => {
                context
                    .buy()
                    .exits(self.exit_plan())
                    .confidence(probability)
                    .reason(entry_reason(probability, &evidence));
            }
            Stance::Long if self.is_momentum_lost() => {
                context
                    .close()
                    .confidence(1.0 - probability)
                    .reason(format!("momentum lost, pump probability {probability:.2}"));
            }
            _ => {}
        }
    }

    fn on_signal(&mut self, signal: &Signal, context: &mut Context) {
        match context.signal_name(signal.id) {
            Some("sentiment") => self.attention.hear_sentiment(signal.time, signal.value),
            Some("mentions") => self.attention.hear_mentions(signal.time, signal.value),
            _ => {}
        }
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

impl Momentum {
    fn observe_minute(&mut self, bar: &Bar) {
        // The range must not yet contain the bar that may break out of it.
        self.breakout = self.highest.value().zip(self.lowest.value()).map(|(highest, lowest)| {
            if bar.close > highest {
                1.0
            } else if bar.close < lowest {
                -1.0
            } else {
                0.0
            }
        });
        self.highest.update(bar.high);
        self.lowest.update(bar.low);
        self.change.update(bar.close);
        self.volatility.update(bar.close);
        self.volume.update(bar.volume);
        self.trend.update(bar.close);
    }

    /// `None` while something is not known that the one-minute bars will tell.
    fn evidence(&self, now: Timestamp) -> Option<Evidence> {
        let usual = self.volatility.over(self.settings.change_bars)?;
        Some(Evidence {
            rate_of_change: strength(libm::log1p(self.change.value()?), 2.0 * usual),
            breakout: self.breakout?,
            volume: surge(self.volume.value()),
            trend: self.trend.direction()?,
            five_minutes: self.five_minutes.direction().unwrap_or(0.0),
            hour: self.hour.direction().unwrap_or(0.0),
            sentiment: self.attention.sentiment(now),
            mentions: self.attention.mentions(now),
        })
    }

    fn is_volatility_fit(&self) -> bool {
        let fit = self.settings.minimum_volatility..=self.settings.maximum_volatility;
        self.volatility.value().is_some_and(|volatility| fit.contains(&volatility))
    }

    fn is_momentum_lost(&self) -> bool {
        self.change.value().is_some_and(|change| change < 0.0) && self.trend.is_close_below()
    }

    fn exit_plan(&self) -> ExitPlan {
        let settings = &self.settings;
        ExitPlan::none()
            .stop_loss(settings.stop_loss)
            .trailing(settings.trailing_stop)
            .take_profit(settings.first_gain, settings.gain_share)
            .take_profit(settings.second_gain, settings.gain_share)
            .max_holding_seconds(settings.holding_seconds)
    }

    fn pause(&mut self, now: Timestamp) {
        self.paused_until = now.plus_seconds(self.settings.pause_seconds);
    }
}

fn entry_reason(probability: f64, evidence: &Evidence) -> String {
    let Evidence { rate_of_change, breakout, volume, trend, five_minutes, hour, sentiment, mentions } =
        evidence;
    format!(
        "pump probability {probability:.2}: change {rate_of_change:+.1}, breakout {breakout:+.0}, volume \
         {volume:+.1}, trend {trend:+.0} ({five_minutes:+.0} 5m, {hour:+.0} 1h), sentiment {sentiment:+.1}, \
         mentions {mentions:+.1}"
    )
}

bulkhead_sdk::export!(Momentum);

#[cfg(test)]
mod tests;
