//! Servers and the chain on bad days.

use std::time::Duration;

use bulkhead_solana_chain::Fault;
use bulkhead_solana_chain::ledger::Delivery;
use serde_json::json;
use solana_signer::Signer as _;

use crate::bed::{Bed, calls};

fn limited() -> Fault {
    Fault::TooManyRequests { reset_in: None, retry_after: Some(0) }
}

/// Under this fault of a whole batch and of parts of it everything is told, once.
async fn costs_time_and_nothing_else(faults: impl IntoIterator<Item = Fault>) {
    let bed = Bed::begun(2).await;
    let watching = bed.watch().await;
    let server = bed.chain.server().faults();
    let (mut expected, mut count) = (Vec::new(), 0);
    for fault in faults {
        server.fail("batch", fault.clone(), 1);
        server.fail("getTransaction", fault.clone(), 1);
        server.fail("getSignaturesForAddress", fault, 1);
        expected.push((0, bed.buy(0, 10)));
        expected.push((1, bed.buy(1, 20)));
        expected.push((0, -bed.sell(0)));
        bed.confirm();
        bed.told_each(&watching, &expected).await;
        count += 1;
    }
    let totals = watching.health.totals();
    assert!(totals.traffic.failed_batches >= count && totals.traffic.failed_requests >= count, "{totals:?}");
    assert_eq!((totals.unreadable, totals.undone, totals.gaps), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_answer_costs_time_and_nothing_else() {
    let faults = [limited(), Fault::Unavailable, Fault::Stall, Fault::CloseBefore, Fault::CloseAfter];
    costs_time_and_nothing_else(faults).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_makes_no_sense_costs_time_and_nothing_else() {
    let error = |code: i64| Fault::Error { code, message: "planted".to_owned() };
    let lies = [Fault::Lie(json!({"nothing": "of use"})), Fault::Lie(json!("of use"))];
    costs_time_and_nothing_else([error(-32_005), error(429), Fault::Garbage].into_iter().chain(lies)).await;
}

/// A node that has not seen the first page does not know where the second begins, and would say that there is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_page_from_a_server_that_is_behind_skips_nothing() {
    let mut bed = Bed::begun(1).await;
    let second = bed.chain.another_server().await;
    second.lag(60);
    bed.urls.push(second.url().to_owned());
    bed.settings.page = calls(2);
    let expected: Vec<_> = (0..5).map(|number| (0, bed.buy(0, 10 + number))).collect();
    bed.finalize();
    let first = bed.chain.server().faults();
    first.fail("getSignaturesForAddress", Fault::Delay(Duration::ZERO), 1);
    first.fail("getSignaturesForAddress", Fault::Unavailable, 1);
    // The first is asked again by the time that the second has answered.
    second.faults().fail("getSignaturesForAddress", Fault::Delay(Duration::from_millis(400)), 1);
    let watching = bed.watch().await;
    bed.told_just(&watching, &expected).await;
    assert!(!second.faults().asked_of("getSignaturesForAddress").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_server_is_asked_for_what_one_does_not_answer() {
    let mut bed = Bed::begun(3).await;
    let second = bed.chain.another_server().await;
    bed.urls.push(second.url().to_owned());
    let first = bed.chain.server().faults();
    let expected: Vec<_> = (0..3).map(|leader| (leader, bed.buy(leader as usize, 10))).collect();
    bed.confirm();
    // A part is refused by the first, and the rest is not asked for again.
    first.fail("getTransaction", Fault::Unavailable, 1);
    let report = bed.one_look().await;
    assert_eq!(bed.told(), expected);
    assert_eq!((report.traffic.failed_requests, report.traffic.failed_batches), (1, 0));
    assert_eq!(second.faults().asked_of("getTransaction").len(), 1);
    // All of it is.
    first.fail_all(limited());
    let more = bed.buy(0, 10);
    bed.confirm();
    let report = bed.one_look().await;
    assert_eq!(bed.told().last(), Some(&(0, more)));
    assert_eq!(report.traffic.failed_requests, 0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_behind_is_asked_last_and_misleads_nobody() {
    let mut bed = Bed::begun(1).await;
    let second = bed.chain.another_server().await;
    bed.urls.push(second.url().to_owned());
    let first = bed.buy(0, 10);
    bed.chain.advance(100);
    let second_trade = bed.buy(0, 15);
    bed.finalize();
    bed.settings.told_within = bulkhead_core::time::Span::DAY;
    bed.chain.server().lag(120);
    bed.one_look().await;
    assert_eq!(bed.told(), [(0, first), (0, second_trade)], "the first server knows of one only");
    // The first one alone, which does not know the cursor and shows what there was before it.
    bed.urls.pop();
    bed.one_look().await;
    bed.chain.server().lag(0);
    let next = bed.buy(0, 20);
    bed.confirm();
    let watching = bed.watch().await;
    bed.told_just(&watching, &[(0, first), (0, second_trade), (0, next)]).await;
    // Behind and not again and again, less than it is noticed by.
    let mut expected = bed.told();
    for slots in [0, 40, 7, 0, 60, 3] {
        bed.chain.server().lag(slots);
        expected.push((0, bed.buy(0, 5)));
        bed.confirm();
        watching.looks(watching.health.totals().looks + 2).await;
    }
    bed.chain.server().lag(0);
    bed.told_just(&watching, &expected).await;
    assert_eq!(watching.health.totals().undone, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trade_on_a_fork_that_dies_is_taken_back() {
    let bed = Bed::begun(1).await;
    let watching = bed.watch().await;
    let before = bed.buy(0, 10);
    bed.confirm();
    bed.told_just(&watching, &[(0, before)]).await;
    bed.chain.ledger().deliver(Delivery::OnFork);
    let on_fork = bed.buy(0, 20);
    bed.confirm();
    bed.told_just(&watching, &[(0, before), (0, on_fork)]).await;
    bed.chain.ledger().abandon_fork();
    watching.looks(watching.health.totals().looks + 3).await;
    assert_eq!(bed.told().len(), 2, "it may still turn up");
    bed.finalize();
    bed.chain.advance(8);
    bed.told_just(&watching, &[(0, before), (0, on_fork), (0, -on_fork)]).await;
    assert_eq!((bed.book.trades(bed.leaders[0].pubkey()).len(), bed.book.written().undone.len()), (1, 1));
    assert_eq!(watching.health.totals().undone, 1);
    let after = bed.buy(0, 30);
    bed.confirm();
    bed.told_just(&watching, &[(0, before), (0, on_fork), (0, -on_fork), (0, after)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trade_that_a_fork_moves_to_another_block_is_told_once() {
    let bed = Bed::begun(1).await;
    let watching = bed.watch().await;
    bed.chain.ledger().deliver(Delivery::OnFork);
    let bought = bed.buy(0, 20);
    bed.confirm();
    bed.told_just(&watching, &[(0, bought)]).await;
    let (first, transaction) = {
        let ledger = bed.chain.ledger();
        let (_, landed) = ledger.all_landed().next().unwrap();
        (landed.slot, landed.transaction.clone())
    };
    bed.chain.ledger().abandon_fork();
    bed.chain.ledger().accept(transaction, false).unwrap();
    bed.chain.advance(1);
    bed.confirm();
    let slot = || bed.book.trades(bed.leaders[0].pubkey())[0].slot;
    bed.until("it is written down where it is", || slot() > first).await;
    bed.finalize();
    bed.told_just(&watching, &[(0, bought)]).await;
    assert!(bed.book.trades(bed.leaders[0].pubkey())[0].is_final);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_and_a_transaction_that_contradict_each_other_are_not_believed() {
    let bed = Bed::begun(1).await;
    let bought = bed.buy(0, 10);
    bed.confirm();
    let listed = {
        let ledger = bed.chain.ledger();
        let (signature, landed) = ledger.all_landed().next().unwrap();
        json!([{
            "signature": signature.to_string(), "slot": landed.slot + 1, "err": null, "memo": null, "blockTime": null,
            "confirmationStatus": "confirmed"
        }])
    };
    let faults = bed.chain.server().faults();
    faults.fail_always("getSignaturesForAddress", Fault::Lie(listed));
    let watching = bed.watch().await;
    watching.looks(4).await;
    assert_eq!(bed.told(), []);
    faults.recover();
    bed.told_just(&watching, &[(0, bought)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_never_be_read_is_left_out_in_the_end() {
    let mut bed = Bed::begun(1).await;
    bed.settings.tries = 3;
    bed.settings.look_every = Duration::from_millis(5);
    bed.buy(0, 10);
    bed.confirm();
    let faults = bed.chain.server().faults();
    let refusal =
        Fault::Error { code: -32_015, message: "Transaction version (1) is not supported".to_owned() };
    faults.fail("getTransaction", refusal, 3);
    let watching = bed.watch().await;
    bed.until("it is left out", || watching.health.totals().unreadable == 1).await;
    let next = bed.buy(0, 20);
    bed.confirm();
    bed.told_just(&watching, &[(0, next)]).await;
    assert_eq!(watching.health.failing(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_lists_are_read_page_by_page_and_far_too_long_ones_begin_anew() {
    let mut bed = Bed::begun(1).await;
    bed.settings.page = calls(2);
    bed.settings.transactions_at_once = 3;
    let mut expected: Vec<_> = (0..7).map(|number| (0, bed.buy(0, 10 + number))).collect();
    bed.confirm();
    let watching = bed.watch().await;
    bed.told_just(&watching, &expected).await;
    bed.finalize();
    watching.looks(watching.health.totals().looks + 2).await;
    watching.kill().await;
    bed.settings.pages = 2;
    for number in 0..5 {
        bed.buy(0, 20 + number);
    }
    bed.finalize();
    let watching = bed.watch().await;
    bed.until("it begins anew", || watching.health.totals().gaps == 1).await;
    expected.push((0, bed.buy(0, 30)));
    bed.confirm();
    bed.told_just(&watching, &expected).await;
}
