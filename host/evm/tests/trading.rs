//! Orders on a real node and real pools: each way of trading, and that the books equal the chain afterwards.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod support;

use std::time::Duration;

use bulkhead_core::order::Side;
use bulkhead_evm::settings::{GasValue, Market, Route, Token, TransferFees};
use bulkhead_evm_chain::{Chain, Fault, Faulty, Options};
use rust_decimal::Decimal;
use serde_json::json;
use support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_and_a_sale_at_a_v2_router() {
    let mut account = Account::start(Options::default()).await;
    account.begin().await;
    account.order(Side::Buy, "5");
    account.all_ended().await;
    assert_eq!(account.held(), Decimal::from(5));
    let told = account.told();
    for stage in ["quoted", "checked", "signed", "submitted", "included", "confirmed", "filled"] {
        assert!(told.iter().any(|told| told == stage), "{stage}: {told:?}");
    }
    account.books_equal_the_chain().await;
    account.order(Side::Sell, "5");
    account.all_ended().await;
    assert_eq!(account.held(), Decimal::ZERO);
    account.books_equal_the_chain().await;
    let (cash, fees) = account.cash_and_fees();
    assert!(fees > Decimal::ZERO && cash < Decimal::from(10_000), "{cash} {fees}");
    assert_eq!(account.nonce().await, 4, "each trade had one exact approval");
    assert_eq!(account.halted(), None);
}

/// Rollups take something for what a transaction costs them on the chain below, and say so in its receipt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_rollup_takes_for_data_is_booked() {
    let paid = async |data: Option<&str>| {
        let mut account = Account::start(Options::default()).await;
        let front = Faulty::before(account.chain.url()).await;
        if let Some(fee) = data {
            let change = Fault::Change(vec![("l1Fee".to_owned(), json!(fee))]);
            front.fail_always("eth_getTransactionReceipt", change);
        }
        account.urls = vec![front.url().to_owned()];
        account.begin().await;
        account.order(Side::Buy, "5");
        account.all_ended().await;
        account.books_equal_the_chain().await;
        account.cash_and_fees().1
    };
    let gas = paid(None).await;
    // A thousandth of a unit of native currency, worth 2,000, for each of two transactions.
    let whole = paid(Some("0x38d7ea4c68000")).await;
    let data = whole - gas;
    // Gas itself is not the same in every block.
    assert!(data > Decimal::new(35, 1) && data < Decimal::new(45, 1), "{gas} {whole}");
}

/// PLAIN for DOLLAR over wrapped native currency, at V3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hops_at_a_v3_router() {
    let chain = Chain::start().await;
    let deployed = chain.deployed().clone();
    let (plain, dollar, weth) = (deployed.tokens.plain, deployed.tokens.dollar, deployed.weth);
    chain.add_v3_pool(plain, units(10_000, 18), weth, units(500, 18), 3_000).await;
    chain.add_v3_pool(weth, units(500, 18), dollar, units(1_000_000, 6), 500).await;
    let route = Route::V3 {
        router: deployed.v3_router,
        quoter: deployed.v3_quoter,
        path: vec![dollar, weth, plain],
        fees: vec![500, 3_000],
    };
    let gas = GasValue::Route(Route::V3 {
        router: deployed.v3_router,
        quoter: deployed.v3_quoter,
        path: vec![dollar, weth],
        fees: vec![500],
    });
    let market = Market {
        instrument: X,
        base: token("PLAIN", plain, 18),
        quote: token("DOLLAR", dollar, 6),
        routes: vec![route],
        transfer_fees: TransferFees::Refused,
    };
    let mut account = Account::trading(chain, market, gas, 10_000).await;
    account.begin().await;
    for side in [Side::Buy, Side::Sell] {
        account.order(side, "3");
        account.all_ended().await;
        account.books_equal_the_chain().await;
    }
    assert_eq!((account.held(), account.halted()), (Decimal::ZERO, None));
    assert!(account.cash_and_fees().0 < account.cash);
}

/// Native currency is bought and sold for dollars; at V2 and at V3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn native_currency_is_bought_and_sold() {
    for v3 in [false, true] {
        let chain = Chain::start().await;
        let deployed = chain.deployed().clone();
        let (dollar, weth) = (deployed.tokens.dollar, deployed.weth);
        let (eth, dollars) = (units(1_000, 18), units(100_000, 6));
        let route = if v3 {
            chain.add_v3_pool(weth, eth, dollar, dollars, 3_000).await;
            let (router, quoter) = (deployed.v3_router, deployed.v3_quoter);
            Route::V3 { router, quoter, path: vec![dollar, weth], fees: vec![3_000] }
        } else {
            chain.add_v2_pool(weth, eth, dollar, dollars).await;
            Route::V2 { router: deployed.v2_router, path: vec![dollar, weth] }
        };
        let native = Token { native: true, ..token("ETH", weth, 18) };
        let market = Market {
            instrument: X,
            base: native,
            quote: token("DOLLAR", dollar, 6),
            routes: vec![route.clone()],
            transfer_fees: TransferFees::Refused,
        };
        let mut account = Account::trading(chain, market, GasValue::Route(route), 10_000).await;
        let owner = account.key.address();
        let before = account.chain.native_balance_of(owner).await;
        account.begin().await;
        account.order(Side::Buy, "4");
        account.all_ended().await;
        assert_eq!(account.held(), Decimal::from(4), "{:?}", account.told());
        let after = account.chain.native_balance_of(owner).await;
        assert!(after > before + units(3, 18) && after < before + units(4, 18), "four, less the gas");
        account.order(Side::Sell, "4");
        account.all_ended().await;
        assert_eq!((account.held(), account.halted()), (Decimal::ZERO, None), "{:?}", account.told());
        let dollars = account.chain.balance_of(dollar, owner).await;
        let (cash, fees) = account.cash_and_fees();
        assert_eq!(bulkhead_evm::amounts::from_units(dollars, 6).unwrap(), (cash + fees).normalize());
    }
}

/// The account's currency is the native one: gas and trades come out of the same balance.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn native_currency_pays() {
    for v3 in [false, true] {
        let chain = Chain::start().await;
        let deployed = chain.deployed().clone();
        let (plain, weth) = (deployed.tokens.plain, deployed.weth);
        let route = if v3 {
            chain.add_v3_pool(weth, units(500, 18), plain, units(5, 18), 3_000).await;
            let (router, quoter) = (deployed.v3_router, deployed.v3_quoter);
            Route::V3 { router, quoter, path: vec![weth, plain], fees: vec![3_000] }
        } else {
            chain.add_v2_pool(weth, units(500, 18), plain, units(5, 18)).await;
            Route::V2 { router: deployed.v2_router, path: vec![weth, plain] }
        };
        let market = Market {
            instrument: X,
            base: token("PLAIN", plain, 18),
            quote: Token { native: true, ..token("ETH", weth, 18) },
            routes: vec![route],
            transfer_fees: TransferFees::Refused,
        };
        let mut account = Account::trading(chain, market, GasValue::Native, 10_000).await;
        let owner = account.key.address();
        account.begin().await;
        for side in [Side::Buy, Side::Sell] {
            account.order(side, "0.1");
            account.all_ended().await;
            let there = account.chain.native_balance_of(owner).await;
            let (cash, _) = account.cash_and_fees();
            let there = bulkhead_evm::amounts::from_units(there, 18).unwrap();
            // The books' unit is 10^-16, and each booking is rounded against the account.
            let difference = there - cash;
            let most = Decimal::new(1, 15);
            assert!(difference >= Decimal::ZERO && difference < most, "{there} {cash} {:?}", account.told());
        }
        assert_eq!((account.held(), account.halted()), (Decimal::ZERO, None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_better_of_two_routes_is_taken() {
    let mut account = Account::start(Options::default()).await;
    let deployed = account.chain.deployed().clone();
    let (plain, dollar) = (deployed.tokens.plain, deployed.tokens.dollar);
    // Ten per cent cheaper.
    account.chain.add_v3_pool(plain, units(10_000, 18), dollar, units(900_000, 6), 3_000).await;
    account.settings.markets[0].routes.push(Route::V3 {
        router: deployed.v3_router,
        quoter: deployed.v3_quoter,
        path: vec![dollar, plain],
        fees: vec![3_000],
    });
    account.begin().await;
    account.order(Side::Buy, "1");
    account.all_ended().await;
    let (cash, fees) = account.cash_and_fees();
    let paid = account.cash - cash - fees;
    assert!(paid > Decimal::from(90) && paid < Decimal::from(91), "{paid}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_order_waits_for_its_price() {
    let mut account = Account::start(Options::default()).await;
    account.begin().await;
    account.order_at(Side::Buy, "1", limit("99"));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((account.held(), account.told()), (Decimal::ZERO, Vec::new()));
    let (plain, dollar) = (account.chain.deployed().tokens.plain, account.chain.deployed().tokens.dollar);
    account.chain.move_v2_price(plain, dollar, units(200, 18)).await;
    account.all_ended().await;
    assert_eq!(account.held(), Decimal::ONE);
    let (cash, fees) = account.cash_and_fees();
    assert!(account.cash - cash - fees <= Decimal::from(99));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_are_not_what_they_seem_are_refused_before_anything_is_paid() {
    let cases = [
        ("fee", "keeps a part"),
        ("approval_refused", "answers no"),
        ("approval_reverts", "can't be approved"),
    ];
    for (name, expected) in cases {
        let chain = Chain::start().await;
        let deployed = chain.deployed().clone();
        let (dollar, weth) = (deployed.tokens.dollar, deployed.weth);
        let bad = match name {
            "fee" => deployed.tokens.fee,
            "approval_refused" => deployed.tokens.approval_refused,
            _ => deployed.tokens.approval_reverts,
        };
        chain.add_v2_pool(weth, units(1_000, 18), dollar, units(2_000_000, 6)).await;
        let router = deployed.v2_router;
        // One that can't be approved can have no pool, and is paid with.
        let (base, quote) = if name == "fee" {
            chain.add_v2_pool(bad, units(10_000, 18), dollar, units(1_000_000, 6)).await;
            (token("BAD", bad, 18), token("DOLLAR", dollar, 6))
        } else {
            (token("DOLLAR", dollar, 6), token("BAD", bad, 18))
        };
        let path = if name == "fee" { vec![dollar, bad] } else { vec![weth, dollar] };
        let market = Market {
            instrument: X,
            base,
            quote,
            routes: vec![Route::V2 { router, path }],
            transfer_fees: TransferFees::Refused,
        };
        let gas = GasValue::Route(Route::V2 { router, path: vec![dollar, weth] });
        let mut account = Account::trading(chain, market, gas, 10_000).await;
        account.begin().await;
        account.order(Side::Buy, "5");
        account.all_ended().await;
        let told = account.told();
        assert!(told.last().unwrap().contains(expected), "{name}: {told:?}");
        assert_eq!((account.held(), account.halted()), (Decimal::ZERO, None), "{name}");
        assert!(!told.iter().any(|stage| stage == "filled"), "{name}: {told:?}");
    }
}

/// Where the operator allows it, such a token is traded, and what really came is booked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_keeps_a_part_is_traded_where_that_is_allowed() {
    let chain = Chain::start().await;
    let deployed = chain.deployed().clone();
    let (dollar, weth, fee) = (deployed.tokens.dollar, deployed.weth, deployed.tokens.fee);
    let router = deployed.v2_router;
    chain.add_v2_pool(weth, units(1_000, 18), dollar, units(2_000_000, 6)).await;
    chain.add_v2_pool(fee, units(10_000, 18), dollar, units(1_000_000, 6)).await;
    let market = Market {
        instrument: X,
        base: token("FEE", fee, 18),
        quote: token("DOLLAR", dollar, 6),
        routes: vec![Route::V2 { router, path: vec![dollar, fee] }],
        transfer_fees: TransferFees::UpTo(600),
    };
    let gas = GasValue::Route(Route::V2 { router, path: vec![dollar, weth] });
    let mut account = Account::trading(chain, market, gas, 10_000).await;
    account.begin().await;
    account.order(Side::Buy, "10");
    account.all_ended().await;
    // The token keeps 5 % of what it moves.
    assert_eq!(account.held().round_dp(4), decimal("9.5"), "{:?}", account.told());
    account.books_equal_the_chain().await;
    assert_eq!(account.halted(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_allowance_that_changes_only_from_nothing_is_taken_back_first() {
    let chain = Chain::start().await;
    let deployed = chain.deployed().clone();
    let (silent, weth, plain) = (deployed.tokens.silent, deployed.weth, deployed.tokens.plain);
    let router = deployed.v2_router;
    chain.add_v2_pool(weth, units(1_000, 18), silent, units(2_000_000, 6)).await;
    chain.add_v2_pool(plain, units(10_000, 18), silent, units(1_000_000, 6)).await;
    let market = Market {
        instrument: X,
        base: token("PLAIN", plain, 18),
        quote: token("SILENT", silent, 6),
        routes: vec![Route::V2 { router, path: vec![silent, plain] }],
        transfer_fees: TransferFees::Refused,
    };
    let gas = GasValue::Route(Route::V2 { router, path: vec![silent, weth] });
    let mut account = Account::trading(chain, market, gas, 10_000).await;
    // Something is allowed, and not enough.
    let key = account.key.clone();
    account.chain.approve(silent, &key, router, units(1, 6)).await.unwrap();
    account.begin().await;
    account.order(Side::Buy, "2");
    account.all_ended().await;
    assert_eq!(account.held(), Decimal::TWO, "{:?}", account.told());
    account.books_equal_the_chain().await;
    assert_eq!(account.nonce().await, 4, "approved before, taken back, approved, traded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_can_not_be_sold_is_not_sent() {
    let chain = Chain::start().await;
    let deployed = chain.deployed().clone();
    let (dollar, weth, honeypot) = (deployed.tokens.dollar, deployed.weth, deployed.tokens.honeypot);
    let router = deployed.v2_router;
    chain.add_v2_pool(weth, units(1_000, 18), dollar, units(2_000_000, 6)).await;
    chain.add_v2_pool(honeypot, units(10_000, 18), dollar, units(1_000_000, 6)).await;
    let market = Market {
        instrument: X,
        base: token("HONEY", honeypot, 18),
        quote: token("DOLLAR", dollar, 6),
        routes: vec![Route::V2 { router, path: vec![dollar, honeypot] }],
        transfer_fees: TransferFees::Refused,
    };
    let gas = GasValue::Route(Route::V2 { router, path: vec![dollar, weth] });
    let mut account = Account::trading(chain, market, gas, 10_000).await;
    account.begin().await;
    account.order(Side::Buy, "1");
    account.all_ended().await;
    let nonce = account.nonce().await;
    account.order(Side::Sell, "1");
    account.all_ended().await;
    let told = account.told();
    assert!(told.last().unwrap().contains("would be reverted"), "{told:?}");
    assert_eq!(account.nonce().await, nonce + 1, "the approval alone was sent");
    account.books_equal_the_chain().await;
}

/// Unless that is switched off, such a token is not even bought; a good one is tried once for many purchases.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_can_not_be_sold_is_not_bought() {
    let chain = Chain::start().await;
    let deployed = chain.deployed().clone();
    let (dollar, weth, honeypot) = (deployed.tokens.dollar, deployed.weth, deployed.tokens.honeypot);
    let router = deployed.v2_router;
    chain.add_v2_pool(weth, units(1_000, 18), dollar, units(2_000_000, 6)).await;
    chain.add_v2_pool(honeypot, units(10_000, 18), dollar, units(1_000_000, 6)).await;
    let market = Market {
        instrument: X,
        base: token("HONEY", honeypot, 18),
        quote: token("DOLLAR", dollar, 6),
        routes: vec![Route::V2 { router, path: vec![dollar, honeypot] }],
        transfer_fees: TransferFees::Refused,
    };
    let gas = GasValue::Route(Route::V2 { router, path: vec![dollar, weth] });
    chain.add_v2_pool(honeypot, units(10_000, 18), weth, units(500, 18)).await;
    // Also over two pools.
    for path in [vec![dollar, honeypot], vec![dollar, weth, honeypot]] {
        let mut market = market.clone();
        market.routes = vec![Route::V2 { router, path }];
        let chain = Chain::attach(chain.url(), deployed.clone());
        let mut account = Account::trading(chain, market, gas.clone(), 10_000).await;
        account.settings.resale_known_for = Some(Duration::from_secs(600));
        account.begin().await;
        account.order(Side::Buy, "1");
        account.all_ended().await;
        let told = account.told();
        assert!(told.last().unwrap().contains("HONEY could not be sold again"), "{told:?}");
        assert_eq!(account.nonce().await, 0, "nothing was sent");
    }

    let mut account = Account::start(Options::default()).await;
    account.settings.resale_known_for = Some(Duration::from_secs(600));
    account.begin().await;
    for _ in 0..2 {
        account.order(Side::Buy, "1");
        account.all_ended().await;
    }
    assert_eq!(account.held(), Decimal::TWO, "{:?}", account.told());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_that_can_not_be_paid_end_with_what_is_missing() {
    let mut account = Account::start(Options::default()).await;
    account.begin().await;
    let (owner, dollar) = (account.key.clone(), account.chain.deployed().tokens.dollar);
    // Somebody takes the dollars away behind the books.
    let transfer = bulkhead_evm::contracts::Erc20::transferCall {
        to: account.chain.deployed().v2_router,
        value: units(9_999, 6),
    };
    account.chain.transact(&owner, dollar, &transfer).await.unwrap();
    account.order(Side::Buy, "5");
    account.all_ended().await;
    let told = account.told();
    assert!(told.last().unwrap().contains("the account holds 1 DOLLAR"), "{told:?}");
    assert_eq!(account.held(), Decimal::ZERO);
}
