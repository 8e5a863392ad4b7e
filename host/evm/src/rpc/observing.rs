//! Questions of those who watch and try things out, beside those of [`crate::chain::Chain`].

use std::future::Future;

use alloy::eips::BlockId;
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::providers::Provider as _;
use alloy::rpc::json_rpc::{ErrorPayload, RpcError};
use alloy::rpc::types::simulate::{SimulatePayload, SimulatedBlock};
use alloy::rpc::types::state::StateOverride;
use alloy::rpc::types::{Filter, Header, Log, SyncStatus, TransactionRequest};
use alloy::sol_types::SolCall as _;
use alloy::transports::TransportError;

use super::{Endpoint, Endpoints, endpoint};
use crate::chain::ChainError;
use crate::contracts::Erc20;

impl Endpoint {
    async fn header(&self, block: BlockId) -> Result<Option<Header>, ChainError> {
        self.turn().await;
        let answer = self.provider().get_block(block).await;
        Ok(self.note(answer)?.map(|block| block.header))
    }

    /// An endpoint that refuses has its reasons in the filter: that is no failure of it.
    async fn logs(&self, filter: &Filter) -> Result<Vec<Log>, ChainError> {
        self.turn().await;
        match self.provider().get_logs(filter).await {
            Err(RpcError::ErrorResp(payload)) if !is_about_pace(&payload) => {
                let message = endpoint::without_secrets(&payload.message);
                Err(ChainError::Refused(format!("{}: {message}", self.name())))
            }
            answer => self.note(answer),
        }
    }

    async fn has_code(&self, at: Address) -> Result<bool, ChainError> {
        self.turn().await;
        let answer = self.provider().get_code_at(at).await;
        Ok(!self.note(answer)?.is_empty())
    }

    async fn is_syncing(&self) -> Result<bool, ChainError> {
        self.turn().await;
        let answer = self.provider().syncing().await;
        Ok(!matches!(self.note(answer)?, SyncStatus::None))
    }

    async fn call_at(&self, request: TransactionRequest, block: BlockId) -> Result<Bytes, ChainError> {
        self.turn().await;
        let answer = self.provider().call(request).block(block).await;
        self.note(answer)
    }

    async fn balance_at(&self, of: Address, block: BlockId) -> Result<U256, ChainError> {
        self.turn().await;
        let answer = self.provider().get_balance(of).block_id(block).await;
        self.note(answer)
    }

    async fn nonce_at(&self, of: Address, block: BlockId) -> Result<u64, ChainError> {
        self.turn().await;
        let answer = self.provider().get_transaction_count(of).block_id(block).await;
        self.note(answer)
    }

    async fn call_over(
        &self,
        request: TransactionRequest,
        block: BlockId,
        state: StateOverride,
    ) -> Result<Bytes, ChainError> {
        self.turn().await;
        let answer = self.provider().call(request).block(block).overrides(state).await;
        self.note(answer)
    }

    async fn simulate(
        &self,
        payload: &SimulatePayload,
        block: BlockId,
    ) -> Result<Option<Vec<SimulatedBlock>>, ChainError> {
        self.turn().await;
        match self.provider().simulate(payload).block_id(block).await {
            Err(error) if is_unknown_method(&error) => Ok(None),
            answer => self.note(answer).map(Some),
        }
    }
}

impl Endpoints {
    /// The header of a block; `None` when nobody has it.
    ///
    /// # Errors
    ///
    /// When nobody can be asked.
    pub async fn header(&self, block: BlockId) -> Result<Option<Header>, ChainError> {
        self.ask(|endpoint| endpoint.header(block)).await
    }

    /// What contracts wrote down in one block, which is named by its hash: one who does not know that block says so,
    /// where one who does not know a height yet says that nothing was written down.
    ///
    /// # Errors
    ///
    /// When nobody who can be asked has the block.
    pub async fn logs_of_block(&self, filter: &Filter, hash: B256) -> Result<Vec<Log>, ChainError> {
        let filter = filter.clone().at_block_hash(hash);
        self.ask_until_known(|endpoint| endpoint.logs(&filter)).await
    }

    /// What contracts wrote down in blocks that are buried deep, from the first to the last height.
    ///
    /// # Errors
    ///
    /// [`ChainError::Refused`] when those are too many for every one of them, or when nobody can be asked.
    pub async fn logs_between(&self, filter: &Filter, first: u64, last: u64) -> Result<Vec<Log>, ChainError> {
        let filter = filter.clone().from_block(first).to_block(last);
        self.ask_until_known(|endpoint| endpoint.logs(&filter)).await
    }

    /// The hash of the block of a height; `None` when nobody has it.
    ///
    /// # Errors
    ///
    /// When nobody can be asked.
    pub async fn block_hash(&self, height: u64) -> Result<Option<B256>, ChainError> {
        Ok(self.header(BlockId::number(height)).await?.map(|header| header.hash))
    }

    /// Whether there is a contract.
    ///
    /// # Errors
    ///
    /// When nobody can be asked.
    pub async fn has_code(&self, at: Address) -> Result<bool, ChainError> {
        self.ask(|endpoint| endpoint.has_code(at)).await
    }

    /// Whether whoever answers first has not caught up with the chain yet.
    ///
    /// # Errors
    ///
    /// When nobody can be asked, or knows.
    pub async fn is_syncing(&self) -> Result<bool, ChainError> {
        self.ask(Endpoint::is_syncing).await
    }

    /// How many digits behind the point a token says it has.
    ///
    /// # Errors
    ///
    /// When nobody can be asked, or the contract does not say.
    pub async fn decimals(&self, token: Address) -> Result<u8, ChainError> {
        let input = Erc20::decimalsCall {}.abi_encode();
        let request = TransactionRequest::default().to(token).input(input.into());
        let answer = self.call_at(request, BlockId::latest()).await?;
        Erc20::decimalsCall::abi_decode_returns(&answer)
            .map_err(|_| ChainError::Malformed(format!("{token} does not say how many decimals it has")))
    }

    /// Tries a call on the state after a block. All who know the block must say the same.
    ///
    /// # Errors
    ///
    /// [`ChainError::Disagreement`] when they don't, or as [`crate::chain::Chain::call`].
    pub async fn call_at(&self, request: TransactionRequest, block: BlockId) -> Result<Bytes, ChainError> {
        self.agreed("a call", |endpoint| endpoint.call_at(request.clone(), block)).await
    }

    /// Native currency of an address after a block, in wei. All who know the block must say the same.
    ///
    /// # Errors
    ///
    /// [`ChainError::Disagreement`] when they don't, or when nobody who can be asked has the block.
    pub async fn balance_at(&self, of: Address, block: BlockId) -> Result<U256, ChainError> {
        self.agreed("a balance", |endpoint| endpoint.balance_at(of, block)).await
    }

    /// The first nonce that was not used up to a block. All who know the block must say the same.
    ///
    /// # Errors
    ///
    /// As [`Self::balance_at`].
    pub async fn nonce_at(&self, of: Address, block: BlockId) -> Result<u64, ChainError> {
        self.agreed("a nonce", |endpoint| endpoint.nonce_at(of, block)).await
    }

    /// Asks all that are healthy; the answer is the one that all give who give one.
    async fn agreed<'a, T, F>(&'a self, what: &str, ask: impl Fn(&'a Endpoint) -> F) -> Result<T, ChainError>
    where
        T: PartialEq,
        F: Future<Output = Result<T, ChainError>>,
    {
        let mut answers = self.ask_all(what, ask).await?.into_iter();
        let first = answers.next().ok_or_else(|| self.nobody())?;
        match answers.all(|answer| answer == first) {
            true => Ok(first),
            false => Err(ChainError::Disagreement(format!("{what} is not the same at all of them"))),
        }
    }

    /// Tries a call on a state that is changed for it.
    ///
    /// # Errors
    ///
    /// As [`crate::chain::Chain::call`].
    pub async fn call_over(
        &self,
        request: TransactionRequest,
        block: BlockId,
        state: StateOverride,
    ) -> Result<Bytes, ChainError> {
        self.ask(|endpoint| endpoint.call_over(request.clone(), block, state.clone())).await
    }

    /// Tries calls one after the other (`eth_simulateV1`); `None` when the nodes have no such method.
    ///
    /// # Errors
    ///
    /// When nobody can be asked, or the node refuses the whole of it. A call that a contract refuses is in the answer.
    pub async fn simulate(
        &self,
        payload: &SimulatePayload,
        block: BlockId,
    ) -> Result<Option<Vec<SimulatedBlock>>, ChainError> {
        let answer = self
            .ask_until_known(|endpoint| async move {
                endpoint.simulate(payload, block).await?.ok_or_else(no_such_method)
            })
            .await;
        match answer {
            Err(error) if error == no_such_method() => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// As [`Self::ask`], for what one node has and another has not: a refusal is the answer only when it is that of all.
    async fn ask_until_known<'a, T, F>(&'a self, ask: impl Fn(&'a Endpoint) -> F) -> Result<T, ChainError>
    where
        F: Future<Output = Result<T, ChainError>>,
    {
        let mut problem = self.nobody();
        for endpoint in self.candidates() {
            let answer = match self.is_right(endpoint).await {
                Ok(()) => ask(endpoint).await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => problem = error,
            }
        }
        Err(problem)
    }
}

fn no_such_method() -> ChainError {
    ChainError::Refused("the node has no eth_simulateV1".to_owned())
}

/// Too many requests, not too many results: for those the same code is used.
fn is_about_pace(payload: &ErrorPayload) -> bool {
    let message = payload.message.to_lowercase();
    payload.code == 429 || message.contains("rate limit") || message.contains("too many requests")
}

fn is_unknown_method(error: &TransportError) -> bool {
    error.as_error_resp().is_some_and(|payload| {
        let message = payload.message.to_lowercase();
        payload.code == -32601
            || ["method not found", "does not exist", "not supported", "not available", "unknown method"]
                .iter()
                .any(|mark| message.contains(mark))
    })
}
