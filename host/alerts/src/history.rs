//! What was worth an alert lately, and what became of it at each channel. It is kept whether or not there is anybody to
//! tell, within bounds, until the host ends.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bulkhead_core::time::Timestamp;
use bulkhead_store::clock::now;

use crate::alert::Alert;

/// Alerts that are kept of an account, beside repetitions.
const MOST_TOLD: usize = 500;

/// Repetitions that are kept of an account. They have a bound of their own, so that a flood of one thing does not hide
/// everything else.
const MOST_REPETITIONS: usize = 100;

/// Bytes of all accounts' alerts together.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of an account's alerts, whatever the number of accounts.
const FEWEST_BYTES: usize = 16 * 1024;

/// How much is kept of why something was not delivered, in bytes.
const WHY_BYTES: usize = 300;

/// What became of an alert at a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is to be delivered, perhaps after it failed before.
    Waiting,
    /// It arrived.
    Sent,
    /// It was given up.
    Failed,
    /// There was no room for it.
    LeftOut,
    /// The same was told shortly before; the channel is told how many there were.
    HeldBack,
}

impl DeliveryState {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::LeftOut => "left-out",
            Self::HeldBack => "held-back",
        }
    }
}

/// An alert's way to a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The channel.
    pub channel: Arc<str>,
    /// How far it came.
    pub state: DeliveryState,
    /// Why it did not arrive, so far or for good.
    pub why: Option<String>,
}

/// An alert and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Rising over all accounts, since the host started.
    pub number: u64,
    /// When it was made, by the machine's clock.
    pub noticed: Timestamp,
    /// The alert.
    pub alert: Alert,
    /// Whether the same had been told shortly before, so that it was counted and not told.
    pub repetition: bool,
    /// The channels that it was for.
    pub deliveries: Vec<Delivery>,
}

impl Recorded {
    fn bytes(&self) -> usize {
        let alert = &self.alert;
        let optional = [&alert.account, &alert.strategy, &alert.instrument];
        let texts = [&alert.subject, &alert.title, &alert.text];
        let texts = texts.into_iter().chain(optional.into_iter().flatten()).map(String::len).sum::<usize>();
        // Room for a reason is counted from the start, so that what is kept never grows.
        size_of::<Self>() + texts + self.deliveries.len() * (size_of::<Delivery>() + WHY_BYTES)
    }
}

/// Alerts in the order of their numbers.
#[derive(Default)]
struct Ring {
    kept: VecDeque<Arc<Recorded>>,
    bytes: usize,
}

impl Ring {
    fn push(&mut self, recorded: Recorded, most: usize, most_bytes: usize) {
        self.bytes += recorded.bytes();
        self.kept.push_back(Arc::new(recorded));
        while self.kept.len() > most || (self.bytes > most_bytes && self.kept.len() > 1) {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
        }
    }

    /// The newest of them with a number below `before`, newest first.
    fn newest(&self, before: Option<u64>, most: usize) -> impl Iterator<Item = &Arc<Recorded>> {
        let end = before
            .map_or(self.kept.len(), |before| self.kept.partition_point(|recorded| recorded.number < before));
        self.kept.range(..end).rev().take(most)
    }
}

/// The alerts of an account, or of the host.
#[derive(Default)]
struct Kept {
    told: Ring,
    repetitions: Ring,
}

#[derive(Default)]
struct State {
    last: u64,
    /// By account; those of the whole host under `None`.
    accounts: BTreeMap<Option<String>, Kept>,
}

/// Counts every change, apart from the alerts: the threads that trade look at it, and wait for nobody who reads.
struct Revisions {
    accounts: BTreeMap<String, AtomicU64>,
    host: AtomicU64,
}

impl Revisions {
    fn of(&self, account: Option<&str>) -> &AtomicU64 {
        account.and_then(|account| self.accounts.get(account)).unwrap_or(&self.host)
    }

    fn count(&self, account: Option<&str>) {
        self.of(account).fetch_add(1, Ordering::Release);
    }
}

/// The alerts of a host. Its copies are the same.
#[derive(Clone)]
pub struct History {
    state: Arc<Mutex<State>>,
    revisions: Arc<Revisions>,
    bytes_each: usize,
}

impl History {
    /// For these accounts.
    pub(crate) fn new(accounts: &[String]) -> Self {
        let revisions = accounts.iter().map(|name| (name.clone(), AtomicU64::new(0))).collect();
        Self {
            state: Arc::default(),
            revisions: Arc::new(Revisions { accounts: revisions, host: AtomicU64::new(0) }),
            // The host's own have a share as well.
            bytes_each: (MOST_BYTES / (accounts.len() + 1)).max(FEWEST_BYTES),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an alert that is on its way to these channels, or is held back from them. Its number.
    pub(crate) fn record(&self, alert: &Alert, channels: Vec<Arc<str>>, repetition: bool) -> u64 {
        let state = if repetition { DeliveryState::HeldBack } else { DeliveryState::Waiting };
        let delivery = |channel| Delivery { channel, state, why: None };
        let deliveries = channels.into_iter().map(delivery).collect();
        let mut all = self.lock();
        all.last += 1;
        let number = all.last;
        let recorded = Recorded { number, noticed: now(), alert: alert.clone(), repetition, deliveries };
        let kept = all.accounts.entry(alert.account.clone()).or_default();
        match repetition {
            true => kept.repetitions.push(recorded, MOST_REPETITIONS, self.bytes_each / 4),
            false => kept.told.push(recorded, MOST_TOLD, self.bytes_each / 4 * 3),
        }
        drop(all);
        self.revisions.count(alert.account.as_deref());
        number
    }

    /// What became of an alert at a channel, unless it has been forgotten meanwhile.
    pub(crate) fn settle(
        &self,
        account: Option<&String>,
        number: u64,
        channel: &str,
        state: DeliveryState,
        why: Option<&str>,
    ) {
        let mut all = self.lock();
        let Some(kept) = all.accounts.get_mut(&account.cloned()) else { return };
        let Ok(place) = kept.told.kept.binary_search_by_key(&number, |recorded| recorded.number) else {
            return;
        };
        // Who reads it meanwhile keeps what it was.
        let recorded = kept.told.kept.get_mut(place).map(Arc::make_mut);
        let delivery = recorded.and_then(|recorded| {
            recorded.deliveries.iter_mut().find(|delivery| *delivery.channel == *channel)
        });
        if let Some(delivery) = delivery {
            delivery.state = state;
            delivery.why = why.map(|why| why[..why.floor_char_boundary(WHY_BYTES)].to_owned());
            drop(all);
            self.revisions.count(account.map(String::as_str));
        }
    }

    /// The newest alerts of an account with a number below `before`, newest first; with those of the whole host if
    /// that is wanted.
    #[must_use]
    pub fn newest(&self, account: &str, of_host: bool, before: Option<u64>, most: usize) -> Vec<Recorded> {
        let wanted = [Some(Some(account.to_owned())), of_host.then_some(None)];
        let all = self.lock();
        let wanted = wanted.into_iter().flatten().filter_map(|key| all.accounts.get(&key));
        let rings = wanted.flat_map(|kept| [&kept.told, &kept.repetitions]);
        let mut found: Vec<Arc<Recorded>> =
            rings.flat_map(|ring| ring.newest(before, most)).cloned().collect();
        // Whoever makes alerts is kept waiting for the pointers alone, not for the order and the copies.
        drop(all);
        found.sort_unstable_by_key(|recorded| std::cmp::Reverse(recorded.number));
        found.truncate(most);
        found.into_iter().map(Arc::unwrap_or_clone).collect()
    }

    /// A number that is another one whenever an alert of the account or of the host came, or something became of one.
    /// It waits for nobody.
    #[must_use]
    pub fn revision(&self, account: &str) -> u64 {
        let of = |account| self.revisions.of(account).load(Ordering::Acquire);
        of(Some(account)).wrapping_add(of(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::AlertKind;

    fn history(accounts: &[&str]) -> History {
        let names: Vec<String> = accounts.iter().map(|name| (*name).to_owned()).collect();
        History::new(&names)
    }

    fn alert(text: &str) -> Alert {
        Alert::new(AlertKind::Slippage, "order", "slipped", text)
    }

    fn numbers(history: &History, of_host: bool, before: Option<u64>, most: usize) -> Vec<u64> {
        history.newest("main", of_host, before, most).iter().map(|recorded| recorded.number).collect()
    }

    #[test]
    fn the_newest_come_first_and_pages_follow_each_other() {
        let history = history(&["main", "other"]);
        for account in [Some("main"), Some("other"), None, Some("main")] {
            let alert = alert("");
            let alert = account.map_or(alert.clone(), |name| alert.of_account(name));
            history.record(&alert, Vec::new(), false);
        }
        history.record(&alert("again").of_account("main"), Vec::new(), true);
        assert_eq!(numbers(&history, true, None, 10), [5, 4, 3, 1], "never another account's");
        assert_eq!(numbers(&history, false, None, 10), [5, 4, 1], "without the host's");
        assert_eq!(numbers(&history, true, None, 2), [5, 4]);
        assert_eq!(numbers(&history, true, Some(4), 2), [3, 1]);
        assert!(history.newest("main", true, None, 1)[0].repetition);
    }

    #[test]
    fn a_flood_of_repetitions_hides_nothing_and_no_text_is_too_long_to_be_kept_within_bounds() {
        let history = history(&["main"]);
        history.record(&alert("first").of_account("main"), Vec::new(), false);
        for _ in 0..10_000 {
            history.record(&alert("again").of_account("main"), Vec::new(), true);
        }
        let kept = numbers(&history, true, None, usize::MAX);
        assert_eq!((kept.len(), kept.last()), (1 + MOST_REPETITIONS, Some(&1)));
        let long = alert(&"x".repeat(MOST_BYTES / 8)).of_account("main");
        for _ in 0..100 {
            history.record(&long, vec!["desk".into()], false);
        }
        let bytes: usize = history
            .newest("main", true, None, usize::MAX)
            .iter()
            .map(|recorded| recorded.alert.text.len())
            .sum();
        assert!((MOST_BYTES / 8..=MOST_BYTES).contains(&bytes), "{bytes}");
    }

    #[test]
    fn what_became_of_it_is_known_and_changes_the_revision() {
        let history = history(&["main"]);
        let untold = history.revision("main");
        let alert = alert("").of_account("main");
        let number = history.record(&alert, vec!["desk".into(), "telegram".into()], false);
        let told = history.revision("main");
        history.settle(alert.account.as_ref(), number, "desk", DeliveryState::Failed, Some(&"é".repeat(999)));
        assert!(untold < told && told < history.revision("main"));
        let deliveries = &history.newest("main", true, None, 1)[0].deliveries;
        let states: Vec<_> = deliveries.iter().map(|delivery| delivery.state.name()).collect();
        assert_eq!(states, ["failed", "waiting"]);
        assert_eq!(deliveries[0].why.as_ref().unwrap().len(), WHY_BYTES);
        // Forgotten, or never there.
        history.settle(None, number, "desk", DeliveryState::Sent, None);
        history.settle(alert.account.as_ref(), 99, "desk", DeliveryState::Sent, None);
    }

    #[test]
    fn the_revision_is_read_while_somebody_holds_the_alerts() {
        let history = history(&["main", "other"]);
        history.record(&alert("").of_account("main"), Vec::new(), false);
        history.record(&alert(""), Vec::new(), false);
        let held = history.lock();
        let copy = history.clone();
        let read = std::thread::spawn(move || ["main", "other"].map(|name| copy.revision(name)));
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(read.join()));
        let revisions = receiver.recv_timeout(std::time::Duration::from_secs(60));
        drop(held);
        assert_eq!(revisions.expect("it waited").unwrap(), [2, 1]);
    }
}
