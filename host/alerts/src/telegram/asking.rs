//! What is asked of the host: requests in the database, and what became of them, a line for each. A failure at one keeps
//! no other from being asked for.

use std::time::Instant;

use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::{Command, ManualAmount};
use bulkhead_store::database::{Database, KeyedRequest};
use bulkhead_store::journal::ShardId;
use bulkhead_store::storage::{Outcome, StoreError};

use crate::text::quantity;

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    /// How the audit names him.
    pub(crate) actor: String,
    /// What tells his message apart from all others.
    pub(crate) key: String,
}

/// Something to ask of an account.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) shard: ShardId,
    /// Tells apart what one message asks for more than once.
    pub(crate) of: Option<String>,
    pub(crate) command: Command,
    pub(crate) wording: Wording,
}

/// What a request is about, and what has happened once it is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wording {
    pub(crate) subject: String,
    pub(crate) done: &'static str,
}

/// Something that was asked: the request's number, or why there is none.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) wording: Wording,
    pub(crate) request: Result<i64, String>,
}

/// Leaves a request for each; waits for none.
pub(crate) fn ask(database: &mut Database, asker: &Asker, asks: Vec<Ask>) -> Vec<Asked> {
    let mut asked = Vec::new();
    for ask in asks {
        let request = leave(database, asker, &ask);
        asked.push(Asked { wording: ask.wording, request });
    }
    asked
}

fn leave(database: &mut Database, asker: &Asker, ask: &Ask) -> Result<i64, String> {
    let key = match &ask.of {
        Some(of) => format!("{}:{of}", asker.key),
        None => asker.key.clone(),
    };
    let json = serde_json::to_string(&ask.command)
        .map_err(|error| format!("the command can't be written, nothing was asked of the host: {error}"))?;
    let error = match database.request(ask.shard, &asker.actor, &json, Some(&key)) {
        // The same message may have been understood in another way before, as instruments and accounts change.
        Ok(request) | Err(StoreError::KeyReused { id: request, .. }) => return Ok(request),
        Err(error) => error,
    };
    // What failed may have been the answer alone.
    match database.requests_with_key(&key).as_deref() {
        Ok([found, ..]) => Ok(found.id),
        Ok([]) => Err(format!("nothing was asked of the host: {error}")),
        Err(_) => Err(format!(
            "it is not known whether this was asked of the host, look at /status before you write it again: {error}"
        )),
    }
}

/// What a message asked for when it was given before.
pub(crate) fn asked_before(
    database: &mut Database,
    key: &str,
    accounts: &[(String, ShardId)],
) -> Result<Vec<Asked>, StoreError> {
    let mut asked = Vec::new();
    for KeyedRequest { id, shard, command } in database.requests_with_key(key)? {
        let account = accounts.iter().find(|(_, known)| *known == shard);
        let account = account.map_or("another account", |(name, _)| name);
        let wording = match serde_json::from_str(&command) {
            Ok(command) => {
                let instruments = database.instruments(shard)?;
                let symbol = |id: InstrumentId| {
                    let row = instruments.iter().find(|row| row.instrument == id);
                    row.map_or_else(|| id.to_string(), |row| row.symbol.clone())
                };
                wording(account, &command, symbol)
            }
            Err(_) => other(account),
        };
        asked.push(Asked { wording, request: Ok(id) });
    }
    Ok(asked)
}

/// How a command is spoken of.
pub(crate) fn wording(account: &str, command: &Command, symbol: impl Fn(InstrumentId) -> String) -> Wording {
    let (subject, done) = match command {
        Command::Halt { .. } => (format!("{account}: trading"), "is halted"),
        Command::Resume {} => (format!("{account}: trading"), "is resumed"),
        Command::PlaceOrder(order) => {
            let (side, amount, symbol) = (order.side.name(), amount(order.amount), symbol(order.instrument));
            (format!("{account}: the order to {side} {amount} {symbol}"), "is placed")
        }
        Command::Close { slot, instrument } => {
            (format!("{account}: {} of {slot}", symbol(*instrument)), "is being sold")
        }
        _ => return other(account),
    };
    Wording { subject, done }
}

fn other(account: &str) -> Wording {
    Wording { subject: format!("{account}: what was asked for"), done: "is done" }
}

/// An amount as it is written in a command.
pub(crate) fn amount(amount: ManualAmount) -> String {
    match amount {
        ManualAmount::Quantity(units) => quantity(units),
        ManualAmount::Notional(value) => format!("${}", value.0.normalize()),
        ManualAmount::All => "all".to_owned(),
    }
}

/// What became of everything, waiting for all of it together until then.
pub(crate) fn outcomes(database: &mut Database, asked: Vec<Asked>, until: Instant) -> Vec<String> {
    let mut lines = Vec::new();
    for Asked { wording: Wording { subject, done }, request } in asked {
        let id = match request {
            Ok(id) => id,
            Err(why) => {
                lines.push(format!("{subject}: {why}"));
                continue;
            }
        };
        let left = until.saturating_duration_since(Instant::now());
        lines.push(match database.await_outcome(id, left) {
            Ok(Some(Outcome::Applied { sequence })) => format!("{subject} {done} (input {})", sequence.0),
            Ok(Some(Outcome::Refused { reason, .. })) => format!("{subject}: refused: {reason}"),
            Ok(None) => format!(
                "{subject}: request {id} waits: the host has not carried it out yet. It does so as soon as it can."
            ),
            Err(error) => format!(
                "{subject}: request {id} was left for the host; what became of it can't be read: {error}"
            ),
        });
    }
    lines
}

#[cfg(test)]
mod tests {
    use bulkhead_store::database::Options;
    use bulkhead_store::journal::Sequence;
    use bulkhead_store::storage::{AnsweredRequest, Group, Storage as _};

    use super::*;

    fn asked(subject: &str, request: Result<i64, &str>) -> Asked {
        let wording = Wording { subject: subject.to_owned(), done: "is halted" };
        Asked { wording, request: request.map_err(str::to_owned) }
    }

    #[test]
    fn each_has_its_line_and_none_hides_another() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("a.db").display()).parse().unwrap();
        let mut database = Database::open(&url, Options::writer().migrating()).unwrap();
        let mut left = || database.request(ShardId(0), "ann", "{}", None).unwrap();
        let (applied, refused) = (left(), left());
        let waiting: Vec<i64> = std::iter::repeat_with(left).take(3).collect();
        let answered = vec![
            AnsweredRequest { id: applied, outcome: Outcome::Applied { sequence: Sequence(7) } },
            AnsweredRequest {
                id: refused,
                outcome: Outcome::Refused { sequence: None, reason: "no".to_owned() },
            },
        ];
        database.commit(&Group { answered, ..Group::default() }).unwrap();
        let mut all = vec![
            asked("a: trading", Err("nothing was asked of the host: no room")),
            asked("b: trading", Ok(applied)),
            asked("c: trading", Ok(refused)),
        ];
        all.extend(waiting.iter().map(|id| asked("d: trading", Ok(*id))));
        let lines = outcomes(&mut database, all, Instant::now());
        assert_eq!(
            lines[..3],
            [
                "a: trading: nothing was asked of the host: no room",
                "b: trading is halted (input 7)",
                "c: trading: refused: no",
            ]
        );
        assert_eq!(lines.len(), 6);
        assert!(lines[3..].iter().all(|line| line.contains("waits")), "{lines:?}");
    }
}
