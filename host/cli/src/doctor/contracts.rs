//! Whether what the configuration names is on the chain, and what it says of tokens is so.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use anyhow::Result;
use bulkhead_configuration::{Evm, EvmRoute};
use bulkhead_evm::rpc::Endpoints;

use super::Check;
use crate::chain::settings::contract;

/// All of them.
pub(super) async fn check(evm: &Evm, all: &Endpoints) -> Result<Check> {
    let mut named: BTreeMap<Address, String> = BTreeMap::new();
    for (symbol, token) in &evm.tokens {
        named.insert(contract(&token.address)?, format!("the token {symbol}"));
    }
    for (symbol, market) in &evm.markets {
        named.insert(contract(&market.pool.address)?, format!("the pool of {symbol}"));
        for route in &market.routes {
            of_route(route, symbol, &mut named)?;
        }
    }
    if let Some(route) = &evm.gas.value {
        of_route(route, "gas", &mut named)?;
    }
    let mut problems = Vec::new();
    for (address, what) in &named {
        match all.has_code(*address).await {
            Ok(true) => {}
            Ok(false) => problems.push(format!("there is nothing at {address}, {what}")),
            Err(error) => problems.push(format!("{what}: {error}")),
        }
    }
    for (symbol, token) in evm.tokens.iter().filter(|(_, token)| !token.native) {
        // Contracts that don't say are taken at the configuration's word.
        if let Ok(found) = all.decimals(contract(&token.address)?).await
            && found != token.decimals
        {
            problems.push(format!(
                "the token {symbol} has {found} decimals, and evm.tokens.{symbol}.decimals is {}",
                token.decimals
            ));
        }
    }
    let advice = "look the addresses up where the project publishes them, for this very chain";
    Ok(match problems.is_empty() {
        true => Check::ok("contracts", format!("all {} are there", named.len())),
        false => Check::failed("contracts", problems.join("; "), advice),
    })
}

fn of_route(route: &EvmRoute, of: &str, named: &mut BTreeMap<Address, String>) -> Result<()> {
    named.insert(contract(&route.router)?, format!("a router of {of}"));
    if let Some(quoter) = &route.quoter {
        named.insert(contract(quoter)?, format!("a quoter of {of}"));
    }
    Ok(())
}
