//! Why a transaction is not signed, whatever happens.

use alloy_primitives::{Address, U256};
use serde::{Deserialize, Serialize};

use super::decode::Asset;
use crate::request::{Purpose, Step};

/// Why a transaction is not signed. A refusal is final: the same request will be refused again, unless the policy is
/// changed or, for limits of a day, time has passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "code")]
#[non_exhaustive]
pub enum Refusal {
    /// The signer does not have the key.
    #[error("there is no key for {address} here")]
    UnknownKey {
        /// Which was asked for.
        address: Address,
    },
    /// The chain is not in the policy.
    #[error("the key may not be used on chain {chain}; its policy lists {allowed:?}")]
    Chain {
        /// Which was asked for.
        chain: u64,
        /// Those that may be used.
        allowed: Vec<u64>,
    },
    /// The price of gas is above the policy's.
    #[error("the fee of {fee} wei per gas is above the key's limit of {limit}")]
    FeePerGas {
        /// What was asked for.
        fee: U256,
        /// What is allowed.
        limit: U256,
    },
    /// The gas is above the policy's.
    #[error("{gas} gas is above the key's limit of {limit}")]
    Gas {
        /// What was asked for.
        gas: u64,
        /// What is allowed.
        limit: u64,
    },
    /// Fees of the last 24 hours would be above the policy's.
    #[error("with {fees} wei more, fees of 24 hours would be {total}, above the key's limit of {limit}")]
    FeesPerDay {
        /// The most that this transaction may pay.
        fees: U256,
        /// What it would be with the other transactions of 24 hours.
        total: U256,
        /// What is allowed.
        limit: U256,
    },
    /// It creates a contract.
    #[error("it creates a contract, which no policy but allow_anything lets through")]
    Creation,
    /// The contract is not in the policy.
    #[error("the key may not call {contract}: it is no router or token of its policy for this chain")]
    Contract {
        /// What would be called.
        contract: Address,
    },
    /// Nobody knows what the call does.
    #[error("what is asked of {contract} is not understood: {why}")]
    NotUnderstood {
        /// What would be called.
        contract: Address,
        /// Why.
        why: String,
    },
    /// What is bought would go to somebody else.
    #[error("what is bought would go to {recipient}, not to the key's own address")]
    Recipient {
        /// To whom.
        recipient: Address,
    },
    /// A token is not in the policy.
    #[error("the key may not trade the token {token}: it is not in its policy for this chain")]
    Token {
        /// Which.
        token: Address,
    },
    /// The spender is not in the policy.
    #[error("{spender} may not be approved to take the token {token}; the key's policy does not list it")]
    Spender {
        /// Which token.
        token: Address,
        /// Who.
        spender: Address,
    },
    /// The approval is larger than needed.
    #[error("an approval of {amount} of the token {token} is above what one transaction may spend, {limit}")]
    Approval {
        /// Which token.
        token: Address,
        /// What was asked for.
        amount: U256,
        /// What is allowed.
        limit: U256,
    },
    /// One transaction would spend too much, or the asset may not be spent at all, when the limit is 0.
    #[error("spending {amount} of {asset} is above the key's limit of {limit} a transaction")]
    Spend {
        /// Of what.
        asset: Asset,
        /// How much, in base units.
        amount: U256,
        /// What is allowed.
        limit: U256,
    },
    /// The transactions of 24 hours would spend too much.
    #[error(
        "with {amount} of {asset} more, {total} would be spent in 24 hours, above the key's limit of {limit}"
    )]
    SpendPerDay {
        /// Of what.
        asset: Asset,
        /// How much, in base units.
        amount: U256,
        /// What it would be with the other transactions of 24 hours.
        total: U256,
        /// What is allowed.
        limit: U256,
    },
    /// A swap could be made to get nothing.
    #[error("the swap asks for no minimum of what it gets, so that it can be made to get nothing")]
    ZeroMinimum,
    /// The deadline is too far away.
    #[error("the swap's deadline of {deadline} is more than {limit} seconds ahead of the signer's clock")]
    Deadline {
        /// In seconds since 1970.
        deadline: U256,
        /// What is allowed.
        limit: u64,
    },
    /// The transaction does something else than it is said to be for.
    #[error("the transaction is said to be for \"{said}\", but what it does is \"{does}\"")]
    Purpose {
        /// What was said.
        said: Step,
        /// What it does.
        does: Step,
    },
    /// The nonce belongs to another order, so that only one of the two could land.
    #[error(
        "nonce {nonce} on chain {chain} was signed already, to {first}; only a replacement for that or a \
         cancellation may have it"
    )]
    NonceTaken {
        /// On which chain.
        chain: u64,
        /// Which.
        nonce: u64,
        /// What it was first signed for.
        first: Purpose,
    },
    /// The nonce is so old that the signer does not know any more what it was signed for.
    #[error("nonce {nonce} on chain {chain} is below {lowest}, the lowest that the signer still remembers")]
    NonceForgotten {
        /// On which chain.
        chain: u64,
        /// Which.
        nonce: u64,
        /// The lowest that is remembered.
        lowest: u64,
    },
    /// A device, or a person at it, said no.
    #[error("{signer} refused: {why}")]
    Rejected {
        /// Which signer.
        signer: String,
        /// What it said.
        why: String,
    },
}

impl Refusal {
    /// A name that stays, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownKey { .. } => "unknown_key",
            Self::Chain { .. } => "chain",
            Self::FeePerGas { .. } => "fee_per_gas",
            Self::Gas { .. } => "gas",
            Self::FeesPerDay { .. } => "fees_per_day",
            Self::Creation => "creation",
            Self::Contract { .. } => "contract",
            Self::NotUnderstood { .. } => "not_understood",
            Self::Recipient { .. } => "recipient",
            Self::Token { .. } => "token",
            Self::Spender { .. } => "spender",
            Self::Approval { .. } => "approval",
            Self::Spend { .. } => "spend",
            Self::SpendPerDay { .. } => "spend_per_day",
            Self::ZeroMinimum => "zero_minimum",
            Self::Deadline { .. } => "deadline",
            Self::Purpose { .. } => "purpose",
            Self::NonceTaken { .. } => "nonce_taken",
            Self::NonceForgotten { .. } => "nonce_forgotten",
            Self::Rejected { .. } => "rejected",
        }
    }
}
