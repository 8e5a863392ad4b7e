use alloy::primitives::{B256, Bytes, U256};
use alloy::providers::Provider as _;
use serde_json::{Value, json};

use crate::chain::Chain;

impl Chain {
    /// Makes so many blocks; the first takes the transactions that wait.
    pub async fn mine(&self, blocks: u64) {
        let _: Value = self.request("anvil_mine", (U256::from(blocks),)).await;
    }

    /// Whether a block is made for each transaction at once, from now on.
    pub async fn set_automine(&self, automatic: bool) {
        let _: Value = self.request("evm_setAutomine", (automatic,)).await;
    }

    /// The base fee of the next block, in wei for a unit of gas. Those after it follow from how full it is.
    pub async fn set_base_fee(&self, wei: u128) {
        let _: Value = self.request("anvil_setNextBlockBaseFeePerGas", (U256::from(wei),)).await;
    }

    /// Gives the next block this time, in seconds since 1970.
    pub async fn set_next_time(&self, seconds: u64) {
        let _: Value = self.request("evm_setNextBlockTimestamp", (U256::from(seconds),)).await;
    }

    /// Number of the newest block.
    pub async fn block_number(&self) -> u64 {
        self.provider().get_block_number().await.expect("a number")
    }

    /// Replaces so many of the newest blocks by empty ones: what was in them never happened, and is not tried again.
    pub async fn reorg(&self, depth: u64) {
        self.reorg_with(depth, &[]).await;
    }

    /// As [`Self::reorg`], with these raw transactions in the new blocks: each with the number of its block, 0 for the
    /// first of those that are replaced.
    pub async fn reorg_with(&self, depth: u64, transactions: &[(Bytes, u64)]) {
        let transactions: Vec<Value> = transactions.iter().map(|(raw, block)| json!([raw, block])).collect();
        let _: Value = self.request("anvil_reorg", (depth, transactions)).await;
    }

    /// Forgets a transaction that could be in the next block, as nodes do with those that pay too little.
    pub async fn drop_transaction(&self, hash: B256) {
        let _: Option<B256> = self.request("anvil_dropTransaction", (hash,)).await;
    }

    /// How many transactions wait: those that could be in the next block, and those with a gap before them.
    pub async fn waiting(&self) -> (u64, u64) {
        let status: Value = self.request("txpool_status", ()).await;
        let count = |name: &str| {
            let digits = status[name].as_str().and_then(|text| text.strip_prefix("0x"));
            u64::from_str_radix(digits.expect("a number"), 16).expect("a number")
        };
        (count("pending"), count("queued"))
    }

    /// Remembers the chain as it is, for [`Self::revert`].
    pub async fn snapshot(&self) -> U256 {
        self.request("evm_snapshot", ()).await
    }

    /// Goes back to what was remembered, which is forgotten.
    pub async fn revert(&self, snapshot: U256) {
        let done: bool = self.request("evm_revert", (snapshot,)).await;
        assert!(done, "there is no snapshot {snapshot}");
    }
}
