//! What the executor asks a chain, whoever answers: one endpoint, several that watch each other, or a test.

use std::future::Future;
use std::sync::Arc;

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::rpc::types::{TransactionReceipt, TransactionRequest};
use serde::Deserialize;

use crate::pools::round_trip::{RoundTrip, RoundTripError, Verdict};

/// The newest block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its height.
    pub number: u64,
    /// Its time, in seconds since 1970.
    pub timestamp: u64,
    /// What a unit of gas costs in it, in wei, before any tip.
    pub base_fee: u128,
}

/// Which state is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// That after the newest block.
    Latest,
    /// That after the block of this height.
    Block(u64),
}

/// Why a question got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Nobody could be asked at the moment.
    #[error("the chain can't be asked at the moment: {0}")]
    Unavailable(String),
    /// A contract refused what was tried.
    #[error("it would be refused: {}", crate::revert::decode(.0))]
    Reverted(Bytes),
    /// The node refused the question, or what it was about.
    #[error("the node refuses it: {0}")]
    Refused(String),
    /// Endpoints answered differently what has one answer.
    #[error("endpoints disagree: {0}")]
    Disagreement(String),
    /// An answer makes no sense.
    #[error("the answer makes no sense: {0}")]
    Malformed(String),
}

/// What the chain wrote down of a transaction in a block.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Receipt {
    /// As on every chain.
    #[serde(flatten)]
    pub transaction: TransactionReceipt,
    /// What a rollup took besides gas for writing the transaction down on the chain below it, in wei. Those like Optimism say
    /// so; those like Arbitrum count it as gas, and other chains have none.
    #[serde(rename = "l1Fee", default)]
    pub data_fee: Option<U256>,
}

/// What became of a transaction that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// Somebody took it, or has had it before. For people: who.
    Taken(String),
    /// All that were asked say no. Somebody may have it all the same: a server can be wrong, or lie, and what it was sent
    /// is signed. Only the chain says what became of it.
    Rejected(Rejection),
    /// It may have arrived or not.
    Unknown(String),
}

/// Why nobody took a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The kind of reason.
    pub kind: RejectionKind,
    /// In the node's words.
    pub message: String,
}

/// Kinds of reasons not to take a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectionKind {
    /// Its nonce was used by another one.
    NonceTooLow,
    /// It offers too little for gas, or too little more than what it replaces.
    Underpriced,
    /// The sender can't pay for it.
    InsufficientFunds,
    /// Anything else.
    Other,
}

/// A chain that can be asked and sent to.
pub trait Chain: Send + Sync + 'static {
    /// The chain's number.
    fn chain_id(&self) -> impl Future<Output = Result<u64, ChainError>> + Send;

    /// The newest block.
    fn head(&self) -> impl Future<Output = Result<Head, ChainError>> + Send;

    /// Native currency of an address, in wei.
    fn balance(&self, of: Address) -> impl Future<Output = Result<U256, ChainError>> + Send;

    /// The first nonce that no transaction in a block has used; with those that wait when `pending`.
    fn nonce(&self, of: Address, pending: bool) -> impl Future<Output = Result<u64, ChainError>> + Send;

    /// Tries a call and changes nothing.
    fn call(
        &self,
        request: TransactionRequest,
        at: At,
    ) -> impl Future<Output = Result<Bytes, ChainError>> + Send;

    /// Tries a call on the newest state at every server that can be asked, and changes nothing. The answers of those that
    /// have one: which differ where one is a block ahead of another, or lies.
    fn call_everywhere(
        &self,
        request: TransactionRequest,
    ) -> impl Future<Output = Result<Vec<Bytes>, ChainError>> + Send;

    /// How much gas a transaction would use.
    fn estimate_gas(
        &self,
        request: TransactionRequest,
    ) -> impl Future<Output = Result<u64, ChainError>> + Send;

    /// The tip that the chain suggests, in wei.
    fn tip(&self) -> impl Future<Output = Result<u128, ChainError>> + Send;

    /// The first nonce that no transaction in a block has used, as every server has it: one that is behind counts.
    fn nonce_everywhere(&self, of: Address) -> impl Future<Output = Result<u64, ChainError>> + Send;

    /// What became of a transaction that is in a block.
    fn receipt(&self, hash: B256) -> impl Future<Output = Result<Option<Receipt>, ChainError>> + Send;

    /// Whether the nodes know a transaction, in a block or not.
    fn knows(&self, hash: B256) -> impl Future<Output = Result<bool, ChainError>> + Send;

    /// Sends a signed transaction.
    fn send(&self, raw: &[u8]) -> impl Future<Output = Sent> + Send;

    /// Tries a purchase and a sale without sending anything.
    fn try_round_trip(
        &self,
        trip: &RoundTrip,
    ) -> impl Future<Output = Result<Verdict, RoundTripError>> + Send;
}

/// Several who ask and send share one way to the chain, and its limits.
impl<C: Chain> Chain for Arc<C> {
    async fn chain_id(&self) -> Result<u64, ChainError> {
        (**self).chain_id().await
    }

    async fn head(&self) -> Result<Head, ChainError> {
        (**self).head().await
    }

    async fn balance(&self, of: Address) -> Result<U256, ChainError> {
        (**self).balance(of).await
    }

    async fn nonce(&self, of: Address, pending: bool) -> Result<u64, ChainError> {
        (**self).nonce(of, pending).await
    }

    async fn call(&self, request: TransactionRequest, at: At) -> Result<Bytes, ChainError> {
        (**self).call(request, at).await
    }

    async fn call_everywhere(&self, request: TransactionRequest) -> Result<Vec<Bytes>, ChainError> {
        (**self).call_everywhere(request).await
    }

    async fn estimate_gas(&self, request: TransactionRequest) -> Result<u64, ChainError> {
        (**self).estimate_gas(request).await
    }

    async fn tip(&self) -> Result<u128, ChainError> {
        (**self).tip().await
    }

    async fn nonce_everywhere(&self, of: Address) -> Result<u64, ChainError> {
        (**self).nonce_everywhere(of).await
    }

    async fn receipt(&self, hash: B256) -> Result<Option<Receipt>, ChainError> {
        (**self).receipt(hash).await
    }

    async fn knows(&self, hash: B256) -> Result<bool, ChainError> {
        (**self).knows(hash).await
    }

    async fn send(&self, raw: &[u8]) -> Sent {
        (**self).send(raw).await
    }

    async fn try_round_trip(&self, trip: &RoundTrip) -> Result<Verdict, RoundTripError> {
        (**self).try_round_trip(trip).await
    }
}
