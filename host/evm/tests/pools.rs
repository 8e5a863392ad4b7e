//! The watcher of pools on a real node: what it tells is what happened, also when blocks are taken back and servers fail.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

use std::time::Duration;

use alloy::primitives::{Address, U256};
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::InputKind;
use bulkhead_core::order::Side;
use bulkhead_evm::pools::market::{PoolMarket, PoolMarkets};
use bulkhead_evm::pools::watcher::{Observation, Seen, WatchError, Watcher, WatcherSettings};
use bulkhead_evm::pools::{PoolEvent, Version};
use bulkhead_evm::rpc::{EndpointSettings, Endpoints};
use bulkhead_evm_chain::contracts::PairV2;
use bulkhead_evm_chain::{Chain, Fault, Faulty};

fn units(whole: u64, decimals: u64) -> U256 {
    U256::from(whole) * U256::from(10).pow(U256::from(decimals))
}

fn endpoints(urls: &[&str]) -> Endpoints {
    let timeout = Duration::from_secs(5);
    let settings: Vec<_> = urls
        .iter()
        .map(|url| EndpointSettings { url: (*url).to_owned(), requests_per_second: None, timeout })
        .collect();
    Endpoints::new(bulkhead_evm_chain::chain::CHAIN_ID, &settings).unwrap()
}

fn factories(chain: &Chain) -> Vec<Address> {
    vec![chain.deployed().v2_factory, chain.deployed().v3_factory]
}

async fn look(watcher: &mut Watcher, endpoints: &Endpoints) -> Vec<Observation> {
    let mut told = Vec::new();
    watcher.look(endpoints, &mut told).await.unwrap();
    told
}

fn seen(told: &[Observation]) -> Vec<&Seen> {
    told.iter()
        .filter_map(|observation| if let Observation::Seen(seen) = observation { Some(seen) } else { None })
        .collect()
}

fn undone(told: &[Observation]) -> Vec<&Seen> {
    told.iter()
        .filter_map(|observation| if let Observation::Undone(seen) = observation { Some(seen) } else { None })
        .collect()
}

/// A chain with a pool of the plain token and the dollar at 2 dollars, whose watcher has told how it stands.
async fn watched() -> (Chain, Address, Endpoints, Watcher, Vec<Observation>) {
    let chain = Chain::start().await;
    let (plain, dollar) = (chain.deployed().tokens.plain, chain.deployed().tokens.dollar);
    let pool = chain.add_v2_pool(plain, units(1_000, 18), dollar, units(2_000, 6)).await;
    chain.mine(1).await;
    let endpoints = endpoints(&[chain.url()]);
    let mut watcher = Watcher::new(WatcherSettings::new(factories(&chain), vec![(pool, Version::V2)]));
    let told = look(&mut watcher, &endpoints).await;
    (chain, pool, endpoints, watcher, told)
}

async fn reserves_on_chain(chain: &Chain, pool: Address) -> (U256, U256) {
    let reserves = chain.call(Address::ZERO, pool, &PairV2::getReservesCall {}).await.unwrap();
    (U256::from(reserves.reserve0), U256::from(reserves.reserve1))
}

fn last_reserves(told: &[Observation]) -> (U256, U256) {
    let reserves = seen(told).into_iter().rev().find_map(|seen| match seen.event {
        PoolEvent::Reserves { reserve0, reserve1, .. } => Some((reserve0, reserve1)),
        _ => None,
    });
    reserves.unwrap()
}

#[tokio::test]
async fn new_pools_of_both_kinds_are_told_once() {
    let chain = Chain::start().await;
    let endpoints = endpoints(&[chain.url()]);
    let mut watcher = Watcher::new(WatcherSettings::new(factories(&chain), Vec::new()));
    assert!(seen(&look(&mut watcher, &endpoints).await).is_empty());
    let (plain, dollar) = (chain.deployed().tokens.plain, chain.deployed().tokens.dollar);
    let v2 = chain.add_v2_pool(plain, units(1_000, 18), dollar, units(2_000, 6)).await;
    let v3 = chain.add_v3_pool(plain, units(1_000, 18), dollar, units(2_000, 6), 10_000).await;
    let told = look(&mut watcher, &endpoints).await;
    let created: Vec<_> = seen(&told)
        .into_iter()
        .map(|seen| match seen.event {
            PoolEvent::Created { version, pool, token0, token1, fee, .. } => {
                (version, pool, token0, token1, fee)
            }
            ref other => panic!("{other:?}"),
        })
        .collect();
    let (first, second) = (plain.min(dollar), plain.max(dollar));
    assert_eq!(created, [(Version::V2, v2, first, second, 3_000), (Version::V3, v3, first, second, 10_000)]);
    assert!(seen(&look(&mut watcher, &endpoints).await).is_empty());

    // What is found is watched when somebody wants it.
    watcher.watch(v2, Version::V2);
    chain.move_v2_price(dollar, plain, units(10, 6)).await;
    let told = look(&mut watcher, &endpoints).await;
    assert_eq!(last_reserves(&told), reserves_on_chain(&chain, v2).await);
}

#[tokio::test]
async fn strategies_see_what_is_swapped_and_what_it_costs_then() {
    let (chain, pool, endpoints, mut watcher, told) = watched().await;
    let (plain, dollar) = (chain.deployed().tokens.plain, chain.deployed().tokens.dollar);
    let market = PoolMarket::v2(InstrumentId(5), pool, plain < dollar, 18, 6);
    let mut markets = PoolMarkets::new([market], 64);
    let begun = markets.inputs(&told);
    let [(_, InputKind::Quote(quote))] = begun.as_slice() else { panic!("{begun:?}") };
    assert!((quote.bid - 2.0 * 0.997).abs() < 1e-9 && (quote.liquidity - 2_000.0).abs() < 1e-6, "{quote:?}");

    chain.move_v2_price(dollar, plain, units(100, 6)).await;
    chain.move_v2_price(plain, dollar, units(20, 18)).await;
    let inputs = markets.inputs(&look(&mut watcher, &endpoints).await);
    let kinds: Vec<_> = inputs.iter().map(|(_, input)| input).collect();
    let [InputKind::Quote(up), InputKind::Trade(buy), InputKind::Quote(down), InputKind::Trade(sale)] =
        kinds.as_slice()
    else {
        panic!("{inputs:?}")
    };
    assert_eq!((buy.taker, sale.taker), (Side::Buy, Side::Sell));
    assert!((buy.price * buy.quantity - 100.0).abs() < 1e-6 && (sale.quantity - 20.0).abs() < 1e-9);
    assert!(up.bid > quote.bid && down.bid < up.bid && up.is_sound() && down.is_sound());
    assert!(inputs.is_sorted_by_key(|(time, _)| *time));
}

#[tokio::test]
async fn a_v3_pool_is_told_with_its_price() {
    let chain = Chain::start().await;
    let (plain, dollar) = (chain.deployed().tokens.plain, chain.deployed().tokens.dollar);
    let pool = chain.add_v3_pool(plain, units(1_000, 18), dollar, units(2_000, 6), 3_000).await;
    chain.mine(1).await;
    let endpoints = endpoints(&[chain.url()]);
    let mut watcher = Watcher::new(WatcherSettings::new(Vec::new(), vec![(pool, Version::V3)]));
    let mut market = PoolMarket::v2(InstrumentId(5), pool, plain < dollar, 18, 6);
    market.version = Version::V3;
    let mut markets = PoolMarkets::new([market], 64);
    let mut told = look(&mut watcher, &endpoints).await;
    chain.move_v3_price(dollar, plain, 3_000, units(100, 6)).await;
    told.extend(look(&mut watcher, &endpoints).await);
    let inputs = markets.inputs(&told);
    let kinds: Vec<_> = inputs.iter().map(|(_, input)| input).collect();
    let [InputKind::Quote(before), InputKind::Quote(after), InputKind::Trade(buy)] = kinds.as_slice() else {
        panic!("{inputs:?}")
    };
    assert!(
        (before.bid - 2.0 * 0.997).abs() < 1e-6 && (before.liquidity - 2_000.0).abs() < 1e-3,
        "{before:?}"
    );
    assert!(after.bid > before.bid && buy.taker == Side::Buy);
    assert!((buy.price * buy.quantity - 100.0).abs() < 1e-6);
}

#[tokio::test]
async fn what_a_reorganisation_takes_back_is_undone_newest_first() {
    let (chain, pool, endpoints, mut watcher, told) = watched().await;
    let (plain, dollar) = (chain.deployed().tokens.plain, chain.deployed().tokens.dollar);
    let before = last_reserves(&told);
    // The first needs an approval, and in a reorganisation that would be gone as well.
    chain.move_v2_price(dollar, plain, units(1, 6)).await;
    chain.move_v2_price(dollar, plain, units(2, 6)).await;
    chain.mine(1).await;
    let told = look(&mut watcher, &endpoints).await;
    let happened: Vec<Seen> = seen(&told).into_iter().cloned().collect();
    assert_eq!(happened.len(), 4, "{told:?}");

    chain.reorg(3).await;
    assert_eq!(reserves_on_chain(&chain, pool).await, before);
    let told = look(&mut watcher, &endpoints).await;
    let taken_back: Vec<Seen> = undone(&told).into_iter().cloned().collect();
    assert!(taken_back.iter().eq(happened.iter().rev()), "{told:?}");
    assert!(seen(&told).is_empty());
    assert_eq!(watcher.newest().unwrap().number, chain.block_number().await);

    chain.move_v2_price(dollar, plain, units(5, 6)).await;
    let told = look(&mut watcher, &endpoints).await;
    assert!(undone(&told).is_empty());
    assert_eq!(last_reserves(&told), reserves_on_chain(&chain, pool).await);
}

#[tokio::test]
async fn more_than_is_kept_is_not_undone_in_silence() {
    let chain = Chain::start().await;
    let endpoints = endpoints(&[chain.url()]);
    let mut settings = WatcherSettings::new(factories(&chain), Vec::new());
    settings.deepest_reorganisation = 3;
    let mut watcher = Watcher::new(settings);
    for _ in 0..5 {
        chain.mine(1).await;
        look(&mut watcher, &endpoints).await;
    }
    chain.reorg(5).await;
    let error = watcher.look(&endpoints, &mut Vec::new()).await.unwrap_err();
    assert_eq!(error, WatchError::TooDeep { kept: 3 });
    look(&mut watcher, &endpoints).await;
    assert_eq!(watcher.newest().unwrap().number, chain.block_number().await);
}

#[tokio::test]
async fn the_past_is_read_in_pieces_that_servers_bear() {
    let chain = Chain::start().await;
    let (plain, dollar) = (chain.deployed().tokens.plain, chain.deployed().tokens.dollar);
    let first = chain.block_number().await;
    chain.add_v2_pool(plain, units(1_000, 18), dollar, units(2_000, 6)).await;
    chain.mine(40).await;
    chain.add_v3_pool(plain, units(1_000, 18), dollar, units(2_000, 6), 500).await;
    chain.mine(20).await;
    let front = Faulty::before(chain.url()).await;
    let endpoints = endpoints(&[front.url()]);
    let too_many =
        Fault::Error { code: -32005, message: "query returned more than 10000 results".to_owned() };
    front.fail("eth_getLogs", too_many, 3);
    let mut settings = WatcherSettings::new(factories(&chain), Vec::new());
    (settings.first_block, settings.deepest_reorganisation) = (Some(first), 8);
    let mut watcher = Watcher::new(settings);
    let told = look(&mut watcher, &endpoints).await;
    let versions: Vec<_> = seen(&told)
        .into_iter()
        .map(|seen| if let PoolEvent::Created { version, .. } = seen.event { Some(version) } else { None })
        .collect();
    assert_eq!(versions, [Some(Version::V2), Some(Version::V3)]);
    assert!(front.requests_of("eth_getLogs").len() > 4, "it asked for less at a time");
    assert!(seen(&look(&mut watcher, &endpoints).await).is_empty());
}

#[tokio::test]
async fn a_server_that_fails_or_is_behind_makes_nothing_up_and_loses_nothing() {
    let (chain, pool, _, mut watcher, _) = watched().await;
    let (plain, dollar) = (chain.deployed().tokens.plain, chain.deployed().tokens.dollar);
    let front = Faulty::before(chain.url()).await;
    let endpoints = endpoints(&[front.url()]);
    chain.move_v2_price(dollar, plain, units(1, 6)).await;
    chain.move_v2_price(dollar, plain, units(2, 6)).await;
    for fault in [Fault::Lie(serde_json::json!(null)), Fault::Garbage, Fault::Unavailable, Fault::CloseAfter]
    {
        front.fail("eth_getLogs", fault, 1);
    }
    front.fail("eth_getLogs", Fault::Error { code: -32000, message: "unknown block".to_owned() }, 1);
    let (mut told, mut failures) = (Vec::new(), 0);
    while watcher.look(&endpoints, &mut told).await.is_err() {
        failures += 1;
        assert!(failures < 1_000, "it comes to an end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(failures >= 5);
    assert_eq!(seen(&told).len(), 4, "each once: {told:?}");
    assert_eq!(last_reserves(&told), reserves_on_chain(&chain, pool).await);
    // A server that is behind is not one whose blocks were taken back.
    front.lag(2);
    let mut told = Vec::new();
    watcher.look(&endpoints, &mut told).await.unwrap_err();
    assert!(undone(&told).is_empty());
}
