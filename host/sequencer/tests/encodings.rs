//! Journals that earlier versions wrote, one for each encoding, are recovered and replayed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

mod support;

use bulkhead_core::input::{Actor, Command, InputKind};
use bulkhead_core::time::Timestamp;
use bulkhead_sequencer::recovery::recover;
use bulkhead_sequencer::replay::Replay;
use bulkhead_store::journal::{Chain, Checksum, Record, RecordKind, RecordNumber, Sequence, ShardId, decode};
use bulkhead_store::storage::{Group, Snapshot, SnapshotHead, Storage as _};
use support::database::Database;
use support::strategy::Source;

const SHARD: ShardId = ShardId(3);

/// Number, kind, first and last input, time, encoding, payload and its hash, checksum.
type GoldenRecord = (u64, i16, u64, u64, Timestamp, i16, Vec<u8>, Checksum, Checksum);

/// Number of the record before it, time, encoding, payload and its hash.
type GoldenSnapshot = (u64, Timestamp, i16, Vec<u8>, Checksum);

/// A journal as a version that wrote the first encoding left it: two strategies, every command there was, and a
/// snapshot in the middle and at the end. With the digest of its orders and fills.
fn first_encoding() -> (Database, String) {
    let content = include_bytes!("golden/encoding-1.journal");
    let (digest, records, snapshots): (String, Vec<GoldenRecord>, Vec<GoldenSnapshot>) =
        decode(1, content).unwrap();
    let mut database = Database::default();
    let mut chain = Chain::start(SHARD);
    let mut snapshots = snapshots.into_iter().peekable();
    for (number, kind, first, last, time, encoding, payload, payload_hash, checksum) in records {
        assert_eq!(encoding, 1);
        let record = Record {
            shard: SHARD,
            number: RecordNumber(number),
            kind: RecordKind::of(kind).unwrap(),
            first: Sequence(first),
            last: Sequence(last),
            time,
            encoding,
            payload: Some(payload),
            payload_hash,
            checksum,
        };
        chain.follow(&record).unwrap();
        let snapshot = snapshots.next_if(|snapshot| snapshot.0 == number).map(|snapshot| {
            let (_, time, encoding, payload, payload_hash) = snapshot;
            Snapshot { head: SnapshotHead { chain, time, encoding, payload_hash }, payload }
        });
        let group = Group { records: vec![record], snapshot, ..Group::default() };
        database.commit(&group).unwrap();
    }
    assert_eq!(snapshots.next(), None);
    (database, digest)
}

#[test]
fn a_journal_of_the_first_encoding_is_recovered_from_its_snapshot() {
    let (database, digest) = first_encoding();
    let recovered = recover(&mut database.clone(), SHARD, &Source).unwrap().unwrap();
    assert_eq!(recovered.report.snapshot, Some(recovered.report.last));
    let engine = &recovered.position.engine;
    assert_eq!(engine.digest().to_string(), digest);
    assert_eq!(engine.halted(), Some("enough"));
    assert_eq!(engine.slot("slow").unwrap().status().name(), "removed");
    assert_eq!(engine.settings().instruments.len(), 3);
    // Nothing else is known of what the configuration asked for.
    let quick = engine.slot("quick").unwrap();
    assert_eq!(quick.configured(), Some(quick.deployment()));
    assert_eq!(engine.slot("slow").unwrap().configured(), None);
}

#[test]
fn a_journal_of_the_first_encoding_is_replayed_from_its_beginning_with_those_who_asked() {
    let (mut database, digest) = first_encoding();
    let mut asked = Vec::new();
    let (mut replay, _) = Replay::from_opening(&mut database, SHARD, &Source).unwrap();
    replay
        .run(&mut database.clone(), None, &mut |_, _, input, _| {
            if let InputKind::Command(command) = &input.kind {
                asked.push((command.actor.clone(), command.command.clone()));
            }
        })
        .unwrap();
    assert_eq!(replay.engine().digest().to_string(), digest);
    assert_eq!(asked.len(), 12);
    let anna = Actor::Person("anna".to_owned());
    let part = |name: &str| Actor::Host(name.to_owned());
    let actor_of = |wanted: fn(&Command) -> bool| {
        asked.iter().find(|(_, command)| wanted(command)).map(|(actor, _)| actor.clone()).unwrap()
    };
    assert_eq!(actor_of(|command| matches!(command, Command::Halt { .. })), anna);
    assert_eq!(actor_of(|command| matches!(command, Command::Resume {})), part("recovery"));
    assert_eq!(actor_of(|command| matches!(command, Command::ChangeSettings(_))), part("configuration"));
    assert_eq!(actor_of(|command| matches!(command, Command::Deploy(_))), part("unrecorded"));
    assert_eq!(actor_of(|command| matches!(command, Command::Close { .. })), part("unrecorded"));
}

#[test]
fn requests_that_earlier_versions_left_are_understood() {
    let read = |json: &str| serde_json::from_str::<Command>(json).unwrap();
    let halt = read(r#"{"halt":{"reason":"lunch","actor":{"person":"anna"},"action":"flatten"}}"#);
    assert!(matches!(halt, Command::Halt { reason, .. } if reason == "lunch"));
    assert_eq!(read(r#"{"resume":{"actor":{"person":"anna"}}}"#), Command::Resume {});
    assert_eq!(
        read(r#"{"close":{"slot":"a","instrument":1}}"#),
        Command::Close { slot: "a".to_owned(), instrument: bulkhead_core::identifier::InstrumentId(1) }
    );
}
