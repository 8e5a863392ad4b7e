//! Alerts at work: what makes them, one for each channel, and one that takes commands, each for a thread of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel};
use std::time::{Duration, Instant};

use bulkhead_store::database::DatabaseUrl;

use crate::alert::{Alert, AlertKind};
use crate::channel::Channel;
pub use crate::delivery::Counted;
use crate::delivery::{Patience, Report, deliver};
use crate::history::{DeliveryState, History};
use crate::outbox::{Added, Outbox, Parcel};
use crate::publisher::{Handed, Lost, News, Notices, Publisher};
use crate::repetition::Repetition;
use crate::settings::{ChannelSettings, Settings};
use crate::telegram::{Bot, Chats, Listener};
use crate::watch::Watch;
use crate::webhook::Webhook;

/// What may be handed over before somebody has come to it; beyond that it is lost, counted and said.
const UNREAD: usize = 4_096;

/// How often it is looked whether something can still be handed over at the end.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// How often it is looked what is to be told, when nothing happens.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// What commands from Telegram need.
pub struct Commands {
    /// Where requests are left and accounts are looked up.
    pub database: DatabaseUrl,
    /// The accounts that the host runs.
    pub accounts: Vec<String>,
    /// Makes the host look at once for what was asked of it.
    pub poke: Arc<dyn Fn() + Send + Sync>,
}

/// Counts what became of alerts, by channel.
pub type Count = Arc<dyn Fn(&str, Counted) + Send + Sync>;

/// A test can't be sent.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// There is no such channel.
    #[error("there is no channel \"{name}\"; there are: {known}")]
    UnknownChannel {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
}

/// Something that is to be done on a thread of its own, again after it panicked, until it returns. What it was doing
/// when it panicked is not lost with it.
pub struct Work {
    /// Tells it apart from all others, such as `alerts-telegram`.
    pub name: String,
    /// What people can't have while it is not done.
    pub degrades: &'static str,
    /// Does it.
    pub run: Box<dyn FnMut() + Send>,
}

/// Alerts at work.
pub struct Alerts {
    notices: Notices,
    history: History,
    /// Ends when all channels have.
    ended: Receiver<()>,
}

struct Route {
    name: Arc<str>,
    settings: ChannelSettings,
    outbox: Arc<Outbox>,
    count: Count,
    history: History,
}

impl Route {
    fn is_for(&self, alert: &Alert) -> bool {
        self.settings.kinds.contains(&alert.kind)
    }

    fn tell(&self, alert: &Alert, number: u64) {
        let (account, number) = match self.outbox.push(alert.clone(), Some(number)) {
            Added::Waits => return,
            Added::InPlaceOf(other) => (other.alert.account, other.number),
            Added::LeftOut => (alert.account.clone(), Some(number)),
        };
        (self.count)(&self.name, Counted::LeftOut);
        if let Some(number) = number {
            self.history.settle(account.as_ref(), number, &self.name, DeliveryState::LeftOut, None);
        }
    }
}

/// Writes down and counts what is reported of an alert.
fn take_report(
    channel: &str,
    parcel: &Parcel,
    report: Report<'_>,
    history: &History,
    count: &dyn Fn(&str, Counted),
) {
    let (state, why, counted) = match report {
        Report::TriedInVain(why) => (DeliveryState::Waiting, Some(why), None),
        Report::Sent => (DeliveryState::Sent, None, Some(Counted::Sent)),
        Report::Failed(why) => (DeliveryState::Failed, Some(why), Some(Counted::Failed)),
    };
    if let Some(counted) = counted {
        count(channel, counted);
    }
    if let Some(number) = parcel.number {
        history.settle(parcel.alert.account.as_ref(), number, channel, state, why);
    }
}

impl Alerts {
    /// Prepares everything: each account's way in, in the order of the names, and what is to be done meanwhile. Until
    /// that is done, what is handed over waits, within bounds.
    #[must_use]
    pub fn prepare(
        settings: Settings,
        requests: Commands,
        count: &Count,
    ) -> (Self, Vec<Publisher>, Vec<Work>) {
        let accounts = requests.accounts.clone();
        let history = History::new(&accounts);
        let (sender, handed) = sync_channel(UNREAD);
        let lost = Arc::new(Lost::default());
        let place = |(place, _)| Publisher::new(place, sender.clone(), Arc::clone(&lost));
        let publishers = accounts.iter().enumerate().map(place).collect();
        let mut work = Vec::new();
        if let Some(telegram) = settings.telegram.clone().filter(|telegram| telegram.commands) {
            let mut listener = Listener::new(&telegram, requests);
            work.push(Work {
                name: "telegram".to_owned(),
                degrades: "commands from Telegram, /halt among them, are not heard",
                run: Box::new(move || listener.listen()),
            });
        }
        let watches = accounts.iter().map(|name| Watch::new(name.clone(), settings.watch.clone())).collect();
        let (repeat_after, channels) = (settings.repeat_after, channels(settings));
        let (end, ended) = channel();
        let mut routes = Vec::new();
        for (settings, channel) in channels {
            let outbox = Arc::new(Outbox::default());
            routes.push(Route {
                name: settings.name.as_str().into(),
                settings: settings.clone(),
                outbox: Arc::clone(&outbox),
                count: Arc::clone(count),
                history: history.clone(),
            });
            let (count, history, end) = (Arc::clone(count), history.clone(), end.clone());
            let name = format!("alerts-{}", settings.name);
            let run = move || {
                // It ends when this does for good.
                let _ = &end;
                let report = |parcel: &Parcel, report: Report<'_>| {
                    take_report(&settings.name, parcel, report, &history, &*count);
                };
                deliver(
                    &settings.name,
                    channel.as_ref(),
                    &outbox,
                    settings.per_minute,
                    Patience::default(),
                    &report,
                );
            };
            work.push(Work { name, degrades: "alerts do not reach this channel", run: Box::new(run) });
        }
        let mut maker = Maker {
            watches,
            repetition: Repetition::new(repeat_after),
            routes,
            history: history.clone(),
            lost: Arc::clone(&lost),
        };
        work.push(Work {
            name: "alerts".to_owned(),
            degrades: "alerts are not made",
            run: Box::new(move || {
                let _ = &end;
                maker.work(&handed);
            }),
        });
        (Self { notices: Notices { sender, lost }, history, ended }, publishers, work)
    }

    /// The way in for what concerns the whole host.
    #[must_use]
    pub fn notices(&self) -> Notices {
        self.notices.clone()
    }

    /// What was worth an alert lately.
    #[must_use]
    pub fn history(&self) -> History {
        self.history.clone()
    }

    /// Delivers what is left, for so long at most. What is not delivered then is counted in the log.
    pub fn close(self, most: Duration) {
        let until = Instant::now() + most;
        if close(&self.notices.sender, until) {
            // Nobody sends: it ends when everybody has gone.
            let left = until.saturating_duration_since(Instant::now());
            if self.ended.recv_timeout(left) != Err(RecvTimeoutError::Disconnected) {
                tracing::warn!("the host ends while alerts are still being delivered");
            }
        } else {
            tracing::warn!("the host ends before all alerts were made");
        }
    }
}

fn close(sender: &SyncSender<Handed>, until: Instant) -> bool {
    loop {
        match sender.try_send(Handed::Close(until)) {
            Ok(()) => return true,
            Err(TrySendError::Full(_)) if Instant::now() < until => std::thread::sleep(BETWEEN_LOOKS),
            Err(_) => return false,
        }
    }
}

fn channels(settings: Settings) -> Vec<(ChannelSettings, Box<dyn Channel>)> {
    let mut channels: Vec<(ChannelSettings, Box<dyn Channel>)> = Vec::new();
    for webhook in settings.webhooks {
        channels.push((webhook.channel, Box::new(Webhook::new(webhook.url, webhook.secret))));
    }
    if let Some(telegram) = settings.telegram {
        let bot = Bot::new(&telegram.url, telegram.token);
        channels.push((telegram.channel, Box::new(Chats::new(bot, telegram.chats))));
    }
    channels
}

/// What came of sending a test through a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// The channel.
    pub channel: String,
    /// Why it did not arrive.
    pub outcome: Result<(), String>,
}

/// Sends a test through one channel or all of them, once, and waits for what comes of it.
///
/// # Errors
///
/// [`TestError::UnknownChannel`].
pub fn test(settings: Settings, only: Option<&str>) -> Result<Vec<Test>, TestError> {
    let channels = channels(settings);
    let names: BTreeSet<&str> = channels.iter().map(|(settings, _)| settings.name.as_str()).collect();
    if let Some(name) = only.filter(|name| !names.contains(name)) {
        let known = names.into_iter().collect::<Vec<_>>().join(", ");
        return Err(TestError::UnknownChannel { name: name.to_owned(), known });
    }
    let chosen = channels.iter().filter(|(settings, _)| only.is_none_or(|name| settings.name == name));
    let send = |(settings, channel): &(ChannelSettings, Box<dyn Channel>)| Test {
        channel: settings.name.clone(),
        outcome: channel
            .send(&mut Parcel::new(Alert::test(), None))
            .map_err(|failure| failure.why().to_owned()),
    };
    Ok(chosen.map(send).collect())
}

/// Makes alerts of what is handed over.
struct Maker {
    watches: Vec<Watch>,
    repetition: Repetition,
    routes: Vec<Route>,
    history: History,
    lost: Arc<Lost>,
}

impl Maker {
    fn work(&mut self, handed: &Receiver<Handed>) {
        loop {
            let now = Instant::now();
            let wait =
                self.repetition.next().map_or(LONGEST_WAIT, |next| next.saturating_duration_since(now));
            let message = handed.recv_timeout(wait);
            self.say_lost();
            for alert in self.repetition.due(Instant::now()) {
                self.tell(&alert);
            }
            match message {
                Ok(Handed::Account(place, news)) => self.take(place, news),
                Ok(Handed::Host(alert)) => self.admit(&alert),
                Ok(Handed::Close(until)) => {
                    for alert in self.repetition.all() {
                        self.tell(&alert);
                    }
                    self.close(until);
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.close(Instant::now());
                    return;
                }
            }
        }
    }

    fn close(&self, until: Instant) {
        for route in &self.routes {
            route.outbox.close(until);
        }
    }

    fn say_lost(&mut self) {
        let count = self.lost.take();
        if count > 0 {
            tracing::warn!(
                count,
                "what happened came faster than alerts could be made of it; some were not made"
            );
            let text = format!(
                "{count} outputs came faster than alerts could be made of them. The journal and the host's log have \
                 them."
            );
            self.admit(&Alert::new(AlertKind::AlertsLost, "outputs", "alerts were not made", text));
        }
    }

    fn take(&mut self, place: usize, news: News) {
        let Some(watch) = self.watches.get_mut(place) else { return };
        let alerts = match news {
            News::Names(names) => {
                watch.rename(names);
                Vec::new()
            }
            News::Begin(beginning) => {
                watch.begin(beginning);
                Vec::new()
            }
            News::BeginAgain(beginning) => {
                watch.begin_again(beginning);
                Vec::new()
            }
            News::Outputs(outputs) => outputs.into_iter().flat_map(|output| watch.output(output)).collect(),
            News::Standing(standing) => watch.standing(&standing),
            News::JournalStalled(why) => vec![watch.journal_stalled(&why)],
            News::JournalResumed(after) => vec![watch.journal_resumed(after)],
        };
        for alert in alerts {
            self.admit(&alert);
        }
    }

    fn admit(&mut self, alert: &Alert) {
        match self.repetition.admit(alert.clone(), Instant::now()) {
            Some(alert) => self.tell(&alert),
            None => drop(self.history.record(alert, self.channels_for(alert), true)),
        }
    }

    fn channels_for(&self, alert: &Alert) -> Vec<Arc<str>> {
        let routes = self.routes.iter().filter(|route| route.is_for(alert));
        routes.map(|route| Arc::clone(&route.name)).collect()
    }

    fn tell(&self, alert: &Alert) {
        // Before anybody can deliver it.
        let number = self.history.record(alert, self.channels_for(alert), false);
        for route in self.routes.iter().filter(|route| route.is_for(alert)) {
            route.tell(alert, number);
        }
    }
}
