//! The process ends in the middle of something, or what is known can't be written down.

use std::time::Duration;

use bulkhead_solana::wallets::book::Watched;
use bulkhead_solana_chain::Fault;
use bulkhead_solana_chain::tokens::transfer_lamports;
use solana_signer::Signer as _;

use crate::bed::{Bed, calls};

/// Watching is killed after each number of answers, until one run gets to its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_anywhere_in_a_look_loses_nothing_and_tells_nothing_twice() {
    let mut bed = Bed::begun(3).await;
    bed.settings.calls_at_once = calls(2);
    bed.settings.page = calls(2);
    bed.settings.transactions_at_once = 2;
    let faults = bed.chain.server().faults();
    let mut expected = Vec::new();
    for answers in 0..14 {
        for leader in 0..3 {
            expected.push((u32::try_from(leader).unwrap(), bed.buy(leader, 10)));
        }
        bed.confirm();
        faults.fail("batch", Fault::Delay(Duration::ZERO), answers);
        faults.fail_always("batch", Fault::Stall);
        let before = faults.asked_of("batch").len();
        let watching = bed.watch().await;
        bed.until("it stalls", || faults.asked_of("batch").len() > before + answers).await;
        watching.kill().await;
        faults.recover();
        if answers % 5 == 4 {
            bed.finalize();
        }
    }
    let watching = bed.watch().await;
    bed.told_each(&watching, &expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_told_that_could_not_be_written_down() {
    let bed = Bed::begun(1).await;
    let watching = bed.watch().await;
    bed.book.written().is_full = true;
    let bought = bed.buy(0, 10);
    bed.confirm();
    bed.until("it fails", || watching.health.failing().is_some()).await;
    watching.looks(watching.health.totals().looks + 3).await;
    assert_eq!(bed.told(), []);
    assert!(watching.health.failing().unwrap().contains("the disk is full"));
    bed.book.written().is_full = false;
    bed.told_just(&watching, &[(0, bought)]).await;
    assert_eq!(watching.health.failing(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cursor_moves_over_final_blocks_only() {
    let bed = Bed::begun(1).await;
    let owner = bed.leaders[0].pubkey();
    let watching = bed.watch().await;
    let cursor = || bed.book.written().standings[&Watched::Wallet(owner)].cursor.unwrap();
    let before = cursor();
    bed.execute(0, &[transfer_lamports(owner, bed.chain.address(), 1_000_000_000)]).unwrap();
    let slot = bed.chain.ledger().slot();
    bed.confirm();
    bed.until("it is read", || watching.health.totals().cache_misses == 1).await;
    watching.looks(watching.health.totals().looks + 3).await;
    assert_eq!(cursor(), before);
    assert_eq!(watching.health.totals().cache_misses, 1, "it is read once");
    bed.finalize();
    bed.until("it moves", || cursor().slot == slot).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_before_a_restart_is_followed_to_its_end() {
    let bed = Bed::begun(1).await;
    let watching = bed.watch().await;
    bed.chain.ledger().deliver(bulkhead_solana_chain::ledger::Delivery::OnFork);
    let bought = bed.buy(0, 10);
    bed.confirm();
    bed.told_just(&watching, &[(0, bought)]).await;
    watching.kill().await;
    bed.chain.ledger().abandon_fork();
    bed.finalize();
    bed.chain.advance(8);
    let watching = bed.watch().await;
    bed.told_just(&watching, &[(0, bought), (0, -bought)]).await;
}
