//! What servers do on bad days: the order still trades once or not at all, and lies halt the account.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod support;

use std::time::Duration;

use alloy::primitives::{Bytes, U256};
use alloy::sol_types::SolCall as _;
use bulkhead_core::order::Side;
use bulkhead_evm::contracts::{Erc20, RouterV2};
use bulkhead_evm::executor::StartError;
use bulkhead_evm_chain::{Fault, Faulty, Options};
use rust_decimal::Decimal;
use serde_json::json;
use support::*;

/// An account that talks to its node through a front with faults.
async fn behind() -> (Account, Faulty) {
    let mut account = Account::start(Options::default()).await;
    let faulty = Faulty::before(account.chain.url()).await;
    account.urls = vec![faulty.url().to_owned()];
    (account, faulty)
}

async fn trades_once(account: &Account, what: &str) {
    account.order(Side::Buy, "5");
    account.all_ended().await;
    assert_eq!(account.held(), Decimal::from(5), "{what}: {:?}", account.told());
    assert_eq!(account.nonce().await, 2, "{what}: one approval and one trade");
    account.books_equal_the_chain().await;
    assert_eq!(account.halted(), None, "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_was_taken_without_an_answer_lands_once() {
    for fault in [Fault::CloseAfter, Fault::BadGatewayAfter, Fault::Half] {
        let (mut account, faulty) = behind().await;
        account.begin().await;
        faulty.fail("eth_sendRawTransaction", fault.clone(), 2);
        trades_once(&account, &format!("{fault:?}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_may_have_arrived_and_did_not_is_sent_again() {
    for fault in [Fault::CloseBefore, Fault::Unavailable, Fault::Garbage] {
        let (mut account, faulty) = behind().await;
        account.begin().await;
        faulty.fail("eth_sendRawTransaction", fault.clone(), 1);
        trades_once(&account, &format!("{fault:?}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_are_asked_again_after_every_kind_of_failure() {
    let methods = [
        "eth_call",
        "eth_getTransactionReceipt",
        "eth_getBlockByNumber",
        "eth_estimateGas",
        "eth_getBalance",
    ];
    for fault in [
        Fault::TooManyRequests(Duration::from_secs(1)),
        Fault::Unavailable,
        Fault::Stall,
        Fault::CloseBefore,
        Fault::Garbage,
        Fault::Half,
    ] {
        let (mut account, faulty) = behind().await;
        account.begin().await;
        for method in methods {
            faulty.fail(method, fault.clone(), 1);
        }
        trades_once(&account, &format!("{fault:?}")).await;
    }
}

/// A server in front of others may say no although one of those has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_no_to_a_transaction_that_was_taken_is_not_believed() {
    for message in
        ["upstream timeout", "nonce too low", "intrinsic gas too low", "replacement transaction underpriced"]
    {
        let (mut account, faulty) = behind().await;
        account.begin().await;
        faulty.fail(
            "eth_sendRawTransaction",
            Fault::ErrorAfter { code: -32_000, message: message.to_owned() },
            2,
        );
        trades_once(&account, message).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_transaction_leaves_no_gap() {
    let (mut account, faulty) = behind().await;
    account.begin().await;
    let fault = Fault::Error { code: -32_000, message: "intrinsic gas too low".to_owned() };
    // It is sent, sent again, and then one that does nothing in its stead.
    faulty.fail("eth_sendRawTransaction", fault, 2);
    account.order(Side::Buy, "5");
    account.all_ended().await;
    assert!(account.told().last().unwrap().contains("intrinsic gas too low"), "{:?}", account.told());
    assert_eq!(account.nonce().await, 1, "its nonce was used up by nothing");
    account.order(Side::Buy, "5");
    account.all_ended().await;
    assert_eq!((account.held(), account.nonce().await), (Decimal::from(5), 3));
    account.books_equal_the_chain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_chain_is_never_used() {
    let (mut account, faulty) = behind().await;
    faulty.claim_chain(1);
    let refused = account.begin_dying(None).await;
    assert!(matches!(refused, Err(StartError::WrongChain { found: 1, wanted: 31_337 })), "{refused:?}");
    // Beside a right one it is left alone.
    account.urls.push(account.chain.url().to_owned());
    account.begin().await;
    trades_once(&account, "another chain").await;
    assert!(faulty.requests_of("eth_sendRawTransaction").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_server_is_asked_when_one_fails_or_lags() {
    let (mut account, faulty) = behind().await;
    account.urls.push(account.chain.url().to_owned());
    account.begin().await;
    faulty.fail_all(Fault::Unavailable);
    trades_once(&account, "one is down").await;

    let (mut account, faulty) = behind().await;
    account.urls.push(account.chain.url().to_owned());
    faulty.lag(20);
    account.begin().await;
    trades_once(&account, "one lags").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_that_is_not_the_same_everywhere_halts_the_account() {
    let (mut account, faulty) = behind().await;
    account.urls.push(account.chain.url().to_owned());
    account.begin().await;
    faulty.fail_always("eth_getTransactionReceipt", Fault::Change(vec![("status".to_owned(), json!("0x0"))]));
    account.order(Side::Buy, "5");
    account.until("it is halted", |books| books.engine.halted().is_some()).await;
    assert!(account.halted().unwrap().contains("disagree"), "{:?}", account.halted());
    assert_eq!(account.held(), Decimal::ZERO, "nothing is booked that is not certain");
    // The order is not lost over it.
    faulty.recover();
    account.all_ended().await;
    assert_eq!(account.held(), Decimal::from(5), "{:?}", account.told());
    account.books_equal_the_chain().await;
}

/// What a server says that a purchase of 5 costs is held against what the others say: it decides the most that is paid.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_price_that_one_server_makes_up_is_not_traded_at() {
    let (mut account, faulty) = behind().await;
    account.urls.insert(0, account.chain.url().to_owned());
    account.settings.market_order_timeout = Duration::from_millis(500);
    let deployed = account.chain.deployed().clone();
    let (plain, dollar, router) = (deployed.tokens.plain, deployed.tokens.dollar, deployed.v2_router);
    let ask = RouterV2::getAmountsInCall { amountOut: units(5, 18), path: vec![dollar, plain] };
    let price = account.chain.call(account.key.address(), router, &ask).await.unwrap()[0];
    let claim = |percent: u64| {
        let amounts = vec![price * U256::from(percent) / U256::from(100), units(5, 18)];
        let answer = RouterV2::getAmountsInCall::abi_encode_returns(&amounts);
        faulty.recover();
        faulty.fail_always("eth_call", Fault::Lie(json!(Bytes::from(answer))));
    };
    account.begin().await;
    for percent in [80, 120] {
        claim(percent);
        account.order(Side::Buy, "5");
        account.all_ended().await;
        assert!(account.told().last().unwrap().starts_with("expired"), "{:?}", account.told());
        assert_eq!((account.nonce().await, account.held()), (0, Decimal::ZERO), "nothing was sent");
    }
    // As one does that is a block behind. Approved is the most that is paid: that of the better price.
    claim(101);
    account.order(Side::Buy, "5");
    account.all_ended().await;
    assert_eq!(account.held(), Decimal::from(5), "{:?}", account.told());
    let left = Erc20::allowanceCall { owner: account.key.address(), spender: router };
    let left = account.chain.call(account.key.address(), dollar, &left).await.unwrap();
    assert!(left <= price / U256::from(200) + U256::from(1), "{left} of {price}");
    account.books_equal_the_chain().await;
}

/// One server quotes less than the trade costs at the other, as after a block that it does not have: the limit that follows
/// can't be met there, which is no fault of the order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_waits_while_servers_are_a_block_apart() {
    let (mut account, faulty) = behind().await;
    account.urls.insert(0, account.chain.url().to_owned());
    account.settings.slippage_bps = 20;
    let deployed = account.chain.deployed().clone();
    let (plain, dollar, router) = (deployed.tokens.plain, deployed.tokens.dollar, deployed.v2_router);
    let ask = RouterV2::getAmountsInCall { amountOut: units(5, 18), path: vec![dollar, plain] };
    let price = account.chain.call(account.key.address(), router, &ask).await.unwrap()[0];
    let amounts = vec![price * U256::from(994) / U256::from(1_000), units(5, 18)];
    let answer = Bytes::from(RouterV2::getAmountsInCall::abi_encode_returns(&amounts));
    faulty.fail_always("eth_call", Fault::Lie(json!(answer)));
    account.begin().await;
    account.order(Side::Buy, "5");
    let tried = |books: &Books| books.told.iter().filter(|told| *told == "quoted").count() > 3;
    account.until("it was tried several times", tried).await;
    assert_eq!(account.held(), Decimal::ZERO);
    faulty.recover();
    account.all_ended().await;
    assert_eq!(account.held(), Decimal::from(5), "{:?}", account.told());
    account.books_equal_the_chain().await;
}

/// Two servers, one of which keeps receipts to itself: nobody concludes from that that somebody else used the nonce.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_that_one_server_lacks_is_waited_for() {
    let (mut account, faulty) = behind().await;
    account.urls.push(account.chain.url().to_owned());
    account.begin().await;
    faulty.fail_always("eth_getTransactionReceipt", Fault::Lie(json!(null)));
    account.order(Side::Buy, "5");
    account.until("it was sent", |books| books.told.iter().any(|told| told == "submitted")).await;
    for _ in 0..5 {
        account.chain.mine(1).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(account.nonce().await, 1, "nothing is begun anew: {:?}", account.told());
    faulty.recover();
    account.all_ended().await;
    assert_eq!((account.held(), account.nonce().await), (Decimal::from(5), 2), "{:?}", account.told());
    account.books_equal_the_chain().await;
}

/// A secret in the address of a server is in nothing that is said about it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_of_a_server_is_not_told() {
    let (mut account, faulty) = behind().await;
    account.urls =
        vec![format!("{}/planted-secret", faulty.url()), "http://127.0.0.1:1/planted-secret".to_owned()];
    account.begin().await;
    faulty.fail("eth_sendRawTransaction", Fault::CloseAfter, 1);
    account.order(Side::Buy, "5");
    account.all_ended().await;
    let said = format!("{:?}", account.told());
    assert!(!said.contains("planted"), "{said}");
}
