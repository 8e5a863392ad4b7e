//! Several accounts in one database, each with a shard and a writer of its own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

mod support;

use std::sync::Barrier;

use bulkhead_store::database::{AccountNameRow, Database, DatabaseUrl, Options};
use bulkhead_store::journal::{Chain, ShardId};
use bulkhead_store::storage::{Storage as _, StoreError};
use bulkhead_store::verify::verify;
use support::{Place, group, on_both};

on_both! {
    an_account_keeps_its_shard_for_ever,
    shards_are_written_side_by_side,
    another_process_is_kept_out_as_long_as_a_shard_is_written,
    a_copy_knows_the_accounts,
}

fn row(shard: u32, name: &str) -> AccountNameRow {
    AccountNameRow { shard: ShardId(shard), name: name.to_owned() }
}

fn register(database: &mut Database, names: &[&str]) -> Vec<AccountNameRow> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    database.register_accounts(&names).unwrap()
}

fn an_account_keeps_its_shard_for_ever(place: &Place) {
    let mut store = place.writer();
    assert_eq!(register(&mut store, &["main"]), [row(0, "main")]);
    let both = [row(0, "main"), row(1, "zoe"), row(2, "alice")];
    assert_eq!(register(&mut store, &["zoe", "alice"]), both);
    drop(store);
    let mut store = place.writer();
    assert_eq!(register(&mut store, &["alice", "main"]), both);
    assert_eq!(place.reader().account_names().unwrap(), both);
    let four = place.reader().register_accounts(&["bob".to_owned()]).unwrap();
    assert_eq!(four, [&both[..], &[row(3, "bob")]].concat());
}

fn shards_are_written_side_by_side(place: &Place) {
    const GROUPS: u64 = 40;
    let first = place.writer();
    let shards = [ShardId(0), ShardId(1), ShardId(2)];
    let together = Barrier::new(shards.len());
    std::thread::scope(|scope| {
        for shard in shards {
            let mut store = first.share(shard).unwrap();
            let together = &together;
            scope.spawn(move || {
                let mut chain = Chain::start(shard);
                together.wait();
                for inputs in 1..=GROUPS {
                    store.commit(&group(&mut chain, inputs)).unwrap();
                }
            });
        }
    });
    let mut reader = place.reader();
    assert_eq!(reader.shards().unwrap(), shards);
    for shard in shards {
        let report = verify(&mut reader, shard, &mut |_| {}).unwrap();
        assert_eq!(report.chain.number().0, 3 * GROUPS + 1);
    }
}

fn another_process_is_kept_out_as_long_as_a_shard_is_written(place: &Place) {
    let first = place.writer();
    let shared = first.share(ShardId(1)).unwrap();
    // The same shard twice would be two writers of one journal; with SQLite only a process can be kept out.
    if place.text.starts_with("postgres") {
        let twice = first.share(ShardId(1)).unwrap_err();
        assert!(matches!(twice, StoreError::Conflict(_)), "{twice}");
    }
    let refused = Database::open(&place.url, Options::writer()).unwrap_err();
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    drop((first, shared));
    place.writer();
}

fn a_copy_knows_the_accounts(place: &Place) {
    let mut store = place.writer();
    register(&mut store, &["main", "alice"]);
    let folder = tempfile::tempdir().unwrap();
    let copy = DatabaseUrl::file(folder.path().join("copy.db"));
    store.copy_to(&copy).unwrap();
    let names = Database::open(&copy, Options::reader()).unwrap().account_names().unwrap();
    assert_eq!(names, [row(0, "main"), row(1, "alice")]);
}

#[test]
fn memory_holds_one_account() {
    let store = Database::open(&"sqlite::memory:".parse().unwrap(), Options::writer().migrating()).unwrap();
    let refused = store.share(ShardId(1)).unwrap_err().to_string();
    assert!(refused.contains("name a file"), "{refused}");
}
