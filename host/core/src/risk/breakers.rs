//! The account's breakers: what trips them, and what closes them.
//!
//! A limit of the gate looks at one order and forgets; a breaker remembers. Once it has tripped it refuses
//! all new exposure, also when the number that tripped it is well again, until its way back is gone. None
//! stands in the way of a sale.
//!
//! Only what the account itself does counts here, never what shadows do.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::breaker::{Breaker, BreakerKind, BreakerState};
use super::breaker_settings::BreakerSettings;
use super::{Refusal, RefusalCode, RiskLimits};
use crate::identifier::OrderId;
use crate::money::{Money, Overflow};
use crate::time::{Span, Timestamp};

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OrderEnd {
    /// All of it was executed, or some before it was taken back.
    Executed,
    /// It was rejected, or failed, or found no price in time.
    Failed,
}

/// A breaker changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerChange {
    /// Which.
    pub breaker: BreakerKind,
    /// When.
    pub time: Timestamp,
    /// Where it stands now.
    pub state: BreakerState,
    /// Why: the numbers that tripped it, or what closed it.
    pub reason: String,
}

/// The account's equity, and what its losses are reckoned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EquityFacts {
    /// Now.
    pub(crate) equity: Money,
    /// At the start of the UTC day.
    pub(crate) day_start: Money,
    /// The highest so far.
    pub(crate) peak: Money,
    /// When the next UTC day starts.
    pub(crate) next_day: Timestamp,
}

/// All breakers of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Breakers {
    error_rate: Breaker,
    losing_streak: Breaker,
    daily_loss: Breaker,
    drawdown: Breaker,
    stale_data: Breaker,
    /// Of the orders that ended last, whether each failed.
    failures: VecDeque<bool>,
    /// Positions closed without a profit since the last one with.
    losses_in_row: u32,
    /// What changed and has not been made known.
    changes: Vec<BreakerChange>,
}

impl Breakers {
    /// Where a breaker stands.
    #[must_use]
    pub const fn state(&self, kind: BreakerKind) -> &BreakerState {
        self.breaker(kind).state()
    }

    /// Whether none has tripped.
    #[must_use]
    pub fn are_closed(&self) -> bool {
        BreakerKind::ALL.into_iter().all(|kind| self.breaker(kind).is_closed())
    }

    const fn breaker(&self, kind: BreakerKind) -> &Breaker {
        match kind {
            BreakerKind::ErrorRate => &self.error_rate,
            BreakerKind::LosingStreak => &self.losing_streak,
            BreakerKind::DailyLoss => &self.daily_loss,
            BreakerKind::Drawdown => &self.drawdown,
            BreakerKind::StaleData => &self.stale_data,
        }
    }

    const fn breaker_mut(&mut self, kind: BreakerKind) -> &mut Breaker {
        match kind {
            BreakerKind::ErrorRate => &mut self.error_rate,
            BreakerKind::LosingStreak => &mut self.losing_streak,
            BreakerKind::DailyLoss => &mut self.daily_loss,
            BreakerKind::Drawdown => &mut self.drawdown,
            BreakerKind::StaleData => &mut self.stale_data,
        }
    }

    /// What changed since this was last called.
    pub(crate) fn take_changes(&mut self) -> Vec<BreakerChange> {
        std::mem::take(&mut self.changes)
    }

    fn changed(&mut self, breaker: BreakerKind, time: Timestamp, reason: impl Into<String>) {
        let state = self.breaker(breaker).state().clone();
        self.changes.push(BreakerChange { breaker, time, state, reason: reason.into() });
    }

    /// What the gate asks before new exposure of the account.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] of the first breaker that is open, or half-open with all its probes under way or with
    /// an order larger than a probe may be.
    pub(crate) fn admit(
        &self,
        now: Timestamp,
        value: Money,
        equity: Money,
        settings: &BreakerSettings,
    ) -> Result<(), Refusal> {
        for kind in BreakerKind::ALL {
            let refuse = |facts: String| Err(Refusal::new(RefusalCode::of_breaker(kind), facts));
            match self.state(kind) {
                BreakerState::Closed => {}
                BreakerState::Open { until: Some(until), facts, .. } => {
                    return refuse(format!("{facts} left={}", until.since(now)));
                }
                BreakerState::Open { until: None, facts, .. } => {
                    return refuse(format!("{facts} until=resumed"));
                }
                BreakerState::HalfOpen { probes, facts, .. } => {
                    let most = settings.probing.orders;
                    if u32::try_from(probes.len()).unwrap_or(u32::MAX) >= most {
                        return refuse(format!("{facts} probes={} limit={most}", probes.len()));
                    }
                    let largest =
                        equity.scaled(settings.probing.largest).map_err(super::gate::out_of_range)?;
                    if value > largest {
                        return refuse(format!("{facts} probe={value} limit={largest}"));
                    }
                }
            }
        }
        Ok(())
    }

    /// The largest value of an order while any breaker is half-open.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when it leaves the range of the books.
    pub(crate) fn probe_value(
        &self,
        equity: Money,
        settings: &BreakerSettings,
    ) -> Result<Option<Money>, Overflow> {
        if BreakerKind::ALL.into_iter().any(|kind| self.breaker(kind).is_half_open()) {
            equity.scaled(settings.probing.largest).map(Some)
        } else {
            Ok(None)
        }
    }

    /// An order that opens exposure was accepted: those that are half-open count it as a probe.
    pub(crate) fn entry_accepted(&mut self, order: OrderId) {
        for kind in BreakerKind::ALL {
            self.breaker_mut(kind).probed_by(order);
        }
    }

    /// An order of the account ended and nothing of it was executed: another may probe in its place.
    pub(crate) fn nothing_executed(&mut self, order: OrderId) {
        for kind in BreakerKind::ALL {
            self.breaker_mut(kind).forget_probe(order);
        }
    }

    /// An order of the account was executed, or failed.
    pub(crate) fn order_ended(
        &mut self,
        now: Timestamp,
        order: OrderId,
        end: OrderEnd,
        settings: &BreakerSettings,
    ) {
        if end == OrderEnd::Executed && self.stale_data.is_half_open() {
            self.close(BreakerKind::StaleData, now, format!("{order} was executed"));
        }
        let Some(error_rate) = settings.error_rate else { return };
        let failed = end == OrderEnd::Failed;
        if self.error_rate.is_half_open() {
            if failed {
                let facts = format!("failed={order}");
                self.trip(BreakerKind::ErrorRate, now, error_rate.pause, facts, settings);
            } else {
                self.close(BreakerKind::ErrorRate, now, format!("{order} was executed"));
            }
            return;
        }
        if !self.error_rate.is_closed() {
            return;
        }
        self.failures.push_back(failed);
        let among = usize::try_from(error_rate.among).unwrap_or(usize::MAX);
        while self.failures.len() > among {
            self.failures.pop_front();
        }
        let failures = self.failures.iter().filter(|failed| **failed).count();
        if failed && failures >= usize::try_from(error_rate.failures).unwrap_or(usize::MAX) {
            let facts =
                format!("failures={failures} among={} limit={}", self.failures.len(), error_rate.failures);
            self.trip(BreakerKind::ErrorRate, now, error_rate.pause, facts, settings);
        }
    }

    /// A position of the account was closed whole, with this result over all its parts.
    pub(crate) fn position_closed(&mut self, now: Timestamp, result: Money, settings: &BreakerSettings) {
        let Some(streak) = settings.losing_streak else { return };
        let lost = !result.is_positive();
        if self.losing_streak.is_half_open() {
            if lost {
                self.trip(BreakerKind::LosingStreak, now, streak.pause, format!("lost={result}"), settings);
            } else {
                self.close(BreakerKind::LosingStreak, now, format!("a position earned {result}"));
            }
            return;
        }
        if !self.losing_streak.is_closed() {
            return;
        }
        self.losses_in_row = if lost { self.losses_in_row.saturating_add(1) } else { 0 };
        if self.losses_in_row >= streak.losses {
            let facts = format!("losses={} limit={}", self.losses_in_row, streak.losses);
            self.trip(BreakerKind::LosingStreak, now, streak.pause, facts, settings);
        }
    }

    /// The account's equity may have changed.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when a loss leaves the range of the books.
    pub(crate) fn equity_moved(
        &mut self,
        now: Timestamp,
        facts: &EquityFacts,
        limits: &RiskLimits,
    ) -> Result<(), Overflow> {
        let settings = &limits.breakers;
        if let (Some(times), Some(limit)) = (settings.daily_loss, limits.daily_loss)
            && self.daily_loss.is_closed()
        {
            let loss = facts.day_start.minus(facts.equity)?;
            let most = facts.day_start.scaled(limit)?.scaled(times)?;
            if loss >= most && loss.is_positive() {
                let said = format!("loss={loss} limit={most}");
                self.daily_loss.trip_until(now, Some(facts.next_day), said.clone());
                self.changed(BreakerKind::DailyLoss, now, said);
            }
        }
        if let Some(fraction) = settings.drawdown
            && self.drawdown.is_closed()
        {
            let fall = facts.peak.minus(facts.equity)?;
            let most = facts.peak.scaled(fraction)?;
            if fall >= most && fall.is_positive() {
                let said = format!("fall={fall} limit={most} peak={}", facts.peak);
                self.drawdown.trip_until(now, None, said.clone());
                self.changed(BreakerKind::Drawdown, now, said);
            }
        }
        Ok(())
    }

    /// What was known of the prices at the end of a moment: the numbers of one that is stale, if any is.
    pub(crate) fn prices_judged(
        &mut self,
        now: Timestamp,
        stale: Option<String>,
        settings: &BreakerSettings,
    ) {
        let Some(stale_data) = settings.stale_data else { return };
        match (stale, self.stale_data.state()) {
            (Some(facts), BreakerState::Closed | BreakerState::HalfOpen { .. }) => {
                self.trip(BreakerKind::StaleData, now, stale_data.pause, facts, settings);
            }
            (None, BreakerState::Open { .. }) if self.stale_data.is_due(now) => {
                self.half_open(BreakerKind::StaleData, now);
            }
            (None, BreakerState::HalfOpen { since, .. }) if now >= since.plus(stale_data.pause) => {
                self.close(BreakerKind::StaleData, now, "every price stayed fresh");
            }
            _ => {}
        }
    }

    /// Moves those on whose pause is over.
    pub(crate) fn pass_time(&mut self, now: Timestamp) {
        for kind in [BreakerKind::ErrorRate, BreakerKind::LosingStreak] {
            if self.breaker(kind).is_due(now) {
                self.half_open(kind, now);
            }
        }
        if self.daily_loss.is_due(now) {
            self.close(BreakerKind::DailyLoss, now, "a new day began");
        }
    }

    /// Closes all of them and counts anew, as a person has looked.
    pub(crate) fn resume(&mut self, now: Timestamp) {
        for kind in BreakerKind::ALL {
            self.close(kind, now, "trading was resumed");
        }
        self.failures.clear();
        self.losses_in_row = 0;
    }

    /// Closes those that are switched off.
    pub(crate) fn settings_changed(&mut self, now: Timestamp, limits: &RiskLimits) {
        let settings = &limits.breakers;
        for (kind, on) in [
            (BreakerKind::ErrorRate, settings.error_rate.is_some()),
            (BreakerKind::LosingStreak, settings.losing_streak.is_some()),
            (BreakerKind::DailyLoss, settings.daily_loss.is_some() && limits.daily_loss.is_some()),
            (BreakerKind::Drawdown, settings.drawdown.is_some()),
            (BreakerKind::StaleData, settings.stale_data.is_some()),
        ] {
            if !on {
                self.close(kind, now, "it was switched off");
            }
        }
    }

    fn trip(
        &mut self,
        kind: BreakerKind,
        now: Timestamp,
        pause: Span,
        facts: String,
        settings: &BreakerSettings,
    ) {
        let longest = settings.probing.longest_pause;
        if self.breaker_mut(kind).trip(now, pause, longest, facts.clone()) {
            self.count_anew(kind);
            self.changed(kind, now, facts);
        }
    }

    fn half_open(&mut self, kind: BreakerKind, now: Timestamp) {
        if self.breaker_mut(kind).half_open(now) {
            self.changed(kind, now, "its pause is over");
        }
    }

    fn close(&mut self, kind: BreakerKind, now: Timestamp, reason: impl Into<String>) {
        if self.breaker_mut(kind).close() {
            self.count_anew(kind);
            self.changed(kind, now, reason);
        }
    }

    fn count_anew(&mut self, kind: BreakerKind) {
        match kind {
            BreakerKind::ErrorRate => self.failures.clear(),
            BreakerKind::LosingStreak => self.losses_in_row = 0,
            BreakerKind::DailyLoss | BreakerKind::Drawdown | BreakerKind::StaleData => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn money(value: i64) -> Money {
        Money(Decimal::from(value))
    }

    fn settings() -> BreakerSettings {
        let mut settings = BreakerSettings::default();
        settings.error_rate.as_mut().unwrap().failures = 3;
        settings.error_rate.as_mut().unwrap().among = 5;
        settings.losing_streak.as_mut().unwrap().losses = 2;
        settings
    }

    fn end(breakers: &mut Breakers, seconds: i64, order: u64, end: OrderEnd) {
        breakers.order_ended(at(seconds), OrderId(order), end, &settings());
    }

    fn states(breakers: &mut Breakers) -> Vec<&'static str> {
        breakers.take_changes().iter().map(|change| change.state.name()).collect()
    }

    fn admit(breakers: &Breakers, seconds: i64, value: i64) -> Result<(), String> {
        let admitted = breakers.admit(at(seconds), money(value), money(10_000), &settings());
        admitted.map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn failures_trip_only_when_they_are_dense_enough() {
        let mut sparse = Breakers::default();
        for order in 0..30 {
            let failed = order % 2 == 0 && order % 6 != 0;
            end(&mut sparse, 0, order, if failed { OrderEnd::Failed } else { OrderEnd::Executed });
        }
        assert!(sparse.are_closed(), "2 of 6 failed");

        let mut dense = Breakers::default();
        end(&mut dense, 0, 1, OrderEnd::Failed);
        end(&mut dense, 0, 3, OrderEnd::Failed);
        end(&mut dense, 0, 4, OrderEnd::Executed);
        assert!(dense.are_closed());
        end(&mut dense, 0, 5, OrderEnd::Failed);
        let refused = admit(&dense, 60, 10).unwrap_err();
        assert_eq!(refused, "BREAKER_ERROR_RATE: failures=3 among=4 limit=3 left=4m");
    }

    #[test]
    fn half_open_lets_a_small_probe_through_and_what_becomes_of_it_decides() {
        let mut breakers = Breakers::default();
        (0..3).for_each(|order| end(&mut breakers, 0, order, OrderEnd::Failed));
        breakers.pass_time(at(300));
        assert!(admit(&breakers, 300, 101).unwrap_err().contains("probe=101 limit=100.00"));
        assert_eq!(breakers.probe_value(money(10_000), &settings()), Ok(Some(Money(Decimal::from(100)))));
        admit(&breakers, 300, 100).unwrap();
        breakers.entry_accepted(OrderId(7));
        assert!(admit(&breakers, 300, 10).unwrap_err().contains("probes=1 limit=1"));
        // One that is taken back makes room for another.
        breakers.nothing_executed(OrderId(7));
        admit(&breakers, 301, 10).unwrap();
        breakers.entry_accepted(OrderId(8));
        end(&mut breakers, 302, 8, OrderEnd::Failed);
        assert!(matches!(
            breakers.state(BreakerKind::ErrorRate),
            BreakerState::Open { until: Some(until), .. } if *until == at(302 + 600)
        ));
        breakers.pass_time(at(902));
        breakers.entry_accepted(OrderId(9));
        end(&mut breakers, 903, 9, OrderEnd::Executed);
        assert!(breakers.are_closed());
        assert_eq!(states(&mut breakers), ["open", "half-open", "open", "half-open", "closed"]);
        admit(&breakers, 903, 5_000).unwrap();
    }

    #[test]
    fn losses_in_a_row_trip_and_a_win_between_them_starts_the_count_anew() {
        let mut breakers = Breakers::default();
        for result in [-1, 1, -1, 1, 0] {
            breakers.position_closed(at(0), money(result), &settings());
        }
        assert!(breakers.are_closed());
        breakers.position_closed(at(0), money(-1), &settings());
        assert!(admit(&breakers, 0, 1).unwrap_err().starts_with("BREAKER_LOSING_STREAK: losses=2 limit=2"));
        // What is closed while it is open changes nothing.
        breakers.position_closed(at(1), money(5), &settings());
        assert!(!breakers.are_closed());
        breakers.pass_time(at(3_600));
        breakers.position_closed(at(3_601), money(-1), &settings());
        assert!(admit(&breakers, 3_601, 1).unwrap_err().contains("lost=-1 left=2h"));
        breakers.pass_time(at(3_601 + 7_200));
        breakers.position_closed(at(20_000), money(1), &settings());
        assert!(breakers.are_closed());
    }

    fn fallen(equity: i64) -> EquityFacts {
        EquityFacts {
            equity: money(equity),
            day_start: money(10_000),
            peak: money(12_000),
            next_day: at(86_400),
        }
    }

    #[test]
    fn the_daily_loss_breaker_opens_past_twice_the_limit_and_closes_with_the_day() {
        let settings = BreakerSettings { drawdown: None, ..settings() };
        let limits = RiskLimits { breakers: settings, ..RiskLimits::default() };
        let mut breakers = Breakers::default();
        breakers.equity_moved(at(0), &fallen(9_001), &limits).unwrap();
        assert!(breakers.are_closed());
        breakers.equity_moved(at(0), &fallen(9_000), &limits).unwrap();
        // That it recovers is no way back.
        breakers.equity_moved(at(1), &fallen(10_000), &limits).unwrap();
        breakers.pass_time(at(86_399));
        assert!(admit(&breakers, 86_399, 1).unwrap_err().starts_with("BREAKER_DAILY_LOSS: loss=1000"));
        breakers.pass_time(at(86_400));
        assert!(breakers.are_closed());

        let unlimited = RiskLimits { daily_loss: None, ..limits };
        breakers.equity_moved(at(0), &fallen(9_001), &unlimited).unwrap();
        assert!(breakers.are_closed(), "without the limit there is nothing to take a multiple of");
    }

    #[test]
    fn the_drawdown_breaker_closes_by_a_resume_alone() {
        let limits = RiskLimits { breakers: settings(), daily_loss: None, ..RiskLimits::default() };
        let mut breakers = Breakers::default();
        breakers.equity_moved(at(0), &fallen(9_000), &limits).unwrap();
        breakers.pass_time(at(i64::MAX));
        assert!(admit(&breakers, 0, 1).unwrap_err().ends_with("until=resumed"));
        breakers.resume(at(5));
        assert!(breakers.are_closed());
        assert_eq!(states(&mut breakers), ["open", "closed"]);
    }

    #[test]
    fn stale_data_stays_open_while_it_is_stale_and_closes_when_it_stays_fresh() {
        let mut breakers = Breakers::default();
        let mut judge = |seconds, stale: bool| {
            breakers.prices_judged(at(seconds), stale.then(|| "symbol=X".to_owned()), &settings());
            breakers.state(BreakerKind::StaleData).name()
        };
        assert_eq!(judge(0, true), "open");
        assert_eq!(judge(300, true), "open");
        assert_eq!(judge(301, false), "half-open");
        assert_eq!(judge(302, true), "open");
        assert_eq!(judge(421, false), "open", "the second pause is twice as long");
        assert_eq!(judge(422, false), "half-open");
        assert_eq!(judge(481, false), "half-open");
        assert_eq!(judge(482, false), "closed");
    }

    #[test]
    fn what_is_off_never_trips_and_what_is_switched_off_closes() {
        let limits = RiskLimits::none();
        let mut breakers = Breakers::default();
        for order in 0..100 {
            breakers.order_ended(at(0), OrderId(order), OrderEnd::Failed, &limits.breakers);
            breakers.position_closed(at(0), money(-1), &limits.breakers);
        }
        breakers.equity_moved(at(0), &fallen(1), &limits).unwrap();
        breakers.prices_judged(at(0), Some(String::new()), &limits.breakers);
        assert_eq!(breakers, Breakers::default());

        (0..3).for_each(|order| end(&mut breakers, 0, order, OrderEnd::Failed));
        assert!(!breakers.are_closed());
        breakers.settings_changed(at(1), &limits);
        assert!(breakers.are_closed());
    }

    #[test]
    fn several_breakers_refuse_each_for_itself() {
        let limits = RiskLimits { breakers: settings(), ..RiskLimits::default() };
        let mut breakers = Breakers::default();
        (0..3).for_each(|order| end(&mut breakers, 0, order, OrderEnd::Failed));
        breakers.equity_moved(at(0), &fallen(9_000), &limits).unwrap();
        breakers.pass_time(at(300));
        let refused = admit(&breakers, 300, 10).unwrap_err();
        assert!(refused.starts_with("BREAKER_DAILY_LOSS"), "the error rate is half-open: {refused}");
    }
}
