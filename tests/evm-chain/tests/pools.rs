//! Uniswap as it is deployed: each kind of pool swaps, at the price that its formula gives.

use alloy::primitives::{Address, U256, aliases::U24, aliases::U160};
use bulkhead_evm_chain::Chain;
use bulkhead_evm_chain::account::account;
use bulkhead_evm_chain::contracts::{FactoryV3, PairV2, QuoterV3, RouterV2};

fn units(whole: u64, decimals: u64) -> U256 {
    U256::from(whole) * U256::from(10).pow(U256::from(decimals))
}

#[tokio::test]
async fn a_v2_pool_swaps_at_its_formula() {
    let chain = Chain::start().await;
    let (trader, weth, dollar) = (account(1), chain.deployed().weth, chain.deployed().tokens.dollar);
    let router = chain.deployed().v2_router;
    let pair = chain.add_v2_pool(weth, units(100, 18), dollar, units(200_000, 6)).await;
    let reserves = chain.call(trader.address(), pair, &PairV2::getReservesCall {}).await.unwrap();
    let first = chain.call(trader.address(), pair, &PairV2::token0Call {}).await.unwrap();
    let (of_dollar, of_weth) = if first == dollar {
        (reserves.reserve0, reserves.reserve1)
    } else {
        (reserves.reserve1, reserves.reserve0)
    };
    assert_eq!((U256::from(of_dollar), U256::from(of_weth)), (units(200_000, 6), units(100, 18)));

    chain.give(dollar, trader.address(), units(1_000, 6)).await;
    chain.approve(dollar, &trader, router, units(1_000, 6)).await.unwrap();
    let amount_in = units(1_000, 6);
    let quoted = RouterV2::getAmountsOutCall { amountIn: amount_in, path: vec![dollar, weth] };
    let quoted = chain.call(trader.address(), router, &quoted).await.unwrap();
    chain.swap_v2(&trader, &[dollar, weth], amount_in).await.unwrap();

    let paid = amount_in * U256::from(997);
    let expected = paid * units(100, 18) / (units(200_000, 6) * U256::from(1000) + paid);
    assert_eq!(chain.balance_of(weth, trader.address()).await, expected);
    assert_eq!(quoted[1], expected);
}

#[tokio::test]
async fn two_v2_pools_swap_one_after_the_other() {
    let chain = Chain::start().await;
    let (trader, deployed) = (account(1), chain.deployed().clone());
    let (plain, dollar) = (deployed.tokens.plain, deployed.tokens.dollar);
    chain.add_v2_pool(deployed.weth, units(10, 18), plain, units(5_000, 18)).await;
    chain.add_v2_pool(deployed.weth, units(10, 18), dollar, units(20_000, 6)).await;
    chain.give(dollar, trader.address(), units(20, 6)).await;
    chain.approve(dollar, &trader, deployed.v2_router, units(20, 6)).await.unwrap();
    chain.swap_v2(&trader, &[dollar, deployed.weth, plain], units(20, 6)).await.unwrap();
    let got = chain.balance_of(plain, trader.address()).await;
    assert!(got > units(4, 18) && got < units(5, 18), "{got}");
}

#[tokio::test]
async fn v3_pools_of_every_fee_swap_what_the_quoter_says() {
    let chain = Chain::start().await;
    let (trader, deployed) = (account(1), chain.deployed().clone());
    let (weth, dollar) = (deployed.weth, deployed.tokens.dollar);
    for fee in [500, 3_000, 10_000] {
        let pool = chain.add_v3_pool(weth, units(100, 18), dollar, units(200_000, 6), fee).await;
        let found = FactoryV3::getPoolCall { a: weth, b: dollar, fee: U24::from(fee) };
        assert_eq!(chain.call(trader.address(), deployed.v3_factory, &found).await.unwrap(), pool);
        chain.give(dollar, trader.address(), units(100, 6)).await;
        chain.approve(dollar, &trader, deployed.v3_router, units(100, 6)).await.unwrap();
        let quote = QuoterV3::quoteExactInputSingleCall {
            tokenIn: dollar,
            tokenOut: weth,
            fee: U24::from(fee),
            amountIn: units(100, 6),
            sqrtPriceLimitX96: U160::ZERO,
        };
        let quoted = chain.call(trader.address(), deployed.v3_quoter, &quote).await.unwrap();
        let before = chain.balance_of(weth, trader.address()).await;
        chain.swap_v3(&trader, dollar, weth, fee, units(100, 6)).await.unwrap();
        let got = chain.balance_of(weth, trader.address()).await - before;
        assert_eq!(got, quoted);
        // 100 dollars are a twentieth, less the fee and what the price moves.
        assert!(got > units(49, 15) - units(1, 15) && got < units(50, 15), "{fee}: {got}");
    }
}

#[tokio::test]
async fn others_move_the_price() {
    let chain = Chain::start().await;
    let (deployed, nobody) = (chain.deployed().clone(), Address::ZERO);
    let (weth, plain) = (deployed.weth, deployed.tokens.plain);
    chain.add_v2_pool(weth, units(10, 18), plain, units(1_000, 18)).await;
    chain.add_v3_pool(weth, units(10, 18), plain, units(1_000, 18), 3_000).await;
    let v2 = RouterV2::getAmountsOutCall { amountIn: units(1, 15), path: vec![weth, plain] };
    let v3 = QuoterV3::quoteExactInputSingleCall {
        tokenIn: weth,
        tokenOut: plain,
        fee: U24::from(3_000),
        amountIn: units(1, 15),
        sqrtPriceLimitX96: U160::ZERO,
    };
    let before_v2 = chain.call(nobody, deployed.v2_router, &v2).await.unwrap()[1];
    let before_v3 = chain.call(nobody, deployed.v3_quoter, &v3).await.unwrap();
    chain.move_v2_price(weth, plain, units(1, 18)).await;
    chain.move_v3_price(plain, weth, 3_000, units(100, 18)).await;
    assert!(chain.call(nobody, deployed.v2_router, &v2).await.unwrap()[1] < before_v2);
    assert!(chain.call(nobody, deployed.v3_quoter, &v3).await.unwrap() > before_v3);
}
