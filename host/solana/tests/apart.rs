//! Orders that want the same at the same time, and tokens that are something else than they are said to be.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod support;

use std::time::Duration;

use bulkhead_core::order::Side;
use bulkhead_solana::executor::StartError;
use bulkhead_solana_chain::tokens::Mint;
use bulkhead_solana_chain::{Options, Pace};
use support::*;

/// As long as no slot passes there is one blockhash, so what two orders want alike is one transaction, which lands once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_orders_never_have_the_same_transaction() {
    let options = Options { pace: Pace::OnDemand, ..Options::default() };
    let mut account = Account::trading(Form::Older, Mint::plain(9), options).await;
    account.begin().await;
    account.order(Side::Buy, "5");
    account.order(Side::Buy, "5");
    account.told_times("submitted", 1).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(account.signed(), 1, "{:?}", account.told());
    let chain = account.chain.clone();
    let time = tokio::spawn(async move {
        loop {
            chain.advance(1);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    account.all_ended().await;
    time.abort();
    assert_eq!((account.landed(), account.halted()), (2, None), "{:?}", account.told());
    assert!(account.held() > decimal("9.98"), "{}", account.held());
    account.books_equal_the_chain();
}

/// Where the transaction is put together here, each order's is its own from the beginning.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_current_form_equal_orders_do_not_wait_for_each_other() {
    let options = Options { pace: Pace::OnDemand, ..Options::default() };
    let mut account = Account::trading(Form::Current, Mint::plain(9), options).await;
    account.begin().await;
    account.order(Side::Buy, "5");
    account.order(Side::Buy, "5");
    account.told_times("submitted", 2).await;
    assert_eq!(account.signed(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_currency_with_other_decimals_than_configured_is_not_traded_with() {
    let mut account = Account::start(Form::Current).await;
    account.settings.markets[0].quote.decimals = 9;
    let refused = account.begin_dying(None).await.unwrap_err();
    assert!(matches!(&refused, StartError::OtherToken { symbol, .. } if symbol == "DOLLAR"), "{refused}");
    assert!(refused.to_string().contains("solana.tokens.DOLLAR"), "{refused}");
}
