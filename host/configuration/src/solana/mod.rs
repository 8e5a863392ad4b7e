//! The section about a Solana cluster: what is traded there and how, within which bounds, and which key pays for it. Never
//! a key, nor an address of a server that holds a secret: those are named by where they are kept.

mod checks;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;

use bulkhead_core::time::Span;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::chain::{ChainReconciliation, ExternalKey, SignerPlace};
use super::values::{Limit, Setting};

/// The clusters that have a name, and the hash of the first block of each.
const CLUSTERS: [(&str, &str); 3] = [
    ("mainnet-beta", "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"),
    ("devnet", "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG"),
    ("testnet", "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY"),
];

/// A Solana cluster and what is traded on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Solana {
    /// The cluster: "mainnet-beta", "devnet", "testnet", or the hash of its first block. Every server is held against it.
    pub cluster: String,
    /// The servers of the cluster, the preferred first: addresses, or `env:NAME` or `file:PATH` for where one is kept.
    pub endpoints: Vec<String>,
    /// Most requests in a second to each server.
    #[serde(default = "usual_rate")]
    pub requests_per_second: Limit<u32>,
    /// How long a server's answer may take.
    #[serde(default = "ten_seconds")]
    pub timeout: Setting<Span>,
    /// The token that cash is in and everything is paid with.
    pub currency: String,
    /// The tokens by what people call them.
    pub tokens: BTreeMap<String, SolanaToken>,
    /// What is traded, by symbol.
    pub markets: BTreeMap<String, SolanaMarket>,
    /// The aggregator of swaps.
    #[serde(default)]
    pub swaps: SolanaSwaps,
    /// The name of the key that signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The key's address, for when the keystore is the signer's own and the host can't read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Where the key is used.
    #[serde(default)]
    pub signer: SignerPlace,
    /// Where the signer's process listens; "signer/socket" in the storage directory when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// The number of the user that the signer's process is run by; the host's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer_user: Option<u32>,
    /// The key, when it is in no keystore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalKey>,
    /// What is paid for transactions.
    #[serde(default)]
    pub fees: SolanaFees,
    /// How orders are executed.
    #[serde(default)]
    pub execution: SolanaExecution,
    /// What is put up with in a token that is bought.
    #[serde(default)]
    pub protection: SolanaProtection,
    /// When the books and the chain are held against each other.
    #[serde(default)]
    pub reconciliation: ChainReconciliation,
    /// Wallets of others whose trades strategies are told, by what people call them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub wallets: BTreeMap<String, SolanaLeader>,
    /// Programs whose new pools strategies are told, by what people call them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pools: BTreeMap<String, SolanaPools>,
    /// How wallets and pools are watched.
    #[serde(default)]
    pub watch: SolanaWatch,
    /// Where transactions are sent in bundles with a tip; sent to everybody when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundles: Option<SolanaBundles>,
}

/// A token, or native currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolanaToken {
    /// Its mint; native currency has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mint: Option<String>,
    /// Digits behind the point; 9 for native currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
    /// The program that it is of.
    #[serde(default)]
    pub program: SolanaTokenProgram,
    /// Whether it is the native currency, which is wrapped for each trade.
    #[serde(default)]
    pub native: bool,
}

/// A program that keeps tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SolanaTokenProgram {
    /// The first one.
    #[default]
    Token,
    /// The one with extensions.
    #[serde(rename = "token-2022")]
    Token2022,
}

/// What is traded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolanaMarket {
    /// The token that is bought and sold.
    pub base: String,
    /// The price that strategies see is what so much of the currency buys, and what that brings when it is sold again.
    pub probe: Setting<Decimal>,
}

/// The aggregator of swaps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SolanaSwaps {
    /// Which form of Jupiter's interface is spoken.
    pub form: SolanaSwapForm,
    /// Where it is, without the path that names the form, or `env:NAME` or `file:PATH` for where that is kept.
    pub address: String,
    /// Where the key is kept that makes it answer more often: `env:NAME` or `file:PATH`. It answers without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<String>,
    /// Most requests in a minute.
    pub requests_per_minute: Limit<u32>,
    /// The program that swaps; Jupiter's own when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub router: Option<String>,
    /// The names of the kinds of pools that may be used; any when empty.
    pub venues: Vec<String>,
    /// How often prices are asked for.
    pub quote_every: Setting<Span>,
}

impl Default for SolanaSwaps {
    /// Jupiter's current interface, as often as it answers without a key.
    fn default() -> Self {
        Self {
            form: SolanaSwapForm::Current,
            address: "https://api.jup.ag".to_owned(),
            api_key: None,
            requests_per_minute: Limit(Some(30)),
            router: None,
            venues: Vec::new(),
            quote_every: Setting(Span::from_seconds(5)),
        }
    }
}

/// A form of Jupiter's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SolanaSwapForm {
    /// The second version, which gives the parts of a transaction.
    #[default]
    Current,
    /// The first version, which gives a whole transaction for a quote.
    Older,
}

/// What is paid for transactions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SolanaFees {
    /// The most that is offered for being taken sooner, in SOL.
    pub max_priority_fee: Setting<Decimal>,
    /// What is offered is what so many percent of others paid no more than, 0 to 100.
    pub percentile: u8,
    /// The least price of a unit of computation, in millionths of a lamport.
    pub least_price: u64,
    /// What a trial's computation is raised by, in percent.
    pub unit_margin_percent: u32,
    /// SOL that is spent on nothing but fees and the rent of accounts.
    pub reserve: Setting<Decimal>,
}

impl Default for SolanaFees {
    fn default() -> Self {
        Self {
            max_priority_fee: Setting(Decimal::new(1, 3)),
            percentile: 75,
            least_price: 1_000,
            unit_margin_percent: 20,
            reserve: Setting(Decimal::new(2, 2)),
        }
    }
}

/// How orders are executed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SolanaExecution {
    /// How much worse than quoted an order may be executed, in basis points.
    pub slippage_bps: u32,
    /// How much worse than the price that the risk gate reckoned with a market order may be quoted, in basis points.
    pub most_off_reference_bps: Limit<u32>,
    /// The most that an order may move the price of its pools, in basis points.
    pub price_impact_bps: u32,
    /// A quote that is older is not traded on.
    pub quote_lasts: Setting<Span>,
    /// A market order that is not sent by then is taken back.
    pub market_order_timeout: Setting<Span>,
    /// When what landed counts as final.
    pub finality: SolanaFinality,
    /// How often the cluster is looked at.
    pub poll: Setting<Span>,
    /// What is not seen by then is sent again.
    pub resend_after: Setting<Span>,
}

impl Default for SolanaExecution {
    fn default() -> Self {
        Self {
            slippage_bps: 50,
            most_off_reference_bps: Limit(Some(500)),
            price_impact_bps: 100,
            quote_lasts: ten_seconds(),
            market_order_timeout: Setting(Span::from_seconds(60)),
            finality: SolanaFinality::default(),
            poll: Setting(Span::from_millis(500)),
            resend_after: Setting(Span::from_seconds(2)),
        }
    }
}

/// When what landed counts as final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SolanaFinality {
    /// When two thirds of the stake have voted for its block.
    Confirmed,
    /// When its block can't leave the chain.
    #[default]
    Finalized,
}

/// What is put up with in a token that is bought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SolanaProtection {
    /// Whether somebody may make more of it.
    pub mint_authority: bool,
    /// Whether somebody may freeze the wallet's account of it, or take it out of the wallet.
    pub freeze_authority: bool,
    /// Whether a program may have a say in each transfer.
    pub transfer_hook: bool,
    /// Whether somebody may change later what it keeps of transfers, or which program has a say in them.
    pub changing_terms: bool,
    /// The most that it may keep of each transfer, in basis points.
    pub transfer_fee_bps: u32,
    /// The most that the ten largest accounts may hold together, in basis points of all there is. Pools count, too.
    pub largest_holders_bps: Limit<u32>,
    /// The most that buying and selling again may cost in the trial before a purchase, in basis points.
    pub round_trip_bps: u32,
    /// A token is looked at before a purchase, unless that was done so short a while ago; never when off.
    pub safe_for: Limit<Span>,
}

impl Default for SolanaProtection {
    fn default() -> Self {
        Self {
            mint_authority: false,
            freeze_authority: false,
            transfer_hook: false,
            changing_terms: false,
            transfer_fee_bps: 0,
            largest_holders_bps: Limit(None),
            round_trip_bps: 300,
            safe_for: Limit(Some(Span::from_seconds(600))),
        }
    }
}

/// A wallet of somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolanaLeader {
    /// Its address.
    pub address: String,
    /// Strategies know it by the signal `wallet:` and this number, 1 to [`LEADERS`].
    pub signal: u32,
    /// What people make of its trader.
    #[serde(default)]
    pub tier: String,
    /// How many follow it.
    #[serde(default)]
    pub followers: u64,
}

/// A program that makes pools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolanaPools {
    /// The program.
    pub program: String,
    /// The address whose transactions are looked at: best one that is in those alone that make pools.
    pub watched: String,
    /// A part of the line that the program logs when it makes a pool.
    pub log: String,
}

/// How many wallets of others can be told of.
pub const LEADERS: u32 = 32;

/// How wallets of others are watched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SolanaWatch {
    /// The pause between two looks.
    pub look_every: Setting<Span>,
    /// When a trade is told.
    pub told_at: SolanaFinality,
    /// A trade that is found later than so long after it was made is written down, and not told.
    pub told_within: Setting<Span>,
    /// Servers that push when something has happened, so that it is looked at sooner: addresses that begin with ws:// or
    /// wss://, or `env:NAME` or `file:PATH` for where one is kept.
    pub pushes: Vec<String>,
}

impl Default for SolanaWatch {
    fn default() -> Self {
        Self {
            look_every: Setting(Span::from_seconds(5)),
            told_at: SolanaFinality::Confirmed,
            told_within: Setting(Span::from_seconds(120)),
            pushes: Vec::new(),
        }
    }
}

/// Where transactions are sent in bundles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolanaBundles {
    /// A server of Jito's interface, or `env:NAME` or `file:PATH` for where its address is kept.
    pub endpoint: String,
    /// What is paid to those who take bundles, in SOL.
    pub tip: Setting<Decimal>,
    /// The accounts that may get it.
    pub tip_accounts: Vec<String>,
    /// A transaction that has not landed by then is sent to everybody; never when off.
    #[serde(default = "off")]
    pub everybody_after: Limit<Span>,
}

const fn usual_rate() -> Limit<u32> {
    Limit(Some(25))
}

const fn off() -> Limit<Span> {
    Limit(None)
}

fn ten_seconds() -> Setting<Span> {
    Setting(Span::from_seconds(10))
}

impl Solana {
    /// The hash of the cluster's first block.
    #[must_use]
    pub fn genesis_hash(&self) -> &str {
        CLUSTERS.iter().find(|(name, _)| *name == self.cluster).map_or(&self.cluster, |(_, hash)| hash)
    }

    /// Most requests in a second to each server.
    #[must_use]
    pub fn rate(&self) -> Option<NonZeroU32> {
        self.requests_per_second.0.and_then(NonZeroU32::new)
    }
}

#[cfg(test)]
mod tests;
