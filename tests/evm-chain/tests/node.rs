//! The node: blocks, fees, reorganisations, and being started again.

use std::time::Duration;

use alloy::primitives::{B256, U256};
use alloy::providers::Provider as _;
use bulkhead_evm_chain::account::{account, deployer};
use bulkhead_evm_chain::{Chain, Mining, Options};

const GWEI: u128 = 1_000_000_000;

async fn send_one(chain: &Chain, nonce: u64) -> B256 {
    let (raw, hash) = chain
        .signed_transfer(&account(0), account(1).address(), U256::from(7), nonce, GWEI, 100 * GWEI)
        .await;
    let taken: B256 = chain.request("eth_sendRawTransaction", (raw,)).await;
    assert_eq!(taken, hash);
    hash
}

#[tokio::test]
async fn a_chain_that_is_loaded_is_the_one_that_was_deployed() {
    // The first of them may deploy; the others find what it kept.
    let (first, second) = (Chain::start().await, Chain::start().await);
    assert_eq!(first.deployed(), second.deployed());
    assert_ne!(first.url(), second.url());
    assert_eq!(second.transaction_count(account(0).address()).await, 0);
    let id = second.provider().get_chain_id().await.unwrap();
    assert_eq!((id, second.id()), (31_337, 31_337));
    for token in [second.deployed().weth, second.deployed().v2_router, second.deployed().tokens.plain] {
        assert!(!second.provider().get_code_at(token).await.unwrap().is_empty());
    }
    let all = second.balance_of(second.deployed().tokens.plain, deployer().address()).await;
    assert!(all > U256::ZERO);
}

#[tokio::test]
async fn blocks_are_made_by_hand_and_in_a_rhythm() {
    let chain = Chain::start_with(Options { mining: Mining::ByHand, ..Options::default() }).await;
    let hash = send_one(&chain, 0).await;
    assert_eq!(chain.waiting().await, (1, 0));
    assert!(chain.provider().get_transaction_receipt(hash).await.unwrap().is_none());
    let before = chain.block_number().await;
    chain.mine(3).await;
    assert_eq!(chain.block_number().await, before + 3);
    assert_eq!(chain.receipt(hash).await.block_number, Some(before + 1));
    send_one(&chain, 5).await;
    assert_eq!(chain.waiting().await, (0, 1), "there is a gap before it");
    let dropped = send_one(&chain, 1).await;
    assert_eq!(chain.waiting().await, (1, 1));
    chain.drop_transaction(dropped).await;
    assert_eq!(chain.waiting().await, (0, 1));

    let mining = Mining::Every(Duration::from_secs(1));
    let chain = Chain::start_with(Options { mining, chain_id: 5, ..Options::default() }).await;
    assert_eq!(chain.provider().get_chain_id().await.unwrap(), 5);
    assert!(chain.receipt(send_one(&chain, 0).await).await.status());
}

#[tokio::test]
async fn a_reorganisation_takes_transactions_back() {
    let chain = Chain::start().await;
    let hash = send_one(&chain, 0).await;
    let old = chain.receipt(hash).await.block_hash;
    let height = chain.block_number().await;
    chain.mine(1).await;
    chain.reorg(2).await;
    assert_eq!(chain.block_number().await, height + 1);
    assert!(chain.provider().get_transaction_receipt(hash).await.unwrap().is_none());
    assert!(chain.provider().get_transaction_by_hash(hash).await.unwrap().is_none());
    assert_eq!(chain.transaction_count(account(0).address()).await, 0);
    // Now it gets into the second of the blocks that are replaced.
    let (raw, same) =
        chain.signed_transfer(&account(0), account(1).address(), U256::from(7), 0, GWEI, 100 * GWEI).await;
    assert_eq!(same, hash);
    chain.reorg_with(2, &[(raw, 1)]).await;
    let receipt = chain.receipt(hash).await;
    assert_eq!(receipt.block_number, Some(height + 1));
    assert_ne!(receipt.block_hash, old);
}

#[tokio::test]
async fn a_node_that_is_started_again_knows_its_blocks() {
    let mut chain = Chain::start().await;
    let hash = send_one(&chain, 0).await;
    chain.receipt(hash).await;
    let (height, url) = (chain.block_number().await, chain.url().to_owned());
    chain.set_automine(false).await;
    let waits = send_one(&chain, 1).await;
    chain.stop();
    assert!(chain.provider().get_block_number().await.is_err());
    chain.restart();
    assert_eq!((chain.url(), chain.block_number().await), (url.as_str(), height));
    assert!(chain.receipt(hash).await.status());
    assert_eq!(chain.transaction_count(account(0).address()).await, 1);
    assert!(chain.provider().get_transaction_by_hash(waits).await.unwrap().is_none());
    assert!(chain.receipt(send_one(&chain, 1).await).await.status());
}

#[tokio::test]
async fn fees_snapshots_and_times_are_the_tests_own() {
    let chain = Chain::start().await;
    let snapshot = chain.snapshot().await;
    chain.set_base_fee(80 * GWEI).await;
    let receipt = chain.receipt(send_one(&chain, 0).await).await;
    assert_eq!(receipt.effective_gas_price, 81 * GWEI);
    assert_eq!(chain.native_balance_of(account(1).address()).await % U256::from(10), U256::from(7));
    chain.revert(snapshot).await;
    assert_eq!(chain.transaction_count(account(0).address()).await, 0);
    chain.set_next_time(4_000_000_000).await;
    chain.mine(1).await;
    let block = chain.provider().get_block_by_number(Default::default()).await.unwrap().unwrap();
    assert_eq!(block.header.timestamp, 4_000_000_000);
}
