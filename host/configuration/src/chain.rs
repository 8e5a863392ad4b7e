//! What the sections of all chains have in common.

use std::path::PathBuf;

use bulkhead_core::time::Span;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::alerts::{ADDRESS, NOT_SHOWN, is_reference, is_safe_address};
use super::values::{Setting, Value as _};
use super::{Configuration, FeedSource, Mode};

const MISSING: &str = "the section of the chain is missing: see docs/chains.md";

/// Where a key is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignerPlace {
    /// In a process of its own, `bulkhead signer`.
    #[default]
    Process,
    /// In the host itself, which unlocks the keystore when it starts.
    Local,
    /// In a Ledger that is plugged in, where a person confirms each transaction.
    Ledger,
    /// In a `Web3Signer`, which the host asks. For EVM chains.
    Web3signer,
}

impl SignerPlace {
    /// Whether the key is not in the keystore.
    #[must_use]
    pub const fn is_external(self) -> bool {
        matches!(self, Self::Ledger | Self::Web3signer)
    }
}

/// A key that is in no keystore. The host keeps its policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalKey {
    /// The file that says what the key may sign, as `bulkhead keys new --policy` reads it.
    pub policy: PathBuf,
    /// Which key of a Ledger, such as "m/44'/60'/0'/0/0"; the first when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Where a `Web3Signer` is, or `env:NAME` or `file:PATH` for where that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How long an answer may take, which with a Ledger is how long a person may.
    #[serde(default = "a_minute")]
    pub timeout: Setting<Span>,
}

fn a_minute() -> Setting<Span> {
    Setting(Span::from_seconds(60))
}

impl ExternalKey {
    /// What is wrong with where a key is: the key in the section, what was found, and what is allowed.
    pub(crate) fn problems(
        place: SignerPlace,
        external: Option<&Self>,
        address: Option<&String>,
    ) -> Vec<(&'static str, String, &'static str)> {
        let mut problems = Vec::new();
        if !place.is_external() {
            return problems;
        }
        if address.is_none() {
            problems.push((
                "address",
                String::new(),
                "the address of a key that is not in the keystore is expected",
            ));
        }
        let Some(external) = external else {
            let allowed = "a section with the policy of the key is expected: see docs/keys.md";
            problems.push(("external", String::new(), allowed));
            return problems;
        };
        if external.timeout.0 <= Span::from_nanos(0) {
            let found = external.timeout.0.show();
            problems.push(("external.timeout", found, "a time longer than nothing is expected"));
        }
        let url = external.url.as_deref();
        let is_url = url.is_some_and(|url| is_safe_address(url) || is_reference(url));
        if place == SignerPlace::Web3signer && !is_url {
            let found = if url.is_some() { NOT_SHOWN } else { "" };
            problems.push(("external.url", found.to_owned(), ADDRESS));
        }
        problems
    }
}

/// When the books and the chain are held against each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChainReconciliation {
    /// How often, beside the start.
    pub every: Setting<Span>,
    /// How much of a token may differ before trading is halted, as a fraction of what the books say.
    pub tolerance: Setting<Decimal>,
    /// So much more may differ of each token, in the account's currency.
    pub dust: Setting<Decimal>,
    /// What becomes of what is there and not in the books.
    pub surplus: Surplus,
}

impl Default for ChainReconciliation {
    /// Every five minutes, within 0.01 % and a hundredth of the currency.
    fn default() -> Self {
        Self {
            every: Setting(Span::from_seconds(300)),
            tolerance: Setting(Decimal::new(1, 4)),
            dust: Setting(Decimal::new(1, 2)),
            surplus: Surplus::default(),
        }
    }
}

impl ChainReconciliation {
    /// What is out of range: the key in the section, what was found, and what is allowed.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut problems = Vec::new();
        if self.every.0 <= Span::from_nanos(0) {
            problems.push(("every", self.every.0.show(), "a time longer than nothing is expected"));
        }
        if !(Decimal::ZERO..Decimal::ONE).contains(&self.tolerance.0) {
            let found = self.tolerance.0.to_string();
            problems.push(("tolerance", found, "a fraction from 0 to below 1 is expected"));
        }
        if self.dust.0 < Decimal::ZERO {
            let found = self.dust.0.to_string();
            problems.push(("dust", found, "an amount of the currency from 0 is expected"));
        }
        problems
    }
}

/// What becomes of what is there and not in the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Surplus {
    /// Trading halts over it, as over what is missing.
    #[default]
    Halt,
    /// It is told. For addresses that others send to.
    Report,
}

/// What is wrong: the key, what was found, and what is allowed.
type Problem = (&'static str, String, &'static str);

impl Configuration {
    /// What does not fit together of chains, accounts and feeds.
    pub(crate) fn chain_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let (is_live, source) = (self.mode == Mode::Live, self.feed.source);
        if !is_live && !source.is_live() {
            return problems;
        }
        match (&self.evm, &self.solana) {
            (Some(_), Some(_)) => {
                let allowed = "an account trades on one chain: leave out this section, or evm";
                problems.push(("solana", String::new(), allowed));
            }
            (None, None) if source == FeedSource::Quotes => problems.push(("solana", String::new(), MISSING)),
            (None, None) => problems.push(("evm", String::new(), MISSING)),
            (Some(evm), None) => {
                self.fits("evm.key", evm.key.is_none(), FeedSource::Pools, EVM_FEED, &mut problems);
            }
            (None, Some(solana)) => {
                self.fits("solana.key", solana.key.is_none(), FeedSource::Quotes, SOLANA_FEED, &mut problems);
            }
        }
        problems
    }

    fn fits(
        &self,
        key: &'static str,
        is_missing: bool,
        wanted: FeedSource,
        allowed: &'static str,
        problems: &mut Vec<Problem>,
    ) {
        let is_live = self.mode == Mode::Live;
        let source = self.feed.source;
        if source != wanted && (is_live || source.is_live()) {
            problems.push(("feed.source", source.name().to_owned(), allowed));
        }
        // Where there are accounts, each names its own.
        if is_live && is_missing && self.accounts.is_empty() {
            let allowed = "the name of a key is expected: see `bulkhead keys new --help`";
            problems.push((key, String::new(), allowed));
        }
    }
}

const EVM_FEED: &str = "real funds are traded on the chain's own prices: \"pools\" is expected";
const SOLANA_FEED: &str = "real funds are traded on the cluster's own prices: \"quotes\" is expected";
