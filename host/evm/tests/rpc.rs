//! Several servers of one chain, beside what the tests of whole orders show of them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::U256;
use alloy::rpc::types::TransactionRequest;
use bulkhead_evm::chain::{At, Chain as _, ChainError};
use bulkhead_evm::rpc::{EndpointSettings, Endpoints};
use bulkhead_evm_chain::account::account;
use bulkhead_evm_chain::{Chain, Fault, Faulty, Mining, Options};

const GWEI: u128 = 1_000_000_000;

fn endpoints(urls: &[&str], timeout: Duration) -> Endpoints {
    let settings: Vec<_> = urls
        .iter()
        .map(|url| EndpointSettings { url: (*url).to_owned(), requests_per_second: None, timeout })
        .collect();
    Endpoints::new(bulkhead_evm_chain::chain::CHAIN_ID, &settings).unwrap()
}

#[tokio::test]
async fn a_transaction_does_not_wait_for_a_server_that_stalls() {
    let chain = Chain::start_with(Options { mining: Mining::ByHand, ..Options::default() }).await;
    let slow = Faulty::before(chain.url()).await;
    slow.fail_always("eth_sendRawTransaction", Fault::Stall);
    let endpoints = Arc::new(endpoints(&[slow.url(), chain.url()], Duration::from_secs(600)));
    let (raw, _) =
        chain.signed_transfer(&account(0), account(1).address(), U256::from(1), 0, GWEI, 100 * GWEI).await;
    let sending = tokio::spawn(async move { endpoints.send(&raw).await });
    for _ in 0..2_000 {
        if chain.waiting().await == (1, 0) {
            sending.abort();
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the other server did not get it");
}

#[tokio::test]
async fn a_contract_that_talks_of_limits_does_not_cost_the_server_its_rest() {
    let chain = Chain::start().await;
    let front = Faulty::before(chain.url()).await;
    let endpoints = endpoints(&[front.url()], Duration::from_secs(5));
    let words = "execution reverted: too many requests, rate limit of this token";
    front.fail("eth_call", Fault::Error { code: 3, message: words.to_owned() }, 1);
    let call = TransactionRequest::default().to(chain.deployed().weth);
    let refused = endpoints.call(call, At::Latest).await.unwrap_err();
    assert!(matches!(refused, ChainError::Reverted(_)), "{refused:?}");
    // It is asked again at once.
    endpoints.head().await.unwrap();

    let words = "rate limit exceeded".to_owned();
    front.fail("eth_getBalance", Fault::Error { code: -32000, message: words }, 1);
    let refused = endpoints.balance(account(0).address()).await.unwrap_err();
    assert!(matches!(refused, ChainError::Unavailable(_)), "{refused:?}");
    assert!(endpoints.head().await.is_err(), "it is left alone for a while");
}
