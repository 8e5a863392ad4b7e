//! The policy itself, as people write it in TOML and as a key's file holds it.

use std::collections::BTreeSet;
use std::fmt;

use alloy_primitives::{Address, U256};
use serde::{Deserialize, Serialize};

use super::amount;

/// How many wei a gwei has.
pub const WEI_PER_GWEI: u64 = 1_000_000_000;

/// How far ahead of the signer's clock a swap's deadline may be, unless the policy says otherwise.
const MAX_DEADLINE_SECONDS: u64 = 3600;

/// What a key may sign. The default allows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Lifts everything below: whoever reaches the signer can take all that the key holds. For test chains.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_anything: bool,
    /// What may be done on which chain; nothing is signed for a chain that is not listed.
    #[serde(default, rename = "chain", skip_serializing_if = "Vec::is_empty")]
    pub chains: Vec<ChainPolicy>,
    /// What may be done on Solana; nothing without it.
    #[cfg(feature = "solana")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solana: Option<crate::solana::SolanaPolicy>,
}

/// What a key may sign for one chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainPolicy {
    /// The chain's id (EIP-155).
    pub id: u64,
    /// The most wei per gas, tip included.
    #[serde(with = "amount")]
    pub max_fee_per_gas: U256,
    /// The most gas of one transaction.
    pub max_gas: u64,
    /// The most wei that fees may take in 24 hours. A transaction counts with its whole gas at its highest price.
    #[serde(with = "amount")]
    pub max_fees_per_day: U256,
    /// How many seconds ahead of the signer's clock a swap's deadline may be.
    #[serde(default = "max_deadline_seconds")]
    pub max_deadline_seconds: u64,
    /// Whether a swap may do without a minimum of what it gets. Such a swap can be made to get nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_zero_minimum: bool,
    /// The token of the native currency (WETH): the one contract that may be deposited at and withdrawn from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrapped_native: Option<Address>,
    /// How much native currency may be spent, in wei; none without it. Fees are apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<Limit>,
    /// What holds for tokens that are not listed, so that they can be bought and sold. Without it they can't be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_tokens: Option<TokenRule>,
    /// The routers that may be called.
    #[serde(default, rename = "router", skip_serializing_if = "Vec::is_empty")]
    pub routers: Vec<Router>,
    /// The tokens that may be bought, spent or approved.
    #[serde(default, rename = "token", skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<TokenPolicy>,
}

/// How much of an asset may be spent, in its base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// By one transaction.
    #[serde(with = "amount")]
    pub per_transaction: U256,
    /// In any 24 hours.
    #[serde(with = "amount")]
    pub per_day: U256,
}

/// A router that may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Router {
    /// Its address.
    pub address: Address,
    /// What it understands.
    pub kind: RouterKind,
}

/// The methods that a router understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouterKind {
    /// As Uniswap's `UniswapV2Router02`, which many have copied.
    UniswapV2,
    /// As Uniswap's first router for V3, `SwapRouter`, whose swaps have a deadline.
    UniswapV3,
}

/// A token and what may be done with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenPolicy {
    /// Its address.
    pub address: Address,
    /// How much of it may be spent; without it, it can only be bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend: Option<Limit>,
    /// Who may be approved to take it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spenders: Vec<Address>,
    /// Whether an approval may be larger than what one transaction may spend.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlimited_approval: bool,
}

/// What may be done with a token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRule {
    /// How much of it may be spent; without it, it can only be bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend: Option<Limit>,
    /// Who may be approved to take it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spenders: Vec<Address>,
    /// Whether an approval may be larger than what one transaction may spend.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlimited_approval: bool,
}

/// Everything that is wrong with a policy, one fault a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct InvalidPolicy(Vec<String>);

impl fmt::Display for InvalidPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the policy is not valid: {}", self.0.join("; "))
    }
}

const fn max_deadline_seconds() -> u64 {
    MAX_DEADLINE_SECONDS
}

impl Policy {
    /// Reads a policy and checks it as a whole.
    ///
    /// # Errors
    /// Names everything that is wrong with it.
    pub fn from_toml(text: &str) -> Result<Self, InvalidPolicy> {
        let policy: Self =
            toml::from_str(text).map_err(|error| InvalidPolicy(vec![error.to_string().trim().to_owned()]))?;
        policy.validate()?;
        Ok(policy)
    }

    /// The policy as people write it.
    ///
    /// # Errors
    /// When it can't be written, which is a defect.
    pub fn to_toml(&self) -> Result<String, InvalidPolicy> {
        toml::to_string_pretty(self).map_err(|error| InvalidPolicy(vec![error.to_string()]))
    }

    /// A policy that lifts every limit.
    #[must_use]
    pub fn anything() -> Self {
        Self { allow_anything: true, ..Self::default() }
    }

    /// What holds for a chain.
    #[must_use]
    pub fn chain(&self, id: u64) -> Option<&ChainPolicy> {
        self.chains.iter().find(|chain| chain.id == id)
    }

    /// Checks what no single field shows.
    ///
    /// # Errors
    /// Names everything that is wrong.
    pub fn validate(&self) -> Result<(), InvalidPolicy> {
        let mut faults = Vec::new();
        let mut ids = BTreeSet::new();
        for chain in &self.chains {
            if !ids.insert(chain.id) {
                faults.push(format!("chain {} is listed twice", chain.id));
            }
            chain.faults(&mut faults);
        }
        #[cfg(feature = "solana")]
        if let Some(solana) = &self.solana {
            solana.faults(&mut faults);
        }
        if faults.is_empty() { Ok(()) } else { Err(InvalidPolicy(faults)) }
    }
}

impl ChainPolicy {
    /// What holds for a token.
    #[must_use]
    pub fn token(&self, address: Address) -> Option<TokenRule> {
        let listed = self.tokens.iter().find(|token| token.address == address);
        listed.map(TokenPolicy::rule).or_else(|| self.other_tokens.clone())
    }

    /// The router at an address, when it may be called.
    #[must_use]
    pub fn router(&self, address: Address) -> Option<Router> {
        self.routers.iter().copied().find(|router| router.address == address)
    }

    fn faults(&self, faults: &mut Vec<String>) {
        let id = self.id;
        let mut fault = |text: String| faults.push(format!("chain {id}: {text}"));
        if self.id == 0 {
            fault("no chain has the id 0".to_owned());
        }
        if self.max_fee_per_gas > U256::from(u128::MAX) {
            fault("max_fee_per_gas is more than a transaction can say".to_owned());
        }
        let mut seen = BTreeSet::new();
        let routers = self.routers.iter().map(|router| ("router", router.address));
        let tokens = self.tokens.iter().map(|token| ("token", token.address));
        for (what, address) in routers.chain(tokens) {
            if address.is_zero() {
                fault(format!("a {what} has the zero address"));
            }
            if !seen.insert(address) {
                fault(format!("{address} is listed twice"));
            }
        }
        if self.wrapped_native.is_some_and(|token| self.router(token).is_some() || token.is_zero()) {
            fault("wrapped_native is a router, or the zero address".to_owned());
        }
        let limits = [("native".to_owned(), self.native)].into_iter();
        let limits = limits.chain(self.tokens.iter().map(|token| (token.address.to_string(), token.spend)));
        let other = self.other_tokens.as_ref().and_then(|rule| rule.spend);
        for (what, limit) in limits.chain([("other_tokens".to_owned(), other)]) {
            if limit.is_some_and(|limit| limit.per_transaction > limit.per_day) {
                fault(format!("{what} may be spent in one transaction more than in a day"));
            }
        }
    }
}

impl TokenPolicy {
    fn rule(&self) -> TokenRule {
        TokenRule {
            spend: self.spend,
            spenders: self.spenders.clone(),
            unlimited_approval: self.unlimited_approval,
        }
    }
}
