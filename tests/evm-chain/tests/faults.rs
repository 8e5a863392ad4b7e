//! Each fault of the front shows, and shows once when it was asked for once.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::signers::SignerSync as _;
use alloy::signers::local::PrivateKeySigner;
use bulkhead_evm_chain::account::account;
use bulkhead_evm_chain::faulty::Private;
use bulkhead_evm_chain::{Chain, Fault, Faulty, Mining, Options};
use serde_json::{Value, json};

const GWEI: u128 = 1_000_000_000;

struct Caller(reqwest::Client);

impl Caller {
    fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self(reqwest::Client::builder().no_proxy().build().unwrap())
    }

    async fn send(&self, url: &str, body: &Value) -> reqwest::Result<reqwest::Response> {
        self.0.post(url).json(body).send().await
    }

    async fn ask(&self, url: &str, method: &str, parameters: Value) -> reqwest::Result<reqwest::Response> {
        self.send(url, &call(method, &parameters)).await
    }

    async fn result(&self, url: &str, method: &str, parameters: Value) -> Value {
        let answer: Value = self.ask(url, method, parameters).await.unwrap().json().await.unwrap();
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].clone()
    }
}

fn call(method: &str, parameters: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 9, "method": method, "params": parameters})
}

async fn raw(chain: &Chain, nonce: u64) -> (Bytes, B256) {
    chain.signed_transfer(&account(0), account(1).address(), U256::from(1), nonce, GWEI, 100 * GWEI).await
}

#[tokio::test]
async fn without_faults_it_is_the_node() {
    let chain = Chain::start().await;
    let (front, caller) = (Faulty::before(chain.url()).await, Caller::new());
    assert_eq!(caller.result(front.url(), "eth_chainId", json!([])).await, "0x7a69");
    let both = json!([call("eth_chainId", &json!([])), call("eth_blockNumber", &json!([]))]);
    let answers: Value = caller.send(front.url(), &both).await.unwrap().json().await.unwrap();
    assert_eq!((answers[0]["result"].as_str(), answers[0]["id"].as_u64()), (Some("0x7a69"), Some(9)));
    assert_eq!(answers[1]["result"], format!("{:#x}", chain.block_number().await));
    let asked: Vec<String> = front.requests().into_iter().map(|request| request.method).collect();
    assert_eq!(asked, ["eth_chainId", "eth_chainId", "eth_blockNumber"]);
    assert_eq!(front.requests_of("eth_blockNumber")[0].parameters, json!([]));
    front.forget();
    assert!(front.requests().is_empty());
}

#[tokio::test]
async fn answers_fail_in_every_way_as_often_as_asked() {
    let chain = Chain::start().await;
    let (front, caller) = (Faulty::before(chain.url()).await, Caller::new());
    let ask = || caller.ask(front.url(), "eth_chainId", json!([]));

    front.fail("eth_chainId", Fault::TooManyRequests(Duration::from_secs(7)), 1);
    front.fail("eth_chainId", Fault::Unavailable, 1);
    front.fail("eth_chainId", Fault::Garbage, 1);
    front.fail("eth_chainId", Fault::Half, 1);
    front.fail("eth_chainId", Fault::Error { code: -32005, message: "limit exceeded".to_owned() }, 1);
    front.fail("eth_chainId", Fault::CloseBefore, 1);

    let limited = ask().await.unwrap();
    assert_eq!((limited.status().as_u16(), &limited.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    assert_eq!(ask().await.unwrap().status(), 503);
    ask().await.unwrap().json::<Value>().await.unwrap_err();
    let half = ask().await.unwrap().text().await.unwrap();
    assert!(half.starts_with('{') && serde_json::from_str::<Value>(&half).is_err(), "{half}");
    let error: Value = ask().await.unwrap().json().await.unwrap();
    assert_eq!(error["error"]["code"], -32005);
    ask().await.unwrap_err();
    assert_eq!(caller.result(front.url(), "eth_chainId", json!([])).await, "0x7a69");

    front.claim_chain(1);
    assert_eq!(caller.result(front.url(), "eth_chainId", json!([])).await, "0x1");
    front.recover();
    assert_eq!(caller.result(front.url(), "eth_chainId", json!([])).await, "0x7a69");

    front.fail_all(Fault::Stall);
    let patience = Duration::from_millis(200);
    assert!(tokio::time::timeout(patience, ask()).await.is_err());
    assert!(front.connections() >= 1);
}

#[tokio::test]
async fn a_connection_that_is_closed_tells_nothing_of_what_was_done() {
    let chain = Chain::start().await;
    let (front, caller) = (Faulty::before(chain.url()).await, Caller::new());
    let send = |raw: Bytes| caller.ask(front.url(), "eth_sendRawTransaction", json!([raw]));
    let ((first, first_hash), (second, second_hash)) = (raw(&chain, 0).await, raw(&chain, 1).await);

    front.fail("eth_sendRawTransaction", Fault::CloseBefore, 1);
    send(first.clone()).await.unwrap_err();
    assert_eq!(chain.waiting().await, (0, 0));
    assert_eq!(chain.transaction_count(account(0).address()).await, 0);
    front.fail("eth_sendRawTransaction", Fault::CloseAfter, 1);
    send(first).await.unwrap_err();
    assert!(chain.receipt(first_hash).await.status());
    front.fail("eth_sendRawTransaction", Fault::BadGatewayAfter, 1);
    assert_eq!(send(second).await.unwrap().status(), 502);
    assert!(chain.receipt(second_hash).await.status());
}

#[tokio::test]
async fn it_lies_about_receipts_balances_and_counts() {
    let chain = Chain::start().await;
    let (front, caller) = (Faulty::before(chain.url()).await, Caller::new());
    let (raw, hash) = raw(&chain, 0).await;
    let _: B256 = chain.request("eth_sendRawTransaction", (raw,)).await;
    // The block comes a moment after the answer.
    chain.receipt(hash).await;
    front.fail("eth_getTransactionReceipt", Fault::Change(vec![("status".to_owned(), json!("0x0"))]), 1);
    let receipt = caller.result(front.url(), "eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!((&receipt["status"], &receipt["transactionHash"]), (&json!("0x0"), &json!(hash)));
    let receipt = caller.result(front.url(), "eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!(receipt["status"], "0x1");
    for method in ["eth_getBalance", "eth_getTransactionCount"] {
        front.fail(method, Fault::Lie(json!("0x2a")), 1);
        let asked = json!([account(0).address(), "latest"]);
        assert_eq!(caller.result(front.url(), method, asked.clone()).await, "0x2a");
        assert_ne!(caller.result(front.url(), method, asked).await, "0x2a");
    }
}

#[tokio::test]
async fn it_lags_in_everything() {
    let chain = Chain::start().await;
    let (front, caller) = (Faulty::before(chain.url()).await, Caller::new());
    let address = json!([account(0).address(), "latest"]);
    let height = chain.block_number().await;
    let (raw, hash) = raw(&chain, 0).await;
    let _: B256 = chain.request("eth_sendRawTransaction", (raw,)).await;
    // The block comes a moment after the answer.
    chain.receipt(hash).await;
    front.lag(1);
    let seen = caller.result(front.url(), "eth_blockNumber", json!([])).await;
    assert_eq!(seen, format!("{height:#x}"));
    let block = caller.result(front.url(), "eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!(block["number"], format!("{height:#x}"));
    assert_eq!(caller.result(front.url(), "eth_getTransactionCount", address.clone()).await, "0x0");
    assert!(caller.result(front.url(), "eth_getTransactionReceipt", json!([hash])).await.is_null());
    let known = caller.result(front.url(), "eth_getTransactionByHash", json!([hash])).await;
    assert!(known["hash"] == json!(hash) && known["blockNumber"].is_null(), "{known}");
    front.lag(0);
    assert_eq!(caller.result(front.url(), "eth_getTransactionCount", address).await, "0x1");
    assert!(!caller.result(front.url(), "eth_getTransactionReceipt", json!([hash])).await.is_null());
}

/// Sends a body with the header that Flashbots wants.
async fn send_signed(
    caller: &Caller,
    url: &str,
    body: &Value,
    claimed: Address,
    key: &PrivateKeySigner,
) -> reqwest::Response {
    let text = body.to_string();
    let signature = key.sign_message_sync(keccak256(&text).to_string().as_bytes()).unwrap();
    let request = caller.0.post(url).header("content-type", "application/json");
    request.header("X-Flashbots-Signature", format!("{claimed}:{signature}")).body(text).send().await.unwrap()
}

#[tokio::test]
async fn private_transactions_want_a_signature_and_are_forwarded_or_swallowed() {
    let chain = Chain::start_with(Options { mining: Mining::ByHand, ..Options::default() }).await;
    let (front, caller) = (Faulty::before(chain.url()).await, Caller::new());
    let (identity, (raw, hash)) = (account(9), raw(&chain, 0).await);
    let body = call("eth_sendPrivateTransaction", &json!([{"tx": raw, "maxBlockNumber": "0x1000"}]));

    assert_eq!(caller.send(front.url(), &body).await.unwrap().status(), 403);
    let of_another = account(8).address();
    assert_eq!(send_signed(&caller, front.url(), &body, of_another, &identity).await.status(), 403);
    assert!(front.private_requests().is_empty());

    front.send_private(Private::Swallow);
    let answer = send_signed(&caller, front.url(), &body, identity.address(), &identity).await;
    assert_eq!(answer.json::<Value>().await.unwrap()["result"], json!(hash));
    let sent = front.private_requests();
    assert_eq!((sent[0].signer, sent[0].transactions[0].1), (identity.address(), hash));
    assert_eq!(chain.waiting().await, (0, 0));
    let status = || async {
        let answer = caller.0.get(format!("{}/tx/{hash}", front.url())).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["status"].clone()
    };
    assert_eq!(status().await, "PENDING");

    front.send_private(Private::Forward);
    let block = format!("{:#x}", chain.block_number().await + 1);
    let bundle = call("eth_sendBundle", &json!([{"txs": [raw], "blockNumber": block}]));
    let answer = send_signed(&caller, front.url(), &bundle, identity.address(), &identity).await;
    assert!(answer.json::<Value>().await.unwrap()["result"]["bundleHash"].is_string());
    assert_eq!(chain.waiting().await, (1, 0));
    chain.mine(1).await;
    assert!(chain.receipt(hash).await.status());
    assert_eq!(status().await, "INCLUDED");
}
