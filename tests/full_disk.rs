//! The disk of the journal is full: a file system without a byte left, not a simulated one.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use bulkhead_store::database::{Database, DatabaseUrl, Options};
use bulkhead_store::journal::ShardId;
use bulkhead_store::read_models::{FillFilter, FillRow, OrderFilter, OrderRow};
use serde_json::Value;
use support::account::Account;
use support::host::Host;
use support::small_disk::SmallDisk;

/// Some times what the journal of the run takes.
const BYTES: u64 = 64 * 1024 * 1024;

/// Orders and fills, but for the numbers of the inputs: those count the snapshots too, and there are more of them.
fn orders_and_fills(file: &Path) -> (Vec<OrderRow>, Vec<FillRow>) {
    let mut database = Database::open(&DatabaseUrl::file(file), Options::reader()).unwrap();
    let mut orders = database.orders(ShardId(0), &OrderFilter::default(), None, usize::MAX).unwrap();
    let mut fills = database.fills(ShardId(0), &FillFilter::default(), None, usize::MAX).unwrap();
    orders.iter_mut().for_each(|order| order.sequence = Default::default());
    fills.iter_mut().for_each(|fill| fill.sequence = Default::default());
    (orders, fills)
}

#[test]
fn a_host_whose_disk_is_full_stands_still_and_loses_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let undisturbed = Account::new(parent.path(), "undisturbed");
    let expected = undisturbed.run();

    let mount = parent.path().join("disk");
    let disk = SmallDisk::mount(&mount, BYTES);
    let database = format!("journal.database=sqlite:{}", mount.join("bulkhead.db").display());
    let account = Account::new(parent.path(), "account").with(&database).with("journal.group_inputs=16");
    let start = |speed: &str| {
        let mut command = disk.bulkhead(&account.directory);
        command.args(account.arguments(&["run", "--speed", speed, "--json"]));
        Host::start_command(command)
    };

    // It stands still, and goes on by itself when there is room.
    let mut host = start("30000");
    host.wait_for(&["fill"]);
    disk.fill();
    let why = host.wait_for(&["the journal can't be written"]);
    assert!(why.contains("no room left") && why.contains("free some"), "{why}");
    disk.make_room();
    host.wait_for(&["the journal can be written again"]);
    host.wait_for(&["fill"]);

    // It ends when it is told to, though there is still no room, and says what is missing.
    disk.fill();
    host.wait_for(&["the journal can't be written", "no room left"]);
    host.terminate();
    host.wait_for(&["the end of the run is not in the journal"]);
    let (status, _) = host.end();
    assert_eq!(status.code(), Some(1), "it ended by itself, and said that something was missing");

    // Nor does it begin to trade without room.
    let mut host = start("max");
    host.wait_for(&["no room left"]);
    host.terminate();
    let (status, _) = host.end();
    assert_eq!(status.code(), Some(1));

    disk.make_room();
    let (status, summary) = start("max").end();
    assert!(status.success());
    let summary: Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["digest"], expected["digest"]);

    // The write-ahead log may hold the end of it.
    let copy = parent.path().join("copy.db");
    for ending in ["", "-wal"] {
        let from = disk.path(&format!("bulkhead.db{ending}"));
        if from.exists() {
            std::fs::copy(from, parent.path().join(format!("copy.db{ending}"))).unwrap();
        }
    }
    let (orders, fills) = orders_and_fills(&copy);
    assert!(!fills.is_empty());
    let whole = orders_and_fills(&undisturbed.directory.join("storage/bulkhead.db"));
    assert_eq!((orders, fills), whole);

    let copied = format!("journal.database=sqlite:{}", copy.display());
    let replayed = Account::new(parent.path(), "account").with(&copied).json(&["replay", "--json"]);
    assert_eq!((&replayed["agrees"], &replayed["digest"]), (&Value::Bool(true), &expected["digest"]));
}
