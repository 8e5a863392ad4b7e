//! The hub: from the threads that trade to all who subscribe.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use bulkhead_core::engine::{Engine, Slot};
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::Deployment;
use bulkhead_core::market::Bar;
use bulkhead_store::journal::NumberedOutput;

use super::event::LiveNames;
use super::stream::{Published, Room, Stream};
use super::view::{LiveView, StrategyDetail};
use crate::priority::give_way;

/// What accounts may hand over before the hub has come to it; beyond that it is left out, which subscribers notice.
const UNREAD: usize = 4_096;

/// Bytes of messages that are kept, whatever their number, over all accounts together.
const KEPT_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of an account's messages that are kept at least.
const LEAST_KEPT_BYTES: usize = 256 * 1024;

/// Bytes of an account's messages that are kept at most.
const MOST_KEPT_BYTES: usize = 16 * 1024 * 1024;

/// How far subscribers may lag behind, over all accounts together: who does not take anything is dropped by the clock.
const LAG: usize = 65_536;

/// How far a subscriber may lag behind at least.
const LEAST_LAG: usize = 1_024;

/// How far a subscriber may lag behind at most.
const MOST_LAG: usize = 8_192;

/// Bars that are kept of an instrument, over all accounts together.
const BARS: usize = 40_000;

/// Fewest bars that are kept of an instrument.
const FEWEST_BARS: usize = 1_000;

/// Most bars that are kept of an instrument.
const MOST_BARS: usize = 10_000;

/// How often an account is viewed while somebody watches.
const VIEW_WATCHED: Duration = Duration::from_millis(250);

/// How often it is viewed while nobody does.
const VIEW_UNWATCHED: Duration = Duration::from_secs(1);

/// All accounts' live updates. Its copies are the same hub.
#[derive(Clone, Default)]
pub struct Hub(Arc<BTreeMap<String, Arc<Stream>>>);

/// The way of one account into the hub. It never waits.
pub struct Publisher {
    stream: Arc<Stream>,
    sender: SyncSender<HandedOver>,
    names: LiveNames,
    /// What runs where with which parameters, when that was last handed over.
    deployed: Option<Vec<Deployment>>,
    /// Whether something could not be handed over since the last that could.
    lost: bool,
}

struct HandedOver {
    stream: Arc<Stream>,
    /// Whether something is missing before it.
    lost: bool,
    published: Published,
}

impl Hub {
    /// A hub for these accounts, and the way in for each. Its thread ends when all publishers are gone.
    ///
    /// # Errors
    ///
    /// When the thread can't be started, or the system gives no random bits.
    pub fn start(accounts: &[String]) -> io::Result<(Self, Vec<Publisher>)> {
        let (sender, published) = sync_channel(UNREAD);
        let count = accounts.len().max(1);
        let room = Room {
            bars: (BARS / count).clamp(FEWEST_BARS, MOST_BARS),
            lag: (LAG / count).clamp(LEAST_LAG, MOST_LAG),
            bytes: (KEPT_BYTES / count).clamp(LEAST_KEPT_BYTES, MOST_KEPT_BYTES),
        };
        let mut streams = BTreeMap::new();
        let mut publishers = Vec::new();
        for name in accounts {
            let id = getrandom::u64().map_err(io::Error::other)?;
            let stream = Arc::new(Stream::new(format!("{id:016x}"), room));
            streams.insert(name.clone(), Arc::clone(&stream));
            publishers.push(Publisher {
                stream,
                sender: sender.clone(),
                names: LiveNames::default(),
                deployed: None,
                lost: false,
            });
        }
        std::thread::Builder::new().name("live".to_owned()).spawn(move || {
            give_way();
            pump(&published);
        })?;
        Ok((Self(Arc::new(streams)), publishers))
    }

    pub(crate) fn stream(&self, account: &str) -> Option<&Arc<Stream>> {
        self.0.get(account)
    }

    pub(crate) fn streams(&self) -> impl Iterator<Item = (&str, &Arc<Stream>)> {
        self.0.iter().map(|(name, stream)| (name.as_str(), stream))
    }
}

impl Publisher {
    /// Hands over what became durable.
    pub fn outputs(&mut self, engine: &Engine, outputs: Vec<NumberedOutput>) {
        if !outputs.is_empty() && self.refresh_names(engine) {
            self.send(Published::Outputs(outputs));
        }
    }

    /// Hands over how the account stands, once that is durable.
    pub fn view(&mut self, engine: &Engine, view: LiveView) {
        if !self.refresh_names(engine) {
            return;
        }
        let deployed = || engine.slots().iter().map(Slot::deployment);
        if self.deployed.as_ref().is_none_or(|before| !deployed().eq(before)) {
            self.deployed = Some(deployed().cloned().collect());
            let detail = |slot| StrategyDetail::of(engine, slot);
            self.send(Published::Strategies(engine.slots().iter().map(detail).collect()));
        }
        self.send(Published::View(Box::new(view)));
    }

    /// Hands over bars that were completed.
    pub fn bars(&mut self, engine: &Engine, bars: Vec<Bar>) {
        if !bars.is_empty() && self.refresh_names(engine) {
            self.send(Published::Bars(bars));
        }
    }

    /// Hands over the bars that the engine knew when the run began.
    pub fn past(&mut self, engine: &Engine) {
        if !self.refresh_names(engine) {
            return;
        }
        for (id, _) in (0..).map(InstrumentId).zip(&engine.settings().instruments) {
            self.send(Published::Past(engine.recent_bars(id).copied().collect()));
        }
    }

    /// How long to wait between two views: less while somebody watches.
    #[must_use]
    pub fn view_every(&self) -> Duration {
        if self.stream.is_watched() { VIEW_WATCHED } else { VIEW_UNWATCHED }
    }

    /// Whether the hub has the names that are in use, or will have before what is handed over next.
    fn refresh_names(&mut self, engine: &Engine) -> bool {
        if self.names.are_current(engine) {
            return true;
        }
        self.names = LiveNames::read(engine);
        self.send(Published::Names(self.names.clone()))
    }

    /// Whether it could be handed over. If not, the next that can says that something is missing before it, and names
    /// and strategies are handed over anew.
    fn send(&mut self, published: Published) -> bool {
        let handed_over = HandedOver { stream: Arc::clone(&self.stream), lost: self.lost, published };
        self.lost = self.sender.try_send(handed_over).is_err();
        if self.lost {
            self.names = LiveNames::default();
            self.deployed = None;
        }
        !self.lost
    }
}

fn pump(published: &Receiver<HandedOver>) {
    while let Ok(HandedOver { stream, lost, published }) = published.recv() {
        stream.take(lost, published);
    }
}

#[cfg(test)]
mod tests {
    use bulkhead_core::identifier::StrategyId;
    use bulkhead_core::output::Output;
    use bulkhead_core::strategy::{LogLevel, LogLine};
    use bulkhead_store::journal::Sequence;
    use serde_json::Value;

    use super::*;
    use crate::live::Topics;

    fn log(input: u64) -> NumberedOutput {
        let line = LogLine { level: LogLevel::Info, message: format!("line {input}") };
        NumberedOutput {
            sequence: Sequence(input),
            output: Output::StrategyLog { strategy: StrategyId(0), line },
        }
    }

    #[test]
    fn a_full_hub_loses_updates_and_no_time_and_says_where() {
        let (_hub, mut publishers) = Hub::start(&["main".to_owned()]).unwrap();
        let mut publisher = publishers.remove(0);
        let stream = Arc::clone(&publisher.stream);
        let topics = Topics::read(None).unwrap();
        let mut receiver = stream.subscribe(topics, None, Duration::from_secs(15)).receiver;
        // The hub's thread waits for the lock, so that nothing is taken.
        let state = stream.lock();
        while publisher.send(Published::Past(Vec::new())) {}
        assert!(!publisher.send(Published::Outputs(vec![log(1)])), "it is full");
        drop(state);
        // One that is handed over later, before which something is missing.
        while !publisher.send(Published::Outputs(vec![log(2)])) {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(publisher);
        let event = serde_json::from_str::<Value>(receiver.blocking_recv().unwrap().text.as_str()).unwrap();
        assert_eq!((&event["input"], &event["sequence"]), (&2.into(), &2.into()));
        assert_eq!(event["previous"], 1, "which no message had");
    }
}
