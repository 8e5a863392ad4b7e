//! What was seen of wallets of others, in the database beside the journal.

use std::sync::{Arc, Mutex, PoisonError};

use bulkhead_core::time::Timestamp;
use bulkhead_solana::wallets::book::{
    BookError, Cursor, Progress, Standing, TrackedWallet, WatchBook, Watched,
};
use bulkhead_solana::wallets::new_pools::NewPool;
use bulkhead_solana::wallets::recognition::Leg;
use bulkhead_solana::wallets::settings::WatchName;
use bulkhead_solana::wallets::trade::{Deal, LeaderTrade};
use bulkhead_store::database::Database;
use bulkhead_store::wallets::{
    LeaderTradeRow, NewPoolRow, TradeStanding, WatchKey, WatchProgress, WatchStanding,
};
use rust_decimal::Decimal;

/// The database of a host, and the wallets that its configuration names.
#[derive(Clone)]
pub(super) struct DatabaseBook {
    database: Arc<Mutex<Database>>,
    wallets: Vec<TrackedWallet>,
}

impl DatabaseBook {
    pub(super) fn new(database: Database, wallets: Vec<TrackedWallet>) -> Self {
        Self { database: Arc::new(Mutex::new(database)), wallets }
    }

    /// The database waits for its answers, on a thread that may.
    pub(super) async fn ask<T: Send + 'static, E: std::fmt::Display>(
        &self,
        work: impl FnOnce(&mut Database) -> Result<T, E> + Send + 'static,
    ) -> Result<T, BookError> {
        let database = Arc::clone(&self.database);
        let done = tokio::task::spawn_blocking(move || {
            work(&mut database.lock().unwrap_or_else(PoisonError::into_inner)).map_err(failed)
        });
        done.await.map_err(failed)?
    }
}

fn failed(error: impl std::fmt::Display) -> BookError {
    BookError(error.to_string())
}

impl WatchBook for DatabaseBook {
    async fn wallets(&self) -> Result<Vec<TrackedWallet>, BookError> {
        Ok(self.wallets.clone())
    }

    async fn standing(&self, watched: &Watched) -> Result<Standing, BookError> {
        let key = key_of(watched);
        let WatchStanding { cursor, trades, pools } =
            self.ask(move |database| database.watch_standing(&key)).await?;
        let cursor = cursor.map(|(slot, signature)| {
            let signature = signature.as_deref().map(|text| read("signature", text)).transpose()?;
            Ok(Cursor { slot, signature })
        });
        Ok(Standing {
            cursor: cursor.transpose()?,
            trades: trades.iter().map(trade).collect::<Result<_, _>>()?,
            pools: pools.iter().map(pool).collect::<Result<_, _>>()?,
        })
    }

    async fn record(&self, progress: Vec<Progress>) -> Result<(), BookError> {
        let rows: Vec<WatchProgress> = progress.into_iter().map(written).collect();
        self.ask(move |database| database.record_watch(&rows)).await
    }
}

fn key_of(watched: &Watched) -> WatchKey {
    match watched {
        Watched::Wallet(address) => WatchKey::Wallet(address.to_string()),
        Watched::Pools(name) => WatchKey::Pools(name.to_string()),
    }
}

const fn standing_of(is_final: bool) -> TradeStanding {
    if is_final { TradeStanding::Final } else { TradeStanding::Confirmed }
}

fn written(progress: Progress) -> WatchProgress {
    let Progress { watched, cursor, trades, pools, finals, undone } = progress;
    let wallet = match &watched {
        Watched::Wallet(address) => address.to_string(),
        Watched::Pools(_) => String::new(),
    };
    let trade = |trade: LeaderTrade| LeaderTradeRow {
        wallet: wallet.clone(),
        signature: trade.signature.to_string(),
        slot: trade.slot,
        ordinal: trade.ordinal,
        time: trade.time.map(Timestamp::from_seconds),
        standing: standing_of(trade.is_final),
        instrument: trade.deal.instrument,
        side: trade.deal.side,
        given_mint: trade.deal.given.mint.to_string(),
        given: trade.deal.given.amount,
        got_mint: trade.deal.got.mint.to_string(),
        got: trade.deal.got.amount,
        price: trade.deal.price,
        told: trade.told,
    };
    let pool = |pool: NewPool| NewPoolRow {
        program: pool.program.to_string(),
        signature: pool.signature.to_string(),
        owner: pool.owner.to_string(),
        slot: pool.slot,
        time: pool.time.map(Timestamp::from_seconds),
        standing: standing_of(pool.is_final),
        instrument: pool.instrument,
        one_mint: pool.one.mint.to_string(),
        one: pool.one.amount,
        other_mint: pool.other.mint.to_string(),
        other: pool.other.amount,
        told: pool.told,
    };
    WatchProgress {
        watched: key_of(&watched),
        cursor: cursor.map(|cursor| (cursor.slot, cursor.signature.map(|it| it.to_string()))),
        trades: trades.into_iter().map(trade).collect(),
        pools: pools.into_iter().map(pool).collect(),
        finals: finals.iter().map(ToString::to_string).collect(),
        undone: undone.iter().map(ToString::to_string).collect(),
    }
}

/// What another program wrote may be anything.
fn read<T: std::str::FromStr>(what: &str, text: &str) -> Result<T, BookError> {
    text.parse().map_err(|_| BookError(format!("\"{text}\" in the database is no {what}")))
}

fn leg(mint: &str, amount: Decimal) -> Result<Leg, BookError> {
    Ok(Leg { mint: read("mint", mint)?, amount })
}

fn trade(row: &LeaderTradeRow) -> Result<LeaderTrade, BookError> {
    Ok(LeaderTrade {
        signature: read("signature", &row.signature)?,
        slot: row.slot,
        ordinal: row.ordinal,
        time: row.time.map(Timestamp::seconds),
        is_final: row.standing == TradeStanding::Final,
        deal: Deal {
            given: leg(&row.given_mint, row.given)?,
            got: leg(&row.got_mint, row.got)?,
            instrument: row.instrument,
            side: row.side,
            price: row.price,
        },
        told: row.told,
    })
}

fn pool(row: &NewPoolRow) -> Result<NewPool, BookError> {
    Ok(NewPool {
        program: WatchName::new(&row.program).map_err(failed)?,
        signature: read("signature", &row.signature)?,
        slot: row.slot,
        time: row.time.map(Timestamp::seconds),
        owner: read("address", &row.owner)?,
        one: leg(&row.one_mint, row.one)?,
        other: leg(&row.other_mint, row.other)?,
        instrument: row.instrument,
        is_final: row.standing == TradeStanding::Final,
        told: row.told,
    })
}
