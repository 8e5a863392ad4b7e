//! Giving somebody tokens in a trial, without anybody's leave: by changing the contract's memory for it.

use alloy::eips::BlockId;
use alloy::primitives::{Address, B256, U256, b256, keccak256};
use alloy::rpc::types::TransactionRequest;
use alloy::rpc::types::state::{AccountOverride, StateOverride};
use alloy::sol_types::{SolCall as _, SolValue as _};

use crate::chain::ChainError;
use crate::contracts::Erc20;
use crate::rpc::Endpoints;

/// Where contracts keep balances: one of their first places.
const PLACES: u64 = 64;

/// Where those do that are made with `OpenZeppelin`'s library for contracts whose code can be exchanged.
const NAMED_PLACE: B256 = b256!("52c63247e1f47db19d5ce0460030c497f067ca4cebf71ba98eeadabe20bace00");

/// In which place of a token's memory the balance of this holder is; `None` when it is in none of the usual ones.
///
/// All of them are changed at once, each to a number of its own, and the token is asked for the balance.
pub(super) async fn place(
    endpoints: &Endpoints,
    token: Address,
    holder: Address,
    block: BlockId,
) -> Result<Option<B256>, ChainError> {
    let places: Vec<B256> = candidates(holder).collect();
    let numbered = places.iter().enumerate().map(|(index, place)| (*place, mark(index)));
    let state = only(token, AccountOverride::default().with_state_diff(numbered));
    let input = Erc20::balanceOfCall { owner: holder }.abi_encode();
    let request = TransactionRequest::default().to(token).input(input.into());
    let answer = match endpoints.call_over(request, block, state).await {
        Ok(answer) => answer,
        Err(ChainError::Reverted(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Ok(balance) = Erc20::balanceOfCall::abi_decode_returns(&answer) else { return Ok(None) };
    let found = (0..places.len()).find(|index| B256::from(balance) == mark(*index));
    Ok(found.and_then(|index| places.get(index).copied()))
}

/// The token's memory with this amount in that place.
pub(super) fn with_balance(place: B256, amount: U256) -> AccountOverride {
    AccountOverride::default().with_state_diff([(place, B256::from(amount))])
}

pub(super) fn only(account: Address, changed: AccountOverride) -> StateOverride {
    StateOverride::from_iter([(account, changed)])
}

/// No balance that anybody has by chance, and small enough to be one.
fn mark(index: usize) -> B256 {
    B256::from(U256::from(0xb01c_4ead_0000_0000_u64) + U256::from(index))
}

fn candidates(holder: Address) -> impl Iterator<Item = B256> {
    let numbered = (0..PLACES).map(|place| B256::from(U256::from(place)));
    numbered.chain([NAMED_PLACE]).flat_map(move |place| {
        // Solidity puts the key before the place of the table, Vyper behind it.
        [keccak256((holder, place).abi_encode()), keccak256((place, holder).abi_encode())]
    })
}
