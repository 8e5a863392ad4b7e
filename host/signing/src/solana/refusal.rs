//! Why a transaction on Solana is not signed, whatever happens.

use serde::{Deserialize, Serialize};

/// Why a transaction is not signed. The same request will be refused again, unless the policy is changed or, for limits of a
/// day, time has passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "code")]
#[non_exhaustive]
pub enum SolanaRefusal {
    /// The signer does not have the key.
    #[error("there is no key for {wallet} here")]
    UnknownKey {
        /// Which was asked for.
        wallet: String,
    },
    /// The key may not be used on Solana.
    #[error("the key's policy has no section [solana], so nothing is signed there")]
    NoPolicy {},
    /// The transaction does not do what it is said to be for.
    #[error("the transaction is not explained by what was asked for: {why}")]
    Unexplained {
        /// What can't be explained.
        why: String,
    },
    /// The program is not in the policy.
    #[error("the key may not swap with {program}: it is no router of its policy")]
    Router {
        /// Which program.
        program: String,
    },
    /// The token is not in the policy.
    #[error("the key may not trade the token {mint}: it is not in its policy")]
    Token {
        /// Its mint.
        mint: String,
    },
    /// A swap could be made to bring nothing.
    #[error("the swap asks for no minimum of what it brings, so that it can be made to bring nothing")]
    ZeroMinimum {},
    /// Too much is offered for being taken sooner.
    #[error("{offered} lamports for being taken sooner are above the key's limit of {limit}")]
    PriorityFee {
        /// What is offered.
        offered: u64,
        /// What is allowed.
        limit: String,
    },
    /// Somebody would get a tip who must not, or too much of one.
    #[error(
        "a tip of {tip} lamports to the accounts that were asked for is not in the key's policy, which allows {limit}"
    )]
    Tip {
        /// What would be paid.
        tip: u64,
        /// What is allowed.
        limit: String,
    },
    /// One transaction would give too much, or the token may not be given at all, when the limit is 0.
    #[error("giving {amount} of {token} is above the key's limit of {limit} a transaction")]
    Spend {
        /// Its mint, or "native".
        token: String,
        /// How much, in its smallest units.
        amount: u64,
        /// What is allowed.
        limit: String,
    },
    /// The transactions of 24 hours would give too much.
    #[error(
        "with {amount} of {token} more, {total} would be given in 24 hours, above the key's limit of {limit}"
    )]
    SpendPerDay {
        /// Its mint, or "native".
        token: String,
        /// How much, in its smallest units.
        amount: u64,
        /// What it would be with the other transactions of 24 hours.
        total: String,
        /// What is allowed.
        limit: String,
    },
    /// Fees of the last 24 hours would be above the policy's.
    #[error("with {fees} lamports more, fees of 24 hours would be {total}, above the key's limit of {limit}")]
    FeesPerDay {
        /// The most that this transaction may cost.
        fees: u64,
        /// What it would be with the other transactions of 24 hours.
        total: String,
        /// What is allowed.
        limit: String,
    },
}

impl SolanaRefusal {
    /// A name that stays, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownKey { .. } => "unknown_key",
            Self::NoPolicy {} => "no_policy",
            Self::Unexplained { .. } => "unexplained",
            Self::Router { .. } => "router",
            Self::Token { .. } => "token",
            Self::ZeroMinimum {} => "zero_minimum",
            Self::PriorityFee { .. } => "priority_fee",
            Self::Tip { .. } => "tip",
            Self::Spend { .. } => "spend",
            Self::SpendPerDay { .. } => "spend_per_day",
            Self::FeesPerDay { .. } => "fees_per_day",
        }
    }
}
