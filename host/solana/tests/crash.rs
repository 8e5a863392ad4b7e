//! The host dies before and after each thing that it writes down, and starts again: each order has traded once, and the
//! books equal the chain.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod support;

use std::time::Duration;

use bulkhead_core::order::Side;
use bulkhead_solana_chain::ledger::Delivery;
use support::*;

/// Runs an order in a host that dies, then in one that does not.
async fn survives(form: Form, death: Death, delivery: Delivery) {
    let mut account = Account::start(form).await;
    account.chain.ledger().deliver(delivery);
    account.begin_dying(Some(death)).await.unwrap();
    account.order(Side::Buy, "5");
    // Until it is dead or done.
    for _ in 0..400 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if account.books.lock().unwrap().engine.orders().count() == 0 || account.is_dead(death) {
            break;
        }
    }
    account.die().await;
    if delivery == Delivery::Held {
        account.chain.ledger().release();
    }
    account.begin().await;
    account.all_ended().await;
    assert!(account.held() > decimal("4.99"), "{death:?}: {:?}", account.told());
    assert_eq!(account.landed(), 1, "{death:?}: {:?}", account.told());
    account.books_equal_the_chain();
    assert_eq!(account.halted(), None, "{death:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_every_boundary_the_trade_lands_once() {
    // Seven until it is settled, and one to spare.
    for at in 0..9 {
        survives(Form::Current, Death::Before(at), Delivery::Next).await;
        survives(Form::Older, Death::After(at), Delivery::Next).await;
    }
}

/// What was sent waits somewhere while the host is dead, and lands only then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_every_boundary_with_a_transaction_that_lands_late() {
    for at in 2..5 {
        survives(Form::Current, Death::After(at), Delivery::Held).await;
    }
}
