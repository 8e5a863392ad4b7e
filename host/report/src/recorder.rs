//! What listens during a run. Memory stays flat apart from the closed trades, one number a day, and the
//! bounded curves for the charts.

use std::collections::BTreeMap;
use std::sync::Arc;

use bulkhead_core::identifier::{InstrumentId, StrategyId};
use bulkhead_core::input::StrategyMode;
use bulkhead_core::market::Bar;
use bulkhead_core::money::{Money, Price, Quantity};
use bulkhead_core::order::{Fill, OrderState, OrderTerms, Side};
use bulkhead_core::output::{ClosedTrade, FaultReport, Output, SlotEvent, TradingState};
use bulkhead_core::risk::{BreakerKind, BreakerState, RefusalCode};
use bulkhead_core::strategy::FillCause;
use bulkhead_core::time::Timestamp;
use serde::Serialize;

use crate::candles::Candles;
use crate::curve::Curve;
use crate::document::{self, Report};
use crate::equity::EquityTrack;
use crate::statistics::{Sum, TradeStatistics};

/// Faults that are listed one by one; the rest is counted.
pub(crate) const LISTED_FAULTS: usize = 1_000;

/// So many orders are listed with their reasons.
pub(crate) const LISTED_DECISIONS: usize = 1_000;

/// Candles of all instruments together.
const CANDLES: usize = 50_000;

/// What a recorder needs to know before the run.
#[derive(Debug, Clone)]
pub struct RecorderSettings {
    /// What the account starts with.
    pub initial_equity: Money,
    /// The account's currency, for people: "USD".
    pub currency: String,
    /// The strategy slots; more may come while the run lasts.
    pub slots: Vec<Slot>,
    /// Symbols in the order of their [`InstrumentId`]s.
    pub instruments: Vec<String>,
    /// Most candles an instrument that the HTML page may show; fewer with many instruments.
    pub candles: usize,
    /// Most points of the equity curve in the HTML page, divided by two.
    pub curve: usize,
}

impl RecorderSettings {
    /// Settings without slots and instruments, with charts of a reasonable size.
    #[must_use]
    pub fn new(initial_equity: Money) -> Self {
        Self {
            initial_equity,
            currency: "USD".to_owned(),
            slots: Vec::new(),
            instruments: Vec::new(),
            candles: 5_000,
            curve: 2_000,
        }
    }
}

/// A strategy slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Its number in orders and fills.
    pub id: StrategyId,
    /// What people call it.
    pub name: String,
    /// Only what a live slot does counts for the account.
    pub mode: StrategyMode,
}

/// A data file that the run read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataFile {
    /// Of which instrument.
    pub symbol: String,
    /// Hash of the file, 64 hexadecimal digits.
    pub sha256: String,
    /// How many bars it held.
    pub bars: u64,
}

/// A strategy version that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StrategyVersion {
    /// Its name.
    pub name: String,
    /// The version it says it is.
    pub version: String,
    /// Hash of the plugin file, 64 hexadecimal digits.
    pub sha256: String,
}

/// How fast the run was. It says nothing about the result, so two equal runs may differ here.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Performance {
    /// Bars that the engine handled.
    pub bars: u64,
    /// Seconds that the engine took for them.
    pub engine_seconds: f64,
    /// Their quotient; nothing when no time was measured.
    pub bars_per_second: Option<f64>,
    /// The most memory that the process held, in bytes, where the system tells.
    pub peak_rss_bytes: Option<u64>,
}

impl Performance {
    /// From what was measured.
    #[must_use]
    pub fn new(bars: u64, engine_seconds: f64, peak_rss_bytes: Option<u64>) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "bar counts stay far below 2^53")]
        let bars_per_second = crate::amount::ratio(bars as f64, engine_seconds);
        Self { bars, engine_seconds, bars_per_second, peak_rss_bytes }
    }
}

/// A position that was still open at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPosition {
    /// Whose.
    pub strategy: StrategyId,
    /// In what.
    pub instrument: InstrumentId,
    /// The side of the entry.
    pub side: Side,
    /// Since when.
    pub entry_time: Timestamp,
    /// Average entry price.
    pub entry_price: Price,
    /// How much.
    pub quantity: Quantity,
    /// The last price, at which it counts in the final equity.
    pub mark_price: Price,
    /// Fees of the entry.
    pub fees: Money,
    /// Profit if it were closed at the mark for free, after the entry's fees.
    pub unrealised_pnl: Money,
}

/// What only the caller knows at the end of a run.
#[derive(Debug, Clone)]
pub struct Final {
    /// The account's equity, exactly.
    pub equity: Money,
    /// Positions that are still open, of live slots.
    pub open_positions: Vec<OpenPosition>,
    /// The settings of the run, as the JSON document is to show them.
    pub settings: serde_json::Value,
    /// What was read.
    pub data: Vec<DataFile>,
    /// What ran.
    pub strategies: Vec<StrategyVersion>,
    /// Digest over all orders and fills, hexadecimal.
    pub digest: String,
    /// How fast it was.
    pub performance: Performance,
}

/// What is counted for the account, a strategy or an instrument alike.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    pub(crate) orders: u64,
    pub(crate) rejected: u64,
    pub(crate) cancelled: u64,
    pub(crate) expired: u64,
    pub(crate) fills: u64,
    pub(crate) fees: Sum,
    /// The part of the fees that belongs to no execution.
    pub(crate) charges: Sum,
    pub(crate) turnover: Sum,
    pub(crate) trades: TradeStatistics,
    pub(crate) refusals: BTreeMap<RefusalCode, u64>,
    pub(crate) faults: u64,
}

impl Activity {
    fn fill(&mut self, fill: &Fill) {
        self.fills += 1;
        self.fees.add(fill.fee.0);
        self.turnover.add_product(fill.price.0, fill.quantity.0);
    }

    fn charge(&mut self, amount: Money) {
        self.fees.add(amount.0);
        self.charges.add(amount.0);
    }

    fn order_end(&mut self, state: OrderState) {
        match state {
            OrderState::Rejected => self.rejected += 1,
            OrderState::Cancelled => self.cancelled += 1,
            OrderState::Expired => self.expired += 1,
            _ => {}
        }
    }

    fn refusal(&mut self, code: RefusalCode) {
        *self.refusals.entry(code).or_default() += 1;
    }
}

#[derive(Debug)]
pub(crate) struct SlotRecord {
    pub(crate) name: Arc<str>,
    pub(crate) mode: StrategyMode,
    pub(crate) activity: Activity,
    /// The newest line of its log, while it has ordered nothing.
    pub(crate) last_words: Option<String>,
}

impl SlotRecord {
    fn new(name: &str, mode: StrategyMode) -> Self {
        Self { name: name.into(), mode, activity: Activity::default(), last_words: None }
    }
}

#[derive(Debug)]
pub(crate) struct InstrumentRecord {
    pub(crate) symbol: Arc<str>,
    pub(crate) candles: Candles,
    pub(crate) activity: Activity,
}

/// Listens to a run and keeps what its report needs.
#[derive(Debug)]
pub struct Recorder {
    pub(crate) settings: RecorderSettings,
    candle_limit: usize,
    pub(crate) equity: EquityTrack,
    pub(crate) curve: Curve,
    pub(crate) slots: BTreeMap<StrategyId, SlotRecord>,
    pub(crate) instruments: BTreeMap<InstrumentId, InstrumentRecord>,
    pub(crate) account: Activity,
    pub(crate) trades: Vec<ClosedTrade>,
    pub(crate) shadow_trades: Vec<ClosedTrade>,
    pub(crate) exit_reasons: BTreeMap<FillCause, TradeStatistics>,
    /// The first orders for which a reason was given.
    pub(crate) decisions: Vec<OrderTerms>,
    pub(crate) faults: Vec<FaultReport>,
    pub(crate) trading_states: Vec<TradingState>,
    /// How often each breaker opened.
    pub(crate) breakers_opened: BTreeMap<BreakerKind, u64>,
    pub(crate) refused_inputs: u64,
    pub(crate) first_refused_input: Option<String>,
}

impl Recorder {
    /// A recorder for a run that has not begun.
    #[must_use]
    pub fn new(settings: RecorderSettings) -> Self {
        let candle_limit = settings.candles.min(CANDLES / settings.instruments.len().max(1)).max(500);
        let slots = settings.slots.iter().map(|slot| (slot.id, SlotRecord::new(&slot.name, slot.mode)));
        let instruments = (0..).map(InstrumentId).zip(&settings.instruments).map(|(id, symbol)| {
            let candles = Candles::new(candle_limit);
            (id, InstrumentRecord { symbol: symbol.as_str().into(), candles, activity: Activity::default() })
        });
        Self {
            candle_limit,
            equity: EquityTrack::new(settings.initial_equity.approximate()),
            curve: Curve::new(settings.curve),
            slots: slots.collect(),
            instruments: instruments.collect(),
            account: Activity::default(),
            trades: Vec::new(),
            shadow_trades: Vec::new(),
            exit_reasons: BTreeMap::new(),
            decisions: Vec::new(),
            faults: Vec::new(),
            trading_states: Vec::new(),
            breakers_opened: BTreeMap::new(),
            refused_inputs: 0,
            first_refused_input: None,
            settings,
        }
    }

    /// Takes an equity sample: once after every market step, with the step's time. `exposure` is the value
    /// of the open positions as a fraction of equity.
    ///
    /// Constant time, no allocation but for the first sample of a day.
    #[inline]
    pub fn equity(&mut self, time: Timestamp, equity: f64, exposure: f64) {
        if let Some(time) = self.equity.sample(time, equity, exposure) {
            let instruments = &self.instruments;
            self.curve.sample(time, equity, || benchmark(instruments));
        }
    }

    /// Takes a bar, before the equity sample of its step. Only the interval of an instrument's first bar is
    /// recorded; bars made from those are left out.
    #[inline]
    pub fn bar(&mut self, bar: &Bar) {
        self.equity.begin(bar.open_time);
        self.instrument(bar.instrument).candles.bar(bar);
    }

    /// Names a slot, or changes its mode from now on.
    pub fn slot(&mut self, slot: &Slot) {
        let record = self.slots.entry(slot.id).or_insert_with(|| SlotRecord::new(&slot.name, slot.mode));
        record.name = slot.name.as_str().into();
        record.mode = slot.mode;
    }

    /// Takes an output of the engine, in their order.
    pub fn output(&mut self, output: &Output) {
        match output {
            Output::OrderAccepted(terms) => {
                self.count(terms.strategy, Some(terms.instrument), |activity| activity.orders += 1);
                if !terms.reason.is_empty() && self.decisions.len() < LISTED_DECISIONS {
                    self.decisions.push(terms.clone());
                }
            }
            Output::OrderChanged(change) => {
                self.count(change.strategy, None, |activity| activity.order_end(change.state));
            }
            Output::Refused(proposal) => {
                self.count(proposal.strategy, Some(proposal.instrument), |activity| {
                    activity.refusal(proposal.refusal.code);
                });
            }
            Output::Filled(fill) => {
                self.count(fill.strategy, Some(fill.instrument), |activity| activity.fill(fill));
            }
            Output::TradeClosed(trade) => self.trade(trade),
            Output::Charged { strategy, amount, .. } => {
                self.count(*strategy, None, |activity| activity.charge(*amount));
            }
            Output::StrategyFault(fault) => {
                self.count(fault.strategy, None, |activity| activity.faults += 1);
                if self.faults.len() < LISTED_FAULTS {
                    self.faults.push(fault.clone());
                }
            }
            Output::SlotChanged(change) => {
                if matches!(change.event, SlotEvent::Started(_)) {
                    self.slot_record(change.strategy).name = change.slot.as_str().into();
                }
            }
            Output::TradingState(state) => self.trading_states.push(state.clone()),
            Output::BreakerChanged(change) => {
                if matches!(change.state, BreakerState::Open { .. }) {
                    *self.breakers_opened.entry(change.breaker).or_default() += 1;
                }
            }
            Output::InputRefused { reason, .. } => {
                self.refused_inputs += 1;
                self.first_refused_input.get_or_insert_with(|| reason.clone());
            }
            Output::StrategyLog { strategy, line } => {
                let slot = self.slot_record(*strategy);
                if slot.activity.orders == 0 {
                    slot.last_words = Some(line.message.clone());
                }
            }
            Output::SettingsChanged { .. }
            | Output::VenueRequested { .. }
            | Output::StageReached(_)
            | Output::BooksAdjusted(_)
            | Output::IgnoringChanged(_) => {}
        }
    }

    /// The report of the run.
    #[must_use]
    pub fn finish(self, end: Final) -> Report {
        document::report(&self, end)
    }

    fn trade(&mut self, trade: &ClosedTrade) {
        if self.count(trade.strategy, Some(trade.instrument), |activity| activity.trades.add(trade)) {
            self.exit_reasons.entry(trade.exit_reason).or_default().add(trade);
            self.trades.push(trade.clone());
        } else {
            self.shadow_trades.push(trade.clone());
        }
    }

    /// Counts for the strategy, and if it trades the account's capital also for the account and the
    /// instrument. Returns whether it does.
    fn count(
        &mut self,
        strategy: StrategyId,
        instrument: Option<InstrumentId>,
        add: impl Fn(&mut Activity),
    ) -> bool {
        let slot = self.slot_record(strategy);
        add(&mut slot.activity);
        // A slot that was turned off may still hold positions of the account's.
        let counts = slot.mode != StrategyMode::Shadow;
        if counts {
            add(&mut self.account);
            if let Some(instrument) = instrument {
                add(&mut self.instrument(instrument).activity);
            }
        }
        counts
    }

    fn slot_record(&mut self, id: StrategyId) -> &mut SlotRecord {
        self.slots.entry(id).or_insert_with(|| SlotRecord::new(&id.to_string(), StrategyMode::Live))
    }

    fn instrument(&mut self, id: InstrumentId) -> &mut InstrumentRecord {
        let limit = self.candle_limit;
        self.instruments.entry(id).or_insert_with(|| InstrumentRecord {
            symbol: id.to_string().into(),
            candles: Candles::new(limit),
            activity: Activity::default(),
        })
    }
}

/// What one unit of money, split evenly over all instruments at their first closes, is worth now. An
/// instrument without a bar is held as cash.
pub(crate) fn benchmark(instruments: &BTreeMap<InstrumentId, InstrumentRecord>) -> f64 {
    let worth: f64 = instruments.values().map(|record| record.candles.growth().unwrap_or(1.0)).sum();
    #[expect(clippy::cast_precision_loss, reason = "instruments are few")]
    let count = instruments.len().max(1) as f64;
    if instruments.is_empty() { 1.0 } else { worth / count }
}
