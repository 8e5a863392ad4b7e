//! The section about a Solana cluster: what is traded there and how, within which bounds, and which key pays for it. Never
//! a key, nor an address of a server that holds a secret: those are named by where they are kept.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;

use bulkhead_core::time::Span;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::alerts::{ADDRESS, NOT_SHOWN, is_reference, is_safe_address};
use super::chain::{ChainReconciliation, SignerPlace};
use super::values::{Limit, Setting, Value as _};

/// The most basis points.
const ALL: u32 = 10_000;

/// Digits behind the point that a token may have: what a token program can count a whole unit with.
const MOST_DECIMALS: u8 = 19;

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

/// Whether it looks like the address of an account: 32 bytes, written with 58 letters and digits. What it is the address
/// of is seen when it is used.
fn is_account(address: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() && !matches!(byte, b'0' | b'O' | b'I' | b'l');
    (32..=44).contains(&address.len()) && address.bytes().all(is_digit)
}

/// What is wrong: the key, what was found, and what is allowed.
type Problems = Vec<(String, String, String)>;

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

    /// What is out of range. No secret is among it.
    pub(crate) fn problems(&self) -> Problems {
        let mut problems = Problems::new();
        let mut wrong = |key: &str, found: String, allowed: &str| {
            problems.push((format!("solana.{key}"), found, allowed.to_owned()));
        };
        if !is_account(self.genesis_hash()) {
            let allowed = "mainnet-beta, devnet, testnet, or the hash of a cluster's first block is expected";
            wrong("cluster", self.cluster.clone(), allowed);
        }
        self.servers(&mut wrong);
        if let Some(address) = self.address.as_ref().filter(|address| !is_account(address)) {
            wrong("address", address.clone(), ACCOUNT);
        }
        self.references(&mut wrong);
        self.leaders(&mut wrong);
        self.ranges(&mut wrong);
        for (key, found, allowed) in self.reconciliation.problems() {
            wrong(&format!("reconciliation.{key}"), found, allowed);
        }
        problems
    }

    fn servers(&self, wrong: &mut impl FnMut(&str, String, &str)) {
        let servers = self.endpoints.iter().map(|address| ("endpoints", address));
        let bundles = self.bundles.iter().map(|bundles| ("bundles.endpoint", &bundles.endpoint));
        let swaps = [("swaps.address", &self.swaps.address)];
        for (key, address) in servers.chain(bundles).chain(swaps) {
            if !is_safe_address(address) && !is_reference(address) {
                wrong(key, NOT_SHOWN.to_owned(), ADDRESS);
            }
        }
        if self.endpoints.is_empty() {
            wrong("endpoints", "[]".to_owned(), "at least one server of the cluster is expected");
        }
        if self.requests_per_second.0 == Some(0) {
            wrong("requests_per_second", "0".to_owned(), "a number from 1, or \"off\", is expected");
        }
        if self.swaps.requests_per_minute.0 == Some(0) {
            wrong("swaps.requests_per_minute", "0".to_owned(), "a number from 1, or \"off\", is expected");
        }
        if self.swaps.api_key.as_ref().is_some_and(|key| !is_reference(key)) {
            wrong(
                "swaps.api_key",
                NOT_SHOWN.to_owned(),
                "env:NAME or file:PATH is expected: where the key is kept",
            );
        }
    }

    /// What is spoken of must be there.
    fn references(&self, wrong: &mut impl FnMut(&str, String, &str)) {
        let known = |token: &str| self.tokens.contains_key(token);
        if !known(&self.currency) {
            wrong("currency", self.currency.clone(), TOKEN);
        }
        for (name, token) in &self.tokens {
            let key = |rest: &str| format!("tokens.{name}.{rest}");
            match &token.mint {
                Some(_) if token.native => {
                    wrong(&key("mint"), String::new(), "native currency has no mint to be named");
                }
                Some(mint) if !is_account(mint) => wrong(&key("mint"), mint.clone(), ACCOUNT),
                None if !token.native => wrong(&key("mint"), String::new(), ACCOUNT),
                Some(_) | None => {}
            }
            match token.decimals {
                None if !token.native => {
                    wrong(
                        &key("decimals"),
                        String::new(),
                        "the token's digits behind the point are expected",
                    );
                }
                Some(decimals) if token.native && decimals != 9 => {
                    wrong(&key("decimals"), decimals.to_string(), "native currency has 9");
                }
                Some(decimals) if decimals > MOST_DECIMALS => {
                    let allowed = format!("digits from 0 to {MOST_DECIMALS} are expected");
                    wrong(&key("decimals"), decimals.to_string(), &allowed);
                }
                Some(_) | None => {}
            }
        }
        if self.markets.is_empty() {
            wrong("markets", "{}".to_owned(), "at least one market is expected");
        }
        for (symbol, market) in &self.markets {
            let key = |rest: &str| format!("markets.{symbol}.{rest}");
            if !known(&market.base) || market.base == self.currency {
                let allowed = "another token than the currency is expected, one of solana.tokens";
                wrong(&key("base"), market.base.clone(), allowed);
            }
            if market.probe.0 <= Decimal::ZERO {
                let allowed = "an amount of the currency above 0 is expected, about what an order is worth";
                wrong(&key("probe"), market.probe.0.to_string(), allowed);
            }
        }
        if let Some(router) = self.swaps.router.as_ref().filter(|router| !is_account(router)) {
            wrong("swaps.router", router.clone(), ACCOUNT);
        }
        let Some(bundles) = &self.bundles else { return };
        if let Some(account) = bundles.tip_accounts.iter().find(|account| !is_account(account)) {
            wrong("bundles.tip_accounts", account.clone(), ACCOUNT);
        }
        if bundles.tip_accounts.is_empty() {
            wrong("bundles.tip_accounts", "[]".to_owned(), "at least one account that gets tips is expected");
        }
    }

    fn leaders(&self, wrong: &mut impl FnMut(&str, String, &str)) {
        let names = self.wallets.keys().map(|name| ("wallets", name));
        for (section, name) in names.chain(self.pools.keys().map(|name| ("pools", name))) {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if !(1..=32).contains(&name.len()) || name.starts_with('-') || !name.bytes().all(plain) {
                let allowed = "a name of 1 to 32 lower-case letters, digits and hyphens is expected";
                wrong(&format!("{section}.{name}"), String::new(), allowed);
            }
        }
        for (name, pools) in &self.pools {
            let key = |rest: &str| format!("pools.{name}.{rest}");
            for (rest, address) in [("program", &pools.program), ("watched", &pools.watched)] {
                if !is_account(address) {
                    wrong(&key(rest), address.clone(), ACCOUNT);
                }
            }
            if pools.log.is_empty() {
                wrong(&key("log"), String::new(), "a part of a line of the program's log is expected");
            }
        }
        let (mut signals, mut addresses) = (BTreeMap::new(), BTreeMap::new());
        for (name, leader) in &self.wallets {
            let key = |rest: &str| format!("wallets.{name}.{rest}");
            if !is_account(&leader.address) {
                wrong(&key("address"), leader.address.clone(), ACCOUNT);
            }
            if !(1..=LEADERS).contains(&leader.signal) {
                let allowed = format!("a number from 1 to {LEADERS} is expected");
                wrong(&key("signal"), leader.signal.to_string(), &allowed);
            }
            if let Some(other) = signals.insert(leader.signal, name) {
                wrong(&key("signal"), leader.signal.to_string(), &format!("{other} has it already"));
            }
            if let Some(other) = addresses.insert(&leader.address, name) {
                wrong(&key("address"), leader.address.clone(), &format!("{other} has it already"));
            }
        }
        let is_push = |address: &String| {
            let at_home = address.strip_prefix("ws://").map(|rest| format!("http://{rest}"));
            let encrypted = address.strip_prefix("wss://").map(|rest| format!("https://{rest}"));
            at_home.or(encrypted).is_some_and(|address| is_safe_address(&address)) || is_reference(address)
        };
        if !self.watch.pushes.iter().all(is_push) {
            let allowed =
                "an address that begins with wss:// is expected; ws:// does for this machine itself";
            wrong("watch.pushes", NOT_SHOWN.to_owned(), allowed);
        }
    }

    fn ranges(&self, wrong: &mut impl FnMut(&str, String, &str)) {
        let (execution, protection) = (&self.execution, &self.protection);
        let spans = [
            ("timeout", self.timeout),
            ("watch.look_every", self.watch.look_every),
            ("watch.told_within", self.watch.told_within),
            ("swaps.quote_every", self.swaps.quote_every),
            ("execution.quote_lasts", execution.quote_lasts),
            ("execution.market_order_timeout", execution.market_order_timeout),
            ("execution.poll", execution.poll),
            ("execution.resend_after", execution.resend_after),
        ];
        for (key, Setting(span)) in spans {
            if span <= Span::from_nanos(0) {
                wrong(key, span.show(), "a time longer than nothing is expected");
            }
        }
        let parts = [
            ("execution.slippage_bps", execution.slippage_bps),
            ("execution.price_impact_bps", execution.price_impact_bps),
            ("protection.transfer_fee_bps", protection.transfer_fee_bps),
            ("protection.round_trip_bps", protection.round_trip_bps),
        ];
        for (key, bps) in parts {
            if bps >= ALL {
                wrong(key, bps.to_string(), "basis points from 0 to 9999 are expected");
            }
        }
        for (key, Limit(bound)) in [
            ("execution.most_off_reference_bps", execution.most_off_reference_bps),
            ("protection.largest_holders_bps", protection.largest_holders_bps),
        ] {
            if let Some(bound) = bound.filter(|bound| *bound == 0 || *bound > ALL) {
                wrong(key, bound.to_string(), "basis points from 1 to 10000, or \"off\", are expected");
            }
        }
        if self.fees.percentile > 100 {
            wrong("fees.percentile", self.fees.percentile.to_string(), "percent from 0 to 100 are expected");
        }
        let most = Decimal::from(1_000);
        let tip = self.bundles.iter().map(|bundles| ("bundles.tip", bundles.tip));
        let amounts =
            [("fees.max_priority_fee", self.fees.max_priority_fee), ("fees.reserve", self.fees.reserve)];
        for (key, Setting(amount)) in amounts.into_iter().chain(tip) {
            if !(Decimal::ZERO..=most).contains(&amount) {
                wrong(key, amount.to_string(), "SOL from 0 to 1000 are expected");
            }
        }
    }
}

const ACCOUNT: &str = "an address is expected: 32 to 44 letters and digits in base 58";
const TOKEN: &str = "one of solana.tokens is expected";

#[cfg(test)]
mod tests {
    use bulkhead_core::time::Span;
    use rust_decimal::Decimal;

    use crate::{FeedSource, Mode, SignerPlace, read};

    const WHOLE: &str = r#"
        mode = "live"
        [feed]
        source = "quotes"
        [solana]
        cluster = "devnet"
        endpoints = ["http://127.0.0.1:8899", "env:ENDPOINT"]
        currency = "USDC"
        key = "trader"
        [solana.tokens]
        USDC = { mint = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", decimals = 6 }
        SOL = { native = true }
        [solana.markets.SOL-USDC]
        base = "SOL"
        probe = "100"
        [solana.bundles]
        endpoint = "https://bundles.example.org"
        tip = "0.0001"
        tip_accounts = ["96gYZGLnJYVFmbjzopPSU6QiEV5fGqZNyN9nmNhvrZU5"]
    "#;

    fn keys(from: &str, to: &str) -> Vec<String> {
        assert!(WHOLE.contains(from), "{from}");
        let error = read(&WHOLE.replace(from, to)).unwrap_err();
        error.0.into_iter().map(|problem| problem.key).collect()
    }

    #[test]
    fn a_whole_section_is_understood() {
        let configuration = read(WHOLE).unwrap();
        let solana = configuration.solana.unwrap();
        assert_eq!((configuration.mode, configuration.feed.source), (Mode::Live, FeedSource::Quotes));
        assert_eq!(solana.genesis_hash(), "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG");
        assert_eq!((solana.execution.slippage_bps, solana.signer), (50, SignerPlace::Process));
        assert_eq!(solana.execution.quote_lasts.0, Span::from_seconds(10));
        assert_eq!(solana.fees.max_priority_fee.0, Decimal::new(1, 3));
    }

    #[test]
    fn what_is_spoken_of_must_be_there_and_be_right() {
        assert_eq!(keys("currency = \"USDC\"", "currency = \"USDT\""), ["solana.currency"]);
        assert_eq!(keys("base = \"SOL\"", "base = \"USDC\""), ["solana.markets.SOL-USDC.base"]);
        assert_eq!(keys("probe = \"100\"", "probe = \"0\""), ["solana.markets.SOL-USDC.probe"]);
        assert_eq!(keys("native = true", "native = true, decimals = 6"), ["solana.tokens.SOL.decimals"]);
        assert_eq!(keys(", decimals = 6 }", "}"), ["solana.tokens.USDC.decimals"]);
        assert_eq!(keys("EPjFWdd5", "0"), ["solana.tokens.USDC.mint"]);
        assert_eq!(keys("cluster = \"devnet\"", "cluster = \"mainnet\""), ["solana.cluster"]);
        assert_eq!(keys("tip = \"0.0001\"", "tip = \"-1\""), ["solana.bundles.tip"]);
        assert_eq!(keys("key = \"trader\"", "timeout = \"0s\"\nkey = \"trader\""), ["solana.timeout"]);
        assert_eq!(keys("key = \"trader\"", ""), ["solana.key"]);
        assert_eq!(keys("source = \"quotes\"", "source = \"simulator\""), ["feed.source"]);
        assert_eq!(keys("source = \"quotes\"", "source = \"pools\""), ["feed.source"]);
    }

    #[test]
    fn a_leader_has_an_address_and_a_signal_of_its_own() {
        let leader = |name: &str, address: &str, signal: u32| {
            format!("[solana.wallets.{name}]\naddress = \"{address}\"\nsignal = {signal}\n")
        };
        let (one, other) =
            ("96gYZGLnJYVFmbjzopPSU6QiEV5fGqZNyN9nmNhvrZU5", "HFqU5x63VTqvQss8hp11i4wVV8bD44PvwucfZ2bU7gRe");
        let keys = |first: &str, second: &str| {
            let error = read(&format!("{WHOLE}{first}{second}")).unwrap_err();
            error.0.into_iter().map(|problem| problem.key).collect::<Vec<_>>()
        };
        assert!(read(&format!("{WHOLE}{}{}", leader("a", one, 1), leader("b", other, 32))).is_ok());
        assert_eq!(keys(&leader("a", one, 1), &leader("b", other, 1)), ["solana.wallets.b.signal"]);
        assert_eq!(keys(&leader("a", one, 1), &leader("b", one, 2)), ["solana.wallets.b.address"]);
        assert_eq!(keys(&leader("a", one, 0), &leader("b", other, 33)).len(), 2);
        assert_eq!(keys(&leader("A", one, 1), ""), ["solana.wallets.A"]);
        let pools = |log: &str| {
            format!("[solana.pools.amm]\nprogram = \"{one}\"\nwatched = \"{other}\"\nlog = \"{log}\"\n")
        };
        assert!(read(&format!("{WHOLE}{}", pools("initialize"))).is_ok());
        assert_eq!(keys(&pools(""), ""), ["solana.pools.amm.log"]);
    }

    #[test]
    fn an_account_trades_on_one_chain_with_a_key_of_its_own() {
        let error = read("[feed]\nsource = \"quotes\"").unwrap_err();
        assert_eq!(error.0[0].key, "solana", "{error}");
        let error = read(&format!("{WHOLE}\n[accounts.alice]\n[accounts.bob]")).unwrap_err();
        assert_eq!(error.0[0].key, "accounts.bob.solana.key", "{error}");
    }

    /// An instrument goes by the place of its market, so another list would make SOL of what is something else.
    #[test]
    fn all_accounts_trade_the_markets_that_the_feed_tells_of() {
        let own = "[accounts.bob]\nsolana.key = \"bob\"\n[accounts.bob.solana.markets.AAA]\nbase = \"SOL\"\nprobe = 1";
        let error = read(&format!("{WHOLE}\n[accounts.alice]\n{own}")).unwrap_err();
        assert_eq!(error.0[0].key, "accounts.bob.solana.markets", "{error}");
    }

    #[test]
    fn what_may_hold_a_secret_is_not_shown() {
        for (from, to) in [
            ("[solana.bundles]", "[solana.watch]\npushes = [\"ws://example.org/planted\"]\n[solana.bundles]"),
            ("env:ENDPOINT", "http://example.org/v3/planted"),
            ("https://bundles.example.org", "http://example.org/planted"),
            ("[solana.bundles]", "[solana.swaps]\napi_key = \"planted\"\n[solana.bundles]"),
        ] {
            let error = read(&WHOLE.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains("solana.") && !error.contains("planted"), "{error}");
        }
    }
}
