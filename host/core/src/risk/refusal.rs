//! Why the gate says no.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::breaker::BreakerKind;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// The reasons for refusing an order. The names are stable: programs, alerts and reports count by
        /// them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum RefusalCode {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)+
        }

        impl RefusalCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

codes! {
    /// The slot doesn't trade in its mode.
    Mode = "MODE_NOT_TRADING",
    /// A person has halted trading.
    KillSwitch = "KILL_SWITCH_ON",
    /// The host itself has halted the account.
    AccountHalted = "ACCOUNT_HALTED",
    /// Too many orders failed of late.
    BreakerErrorRate = "BREAKER_ERROR_RATE",
    /// Too many positions in a row were closed without a profit.
    BreakerLosingStreak = "BREAKER_LOSING_STREAK",
    /// The account lost a multiple of its daily-loss limit today.
    BreakerDailyLoss = "BREAKER_DAILY_LOSS",
    /// The account fell so far from its highest equity that a person must look.
    BreakerDrawdown = "BREAKER_DRAWDOWN",
    /// Something held or being traded had no fresh price.
    BreakerStaleData = "BREAKER_STALE_DATA",
    /// The operator doesn't allow the instrument.
    InstrumentNotAllowed = "INSTRUMENT_NOT_ALLOWED",
    /// No price of the instrument is known yet.
    PriceUnknown = "PRICE_UNKNOWN",
    /// The last price is too old.
    PriceStale = "PRICE_STALE",
    /// The limit price is too far from the market.
    PriceCollar = "PRICE_COLLAR",
    /// The expected slippage is too large.
    SlippageCap = "SLIPPAGE_CAP",
    /// The expected gas is too large a part of the order.
    GasCap = "GAS_CAP",
    /// A position in the token was closed too recently.
    Cooldown = "COOLDOWN_ACTIVE",
    /// The order is smaller than is worth its costs, or than the instrument allows.
    OrderTooSmall = "ORDER_TOO_SMALL",
    /// The order is larger than one order may be.
    OrderTooLarge = "ORDER_TOO_LARGE",
    /// The position, with what is held and in flight, would be too large.
    PositionLimit = "POSITION_LIMIT",
    /// The account's exposure would be too large.
    ExposureLimit = "EXPOSURE_LIMIT",
    /// The open risk, should every stop be hit, would be too large.
    OpenRiskLimit = "OPEN_RISK_LIMIT",
    /// The exposure to instruments that move together would be too large.
    ClusterLimit = "CLUSTER_LIMIT",
    /// The strategy would use more than its share of the capital.
    StrategyShare = "STRATEGY_SHARE",
    /// The account lost too much today.
    DailyLoss = "DAILY_LOSS_LIMIT",
    /// The account fell too far from its highest equity.
    Drawdown = "DRAWDOWN_LIMIT",
    /// Too many orders in a short time.
    OrderRate = "ORDER_RATE",
    /// The same order is working already.
    Duplicate = "ORDER_DUPLICATE",
    /// The pool or book is too thin.
    Liquidity = "LIQUIDITY_TOO_LOW",
    /// Not enough free cash for cost and fees.
    InsufficientCash = "SOLVENCY_INSUFFICIENT_CASH",
    /// There is no free position to sell.
    NothingToSell = "SOLVENCY_NOTHING_TO_SELL",
    /// The order rounds to nothing, or its amount can't be computed.
    InvalidSize = "SIZE_INVALID",
}

impl RefusalCode {
    /// The code with which a breaker refuses.
    #[must_use]
    pub const fn of_breaker(breaker: BreakerKind) -> Self {
        match breaker {
            BreakerKind::ErrorRate => Self::BreakerErrorRate,
            BreakerKind::LosingStreak => Self::BreakerLosingStreak,
            BreakerKind::DailyLoss => Self::BreakerDailyLoss,
            BreakerKind::Drawdown => Self::BreakerDrawdown,
            BreakerKind::StaleData => Self::BreakerStaleData,
        }
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A refusal with the numbers that led to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{code}: {facts}")]
pub struct Refusal {
    /// Why.
    pub code: RefusalCode,
    /// The numbers, as `key=value` pairs.
    pub facts: String,
}

impl Refusal {
    /// A refusal with its numbers.
    pub(crate) fn new(code: RefusalCode, facts: impl fmt::Display) -> Self {
        Self { code, facts: facts.to_string() }
    }
}
