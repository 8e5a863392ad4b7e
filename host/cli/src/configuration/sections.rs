//! The sections of the configuration, and what they mean to the core. The core's own defaults are the
//! defaults here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bulkhead_core::engine::FaultPolicy;
use bulkhead_core::exits::ExitPolicy;
use bulkhead_core::input::StrategyMode;
use bulkhead_core::money::{Money, Price, Quantity};
use bulkhead_core::risk::{BreakerSettings, RiskLimits};
use bulkhead_core::sizing::{FractionSizing, Sizing};
use bulkhead_core::strategy::{ExitPlan, ParameterValue, TakeProfit};
use bulkhead_core::time::Span;
use bulkhead_core::venue::paper::{FillTiming, PaperSettings};
use bulkhead_feeds::quality::QualitySettings;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::breakers::Breakers;
use super::values::{Limit, Setting};

/// Whether real funds may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// Everything but the funds is real.
    Paper,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Strategies {
    pub(crate) directory: PathBuf,
    pub(crate) new_mode: StrategyMode,
    pub(crate) new_weight: Setting<Decimal>,
}

impl Default for Strategies {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("strategies"),
            new_mode: StrategyMode::Shadow,
            new_weight: Setting(Decimal::ZERO),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Slot {
    pub(crate) mode: StrategyMode,
    pub(crate) weight: Setting<Decimal>,
    #[serde(default)]
    pub(crate) parameters: BTreeMap<String, ParameterValue>,
    /// Symbols; all when empty.
    #[serde(default)]
    pub(crate) instruments: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FeedSource {
    Simulator,
    Csv,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Feed {
    pub(crate) source: FeedSource,
    /// `FILE` or `SYMBOL=FILE`.
    pub(crate) files: Vec<String>,
    pub(crate) quality: QualitySettings,
}

impl Default for Feed {
    fn default() -> Self {
        Self { source: FeedSource::Simulator, files: Vec::new(), quality: QualitySettings::default() }
    }
}

/// Terms of an instrument that its data does not say.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct InstrumentTerms {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tick: Option<Setting<Decimal>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lot: Option<Setting<Decimal>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min_notional: Option<Setting<Decimal>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cluster: Option<String>,
}

impl InstrumentTerms {
    pub(crate) fn apply(&self, instrument: &mut bulkhead_core::instrument::Instrument) {
        if let Some(Setting(tick)) = self.tick {
            instrument.tick = Price(tick);
        }
        if let Some(Setting(lot)) = self.lot {
            instrument.lot = Quantity(lot);
        }
        if let Some(Setting(min_notional)) = self.min_notional {
            instrument.min_notional = Money(min_notional);
        }
        if let Some(cluster) = &self.cluster {
            instrument.cluster.clone_from(cluster);
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Risk {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allowed_symbols: Option<BTreeSet<String>>,
    pub(crate) cooldown: Limit<Span>,
    pub(crate) max_price_age: Limit<Span>,
    pub(crate) price_collar: Limit<f64>,
    pub(crate) slippage_cap_bps: Limit<f64>,
    pub(crate) gas_cap: Limit<Decimal>,
    pub(crate) min_order: Limit<Decimal>,
    pub(crate) max_order: Limit<Decimal>,
    pub(crate) max_position: Limit<Decimal>,
    pub(crate) max_exposure: Limit<Decimal>,
    pub(crate) max_cluster: Limit<Decimal>,
    pub(crate) max_open_risk: Limit<Decimal>,
    pub(crate) strategy_share: bool,
    pub(crate) daily_loss: Limit<Decimal>,
    pub(crate) drawdown: Limit<Decimal>,
    pub(crate) orders_per_minute: Limit<u32>,
    pub(crate) refuse_duplicates: bool,
    pub(crate) min_liquidity: Limit<f64>,
    pub(crate) max_liquidity_share: Limit<f64>,
    pub(crate) reserve_margin: Setting<Decimal>,
    pub(crate) exits: Exits,
    pub(crate) breakers: Breakers,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Exits {
    pub(crate) stop_loss: Limit<f64>,
    pub(crate) breakeven: Limit<f64>,
    pub(crate) trailing: Limit<f64>,
    pub(crate) take_profits: Vec<TakeProfit>,
    pub(crate) max_holding: Limit<Span>,
    pub(crate) widest_stop: Limit<f64>,
    pub(crate) longest_holding: Limit<Span>,
}

impl Default for Risk {
    fn default() -> Self {
        Self::from(&RiskLimits::default())
    }
}

impl Default for Exits {
    fn default() -> Self {
        Self::from(&ExitPolicy::default())
    }
}

impl From<&RiskLimits> for Risk {
    fn from(limits: &RiskLimits) -> Self {
        Self {
            allowed_symbols: limits.allowed_symbols.clone(),
            cooldown: Limit(limits.cooldown),
            max_price_age: Limit(limits.max_price_age),
            price_collar: Limit(limits.price_collar),
            slippage_cap_bps: Limit(limits.slippage_cap_bps),
            gas_cap: Limit(limits.gas_cap),
            min_order: Limit(limits.min_order.map(|money| money.0)),
            max_order: Limit(limits.max_order),
            max_position: Limit(limits.max_position),
            max_exposure: Limit(limits.max_exposure),
            max_cluster: Limit(limits.max_cluster),
            max_open_risk: Limit(limits.max_open_risk),
            strategy_share: limits.strategy_share,
            daily_loss: Limit(limits.daily_loss),
            drawdown: Limit(limits.drawdown),
            orders_per_minute: Limit(limits.orders_per_minute),
            refuse_duplicates: limits.refuse_duplicates,
            min_liquidity: Limit(limits.min_liquidity),
            max_liquidity_share: Limit(limits.max_liquidity_share),
            reserve_margin: Setting(limits.reserve_margin),
            exits: Exits::from(&limits.exits),
            breakers: Breakers::from(&limits.breakers),
        }
    }
}

impl From<&Risk> for RiskLimits {
    fn from(risk: &Risk) -> Self {
        Self {
            allowed_symbols: risk.allowed_symbols.clone(),
            cooldown: risk.cooldown.0,
            max_price_age: risk.max_price_age.0,
            price_collar: risk.price_collar.0,
            slippage_cap_bps: risk.slippage_cap_bps.0,
            gas_cap: risk.gas_cap.0,
            min_order: risk.min_order.0.map(Money),
            max_order: risk.max_order.0,
            max_position: risk.max_position.0,
            max_exposure: risk.max_exposure.0,
            max_cluster: risk.max_cluster.0,
            max_open_risk: risk.max_open_risk.0,
            strategy_share: risk.strategy_share,
            daily_loss: risk.daily_loss.0,
            drawdown: risk.drawdown.0,
            orders_per_minute: risk.orders_per_minute.0,
            refuse_duplicates: risk.refuse_duplicates,
            min_liquidity: risk.min_liquidity.0,
            max_liquidity_share: risk.max_liquidity_share.0,
            reserve_margin: risk.reserve_margin.0,
            exits: ExitPolicy::from(&risk.exits),
            breakers: BreakerSettings::from(&risk.breakers),
        }
    }
}

impl From<&ExitPolicy> for Exits {
    fn from(policy: &ExitPolicy) -> Self {
        let plan = &policy.default_plan;
        Self {
            stop_loss: Limit(plan.stop_loss),
            breakeven: Limit(plan.breakeven),
            trailing: Limit(plan.trailing),
            take_profits: plan.take_profits.clone(),
            max_holding: Limit(plan.max_holding),
            widest_stop: Limit(policy.widest_stop),
            longest_holding: Limit(policy.longest_holding),
        }
    }
}

impl From<&Exits> for ExitPolicy {
    fn from(exits: &Exits) -> Self {
        Self {
            default_plan: ExitPlan {
                stop_loss: exits.stop_loss.0,
                breakeven: exits.breakeven.0,
                trailing: exits.trailing.0,
                take_profits: exits.take_profits.clone(),
                max_holding: exits.max_holding.0,
            },
            widest_stop: exits.widest_stop.0,
            longest_holding: exits.longest_holding.0,
        }
    }
}

/// Which of the sizing policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SizingMethod {
    Fraction,
    Notional,
    Quantity,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SizingSection {
    pub(crate) method: SizingMethod,
    /// Of the account's equity, for `fraction`.
    pub(crate) fraction: Setting<Decimal>,
    /// For `notional`.
    pub(crate) notional: Setting<Decimal>,
    /// For `quantity`.
    pub(crate) quantity: Setting<Decimal>,
    pub(crate) by_confidence: bool,
    pub(crate) reference_volatility: Limit<f64>,
    pub(crate) reference_drawdown: Limit<f64>,
    pub(crate) kelly: Limit<Decimal>,
}

impl Default for SizingSection {
    fn default() -> Self {
        let policy = FractionSizing::default();
        Self {
            method: SizingMethod::Fraction,
            fraction: Setting(policy.fraction),
            notional: Setting(Decimal::ONE_HUNDRED),
            quantity: Setting(Decimal::ONE),
            by_confidence: policy.by_confidence,
            reference_volatility: Limit(policy.reference_volatility),
            reference_drawdown: Limit(policy.reference_drawdown),
            kelly: Limit(policy.kelly),
        }
    }
}

impl From<&SizingSection> for Sizing {
    fn from(section: &SizingSection) -> Self {
        match section.method {
            SizingMethod::Quantity => Self::Quantity(Quantity(section.quantity.0)),
            SizingMethod::Notional => Self::Notional(Money(section.notional.0)),
            SizingMethod::Fraction => Self::Fraction(FractionSizing {
                fraction: section.fraction.0,
                by_confidence: section.by_confidence,
                reference_volatility: section.reference_volatility.0,
                reference_drawdown: section.reference_drawdown.0,
                kelly: section.kelly.0,
            }),
        }
    }
}

/// The paper venue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Paper {
    pub(crate) fill: FillTiming,
    pub(crate) fee_bps: Setting<Decimal>,
    pub(crate) slippage_bps: Setting<f64>,
    pub(crate) impact_bps: Setting<f64>,
    pub(crate) participation: Limit<f64>,
    pub(crate) latency: Setting<Span>,
    pub(crate) failure_probability: Setting<f64>,
    pub(crate) gas: Setting<Decimal>,
    pub(crate) market_order_timeout: Limit<Span>,
    pub(crate) seed: Setting<u32>,
}

impl Default for Paper {
    fn default() -> Self {
        Self::from(&PaperSettings::default())
    }
}

impl From<&PaperSettings> for Paper {
    fn from(settings: &PaperSettings) -> Self {
        Self {
            fill: settings.timing,
            fee_bps: Setting(settings.fee_bps),
            slippage_bps: Setting(settings.slippage_bps),
            impact_bps: Setting(settings.impact_bps),
            participation: Limit(settings.participation),
            latency: Setting(settings.latency),
            failure_probability: Setting(settings.failure_probability),
            gas: Setting(settings.gas.0),
            market_order_timeout: Limit(settings.market_order_timeout),
            seed: Setting(u32::try_from(settings.seed).unwrap_or(u32::MAX)),
        }
    }
}

impl From<&Paper> for PaperSettings {
    fn from(paper: &Paper) -> Self {
        Self {
            timing: paper.fill,
            fee_bps: paper.fee_bps.0,
            slippage_bps: paper.slippage_bps.0,
            impact_bps: paper.impact_bps.0,
            participation: paper.participation.0,
            latency: paper.latency.0,
            failure_probability: paper.failure_probability.0,
            gas: Money(paper.gas.0),
            market_order_timeout: paper.market_order_timeout.0,
            seed: u64::from(paper.seed.0),
        }
    }
}

/// What follows from a strategy's faults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Faults {
    pub(crate) quarantine_after: Setting<u32>,
    pub(crate) window: Setting<Span>,
    pub(crate) restart_after: Setting<Span>,
}

impl Default for Faults {
    fn default() -> Self {
        let policy = FaultPolicy::default();
        Self {
            quarantine_after: Setting(u32::try_from(policy.quarantine_after).unwrap_or(u32::MAX)),
            window: Setting(policy.window),
            restart_after: Setting(policy.restart_after),
        }
    }
}

impl From<&Faults> for FaultPolicy {
    fn from(faults: &Faults) -> Self {
        Self {
            quarantine_after: usize::try_from(faults.quarantine_after.0).unwrap_or(usize::MAX),
            window: faults.window.0,
            restart_after: faults.restart_after.0,
        }
    }
}
