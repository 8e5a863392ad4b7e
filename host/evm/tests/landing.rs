//! A trade lands once or not at all, whatever nodes and blocks do: stuck, replaced, taken back, reorganised, racing for
//! nonces, or sent by somebody else with the same key.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod support;

use std::time::Duration;

use alloy::primitives::{TxKind, U256};
use bulkhead_core::input::Command;
use bulkhead_core::order::Side;
use bulkhead_evm_chain::{Chain, Mining, Options};
use rust_decimal::Decimal;
use support::*;

fn by_hand() -> Options {
    Options { mining: Mining::ByHand, ..Options::default() }
}

/// The approval is done, so that what follows is about the trade alone.
async fn approved(account: &mut Account) {
    let (key, deployed) = (account.key.clone(), account.chain.deployed().clone());
    account.chain.approve(deployed.tokens.dollar, &key, deployed.v2_router, U256::MAX).await.unwrap();
    account.begin().await;
}

/// Until the node has a transaction that waits.
async fn waits_again(account: &Account) {
    for _ in 0..500 {
        if account.chain.waiting().await.0 == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nobody sent it again: {:?}", account.told());
}

async fn submitted(account: &Account) {
    account.until("it is submitted", |books| books.told.iter().any(|told| told == "submitted")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_orders_race_for_nonces_and_all_land() {
    let mut account =
        Account::start(Options { mining: Mining::Every(Duration::from_secs(1)), ..Options::default() }).await;
    account.settings.slippage_bps = 500;
    approved(&mut account).await;
    let before = account.nonce().await;
    for number in 1..=100 {
        account.order(Side::Buy, &format!("0.0{number:03}"));
    }
    account.all_ended().await;
    let bought: Decimal = (1..=100).map(|number| Decimal::new(number, 4)).sum();
    assert_eq!(account.held().normalize(), bought.normalize(), "{:?}", account.told());
    assert_eq!(account.nonce().await, before + 100);
    account.books_equal_the_chain().await;
    assert_eq!(account.halted(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stuck_is_replaced_by_what_pays_more_and_one_of_them_lands() {
    let mut account = Account::start(by_hand()).await;
    account.settings.replace_after = Duration::from_millis(200);
    approved(&mut account).await;
    let before = account.nonce().await;
    account.order(Side::Buy, "5");
    account
        .until("it is replaced", |books| books.told.iter().filter(|told| *told == "signed").count() >= 2)
        .await;
    submitted(&account).await;
    account.chain.mine(1).await;
    account.all_ended().await;
    assert_eq!((account.held(), account.nonce().await), (Decimal::from(5), before + 1));
    account.books_equal_the_chain().await;
    let gone = account.told().iter().filter(|told| *told == "gone").count();
    assert!(gone >= 1, "{:?}", account.told());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_taken_back_by_using_up_its_nonce() {
    let mut account = Account::start(by_hand()).await;
    approved(&mut account).await;
    let before = account.nonce().await;
    let order = account.order(Side::Buy, "5");
    submitted(&account).await;
    account.command(Command::CancelOrder { order });
    account
        .until("a cancellation is signed", |books| {
            books.told.iter().filter(|told| *told == "signed").count() == 2
        })
        .await;
    account
        .until("it is submitted", |books| books.told.iter().filter(|told| *told == "submitted").count() == 2)
        .await;
    account.chain.mine(1).await;
    account.all_ended().await;
    assert_eq!((account.held(), account.nonce().await), (Decimal::ZERO, before + 1));
    assert!(account.told().last().unwrap().starts_with("cancelled"), "{:?}", account.told());
    account.books_equal_the_chain().await;
    assert!(account.cash_and_fees().1 > Decimal::ZERO, "the cancellation cost gas");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_was_not_sent_is_taken_back_for_nothing() {
    let mut account = Account::start(by_hand()).await;
    approved(&mut account).await;
    let order = account.order_at(Side::Buy, "5", limit("10"));
    account.command(Command::CancelOrder { order });
    account.all_ended().await;
    assert_eq!(account.told(), ["cancelled it was taken back"]);
    assert_eq!(account.cash_and_fees().0, account.cash);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_market_order_that_gets_into_no_block_in_time_is_taken_back() {
    let mut account = Account::start(by_hand()).await;
    account.settings.market_order_timeout = Duration::from_millis(400);
    approved(&mut account).await;
    account.order(Side::Buy, "5");
    account
        .until("it is taken back", |books| books.told.iter().filter(|told| *told == "submitted").count() == 2)
        .await;
    account.chain.mine(1).await;
    account.all_ended().await;
    assert_eq!(account.held(), Decimal::ZERO);
    account.books_equal_the_chain().await;
}

/// An order's time is that since it was made, also where the host was down meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_market_order_whose_time_ran_out_while_the_host_was_down_is_not_begun() {
    let mut account = Account::start(Options::default()).await;
    account.settings.market_order_timeout = Duration::from_millis(400);
    let order = account.order(Side::Buy, "5");
    tokio::time::sleep(Duration::from_millis(500)).await;
    account.begin().await;
    account.all_ended().await;
    assert!(account.told().last().unwrap().starts_with("expired"), "{order:?}: {:?}", account.told());
    assert_eq!((account.nonce().await, account.held()), (0, Decimal::ZERO));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spike_of_gas_above_the_cap_is_not_paid() {
    let mut account = Account::start(by_hand()).await;
    account.settings.market_order_timeout = Duration::from_millis(300);
    approved(&mut account).await;
    let before = account.nonce().await;
    account.chain.set_base_fee(500_000_000_000).await;
    account.chain.mine(1).await;
    account.order(Side::Buy, "5");
    account.all_ended().await;
    assert!(account.told().last().unwrap().starts_with("expired"), "{:?}", account.told());
    assert_eq!((account.nonce().await, account.cash_and_fees().0), (before, account.cash));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_price_that_moves_before_the_block_reverts_and_says_so() {
    let mut account = Account::start(Options::default()).await;
    approved(&mut account).await;
    // After the dry run, just before it is sent, somebody else buys.
    let moved = mover(&account).await;
    *account.hook.lock().unwrap() = Some(("signed", moved));
    account.order(Side::Buy, "5");
    account.all_ended().await;
    let told = account.told();
    let last = told.last().unwrap();
    assert!(last.contains("EXCESSIVE_INPUT_AMOUNT") && last.contains("slippage"), "{told:?}");
    assert!(told.iter().any(|told| told == "reverted"), "{told:?}");
    assert_eq!(account.held(), Decimal::ZERO);
    assert!(account.cash_and_fees().1 > Decimal::ZERO, "its gas is booked");
    account.books_equal_the_chain().await;
}

/// A market order is made at a price, and is not executed at a wholly different one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_price_far_from_what_was_reckoned_with_is_not_traded_at() {
    let mut account = Account::start(Options::default()).await;
    account.settings.most_off_reference_bps = Some(500);
    account.settings.market_order_timeout = Duration::from_secs(1);
    approved(&mut account).await;
    // The engine still believes in a price of 100.
    let deployed = account.chain.deployed();
    let (dollar, plain, router) = (deployed.tokens.dollar, deployed.tokens.plain, deployed.v2_router);
    let other = bulkhead_evm_chain::account::account(5);
    account.chain.give(dollar, other.address(), units(100_000, 6)).await;
    account.chain.approve(dollar, &other, router, U256::MAX).await.unwrap();
    account.chain.swap_v2(&other, &[dollar, plain], units(60_000, 6)).await.unwrap();
    let before = account.nonce().await;
    account.order(Side::Buy, "5");
    account.all_ended().await;
    assert_eq!((account.held(), account.nonce().await), (Decimal::ZERO, before), "{:?}", account.told());
    account.price(112.0);
    account.order(Side::Buy, "5");
    account.all_ended().await;
    assert_eq!(account.held(), Decimal::from(5), "{:?}", account.told());
}

/// What moves the price by some 4 per cent, with a connection of its own.
async fn mover(account: &Account) -> Hook {
    let (url, deployed) = (account.chain.url().to_owned(), account.chain.deployed().clone());
    let chain = Chain::attach(&url, deployed.clone());
    Box::new(move || {
        Box::pin(async move {
            chain.move_v2_price(deployed.tokens.dollar, deployed.tokens.plain, units(20_000, 6)).await;
        })
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_is_none_of_the_chains_any_more_takes_nothing_with_it() {
    let mut account = Account::start(by_hand()).await;
    account.settings.confirmations = 3;
    approved(&mut account).await;
    let before = account.nonce().await;
    account.order(Side::Buy, "5");
    submitted(&account).await;
    account.chain.mine(1).await;
    account.until("it is in a block", |books| books.told.iter().any(|told| told == "included")).await;
    assert_eq!(account.held(), Decimal::ZERO, "one block is not enough");
    account.chain.reorg(1).await;
    account.until("its block is gone", |books| books.told.iter().any(|told| told == "orphaned")).await;
    // It is sent again and lands.
    waits_again(&account).await;
    account.chain.mine(3).await;
    account.all_ended().await;
    assert_eq!(
        (account.held(), account.nonce().await),
        (Decimal::from(5), before + 1),
        "{:?}",
        account.told()
    );
    account.books_equal_the_chain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_forgets_what_waits_is_told_again() {
    let mut account = Account::start(by_hand()).await;
    approved(&mut account).await;
    account.order(Side::Buy, "5");
    submitted(&account).await;
    // The node starts again without what waits.
    account.chain.stop();
    tokio::time::sleep(Duration::from_millis(100)).await;
    account.chain.restart();
    waits_again(&account).await;
    account.chain.mine(1).await;
    account.all_ended().await;
    assert_eq!(account.held(), Decimal::from(5), "{:?}", account.told());
    account.books_equal_the_chain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_else_with_the_same_key_takes_the_nonce() {
    let mut account = Account::start(by_hand()).await;
    approved(&mut account).await;
    account.order(Side::Buy, "5");
    submitted(&account).await;
    let nonce = account.nonce().await;
    // A stranger's transaction with that nonce pays more and lands.
    account
        .chain
        .send_with_nonce(&account.key, TxKind::Call(account.key.address()), nonce, 40_000_000_000)
        .await;
    account.chain.mine(1).await;
    account.until("it is looked at", |books| !books.told.is_empty()).await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        account.chain.mine(1).await;
    }
    account.until("it is gone", |books| books.told.iter().any(|told| told == "gone")).await;
    account
        .until("it is signed anew", |books| {
            books.told.iter().filter(|told| *told == "submitted").count() == 2
        })
        .await;
    account.chain.mine(1).await;
    account.all_ended().await;
    assert_eq!(
        (account.held(), account.nonce().await),
        (Decimal::from(5), nonce + 2),
        "{:?}",
        account.told()
    );
}
