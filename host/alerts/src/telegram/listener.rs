//! Listening to Telegram: what was written by people who may command, each once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};

use crate::http::Failure;
use crate::service::Commands;
use crate::settings::TelegramSettings;
use crate::telegram::asking::Asker;
use crate::telegram::bot::{Bot, Message, Update, User};
use crate::telegram::commands::{Dispatcher, Given};
use crate::telegram::ordering::{Order, What, read};
use crate::telegram::place::Place;
use crate::telegram::sender::{Sender, sender};
use crate::telegram::wording::{escaped, fitting};

/// How long the server is asked to wait for something to happen.
const POLL: Duration = Duration::from_secs(25);

/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The pause after updates that were all seen before: they would be given again at once.
const NOTHING_NEW: Duration = Duration::from_secs(2);

/// How long a host may take to carry out all that was read at once before it is said what waits. A halt that is
/// written meanwhile is read after it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Chats and people that are not allowed and were logged, at most.
const MOST_STRANGERS: usize = 1_000;

/// Longest answer, in UTF-16 units.
const LONGEST_ANSWER: usize = 4_000;

/// Takes commands.
pub(crate) struct Listener {
    bot: Bot,
    /// What the bot is called, once it is known.
    name: Option<String>,
    chats: Vec<i64>,
    users: Vec<i64>,
    place: Place,
    dispatcher: Dispatcher,
    strangers: BTreeSet<(i64, Option<i64>)>,
    /// The update that is being taken care of. When it is found here afterwards, it made this fail.
    at_work: Option<i64>,
}

/// A command that was heard.
struct Heard<'a> {
    message: &'a Message,
    user: &'a User,
    order: Result<Order, String>,
}

/// A halt: its place among the updates, and the account that it names.
type Halt = (usize, Option<String>);

impl Listener {
    pub(crate) fn new(settings: &TelegramSettings, requests: Commands) -> Self {
        Self {
            bot: Bot::new(&settings.url, settings.token.clone()),
            name: None,
            chats: settings.chats.clone(),
            users: settings.users.clone(),
            place: Place::read(&settings.state),
            dispatcher: Dispatcher::new(requests),
            strangers: BTreeSet::new(),
            at_work: None,
        }
    }

    /// Listens until the process ends.
    pub(crate) fn listen(&mut self) {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_secs(1))
            .with_max_delay(LONGEST_PAUSE)
            .with_jitter()
            .without_max_times();
        let mut after_failure = pauses.build();
        let mut is_failing = false;
        loop {
            match self.updates() {
                Ok(updates) => {
                    if is_failing {
                        tracing::info!("commands from Telegram are taken again");
                        (is_failing, after_failure) = (false, pauses.build());
                    }
                    let is_any_new = self.take(&updates, Instant::now() + PATIENCE);
                    if !updates.is_empty() && !is_any_new {
                        std::thread::sleep(NOTHING_NEW);
                    }
                }
                Err(failure) => {
                    if !is_failing {
                        tracing::warn!(why = failure.why(), "commands from Telegram can't be taken");
                        is_failing = true;
                    }
                    let asked = match failure {
                        Failure::Passing { after, .. } | Failure::InPart { after, .. } => {
                            after.unwrap_or_default()
                        }
                        // Somebody has to mend something first.
                        Failure::Final { .. } => LONGEST_PAUSE,
                    };
                    let pause = after_failure.next().unwrap_or(LONGEST_PAUSE).max(asked);
                    // Whatever is asked for: a halt may be waiting there.
                    std::thread::sleep(pause.min(LONGEST_PAUSE));
                }
            }
        }
    }

    fn updates(&mut self) -> Result<Vec<Update>, Failure> {
        // Before anything is read that may name it.
        if self.name.is_none() {
            self.name = match self.bot.name() {
                Ok(name) => Some(name),
                // Without it, commands that name no bot are still heard.
                Err(Failure::Final { .. }) => None,
                Err(failure) => return Err(failure),
            };
        }
        self.bot.updates(self.place.next(), POLL)
    }

    /// Takes care of updates, waiting until then for what becomes of all that they ask for. Whether any was new.
    fn take(&mut self, updates: &[Update], until: Instant) -> bool {
        let halts = self.halt_first(updates);
        let mut is_any_new = false;
        for (place, update) in updates.iter().enumerate() {
            let (number, written) = (update.update_id, update.written());
            if self.place.is_past(number, written) {
                continue;
            }
            is_any_new = true;
            let has_failed = self.at_work == Some(number);
            self.at_work = Some(number);
            if let Some(heard) = self.hear(update) {
                let later = halts.iter().filter(|(halt, _)| *halt > place);
                let later: Vec<_> = later.map(|(_, account)| account.as_deref()).collect();
                match has_failed {
                    true => self.leave_out(heard.message),
                    false => self.respond(heard, &later, until),
                }
            }
            self.at_work = None;
            // Only now: a command that was cut off is carried out after the restart, and its key keeps it from being
            // carried out twice.
            if let Err(error) = self.place.move_past(number, written) {
                tracing::error!(%error, "it can't be kept which commands from Telegram were seen");
            }
        }
        is_any_new
    }

    /// Leaves the requests of all halts before anything else is done, as other commands wait for what becomes of
    /// them.
    fn halt_first(&mut self, updates: &[Update]) -> Vec<Halt> {
        let mut halts = Vec::new();
        for (place, update) in updates.iter().enumerate() {
            let number = update.update_id;
            if self.place.is_past(number, update.written()) || self.at_work == Some(number) {
                continue;
            }
            let before = self.at_work.replace(number);
            if let Some(Heard { message, user, order: Ok(order) }) = self.hear(update)
                && matches!(order.what, What::Halt { .. })
            {
                self.dispatcher.halt(&self.asker(message, user), &order);
                halts.push((place, order.account));
            }
            self.at_work = before;
        }
        halts
    }

    /// The command in an update, if there is one and it is from somebody who may command.
    fn hear<'a>(&mut self, update: &'a Update) -> Option<Heard<'a>> {
        let message = update.message.as_ref()?;
        let chat = message.chat.id;
        if !self.chats.contains(&chat) {
            if self.is_new_stranger(chat, None) {
                tracing::warn!(chat, "a Telegram chat that is not in alerts.telegram.chats was ignored");
            }
            return None;
        }
        let order = read(message.text.as_ref()?, self.name.as_deref())?;
        match sender(message, &self.users) {
            Sender::Commander(user) => return Some(Heard { message, user, order }),
            Sender::Stranger(user) => {
                if self.is_new_stranger(chat, Some(user.id)) {
                    let (user, name) = (user.id, user.username.as_deref());
                    let users =
                        "a Telegram user who is not in alerts.telegram.users commanded, and was ignored";
                    tracing::warn!(chat, user, name, "{users}");
                }
            }
            Sender::Nobody => {
                tracing::debug!(chat, "a command that was passed on, or that no person wrote, was ignored");
            }
        }
        None
    }

    fn is_new_stranger(&mut self, chat: i64, user: Option<i64>) -> bool {
        self.strangers.len() < MOST_STRANGERS && self.strangers.insert((chat, user))
    }

    fn asker(&self, message: &Message, user: &User) -> Asker {
        let (chat, number) = (message.chat.id, message.message_id);
        Asker {
            // The number stays, names change hands.
            actor: format!("telegram:{}", user.id),
            // Numbers of updates begin anew, those of messages don't.
            key: format!("telegram:{}:{chat}:{number}", self.bot.id()),
        }
    }

    /// Carries out a command and answers it. `halts` are the accounts of those that were written after it.
    fn respond(&mut self, heard: Heard<'_>, halts: &[Option<&str>], until: Instant) {
        let Heard { message, user, order } = heard;
        let asker = self.asker(message, user);
        let answer = match order {
            Ok(order) => {
                let (actor, name) = (&asker.actor, user.username.as_deref());
                tracing::info!(actor, name, key = asker.key, command = ?order.what, "a command from Telegram");
                let is_overtaken = halts.iter().any(|account| concerns(*account, &order));
                let person = (message.chat.id, user.id);
                let given = Given { asker: &asker, person, written: message.date, order, is_overtaken };
                self.dispatcher.carry_out(given, until)
            }
            Err(problem) => problem,
        };
        self.say(message.chat.id, &answer);
    }

    /// Leaves out a command that made the listener fail, so that it does not fail at it for ever.
    fn leave_out(&self, message: &Message) {
        let (chat, number) = (message.chat.id, message.message_id);
        tracing::error!(
            chat,
            message = number,
            "a command from Telegram made its listener fail; it is left out"
        );
        self.say(chat, "The host failed at that. Look at /status before you write it again.");
    }

    fn say(&self, chat: i64, answer: &str) {
        if let Err(failure) = self.bot.say(chat, &escaped(&fitting(answer, LONGEST_ANSWER))) {
            tracing::warn!(why = failure.why(), "a command from Telegram could not be answered");
        }
    }
}

/// Whether a halt of this account, or of all, is one of an account that the order is about.
fn concerns(halted: Option<&str>, order: &Order) -> bool {
    halted.is_none() || order.account.is_none() || halted == order.account.as_deref()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;

    use bulkhead_store::database::{Database, DatabaseUrl, Options};
    use serde_json::{Value, json};

    use super::*;
    use crate::secret::Secret;
    use crate::settings::ChannelSettings;

    struct Host {
        _directory: tempfile::TempDir,
        database: Database,
        listener: Listener,
    }

    impl Host {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let url: DatabaseUrl =
                format!("sqlite:{}", directory.path().join("a.db").display()).parse().unwrap();
            let mut database = Database::open(&url, Options::writer().migrating()).unwrap();
            let accounts = vec!["main".to_owned(), "other".to_owned()];
            database.register_accounts(&accounts).unwrap();
            let settings = TelegramSettings {
                channel: ChannelSettings {
                    name: "telegram".to_owned(),
                    kinds: BTreeSet::new(),
                    per_minute: NonZeroU32::MIN,
                },
                // Nobody is there to be answered.
                url: "http://127.0.0.1:1".to_owned(),
                token: Secret::new("5:token"),
                chats: vec![42, -43],
                users: vec![70],
                commands: true,
                state: directory.path().join("telegram-5.next"),
            };
            let requests = Commands { database: url, accounts, poke: Arc::new(|| ()) };
            Self { _directory: directory, database, listener: Listener::new(&settings, requests) }
        }

        fn take(&mut self, updates: &[Update]) -> bool {
            self.listener.take(updates, Instant::now())
        }

        /// What waits: the shard, who asked, and the command's name.
        fn waiting(&mut self) -> Vec<(u32, String, String)> {
            let name = |command: &str| match serde_json::from_str::<Value>(command).unwrap() {
                Value::Object(command) => command.keys().next().unwrap().clone(),
                other => other.to_string(),
            };
            let waiting = self.database.waiting_requests().unwrap().into_iter();
            waiting.map(|(shard, asked)| (shard.0, asked.actor, name(&asked.command))).collect()
        }
    }

    fn written(number: i64, text: &str, after: i64) -> Update {
        in_chat(42, 42, number, text, after)
    }

    fn in_chat(chat: i64, user: i64, number: i64, text: &str, after: i64) -> Update {
        let now = i64::try_from(
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(),
        );
        serde_json::from_value(json!({"update_id": number, "message": {
            "message_id": number, "date": now.unwrap() + after, "chat": {"id": chat}, "text": text,
            "from": {"id": user, "is_bot": false, "first_name": "Ann"},
        }}))
        .unwrap()
    }

    fn names(host: &mut Host) -> Vec<(u32, String)> {
        host.waiting().into_iter().map(|(shard, _, name)| (shard, name)).collect()
    }

    fn named(names: &[(u32, &str)]) -> Vec<(u32, String)> {
        names.iter().map(|(shard, name)| (*shard, (*name).to_owned())).collect()
    }

    #[test]
    fn a_halt_is_asked_for_before_everything_that_was_read_with_it_and_stays() {
        let mut host = Host::new();
        let updates = [
            written(1, "/resume account=other", 0),
            written(2, "/resume", 0),
            written(3, "/halt account=main", 0),
            written(4, "/resume account=main", 0),
        ];
        assert!(host.take(&updates));
        // The second is overtaken; the first is of another account, the last was written after the halt.
        assert_eq!(names(&mut host), named(&[(0, "halt"), (1, "resume"), (0, "resume")]));
        assert!(!host.take(&updates), "each is taken once");
        assert_eq!(host.waiting().len(), 3);
    }

    #[test]
    fn numbers_that_begin_anew_are_heard() {
        let mut host = Host::new();
        host.take(&[written(900_000, "/resume account=main", -10)]);
        assert!(!host.take(&[written(899_999, "/halt", -11)]), "given again");
        assert!(host.take(&[written(7, "/halt account=main", 0)]));
        assert_eq!(names(&mut host), named(&[(0, "resume"), (0, "halt")]));
        assert_eq!(host.listener.place.next(), Some(8));
    }

    #[test]
    fn a_number_that_is_used_again_is_another_command() {
        let mut host = Host::new();
        host.take(&[written(7, "/resume account=main", -10)]);
        let mut again = written(7, "/halt account=main", 0);
        again.message.as_mut().unwrap().message_id = 8;
        assert!(host.take(&[again]));
        assert_eq!(names(&mut host), named(&[(0, "resume"), (0, "halt")]));
    }

    #[test]
    fn only_those_who_may_command_are_heard_and_the_audit_has_their_numbers() {
        let mut host = Host::new();
        host.take(&[
            in_chat(-43, 42, 1, "/halt account=main", 0),
            in_chat(666, 666, 2, "/halt account=main", 0),
            in_chat(-43, 70, 3, "/halt@other_bot account=main", 0),
            in_chat(-43, 70, 4, "/halt account=main", 0),
        ]);
        assert_eq!(host.waiting(), [(0, "telegram:70".to_owned(), "halt".to_owned())]);
    }

    #[test]
    fn what_makes_the_listener_fail_is_left_out_the_next_time() {
        let mut host = Host::new();
        let updates = [written(1, "/resume account=main", 0), written(2, "/resume account=other", 0)];
        host.listener.at_work = Some(1);
        assert!(host.take(&updates));
        assert_eq!(names(&mut host), named(&[(1, "resume")]));
    }

    #[test]
    fn a_message_that_is_like_none_keeps_nobody_from_reading_the_others() {
        let update: Update =
            serde_json::from_value(json!({"update_id": 1, "message": {"date": "x"}})).unwrap();
        assert!(update.message.is_none());
    }
}
