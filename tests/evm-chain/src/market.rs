use alloy::primitives::{Address, U256};
use alloy::signers::local::PrivateKeySigner;

use crate::account::account;
use crate::chain::Chain;

/// The account that trades against everybody else.
const OTHERS: usize = 9;

/// The account that a host of the test trades with.
const TRADER: usize = 0;

/// What the trader has at the start, in whole dollars.
pub const TRADER_DOLLARS: u64 = 20_000;

/// What is in the pool of Uniswap V2 at the start.
const POOL_COINS: u64 = 1_000;
const POOL_DOLLARS: u64 = 3_000_000;

/// What amounts of others are counted in.
const PARTS: u64 = 10_000;

/// The most that others buy or sell at once, in ten-thousandths of what the pool held at the start. The price moves by twice
/// as much.
const LARGEST_SWAP: u64 = 8;

/// Wrapped native currency against the dollar, in pools of Uniswap V2 and V3 (3,000 millionths), and a trader with dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalMarket {
    /// Uniswap V2's pool.
    pub v2_pool: Address,
    /// Uniswap V3's pool.
    pub v3_pool: Address,
    /// Whether others will buy next, and the state of what decides how much.
    state: u64,
}

/// So many whole units of a token.
#[must_use]
pub fn units(whole: u64, decimals: u64) -> U256 {
    U256::from(whole) * U256::from(10).pow(U256::from(decimals))
}

impl LocalMarket {
    /// Makes the pools and hands out the dollars. The addresses are the same on every new chain.
    pub async fn open(chain: &Chain) -> Self {
        let (coin, dollar) = (chain.deployed().weth, chain.deployed().tokens.dollar);
        let v2_pool = chain.add_v2_pool(coin, units(POOL_COINS, 18), dollar, units(POOL_DOLLARS, 6)).await;
        let v3_pool =
            chain.add_v3_pool(coin, units(POOL_COINS, 18), dollar, units(POOL_DOLLARS, 6), 3_000).await;
        chain.give(dollar, Self::trader().address(), units(TRADER_DOLLARS, 6)).await;
        let others = account(OTHERS);
        chain.give(dollar, others.address(), units(POOL_DOLLARS, 6)).await;
        chain.give(coin, others.address(), units(POOL_COINS, 18)).await;
        for token in [coin, dollar] {
            let router = chain.deployed().v2_router;
            chain.approve(token, &others, router, U256::MAX).await.expect("it can be approved");
        }
        Self { v2_pool, v3_pool, state: 0x9e37_79b9_7f4a_7c15 }
    }

    /// Whose key a host of the test has.
    #[must_use]
    pub fn trader() -> PrivateKeySigner {
        account(TRADER)
    }

    /// Others buy (or sell) for so many ten-thousandths of what the pool held at the start.
    pub async fn others_trade(&self, chain: &Chain, buy: bool, parts: u64) {
        let (coin, dollar) = (chain.deployed().weth, chain.deployed().tokens.dollar);
        let (path, amount) = if buy {
            ([dollar, coin], units(POOL_DOLLARS, 6) / U256::from(PARTS) * U256::from(parts))
        } else {
            ([coin, dollar], units(POOL_COINS, 18) / U256::from(PARTS) * U256::from(parts))
        };
        chain.swap_v2(&account(OTHERS), &path, amount).await.expect("the pool has both tokens");
    }

    /// Others trade a little, the same way on every new chain.
    pub async fn live_on(&mut self, chain: &Chain) {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.others_trade(chain, self.state & 1 == 0, 1 + (self.state >> 33) % LARGEST_SWAP).await;
    }
}
