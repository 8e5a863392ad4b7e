//! What the operator allows.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::exits::ExitPolicy;
use crate::money::Money;
use crate::risk::BreakerSettings;
use crate::time::Span;

/// The gate's limits. An absent limit is not checked; what an order costs must always be there.
/// Fractions are of the account's equity unless they say otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RiskLimits {
    /// Symbols that may be bought; all when absent.
    pub allowed_symbols: Option<BTreeSet<String>>,
    /// After a strategy closed a position in a token, how long it may not buy that token again.
    pub cooldown: Option<Span>,
    /// Oldest price that an order may be based on.
    pub max_price_age: Option<Span>,
    /// How far a limit price may be from the last price, as a fraction of it.
    pub price_collar: Option<f64>,
    /// Largest expected slippage, in basis points.
    pub slippage_cap_bps: Option<f64>,
    /// Largest gas, as a fraction of the order's value.
    pub gas_cap: Option<Decimal>,
    /// Smallest value of an order.
    pub min_order: Option<Money>,
    /// Largest value of an order, as a fraction.
    pub max_order: Option<Decimal>,
    /// Largest position in an instrument over all strategies, held and in flight, as a fraction.
    pub max_position: Option<Decimal>,
    /// Largest sum of all positions, held and in flight, as a fraction.
    pub max_exposure: Option<Decimal>,
    /// Largest sum of a cluster's positions, held and in flight, as a fraction.
    pub max_cluster: Option<Decimal>,
    /// Largest loss should every stop be hit, as a fraction.
    pub max_open_risk: Option<Decimal>,
    /// Whether a strategy's positions are limited to its share of the account's equity.
    pub strategy_share: bool,
    /// No new positions for the rest of the UTC day after a loss of this fraction of the day's first equity.
    pub daily_loss: Option<Decimal>,
    /// No new positions while equity is this far below its highest, as a fraction of that.
    pub drawdown: Option<Decimal>,
    /// Most orders of the account in a minute of event time.
    pub orders_per_minute: Option<u32>,
    /// Whether the same order may not work twice.
    pub refuse_duplicates: bool,
    /// Smallest depth of a pool, when it is known.
    pub min_liquidity: Option<f64>,
    /// Largest part of a pool's depth that an order may be, when it is known.
    pub max_liquidity_share: Option<f64>,
    /// Set aside for a market buy beyond its value at the last price, as a fraction of that value.
    pub reserve_margin: Decimal,
    /// Exits of positions.
    pub exits: ExitPolicy,
    /// What stops new exposure for a while, and remembers it.
    pub breakers: BreakerSettings,
}

impl Default for RiskLimits {
    fn default() -> Self {
        Self {
            allowed_symbols: None,
            cooldown: Some(Span::from_seconds(3_600)),
            max_price_age: Some(Span::from_seconds(300)),
            price_collar: Some(0.05),
            slippage_cap_bps: Some(100.0),
            gas_cap: Some(Decimal::new(1, 2)),
            min_order: Some(Money(Decimal::TEN)),
            max_order: Some(Decimal::new(10, 2)),
            max_position: Some(Decimal::new(20, 2)),
            max_exposure: Some(Decimal::new(80, 2)),
            max_cluster: Some(Decimal::new(50, 2)),
            max_open_risk: Some(Decimal::new(10, 2)),
            strategy_share: true,
            daily_loss: Some(Decimal::new(5, 2)),
            drawdown: Some(Decimal::new(20, 2)),
            orders_per_minute: Some(60),
            refuse_duplicates: true,
            min_liquidity: Some(10_000.0),
            max_liquidity_share: Some(0.02),
            reserve_margin: Decimal::new(1, 2),
            exits: ExitPolicy::default(),
            breakers: BreakerSettings::default(),
        }
    }
}

impl RiskLimits {
    /// Only solvency is checked, positions get no exits of the host's, and every breaker is off.
    #[must_use]
    pub fn none() -> Self {
        Self {
            allowed_symbols: None,
            cooldown: None,
            max_price_age: None,
            price_collar: None,
            slippage_cap_bps: None,
            gas_cap: None,
            min_order: None,
            max_order: None,
            max_position: None,
            max_exposure: None,
            max_cluster: None,
            max_open_risk: None,
            strategy_share: false,
            daily_loss: None,
            drawdown: None,
            orders_per_minute: None,
            refuse_duplicates: false,
            min_liquidity: None,
            max_liquidity_share: None,
            reserve_margin: Decimal::ZERO,
            exits: ExitPolicy::none(),
            breakers: BreakerSettings::none(),
        }
    }

    /// Whether any limit looks at the account's exposure, so that it must be computed.
    #[must_use]
    pub const fn look_at_exposure(&self) -> bool {
        self.max_order.is_some()
            || self.max_position.is_some()
            || self.max_exposure.is_some()
            || self.max_cluster.is_some()
            || self.max_open_risk.is_some()
            || self.strategy_share
    }

    /// Whether any limit or breaker looks at how equity moved.
    #[must_use]
    pub const fn look_at_equity(&self) -> bool {
        self.daily_loss.is_some() || self.drawdown.is_some() || self.breakers.drawdown.is_some()
    }
}
