//! `bulkhead order`, `close` and `cancel`: trading by hand, through the database like every request, and through
//! the risk gate like every order.

use anyhow::{Context as _, Result, bail};
use bulkhead_core::identifier::{InstrumentId, OrderId};
use bulkhead_core::input::{Command, ManualAmount, ManualOrder};
use bulkhead_core::money::{Money, Price, Quantity};
use bulkhead_core::order::{Pricing, Side};
use bulkhead_store::database::{Database, DatabaseUrl, Options};
use bulkhead_store::journal::{Sequence, ShardId};
use bulkhead_store::read_models::{OrderFilter, OrderRow};
use bulkhead_store::storage::Outcome;
use serde_json::{Value, json};

use crate::arguments::{
    AmountToBuy, AmountToSell, CancelArguments, CloseArguments, OrderCommand, RequestArguments,
};
use crate::operate::{PATIENCE, operator};
use crate::shard::{self, database_url};
use crate::{arguments, configuration};

/// An order by hand is among so many of the newest orders when it is looked for.
const NEWEST: usize = 100;

/// Buys or sells.
pub(crate) fn order(command: &OrderCommand) -> Result<()> {
    let (side, place, amount, limit, request) = match command {
        OrderCommand::Buy { place, amount, limit, request } => {
            let amount = match amount {
                AmountToBuy { quantity: Some(quantity), .. } => ManualAmount::Quantity(Quantity(*quantity)),
                AmountToBuy { notional, .. } => ManualAmount::Notional(Money(notional.unwrap_or_default())),
            };
            (Side::Buy, place, amount, limit, request)
        }
        OrderCommand::Sell { place, amount, limit, request } => {
            let amount = match amount {
                AmountToSell { quantity: Some(quantity), .. } => ManualAmount::Quantity(Quantity(*quantity)),
                AmountToSell { notional: Some(notional), .. } => ManualAmount::Notional(Money(*notional)),
                AmountToSell { .. } => ManualAmount::All,
            };
            (Side::Sell, place, amount, limit, request)
        }
    };
    let mut asking = Asking::of(request)?;
    let (slot, instrument) = asking.place(place)?;
    let pricing = limit.map_or(Pricing::Market, |limit| Pricing::Limit(Price(limit)));
    let order = ManualOrder { slot, instrument, side, amount, pricing, exits: None };
    asking.ask(&Command::PlaceOrder(Box::new(order)), "the order is placed")
}

/// Sells a position whole.
pub(crate) fn close(arguments: &CloseArguments) -> Result<()> {
    let mut asking = Asking::of(&arguments.request)?;
    let (slot, instrument) = asking.place(&arguments.place)?;
    asking.ask(&Command::Close { slot, instrument }, "the position is being closed")
}

/// Takes a working order back.
pub(crate) fn cancel(arguments: &CancelArguments) -> Result<()> {
    let command = Command::CancelOrder { order: OrderId(arguments.order) };
    Asking::of(&arguments.request)?.ask(&command, "the order is taken back")
}

/// One account, of which something is asked.
pub(crate) struct Asking<'a> {
    request: &'a RequestArguments,
    url: DatabaseUrl,
    database: Database,
    shard: ShardId,
}

impl<'a> Asking<'a> {
    pub(crate) fn of(request: &'a RequestArguments) -> Result<Self> {
        let configuration = configuration::layers(&request.configuration, None)?.read()?;
        let url = database_url(&configuration)?;
        let mut database = Database::open(&url, Options::reader())?;
        let shard = shard::find(&mut database, request.account.as_deref())?;
        Ok(Self { request, url, database, shard })
    }

    /// The strategy and the instrument as the account knows them.
    fn place(&mut self, place: &arguments::Place) -> Result<(String, InstrumentId)> {
        let slots: Vec<String> = self.database.slots(self.shard)?.into_iter().map(|row| row.name).collect();
        if !slots.contains(&place.strategy) {
            bail!("the account has no strategy \"{}\"; it has: {}", place.strategy, named(&slots));
        }
        let instruments = self.database.instruments(self.shard)?;
        let found = instruments.iter().find(|row| row.symbol == place.instrument);
        let Some(found) = found else {
            let symbols: Vec<String> = instruments.into_iter().map(|row| row.symbol).collect();
            bail!("the account has no instrument \"{}\"; it has: {}", place.instrument, named(&symbols));
        };
        Ok((place.strategy.clone(), found.instrument))
    }

    /// Leaves the request, waits for what becomes of it and says so.
    pub(crate) fn ask(&mut self, command: &Command, done: &str) -> Result<()> {
        let json = serde_json::to_string(command)?;
        let request = self.database.request(self.shard, &operator(), &json, None)?;
        let patience = if self.request.no_wait { std::time::Duration::ZERO } else { PATIENCE };
        let outcome = self.database.await_outcome(request, patience)?;
        let order = match outcome {
            Some(Outcome::Applied { sequence }) => self.ordered(sequence)?,
            _ => None,
        };
        if self.request.json {
            anstream::println!("{}", document(request, outcome.as_ref(), order.as_ref()));
        }
        match outcome {
            Some(Outcome::Refused { reason, .. }) => bail!("request {request} was refused: {reason}"),
            _ if self.request.json => {}
            Some(Outcome::Applied { sequence }) => {
                anstream::println!("{done} (request {request}, {sequence})");
                if let Some(order) = order {
                    anstream::println!("order {}", in_words(&order));
                }
            }
            None => anstream::println!(
                "request {request} is in {}; no host has taken it up yet: the next that starts does so first",
                self.url
            ),
        }
        Ok(())
    }

    /// The order by hand that an input brought about.
    fn ordered(&mut self, sequence: Sequence) -> Result<Option<OrderRow>> {
        let orders = self.database.orders(self.shard, &OrderFilter::default(), None, NEWEST);
        let orders = orders.context("what became of the order can't be read")?;
        for order in orders.into_iter().filter(|order| order.origin == "manual") {
            // The order's own row says when it last changed.
            let steps = self.database.order_transitions(self.shard, order.id)?;
            if steps.first().is_some_and(|accepted| accepted.sequence == sequence) {
                return Ok(Some(order));
            }
        }
        Ok(None)
    }
}

fn named(names: &[String]) -> String {
    if names.is_empty() { "none before its first run".to_owned() } else { names.join(", ") }
}

fn in_words(order: &OrderRow) -> String {
    let price = match order.limit_price {
        Some(limit) => format!("at {limit} or better"),
        None => "at the market".to_owned(),
    };
    format!("{}: {} {} {price}, {}", order.id.0, order.side.name(), order.quantity, order.state)
}

fn document(request: i64, outcome: Option<&Outcome>, order: Option<&OrderRow>) -> Value {
    let (state, reason) = match outcome {
        None => ("waiting", None),
        Some(Outcome::Applied { .. }) => ("applied", None),
        Some(Outcome::Refused { reason, .. }) => ("refused", Some(reason)),
    };
    let order = order.map(|order| {
        json!({
            "id": order.id.0,
            "side": order.side.name(),
            "quantity": order.quantity.to_string(),
            "limit": order.limit_price.map(|limit| limit.to_string()),
            "state": order.state.to_string(),
        })
    });
    let sequence = outcome.and_then(Outcome::sequence).map(|sequence| sequence.0);
    json!({"request": request, "state": state, "sequence": sequence, "reason": reason, "order": order})
}
