//! What can happen to an SQLite database, and that nothing of it is lost or passed over in silence.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

mod support;

use std::process::{Command, Stdio};

use bulkhead_store::database::{Database, DatabaseUrl, Options, Synchronous};
use bulkhead_store::journal::{Chain, RecordNumber};
use bulkhead_store::storage::{Storage as _, StoreError};
use bulkhead_store::verify::verify;
use support::{Place, SHARD, group, snapshot};

fn unsuitable(place: &Place, options: Options) -> String {
    match Database::open(&place.url, options) {
        Err(StoreError::Unsuitable(reason)) => reason,
        other => panic!("it should be unsuitable: {other:?}"),
    }
}

#[test]
fn on_a_full_disk_the_group_is_not_there_and_the_store_goes_on_once_there_is_room() {
    let place = Place::sqlite();
    let small = Options { largest_file: Some(1 << 20), ..Options::writer().migrating() };
    let mut store = Database::open(&place.url, small).unwrap();
    let mut chain = Chain::start(SHARD);
    let (last, refused) = loop {
        let before = chain;
        let mut group = group(&mut chain, 2);
        group.snapshot = Some(snapshot(&chain, &[7; 50_000]));
        match store.commit(&group) {
            Ok(()) => {}
            Err(StoreError::Full(reason)) => break (before, (group, reason)),
            Err(other) => panic!("it should be full: {other}"),
        }
    };
    let (group_refused, reason) = refused;
    assert!(reason.contains(&place.url.to_string()), "{reason}");
    assert!(last.number() > RecordNumber(10));
    // Nothing of it, not even what would have found room; and reading goes on.
    assert_eq!(verify(&mut store, SHARD, &mut |_| {}).unwrap().chain, last);
    assert!(matches!(store.commit(&group_refused), Err(StoreError::Full(_))), "still full");
    assert!(store.drop_snapshots(SHARD, 1).unwrap() > 5);
    store.commit(&group_refused).unwrap();
    assert_eq!(verify(&mut store, SHARD, &mut |_| {}).unwrap().chain, chain);
}

#[test]
fn a_file_that_is_deleted_or_replaced_under_the_writer_stops_it() {
    let place = Place::sqlite();
    let path = place.url.path().unwrap();
    let mut store = place.writer();
    let mut chain = Chain::start(SHARD);
    store.commit(&group(&mut chain, 1)).unwrap();
    let away = path.with_extension("away");
    std::fs::rename(path, &away).unwrap();
    for replaced in [false, true] {
        if replaced {
            std::fs::write(path, b"").unwrap();
        }
        let refused = store.commit(&group(&mut chain.clone(), 1)).unwrap_err();
        assert!(matches!(&refused, StoreError::Unsuitable(_)), "{refused}");
        assert!(refused.to_string().contains("deleted, moved or replaced"), "{refused}");
    }
    std::fs::rename(&away, path).unwrap();
    store.commit(&group(&mut chain, 1)).unwrap();
    drop(store);
    assert_eq!(verify(&mut place.reader(), SHARD, &mut |_| {}).unwrap().chain, chain);
}

#[test]
fn what_is_not_there_is_named_with_what_to_do() {
    let place = Place::sqlite();
    for options in [Options::writer(), Options::reader()] {
        let reason = unsuitable(&place, options);
        assert!(
            reason.contains("there is no database") && reason.contains("bulkhead db migrate"),
            "{reason}"
        );
    }
    assert!(!place.url.path().unwrap().exists(), "nothing was made");

    let folder = tempfile::tempdir().unwrap();
    let nowhere = DatabaseUrl::file(folder.path().join("missing/a.db"));
    let refused = Database::open(&nowhere, Options::writer().migrating()).unwrap_err().to_string();
    assert!(refused.contains("there is no folder"), "{refused}");
    let refused =
        Database::open(&DatabaseUrl::file(folder.path()), Options::reader()).unwrap_err().to_string();
    assert!(refused.contains("not a file"), "{refused}");
}

#[test]
fn another_kind_of_file_is_refused_and_left_alone() {
    let place = Place::sqlite();
    let path = place.url.path().unwrap();
    let content = b"open,high,low,close\n".repeat(500);
    std::fs::write(path, &content).unwrap();
    for options in [Options::writer().migrating(), Options::writer(), Options::reader()] {
        let reason = unsuitable(&place, options);
        assert!(reason.contains("not a database") && reason.contains("something else"), "{reason}");
    }
    assert_eq!(std::fs::read(path).unwrap(), content);
}

#[test]
fn a_file_that_was_cut_off_is_refused() {
    let place = Place::sqlite();
    let path = place.url.path().unwrap();
    let mut store = place.writer();
    let mut chain = Chain::start(SHARD);
    for _ in 0..200 {
        store.commit(&group(&mut chain, 1)).unwrap();
    }
    drop(store);
    let whole = std::fs::metadata(path).unwrap().len();
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(whole / 2 / 4096 * 4096).unwrap();
    for options in [Options::writer(), Options::reader()] {
        let reason = unsuitable(&place, options);
        assert!(reason.contains("damaged") && reason.contains("restore a backup"), "{reason}");
    }
}

#[test]
fn a_database_that_another_process_holds_for_long_is_unavailable_and_then_works_again() {
    use sqlx::{Connection as _, Executor as _};

    let place = Place::sqlite();
    let options = Options { timeout: std::time::Duration::from_millis(50), ..Options::writer().migrating() };
    let mut store = Database::open(&place.url, options).unwrap();
    let mut chain = Chain::start(SHARD);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut other = runtime.block_on(sqlx::SqliteConnection::connect(&place.text)).unwrap();
    runtime.block_on(other.execute("BEGIN IMMEDIATE")).unwrap();
    let first = group(&mut chain, 1);
    let refused = store.commit(&first);
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert_eq!(store.tail(SHARD).unwrap(), None);
    runtime.block_on(other.execute("ROLLBACK")).unwrap();
    store.commit(&first).unwrap();
    assert_eq!(store.tail(SHARD).unwrap().as_ref(), first.records.last());
}

#[test]
fn a_link_to_the_file_does_not_get_around_the_writer() {
    let place = Place::sqlite();
    let _writer = place.writer();
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(place.url.path().unwrap(), &link).unwrap();
    let second = Database::open(&DatabaseUrl::file(&link), Options::writer());
    assert!(matches!(second, Err(StoreError::Conflict(_))), "{second:?}");
}

#[test]
fn memory_lasts_as_long_as_its_connection_also_after_errors() {
    let url = "sqlite::memory:".parse().unwrap();
    let options = Options { synchronous: Synchronous::Normal, ..Options::writer().migrating() };
    let mut store = Database::open(&url, options).unwrap();
    let mut chain = Chain::start(SHARD);
    let first = group(&mut chain, 1);
    store.commit(&first).unwrap();
    assert!(matches!(store.commit(&first), Err(StoreError::Conflict(_))));
    store.commit(&group(&mut chain, 1)).unwrap();
    assert_eq!(verify(&mut store, SHARD, &mut |_| {}).unwrap().chain, chain);
}

/// Set in the process that is killed below.
const VICTIM: &str = "BULKHEAD_TEST_VICTIM";

#[test]
fn a_writer_that_is_killed_leaves_whole_groups_and_a_free_database() {
    if let Ok(text) = std::env::var(VICTIM) {
        let mut store = Database::open(&text.parse().unwrap(), Options::writer()).unwrap();
        let mut chain = Chain::start(SHARD);
        loop {
            let mut group = group(&mut chain, 3);
            group.snapshot = Some(snapshot(&chain, &[1; 5_000]));
            store.commit(&group).unwrap();
        }
    }
    for groups in [1, 40, 160] {
        let place = Place::sqlite();
        drop(place.writer());
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_writer_that_is_killed_leaves_whole_groups_and_a_free_database"])
            .env(VICTIM, &place.text)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut reader = place.reader();
        while reader.tail(SHARD).unwrap().is_none_or(|tail| tail.number < RecordNumber(3 * groups)) {
            assert!(victim.try_wait().unwrap().is_none(), "it must be killed while it writes");
        }
        victim.kill().unwrap();
        victim.wait().unwrap();
        let mut store = place.writer();
        let report = verify(&mut store, SHARD, &mut |_| {}).unwrap();
        // The opening, and three records a group.
        assert_eq!((report.chain.number().0 - 1) % 3, 0, "a group is whole");
        assert_eq!(report.snapshots as u64, (report.chain.number().0 - 1) / 3);
        let mut chain = report.chain;
        store.commit(&group(&mut chain, 1)).unwrap();
    }
}
