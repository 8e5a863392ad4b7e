//! What is configured, held against the chain.

use alloy::primitives::Address;
use bulkhead_core::identifier::InstrumentId;
use bulkhead_feeds::bars::InvalidInterval;

use crate::chain::{At, ChainError};
use crate::contracts::{Erc20, PairV2, PoolV3};
use crate::pools::Version;
use crate::pools::market::PoolMarket;
use crate::route::read;
use crate::rpc::Endpoints;
use crate::settings::Token;

/// A market as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedMarket {
    /// The instrument.
    pub instrument: InstrumentId,
    /// What people call it.
    pub symbol: String,
    /// The pool whose prices are those of the market.
    pub pool: Address,
    /// Its kind.
    pub version: Version,
    /// What a swap costs there, in millionths.
    pub fee: u32,
    /// What is bought and sold.
    pub base: Token,
    /// What it is paid with.
    pub quote: Token,
}

/// Why a feed can't start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedStartError {
    /// The chain can't be asked. That may pass.
    #[error("{market}: {error}")]
    Chain {
        /// The market's symbol.
        market: String,
        /// Why not.
        error: ChainError,
    },
    /// A contract does not answer what it must.
    #[error(
        "{market}: {contract} is configured as {what}, and does not answer like one: {why}; check the address, the version \
         and the chain's number"
    )]
    OtherContract {
        /// The market's symbol.
        market: String,
        /// Where.
        contract: Address,
        /// What it is configured as.
        what: String,
        /// What it answers.
        why: String,
    },
    /// The pool is one of other tokens.
    #[error(
        "{market}: the pool {pool} trades {found_first} and {found_second}, and not {base} ({base_address}) and {quote} \
         ({quote_address}), which are configured; check the pool's and the tokens' addresses"
    )]
    OtherTokens {
        /// The market's symbol.
        market: String,
        /// The pool.
        pool: Address,
        /// The base token as configured.
        base: String,
        /// Its address.
        base_address: Address,
        /// The quote token as configured.
        quote: String,
        /// Its address.
        quote_address: Address,
        /// What the pool says its first token is.
        found_first: Address,
        /// And its second.
        found_second: Address,
    },
    /// A token counts otherwise than configured: every amount would be wrong by powers of ten.
    #[error("{market}: {token} ({address}) has {found} decimals, and {configured} are configured")]
    OtherDecimals {
        /// The market's symbol.
        market: String,
        /// The token as configured.
        token: String,
        /// Its contract.
        address: Address,
        /// As configured.
        configured: u8,
        /// As its contract says.
        found: u8,
    },
    /// The pool charges something else.
    #[error("{market}: the pool {pool} charges {found} millionths, and {configured} are configured")]
    OtherFee {
        /// The market's symbol.
        market: String,
        /// The pool.
        pool: Address,
        /// As configured, in millionths.
        configured: u32,
        /// As the pool says.
        found: u32,
    },
    /// Two markets are of one pool.
    #[error("{market} and {other} have the same pool, {pool}; watch another one for one of them")]
    SamePool {
        /// A market's symbol.
        market: String,
        /// The other's.
        other: String,
        /// Their pool.
        pool: Address,
    },
    /// There is no contract where one that makes pools should be.
    #[error(
        "there is no contract at {factory}, whose new pools are to be told; check the address and the chain's number"
    )]
    NoFactory {
        /// Where.
        factory: Address,
    },
    /// There is nothing to watch.
    #[error("no market is configured; name at least one pool")]
    NoMarkets,
    /// There are no such bars.
    #[error(transparent)]
    Interval(#[from] InvalidInterval),
}

/// Whether there is a contract at each of these.
pub(super) async fn are_contracts(
    endpoints: &Endpoints,
    factories: &[Address],
) -> Result<(), FeedStartError> {
    for factory in factories {
        let asked = endpoints.has_code(*factory).await;
        let is_one =
            asked.map_err(|error| FeedStartError::Chain { market: "new pools".to_owned(), error })?;
        if !is_one {
            return Err(FeedStartError::NoFactory { factory: *factory });
        }
    }
    Ok(())
}

/// The pools as the chain says they are, which is as they are configured.
pub(super) async fn examined(
    endpoints: &Endpoints,
    markets: &[WatchedMarket],
) -> Result<Vec<PoolMarket>, FeedStartError> {
    if markets.is_empty() {
        return Err(FeedStartError::NoMarkets);
    }
    let mut pools = Vec::new();
    for (place, market) in markets.iter().enumerate() {
        let before = markets.iter().take(place);
        if let Some(other) = before.rev().find(|other| other.pool == market.pool) {
            let (market, other, pool) = (market.symbol.clone(), other.symbol.clone(), market.pool);
            return Err(FeedStartError::SamePool { market, other, pool });
        }
        pools.push(pool(endpoints, market).await?);
    }
    Ok(pools)
}

async fn pool(endpoints: &Endpoints, market: &WatchedMarket) -> Result<PoolMarket, FeedStartError> {
    let WatchedMarket { instrument, ref symbol, pool, version, fee, ref base, ref quote } = *market;
    let kind = match version {
        Version::V2 => "a pool like Uniswap V2's",
        Version::V3 => "a pool like Uniswap V3's",
    };
    let unlike = |error| unlike(market, pool, kind, error);
    let first = read(endpoints, pool, &PairV2::token0Call {}, At::Latest).await.map_err(unlike)?;
    let second = read(endpoints, pool, &PairV2::token1Call {}, At::Latest).await.map_err(unlike)?;
    let base_is_first = (first, second) == (base.address, quote.address);
    if !base_is_first && (second, first) != (base.address, quote.address) {
        return Err(FeedStartError::OtherTokens {
            market: symbol.clone(),
            pool,
            base: base.symbol.clone(),
            base_address: base.address,
            quote: quote.symbol.clone(),
            quote_address: quote.address,
            found_first: first,
            found_second: second,
        });
    }
    match version {
        // Their fee is in their code alone.
        Version::V2 => {
            read(endpoints, pool, &PairV2::getReservesCall {}, At::Latest).await.map_err(unlike)?;
        }
        Version::V3 => {
            let found = read(endpoints, pool, &PoolV3::feeCall {}, At::Latest).await.map_err(unlike)?.to();
            if found != fee {
                let market = symbol.clone();
                return Err(FeedStartError::OtherFee { market, pool, configured: fee, found });
            }
        }
    }
    for token in [base, quote] {
        has_decimals(endpoints, market, token).await?;
    }
    let (base_decimals, quote_decimals) = (base.decimals, quote.decimals);
    Ok(PoolMarket { instrument, pool, version, base_is_first, base_decimals, quote_decimals, fee })
}

async fn has_decimals(
    endpoints: &Endpoints,
    market: &WatchedMarket,
    token: &Token,
) -> Result<(), FeedStartError> {
    let what = format!("the token {}", token.symbol);
    let found = read(endpoints, token.address, &Erc20::decimalsCall {}, At::Latest).await;
    let found = found.map_err(|error| unlike(market, token.address, &what, error))?;
    if found == token.decimals {
        return Ok(());
    }
    Err(FeedStartError::OtherDecimals {
        market: market.symbol.clone(),
        token: token.symbol.clone(),
        address: token.address,
        configured: token.decimals,
        found,
    })
}

/// Nobody answered, or it was another contract.
fn unlike(market: &WatchedMarket, contract: Address, what: &str, error: ChainError) -> FeedStartError {
    let (market, what) = (market.symbol.clone(), what.to_owned());
    match error {
        ChainError::Reverted(_) | ChainError::Malformed(_) => {
            FeedStartError::OtherContract { market, contract, what, why: error.to_string() }
        }
        ChainError::Unavailable(_) | ChainError::Refused(_) | ChainError::Disagreement(_) => {
            FeedStartError::Chain { market, error }
        }
    }
}
