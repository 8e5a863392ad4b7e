//! What watching has brought, written down in one piece for each look.

use std::collections::BTreeSet;
use std::fmt;

use super::tracking::text;
use super::{LeaderTradeRow, NewPoolRow, TradeStanding, WatchCursorRow, reputation};
use crate::database::table::{OnConflict, TableRow as _};
use crate::database::value::Column as _;
use crate::database::{Database, Session, limit};
use crate::storage::StoreError;

/// A reputation is reckoned from so many of a wallet's newest trades.
const REPUTED_TRADES: usize = 2_000;

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum WatchKey {
    /// A wallet, by its address.
    Wallet(String),
    /// A program that makes pools, by its name.
    Pools(String),
}

impl fmt::Display for WatchKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wallet(address) => write!(formatter, "wallet:{address}"),
            Self::Pools(name) => write!(formatter, "pools:{name}"),
        }
    }
}

/// What a look has brought for one address.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchProgress {
    /// Whose.
    pub watched: WatchKey,
    /// Up to where everything was dealt with, the slot and the newest transaction there, if that has changed.
    pub cursor: Option<(u64, Option<String>)>,
    /// Trades that are new or changed. They take the place of those of the same wallet and signature.
    pub trades: Vec<LeaderTradeRow>,
    /// New pools, likewise.
    pub pools: Vec<NewPoolRow>,
    /// Signatures of what is final now.
    pub finals: Vec<String>,
    /// Signatures of what did not happen after all.
    pub undone: Vec<String>,
}

/// Where watching of an address stood.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WatchStanding {
    /// Up to where everything was dealt with.
    pub cursor: Option<(u64, Option<String>)>,
    /// Trades that are not final, and those beyond the cursor that are.
    pub trades: Vec<LeaderTradeRow>,
    /// Pools, likewise.
    pub pools: Vec<NewPoolRow>,
}

/// Where a trade is among those of its wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TradePlace {
    /// The slot of its block.
    pub slot: u64,
    /// Its place among the wallet's transactions there.
    pub ordinal: u32,
}

impl Database {
    /// Where watching of an address stood.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn watch_standing(&mut self, watched: &WatchKey) -> Result<WatchStanding, StoreError> {
        let open = "(standing = $2 OR standing = $3 AND slot > $4)";
        self.call(|session| {
            let sql = format!("{} WHERE watched = $1", WatchCursorRow::TABLE.select());
            let row = session.query(&sql, vec![text(&watched.to_string())])?.pop();
            let cursor = row.map(WatchCursorRow::from_row).transpose()?;
            let cursor = cursor.map(|cursor| (cursor.slot, cursor.signature));
            let done = cursor.as_ref().map_or(0, |(slot, _)| *slot);
            let values = |of: &str| {
                let standings = [TradeStanding::Confirmed, TradeStanding::Final];
                let mut values = vec![text(of)];
                values.extend(standings.map(|standing| standing.to_value()));
                values.push(done.to_value());
                values
            };
            let mut standing = WatchStanding { cursor, ..WatchStanding::default() };
            match watched {
                WatchKey::Wallet(address) => {
                    let select = LeaderTradeRow::TABLE.select();
                    let sql = format!("{select} WHERE wallet = $1 AND {open} ORDER BY slot, ordinal");
                    let rows = session.query(&sql, values(address))?;
                    standing.trades =
                        rows.into_iter().map(LeaderTradeRow::from_row).collect::<Result<_, _>>()?;
                }
                WatchKey::Pools(name) => {
                    let select = NewPoolRow::TABLE.select();
                    let sql =
                        format!("{select} WHERE program = $1 AND {open} ORDER BY slot, signature, owner");
                    let rows = session.query(&sql, values(name))?;
                    standing.pools = rows.into_iter().map(NewPoolRow::from_row).collect::<Result<_, _>>()?;
                }
            }
            Ok(standing)
        })
    }

    /// Writes down what a look has brought, all of it or nothing, and reckons the reputation of wallets whose trades changed.
    /// It is possible beside the writer.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it could not be written.
    pub fn record_watch(&mut self, progress: &[WatchProgress]) -> Result<(), StoreError> {
        self.call(|session| {
            session.transaction(|session| progress.iter().try_for_each(|one| record(session, one)))
        })
    }

    /// Trades of a wallet, the newest first, those before a place if one is given; at most `most`. Those that did not happen
    /// after all are among them.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn leader_trades(
        &mut self,
        wallet: &str,
        before: Option<TradePlace>,
        most: usize,
    ) -> Result<Vec<LeaderTradeRow>, StoreError> {
        let select = LeaderTradeRow::TABLE.select();
        let place = before.unwrap_or(TradePlace { slot: i64::MAX as u64, ordinal: 0 });
        let sql = format!(
            "{select} WHERE wallet = $1 AND (slot, ordinal) < ($2, $3) ORDER BY slot DESC, ordinal DESC LIMIT $4"
        );
        let values = vec![text(wallet), place.slot.to_value(), place.ordinal.to_value(), limit(most)];
        let rows = self.call(|session| session.query(&sql, values))?;
        rows.into_iter().map(LeaderTradeRow::from_row).collect()
    }

    /// Pools that came to be, the newest first; at most `most`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn new_pools(&mut self, most: usize) -> Result<Vec<NewPoolRow>, StoreError> {
        let select = NewPoolRow::TABLE.select();
        let sql = format!("{select} ORDER BY slot DESC, signature, owner LIMIT $1");
        let rows = self.call(|session| session.query(&sql, vec![limit(most)]))?;
        rows.into_iter().map(NewPoolRow::from_row).collect()
    }
}

fn record(session: &mut Session<'_>, progress: &WatchProgress) -> Result<(), StoreError> {
    let WatchProgress { watched, cursor, trades, pools, finals, undone } = progress;
    let (table, column, of) = match watched {
        WatchKey::Wallet(address) => (LeaderTradeRow::TABLE.name, "wallet", address),
        WatchKey::Pools(name) => (NewPoolRow::TABLE.name, "program", name),
    };
    // A transaction that is on the chain anew was taken back before.
    for (signatures, standing) in [(undone, TradeStanding::Undone), (finals, TradeStanding::Final)] {
        let sql = format!("UPDATE {table} SET standing = $1 WHERE {column} = $2 AND signature = $3");
        for signature in signatures {
            session.execute(&sql, vec![standing.to_value(), text(of), text(signature)])?;
        }
    }
    let signatures: BTreeSet<&String> = pools.iter().map(|pool| &pool.signature).collect();
    for signature in signatures {
        // In another block it may have made others.
        let sql = "DELETE FROM new_pools WHERE program = $1 AND signature = $2";
        session.execute(sql, vec![text(of), text(signature)])?;
    }
    session.insert(trades.iter(), OnConflict::Replace)?;
    session.insert(pools.iter(), OnConflict::Replace)?;
    if let Some((slot, signature)) = cursor {
        let cursor =
            WatchCursorRow { watched: watched.to_string(), slot: *slot, signature: signature.clone() };
        session.insert([&cursor].into_iter(), OnConflict::Replace)?;
    }
    match watched {
        WatchKey::Wallet(address) if !trades.is_empty() || !undone.is_empty() => repute(session, address),
        _ => Ok(()),
    }
}

fn repute(session: &mut Session<'_>, wallet: &str) -> Result<(), StoreError> {
    let select = LeaderTradeRow::TABLE.select();
    let sql =
        format!("{select} WHERE wallet = $1 AND standing <> $2 ORDER BY slot DESC, ordinal DESC LIMIT $3");
    let values = vec![text(wallet), TradeStanding::Undone.to_value(), limit(REPUTED_TRADES)];
    let rows = session.query(&sql, values)?;
    let mut trades = rows.into_iter().map(LeaderTradeRow::from_row).collect::<Result<Vec<_>, _>>()?;
    trades.reverse();
    let values = vec![reputation(&trades).to_value(), text(wallet)];
    session.execute("UPDATE tracked_wallets SET reputation = $1 WHERE address = $2", values)?;
    Ok(())
}
