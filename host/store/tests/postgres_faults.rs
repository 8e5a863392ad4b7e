//! What can happen to a Postgres server while a group is written: the group is there as a whole or not at
//! all, the error says what kind it is, and the store works again afterwards.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

mod support;

use std::time::Duration;

use bulkhead_core::identifier::StrategyId;
use bulkhead_core::money::Money;
use bulkhead_core::time::Timestamp;
use bulkhead_store::database::{Database, Options, Synchronous};
use bulkhead_store::journal::{Chain, RecordNumber, ShardId};
use bulkhead_store::read_models::{Change, ChargeRow};
use bulkhead_store::storage::{Group, Storage, StoreError};
use bulkhead_store::verify::verify;
use sqlx::{Connection as _, Executor as _};
use support::postgres::{Cluster, shared};
use support::{Place, SHARD, group, snapshot};
use tokio::runtime::Runtime;

/// Five records, a snapshot and a row: several statements, so that a fault can come between them.
fn large_group(chain: &mut Chain) -> Group {
    let mut group = group(chain, 3);
    group.snapshot = Some(snapshot(chain, &[3; 10_000]));
    group.changes.push(Change::Charge(ChargeRow {
        shard: SHARD,
        sequence: chain.sequence(),
        ordinal: 1,
        strategy: StrategyId(0),
        time: Timestamp::EPOCH,
        amount: Money::ZERO,
    }));
    group
}

/// Whether the group is there; panics when only some of it is.
fn is_there(store: &mut Database, before: &Chain, group: &Group) -> bool {
    let records = store.records(SHARD, before.number(), 100).unwrap();
    let last = group.records.last().unwrap().last;
    let snapshots =
        store.snapshots(SHARD).unwrap().iter().filter(|head| head.chain.sequence() == last).count();
    let charges =
        store.charges(SHARD, None, 100_000).unwrap().iter().filter(|row| row.sequence == last).count();
    if records.is_empty() {
        assert_eq!((snapshots, charges), (0, 0), "nothing of the group may be there");
        return false;
    }
    assert_eq!(records, group.records);
    assert_eq!((snapshots, charges), (1, 1), "all of the group must be there");
    true
}

/// Asks until the server answers again.
fn once_available<T>(mut ask: impl FnMut() -> Result<T, StoreError>) -> T {
    // Bounded by the number of tries, each of which waits for the server by itself.
    for _ in 0..1_000 {
        match ask() {
            Ok(answer) => return answer,
            Err(StoreError::Unavailable(_)) => {}
            Err(other) => panic!("it should be unavailable for a while: {other}"),
        }
    }
    panic!("the server should be back")
}

fn impatient() -> Options {
    Options { timeout: Duration::from_millis(400), ..Options::writer() }
}

fn assert_unavailable<T: std::fmt::Debug>(answer: &Result<T, StoreError>) {
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
}

#[test]
fn a_server_that_is_stopped_or_crashes_and_comes_back_is_gone_on_with() {
    let cluster = Cluster::start();
    let url = cluster.url(&cluster.new_database()).parse().unwrap();
    let mut store = Database::open(&url, Options::writer().migrating()).unwrap();
    let mut chain = Chain::start(SHARD);
    store.commit(&large_group(&mut chain)).unwrap();
    for how in ["fast", "immediate"] {
        cluster.stop(how);
        let before = chain;
        let group = large_group(&mut chain);
        assert_unavailable(&store.commit(&group));
        assert_unavailable(&store.tail(SHARD));
        assert_unavailable(&Database::open(&url, Options::reader()));
        cluster.start_again("");
        assert!(!once_available(|| store.tail(SHARD).map(|tail| tail.unwrap().number > before.number())));
        assert!(!is_there(&mut store, &before, &group));
        store.commit(&group).unwrap();
        assert!(is_there(&mut store, &before, &group));
        let second = Database::open(&url, Options::writer());
        assert!(matches!(second, Err(StoreError::Conflict(_))), "the lock was taken again: {second:?}");
    }
    assert_eq!(verify(&mut store, SHARD, &mut |_| {}).unwrap().chain, chain);
}

#[test]
fn a_server_that_stands_still_is_unavailable_and_what_it_does_later_is_known() {
    let cluster = Cluster::start();
    let url = cluster.url(&cluster.new_database()).parse().unwrap();
    drop(Database::open(&url, Options::writer().migrating()).unwrap());
    let mut store = Database::open(&url, impatient()).unwrap();
    let mut chain = Chain::start(SHARD);
    for _ in 0..3 {
        let before = chain;
        let group = large_group(&mut chain);
        cluster.pause();
        assert_unavailable(&store.commit(&group));
        assert_unavailable(&store.tail(SHARD));
        cluster.resume();
        // The session before is over as soon as there is an answer, so the answer stays true.
        let number = once_available(|| store.tail(SHARD)).map_or(RecordNumber(0), |tail| tail.number);
        let there = is_there(&mut store, &before, &group);
        assert_eq!(there, number > before.number());
        if !there {
            store.commit(&group).unwrap();
        }
        assert!(is_there(&mut store, &before, &group));
    }
    assert_eq!(verify(&mut store, SHARD, &mut |_| {}).unwrap().chain, chain);
}

/// Another session that makes the writer wait in the middle of its transaction.
struct Obstacle {
    runtime: Runtime,
    connection: sqlx::PgConnection,
}

impl Obstacle {
    /// Holds a table.
    fn new(place: &Place, table: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connection = runtime.block_on(async {
            let mut connection = sqlx::PgConnection::connect(&place.text).await.unwrap();
            connection.execute("BEGIN").await.unwrap();
            let lock = sqlx::AssertSqlSafe(format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"));
            connection.execute(lock).await.unwrap();
            connection
        });
        Self { runtime, connection }
    }

    /// Waits until somebody waits for it, and gives the server's process that does.
    fn waiting(&mut self) -> i32 {
        let sql = "SELECT coalesce(max(pid), 0) FROM pg_stat_activity \
                   WHERE wait_event_type = 'Lock' AND datname = current_database()";
        loop {
            // It sees the activity as of its transaction's first look otherwise.
            self.runtime.block_on(self.connection.execute("SELECT pg_stat_clear_snapshot()")).unwrap();
            let pid = self.runtime.block_on(sqlx::query_scalar(sql).fetch_one(&mut self.connection)).unwrap();
            if pid != 0 {
                return pid;
            }
        }
    }

    fn remove(mut self) {
        self.runtime.block_on(async {
            self.connection.execute("ROLLBACK").await.unwrap();
            self.connection.close().await.unwrap();
        });
    }
}

#[test]
fn what_became_of_a_group_is_not_told_while_its_session_may_still_commit_it() {
    let place = Place::postgres();
    drop(place.writer());
    // The commit itself waits for the obstacle, when the store has nothing more to send.
    place.edit(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN LOCK TABLE slots IN ACCESS SHARE MODE; RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON charges DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION wait();",
    );
    let options = Options { timeout: Duration::from_secs(2), ..Options::writer() };
    let mut store = Database::open(&place.url, options).unwrap();
    let mut chain = Chain::start(SHARD);
    let group = large_group(&mut chain);
    let mut obstacle = Obstacle::new(&place, "slots");
    let (store, process) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            assert_unavailable(&store.commit(&group));
            store
        });
        let process = obstacle.waiting();
        Cluster::signal_process(process, "-STOP");
        (writer.join().unwrap(), process)
    });
    obstacle.remove();
    let mut store = store;
    for answer in [store.tail(SHARD).map(drop), store.commit(&group)] {
        let refused = answer.unwrap_err();
        assert!(
            matches!(&refused, StoreError::Unavailable(reason) if reason.contains("not ended yet")),
            "{refused}"
        );
    }
    Cluster::signal_process(process, "-CONT");
    let tail = once_available(|| store.tail(SHARD));
    assert_eq!(tail.is_some(), is_there(&mut store, &Chain::start(SHARD), &group));
}

#[test]
fn a_session_that_is_ended_in_the_middle_of_a_group_leaves_nothing_of_it() {
    let place = Place::postgres();
    let mut store = place.writer();
    let mut chain = Chain::start(SHARD);
    let group = large_group(&mut chain);
    let mut obstacle = Obstacle::new(&place, "charges");
    let store = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            assert_unavailable(&store.commit(&group));
            store
        });
        let pid = obstacle.waiting();
        shared().sql("postgres", &format!("SELECT pg_terminate_backend({pid})"));
        writer.join().unwrap()
    });
    obstacle.remove();
    let mut store = store;
    assert!(!is_there(&mut store, &Chain::start(SHARD), &group));
    store.commit(&group).unwrap();
    assert!(is_there(&mut store, &Chain::start(SHARD), &group));
}

#[test]
fn a_statement_that_takes_too_long_is_given_up_and_leaves_nothing() {
    let place = Place::postgres();
    drop(place.writer());
    let mut store = Database::open(&place.url, impatient()).unwrap();
    let mut chain = Chain::start(SHARD);
    let group = large_group(&mut chain);
    let obstacle = Obstacle::new(&place, "charges");
    assert_unavailable(&store.commit(&group));
    obstacle.remove();
    assert_eq!(once_available(|| store.tail(SHARD)), None);
    store.commit(&group).unwrap();
    assert!(is_there(&mut store, &Chain::start(SHARD), &group));
}

#[test]
fn whatever_moment_a_session_is_ended_at_no_group_is_half_there_twice_there_or_lost() {
    let place = Place::postgres();
    let mut store = place.writer();
    let mut chain = Chain::start(SHARD);
    let (go_on, stop) = std::sync::mpsc::channel::<()>();
    let database = place.database.clone();
    let (mut groups, mut lost) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let sql = format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = '{database}' AND application_name = 'bulkhead writer'"
            );
            while stop.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                shared().sql("postgres", &sql);
            }
        });
        while lost < 25 {
            let before = chain;
            let group = large_group(&mut chain);
            loop {
                match store.commit(&group) {
                    Ok(()) => break,
                    Err(StoreError::Unavailable(_)) => lost += 1,
                    Err(other) => panic!("it should be unavailable: {other}"),
                }
                let tail = once_available(|| store.tail(SHARD));
                let number = tail.map_or(RecordNumber(0), |tail| tail.number);
                if number == chain.number() {
                    break;
                }
                assert_eq!(number, before.number());
            }
            groups += 1;
        }
        drop(go_on);
    });
    let mut store = place.reader();
    let report = verify(&mut store, SHARD, &mut |_| {}).unwrap();
    assert_eq!((report.chain, report.snapshots), (chain, groups));
    assert_eq!(store.charges(SHARD, None, 100_000).unwrap().len(), groups);
}

#[test]
fn a_writer_whose_session_was_lost_does_not_write_beside_its_successor() {
    let place = Place::postgres();
    let mut first = place.writer();
    let mut chain = Chain::start(SHARD);
    first.commit(&large_group(&mut chain)).unwrap();
    place.edit(OF_ALL);
    let mut second = Database::open(&place.url, Options::writer()).unwrap();
    let group = large_group(&mut chain.clone());
    assert_unavailable(&first.commit(&group));
    let refused = first.commit(&group);
    assert!(
        matches!(&refused, Err(StoreError::Conflict(reason)) if reason.contains("bulkhead writer")),
        "{refused:?}"
    );
    second.commit(&group).unwrap();
    drop(second);
    // The journal has gone on without it.
    assert!(matches!(first.commit(&group), Err(StoreError::Conflict(_))));
}

/// Ends the session that has everything locked, or all that have a lock.
const OF_EVERYTHING: &str = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 \
                             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
const OF_ALL: &str = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' \
                      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

fn assert_kept_out(place: &Place) {
    let opened = Database::open(&place.url, Options::writer());
    assert!(
        matches!(&opened, Err(StoreError::Conflict(reason)) if reason.contains("bulkhead writer")),
        "{opened:?}"
    );
}

#[test]
fn another_process_is_kept_out_by_a_shard_when_the_first_session_is_lost() {
    let place = Place::postgres();
    let first = place.writer();
    let mut shared = first.share(SHARD).unwrap();
    place.edit(OF_EVERYTHING);
    assert_kept_out(&place);
    shared.commit(&large_group(&mut Chain::start(SHARD))).unwrap();
    drop(first);
    assert_kept_out(&place);
    drop(shared);
    Database::open(&place.url, Options::writer()).unwrap();
}

#[test]
fn another_process_is_kept_out_again_once_a_shard_is_back() {
    let place = Place::postgres();
    let first = place.writer();
    let (mut shared, mut other) = (first.share(SHARD).unwrap(), first.share(ShardId(2)).unwrap());
    place.edit(OF_ALL);
    let mut chain = Chain::start(SHARD);
    let group = large_group(&mut chain);
    assert_unavailable(&shared.commit(&group));
    once_available(|| shared.commit(&group));
    assert_kept_out(&place);
    // The others come back beside it.
    let group = large_group(&mut Chain::start(ShardId(2)));
    assert_unavailable(&other.commit(&group));
    once_available(|| other.commit(&group));
    // Also when the one that kept others out for them goes.
    drop(shared);
    assert_kept_out(&place);
    drop((first, other));
    Database::open(&place.url, Options::writer()).unwrap();
}

#[test]
fn a_shard_does_not_come_back_beside_another_process() {
    let place = Place::postgres();
    let first = place.writer();
    let mut shared = first.share(SHARD).unwrap();
    place.edit(OF_ALL);
    // It writes the journal of its only account without a lock of the shard.
    let mut second = Database::open(&place.url, Options::writer()).unwrap();
    let group = large_group(&mut Chain::start(SHARD));
    assert_unavailable(&shared.commit(&group));
    let refused = shared.commit(&group);
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    second.commit(&group).unwrap();
}

#[test]
fn a_server_without_room_says_so() {
    let place = Place::postgres();
    let mut store = place.writer();
    let mut chain = Chain::start(SHARD);
    let first = large_group(&mut chain);
    place.edit(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$; \
         CREATE TRIGGER full_disk BEFORE INSERT ON snapshots EXECUTE FUNCTION full_disk();",
    );
    let refused = store.commit(&first);
    assert!(matches!(&refused, Err(StoreError::Full(_))), "{refused:?}");
    assert!(!is_there(&mut store, &Chain::start(SHARD), &first));
    place.edit("DROP TRIGGER full_disk ON snapshots");
    store.commit(&first).unwrap();
    assert!(is_there(&mut store, &Chain::start(SHARD), &first));
}

#[test]
fn a_server_that_does_not_keep_its_promises_is_refused_unless_that_is_wanted() {
    let cluster = Cluster::start();
    let url = cluster.url(&cluster.new_database()).parse().unwrap();
    drop(Database::open(&url, Options::writer().migrating()).unwrap());
    cluster.stop("fast");
    cluster.start_again("-c fsync=off");
    let refused = Database::open(&url, Options::writer()).unwrap_err();
    assert!(matches!(&refused, StoreError::Unsuitable(reason) if reason.contains("fsync")), "{refused}");
    let careless = Options { synchronous: Synchronous::Normal, ..Options::writer() };
    Database::open(&url, careless).unwrap();
    Database::open(&url, Options::reader()).unwrap();
}

#[test]
fn no_message_holds_the_password() {
    let cluster = shared();
    let folder = cluster.url("postgres").split("host=").nth(1).unwrap().to_owned();
    cluster.sql("postgres", "CREATE ROLE ann LOGIN PASSWORD 'hunter2'");
    cluster.sql("postgres", "CREATE DATABASE anns OWNER ann");
    let url = |password: &str, rest: &str| format!("postgres://ann:{password}@localhost/{rest}host={folder}");
    let opened = |text: String, options: Options| Database::open(&text.parse().unwrap(), options);

    let database = opened(url("hunter2", "anns?"), Options::writer().migrating()).unwrap();
    let shown = format!("{database:?} {} {:?}", database.url(), database.url());
    assert!(shown.contains("ann@") && !shown.contains("hunter2"), "{shown}");
    drop(database);
    for (text, says) in [
        (url("hunter2x", "anns?"), "password"),
        (url("hunter2", "nowhere?"), "nowhere"),
        (url("hunter2", "postgres?"), "migrate"),
        ("postgres://ann:hunter2@127.0.0.1:1/anns".to_owned(), "127.0.0.1:1"),
    ] {
        let error = opened(text, Options::reader()).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(says) && !shown.contains("hunter2"), "{shown}");
    }
}
