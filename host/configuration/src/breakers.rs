//! The section of the breakers. Each is switched off by its first key.

use bulkhead_core::risk::{
    BreakerSettings, ErrorRateSettings, LosingStreakSettings, ProbingSettings, StaleDataSettings,
};
use bulkhead_core::time::Span;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::values::{Limit, Setting};

/// The breakers. What each does is said where the core defines its settings: [`BreakerSettings`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Breakers {
    /// Failed orders among the last `failures_among` that trip the breaker, at least 1.
    pub failures: Limit<u32>,
    /// So many of the last orders are looked at.
    pub failures_among: Setting<u32>,
    /// The first pause after it tripped.
    pub failures_pause: Setting<Span>,
    /// Losing trades in a row that trip the breaker, at least 1.
    pub losses: Limit<u32>,
    /// The first pause after it tripped.
    pub losses_pause: Setting<Span>,
    /// Times the daily-loss limit.
    pub daily_loss: Limit<Decimal>,
    /// The fall from the highest equity, as a fraction of it.
    pub drawdown: Limit<Decimal>,
    /// The age of an instrument's last price that trips its breaker.
    pub stale_after: Limit<Span>,
    /// The first pause after it tripped.
    pub stale_pause: Setting<Span>,
    /// Pauses grow up to this.
    pub longest_pause: Setting<Span>,
    /// Orders after a pause that must go well before the breaker closes, at least 1.
    pub probe_orders: Setting<u32>,
    /// How large they may be, as a fraction of what else would be allowed.
    pub probe_size: Setting<Decimal>,
}

/// A value that no breaker can work with.
pub(crate) struct OutOfRange {
    pub(crate) key: &'static str,
    pub(crate) found: String,
    pub(crate) allowed: &'static str,
}

impl Default for Breakers {
    fn default() -> Self {
        Self::from(&BreakerSettings::default())
    }
}

impl From<&BreakerSettings> for Breakers {
    fn from(settings: &BreakerSettings) -> Self {
        // What belongs to a breaker that is off is shown as its default.
        let default = BreakerSettings::default();
        let failures = settings.error_rate.or(default.error_rate);
        let losses = settings.losing_streak.or(default.losing_streak);
        let stale = settings.stale_data.or(default.stale_data);
        Self {
            failures: Limit(settings.error_rate.map(|breaker| breaker.failures)),
            failures_among: Setting(failures.map_or(0, |breaker| breaker.among)),
            failures_pause: Setting(failures.map_or(Span::ZERO, |breaker| breaker.pause)),
            losses: Limit(settings.losing_streak.map(|breaker| breaker.losses)),
            losses_pause: Setting(losses.map_or(Span::ZERO, |breaker| breaker.pause)),
            daily_loss: Limit(settings.daily_loss),
            drawdown: Limit(settings.drawdown),
            stale_after: Limit(settings.stale_data.map(|breaker| breaker.after)),
            stale_pause: Setting(stale.map_or(Span::ZERO, |breaker| breaker.pause)),
            longest_pause: Setting(settings.probing.longest_pause),
            probe_orders: Setting(settings.probing.orders),
            probe_size: Setting(settings.probing.largest),
        }
    }
}

impl From<&Breakers> for BreakerSettings {
    fn from(section: &Breakers) -> Self {
        Self {
            error_rate: section.failures.0.map(|failures| ErrorRateSettings {
                failures,
                among: section.failures_among.0,
                pause: section.failures_pause.0,
            }),
            losing_streak: section
                .losses
                .0
                .map(|losses| LosingStreakSettings { losses, pause: section.losses_pause.0 }),
            daily_loss: section.daily_loss.0,
            drawdown: section.drawdown.0,
            stale_data: section
                .stale_after
                .0
                .map(|after| StaleDataSettings { after, pause: section.stale_pause.0 }),
            probing: ProbingSettings {
                orders: section.probe_orders.0,
                largest: section.probe_size.0,
                longest_pause: section.longest_pause.0,
            },
        }
    }
}

impl Breakers {
    /// What no breaker can work with.
    pub(crate) fn problems(&self) -> Vec<OutOfRange> {
        let mut problems = Vec::new();
        let mut check = |key: &'static str, found: String, right: bool, allowed: &'static str| {
            if !right {
                problems.push(OutOfRange { key, found, allowed });
            }
        };
        if let Some(failures) = self.failures.0 {
            check(
                "failures",
                failures.to_string(),
                (1..=self.failures_among.0).contains(&failures),
                "a number from 1 to failures_among is expected",
            );
        }
        if let Some(losses) = self.losses.0 {
            check("losses", losses.to_string(), losses >= 1, "a number of 1 or more is expected");
        }
        if let Some(times) = self.daily_loss.0 {
            let right = times >= Decimal::ONE;
            check("daily_loss", times.to_string(), right, "1 or more times risk.daily_loss is expected");
        }
        let part = |value: Decimal| value > Decimal::ZERO && value <= Decimal::ONE;
        let fraction = "a fraction above 0 and at most 1 is expected (0.02 is 2 %)";
        if let Some(fall) = self.drawdown.0 {
            check("drawdown", fall.to_string(), part(fall), fraction);
        }
        let orders = self.probe_orders.0;
        check("probe_orders", orders.to_string(), orders >= 1, "a number of 1 or more is expected");
        let size = self.probe_size.0;
        check("probe_size", size.to_string(), part(size), fraction);
        problems
    }
}
