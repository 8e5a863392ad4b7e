//! The hub: from the threads that trade to all who subscribe.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use bulkhead_core::engine::{Engine, Slot};
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::Deployment;
use bulkhead_core::market::Bar;
use bulkhead_store::journal::NumberedOutput;
use serde::Serialize;
use tokio::sync::broadcast;

use super::event::{LiveEvent, LiveNames, Topic};
use super::message::{LiveBar, LiveMessage, Topics};
use super::recent::Recent;
use super::view::{LiveView, StrategyDetail};

/// What accounts may hand over before the hub has come to it; beyond that it is left out, which subscribers notice.
const UNREAD: usize = 4_096;

/// Messages that are kept for those who come back.
const KEPT: usize = 4_096;

/// Bytes of messages that are kept, whatever their number, over all accounts together.
const KEPT_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of an account's messages that are kept at least.
const LEAST_KEPT_BYTES: usize = 256 * 1024;

/// Bytes of an account's messages that are kept at most.
const MOST_KEPT_BYTES: usize = 16 * 1024 * 1024;

/// Bars of one message.
const BARS_IN_ONE: usize = 200;

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

/// How much of an account there is room for.
#[derive(Debug, Clone, Copy)]
struct Room {
    bars: usize,
    lag: usize,
    bytes: usize,
}

struct HandedOver {
    stream: Arc<Stream>,
    /// Whether something is missing before it.
    lost: bool,
    published: Published,
}

enum Published {
    Names(LiveNames),
    Strategies(Vec<StrategyDetail>),
    Outputs(Vec<NumberedOutput>),
    View(Box<LiveView>),
    Bars(Vec<Bar>),
    /// What was known before, which is no news.
    Past(Vec<Bar>),
}

/// The live updates of one account.
pub(crate) struct Stream {
    /// Another one for each run of the host.
    id: String,
    state: Mutex<State>,
    /// Whether anybody subscribed when that was last looked at, which who trades may read without waiting.
    watched: AtomicBool,
    /// How far a subscriber may lag behind.
    lag: usize,
}

struct State {
    /// To those who chose the same topics, for each choice that somebody has made. Who wants little would else have to go
    /// through everything that others want, and could not keep up with it.
    subscribers: BTreeMap<Topics, broadcast::Sender<Arc<Message>>>,
    sequence: u64,
    /// The number of each topic's newest message.
    last: [u64; Topic::ALL.len()],
    kept: VecDeque<Arc<Message>>,
    kept_bytes: usize,
    most_bytes: usize,
    /// Messages up to this number are not kept any more.
    forgotten: u64,
    view: Option<Arc<LiveView>>,
    strategies: Vec<StrategyDetail>,
    recent: Recent,
    names: LiveNames,
    /// Event time of the newest event.
    time: String,
}

/// A message, ready to be sent.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) sequence: u64,
    pub(crate) topic: Topic,
    pub(crate) text: Utf8Bytes,
}

/// Where a subscriber wants to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resume {
    pub(crate) stream: String,
    pub(crate) after: u64,
}

/// What a subscriber gets: first this, then what the receiver brings.
pub(crate) struct Subscription {
    /// Each with the number to go on from after it, if it has one.
    pub(crate) first: Vec<(Utf8Bytes, Option<u64>)>,
    pub(crate) receiver: broadcast::Receiver<Arc<Message>>,
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
        std::thread::Builder::new().name("live".to_owned()).spawn(move || pump(&published))?;
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
        if self.stream.watched.load(Ordering::Relaxed) { VIEW_WATCHED } else { VIEW_UNWATCHED }
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

impl Stream {
    fn new(id: String, room: Room) -> Self {
        let state = State {
            subscribers: BTreeMap::new(),
            sequence: 0,
            last: [0; Topic::ALL.len()],
            kept: VecDeque::new(),
            kept_bytes: 0,
            most_bytes: room.bytes,
            forgotten: 0,
            view: None,
            strategies: Vec::new(),
            recent: Recent::new(room.bars),
            names: LiveNames::default(),
            time: String::new(),
        };
        Self { id, state: Mutex::new(state), watched: AtomicBool::new(false), lag: room.lag }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, lost: bool, published: Published) {
        let state = &mut *self.lock();
        if lost {
            state.skip();
        }
        match published {
            Published::Names(names) => state.names = names,
            Published::Strategies(strategies) => state.strategies = strategies,
            Published::Outputs(outputs) => {
                for NumberedOutput { sequence: input, output } in outputs {
                    let (event, time) = LiveEvent::of(output, &state.names);
                    if let Some(time) = time {
                        state.time = time;
                    }
                    state.recent.add(&event, &state.time);
                    let topic = event.topic();
                    let time = state.time.clone();
                    state.send(topic, |sequence, previous| LiveMessage::Event {
                        sequence,
                        previous,
                        topic,
                        input: input.0,
                        time: &time,
                        event: &event,
                    });
                }
            }
            Published::View(view) => {
                let view = Arc::new(*view);
                state.view = Some(Arc::clone(&view));
                let sequence = state.sequence;
                let text = text(&LiveMessage::View { sequence, view: &view });
                // It replaces the one before, so it is not kept.
                state.hand_out(&Message { sequence, topic: Topic::Account, text }.into());
                // Choices that nobody has any more are forgotten.
                state.subscribers.retain(|_, subscribers| subscribers.receiver_count() > 0);
                self.watched.store(!state.subscribers.is_empty(), Ordering::Relaxed);
            }
            Published::Bars(bars) => {
                for bars in bars.chunks(BARS_IN_ONE) {
                    let live = bars.iter().map(|bar| LiveBar::of(bar, state.names.symbol(bar.instrument)));
                    let live: Vec<LiveBar> = live.collect();
                    state.send(Topic::Bars, |sequence, previous| LiveMessage::Bars {
                        sequence,
                        previous,
                        bars: live,
                    });
                }
                for bar in bars {
                    state.recent.add_bar(bar);
                }
            }
            Published::Past(bars) => {
                for bar in bars {
                    state.recent.add_bar(bar);
                }
            }
        }
    }

    /// Subscribes from where the subscriber says, if all since then is kept, or else from now.
    pub(crate) fn subscribe(
        &self,
        topics: Topics,
        resume: Option<&Resume>,
        heartbeat: Duration,
    ) -> Subscription {
        // Under the lock, so that nothing comes in between.
        let mut state = self.lock();
        let subscribers = state.subscribers.entry(topics);
        let receiver = subscribers.or_insert_with(|| broadcast::channel(self.lag).0).subscribe();
        self.watched.store(true, Ordering::Relaxed);
        let resume = resume.filter(|resume| {
            resume.stream == self.id && (state.forgotten..=state.sequence).contains(&resume.after)
        });
        let chosen = topics.list();
        let hello = LiveMessage::Hello {
            stream: &self.id,
            sequence: state.sequence,
            last: chosen.iter().map(|topic| state.last[topic.place()]).collect(),
            topics: chosen,
            resumed: resume.is_some(),
            heartbeat_seconds: heartbeat.as_secs(),
        };
        let mut first = vec![(text(&hello), None)];
        match resume {
            Some(resume) => {
                let missed = state.kept.iter().filter(|message| message.sequence > resume.after);
                let wanted = missed.filter(|message| topics.has(message.topic));
                first.extend(wanted.map(|message| (message.text.clone(), Some(message.sequence))));
                if let Some(view) = state.view.as_ref().filter(|_| topics.has(Topic::Account)) {
                    first.push((text(&LiveMessage::View { sequence: state.sequence, view }), None));
                }
            }
            None => {
                let view = state.view.as_deref();
                let snapshot = LiveMessage::Snapshot { sequence: state.sequence, view };
                first.push((text(&snapshot), Some(state.sequence)));
            }
        }
        Subscription { first, receiver }
    }

    /// A message's number with the stream's name, for those who go on from there.
    pub(crate) fn place(&self, sequence: u64) -> String {
        format!("{}.{sequence}", self.id)
    }

    pub(crate) fn heartbeat(&self) -> Utf8Bytes {
        text(&LiveMessage::Heartbeat { sequence: self.lock().sequence })
    }

    pub(crate) fn lagging(missed: u64) -> Utf8Bytes {
        text(&LiveMessage::Lagging { missed })
    }

    /// How the account stood when it was last viewed.
    pub(crate) fn view(&self) -> Option<Arc<LiveView>> {
        self.lock().view.clone()
    }

    /// What a strategy says of itself.
    pub(crate) fn strategy(&self, name: &str) -> Option<StrategyDetail> {
        self.lock().strategies.iter().find(|strategy| strategy.name == name).cloned()
    }

    /// How many listen.
    pub(crate) fn subscribers(&self) -> usize {
        self.lock().subscribers.values().map(broadcast::Sender::receiver_count).sum()
    }

    /// Looks into what happened lately.
    pub(crate) fn recent<T>(&self, look: impl FnOnce(&Recent) -> T) -> T {
        look(&self.lock().recent)
    }

    /// The instrument of a symbol.
    pub(crate) fn instrument(&self, symbol: &str) -> Option<InstrumentId> {
        self.lock().names.instrument(symbol)
    }
}

impl State {
    fn send<'a>(&mut self, topic: Topic, message: impl FnOnce(u64, u64) -> LiveMessage<'a>) {
        self.sequence += 1;
        let sequence = self.sequence;
        let previous = std::mem::replace(&mut self.last[topic.place()], sequence);
        let text = text(&message(sequence, previous));
        let message = Arc::new(Message { sequence, topic, text });
        self.kept_bytes += message.text.len();
        self.kept.push_back(Arc::clone(&message));
        while (self.kept.len() > KEPT || self.kept_bytes > self.most_bytes)
            && let Some(oldest) = self.kept.pop_front()
        {
            self.kept_bytes -= oldest.text.len();
            self.forgotten = oldest.sequence;
        }
        self.hand_out(&message);
    }

    /// To those who want it. Nobody listens when there is nobody.
    fn hand_out(&self, message: &Arc<Message>) {
        for (topics, subscribers) in &self.subscribers {
            if topics.has(message.topic) {
                drop(subscribers.send(Arc::clone(message)));
            }
        }
    }

    /// Something is missing from here on: every topic's next message says so by the number before it.
    fn skip(&mut self) {
        self.sequence += 1;
        self.last = [self.sequence; Topic::ALL.len()];
        self.kept.clear();
        self.kept_bytes = 0;
        self.forgotten = self.sequence;
    }
}

fn text(message: &impl Serialize) -> Utf8Bytes {
    serde_json::to_string(message).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use bulkhead_core::identifier::StrategyId;
    use bulkhead_core::output::Output;
    use bulkhead_core::strategy::{LogLevel, LogLine};
    use bulkhead_core::time::Timestamp;
    use bulkhead_store::journal::Sequence;
    use serde_json::Value;

    use super::*;

    const HEARTBEAT: Duration = Duration::from_secs(15);

    const ROOM: Room = Room { bars: 10, lag: LEAST_LAG, bytes: MOST_KEPT_BYTES };

    fn log(input: u64) -> NumberedOutput {
        let line = LogLine { level: LogLevel::Info, message: format!("line {input}") };
        NumberedOutput {
            sequence: Sequence(input),
            output: Output::StrategyLog { strategy: StrategyId(0), line },
        }
    }

    fn refused(input: u64) -> NumberedOutput {
        let output = Output::InputRefused { time: Timestamp::from_seconds(5), reason: "no".to_owned() };
        NumberedOutput { sequence: Sequence(input), output }
    }

    fn read(text: &Utf8Bytes) -> Value {
        serde_json::from_str(text.as_str()).unwrap()
    }

    fn resume(stream: &Stream, after: u64) -> Option<Resume> {
        Some(Resume { stream: stream.id.clone(), after })
    }

    #[test]
    fn each_message_names_the_one_before_it_in_its_topic() {
        let stream = Stream::new("s".to_owned(), ROOM);
        let all = Topics::read(None).unwrap();
        let Subscription { first, mut receiver } = stream.subscribe(all, None, HEARTBEAT);
        assert_eq!(read(&first[0].0)["kind"], "hello");
        assert_eq!(read(&first[1].0)["kind"], "snapshot");
        stream.take(false, Published::Outputs(vec![log(7), refused(8), log(9)]));
        let mut found = Vec::new();
        while let Ok(message) = receiver.try_recv() {
            let message = read(&message.text);
            let numbers = ["sequence", "previous", "input"].map(|key| message[key].as_u64().unwrap());
            found.push((message["topic"].as_str().unwrap().to_owned(), numbers));
        }
        let expected = [("strategies", [1, 0, 7]), ("account", [2, 0, 8]), ("strategies", [3, 1, 9])];
        assert_eq!(found, expected.map(|(topic, numbers)| (topic.to_owned(), numbers)));
    }

    #[test]
    fn a_flood_of_what_others_want_makes_nobody_lag() {
        let stream = Stream::new("s".to_owned(), ROOM);
        let subscribe = |topics| stream.subscribe(Topics::read(topics).unwrap(), None, HEARTBEAT).receiver;
        let (mut few, mut all) = (subscribe(Some("account")), subscribe(None));
        assert_eq!(stream.subscribers(), 2);
        let flood: Vec<_> = (0..).take(3 * LEAST_LAG).map(log).collect();
        stream.take(false, Published::Outputs([flood, vec![refused(9_999)]].concat()));
        assert!(matches!(all.try_recv(), Err(broadcast::error::TryRecvError::Lagged(_))));
        assert_eq!(read(&few.try_recv().unwrap().text)["input"], 9_999);
        drop(few);
        assert_eq!(stream.subscribers(), 1);
    }

    #[test]
    fn who_comes_back_gets_what_was_missed_of_the_topics() {
        let stream = Stream::new("s".to_owned(), ROOM);
        stream.take(false, Published::Outputs(vec![log(1), refused(2), log(3)]));
        let topics = Topics::read(Some("strategies")).unwrap();
        let again = stream.subscribe(topics, resume(&stream, 1).as_ref(), HEARTBEAT);
        let texts: Vec<Value> = again.first.iter().map(|(text, _)| read(text)).collect();
        assert_eq!(texts[0]["resumed"], true);
        assert_eq!(texts[0]["last"], serde_json::json!([3]));
        assert_eq!(texts.len(), 2);
        assert_eq!(texts[1]["input"], 3);
        assert_eq!(again.first.iter().map(|(_, sequence)| *sequence).collect::<Vec<_>>(), [None, Some(3)]);
        let up_to_date = stream.subscribe(topics, resume(&stream, 3).as_ref(), HEARTBEAT);
        assert_eq!(up_to_date.first.len(), 1);
    }

    #[test]
    fn who_can_not_go_on_gets_a_snapshot() {
        let stream = Stream::new("s".to_owned(), ROOM);
        stream.take(false, Published::Outputs((1..=5_000).map(log).collect()));
        let topics = Topics::read(None).unwrap();
        let of_another_run = Some(Resume { stream: "t".to_owned(), after: 4_999 });
        for bad in [of_another_run, resume(&stream, 5_001), resume(&stream, 903)] {
            let first = stream.subscribe(topics, bad.as_ref(), HEARTBEAT).first;
            assert_eq!(read(&first[0].0)["resumed"], false, "{bad:?}");
            assert_eq!(read(&first[1].0)["kind"], "snapshot");
        }
        let first = stream.subscribe(topics, resume(&stream, 904).as_ref(), HEARTBEAT).first;
        assert_eq!(first.len(), 1 + KEPT);
    }

    #[test]
    fn what_could_not_be_handed_over_is_noticed() {
        let stream = Stream::new("s".to_owned(), ROOM);
        let topics = Topics::read(None).unwrap();
        stream.take(false, Published::Outputs(vec![log(1)]));
        let mut receiver = stream.subscribe(topics, None, HEARTBEAT).receiver;
        stream.take(true, Published::Outputs(vec![log(2)]));
        let message = read(&receiver.try_recv().unwrap().text);
        assert_ne!(message["previous"], 1, "what a subscriber has of the topic is not what came before");
        let first = stream.subscribe(topics, resume(&stream, 1).as_ref(), HEARTBEAT).first;
        assert_eq!(read(&first[0].0)["resumed"], false);
    }

    #[test]
    fn messages_are_kept_within_bounds() {
        let stream = Stream::new("s".to_owned(), ROOM);
        let line = |input| {
            let line = LogLine { level: LogLevel::Info, message: "x".repeat(1 << 20) };
            let output = Output::StrategyLog { strategy: StrategyId(0), line };
            NumberedOutput { sequence: Sequence(input), output }
        };
        stream.take(false, Published::Outputs((0..40).map(line).collect()));
        let state = stream.lock();
        assert_eq!(state.kept.len(), 15, "messages of a little more than 1 MiB");
        assert_eq!(state.kept_bytes, state.kept.iter().map(|message| message.text.len()).sum::<usize>());
        assert_eq!(state.forgotten, 25);
    }

    #[test]
    fn a_full_hub_loses_updates_and_no_time_and_says_where() {
        let (_hub, mut publishers) = Hub::start(&["main".to_owned()]).unwrap();
        let mut publisher = publishers.remove(0);
        let stream = Arc::clone(&publisher.stream);
        let topics = Topics::read(None).unwrap();
        let mut receiver = stream.subscribe(topics, None, HEARTBEAT).receiver;
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
        let event = read(&receiver.blocking_recv().unwrap().text);
        assert_eq!((&event["input"], &event["sequence"]), (&2.into(), &2.into()));
        assert_eq!(event["previous"], 1, "which no message had");
    }
}
