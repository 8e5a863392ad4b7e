//! Pushes make it look sooner, and nothing hangs on them.

use std::time::Duration;

use bulkhead_solana::wallets::pushes::PushSettings;
use bulkhead_solana_chain::pushes::Pushes;

use crate::bed::{Bed, Watching};

/// Two leaders who are looked at when a push says so, or else in an hour.
async fn pushed(silent_after: Duration) -> (Bed, Pushes, Watching) {
    let mut bed = Bed::begun(2).await;
    let pushes = bed.chain.pushes().await;
    bed.pushes = vec![PushSettings::new(pushes.url(), silent_after).unwrap()];
    bed.settings.look_every = Duration::from_secs(3_600);
    let watching = bed.watch().await;
    bed.until("it has subscribed", || pushes.subscriptions() == 2).await;
    (bed, pushes, watching)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_makes_it_look_at_that_wallet_at_once() {
    let (bed, _pushes, watching) = pushed(Duration::from_secs(30)).await;
    // Looks that the beginning asked for are over with the second: their hints came before its push.
    let mut expected = Vec::new();
    for dollars in [10, 20, 30] {
        expected.push((1, bed.buy(1, dollars)));
        bed.confirm();
        bed.until("it is told", || bed.told() == expected).await;
    }
    bed.until("the look is over", || watching.health.totals().swaps == 3).await;
    assert_eq!(watching.health.last_look().unwrap().addresses, 1);
    assert!(watching.health.totals().pushes > 0 && watching.health.connections() == 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_is_made_again_and_what_was_missed_is_looked_for() {
    let (bed, pushes, watching) = pushed(Duration::from_secs(30)).await;
    let first = bed.buy(0, 10);
    bed.confirm();
    bed.until("it is told", || bed.told().len() == 1).await;
    pushes.break_off();
    let missed = bed.buy(0, 20);
    bed.confirm();
    bed.until("it is told", || bed.told().len() == 2).await;
    assert_eq!(bed.told(), [(0, first), (0, missed)]);
    assert!(watching.health.totals().lost_connections >= 1);
    bed.until("it has subscribed anew", || pushes.subscriptions() == 4).await;
    let next = bed.buy(0, 30);
    bed.confirm();
    bed.until("it is told", || bed.told().len() == 3).await;
    assert_eq!(bed.told().last(), Some(&(0, next)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_falls_silent_is_given_up() {
    let (bed, pushes, watching) = pushed(Duration::from_millis(300)).await;
    pushes.be_silent(true);
    bed.until("it tries anew", || pushes.connections() >= 2).await;
    assert!(watching.health.totals().lost_connections >= 1);
    let missed = bed.buy(0, 10);
    bed.confirm();
    pushes.be_silent(false);
    bed.until("it is told", || !bed.told().is_empty()).await;
    assert_eq!(bed.told(), [(0, missed)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_push_the_poll_finds_everything() {
    let mut bed = Bed::begun(1).await;
    let pushes = bed.chain.pushes().await;
    pushes.be_silent(true);
    bed.pushes = vec![
        PushSettings::new(pushes.url(), Duration::from_millis(300)).unwrap(),
        PushSettings::new("ws://127.0.0.1:1", Duration::from_secs(1)).unwrap(),
    ];
    let watching = bed.watch().await;
    let bought = bed.buy(0, 10);
    bed.confirm();
    bed.told_just(&watching, &[(0, bought)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lies_changes_nothing() {
    let (bed, pushes, watching) = pushed(Duration::from_secs(30)).await;
    let bought = bed.buy(0, 10);
    bed.confirm();
    pushes.lie();
    bed.told_just(&watching, &[(0, bought)]).await;
}
