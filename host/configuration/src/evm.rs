//! The section about an EVM chain: what is traded there and how, within which bounds, and which key pays for it. Never a
//! key, nor an address of a server that holds a secret: those are named by where they are kept.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;

use bulkhead_core::time::Span;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::alerts::{ADDRESS, NOT_SHOWN, is_reference, is_safe_address};
use super::chain::{ChainReconciliation, ExternalKey, SignerPlace};
use super::values::{Limit, Setting, Value as _};

/// The most basis points.
const ALL: u32 = 10_000;

/// Digits behind the point that a token may have: no more than books hold for a unit of it.
const MOST_DECIMALS: u8 = 24;

/// An EVM chain and what is traded on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evm {
    /// The chain's number, against which every server is held.
    pub chain_id: u64,
    /// The servers of the chain, the preferred first: addresses, or `env:NAME` or `file:PATH` for where one is kept.
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
    pub tokens: BTreeMap<String, EvmToken>,
    /// What is traded, by symbol.
    pub markets: BTreeMap<String, EvmMarket>,
    /// Contracts that make pools: strategies are told of those that come to be for what is traded.
    #[serde(default)]
    pub factories: Vec<String>,
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
    /// What is paid for gas.
    #[serde(default)]
    pub gas: EvmGas,
    /// How orders are executed.
    #[serde(default)]
    pub execution: EvmExecution,
    /// When the books and the chain are held against each other.
    #[serde(default)]
    pub reconciliation: ChainReconciliation,
    /// A server that shows transactions to nobody but those who build blocks; sent to everybody when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<EvmPrivate>,
}

/// A token, or the chain's native currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvmToken {
    /// Its contract; of native currency the contract that wraps it.
    pub address: String,
    /// Digits behind the point.
    pub decimals: u8,
    /// Whether it is the native currency itself.
    #[serde(default)]
    pub native: bool,
}

/// What is traded, and at which routers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvmMarket {
    /// The token that is bought and sold.
    pub base: String,
    /// The pool whose prices strategies see.
    pub pool: EvmPool,
    /// The ways of trading it. The one that quotes best is taken.
    pub routes: Vec<EvmRoute>,
    /// What the base token may keep of a transfer, in basis points; one that keeps something is not traded when off.
    #[serde(default = "off")]
    pub transfer_fee_bps: Limit<u32>,
}

/// A pool that is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvmPool {
    /// Its contract.
    pub address: String,
    /// Whose pools it is like.
    pub version: EvmVersion,
    /// What a swap costs there, in millionths.
    #[serde(default = "usual_fee")]
    pub fee: u32,
}

/// Whose contracts others are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvmVersion {
    /// Uniswap V2's.
    V2,
    /// Uniswap V3's.
    V3,
}

/// A way of trading at a router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvmRoute {
    /// Whose router it is like.
    pub version: EvmVersion,
    /// The router.
    pub router: String,
    /// V3 only: who tells what a swap would bring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoter: Option<String>,
    /// Tokens between the currency and the base token, in the order of a purchase.
    #[serde(default)]
    pub through: Vec<String>,
    /// V3 only: the fee of each pool on the way of a purchase, in millionths.
    #[serde(default)]
    pub fees: Vec<u32>,
}

/// What is paid for gas.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvmGas {
    /// The most that a unit of gas may cost, in gwei.
    pub max_fee_gwei: Setting<Decimal>,
    /// The least that is offered to who builds the block, in gwei.
    pub least_tip_gwei: Setting<Decimal>,
    /// What estimates are raised by, in percent.
    pub margin_percent: u32,
    /// Native currency that is spent on nothing but gas.
    pub reserve: Setting<Decimal>,
    /// The token that is the native currency or wraps it; not needed when the currency is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native: Option<String>,
    /// The way from the currency to that token, by which gas is worth something; not needed when the currency is native.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<EvmRoute>,
}

impl Default for EvmGas {
    fn default() -> Self {
        Self {
            max_fee_gwei: Setting(Decimal::from(50)),
            least_tip_gwei: Setting(Decimal::new(1, 2)),
            margin_percent: 20,
            reserve: Setting(Decimal::ZERO),
            native: None,
            value: None,
        }
    }
}

/// How orders are executed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvmExecution {
    /// How much worse than quoted an order may be executed, in basis points.
    pub slippage_bps: u32,
    /// How much worse than the price that the risk gate reckoned with a market order may be quoted, in basis points.
    pub most_off_reference_bps: Limit<u32>,
    /// A quote that is older is not traded on.
    pub quote_lasts: Setting<Span>,
    /// A market order that is in no block by then is taken back.
    pub market_order_timeout: Setting<Span>,
    /// A router refuses a trade so long after it was signed.
    pub deadline: Setting<Span>,
    /// So many blocks, its own counted, make a transaction final.
    pub confirmations: u32,
    /// A transaction that is in no block for so long is replaced by one that pays more.
    pub replace_after: Setting<Span>,
    /// How often the chain is looked at.
    pub poll: Setting<Span>,
    /// Before a purchase it is tried whether the token can be sold again, unless that was found so short a while ago; bought
    /// without a trial when off.
    pub resale_known_for: Limit<Span>,
}

impl Default for EvmExecution {
    fn default() -> Self {
        Self {
            slippage_bps: 50,
            most_off_reference_bps: Limit(Some(500)),
            quote_lasts: ten_seconds(),
            market_order_timeout: Setting(Span::from_seconds(60)),
            deadline: Setting(Span::from_seconds(60)),
            confirmations: 3,
            replace_after: Setting(Span::from_seconds(30)),
            poll: Setting(Span::from_seconds(1)),
            resale_known_for: Limit(Some(Span::from_seconds(600))),
        }
    }
}

/// A server that keeps transactions to itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvmPrivate {
    /// Its address, or `env:NAME` or `file:PATH` for where it is kept.
    pub endpoint: String,
    /// After so many blocks it is sent to everybody; never when off.
    #[serde(default = "off")]
    pub everybody_after: Limit<u32>,
}

const fn usual_rate() -> Limit<u32> {
    Limit(Some(25))
}

const fn off() -> Limit<u32> {
    Limit(None)
}

fn ten_seconds() -> Setting<Span> {
    Setting(Span::from_seconds(10))
}

const fn usual_fee() -> u32 {
    3_000
}

/// Whether it is the address of a contract.
fn is_contract(address: &str) -> bool {
    let digits = address.strip_prefix("0x").unwrap_or_default();
    digits.len() == 40 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// What is wrong: the key, what was found, and what is allowed.
type Problems = Vec<(String, String, String)>;

impl Evm {
    /// What is out of range. No secret is among it.
    pub(crate) fn problems(&self) -> Problems {
        let mut problems = Problems::new();
        let mut wrong = |key: &str, found: String, allowed: &str| {
            problems.push((format!("evm.{key}"), found, allowed.to_owned()));
        };
        if self.chain_id == 0 {
            wrong(
                "chain_id",
                self.chain_id.to_string(),
                "the chain's number is expected, such as 1 for Ethereum",
            );
        }
        let servers = self.endpoints.iter().map(|address| ("endpoints", address));
        let private = self.private.iter().map(|private| ("private.endpoint", &private.endpoint));
        for (key, address) in servers.chain(private) {
            if !is_safe_address(address) && !is_reference(address) {
                wrong(key, NOT_SHOWN.to_owned(), ADDRESS);
            }
        }
        if self.endpoints.is_empty() {
            wrong("endpoints", "[]".to_owned(), "at least one server of the chain is expected");
        }
        if self.requests_per_second.0 == Some(0) {
            wrong("requests_per_second", "0".to_owned(), "a number from 1, or \"off\", is expected");
        }
        if let Some(address) = self.address.as_ref().filter(|address| !is_contract(address)) {
            wrong("address", address.clone(), CONTRACT);
        }
        for (name, token) in &self.tokens {
            if !is_contract(&token.address) {
                wrong(&format!("tokens.{name}.address"), token.address.clone(), CONTRACT);
            }
            if token.decimals > MOST_DECIMALS {
                let allowed = format!("digits from 0 to {MOST_DECIMALS} are expected");
                wrong(&format!("tokens.{name}.decimals"), token.decimals.to_string(), &allowed);
            }
        }
        if let Some(factory) = self.factories.iter().find(|factory| !is_contract(factory)) {
            wrong("factories", factory.clone(), CONTRACT);
        }
        if self.markets.is_empty() {
            wrong("markets", "{}".to_owned(), "at least one market is expected");
        }
        let spans = [
            ("timeout", self.timeout),
            ("execution.quote_lasts", self.execution.quote_lasts),
            ("execution.market_order_timeout", self.execution.market_order_timeout),
            ("execution.deadline", self.execution.deadline),
            ("execution.replace_after", self.execution.replace_after),
            ("execution.poll", self.execution.poll),
        ];
        for (key, Setting(span)) in spans {
            if span <= Span::from_nanos(0) {
                wrong(key, span.show(), "a time longer than nothing is expected");
            }
        }
        if self.execution.slippage_bps >= ALL {
            wrong(
                "execution.slippage_bps",
                self.execution.slippage_bps.to_string(),
                "basis points from 0 to 9999 are expected",
            );
        }
        if let Some(bound) =
            self.execution.most_off_reference_bps.0.filter(|bound| *bound == 0 || *bound >= ALL)
        {
            wrong(
                "execution.most_off_reference_bps",
                bound.to_string(),
                "basis points from 1 to 9999, or \"off\", are expected",
            );
        }
        if self.execution.confirmations == 0 {
            wrong(
                "execution.confirmations",
                "0".to_owned(),
                "at least 1 is expected: the block that it is in",
            );
        }
        let gwei = Decimal::ZERO..=Decimal::from(1_000_000);
        for (key, Setting(fee)) in
            [("gas.max_fee_gwei", self.gas.max_fee_gwei), ("gas.least_tip_gwei", self.gas.least_tip_gwei)]
        {
            if !gwei.contains(&fee) || (key == "gas.max_fee_gwei" && fee.is_zero()) {
                wrong(key, fee.to_string(), "gwei above 0, and at most a million, are expected");
            }
        }
        if self.gas.reserve.0 < Decimal::ZERO {
            wrong("gas.reserve", self.gas.reserve.0.to_string(), "native currency from 0 is expected");
        }
        for (key, found, allowed) in
            ExternalKey::problems(self.signer, self.external.as_ref(), self.address.as_ref())
        {
            wrong(key, found, allowed);
        }
        for (key, found, allowed) in self.reconciliation.problems() {
            wrong(&format!("reconciliation.{key}"), found, allowed);
        }
        self.references(&mut wrong);
        problems
    }

    /// What is spoken of must be there.
    fn references(&self, wrong: &mut impl FnMut(&str, String, &str)) {
        let known = |token: &str| self.tokens.contains_key(token);
        if !known(&self.currency) {
            wrong("currency", self.currency.clone(), TOKEN);
        }
        for (symbol, market) in &self.markets {
            let key = |rest: &str| format!("markets.{symbol}.{rest}");
            if !known(&market.base) || market.base == self.currency {
                wrong(
                    &key("base"),
                    market.base.clone(),
                    "another token than the currency is expected, one of evm.tokens",
                );
            }
            if !is_contract(&market.pool.address) {
                wrong(&key("pool.address"), market.pool.address.clone(), CONTRACT);
            }
            if market.pool.fee >= 1_000_000 {
                wrong(
                    &key("pool.fee"),
                    market.pool.fee.to_string(),
                    "millionths from 0 to 999999 are expected",
                );
            }
            if market.transfer_fee_bps.0.is_some_and(|fee| fee >= ALL) {
                wrong(
                    &key("transfer_fee_bps"),
                    String::new(),
                    "basis points from 0 to 9999, or \"off\", are expected",
                );
            }
            if market.routes.is_empty() {
                wrong(&key("routes"), "[]".to_owned(), "at least one way of trading it is expected");
            }
            for route in &market.routes {
                self.route(&key("routes"), route, wrong);
            }
        }
        let native = self.tokens.get(&self.currency).is_some_and(|currency| currency.native);
        let wrapped = self.gas.native.as_deref();
        match &self.gas.value {
            _ if native => {}
            Some(_) if !wrapped.is_some_and(known) => {
                wrong("gas.native", wrapped.unwrap_or_default().to_owned(), TOKEN);
            }
            Some(route) => self.route("gas.value", route, wrong),
            None => wrong(
                "gas.value",
                String::new(),
                "a route is expected by which gas is worth something in the currency",
            ),
        }
    }

    fn route(&self, key: &str, route: &EvmRoute, wrong: &mut impl FnMut(&str, String, &str)) {
        if !is_contract(&route.router) {
            wrong(&format!("{key}.router"), route.router.clone(), CONTRACT);
        }
        if let Some(token) = route.through.iter().find(|token| !self.tokens.contains_key(*token)) {
            wrong(&format!("{key}.through"), token.clone(), TOKEN);
        }
        match (route.version, &route.quoter) {
            (EvmVersion::V2, None) if route.fees.is_empty() => {}
            (EvmVersion::V2, _) => {
                wrong(key, String::new(), "a route of v2 has neither a quoter nor fees");
            }
            (EvmVersion::V3, Some(quoter)) if is_contract(quoter) => {
                let pools = route.through.len() + 1;
                if route.fees.len() != pools || route.fees.iter().any(|fee| *fee >= 1_000_000) {
                    let allowed =
                        format!("a fee in millionths is expected for each of {pools} pools on the way");
                    wrong(&format!("{key}.fees"), format!("{:?}", route.fees), &allowed);
                }
            }
            (EvmVersion::V3, quoter) => {
                wrong(&format!("{key}.quoter"), quoter.clone().unwrap_or_default(), CONTRACT);
            }
        }
    }

    /// Most requests in a second to each server.
    #[must_use]
    pub fn rate(&self) -> Option<NonZeroU32> {
        self.requests_per_second.0.and_then(NonZeroU32::new)
    }
}

const CONTRACT: &str = "an address is expected: 0x and 40 hexadecimal digits";
const TOKEN: &str = "one of evm.tokens is expected";

#[cfg(test)]
mod tests {
    use crate::{Mode, read};

    const WHOLE: &str = r#"
        mode = "live"
        [feed]
        source = "pools"
        [evm]
        chain_id = 31337
        endpoints = ["http://127.0.0.1:8545", "env:ENDPOINT"]
        currency = "USDC"
        key = "trader"
        [evm.tokens]
        USDC = { address = "0x00000000000000000000000000000000000000A1", decimals = 6 }
        WETH = { address = "0x00000000000000000000000000000000000000a2", decimals = 18 }
        [evm.markets.WETH-USDC]
        base = "WETH"
        pool = { address = "0x00000000000000000000000000000000000000a3", version = "v2" }
        [[evm.markets.WETH-USDC.routes]]
        version = "v2"
        router = "0x00000000000000000000000000000000000000a4"
        [evm.gas]
        native = "WETH"
        [evm.gas.value]
        version = "v3"
        router = "0x00000000000000000000000000000000000000a5"
        quoter = "0x00000000000000000000000000000000000000a6"
        fees = [500]
    "#;

    #[test]
    fn a_whole_section_is_understood() {
        let configuration = read(WHOLE).unwrap();
        let evm = configuration.evm.unwrap();
        assert_eq!(configuration.mode, Mode::Live);
        assert_eq!((evm.chain_id, evm.markets["WETH-USDC"].pool.fee), (31_337, 3_000));
        assert_eq!(evm.execution.slippage_bps, 50);
    }

    #[test]
    fn what_is_spoken_of_must_be_there_and_be_right() {
        let keys = |from: &str, to: &str| -> Vec<String> {
            assert!(WHOLE.contains(from), "{from}");
            let error = read(&WHOLE.replace(from, to)).unwrap_err();
            error.0.into_iter().map(|problem| problem.key).collect()
        };
        assert_eq!(keys("currency = \"USDC\"", "currency = \"DAI\""), ["evm.currency"]);
        assert_eq!(keys("base = \"WETH\"", "base = \"USDC\""), ["evm.markets.WETH-USDC.base"]);
        assert_eq!(keys("00a4", "00a"), ["evm.markets.WETH-USDC.routes.router"]);
        assert_eq!(keys("fees = [500]", "fees = []"), ["evm.gas.value.fees"]);
        assert_eq!(keys("fees = [500]", "through = [\"DAI\"]\nfees = [1, 2]"), ["evm.gas.value.through"]);
        assert_eq!(keys("native = \"WETH\"", ""), ["evm.gas.native"]);
        assert_eq!(keys("decimals = 18", "decimals = 60"), ["evm.tokens.WETH.decimals"]);
        assert_eq!(keys("chain_id = 31337", "chain_id = 0"), ["evm.chain_id"]);
        assert_eq!(keys("chain_id = 31337", "chain_id = 31337\naddress = \"0x1\""), ["evm.address"]);
        let elsewhere =
            "address = \"0x00000000000000000000000000000000000000b1\"\nkey = \"trader\"\nsigner = ";
        assert_eq!(
            keys("key = \"trader\"", "key = \"trader\"\nsigner = \"ledger\""),
            ["evm.address", "evm.external"]
        );
        let server = format!("{elsewhere}\"web3signer\"\nexternal = {{ policy = \"p.toml\"");
        assert_eq!(keys("key = \"trader\"", &format!("{server} }}")), ["evm.external.url"]);
        assert_eq!(
            keys("key = \"trader\"", &format!("{server}, url = \"http://example.org\", timeout = \"0s\" }}")),
            ["evm.external.timeout", "evm.external.url"]
        );
        let device = format!("{elsewhere}\"ledger\"\nexternal = {{ policy = \"p.toml\" }}");
        assert!(read(&WHOLE.replace("key = \"trader\"", &device)).is_ok());
        assert_eq!(keys("key = \"trader\"", "factories = [\"0x1\"]"), ["evm.factories", "evm.key"]);
        assert_eq!(keys("key = \"trader\"", "timeout = \"0s\"\nkey = \"trader\""), ["evm.timeout"]);
    }

    #[test]
    fn an_address_of_a_server_that_may_hold_a_secret_is_not_shown() {
        let text = WHOLE.replace("env:ENDPOINT", "http://example.org/v3/planted");
        let error = read(&text).unwrap_err().to_string();
        assert!(error.contains("evm.endpoints") && !error.contains("planted"), "{error}");
        // Also where the section can't be understood.
        let text = WHOLE
            .replace("chain_id = 31337", "chain_id = \"x\"")
            .replace("env:ENDPOINT", "https://a/planted");
        let error = read(&text).unwrap_err().to_string();
        assert!(error.contains("evm.chain_id") && !error.contains("planted"), "{error}");
    }

    #[test]
    fn real_funds_need_a_key_and_the_pools_own_prices() {
        let error = read(&WHOLE.replace("source = \"pools\"", "source = \"simulator\"")).unwrap_err();
        assert_eq!(error.0[0].key, "feed.source", "{error}");
        let error = read(&WHOLE.replace("key = \"trader\"", "")).unwrap_err();
        assert_eq!(error.0[0].key, "evm.key", "{error}");
        let error = read("mode = \"live\"").unwrap_err();
        assert_eq!(error.0[0].key, "evm", "{error}");
        let error = read("[feed]\nsource = \"pools\"").unwrap_err();
        assert_eq!(error.0[0].key, "evm", "{error}");
    }

    #[test]
    fn an_account_trades_with_a_key_of_its_own() {
        let text =
            format!("{WHOLE}\n[accounts.alice]\nevm.key = \"alice\"\n[accounts.bob]\nmode = \"paper\"");
        let configuration = read(&text).unwrap();
        let accounts = configuration.accounts().unwrap();
        let of = |place: usize| {
            (accounts[place].1.mode, accounts[place].1.evm.as_ref().unwrap().key.clone().unwrap())
        };
        assert_eq!(of(0), (Mode::Live, "alice".to_owned()));
        assert_eq!(of(1), (Mode::Paper, "trader".to_owned()));
        let error = read(&format!("{WHOLE}\n[accounts.alice]\n[accounts.bob]")).unwrap_err();
        assert_eq!(error.0[0].key, "accounts.bob.evm.key", "{error}");
        // One device answers one account.
        let ledger = "signer = \"ledger\"\nexternal = { policy = \"p.toml\" }\n[evm.tokens]";
        let own = |name: &str, digit: u8| {
            format!("[accounts.{name}.evm]\nkey = \"{name}\"\naddress = \"0x{}{digit}\"\n", "0".repeat(39))
        };
        let text = WHOLE.replace("[evm.tokens]", ledger).replace(
            "key = \"trader\"",
            "key = \"trader\"\naddress = \"0x00000000000000000000000000000000000000b1\"",
        );
        let error = read(&format!("{text}\n{}\n{}", own("alice", 1), own("bob", 2))).unwrap_err();
        assert_eq!(error.0[0].key, "accounts.bob.evm.signer", "{error}");
        // A name of its own is no key of its own.
        let same = WHOLE.replace(
            "[evm.tokens]",
            "address = \"0x00000000000000000000000000000000000000b1\"\n[evm.tokens]",
        );
        let error =
            read(&format!("{same}\n[accounts.alice]\n[accounts.bob]\nevm.key = \"bob\"")).unwrap_err();
        assert_eq!(error.0[0].key, "accounts.bob.evm.address", "{error}");
    }
}
