//! Joining what repeats itself: the first of a kind and subject is told at once, those that follow within a while are
//! counted and told together.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::alert::{Alert, AlertKind};

/// Different subjects that are remembered; beyond that everything is told.
const MOST_SUBJECTS: usize = 4_096;

type Key = (AlertKind, Option<String>, String);

struct Told {
    until: Instant,
    more: u64,
    /// The last of those that were not told.
    newest: Option<Alert>,
}

/// What was told lately.
pub(crate) struct Repetition {
    within: Duration,
    told: BTreeMap<Key, Told>,
}

impl Repetition {
    pub(crate) const fn new(within: Duration) -> Self {
        Self { within, told: BTreeMap::new() }
    }

    /// The alert, if it is to be told now.
    pub(crate) fn admit(&mut self, alert: Alert, now: Instant) -> Option<Alert> {
        let key = (alert.kind, alert.account.clone(), alert.subject.clone());
        if let Some(other) = alert.kind.takes_back() {
            // What was told of the state before does not hold any more.
            self.told.remove(&(other, key.1.clone(), key.2.clone()));
        }
        if let Some(told) = self.told.get_mut(&key)
            && now < told.until
        {
            told.more += 1;
            told.newest = Some(alert);
            return None;
        }
        let before = self.told.remove(&key);
        if self.told.len() < MOST_SUBJECTS {
            self.told.insert(key, Told { until: now + self.within, more: 0, newest: None });
        }
        // What was counted and not told yet is part of this one.
        let repeated = before.map_or(0, |told| told.more);
        Some(Alert { repeated, ..alert })
    }

    /// What was counted and is to be told now.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Alert> {
        let over: Vec<Key> =
            self.told.iter().filter(|(_, told)| told.until <= now).map(|(key, _)| key.clone()).collect();
        self.end(over, Some(now + self.within))
    }

    /// Everything that was counted, whether or not it is time.
    pub(crate) fn all(&mut self) -> Vec<Alert> {
        let all = self.told.keys().cloned().collect();
        self.end(all, None)
    }

    /// Ends these windows, and begins another for what was counted in them when there is a moment for it.
    fn end(&mut self, keys: Vec<Key>, next: Option<Instant>) -> Vec<Alert> {
        let mut alerts = Vec::new();
        for key in keys {
            let Some(Told { more, newest: Some(newest), .. }) = self.told.remove(&key) else { continue };
            if let Some(until) = next {
                self.told.insert(key, Told { until, more: 0, newest: None });
            }
            alerts.push(Alert { repeated: more.saturating_sub(1), ..newest });
        }
        alerts
    }

    /// When something is to be told next.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.told.values().map(|told| told.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_secs(300);

    fn alert(kind: AlertKind, subject: &str) -> Alert {
        Alert::new(kind, subject, "title", "text").of_account("main")
    }

    #[test]
    fn what_repeats_itself_is_told_once_and_then_counted() {
        let (start, kind) = (Instant::now(), AlertKind::ExecutionFailed);
        let mut repetition = Repetition::new(WITHIN);
        assert!(repetition.admit(alert(kind, "a"), start).is_some());
        for _ in 0..15 {
            assert_eq!(repetition.admit(alert(kind, "a"), start), None);
        }
        assert!(repetition.admit(alert(kind, "b"), start).is_some(), "another subject is news");
        assert!(repetition.admit(alert(kind, "a").of_account("other"), start).is_some());
        assert_eq!(repetition.due(start + WITHIN / 2), []);
        let due = repetition.due(start + WITHIN);
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].repeated, 14, "the newest, and 14 more");
        assert_eq!(repetition.admit(alert(kind, "a"), start + WITHIN), None, "the window goes on");
        assert_eq!(repetition.due(start + WITHIN * 2).len(), 1);
        assert_eq!(repetition.due(start + WITHIN * 3), []);
        assert_eq!(repetition.next(), None, "nothing is remembered for ever");
    }

    #[test]
    fn a_halt_after_a_resumption_is_news() {
        let now = Instant::now();
        let mut repetition = Repetition::new(WITHIN);
        for kind in [AlertKind::TradingHalted, AlertKind::TradingResumed, AlertKind::TradingHalted] {
            assert!(repetition.admit(alert(kind, "trading"), now).is_some());
        }
        assert_eq!(repetition.admit(alert(AlertKind::TradingHalted, "trading"), now), None);
    }

    #[test]
    fn what_was_counted_is_not_lost_at_the_end() {
        let now = Instant::now();
        let mut repetition = Repetition::new(WITHIN);
        for _ in 0..3 {
            repetition.admit(alert(AlertKind::Slippage, "a"), now);
        }
        assert_eq!(repetition.all()[0].repeated, 1);
        assert_eq!(repetition.all(), []);
    }
}
