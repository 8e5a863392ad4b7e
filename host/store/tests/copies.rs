//! Verification, backup and restore, between every two databases.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

mod support;

use bulkhead_core::time::Span;
use bulkhead_store::database::{Database, DatabaseUrl, Options, RequestState};
use bulkhead_store::journal::{Chain, ChainBreak, RecordNumber, Sequence, ShardId};
use bulkhead_store::read_models::{Change, FillFilter, PluginVersionRow, Projection};
use bulkhead_store::storage::{AnsweredRequest, Outcome, Storage as _, StoreError};
use bulkhead_store::verify::verify;
use support::{Place, SHARD, group, on_both, snapshot, trading};

on_both! {
    a_whole_journal_verifies,
    every_kind_of_damage_is_found,
    a_copy_holds_everything_and_can_be_gone_on_with,
    a_copy_is_taken_while_the_writer_works,
    nothing_is_overwritten,
    a_damaged_journal_is_not_passed_off_as_a_backup,
}

/// A database with something in every table.
fn filled(place: &Place) -> (Database, Chain) {
    let mut store = place.writer();
    let mut chain = Chain::start(SHARD);
    let mut engine = trading::engine();
    let mut projection = Projection::new(SHARD, &engine, Span::MINUTE);
    for (sequence, input) in (1..).map(Sequence).zip(trading::inputs(60)) {
        let outputs = trading::step(&mut engine, &input);
        let mut group = group(&mut chain, 3);
        projection.changes(&engine, sequence, &outputs, &mut group.changes).unwrap();
        projection.account(&engine, sequence, &mut group.changes).unwrap();
        if sequence.0.is_multiple_of(20) {
            group.snapshot = Some(snapshot(&chain, format!("state {sequence}").as_bytes()));
            let wasm = vec![u8::try_from(sequence.0).unwrap(); 1000];
            group.changes.push(Change::PluginVersion(PluginVersionRow {
                hash: bulkhead_core::identifier::ContentHash::of(&wasm),
                name: "momentum".to_owned(),
                version: "1.0.0".to_owned(),
                shard: SHARD,
                first_sequence: sequence,
                wasm,
            }));
        }
        store.commit(&group).unwrap();
    }
    let other = group(&mut Chain::start(ShardId(2)), 1);
    store.commit(&other).unwrap();
    (store, chain)
}

fn a_whole_journal_verifies(place: &Place) {
    let (mut store, chain) = filled(place);
    let mut seen = RecordNumber(0);
    let report = verify(&mut store, SHARD, &mut |number| seen = number).unwrap();
    assert_eq!((report.chain, report.dropped_payloads), (chain, 0));
    assert_eq!((seen, report.snapshots), (chain.number(), 6));
    let time = report.time.unwrap();
    let dropped = store.drop_market_payloads(SHARD, time, Sequence(40)).unwrap();
    assert!(dropped > 0);
    assert_eq!(verify(&mut store, SHARD, &mut |_| {}).unwrap().dropped_payloads, dropped);
    let empty = verify(&mut store, ShardId(9), &mut |_| {}).unwrap();
    assert_eq!((empty.chain, empty.time), (Chain::start(ShardId(9)), None));
}

fn every_kind_of_damage_is_found(place: &Place) {
    drop(filled(place));
    let found = || verify(&mut place.reader(), SHARD, &mut |_| {}).unwrap_err();

    place.edit(
        "UPDATE snapshots SET payload = payload_hash WHERE number = (SELECT max(number) FROM snapshots)",
    );
    let error = found().to_string();
    assert!(error.contains("its hash is") && error.contains("drop the snapshot"), "{error}");
    place.edit(
        "UPDATE snapshots SET checksum = payload_hash WHERE number = (SELECT min(number) FROM snapshots)",
    );
    assert!(found().to_string().contains("not of this journal"));
    place.edit("DELETE FROM snapshots");
    verify(&mut place.reader(), SHARD, &mut |_| {}).unwrap();

    place.edit("UPDATE journal SET payload = payload_hash WHERE shard = 1 AND number = 300");
    assert!(matches!(found(), StoreError::Chain(ChainBreak::Payload { number: RecordNumber(300), .. })));
    place.edit("UPDATE journal SET time = time + 1 WHERE shard = 1 AND number = 200");
    assert!(matches!(found(), StoreError::Chain(ChainBreak::Checksum { number: RecordNumber(200), .. })));
    place.edit("DELETE FROM journal WHERE shard = 1 AND number = 100");
    assert!(matches!(found(), StoreError::Chain(ChainBreak::Gap { expected: RecordNumber(100), .. })));
    place.edit("DELETE FROM journal WHERE shard = 1 AND number = 1");
    assert!(matches!(found(), StoreError::Chain(ChainBreak::Gap { expected: RecordNumber(1), .. })));
    place.edit("UPDATE journal SET kind = 7 WHERE shard = 1 AND number = 2");
    assert!(matches!(found(), StoreError::Unsuitable(_)));
}

/// A new SQLite file in a folder, and a new Postgres database.
fn targets(folder: &tempfile::TempDir) -> [DatabaseUrl; 2] {
    let server = support::postgres::shared();
    let database = server.url(&server.new_database());
    [DatabaseUrl::file(folder.path().join("copy.db")), database.parse().unwrap()]
}

fn a_copy_holds_everything_and_can_be_gone_on_with(place: &Place) {
    let (mut store, chain) = filled(place);
    let answered = store.request(SHARD, "ann", "{}", None).unwrap();
    let waiting = store.request(SHARD, "bob", "{}", None).unwrap();
    let mut chain = chain;
    let mut answer = group(&mut chain, 1);
    answer.answered =
        vec![AnsweredRequest { id: answered, outcome: Outcome::Applied { sequence: chain.sequence() } }];
    store.commit(&answer).unwrap();

    let folder = tempfile::tempdir().unwrap();
    for target in targets(&folder) {
        let reports = place.reader().copy_to(&target).unwrap();
        assert_eq!(
            reports.iter().map(|report| report.chain.shard()).collect::<Vec<_>>(),
            [SHARD, ShardId(2)]
        );
        assert_eq!(reports[0].chain, chain);

        // As after a disaster: the copy becomes the database.
        let mut copy = Database::open(&target, Options::writer()).unwrap();
        assert_eq!(copy.tail(SHARD).unwrap(), store.tail(SHARD).unwrap());
        let fills = |store: &mut Database| store.fills(SHARD, &FillFilter::default(), None, 10_000).unwrap();
        assert_eq!(fills(&mut copy), fills(&mut store));
        assert!(fills(&mut copy).len() > 10);
        assert_eq!(copy.positions(SHARD).unwrap(), store.positions(SHARD).unwrap());
        assert_eq!(copy.equity(SHARD, None, 1_000).unwrap(), store.equity(SHARD, None, 1_000).unwrap());
        for hash in store.plugin_versions().unwrap() {
            assert_eq!(copy.plugin_version(&hash).unwrap(), store.plugin_version(&hash).unwrap());
        }
        let state = copy.request_state(answered).unwrap();
        assert_eq!(state, Some(RequestState::Answered(Outcome::Applied { sequence: chain.sequence() })));
        assert_eq!(copy.requests(SHARD).unwrap()[0].id, waiting);
        assert!(copy.request(SHARD, "ann", "{}", None).unwrap() > waiting, "numbers go on");
        copy.commit(&group(&mut chain.clone(), 2)).unwrap();
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("partial")), "{left:?}");
}

fn a_copy_is_taken_while_the_writer_works(place: &Place) {
    let (mut store, mut chain) = filled(place);
    let before = chain;
    let folder = tempfile::tempdir().unwrap();
    let (go_on, stop) = std::sync::mpsc::channel::<()>();
    let end = std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            while stop.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                // A snapshot that is copied later than the journal would be of inputs that are not in it.
                let mut group = group(&mut chain, 5);
                group.snapshot = Some(snapshot(&chain, b"state"));
                store.commit(&group).unwrap();
            }
            chain
        });
        for target in targets(&folder) {
            let reports = place.reader().copy_to(&target).unwrap();
            assert!(reports[0].chain.number() >= before.number());
        }
        drop(go_on);
        writer.join().unwrap()
    });
    assert_eq!(verify(&mut place.reader(), SHARD, &mut |_| {}).unwrap().chain, end);
}

fn nothing_is_overwritten(place: &Place) {
    drop(filled(place));
    let folder = tempfile::tempdir().unwrap();
    for target in targets(&folder) {
        place.reader().copy_to(&target).unwrap();
        let before = Database::open(&target, Options::reader()).unwrap().tail(ShardId(2)).unwrap();
        let again = place.reader().copy_to(&target);
        assert!(matches!(again, Err(StoreError::Unsuitable(_))), "{again:?}");
        let after = Database::open(&target, Options::reader()).unwrap().tail(ShardId(2)).unwrap();
        assert_eq!(before, after);
    }
    // The log of a database that was here would be taken for the copy's.
    let log = folder.path().join("fresh.db-wal");
    std::fs::write(&log, b"a log").unwrap();
    let refused = place.reader().copy_to(&DatabaseUrl::file(folder.path().join("fresh.db"))).unwrap_err();
    assert!(refused.to_string().contains("fresh.db-wal"), "{refused}");
}

fn a_damaged_journal_is_not_passed_off_as_a_backup(place: &Place) {
    drop(filled(place));
    place.edit("UPDATE journal SET time = time + 1 WHERE shard = 1 AND number = 200");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("copy.db");
    let refused = place.reader().copy_to(&DatabaseUrl::file(&file));
    assert!(matches!(refused, Err(StoreError::Chain(_))), "{refused:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

    let [_, server] = targets(&folder);
    let refused = place.reader().copy_to(&server);
    assert!(matches!(refused, Err(StoreError::Chain(_))), "{refused:?}");
    assert_eq!(Database::open(&server, Options::reader()).unwrap().shards().unwrap(), []);
}
