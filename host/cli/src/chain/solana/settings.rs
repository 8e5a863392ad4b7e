//! From the section `[solana]` to what the executor and the feed are set up with.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use bulkhead_configuration::{
    Setting, Solana, SolanaFinality, SolanaSwapForm, SolanaToken, SolanaTokenProgram,
};
use bulkhead_core::identifier::InstrumentId;
use bulkhead_solana::amounts::to_units_down;
use bulkhead_solana::fees::FeeLimits;
use bulkhead_solana::jupiter::{ApiKey, Current, JupiterSettings, Older, SwapApi};
use bulkhead_solana::mint::Protection;
use bulkhead_solana::programs::{JUPITER, SOL_DECIMALS, TOKEN, TOKEN_2022, WRAPPED_SOL};
use bulkhead_solana::quotes::WatchedMarket;
use bulkhead_solana::rpc::EndpointSettings;
use bulkhead_solana::rpc::bundles::Fallback;
use bulkhead_solana::settings::{FeeValue, Finality, Market, SolanaSettings, Token};
use bulkhead_solana::verify::Tip;
use rust_decimal::Decimal;
use solana_address::Address;

use super::super::settings::{address_of, duration};

/// How an account trades on the cluster. The markets have the numbers of their symbols' order, as the feed's instruments do.
pub(crate) fn solana_settings(solana: &Solana) -> Result<SolanaSettings> {
    let markets: Vec<Market> = watched(solana)?.into_iter().map(|watched| watched.market).collect();
    let native = solana.tokens.get(&solana.currency).is_some_and(|currency| currency.native);
    let fee_value = if native { FeeValue::Native } else { FeeValue::Quoted };
    let mut settings = SolanaSettings::new(solana.genesis_hash().to_owned(), markets, fee_value);
    settings.router = router(solana)?;
    settings.venues = solana.swaps.venues.iter().cloned().collect();
    let fees = &solana.fees;
    settings.fees = FeeLimits {
        most_priority: lamports(fees.max_priority_fee).context("solana.fees.max_priority_fee")?,
        percentile: fees.percentile,
        least_price: fees.least_price,
        unit_margin_percent: fees.unit_margin_percent,
    };
    settings.reserve = lamports(fees.reserve).context("solana.fees.reserve")?;
    let execution = &solana.execution;
    settings.slippage_bps = bps(execution.slippage_bps)?;
    settings.most_off_reference_bps = execution.most_off_reference_bps.0;
    settings.price_impact_bps = execution.price_impact_bps;
    settings.quote_lasts = duration(execution.quote_lasts.0);
    settings.market_order_timeout = duration(execution.market_order_timeout.0);
    settings.finality = match execution.finality {
        SolanaFinality::Confirmed => Finality::Confirmed,
        SolanaFinality::Finalized => Finality::Finalized,
    };
    settings.poll = duration(execution.poll.0);
    settings.resend_after = duration(execution.resend_after.0);
    settings.quote_pause = duration(solana.swaps.quote_every.0);
    let protection = &solana.protection;
    settings.protection = Protection {
        mint_authority: protection.mint_authority,
        freeze_authority: protection.freeze_authority,
        transfer_hook: protection.transfer_hook,
        changing_terms: protection.changing_terms,
        transfer_fee_bps: bps(protection.transfer_fee_bps)?,
        largest_holders_bps: protection.largest_holders_bps.0.map(bps).transpose()?,
    };
    settings.round_trip_bps = protection.round_trip_bps;
    settings.safe_for = protection.safe_for.0.map(duration);
    settings.tip = tip(solana)?;
    Ok(settings)
}

/// The markets, with what their prices are asked with.
pub(crate) fn watched(solana: &Solana) -> Result<Vec<WatchedMarket>> {
    let tokens: BTreeMap<&str, Token> = solana
        .tokens
        .iter()
        .map(|(symbol, token)| Ok((symbol.as_str(), self::token(symbol, token)?)))
        .collect::<Result<_>>()?;
    let named = |symbol: &str| {
        tokens.get(symbol).cloned().with_context(|| format!("there is no token {symbol} in solana.tokens"))
    };
    let quote = named(&solana.currency)?;
    let markets = (0..).zip(solana.markets.values());
    let market = |(number, market): (u32, &bulkhead_configuration::SolanaMarket)| {
        let base = named(&market.base)?;
        let market_of = Market { instrument: InstrumentId(number), base, quote: quote.clone() };
        Ok(WatchedMarket { market: market_of, probe: market.probe.0 })
    };
    markets.map(market).collect()
}

/// The servers of the cluster, with their secrets.
pub(crate) fn endpoints(solana: &Solana) -> Result<Vec<EndpointSettings>> {
    solana.endpoints.iter().map(|address| endpoint(solana, "solana.endpoints", address)).collect()
}

fn endpoint(solana: &Solana, key: &str, address: &str) -> Result<EndpointSettings> {
    Ok(EndpointSettings {
        url: address_of(key, address)?,
        requests_per_second: solana.rate(),
        timeout: duration(solana.timeout.0),
    })
}

/// Where bundles are sent and what becomes of those that do not land, if they are.
pub(crate) fn bundles(solana: &Solana) -> Result<Option<(EndpointSettings, BTreeSet<Address>, Fallback)>> {
    let Some(bundles) = &solana.bundles else { return Ok(None) };
    let endpoint = endpoint(solana, "solana.bundles.endpoint", &bundles.endpoint)?;
    let fallback = match bundles.everybody_after.0 {
        Some(span) => Fallback::PlainAfter(duration(span)),
        None => Fallback::BundlesOnly,
    };
    let accounts = tip(solana)?.map(|tip| tip.accounts).unwrap_or_default();
    Ok(Some((endpoint, accounts, fallback)))
}

fn tip(solana: &Solana) -> Result<Option<Tip>> {
    let Some(bundles) = &solana.bundles else { return Ok(None) };
    if solana.swaps.form == SolanaSwapForm::Older {
        bail!(
            "solana.bundles: the older form of the aggregator's interface puts no tip into a transaction; use the current one"
        );
    }
    let accounts = bundles.tip_accounts.iter().map(|account| address("solana.bundles.tip_accounts", account));
    let most = lamports(bundles.tip).context("solana.bundles.tip")?;
    Ok(Some(Tip { accounts: accounts.collect::<Result<_>>()?, most }))
}

/// The aggregator, with its key.
pub(crate) fn swaps(solana: &Solana) -> Result<Arc<dyn SwapApi>> {
    let swaps = &solana.swaps;
    let key = swaps.api_key.as_ref().map(|key| address_of("solana.swaps.api_key", key)).transpose()?;
    let settings = JupiterSettings {
        url: address_of("solana.swaps.address", &swaps.address)?,
        key: key.map(ApiKey::new),
        requests_per_minute: swaps.requests_per_minute.0.and_then(NonZeroU32::new),
        timeout: duration(solana.timeout.0),
    };
    Ok(match swaps.form {
        SolanaSwapForm::Current => Arc::new(Current::new(&settings).context("solana.swaps")?),
        SolanaSwapForm::Older => Arc::new(Older::new(&settings).context("solana.swaps")?),
    })
}

fn router(solana: &Solana) -> Result<Address> {
    solana.swaps.router.as_ref().map_or(Ok(JUPITER), |router| address("solana.swaps.router", router))
}

fn token(symbol: &str, token: &SolanaToken) -> Result<Token> {
    let key = format!("solana.tokens.{symbol}");
    if token.native {
        return Ok(Token { symbol: symbol.to_owned(), ..Token::sol() });
    }
    let mint = token.mint.as_deref().with_context(|| format!("{key}.mint is missing"))?;
    let mint = address(&format!("{key}.mint"), mint)?;
    ensure!(
        mint != WRAPPED_SOL,
        "{key}: this is wrapped SOL; write native = true, which wraps and unwraps it"
    );
    let program = match token.program {
        SolanaTokenProgram::Token => TOKEN,
        SolanaTokenProgram::Token2022 => TOKEN_2022,
    };
    let decimals = token.decimals.with_context(|| format!("{key}.decimals are missing"))?;
    Ok(Token { symbol: symbol.to_owned(), mint, program, decimals })
}

/// An account's address, as the configuration has it.
pub(crate) fn address(key: &str, text: &str) -> Result<Address> {
    text.parse().ok().with_context(|| format!("{key}: {text} is no address of an account"))
}

fn lamports(amount: Setting<Decimal>) -> Result<u64> {
    Ok(to_units_down(amount.0, SOL_DECIMALS)?)
}

fn bps(number: u32) -> Result<u16> {
    u16::try_from(number).with_context(|| format!("{number} basis points are too many"))
}
