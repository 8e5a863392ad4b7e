//! From pools to what strategies see: quotes and trades.

use std::collections::BTreeMap;

use alloy::primitives::aliases::U160;
use alloy::primitives::{Address, I256, U256};
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::InputKind;
use bulkhead_core::market::{MarketTrade, Quote};
use bulkhead_core::order::Side;
use bulkhead_core::time::Timestamp;

use super::decode::{PoolEvent, V2_FEE, Version};
use super::watcher::{BlockSeen, Observation};

/// A pool and the instrument whose market it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolMarket {
    /// The instrument.
    pub instrument: InstrumentId,
    /// The pool.
    pub pool: Address,
    /// Its kind.
    pub version: Version,
    /// Whether the token with the lower address is the base, the one that is bought and sold.
    pub base_is_first: bool,
    /// Digits behind the point of the base token.
    pub base_decimals: u8,
    /// Digits behind the point of the quote token.
    pub quote_decimals: u8,
    /// What a swap costs, in millionths.
    pub fee: u32,
}

impl PoolMarket {
    /// A pair like those of Uniswap V2, whose fee is 3,000 millionths.
    #[must_use]
    pub const fn v2(
        instrument: InstrumentId,
        pool: Address,
        base_is_first: bool,
        base_decimals: u8,
        quote_decimals: u8,
    ) -> Self {
        let (version, fee) = (Version::V2, V2_FEE);
        Self { instrument, pool, version, base_is_first, base_decimals, quote_decimals, fee }
    }
}

/// How a pool stands.
#[derive(Debug, Clone, Copy, PartialEq)]
struct State {
    /// The price without the fee, in the quote currency.
    price: f64,
    /// What there is of the quote currency around that price.
    depth: f64,
}

/// What strategies see of some pools. The times never go back, also when blocks are taken back.
#[derive(Debug)]
pub struct PoolMarkets {
    markets: BTreeMap<Address, PoolMarket>,
    /// How each pool stood, by block, so that it can be gone back to.
    states: BTreeMap<Address, Vec<(BlockSeen, State)>>,
    kept: usize,
    newest: Timestamp,
    /// Pools whose newest price was taken back and not told anew.
    stale: Vec<Address>,
}

impl PoolMarkets {
    /// These pools. `kept` is how many changes of each are remembered, for when blocks are taken back.
    #[must_use]
    pub fn new(markets: impl IntoIterator<Item = PoolMarket>, kept: usize) -> Self {
        let markets: BTreeMap<_, _> = markets.into_iter().map(|market| (market.pool, market)).collect();
        let states = markets.keys().map(|pool| (*pool, Vec::new())).collect();
        let newest = Timestamp::from_seconds(0);
        Self { markets, states, kept: kept.max(1), newest, stale: Vec::new() }
    }

    /// What follows from what the watcher told, in its order. A trade that strategies were told of can't be taken back; the
    /// price that holds after blocks were taken back is told.
    #[must_use]
    pub fn inputs(&mut self, observations: &[Observation]) -> Vec<(Timestamp, InputKind)> {
        let mut inputs = Vec::new();
        for observation in observations {
            match observation {
                Observation::Seen(seen) => {
                    let pool = seen.event.pool();
                    let Some(market) = self.markets.get(&pool) else { continue };
                    let time = later(&mut self.newest, seen.block.timestamp);
                    let input = match seen.event {
                        PoolEvent::Reserves { reserve0, reserve1, .. } if market.version == Version::V2 => {
                            of_reserves(market, reserve0, reserve1)
                                .map(|state| (Some(state), quote(market, state, time)))
                        }
                        PoolEvent::Price { sqrt_price, liquidity, .. } if market.version == Version::V3 => {
                            of_price(market, sqrt_price, liquidity)
                                .map(|state| (Some(state), quote(market, state, time)))
                        }
                        PoolEvent::Swapped { amount0, amount1, .. } => {
                            trade(market, amount0, amount1, time).map(|trade| (None, InputKind::Trade(trade)))
                        }
                        _ => None,
                    };
                    let Some((state, input)) = input else { continue };
                    if let (Some(state), Some(states)) = (state, self.states.get_mut(&pool)) {
                        states.push((seen.block, state));
                        if states.len() > self.kept {
                            states.remove(0);
                        }
                        self.stale.retain(|other| *other != pool);
                    }
                    inputs.push((time, input));
                }
                Observation::Undone(seen) => {
                    let pool = seen.event.pool();
                    let Some(states) = self.states.get_mut(&pool) else { continue };
                    let before = states.len();
                    states.retain(|(block, _)| block.hash != seen.block.hash);
                    if states.len() < before && !self.stale.contains(&pool) {
                        self.stale.push(pool);
                    }
                }
                Observation::Reached(block) => {
                    let time = later(&mut self.newest, block.timestamp);
                    for pool in std::mem::take(&mut self.stale) {
                        let state = self.states.get(&pool).and_then(|states| states.last());
                        if let (Some(market), Some((_, state))) = (self.markets.get(&pool), state) {
                            inputs.push((time, quote(market, *state, time)));
                        }
                    }
                }
            }
        }
        inputs
    }
}

/// The time of a block, or of the newest that was told of when that is later.
fn later(newest: &mut Timestamp, seconds: u64) -> Timestamp {
    // A time that a node made up must not stop the clock for ever.
    let seconds = i64::try_from(seconds).unwrap_or_default().clamp(0, LAST_SECOND);
    *newest = (*newest).max(Timestamp::from_seconds(seconds));
    *newest
}

/// The year 2200.
const LAST_SECOND: i64 = 7_258_118_400;

fn of_reserves(market: &PoolMarket, reserve0: U256, reserve1: U256) -> Option<State> {
    let (base, quote) = if market.base_is_first { (reserve0, reserve1) } else { (reserve1, reserve0) };
    let (base, quote) = (whole(base, market.base_decimals), whole(quote, market.quote_decimals));
    sound(State { price: quote / base, depth: quote })
}

fn of_price(market: &PoolMarket, sqrt_price: U160, liquidity: u128) -> Option<State> {
    let root = f64::from(U256::from(sqrt_price)) / 2_f64.powi(96);
    #[expect(clippy::cast_precision_loss, reason = "market data are floating point")]
    let liquidity = liquidity as f64;
    // What a pool with this price and liquidity at all prices would hold, in the smallest units.
    let (first, second) = (liquidity / root, liquidity * root);
    let (base, quote) = if market.base_is_first { (first, second) } else { (second, first) };
    let base = base / power_of_ten(market.base_decimals);
    let quote = quote / power_of_ten(market.quote_decimals);
    // Without liquidity there is a price at which nothing can be had.
    if liquidity > 0.0 { sound(State { price: quote / base, depth: quote }) } else { None }
}

fn sound(state: State) -> Option<State> {
    (state.price.is_normal() && state.price > 0.0 && state.depth.is_finite()).then_some(state)
}

fn quote(market: &PoolMarket, state: State, time: Timestamp) -> InputKind {
    let kept = 1.0 - f64::from(market.fee.min(999_999)) / 1e6;
    InputKind::Quote(Quote {
        instrument: market.instrument,
        time,
        bid: state.price * kept,
        ask: state.price / kept,
        bid_size: 0.0,
        ask_size: 0.0,
        liquidity: state.depth,
    })
}

fn trade(market: &PoolMarket, amount0: I256, amount1: I256, time: Timestamp) -> Option<MarketTrade> {
    let (base, quote) = if market.base_is_first { (amount0, amount1) } else { (amount1, amount0) };
    if base.is_zero() || quote.is_zero() || base.is_negative() == quote.is_negative() {
        return None;
    }
    let quantity = whole(base.unsigned_abs(), market.base_decimals);
    let value = whole(quote.unsigned_abs(), market.quote_decimals);
    // The pool gives base to those who buy it.
    let taker = if base.is_negative() { Side::Buy } else { Side::Sell };
    let trade = MarketTrade { instrument: market.instrument, time, price: value / quantity, quantity, taker };
    trade.is_sound().then_some(trade)
}

fn whole(units: U256, decimals: u8) -> f64 {
    f64::from(units) / power_of_ten(decimals)
}

fn power_of_ten(decimals: u8) -> f64 {
    10_f64.powi(i32::from(decimals))
}

#[cfg(test)]
mod tests {
    use alloy::primitives::B256;

    use super::super::watcher::Seen;
    use super::*;

    const POOL: Address = Address::repeat_byte(7);

    fn market(base_is_first: bool) -> PoolMarket {
        PoolMarket::v2(InstrumentId(3), POOL, base_is_first, 18, 6)
    }

    fn units(whole: u64, decimals: u64) -> U256 {
        U256::from(whole) * U256::from(10).pow(U256::from(decimals))
    }

    fn block(number: u64, branch: u8) -> BlockSeen {
        BlockSeen { number, hash: B256::with_last_byte(branch), timestamp: 1_000 + number }
    }

    fn seen(block: BlockSeen, event: PoolEvent) -> Seen {
        Seen { block, transaction: None, event }
    }

    fn reserves(base: u64, quote: u64) -> PoolEvent {
        PoolEvent::Reserves { pool: POOL, reserve0: units(base, 18), reserve1: units(quote, 6) }
    }

    fn prices(inputs: &[(Timestamp, InputKind)]) -> Vec<(i64, f64)> {
        let price = |(time, input): &(Timestamp, InputKind)| match input {
            InputKind::Quote(quote) => (time.seconds(), quote.middle().round()),
            InputKind::Trade(trade) => (time.seconds(), trade.price),
            other => panic!("{other:?}"),
        };
        inputs.iter().map(price).collect()
    }

    #[test]
    fn reserves_become_a_quote_with_the_fee_on_both_sides() {
        let mut markets = PoolMarkets::new([market(true)], 8);
        let inputs = markets.inputs(&[Observation::Seen(seen(block(1, 1), reserves(100, 200_000)))]);
        let [(_, InputKind::Quote(quote))] = inputs.as_slice() else { panic!("{inputs:?}") };
        assert!((quote.bid - 1_994.0).abs() < 1e-6 && (quote.ask - 2_000.0 / 0.997).abs() < 1e-6);
        assert!((quote.liquidity - 200_000.0).abs() < 1e-6 && quote.is_sound());
    }

    #[test]
    fn a_price_of_v3_is_that_of_the_reserves_it_stands_for() {
        for base_is_first in [true, false] {
            let mut market = market(base_is_first);
            (market.version, market.base_decimals, market.quote_decimals) = (Version::V3, 18, 18);
            // The first token is worth four of the second.
            let event = PoolEvent::Price {
                pool: POOL,
                sqrt_price: U160::from(2) << 96,
                liquidity: 10_u128.pow(18) * 50,
            };
            let mut markets = PoolMarkets::new([market], 8);
            let inputs = markets.inputs(&[Observation::Seen(seen(block(1, 1), event))]);
            let [(_, InputKind::Quote(quote))] = inputs.as_slice() else { panic!("{inputs:?}") };
            let (price, depth) = if base_is_first { (4.0, 100.0) } else { (0.25, 25.0) };
            assert!((quote.bid / 0.997 - price).abs() < 1e-9 && (quote.liquidity - depth).abs() < 1e-9);
        }
    }

    #[test]
    fn swaps_are_trades_of_those_who_take() {
        let mut markets = PoolMarkets::new([market(true)], 8);
        let swapped = |base: i64, quote: i64| PoolEvent::Swapped {
            pool: POOL,
            amount0: I256::try_from(base).unwrap() * I256::try_from(10_u64.pow(18)).unwrap(),
            amount1: I256::try_from(quote).unwrap() * I256::try_from(1_000_000).unwrap(),
        };
        let tell = [(-2, 4_000), (3, -5_700), (0, 5), (1, 1)]
            .map(|(base, quote)| Observation::Seen(seen(block(1, 1), swapped(base, quote))));
        let inputs = markets.inputs(&tell);
        let [(_, InputKind::Trade(bought)), (_, InputKind::Trade(sold))] = inputs.as_slice() else {
            panic!("{inputs:?}")
        };
        assert_eq!((bought.taker, bought.price, bought.quantity), (Side::Buy, 2_000.0, 2.0));
        assert_eq!((sold.taker, sold.price, sold.quantity), (Side::Sell, 1_900.0, 3.0));
    }

    #[test]
    fn the_price_before_holds_again_when_blocks_are_taken_back() {
        let mut markets = PoolMarkets::new([market(true)], 8);
        let (first, gone) = (seen(block(1, 1), reserves(1, 100)), seen(block(9, 2), reserves(1, 150)));
        let before = markets.inputs(&[
            Observation::Seen(first),
            Observation::Seen(gone.clone()),
            Observation::Reached(gone.block),
        ]);
        assert_eq!(prices(&before), [(1_001, 100.0), (1_009, 150.0)]);
        // The other branch is younger, and time does not go back.
        let after = markets.inputs(&[Observation::Undone(gone), Observation::Reached(block(8, 3))]);
        assert_eq!(prices(&after), [(1_009, 100.0)]);
        let again = markets.inputs(&[Observation::Reached(block(10, 4))]);
        assert!(again.is_empty());
    }

    #[test]
    fn a_look_that_failed_after_blocks_were_taken_back_loses_no_price() {
        let mut markets = PoolMarkets::new([market(true)], 8);
        let (first, gone) = (seen(block(1, 1), reserves(1, 100)), seen(block(2, 2), reserves(1, 150)));
        let _ = markets.inputs(&[Observation::Seen(first), Observation::Seen(gone.clone())]);
        assert!(markets.inputs(&[Observation::Undone(gone)]).is_empty());
        assert_eq!(prices(&markets.inputs(&[Observation::Reached(block(3, 3))])), [(1_003, 100.0)]);
    }

    #[test]
    fn what_the_other_branch_says_is_enough() {
        let mut markets = PoolMarkets::new([market(true)], 8);
        let gone = seen(block(2, 1), reserves(1, 100));
        let _ = markets.inputs(&[Observation::Seen(gone.clone())]);
        let after = markets.inputs(&[
            Observation::Undone(gone),
            Observation::Seen(seen(block(2, 2), reserves(1, 120))),
            Observation::Reached(block(2, 2)),
        ]);
        assert_eq!(prices(&after), [(1_002, 120.0)]);
    }

    #[test]
    fn an_empty_pool_and_a_strange_one_have_no_price() {
        let mut markets = PoolMarkets::new([market(true)], 8);
        let other = PoolEvent::Reserves { pool: Address::ZERO, reserve0: U256::ONE, reserve1: U256::ONE };
        for event in [reserves(0, 5), reserves(5, 0), reserves(0, 0), other] {
            assert!(markets.inputs(&[Observation::Seen(seen(block(1, 1), event))]).is_empty());
        }
    }
}
