//! What happened in an account, as subscribers are told.

use std::collections::BTreeMap;

use bulkhead_core::engine::{Engine, Slot};
use bulkhead_core::identifier::{InstrumentId, StrategyId};
use bulkhead_core::order::Pricing;
use bulkhead_core::output::{Consequence, Output, SlotEvent};
use bulkhead_core::risk::BreakerState;
use bulkhead_core::strategy::LogLevel;
use rust_decimal::Decimal;
use serde::Serialize;
use utoipa::ToSchema;

use crate::documents::time;

/// What subscribers can choose among.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// The account as a whole, a few times a second, and what is done to it: halts, breakers, settings.
    Account,
    /// Orders and their transitions.
    Orders,
    /// Executions and costs without one.
    Fills,
    /// Positions, or parts of them, that were closed.
    Trades,
    /// Proposals that the gate refused.
    Refusals,
    /// Strategies: changes, faults, log lines.
    Strategies,
    /// Completed bars.
    Bars,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 7] = [
        Self::Account,
        Self::Orders,
        Self::Fills,
        Self::Trades,
        Self::Refusals,
        Self::Strategies,
        Self::Bars,
    ];

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Orders => "orders",
            Self::Fills => "fills",
            Self::Trades => "trades",
            Self::Refusals => "refusals",
            Self::Strategies => "strategies",
            Self::Bars => "bars",
        }
    }

    /// Its place in [`Self::ALL`].
    pub(crate) const fn place(self) -> usize {
        self as usize
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum LiveEvent {
    /// An order passed the gate.
    OrderAccepted {
        /// Its number.
        order: u64,
        /// Whose.
        strategy: String,
        /// What to trade.
        instrument: String,
        /// buy or sell.
        side: String,
        /// How much.
        quantity: Decimal,
        /// At this price or better; null at the market.
        limit_price: Option<Decimal>,
        /// Who wanted it: strategy, manual, or the exit that was reached.
        origin: String,
        /// The price that the gate reckoned with.
        reference_price: Decimal,
        /// Why the strategy wanted it.
        reason: String,
    },
    /// An order moved on.
    OrderChanged {
        /// Its number.
        order: u64,
        /// Whose.
        strategy: String,
        /// Where it stands now.
        status: String,
        /// Quantity executed so far.
        filled: Decimal,
        /// Why, for an end without a fill; else empty.
        reason: String,
    },
    /// An execution was booked.
    Filled {
        /// Of which order.
        order: u64,
        /// Whose.
        strategy: String,
        /// What was traded.
        instrument: String,
        /// buy or sell.
        side: String,
        /// How much.
        quantity: Decimal,
        /// At what price.
        price: Decimal,
        /// The venue's fee and gas.
        fee: Decimal,
        /// Why.
        cause: String,
    },
    /// A position, or a part of one, was closed.
    TradeClosed {
        /// Whose.
        strategy: String,
        /// In what.
        instrument: String,
        /// The side of the entry.
        side: String,
        /// When it was opened.
        entry_time: String,
        /// Average entry price.
        entry_price: Decimal,
        /// Exit price.
        exit_price: Decimal,
        /// How much was closed.
        quantity: Decimal,
        /// Of entry and exit, for this part.
        fees: Decimal,
        /// Profit after fees.
        pnl: Decimal,
        /// Why it was closed.
        exit_reason: String,
    },
    /// The gate refused a proposal.
    Refused {
        /// Whose.
        strategy: String,
        /// For what.
        instrument: String,
        /// buy or sell.
        side: String,
        /// Why, a stable code.
        code: String,
        /// The numbers, as key=value pairs.
        facts: String,
    },
    /// A difference between the books and what is really there was booked.
    BooksAdjusted {
        /// adopted or written-off.
        how: String,
        /// Whose; null for money that belongs to no strategy.
        strategy: Option<String>,
        /// Units of what; null for cash.
        instrument: Option<String>,
        /// How many units came, or went when negative.
        quantity: Decimal,
        /// What the owner brought, or took away when negative.
        value: Decimal,
        /// Profit or loss that is none of trading.
        gain: Decimal,
        /// Who had it booked.
        actor: String,
        /// Why.
        reason: String,
    },
    /// A difference is ignored from now on, or no more.
    IgnoringChanged {
        /// Which.
        subject: String,
        /// How large it is; null when it is not ignored any more.
        difference: Option<Decimal>,
        /// Who says so.
        actor: String,
        /// Why.
        reason: String,
    },
    /// A cost without a fill was booked.
    Charged {
        /// Whose.
        strategy: String,
        /// How much.
        amount: Decimal,
    },
    /// A strategy misbehaved.
    Fault {
        /// Which.
        strategy: String,
        /// SHA-256 of its version.
        version: String,
        /// What kind, such as out-of-fuel.
        fault: String,
        /// The particulars.
        detail: String,
        /// When it starts again; null when it is quarantined.
        restart_at: Option<String>,
    },
    /// A strategy's slot changed.
    SlotChanged {
        /// Which.
        strategy: String,
        /// started, replaced, deployment-failed, restarted, removed or adjusted.
        change: String,
        /// SHA-256 of the version that it is about, if it is about one.
        version: Option<String>,
        /// Why a deployment failed; else empty.
        reason: String,
    },
    /// A strategy logged something.
    Log {
        /// Which.
        strategy: String,
        /// debug, info, warn or error.
        level: String,
        /// What.
        message: String,
    },
    /// Trading was halted or resumed.
    TradingState {
        /// Whether it is stopped.
        halted: bool,
        /// Why; empty when it was resumed.
        reason: String,
        /// Who did it.
        actor: String,
        /// stop-entries, cancel-orders or flatten; null when it was resumed.
        action: Option<String>,
    },
    /// Other settings hold.
    SettingsChanged {
        /// Their version.
        version: u64,
        /// Who changed them.
        actor: String,
    },
    /// A breaker opened, became half-open or closed.
    BreakerChanged {
        /// Which.
        breaker: String,
        /// closed, open or half-open.
        state: String,
        /// Why.
        reason: String,
        /// Until when it is open at least; null otherwise.
        until: Option<String>,
    },
    /// An input could not be used.
    InputRefused {
        /// Why, and what to do.
        reason: String,
    },
}

/// What people call the instruments and strategies of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LiveNames {
    symbols: Vec<String>,
    strategies: BTreeMap<StrategyId, String>,
}

impl LiveNames {
    pub(crate) fn read(engine: &Engine) -> Self {
        let name = |slot: &Slot| (slot.id(), slot.name().to_owned());
        Self {
            symbols: engine.settings().instruments.iter().map(|known| known.symbol.clone()).collect(),
            strategies: engine.slots().iter().map(name).collect(),
        }
    }

    /// Whether they are those of this engine: names are only ever added.
    pub(crate) fn are_current(&self, engine: &Engine) -> bool {
        self.symbols.len() == engine.settings().instruments.len()
            && self.strategies.len() == engine.slots().len()
    }

    pub(crate) fn symbol(&self, id: InstrumentId) -> String {
        let symbol = usize::try_from(id.0).ok().and_then(|place| self.symbols.get(place));
        symbol.cloned().unwrap_or_else(|| id.to_string())
    }

    pub(crate) fn instrument(&self, symbol: &str) -> Option<InstrumentId> {
        let place = self.symbols.iter().position(|known| known == symbol)?;
        u32::try_from(place).ok().map(InstrumentId)
    }

    fn strategy(&self, id: StrategyId) -> String {
        self.strategies.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }
}

const fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}

impl LiveEvent {
    /// The topic that it belongs to.
    #[must_use]
    pub const fn topic(&self) -> Topic {
        match self {
            Self::OrderAccepted { .. } | Self::OrderChanged { .. } => Topic::Orders,
            Self::Filled { .. } | Self::Charged { .. } => Topic::Fills,
            Self::TradeClosed { .. } => Topic::Trades,
            Self::Refused { .. } => Topic::Refusals,
            Self::Fault { .. } | Self::SlotChanged { .. } | Self::Log { .. } => Topic::Strategies,
            Self::TradingState { .. }
            | Self::SettingsChanged { .. }
            | Self::BreakerChanged { .. }
            | Self::BooksAdjusted { .. }
            | Self::IgnoringChanged { .. }
            | Self::InputRefused { .. } => Topic::Account,
        }
    }

    /// An output of the engine in people's names, and its moment where it has one of its own. `None` for what only the
    /// host has to do with.
    pub(crate) fn of(output: Output, names: &LiveNames) -> Option<(Self, Option<String>)> {
        Some(match output {
            Output::VenueRequested { .. } => return None,
            Output::StageReached(reached) => (
                Self::OrderChanged {
                    order: reached.order.0,
                    strategy: names.strategy(reached.strategy),
                    status: reached.state.name().to_owned(),
                    filled: reached.filled.0,
                    reason: reached.to_string(),
                },
                Some(time(reached.time)),
            ),
            Output::OrderAccepted(terms) => (
                Self::OrderAccepted {
                    order: terms.id.0,
                    strategy: names.strategy(terms.strategy),
                    instrument: names.symbol(terms.instrument),
                    side: terms.side.name().to_owned(),
                    quantity: terms.quantity.0,
                    limit_price: match terms.pricing {
                        Pricing::Market => None,
                        Pricing::Limit(price) => Some(price.0),
                    },
                    origin: terms.origin.name().to_owned(),
                    reference_price: terms.reference_price.0,
                    reason: terms.reason,
                },
                Some(time(terms.created)),
            ),
            Output::OrderChanged(change) => (
                Self::OrderChanged {
                    order: change.order.0,
                    strategy: names.strategy(change.strategy),
                    status: change.state.name().to_owned(),
                    filled: change.filled.0,
                    reason: change.reason,
                },
                Some(time(change.time)),
            ),
            Output::Refused(refused) => (
                Self::Refused {
                    strategy: names.strategy(refused.strategy),
                    instrument: names.symbol(refused.instrument),
                    side: refused.side.name().to_owned(),
                    code: refused.refusal.code.name().to_owned(),
                    facts: refused.refusal.facts,
                },
                Some(time(refused.time)),
            ),
            Output::Filled(fill) => (
                Self::Filled {
                    order: fill.order.0,
                    strategy: names.strategy(fill.strategy),
                    instrument: names.symbol(fill.instrument),
                    side: fill.side.name().to_owned(),
                    quantity: fill.quantity.0,
                    price: fill.price.0,
                    fee: fill.fee.0,
                    cause: fill.cause.name().to_owned(),
                },
                Some(time(fill.time)),
            ),
            Output::TradeClosed(trade) => (
                Self::TradeClosed {
                    strategy: names.strategy(trade.strategy),
                    instrument: names.symbol(trade.instrument),
                    side: trade.side.name().to_owned(),
                    entry_time: time(trade.entry_time),
                    entry_price: trade.entry_price.0,
                    exit_price: trade.exit_price.0,
                    quantity: trade.quantity.0,
                    fees: trade.fees.0,
                    pnl: trade.pnl.0,
                    exit_reason: trade.exit_reason.name().to_owned(),
                },
                Some(time(trade.exit_time)),
            ),
            Output::Charged { strategy, time: at, amount } => {
                (Self::Charged { strategy: names.strategy(strategy), amount: amount.0 }, Some(time(at)))
            }
            Output::StrategyFault(report) => (
                Self::Fault {
                    strategy: names.strategy(report.strategy),
                    version: report.version.to_string(),
                    fault: report.fault.name().to_owned(),
                    detail: report.fault.to_string(),
                    restart_at: match report.consequence {
                        Consequence::RestartAt(moment) => Some(time(moment)),
                        Consequence::Quarantined => None,
                    },
                },
                Some(time(report.time)),
            ),
            Output::SlotChanged(change) => {
                let (what, version, reason) = match change.event {
                    SlotEvent::Started(version) => ("started", Some(version), String::new()),
                    SlotEvent::Replaced { to, .. } => ("replaced", Some(to), String::new()),
                    SlotEvent::DeploymentFailed { version, reason, .. } => {
                        ("deployment-failed", Some(version), reason)
                    }
                    SlotEvent::Restarted => ("restarted", None, String::new()),
                    SlotEvent::Removed => ("removed", None, String::new()),
                    SlotEvent::Adjusted => ("adjusted", None, String::new()),
                };
                let version = version.map(|hash| hash.to_string());
                let change_of =
                    Self::SlotChanged { strategy: change.slot, change: what.to_owned(), version, reason };
                (change_of, Some(time(change.time)))
            }
            Output::StrategyLog { strategy, line } => (
                Self::Log {
                    strategy: names.strategy(strategy),
                    level: level(line.level).to_owned(),
                    message: line.message,
                },
                None,
            ),
            Output::TradingState(state) => {
                let at = time(state.time);
                let action = state.action.map(|action| action.name().to_owned());
                let (halted, reason, actor) = (state.halted, state.reason, state.actor.to_string());
                (Self::TradingState { halted, reason, actor, action }, Some(at))
            }
            Output::SettingsChanged { version, actor, time: at } => {
                (Self::SettingsChanged { version, actor: actor.to_string() }, Some(time(at)))
            }
            Output::BreakerChanged(change) => (
                Self::BreakerChanged {
                    breaker: change.breaker.name().to_owned(),
                    state: change.state.name().to_owned(),
                    reason: change.reason,
                    until: match change.state {
                        BreakerState::Open { until, .. } => until.map(time),
                        BreakerState::Closed | BreakerState::HalfOpen { .. } => None,
                    },
                },
                Some(time(change.time)),
            ),
            Output::BooksAdjusted(adjusted) => (
                Self::BooksAdjusted {
                    how: adjusted.kind.name().to_owned(),
                    strategy: adjusted.strategy.map(|id| names.strategy(id)),
                    instrument: adjusted.instrument.map(|id| names.symbol(id)),
                    quantity: adjusted.quantity.0,
                    value: adjusted.value.0,
                    gain: adjusted.gain.0,
                    actor: adjusted.actor.to_string(),
                    reason: adjusted.reason,
                },
                Some(time(adjusted.time)),
            ),
            Output::IgnoringChanged(changed) => (
                Self::IgnoringChanged {
                    subject: changed.subject,
                    difference: changed.difference,
                    actor: changed.actor.to_string(),
                    reason: changed.reason,
                },
                Some(time(changed.time)),
            ),
            Output::InputRefused { time: at, reason } => (Self::InputRefused { reason }, Some(time(at))),
        })
    }
}
