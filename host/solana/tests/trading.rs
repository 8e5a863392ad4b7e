//! Orders that go well, in both forms of the aggregator.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod support;

use bulkhead_core::order::Side;
use bulkhead_solana_chain::Options;
use bulkhead_solana_chain::chain::SOL;
use bulkhead_solana_chain::tokens::Mint;
use rust_decimal::Decimal;
use support::*;

async fn buys_and_sells(mut account: Account) {
    account.begin().await;
    account.order(Side::Buy, "5");
    account.all_ended().await;
    let held = account.held();
    assert!(held > decimal("4.99") && held <= decimal("5"), "{held}: {:?}", account.told());
    account.books_equal_the_chain();
    let (cash, fees) = account.cash_and_fees();
    assert!(cash + fees < decimal("9499") && cash > decimal("9490"), "{cash}");
    // The signature, the price of being early, and the rent of the new account, at 200 dollars each SOL.
    let spent = Decimal::from(10 * SOL - account.chain.lamports(account.owner())) / Decimal::from(SOL);
    assert!((fees - spent * decimal("200")).abs() < decimal("0.01"), "{fees} for {spent}");
    assert!(fees > decimal("0.4"), "rent is booked: {fees}");

    account.order(Side::Sell, &held.to_string());
    account.all_ended().await;
    assert_eq!(account.held(), Decimal::ZERO, "{:?}", account.told());
    account.books_equal_the_chain();
    assert_eq!((account.landed(), account.halted()), (2, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_bought_and_sold_in_the_current_form() {
    let account = Account::start(Form::Current).await;
    buys_and_sells(account).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_bought_and_sold_in_the_older_form() {
    let account = Account::start(Form::Older).await;
    buys_and_sells(account).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_may_use_lookup_tables() {
    for form in [Form::Current, Form::Older] {
        let account = Account::start(form).await;
        let (one, other) = (account.pool.one, account.pool.other);
        let table = account.chain.add_table(&[one.vault, other.vault, one.mint, other.mint]);
        account.jupiter.use_table(table);
        buys_and_sells(account).await;
    }
}

/// The stages are those that every venue outside has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stage_is_written_down() {
    let mut account = Account::start(Form::Current).await;
    account.begin().await;
    account.order(Side::Buy, "1");
    account.all_ended().await;
    let told = account.told();
    let place = |stage: &str| {
        told.iter().position(|told| told == stage).unwrap_or_else(|| panic!("{stage}: {told:?}"))
    };
    let order = ["quoted", "checked", "signed", "submitted", "included", "confirmed"].map(place);
    assert!(order.is_sorted(), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sol_itself_is_traded_wrapped_on_the_way() {
    for form in [Form::Current, Form::Older] {
        let mut account = Account::trading_sol(form).await;
        let before = account.chain.lamports(account.owner());
        account.begin().await;
        account.order(Side::Buy, "2");
        account.all_ended().await;
        let held = account.held();
        assert!(held > decimal("1.99") && held <= decimal("2"), "{held}: {:?}", account.told());
        let came = account.chain.lamports(account.owner()) - before;
        let came = bulkhead_solana::amounts::from_units(came, 9);
        assert!(came < held && came > held - decimal("0.001"), "{came} of {held}: only fees are missing");

        account.order(Side::Sell, "1");
        account.all_ended().await;
        assert_eq!(account.held(), held - Decimal::ONE, "{:?}", account.told());
        let (cash, fees) = account.cash_and_fees();
        assert_eq!(account.dollars(), (cash + fees).normalize());
        assert_eq!(account.halted(), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_is_kept() {
    let mut account = Account::start(Form::Current).await;
    account.begin().await;
    let order = account.order_at(Side::Buy, "5", limit("99"));
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!((account.signed(), account.landed()), (0, 0), "{:?}", account.told());
    // Others sell until the price is below it.
    account.chain.set_pool(&account.pool, 10_100_000_000_000, 990_000_000_000);
    account.all_ended().await;
    assert!(account.held() > decimal("4.9"), "{order:?}: {:?}", account.told());
    let (cash, fees) = account.cash_and_fees();
    assert!(Decimal::from(CASH) - cash - fees <= decimal("495"), "{cash}");
    account.books_equal_the_chain();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_keeps_a_part_of_transfers_is_not_bought_below_its_bound() {
    let mint = Mint { transfer_fee_bps: Some(300), ..Mint::plain(9) };
    let mut account = Account::trading(Form::Current, mint, Options::default()).await;
    account.settings.market_order_timeout = std::time::Duration::from_secs(1);
    account.settings.safe_for = None;
    account.begin().await;
    account.order(Side::Buy, "5");
    account.all_ended().await;
    assert_eq!((account.held(), account.signed()), (Decimal::ZERO, 0), "{:?}", account.told());
}

/// Whoever can make more of a token, freeze it, or keeps a part of it: it is not bought.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_others_have_a_say_over_is_not_bought() {
    let somebody = Some(bulkhead_solana::programs::JUPITER);
    for (mint, words) in [
        (Mint { mint_authority: somebody, ..Mint::plain(9) }, "can make more of it"),
        (Mint { freeze_authority: somebody, ..Mint::plain(9) }, "can freeze it"),
        (Mint { transfer_hook: somebody, ..Mint::plain(9) }, "has a say in each of its transfers"),
        (Mint { transfer_fee_bps: Some(300), ..Mint::plain(9) }, "keeps 300 basis points"),
    ] {
        let mut account = Account::trading(Form::Current, mint, Options::default()).await;
        account.begin().await;
        account.order(Side::Buy, "5");
        account.all_ended().await;
        let told = account.last_told();
        assert!(told.contains(words), "{told}");
        assert_eq!((account.held(), account.signed()), (Decimal::ZERO, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_few_hold_is_not_bought() {
    let mut account = Account::start(Form::Current).await;
    account.chain.give_tokens(account.base, account.chain.address(), 600_000_000_000_000_000);
    account.settings.protection.largest_holders_bps = Some(5_000);
    account.begin().await;
    account.order(Side::Buy, "5");
    account.all_ended().await;
    assert!(account.last_told().contains("its ten largest accounts hold"), "{:?}", account.told());
    assert_eq!(account.signed(), 0);
}

/// With a tax that the operator puts up with, what it costs to get out again still counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_costs_too_much_to_sell_again_is_not_bought() {
    let mint = Mint { transfer_fee_bps: Some(300), ..Mint::plain(9) };
    let mut account = Account::trading(Form::Current, mint, Options::default()).await;
    account.settings.protection.transfer_fee_bps = 300;
    account.settings.slippage_bps = 400;
    account.settings.round_trip_bps = 400;
    account.begin().await;
    account.order(Side::Buy, "5");
    account.all_ended().await;
    assert!(account.last_told().contains("buying and selling it would cost"), "{:?}", account.told());
    assert_eq!(account.signed(), 0);
    account.die().await;
    account.settings.round_trip_bps = 1_000;
    account.begin().await;
    account.order(Side::Buy, "5");
    account.all_ended().await;
    assert!(account.held() > decimal("4.8"), "{:?}", account.told());
    account.books_equal_the_chain();
}
