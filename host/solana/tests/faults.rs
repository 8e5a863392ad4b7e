//! Servers and the chain on bad days: each order trades once or not at all, and the books say which.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod support;

use std::time::Duration;

use bulkhead_core::input::Command;
use bulkhead_core::order::Side;
use bulkhead_solana_chain::ledger::Delivery;
use bulkhead_solana_chain::tokens::Mint;
use bulkhead_solana_chain::{Fault, Options, Pace};
use rust_decimal::Decimal;
use serde_json::json;
use support::*;

async fn started(form: Form) -> Account {
    let mut account = Account::start(form).await;
    account.begin().await;
    account
}

/// Everything ended well, with one trade.
fn traded_once(account: &Account) {
    assert!(account.held() > decimal("4.99"), "{:?}", account.told());
    assert_eq!((account.landed(), account.halted()), (1, None), "{:?}", account.told());
    account.books_equal_the_chain();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_is_lost_is_given_up_only_when_it_has_expired() {
    let account = started(Form::Current).await;
    account.chain.ledger().deliver(Delivery::Lost);
    account.order(Side::Buy, "5");
    account.told_times("submitted", 1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((account.signed(), account.told().contains(&"gone".to_owned())), (1, false));
    assert!(account.chain.ledger().sent().len() > 1, "it is sent again and again");
    account.chain.expire_all();
    account.told_times("gone", 1).await;
    account.chain.ledger().deliver(Delivery::Next);
    account.all_ended().await;
    traded_once(&account);
    assert_eq!(account.signed(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_lands_late_is_booked_and_not_sent_anew() {
    let account = started(Form::Older).await;
    account.chain.ledger().deliver(Delivery::Held);
    account.order(Side::Buy, "5");
    account.told_times("submitted", 1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    account.chain.ledger().release();
    account.all_ended().await;
    traded_once(&account);
    assert_eq!(account.signed(), 1);
}

/// Sent so often that it waits at many nodes at once, it lands once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_land_once() {
    let mut account = Account::start(Form::Current).await;
    account.settings.resend_after = Duration::ZERO;
    account.begin().await;
    account.order(Side::Buy, "5");
    account.all_ended().await;
    traded_once(&account);
    let sent = account.chain.ledger().sent().to_vec();
    assert!(sent.len() > 1 && sent.windows(2).all(|two| two[0] == two[1]), "{sent:?}");
}

/// A market order whose transaction is lost for longer than it has time ends without a trade.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_time_ends_only_when_nothing_can_land() {
    let mut account = Account::start(Form::Current).await;
    account.settings.market_order_timeout = Duration::from_millis(300);
    account.begin().await;
    account.chain.ledger().deliver(Delivery::Lost);
    let order = account.order(Side::Buy, "5");
    account.told_times("submitted", 1).await;
    account.command(Command::CancelOrder { order });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(account.books.lock().unwrap().engine.orders().count(), 1, "{:?}", account.told());
    account.chain.expire_all();
    account.all_ended().await;
    assert_eq!((account.held(), account.landed(), account.signed()), (Decimal::ZERO, 0, 1));
    account.books_equal_the_chain();
}

/// Slots go by when the test says so.
async fn on_demand() -> Account {
    let options = Options { pace: Pace::OnDemand, ..Options::default() };
    let mut account = Account::trading(Form::Current, Mint::plain(9), options).await;
    account.begin().await;
    account
}

/// From now on slots go by all the time.
fn let_time_pass(account: &Account) -> tokio::task::JoinHandle<()> {
    let chain = account.chain.clone();
    tokio::spawn(async move {
        loop {
            chain.advance(1);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
}

/// A fork: a node has executed it, and the block dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_only_processed_counts_for_nothing() {
    let account = on_demand().await;
    account.chain.ledger().deliver(Delivery::OnFork);
    account.order(Side::Buy, "5");
    account.told_times("submitted", 1).await;
    account.chain.advance(1);
    account.told_times("seen", 1).await;
    account.chain.ledger().abandon_fork();
    account.chain.ledger().deliver(Delivery::Lost);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(account.held(), Decimal::ZERO, "{:?}", account.told());
    account.chain.expire_all();
    account.told_times("gone", 1).await;
    account.chain.ledger().deliver(Delivery::Next);
    let time = let_time_pass(&account);
    account.all_ended().await;
    time.abort();
    traded_once(&account);
}

/// The aggregator's transaction comes with a blockhash that is over. It gets another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_blockhash_is_replaced_before_signing() {
    let mut account = Account::start(Form::Older).await;
    account.jupiter.use_old_blockhash(140);
    account.begin().await;
    account.order(Side::Buy, "5");
    account.all_ended().await;
    traded_once(&account);
    assert_eq!(account.signed(), 1);
}

/// A node that takes everything says yes to what it will never execute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_yes_without_a_trial_proves_nothing() {
    let account = started(Form::Current).await;
    account.chain.server().take_everything();
    let pool = account.pool;
    account.before("signed", {
        let chain = account.chain.clone();
        // While it is signed its blockhash expires.
        move || chain.expire_all()
    });
    account.order(Side::Buy, "5");
    account.told_times("gone", 1).await;
    account.all_ended().await;
    traded_once(&account);
    assert_eq!(account.signed(), 2, "{pool:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_price_that_moves_before_the_trial_is_quoted_anew() {
    let account = started(Form::Current).await;
    account.before("quoted", {
        let (chain, pool) = (account.chain.clone(), account.pool);
        move || chain.set_pool(&pool, 9_800_000_000_000, 1_020_000_000_000)
    });
    account.order(Side::Buy, "4");
    account.all_ended().await;
    assert!(account.held() > decimal("3.9"), "{:?}", account.told());
    assert_eq!((account.signed(), account.landed()), (1, 1));
    account.books_equal_the_chain();
}

/// The node's own trial fails when it is sent: nobody took it, and still it is over only when it has expired.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_price_that_moves_at_preflight_costs_nothing() {
    let account = started(Form::Current).await;
    account.before("signed", {
        let (chain, pool) = (account.chain.clone(), account.pool);
        move || chain.set_pool(&pool, 9_800_000_000_000, 1_020_000_000_000)
    });
    account.order(Side::Buy, "4");
    account.told_times("submitted", 1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(account.signed(), 1, "while it is valid nothing takes its place: {:?}", account.told());
    account.chain.expire_all();
    account.all_ended().await;
    assert!(account.held() > decimal("3.9"), "{:?}", account.told());
    assert_eq!((account.signed(), account.landed()), (2, 1));
    account.books_equal_the_chain();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_price_that_moves_on_the_way_costs_the_fee() {
    let account = started(Form::Current).await;
    account.chain.ledger().deliver(Delivery::Held);
    account.order(Side::Buy, "5");
    account.told_times("submitted", 1).await;
    account.chain.set_pool(&account.pool, 9_800_000_000_000, 1_020_000_000_000);
    account.chain.ledger().release();
    account.all_ended().await;
    assert!(account.last_told().contains("the price moved"), "{:?}", account.told());
    let (_, fees) = account.cash_and_fees();
    assert!(account.held().is_zero() && fees > Decimal::ZERO, "{fees}");
    assert_eq!((account.landed(), account.signed()), (1, 1));
    account.books_equal_the_chain();
}

/// More comes than was ordered when the price gets better on the way. The books follow the chain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_better_price_brings_more() {
    let account = started(Form::Current).await;
    account.chain.ledger().deliver(Delivery::Held);
    account.order(Side::Buy, "5");
    account.told_times("submitted", 1).await;
    account.chain.set_pool(&account.pool, 10_100_000_000_000, 990_000_000_000);
    account.chain.ledger().release();
    account.all_ended().await;
    assert!(account.held() > decimal("5.05"), "{:?}", account.told());
    assert_eq!(account.halted(), None);
    account.books_equal_the_chain();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aggregator_that_limits_is_left_alone_for_as_long_as_it_says() {
    let account = started(Form::Current).await;
    let faults = account.jupiter.faults();
    faults.fail_always("/swap/v2/build", Fault::TooManyRequests { reset_in: Some(1), retry_after: None });
    account.order(Side::Buy, "5");
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(faults.asked_of("/swap/v2/build").len(), 1, "it is not asked while it rests");
    faults.recover();
    account.all_ended().await;
    traded_once(&account);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_fails_is_passed_over() {
    let mut account = Account::start(Form::Current).await;
    let other = account.chain.another_server().await;
    account.urls.insert(0, other.url().to_owned());
    for fault in [
        Fault::TooManyRequests { reset_in: None, retry_after: Some(1) },
        Fault::Unavailable,
        Fault::Garbage,
        Fault::CloseBefore,
        Fault::Error { code: -32_005, message: "Node is behind by 200 slots".to_owned() },
    ] {
        other.faults().recover();
        other.faults().fail("getGenesisHash", Fault::Delay(Duration::ZERO), 1);
        other.faults().fail_all(fault);
        account.begin().await;
        account.order(Side::Buy, "1");
        account.all_ended().await;
        account.die().await;
    }
    assert!(account.held() > decimal("4.99"), "{:?}", account.told());
    assert_eq!((account.landed(), account.halted()), (5, None));
    account.books_equal_the_chain();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_behind_by_200_slots_decides_nothing() {
    let mut account = Account::start(Form::Current).await;
    let behind = account.chain.another_server().await;
    behind.lag(200);
    account.chain.advance(300);
    account.urls.insert(0, behind.url().to_owned());
    account.begin().await;
    account.order(Side::Buy, "5");
    account.all_ended().await;
    traded_once(&account);
    assert_eq!(account.signed(), 1);
}

/// The answer to what was sent gets lost: it has landed all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_is_no_refusal() {
    let account = started(Form::Current).await;
    account.chain.server().faults().fail("sendTransaction", Fault::CloseAfter, 1);
    account.order(Side::Buy, "5");
    account.all_ended().await;
    traded_once(&account);
    assert_eq!(account.signed(), 1);
}

/// Two servers say different things of one transaction in one block: a person must look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_that_disagree_halt_the_account() {
    let mut account = on_demand().await;
    account.die().await;
    let liar = account.chain.another_server().await;
    account.urls.push(liar.url().to_owned());
    account.begin().await;
    let slot = account.chain.ledger().slot() + 1;
    let failed = json!({"InstructionError": [0, {"Custom": 1}]});
    let status = json!({
        "slot": slot, "confirmations": null, "err": failed, "status": {"Err": failed},
        "confirmationStatus": "finalized"
    });
    let lie = json!({"context": {"slot": slot}, "value": [status]});
    liar.faults().fail_always("getSignatureStatuses", Fault::Lie(lie));
    account.order(Side::Buy, "5");
    account.told_times("submitted", 1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(account.halted(), None, "one alone is not believed: {:?}", account.told());
    assert_eq!(account.last_told(), "submitted");
    // Now the truth is in the very slot that the liar names.
    account.chain.advance(1);
    account.until("the account is halted", |books| books.engine.halted().is_some()).await;
    assert!(account.halted().unwrap().contains("disagree"), "{:?}", account.halted());
    assert_eq!(account.held(), Decimal::ZERO);
}

/// A server that says that blocks are final which are not can't make anybody give up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_lies_about_the_height_is_outvoted() {
    let mut account = Account::start(Form::Current).await;
    let liar = account.chain.another_server().await;
    account.urls.push(liar.url().to_owned());
    account.begin().await;
    account.chain.ledger().deliver(Delivery::Held);
    account.order(Side::Buy, "5");
    account.told_times("submitted", 1).await;
    let height = account.chain.ledger().slot() - 1_000 + 60;
    liar.faults().fail_always("getBlockHeight", Fault::Lie(json!(height + 5_000)));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!account.told().contains(&"gone".to_owned()), "{:?}", account.told());
    liar.faults().recover();
    account.chain.ledger().release();
    account.all_ended().await;
    traded_once(&account);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_cluster_is_never_used() {
    let mut account = Account::start(Form::Current).await;
    let other = account.chain.another_server().await;
    let mainnet = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d";
    other.faults().fail_always("getGenesisHash", Fault::Lie(mainnet.into()));
    account.urls.insert(0, other.url().to_owned());
    account.begin().await;
    account.order(Side::Buy, "5");
    account.all_ended().await;
    traded_once(&account);
    let asked = other.faults().asked();
    assert!(asked.iter().all(|asked| asked.method == "getGenesisHash"), "{asked:?}");
    account.die().await;
    account.urls = vec![other.url().to_owned()];
    assert!(account.begin_dying(None).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_nobody_can_route_is_rejected() {
    for form in [Form::Current, Form::Older] {
        let account = started(form).await;
        let path = if form == Form::Current { "/swap/v2/build" } else { "/swap/v1/quote" };
        account.jupiter.faults().fail_always(path, Fault::Unavailable);
        account.jupiter.faults().recover();
        account.chain.put_tokens(
            bulkhead_solana_chain::tokens::associated(
                account.owner(),
                account.dollar,
                bulkhead_solana::programs::TOKEN,
            ),
            account.dollar,
            account.owner(),
            1_000_000,
        );
        account.order(Side::Buy, "5");
        account.all_ended().await;
        // The wallet does not hold what the books say.
        assert_eq!((account.signed(), account.held()), (0, Decimal::ZERO), "{:?}", account.told());
        assert!(account.last_told().starts_with("rejected"), "{}", account.last_told());
    }
}

/// An order that waits for others to be done is not traded when its turn comes too late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_whose_turn_comes_too_late_is_not_traded() {
    let mut account = Account::start(Form::Current).await;
    account.settings.market_order_timeout = Duration::from_millis(300);
    account.begin().await;
    let turn = account.executor.as_ref().unwrap().desk().turn.lock().await;
    account.order(Side::Buy, "5");
    tokio::time::sleep(Duration::from_millis(400)).await;
    drop(turn);
    account.all_ended().await;
    assert_eq!((account.signed(), account.landed()), (0, 0), "{:?}", account.told());
    assert!(account.last_told().starts_with("expired"), "{}", account.last_told());
}

/// Its time goes on while the host is down.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_waited_for_a_dead_host_is_not_traded() {
    let mut account = Account::start(Form::Current).await;
    account.settings.market_order_timeout = Duration::from_millis(300);
    account.begin_dying(Some(Death::Before(0))).await.unwrap();
    account.order(Side::Buy, "5");
    account.die().await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    account.begin().await;
    account.all_ended().await;
    assert_eq!((account.signed(), account.landed()), (0, 0), "{:?}", account.told());
    assert!(account.last_told().starts_with("expired"), "{}", account.last_told());
}

const ASKED_IN_TRADES: [&str; 5] = [
    "getRecentPrioritizationFees",
    "getLatestBlockhash",
    "getMultipleAccounts",
    "getTokenAccountsByOwner",
    "simulateTransaction",
];

fn refuse_all(server: &bulkhead_solana_chain::rpc::Server, code: i64) {
    for method in ASKED_IN_TRADES {
        let message = "not here".to_owned();
        server.faults().fail_always(method, Fault::Error { code, message });
    }
}

/// What one server can't or won't say, another says; its no is not that of all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_no_of_the_first_server_is_not_the_last_word() {
    for code in [-32_603, -32_601, -32_010, -32_602] {
        let mut account = Account::start(Form::Current).await;
        let first = account.chain.another_server().await;
        refuse_all(&first, code);
        account.urls.insert(0, first.url().to_owned());
        account.begin().await;
        account.order(Side::Buy, "5");
        account.all_ended().await;
        traded_once(&account);
        assert!(!first.faults().asked_of("simulateTransaction").is_empty(), "{code}");
    }
}

/// While the other does not answer, the no of one is not that of all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_no_while_another_is_away_ends_no_order() {
    let mut account = Account::start(Form::Current).await;
    let first = account.chain.another_server().await;
    refuse_all(&first, -32_602);
    account.urls.insert(0, first.url().to_owned());
    account.begin().await;
    let away = account.chain.server().faults();
    for method in ASKED_IN_TRADES {
        away.fail_always(method, Fault::Unavailable);
    }
    account.order(Side::Buy, "5");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let open = account.books.lock().unwrap().engine.orders().count();
    assert_eq!(open, 1, "{:?}", account.told());
    away.recover();
    account.all_ended().await;
    traded_once(&account);
}

/// Two of three do not know what landed, and the third, which does, is silent: one that is awake, and one that rests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_landed_is_not_given_up_while_one_is_silent() {
    let busy = || Fault::TooManyRequests { reset_in: None, retry_after: Some(60) };
    let broken = || Fault::Error { code: -32_603, message: "an internal error".to_owned() };
    for (others, silence) in [(2, broken()), (1, broken()), (1, busy())] {
        let mut account = Account::start(Form::Current).await;
        let mut ignorant = Vec::new();
        for _ in 0..others {
            let server = account.chain.another_server().await;
            account.urls.push(server.url().to_owned());
            ignorant.push(server);
        }
        account.begin().await;
        account.chain.ledger().deliver(Delivery::Held);
        account.order(Side::Buy, "5");
        account.told_times("submitted", 1).await;
        let unknown = json!({"context": {"slot": 1}, "value": [null]});
        for server in &ignorant {
            server.faults().fail_always("getSignatureStatuses", Fault::Lie(unknown.clone()));
        }
        account.chain.server().faults().fail_always("getSignatureStatuses", silence.clone());
        account.chain.ledger().release();
        account.chain.expire_all();
        assert_eq!(account.landed(), 1);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let told = account.told();
        assert!(!told.contains(&"gone".to_owned()), "{others} others, {silence:?}: {told:?}");
        assert_eq!(account.signed(), 1);
    }
}

/// One of three that stands still has no say over what has expired.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_that_stands_still_keeps_nothing_open() {
    let mut account = Account::start(Form::Current).await;
    account.chain.advance(4_500);
    let others = [account.chain.another_server().await, account.chain.another_server().await];
    account.urls.extend(others.iter().map(|other| other.url().to_owned()));
    account.begin().await;
    account.chain.ledger().deliver(Delivery::Lost);
    account.order(Side::Buy, "5");
    account.told_times("submitted", 1).await;
    others[0].lag(4_400);
    account.chain.expire_all();
    account.told_times("gone", 1).await;
    account.chain.ledger().deliver(Delivery::Next);
    account.all_ended().await;
    traded_once(&account);
}

/// An internal error passes; that a question can't be asked like that does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passing_no_of_all_servers_ends_no_order() {
    for (code, is_passing) in [(-32_603, true), (-32_601, true), (-32_602, false)] {
        let account = started(Form::Current).await;
        refuse_all(account.chain.server(), code);
        account.order(Side::Buy, "5");
        if is_passing {
            tokio::time::sleep(Duration::from_millis(200)).await;
            account.chain.server().faults().recover();
            account.all_ended().await;
            traded_once(&account);
        } else {
            account.all_ended().await;
            assert!(account.last_told().starts_with("rejected"), "{}", account.last_told());
        }
    }
}

/// It landed while the host was down, and the server has forgotten those blocks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_has_forgotten_is_not_traded_again() {
    let mut account = started(Form::Current).await;
    account.chain.ledger().deliver(Delivery::Held);
    account.order(Side::Buy, "5");
    account.told_times("submitted", 1).await;
    account.die().await;
    account.chain.ledger().release();
    account.chain.advance(2);
    account.chain.expire_all();
    let slot = account.chain.ledger().slot();
    account.chain.server().forget_before(slot - 100);
    account.begin().await;
    account.until("the account is halted", |books| books.engine.halted().is_some()).await;
    assert!(account.halted().unwrap().contains("can't be found out"), "{:?}", account.halted());
    assert_eq!((account.signed(), account.landed()), (1, 1), "{:?}", account.told());
}

/// Long after it has expired, that nobody knows it proves nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_long_time_a_person_must_look() {
    let mut account = started(Form::Current).await;
    account.chain.ledger().deliver(Delivery::Lost);
    account.order(Side::Buy, "5");
    account.told_times("submitted", 1).await;
    account.die().await;
    account.chain.advance(9_500);
    account.begin().await;
    account.until("the account is halted", |books| books.engine.halted().is_some()).await;
    assert!(account.halted().unwrap().contains("no server knows it"), "{:?}", account.halted());
    assert_eq!((account.signed(), account.landed()), (1, 0), "{:?}", account.told());
}

/// One server is so far that the transaction should be over, and does not say whether it has it; the other does not have it,
/// as it is not that far. It landed in one of the last blocks that it was good for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_height_of_one_and_the_silence_of_another_prove_nothing() {
    let mut account = on_demand().await;
    account.die().await;
    let behind = account.chain.another_server().await;
    behind.lag(70);
    account.urls.push(behind.url().to_owned());
    account.begin().await;
    account.chain.ledger().deliver(Delivery::Held);
    account.order(Side::Buy, "5");
    account.told_times("submitted", 1).await;
    let away = || Fault::Error { code: -32_603, message: "an internal error".to_owned() };
    account.chain.server().faults().fail_always("getSignatureStatuses", away());
    behind.faults().fail_always("getBlockHeight", away());
    account.chain.advance(140);
    account.chain.ledger().release();
    account.chain.advance(45);
    assert_eq!(account.landed(), 1);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(account.signed(), 1, "{:?}", account.told());
    assert!(!account.told().contains(&"gone".to_owned()), "{:?}", account.told());
    account.chain.server().faults().recover();
    behind.faults().recover();
    let time = let_time_pass(&account);
    account.all_ended().await;
    time.abort();
    traded_once(&account);
}

/// A server that was far behind when it was signed catches up: no height says any more how long it is good, and the
/// blockhash itself does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_still_good_is_not_given_up_when_servers_were_far_apart() {
    let mut account = on_demand().await;
    account.die().await;
    let behind = account.chain.another_server().await;
    account.chain.advance(300);
    behind.lag(200);
    account.urls.push(behind.url().to_owned());
    account.begin().await;
    account.chain.ledger().deliver(Delivery::Held);
    account.order(Side::Buy, "5");
    account.told_times("submitted", 1).await;
    behind.lag(0);
    account.chain.advance(100);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!account.told().contains(&"gone".to_owned()), "{:?}", account.told());
    account.chain.ledger().release();
    let time = let_time_pass(&account);
    account.all_ended().await;
    time.abort();
    traded_once(&account);
    assert_eq!(account.signed(), 1);
}

/// What one of three shows while the others do not have it yet may be made up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_of_three_shows_is_not_booked() {
    let mut account = Account::start(Form::Current).await;
    let others = [account.chain.another_server().await, account.chain.another_server().await];
    account.urls.extend(others.iter().map(|other| other.url().to_owned()));
    for other in &others {
        other.faults().fail_always("getTransaction", Fault::Lie(serde_json::Value::Null));
    }
    account.begin().await;
    account.order(Side::Buy, "5");
    account.told_times("confirmed", 1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(account.held(), Decimal::ZERO, "{:?}", account.told());
    for other in &others {
        other.faults().recover();
    }
    account.all_ended().await;
    traded_once(&account);
}

/// While one rests the other is alone: it is believed when the first had another chance.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_alone_of_several_is_asked_again() {
    let mut account = Account::start(Form::Current).await;
    let other = account.chain.another_server().await;
    account.urls.push(other.url().to_owned());
    let busy = Fault::TooManyRequests { reset_in: None, retry_after: Some(1) };
    other.faults().fail("getTransaction", busy, 1);
    account.begin().await;
    account.order(Side::Buy, "5");
    account.all_ended().await;
    traded_once(&account);
    assert!(other.faults().asked_of("getTransaction").len() > 1, "it was not asked again");
}

/// A height that one of two makes up keeps nothing open for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_height_that_one_makes_up_freezes_no_order() {
    let mut account = Account::start(Form::Current).await;
    let liar = account.chain.another_server().await;
    account.urls.push(liar.url().to_owned());
    liar.faults().fail_always("getBlockHeight", Fault::Lie(json!(1_000_000_000_000_000_000_u64)));
    account.begin().await;
    account.chain.ledger().deliver(Delivery::Lost);
    account.order(Side::Buy, "5");
    account.told_times("submitted", 1).await;
    account.chain.expire_all();
    account.told_times("gone", 1).await;
    account.chain.ledger().deliver(Delivery::Next);
    account.all_ended().await;
    traded_once(&account);
}

/// A blockhash that nobody else could have come to is passed over where most tell the height.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blockhash_of_the_far_future_is_not_used() {
    let mut account = Account::start(Form::Current).await;
    let liar = account.chain.another_server().await;
    let third = account.chain.another_server().await;
    account.urls.insert(0, liar.url().to_owned());
    account.urls.push(third.url().to_owned());
    let future = 1_000_000_000_000_000_000_u64;
    liar.faults().fail_always("getBlockHeight", Fault::Lie(json!(future)));
    let blockhash = "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY";
    let value = json!({"blockhash": blockhash, "lastValidBlockHeight": future + 150});
    let lie = json!({"context": {"slot": 1}, "value": value});
    liar.faults().fail_always("getLatestBlockhash", Fault::Lie(lie));
    account.begin().await;
    account.order(Side::Buy, "5");
    account.all_ended().await;
    traded_once(&account);
    assert!(!liar.faults().asked_of("getLatestBlockhash").is_empty());
    assert_eq!(account.signed(), 1);
}

/// A minority that says for ever that it knows what the others do not is told to a person.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_few_know_is_not_waited_for_for_ever() {
    let mut account = Account::start(Form::Current).await;
    let liar = account.chain.another_server().await;
    account.urls.push(liar.url().to_owned());
    let status = json!({
        "slot": 1_200, "confirmations": null, "err": null, "status": {"Ok": null}, "confirmationStatus": "finalized"
    });
    let lie = json!({"context": {"slot": 1_200}, "value": [status]});
    liar.faults().fail_always("getSignatureStatuses", Fault::Lie(lie));
    account.begin().await;
    account.chain.ledger().deliver(Delivery::Lost);
    account.order(Side::Buy, "5");
    account.told_times("submitted", 1).await;
    account.chain.expire_all();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((account.halted(), account.signed()), (None, 1), "{:?}", account.told());
    account.chain.advance(9_000);
    account.until("the account is halted", |books| books.engine.halted().is_some()).await;
    assert!(account.halted().unwrap().contains("only few servers know it"), "{:?}", account.halted());
}
