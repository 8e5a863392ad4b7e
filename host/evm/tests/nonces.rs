//! What was signed and never went out holds nobody up.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod support;

use std::time::Duration;

use alloy::primitives::U256;
use bulkhead_core::order::Side;
use bulkhead_evm_chain::{Fault, Faulty, Mining, Options};
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
async fn what_no_server_takes_at_first_is_sent_again() {
    let (account, faulty) = behind().await;
    reject(&faulty, 1);
    account.order(Side::Buy, "5");
    account.all_ended().await;
    has_traded(&account, 2).await;
}

/// No server takes anything of an order. It stays open, as what was signed may be out there, until something of it lands;
/// those who come after it are let go on by what uses up its nonce.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_server_takes_for_long_is_given_up_and_holds_nobody_up() {
    for dies in [false, true] {
        let (mut account, faulty) = behind().await;
        approve_everything(&account).await;
        reject(&faulty, 1_000);
        let first = account.order(Side::Buy, "4");
        // The trade, and what is to use up its nonce.
        account.until("it was given up", |books| count(books, "signed") >= 2).await;
        assert_eq!(account.books.lock().unwrap().engine.orders().count(), 1);
        if dies {
            account.die().await;
            account.begin().await;
        }
        let second = account.order(Side::Buy, "5");
        faulty.recover();
        account.all_ended().await;
        assert!(first < second);
        assert_eq!(account.halted(), None);
        let told = account.told();
        assert!(account.nonce().await <= 4, "an approval, and each order's: {told:?}");
        account.books_equal_the_chain().await;
        assert!(
            account.held() >= Decimal::from(5) || told.iter().any(|line| line.contains(REJECTION)),
            "{told:?}"
        );
    }
}

fn count(books: &Books, stage: &str) -> usize {
    books.told.iter().filter(|told| *told == stage).count()
}

async fn approve_everything(account: &Account) {
    let deployed = account.chain.deployed();
    let (dollar, router) = (deployed.tokens.dollar, deployed.v2_router);
    account.chain.approve(dollar, &account.key, router, U256::MAX).await.unwrap();
}

/// An approval replaces the one before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_side_by_side_leave_each_other_what_they_may_take() {
    for mining in [Mining::Automatic, Mining::Every(Duration::from_secs(1))] {
        let mut account = Account::start(Options { mining, ..Options::default() }).await;
        account.begin().await;
        for quantity in ["1", "2", "3", "4"] {
            account.order(Side::Buy, quantity);
        }
        account.all_ended().await;
        assert_eq!(account.held(), Decimal::from(10), "{:?}", account.told());
        account.books_equal_the_chain().await;
        assert_eq!(account.halted(), None);
    }
}
