//! What a channel has yet to deliver: bounded, the gravest first, and what is grave stays when there is no room.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::alert::{Alert, AlertKind, Severity};

/// Alerts that wait for one channel, at most.
const LENGTH: usize = 200;

/// Nothing is waited for longer, whatever is asked for: a moment beyond all clocks can't be reckoned with.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3_600);

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
    /// How often it was tried in vain.
    pub(crate) failures: u32,
    /// Not to be tried before.
    pub(crate) rests_until: Option<Instant>,
}

impl Parcel {
    pub(crate) fn new(alert: Alert, number: Option<u64>) -> Self {
        // Two of them without randomness are told apart by their receiver's clock alone, and still delivered.
        let bits = [getrandom::u64().unwrap_or_default(), getrandom::u64().unwrap_or_default()];
        let delivery = format!("{:016x}{:016x}", bits[0], bits[1]);
        Self {
            alert,
            number,
            delivery,
            arrived: Vec::new(),
            since: Instant::now(),
            failures: 0,
            rests_until: None,
        }
    }

    fn rests(&self, now: Instant) -> bool {
        self.rests_until.is_some_and(|until| until > now)
    }

    fn severity(&self) -> Severity {
        self.alert.kind.severity()
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
    /// The oldest first.
    waiting: VecDeque<Parcel>,
    /// Alerts that there was no room for and that nobody was told of yet.
    left_out: u64,
    /// Until when deliveries may go on once nothing more comes.
    until: Option<Instant>,
}

impl State {
    /// Takes out what is to be delivered now: the gravest, and of those the oldest.
    fn take(&mut self, now: Instant) -> Option<Parcel> {
        let ready = || self.waiting.iter().enumerate().filter(|(_, parcel)| !parcel.rests(now));
        let gravest = ready().map(|(_, parcel)| parcel.severity()).max();
        if self.left_out > 0
            && self.waiting.len() < LENGTH / 2
            && gravest <= Some(AlertKind::AlertsLost.severity())
        {
            let count = std::mem::take(&mut self.left_out);
            return Some(Parcel::new(left_out(count), None));
        }
        let place = ready().find(|(_, parcel)| Some(parcel.severity()) == gravest).map(|(place, _)| place)?;
        self.waiting.remove(place)
    }

    /// When the first of those that rest may be tried again.
    fn rested(&self) -> Option<Instant> {
        self.waiting.iter().filter_map(|parcel| parcel.rests_until).min()
    }
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
            let least = state.waiting.iter().map(Parcel::severity).min();
            let place = state.waiting.iter().position(|parcel| Some(parcel.severity()) == least);
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

    /// Gives back one that is to be tried again. There is always room for it.
    pub(crate) fn put_back(&self, parcel: Parcel) {
        let mut state = self.lock();
        let place = state.waiting.partition_point(|other| other.since <= parcel.since);
        state.waiting.insert(place, parcel);
    }

    /// Waits for the next one. `None` when nothing more comes, or when the time for it is over.
    pub(crate) fn next(&self) -> Option<Parcel> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if state.until.is_some_and(|until| until <= now) {
                return None;
            }
            if let Some(parcel) = state.take(now) {
                return Some(parcel);
            }
            // At the end it is not waited for what rests beyond it.
            let rested = state.rested();
            let is_in_time = |until| rested.is_some_and(|rested| rested < until);
            if state.until.is_some_and(|until| !is_in_time(until)) {
                return None;
            }
            state = match rested {
                Some(rested) => {
                    let wait = rested.saturating_duration_since(now);
                    self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Waits so long, less when the end comes. Whether there is time left after it.
    pub(crate) fn pause(&self, duration: Duration) -> bool {
        let over = Instant::now() + duration.min(LONGEST_PAUSE);
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
    fn the_gravest_is_delivered_first_and_of_those_the_oldest() {
        use AlertKind::{AlertsLost, PositionOpened, Slippage, TaskFailing, TradingHalted};
        let outbox = Outbox::default();
        for kind in [PositionOpened, Slippage, TradingHalted, TaskFailing] {
            outbox.push(alert(kind), None);
        }
        outbox.lock().left_out = 1;
        outbox.close(Instant::now() + Duration::from_secs(600));
        let told: Vec<_> = std::iter::from_fn(|| outbox.next()).map(|parcel| parcel.alert.kind).collect();
        assert_eq!(told, [TradingHalted, TaskFailing, AlertsLost, Slippage, PositionOpened]);
    }

    #[test]
    fn what_rests_lets_others_go_first_and_is_given_again_later() {
        let outbox = Outbox::default();
        outbox.push(alert(AlertKind::TradingHalted), None);
        outbox.push(alert(AlertKind::PositionOpened), None);
        let mut halted = outbox.next().unwrap();
        halted.rests_until = Some(Instant::now() + Duration::from_millis(50));
        outbox.put_back(halted);
        assert_eq!(outbox.next().unwrap().alert.kind, AlertKind::PositionOpened);
        let again = outbox.next().unwrap();
        assert_eq!(again.alert.kind, AlertKind::TradingHalted);
        assert!(!again.rests(Instant::now()));
        // At the end only what is ready in time.
        outbox.put_back(Parcel { rests_until: Some(Instant::now() + Duration::from_secs(900)), ..again });
        outbox.close(Instant::now() + Duration::from_secs(600));
        assert!(outbox.next().is_none());
        assert_eq!(outbox.len(), 1);
    }

    #[test]
    fn the_end_cuts_a_pause_short() {
        let outbox = Outbox::default();
        outbox.close(Instant::now());
        assert!(!outbox.pause(Duration::from_secs(3_600)));
        assert!(outbox.next().is_none());
    }
}
