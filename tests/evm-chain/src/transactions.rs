use std::time::Duration;

use alloy::eips::eip2718::Encodable2718 as _;
use alloy::network::{EthereumWallet, NetworkTransactionBuilder as _, TransactionBuilder as _};
use alloy::primitives::{Address, B256, Bytes, TxKind, U256};
use alloy::providers::{DynProvider, Provider as _};
use alloy::rpc::types::{TransactionReceipt, TransactionRequest};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::SolCall;
use alloy::transports::RpcError;
use serde_json::Value;

use crate::chain::{Chain, request};

/// The most that a transaction of the set-up pays for a unit of gas, in wei.
const MAX_FEE: u128 = 1_000_000_000_000;

/// A swap that comes into a later second than it was tried in writes down two sums of prices more.
const LEAST_MARGIN: u64 = 60_000;

/// How long a test waits for its transaction between two looks.
const POLL: Duration = Duration::from_millis(5);

/// How often it looks before it gives up.
const LOOKS: usize = 6000;

/// What a contract refused with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reverted {
    /// The node's own words.
    pub message: String,
    /// What the contract gave as its reason, as it is encoded.
    pub data: Bytes,
}

impl Chain {
    /// Calls a contract in a transaction and waits until it is in a block, which is made when the chain makes none itself.
    ///
    /// # Errors
    /// When the contract refuses; nothing is sent then.
    pub async fn transact<C: SolCall>(
        &self,
        from: &PrivateKeySigner,
        to: Address,
        call: &C,
    ) -> Result<TransactionReceipt, Reverted> {
        self.transact_paying(from, to, call, U256::ZERO).await
    }

    /// As [`Self::transact`], with so much of the native currency, in wei.
    ///
    /// # Errors
    /// As [`Self::transact`].
    pub async fn transact_paying<C: SolCall>(
        &self,
        from: &PrivateKeySigner,
        to: Address,
        call: &C,
        value: U256,
    ) -> Result<TransactionReceipt, Reverted> {
        let kind = TxKind::Call(to);
        transact(self.provider(), self.id(), from, kind, call.abi_encode().into(), value).await
    }

    /// Calls a contract without a transaction.
    ///
    /// # Errors
    /// When the contract refuses.
    pub async fn call<C: SolCall>(
        &self,
        from: Address,
        to: Address,
        call: &C,
    ) -> Result<C::Return, Reverted> {
        let request = TransactionRequest::default().from(from).to(to).input(call.abi_encode().into());
        let answer = self.provider().call(request).await.map_err(reverted)?;
        Ok(C::abi_decode_returns(&answer).expect("an answer of the contract's own"))
    }

    /// Signs a transfer of the native currency with this nonce and fee, and sends it nowhere: for races, replacements
    /// and whatever else needs raw transactions. Tip and fee are in wei for a unit of gas.
    pub async fn signed_transfer(
        &self,
        from: &PrivateKeySigner,
        to: Address,
        value: U256,
        nonce: u64,
        tip: u128,
        fee: u128,
    ) -> (Bytes, B256) {
        let request = TransactionRequest::default()
            .from(from.address())
            .to(to)
            .value(value)
            .nonce(nonce)
            .gas_limit(21_000)
            .max_priority_fee_per_gas(tip)
            .max_fee_per_gas(fee);
        sign(self.id(), from, request).await
    }

    /// The receipt of a transaction, for which it waits.
    pub async fn receipt(&self, hash: B256) -> TransactionReceipt {
        wait(self.provider(), hash).await
    }
}

impl Chain {
    /// Sends nothing to somebody with this nonce and tip, and does not wait for it.
    pub async fn send_with_nonce(&self, from: &PrivateKeySigner, to: TxKind, nonce: u64, tip: u128) -> B256 {
        let mut transaction = TransactionRequest::default()
            .from(from.address())
            .nonce(nonce)
            .gas_limit(21_000)
            .max_priority_fee_per_gas(tip)
            .max_fee_per_gas(MAX_FEE);
        transaction.to = Some(to);
        let (raw, hash) = sign(self.id(), from, transaction).await;
        let _: B256 = request(self.provider(), "eth_sendRawTransaction", (raw,)).await;
        hash
    }
}

pub(crate) async fn transact(
    provider: &DynProvider,
    chain_id: u64,
    from: &PrivateKeySigner,
    to: TxKind,
    input: Bytes,
    value: U256,
) -> Result<TransactionReceipt, Reverted> {
    let mut transaction = TransactionRequest::default().from(from.address()).input(input.into()).value(value);
    transaction.to = Some(to);
    let gas = provider.estimate_gas(transaction.clone()).await.map_err(reverted)?;
    let nonce = provider.get_transaction_count(from.address()).pending().await.expect("a count");
    let transaction = transaction
        .nonce(nonce)
        .gas_limit(gas.saturating_add((gas / 5).max(LEAST_MARGIN)))
        .max_priority_fee_per_gas(1)
        .max_fee_per_gas(MAX_FEE);
    let (raw, hash) = sign(chain_id, from, transaction).await;
    let _: B256 = request(provider, "eth_sendRawTransaction", (raw,)).await;
    let automatic: bool = request(provider, "anvil_getAutomine", ()).await;
    if !automatic {
        let _: Value = request(provider, "evm_mine", ()).await;
    }
    let receipt = wait(provider, hash).await;
    assert!(receipt.status(), "a transaction that was fine when it was tried failed: {hash}");
    Ok(receipt)
}

async fn sign(chain_id: u64, from: &PrivateKeySigner, request: TransactionRequest) -> (Bytes, B256) {
    let wallet = EthereumWallet::from(from.clone());
    let request = request.with_chain_id(chain_id);
    let envelope = request.build(&wallet).await.expect("a transaction with all its parts");
    (envelope.encoded_2718().into(), *envelope.tx_hash())
}

async fn wait(provider: &DynProvider, hash: B256) -> TransactionReceipt {
    for _ in 0..LOOKS {
        if let Some(receipt) = provider.get_transaction_receipt(hash).await.expect("an answer") {
            return receipt;
        }
        tokio::time::sleep(POLL).await;
    }
    panic!("the transaction {hash} got into no block");
}

#[expect(clippy::needless_pass_by_value, reason = "it is the end of the error")]
fn reverted<E: std::fmt::Display>(error: RpcError<E>) -> Reverted {
    let Some(payload) = error.as_error_resp() else { panic!("the node did not answer: {error}") };
    let data = payload.try_data_as::<Bytes>().and_then(Result::ok).unwrap_or_default();
    Reverted { message: payload.message.to_string(), data }
}
