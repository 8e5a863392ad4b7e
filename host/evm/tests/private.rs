//! Sending privately, through a front that speaks as Flashbots' relay does, before a real node.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, Signature, U256};
use alloy::signers::SignerSync as _;
use alloy::signers::local::PrivateKeySigner;
use bulkhead_evm::chain::{Chain as _, RejectionKind, Sent};
use bulkhead_evm::rpc::private::{Fallback, Identity, PrivateFirst, PrivateSettings, Protocol};
use bulkhead_evm::rpc::{EndpointSettings, Endpoints};
use bulkhead_evm_chain::account::account;
use bulkhead_evm_chain::faulty::Private;
use bulkhead_evm_chain::{Chain, Fault, Faulty, Mining, Options};
use serde_json::json;

const GWEI: u128 = 1_000_000_000;

struct Known {
    key: PrivateKeySigner,
    address: Address,
}

impl Identity for Known {
    fn address(&self) -> Address {
        self.address
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, String> {
        self.key.sign_message_sync(message).map_err(|error| error.to_string())
    }
}

fn identity(address: Address) -> Protocol {
    Protocol::Relay(Arc::new(Known { key: account(9), address }))
}

/// A chain whose blocks the test makes, and a relay before it.
async fn bed() -> (Chain, Faulty) {
    let chain = Chain::start_with(Options { mining: Mining::ByHand, ..Options::default() }).await;
    let relay = Faulty::before(chain.url()).await;
    (chain, relay)
}

fn sender(chain: &Chain, relay: &Faulty, protocol: Protocol, fallback: Fallback) -> PrivateFirst<Endpoints> {
    let timeout = Duration::from_secs(2);
    let public = EndpointSettings { url: chain.url().to_owned(), requests_per_second: None, timeout };
    let public = Endpoints::new(chain.id(), &[public]).unwrap();
    let timeout = Duration::from_millis(500);
    let settings = PrivateSettings { url: relay.url().to_owned(), protocol, fallback, timeout };
    PrivateFirst::new(public, &settings).unwrap()
}

async fn transaction(chain: &Chain, nonce: u64, tip: u128) -> (Bytes, B256) {
    chain.signed_transfer(&account(0), account(1).address(), U256::from(1), nonce, tip, 100 * GWEI).await
}

#[tokio::test]
async fn a_relay_gets_it_signed_by_the_identity_and_nobody_else_does() {
    let (chain, relay) = bed().await;
    relay.send_private(Private::Swallow);
    let who = account(9).address();
    let sender = sender(&chain, &relay, identity(who), Fallback::NeverPublic);
    let (raw, hash) = transaction(&chain, 0, GWEI).await;
    assert!(matches!(sender.send(&raw).await, Sent::Taken(_)));
    let sent = relay.private_requests();
    assert_eq!((sent.len(), sent[0].signer), (1, who));
    assert_eq!(sent[0].transactions, [(raw.clone(), hash)]);
    assert_eq!(sent[0].parameters["maxBlockNumber"], format!("{:#x}", chain.block_number().await + 25));
    assert_eq!(chain.waiting().await, (0, 0));
    // It is asked for at every look, and builders have it: they are not told again.
    assert!(matches!(sender.send(&raw).await, Sent::Taken(_)));
    assert_eq!(relay.private_requests().len(), 1);

    relay.send_private(Private::Forward);
    let (second, hash) = transaction(&chain, 0, 2 * GWEI).await;
    assert!(matches!(sender.send(&second).await, Sent::Taken(_)));
    chain.mine(1).await;
    assert!(chain.receipt(hash).await.status());
}

#[tokio::test]
async fn what_gets_into_no_block_is_sent_privately_for_ever_if_so_wished() {
    let (chain, relay) = bed().await;
    relay.send_private(Private::Swallow);
    let sender = sender(&chain, &relay, identity(account(9).address()), Fallback::NeverPublic);
    let (raw, hash) = transaction(&chain, 0, GWEI).await;
    for _ in 0..60 {
        assert!(matches!(sender.send(&raw).await, Sent::Taken(_)));
        assert!(!sender.knows(hash).await.unwrap());
        chain.mine(1).await;
    }
    assert_eq!(relay.private_requests().len(), 3, "once in 25 blocks");
    assert_eq!(chain.transaction_count(account(0).address()).await, 0);
}

#[tokio::test]
async fn everybody_gets_it_after_so_many_blocks_also_when_it_was_replaced_meanwhile() {
    let (chain, relay) = bed().await;
    relay.send_private(Private::Swallow);
    let sender = sender(&chain, &relay, identity(account(9).address()), Fallback::PublicAfter(3));
    let (first, _) = transaction(&chain, 0, GWEI).await;
    let (second, hash) = transaction(&chain, 0, 2 * GWEI).await;
    assert!(matches!(sender.send(&first).await, Sent::Taken(_)));
    chain.mine(2).await;
    assert!(matches!(sender.send(&second).await, Sent::Taken(_)));
    assert_eq!(chain.waiting().await, (0, 0));
    chain.mine(1).await;
    assert!(matches!(sender.send(&second).await, Sent::Taken(_)));
    assert_eq!(chain.waiting().await, (1, 0));
    chain.mine(1).await;
    assert!(chain.receipt(hash).await.status());
    assert_eq!(relay.private_requests().len(), 2);
}

#[tokio::test]
async fn what_may_have_arrived_is_unknown_and_what_was_refused_is_not() {
    let (chain, relay) = bed().await;
    let sender = |address| sender(&chain, &relay, identity(address), Fallback::NeverPublic);
    let (raw, _) = transaction(&chain, 0, GWEI).await;
    for fault in [
        Fault::CloseAfter,
        Fault::CloseBefore,
        Fault::Unavailable,
        Fault::TooManyRequests(Duration::from_secs(1)),
        Fault::Garbage,
        Fault::Half,
        Fault::Stall,
    ] {
        relay.fail("eth_sendPrivateTransaction", fault.clone(), 1);
        let sent = sender(account(9).address()).send(&raw).await;
        assert!(matches!(sent, Sent::Unknown(_)), "{fault:?}: {sent:?}");
    }
    // Signed by another than it says.
    let sent = sender(account(8).address()).send(&raw).await;
    let Sent::Rejected(rejection) = sent else { panic!("{sent:?}") };
    assert!(rejection.message.contains("signature"), "{rejection:?}");
    let low = Fault::Error { code: -32000, message: "nonce too low".to_owned() };
    relay.fail("eth_sendPrivateTransaction", low.clone(), 1);
    let sent = sender(account(9).address()).send(&raw).await;
    assert!(
        matches!(&sent, Sent::Rejected(rejection) if rejection.kind == RejectionKind::NonceTooLow),
        "{sent:?}"
    );
    // Once it may be out there, a refusal proves nothing.
    let same = sender(account(9).address());
    relay.fail("eth_sendPrivateTransaction", Fault::CloseAfter, 1);
    relay.fail("eth_sendPrivateTransaction", low, 1);
    assert!(matches!(same.send(&raw).await, Sent::Unknown(_)));
    assert!(matches!(same.send(&raw).await, Sent::Unknown(_)));
    assert!(matches!(same.send(&raw).await, Sent::Taken(_)));
}

#[tokio::test]
async fn a_server_that_forwards_gets_it_as_any_node_does() {
    let (chain, relay) = bed().await;
    let sender = sender(&chain, &relay, Protocol::Protect, Fallback::NeverPublic);
    let (raw, hash) = transaction(&chain, 0, GWEI).await;
    assert!(matches!(sender.send(&raw).await, Sent::Taken(_)));
    let asked = relay.requests_of("eth_sendRawTransaction");
    assert_eq!(asked[0].parameters, json!([raw]));
    chain.mine(1).await;
    assert!(chain.receipt(hash).await.status());
    assert!(sender.tip().await.unwrap() > 0);
}

#[tokio::test]
async fn nothing_that_may_be_a_secret_is_told() {
    let chain = Chain::start().await;
    let settings = PrivateSettings {
        url: "http://127.0.0.1:9/planted?key=planted".to_owned(),
        protocol: identity(account(9).address()),
        fallback: Fallback::NeverPublic,
        timeout: Duration::from_millis(300),
    };
    let public = EndpointSettings {
        url: chain.url().to_owned(),
        requests_per_second: None,
        timeout: Duration::from_secs(2),
    };
    let public = Endpoints::new(chain.id(), &[public]).unwrap();
    let sender = PrivateFirst::new(public, &settings).unwrap();
    let (raw, _) = transaction(&chain, 0, GWEI).await;
    let sent = sender.send(&raw).await;
    let Sent::Unknown(why) = &sent else { panic!("{sent:?}") };
    assert!(why.contains("127.0.0.1:9"), "{why}");
    assert!(!format!("{sent:?} {settings:?} {sender:?}").contains("planted"));
}
