//! What a key may sign on Solana, as people write it in TOML and as a key's file holds it.
//!
//! Nothing in a transaction says which cluster it is for, so a policy holds for all of them: use no key on a test cluster
//! that has funds on another.

use std::collections::BTreeSet;

use alloy_primitives::U256;
use bulkhead_solana::settings::Token;
use serde::{Deserialize, Serialize};
use solana_address::Address;

use crate::policy::Limit;
use crate::policy::amount;

/// What a key may sign on Solana.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolanaPolicy {
    /// The most lamports that one transaction may offer for being taken sooner.
    #[serde(with = "amount")]
    pub max_priority_fee: U256,
    /// The most lamports that fees, tips and the rent of new accounts may take in 24 hours.
    #[serde(with = "amount")]
    pub max_fees_per_day: U256,
    /// The most lamports of a tip; none without it.
    #[serde(default, with = "amount", skip_serializing_if = "U256::is_zero")]
    pub max_tip: U256,
    /// The accounts that may get tips.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tip_accounts: Vec<String>,
    /// The programs that may swap. What they do with the pools that they are handed is trusted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routers: Vec<String>,
    /// How much native currency may be given for tokens, in lamports; none without it. Fees are apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<Limit>,
    /// What holds for tokens that are not listed, so that they can be bought and sold. Without it they can't be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_tokens: Option<MintRule>,
    /// The tokens that may be got or given.
    #[serde(default, rename = "token", skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<MintPolicy>,
}

/// A token and how much of it may be given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MintPolicy {
    /// Its mint.
    pub mint: String,
    /// How much of it may be given, in its smallest units; without it, it can only be got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend: Option<Limit>,
}

/// What may be done with a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MintRule {
    /// How much of it may be given, in its smallest units; without it, it can only be got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend: Option<Limit>,
}

impl SolanaPolicy {
    /// What holds for a token.
    pub(crate) fn rule(&self, mint: &str) -> Option<MintRule> {
        let listed = self.tokens.iter().find(|token| token.mint == mint);
        listed.map(|token| MintRule { spend: token.spend }).or(self.other_tokens)
    }

    /// How much of a token may be given; `None` when it may not.
    #[must_use]
    pub fn spend(&self, token: &Token) -> Option<Limit> {
        if token.is_native() { self.native } else { self.rule(&token.mint.to_string())?.spend }
    }

    pub(crate) fn faults(&self, faults: &mut Vec<String>) {
        let mut fault = |text: String| faults.push(format!("solana: {text}"));
        let routers = self.routers.iter().map(|address| ("router", address));
        let tips = self.tip_accounts.iter().map(|address| ("tip account", address));
        let mints = self.tokens.iter().map(|token| ("token", &token.mint));
        let mut seen = BTreeSet::new();
        for (what, address) in routers.chain(tips).chain(mints) {
            if address.parse::<Address>().is_err() {
                fault(format!("{address} is no address of a {what}"));
            }
            if !seen.insert(address) {
                fault(format!("{address} is listed twice"));
            }
        }
        let limits = [("native", self.native)].into_iter();
        let limits = limits.chain(self.tokens.iter().map(|token| (token.mint.as_str(), token.spend)));
        let other = self.other_tokens.and_then(|rule| rule.spend);
        for (what, limit) in limits.chain([("other_tokens", other)]) {
            if limit.is_some_and(|limit| limit.per_transaction > limit.per_day) {
                fault(format!("{what} may be given in one transaction more than in a day"));
            }
        }
    }
}
