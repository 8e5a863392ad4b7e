//! Tracked wallets, what watching them has brought, and how far it has come.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

mod support;

use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::order::Side;
use bulkhead_core::time::Timestamp;
use bulkhead_store::database::{Database, DatabaseUrl, Options};
use bulkhead_store::storage::StoreError;
use bulkhead_store::wallets::{
    FIRST_REPUTATION, LeaderTradeRow, NewPoolRow, TrackedWalletRow, TradePlace, TradeStanding, WatchKey,
    WatchProgress, WatchStanding,
};
use rust_decimal::Decimal;
use support::{Place, on_both};

on_both! {
    wallets_are_tracked_beside_the_writer,
    a_name_and_an_address_are_given_once,
    a_wallet_that_is_tracked_no_more_keeps_its_trades,
    watching_goes_on_where_it_stood,
    a_look_is_written_down_whole_or_not_at_all,
    what_is_taken_back_stays_and_counts_no_more,
    trades_come_in_pages_the_newest_first,
    pools_are_kept_by_program,
    a_copy_knows_the_wallets,
}

fn wallet(name: &str, address: &str) -> TrackedWalletRow {
    TrackedWalletRow {
        address: address.to_owned(),
        name: name.to_owned(),
        tier: "gold".to_owned(),
        followers: 12,
        reputation: FIRST_REPUTATION,
        added: Timestamp::from_seconds(7),
    }
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// A purchase at 2, or a sale at 3, of ten.
fn trade(signature: &str, slot: u64, side: Side) -> LeaderTradeRow {
    let (token, money) = (("token".to_owned(), decimal("10")), ("money".to_owned(), decimal("20")));
    let (given, got) = match side {
        Side::Buy => (money, token),
        Side::Sell => (token, ("money".to_owned(), decimal("30"))),
    };
    LeaderTradeRow {
        wallet: "A".to_owned(),
        signature: signature.to_owned(),
        slot,
        ordinal: 0,
        time: Some(Timestamp::from_seconds(slot.cast_signed())),
        standing: TradeStanding::Confirmed,
        instrument: Some(InstrumentId(1)),
        side: Some(side),
        given_mint: given.0,
        given: given.1,
        got_mint: got.0,
        got: got.1,
        price: Some(decimal(if side == Side::Buy { "2" } else { "3" })),
        told: true,
    }
}

fn pool(signature: &str, owner: &str) -> NewPoolRow {
    NewPoolRow {
        program: "amm".to_owned(),
        signature: signature.to_owned(),
        owner: owner.to_owned(),
        slot: 5,
        time: None,
        standing: TradeStanding::Confirmed,
        instrument: None,
        one_mint: "token".to_owned(),
        one: decimal("0.000000001"),
        other_mint: "money".to_owned(),
        other: decimal("18446744073.709551615"),
        told: false,
    }
}

fn key() -> WatchKey {
    WatchKey::Wallet("A".to_owned())
}

fn progress(trades: Vec<LeaderTradeRow>) -> WatchProgress {
    WatchProgress {
        watched: key(),
        cursor: None,
        trades,
        pools: Vec::new(),
        finals: Vec::new(),
        undone: Vec::new(),
    }
}

fn record(database: &mut Database, one: WatchProgress) {
    database.record_watch(&[one]).unwrap();
}

fn reputation(database: &mut Database) -> Decimal {
    database.tracked_wallets().unwrap()[0].reputation
}

fn wallets_are_tracked_beside_the_writer(place: &Place) {
    let _writer = place.writer();
    let mut beside = place.reader();
    beside.track_wallet(&wallet("zoe", "A")).unwrap();
    beside.track_wallet(&wallet("ann", "B")).unwrap();
    assert!(beside.set_wallet_profile("zoe", "silver", 40).unwrap());
    assert!(!beside.set_wallet_profile("nobody", "silver", 40).unwrap());
    let zoe = TrackedWalletRow { tier: "silver".to_owned(), followers: 40, ..wallet("zoe", "A") };
    assert_eq!(place.reader().tracked_wallets().unwrap(), [wallet("ann", "B"), zoe]);
}

fn a_name_and_an_address_are_given_once(place: &Place) {
    let mut store = place.writer();
    store.track_wallet(&wallet("zoe", "A")).unwrap();
    for twice in [wallet("zoe", "B"), wallet("ann", "A")] {
        assert!(matches!(store.track_wallet(&twice), Err(StoreError::Exists(_))));
    }
    assert_eq!(store.tracked_wallets().unwrap().len(), 1);
}

fn a_wallet_that_is_tracked_no_more_keeps_its_trades(place: &Place) {
    let mut store = place.writer();
    store.track_wallet(&wallet("zoe", "A")).unwrap();
    record(
        &mut store,
        WatchProgress { cursor: Some((3, None)), ..progress(vec![trade("one", 5, Side::Buy)]) },
    );
    assert!(store.untrack_wallet("zoe").unwrap());
    assert!(!store.untrack_wallet("zoe").unwrap());
    assert_eq!(store.tracked_wallets().unwrap(), []);
    assert_eq!(store.watch_standing(&key()).unwrap().cursor, None);
    assert_eq!(store.leader_trades("A", None, 10).unwrap().len(), 1);
}

fn watching_goes_on_where_it_stood(place: &Place) {
    let mut store = place.writer();
    assert_eq!(store.watch_standing(&key()).unwrap(), WatchStanding::default());
    let trades = vec![trade("one", 5, Side::Buy), trade("two", 6, Side::Buy), trade("three", 7, Side::Sell)];
    record(&mut store, progress(trades));
    let finals = vec!["one".to_owned(), "two".to_owned()];
    let cursor = Some((5, Some("one".to_owned())));
    record(&mut store, WatchProgress { cursor: cursor.clone(), finals, ..progress(Vec::new()) });
    let standing = place.reader().watch_standing(&key()).unwrap();
    let left: Vec<_> = standing.trades.iter().map(|it| (it.signature.as_str(), it.standing)).collect();
    assert_eq!(left, [("two", TradeStanding::Final), ("three", TradeStanding::Confirmed)]);
    assert_eq!(standing.cursor, cursor);
    // In another block than before: it takes the place of the one that was.
    let moved = LeaderTradeRow { slot: 9, price: None, side: None, ..trade("three", 7, Side::Sell) };
    record(&mut store, progress(vec![moved.clone()]));
    assert_eq!(store.watch_standing(&key()).unwrap().trades[1], moved);
    let other = WatchKey::Wallet("B".to_owned());
    assert_eq!(store.watch_standing(&other).unwrap(), WatchStanding::default());
}

fn a_look_is_written_down_whole_or_not_at_all(place: &Place) {
    let mut store = place.writer();
    let good = WatchProgress { cursor: Some((9, None)), ..progress(vec![trade("one", 5, Side::Buy)]) };
    let bad = WatchProgress { pools: vec![pool("one", "x")], ..good.clone() };
    place.edit("DROP TABLE new_pools");
    store.record_watch(&[good, bad]).unwrap_err();
    assert_eq!(store.leader_trades("A", None, 10).unwrap(), []);
    assert_eq!(store.watch_standing(&key()).unwrap(), WatchStanding::default());
}

fn what_is_taken_back_stays_and_counts_no_more(place: &Place) {
    let mut store = place.writer();
    store.track_wallet(&wallet("zoe", "A")).unwrap();
    record(&mut store, progress(vec![trade("one", 5, Side::Buy), trade("two", 6, Side::Sell)]));
    // Half more: 50 + 50 * 0.5 / 11.
    assert_eq!(reputation(&mut store), decimal("52.27"));
    record(&mut store, WatchProgress { undone: vec!["two".to_owned()], ..progress(Vec::new()) });
    assert_eq!(reputation(&mut store), decimal("50"));
    let standings: Vec<_> =
        store.leader_trades("A", None, 10).unwrap().iter().map(|trade| trade.standing).collect();
    assert_eq!(standings, [TradeStanding::Undone, TradeStanding::Confirmed]);
    assert_eq!(store.watch_standing(&key()).unwrap().trades.len(), 1);
}

fn trades_come_in_pages_the_newest_first(place: &Place) {
    let mut store = place.writer();
    let in_slot = |ordinal: u32| LeaderTradeRow { ordinal, ..trade(&format!("s{ordinal}"), 5, Side::Buy) };
    record(&mut store, progress(vec![in_slot(0), in_slot(1), in_slot(2), trade("last", 6, Side::Buy)]));
    let signatures =
        |rows: Vec<LeaderTradeRow>| -> Vec<String> { rows.into_iter().map(|row| row.signature).collect() };
    assert_eq!(signatures(store.leader_trades("A", None, 2).unwrap()), ["last", "s2"]);
    let before = Some(TradePlace { slot: 5, ordinal: 2 });
    assert_eq!(signatures(store.leader_trades("A", before, 5).unwrap()), ["s1", "s0"]);
}

fn pools_are_kept_by_program(place: &Place) {
    let mut store = place.writer();
    let watched = WatchKey::Pools("amm".to_owned());
    let one = WatchProgress {
        watched: watched.clone(),
        cursor: Some((2, Some("zero".to_owned()))),
        pools: vec![pool("one", "x"), pool("one", "y")],
        ..progress(Vec::new())
    };
    record(&mut store, one.clone());
    assert_eq!(store.watch_standing(&watched).unwrap().pools, [pool("one", "x"), pool("one", "y")]);
    let finals = vec!["one".to_owned()];
    record(&mut store, WatchProgress { finals, pools: Vec::new(), ..one.clone() });
    assert!(store.new_pools(10).unwrap().iter().all(|pool| pool.standing == TradeStanding::Final));
    // In another block it made another one.
    record(&mut store, WatchProgress { pools: vec![pool("one", "z")], ..one });
    assert_eq!(store.new_pools(10).unwrap(), [pool("one", "z")]);
}

fn a_copy_knows_the_wallets(place: &Place) {
    let mut store = place.writer();
    store.track_wallet(&wallet("zoe", "A")).unwrap();
    let one = WatchProgress { cursor: Some((3, None)), ..progress(vec![trade("one", 5, Side::Buy)]) };
    record(&mut store, one);
    let folder = tempfile::tempdir().unwrap();
    let copy = DatabaseUrl::file(folder.path().join("copy.db"));
    store.copy_to(&copy).unwrap();
    let mut copy = Database::open(&copy, Options::reader()).unwrap();
    assert_eq!(copy.tracked_wallets().unwrap(), store.tracked_wallets().unwrap());
    assert_eq!(copy.watch_standing(&key()).unwrap(), store.watch_standing(&key()).unwrap());
}
