//! A journal or snapshot that is damaged, from a newer program, or not complete: refused with the place, and
//! never repaired.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

mod support;

use std::time::Duration;

use bulkhead_core::identifier::ContentHash;
use bulkhead_core::input::{Command, Input, InputKind};
use bulkhead_core::output::Output;
use bulkhead_core::strategy::{FaultKind, StrategySource};
use bulkhead_core::venue::Execution;
use bulkhead_sequencer::recovery::{Recovered, begin, recover};
use bulkhead_sequencer::replay::{Replay, ReplayError, Versions};
use bulkhead_sequencer::sequencer::{Policy, Sequencer};
use bulkhead_sequencer::snapshot::ShardSnapshot;
use bulkhead_store::journal::{
    ChainBreak, NumberedOutput, Opening, PayloadError, RecordKind, RecordNumber, Sequence, ShardId, encode,
};
use bulkhead_store::storage::StoreError;
use support::database::{Database, rehash};
use support::market::{bars, deployments, host, settings};
use support::strategy::{Source, Unsteady};

const SHARD: ShardId = ShardId(3);

/// A database with a journal and several snapshots.
fn recorded(versions: &dyn Versions) -> (Database, String) {
    let database = Database::default();
    let opening = Opening {
        settings: settings(),
        feed: String::new(),
        made_by: String::new(),
        execution: Execution::Paper,
    };
    let position = begin(&mut database.clone(), SHARD, &opening, versions).unwrap();
    let policy = Policy {
        group_inputs: 8,
        group_delay: Duration::from_secs(3_600),
        snapshot_inputs: 60,
        snapshot_delay: Duration::from_secs(3_600),
        ..Policy::default()
    };
    let mut sequencer = Sequencer::start(position, Box::new(database.clone()), policy).unwrap();
    let mut handed_out = Vec::new();
    let commands = deployments().into_iter();
    let commands =
        commands.map(|command| Input { time: Default::default(), kind: InputKind::command(host(), command) });
    for input in commands.chain(bars(7, 100)) {
        while !sequencer.has_room() {
            sequencer.wait(Duration::from_secs(1), &mut handed_out).unwrap();
        }
        sequencer.step(input);
        sequencer.released(&mut handed_out).unwrap();
    }
    let engine = sequencer.close(Duration::from_secs(60), &mut handed_out).unwrap();
    (database, engine.digest().to_string())
}

fn recovered(database: &Database) -> Result<Recovered, ReplayError> {
    recover(&mut database.clone(), SHARD, &Source).map(Option::unwrap)
}

fn digest(recovered: &Recovered) -> String {
    recovered.position.engine.digest().to_string()
}

#[test]
fn a_whole_journal_is_recovered_from_its_last_snapshot_without_a_step() {
    let (database, expected) = recorded(&Source);
    let recovered = recovered(&database).unwrap();
    assert_eq!(digest(&recovered), expected);
    assert_eq!(recovered.report.replayed, 0);
    assert_eq!(recovered.report.snapshot, Some(recovered.report.last));
    assert_eq!(recovered.position.feed_inputs, 200);
    assert_eq!(recovered.report.orders.len(), recovered.position.engine.orders().count());
}

#[test]
fn a_damaged_snapshot_falls_back_to_the_one_before_and_all_damaged_to_the_beginning() {
    let (database, expected) = recorded(&Source);
    let snapshots = database.snapshots_of().len();
    assert!(snapshots >= 3);
    for age in 0..snapshots {
        database.edit_snapshot(age, |snapshot| {
            let middle = snapshot.payload.len() / 2;
            snapshot.payload[middle] ^= 1;
        });
        let recovered = recovered(&database).unwrap();
        assert_eq!(digest(&recovered), expected);
        assert_eq!(recovered.report.unusable_snapshots.len(), age + 1);
        assert_eq!(recovered.report.snapshot.is_none(), age + 1 == snapshots);
        assert!(recovered.report.replayed > 0);
    }
}

#[test]
fn a_snapshot_that_is_truncated_but_has_the_right_hash_is_no_snapshot() {
    let (database, expected) = recorded(&Source);
    database.edit_snapshot(0, |snapshot| {
        snapshot.payload.truncate(40);
        snapshot.head.payload_hash = rehash(&snapshot.payload);
    });
    let recovered = recovered(&database).unwrap();
    assert_eq!((digest(&recovered), recovered.report.unusable_snapshots.len()), (expected, 1));
}

#[test]
fn a_snapshot_that_does_not_hold_together_falls_back_to_the_one_before() {
    let (database, expected) = recorded(&Source);
    database.edit_snapshot(0, |snapshot| {
        let read = ShardSnapshot::decode(snapshot.head.encoding, &snapshot.payload).unwrap();
        let mut written = serde_json::to_value(&read).unwrap();
        written["engine"]["ready"] = serde_json::json!([99]);
        let edited: ShardSnapshot = serde_json::from_value(written).unwrap();
        snapshot.payload = encode(&edited).unwrap();
        snapshot.head.payload_hash = rehash(&snapshot.payload);
    });
    let recovered = recovered(&database).unwrap();
    assert_eq!(digest(&recovered), expected);
    let [(_, reason)] = recovered.report.unusable_snapshots.as_slice() else { panic!("one is unusable") };
    assert!(reason.contains("slot 99 is to be told something"), "{reason}");
}

#[test]
fn a_snapshot_of_another_journal_is_not_used() {
    let (database, expected) = recorded(&Source);
    let record = database.records_of(SHARD)[4].clone();
    database.edit_snapshot(0, |snapshot| {
        snapshot.head.chain = bulkhead_store::journal::Chain::ending_with(&record);
        snapshot.head.chain = {
            let mut other = record.clone();
            other.checksum.0[0] ^= 1;
            bulkhead_store::journal::Chain::ending_with(&other)
        };
    });
    assert_eq!(digest(&recovered(&database).unwrap()), expected);
}

#[test]
fn a_snapshot_or_record_of_a_newer_program_is_refused() {
    let (database, _) = recorded(&Source);
    database.edit_snapshot(0, |snapshot| snapshot.head.encoding = 99);
    let error = recovered(&database).err().unwrap();
    assert!(
        matches!(error, ReplayError::Payload { error: PayloadError::Newer { found: 99 }, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("newer"), "{error}");
}

#[test]
fn an_edited_record_is_refused_with_its_place() {
    let (database, _) = recorded(&Source);
    let newest = database.snapshots_of()[0].chain.number();
    // The first snapshots are at hand, so what follows the newest is read: the others are dropped.
    for age in 0..database.snapshots_of().len() {
        database.edit_snapshot(age, |snapshot| snapshot.payload.clear());
    }
    let edited = RecordNumber(newest.0 + 3);
    database.edit_records(|record| {
        if record.number == edited
            && let Some(payload) = &mut record.payload
        {
            payload[10] ^= 4;
        }
    });
    let error = recovered(&database).err().unwrap();
    let place = matches!(
        &error,
        ReplayError::Store(StoreError::Chain(ChainBreak::Payload { number, .. })) if *number == edited
    );
    assert!(place, "{error}");
    assert!(error.to_string().contains(&format!("{edited}")), "{error}");
}

#[test]
fn a_removed_record_is_refused() {
    let (database, _) = recorded(&Source);
    for age in 0..database.snapshots_of().len() {
        database.edit_snapshot(age, |snapshot| snapshot.payload.clear());
    }
    // As if it were not there: it is another shard's.
    database.edit_records(|record| {
        if record.number == RecordNumber(5) {
            record.shard = ShardId(99);
        }
    });
    let error = recovered(&database).err().unwrap();
    assert!(matches!(error, ReplayError::Store(StoreError::Chain(ChainBreak::Gap { .. }))), "{error}");
}

#[test]
fn a_journal_that_ends_before_one_of_its_snapshots_is_refused() {
    let (database, _) = recorded(&Source);
    let newest = database.snapshots(SHARD);
    database.truncate_records(RecordNumber(newest.0 - 1));
    let error = recovered(&database).err().unwrap();
    assert!(matches!(error, ReplayError::Cut { .. }), "{error}");
    assert!(error.to_string().contains("restore a backup"), "{error}");
}

#[test]
fn dropped_market_data_are_not_needed_after_a_snapshot_and_missed_before() {
    let (database, expected) = recorded(&Source);
    let newest = database.snapshots(SHARD);
    database.edit_records(|record| {
        if record.kind == RecordKind::Market && record.number < newest {
            record.payload = None;
        }
    });
    assert_eq!(digest(&recovered(&database).unwrap()), expected);
    for age in 0..database.snapshots_of().len() {
        database.edit_snapshot(age, |snapshot| snapshot.payload.clear());
    }
    let error = recovered(&database).err().unwrap();
    let ReplayError::NoSnapshot { error, unusable } = &error else { panic!("{error}") };
    assert!(matches!(**error, ReplayError::Dropped { .. }), "{error}");
    assert_eq!(unusable.len(), database.snapshots_of().len());
}

#[test]
fn a_strategy_version_that_is_missing_is_named() {
    struct Nothing;
    impl Versions for Nothing {
        fn source(&self) -> Box<dyn StrategySource> {
            Box::new(Source)
        }
        fn prepare(&self, _: &ContentHash) -> Result<(), String> {
            Err("its file is gone".to_owned())
        }
    }
    let (database, _) = recorded(&Source);
    let error = recover(&mut database.clone(), SHARD, &Nothing).err().unwrap();
    assert!(matches!(error, ReplayError::Version { .. }), "{error}");
    assert!(error.to_string().contains("its file is gone"), "{error}");
}

#[test]
fn a_deployment_that_was_refused_needs_no_version() {
    let (database, _) = recorded(&Source);
    let mut position = recovered(&database).unwrap().position;
    let time = position.engine.now();
    let Some(Command::Deploy(mut deployment)) = deployments().pop() else { panic!("a deployment") };
    deployment.version = ContentHash::of(b"nobody has this");
    deployment.weight = rust_decimal::Decimal::TWO;
    let policy = Policy { snapshot_inputs: 1_000, ..Policy::default() };
    position.since_snapshot = 0;
    let mut sequencer = Sequencer::start(position, Box::new(database.clone()), policy).unwrap();
    sequencer.step(Input { time, kind: InputKind::command(host(), Command::Deploy(deployment)) });
    let mut handed_out = Vec::new();
    while handed_out.is_empty() {
        sequencer.wait(Duration::from_secs(1), &mut handed_out).unwrap();
    }
    assert!(matches!(handed_out[0].output, Output::InputRefused { .. }), "{handed_out:?}");
    drop(sequencer);
    assert_eq!(recovered(&database).unwrap().report.replayed, 1);
}

#[test]
fn a_run_that_ends_in_order_leaves_a_snapshot_also_when_it_only_recovered() {
    let (database, expected) = recorded(&Source);
    // As if it had crashed after the first snapshot.
    let snapshots = database.snapshots_of().len();
    for age in 0..snapshots - 1 {
        database.edit_snapshot(age, |snapshot| snapshot.payload.clear());
    }
    let position = recovered(&database).unwrap().position;
    assert!(position.since_snapshot > 0);
    let sequencer = Sequencer::start(position, Box::new(database.clone()), Policy::default()).unwrap();
    sequencer.close(Duration::from_secs(60), &mut Vec::new()).unwrap();
    let recovered = recovered(&database).unwrap();
    assert_eq!((digest(&recovered), recovered.report.replayed), (expected, 0));
}

#[test]
fn a_replay_up_to_an_input_stops_there_and_one_from_a_snapshot_goes_on() {
    let (database, expected) = recorded(&Source);
    let mut storage = database.clone();
    let (mut replay, _) = Replay::from_opening(&mut storage, SHARD, &Source).unwrap();
    let mut last = Sequence(0);
    replay.run(&mut storage, Some(Sequence(77)), &mut |_, sequence, _, _| last = sequence).unwrap();
    assert_eq!((last, replay.inputs()), (Sequence(77), 77));
    let oldest = database.snapshots_of()[0].clone();
    let mut replay = Replay::from_snapshot(&mut storage, &oldest, &Source).unwrap();
    replay.run(&mut storage, None, &mut |_, _, _, _| {}).unwrap();
    assert_eq!(replay.engine().digest().to_string(), expected);
}

#[test]
fn what_the_machine_had_a_part_in_is_taken_from_the_record() {
    let unsteady = Unsteady::that_fails_at(40);
    let (database, expected) = recorded(&unsteady);
    let mut faults: Vec<NumberedOutput> = Vec::new();
    let mut storage = database.clone();
    // The steady source would not fail by itself.
    let (mut replay, _) = Replay::from_opening(&mut storage, SHARD, &Source).unwrap();
    replay
        .run(&mut storage, None, &mut |_, sequence, _, outputs| {
            let found = outputs.iter().filter(|output| matches!(output, Output::StrategyFault(_)));
            faults.extend(found.map(|output| NumberedOutput { sequence, output: output.clone() }));
        })
        .unwrap();
    assert_eq!(replay.engine().digest().to_string(), expected);
    let [NumberedOutput { output: Output::StrategyFault(report), .. }] = faults.as_slice() else {
        panic!("one fault was expected: {faults:?}");
    };
    assert_eq!(report.fault, FaultKind::Deadline(100));
}

#[test]
fn the_first_output_that_differs_is_shown_with_both_sides() {
    // The same version's name, another behaviour: it fails for a reason of its own.
    let unsteady = Unsteady::that_traps_at(40);
    let (database, _) = recorded(&unsteady);
    let mut storage = database.clone();
    let (mut replay, _) = Replay::from_opening(&mut storage, SHARD, &Source).unwrap();
    let error = replay.run(&mut storage, None, &mut |_, _, _, _| {}).err().unwrap();
    let ReplayError::Diverged(found) = error else { panic!("{error}") };
    assert!(found.recorded.iter().any(|output| matches!(output, Output::StrategyFault(_))), "{found:?}");
    assert!(!found.repeated.iter().any(|output| matches!(output, Output::StrategyFault(_))), "{found:?}");
}

impl Database {
    /// The record at which the newest snapshot ends.
    fn snapshots(&self, shard: ShardId) -> RecordNumber {
        let heads = self.snapshots_of();
        heads.iter().filter(|head| head.chain.shard() == shard).map(|head| head.chain.number()).max().unwrap()
    }
}
