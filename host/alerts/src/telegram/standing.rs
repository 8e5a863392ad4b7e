//! How accounts stand and what they hold, as an answer.

use bulkhead_core::input::StrategyMode;
use bulkhead_store::database::Database;
use bulkhead_store::journal::ShardId;
use bulkhead_store::storage::StoreError;

use crate::text::{money, percent, price, quantity, second};

/// How an account stands.
pub(crate) fn status(database: &mut Database, account: &str, shard: ShardId) -> Result<String, StoreError> {
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
        let weight = percent(slot.weight);
        lines.push(format!("  {}: {}, {}, weight {weight}", slot.name, slot.mode.name(), slot.status));
    }
    lines.push(format!("at {}, input {}", second(row.time), row.sequence.0));
    Ok(lines.join("\n"))
}

/// What an account holds.
pub(crate) fn positions(
    database: &mut Database,
    account: &str,
    shard: ShardId,
) -> Result<String, StoreError> {
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
