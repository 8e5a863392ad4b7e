//! What every store of journals does, on SQLite and on Postgres alike.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

mod support;

use std::time::Duration;

use bulkhead_core::time::Timestamp;
use bulkhead_store::database::{Database, Options, RequestState};
use bulkhead_store::journal::{Chain, Record, RecordKind, RecordNumber, Sequence, ShardId};
use bulkhead_store::storage::{AnsweredRequest, Group, Outcome, Storage, StoreError};
use support::{Place, SHARD, group, on_both, snapshot};

on_both! {
    what_was_committed_is_there_after_opening_again,
    records_are_read_in_parts,
    shards_do_not_mix,
    a_group_that_fails_leaves_nothing,
    an_empty_database_must_be_set_up_first,
    a_schema_ahead_of_the_program_is_refused,
    a_migration_that_was_changed_is_refused,
    a_database_of_another_program_is_refused,
    a_second_writer_is_refused_until_the_first_is_gone,
    a_reader_can_not_write_the_journal,
    a_request_waits_beside_the_writer_until_it_is_answered,
    a_request_that_was_refused_says_why_and_waits_no_more,
    a_request_with_a_key_is_there_once,
    what_was_left_under_a_key_is_found_by_it,
    what_is_past_its_retention_goes_and_the_chain_holds,
    only_the_newest_snapshots_stay,
}

fn all(store: &mut dyn Storage) -> Vec<Record> {
    store.records(SHARD, RecordNumber(0), 1_000).unwrap()
}

fn what_was_committed_is_there_after_opening_again(place: &Place) {
    let mut chain = Chain::start(SHARD);
    let mut first = group(&mut chain, 3);
    first.snapshot = Some(snapshot(&chain, b"state"));
    let second = group(&mut chain, 100);
    {
        let mut store = place.writer();
        assert_eq!(store.tail(SHARD).unwrap(), None);
        store.commit(&first).unwrap();
        store.commit(&second).unwrap();
    }
    let mut store = place.writer();
    let written: Vec<Record> = first.records.iter().chain(&second.records).cloned().collect();
    assert_eq!(all(&mut store), written);
    assert_eq!(store.tail(SHARD).unwrap().as_ref(), written.last());
    let heads = store.snapshots(SHARD).unwrap();
    assert_eq!(heads, [first.snapshot.as_ref().unwrap().head.clone()]);
    assert_eq!(store.snapshot(&heads[0]).unwrap(), b"state");
    assert_eq!(store.shards().unwrap(), [SHARD]);
}

fn records_are_read_in_parts(place: &Place) {
    let mut store = place.writer();
    let mut chain = Chain::start(SHARD);
    // More than one statement adds at once, and not a whole number of them.
    let mut large = Group::default();
    for _ in 0..50 {
        large.records.append(&mut group(&mut chain, 2).records);
    }
    store.commit(&large).unwrap();
    let (mut read, mut after) = (Vec::new(), RecordNumber(0));
    loop {
        let part = store.records(SHARD, after, 40).unwrap();
        let Some(last) = part.last() else { break };
        after = last.number;
        read.extend(part);
    }
    assert_eq!(read, large.records);
    let mut followed = Chain::start(SHARD);
    read.iter().for_each(|record| followed.follow(record).unwrap());
    assert_eq!(followed, chain);
}

fn shards_do_not_mix(place: &Place) {
    let mut store = place.writer();
    let (mut one, mut two) = (Chain::start(ShardId(1)), Chain::start(ShardId(2)));
    let mut both = group(&mut one, 1);
    both.records.append(&mut group(&mut two, 5).records);
    store.commit(&both).unwrap();
    assert_eq!(store.tail(ShardId(1)).unwrap().unwrap().checksum, one.checksum());
    assert_eq!(store.tail(ShardId(2)).unwrap().unwrap().checksum, two.checksum());
    assert_eq!(store.tail(ShardId(3)).unwrap(), None);
    assert_eq!(store.shards().unwrap(), [ShardId(1), ShardId(2)]);
}

fn a_group_that_fails_leaves_nothing(place: &Place) {
    let mut store = place.writer();
    let mut chain = Chain::start(SHARD);
    let first = group(&mut chain, 1);
    store.commit(&first).unwrap();

    // The record that is there already comes in a later statement than those that are new.
    let mut further = chain;
    let mut again = group(&mut further, 1);
    again.records.append(&mut group(&mut further, 1).records);
    again.records.push(first.records[0].clone());
    again.snapshot = Some(snapshot(&chain, b"state"));
    assert!(matches!(store.commit(&again), Err(StoreError::Conflict(_))));
    assert_eq!(all(&mut store), first.records);
    assert_eq!(store.snapshots(SHARD).unwrap(), []);

    let next = group(&mut chain, 1);
    store.commit(&next).unwrap();
    assert_eq!(store.tail(SHARD).unwrap().as_ref(), next.records.last());
}

fn refused(place: &Place, options: Options) -> String {
    match Database::open(&place.url, options) {
        Err(StoreError::Unsuitable(reason)) => reason,
        other => panic!("it should be unsuitable: {other:?}"),
    }
}

fn an_empty_database_must_be_set_up_first(place: &Place) {
    for options in [Options::writer(), Options::reader(), Options::reader().migrating()] {
        let reason = refused(place, options);
        assert!(reason.contains("bulkhead db migrate"), "{reason}");
    }
    place.writer();
    place.reader();
    Database::open(&place.url, Options::writer()).unwrap();
}

fn a_schema_ahead_of_the_program_is_refused(place: &Place) {
    place.writer();
    place.edit(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT 999, 'of the future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
    );
    for options in [Options::writer(), Options::writer().migrating(), Options::reader()] {
        let reason = refused(place, options);
        assert!(
            reason.contains("999") && reason.contains("up to 11") && reason.contains("newer"),
            "{reason}"
        );
    }
}

fn a_migration_that_was_changed_is_refused(place: &Place) {
    place.writer();
    place.edit(
        "UPDATE _sqlx_migrations SET checksum = (SELECT checksum FROM _sqlx_migrations WHERE version = 2)",
    );
    let reason = refused(place, Options::writer().migrating());
    assert!(reason.contains("migration 1 is not the one"), "{reason}");
}

fn a_database_of_another_program_is_refused(place: &Place) {
    if let Some(path) = place.url.path() {
        std::fs::write(path, b"").unwrap();
    }
    place.edit("CREATE TABLE cookies (name TEXT)");
    let reason = refused(place, Options::writer().migrating());
    assert!(reason.contains("cookies"), "{reason}");
}

fn a_second_writer_is_refused_until_the_first_is_gone(place: &Place) {
    let mut first = place.writer();
    for options in [Options::writer(), Options::writer().migrating()] {
        let second = Database::open(&place.url, options);
        assert!(matches!(second, Err(StoreError::Conflict(_))), "{second:?}");
    }
    let mut reader = place.reader();
    let mut chain = Chain::start(SHARD);
    first.commit(&group(&mut chain, 1)).unwrap();
    assert_eq!(reader.tail(SHARD).unwrap().unwrap().checksum, chain.checksum());
    drop(first);
    place.writer().commit(&group(&mut chain, 1)).unwrap();
    assert_eq!(reader.tail(SHARD).unwrap().unwrap().checksum, chain.checksum());
}

fn a_reader_can_not_write_the_journal(place: &Place) {
    place.writer();
    let mut reader = place.reader();
    let refused = reader.commit(&group(&mut Chain::start(SHARD), 1));
    assert!(matches!(refused, Err(StoreError::Unsuitable(_))), "{refused:?}");
    assert_eq!(reader.tail(SHARD).unwrap(), None);
}

fn a_request_waits_beside_the_writer_until_it_is_answered(place: &Place) {
    let mut writer = place.writer();
    let mut operator = place.reader();
    let halt = operator.request(SHARD, "ann", r#"{"halt":"lunch"}"#, None).unwrap();
    let other = operator.request(ShardId(2), "ann", "{}", None).unwrap();
    let resume = operator.request(SHARD, "bob", "\"resume\"", None).unwrap();
    assert_ne!(halt, other);

    let waiting = writer.requests(SHARD).unwrap();
    assert_eq!(waiting.iter().map(|request| request.id).collect::<Vec<_>>(), [halt, resume]);
    assert_eq!((waiting[0].actor.as_str(), waiting[0].command.as_str()), ("ann", r#"{"halt":"lunch"}"#));
    assert_eq!(operator.request_state(halt).unwrap(), Some(RequestState::Waiting));

    let mut answering = group(&mut Chain::start(SHARD), 1);
    answering.answered =
        vec![AnsweredRequest { id: halt, outcome: Outcome::Applied { sequence: Sequence(2) } }];
    writer.commit(&answering).unwrap();
    assert_eq!(
        operator.request_state(halt).unwrap(),
        Some(RequestState::Answered(Outcome::Applied { sequence: Sequence(2) }))
    );
    assert_eq!(writer.requests(SHARD).unwrap().len(), 1);
    assert_eq!(operator.request_state(i64::MAX).unwrap(), None);
}

fn a_request_that_was_refused_says_why_and_waits_no_more(place: &Place) {
    let mut writer = place.writer();
    let mut operator = place.reader();
    let refused = operator.request(SHARD, "ann", "{}", None).unwrap();
    let unreadable = operator.request(SHARD, "ann", "what?", None).unwrap();
    assert_eq!(operator.await_outcome(refused, Duration::ZERO).unwrap(), None);

    let reason = |sequence| Outcome::Refused { sequence, reason: "it says \"no\"".to_owned() };
    let mut answering = group(&mut Chain::start(SHARD), 1);
    answering.answered = vec![AnsweredRequest { id: refused, outcome: reason(Some(Sequence(2))) }];
    writer.commit(&answering).unwrap();
    let alone = AnsweredRequest { id: unreadable, outcome: reason(None) };
    writer.commit(&Group { answered: vec![alone], ..Group::default() }).unwrap();

    let late = AnsweredRequest { id: refused, outcome: Outcome::Applied { sequence: Sequence(9) } };
    writer.commit(&Group { answered: vec![late], ..Group::default() }).unwrap();
    let outcome = operator.await_outcome(refused, Duration::ZERO).unwrap();
    assert_eq!(outcome, Some(reason(Some(Sequence(2)))), "the first answer stays");
    let outcome = operator.await_outcome(unreadable, Duration::ZERO).unwrap();
    assert_eq!(outcome, Some(reason(None)));
    assert_eq!(writer.requests(SHARD).unwrap(), []);
    assert_eq!(operator.await_outcome(i64::MAX, Duration::MAX).unwrap(), None);
}

fn a_request_with_a_key_is_there_once(place: &Place) {
    let mut writer = place.writer();
    let mut operator = place.reader();
    let first = operator.request(SHARD, "ann", "{}", Some("1f")).unwrap();
    let other = operator.request(SHARD, "ann", "{}", Some("2f")).unwrap();
    let without = [None, None].map(|key| operator.request(SHARD, "ann", "{}", key).unwrap());
    assert_eq!(operator.request(SHARD, "ann", "{}", Some("1f")).unwrap(), first);
    let waiting: Vec<i64> = writer.requests(SHARD).unwrap().iter().map(|request| request.id).collect();
    assert_eq!(waiting, [first, other, without[0], without[1]]);

    // Also when it is not waiting any more.
    let answer = AnsweredRequest { id: first, outcome: Outcome::Applied { sequence: Sequence(2) } };
    writer.commit(&Group { answered: vec![answer], ..Group::default() }).unwrap();
    assert_eq!(operator.request(SHARD, "ann", "{}", Some("1f")).unwrap(), first);
    for (shard, actor, command) in [(SHARD, "ann", "[]"), (SHARD, "bob", "{}"), (ShardId(2), "ann", "{}")] {
        let error = operator.request(shard, actor, command, Some("1f")).unwrap_err();
        assert!(
            matches!(&error, StoreError::KeyReused { key, id } if key == "1f" && *id == first),
            "{error}"
        );
    }
    assert_eq!(writer.requests(SHARD).unwrap().len(), 3);
}

fn what_was_left_under_a_key_is_found_by_it(place: &Place) {
    let _writer = place.writer();
    let mut operator = place.reader();
    let mut left = |shard, key| operator.request(shard, "ann", "{}", Some(key)).unwrap();
    let single = left(SHARD, "chat:7");
    let parts = [left(SHARD, "chat:9:main"), left(ShardId(2), "chat:9:other")];
    for other in ["chat:77", "chat:9%", "chat", "other:9"] {
        left(SHARD, other);
    }
    let mut found = |key| {
        let found = operator.requests_with_key(key).unwrap().into_iter();
        found.map(|request| (request.id, request.shard, request.command)).collect::<Vec<_>>()
    };
    assert_eq!(found("chat:7"), [(single, SHARD, "{}".to_owned())]);
    let both = [(parts[0], SHARD, "{}".to_owned()), (parts[1], ShardId(2), "{}".to_owned())];
    assert_eq!(found("chat:9"), both);
    assert_eq!(found("chat:_"), []);
}

fn what_is_past_its_retention_goes_and_the_chain_holds(place: &Place) {
    let mut store = place.writer();
    let mut chain = Chain::start(SHARD);
    for _ in 0..4 {
        store.commit(&group(&mut chain, 9)).unwrap();
    }
    // Inputs 1-9, 11-19, 21-29 and 31-39 are the market's, a minute each.
    let (old, kept) = (Timestamp::from_seconds(60 * 25), Sequence(28));
    assert_eq!(store.drop_market_payloads(SHARD, old, kept).unwrap(), 2);
    assert_eq!(store.drop_market_payloads(SHARD, old, kept).unwrap(), 0);
    assert_eq!(store.drop_market_payloads(SHARD, Timestamp::from_seconds(60 * 15), Sequence(99)).unwrap(), 0);
    let records = all(&mut store);
    let dropped = records.iter().filter(|record| record.payload.is_none()).collect::<Vec<_>>();
    assert!(dropped.iter().all(|record| record.kind == RecordKind::Market && record.last <= Sequence(19)));
    assert_eq!(dropped.len(), 2);
    let mut followed = Chain::start(SHARD);
    records.iter().for_each(|record| followed.follow(record).unwrap());
    assert_eq!(followed, chain);
}

fn only_the_newest_snapshots_stay(place: &Place) {
    let mut store = place.writer();
    let mut chain = Chain::start(SHARD);
    for payload in [b"one", b"two", b"thr"] {
        let mut group = group(&mut chain, 1);
        group.snapshot = Some(snapshot(&chain, payload));
        store.commit(&group).unwrap();
    }
    assert_eq!(store.drop_snapshots(SHARD, 2).unwrap(), 1);
    let heads = store.snapshots(SHARD).unwrap();
    let payloads: Vec<_> = heads.iter().map(|head| store.snapshot(head).unwrap()).collect();
    assert_eq!(payloads, [b"thr".to_vec(), b"two".to_vec()]);
}
