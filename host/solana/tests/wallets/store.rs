//! A feed whose book is the store's database, as the host has it.

use std::sync::{Arc, Mutex};

use bulkhead_core::time::Timestamp;
use bulkhead_solana::programs::WRAPPED_SOL;
use bulkhead_solana::wallets::book::{
    BookError, Cursor, Progress, Standing, TrackedWallet, WatchBook, Watched,
};
use bulkhead_solana::wallets::new_pools::NewPool;
use bulkhead_solana::wallets::recognition::Leg;
use bulkhead_solana::wallets::settings::WatchName;
use bulkhead_solana::wallets::trade::{Deal, LeaderTrade};
use bulkhead_solana_chain::Fault;
use bulkhead_solana_chain::chain::SOL;
use bulkhead_store::database::{Database, DatabaseUrl, Options};
use bulkhead_store::wallets::{
    FIRST_REPUTATION, LeaderTradeRow, NewPoolRow, TrackedWalletRow, TradeStanding, WatchKey, WatchProgress,
    WatchStanding,
};
use rust_decimal::Decimal;
use solana_signer::Signer as _;

use crate::bed::Bed;

#[derive(Clone)]
struct StoreBook(Arc<Mutex<Database>>);

impl StoreBook {
    /// The store waits for its answers, on a thread that may.
    async fn ask<T: Send + 'static, E: std::fmt::Display>(
        &self,
        work: impl FnOnce(&mut Database) -> Result<T, E> + Send + 'static,
    ) -> Result<T, BookError> {
        let database = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || {
            work(&mut database.lock().unwrap()).map_err(|error| BookError(error.to_string()))
        });
        done.await.unwrap()
    }
}

impl WatchBook for StoreBook {
    async fn wallets(&self) -> Result<Vec<TrackedWallet>, BookError> {
        let rows = self.ask(Database::tracked_wallets).await?;
        let wallet = |row: TrackedWalletRow| TrackedWallet {
            name: WatchName::new(&row.name).unwrap(),
            address: row.address.parse().unwrap(),
        };
        Ok(rows.into_iter().map(wallet).collect())
    }

    async fn standing(&self, watched: &Watched) -> Result<Standing, BookError> {
        let key = key_of(watched);
        let WatchStanding { cursor, trades, pools } =
            self.ask(move |database| database.watch_standing(&key)).await?;
        Ok(Standing {
            cursor: cursor.map(|(slot, signature)| Cursor {
                slot,
                signature: signature.map(|signature| signature.parse().unwrap()),
            }),
            trades: trades.iter().map(trade).collect(),
            pools: pools.iter().map(pool).collect(),
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

fn standing_of(is_final: bool) -> TradeStanding {
    if is_final { TradeStanding::Final } else { TradeStanding::Confirmed }
}

fn written(progress: Progress) -> WatchProgress {
    let Progress { watched, cursor, trades, pools, finals, undone } = progress;
    let texts = |signatures: Vec<solana_signature::Signature>| {
        signatures.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
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
        finals: texts(finals),
        undone: texts(undone),
    }
}

fn leg(mint: &str, amount: Decimal) -> Leg {
    Leg { mint: mint.parse().unwrap(), amount }
}

fn trade(row: &LeaderTradeRow) -> LeaderTrade {
    LeaderTrade {
        signature: row.signature.parse().unwrap(),
        slot: row.slot,
        ordinal: row.ordinal,
        time: row.time.map(Timestamp::seconds),
        is_final: row.standing == TradeStanding::Final,
        deal: Deal {
            given: leg(&row.given_mint, row.given),
            got: leg(&row.got_mint, row.got),
            instrument: row.instrument,
            side: row.side,
            price: row.price,
        },
        told: row.told,
    }
}

fn pool(row: &NewPoolRow) -> NewPool {
    NewPool {
        program: WatchName::new(&row.program).unwrap(),
        signature: row.signature.parse().unwrap(),
        slot: row.slot,
        time: row.time.map(Timestamp::seconds),
        owner: row.owner.parse().unwrap(),
        one: leg(&row.one_mint, row.one),
        other: leg(&row.other_mint, row.other),
        instrument: row.instrument,
        is_final: row.standing == TradeStanding::Final,
        told: row.told,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watching_goes_on_from_the_database_after_a_restart() {
    let mut bed = Bed::new(2).await;
    bed.settings.money.insert(WRAPPED_SOL);
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::file(folder.path().join("bulkhead.db"));
    let wallets = bed.book.written().wallets.clone();
    let open = async || {
        let url = url.clone();
        let opened = move || Database::open(&url, Options::writer().migrating()).unwrap();
        StoreBook(Arc::new(Mutex::new(tokio::task::spawn_blocking(opened).await.unwrap())))
    };
    let close = async |book: StoreBook| tokio::task::spawn_blocking(move || drop(book)).await.unwrap();
    let book = open().await;
    for TrackedWallet { name, address } in wallets {
        let row = TrackedWalletRow {
            address: address.to_string(),
            name: name.to_string(),
            tier: "gold".to_owned(),
            followers: 3,
            reputation: FIRST_REPUTATION,
            added: Timestamp::EPOCH,
        };
        book.ask(move |database| database.track_wallet(&row)).await.unwrap();
    }
    let watching = bed.watch_with(book.clone(), bed.settings.clone()).await.unwrap();
    watching.looks(1).await;
    let bought = bed.buy(0, 100);
    bed.confirm();
    bed.told_just(&watching, &[(0, bought)]).await;
    watching.kill().await;
    close(book).await;

    // The next trades are in the middle of being read when it ends again.
    let sold = bed.sell(0);
    let other = bed.buy_with_sol(1, 2 * SOL);
    bed.confirm();
    let faults = bed.chain.server().faults();
    faults.fail_always("getTransaction", Fault::Unavailable);
    let book = open().await;
    let watching = bed.watch_with(book.clone(), bed.settings.clone()).await.unwrap();
    bed.until("it asks", || !faults.asked_of("getTransaction").is_empty()).await;
    watching.kill().await;
    close(book).await;
    faults.recover();

    let book = open().await;
    let watching = bed.watch_with(book.clone(), bed.settings.clone()).await.unwrap();
    bed.finalize();
    bed.told_just(&watching, &[(0, bought), (0, -sold), (1, other)]).await;
    let address = bed.leaders[0].pubkey().to_string();
    let trades = book.ask(move |database| database.leader_trades(&address, None, 10)).await.unwrap();
    assert!(trades.iter().all(|trade| trade.told && trade.standing == TradeStanding::Final), "{trades:?}");
    assert_eq!(trades.len(), 2);
    let profiles = book.ask(Database::tracked_wallets).await.unwrap();
    // Sold at once, the pool's fee was lost: a little less than at first.
    assert!(profiles[0].reputation < FIRST_REPUTATION && profiles[0].reputation > Decimal::from(49));
    assert_eq!(profiles[1].reputation, FIRST_REPUTATION);
    watching.stop().await;
    close(book).await;
}
