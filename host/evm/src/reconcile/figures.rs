//! What the chain says of an address, all of one block.

use std::collections::{BTreeMap, BTreeSet};

use alloy::eips::BlockId;
use alloy::primitives::{Address, B256, U256};
use alloy::rpc::types::TransactionRequest;
use alloy::sol_types::SolCall as _;
use futures_util::future::try_join_all;

use crate::chain::{Chain as _, ChainError};
use crate::contracts::Erc20;
use crate::rpc::Endpoints;
use crate::settings::{ChainSettings, Token};

/// What is at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Whose.
    pub address: Address,
    /// The chain's number.
    pub chain_id: u64,
    /// The block's height.
    pub block: u64,
    /// The block.
    pub hash: B256,
    /// Its time, in seconds since 1970.
    pub timestamp: u64,
    /// Native currency, in wei.
    pub native: U256,
    /// Of each token that is not native, in its smallest units.
    pub tokens: BTreeMap<Address, U256>,
    /// How much of which token who may take.
    pub allowances: BTreeMap<(Address, Address), U256>,
    /// Transactions of the address in blocks, which is its next nonce.
    pub mined: u64,
    /// The same with those that wait for a block, as far as a server knows of them.
    pub pending: u64,
}

impl Figures {
    /// Asks for everything that has to do with what is traded.
    ///
    /// # Errors
    ///
    /// [`ChainError`] when a server that knows the block says something else than another, or none answers.
    pub async fn read(
        endpoints: &Endpoints,
        settings: &ChainSettings,
        address: Address,
    ) -> Result<Self, ChainError> {
        let chain_id = endpoints.chain_id().await?;
        // Which every server that is not behind has.
        let height = endpoints.head().await?.number;
        let head = endpoints.header(BlockId::number(height)).await?;
        let head = head.ok_or_else(|| ChainError::Unavailable(format!("nobody has block {height}")))?;
        let (hash, block, timestamp) = (head.hash, head.number, head.timestamp);
        let at = BlockId::hash(hash);
        let mut tokens: Vec<&Token> =
            settings.markets.iter().flat_map(|market| [&market.quote, &market.base]).collect();
        tokens.retain(|token| !token.native);
        tokens.sort_by_key(|token| token.address);
        tokens.dedup_by_key(|token| token.address);
        let balances = tokens.iter().map(|token| async move {
            let input = Erc20::balanceOfCall { owner: address }.abi_encode();
            let what = format!("the balance of {}", token.symbol);
            Ok::<_, ChainError>((token.address, ask(endpoints, token.address, input, at, &what).await?))
        });
        let allowances = spenders(settings).into_iter().map(|(token, spender)| async move {
            let input = Erc20::allowanceCall { owner: address, spender }.abi_encode();
            let what = format!("what {spender} may take of {token}");
            Ok::<_, ChainError>(((token, spender), ask(endpoints, token, input, at, &what).await?))
        });
        let tokens = try_join_all(balances).await?.into_iter().collect();
        let allowances = try_join_all(allowances).await?.into_iter().collect();
        let native = endpoints.balance_at(address, at).await?;
        let mined = endpoints.nonce_at(address, at).await?;
        let pending = endpoints.nonce(address, true).await?.max(mined);
        Ok(Self { address, chain_id, block, hash, timestamp, native, tokens, allowances, mined, pending })
    }
}

/// A number that a token's contract tells.
async fn ask(
    endpoints: &Endpoints,
    token: Address,
    input: Vec<u8>,
    at: BlockId,
    what: &str,
) -> Result<U256, ChainError> {
    let request = TransactionRequest::default().to(token).input(input.into());
    let answer = endpoints.call_at(request, at).await?;
    match <[u8; 32]>::try_from(answer.as_ref()) {
        Ok(word) => Ok(U256::from_be_bytes(word)),
        Err(_) => Err(ChainError::Malformed(format!("{what}: there is no token at {token}"))),
    }
}

/// Who may take which token in a trade: the pairs whose permission is looked at.
fn spenders(settings: &ChainSettings) -> BTreeSet<(Address, Address)> {
    let mut pairs = BTreeSet::new();
    for market in &settings.markets {
        for route in &market.routes {
            for token in [&market.base, &market.quote].into_iter().filter(|token| !token.native) {
                pairs.insert((token.address, route.router()));
            }
        }
    }
    pairs
}
