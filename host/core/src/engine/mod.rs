//! The engine: one input in, outputs out, nothing else.
//!
//! What one market event does, in this order:
//! 1. time passes: timers fire, failed strategies restart, a new day rebalances the capital;
//! 2. the venue executes what waits for this event, and the books take the fills;
//! 3. the position keeper checks its exits;
//! 4. the event, with the bars it completes, goes to the strategies that want it;
//! 5. what they propose goes through sizing and the gate, and becomes orders at the venue.
//!
//! So an order never fills on the event that made a strategy want it (but see
//! [`FillTiming::SameClose`](crate::venue::paper::FillTiming)).
//!
//! The steps are in files of their own: `market_events` (1, 2, 4), `execution` (2, 3), `dispatch` (4),
//! `proposals` (5), `commands` for what operators do, `manual` for what they trade by hand, `halt` for the kill
//! switch, `outside` for venues that execute by themselves, `reconcile` for differences between these and the books, `breakers` for what halts the account by itself and `settings_change` for settings at run time.

mod breakers;
mod calls;
mod commands;
mod dispatch;
mod execution;
mod foresight;
mod halt;
mod history;
mod manual;
mod market_events;
mod outside;
mod proposals;
mod reconcile;
mod settings;
mod settings_change;
mod settings_check;
mod slot;
mod snapshot;

use std::collections::{BTreeMap, VecDeque};

pub use settings::{ChangeableSettings, EngineSettings, FaultPolicy};
pub use settings_check::{InvalidSettings, SettingProblem};
pub use slot::{Slot, SlotStatus};
pub use snapshot::{Configured, EngineSnapshot, RestoreError};

use self::calls::Calls;
use self::history::BarHistory;
use crate::digest::RunDigest;
use crate::exits::{PositionKeeper, TriggeredExit};
use crate::identifier::{InstrumentId, OrderId, StrategyId};
use crate::input::{Input, InputKind};
use crate::instrument::Instrument;
use crate::ledger::{Ledger, LedgerError, SubLedger};
use crate::money::{Money, Overflow, Price};
use crate::order::Order;
use crate::output::Output;
use crate::price_board::{InstrumentMarket, PriceBoard};
use crate::reconciliation::OutsideFacts;
use crate::risk::{Breakers, Halt, Refusal};
use crate::strategy::{Action, StrategySource};
use crate::time::{Span, Timestamp};
use crate::venue::Report;
use crate::venue::outside::OutsideVenue;
use crate::venue::paper::PaperVenue;

/// What became of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It was used. A part of what it asks for may have failed: the outputs tell.
    Used,
    /// It could not be used, and changed nothing.
    Refused {
        /// Why, and what to do.
        reason: String,
    },
}

/// Why a step could not do what its input asked. The state is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// The books refused.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// An amount left the range of the books.
    #[error(transparent)]
    Overflow(#[from] Overflow),
    /// The settings can't be changed to these.
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    /// The gate refused an order by hand.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The input is unusable.
    #[error("{0}")]
    Input(String),
}

/// One account's engine.
pub struct Engine {
    settings: EngineSettings,
    settings_version: u64,
    /// What the configuration asked for last.
    configured: ChangeableSettings,
    source: Box<dyn StrategySource>,
    now: Timestamp,
    ledger: Ledger,
    prices: PriceBoard,
    history: BarHistory,
    venue: PaperVenue,
    /// Where the account's own orders go, when that is not the paper venue.
    outside: Option<OutsideVenue>,
    outside_facts: OutsideFacts,
    keeper: PositionKeeper,
    slots: Vec<Slot>,
    /// For each instrument, which slots want its bars of which length.
    bar_routes: Vec<Vec<(Span, usize)>>,
    orders: BTreeMap<OrderId, Order>,
    next_order: u64,
    /// When the orders of the last minute were made, and whose they are.
    recent_orders: VecDeque<(Timestamp, StrategyId)>,
    halted: Option<Halt>,
    breakers: Breakers,
    next_day: Timestamp,
    day_start_equity: Money,
    peak_equity: Money,
    next_rebalance: Timestamp,
    /// The earliest moment at which a timer or a restart is due.
    next_wake: Option<Timestamp>,
    /// Whether what strategies are told is written down, so that they can be rebuilt.
    writes_down: bool,
    digest: RunDigest,
    calls: Calls,
    buffers: Buffers,
}

/// Memory that is used again in every step.
#[derive(Default)]
struct Buffers {
    reports: Vec<Report>,
    triggered: Vec<TriggeredExit>,
    actions: Vec<Action>,
    /// Slots with something in their inbox.
    ready: Vec<usize>,
    spare_ready: Vec<usize>,
    outputs: Vec<Output>,
}

impl Engine {
    /// An engine with money and without strategies.
    ///
    /// # Errors
    ///
    /// [`StepError`] when the cash is negative, or an instrument has no grid.
    pub fn new(settings: EngineSettings, source: Box<dyn StrategySource>) -> Result<Self, StepError> {
        settings.check_grids()?;
        let mut ledger = Ledger::new();
        ledger.deposit(settings.cash)?;
        let instruments = settings.instruments.len();
        Ok(Self {
            source,
            now: Timestamp::EPOCH,
            ledger,
            prices: PriceBoard::new(instruments),
            history: BarHistory::new(instruments, settings.history_bars),
            venue: PaperVenue::new(settings.venue.clone(), instruments),
            outside: None,
            outside_facts: OutsideFacts::default(),
            keeper: PositionKeeper::new(instruments),
            slots: Vec::new(),
            bar_routes: vec![Vec::new(); instruments],
            orders: BTreeMap::new(),
            next_order: 1,
            recent_orders: VecDeque::new(),
            halted: None,
            breakers: Breakers::default(),
            next_day: Timestamp::EPOCH,
            day_start_equity: settings.cash,
            peak_equity: settings.cash,
            next_rebalance: Timestamp::EPOCH,
            next_wake: None,
            writes_down: false,
            digest: RunDigest::default(),
            calls: Calls::default(),
            buffers: Buffers::default(),
            configured: settings.changeable(),
            settings,
            settings_version: 1,
        })
    }

    /// Takes one input and pushes what follows from it to `outputs`.
    ///
    /// An input that can't be used changes nothing and gives [`Output::InputRefused`]. The answer says so too,
    /// as that output may also be about a part of what was done.
    pub fn step(&mut self, input: &Input, outputs: &mut Vec<Output>) -> Taken {
        self.step_knowing(input, &[], outputs)
    }

    /// A step that is taken again: faults that the machine had a part in are taken from what was recorded
    /// then, so that the rest comes out the same.
    pub fn step_again(&mut self, input: &Input, recorded: &[Output], outputs: &mut Vec<Output>) {
        self.calls.expect(recorded);
        self.step(input, outputs);
        self.calls.expect_nothing();
    }

    /// A step for which it is known what follows.
    fn step_knowing(&mut self, input: &Input, upcoming: &[Input], outputs: &mut Vec<Output>) -> Taken {
        self.calls.begin_step();
        let taken = match self.try_step(input, upcoming, outputs) {
            Ok(()) => Taken::Used,
            Err(error) => {
                let reason = error.to_string();
                outputs.push(Output::InputRefused { time: input.time, reason: reason.clone() });
                Taken::Refused { reason }
            }
        };
        self.report_breakers(outputs);
        taken
    }

    fn try_step(
        &mut self,
        input: &Input,
        upcoming: &[Input],
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        if input.time < self.now {
            let late = self.now.since(input.time);
            return Err(StepError::Input(format!("the input is {late} older than the one before it")));
        }
        match &input.kind {
            InputKind::Bar(bar) => self.on_bar(input.time, bar, upcoming, outputs),
            InputKind::Quote(quote) => self.on_quote(input.time, quote, outputs),
            InputKind::Trade(trade) => self.on_trade(input.time, trade, outputs),
            InputKind::Signal(signal) => self.on_signal(input.time, signal, outputs),
            InputKind::Timer => {
                self.pass_time(input.time, outputs);
                self.dispatch(&[], outputs);
                Ok(())
            }
            InputKind::Checkpoint => {
                self.now = input.time;
                self.checkpoint(outputs);
                Ok(())
            }
            InputKind::Command(asked) => {
                self.pass_time(input.time, outputs);
                let done = self.on_command(asked, outputs);
                // Time has passed for the strategies, also when the command could not be carried out.
                self.dispatch(&[], outputs);
                done
            }
            InputKind::Venue(message) => {
                self.pass_time(input.time, outputs);
                let done = self.on_venue(message, outputs);
                self.dispatch(&[], outputs);
                done
            }
        }
    }

    /// Event time: the moment of the last input.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// What the engine works by now.
    #[must_use]
    pub const fn settings(&self) -> &EngineSettings {
        &self.settings
    }

    /// The books.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The last known markets.
    #[must_use]
    pub const fn prices(&self) -> &PriceBoard {
        &self.prices
    }

    /// The exits that the host keeps for positions.
    #[must_use]
    pub const fn exits(&self) -> &PositionKeeper {
        &self.keeper
    }

    /// The venue of shadows, and of the account where it trades on paper.
    #[must_use]
    pub const fn venue(&self) -> &PaperVenue {
        &self.venue
    }

    /// The venue of the account's own orders, where it trades outside.
    #[must_use]
    pub const fn outside(&self) -> Option<&OutsideVenue> {
        self.outside.as_ref()
    }

    /// What is known of the world outside, beside what is in the books.
    #[must_use]
    pub const fn outside_facts(&self) -> &OutsideFacts {
        &self.outside_facts
    }

    /// Whether any order ever passed the gate.
    #[must_use]
    pub const fn has_ordered(&self) -> bool {
        self.next_order > 1
    }

    /// The strategies, in the order in which they were deployed.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The slot of this name.
    #[must_use]
    pub fn slot(&self, name: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.name() == name)
    }

    /// The slot of this number.
    #[must_use]
    pub fn slot_of(&self, id: StrategyId) -> Option<&Slot> {
        usize::try_from(id.0).ok().and_then(|place| self.slots.get(place))
    }

    /// The orders that have not ended.
    pub fn orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.values()
    }

    /// The order of this number, unless it has ended.
    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<&Order> {
        self.orders.get(&id)
    }

    /// Why trading is halted, if it is.
    #[must_use]
    pub fn halted(&self) -> Option<&str> {
        self.halted.as_ref().map(|halt| halt.reason.as_str())
    }

    /// The last bars of an instrument as the feed delivered them, oldest first.
    pub fn recent_bars(&self, instrument: InstrumentId) -> impl Iterator<Item = &crate::market::Bar> {
        self.history.base(instrument)
    }

    /// What losses are reckoned from: the equity at the start of the UTC day, and the highest so far.
    #[must_use]
    pub const fn equity_marks(&self) -> (Money, Money) {
        (self.day_start_equity, self.peak_equity)
    }

    /// The digest over all orders and fills so far.
    #[must_use]
    pub const fn digest(&self) -> &RunDigest {
        &self.digest
    }

    /// The account's value at the last prices.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when it leaves the range of the books.
    pub fn equity(&self) -> Result<Money, Overflow> {
        self.ledger.equity(|instrument| self.price(instrument))
    }

    /// A strategy's value at the last prices.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when it leaves the range of the books.
    pub fn slot_equity(&self, strategy: StrategyId) -> Result<Money, Overflow> {
        self.ledger
            .sub_ledger(strategy)
            .map_or(Ok(Money::ZERO), |books| books.equity(|instrument| self.price(instrument)))
    }

    /// The account's value at the last prices in floating point, and the part of it that is invested: for
    /// charts and statistics.
    #[must_use]
    pub fn equity_estimate(&self) -> (f64, f64) {
        let cash = self.ledger.cash().approximate();
        let invested: f64 = self
            .ledger
            .holdings()
            .iter()
            .map(|(instrument, quantity)| {
                let price = self.prices.market(*instrument).and_then(InstrumentMarket::last).unwrap_or(0.0);
                price * quantity.approximate()
            })
            .sum();
        let equity = cash + invested;
        (equity, if equity > 0.0 { invested / equity } else { 0.0 })
    }

    fn instrument(&self, id: InstrumentId) -> Result<&Instrument, StepError> {
        self.settings.instrument(id).ok_or_else(|| {
            let known = self.settings.instruments.len();
            StepError::Input(format!("{id} does not exist; there are {known}"))
        })
    }

    fn price(&self, id: InstrumentId) -> Option<Price> {
        self.prices.price(id, self.instrument(id).ok()?)
    }

    fn slot_index(&self, name: &str) -> Result<usize, StepError> {
        self.slots.iter().position(|slot| slot.name() == name).ok_or_else(|| {
            let known = self.slots.iter().map(Slot::name).collect::<Vec<_>>().join(", ");
            StepError::Input(format!("there is no slot \"{name}\"; there are: {known}"))
        })
    }

    fn slot_mut(&mut self, id: StrategyId) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(id.0).ok()?)
    }

    fn books(&self, id: StrategyId) -> Result<&SubLedger, StepError> {
        self.ledger.sub_ledger(id).ok_or_else(|| LedgerError::UnknownStrategy(id).into())
    }
}
