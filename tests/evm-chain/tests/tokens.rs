//! Each bad token is bad in its own way, and in no other.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use alloy::primitives::{Address, U256};
use alloy::sol_types::{Revert, SolError as _};
use bulkhead_evm_chain::account::{account, deployer};
use bulkhead_evm_chain::contracts::Token;
use bulkhead_evm_chain::{Chain, Reverted};

fn units(whole: u64) -> U256 {
    U256::from(whole) * U256::from(10).pow(U256::from(18))
}

/// A chain with a pool of the token and wrapped ether, of which account 1 has some that the router may take.
async fn with_pool(token: impl Fn(&Chain) -> Address) -> (Chain, Address) {
    let chain = Chain::start().await;
    let (token, weth) = (token(&chain), chain.deployed().weth);
    chain.add_v2_pool(weth, units(10), token, units(1_000)).await;
    chain.give(weth, account(1).address(), units(1)).await;
    chain.approve(weth, &account(1), chain.deployed().v2_router, units(1)).await.unwrap();
    (chain, token)
}

async fn buy(chain: &Chain, token: Address) -> Result<U256, Reverted> {
    chain.swap_v2(&account(1), &[chain.deployed().weth, token], units(1) / U256::from(10)).await?;
    Ok(chain.balance_of(token, account(1).address()).await)
}

async fn sell(chain: &Chain, token: Address, amount: U256) -> Result<U256, Reverted> {
    let weth = chain.deployed().weth;
    let before = chain.balance_of(weth, account(1).address()).await;
    chain.approve(token, &account(1), chain.deployed().v2_router, amount).await?;
    chain.swap_v2(&account(1), &[token, weth], amount).await?;
    Ok(chain.balance_of(weth, account(1).address()).await - before)
}

/// What a round trip through the pool loses to its own fees alone is below 1 %.
fn is_near(got: U256, expected: U256) -> bool {
    got <= expected && got >= expected * U256::from(99) / U256::from(100)
}

#[tokio::test]
async fn a_plain_token_comes_back_but_for_the_pools_fee() {
    let (chain, token) = with_pool(|chain| chain.deployed().tokens.plain).await;
    let bought = buy(&chain, token).await.unwrap();
    let got = sell(&chain, token, bought).await.unwrap();
    assert!(is_near(got, units(1) / U256::from(10)), "{got}");
    let missing = Token::transferCall { to: account(2).address(), value: U256::from(1) };
    let refused = chain.transact(&account(1), token, &missing).await.unwrap_err();
    let reason = Token::InsufficientBalance::abi_decode(&refused.data).unwrap();
    assert_eq!((reason.holder, reason.needed), (account(1).address(), U256::from(1)));
}

#[tokio::test]
async fn a_fee_is_kept_of_every_move() {
    let (chain, token) = with_pool(|chain| chain.deployed().tokens.fee).await;
    let bought = buy(&chain, token).await.unwrap();
    let without_fee = units(1_000) * U256::from(997) / (U256::from(100_000) + U256::from(997));
    assert_eq!(bought, without_fee - without_fee * U256::from(500) / U256::from(10_000));
    let got = sell(&chain, token, bought).await.unwrap();
    let expected = units(1) / U256::from(10) * U256::from(95 * 95) / U256::from(10_000);
    assert!(is_near(got, expected), "{got} of {expected}");
    let set = Token::setFeesCall { buyFeeBps: U256::ZERO, sellFeeBps: U256::from(9_900) };
    chain.transact(&deployer(), token, &set).await.unwrap();
    let again = buy(&chain, token).await.unwrap();
    assert!(sell(&chain, token, again).await.unwrap() < units(1) / U256::from(500));
}

#[tokio::test]
async fn a_silent_token_answers_nothing_and_wants_an_approval_of_nothing_first() {
    let chain = Chain::start().await;
    let token = chain.deployed().tokens.silent;
    let (trader, spender) = (account(1), account(2));
    chain.give(token, trader.address(), U256::from(100)).await;
    let approve = |value: u64| Token::approveCall { spender: spender.address(), value: U256::from(value) };
    chain.transact(&trader, token, &approve(10)).await.unwrap();
    let refused = chain.transact(&trader, token, &approve(20)).await.unwrap_err();
    assert_eq!(Revert::abi_decode(&refused.data).unwrap().reason, "approve nothing first");
    chain.transact(&trader, token, &approve(0)).await.unwrap();
    chain.transact(&trader, token, &approve(20)).await.unwrap();
    let raw = alloy::rpc::types::TransactionRequest::default().from(trader.address()).to(token).input(
        alloy::sol_types::SolCall::abi_encode(&Token::transferCall {
            to: spender.address(),
            value: U256::from(1),
        })
        .into(),
    );
    let answer = alloy::providers::Provider::call(chain.provider(), raw).await.unwrap();
    assert!(answer.is_empty(), "{answer}");
}

#[tokio::test]
async fn a_listed_holder_moves_nothing() {
    let (chain, token) = with_pool(|chain| chain.deployed().tokens.blacklist).await;
    let bought = buy(&chain, token).await.unwrap();
    let list = |is_| Token::setListedCall { holder: account(1).address(), is_ };
    chain.transact(&deployer(), token, &list(true)).await.unwrap();
    let transfer = Token::transferCall { to: account(2).address(), value: U256::from(1) };
    let refused = chain.transact(&account(1), token, &transfer).await.unwrap_err();
    assert_eq!(Token::Blacklisted::abi_decode(&refused.data).unwrap().holder, account(1).address());
    sell(&chain, token, bought).await.unwrap_err();
    buy(&chain, token).await.unwrap_err();
    chain.transact(&deployer(), token, &list(false)).await.unwrap();
    sell(&chain, token, bought).await.unwrap();
}

#[tokio::test]
async fn a_honeypot_can_be_bought_and_not_sold() {
    let (chain, token) = with_pool(|chain| chain.deployed().tokens.honeypot).await;
    let bought = buy(&chain, token).await.unwrap();
    assert!(bought > U256::ZERO);
    let refused = sell(&chain, token, bought).await.unwrap_err();
    assert!(refused.message.contains("TRANSFER_FROM_FAILED"), "{refused:?}");
}

#[tokio::test]
async fn a_paused_token_fails_with_an_error_of_its_own() {
    let (chain, token) = with_pool(|chain| chain.deployed().tokens.pausable).await;
    let bought = buy(&chain, token).await.unwrap();
    chain.transact(&deployer(), token, &Token::setPausedCall { paused: true }).await.unwrap();
    let refused = sell(&chain, token, bought).await.unwrap_err();
    let reason = Token::TradingPaused::abi_decode(&refused.data).unwrap();
    assert_eq!((reason.caller, reason.reason.as_str()), (account(1).address(), "back on Monday"));
    buy(&chain, token).await.unwrap_err();
    chain.transact(&deployer(), token, &Token::setPausedCall { paused: false }).await.unwrap();
    sell(&chain, token, bought).await.unwrap();
}

#[tokio::test]
async fn an_approval_that_is_refused_succeeds_and_allows_nothing() {
    let (chain, token) = with_pool(|chain| chain.deployed().tokens.approval_refused).await;
    let (trader, spender) = (account(1), chain.deployed().v2_router);
    let bought = buy(&chain, token).await.unwrap();
    let approve = Token::approveCall { spender, value: bought };
    assert!(!chain.call(trader.address(), token, &approve).await.unwrap());
    assert!(chain.transact(&trader, token, &approve).await.unwrap().status());
    let allowance = Token::allowanceCall { owner: trader.address(), spender };
    assert_eq!(chain.call(trader.address(), token, &allowance).await.unwrap(), U256::ZERO);
    sell(&chain, token, bought).await.unwrap_err();
}

#[tokio::test]
async fn an_approval_can_fail() {
    let (chain, token) = with_pool(|chain| chain.deployed().tokens.approval_reverts).await;
    buy(&chain, token).await.unwrap();
    let refused = chain.approve(token, &account(1), account(2).address(), U256::from(1)).await.unwrap_err();
    let reason = Token::ApprovalForbidden::abi_decode(&refused.data).unwrap();
    assert_eq!((reason.holder, reason.spender), (account(1).address(), account(2).address()));
}
