//! Books held against a wallet on a real virtual machine.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bulkhead_core::order::Side;
use bulkhead_solana::programs::TOKEN;
use bulkhead_solana::reconcile::{SolanaWallet, books};
use bulkhead_solana::rpc::{EndpointSettings, Endpoints};
use bulkhead_solana::settings::{Finality, Market, Token};
use bulkhead_solana_chain::chain::SOL;
use bulkhead_solana_chain::rpc::Server;
use bulkhead_solana_chain::tokens::{
    Mint, WRAPPED_SOL, approve, give_away, let_close, rent_of, revoke, transfer_lamports, transfer_tokens,
};
use bulkhead_solana_chain::{Fault, Options, Pace};
use bulkhead_venue::reconcile::{
    Books, BooksSource, ReconcileError, Reconciliation, Row, Tolerance, Verdict, reconcile,
};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use solana_address::Address;
use support::*;

const DOLLAR: u64 = 1_000_000;

struct Live<'a>(&'a Account);

impl BooksSource for Live<'_> {
    async fn read(&self) -> Result<Books, ReconcileError> {
        Ok(books(&self.0.books.lock().unwrap().engine, &self.0.settings))
    }
}

fn tolerance() -> Tolerance {
    Tolerance { fraction: decimal("0.0001"), dust: decimal("0.01"), surplus_halts: true }
}

fn wallet(account: &Account) -> SolanaWallet {
    let timeout = Duration::from_millis(1_500);
    let endpoint = |url: &String| EndpointSettings { url: url.clone(), requests_per_second: None, timeout };
    let endpoints: Vec<EndpointSettings> = account.urls.iter().map(endpoint).collect();
    let endpoints = Arc::new(Endpoints::new(&account.settings.genesis_hash, &endpoints).unwrap());
    SolanaWallet { endpoints, settings: account.settings.clone(), owner: account.owner() }
}

async fn asked(account: &Account) -> Result<Reconciliation, ReconcileError> {
    reconcile(&wallet(account), &tolerance(), &Live(account)).await
}

/// Compares, and ignores what was there before the first order as a host does.
async fn compared(account: &Account) -> Reconciliation {
    let found = asked(account).await.unwrap();
    for (subject, difference) in &found.baseline {
        account.command(bulkhead_core::input::Command::Ignore {
            subject: subject.clone(),
            difference: *difference,
            reason: "it was there before".to_owned(),
        });
    }
    found
}

fn row<'a>(found: &'a Reconciliation, subject: &str) -> &'a Row {
    let row = found.rows.iter().find(|row| row.subject.starts_with(subject));
    row.unwrap_or_else(|| panic!("no {subject}: {found:#?}"))
}

fn of(found: &Reconciliation, subject: &str) -> (Verdict, Decimal) {
    let row = row(found, subject);
    (row.verdict, row.difference)
}

/// The wallet's own account of dollars.
fn dollars(account: &Account) -> Address {
    account.settings.markets[0].quote.account_of(account.owner())
}

/// So many dollars go somewhere else with the wallet's own key.
fn take(account: &Account, amount: u64) {
    let elsewhere = account.chain.address();
    account.chain.put_tokens(elsewhere, account.dollar, account.chain.address(), 0);
    let from = dollars(account);
    let transfer = transfer_tokens(TOKEN, from, elsewhere, account.owner(), amount * DOLLAR);
    account.chain.execute(&account.signer.key, &[transfer]).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_traded_is_in_both_and_fees_and_rent_are_no_difference() {
    let mut account = Account::start(Form::Current).await;
    assert!(!compared(&account).await.halts());
    account.begin().await;
    account.order(Side::Buy, "3");
    account.all_ended().await;
    account.order(Side::Sell, "1");
    account.all_ended().await;
    let found = compared(&account).await;
    assert!(!found.halts() && found.noted().is_empty(), "{found:#?}");
    assert_eq!(of(&found, "balance:DOLLAR"), (Verdict::Agrees, Decimal::ZERO));
    assert_eq!(of(&found, "balance:PLAIN"), (Verdict::Agrees, Decimal::ZERO));
    assert!(row(&found, "balance:PLAIN").books > decimal("1.9"), "{found:#?}");
    // Both tokens have an account now.
    let rent = Decimal::from(2 * rent_of(165)) / Decimal::from(SOL);
    assert_eq!((row(&found, "rent").chain, row(&found, "rent").verdict), (rent, Verdict::Agrees));
    let lamports = Decimal::from(account.chain.lamports(account.owner())) / Decimal::from(SOL);
    assert_eq!(
        (found.figures.native, found.figures.address.clone()),
        (lamports, account.owner().to_string())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_and_comes_behind_the_hosts_back_is_found() {
    let account = Account::start(Form::Current).await;
    assert!(!compared(&account).await.halts());
    take(&account, 250);
    let found = compared(&account).await;
    assert_eq!(of(&found, "balance:DOLLAR"), (Verdict::Halts, decimal("-250")));
    assert!(found.why_it_halts().contains("250 DOLLAR is missing"), "{}", found.why_it_halts());

    account.chain.give_tokens(account.dollar, account.owner(), (CASH + 50) * DOLLAR);
    assert_eq!(of(&compared(&account).await, "balance:DOLLAR"), (Verdict::Halts, decimal("50")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_there_before_is_set_aside() {
    let account = Account::start(Form::Current).await;
    account.chain.give_tokens(account.dollar, account.owner(), (CASH + 500) * DOLLAR);
    let found = compared(&account).await;
    assert_eq!(of(&found, "balance:DOLLAR"), (Verdict::Ignored, decimal("500")));
    assert!(!found.halts());
    // Once only.
    account.chain.give_tokens(account.dollar, account.owner(), (CASH + 600) * DOLLAR);
    assert!(compared(&account).await.why_it_halts().starts_with("100 DOLLAR is not in the books"));
}

/// Native currency pays for transactions, so more than the books say is never too much, and less is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn native_currency_is_missing_only_when_less_is_there_than_the_books_say() {
    let mut account = Account::trading_sol(Form::Current).await;
    compared(&account).await;
    account.begin().await;
    account.order(Side::Buy, "5");
    account.all_ended().await;
    let found = compared(&account).await;
    assert!(!found.halts(), "{found:#?}");
    assert!(row(&found, "balance:PLAIN").books > decimal("4.9"), "{found:#?}");
    let somebody = account.chain.address();
    let send = |lamports| {
        let transfer = transfer_lamports(account.owner(), somebody, lamports);
        account.chain.execute(&account.signer.key, &[transfer]).unwrap();
    };
    send(9 * SOL);
    assert!(!compared(&account).await.halts(), "it was for fees");
    // What is wrapped is native currency, and what its account needs to stay is not.
    let before = compared(&account).await;
    account.chain.give_tokens(WRAPPED_SOL, account.owner(), SOL / 2);
    let wrapped = compared(&account).await;
    assert_eq!(wrapped.figures.native - before.figures.native, decimal("0.5"));
    let rent = Decimal::from(rent_of(165)) / Decimal::from(SOL);
    assert_eq!(row(&wrapped, "rent").chain - row(&before, "rent").chain, rent);
    assert_eq!(of(&wrapped, "other-tokens").1, Decimal::ZERO, "it is traded");
    account.chain.give_tokens(WRAPPED_SOL, account.owner(), 0);
    send(2 * SOL);
    let found = compared(&account).await;
    assert!(found.why_it_halts().contains("PLAIN is missing"), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_a_say_over_an_account_halts_it() {
    let account = Account::start(Form::Current).await;
    compared(&account).await;
    let (owner, key, from) = (account.owner(), &account.signer.key, dollars(&account));
    let eve = account.chain.address();
    account.chain.execute(key, &[approve(TOKEN, from, eve, owner, 40 * DOLLAR)]).unwrap();
    let found = compared(&account).await;
    assert_eq!(of(&found, &format!("delegate:DOLLAR:{eve}")), (Verdict::Halts, decimal("40")));
    assert!(found.why_it_halts().contains(&format!("{eve} may take 40 DOLLAR")), "{found:#?}");
    account.chain.execute(key, &[revoke(TOKEN, from, owner)]).unwrap();
    assert!(!compared(&account).await.halts());

    account.chain.execute(key, &[let_close(TOKEN, from, owner, eve)]).unwrap();
    let found = compared(&account).await;
    assert_eq!(of(&found, &format!("close-authority:DOLLAR:{eve}")), (Verdict::Halts, Decimal::ONE));
}

/// What is in it belongs to somebody else then, wherever the account is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_was_given_away_is_empty_to_the_books() {
    let account = Account::start(Form::Current).await;
    compared(&account).await;
    let gift = give_away(TOKEN, dollars(&account), account.owner(), account.chain.address());
    account.chain.execute(&account.signer.key, &[gift]).unwrap();
    assert_eq!(
        of(&compared(&account).await, "balance:DOLLAR"),
        (Verdict::Halts, Decimal::from(CASH) * -Decimal::ONE)
    );
}

/// Anybody can make an account for a wallet and put something in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_are_not_traded_and_other_accounts_are_told_and_halt_nothing() {
    let account = Account::start(Form::Current).await;
    let (chain, owner) = (&account.chain, account.owner());
    let before = chain.mint(&Mint::plain(0));
    chain.give_tokens(before, owner, 1);
    let found = compared(&account).await;
    assert_eq!(of(&found, "other-tokens"), (Verdict::Ignored, Decimal::ONE));

    // Of both programs, and one with nothing in it.
    let taxed = chain.mint(&Mint { transfer_fee_bps: Some(10), ..Mint::plain(6) });
    chain.give_tokens(taxed, owner, 7);
    chain.give_tokens(chain.mint(&Mint::plain(6)), owner, 0);
    let aside = chain.address();
    chain.put_tokens(aside, account.dollar, owner, 3 * DOLLAR);
    let found = compared(&account).await;
    assert_eq!(of(&found, "other-tokens"), (Verdict::Noted, Decimal::from(3)));
    let told = found.noted();
    assert!(!found.halts() && told.starts_with("2 more tokens than before"), "{told}");
    assert!(told.contains(&taxed.to_string()) && told.contains(&format!("DOLLAR in {aside}")), "{told}");
    // Dollars elsewhere are not there to be traded.
    assert_eq!(of(&found, "balance:DOLLAR"), (Verdict::Agrees, Decimal::ZERO));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_on_its_way_is_no_difference_wherever_it_is() {
    let options = Options { pace: Pace::OnDemand, ..Options::default() };
    let mut account = Account::trading(Form::Current, Mint::plain(9), options).await;
    compared(&account).await;
    account.begin().await;
    account.order(Side::Buy, "3");
    account.told_times("submitted", 1).await;
    let found = compared(&account).await;
    assert!(!found.halts(), "{found:#?}");
    assert_eq!(of(&found, "balance:PLAIN"), (Verdict::Agrees, Decimal::ZERO));

    // It landed, and is booked when its block can't leave the chain.
    account.chain.advance(5);
    account.told_times("included", 1).await;
    let found = compared(&account).await;
    assert!(!found.halts(), "{found:#?}");
    assert_eq!(of(&found, "balance:PLAIN").0, Verdict::OnTheWay);
    assert_eq!(of(&found, "balance:DOLLAR").0, Verdict::OnTheWay);
    // More than it may cost is no order's doing.
    take(&account, 5_000);
    assert_eq!(of(&compared(&account).await, "balance:DOLLAR").0, Verdict::Halts);
    let back = account.chain.tokens_of(account.owner(), account.dollar) + 5_000 * DOLLAR;
    account.chain.give_tokens(account.dollar, account.owner(), back);

    account.chain.advance(40);
    account.all_ended().await;
    let found = compared(&account).await;
    assert_eq!(of(&found, "balance:PLAIN"), (Verdict::Agrees, Decimal::ZERO));
    assert!(!found.halts(), "{found:#?}");
}

/// What a sale of native currency costs is not known to the books before it ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sale_of_native_currency_on_its_way_may_have_cost_its_fees_and_no_more() {
    let options = Options { pace: Pace::OnDemand, ..Options::default() };
    let mut account = Account::trading_sol_on(Form::Current, options).await;
    compared(&account).await;
    account.begin().await;
    account.order(Side::Buy, "5");
    account.told_times("submitted", 1).await;
    account.chain.advance(40);
    account.all_ended().await;
    let held = u64::try_from(account.held() * Decimal::from(SOL)).unwrap();
    account.order(Side::Sell, "2");
    account.told_times("submitted", 2).await;
    account.chain.advance(5);
    account.told_times("included", 2).await;
    let somebody = account.chain.address();
    // So many lamports are there in the end, and the transfer costs some, too.
    let leave = |lamports: u64| {
        let there = account.chain.lamports(account.owner());
        let transfer = transfer_lamports(account.owner(), somebody, there - lamports - 5_000);
        account.chain.execute(&account.signer.key, &[transfer]).unwrap();
        assert_eq!(account.chain.lamports(account.owner()), lamports);
    };
    let strict = Tolerance { fraction: Decimal::ZERO, dust: Decimal::ZERO, surplus_halts: true };
    let (wallet, live) = (wallet(&account), Live(&account));
    leave(held - 2 * SOL - 5_000);
    let found = reconcile(&wallet, &strict, &live).await.unwrap();
    assert_eq!((of(&found, "balance:PLAIN").0, found.halts()), (Verdict::OnTheWay, false), "{found:#?}");
    leave(held - 2 * SOL - 50_000_000);
    let found = reconcile(&wallet, &strict, &live).await.unwrap();
    assert_eq!(of(&found, "balance:PLAIN").0, Verdict::Halts, "{found:#?}");
}

/// What a server could say of the wallet and the two accounts, with so many lamports.
fn lie(account: &Account, slot: u64, lamports: u64) -> Fault {
    let ledger = account.chain.ledger();
    let addresses =
        [account.owner(), account.settings.markets[0].base.account_of(account.owner()), dollars(account)];
    let shown = addresses.map(|address| match ledger.account(&address) {
        None => Value::Null,
        Some(found) => {
            use base64::Engine as _;
            let data = base64::engine::general_purpose::STANDARD.encode(&found.data);
            let lamports = if address == account.owner() { lamports } else { found.lamports };
            json!({
                "data": [data, "base64"], "executable": false, "lamports": lamports, "owner": found.owner.to_string(),
                "rentEpoch": 0, "space": found.data.len(),
            })
        }
    });
    Fault::Lie(json!({"context": {"apiVersion": "4.2.2", "slot": slot}, "value": shown}))
}

/// The account with so many more servers.
async fn with_servers(more: usize) -> (Account, Vec<Server>) {
    let mut account = Account::start(Form::Current).await;
    let mut servers = Vec::new();
    for _ in 0..more {
        let server = account.chain.another_server().await;
        account.urls.push(server.url().to_owned());
        servers.push(server);
    }
    (account, servers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_say_different_things_are_believed_by_nobody() {
    let (account, servers) = with_servers(1).await;
    assert!(!compared(&account).await.halts());
    // As if somebody had taken a lamport.
    let slot = account.chain.ledger().slot() + 1_000_000;
    let lamports = account.chain.lamports(account.owner());
    servers[0].faults().fail_always("getMultipleAccounts", lie(&account, slot, lamports - 1));
    let answer = asked(&account).await;
    let said = answer.unwrap_err().to_string();
    assert!(said.contains("endpoints disagree") && said.contains(&account.owner().to_string()), "{said}");
    servers[0].faults().recover();
    assert!(!compared(&account).await.halts());
}

/// Two of three are further: the third is asked for what they have, and left out until it has that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_behind_is_left_out() {
    let (account, servers) = with_servers(2).await;
    servers[1].lag(40);
    compared(&account).await;
    let old = account.chain.ledger().slot() - 60;
    let lamports = account.chain.lamports(account.owner());
    // What it would say if it was asked for no slot, and what it should not say when it is.
    for lagging in [lie(&account, old, lamports + 7), lie(&account, old - 1, lamports - 7)] {
        servers[1].faults().fail("getMultipleAccounts", lagging, 1);
        assert!(!compared(&account).await.halts());
    }
    let asked = account.chain.server().faults().asked_of("getMultipleAccounts");
    let options = &asked.last().unwrap().parameters[1];
    assert!(options["minContextSlot"].as_u64().unwrap() > old, "{options}");
    assert_eq!(options["commitment"], "finalized", "{options}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_are_as_sure_as_what_is_booked() {
    let mut account = Account::start(Form::Current).await;
    account.settings.finality = Finality::Confirmed;
    compared(&account).await;
    for method in ["getMultipleAccounts", "getTokenAccountsByOwner", "getSlot"] {
        let asked = account.chain.server().faults().asked_of(method);
        let options = asked.last().unwrap().parameters.as_array().unwrap().last().unwrap();
        assert_eq!(options["commitment"], "confirmed", "{method}");
    }
}

/// Not all of them can be asked for at once, while slots go by.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_tokens_than_a_server_shows_at_once_are_all_compared() {
    let mut account = Account::start(Form::Current).await;
    let quote = account.settings.markets[0].quote.clone();
    for number in 1..=120 {
        let instrument = bulkhead_core::identifier::InstrumentId(number);
        let (symbol, mint) = (format!("T{number}"), account.chain.mint(&Mint::plain(6)));
        let base = Token { symbol, mint, program: TOKEN, decimals: 6 };
        account.settings.markets.push(Market { instrument, base, quote: quote.clone() });
    }
    compared(&account).await;
    let last = account.settings.markets[120].base.clone();
    account.chain.give_tokens(last.mint, account.owner(), 4_000_000);
    let found = compared(&account).await;
    assert_eq!(of(&found, "balance:T120"), (Verdict::Halts, Decimal::from(4)));
    let halting = found.rows.iter().filter(|row| row.verdict == Verdict::Halts).count();
    assert_eq!((found.rows.len(), halting), (124, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_does_not_answer_is_no_cluster_that_agrees() {
    let account = Account::start(Form::Current).await;
    account.chain.server().faults().fail_all(Fault::Unavailable);
    let answer = asked(&account).await;
    assert!(matches!(answer, Err(ReconcileError::Chain(_))), "{answer:?}");
}
