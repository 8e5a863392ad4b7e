use std::fs;
use std::fs::File;

use alloy_consensus::TxEip1559;
use tempfile::TempDir;

use super::*;

const OWN: Address = Address::repeat_byte(0x11);
const TOKEN: Asset = Asset::Token(Address::repeat_byte(0x22));
const NOW: u64 = 1_800_000_000;

fn request(nonce: u64, order: &str, step: Step) -> SigningRequest {
    let transaction = TxEip1559 { chain_id: 1, nonce, ..TxEip1559::default() };
    SigningRequest { transaction, purpose: Purpose { order: order.parse().unwrap(), step } }
}

/// Of a key that may spend 100 a day, and 1000 in fees.
fn allowed(amount: u64, fees: u64) -> Allowed {
    Allowed {
        call: None,
        spent: Some((TOKEN, U256::from(amount), U256::from(100))),
        fees: U256::from(fees),
        fees_per_day: Some(U256::from(1000)),
    }
}

fn open(directory: &TempDir) -> Spending {
    Spending::open(&directory.path().join("spending"), OWN, NOW).unwrap()
}

fn file(directory: &TempDir) -> PathBuf {
    directory.path().join("spending").join(format!("{OWN}.jsonl"))
}

fn swap(spending: &mut Spending, nonce: u64, amount: u64, now: u64) -> Result<(), Refusal> {
    let request = request(nonce, &format!("order-{nonce}"), Step::Swap);
    match spending.admit(&request, &allowed(amount, 1), now) {
        Ok(()) => Ok(()),
        Err(NotAdmitted::Refused(refusal)) => Err(refusal),
        Err(NotAdmitted::Failed(error)) => panic!("{error}"),
    }
}

#[test]
fn the_limit_of_a_day_holds_over_a_restart_and_ends_after_a_day() {
    let directory = TempDir::new().unwrap();
    let mut spending = open(&directory);
    swap(&mut spending, 0, 60, NOW).unwrap();
    drop(spending);
    let mut spending = open(&directory);
    let refusal = swap(&mut spending, 1, 41, NOW + 10).unwrap_err();
    assert_eq!(
        refusal,
        Refusal::SpendPerDay {
            asset: TOKEN,
            amount: U256::from(41),
            total: U256::from(101),
            limit: U256::from(100)
        }
    );
    swap(&mut spending, 1, 40, NOW + 10).unwrap();
    assert!(swap(&mut spending, 2, 1, NOW + DAY_SECONDS - 1).is_err());
    swap(&mut spending, 2, 60, NOW + DAY_SECONDS).unwrap();
    assert!(swap(&mut spending, 3, 1, NOW + DAY_SECONDS).is_err());
    // A clock that is set back frees nothing.
    assert!(swap(&mut spending, 3, 1, NOW - DAY_SECONDS).is_err());
}

#[test]
fn fees_have_a_limit_of_their_own() {
    let directory = TempDir::new().unwrap();
    let mut spending = open(&directory);
    let cancel = |nonce| request(nonce, "order", Step::Cancel);
    let fees = |fees| Allowed { spent: None, ..allowed(0, fees) };
    spending.admit(&cancel(0), &fees(600), NOW).unwrap();
    let refused = spending.admit(&cancel(1), &fees(401), NOW).unwrap_err();
    assert!(matches!(refused, NotAdmitted::Refused(Refusal::FeesPerDay { .. })));
    spending.admit(&cancel(1), &fees(400), NOW).unwrap();
}

#[test]
fn a_replacement_counts_once_and_with_the_larger_amount() {
    let directory = TempDir::new().unwrap();
    let mut spending = open(&directory);
    swap(&mut spending, 0, 60, NOW).unwrap();
    swap(&mut spending, 0, 70, NOW).unwrap();
    swap(&mut spending, 0, 10, NOW).unwrap();
    drop(spending);
    let mut spending = open(&directory);
    assert!(swap(&mut spending, 1, 31, NOW).is_err());
    swap(&mut spending, 1, 30, NOW).unwrap();
    // A smaller replacement does not make room: the larger transaction may land.
    assert!(swap(&mut spending, 2, 1, NOW).is_err());
}

/// The one that is replaced may land all the same, however long ago it was signed.
#[test]
fn a_replacement_of_an_old_transaction_counts_with_what_that_spends() {
    let directory = TempDir::new().unwrap();
    let mut spending = open(&directory);
    swap(&mut spending, 0, 70, NOW).unwrap();
    swap(&mut spending, 1, 60, NOW + DAY_SECONDS).unwrap();
    assert!(swap(&mut spending, 0, 10, NOW + DAY_SECONDS).is_err());
    swap(&mut spending, 0, 10, NOW + 2 * DAY_SECONDS).unwrap();
}

#[test]
fn a_nonce_belongs_to_one_order_and_may_be_cancelled() {
    let directory = TempDir::new().unwrap();
    let mut spending = open(&directory);
    let free = |spending: &mut Spending, nonce, order: &str, step| {
        let nothing = Allowed { call: None, spent: None, fees: U256::ZERO, fees_per_day: None };
        match spending.admit(&request(nonce, order, step), &nothing, NOW) {
            Ok(()) => Ok(()),
            Err(NotAdmitted::Refused(refusal)) => Err(refusal.code()),
            Err(NotAdmitted::Failed(error)) => panic!("{error}"),
        }
    };
    free(&mut spending, 5, "a", Step::Swap).unwrap();
    free(&mut spending, 5, "a", Step::Swap).unwrap();
    assert_eq!(free(&mut spending, 5, "b", Step::Swap), Err("nonce_taken"));
    assert_eq!(free(&mut spending, 5, "a", Step::Approve), Err("nonce_taken"));
    free(&mut spending, 5, "a", Step::Cancel).unwrap();
    free(&mut spending, 5, "gap", Step::Cancel).unwrap();
    assert_eq!(free(&mut spending, 5, "b", Step::Swap), Err("nonce_taken"));
    // One that was only ever cancelled is used up.
    free(&mut spending, 6, "gap", Step::Cancel).unwrap();
    assert_eq!(free(&mut spending, 6, "b", Step::Swap), Err("nonce_taken"));
    drop(spending);
    let mut spending = open(&directory);
    assert_eq!(free(&mut spending, 5, "b", Step::Swap), Err("nonce_taken"));
    free(&mut spending, 5, "a", Step::Swap).unwrap();
    free(&mut spending, 7, "b", Step::Swap).unwrap();
}

#[test]
fn nonces_that_were_forgotten_are_refused() {
    let directory = TempDir::new().unwrap();
    let mut spending = open(&directory);
    let many = REMEMBERED_NONCES as u64 + 10;
    for nonce in 0..many {
        spending.count(1, nonce, NOW, &request(nonce, "old", Step::Swap).purpose, U256::ONE, []);
    }
    // Within a day nothing is forgotten.
    spending.compact(NOW).unwrap();
    assert_eq!(spending.entries.len() as u64, many);
    let later = NOW + 2 * DAY_SECONDS;
    spending.compact(later).unwrap();
    drop(spending);
    let mut spending = open(&directory);
    let refusal = swap(&mut spending, 9, 1, later).unwrap_err();
    assert_eq!(refusal, Refusal::NonceForgotten { chain: 1, nonce: 9, lowest: 10 });
    assert!(matches!(swap(&mut spending, 10, 1, later).unwrap_err(), Refusal::NonceTaken { .. }));
    swap(&mut spending, many, 1, later).unwrap();
}

#[test]
fn a_line_that_a_crash_cut_off_does_not_count_and_any_other_damage_stops_the_signer() {
    let directory = TempDir::new().unwrap();
    let mut spending = open(&directory);
    swap(&mut spending, 0, 60, NOW).unwrap();
    drop(spending);
    let whole = fs::read_to_string(file(&directory)).unwrap();
    let torn = format!("{whole}{{\"record\":\"signed\",\"chain\":1,\"non");
    fs::write(file(&directory), torn).unwrap();
    let mut spending = open(&directory);
    swap(&mut spending, 1, 40, NOW).unwrap();
    drop(spending);
    for damaged in [
        whole.replace("\"chain\":1", "\"chain\":x"),
        whole.replace("\"swap\"", "\"steal\""),
        whole.lines().skip(1).map(|line| format!("{line}\n")).collect(),
        whole.replacen("0x1111", "0x1112", 1),
    ] {
        assert_ne!(damaged, whole);
        fs::write(file(&directory), damaged).unwrap();
        let opened = Spending::open(&directory.path().join("spending"), OWN, NOW);
        assert!(matches!(opened, Err(SpendingError::Damaged { .. })));
    }
}

#[test]
fn what_can_not_be_written_down_is_not_admitted() {
    let directory = TempDir::new().unwrap();
    let mut spending = open(&directory);
    swap(&mut spending, 0, 60, NOW).unwrap();
    // Can't be written to.
    spending.file.write_to(File::open(file(&directory)).unwrap());
    let request = request(1, "order-1", Step::Swap);
    let failed = spending.admit(&request, &allowed(10, 1), NOW).unwrap_err();
    assert!(matches!(failed, NotAdmitted::Failed(SpendingError::File(_))));
    assert_eq!(spending.entries.len(), 1);
    let failed = spending.admit(&request, &allowed(10, 1), NOW).unwrap_err();
    assert!(matches!(failed, NotAdmitted::Failed(SpendingError::Broken { .. })));
}

#[test]
fn a_key_has_one_signer() {
    let directory = TempDir::new().unwrap();
    let first = open(&directory);
    let second = Spending::open(&directory.path().join("spending"), OWN, NOW);
    assert!(matches!(second, Err(SpendingError::InUse { .. })));
    drop(first);
    open(&directory);
}
