//! Transactions that are sent in bundles, with a tip.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use bulkhead_core::order::Side;
use bulkhead_solana::rpc::bundles::Fallback;
use bulkhead_solana::verify::Tip;
use bulkhead_solana_chain::Fault;
use bulkhead_solana_chain::rpc::Server;
use rust_decimal::Decimal;
use solana_address::Address;
use support::*;

const TIP: u64 = 2_000_000;

/// An account that sends in bundles to that server, and who gets the tips.
async fn tipping(fallback: Fallback) -> (Account, Server, Address) {
    let mut account = Account::start(Form::Current).await;
    let engine = account.chain.another_server().await;
    let tips = account.chain.address();
    account.chain.give_lamports(tips, 1_000_000_000);
    account.settings.tip = Some(Tip { accounts: BTreeSet::from([tips]), most: TIP });
    account.bundles = (engine.url().to_owned(), fallback);
    (account, engine, tips)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_lands_and_its_tip_is_booked() {
    let (mut account, engine, tips) = tipping(Fallback::BundlesOnly).await;
    account.begin().await;
    account.order(Side::Buy, "5");
    account.all_ended().await;
    assert!(account.held() > decimal("4.99"), "{:?}", account.told());
    assert!(!engine.faults().asked_of("sendBundle").is_empty());
    assert!(account.chain.server().faults().asked_of("sendTransaction").is_empty(), "nobody else got it");
    assert_eq!(account.chain.lamports(tips), 1_000_000_000 + TIP);
    let spent =
        Decimal::from(10_000_000_000 - account.chain.lamports(account.owner())) / Decimal::from(5_000_000);
    let (_, fees) = account.cash_and_fees();
    assert!((fees - spent).abs() < decimal("0.01") && fees > decimal("0.8"), "{fees} of {spent}");
    account.books_equal_the_chain();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_that_gets_nowhere_is_sent_to_everybody_after_a_while() {
    let (mut account, engine, _) = tipping(Fallback::PlainAfter(Duration::from_millis(300))).await;
    engine.swallow_bundles();
    account.begin().await;
    account.order(Side::Buy, "5");
    account.told_times("submitted", 1).await;
    assert!(account.chain.server().faults().asked_of("sendTransaction").is_empty());
    account.all_ended().await;
    assert!(account.held() > decimal("4.99"), "{:?}", account.told());
    assert!(!engine.faults().asked_of("getInflightBundleStatuses").is_empty(), "its status is asked for");
    assert_eq!((account.landed(), account.signed()), (1, 1));
    account.books_equal_the_chain();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_may_go_nowhere_else_expires() {
    let (mut account, engine, _) = tipping(Fallback::BundlesOnly).await;
    account.settings.market_order_timeout = Duration::from_millis(500);
    engine.swallow_bundles();
    account.begin().await;
    account.order(Side::Buy, "5");
    account.told_times("submitted", 1).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    account.chain.expire_all();
    account.all_ended().await;
    assert_eq!((account.held(), account.landed(), account.signed()), (Decimal::ZERO, 0, 1));
    assert!(engine.faults().asked_of("sendBundle").len() > 1, "it is sent again");
    assert!(account.chain.server().faults().asked_of("sendTransaction").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_block_engine_it_goes_to_everybody_by_policy() {
    let (mut account, engine, _) = tipping(Fallback::PlainAfter(Duration::from_secs(30))).await;
    engine
        .faults()
        .fail_always("sendBundle", Fault::TooManyRequests { reset_in: None, retry_after: Some(1) });
    account.begin().await;
    account.order(Side::Buy, "5");
    account.all_ended().await;
    assert!(account.held() > decimal("4.99"), "{:?}", account.told());
    assert_eq!((account.landed(), account.signed()), (1, 1));
    account.books_equal_the_chain();
}
