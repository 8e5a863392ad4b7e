//! The live updates of one account: what is kept of them, and who gets them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::market::Bar;
use bulkhead_store::journal::NumberedOutput;
use serde::Serialize;
use tokio::sync::broadcast;

use super::event::{LiveEvent, LiveNames, Topic};
use super::message::{LiveBar, LiveMessage, Topics};
use super::recent::Recent;
use super::view::{LiveView, StrategyDetail};
/// Messages that are kept for those who come back.
const KEPT: usize = 4_096;

/// Bars of one message.
const BARS_IN_ONE: usize = 200;

/// How much of an account there is room for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) bars: usize,
    pub(super) lag: usize,
    pub(super) bytes: usize,
}

pub(super) enum Published {
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
    /// The number of the newest message, for those who must not wait for the state.
    newest: Arc<AtomicU64>,
    /// How far a subscriber may lag behind.
    lag: usize,
}

pub(super) struct State {
    /// To those who chose the same topics, for each choice that somebody has made. Who wants little would else have to go
    /// through everything that others want, and could not keep up with it.
    subscribers: BTreeMap<Topics, broadcast::Sender<Arc<Message>>>,
    sequence: u64,
    /// The same, for those who look from outside.
    newest: Arc<AtomicU64>,
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
    /// Messages of the topics that were asked for, and no others.
    pub(crate) receiver: broadcast::Receiver<Arc<Message>>,
}

impl Stream {
    pub(super) fn new(id: String, room: Room) -> Self {
        let newest = Arc::<AtomicU64>::default();
        let state = State {
            subscribers: BTreeMap::new(),
            sequence: 0,
            newest: Arc::clone(&newest),
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
        Self { id, state: Mutex::new(state), watched: AtomicBool::new(false), newest, lag: room.lag }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(&self, lost: bool, published: Published) {
        let state = &mut *self.lock();
        if lost {
            state.skip();
        }
        match published {
            Published::Names(names) => state.names = names,
            Published::Strategies(strategies) => state.strategies = strategies,
            Published::Outputs(outputs) => {
                for NumberedOutput { sequence: input, output } in outputs {
                    let Some((event, time)) = LiveEvent::of(output, &state.names) else { continue };
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
        text(&LiveMessage::Heartbeat { sequence: self.newest.load(Ordering::Relaxed) })
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

    /// Whether anybody listens, by what was known a moment ago: asked without waiting.
    pub(super) fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
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
        self.newest.store(self.sequence, Ordering::Relaxed);
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
        self.newest.store(self.sequence, Ordering::Relaxed);
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

    const ROOM: Room = Room { bars: 10, lag: 1_024, bytes: 16 * 1024 * 1024 };

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
        let flood: Vec<_> = (0..).take(3 * ROOM.lag).map(log).collect();
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
}
