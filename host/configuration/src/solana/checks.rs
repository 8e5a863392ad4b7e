//! What is wrong with the section about a Solana cluster.

use std::collections::BTreeMap;

use bulkhead_core::time::Span;
use rust_decimal::Decimal;

use super::{LEADERS, Solana};
use crate::alerts::{ADDRESS, NOT_SHOWN, is_reference, is_safe_address};
use crate::chain::{ExternalKey, SignerPlace};
use crate::values::{Limit, Setting, Value as _};

/// The most basis points.
const ALL: u32 = 10_000;

/// Digits behind the point that a token may have: what a token program can count a whole unit with.
const MOST_DECIMALS: u8 = 19;

/// Whether it looks like the address of an account: 32 bytes, written with 58 letters and digits. What it is the address
/// of is seen when it is used.
fn is_account(address: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() && !matches!(byte, b'0' | b'O' | b'I' | b'l');
    (32..=44).contains(&address.len()) && address.bytes().all(is_digit)
}

/// What is wrong: the key, what was found, and what is allowed.
type Problems = Vec<(String, String, String)>;

impl Solana {
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
        let (place, address) = (self.signer, self.address.as_ref());
        if place == SignerPlace::Web3signer {
            let allowed =
                "a Web3Signer is asked for EVM chains: \"process\", \"local\" or \"ledger\" is expected";
            wrong("signer", "web3signer".to_owned(), allowed);
        } else {
            for (key, found, allowed) in ExternalKey::problems(place, self.external.as_ref(), address) {
                wrong(key, found, allowed);
            }
        }
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
