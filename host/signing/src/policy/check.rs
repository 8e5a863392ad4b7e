//! Holds a transaction against the policy, as far as one transaction alone shows. What has been signed before is in
//! [`spending`](crate::spending).

use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, U256};

use super::decode::{Asset, Call, Swap, decode};
use super::refusal::Refusal;
use super::rules::{ChainPolicy, Limit, Policy};
use crate::request::{SigningRequest, Step};

/// What is left to hold against the limits of a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// What the transaction does; unknown only where the policy allows anything.
    pub call: Option<Call>,
    /// What it spends at most, and how much of that may be spent in 24 hours.
    pub spent: Option<(Asset, U256, U256)>,
    /// The most that its fees can be, in wei.
    pub fees: U256,
    /// What fees may be in 24 hours; `None` where the policy allows anything.
    pub fees_per_day: Option<U256>,
}

/// Checks a request for a transaction of `own` against its policy at a time, in seconds since 1970.
///
/// # Errors
/// The first rule that it breaks.
pub fn check(request: &SigningRequest, own: Address, policy: &Policy, now: u64) -> Result<Allowed, Refusal> {
    let transaction = &request.transaction;
    let fees = highest_fees(transaction);
    if policy.allow_anything {
        if request.purpose.step == Step::Cancel {
            is_cancellation(transaction, own)?;
        }
        return Ok(Allowed { call: None, spent: None, fees, fees_per_day: None });
    }
    let Some(chain) = policy.chain(transaction.chain_id) else {
        let allowed = policy.chains.iter().map(|chain| chain.id).collect();
        return Err(Refusal::Chain { chain: transaction.chain_id, allowed });
    };
    let fee = U256::from(transaction.max_fee_per_gas);
    if fee > chain.max_fee_per_gas {
        return Err(Refusal::FeePerGas { fee, limit: chain.max_fee_per_gas });
    }
    if transaction.gas_limit > chain.max_gas {
        return Err(Refusal::Gas { gas: transaction.gas_limit, limit: chain.max_gas });
    }
    let call = decode(transaction, own, chain)?;
    if call.step() != request.purpose.step {
        return Err(Refusal::Purpose { said: request.purpose.step, does: call.step() });
    }
    match &call {
        Call::Cancel | Call::Wrap { .. } | Call::Unwrap { .. } => {}
        Call::Approve { token, spender, amount } => check_approval(*token, *spender, *amount, chain)?,
        Call::Swap(swap) => check_swap(swap, chain, now)?,
    }
    let spent = match call.spent() {
        Some((asset, amount)) => Some(check_spending(asset, amount, chain)?),
        None => None,
    };
    Ok(Allowed { call: Some(call), spent, fees, fees_per_day: Some(chain.max_fees_per_day) })
}

/// The whole gas at its highest price.
fn highest_fees(transaction: &TxEip1559) -> U256 {
    // 64 and 128 bits: the product has at most 192.
    U256::from(transaction.gas_limit).saturating_mul(U256::from(transaction.max_fee_per_gas))
}

fn is_cancellation(transaction: &TxEip1559, own: Address) -> Result<(), Refusal> {
    let is_one = transaction.to.to() == Some(&own)
        && transaction.input.is_empty()
        && transaction.value.is_zero()
        && transaction.access_list.is_empty();
    if is_one { Ok(()) } else { Err(Refusal::Purpose { said: Step::Cancel, does: Step::Swap }) }
}

fn check_approval(
    token: Address,
    spender: Address,
    amount: U256,
    chain: &ChainPolicy,
) -> Result<(), Refusal> {
    let rule = chain.token(token).ok_or(Refusal::Token { token })?;
    if !rule.spenders.contains(&spender) {
        return Err(Refusal::Spender { token, spender });
    }
    let limit = rule.spend.map_or(U256::ZERO, |limit| limit.per_transaction);
    if amount > limit && !rule.unlimited_approval {
        return Err(Refusal::Approval { token, amount, limit });
    }
    Ok(())
}

fn check_swap(swap: &Swap, chain: &ChainPolicy, now: u64) -> Result<(), Refusal> {
    let is_wrapped_end = |token| {
        chain.wrapped_native == Some(token) && (swap.spent == Asset::Native || swap.bought == Asset::Native)
    };
    for &token in &swap.path {
        if chain.token(token).is_none() && !is_wrapped_end(token) {
            return Err(Refusal::Token { token });
        }
    }
    if swap.least.is_zero() && !chain.allow_zero_minimum {
        return Err(Refusal::ZeroMinimum);
    }
    if swap.deadline > U256::from(now.saturating_add(chain.max_deadline_seconds)) {
        return Err(Refusal::Deadline { deadline: swap.deadline, limit: chain.max_deadline_seconds });
    }
    Ok(())
}

fn check_spending(asset: Asset, amount: U256, chain: &ChainPolicy) -> Result<(Asset, U256, U256), Refusal> {
    let limit = match asset {
        Asset::Native => chain.native,
        Asset::Token(token) => chain.token(token).and_then(|rule| rule.spend),
    };
    let limit = limit.unwrap_or(Limit { per_transaction: U256::ZERO, per_day: U256::ZERO });
    if amount > limit.per_transaction {
        return Err(Refusal::Spend { asset, amount, limit: limit.per_transaction });
    }
    Ok((asset, amount, limit.per_day))
}
