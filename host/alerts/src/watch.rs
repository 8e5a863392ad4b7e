//! From what became durable in an account to what is worth an alert.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bulkhead_core::identifier::{InstrumentId, OrderId, StrategyId};
use bulkhead_core::money::{Money, Price, Quantity};
use bulkhead_core::order::{Fill, OrderState, OrderTerms, Side};
use bulkhead_core::output::{ClosedTrade, Consequence, OrderChange, Output, SlotEvent};
use bulkhead_core::reconciliation::BooksAdjusted;
use bulkhead_core::risk::BreakerState;
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_store::journal::NumberedOutput;
use rust_decimal::Decimal;

use crate::alert::{Alert, AlertKind};
use crate::names::Names;
use crate::settings::WatchSettings;
use crate::text::{day, gain, money, percent, price, quantity};

/// How an account stands at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) time: Timestamp,
    /// After this input.
    pub(crate) sequence: u64,
    /// Whether a UTC day of event time ended here.
    pub(crate) day_ended: bool,
    pub(crate) equity: Money,
    pub(crate) day_start_equity: Money,
    pub(crate) peak_equity: Money,
    /// Paid so far.
    pub(crate) fees: Money,
    pub(crate) positions: usize,
    /// The limits in force, as fractions.
    pub(crate) daily_loss: Option<Decimal>,
    pub(crate) drawdown: Option<Decimal>,
}

/// What an account holds when it begins to be watched.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beginning {
    pub(crate) holdings: Vec<(StrategyId, InstrumentId, Quantity, Money)>,
    pub(crate) orders: Vec<(OrderId, InstrumentId, Price)>,
    pub(crate) fees: Money,
}

/// A limit that losses can come near.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Limit {
    DailyLoss,
    Drawdown,
}

/// A position that is open.
#[derive(Debug, Clone, Copy)]
struct Holding {
    quantity: Quantity,
    /// Profit of the parts sold.
    realised: Money,
}

/// What an account did so far, as far as alerts depend on it.
pub(crate) struct Watch {
    account: String,
    settings: WatchSettings,
    names: Names,
    /// What orders are expected to fill at.
    expected: BTreeMap<OrderId, (InstrumentId, Price)>,
    holdings: BTreeMap<(StrategyId, InstrumentId), Holding>,
    /// Losing trades in a row.
    losses: BTreeMap<StrategyId, u32>,
    /// Trades by the day on which they were closed.
    trades: BTreeMap<Timestamp, u64>,
    /// Fees at the end of the last day, or when watching began.
    fees: Money,
    /// Told of this day.
    near: (Timestamp, BTreeSet<Limit>),
}

impl Watch {
    pub(crate) fn new(account: String, settings: WatchSettings) -> Self {
        Self {
            account,
            settings,
            names: Names::default(),
            expected: BTreeMap::new(),
            holdings: BTreeMap::new(),
            losses: BTreeMap::new(),
            trades: BTreeMap::new(),
            fees: Money::ZERO,
            near: (Timestamp::EPOCH, BTreeSet::new()),
        }
    }

    pub(crate) fn rename(&mut self, names: Names) {
        self.names = names;
    }

    /// Goes on from what the account holds.
    pub(crate) fn begin(&mut self, beginning: Beginning) {
        let Beginning { holdings, orders, fees } = beginning;
        let holding = |(strategy, instrument, quantity, realised)| {
            ((strategy, instrument), Holding { quantity, realised })
        };
        self.holdings = holdings.into_iter().map(holding).collect();
        self.expected = orders.into_iter().map(|(id, instrument, price)| (id, (instrument, price))).collect();
        self.fees = fees;
    }

    /// The same after something was missed: only what is held is taken over.
    pub(crate) fn begin_again(&mut self, beginning: Beginning) {
        let fees = self.fees;
        self.begin(beginning);
        self.fees = fees;
    }

    /// What an output is worth, if anything.
    pub(crate) fn output(&mut self, numbered: NumberedOutput) -> Vec<Alert> {
        let sequence = numbered.sequence.0;
        let mut alerts = self.understand(numbered.output);
        for alert in &mut alerts {
            alert.sequence = Some(sequence);
            alert.account = Some(self.account.clone());
        }
        alerts
    }

    fn understand(&mut self, output: Output) -> Vec<Alert> {
        match output {
            Output::OrderAccepted(terms) => {
                self.accepted(&terms);
                Vec::new()
            }
            Output::OrderChanged(change) => self.changed(&change).into_iter().collect(),
            Output::Filled(fill) => self.filled(&fill),
            Output::TradeClosed(trade) => self.closed(&trade).into_iter().collect(),
            Output::StrategyFault(report) => {
                let (kind, title, what) = match report.consequence {
                    Consequence::RestartAt(_) => (
                        AlertKind::StrategyFault,
                        "strategy failed",
                        "It restarts from its last saved state.",
                    ),
                    Consequence::Quarantined => (
                        AlertKind::StrategyQuarantined,
                        "strategy quarantined",
                        "It failed too often and stays stopped until it is released or a new version comes. Its \
                         positions stay guarded by their exits.",
                    ),
                };
                let text = format!(
                    "{} failed at event {}: {}. {what}",
                    self.names.strategy(report.strategy),
                    report.event,
                    report.fault
                );
                vec![self.of_strategy(kind, report.strategy, report.time, title, text)]
            }
            Output::SlotChanged(change) => match change.event {
                SlotEvent::DeploymentFailed { version, reason, .. } => {
                    let text = format!(
                        "Version {} can't run in {}: {reason}. What ran before goes on.",
                        version.short(),
                        change.slot
                    );
                    let mut alert = Alert::new(
                        AlertKind::DeploymentFailed,
                        change.slot.clone(),
                        "deployment failed",
                        text,
                    );
                    alert.strategy = Some(change.slot);
                    alert.time = Some(change.time);
                    vec![alert]
                }
                _ => Vec::new(),
            },
            Output::TradingState(state) => {
                let alert = match state.action {
                    Some(action) => Alert::new(
                        AlertKind::TradingHalted,
                        "trading",
                        "trading halted",
                        format!("{} halted trading ({}): {}", state.actor, action.name(), state.reason),
                    ),
                    None => Alert::new(
                        AlertKind::TradingResumed,
                        "trading",
                        "trading resumed",
                        format!("{} resumed trading.", state.actor),
                    ),
                };
                vec![Alert { time: Some(state.time), ..alert }]
            }
            Output::BreakerChanged(change) => {
                let breaker = change.breaker.name();
                let alert = match change.state {
                    BreakerState::Open { until, .. } => {
                        let end = match until {
                            Some(until) => format!("It probes again after {}.", crate::text::second(until)),
                            None => "It stays open until somebody resumes trading.".to_owned(),
                        };
                        let text =
                            format!("The breaker {breaker} stops new positions: {}. {end}", change.reason);
                        Alert::new(
                            AlertKind::BreakerOpened,
                            breaker,
                            format!("breaker {breaker} opened"),
                            text,
                        )
                    }
                    BreakerState::Closed => {
                        let text = format!("The breaker {breaker} is closed again: {}.", change.reason);
                        Alert::new(
                            AlertKind::BreakerClosed,
                            breaker,
                            format!("breaker {breaker} closed"),
                            text,
                        )
                    }
                    BreakerState::HalfOpen { .. } => return Vec::new(),
                };
                vec![Alert { time: Some(change.time), ..alert }]
            }
            Output::BooksAdjusted(adjusted) => vec![self.adjusted(&adjusted)],
            // What the host sees when it first looks is no news.
            Output::IgnoringChanged(changed) if changed.actor.is_host() => Vec::new(),
            Output::IgnoringChanged(changed) => {
                let (actor, subject, reason) = (&changed.actor, &changed.subject, &changed.reason);
                let text = match changed.difference {
                    Some(difference) => {
                        format!(
                            "{actor} says that a difference of {difference} in {subject} is fine: {reason}"
                        )
                    }
                    None => format!("{actor} does not have {subject} ignored any more: {reason}"),
                };
                let title = "a difference is ignored or no more";
                let alert = Alert::new(AlertKind::BooksAdjusted, subject.clone(), title, text);
                vec![Alert { time: Some(changed.time), ..alert }]
            }
            Output::Refused(_)
            | Output::Charged { .. }
            | Output::StrategyLog { .. }
            | Output::SettingsChanged { .. }
            | Output::VenueRequested { .. }
            | Output::StageReached(_)
            | Output::InputRefused { .. } => Vec::new(),
        }
    }

    fn adjusted(&mut self, adjusted: &BooksAdjusted) -> Alert {
        let BooksAdjusted { actor, reason, kind, strategy, instrument, value, gain, .. } = adjusted;
        if let (Some(strategy), Some(instrument)) = (strategy, instrument) {
            let key = (*strategy, *instrument);
            let (held, realised) = self
                .holdings
                .get(&key)
                .map_or((Quantity::ZERO, Money::ZERO), |holding| (holding.quantity, holding.realised));
            match held.plus(adjusted.quantity) {
                Ok(after) if after.is_positive() => {
                    self.holdings.insert(key, Holding { quantity: after, realised });
                }
                _ => drop(self.holdings.remove(&key)),
            }
        }
        let symbol = instrument.map(|instrument| self.names.symbol(instrument));
        let what = match &symbol {
            Some(symbol) => format!("{} {symbol}", quantity(adjusted.quantity)),
            None => format!("{} of cash", money(value.plus(*gain).unwrap_or(*value))),
        };
        let text = format!(
            "{actor} had a difference booked as {}: {what}, worth {} to the owner, {} apart from trading. Why: {reason}",
            kind.name(),
            money(*value),
            crate::text::gain(*gain),
        );
        let subject = symbol.clone().unwrap_or_else(|| "cash".to_owned());
        let mut alert = Alert::new(AlertKind::BooksAdjusted, subject, "the books were adjusted", text);
        alert.strategy = strategy.map(|strategy| self.names.strategy(strategy));
        alert.instrument = symbol;
        alert.time = Some(adjusted.time);
        alert
    }

    fn accepted(&mut self, terms: &OrderTerms) {
        if !self.names.is_shadow(terms.strategy) {
            self.expected.insert(terms.id, (terms.instrument, terms.expected_price()));
        }
    }

    fn changed(&mut self, change: &OrderChange) -> Option<Alert> {
        let ended = matches!(
            change.state,
            OrderState::Filled | OrderState::Cancelled | OrderState::Rejected | OrderState::Expired
        );
        let known = if ended { self.expected.remove(&change.order) } else { None };
        if self.names.is_shadow(change.strategy)
            || !matches!(change.state, OrderState::Rejected | OrderState::Expired)
        {
            return None;
        }
        let symbol = known.map(|(instrument, _)| self.names.symbol(instrument));
        let what = symbol.as_ref().map(|symbol| format!(" for {symbol}")).unwrap_or_default();
        let reason = if change.reason.is_empty() { "no reason was given" } else { &change.reason };
        let text = format!(
            "Order {}{what} of {} ended as {} with {} executed: {reason}",
            change.order.0,
            self.names.strategy(change.strategy),
            change.state.name(),
            quantity(change.filled),
        );
        let title = format!("order {}", change.state.name());
        let mut alert =
            self.of_strategy(AlertKind::ExecutionFailed, change.strategy, change.time, &title, text);
        alert.instrument = symbol;
        Some(alert)
    }

    fn filled(&mut self, fill: &Fill) -> Vec<Alert> {
        if self.names.is_shadow(fill.strategy) {
            return Vec::new();
        }
        let mut alerts: Vec<Alert> = self.slipped(fill).into_iter().collect();
        let key = (fill.strategy, fill.instrument);
        let (symbol, strategy) = (self.names.symbol(fill.instrument), self.names.strategy(fill.strategy));
        let told = format!("{} {symbol} at {}", quantity(fill.quantity), price(fill.price));
        match fill.side {
            Side::Buy => {
                let held = self.holdings.get(&key).map_or(Quantity::ZERO, |holding| holding.quantity);
                let realised = self.holdings.get(&key).map_or(Money::ZERO, |holding| holding.realised);
                let after = held.plus(fill.quantity).unwrap_or(held);
                self.holdings.insert(key, Holding { quantity: after, realised });
                if held.is_zero() {
                    let text = format!("{strategy} bought {told}.");
                    alerts.push(self.of_position(AlertKind::PositionOpened, fill, "position opened", text));
                }
            }
            Side::Sell => {
                let Some(holding) = self.holdings.get_mut(&key) else { return alerts };
                holding.quantity = holding.quantity.minus(fill.quantity).unwrap_or(Quantity::ZERO);
                if holding.quantity.is_zero() || holding.quantity.is_negative() {
                    let pnl = gain(holding.realised);
                    self.holdings.remove(&key);
                    let text = format!("{strategy} sold {told} ({}), PnL {pnl}.", fill.cause.name());
                    let title = format!("position closed, PnL {pnl}");
                    alerts.push(self.of_position(AlertKind::PositionClosed, fill, &title, text));
                }
            }
        }
        alerts
    }

    /// A fill that is worse than what the order was reckoned at.
    fn slipped(&self, fill: &Fill) -> Option<Alert> {
        let most = self.settings.slippage?;
        let (_, expected) = self.expected.get(&fill.order)?;
        let worse = match fill.side {
            Side::Buy => fill.price.0.checked_sub(expected.0),
            Side::Sell => expected.0.checked_sub(fill.price.0),
        };
        let slippage = worse?.checked_div(expected.0)?;
        if slippage <= most {
            return None;
        }
        let text = format!(
            "{} {} {} {} at {} where {} was expected: {} worse.",
            self.names.strategy(fill.strategy),
            match fill.side {
                Side::Buy => "bought",
                Side::Sell => "sold",
            },
            quantity(fill.quantity),
            self.names.symbol(fill.instrument),
            price(fill.price),
            price(*expected),
            percent(slippage),
        );
        Some(self.of_position(AlertKind::Slippage, fill, &format!("slippage of {}", percent(slippage)), text))
    }

    fn closed(&mut self, trade: &ClosedTrade) -> Option<Alert> {
        if self.names.is_shadow(trade.strategy) {
            return None;
        }
        *self.trades.entry(trade.exit_time.floor(Span::DAY)).or_default() += 1;
        if let Some(holding) = self.holdings.get_mut(&(trade.strategy, trade.instrument)) {
            holding.realised = holding.realised.plus(trade.pnl).unwrap_or(holding.realised);
        }
        let losses = self.losses.entry(trade.strategy).or_default();
        *losses = if trade.pnl.is_negative() { losses.saturating_add(1) } else { 0 };
        let most = self.settings.consecutive_losses?.get();
        if *losses == 0 || !losses.is_multiple_of(most) {
            return None;
        }
        let losses = *losses;
        let text = format!(
            "The last {losses} trades of {} lost, the newest {} in {}.",
            self.names.strategy(trade.strategy),
            gain(trade.pnl),
            self.names.symbol(trade.instrument),
        );
        let title = format!("{losses} losses in a row");
        Some(self.of_strategy(AlertKind::ConsecutiveLosses, trade.strategy, trade.exit_time, &title, text))
    }

    /// What the account's standing is worth.
    pub(crate) fn standing(&mut self, standing: &Standing) -> Vec<Alert> {
        let mut alerts = self.near_limits(standing);
        if standing.day_ended {
            alerts.push(self.summary(standing));
        }
        for alert in &mut alerts {
            alert.sequence = Some(standing.sequence);
            alert.account = Some(self.account.clone());
            alert.time = Some(standing.time);
        }
        alerts
    }

    fn near_limits(&mut self, standing: &Standing) -> Vec<Alert> {
        let Some(near) = self.settings.near_limit else { return Vec::new() };
        let today = standing.time.floor(Span::DAY);
        if self.near.0 != today {
            self.near = (today, BTreeSet::new());
        }
        let limits = [
            (Limit::DailyLoss, "daily loss", standing.daily_loss, standing.day_start_equity),
            (Limit::Drawdown, "drawdown", standing.drawdown, standing.peak_equity),
        ];
        let mut alerts = Vec::new();
        for (which, name, limit, from) in limits {
            let Some(limit) = limit else { continue };
            let (Ok(lost), Ok(most)) = (from.minus(standing.equity), from.scaled(limit)) else { continue };
            let Ok(threshold) = most.scaled(near) else { continue };
            if !most.is_positive() || lost < threshold || !self.near.1.insert(which) {
                continue;
            }
            let text = format!(
                "The {name} is {} of at most {}: equity {} from {}. From the limit on no new position is opened.",
                money(lost),
                money(most),
                money(standing.equity),
                money(from),
            );
            let subject = format!("{name} {}", day(today));
            alerts.push(Alert::new(AlertKind::NearLimit, subject, format!("{name} near its limit"), text));
        }
        alerts
    }

    fn summary(&mut self, standing: &Standing) -> Alert {
        let today = standing.time.floor(Span::DAY);
        let later = self.trades.split_off(&today.plus(Span::DAY));
        let trades: u64 = std::mem::replace(&mut self.trades, later).values().sum();
        let fees = standing.fees.minus(self.fees).unwrap_or(Money::ZERO);
        self.fees = standing.fees;
        let pnl = standing.equity.minus(standing.day_start_equity).unwrap_or(Money::ZERO);
        let text = format!(
            "Equity {}, PnL {}, {trades} trades, fees {}, {} open positions.",
            money(standing.equity),
            gain(pnl),
            money(fees),
            standing.positions,
        );
        let date = day(today);
        let title = format!("{date}: PnL {}", gain(pnl));
        Alert::new(AlertKind::DailySummary, date, title, text)
    }

    /// The journal can't be written.
    pub(crate) fn journal_stalled(&self, why: &str) -> Alert {
        let text = format!("The journal can't be written: {why}. Trading stands still until it can.");
        Alert::new(AlertKind::JournalStalled, "journal", "trading stands still", text)
            .of_account(&self.account)
    }

    /// The journal can be written again.
    pub(crate) fn journal_resumed(&self, after: Duration) -> Alert {
        let text =
            format!("The journal can be written again after {:.1} s. Trading goes on.", after.as_secs_f64());
        Alert::new(AlertKind::JournalResumed, "journal", "trading goes on", text).of_account(&self.account)
    }

    fn of_position(&self, kind: AlertKind, fill: &Fill, title: &str, text: String) -> Alert {
        let mut alert = self.of_strategy(kind, fill.strategy, fill.time, title, text);
        let symbol = self.names.symbol(fill.instrument);
        alert.subject = format!("{} {symbol}", alert.subject);
        alert.instrument = Some(symbol);
        alert
    }

    fn of_strategy(
        &self,
        kind: AlertKind,
        id: StrategyId,
        time: Timestamp,
        title: &str,
        text: String,
    ) -> Alert {
        let strategy = self.names.strategy(id);
        let mut alert = Alert::new(kind, strategy.clone(), title, text);
        alert.strategy = Some(strategy);
        alert.time = Some(time);
        alert
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use bulkhead_core::identifier::OrderTag;
    use bulkhead_core::order::{Origin, Pricing};
    use bulkhead_core::strategy::FillCause;
    use bulkhead_store::journal::Sequence;

    use super::*;

    const LIVE: StrategyId = StrategyId(0);
    const SHADOW: StrategyId = StrategyId(1);
    const DAY: i64 = 86_400;

    fn watch() -> Watch {
        let settings = WatchSettings {
            slippage: Some(Decimal::new(1, 2)),
            near_limit: Some(Decimal::new(8, 1)),
            consecutive_losses: NonZeroU32::new(3),
        };
        let mut watch = Watch::new("main".to_owned(), settings);
        watch.rename(Names::of(&["A-USD"], &[("momentum", false), ("ghost", true)]));
        watch
    }

    fn take(watch: &mut Watch, output: Output) -> Vec<Alert> {
        watch.output(NumberedOutput { sequence: Sequence(7), output })
    }

    fn kinds(alerts: &[Alert]) -> Vec<AlertKind> {
        alerts.iter().map(|alert| alert.kind).collect()
    }

    fn order(id: u64, side: Side, pricing: Pricing) -> Output {
        Output::OrderAccepted(OrderTerms {
            id: OrderId(id),
            strategy: LIVE,
            tag: OrderTag(1),
            instrument: InstrumentId(0),
            side,
            quantity: Quantity(Decimal::TWO),
            pricing,
            origin: Origin::Strategy,
            created: Timestamp::from_seconds(1),
            reference_price: Price(Decimal::ONE_HUNDRED),
            confidence: 1.0,
            reason: String::new(),
            exits: None,
        })
    }

    fn fill(strategy: StrategyId, id: u64, side: Side, quantity: i64, cents: i64) -> Output {
        Output::Filled(Fill {
            order: OrderId(id),
            strategy,
            tag: OrderTag(1),
            instrument: InstrumentId(0),
            side,
            quantity: Quantity(Decimal::from(quantity)),
            price: Price(Decimal::new(cents, 2)),
            fee: Money::ZERO,
            time: Timestamp::from_seconds(5),
            cause: FillCause::Order,
        })
    }

    fn trade(pnl: i64, second: i64) -> Output {
        Output::TradeClosed(ClosedTrade {
            strategy: LIVE,
            instrument: InstrumentId(0),
            side: Side::Buy,
            entry_time: Timestamp::from_seconds(1),
            exit_time: Timestamp::from_seconds(second),
            entry_price: Price(Decimal::ONE),
            exit_price: Price(Decimal::ONE),
            quantity: Quantity(Decimal::ONE),
            fees: Money::ZERO,
            pnl: Money(Decimal::from(pnl)),
            exit_reason: FillCause::Order,
        })
    }

    fn standing(equity: i64, second: i64) -> Standing {
        Standing {
            time: Timestamp::from_seconds(second),
            sequence: 9,
            day_ended: false,
            equity: Money(Decimal::from(equity)),
            day_start_equity: Money(Decimal::from(10_000)),
            peak_equity: Money(Decimal::from(10_000)),
            fees: Money(Decimal::from(3)),
            positions: 1,
            daily_loss: Some(Decimal::new(5, 2)),
            drawdown: Some(Decimal::new(20, 2)),
        }
    }

    #[test]
    fn a_position_is_opened_once_and_closed_with_the_profit_of_all_its_parts() {
        let mut watch = watch();
        assert_eq!(
            kinds(&take(&mut watch, fill(LIVE, 1, Side::Buy, 2, 10_000))),
            [AlertKind::PositionOpened]
        );
        assert_eq!(take(&mut watch, fill(LIVE, 1, Side::Buy, 2, 10_000)), []);
        assert_eq!(take(&mut watch, trade(5, 9)), []);
        assert_eq!(take(&mut watch, fill(LIVE, 2, Side::Sell, 1, 10_500)), []);
        assert_eq!(take(&mut watch, trade(-2, 9)), []);
        let closed = take(&mut watch, fill(LIVE, 2, Side::Sell, 3, 9_900));
        assert_eq!(kinds(&closed), [AlertKind::PositionClosed]);
        assert!(closed[0].text.contains("PnL +3.00"), "{}", closed[0].text);
        let facts = (closed[0].strategy.as_deref(), closed[0].instrument.as_deref(), closed[0].sequence);
        assert_eq!(facts, (Some("momentum"), Some("A-USD"), Some(7)));
        assert_eq!(take(&mut watch, fill(SHADOW, 3, Side::Buy, 2, 10_000)), [], "a shadow holds nothing");
    }

    #[test]
    fn what_was_held_before_is_no_new_position() {
        let mut watch = watch();
        let held = (LIVE, InstrumentId(0), Quantity(Decimal::TWO), Money(Decimal::TEN));
        watch.begin(Beginning { holdings: vec![held], ..Beginning::default() });
        assert_eq!(take(&mut watch, fill(LIVE, 1, Side::Buy, 1, 10_000)), []);
        let closed = take(&mut watch, fill(LIVE, 1, Side::Sell, 3, 10_000));
        assert!(closed[0].text.contains("PnL +10.00"), "{}", closed[0].text);
    }

    #[test]
    fn slippage_is_what_is_worse_than_the_order_was_reckoned_at() {
        let slipped = |side, pricing, cents| {
            let mut watch = watch();
            take(&mut watch, order(1, side, pricing));
            kinds(&take(&mut watch, fill(LIVE, 1, side, 2, cents))).contains(&AlertKind::Slippage)
        };
        assert!(slipped(Side::Buy, Pricing::Market, 10_101));
        assert!(!slipped(Side::Buy, Pricing::Market, 10_100), "1 % is not more than 1 %");
        assert!(!slipped(Side::Buy, Pricing::Market, 9_000), "cheaper is no harm");
        assert!(slipped(Side::Sell, Pricing::Market, 9_899));
        let limit = Pricing::Limit(Price(Decimal::from(105)));
        assert!(!slipped(Side::Buy, limit, 10_500), "a limit is what was expected");
    }

    #[test]
    fn an_order_that_fails_is_told_with_its_reason_and_one_taken_back_is_not() {
        let end = |state| {
            let mut watch = watch();
            take(&mut watch, order(4, Side::Buy, Pricing::Market));
            let change = OrderChange {
                order: OrderId(4),
                strategy: LIVE,
                time: Timestamp::from_seconds(5),
                state,
                filled: Quantity::ZERO,
                reason: "the pool was empty".to_owned(),
            };
            let alerts = take(&mut watch, Output::OrderChanged(change));
            assert_eq!(watch.expected.len(), 0);
            alerts
        };
        let rejected = end(OrderState::Rejected);
        assert_eq!(kinds(&rejected), [AlertKind::ExecutionFailed]);
        assert!(rejected[0].text.contains("the pool was empty") && rejected[0].text.contains("A-USD"));
        assert_eq!(kinds(&end(OrderState::Expired)), [AlertKind::ExecutionFailed]);
        assert_eq!(end(OrderState::Cancelled), []);
        assert_eq!(end(OrderState::Filled), []);
    }

    #[test]
    fn losses_in_a_row_are_told_at_each_multiple_and_a_gain_begins_anew() {
        let mut watch = watch();
        let pnls = [-1, -1, -1, -1, -1, -1, 2, -1, -1, 0, -1, -1, -1];
        let told: Vec<_> = pnls.iter().map(|pnl| take(&mut watch, trade(*pnl, 9)).len()).collect();
        assert_eq!(told, [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn a_loss_near_its_limit_is_told_once_a_day() {
        let mut watch = watch();
        assert_eq!(watch.standing(&standing(9_601, DAY)), []);
        let near = watch.standing(&standing(9_600, DAY + 1));
        assert_eq!(kinds(&near), [AlertKind::NearLimit]);
        assert!(near[0].text.contains("400.00 of at most 500.00"), "{}", near[0].text);
        assert_eq!(watch.standing(&standing(9_500, DAY + 2)), []);
        assert_eq!(watch.standing(&standing(8_400, DAY + 3)).len(), 1, "the drawdown is another limit");
        assert_eq!(watch.standing(&standing(8_400, 2 * DAY)).len(), 2);
    }

    #[test]
    fn a_day_is_summed_up_with_what_belongs_to_it() {
        let mut watch = watch();
        watch.begin(Beginning { fees: Money(Decimal::ONE), ..Beginning::default() });
        take(&mut watch, trade(1, DAY - 1));
        take(&mut watch, trade(-1, DAY - 2));
        // What is durable may be ahead of the day's end.
        take(&mut watch, trade(1, DAY));
        let end = Standing { day_ended: true, ..standing(10_020, DAY - 1) };
        let summary = watch.standing(&end);
        assert_eq!(summary[0].text, "Equity 10020.00, PnL +20.00, 2 trades, fees 2.00, 1 open positions.");
        assert_eq!(summary[0].title, "1970-01-01: PnL +20.00");
        let next = Standing { day_ended: true, ..standing(10_000, 2 * DAY - 1) };
        assert!(watch.standing(&next)[0].text.contains("1 trades, fees 0.00"));
    }
}
