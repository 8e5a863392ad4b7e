use solana_address::Address;
use solana_keypair::Keypair;
use solana_signer::Signer as _;

use crate::chain::{Chain, SOL};
use crate::jupiter::Jupiter;
use crate::program::{Pool, Side, Swap, brings};
use crate::tokens::{Mint, WRAPPED_SOL, associated, create_idempotent};

/// The smallest units of a dollar.
const DOLLAR: u64 = 1_000_000;

/// What the trader has at the start, in whole dollars.
pub const TRADER_DOLLARS: u64 = 20_000;

/// What the trader has at the start, in whole SOL.
pub const TRADER_SOL: u64 = 100;

/// What is in the pool at the start, in whole units.
const POOL_SOL: u64 = 20_000;
const POOL_DOLLARS: u64 = 3_000_000;

/// What amounts of others are counted in.
const PARTS: u64 = 10_000;

/// The most that others buy or sell at once, in ten-thousandths of what the pool held at the start.
const LARGEST_SWAP: u64 = 8;

/// SOL against the dollar, an aggregator, and a trader with both.
pub struct LocalMarket {
    /// The aggregator that knows the pool.
    pub jupiter: Jupiter,
    /// The dollar's mint.
    pub dollar: Address,
    /// Where SOL is traded for dollars.
    pub pool: Pool,
    trader: Keypair,
    /// What decides how much others trade.
    state: u64,
}

impl LocalMarket {
    /// Makes the pool, hands out the funds, and starts the aggregator at this port, or anywhere when it is 0. The addresses
    /// are the same on every new chain.
    pub async fn open(chain: &Chain, port: u16) -> Self {
        let trader = chain.keypair();
        let dollar = chain.mint(&Mint::plain(6));
        let pool = chain.add_pool(WRAPPED_SOL, POOL_SOL * SOL, dollar, POOL_DOLLARS * DOLLAR);
        chain.give_lamports(trader.pubkey(), TRADER_SOL * SOL);
        chain.give_tokens(dollar, trader.pubkey(), TRADER_DOLLARS * DOLLAR);
        let jupiter = Jupiter::start_at(chain, &[pool], port).await;
        Self { jupiter, dollar, pool, trader, state: 0x9e37_79b9_7f4a_7c15 }
    }

    /// Whose key a host of the test has.
    #[must_use]
    pub const fn trader(&self) -> &Keypair {
        &self.trader
    }

    /// The trader's key as Solana's own tools write it.
    #[must_use]
    pub fn trader_as_json(&self) -> String {
        serde_json::to_string(&self.trader.to_bytes().to_vec()).expect("numbers can be written")
    }

    /// Somebody with dollars and lamports buys SOL for so many dollars, and keeps it wrapped.
    pub fn buys(&self, chain: &Chain, who: &Keypair, dollars: u64) {
        let user = who.pubkey();
        let (given, got) = self.pool.sides(self.dollar);
        let own = |side: Side| associated(user, side.mint, side.token_program);
        let swap = Swap {
            user,
            given,
            source: own(given),
            got,
            destination: own(got),
            elsewhere: None,
            amount: dollars * DOLLAR,
            quoted: 1,
            slippage_bps: 0,
            platform_fee_bps: 0,
        };
        let account = create_idempotent(user, user, got.mint, got.token_program);
        chain.execute(who, &[account, swap.route_v2()]).expect("the pool is deep enough");
    }

    /// Others buy (or sell) for so many ten-thousandths of what the pool held at the start.
    pub fn others_trade(&self, chain: &Chain, buy: bool, parts: u64) {
        let (coins, dollars) = (chain.tokens_at(self.pool.one.vault), chain.tokens_at(self.pool.other.vault));
        let (coins, dollars) = if buy {
            let paid = POOL_DOLLARS * DOLLAR / PARTS * parts;
            (coins - brings(paid, dollars, coins), dollars + paid)
        } else {
            let sold = POOL_SOL * SOL / PARTS * parts;
            (coins + sold, dollars - brings(sold, coins, dollars))
        };
        chain.set_pool(&self.pool, coins, dollars);
    }

    /// One more trade of others, drawn back to what the pool held at the start.
    pub fn live_on(&mut self, chain: &Chain) {
        let mut draw = |limit: u64| {
            self.state =
                self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.state >> 33) % limit
        };
        let (side, parts) = (draw(100), 1 + draw(LARGEST_SWAP));
        let coins = chain.tokens_at(self.pool.one.vault);
        let many = coins > POOL_SOL * SOL;
        self.others_trade(chain, side < if many { 55 } else { 45 }, parts);
    }
}
