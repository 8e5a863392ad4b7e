//! What pools and factories write down.

use alloy::primitives::aliases::U160;
use alloy::primitives::{Address, B256, I256, U256};
use alloy::rpc::types::Log;
use alloy::sol_types::SolEvent as _;

use crate::contracts::{FactoryV2, FactoryV3, PairV2, PoolV3};

/// Which Uniswap a pool is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Reserves, and one price for all of them.
    V2,
    /// Liquidity over ranges of prices.
    V3,
}

/// What happened in a pool, or that there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolEvent {
    /// A factory made a pool.
    Created {
        /// The factory.
        factory: Address,
        /// What kind of pool.
        version: Version,
        /// The pool.
        pool: Address,
        /// The token with the lower address.
        token0: Address,
        /// The other one.
        token1: Address,
        /// What a swap costs, in millionths.
        fee: u32,
    },
    /// A pool like V2's holds this now.
    Reserves {
        /// The pool.
        pool: Address,
        /// Of the token with the lower address, in its smallest unit.
        reserve0: U256,
        /// Of the other one.
        reserve1: U256,
    },
    /// A pool like V3's is at this price now.
    Price {
        /// The pool.
        pool: Address,
        /// The square root of the price of the first token in the second, with 96 binary places.
        sqrt_price: U160,
        /// The liquidity at that price.
        liquidity: u128,
    },
    /// Somebody swapped.
    Swapped {
        /// The pool.
        pool: Address,
        /// What the pool got of the token with the lower address; negative what it gave.
        amount0: I256,
        /// The same of the other one.
        amount1: I256,
    },
}

impl PoolEvent {
    /// The pool that it speaks of.
    #[must_use]
    pub const fn pool(&self) -> Address {
        match self {
            Self::Created { pool, .. }
            | Self::Reserves { pool, .. }
            | Self::Price { pool, .. }
            | Self::Swapped { pool, .. } => *pool,
        }
    }
}

/// What a pair like Uniswap V2's charges, in millionths; its events don't say it.
pub(crate) const V2_FEE: u32 = 3_000;

/// What the contracts are asked for: the kinds of events that [`decode`] knows.
pub(super) fn signatures() -> Vec<B256> {
    vec![
        FactoryV2::PairCreated::SIGNATURE_HASH,
        FactoryV3::PoolCreated::SIGNATURE_HASH,
        PairV2::Sync::SIGNATURE_HASH,
        PairV2::Swap::SIGNATURE_HASH,
        PoolV3::Swap::SIGNATURE_HASH,
    ]
}

/// What an entry says: nothing when it is of another kind or is not formed as its kind is. Anybody can write down what
/// looks like an event of a pool, so who wrote it is for the caller to look at.
pub(super) fn decode(log: &Log) -> Vec<PoolEvent> {
    let (author, Some(kind)) = (log.address(), log.topic0()) else { return Vec::new() };
    let log = &log.inner;
    match *kind {
        FactoryV2::PairCreated::SIGNATURE_HASH => FactoryV2::PairCreated::decode_log(log).map(|event| {
            vec![PoolEvent::Created {
                factory: author,
                version: Version::V2,
                pool: event.pair,
                token0: event.token0,
                token1: event.token1,
                fee: V2_FEE,
            }]
        }),
        FactoryV3::PoolCreated::SIGNATURE_HASH => FactoryV3::PoolCreated::decode_log(log).map(|event| {
            vec![PoolEvent::Created {
                factory: author,
                version: Version::V3,
                pool: event.pool,
                token0: event.token0,
                token1: event.token1,
                fee: event.fee.to(),
            }]
        }),
        PairV2::Sync::SIGNATURE_HASH => PairV2::Sync::decode_log(log).map(|event| {
            let (reserve0, reserve1) = (U256::from(event.reserve0), U256::from(event.reserve1));
            vec![PoolEvent::Reserves { pool: author, reserve0, reserve1 }]
        }),
        PairV2::Swap::SIGNATURE_HASH => PairV2::Swap::decode_log(log).map(|event| {
            let net = |got: U256, gave: U256| I256::from_raw(got).wrapping_sub(I256::from_raw(gave));
            vec![PoolEvent::Swapped {
                pool: author,
                amount0: net(event.amount0In, event.amount0Out),
                amount1: net(event.amount1In, event.amount1Out),
            }]
        }),
        PoolV3::Swap::SIGNATURE_HASH => PoolV3::Swap::decode_log(log).map(|event| {
            let (sqrt_price, liquidity) = (event.sqrtPriceX96, event.liquidity);
            vec![
                PoolEvent::Price { pool: author, sqrt_price, liquidity },
                PoolEvent::Swapped { pool: author, amount0: event.amount0, amount1: event.amount1 },
            ]
        }),
        _ => return Vec::new(),
    }
    .unwrap_or_default()
}
