use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use bulkhead_core::time::Span;
use solana_address::Address;

use super::new_pools::PoolProgram;
use super::recognition::Costs;
use crate::settings::{Finality, Market};

/// The signal of new pools.
pub const NEW_POOL_SIGNAL: &str = "new-pool";

/// A name has at most so many characters.
const LONGEST_NAME: usize = 32;

/// What a tracked wallet or a program is called: 1 to 32 lower-case letters, digits and hyphens, the first a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchName(String);

/// A text that is no such name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no name: 1 to {LONGEST_NAME} lower-case letters, digits and hyphens are, and the first is no hyphen"
)]
pub struct InvalidName(String);

impl WatchName {
    /// The name, if it is one.
    ///
    /// # Errors
    ///
    /// [`InvalidName`] says what a name looks like.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_name = !name.is_empty()
            && name.len() <= LONGEST_NAME
            && !name.starts_with('-')
            && name.chars().all(fits);
        if is_name { Ok(Self(name.to_owned())) } else { Err(InvalidName(name.chars().take(64).collect())) }
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The signal by which a strategy asks for this wallet's trades: `wallet:` and the name.
    #[must_use]
    pub fn signal(&self) -> String {
        format!("wallet:{}", self.0)
    }
}

impl fmt::Display for WatchName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How wallets are watched.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchSettings {
    /// What is traded here: a leader's trade of one of these is told to strategies.
    pub markets: Vec<Market>,
    /// Tokens that count as money besides the markets' own: a leader who buys a market's base token with one of these buys
    /// in that market, though at a price that is not known.
    pub money: BTreeSet<Address>,
    /// Programs whose new pools are told.
    pub pools: Vec<PoolProgram>,
    /// What is no part of a trade.
    pub costs: Costs,
    /// From when on a trade is told. [`Finality::Confirmed`] is about half a second after it was made; if its block is left
    /// by the chain after all, the trade is taken back. [`Finality::Finalized`] takes some thirteen seconds, and nothing is
    /// ever taken back.
    pub told_at: Finality,
    /// A trade that is found later than so long after its block is written down, and not told to strategies.
    pub told_within: Span,
    /// The pause between two looks.
    pub look_every: Duration,
    /// The least pause before a look that a push has asked for.
    pub look_after_push: Duration,
    /// Most calls in one request.
    pub calls_at_once: NonZeroUsize,
    /// Most signatures in one answer: 1 to 1,000.
    pub page: NonZeroUsize,
    /// Most pages of a wallet in one look. A wallet with more than that since the last look begins anew, and what it did in
    /// between is not told.
    pub pages: usize,
    /// Most transactions that are read in one look; the next one goes on.
    pub transactions_at_once: usize,
    /// How long a transaction that was read is remembered.
    pub remembered_for: Duration,
    /// How many are, at most.
    pub remembered: usize,
    /// So many looks in a row have to find that a transaction can't be read before it is left out, with a warning.
    pub tries: u32,
    /// A trade is taken back at the earliest when the chain is final for so many slots beyond it.
    pub slots_to_disappear: u64,
}

impl WatchSettings {
    /// What suits most servers: a look every five seconds, 20 calls in a request, transactions remembered for ten minutes.
    #[must_use]
    pub fn new(markets: Vec<Market>) -> Self {
        Self {
            markets,
            money: BTreeSet::new(),
            pools: Vec::new(),
            costs: Costs::default(),
            told_at: Finality::Confirmed,
            told_within: Span::from_seconds(120),
            look_every: Duration::from_secs(5),
            look_after_push: Duration::from_millis(250),
            calls_at_once: const { NonZeroUsize::new(20).unwrap() },
            page: const { NonZeroUsize::new(1_000).unwrap() },
            pages: 20,
            transactions_at_once: 1_000,
            remembered_for: Duration::from_secs(600),
            remembered: 5_000,
            tries: 20,
            slots_to_disappear: 32,
        }
    }

    /// Whether a token counts as money.
    pub(super) fn is_money(&self, mint: Address) -> bool {
        self.money.contains(&mint) || self.markets.iter().any(|market| market.quote.mint == mint)
    }
}

/// The signals of these wallets and of new pools, in the order in which an engine's list may hold them.
#[must_use]
pub fn signal_names<'n>(wallets: impl IntoIterator<Item = &'n WatchName>, has_pools: bool) -> Vec<String> {
    let wallets = wallets.into_iter().map(WatchName::signal);
    wallets.chain(has_pools.then(|| NEW_POOL_SIGNAL.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for name in ["a", "whale-7", "0x"] {
            assert_eq!(WatchName::new(name).unwrap().signal(), format!("wallet:{name}"));
        }
        for name in ["", "-a", "A", "ä", "a b", "a:b", "a\n", &"a".repeat(33)] {
            assert_eq!(WatchName::new(name), Err(InvalidName(name.to_owned())));
        }
    }

    #[test]
    fn every_wallet_has_a_signal_of_its_own() {
        let names = [WatchName::new("a").unwrap(), WatchName::new("b").unwrap()];
        assert_eq!(signal_names(&names, true), ["wallet:a", "wallet:b", "new-pool"]);
        assert_eq!(signal_names(&names, false).len(), 2);
    }
}
