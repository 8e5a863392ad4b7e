//! The check whether a token can be sold again, on a real node with tokens good and bad.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

use std::time::Duration;

use alloy::primitives::{Address, U256};
use bulkhead_evm::pools::round_trip::{RoundTrip, RoundTripError, Verdict};
use bulkhead_evm::rpc::{EndpointSettings, Endpoints};
use bulkhead_evm::settings::Route;
use bulkhead_evm_chain::account::deployer;
use bulkhead_evm_chain::contracts::Token;
use bulkhead_evm_chain::{Chain, Fault, Faulty};

fn units(whole: u64, decimals: u64) -> U256 {
    U256::from(whole) * U256::from(10).pow(U256::from(decimals))
}

fn endpoints(url: &str) -> Endpoints {
    let settings =
        EndpointSettings { url: url.to_owned(), requests_per_second: None, timeout: Duration::from_secs(10) };
    Endpoints::new(bulkhead_evm_chain::chain::CHAIN_ID, &[settings]).unwrap()
}

/// A tenth of wrapped ether into this token and back, in a new pool with ten.
async fn with_ether(chain: &Chain, token: Address) -> RoundTrip {
    chain.add_v2_pool(chain.deployed().weth, units(10, 18), token, units(1_000, 18)).await;
    trip(chain, token)
}

fn trip(chain: &Chain, token: Address) -> RoundTrip {
    over(chain, &[chain.deployed().weth, token])
}

/// At the router like Uniswap V2's.
fn over(chain: &Chain, path: &[Address]) -> RoundTrip {
    let (router, wrapped_native) = (chain.deployed().v2_router, chain.deployed().weth);
    let route = Route::V2 { router, path: path.to_vec() };
    RoundTrip { route, wrapped_native, amount: units(1, 17) }
}

/// Both ways of trying must come to the same, that of nodes with `eth_simulateV1` and that of the others.
async fn verdict(chain: &Chain, trip: &RoundTrip) -> Verdict {
    let verdict = trip.run(&endpoints(chain.url())).await.unwrap();
    let old = Faulty::before(chain.url()).await;
    old.fail_always(
        "eth_simulateV1",
        Fault::Error { code: -32601, message: "the method eth_simulateV1 does not exist".to_owned() },
    );
    assert_eq!(trip.run(&endpoints(old.url())).await.unwrap(), verdict);
    assert!(!old.requests_of("eth_simulateV1").is_empty());
    verdict
}

#[tokio::test]
async fn a_good_token_has_no_tax() {
    let chain = Chain::start().await;
    let trip = with_ether(&chain, chain.deployed().tokens.plain).await;
    let before = chain.block_number().await;
    assert_eq!(verdict(&chain, &trip).await, Verdict::Sellable { buy_tax_bps: 0, sell_tax_bps: 0 });
    assert_eq!(chain.block_number().await, before, "nothing was sent");
}

#[tokio::test]
async fn taxes_are_told_apart() {
    let chain = Chain::start().await;
    let token = chain.deployed().tokens.fee;
    let trip = with_ether(&chain, token).await;
    let set = Token::setFeesCall { buyFeeBps: U256::from(300), sellFeeBps: U256::from(2_500) };
    chain.transact(&deployer(), token, &set).await.unwrap();
    let Verdict::Sellable { buy_tax_bps, sell_tax_bps } = verdict(&chain, &trip).await else { panic!() };
    assert_eq!(buy_tax_bps, 300);
    // What is left out of a pool comes out a little dearer, as the price moves less.
    assert!((2_470..=2_500).contains(&sell_tax_bps), "{sell_tax_bps}");
}

#[tokio::test]
async fn a_honeypot_is_found_and_so_are_its_relatives() {
    let chain = Chain::start().await;
    let tokens = chain.deployed().tokens.clone();
    let honeypot = with_ether(&chain, tokens.honeypot).await;
    let Verdict::NotSellable { reason } = verdict(&chain, &honeypot).await else { panic!() };
    assert!(reason.contains("TRANSFER_FROM_FAILED"), "{reason}");

    let refused = with_ether(&chain, tokens.approval_refused).await;
    assert!(matches!(verdict(&chain, &refused).await, Verdict::NotApprovable { .. }));
    let reverts = with_ether(&chain, tokens.approval_reverts).await;
    let Verdict::NotApprovable { reason } = verdict(&chain, &reverts).await else { panic!() };
    assert!(reason.contains("custom error"), "{reason}");

    let paused = with_ether(&chain, tokens.pausable).await;
    assert!(verdict(&chain, &paused).await.is_within(0));
    chain.transact(&deployer(), tokens.pausable, &Token::setPausedCall { paused: true }).await.unwrap();
    let Verdict::NotBuyable { reason } = verdict(&chain, &paused).await else { panic!() };
    assert!(reason.contains("TRANSFER_FAILED"), "{reason}");

    let nowhere = trip(&chain, tokens.blacklist);
    assert!(matches!(verdict(&chain, &nowhere).await, Verdict::NoMarket { .. }));
}

#[tokio::test]
async fn it_can_be_paid_with_any_token_that_keeps_its_balances_as_most_do() {
    let chain = Chain::start().await;
    let tokens = chain.deployed().tokens.clone();
    for quote in [tokens.dollar, tokens.silent] {
        chain.add_v2_pool(quote, units(10_000, 6), tokens.plain, units(1_000, 18)).await;
        let trip = RoundTrip { amount: units(100, 6), ..over(&chain, &[quote, tokens.plain]) };
        assert_eq!(verdict(&chain, &trip).await, Verdict::Sellable { buy_tax_bps: 0, sell_tax_bps: 0 });
    }
    // A contract that keeps no balances at all.
    let quote = chain.deployed().v2_factory;
    let unknown = over(&chain, &[quote, tokens.plain]);
    assert_eq!(unknown.run(&endpoints(chain.url())).await, Err(RoundTripError::NoFunds { quote }));
    let nothing = RoundTrip { amount: U256::ZERO, ..trip(&chain, tokens.plain) };
    assert_eq!(nothing.run(&endpoints(chain.url())).await, Err(RoundTripError::NoAmount));
}

#[tokio::test]
async fn v3_pools_are_tried_as_well() {
    let chain = Chain::start().await;
    let (deployed, tokens) = (chain.deployed().clone(), chain.deployed().tokens.clone());
    for (token, good) in [(tokens.plain, true), (tokens.honeypot, false), (tokens.fee, false)] {
        chain.add_v3_pool(deployed.weth, units(10, 18), token, units(1_000, 18), 3_000).await;
        let (router, quoter) = (deployed.v3_router, deployed.v3_quoter);
        let route = Route::V3 { router, quoter, path: vec![deployed.weth, token], fees: vec![3_000] };
        let verdict = verdict(&chain, &RoundTrip { route, ..trip(&chain, token) }).await;
        assert_eq!(verdict.is_within(0), good, "{verdict:?}");
        // A pool like V3's takes no token that keeps a part of what it is paid.
        assert_eq!(matches!(verdict, Verdict::NotSellable { .. }), !good, "{verdict:?}");
    }
}

/// Dollars for wrapped ether for the token, and back.
#[tokio::test]
async fn a_way_over_several_pools_is_gone_there_and_back() {
    let chain = Chain::start().await;
    let (deployed, tokens) = (chain.deployed().clone(), chain.deployed().tokens.clone());
    let (dollar, weth) = (tokens.dollar, deployed.weth);
    chain.add_v2_pool(dollar, units(20_000, 6), weth, units(10, 18)).await;
    chain.add_v3_pool(dollar, units(20_000, 6), weth, units(10, 18), 500).await;
    for (token, good) in [(tokens.plain, true), (tokens.honeypot, false), (tokens.fee, false)] {
        chain.add_v2_pool(weth, units(10, 18), token, units(1_000, 18)).await;
        chain.add_v3_pool(weth, units(10, 18), token, units(1_000, 18), 3_000).await;
        let path = vec![dollar, weth, token];
        let v2 = RoundTrip { amount: units(100, 6), ..over(&chain, &path) };
        let found = verdict(&chain, &v2).await;
        assert_eq!(found.is_within(0), good, "{found:?}");
        let (router, quoter) = (deployed.v3_router, deployed.v3_quoter);
        let v3 = RoundTrip { route: Route::V3 { router, quoter, path, fees: vec![500, 3_000] }, ..v2 };
        let found = verdict(&chain, &v3).await;
        assert_eq!(found.is_within(0), good, "{found:?}");
    }
}

#[tokio::test]
async fn the_code_that_is_tried_with_is_that_of_its_source() {
    let kept = include_str!("../src/pools/calls.hex").trim();
    assert_eq!(kept, alloy::hex::encode(bulkhead_evm_chain::runtime("Calls")));
}

#[tokio::test]
async fn without_an_answer_there_is_no_verdict() {
    let chain = Chain::start().await;
    let trip = with_ether(&chain, chain.deployed().tokens.plain).await;
    let front = Faulty::before(chain.url()).await;
    front.fail_always("eth_simulateV1", Fault::Unavailable);
    assert!(matches!(trip.run(&endpoints(front.url())).await, Err(RoundTripError::Chain(_))));
}
