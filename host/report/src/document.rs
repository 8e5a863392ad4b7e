//! The report and the shape of its JSON, which `docs/backtest-json.md` describes for other programs.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bulkhead_core::identifier::{InstrumentId, StrategyId};
use bulkhead_core::order::{OrderTerms, Side};
use bulkhead_core::output::{ClosedTrade, Consequence, FaultReport, TradingState};
use bulkhead_core::strategy::FillCause;
use bulkhead_core::time::Span;
use rust_decimal::Decimal;
use serde::Serialize;

use crate::amount::{Amount, Moment, ratio};
use crate::candles::Candle;
use crate::curve::Point;
use crate::metrics::Metrics;
use crate::notes;
use crate::recorder::{
    Activity, DataFile, Final, OpenPosition, Performance, Recorder, StrategyVersion, benchmark,
};
use crate::returns::{self, DailyReturn, MonthlyReturn};
use crate::rows::{
    DayRow, DecisionRow, DirectionRow, ExitReasonRow, FaultRow, InstrumentRow, MonthRow, Name,
    OpenPositionRow, StrategyRow, Trade, TradingStateRow,
};
use crate::statistics::TradeStatistics;

/// The version of the JSON's shape. It rises when a field changes its meaning or goes away; new fields do
/// not raise it.
pub const SCHEMA: u32 = 1;

/// Everything about a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The settings of the run, as the caller gave them.
    pub settings: serde_json::Value,
    /// What was read.
    pub data: Vec<DataFile>,
    /// What ran.
    pub strategies: Vec<StrategyVersion>,
    /// The account's currency.
    pub currency: String,
    /// The figures.
    pub metrics: Metrics,
    /// By slot, in the order of their numbers; shadows too.
    pub per_strategy: Vec<StrategyRow>,
    /// By instrument.
    pub instruments: Vec<InstrumentRow>,
    /// By the side of the entry: long, then short.
    pub directions: Vec<DirectionRow>,
    /// By why trades were closed.
    pub exit_reasons: Vec<ExitReasonRow>,
    /// Refused proposals by the code of the refusal.
    pub refusals: BTreeMap<&'static str, u64>,
    /// Returns by month.
    pub monthly: Vec<MonthRow>,
    /// Returns by calendar day: what the ratios are made from.
    pub daily: Vec<DayRow>,
    /// What was still open.
    pub open_positions: Vec<OpenPositionRow>,
    /// Why strategies ordered what they did, the first thousand orders for which they said so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<DecisionRow>,
    /// Misbehaviour of strategies, the first thousand.
    pub faults: Vec<FaultRow>,
    /// When trading was halted and resumed.
    pub trading_states: Vec<TradingStateRow>,
    /// What a reader should know about the figures, in sentences.
    pub notes: Vec<String>,
    /// Digest over all orders and fills.
    pub digest: String,
    /// How fast it was.
    pub performance: Performance,
    /// The account's closed trades, all of them, in the order of their exits.
    pub trades: Vec<Trade>,
    /// The closed trades of shadow slots, which count for no figure of the account.
    pub shadow_trades: Vec<Trade>,
    #[serde(skip)]
    pub(crate) charts: Charts,
}

impl Report {
    /// Writes the JSON document.
    ///
    /// # Errors
    ///
    /// When the writer fails.
    pub fn write_json(&self, writer: impl io::Write) -> io::Result<()> {
        serde_json::to_writer_pretty(writer, self).map_err(io::Error::from)
    }
}

/// What only the HTML page shows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Charts {
    pub(crate) initial: f64,
    pub(crate) points: Vec<Point>,
    pub(crate) instruments: Vec<InstrumentChart>,
}

/// The candles of an instrument.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InstrumentChart {
    pub(crate) symbol: Name,
    pub(crate) interval: Span,
    pub(crate) candles: Vec<Candle>,
}

impl Recorder {
    pub(crate) fn strategy_name(&self, id: StrategyId) -> Name {
        Name(self.slots.get(&id).map_or_else(|| id.to_string().into(), |slot| Arc::clone(&slot.name)))
    }

    pub(crate) fn symbol(&self, id: InstrumentId) -> Name {
        let known = self.instruments.get(&id);
        Name(known.map_or_else(|| id.to_string().into(), |instrument| Arc::clone(&instrument.symbol)))
    }

    fn trade_row(&self, trade: &ClosedTrade) -> Trade {
        Trade {
            strategy: self.strategy_name(trade.strategy),
            symbol: self.symbol(trade.instrument),
            side: direction(trade.side),
            entry_time: Moment(trade.entry_time),
            exit_time: Moment(trade.exit_time),
            entry_price: Amount(trade.entry_price.0),
            exit_price: Amount(trade.exit_price.0),
            quantity: Amount(trade.quantity.0),
            fees: Amount(trade.fees.0),
            pnl: Amount(trade.pnl.0),
            exit_reason: trade.exit_reason.name(),
        }
    }
}

/// What the side of an entry makes of a position.
const fn direction(entry: Side) -> &'static str {
    match entry {
        Side::Buy => "long",
        Side::Sell => "short",
    }
}

/// Puts the report together.
pub(crate) fn report(recorder: &Recorder, end: Final) -> Report {
    let initial = recorder.settings.initial_equity.approximate();
    let closes = recorder.equity.day_closes();
    let daily = returns::daily(initial, &closes);
    let days = daily.as_deref().unwrap_or_default();
    let unrealised = sum(end.open_positions.iter());
    let metrics = Metrics::new(recorder, days, end.equity.0, unrealised);
    let notes = notes::notes(recorder, &metrics, &end, daily.is_none());
    Report {
        schema: SCHEMA,
        currency: recorder.settings.currency.clone(),
        per_strategy: recorder
            .slots
            .keys()
            .map(|id| strategy_row(recorder, *id, &end.open_positions))
            .collect(),
        instruments: recorder.instruments.keys().map(|id| instrument_row(recorder, *id)).collect(),
        directions: [Side::Buy, Side::Sell].map(|side| direction_row(recorder, side)).to_vec(),
        exit_reasons: exit_reasons(recorder),
        refusals: by_name(&recorder.account),
        monthly: returns::monthly(initial, days).iter().map(month_row).collect(),
        daily: days.iter().zip(returns::rolling_sharpe(days)).map(day_row).collect(),
        open_positions: end.open_positions.iter().map(|position| open_position(recorder, position)).collect(),
        decisions: recorder.decisions.iter().map(|order| decision_row(recorder, order)).collect(),
        faults: recorder.faults.iter().map(|fault| fault_row(recorder, fault)).collect(),
        trading_states: recorder.trading_states.iter().map(trading_state_row).collect(),
        notes,
        trades: recorder.trades.iter().map(|trade| recorder.trade_row(trade)).collect(),
        shadow_trades: recorder.shadow_trades.iter().map(|trade| recorder.trade_row(trade)).collect(),
        charts: charts(recorder, initial),
        metrics,
        settings: end.settings,
        data: end.data,
        strategies: end.strategies,
        digest: end.digest,
        performance: end.performance,
    }
}

/// The profit in open positions; missing when it is out of range.
fn sum<'a>(mut positions: impl Iterator<Item = &'a OpenPosition>) -> Option<Decimal> {
    positions.try_fold(Decimal::ZERO, |sum, position| sum.checked_add(position.unrealised_pnl.0))
}

fn by_name(activity: &Activity) -> BTreeMap<&'static str, u64> {
    activity.refusals.iter().map(|(code, count)| (code.name(), *count)).collect()
}

fn strategy_row(recorder: &Recorder, id: StrategyId, open: &[OpenPosition]) -> StrategyRow {
    let none = Activity::default();
    let slot = recorder.slots.get(&id);
    let activity = slot.map_or(&none, |slot| &slot.activity);
    let trades = &activity.trades;
    StrategyRow {
        strategy: recorder.strategy_name(id),
        mode: slot.map_or("", |slot| slot.mode.name()),
        orders: activity.orders,
        fills: activity.fills,
        trades: trades.count,
        wins: trades.wins,
        win_rate: trades.win_rate(),
        profit_factor: trades.profit_factor(),
        expectancy: trades.expectancy(),
        realised_pnl: trades.pnl.amount(),
        unrealised_pnl: sum(open.iter().filter(|position| position.strategy == id)).map(Amount),
        fees: activity.fees.amount(),
        turnover: activity.turnover.amount(),
        average_trade_seconds: trades.average_seconds(),
        refusals: by_name(activity),
        faults: activity.faults,
    }
}

fn instrument_row(recorder: &Recorder, id: InstrumentId) -> InstrumentRow {
    let none = Activity::default();
    let record = recorder.instruments.get(&id);
    let activity = record.map_or(&none, |record| &record.activity);
    let closes = record.and_then(|record| record.candles.closes());
    let trades = &activity.trades;
    InstrumentRow {
        symbol: recorder.symbol(id),
        bars: record.map_or(0, |record| record.candles.bars()),
        first_close: closes.map(|(first, _)| first),
        last_close: closes.map(|(_, last)| last),
        buy_and_hold_return: closes.and_then(|(first, last)| ratio(last, first)).map(|growth| growth - 1.0),
        orders: activity.orders,
        fills: activity.fills,
        trades: trades.count,
        wins: trades.wins,
        win_rate: trades.win_rate(),
        profit_factor: trades.profit_factor(),
        realised_pnl: trades.pnl.amount(),
        fees: activity.fees.amount(),
        turnover: activity.turnover.amount(),
    }
}

fn direction_row(recorder: &Recorder, side: Side) -> DirectionRow {
    let mut trades = TradeStatistics::default();
    recorder.trades.iter().filter(|trade| trade.side == side).for_each(|trade| trades.add(trade));
    DirectionRow {
        side: direction(side),
        trades: trades.count,
        wins: trades.wins,
        win_rate: trades.win_rate(),
        profit_factor: trades.profit_factor(),
        pnl: trades.pnl.amount(),
        average_pnl: trades.expectancy(),
    }
}

fn exit_reasons(recorder: &Recorder) -> Vec<ExitReasonRow> {
    let row = |(reason, trades): (&FillCause, &TradeStatistics)| ExitReasonRow {
        reason: reason.name(),
        trades: trades.count,
        wins: trades.wins,
        win_rate: trades.win_rate(),
        pnl: trades.pnl.amount(),
        average_pnl: trades.expectancy(),
    };
    recorder.exit_reasons.iter().map(row).collect()
}

fn month_row(month: &MonthlyReturn) -> MonthRow {
    MonthRow {
        month: month.month,
        value: ratio(month.end_equity, month.start_equity).map(|growth| growth - 1.0),
        equity: Amount::estimated(month.end_equity),
    }
}

fn day_row((day, rolling_sharpe): (&DailyReturn, Option<f64>)) -> DayRow {
    DayRow { date: day.day, value: day.value, equity: Amount::estimated(day.equity), rolling_sharpe }
}

fn open_position(recorder: &Recorder, position: &OpenPosition) -> OpenPositionRow {
    OpenPositionRow {
        strategy: recorder.strategy_name(position.strategy),
        symbol: recorder.symbol(position.instrument),
        side: direction(position.side),
        entry_time: Moment(position.entry_time),
        entry_price: Amount(position.entry_price.0),
        mark_price: Amount(position.mark_price.0),
        quantity: Amount(position.quantity.0),
        fees: Amount(position.fees.0),
        unrealised_pnl: Amount(position.unrealised_pnl.0),
    }
}

fn decision_row(recorder: &Recorder, order: &OrderTerms) -> DecisionRow {
    DecisionRow {
        time: Moment(order.created),
        strategy: recorder.strategy_name(order.strategy),
        symbol: recorder.symbol(order.instrument),
        side: order.side.name(),
        confidence: order.confidence,
        reason: order.reason.clone(),
    }
}

fn fault_row(recorder: &Recorder, fault: &FaultReport) -> FaultRow {
    let (consequence, restart_time) = match fault.consequence {
        Consequence::RestartAt(time) => ("restart", Some(Moment(time))),
        Consequence::Quarantined => ("quarantined", None),
    };
    FaultRow {
        strategy: recorder.strategy_name(fault.strategy),
        version: fault.version.to_string(),
        time: Moment(fault.time),
        event: fault.event,
        kind: fault.fault.name(),
        detail: fault.fault.to_string(),
        consequence,
        restart_time,
    }
}

fn trading_state_row(state: &TradingState) -> TradingStateRow {
    TradingStateRow { time: Moment(state.time), halted: state.halted, reason: state.reason.clone() }
}

fn charts(recorder: &Recorder, initial: f64) -> Charts {
    let with_bars = recorder.instruments.iter().filter(|(_, record)| record.candles.bars() > 0);
    Charts {
        initial,
        points: recorder.curve.points(benchmark(&recorder.instruments)),
        instruments: with_bars
            .map(|(id, record)| InstrumentChart {
                symbol: recorder.symbol(*id),
                interval: record.candles.interval(),
                candles: record.candles.candles().to_vec(),
            })
            .collect(),
    }
}
