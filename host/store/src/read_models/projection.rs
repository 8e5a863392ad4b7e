//! From what the engine does to what its tables say.

use std::collections::BTreeMap;

use bulkhead_core::engine::{Engine, Slot};
use bulkhead_core::identifier::{InstrumentId, StrategyId};
use bulkhead_core::input::Actor;
use bulkhead_core::ledger::SubLedger;
use bulkhead_core::money::{Money, Overflow, Quantity};
use bulkhead_core::order::{OrderState, OrderTerms, Origin, Pricing};
use bulkhead_core::output::{Consequence, OrderChange, Output, SlotEvent};
use bulkhead_core::risk::BreakerState;
use bulkhead_core::time::{Span, Timestamp};

use super::rows::{
    AccountRow, AdjustmentRow, AuditRow, ChargeRow, EquityRow, FillRow, InstrumentRow, OrderRow, PositionRow,
    SlotRow, TradeRow, TransitionRow,
};
use super::{Change, OrderMove};
use crate::journal::{Sequence, ShardId};

/// Who does what nobody asked for.
const HOST: &str = "host";

/// Makes changes of the read models from the steps of one shard's engine.
///
/// What it makes depends on the steps alone, except that the first [`Projection::account`] writes everything
/// anew, so that rows which are wrong for whatever reason are right after a restart.
#[derive(Debug)]
pub struct Projection {
    shard: ShardId,
    /// How often the account's value is kept.
    equity_every: Span,
    /// Event time before the next step.
    before: Timestamp,
    /// What was written last; `None` before the first time.
    written: Option<Written>,
}

/// Rows as they were written last.
#[derive(Debug, Default)]
struct Written {
    account: Option<AccountRow>,
    slots: BTreeMap<StrategyId, SlotRow>,
    positions: BTreeMap<(StrategyId, InstrumentId), PositionRow>,
}

impl Projection {
    /// A projection of an engine as it stands: of its next steps. The account's value is kept once in every
    /// period of event time, `equity_every` long, in which something happens; never when that is zero.
    #[must_use]
    pub const fn new(shard: ShardId, engine: &Engine, equity_every: Span) -> Self {
        Self { shard, equity_every, before: engine.now(), written: None }
    }

    /// Pushes what one step changes. `engine` is as it is after the step, `outputs` are the step's alone.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when the account's value leaves the range of the books.
    pub fn changes(
        &mut self,
        engine: &Engine,
        sequence: Sequence,
        outputs: &[Output],
        into: &mut Vec<Change>,
    ) -> Result<(), Overflow> {
        for (ordinal, output) in (1..).zip(outputs) {
            self.output(engine, sequence, ordinal, output, into);
        }
        let now = engine.now();
        if self.equity_every > Span::ZERO
            && now.floor(self.equity_every) > self.before.floor(self.equity_every)
        {
            let (realised, fees) = totals(engine)?;
            into.push(Change::Equity(EquityRow {
                shard: self.shard,
                time: now,
                sequence,
                equity: engine.equity()?,
                cash: engine.ledger().cash(),
                realised,
                fees,
            }));
        }
        self.before = now;
        Ok(())
    }

    /// Pushes what is different in the account, its slots and its positions since the last call. Once a group
    /// is enough; `sequence` is the last input.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when the account's value leaves the range of the books.
    pub fn account(
        &mut self,
        engine: &Engine,
        sequence: Sequence,
        into: &mut Vec<Change>,
    ) -> Result<(), Overflow> {
        let (shard, time) = (self.shard, engine.now());
        let (realised, fees) = totals(engine)?;
        let ledger = engine.ledger();
        let account = AccountRow {
            shard,
            sequence,
            time,
            cash: ledger.cash(),
            pool: ledger.pool(),
            deposited: ledger.deposited(),
            equity: engine.equity()?,
            realised,
            fees,
            halted: engine.halted().map(str::to_owned),
        };
        let written = match &mut self.written {
            Some(written) => written,
            None => {
                for (number, instrument) in (0..).zip(&engine.settings().instruments) {
                    let (instrument, symbol) = (InstrumentId(number), instrument.symbol.clone());
                    into.push(Change::Instrument(InstrumentRow { shard, instrument, symbol }));
                }
                into.push(Change::PositionsUnknown { shard });
                self.written.insert(Written::default())
            }
        };
        let unchanged = written
            .account
            .as_ref()
            .is_some_and(|before| AccountRow { sequence, time, ..before.clone() } == account);
        if !unchanged {
            into.push(Change::Account(account.clone()));
            written.account = Some(account);
        }
        let no_books = SubLedger::default();
        for slot in engine.slots() {
            let books = ledger.sub_ledger(slot.id()).unwrap_or(&no_books);
            if written.slots.get(&slot.id()).is_none_or(|before| !shows(before, slot, books)) {
                let row = slot_row(shard, time, slot, books, sequence);
                into.push(Change::Slot(row.clone()));
                written.slots.insert(slot.id(), row);
            }
        }
        written.positions(shard, engine, sequence, into);
        Ok(())
    }

    fn output(
        &self,
        engine: &Engine,
        sequence: Sequence,
        ordinal: u32,
        output: &Output,
        into: &mut Vec<Change>,
    ) {
        let shard = self.shard;
        match output {
            Output::OrderAccepted(terms) => {
                into.push(Change::Order(order_row(shard, sequence, terms)));
                into.push(Change::Transition(TransitionRow {
                    shard,
                    sequence,
                    ordinal,
                    order_id: terms.id,
                    time: terms.created,
                    state: OrderState::Accepted,
                    filled: Quantity::ZERO,
                    reason: String::new(),
                }));
            }
            Output::OrderChanged(change) => {
                into.push(Change::OrderMoved(order_move(shard, sequence, change)));
                into.push(Change::Transition(TransitionRow {
                    shard,
                    sequence,
                    ordinal,
                    order_id: change.order,
                    time: change.time,
                    state: change.state,
                    filled: change.filled,
                    reason: change.reason.clone(),
                }));
            }
            Output::StageReached(reached) => into.push(Change::Transition(TransitionRow {
                shard,
                sequence,
                ordinal,
                order_id: reached.order,
                time: reached.time,
                state: reached.state,
                filled: reached.filled,
                reason: reached.to_string(),
            })),
            Output::Filled(fill) => into.push(Change::Fill(FillRow {
                shard,
                sequence,
                ordinal,
                order_id: fill.order,
                strategy: fill.strategy,
                tag: fill.tag,
                instrument: fill.instrument,
                side: fill.side,
                quantity: fill.quantity,
                price: fill.price,
                fee: fill.fee,
                time: fill.time,
                cause: fill.cause,
            })),
            Output::TradeClosed(trade) => into.push(Change::Trade(TradeRow {
                shard,
                sequence,
                ordinal,
                strategy: trade.strategy,
                instrument: trade.instrument,
                side: trade.side,
                entry_time: trade.entry_time,
                exit_time: trade.exit_time,
                entry_price: trade.entry_price,
                exit_price: trade.exit_price,
                quantity: trade.quantity,
                fees: trade.fees,
                pnl: trade.pnl,
                exit_reason: trade.exit_reason,
                shadow: engine.ledger().sub_ledger(trade.strategy).is_some_and(SubLedger::is_make_believe),
            })),
            Output::Charged { strategy, time, amount } => into.push(Change::Charge(ChargeRow {
                shard,
                sequence,
                ordinal,
                strategy: *strategy,
                time: *time,
                amount: *amount,
            })),
            Output::BooksAdjusted(adjusted) => into.push(Change::Adjustment(AdjustmentRow {
                shard,
                sequence,
                ordinal,
                time: adjusted.time,
                actor: name(&adjusted.actor),
                reason: adjusted.reason.clone(),
                kind: adjusted.kind.name().to_owned(),
                strategy: adjusted.strategy,
                instrument: adjusted.instrument,
                quantity: adjusted.quantity,
                value: adjusted.value,
                gain: adjusted.gain,
            })),
            // Frequent, and in the journal for who wants to know.
            Output::Refused(_) | Output::StrategyLog { .. } | Output::VenueRequested { .. } => {}
            Output::StrategyFault(_)
            | Output::SlotChanged(_)
            | Output::TradingState(_)
            | Output::SettingsChanged { .. }
            | Output::BreakerChanged(_)
            | Output::IgnoringChanged(_)
            | Output::InputRefused { .. } => {
                if let Some((time, action, subject, detail)) = audited(engine, output) {
                    let (actor, action) = (actor(output), action.to_owned());
                    into.push(Change::Audit(AuditRow {
                        shard,
                        sequence,
                        ordinal,
                        time,
                        actor,
                        action,
                        subject,
                        detail,
                    }));
                }
            }
        }
    }
}

impl Written {
    fn positions(&mut self, shard: ShardId, engine: &Engine, sequence: Sequence, into: &mut Vec<Change>) {
        let ledger = engine.ledger();
        let mut open = 0;
        for (number, books) in (0..).zip(ledger.sub_ledgers()) {
            let strategy = StrategyId(number);
            for position in books.positions() {
                open += 1;
                let row = PositionRow {
                    shard,
                    strategy,
                    instrument: position.instrument,
                    sequence,
                    quantity: position.quantity,
                    reserved: position.reserved,
                    cost: position.cost,
                    entry_fees: position.entry_fees,
                    opened: position.opened,
                    entered: position.entered,
                    realised: position.realised,
                };
                let key = (strategy, position.instrument);
                let before = self.positions.get(&key);
                if before.is_none_or(|before| PositionRow { sequence, ..before.clone() } != row) {
                    into.push(Change::Position(row.clone()));
                    self.positions.insert(key, row);
                }
            }
        }
        if self.positions.len() == open {
            return;
        }
        self.positions.retain(|(strategy, instrument), _| {
            let books = ledger.sub_ledger(*strategy);
            let is_open = books.is_some_and(|books| books.position(*instrument).is_some());
            if !is_open {
                let (strategy, instrument) = (*strategy, *instrument);
                into.push(Change::PositionClosed { shard, strategy, instrument });
            }
            is_open
        });
    }
}

/// Realised profit and fees over all strategies but the shadows.
fn totals(engine: &Engine) -> Result<(Money, Money), Overflow> {
    let real = engine.ledger().sub_ledgers().iter().filter(|books| !books.is_make_believe());
    real.clone().try_fold((Money::ZERO, Money::ZERO), |(realised, fees), books| {
        Ok((realised.plus(books.realised())?, fees.plus(books.fees())?))
    })
}

/// Whether the row is still what there is to say about the slot. There can be thousands of slots in a group's
/// account, so this builds no row to compare with.
fn shows(row: &SlotRow, slot: &Slot, books: &SubLedger) -> bool {
    let deployment = slot.deployment();
    row.name == slot.name()
        && row.version == deployment.version
        && row.mode == deployment.mode
        && row.status == slot.status().name()
        && row.weight == deployment.weight
        && row.cash == books.cash()
        && row.reserved == books.reserved()
        && row.funded == books.funded()
        && row.realised == books.realised()
        && row.fees == books.fees()
        && row.faults == slot.faults()
}

fn slot_row(shard: ShardId, time: Timestamp, slot: &Slot, books: &SubLedger, sequence: Sequence) -> SlotRow {
    let deployment = slot.deployment();
    SlotRow {
        shard,
        strategy: slot.id(),
        sequence,
        time,
        name: slot.name().to_owned(),
        version: deployment.version,
        mode: deployment.mode,
        status: slot.status().name().to_owned(),
        weight: deployment.weight,
        cash: books.cash(),
        reserved: books.reserved(),
        funded: books.funded(),
        realised: books.realised(),
        fees: books.fees(),
        faults: slot.faults(),
    }
}

fn order_row(shard: ShardId, sequence: Sequence, terms: &OrderTerms) -> OrderRow {
    OrderRow {
        shard,
        id: terms.id,
        sequence,
        strategy: terms.strategy,
        tag: terms.tag,
        instrument: terms.instrument,
        side: terms.side,
        quantity: terms.quantity,
        limit_price: match terms.pricing {
            Pricing::Market => None,
            Pricing::Limit(price) => Some(price),
        },
        origin: match terms.origin {
            Origin::Strategy => "strategy",
            Origin::Exit(cause) => cause.name(),
            Origin::Manual => "manual",
        }
        .to_owned(),
        created: terms.created,
        reference_price: terms.reference_price,
        confidence: terms.confidence,
        reason: terms.reason.clone(),
        state: OrderState::Accepted,
        filled: Quantity::ZERO,
        changed: terms.created,
        end_reason: String::new(),
    }
}

fn order_move(shard: ShardId, sequence: Sequence, change: &OrderChange) -> OrderMove {
    OrderMove {
        shard,
        id: change.order,
        sequence,
        state: change.state,
        filled: change.filled,
        changed: change.time,
        end_reason: change.reason.clone(),
    }
}

/// Who asked for it.
fn actor(output: &Output) -> String {
    let actor = match output {
        Output::TradingState(state) => &state.actor,
        Output::SettingsChanged { actor, .. } => actor,
        Output::IgnoringChanged(changed) => &changed.actor,
        _ => return HOST.to_owned(),
    };
    name(actor)
}

fn name(actor: &Actor) -> String {
    match actor {
        Actor::Person(name) => name.clone(),
        Actor::Host(part) => format!("{HOST}: {part}"),
    }
}

/// Time, action, subject and detail of what belongs into the audit.
fn audited(engine: &Engine, output: &Output) -> Option<(Timestamp, &'static str, String, String)> {
    let slot_name = |strategy: StrategyId| {
        engine.slot_of(strategy).map_or_else(|| strategy.to_string(), |slot| slot.name().to_owned())
    };
    match output {
        Output::SlotChanged(change) => {
            let (action, detail) = match &change.event {
                SlotEvent::Started(version) => ("slot-started", version.to_string()),
                SlotEvent::Replaced { from, to } => ("slot-replaced", format!("{from} by {to}")),
                SlotEvent::DeploymentFailed { version, reason, .. } => {
                    ("deployment-failed", format!("{version}: {reason}"))
                }
                SlotEvent::Restarted => ("slot-restarted", String::new()),
                SlotEvent::Removed => ("slot-removed", String::new()),
                SlotEvent::Adjusted => ("slot-adjusted", String::new()),
            };
            Some((change.time, action, change.slot.clone(), detail))
        }
        Output::StrategyFault(report) => {
            let action = match report.consequence {
                Consequence::RestartAt(_) => "strategy-fault",
                Consequence::Quarantined => "strategy-quarantined",
            };
            let detail = format!("{} at event {}: {}", report.version, report.event, report.fault);
            Some((report.time, action, slot_name(report.strategy), detail))
        }
        Output::TradingState(state) => {
            let action = if state.halted { "trading-halted" } else { "trading-resumed" };
            let detail = match state.action {
                Some(action) => format!("{}: {}", action.name(), state.reason),
                None => state.reason.clone(),
            };
            Some((state.time, action, String::new(), detail))
        }
        Output::SettingsChanged { version, time, .. } => {
            Some((*time, "settings-changed", String::new(), format!("version {version}")))
        }
        Output::BreakerChanged(change) => {
            let action = match change.state {
                BreakerState::Open { .. } => "breaker-opened",
                BreakerState::HalfOpen { .. } => "breaker-half-opened",
                BreakerState::Closed => "breaker-closed",
            };
            Some((change.time, action, change.breaker.name().to_owned(), change.reason.clone()))
        }
        Output::IgnoringChanged(changed) => {
            let (action, detail) = match changed.difference {
                Some(difference) => {
                    ("difference-ignored", format!("a difference of {difference}: {}", changed.reason))
                }
                None => ("difference-no-longer-ignored", changed.reason.clone()),
            };
            Some((changed.time, action, changed.subject.clone(), detail))
        }
        Output::InputRefused { time, reason } => {
            Some((*time, "input-refused", String::new(), reason.clone()))
        }
        _ => None,
    }
}
