//! Messages of the live updates, as they are sent.

use bulkhead_core::market::Bar;
use bulkhead_core::time::Span;
use serde::Serialize;
use utoipa::ToSchema;

use super::event::{LiveEvent, Topic};
use super::view::LiveView;
use crate::documents::time;
use crate::problem::{Kind, Problem};

/// A message of the live updates. Numbered ones say in `previous` which came before them in their topic: if that is
/// not the last that the subscriber has of the topic, something is missing between them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum LiveMessage<'a> {
    /// The first message.
    Hello {
        /// The stream's name; another one after the host was started again.
        stream: &'a str,
        /// The number of the stream's newest message.
        sequence: u64,
        /// The number of the newest message of each topic, in the order of `topics`; 0 before the first.
        last: Vec<u64>,
        /// What is subscribed to.
        topics: Vec<Topic>,
        /// Whether it goes on where `after` said. If not, a snapshot follows.
        resumed: bool,
        /// A heartbeat comes after so long a silence, in seconds.
        heartbeat_seconds: u64,
    },
    /// How the account stands, to begin with; null when that is not known yet.
    Snapshot {
        /// The number of the stream's newest message.
        sequence: u64,
        /// The account.
        #[schema(value_type = Option<LiveView>)]
        view: Option<&'a LiveView>,
    },
    /// Something happened.
    Event {
        /// Its number in the stream.
        sequence: u64,
        /// The number before in its topic; 0 for the first.
        previous: u64,
        /// Its topic.
        topic: Topic,
        /// The input of the journal that caused it.
        input: u64,
        /// Event time.
        time: &'a str,
        /// What.
        #[schema(value_type = LiveEvent)]
        event: &'a LiveEvent,
    },
    /// How the account stands. Each replaces the one before, so they have no numbers.
    View {
        /// The number of the stream's newest message.
        sequence: u64,
        /// The account.
        #[schema(value_type = LiveView)]
        view: &'a LiveView,
    },
    /// Bars were completed.
    Bars {
        /// Its number in the stream.
        sequence: u64,
        /// The number before in this topic; 0 for the first.
        previous: u64,
        /// The bars, oldest first.
        bars: Vec<LiveBar>,
    },
    /// Nothing happened, and the connection is well.
    Heartbeat {
        /// The number of the stream's newest message.
        sequence: u64,
    },
    /// The subscriber did not keep up and is dropped.
    Lagging {
        /// How many messages it missed.
        missed: u64,
    },
}

/// A completed bar, in numbers of the market data.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct LiveBar {
    /// What was traded.
    pub(crate) instrument: String,
    /// When it began.
    pub(crate) time: String,
    /// Its length.
    pub(crate) interval_seconds: f64,
    /// First price.
    pub(crate) open: f64,
    /// Highest price.
    pub(crate) high: f64,
    /// Lowest price.
    pub(crate) low: f64,
    /// Last price.
    pub(crate) close: f64,
    /// Traded quantity of the base asset; 0 when unknown.
    pub(crate) volume: f64,
}

impl LiveBar {
    pub(crate) fn of(bar: &Bar, symbol: String) -> Self {
        Self {
            instrument: symbol,
            time: time(bar.open_time),
            interval_seconds: seconds(bar.interval),
            open: bar.open,
            high: bar.high,
            low: bar.low,
            close: bar.close,
            volume: bar.volume,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "intervals are far below what a double counts exactly")]
fn seconds(interval: Span) -> f64 {
    interval.nanos() as f64 / 1e9
}

/// A choice of topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Topics([bool; Topic::ALL.len()]);

impl Topics {
    /// Names with commas between them; all when nothing is said.
    pub(crate) fn read(text: Option<&str>) -> Result<Self, Problem> {
        let Some(text) = text else { return Ok(Self([true; Topic::ALL.len()])) };
        let mut chosen = [false; Topic::ALL.len()];
        for name in text.split(',') {
            let topic = Topic::ALL.into_iter().find(|topic| topic.name() == name.trim());
            let topic = topic.ok_or_else(|| {
                let all = Topic::ALL.map(Topic::name).join(", ");
                Problem::new(Kind::BadFilter, format!("topics: \"{name}\": of {all} are expected"))
            })?;
            chosen[topic.place()] = true;
        }
        Ok(Self(chosen))
    }

    pub(crate) const fn has(self, topic: Topic) -> bool {
        self.0[topic.place()]
    }

    pub(crate) fn list(self) -> Vec<Topic> {
        Topic::ALL.into_iter().filter(|topic| self.has(*topic)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_chosen_by_name() {
        let all = Topics::read(None).unwrap();
        assert_eq!(all.list(), Topic::ALL);
        let some = Topics::read(Some("fills, bars")).unwrap();
        assert_eq!(some.list(), [Topic::Fills, Topic::Bars]);
        for text in ["", "fill", "fills,"] {
            assert_eq!(Topics::read(Some(text)).unwrap_err().kind, Kind::BadFilter, "{text}");
        }
    }
}
