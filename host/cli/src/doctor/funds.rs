//! What is at an account's address: native currency for gas, the currency to trade with, permissions that are left; and
//! whether its books agree with it.

use anyhow::{Context as _, Result};
use bulkhead_configuration::{Configuration, Evm};
use bulkhead_evm::amounts::from_units;
use bulkhead_evm::reconcile::Figures;
use bulkhead_evm::rpc::Endpoints;
use bulkhead_evm::settings::ChainSettings;
use bulkhead_store::database::{Database, Options};
use rust_decimal::Decimal;

use super::Check;
use crate::chain::{settings, signer};
use crate::reconcile;
use crate::shard::database_url;

/// Decimals of native currency on every EVM chain.
const NATIVE_DECIMALS: u8 = 18;

/// An approval of less than this part of what is there is no news.
const LITTLE: alloy_primitives::U256 = alloy_primitives::U256::from_limbs([20, 0, 0, 0]);

/// What an approval and a swap take of gas, on the safe side.
const GAS_OF_A_TRADE: u64 = 500_000;

/// What the chain says of the address of an account whose books have begun or not.
pub(super) async fn checks(
    configuration: &Configuration,
    evm: &Evm,
    all: &Endpoints,
    has_begun: bool,
) -> Result<Vec<Check>> {
    let address = match signer::address(configuration) {
        Ok(address) => address,
        Err(error) => return Ok(vec![Check::skipped("balances", format!("{error:#}"))]),
    };
    let chain = settings::chain_settings(evm)?;
    let figures = match Figures::read(all, &chain, address).await {
        Ok(figures) => figures,
        Err(error) => {
            let advice = "see that the servers answer and the contracts are right";
            return Ok(vec![Check::failed("balances", error.to_string(), advice)]);
        }
    };
    Ok(vec![
        gas(&figures, &chain, evm),
        currency(&figures, &chain, configuration, evm, has_begun)?,
        permissions(&figures, evm),
    ])
}

fn gas(figures: &Figures, chain: &ChainSettings, evm: &Evm) -> Check {
    let there = decimal(figures.native);
    let trade = chain.fees.most.saturating_mul(u128::from(GAS_OF_A_TRADE));
    let trade = decimal(alloy_primitives::U256::from(trade));
    let reserve = evm.gas.reserve.0;
    let found = format!("{} at {} for gas", there.normalize(), figures.address);
    let advice = "send native currency of the chain to the address";
    let usable = there.saturating_sub(reserve);
    if there.is_zero() || there < reserve {
        let reserve = reserve.normalize();
        Check::failed("native balance", format!("{found}, and evm.gas.reserve is {reserve}"), advice)
    } else if usable < trade {
        let trade = trade.normalize();
        let found = format!("{found}; a trade may cost {trade} at evm.gas.max_fee_gwei, beside the reserve");
        Check::warning("native balance", found, advice)
    } else {
        Check::ok("native balance", found)
    }
}

/// Books that begin with more than there is would differ from the chain at once.
fn currency(
    figures: &Figures,
    chain: &ChainSettings,
    configuration: &Configuration,
    evm: &Evm,
    has_begun: bool,
) -> Result<Check> {
    let market = chain.markets.first().context("there is no market")?;
    let units = match market.quote.native {
        true => figures.native,
        false => figures.tokens.get(&market.quote.address).copied().unwrap_or_default(),
    };
    let there = from_units(units, market.quote.decimals).unwrap_or(Decimal::MAX);
    let (cash, currency) = (configuration.cash.0, &evm.currency);
    let found = format!("{} {currency}", there.normalize());
    if has_begun {
        return Ok(Check::ok(
            "currency",
            format!("{found}; `bulkhead reconcile` holds the books against it"),
        ));
    }
    Ok(if there < cash {
        let found = format!("{found}, and the account is to begin with cash = {}", cash.normalize());
        Check::failed("currency", found, "send the rest to the address, or lower cash")
    } else {
        Check::ok("currency", format!("{found}, of which the account begins with {}", cash.normalize()))
    })
}

fn permissions(figures: &Figures, evm: &Evm) -> Check {
    let name = |token: &alloy_primitives::Address| {
        let of = evm.tokens.iter().find(|(_, known)| {
            known.address.parse::<alloy_primitives::Address>().is_ok_and(|address| address == *token)
        });
        of.map_or_else(|| token.to_string(), |(symbol, _)| symbol.clone())
    };
    // What a purchase did not cost of what it may stays allowed, and is little.
    let little =
        |token: &alloy_primitives::Address| figures.tokens.get(token).copied().unwrap_or_default() / LITTLE;
    let left = figures.allowances.iter().filter(|((token, _), allowed)| **allowed > little(token));
    let left: Vec<String> =
        left.map(|((token, spender), _)| format!("{spender} may take {}", name(token))).collect();
    if left.is_empty() {
        return Check::ok("approvals", "none is left");
    }
    let advice = "an order that failed may have left it; the next one of the kind uses it up, or approve 0 with a wallet";
    Check::warning("approvals", left.join("; "), advice)
}

/// Whether the books of an account that has some agree with the chain.
pub(super) fn books(name: &str, configuration: &Configuration) -> Check {
    if !has_begun(configuration) {
        return Check::skipped("books", "they begin with the first run");
    }
    match reconcile::compare(name, configuration) {
        Ok(found) if found.halts() => {
            let advice = "`bulkhead reconcile` shows it and what can be done";
            Check::failed("books", found.why_it_halts(), advice)
        }
        Ok(found) if !found.noted().is_empty() => {
            Check::warning("books", found.noted(), "`bulkhead reconcile` shows it and what can be done")
        }
        Ok(found) => Check::ok("books", format!("they agree with block {}", found.figures.block)),
        Err(error) => {
            let advice = "`bulkhead db verify` looks at the journal, `bulkhead replay` steps it again";
            Check::failed("books", format!("{error:#}"), advice)
        }
    }
}

/// Whether there are books in the database already. It waits for the database, so nothing that waits for a chain may ask.
pub(super) fn has_begun(configuration: &Configuration) -> bool {
    let begun = || {
        let url = database_url(configuration).ok()?;
        if url.path().is_some_and(|path| !path.exists()) {
            return None;
        }
        let mut database = Database::open(&url, Options::reader()).ok()?;
        Some(!database.shards().ok()?.is_empty())
    };
    begun().unwrap_or(false)
}

fn decimal(wei: alloy_primitives::U256) -> Decimal {
    from_units(wei, NATIVE_DECIMALS).unwrap_or(Decimal::MAX)
}
