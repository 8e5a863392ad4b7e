//! When breakers trip and for how long. An absent one is off.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::time::Span;

/// The settings of all breakers. Times are event time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerSettings {
    /// Trips when too many of the last orders failed.
    pub error_rate: Option<ErrorRateSettings>,
    /// Trips when too many positions in a row were closed without a profit.
    pub losing_streak: Option<LosingStreakSettings>,
    /// Trips when the account has lost this many times its daily-loss limit since 00:00 UTC, and stays open
    /// until the next day. 1 or more; off without that limit.
    pub daily_loss: Option<Decimal>,
    /// Trips when equity is this far below its highest, as a fraction of that, and stays open until an
    /// operator resumes.
    pub drawdown: Option<Decimal>,
    /// Trips when something held or being traded has no fresh price.
    pub stale_data: Option<StaleDataSettings>,
    /// How the breakers that have a pause find out whether all is well again.
    pub probing: ProbingSettings,
}

/// When the error-rate breaker trips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorRateSettings {
    /// So many failed orders trip it, 1 or more.
    pub failures: u32,
    /// Among this many that ended last, executed or failed; at least as many as `failures`.
    pub among: u32,
    /// How long it stays open the first time.
    pub pause: Span,
}

/// When the losing-streak breaker trips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LosingStreakSettings {
    /// So many losses in a row trip it, 1 or more.
    pub losses: u32,
    /// How long it stays open the first time.
    pub pause: Span,
}

/// When the stale-data breaker trips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaleDataSettings {
    /// A price this much older than the instrument's usual bar is stale.
    pub after: Span,
    /// How long it stays open the first time, and at least until every price is fresh.
    pub pause: Span,
}

/// What a half-open breaker lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbingSettings {
    /// So many orders, 1 or more.
    pub orders: u32,
    /// Of at most this value, as a fraction of the account's equity, above 0. Larger proposals are cut to it.
    pub largest: Decimal,
    /// The pause doubles with every probe that fails, up to this.
    pub longest_pause: Span,
}

impl Default for ProbingSettings {
    fn default() -> Self {
        Self { orders: 1, largest: Decimal::new(1, 2), longest_pause: Span::DAY }
    }
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            error_rate: Some(ErrorRateSettings { failures: 8, among: 20, pause: Span::from_seconds(300) }),
            losing_streak: Some(LosingStreakSettings { losses: 10, pause: Span::from_seconds(3_600) }),
            daily_loss: Some(Decimal::TWO),
            drawdown: Some(Decimal::new(25, 2)),
            stale_data: Some(StaleDataSettings {
                after: Span::from_seconds(900),
                pause: Span::from_seconds(60),
            }),
            probing: ProbingSettings::default(),
        }
    }
}

impl BreakerSettings {
    /// Every breaker is off.
    #[must_use]
    pub fn none() -> Self {
        Self {
            error_rate: None,
            losing_streak: None,
            daily_loss: None,
            drawdown: None,
            stale_data: None,
            probing: ProbingSettings::default(),
        }
    }
}
