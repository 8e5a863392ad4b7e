//! From the section `[evm]` to what the executor and the feed are set up with.

use std::collections::BTreeMap;
use std::time::Duration;

use alloy_primitives::Address;
use anyhow::{Context as _, Result};
use bulkhead_alerts::read_reference;
use bulkhead_configuration::{Evm, EvmRoute, EvmToken, EvmVersion, is_reference};
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::time::Span;
use bulkhead_evm::fees::FeeLimits;
use bulkhead_evm::rpc::EndpointSettings;
use bulkhead_evm::rpc::private::{Fallback, PrivateSettings, Protocol};
use bulkhead_evm::settings::{ChainSettings, GasValue, Market, Route, Token, TransferFees};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use crate::arguments::WrongUsage;

/// Digits behind the point of native currency, and of a gwei.
const NATIVE_DECIMALS: u32 = 18;
const GWEI_DECIMALS: u32 = 9;

/// How an account trades on the chain. The markets have the numbers of their symbols' order, as the feed's instruments do.
pub(crate) fn chain_settings(evm: &Evm) -> Result<ChainSettings> {
    let tokens: BTreeMap<&str, Token> = evm
        .tokens
        .iter()
        .map(|(symbol, token)| Ok((symbol.as_str(), self::token(symbol, token)?)))
        .collect::<Result<_>>()?;
    let named = |symbol: &str| {
        tokens.get(symbol).cloned().with_context(|| format!("there is no token {symbol} in evm.tokens"))
    };
    let currency = named(&evm.currency)?;
    let mut markets = Vec::new();
    for (number, market) in (0..).zip(evm.markets.values()) {
        let base = named(&market.base)?;
        let routes = market.routes.iter().map(|route| self::route(route, &currency, &base, &tokens));
        markets.push(Market {
            instrument: InstrumentId(number),
            routes: routes.collect::<Result<_>>()?,
            base,
            quote: currency.clone(),
            transfer_fees: market.transfer_fee_bps.0.map_or(TransferFees::Refused, TransferFees::UpTo),
        });
    }
    let gas_value = match (&evm.gas.value, &evm.gas.native) {
        _ if currency.native => GasValue::Native,
        (Some(value), Some(native)) => GasValue::Route(route(value, &currency, &named(native)?, &tokens)?),
        _ => anyhow::bail!("evm.gas.value and evm.gas.native say what gas is worth; they are missing"),
    };
    let mut settings = ChainSettings::new(evm.chain_id, markets, gas_value);
    settings.fees = FeeLimits {
        most: units(evm.gas.max_fee_gwei.0, GWEI_DECIMALS).context("evm.gas.max_fee_gwei")?,
        least_tip: units(evm.gas.least_tip_gwei.0, GWEI_DECIMALS).context("evm.gas.least_tip_gwei")?,
    };
    settings.gas_margin_percent = u64::from(evm.gas.margin_percent);
    settings.gas_reserve = units(evm.gas.reserve.0, NATIVE_DECIMALS).context("evm.gas.reserve")?;
    let execution = &evm.execution;
    settings.slippage_bps = execution.slippage_bps;
    settings.most_off_reference_bps = execution.most_off_reference_bps.0;
    settings.quote_lasts = duration(execution.quote_lasts.0);
    settings.market_order_timeout = duration(execution.market_order_timeout.0);
    settings.deadline = duration(execution.deadline.0);
    settings.confirmations = u64::from(execution.confirmations);
    settings.replace_after = duration(execution.replace_after.0);
    settings.poll = duration(execution.poll.0);
    settings.resale_known_for = execution.resale_known_for.0.map(duration);
    Ok(settings)
}

/// The servers of the chain, with their secrets.
pub(crate) fn endpoints(evm: &Evm) -> Result<Vec<EndpointSettings>> {
    let endpoint = |address: &String| {
        Ok(EndpointSettings {
            url: address_of("evm.endpoints", address)?,
            requests_per_second: evm.rate(),
            timeout: duration(evm.timeout.0),
        })
    };
    evm.endpoints.iter().map(endpoint).collect()
}

/// The server that keeps transactions to itself, if there is one.
pub(crate) fn private(evm: &Evm) -> Result<Option<PrivateSettings>> {
    let settings = |private: &bulkhead_configuration::EvmPrivate| {
        Ok(PrivateSettings {
            url: address_of("evm.private.endpoint", &private.endpoint)?,
            protocol: Protocol::Protect,
            fallback: match private.everybody_after.0 {
                Some(blocks) => Fallback::PublicAfter(u64::from(blocks)),
                None => Fallback::NeverPublic,
            },
            timeout: duration(evm.timeout.0),
        })
    };
    evm.private.as_ref().map(settings).transpose()
}

/// A token of the configuration.
pub(crate) fn token(symbol: &str, token: &EvmToken) -> Result<Token> {
    let address = contract(&token.address)?;
    Ok(Token { symbol: symbol.to_owned(), address, decimals: token.decimals, native: token.native })
}

/// A contract's address, as the configuration has it.
pub(crate) fn contract(address: &str) -> Result<Address> {
    address.parse().with_context(|| format!("{address} is no address"))
}

fn route(route: &EvmRoute, quote: &Token, base: &Token, tokens: &BTreeMap<&str, Token>) -> Result<Route> {
    let mut path = vec![quote.address];
    for symbol in &route.through {
        let token = tokens.get(symbol.as_str());
        path.push(token.with_context(|| format!("there is no token {symbol} in evm.tokens"))?.address);
    }
    path.push(base.address);
    let router = contract(&route.router)?;
    Ok(match route.version {
        EvmVersion::V2 => Route::V2 { router, path },
        EvmVersion::V3 => {
            let quoter = contract(route.quoter.as_deref().context("a route of v3 has no quoter")?)?;
            Route::V3 { router, quoter, path, fees: route.fees.clone() }
        }
    })
}

/// An address that may be kept elsewhere, or another text that is a secret.
pub(super) fn address_of(key: &str, address: &str) -> Result<String> {
    if !is_reference(address) {
        return Ok(address.to_owned());
    }
    let variable = |name: &str| std::env::var(name).ok();
    match read_reference(address, variable) {
        Ok(secret) => Ok(secret.reveal().to_owned()),
        Err(error) => Err(WrongUsage(format!("{key} {error}")).into()),
    }
}

fn units(amount: Decimal, decimals: u32) -> Result<u128> {
    let unit = Decimal::from_i128_with_scale(10_i128.pow(decimals), 0);
    let units = amount.checked_mul(unit).and_then(|units| units.trunc().to_u128());
    units.with_context(|| format!("{amount} is too much"))
}

/// As clocks count it.
pub(crate) fn duration(span: Span) -> Duration {
    Duration::from_nanos(u64::try_from(span.nanos()).unwrap_or(0))
}
