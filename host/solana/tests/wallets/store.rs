//! A feed whose book is the host's own, in the store's database.

/// As the host has it, which is a program and can't be linked to.
#[path = "../../../cli/src/chain/solana/watch_book.rs"]
mod watch_book;

use bulkhead_core::time::Timestamp;
use bulkhead_solana::programs::WRAPPED_SOL;
use bulkhead_solana::wallets::book::TrackedWallet;
use bulkhead_solana_chain::Fault;
use bulkhead_solana_chain::chain::SOL;
use bulkhead_store::database::{Database, DatabaseUrl, Options};
use bulkhead_store::wallets::{FIRST_REPUTATION, TrackedWalletRow, TradeStanding};
use rust_decimal::Decimal;
use solana_signer::Signer as _;

use self::watch_book::DatabaseBook;
use crate::bed::Bed;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watching_goes_on_from_the_database_after_a_restart() {
    let mut bed = Bed::new(2).await;
    bed.settings.money.insert(WRAPPED_SOL);
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::file(folder.path().join("bulkhead.db"));
    let wallets = bed.book.written().wallets.clone();
    let open = async || {
        let (url, wallets) = (url.clone(), wallets.clone());
        let opened = move || Database::open(&url, Options::writer().migrating()).unwrap();
        DatabaseBook::new(tokio::task::spawn_blocking(opened).await.unwrap(), wallets)
    };
    let close = async |book: DatabaseBook| tokio::task::spawn_blocking(move || drop(book)).await.unwrap();
    let book = open().await;
    for TrackedWallet { name, address } in wallets.clone() {
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
