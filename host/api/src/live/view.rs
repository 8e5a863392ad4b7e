//! An account at a moment, read off its engine: what dashboards show of it and renew a few times a second.

use bulkhead_core::engine::{Engine, Slot};
use bulkhead_core::exits::Guard;
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::money::Overflow;
use bulkhead_core::position::Position;
use bulkhead_core::risk::{BreakerKind, BreakerState};
use bulkhead_core::strategy::ParameterValue;
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive as _;
use serde::Serialize;
use utoipa::ToSchema;

use crate::call_meter::{CallCosts, Fuel, Latency};
use crate::documents::time;

/// An account at a moment. Shadows don't count in its sums.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LiveView {
    /// Event time.
    pub time: String,
    /// Cash and positions at the last prices.
    pub equity: Decimal,
    /// The pool and all strategies' cash.
    pub cash: Decimal,
    /// Cash set aside for working buys.
    pub reserved: Decimal,
    /// What the account began with.
    pub started_with: Decimal,
    /// The equity at the start of the UTC day.
    pub day_start_equity: Decimal,
    /// The highest equity so far.
    pub peak_equity: Decimal,
    /// The part of the equity that is invested, 0 to 1.
    pub exposure: f64,
    /// Why trading is halted; null while it goes on.
    pub halted: Option<HaltView>,
    /// The breakers, in the order in which the gate asks them.
    pub breakers: Vec<BreakerView>,
    /// How the journal is doing.
    pub journal: JournalView,
    /// How the market data are doing.
    pub feed: FeedView,
    /// The strategies, in the order in which they were deployed.
    pub strategies: Vec<StrategyView>,
    /// The open positions.
    pub positions: Vec<PositionView>,
    /// Orders that have not ended.
    pub working_orders: usize,
    /// The version of the settings in force.
    pub settings_version: u64,
    /// Another number whenever an alert came, or something became of one.
    pub alerts: u64,
}

/// A halt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HaltView {
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub actor: String,
    /// What it does besides: stop-entries, cancel-orders or flatten.
    pub action: String,
    /// Since when.
    pub since: String,
}

/// A breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BreakerView {
    /// Which, such as daily-loss.
    pub name: String,
    /// closed, open or half-open.
    pub state: String,
    /// The numbers that tripped it, as key=value pairs; empty when it is closed.
    pub reason: String,
    /// Until when it is open at least; null when a person must resume, or when it is not open.
    pub until: Option<String>,
}

/// How the journal is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct JournalView {
    /// writing, or waiting: then trading stands still.
    pub state: String,
    /// Why it waits; empty while it writes.
    pub why: String,
    /// The last input that is durable.
    pub durable: u64,
}

/// How the market data are doing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
pub struct FeedView {
    /// What is fed, such as simulator.
    pub source: String,
    /// Bars since the host started.
    pub bars: u64,
    /// Bars a second of real time, lately.
    pub bars_per_second: f64,
    /// What was wrong with them, for each instrument.
    pub quality: Vec<QualityView>,
    /// How it goes to ask for what happens now; null for markets that are made up or on record, and before it was begun.
    pub asking: Option<AskingView>,
}

/// How it goes to ask a chain, or somebody who trades there, for what happens now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct AskingView {
    /// The time of the newest block that was read, or of the newest price; null before the first.
    pub newest: Option<String>,
    /// How often it failed since it was begun.
    pub failures: u64,
    /// Why it failed last; null when it went well.
    pub failing: Option<String>,
    /// The time of `newest` in seconds since 1970, for the metrics.
    #[serde(skip)]
    pub newest_seconds: Option<i64>,
}

/// What was wrong with an instrument's market data since the host started. What became of it is for `[feed.quality]` of the
/// configuration to say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct QualityView {
    /// The symbol.
    pub instrument: String,
    /// Rows that came in.
    pub rows: u64,
    /// Rows that were mended.
    pub repaired: u64,
    /// Rows that were left out.
    pub skipped: u64,
    /// Bars that were missing between others.
    pub missing: u64,
}

/// A strategy in its slot.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct StrategyView {
    /// The slot.
    pub name: String,
    /// The number that the version gives itself.
    pub version: String,
    /// SHA-256 of the plugin.
    pub hash: String,
    /// live, shadow or off.
    pub mode: String,
    /// running, restarting, quarantined or removed.
    pub status: String,
    /// Its share of the capital, 0 to 1.
    pub weight: Decimal,
    /// Its cash and positions at the last prices.
    pub capital: Decimal,
    /// Deposits and transfers in, less transfers out.
    pub funded: Decimal,
    /// Capital less what it was funded with.
    pub pnl: Decimal,
    /// Profit of its sales, after fees.
    pub realised: Decimal,
    /// Fills since the host started.
    pub fills: u64,
    /// Refused proposals since the host started.
    pub refusals: u64,
    /// Faults since it was first deployed.
    pub faults: u64,
    /// Events that it was told over its life.
    pub events: u64,
    /// Orders of it, and of its positions' exits, that passed the gate since the host started.
    pub orders: u64,
    /// How often it was handed events since the host started.
    pub calls: u64,
    /// What these calls used of its fuel.
    pub fuel: Fuel,
    /// How long they took.
    pub latency: Latency,
}

/// What the engine does not know of a slot, since the host started.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SlotCounts {
    /// Orders that passed the gate.
    pub orders: u64,
    /// Fills.
    pub fills: u64,
    /// Refused proposals.
    pub refusals: u64,
    /// What its calls cost.
    pub costs: CallCosts,
}

/// A position with its exits.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PositionView {
    /// Whose.
    pub strategy: String,
    /// In what.
    pub instrument: String,
    /// Whether its money is make-believe.
    pub shadow: bool,
    /// How much is held.
    pub quantity: Decimal,
    /// Average entry price.
    pub entry: Decimal,
    /// The last price; null when there is none.
    pub last: Option<Decimal>,
    /// The price at which it is sold whole: the highest of its stops; null without one.
    pub stop: Option<Decimal>,
    /// Which stop that is, such as trailing-stop; null without one.
    pub stop_kind: Option<String>,
    /// The profit tiers, nearest first.
    pub tiers: Vec<TierView>,
    /// When its time is over; null without a time stop.
    pub expires: Option<String>,
    /// What the held quantity cost, without fees.
    pub cost: Decimal,
    /// Profit at the last price, entry fees counted; null without a price.
    pub pnl: Option<Decimal>,
    /// When it was opened.
    pub opened: String,
}

/// A profit tier.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TierView {
    /// At this price.
    pub price: Decimal,
    /// This part of what was bought is sold, 0 to 1.
    pub share: f64,
    /// Whether it has been sold.
    pub taken: bool,
}

/// What the engine does not know of itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Surroundings {
    /// How the journal is doing.
    pub journal: JournalView,
    /// How the market data are doing.
    pub feed: FeedView,
    /// Another number whenever an alert came, or something became of one.
    pub alerts: u64,
}

impl LiveView {
    /// Reads the engine. `counts` gives what is known of a slot beside.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when a sum leaves the range of the books.
    pub fn read(
        engine: &Engine,
        surroundings: Surroundings,
        counts: impl Fn(&Slot) -> SlotCounts,
    ) -> Result<Self, Overflow> {
        let ledger = engine.ledger();
        let (mut reserved, mut strategies, mut positions) = (Decimal::ZERO, Vec::new(), Vec::new());
        for slot in engine.slots() {
            let Some(books) = ledger.sub_ledger(slot.id()) else { continue };
            let shadow = books.is_make_believe();
            if !shadow {
                reserved += books.reserved().0;
            }
            let SlotCounts { orders, fills, refusals, costs } = counts(slot);
            let capital = engine.slot_equity(slot.id())?;
            strategies.push(StrategyView {
                name: slot.name().to_owned(),
                version: slot.description().version.clone(),
                hash: slot.deployment().version.to_string(),
                mode: slot.deployment().mode.name().to_owned(),
                status: slot.status().name().to_owned(),
                weight: slot.deployment().weight,
                capital: capital.0,
                funded: books.funded().0,
                pnl: capital.minus(books.funded())?.0,
                realised: books.realised().0,
                fills,
                refusals,
                faults: slot.faults(),
                events: slot.events_seen(),
                orders,
                calls: costs.calls,
                fuel: costs.fuel,
                latency: costs.latency,
            });
            for position in books.positions() {
                positions.push(PositionView::read(engine, slot, shadow, position)?);
            }
        }
        let (day_start, peak) = engine.equity_marks();
        Ok(Self {
            time: time(engine.now()),
            equity: engine.equity()?.0,
            cash: ledger.cash().0,
            reserved,
            started_with: engine.settings().cash.0,
            day_start_equity: day_start.0,
            peak_equity: peak.0,
            exposure: engine.equity_estimate().1,
            halted: engine.halt().map(|halt| HaltView {
                reason: halt.reason.clone(),
                actor: halt.actor.to_string(),
                action: halt.action.name().to_owned(),
                since: time(halt.since),
            }),
            breakers: BreakerKind::ALL
                .into_iter()
                .map(|kind| BreakerView::of(kind, engine.breakers().state(kind)))
                .collect(),
            journal: surroundings.journal,
            feed: surroundings.feed,
            strategies,
            positions,
            working_orders: engine.orders().count(),
            settings_version: engine.settings_version(),
            alerts: surroundings.alerts,
        })
    }
}

impl BreakerView {
    fn of(kind: BreakerKind, state: &BreakerState) -> Self {
        let (reason, until) = match state {
            BreakerState::Closed => ("", None),
            BreakerState::Open { until, facts, .. } => (facts.as_str(), until.map(time)),
            BreakerState::HalfOpen { facts, .. } => (facts.as_str(), None),
        };
        Self {
            name: kind.name().to_owned(),
            state: state.name().to_owned(),
            reason: reason.to_owned(),
            until,
        }
    }
}

impl PositionView {
    fn read(engine: &Engine, slot: &Slot, shadow: bool, position: &Position) -> Result<Self, Overflow> {
        let instrument = engine.settings().instrument(position.instrument);
        let last = instrument.and_then(|found| engine.prices().price(position.instrument, found));
        let guard = engine.exits().guard(slot.id(), position.instrument);
        let tiers = guard.map_or_else(Vec::new, |guard| {
            let tier = |(number, tier): (usize, &bulkhead_core::strategy::TakeProfit)| {
                let factor = Decimal::from_f64(1.0 + tier.gain)?;
                let price = guard.entry().scaled(factor).ok()?.0;
                Some(TierView {
                    price: price.round_dp(guard.entry().0.scale().max(2)),
                    share: tier.share,
                    taken: number < guard.tiers_done(),
                })
            };
            guard.plan().take_profits.iter().enumerate().filter_map(tier).collect()
        });
        Ok(Self {
            strategy: slot.name().to_owned(),
            instrument: instrument
                .map_or_else(|| position.instrument.to_string(), |found| found.symbol.clone()),
            shadow,
            quantity: position.quantity.0,
            entry: position.average_price()?.0,
            last: last.map(|price| price.0),
            stop: guard.and_then(Guard::stop).map(|price| price.0),
            stop_kind: guard.and_then(Guard::stop_kind).map(|cause| cause.name().to_owned()),
            tiers,
            expires: guard.and_then(Guard::deadline).map(time),
            cost: position.cost.0,
            pnl: last.map(|price| position.unrealised(price)).transpose()?.map(|pnl| pnl.0),
            opened: time(position.opened),
        })
    }
}

/// What a strategy says of itself, and what it was set to.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct StrategyDetail {
    /// The slot.
    pub(crate) name: String,
    /// What the version calls itself.
    pub(crate) plugin: String,
    /// The number that it gives itself.
    pub(crate) version: String,
    /// SHA-256 of the file.
    pub(crate) hash: String,
    /// What it may trade; all when empty.
    pub(crate) instruments: Vec<String>,
    /// Lengths of the bars that it wants, in seconds; 0 for those of the feed.
    pub(crate) bar_seconds: Vec<i64>,
    /// How many bars it must see before it acts.
    pub(crate) warm_up_bars: u32,
    /// What can be set.
    pub(crate) parameters: Vec<ParameterView>,
}

/// A parameter of a strategy.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct ParameterView {
    /// Lower case with underscores.
    pub(crate) name: String,
    /// What it does, with its unit.
    pub(crate) meaning: String,
    /// flag, integer, number or text.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// What holds when nothing is set.
    #[schema(value_type = Value)]
    pub(crate) default: serde_json::Value,
    /// What holds now.
    #[schema(value_type = Value)]
    pub(crate) value: serde_json::Value,
    /// Smallest allowed number, if there is one.
    pub(crate) minimum: Option<f64>,
    /// Largest allowed number, if there is one.
    pub(crate) maximum: Option<f64>,
}

impl StrategyDetail {
    pub(crate) fn of(engine: &Engine, slot: &Slot) -> Self {
        let (description, deployment) = (slot.description(), slot.deployment());
        let json = |value: &ParameterValue| serde_json::to_value(value).unwrap_or_default();
        let symbol = |id: &InstrumentId| {
            engine
                .settings()
                .instrument(*id)
                .map_or_else(|| id.to_string(), |instrument| instrument.symbol.clone())
        };
        let parameters = description.parameters.iter().map(|parameter| ParameterView {
            name: parameter.name.clone(),
            meaning: parameter.meaning.clone(),
            kind: match parameter.default {
                ParameterValue::Flag(_) => "flag",
                ParameterValue::Integer(_) => "integer",
                ParameterValue::Number(_) => "number",
                ParameterValue::Text(_) => "text",
            }
            .to_owned(),
            default: json(&parameter.default),
            value: json(deployment.parameters.get(&parameter.name).unwrap_or(&parameter.default)),
            minimum: parameter.minimum,
            maximum: parameter.maximum,
        });
        Self {
            name: slot.name().to_owned(),
            plugin: description.name.clone(),
            version: description.version.clone(),
            hash: deployment.version.to_string(),
            instruments: deployment.instruments.iter().map(symbol).collect(),
            bar_seconds: description.needs.bar_intervals.iter().map(|span| span.seconds()).collect(),
            warm_up_bars: description.warm_up_bars,
            parameters: parameters.collect(),
        }
    }
}
