//! Commands from Telegram: from chats that are allowed, through the table of requests like every other, once each.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::{Command, HaltAction, ManualAmount, ManualOrder, StrategyMode};
use bulkhead_core::order::{Pricing, Side};
use bulkhead_store::database::{Database, Options};
use bulkhead_store::journal::ShardId;
use bulkhead_store::storage::{Outcome, StoreError};

use crate::http::Failure;
use crate::service::Commands;
use crate::settings::TelegramSettings;
use crate::telegram::bot::{Bot, Message, Update, User};
use crate::telegram::conversation::{Asked, Questions};
use crate::telegram::ordering::{HELP, Order, Trade, What, read};
use crate::telegram::place::Place;
use crate::telegram::wording::{escaped, fitting};
use crate::text::{money, price, quantity, second};

/// How long the server is asked to wait for something to happen.
const POLL: Duration = Duration::from_secs(25);

/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long a host may take to carry something out before that is said.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was written longer ago, while nobody listened, is not carried out: its moment has passed.
const STALE_AFTER: i64 = 300;

/// Chats that are not allowed and were logged, at most.
const MOST_STRANGERS: usize = 1_000;

/// Longest answer, in UTF-16 units.
const LONGEST_ANSWER: usize = 4_000;

/// Takes commands.
pub(crate) struct Listener {
    bot: Bot,
    chats: Vec<i64>,
    place: Place,
    requests: Commands,
    questions: Questions<(i64, Order)>,
    strangers: BTreeSet<i64>,
}

/// Who asked for something, and under which number.
struct From {
    update: i64,
    actor: String,
}

impl Listener {
    pub(crate) fn new(settings: &TelegramSettings, requests: Commands) -> Self {
        Self {
            bot: Bot::new(&settings.url, settings.token.clone()),
            chats: settings.chats.clone(),
            place: Place::read(&settings.state),
            requests,
            questions: Questions::new(),
            strangers: BTreeSet::new(),
        }
    }

    /// Listens until the process ends.
    pub(crate) fn listen(mut self) {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_secs(1))
            .with_max_delay(LONGEST_PAUSE)
            .with_jitter()
            .without_max_times();
        let mut after_failure = pauses.build();
        let mut is_failing = false;
        loop {
            match self.bot.updates(self.place.next(), POLL) {
                Ok(updates) => {
                    if is_failing {
                        tracing::info!("commands from Telegram are taken again");
                        (is_failing, after_failure) = (false, pauses.build());
                    }
                    for update in updates {
                        self.take(&update);
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

    fn take(&mut self, update: &Update) {
        if self.place.is_past(update.update_id) {
            return;
        }
        if let Some(message) = &update.message {
            self.hear(update.update_id, message);
        }
        // Only now: a command that was cut off is carried out after the restart, and its key keeps it from being
        // carried out twice.
        if let Err(error) = self.place.move_past(update.update_id) {
            tracing::error!(%error, "it can't be kept which commands from Telegram were seen");
        }
    }

    fn hear(&mut self, update: i64, message: &Message) {
        let chat = message.chat.id;
        if !self.chats.contains(&chat) {
            if self.strangers.len() < MOST_STRANGERS && self.strangers.insert(chat) {
                tracing::warn!(chat, "a Telegram chat that is not in alerts.telegram.chats was ignored");
            }
            return;
        }
        let (Some(text), Some(user)) = (&message.text, &message.from) else { return };
        let Some(order) = read(text) else { return };
        let from = From { update, actor: actor(user) };
        let answer = match order {
            Ok(order) => {
                tracing::info!(actor = from.actor, update, command = ?order.what, "a command from Telegram");
                self.carry_out((chat, user.id), &from, order, message.date)
            }
            Err(problem) => problem,
        };
        if let Err(failure) = self.bot.say(chat, &escaped(&fitting(&answer, LONGEST_ANSWER))) {
            tracing::warn!(why = failure.why(), "a command from Telegram could not be answered");
        }
    }

    fn carry_out(&mut self, who: Asked, from: &From, order: Order, date: i64) -> String {
        let is_harmless =
            matches!(order.what, What::Help | What::Status | What::Positions | What::Halt { .. });
        if !is_harmless && seconds_since(date) > STALE_AFTER {
            return "That was written too long ago, and nobody was there to hear it. Nothing was done; write it \
                    again if you still want it."
                .to_owned();
        }
        let now = Instant::now();
        match order.what {
            What::Help => HELP.to_owned(),
            What::No => match self.questions.answer(who, now) {
                Some(_) => "Nothing was done.".to_owned(),
                None => "There is no question open.".to_owned(),
            },
            What::Yes => match self.questions.answer(who, now) {
                // Under the number of what was asked for, so that it happens once however often it is confirmed.
                Some((update, order)) => self.ask_host(&From { update, actor: from.actor.clone() }, &order),
                None => "There is no question open; a question stands for a minute.".to_owned(),
            },
            What::Buy(ref trade) => match self.check(&order, trade) {
                Ok(question) => {
                    self.questions.ask(who, (from.update, order), now);
                    question
                }
                Err(problem) => problem,
            },
            _ => self.ask_host(from, &order),
        }
    }

    /// Whether it can be asked for at all, and the question that is asked back.
    fn check(&self, order: &Order, trade: &Trade) -> Result<String, String> {
        let mut database = self.open()?;
        let accounts = self.accounts(&mut database, order)?;
        let (account, shard) = only(&accounts)?;
        instrument(&mut database, shard, trade)?;
        Ok(format!(
            "Buy {} {} in the books of {} ({account}) at the market? Answer yes within a minute.",
            amount(trade.amount),
            trade.instrument,
            trade.strategy
        ))
    }

    fn ask_host(&self, from: &From, order: &Order) -> String {
        self.answer(from, order).unwrap_or_else(|problem| problem)
    }

    fn answer(&self, from: &From, order: &Order) -> Result<String, String> {
        let mut database = self.open()?;
        let accounts = self.accounts(&mut database, order)?;
        let mut lines = Vec::new();
        match &order.what {
            What::Status => {
                for (account, shard) in &accounts {
                    lines.push(status(&mut database, account, *shard).map_err(unreadable)?);
                }
            }
            What::Positions => {
                for (account, shard) in &accounts {
                    lines.push(positions(&mut database, account, *shard).map_err(unreadable)?);
                }
            }
            What::Halt { reason } => {
                let command = Command::Halt { reason: reason.clone(), action: HaltAction::StopEntries };
                lines = self.request_of_all(&mut database, from, &accounts, &command, "trading is halted")?;
            }
            What::Resume => {
                lines = self.request_of_all(
                    &mut database,
                    from,
                    &accounts,
                    &Command::Resume {},
                    "trading is resumed",
                )?;
            }
            What::Buy(trade) => lines.push(self.trade(&mut database, from, &accounts, Side::Buy, trade)?),
            What::Sell(trade) => lines.push(self.trade(&mut database, from, &accounts, Side::Sell, trade)?),
            What::SellEverything => lines = self.sell_everything(&mut database, from, &accounts)?,
            What::Help | What::Yes | What::No => {}
        }
        Ok(lines.join("\n"))
    }

    fn trade(
        &self,
        database: &mut Database,
        from: &From,
        accounts: &[(String, ShardId)],
        side: Side,
        trade: &Trade,
    ) -> Result<String, String> {
        let (account, shard) = only(accounts)?;
        let instrument = instrument(database, shard, trade)?;
        let order = ManualOrder {
            slot: trade.strategy.clone(),
            instrument,
            side,
            amount: trade.amount,
            pricing: Pricing::Market,
            exits: None,
        };
        let command = Command::PlaceOrder(Box::new(order));
        let request = self.request(database, from, shard, None, &command)?;
        let done = format!(
            "{account}: the order to {} {} {} is placed",
            side.name(),
            amount(trade.amount),
            trade.instrument
        );
        self.outcome(database, request, &done)
    }

    /// Leaves the same request to each account, and only then waits for what becomes of them.
    fn request_of_all(
        &self,
        database: &mut Database,
        from: &From,
        accounts: &[(String, ShardId)],
        command: &Command,
        done: &str,
    ) -> Result<Vec<String>, String> {
        let mut requests = Vec::new();
        for (account, shard) in accounts {
            let of = (accounts.len() > 1).then(|| account.clone());
            requests.push((account, self.request(database, from, *shard, of, command)?));
        }
        requests
            .into_iter()
            .map(|(account, request)| self.outcome(database, request, &format!("{account}: {done}")))
            .collect()
    }

    fn sell_everything(
        &self,
        database: &mut Database,
        from: &From,
        accounts: &[(String, ShardId)],
    ) -> Result<Vec<String>, String> {
        let mut requests = Vec::new();
        for (account, shard) in accounts {
            let slots = database.slots(*shard).map_err(unreadable)?;
            let instruments = database.instruments(*shard).map_err(unreadable)?;
            for position in database.positions(*shard).map_err(unreadable)? {
                let Some(slot) = slots.iter().find(|slot| slot.strategy == position.strategy) else {
                    continue;
                };
                if slot.mode == StrategyMode::Shadow {
                    continue;
                }
                let symbol = instruments.iter().find(|row| row.instrument == position.instrument);
                let symbol = symbol.map_or_else(|| position.instrument.to_string(), |row| row.symbol.clone());
                let command = Command::Close { slot: slot.name.clone(), instrument: position.instrument };
                let of = format!("{account}:{}:{symbol}", slot.name);
                let done = format!("{account}: {symbol} of {} is being sold", slot.name);
                requests.push((self.request(database, from, *shard, Some(of), &command)?, done));
            }
        }
        if requests.is_empty() {
            return Ok(vec!["There is no position.".to_owned()]);
        }
        requests.into_iter().map(|(request, done)| self.outcome(database, request, &done)).collect()
    }

    fn open(&self) -> Result<Database, String> {
        Database::open(&self.requests.database, Options::reader()).map_err(unreadable)
    }

    /// The accounts that are meant: the one that is named, or all that the host runs.
    fn accounts(&self, database: &mut Database, order: &Order) -> Result<Vec<(String, ShardId)>, String> {
        let known = database.account_names().map_err(unreadable)?;
        let is_meant = |name: &str| order.account.as_ref().is_none_or(|account| account == name);
        let accounts: Vec<_> = known
            .into_iter()
            .filter(|row| self.requests.accounts.contains(&row.name) && is_meant(&row.name))
            .map(|row| (row.name, row.shard))
            .collect();
        if accounts.is_empty() {
            let names = self.requests.accounts.join(", ");
            return Err(match &order.account {
                Some(account) => format!("There is no account \"{account}\"; there are: {names}"),
                None => "There is no account yet.".to_owned(),
            });
        }
        Ok(accounts)
    }

    /// Leaves a request for the host. `of` tells apart what one message asks for more than once.
    fn request(
        &self,
        database: &mut Database,
        from: &From,
        shard: ShardId,
        of: Option<String>,
        command: &Command,
    ) -> Result<i64, String> {
        let key = match of {
            Some(of) => format!("telegram:{}:{of}", from.update),
            None => format!("telegram:{}", from.update),
        };
        let json = serde_json::to_string(command)
            .map_err(|error| format!("The command can't be written: {error}"))?;
        let request = database.request(shard, &from.actor, &json, Some(&key));
        let request = request.map_err(|error| format!("Nothing was asked of the host: {error}"))?;
        (self.requests.poke)();
        Ok(request)
    }

    fn outcome(&self, database: &mut Database, request: i64, done: &str) -> Result<String, String> {
        match database.await_outcome(request, PATIENCE).map_err(unreadable)? {
            Some(Outcome::Applied { sequence }) => Ok(format!("{done} (input {})", sequence.0)),
            Some(Outcome::Refused { reason, .. }) => Ok(format!("Refused: {reason}")),
            None => Ok(format!(
                "Request {request} waits: the host has not carried it out yet. It does so as soon as it can."
            )),
        }
    }
}

/// How the audit names who asked.
fn actor(user: &User) -> String {
    match &user.username {
        Some(name) => format!("telegram:{name}"),
        None => format!("telegram:{}", user.id),
    }
}

fn seconds_since(date: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(date)
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where errors are mapped")]
fn unreadable(error: StoreError) -> String {
    format!("The database can't be read: {error}")
}

fn only(accounts: &[(String, ShardId)]) -> Result<(&str, ShardId), String> {
    match accounts {
        [(name, shard)] => Ok((name, *shard)),
        _ => {
            let names: Vec<&str> = accounts.iter().map(|(name, _)| name.as_str()).collect();
            Err(format!("Say for which account, with account=NAME: {}", names.join(", ")))
        }
    }
}

/// The instrument, if account and strategy are there too.
fn instrument(database: &mut Database, shard: ShardId, trade: &Trade) -> Result<InstrumentId, String> {
    let slots: Vec<String> =
        database.slots(shard).map_err(unreadable)?.into_iter().map(|row| row.name).collect();
    if !slots.contains(&trade.strategy) {
        return Err(format!("There is no strategy \"{}\"; there are: {}", trade.strategy, slots.join(", ")));
    }
    let instruments = database.instruments(shard).map_err(unreadable)?;
    match instruments.iter().find(|row| row.symbol == trade.instrument) {
        Some(row) => Ok(row.instrument),
        None => {
            let symbols: Vec<String> = instruments.into_iter().map(|row| row.symbol).collect();
            Err(format!("There is no instrument \"{}\"; there are: {}", trade.instrument, symbols.join(", ")))
        }
    }
}

fn amount(amount: ManualAmount) -> String {
    match amount {
        ManualAmount::Quantity(units) => quantity(units),
        ManualAmount::Notional(value) => format!("${}", value.0.normalize()),
        ManualAmount::All => "all".to_owned(),
    }
}

fn status(database: &mut Database, account: &str, shard: ShardId) -> Result<String, StoreError> {
    let Some(row) = database.account(shard)? else {
        return Ok(format!("{account}: nothing has happened yet"));
    };
    let state = row.halted.map_or_else(|| "trading".to_owned(), |why| format!("HALTED: {why}"));
    let slots = database.slots(shard)?;
    let open = database.positions(shard)?;
    let is_real =
        |strategy| slots.iter().any(|slot| slot.strategy == strategy && slot.mode != StrategyMode::Shadow);
    let open = open.iter().filter(|position| is_real(position.strategy)).count();
    let mut lines = vec![
        format!("{account}: {state}"),
        format!(
            "equity {}, cash {}, realised {}, fees {}, {open} open positions",
            money(row.equity),
            money(row.cash),
            money(row.realised),
            money(row.fees)
        ),
    ];
    for slot in slots {
        let weight = crate::text::percent(slot.weight);
        lines.push(format!("  {}: {}, {}, weight {weight}", slot.name, slot.mode.name(), slot.status));
    }
    lines.push(format!("at {}, input {}", second(row.time), row.sequence.0));
    Ok(lines.join("\n"))
}

fn positions(database: &mut Database, account: &str, shard: ShardId) -> Result<String, StoreError> {
    let slots = database.slots(shard)?;
    let instruments = database.instruments(shard)?;
    let mut lines = vec![format!("{account}:")];
    for position in database.positions(shard)? {
        let slot = slots.iter().find(|slot| slot.strategy == position.strategy);
        let strategy = slot.map_or_else(|| position.strategy.to_string(), |slot| slot.name.clone());
        let shadow =
            if slot.is_some_and(|slot| slot.mode == StrategyMode::Shadow) { " (shadow)" } else { "" };
        let symbol = instruments.iter().find(|row| row.instrument == position.instrument);
        let symbol = symbol.map_or_else(|| position.instrument.to_string(), |row| row.symbol.clone());
        let entry = position.cost.per_unit(position.quantity).map(price).unwrap_or_default();
        let (held, cost) = (quantity(position.quantity), money(position.cost));
        lines.push(format!("  {held} {symbol} of {strategy}{shadow}, bought at {entry} for {cost}"));
    }
    if lines.len() == 1 {
        lines.push("  nothing is held".to_owned());
    }
    Ok(lines.join("\n"))
}
