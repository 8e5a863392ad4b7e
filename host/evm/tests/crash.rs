//! The host dies before and after each thing that it writes down, and starts again: each order has traded once, and the
//! books equal the chain.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod support;

use std::time::Duration;

use bulkhead_core::order::Side;
use bulkhead_evm_chain::{Mining, Options};
use rust_decimal::Decimal;
use support::*;

/// Runs an order in a host that dies, then in one that does not.
async fn survives(options: Options, death: Death) {
    let mut account = Account::start(options).await;
    account.begin_dying(Some(death)).await.unwrap();
    account.order(Side::Buy, "5");
    // Until it is dead or done.
    for _ in 0..400 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let books = account.books.lock().unwrap();
        if books.engine.orders().count() == 0 {
            break;
        }
        drop(books);
        if account.is_dead(death) {
            break;
        }
    }
    account.die().await;
    account.begin().await;
    account.all_ended().await;
    assert_eq!(account.held(), Decimal::from(5), "{death:?}: {:?}", account.told());
    assert_eq!(account.nonce().await, 2, "{death:?}: one approval and one trade: {:?}", account.told());
    account.books_equal_the_chain().await;
    assert_eq!(account.halted(), None, "{death:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_every_boundary_the_trade_lands_once() {
    // Seven for the approval and the checks before it, seven for the trade, and one to spare.
    for at in 0..15 {
        survives(Options::default(), Death::Before(at)).await;
        survives(Options::default(), Death::After(at)).await;
    }
}

/// With blocks that come now and then, the host also dies while what it sent waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_every_boundary_with_blocks_that_take_their_time() {
    for at in 2..12 {
        let options = || Options { mining: Mining::Every(Duration::from_secs(1)), ..Options::default() };
        survives(options(), Death::After(at)).await;
    }
}
