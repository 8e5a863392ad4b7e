//! Whether an account's key can be had, and whether its policy fits what the risk gate lets pass. No secret is told.

use std::path::Path;

use alloy_primitives::U256;
use anyhow::{Context as _, Result};
use bulkhead_configuration::{Configuration, Evm, ExternalKey, SignerPlace as Place};
use bulkhead_evm::amounts::{from_units, to_units_down};
use bulkhead_evm::settings::ChainSettings;
use bulkhead_signing::keystore::KeyName;
use bulkhead_signing::policy::{ChainPolicy, Policy};
use bulkhead_signing::process::ProcessSigner;
use rust_decimal::Decimal;

use super::Check;
use crate::chain::{external_key, settings, signer};
use crate::key_arguments::PassphraseArguments;
use crate::keys::keystore_in;

/// Opens keys, and asks for the passphrase at most once.
pub(super) struct Keys<'a> {
    signers: signer::Signers<'a>,
    /// Whether somebody said where the passphrase is. Nobody is asked at a terminal.
    can_open: bool,
}

impl<'a> Keys<'a> {
    pub(super) const fn new(passphrase: &'a PassphraseArguments) -> Self {
        Self { signers: signer::Signers::new(passphrase), can_open: passphrase.is_given() }
    }

    /// Whether the account's key is there and answers for its address.
    pub(super) async fn check(&mut self, configuration: &Configuration) -> Check {
        const NAME: &str = "key";
        #[cfg(feature = "solana")]
        if let (None, Some(solana)) = (&configuration.evm, &configuration.solana) {
            return super::solana::key(NAME, configuration, solana, &mut self.signers, self.can_open).await;
        }
        let address = match signer::address(configuration) {
            Ok(address) => address,
            Err(error) => {
                let advice = "`bulkhead keys list` shows the keys, `bulkhead keys new` makes one";
                return Check::failed(NAME, format!("{error:#}"), advice);
            }
        };
        let Some(evm) = &configuration.evm else { return Check::skipped(NAME, "there is no chain") };
        match evm.signer {
            Place::Process => {
                let socket = signer::socket(&configuration.storage, evm.socket.as_ref());
                match ProcessSigner::connect(&socket, address, evm.signer_user).await {
                    Ok(_) => Check::ok(NAME, format!("the signer's process has the key of {address}")),
                    Err(error) => {
                        let advice =
                            "start `bulkhead signer` with the same configuration, and leave it running";
                        Check::failed(NAME, error.to_string(), advice)
                    }
                }
            }
            Place::Local if !self.can_open => {
                let found = format!("{address} is in the keystore, which was not opened");
                Check::warning(NAME, found, "--passphrase-file has it opened as well")
            }
            Place::Local => match self.signers.open(configuration).await {
                Ok(_) => Check::ok(NAME, format!("{address} is in the keystore, and opens")),
                Err(error) => Check::failed(NAME, format!("{error:#}"), "see docs/keys.md"),
            },
            Place::Ledger | Place::Web3signer => match self.signers.open(configuration).await {
                Ok(_) => Check::ok(NAME, external(evm.signer, &address.to_string())),
                Err(error) => Check::failed(NAME, format!("{error:#}"), "see docs/keys.md"),
            },
        }
    }
}

/// What is known of a key that is in no keystore, once it could be opened.
pub(super) fn external(place: Place, address: &str) -> String {
    match place {
        Place::Ledger => format!("the Ledger has the key of {address}, and its app is open"),
        _ => format!("the Web3Signer has the key of {address}"),
    }
}

/// What the account's key may sign, wherever the key is; why that can't be known otherwise.
pub(super) fn policy(
    storage: &Path,
    key: Option<&str>,
    place: Place,
    external: Option<&ExternalKey>,
) -> Result<Policy> {
    if let Some(external) = external.filter(|_| place.is_external()) {
        return external_key::policy(external);
    }
    let name: KeyName = key.context("the key's name is missing")?.parse()?;
    Ok(keystore_in(storage).info(&name)?.policy)
}

/// What the key's policy refuses of what the gate lets pass.
pub(super) fn limits(configuration: &Configuration, evm: &Evm) -> Result<Check> {
    const NAME: &str = "key's limits";
    let (key, external) = (evm.key.as_deref(), evm.external.as_ref());
    let policy = match policy(&configuration.storage, key, evm.signer, external) {
        Ok(policy) => policy,
        Err(error) => return Ok(Check::skipped(NAME, format!("{error:#}"))),
    };
    if policy.allow_anything {
        let found = "the key signs anything";
        return Ok(Check::warning(NAME, found, "fine for a test chain; `bulkhead keys policy` sets limits"));
    }
    let advice = "`bulkhead keys policy` shows and replaces what the key may sign; a signer's process has to be started anew";
    let Some(policy) = policy.chain(evm.chain_id) else {
        return Ok(Check::failed(NAME, format!("the key signs nothing for chain {}", evm.chain_id), advice));
    };
    let chain = settings::chain_settings(evm)?;
    let (refused, tight) = (refused(policy, &chain, evm), tight(policy, &chain, configuration));
    Ok(if !refused.is_empty() {
        Check::failed(NAME, refused.join("; "), advice)
    } else if !tight.is_empty() {
        Check::warning(NAME, tight.join("; "), "raise the key's limits, or lower those of the risk gate")
    } else {
        Check::ok(NAME, "they let through what the risk gate does")
    })
}

/// What could not be traded at all.
fn refused(policy: &ChainPolicy, chain: &ChainSettings, evm: &Evm) -> Vec<String> {
    let mut refused = Vec::new();
    for market in &chain.markets {
        for route in &market.routes {
            let router = route.router();
            if policy.router(router).is_none() {
                refused.push(format!("the router {router} is not in it"));
            }
        }
        for token in [&market.quote, &market.base] {
            let may_be_spent = match token.native {
                true => policy.native.is_some(),
                false => policy.token(token.address).is_some_and(|rule| rule.spend.is_some()),
            };
            if !may_be_spent {
                refused.push(format!("{} can't be spent", token.symbol));
            }
        }
    }
    let deadline = evm.execution.deadline.0.nanos() / 1_000_000_000;
    if i64::try_from(policy.max_deadline_seconds).is_ok_and(|most| deadline > most) {
        let most = policy.max_deadline_seconds;
        refused.push(format!("a deadline may be {most} s ahead, and evm.execution.deadline is {deadline} s"));
    }
    refused.sort();
    refused.dedup();
    refused
}

/// What could not be traded in full.
fn tight(policy: &ChainPolicy, chain: &ChainSettings, configuration: &Configuration) -> Vec<String> {
    let mut tight = Vec::new();
    let cash = configuration.cash.0;
    let largest = configuration.risk.max_order.0.map_or(cash, |part| cash.saturating_mul(part));
    if let Some(market) = chain.markets.first() {
        let quote = &market.quote;
        let limit = match quote.native {
            true => policy.native,
            false => policy.token(quote.address).and_then(|rule| rule.spend),
        };
        let wanted = to_units_down(largest, quote.decimals).unwrap_or(U256::MAX);
        let shown = |units: U256| from_units(units, quote.decimals).unwrap_or(Decimal::MAX).normalize();
        for (what, most) in limit
            .into_iter()
            .flat_map(|limit| [("a transaction", limit.per_transaction), ("a day", limit.per_day)])
        {
            if most < wanted {
                tight.push(format!(
                    "{what} may spend {} {}, and the gate lets orders of {} pass",
                    shown(most),
                    quote.symbol,
                    largest.normalize()
                ));
            }
        }
    }
    if policy.max_fee_per_gas < U256::from(chain.fees.most) {
        tight.push(format!(
            "gas may cost {} wei, and evm.gas.max_fee_gwei allows {}",
            policy.max_fee_per_gas, chain.fees.most
        ));
    }
    tight
}
