//! Every file of the corpus once, so that what a fuzzer has once been through is gone through with every test.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
#![allow(clippy::print_stdout, reason = "a file that fails is told")]

use std::path::Path;

fn check_all(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        // Told before, as a check that fails ends the test.
        println!("{}", file.display());
        check(&bytes);
    }
}

#[test]
fn payloads_of_the_journal_are_read_or_refused() {
    check_all("journal_payload", bulkhead_fuzz::journal_payload::check);
}

#[test]
fn snapshots_are_gone_on_from_or_refused() {
    check_all("snapshot", bulkhead_fuzz::snapshot::check);
}

#[test]
fn configurations_are_understood_or_refused() {
    check_all("configuration", bulkhead_fuzz::configuration::check);
}

#[test]
fn models_are_run_or_refused() {
    check_all("model", bulkhead_fuzz::model::check);
}

#[test]
fn transactions_of_others_are_explained_or_refused() {
    check_all("solana_transaction", bulkhead_fuzz::solana_transaction::check);
}

#[test]
fn what_transactions_were_for_wallets_is_recognised_or_not() {
    check_all("wallet_trade", bulkhead_fuzz::wallet_trade::check);
}

#[test]
fn files_of_bars_are_read_or_refused() {
    check_all("csv", |bytes| {
        let file = bytes.get(1..).unwrap_or_default();
        for settings in bulkhead_fuzz::csv::ALL_SETTINGS {
            bulkhead_fuzz::csv::check(&[&[settings], file].concat());
        }
    });
}
