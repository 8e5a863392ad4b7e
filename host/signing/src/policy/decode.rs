//! What a transaction does, read from nothing but the transaction and the policy's list of contracts.
//!
//! Everything is decoded strictly: arguments that encode to other bytes than those of the transaction are refused, so
//! that nothing hides behind what is read here.

mod v2;
mod v3;

use std::fmt;

use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, TxKind, U256};
use alloy_sol_types::SolCall;
use serde::{Deserialize, Serialize};

use super::contracts::{Erc20, WrappedNative};
use super::refusal::Refusal;
use super::rules::{ChainPolicy, RouterKind};
use crate::request::Step;

/// The most tokens that a swap may pass through.
const MAX_PATH_TOKENS: usize = 8;

/// Something that can be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asset {
    /// The chain's own currency.
    Native,
    /// An ERC-20 token.
    Token(Address),
}

impl fmt::Display for Asset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native => formatter.write_str("the native currency"),
            Self::Token(address) => write!(formatter, "the token {address}"),
        }
    }
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Nothing, at the key's own address.
    Cancel,
    /// Lets `spender` take up to `amount` of `token`.
    Approve {
        /// Of which token.
        token: Address,
        /// Who may take it.
        spender: Address,
        /// How much, in base units.
        amount: U256,
    },
    /// Turns native currency into its token.
    Wrap {
        /// How much, in wei.
        amount: U256,
    },
    /// Turns the token of the native currency back.
    Unwrap {
        /// The token.
        token: Address,
        /// How much, in wei.
        amount: U256,
    },
    /// Trades.
    Swap(Swap),
}

/// A trade at a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swap {
    /// The router's method.
    pub method: &'static str,
    /// What is spent.
    pub spent: Asset,
    /// The most of it, in base units.
    pub most: U256,
    /// What is bought.
    pub bought: Asset,
    /// The least of it, in base units.
    pub least: U256,
    /// Every token on the way, first and last included.
    pub path: Vec<Address>,
    /// After which second since 1970 the router does nothing.
    pub deadline: U256,
}

impl Call {
    /// Which step of an order this is.
    #[must_use]
    pub const fn step(&self) -> Step {
        match self {
            Self::Cancel => Step::Cancel,
            Self::Approve { .. } => Step::Approve,
            Self::Wrap { .. } => Step::Wrap,
            Self::Unwrap { .. } => Step::Unwrap,
            Self::Swap(_) => Step::Swap,
        }
    }

    /// What may be gone afterwards, fees apart, and how much of it at most.
    #[must_use]
    pub fn spent(&self) -> Option<(Asset, U256)> {
        match self {
            Self::Cancel | Self::Approve { .. } => None,
            Self::Wrap { amount } => Some((Asset::Native, *amount)),
            Self::Unwrap { token, amount } => Some((Asset::Token(*token), *amount)),
            Self::Swap(swap) => Some((swap.spent, swap.most)),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancel => formatter.write_str("nothing to itself"),
            Self::Approve { token, spender, amount } => {
                write!(formatter, "approve {spender} for {amount} of the token {token}")
            }
            Self::Wrap { amount } => write!(formatter, "wrap {amount} wei"),
            Self::Unwrap { token, amount } => write!(formatter, "unwrap {amount} of the token {token}"),
            Self::Swap(swap) => write!(
                formatter,
                "{}: at most {} of {} for at least {} of {}",
                swap.method, swap.most, swap.spent, swap.least, swap.bought
            ),
        }
    }
}

/// Says what a transaction of `own` does on a chain.
///
/// # Errors
/// When it calls what the policy does not list, does what is not understood, or gives what it buys to anybody but `own`.
pub fn decode(transaction: &TxEip1559, own: Address, chain: &ChainPolicy) -> Result<Call, Refusal> {
    let TxKind::Call(to) = transaction.to else {
        return Err(Refusal::Creation);
    };
    let input = transaction.input.as_ref();
    let value = transaction.value;
    // A list of accessed storage only changes what gas costs; nobody here asks for one.
    if !transaction.access_list.is_empty() {
        return Err(not_understood(to, "it has an access list"));
    }
    if to == own {
        return if input.is_empty() && value.is_zero() {
            Ok(Call::Cancel)
        } else {
            Err(not_understood(to, "to itself, only nothing can be sent"))
        };
    }
    if let Some(router) = chain.router(to) {
        let context = Context { contract: to, own, value, wrapped: chain.wrapped_native };
        return match router.kind {
            RouterKind::UniswapV2 => v2::decode(input, &context),
            RouterKind::UniswapV3 => v3::decode(input, &context),
        }
        .map(Call::Swap);
    }
    if chain.wrapped_native == Some(to) {
        if strict::<WrappedNative::depositCall>(input).is_some() {
            return Ok(Call::Wrap { amount: value });
        }
        if let Some(call) = strict::<WrappedNative::withdrawCall>(input) {
            without_value(value, to)?;
            return Ok(Call::Unwrap { token: to, amount: call.value });
        }
    }
    if chain.token(to).is_some() {
        let call = strict::<Erc20::approveCall>(input)
            .ok_or_else(|| not_understood(to, "of a token, only approve can be asked"))?;
        without_value(value, to)?;
        return Ok(Call::Approve { token: to, spender: call.spender, amount: call.value });
    }
    Err(Refusal::Contract { contract: to })
}

/// What the decoders of routers need to know beside the call's bytes.
struct Context {
    contract: Address,
    own: Address,
    value: U256,
    wrapped: Option<Address>,
}

impl Context {
    fn not_understood(&self, why: &str) -> Refusal {
        not_understood(self.contract, why)
    }

    fn is_own(&self, recipient: Address) -> Result<(), Refusal> {
        if recipient == self.own { Ok(()) } else { Err(Refusal::Recipient { recipient }) }
    }

    /// The token of the native currency, which paths that begin or end with native currency must name.
    fn wrapped(&self, token: Address) -> Result<(), Refusal> {
        if self.wrapped == Some(token) {
            Ok(())
        } else {
            Err(self.not_understood(
                "the policy's wrapped_native is not where native currency enters or leaves the path",
            ))
        }
    }
}

fn not_understood(contract: Address, why: &str) -> Refusal {
    Refusal::NotUnderstood { contract, why: why.to_owned() }
}

fn without_value(value: U256, contract: Address) -> Result<(), Refusal> {
    if value.is_zero() { Ok(()) } else { Err(not_understood(contract, "native currency is sent along")) }
}

/// Reads a call, if the bytes are exactly those that the call encodes to.
fn strict<C: SolCall>(input: &[u8]) -> Option<C> {
    let call = C::abi_decode_validate(input).ok()?;
    (call.abi_encode() == input).then_some(call)
}

/// First and last token of a path that is one.
fn ends(path: &[Address], context: &Context) -> Result<(Address, Address), Refusal> {
    match path {
        [first, .., last] if path.len() <= MAX_PATH_TOKENS => {
            let repeats = path.windows(2).any(|pair| pair[0] == pair[1]);
            if repeats || first == last {
                return Err(context.not_understood("its path goes nowhere"));
            }
            Ok((*first, *last))
        }
        _ => Err(context.not_understood("its path has too few or too many tokens")),
    }
}
