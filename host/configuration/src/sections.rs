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
pub enum Mode {
    /// Everything but the funds is real.
    Paper,
    /// Orders are executed on a chain, with what a key holds there.
    Live,
}

impl Mode {
    /// As the configuration has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Live => "live",
        }
    }
}

/// Plugin files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Strategies {
    /// The directory that is watched for plugin files.
    pub directory: PathBuf,
    /// What becomes of a plugin file that has no slot of its own.
    pub new_mode: StrategyMode,
    /// Its share of the capital, from 0 to 1.
    pub new_weight: Setting<Decimal>,
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

/// A place in the account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// Whether its orders use the account's money.
    pub mode: StrategyMode,
    /// Its share of the capital, from 0 to 1.
    pub weight: Setting<Decimal>,
    /// Parameters of the strategy that differ from its defaults.
    #[serde(default)]
    pub parameters: BTreeMap<String, ParameterValue>,
    /// Symbols; all when empty.
    #[serde(default)]
    pub instruments: Vec<String>,
}

/// Where market data come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeedSource {
    /// A market that is made up from a seed.
    Simulator,
    /// Files of bars.
    Csv,
    /// The pools of the EVM chain's markets, as they are now.
    Pools,
    /// What the aggregator of swaps on Solana would give for the cluster's markets now.
    Quotes,
}

impl FeedSource {
    /// Whether it is a chain's, as things are now.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Pools | Self::Quotes)
    }

    /// As the configuration has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Simulator => "simulator",
            Self::Csv => "csv",
            Self::Pools => "pools",
            Self::Quotes => "quotes",
        }
    }
}

/// Market data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Feed {
    /// Where the data come from.
    pub source: FeedSource,
    /// `FILE` or `SYMBOL=FILE`.
    pub files: Vec<String>,
    /// The length of the bars that are made of what happens in pools.
    pub interval: Setting<Span>,
    /// What becomes of data that are unsound.
    pub quality: QualitySettings,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            source: FeedSource::Simulator,
            files: Vec::new(),
            interval: Setting(Span::from_seconds(60)),
            quality: QualitySettings::default(),
        }
    }
}

/// Terms of an instrument that its data does not say.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InstrumentTerms {
    /// The step of its prices, above 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tick: Option<Setting<Decimal>>,
    /// The step of its quantities, above 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lot: Option<Setting<Decimal>>,
    /// The smallest order, in money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_notional: Option<Setting<Decimal>>,
    /// Instruments that move together share a cluster and its limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

impl InstrumentTerms {
    /// Puts these terms in the place of what the data say.
    pub fn apply(&self, instrument: &mut bulkhead_core::instrument::Instrument) {
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

/// What the risk gate allows: [`RiskLimits`] as people write them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Risk {
    /// Symbols that may be bought; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_symbols: Option<BTreeSet<String>>,
    /// After a strategy closed a position in a token, how long it may not buy that token again.
    pub cooldown: Limit<Span>,
    /// Oldest price that an order may be based on.
    pub max_price_age: Limit<Span>,
    /// How far a limit price may be from the last price, as a fraction of it.
    pub price_collar: Limit<f64>,
    /// Largest expected slippage, in basis points.
    pub slippage_cap_bps: Limit<f64>,
    /// Largest gas, as a fraction of the order's value.
    pub gas_cap: Limit<Decimal>,
    /// Smallest value of an order.
    pub min_order: Limit<Decimal>,
    /// Largest value of an order, as a fraction.
    pub max_order: Limit<Decimal>,
    /// Largest position in an instrument over all strategies, held and in flight, as a fraction.
    pub max_position: Limit<Decimal>,
    /// Largest sum of all positions, held and in flight, as a fraction.
    pub max_exposure: Limit<Decimal>,
    /// Largest sum of a cluster's positions, held and in flight, as a fraction.
    pub max_cluster: Limit<Decimal>,
    /// Largest loss should every stop be hit, as a fraction.
    pub max_open_risk: Limit<Decimal>,
    /// Whether a strategy's positions are limited to its share of the account's equity.
    pub strategy_share: bool,
    /// No new positions for the rest of the UTC day after a loss of this fraction of the day's first equity.
    pub daily_loss: Limit<Decimal>,
    /// No new positions while equity is this far below its highest, as a fraction of that.
    pub drawdown: Limit<Decimal>,
    /// Most orders of the account in a minute of event time.
    pub orders_per_minute: Limit<u32>,
    /// Whether the same order may not work twice.
    pub refuse_duplicates: bool,
    /// Smallest depth of a pool, when it is known.
    pub min_liquidity: Limit<f64>,
    /// Largest part of a pool's depth that an order may be, when it is known.
    pub max_liquidity_share: Limit<f64>,
    /// Set aside for a market buy beyond its value at the last price, as a fraction of that value.
    pub reserve_margin: Setting<Decimal>,
    /// Exits of positions.
    pub exits: Exits,
    /// What stops new exposure for a while, and remembers it.
    pub breakers: Breakers,
}

/// Exits of positions: [`ExitPolicy`] as people write it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Exits {
    /// Sell all when the price falls this far below the entry.
    pub stop_loss: Limit<f64>,
    /// Once the price was this far above the entry, the stop moves up to the entry.
    pub breakeven: Limit<f64>,
    /// Sell all when the price falls this far below its highest since entry.
    pub trailing: Limit<f64>,
    /// Partial sales, by rising gain.
    pub take_profits: Vec<TakeProfit>,
    /// Sell all when the position is this old.
    pub max_holding: Limit<Span>,
    /// A stop may not be farther below the entry than this; a plan without one gets this.
    pub widest_stop: Limit<f64>,
    /// A position may not be held longer than this.
    pub longest_holding: Limit<Span>,
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
pub enum SizingMethod {
    /// A fraction of the equity, scaled.
    Fraction,
    /// Always the same value.
    Notional,
    /// Always the same quantity.
    Quantity,
}

/// How large a standard order is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SizingSection {
    /// Which of the policies.
    pub method: SizingMethod,
    /// Of the account's equity, for `fraction`.
    pub fraction: Setting<Decimal>,
    /// For `notional`.
    pub notional: Setting<Decimal>,
    /// For `quantity`.
    pub quantity: Setting<Decimal>,
    /// Multiply by the action's confidence.
    pub by_confidence: bool,
    /// Shrink in proportion when the instrument's daily volatility exceeds this (0.8 means 80 % a day).
    pub reference_volatility: Limit<f64>,
    /// Shrink linearly with the account's drawdown, to a quarter when it reaches this fraction.
    pub reference_drawdown: Limit<f64>,
    /// Use at most this part of the Kelly fraction of the strategy's own trades, once there are 30.
    pub kelly: Limit<Decimal>,
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
pub struct Paper {
    /// When a market order fills.
    pub fill: FillTiming,
    /// Proportional fee, in basis points of the value.
    pub fee_bps: Setting<Decimal>,
    /// Slippage of every order, in basis points.
    pub slippage_bps: Setting<f64>,
    /// Further slippage of an order as large as the bar's volume, in basis points. A smaller order pays in
    /// proportion to the square root of its part (the square-root law of market impact).
    pub impact_bps: Setting<f64>,
    /// Largest part of a bar's volume that one order gets; the rest waits for the next bar. No limit when
    /// absent or the volume is unknown. Exits are exempt: they pay by impact.
    pub participation: Limit<f64>,
    /// Time from the gate to the venue.
    pub latency: Setting<Span>,
    /// Probability that a transaction fails, 0 to 1.
    pub failure_probability: Setting<f64>,
    /// Cost of every transaction, failed or not, in the account's currency.
    pub gas: Setting<Decimal>,
    /// A market order not filled this long after it was made expires.
    pub market_order_timeout: Limit<Span>,
    /// Decides which transactions fail.
    pub seed: Setting<u32>,
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
pub struct Faults {
    /// This many faults within the window quarantine the strategy.
    pub quarantine_after: Setting<u32>,
    /// How far back faults count.
    pub window: Setting<Span>,
    /// The pause before the first restart; it doubles with each further fault in the window.
    pub restart_after: Setting<Span>,
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
