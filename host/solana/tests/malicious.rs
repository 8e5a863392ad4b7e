//! The aggregator makes transactions that do something else than was asked for. None of them is signed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod support;

use bulkhead_core::order::Side;
use bulkhead_solana_chain::jupiter::Tamper;
use bulkhead_solana_chain::program::{ROUTER, authority};
use bulkhead_solana_chain::tokens::{Mint, associated};
use rust_decimal::Decimal;
use solana_address::Address;
use support::*;

/// What is asked for is refused before it is signed, with these words; and nothing of it happened.
async fn is_refused(account: &mut Account, words: &str) {
    account.begin().await;
    account.order(Side::Buy, "5");
    account.all_ended().await;
    let told = account.last_told();
    assert!(told.contains(words), "{words:?} is not in {told:?}");
    assert_eq!((account.signed(), account.landed()), (0, 0), "{told}");
    assert_eq!(account.held(), Decimal::ZERO);
    account.books_equal_the_chain();
    assert_eq!(account.halted(), None);
}

/// In both forms: what the tampering is, and which words the refusal has in it.
async fn both_refused(tamper: impl Fn(&Account) -> Tamper, words: &str) {
    for form in [Form::Current, Form::Older] {
        let mut account = Account::start(form).await;
        account.jupiter.tamper(Some(tamper(&account)));
        is_refused(&mut account, words).await;
    }
}

/// A wallet of somebody else, with an account of what is bought.
fn thief(account: &Account) -> Address {
    let thief = account.chain.address();
    account.chain.give_lamports(thief, 1_000_000_000);
    account.chain.give_tokens(account.base, thief, 1);
    account.chain.give_tokens(account.dollar, thief, 1);
    thief
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_bought_does_not_go_to_somebody_else() {
    both_refused(|account| Tamper::OtherDestination(thief(account)), "the account").await;
    both_refused(|account| Tamper::OtherDestinationField(thief(account)), "where it goes in the end").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_transferred_besides() {
    both_refused(|account| Tamper::ExtraTransfer(thief(account), 1_000_000), "none that a swap needs").await;
    let tokens = |account: &Account| {
        let to = associated(thief(account), account.dollar, bulkhead_solana::programs::TOKEN);
        Tamper::ExtraTokens(to, 1_000_000)
    };
    both_refused(tokens, "none that a swap needs").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_gets_a_say_over_accounts() {
    both_refused(|account| Tamper::Approval(thief(account)), "none that a swap needs").await;
    both_refused(|account| Tamper::GivenAway(thief(account)), "none that a swap needs").await;
    both_refused(|account| Tamper::ClosedTo(thief(account)), "none that a swap needs").await;
    both_refused(|_| Tamper::Assigned(ROUTER), "none that a swap needs").await;
}

/// Wrapped native currency is unwrapped to the wallet, not to anybody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_wrapped_comes_back() {
    for form in [Form::Current, Form::Older] {
        let mut account = Account::trading_sol(form).await;
        account.begin().await;
        account.order(Side::Buy, "2");
        account.all_ended().await;
        let signed = account.signed();
        account.jupiter.tamper(Some(Tamper::ClosedTo(thief(&account))));
        account.order(Side::Sell, "1");
        account.all_ended().await;
        let told = account.last_told();
        assert!(told.contains("who gets what was in it"), "{told}");
        assert_eq!(account.signed(), signed);
    }
}

/// In the current form the limits are set here, and what the aggregator wants there is never used.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_raised_fee_is_not_paid() {
    let mut account = Account::start(Form::Older).await;
    account.jupiter.tamper(Some(Tamper::RaisedFee(1_000_000_000)));
    is_refused(&mut account, "a second time").await;

    let mut account = Account::start(Form::Older).await;
    account.settings.fees.most_priority = 100;
    account.chain.ledger().set_recent_fees(&[1_000_000; 10]);
    account.jupiter.tamper(None);
    account.begin().await;
    account.order(Side::Buy, "1");
    account.all_ended().await;
    assert!(account.held() > decimal("0.99"), "within the cap it trades: {:?}", account.told());

    let mut account = Account::start(Form::Current).await;
    account.jupiter.tamper(Some(Tamper::RaisedFee(1_000_000_000)));
    account.begin().await;
    account.order(Side::Buy, "1");
    account.all_ended().await;
    let (_, fees) = account.cash_and_fees();
    assert!(account.held() > decimal("0.99") && fees < decimal("0.6"), "{fees}: {:?}", account.told());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_else_is_bought() {
    let other = |account: &Account| Tamper::SwappedMint(account.chain.mint(&Mint::plain(9)));
    both_refused(other, "is").await;
}

/// What a table is said to hold is not what it holds: the trader's account is another one in truth.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lookup_table_holds_is_read_from_the_chain() {
    let lying = |account: &Account| {
        let stolen = associated(thief(account), account.base, bulkhead_solana::programs::TOKEN);
        let table = account.chain.add_table(&[stolen, account.pool.other.vault, account.pool.one.vault]);
        Tamper::LyingTable(table.key)
    };
    let mut account = Account::start(Form::Older).await;
    account.jupiter.tamper(Some(lying(&account)));
    is_refused(&mut account, "is").await;
    // In the current form the message is put together here, from what the chain says: the lie changes nothing.
    let mut account = Account::start(Form::Current).await;
    account.jupiter.tamper(Some(lying(&account)));
    account.begin().await;
    account.order(Side::Buy, "1");
    account.all_ended().await;
    assert!(account.held() > decimal("0.99"), "{:?}", account.told());
    account.books_equal_the_chain();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_is_given_and_no_less_comes() {
    both_refused(|_| Tamper::MoreIn(5_000_000_000), "what is given").await;
    both_refused(|_| Tamper::LessOut, "may come, and at least").await;
    both_refused(|_| Tamper::PlatformFee, "the part that others keep").await;
    both_refused(|_| Tamper::Twice, "a second time").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_signs_or_pays() {
    both_refused(|account| Tamper::OtherSigner(thief(account)), "would have to sign").await;
    let mut account = Account::start(Form::Older).await;
    account.jupiter.tamper(Some(Tamper::OtherPayer(thief(&account))));
    is_refused(&mut account, "would pay").await;
}

/// A transaction with a durable nonce never expires, so that nobody would ever know whether it still lands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_expires() {
    both_refused(|account| Tamper::DurableNonce(thief(account)), "none that a swap needs").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_other_program_is_called() {
    both_refused(|_| Tamper::OtherProgram, "which nobody asked for").await;
    both_refused(|_| Tamper::OtherRouter(authority()), "which nobody asked for").await;
}

/// The instruction is what was asked for, and what the pool gives is not: the trial shows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promise_that_the_chain_does_not_keep_is_not_signed() {
    for form in [Form::Current, Form::Older] {
        let mut account = Account::start(form).await;
        account.settings.market_order_timeout = std::time::Duration::from_secs(1);
        account.jupiter.promise_more(200);
        account.begin().await;
        account.order(Side::Buy, "5");
        account.all_ended().await;
        assert_eq!((account.signed(), account.landed()), (0, 0), "{:?}", account.told());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_says_of_its_way_is_held_against_what_is_allowed() {
    let mut account = Account::start(Form::Current).await;
    account.jupiter.claim_price_impact("0.02");
    is_refused(&mut account, "move the price by 200").await;

    let mut account = Account::start(Form::Current).await;
    account.settings.venues.insert("Another Pool".to_owned());
    is_refused(&mut account, "which is not allowed").await;
}

/// A signer that answers something else is a reason to stop everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_of_something_else_is_not_sent() {
    let mut account = Account::start(Form::Current).await;
    *account.signer.lies.lock().unwrap() = true;
    account.begin().await;
    account.order(Side::Buy, "5");
    account.until("the account is halted", |books| books.engine.halted().is_some()).await;
    assert!(account.halted().unwrap().contains("not the wallet's signature"), "{:?}", account.halted());
    assert!(account.chain.ledger().sent().is_empty());
}
