//! What was signed and never went out holds nobody up.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod support;

use bulkhead_core::order::Side;
use bulkhead_evm_chain::{Fault, Faulty, Options};
use bulkhead_signing::{Purpose, Step};
use rust_decimal::Decimal;
use support::*;

/// The text of a rejection that says nothing about nonces.
const REJECTION: &str = "intrinsic gas too low";

async fn behind() -> (Account, Faulty) {
    let mut account = Account::start(Options::default()).await;
    let faulty = Faulty::before(account.chain.url()).await;
    account.urls = vec![faulty.url().to_owned()];
    account.begin().await;
    (account, faulty)
}

fn reject(faulty: &Faulty, times: usize) {
    let fault = Fault::Error { code: -32_000, message: REJECTION.to_owned() };
    faulty.fail("eth_sendRawTransaction", fault, times);
}

async fn has_traded(account: &Account, transactions: u64) {
    assert_eq!(account.held(), Decimal::from(5), "{:?}", account.told());
    assert_eq!(account.nonce().await, transactions, "{:?}", account.told());
    account.books_equal_the_chain().await;
    assert_eq!(account.halted(), None);
}

/// The host died after the signature and before it was written down: only the signer knows of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nonce_that_the_signer_keeps_for_another_order_is_used_up_first() {
    let mut account = Account::start(Options::default()).await;
    let other = Purpose { order: "main/99".parse().unwrap(), step: Step::Swap };
    account.signer.kept.lock().unwrap().insert(0, other);
    account.begin().await;
    account.order(Side::Buy, "5");
    account.all_ended().await;
    has_traded(&account, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nonce_that_could_not_be_used_up_is_the_orders_next() {
    let (account, faulty) = behind().await;
    // The approval, and what was to use up its nonce.
    reject(&faulty, 2);
    account.order(Side::Buy, "5");
    account.all_ended().await;
    has_traded(&account, 2).await;
}

/// Everything of an order was rejected and it is refused; the next one must not wait behind its nonce.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nonce_that_a_refused_order_left_is_used_up_by_the_next() {
    for dies in [false, true] {
        let (mut account, faulty) = behind().await;
        reject(&faulty, 1_000);
        account.order(Side::Buy, "5");
        account.all_ended().await;
        assert!(account.told().last().unwrap().contains(REJECTION), "{:?}", account.told());
        assert_eq!(account.nonce().await, 0);
        faulty.recover();
        if dies {
            account.die().await;
            account.begin().await;
        }
        account.order(Side::Buy, "5");
        account.all_ended().await;
        has_traded(&account, 3).await;
    }
}

/// Those who come later are out there already when it shows that a nonce before theirs is used by nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_that_wait_behind_a_gap_are_let_go_on() {
    let (account, faulty) = behind().await;
    account.order(Side::Buy, "5");
    account.all_ended().await;
    reject(&faulty, 2);
    for _ in 0..4 {
        account.order(Side::Buy, "1");
    }
    account.all_ended().await;
    assert_eq!(account.held(), Decimal::from(9), "{:?}", account.told());
    account.books_equal_the_chain().await;
}
