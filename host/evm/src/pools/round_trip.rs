//! Whether a token can be sold again, and what is lost on the way besides the pool's fee: a purchase and a sale are tried
//! on the newest state, by somebody who does not exist and is given the funds for it.
//!
//! That a trial succeeds proves nothing for later: the owner of a token may change its rules at any time. That it fails
//! is a reason not to buy.

use alloy::eips::{BlockId, BlockNumberOrTag};
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::rpc::types::state::{AccountOverride, StateOverride};
use alloy::sol_types::SolCall;

use bulkhead_core::order::Side;

use super::token_balance;
use super::trial::{self, Call, Outcome, call};
use crate::chain::ChainError;
use crate::contracts::{Erc20, QuoterV3, RouterV2, RouterV3, WrappedNative};
use crate::revert;
use crate::route::{directed, v3};
use crate::rpc::Endpoints;
use crate::settings::Route;

/// What is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundTrip {
    /// The way there, from the token that it is paid with to the one that may be bad. It is gone back in the end.
    pub route: Route,
    /// The contract that wraps the chain's native currency.
    pub wrapped_native: Address,
    /// How much is paid, in the smallest unit. As much as would be traded: some tokens have rules for amounts.
    pub amount: U256,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It can be bought and sold.
    Sellable {
        /// What is kept of a purchase, in basis points, rounded up.
        buy_tax_bps: u32,
        /// What is kept of a sale, in basis points, rounded up.
        sell_tax_bps: u32,
    },
    /// Nobody quotes a price for it: there is no pool, or it is empty.
    NoMarket {
        /// Why, in words.
        reason: String,
    },
    /// It can't be bought.
    NotBuyable {
        /// Why, in words.
        reason: String,
    },
    /// It can be bought, and nobody may be allowed to take it for a sale.
    NotApprovable {
        /// Why, in words.
        reason: String,
    },
    /// It can be bought and not sold: a honeypot.
    NotSellable {
        /// Why, in words.
        reason: String,
    },
}

impl Verdict {
    /// Whether it can be sold, and both taxes together are no more than this, in basis points.
    #[must_use]
    pub fn is_within(&self, most_bps: u32) -> bool {
        matches!(self, Self::Sellable { buy_tax_bps, sell_tax_bps }
            if buy_tax_bps.saturating_add(*sell_tax_bps) <= most_bps)
    }
}

/// Why there is no verdict. Nothing should be bought without one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoundTripError {
    /// The chain could not be asked.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Nothing can be tried with this token.
    #[error(
        "{quote} keeps its balances where they are not found, so a purchase with it can't be tried; try one with another"
    )]
    NoFunds {
        /// The token to pay with.
        quote: Address,
    },
    /// A way has two ends.
    #[error("the way of the trial has fewer than two tokens")]
    NoWay,
    /// A trial with nothing says nothing.
    #[error("the amount to try is 0")]
    NoAmount,
}

impl RoundTrip {
    /// Tries it on the newest state.
    ///
    /// # Errors
    ///
    /// When it can't be tried.
    pub async fn run(&self, endpoints: &Endpoints) -> Result<Verdict, RoundTripError> {
        if self.amount.is_zero() {
            return Err(RoundTripError::NoAmount);
        }
        let (quote, token) = self.ends()?;
        let router = self.route.router();
        let newest = endpoints.header(BlockNumberOrTag::Latest.into()).await?;
        let newest = newest.ok_or_else(|| ChainError::Malformed("there is no newest block".to_owned()))?;
        // Both trials are of the same state.
        let block = BlockId::number(newest.number);
        let who = somebody(newest.hash, token);
        let (mut calls, funds) = self.funded(endpoints, block, who, quote).await?;

        let quoted = calls.len();
        calls.push(self.quote(Side::Buy, self.amount));
        let bought = calls.len();
        calls.push(self.swap(who, Side::Buy, self.amount));
        let held = calls.len();
        calls.push(balance(token, who));
        let answers = trial::run(endpoints, who, &calls, block, funds.clone()).await?;
        let expected = match self.quoted(&answers, quoted) {
            Ok(expected) if !expected.is_zero() => expected,
            Ok(_) => return Ok(Verdict::NoMarket { reason: "so much brings nothing".to_owned() }),
            Err(reason) => return Ok(Verdict::NoMarket { reason }),
        };
        if let Err(reason) = succeeded(&answers, bought) {
            return Ok(Verdict::NotBuyable { reason });
        }
        let got = amount::<Erc20::balanceOfCall>(&answers, held).unwrap_or_default();
        if got.is_zero() {
            return Ok(Verdict::NotBuyable { reason: "it was paid for and did not arrive".to_owned() });
        }

        let approved = calls.len();
        calls.push(approve(token, router, got));
        let allowed = calls.len();
        calls.push(call(token, Erc20::allowanceCall { owner: who, spender: router }.abi_encode()));
        let sale_quoted = calls.len();
        calls.push(self.quote(Side::Sell, got));
        let before = calls.len();
        calls.push(balance(quote, who));
        let sold = calls.len();
        calls.push(self.swap(who, Side::Sell, got));
        let after = calls.len();
        calls.push(balance(quote, who));
        let answers = trial::run(endpoints, who, &calls, block, funds).await?;
        if let Err(reason) = succeeded(&answers, approved) {
            return Ok(Verdict::NotApprovable { reason });
        }
        if amount::<Erc20::allowanceCall>(&answers, allowed).is_none_or(|allowed| allowed < got) {
            let reason = "the approval succeeded and allowed nothing".to_owned();
            return Ok(Verdict::NotApprovable { reason });
        }
        let sale_expected = match self.quoted(&answers, sale_quoted) {
            Ok(expected) => expected,
            Err(reason) => return Ok(Verdict::NotSellable { reason }),
        };
        if let Err(reason) = succeeded(&answers, sold) {
            return Ok(Verdict::NotSellable { reason });
        }
        let proceeds = amount::<Erc20::balanceOfCall>(&answers, after)
            .zip(amount::<Erc20::balanceOfCall>(&answers, before))
            .map(|(after, before)| after.saturating_sub(before));
        match proceeds {
            Some(proceeds) if !proceeds.is_zero() => Ok(Verdict::Sellable {
                buy_tax_bps: tax(expected, got),
                sell_tax_bps: tax(sale_expected, proceeds),
            }),
            _ => Ok(Verdict::NotSellable { reason: "it was taken and not paid for".to_owned() }),
        }
    }

    /// The first calls, and the state in which they can be made: somebody has the amount, and the router may take it.
    async fn funded(
        &self,
        endpoints: &Endpoints,
        block: BlockId,
        who: Address,
        quote: Address,
    ) -> Result<(Vec<Call>, StateOverride), RoundTripError> {
        // Twice, as one who sends also needs something for gas.
        let plenty = self.amount.saturating_mul(U256::from(2));
        let allow = approve(quote, self.route.router(), self.amount);
        if quote == self.wrapped_native {
            let deposit = WrappedNative::depositCall {}.abi_encode().into();
            let wrap = Call { to: quote, value: self.amount, data: deposit };
            let rich = AccountOverride::default().with_balance(plenty.saturating_add(GAS_MONEY));
            return Ok((vec![wrap, allow], token_balance::only(who, rich)));
        }
        let place = token_balance::place(endpoints, quote, who, block).await?;
        let place = place.ok_or(RoundTripError::NoFunds { quote })?;
        let mut state = token_balance::only(quote, token_balance::with_balance(place, plenty));
        state.insert(who, AccountOverride::default().with_balance(GAS_MONEY));
        Ok((vec![allow], state))
    }

    /// The token that it is paid with, and the one that may be bad.
    fn ends(&self) -> Result<(Address, Address), RoundTripError> {
        let (Route::V2 { path, .. } | Route::V3 { path, .. }) = &self.route;
        match path.as_slice() {
            [first, .., last] => Ok((*first, *last)),
            _ => Err(RoundTripError::NoWay),
        }
    }

    /// What a swap of this amount on the way there, which is a purchase, or back would bring.
    fn quote(&self, side: Side, amount: U256) -> Call {
        match &self.route {
            Route::V2 { router, path } => {
                let ask = RouterV2::getAmountsOutCall { amountIn: amount, path: directed(path, side) };
                call(*router, ask.abi_encode())
            }
            Route::V3 { quoter, path, fees, .. } => {
                let ask = QuoterV3::quoteExactInputCall { path: v3::way(path, fees, side), amountIn: amount };
                call(*quoter, ask.abi_encode())
            }
        }
    }

    fn quoted(&self, answers: &[Outcome], index: usize) -> Result<U256, String> {
        let unreadable = || "its quote can't be read".to_owned();
        let data = succeeded(answers, index)?;
        match self.route {
            Route::V2 { .. } => RouterV2::getAmountsOutCall::abi_decode_returns(data)
                .ok()
                .and_then(|amounts| amounts.last().copied())
                .ok_or_else(unreadable),
            Route::V3 { .. } => {
                QuoterV3::quoteExactInputCall::abi_decode_returns(data).map_err(|_| unreadable())
            }
        }
    }

    /// A swap for whatever comes out, which tokens with fees bear.
    fn swap(&self, who: Address, side: Side, amount: U256) -> Call {
        match &self.route {
            Route::V2 { router, path } => {
                let swap = RouterV2::swapExactTokensForTokensSupportingFeeOnTransferTokensCall {
                    amountIn: amount,
                    amountOutMin: U256::ZERO,
                    path: directed(path, side),
                    to: who,
                    deadline: U256::MAX,
                };
                call(*router, swap.abi_encode())
            }
            Route::V3 { router, path, fees, .. } => {
                let params = RouterV3::ExactInputParams {
                    path: v3::way(path, fees, side),
                    recipient: who,
                    deadline: U256::MAX,
                    amountIn: amount,
                    amountOutMinimum: U256::ZERO,
                };
                call(*router, RouterV3::exactInputCall { params }.abi_encode())
            }
        }
    }
}

/// Native currency for gas, should a node want to see some: 100 units.
const GAS_MONEY: U256 = U256::from_limbs([0x6bc7_5e2d_6310_0000, 5, 0, 0]);

/// An address that nobody has the key of, and that nobody knew before the block: a token can't have a rule for it.
fn somebody(newest_block: B256, token: Address) -> Address {
    Address::from_word(keccak256([newest_block.as_slice(), token.as_slice()].concat()))
}

fn approve(token: Address, spender: Address, value: U256) -> Call {
    call(token, Erc20::approveCall { spender, value }.abi_encode())
}

fn balance(token: Address, owner: Address) -> Call {
    call(token, Erc20::balanceOfCall { owner }.abi_encode())
}

fn succeeded(answers: &[Outcome], index: usize) -> Result<&Bytes, String> {
    match answers.get(index) {
        Some(Ok(data)) => Ok(data),
        Some(Err(data)) => Err(revert::decode(data)),
        None => Err("it was not tried".to_owned()),
    }
}

fn amount<C: SolCall<Return = U256>>(answers: &[Outcome], index: usize) -> Option<U256> {
    C::abi_decode_returns(succeeded(answers, index).ok()?).ok()
}

/// What is missing of an amount, in basis points, rounded up. Less than that of a smallest unit or two is rounding.
fn tax(expected: U256, got: U256) -> u32 {
    let missing = expected.saturating_sub(got);
    if expected.is_zero() || missing <= U256::from(2) {
        return 0;
    }
    let part = missing.saturating_mul(U256::from(10_000)).div_ceil(expected);
    u32::try_from(part).unwrap_or(10_000).min(10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tax_is_rounded_against_the_token() {
        let tax = |expected: u64, got: u64| tax(U256::from(expected), U256::from(got));
        assert_eq!(tax(1_000_000, 950_000), 500);
        assert_eq!(tax(1_000_000, 949_999), 501);
        assert_eq!((tax(1_000_000, 999_999), tax(5, 9), tax(0, 0)), (0, 0, 0));
        assert_eq!(tax(1_000_000, 0), 10_000);
    }

    #[test]
    fn only_what_can_be_sold_is_within_a_limit() {
        let sellable = Verdict::Sellable { buy_tax_bps: 300, sell_tax_bps: 200 };
        assert!(sellable.is_within(500) && !sellable.is_within(499));
        let reason = String::new();
        for verdict in [
            Verdict::NotSellable { reason: reason.clone() },
            Verdict::NotApprovable { reason: reason.clone() },
            Verdict::NotBuyable { reason: reason.clone() },
            Verdict::NoMarket { reason },
        ] {
            assert!(!verdict.is_within(10_000));
        }
    }
}
