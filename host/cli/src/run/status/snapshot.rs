//! What the view shows, read off the engine at one moment. Drawing needs nothing else.

use std::time::Duration;

use bulkhead_api::live::SlotCounts;
use bulkhead_core::engine::{Engine, SlotStatus};
use bulkhead_core::exits::Guard;
use bulkhead_core::identifier::StrategyId;
use bulkhead_core::money::Overflow;
use bulkhead_core::position::Position;
use bulkhead_core::time::Timestamp;
use bulkhead_feeds::pacer::Speed;
use rust_decimal::Decimal;

use super::super::summary::Tally;
use super::Place;
use super::activity::{Activity, Refused, Trade, instrument};
use crate::log_lines::LogLine;

/// Everything on the screen.
pub(super) struct Snapshot {
    /// Which account it is, when there are several.
    pub(super) place: Option<Place>,
    pub(super) time: Timestamp,
    pub(super) speed: Speed,
    pub(super) bars: u64,
    pub(super) bars_per_second: f64,
    pub(super) equity: Decimal,
    pub(super) started_with: Decimal,
    /// The invested part of the equity.
    pub(super) exposure: f64,
    pub(super) halted: Option<String>,
    /// The equity since the start, at even distances.
    pub(super) curve: Vec<f64>,
    pub(super) strategies: Vec<StrategyRow>,
    pub(super) positions: Vec<PositionRow>,
    /// The most positions there were at a time: the room that they keep, so that the screen stands still.
    pub(super) most_positions: usize,
    /// The newest first, as all that follow.
    pub(super) trades: Vec<TradeRow>,
    pub(super) refusals: Vec<RefusalRow>,
    pub(super) lines: Vec<(Duration, LogLine)>,
    /// Where plugins are looked for.
    pub(super) directory: String,
}

/// How a strategy's status is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Normal,
    Quiet,
    Warning,
    Bad,
}

pub(super) struct StrategyRow {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) mode: &'static str,
    pub(super) status: &'static str,
    pub(super) tone: Tone,
    pub(super) weight: Decimal,
    pub(super) capital: Decimal,
    pub(super) funded: Decimal,
    pub(super) fills: u64,
    pub(super) faults: u64,
    pub(super) refusals: u64,
}

pub(super) struct PositionRow {
    pub(super) strategy: String,
    pub(super) symbol: String,
    pub(super) quantity: Decimal,
    pub(super) price_places: u32,
    pub(super) entry: Decimal,
    pub(super) last: Option<Decimal>,
    pub(super) stop: Option<Decimal>,
    pub(super) cost: Decimal,
    /// Entry fees counted.
    pub(super) pnl: Option<Decimal>,
}

pub(super) struct TradeRow {
    pub(super) time: Timestamp,
    pub(super) strategy: String,
    pub(super) symbol: String,
    pub(super) side: &'static str,
    pub(super) quantity: Decimal,
    pub(super) price_places: u32,
    pub(super) price: Option<Decimal>,
    pub(super) what: &'static str,
    pub(super) reason: String,
    pub(super) pnl: Option<Decimal>,
}

pub(super) struct RefusalRow {
    pub(super) time: Timestamp,
    pub(super) strategy: String,
    pub(super) symbol: String,
    pub(super) side: &'static str,
    pub(super) code: &'static str,
    pub(super) facts: String,
    pub(super) times: u64,
}

impl Snapshot {
    /// What the engine and the activity tell; what only the view knows is left at nothing.
    pub(super) fn read(engine: &Engine, tally: &Tally, activity: &Activity) -> Result<Self, Overflow> {
        let name = |id: StrategyId| {
            let slot = usize::try_from(id.0).ok().and_then(|place| engine.slots().get(place));
            slot.map_or_else(|| id.to_string(), |slot| slot.name().to_owned())
        };
        let mut strategies = Vec::new();
        let mut positions = Vec::new();
        for slot in engine.slots() {
            let Some(books) = engine.ledger().sub_ledger(slot.id()) else { continue };
            let SlotCounts { fills, refusals, .. } = tally.counts(slot.id());
            strategies.push(StrategyRow {
                name: slot.name().to_owned(),
                version: slot.description().version.clone(),
                mode: slot.deployment().mode.name(),
                status: slot.status().name(),
                tone: match slot.status() {
                    SlotStatus::Running => Tone::Normal,
                    SlotStatus::Restarting(_) => Tone::Warning,
                    SlotStatus::Quarantined => Tone::Bad,
                    SlotStatus::Removed => Tone::Quiet,
                },
                weight: slot.deployment().weight,
                capital: engine.slot_equity(slot.id())?.0,
                funded: books.funded().0,
                fills,
                faults: slot.faults(),
                refusals,
            });
            for position in books.positions() {
                positions.push(PositionRow::read(engine, slot.id(), slot.name(), position)?);
            }
        }
        Ok(Self {
            place: None,
            time: engine.now(),
            speed: Speed::Max,
            bars: tally.bars,
            bars_per_second: 0.0,
            equity: engine.equity()?.0,
            started_with: engine.settings().cash.0,
            exposure: engine.equity_estimate().1,
            halted: engine.halted().map(str::to_owned),
            curve: Vec::new(),
            strategies,
            most_positions: positions.len(),
            positions,
            trades: activity.trades.iter().map(|trade| trade_row(engine, &name, trade)).collect(),
            refusals: activity.refusals.iter().map(|refused| refusal_row(engine, &name, refused)).collect(),
            lines: Vec::new(),
            directory: String::new(),
        })
    }
}

impl PositionRow {
    fn read(
        engine: &Engine,
        strategy: StrategyId,
        name: &str,
        position: &Position,
    ) -> Result<Self, Overflow> {
        let (symbol, price_places) = instrument(engine, position.instrument);
        let last = engine
            .settings()
            .instrument(position.instrument)
            .and_then(|instrument| engine.prices().price(position.instrument, instrument));
        let stop = engine.exits().guard(strategy, position.instrument).and_then(Guard::stop);
        Ok(Self {
            strategy: name.to_owned(),
            symbol: symbol.to_owned(),
            quantity: position.quantity.0.normalize(),
            price_places,
            entry: position.average_price()?.0,
            last: last.map(|price| price.0),
            stop: stop.map(|price| price.0),
            cost: position.cost.0,
            pnl: last.map(|price| position.unrealised(price)).transpose()?.map(|pnl| pnl.0),
        })
    }
}

fn trade_row(engine: &Engine, name: &impl Fn(StrategyId) -> String, trade: &Trade) -> TradeRow {
    let (symbol, price_places) = instrument(engine, trade.instrument);
    TradeRow {
        time: trade.time,
        strategy: name(trade.strategy),
        symbol: symbol.to_owned(),
        side: trade.side.name(),
        quantity: trade.quantity.0.normalize(),
        price_places,
        price: trade.price.map(|price| price.0),
        what: trade.what,
        reason: trade.reason.clone(),
        pnl: trade.pnl.map(|pnl| pnl.0),
    }
}

fn refusal_row(engine: &Engine, name: &impl Fn(StrategyId) -> String, refused: &Refused) -> RefusalRow {
    let Refused { last, times } = refused;
    RefusalRow {
        time: last.time,
        strategy: name(last.strategy),
        symbol: instrument(engine, last.instrument).0.to_owned(),
        side: last.side.name(),
        code: last.refusal.code.name(),
        facts: last.refusal.facts.clone(),
        times: *times,
    }
}
