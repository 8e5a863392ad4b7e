//! What a channel has yet to deliver: bounded, and what is grave stays when there is no room.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::alert::{Alert, AlertKind};

/// Alerts that wait for one channel, at most.
const LENGTH: usize = 200;

/// An alert on its way through one channel.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    pub(crate) alert: Alert,
    /// Its number in the history, if it is there.
    pub(crate) number: Option<u64>,
    /// The same each time it is tried.
    pub(crate) delivery: String,
    /// Where it arrived already, for a channel with several places.
    pub(crate) arrived: Vec<i64>,
    /// When it came here.
    pub(crate) since: Instant,
}

impl Parcel {
    pub(crate) fn new(alert: Alert, number: Option<u64>) -> Self {
        // Two of them without randomness are told apart by their receiver's clock alone, and still delivered.
        let bits = [getrandom::u64().unwrap_or_default(), getrandom::u64().unwrap_or_default()];
        let delivery = format!("{:016x}{:016x}", bits[0], bits[1]);
        Self { alert, number, delivery, arrived: Vec::new(), since: Instant::now() }
    }
}

/// What came of adding an alert.
#[derive(Debug)]
pub(crate) enum Added {
    /// It waits.
    Waits,
    /// It waits in the place of one that is less grave, which was left out.
    InPlaceOf(Box<Parcel>),
    /// It was left out.
    LeftOut,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Parcel>,
    /// Alerts that there was no room for and that nobody was told of yet.
    left_out: u64,
    /// Until when deliveries may go on once nothing more comes.
    until: Option<Instant>,
}

/// A channel's alerts, between who makes them and who delivers them.
#[derive(Default)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    changed: Condvar,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one. It, or one that is less grave, is left out for want of room.
    pub(crate) fn push(&self, alert: Alert, number: Option<u64>) -> Added {
        let mut state = self.lock();
        let mut added = Added::Waits;
        if state.waiting.len() >= LENGTH {
            state.left_out += 1;
            let gravity = |parcel: &Parcel| parcel.alert.kind.severity();
            let least = state.waiting.iter().map(gravity).min();
            let place = state.waiting.iter().position(|parcel| Some(gravity(parcel)) == least);
            match place {
                Some(place) if least < Some(alert.kind.severity()) => {
                    let left_out = state.waiting.remove(place);
                    added = left_out.map_or(Added::Waits, |parcel| Added::InPlaceOf(Box::new(parcel)));
                }
                _ => return Added::LeftOut,
            }
        }
        state.waiting.push_back(Parcel::new(alert, number));
        drop(state);
        self.changed.notify_all();
        added
    }

    /// Waits for the next one. `None` when nothing more comes, or when the time for it is over.
    pub(crate) fn next(&self) -> Option<Parcel> {
        let mut state = self.lock();
        loop {
            if state.until.is_some_and(|until| until <= Instant::now()) {
                return None;
            }
            if state.left_out > 0 && state.waiting.len() < LENGTH / 2 {
                let count = std::mem::take(&mut state.left_out);
                return Some(Parcel::new(left_out(count), None));
            }
            if let Some(parcel) = state.waiting.pop_front() {
                return Some(parcel);
            }
            if state.until.is_some() {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits so long, less when the end comes. Whether there is time left after it.
    pub(crate) fn pause(&self, duration: Duration) -> bool {
        let over = Instant::now() + duration;
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if let Some(until) = state.until {
                // No time for another try after a pause that ends later.
                return over < until && {
                    drop(state);
                    std::thread::sleep(over.saturating_duration_since(now));
                    true
                };
            }
            let left = over.saturating_duration_since(now);
            if left.is_zero() {
                return true;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Nothing more comes, and what waits may be delivered until then.
    pub(crate) fn close(&self, until: Instant) {
        self.lock().until = Some(until);
        self.changed.notify_all();
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().waiting.len()
    }
}

fn left_out(count: u64) -> Alert {
    let text = format!(
        "{count} alerts came faster than this channel takes them and were left out. The host's log and the journal \
         have what happened."
    );
    Alert::new(AlertKind::AlertsLost, "outbox", "alerts were left out", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(kind: AlertKind) -> Alert {
        Alert::new(kind, "", "", "")
    }

    #[test]
    fn when_there_is_no_room_what_is_grave_stays_and_the_rest_is_counted() {
        let outbox = Outbox::default();
        for _ in 0..LENGTH {
            assert!(matches!(outbox.push(alert(AlertKind::PositionOpened), None), Added::Waits));
        }
        let closed = outbox.push(alert(AlertKind::PositionClosed), None);
        assert!(matches!(closed, Added::LeftOut), "no graver than what waits");
        let Added::InPlaceOf(left_out) = outbox.push(alert(AlertKind::TradingHalted), None) else {
            panic!("a grave one has room")
        };
        assert_eq!(left_out.alert.kind, AlertKind::PositionOpened);
        assert_eq!(outbox.len(), LENGTH);
        outbox.close(Instant::now() + Duration::from_secs(600));
        let told: Vec<Alert> = std::iter::from_fn(|| outbox.next()).map(|parcel| parcel.alert).collect();
        let count = |kind| told.iter().filter(|alert| alert.kind == kind).count();
        assert_eq!(count(AlertKind::PositionOpened), LENGTH - 1);
        assert_eq!(count(AlertKind::TradingHalted), 1);
        let lost: Vec<_> = told.iter().filter(|alert| alert.kind == AlertKind::AlertsLost).collect();
        assert!(lost[0].text.starts_with("2 alerts"), "{lost:?}");
    }

    #[test]
    fn the_end_cuts_a_pause_short() {
        let outbox = Outbox::default();
        outbox.close(Instant::now());
        assert!(!outbox.pause(Duration::from_secs(3_600)));
        assert!(outbox.next().is_none());
    }
}
