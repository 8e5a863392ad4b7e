//! Books held against a real chain.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::{Address, U256};
use bulkhead_core::order::Side;
use bulkhead_evm::reconcile::{EvmWallet, books};
use bulkhead_evm::rpc::{EndpointSettings, Endpoints};
use bulkhead_evm_chain::Options;
use bulkhead_venue::reconcile::{
    Books, BooksSource, ReconcileError, Reconciliation, Tolerance, Verdict, reconcile,
};
use rust_decimal::Decimal;
use support::{Account, decimal, units};

struct Live<'a>(&'a Account);

impl BooksSource for Live<'_> {
    async fn read(&self) -> Result<Books, ReconcileError> {
        Ok(books(&self.0.books.lock().unwrap().engine, &self.0.settings))
    }
}

fn tolerance() -> Tolerance {
    Tolerance { fraction: decimal("0.0001"), dust: decimal("0.01"), surplus_halts: true }
}

fn wallet(account: &Account) -> EvmWallet {
    let settings: Vec<EndpointSettings> = account
        .urls
        .iter()
        .map(|url| EndpointSettings {
            url: url.clone(),
            requests_per_second: None,
            timeout: Duration::from_millis(1_500),
        })
        .collect();
    let endpoints = Arc::new(Endpoints::new(account.settings.chain_id, &settings).unwrap());
    EvmWallet { endpoints, settings: account.settings.clone(), address: account.key.address() }
}

/// Compares, and ignores what was there before the first order as a host does.
async fn compared(account: &Account) -> Reconciliation {
    let found = reconcile(&wallet(account), &tolerance(), &Live(account)).await.unwrap();
    for (subject, difference) in &found.baseline {
        account.command(bulkhead_core::input::Command::Ignore {
            subject: subject.clone(),
            difference: *difference,
            reason: "it was there before".to_owned(),
        });
    }
    found
}

fn of(found: &Reconciliation, subject: &str) -> (Verdict, Decimal) {
    let row = found.rows.iter().find(|row| row.subject.starts_with(subject)).unwrap();
    (row.verdict, row.difference)
}

#[tokio::test]
async fn what_is_traded_is_in_both_and_gas_is_no_difference() {
    let mut account = Account::start(Options::default()).await;
    assert!(!compared(&account).await.halts());
    account.begin().await;
    account.order(Side::Buy, "3");
    account.all_ended().await;
    account.order(Side::Sell, "1");
    account.all_ended().await;
    let found = compared(&account).await;
    assert!(!found.halts() && found.noted().is_empty(), "{found:#?}");
    assert_eq!(of(&found, "balance:DOLLAR").1, Decimal::ZERO);
    assert_eq!(of(&found, "balance:PLAIN").1, Decimal::ZERO);
    // Two approvals and two swaps.
    let transactions = found.rows.iter().find(|row| row.subject == "transactions").unwrap();
    assert_eq!((transactions.books, transactions.verdict), (Decimal::from(4), Verdict::Ignored));
}

#[tokio::test]
async fn what_goes_and_comes_behind_the_hosts_back_is_found() {
    let account = Account::start(Options::default()).await;
    assert!(!compared(&account).await.halts());
    let dollar = account.settings.markets[0].quote.address;
    let elsewhere = Address::repeat_byte(0x77);
    account.chain.send(dollar, &account.key, elsewhere, units(250, 6)).await.unwrap();
    let found = compared(&account).await;
    assert_eq!(of(&found, "balance:DOLLAR"), (Verdict::Halts, decimal("-250")));
    assert_eq!(of(&found, "transactions").0, Verdict::Halts);
    assert!(found.why_it_halts().contains("250 DOLLAR is missing"), "{}", found.why_it_halts());

    account.chain.give(dollar, account.key.address(), units(300, 6)).await;
    assert_eq!(of(&compared(&account).await, "balance:DOLLAR"), (Verdict::Halts, decimal("50")));
}

#[tokio::test]
async fn a_permission_that_somebody_gave_is_told() {
    let account = Account::start(Options::default()).await;
    compared(&account).await;
    let (dollar, spender) = (account.settings.markets[0].quote.address, account.chain.deployed().v2_router);
    account.chain.approve(dollar, &account.key, spender, U256::MAX).await.unwrap();
    let found = compared(&account).await;
    assert_eq!(of(&found, "allowance:DOLLAR"), (Verdict::Noted, Decimal::MAX));
}

#[tokio::test]
async fn a_transaction_that_waits_and_was_not_signed_for_an_order_is_found() {
    let account = Account::start(Options::default()).await;
    compared(&account).await;
    account.chain.set_automine(false).await;
    let nonce = account.nonce().await;
    let to = alloy::primitives::TxKind::Call(Address::repeat_byte(0x77));
    account.chain.send_with_nonce(&account.key, to, nonce, 2_000_000_000).await;
    assert_eq!(of(&compared(&account).await, "pending"), (Verdict::Halts, Decimal::ONE));
    account.chain.mine(1).await;
    assert_eq!(of(&compared(&account).await, "pending").0, Verdict::Agrees);
}

#[tokio::test]
async fn an_order_on_its_way_is_no_difference_wherever_it_is() {
    let mut account = Account::start(Options::default()).await;
    compared(&account).await;
    account.settings.confirmations = 3;
    account.begin().await;
    account.order(Side::Buy, "3");
    // It landed, and is booked when it is deeper in the chain.
    account
        .until("it is in a block", |books| books.told.iter().filter(|told| *told == "included").count() >= 2)
        .await;
    let found = compared(&account).await;
    assert!(!found.halts(), "{found:#?}");
    assert_eq!(of(&found, "balance:PLAIN"), (Verdict::OnTheWay, Decimal::from(3)));
    account.chain.mine(3).await;
    account.all_ended().await;
    let found = compared(&account).await;
    assert_eq!(of(&found, "balance:PLAIN"), (Verdict::Agrees, Decimal::ZERO));
    assert!(!found.halts(), "{found:#?}");
}

#[tokio::test]
async fn a_chain_that_does_not_answer_is_no_chain_that_agrees() {
    let mut account = Account::start(Options::default()).await;
    account.chain.stop();
    let answer = reconcile(&wallet(&account), &tolerance(), &Live(&account)).await;
    assert!(matches!(answer, Err(ReconcileError::Chain(_))), "{answer:?}");
}
