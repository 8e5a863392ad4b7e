//! What is commanded, carried out through the table of requests like every other command, once each.

use std::time::Instant;

use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::{Command, HaltAction, ManualOrder, StrategyMode};
use bulkhead_core::order::{Pricing, Side};
use bulkhead_store::clock::now;
use bulkhead_store::database::{Database, Options};
use bulkhead_store::journal::ShardId;
use bulkhead_store::storage::StoreError;

use crate::service::Commands;
use crate::telegram::asking::{Ask, Asked, Asker, amount, ask, asked_before, outcomes, wording};
use crate::telegram::conversation::{Person, Questions};
use crate::telegram::ordering::{HELP, Order, Trade, What};
use crate::telegram::standing;

/// What was written longer ago, while nobody listened, is not carried out: its moment has passed.
const STALE_AFTER: i64 = 300;

/// What is answered to what was written too long ago.
const TOO_LONG_AGO: &str = "That was written too long ago, and nobody was there to hear it. Nothing was done; write it \
                            again if you still want it.";

/// What is answered to a `/resume` before a `/halt`: whichever is carried out first, the halt stays.
const OVERTAKEN: &str =
    "Nothing was done: a /halt was written after that. Write /resume again if you want it.";

/// Carries out commands.
pub(crate) struct Dispatcher {
    requests: Commands,
    questions: Questions<Order>,
}

/// A command and what must be known of it.
pub(crate) struct Given<'a> {
    pub(crate) asker: &'a Asker,
    pub(crate) person: Person,
    /// When it was written, in seconds since 1970 UTC.
    pub(crate) written: i64,
    pub(crate) order: Order,
    /// Whether a halt of the same account was written after it and read with it.
    pub(crate) is_overtaken: bool,
}

impl Dispatcher {
    pub(crate) const fn new(requests: Commands) -> Self {
        Self { requests, questions: Questions::new() }
    }

    /// Leaves the requests of a halt, and waits for none. What goes wrong is said when the same is carried out: it is
    /// the same request then.
    pub(crate) fn halt(&self, asker: &Asker, order: &Order) {
        let _ = self.open().and_then(|mut database| self.ask(&mut database, asker, order));
    }

    /// Carries out a command, waiting until then for what becomes of all that it asks for. What to answer.
    pub(crate) fn carry_out(&mut self, given: Given<'_>, until: Instant) -> String {
        self.answer(given, until).unwrap_or_else(|problem| problem)
    }

    fn answer(&mut self, given: Given<'_>, until: Instant) -> Result<String, String> {
        let Given { asker, person: who, written, order, is_overtaken } = given;
        match order.what {
            What::Help => return Ok(HELP.to_owned()),
            What::No => {
                let question = self.questions.answer(who, Instant::now());
                return Ok(question.map_or("There is no question open.", |_| "Nothing was done.").to_owned());
            }
            _ => {}
        }
        let mut database = self.open()?;
        match order.what {
            What::Status => return self.told(&mut database, &order, standing::status),
            What::Positions => return self.told(&mut database, &order, standing::positions),
            What::Halt { .. } => {
                let asked = self.ask(&mut database, asker, &order)?;
                return Ok(outcomes(&mut database, asked, until).join("\n"));
            }
            _ => {}
        }
        // It may have been given before: what it asked for is with the host then, whatever is known of it here.
        let before = self.asked_before(&mut database, asker)?;
        let is_stale = seconds_since(written) > STALE_AFTER;
        let is_overtaken = is_overtaken && order.what == What::Resume;
        let is_single = matches!(order.what, What::Yes | What::Sell(_));
        if !before.is_empty() && (is_single || is_stale || is_overtaken) {
            if order.what == What::Yes {
                // It has answered the question already.
                self.questions.answer(who, Instant::now());
            }
            let mut lines = outcomes(&mut database, before, until);
            if !is_single {
                lines.push("Nothing else was done of what was asked for with that message.".to_owned());
            }
            return Ok(lines.join("\n"));
        }
        if is_stale {
            return Ok(TOO_LONG_AGO.to_owned());
        }
        if is_overtaken {
            return Ok(OVERTAKEN.to_owned());
        }
        let asked = match order.what {
            What::Buy(ref trade) => {
                let question = self.check(&mut database, &order, trade)?;
                self.questions.ask(who, order, Instant::now());
                return Ok(question);
            }
            What::Yes => match self.questions.answer(who, Instant::now()) {
                Some(order) => self.ask(&mut database, asker, &order)?,
                None => return Err("There is no question open; a question stands for a minute.".to_owned()),
            },
            _ => self.ask(&mut database, asker, &order)?,
        };
        // What was asked for then and would not be now, as it is sold already.
        let is_again = |old: &Asked| asked.iter().any(|new| new.request == old.request);
        let mut all: Vec<Asked> = before.into_iter().filter(|old| !is_again(old)).collect();
        all.extend(asked);
        if all.is_empty() {
            return Ok("There is no position.".to_owned());
        }
        Ok(outcomes(&mut database, all, until).join("\n"))
    }

    fn asked_before(&self, database: &mut Database, asker: &Asker) -> Result<Vec<Asked>, String> {
        let unknown = |error| {
            format!(
                "The database can't be read, so that it is not known whether this was done before; it was not done \
                 now: {error}"
            )
        };
        let accounts = self.known(database).map_err(unknown)?;
        asked_before(database, &asker.key, &accounts).map_err(unknown)
    }

    fn told(
        &self,
        database: &mut Database,
        order: &Order,
        tell: impl Fn(&mut Database, &str, ShardId) -> Result<String, StoreError>,
    ) -> Result<String, String> {
        let accounts = self.accounts(database, order)?;
        let tell = |(account, shard): &(String, ShardId)| {
            tell(database, account, *shard)
                .unwrap_or_else(|error| format!("{account}: the database can't be read: {error}"))
        };
        let lines: Vec<String> = accounts.iter().map(tell).collect();
        Ok(lines.join("\n"))
    }

    /// Whether it can be asked for at all, and the question that is asked back.
    fn check(&self, database: &mut Database, order: &Order, trade: &Trade) -> Result<String, String> {
        let accounts = self.accounts(database, order)?;
        let (account, shard) = only(&accounts)?;
        instrument(database, shard, trade)?;
        Ok(format!(
            "Buy {} {} in the books of {} ({account}) at the market? Answer yes within a minute.",
            amount(trade.amount),
            trade.instrument,
            trade.strategy
        ))
    }

    /// Leaves the requests that a command amounts to, and waits for none of them.
    fn ask(&self, database: &mut Database, asker: &Asker, order: &Order) -> Result<Vec<Asked>, String> {
        let accounts = self.accounts(database, order)?;
        let of_each = |command: &Command| {
            let ask = |(account, shard): &(String, ShardId)| Ask {
                shard: *shard,
                of: Some(account.clone()),
                wording: wording(account, command, |id| id.to_string()),
                command: command.clone(),
            };
            accounts.iter().map(ask).collect()
        };
        let (asks, mut unreadable) = match &order.what {
            What::Halt { reason } => {
                let action = HaltAction::StopEntries;
                (of_each(&Command::Halt { reason: reason.clone(), action }), Vec::new())
            }
            What::Resume => (of_each(&Command::Resume {}), Vec::new()),
            What::Buy(trade) => (vec![order_of(database, &accounts, Side::Buy, trade)?], Vec::new()),
            What::Sell(trade) => (vec![order_of(database, &accounts, Side::Sell, trade)?], Vec::new()),
            What::SellEverything => sales(database, &accounts),
            What::Help | What::Status | What::Positions | What::Yes | What::No => (Vec::new(), Vec::new()),
        };
        let asked = ask(database, asker, asks);
        if asked.iter().any(|asked| asked.request.is_ok()) {
            (self.requests.poke)();
        }
        unreadable.extend(asked);
        Ok(unreadable)
    }

    fn open(&self) -> Result<Database, String> {
        Database::open(&self.requests.database, Options::reader()).map_err(unreadable)
    }

    /// The accounts that the host runs.
    fn known(&self, database: &mut Database) -> Result<Vec<(String, ShardId)>, StoreError> {
        let known = database.account_names()?.into_iter();
        let known = known.filter(|row| self.requests.accounts.contains(&row.name));
        Ok(known.map(|row| (row.name, row.shard)).collect())
    }

    /// The accounts that are meant: the one that is named, or all that the host runs.
    fn accounts(&self, database: &mut Database, order: &Order) -> Result<Vec<(String, ShardId)>, String> {
        let mut accounts = self.known(database).map_err(unreadable)?;
        accounts.retain(|(name, _)| order.account.as_ref().is_none_or(|account| account == name));
        if accounts.is_empty() {
            let names = self.requests.accounts.join(", ");
            return Err(match &order.account {
                Some(account) => format!("There is no account \"{account}\"; there are: {names}"),
                None => "There is no account yet.".to_owned(),
            });
        }
        Ok(accounts)
    }
}

fn seconds_since(date: i64) -> i64 {
    (now().nanos() / 1_000_000_000).saturating_sub(date)
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

fn order_of(
    database: &mut Database,
    accounts: &[(String, ShardId)],
    side: Side,
    trade: &Trade,
) -> Result<Ask, String> {
    let (account, shard) = only(accounts)?;
    let instrument = instrument(database, shard, trade)?;
    let command = Command::PlaceOrder(Box::new(ManualOrder {
        slot: trade.strategy.clone(),
        instrument,
        side,
        amount: trade.amount,
        pricing: Pricing::Market,
        exits: None,
    }));
    let wording = wording(account, &command, |_| trade.instrument.clone());
    Ok(Ask { shard, of: None, command, wording })
}

/// A sale of each position, and which accounts could not be read.
fn sales(database: &mut Database, accounts: &[(String, ShardId)]) -> (Vec<Ask>, Vec<Asked>) {
    let (mut asks, mut problems) = (Vec::new(), Vec::new());
    for (account, shard) in accounts {
        match sales_of(database, account, *shard) {
            Ok(sales) => asks.extend(sales),
            Err(error) => problems.push(Asked {
                wording: wording(account, &Command::Resume {}, |id| id.to_string()),
                request: Err(format!(
                    "its positions can't be read, nothing was asked of the host for it: {error}"
                )),
            }),
        }
    }
    (asks, problems)
}

fn sales_of(database: &mut Database, account: &str, shard: ShardId) -> Result<Vec<Ask>, StoreError> {
    let slots = database.slots(shard)?;
    let instruments = database.instruments(shard)?;
    let mut asks = Vec::new();
    for position in database.positions(shard)? {
        let slot = slots.iter().find(|slot| slot.strategy == position.strategy);
        let Some(slot) = slot.filter(|slot| slot.mode != StrategyMode::Shadow) else { continue };
        let symbol = instruments.iter().find(|row| row.instrument == position.instrument);
        let symbol = symbol.map_or_else(|| position.instrument.to_string(), |row| row.symbol.clone());
        let command = Command::Close { slot: slot.name.clone(), instrument: position.instrument };
        let of = Some(format!("{account}:{}:{symbol}", slot.name));
        let wording = wording(account, &command, |_| symbol.clone());
        asks.push(Ask { shard, of, command, wording });
    }
    Ok(asks)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bulkhead_core::input::ManualAmount;
    use bulkhead_store::journal::Sequence;
    use bulkhead_store::storage::{AnsweredRequest, Group, Outcome, Storage as _};

    use super::*;
    use crate::telegram::ordering::read;

    struct Host {
        _directory: tempfile::TempDir,
        database: Database,
        dispatcher: Dispatcher,
    }

    impl Host {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let url: bulkhead_store::database::DatabaseUrl =
                format!("sqlite:{}", directory.path().join("a.db").display()).parse().unwrap();
            let mut database = Database::open(&url, Options::writer().migrating()).unwrap();
            let accounts = vec!["main".to_owned(), "other".to_owned()];
            database.register_accounts(&accounts).unwrap();
            let dispatcher = Dispatcher::new(Commands { database: url, accounts, poke: Arc::new(|| ()) });
            Self { _directory: directory, database, dispatcher }
        }

        fn given(&mut self, text: &str, message: i64, age: i64) -> String {
            let asker = asker(message);
            let order = read(text, None).unwrap().unwrap();
            let written = seconds_since(0) - age;
            let given = Given { asker: &asker, person: (42, 42), written, order, is_overtaken: false };
            self.dispatcher.carry_out(given, Instant::now())
        }

        fn waiting(&mut self) -> usize {
            self.database.waiting_requests().unwrap().len()
        }

        /// An order was placed by this message, and the host was cut off before it had answered.
        fn placed(&mut self, message: i64) {
            let command = Command::PlaceOrder(Box::new(ManualOrder {
                slot: "breakout".to_owned(),
                instrument: InstrumentId(0),
                side: Side::Sell,
                amount: ManualAmount::All,
                pricing: Pricing::Market,
                exits: None,
            }));
            let command = serde_json::to_string(&command).unwrap();
            let asker = asker(message);
            let id = self.database.request(ShardId(0), &asker.actor, &command, Some(&asker.key)).unwrap();
            let answered = vec![AnsweredRequest { id, outcome: Outcome::Applied { sequence: Sequence(7) } }];
            self.database.commit(&Group { answered, ..Group::default() }).unwrap();
        }
    }

    fn asker(message: i64) -> Asker {
        Asker { actor: "telegram:42".to_owned(), key: format!("telegram:1:42:{message}") }
    }

    #[test]
    fn what_was_done_before_the_host_was_cut_off_is_told_when_it_is_given_again() {
        let mut host = Host::new();
        host.placed(9);
        for (text, age) in [("yes", 0), ("yes", 3_600), ("/sell breakout A-USD all", 3_600)] {
            let answer = host.given(text, 9, age);
            assert!(
                answer.contains("the order to sell all") && answer.contains("(input 7)"),
                "{text}: {answer}"
            );
        }
        assert!(host.given("yes", 10, 0).contains("no question open"));
        assert!(host.given("yes", 10, 3_600).contains("Nothing was done"));
        assert_eq!(host.waiting(), 0, "nothing is asked for again");
    }

    #[test]
    fn a_command_for_all_that_was_cut_off_half_way_is_finished_while_it_is_fresh() {
        let mut host = Host::new();
        let resume = serde_json::to_string(&Command::Resume {}).unwrap();
        for message in [9, 10] {
            let Asker { actor, key } = asker(message);
            let key = format!("{key}:main");
            host.database.request(ShardId(0), &actor, &resume, Some(&key)).unwrap();
        }
        let stale = host.given("/resume", 9, 3_600);
        assert!(stale.contains("main: trading") && stale.contains("Nothing else was done"), "{stale}");
        assert_eq!(host.waiting(), 2);
        let fresh = host.given("/resume", 10, 0);
        assert!(fresh.contains("main: trading") && fresh.contains("other: trading"), "{fresh}");
        assert_eq!(host.waiting(), 3);
    }

    #[test]
    fn nothing_is_said_to_be_undone_when_that_is_not_known() {
        let mut host = Host::new();
        host.dispatcher.requests.database = "sqlite:/nowhere/at/all.db".parse().unwrap();
        for (text, age) in [("yes", 0), ("/resume", 3_600)] {
            let answer = host.given(text, 9, age);
            assert!(answer.contains("can't be read") && !answer.contains("Nothing was done"), "{answer}");
        }
    }
}
