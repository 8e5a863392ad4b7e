//! What is told, and what it costs.

use bulkhead_core::input::InputKind;
use bulkhead_core::order::Side;
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_solana::settings::Finality;
use bulkhead_solana::wallets::book::Watched;
use bulkhead_solana::wallets::feed::WatchStartError;
use bulkhead_solana::wallets::new_pools::PoolProgram;
use bulkhead_solana::wallets::settings::WatchName;
use bulkhead_solana_chain::chain::SOL;
use bulkhead_solana_chain::ledger::Ledger;
use bulkhead_solana_chain::tokens::{
    TOKEN, WRAPPED_SOL, associated, create_idempotent, transfer_lamports, transfer_tokens,
};
use rust_decimal::Decimal;
use solana_address::{Address, address};
use solana_instruction::{AccountMeta, Instruction};
use solana_signer::Signer as _;

use crate::bed::{Bed, X};

const MEMO: Address = address!("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_and_a_sale_are_told_with_their_sizes_and_written_down() {
    let bed = Bed::begun(2).await;
    let bought = bed.buy(0, 100);
    let slot = bed.chain.ledger().slot();
    bed.confirm();
    let watching = bed.watch().await;
    bed.told_just(&watching, &[(0, bought)]).await;
    let sold = bed.sell(0);
    let other = bed.buy(1, 50);
    bed.confirm();
    bed.told_just(&watching, &[(0, bought), (0, -sold), (1, other)]).await;

    let trades = bed.book.trades(bed.leaders[0].pubkey());
    let [bought, sold] = trades.as_slice() else { panic!("{trades:?}") };
    assert_eq!((bought.slot, bought.time, bought.told), (slot, Some(Ledger::time_of(slot)), true));
    assert_eq!((bought.deal.side, bought.deal.given.amount), (Some(Side::Buy), Decimal::ONE_HUNDRED));
    assert_eq!((sold.deal.side, sold.deal.instrument), (Some(Side::Sell), Some(X)));
    let price = bought.deal.price.unwrap();
    assert_eq!((price * bought.deal.got.amount).round_dp(6), Decimal::ONE_HUNDRED);
    let told = bed.told.lock().unwrap().clone();
    let times = told.iter().filter_map(|input| match input.kind {
        InputKind::Signal(signal) => Some(signal.time),
        _ => None,
    });
    assert_eq!(times.min(), Some(Timestamp::from_seconds(Ledger::time_of(slot))), "that of its block");
    watching.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_with_native_currency_is_the_trade_alone() {
    let mut bed = Bed::begun(1).await;
    bed.settings.money.insert(WRAPPED_SOL);
    let bought = bed.buy_with_sol(0, 3 * SOL);
    bed.confirm();
    let watching = bed.watch().await;
    bed.told_just(&watching, &[(0, bought)]).await;
    let trades = bed.book.trades(bed.leaders[0].pubkey());
    assert_eq!((trades[0].deal.given.mint, trades[0].deal.given.amount), (WRAPPED_SOL, Decimal::from(3)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfers_and_what_failed_are_not_told_and_unknown_tokens_are_kept() {
    let bed = Bed::begun(1).await;
    let owner = bed.leaders[0].pubkey();
    let bought = bed.buy(0, 100);
    let other = bed.chain.address();
    let (from, to) = (associated(owner, bed.base, TOKEN), associated(other, bed.base, TOKEN));
    let sent = [
        create_idempotent(owner, other, bed.base, TOKEN),
        transfer_tokens(TOKEN, from, to, owner, 1_000_000),
    ];
    bed.execute(0, &sent).unwrap();
    bed.execute(0, &[transfer_lamports(owner, other, SOL)]).unwrap();
    // A swap of more than there is lands and fails.
    let hash = bed.chain.ledger().blockhash(0).0;
    let swap = bed.swap(&bed.pool, 0, bed.dollar, u64::MAX);
    let message = solana_message::v0::Message::try_compile(&owner, &[swap], &[], hash).unwrap();
    let message = solana_message::VersionedMessage::V0(message);
    let failing =
        solana_transaction::versioned::VersionedTransaction::try_new(message, &[&bed.leaders[0]]).unwrap();
    let failed = bed.chain.ledger().accept(failing, false).unwrap();
    bed.chain.advance(1);
    assert!(bed.chain.ledger().landed(&failed).unwrap().result.is_err());
    // The money is none here: neither side is known.
    bed.buy_with_sol(0, SOL);
    bed.confirm();
    let watching = bed.watch().await;
    bed.told_just(&watching, &[(0, bought)]).await;
    let trades = bed.book.trades(owner);
    let kept: Vec<_> = trades.iter().map(|trade| (trade.deal.side, trade.told)).collect();
    assert_eq!(kept, [(Some(Side::Buy), true), (None, false)]);
    assert_eq!(watching.health.totals().swaps, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_trade_is_written_down_and_not_told() {
    let mut bed = Bed::begun(1).await;
    bed.settings.told_within = Span::from_seconds(10);
    bed.buy(0, 100);
    bed.chain.advance(50);
    let fresh = bed.buy(0, 50);
    bed.confirm();
    let watching = bed.watch().await;
    bed.told_just(&watching, &[(0, fresh)]).await;
    let told: Vec<bool> = bed.book.trades(bed.leaders[0].pubkey()).iter().map(|trade| trade.told).collect();
    assert_eq!(told, [false, true]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_told_before_it_is_as_sure_as_is_asked_for() {
    let mut bed = Bed::begun(1).await;
    let watching = bed.watch().await;
    let first = bed.buy(0, 100);
    watching.looks(watching.health.totals().looks + 3).await;
    assert_eq!(bed.told(), [], "it is not confirmed");
    bed.confirm();
    bed.told_just(&watching, &[(0, first)]).await;
    watching.kill().await;
    bed.settings.told_at = Finality::Finalized;
    let second = bed.buy(0, 50);
    bed.confirm();
    let watching = bed.watch().await;
    watching.looks(3).await;
    assert_eq!(bed.told().len(), 1, "it is not final");
    bed.finalize();
    bed.told_just(&watching, &[(0, first), (0, second)]).await;
    assert!(bed.book.trades(bed.leaders[0].pubkey()).iter().all(|trade| trade.is_final));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_wallets_take_three_batches_and_three_more_for_their_trades() {
    let bed = Bed::begun(50).await;
    let faults = bed.chain.server().faults();
    let idle = bed.one_look().await;
    assert_eq!((idle.addresses, idle.traffic.requests, idle.traffic.batches), (50, 51, 3));
    for leader in 0..50 {
        bed.buy(leader, 10);
    }
    bed.confirm();
    let before = faults.asked().len();
    let busy = bed.one_look().await;
    // 50 lists and the final slot, then 50 transactions.
    assert_eq!((busy.traffic.requests, busy.traffic.batches), (101, 6));
    assert_eq!((busy.cache_misses, busy.cache_hits, busy.transactions, busy.swaps), (50, 0, 50, 50));
    assert_eq!((busy.traffic.failed_requests, busy.traffic.failed_batches, busy.left), (0, 0, 0));
    assert!(busy.took > std::time::Duration::ZERO);
    let asked = faults.asked().split_off(before);
    let sizes: Vec<usize> = asked
        .iter()
        .filter(|asked| asked.method == "batch")
        .map(|asked| asked.parameters.as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [20, 20, 11, 20, 20, 10], "the server saw the same");
    assert_eq!(bed.told().len(), 50);
    let told: Vec<u32> = bed.told().iter().map(|(signal, _)| *signal).collect();
    assert_eq!(told, (0..50).collect::<Vec<_>>(), "in the order of their blocks");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_of_two_wallets_is_asked_for_once() {
    let bed = Bed::begun(2).await;
    let owner = bed.leaders[0].pubkey();
    let swap = bed.swap(&bed.pool, 0, bed.dollar, 1_000_000);
    let own = create_idempotent(owner, owner, bed.base, TOKEN);
    let present = transfer_lamports(owner, bed.leaders[1].pubkey(), 1);
    bed.execute(0, &[own, swap, present]).unwrap();
    bed.confirm();
    let watching = bed.watch().await;
    bed.until("it is told", || bed.told().len() == 1).await;
    let totals = watching.health.totals();
    assert_eq!((totals.cache_misses, totals.cache_hits, totals.swaps), (1, 1, 1));
    assert_eq!(watching.health.remembered(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_another_is_remembered_meanwhile() {
    let mut bed = Bed::begun(1).await;
    bed.settings.calls_at_once = crate::bed::calls(1);
    let amounts = [bed.buy(0, 10), bed.buy(0, 20), bed.buy(0, 30)];
    bed.confirm();
    // The first of the three is not shown at first.
    let faults = bed.chain.server().faults();
    faults.fail("getTransaction", bulkhead_solana_chain::Fault::Lie(serde_json::Value::Null), 1);
    let watching = bed.watch().await;
    bed.told_just(&watching, &amounts.map(|amount| (0, amount))).await;
    let totals = watching.health.totals();
    assert_eq!((totals.cache_misses, totals.cache_hits), (4, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_pool_is_told_and_written_down() {
    let mut bed = Bed::new(1).await;
    let fee_taker = bed.chain.address();
    let name = WatchName::new("amm").unwrap();
    let log = "CreatePool".to_owned();
    bed.settings.pools = vec![PoolProgram { name: name.clone(), program: MEMO, watched: fee_taker, log }];
    bed.one_look().await;
    let owner = bed.leaders[0].pubkey();
    let pool_of = |says: &str, mints: [Address; 2]| {
        let pool = bed.chain.address();
        let from = |mint| associated(owner, mint, TOKEN);
        let to = |mint| associated(pool, mint, TOKEN);
        let made = [
            Instruction {
                program_id: MEMO,
                accounts: vec![AccountMeta::new_readonly(owner, true)],
                data: says.as_bytes().to_vec(),
            },
            transfer_lamports(owner, fee_taker, SOL),
            create_idempotent(owner, pool, mints[0], TOKEN),
            create_idempotent(owner, pool, mints[1], TOKEN),
            transfer_tokens(TOKEN, from(mints[0]), to(mints[0]), owner, 5_000_000),
        ];
        bed.execute(0, &made).unwrap();
        pool
    };
    let other = bed.chain.mint(&bulkhead_solana_chain::tokens::Mint::plain(3));
    let pool = pool_of("CreatePool", [bed.dollar, bed.base]);
    pool_of("Deposit", [bed.dollar, bed.base]);
    let unknown = pool_of("CreatePool", [bed.dollar, other]);
    bed.confirm();
    let watching = bed.watch().await;
    // The wallets come first in the list of signals.
    bed.told_just(&watching, &[(1, 5.0)]).await;
    let pools = bed.book.written().standings[&Watched::Pools(name)].pools.clone();
    let seen: Vec<_> = pools.iter().map(|pool| (pool.owner, pool.instrument, pool.told)).collect();
    assert_eq!(seen, [(pool, Some(X), true), (unknown, None, false)]);
    bed.finalize();
    watching.looks(watching.health.totals().looks + 3).await;
    assert_eq!(bed.told().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_that_could_not_tell_does_not_start() {
    let mut bed = Bed::new(1).await;
    let wallet = bed.book.written().wallets[0].clone();
    let started = async |bed: &Bed| bed.watch_with(bed.book.clone(), bed.settings.clone()).await.err();
    let twice = bulkhead_solana::wallets::book::TrackedWallet {
        name: WatchName::new("again").unwrap(),
        address: wallet.address,
    };
    bed.book.written().wallets.push(twice);
    assert!(matches!(started(&bed).await, Some(WatchStartError::SameAddress { .. })));
    bed.book.written().wallets.clear();
    assert_eq!(started(&bed).await, Some(WatchStartError::Nothing));
    bed.settings.page = crate::bed::calls(1_001);
    assert_eq!(started(&bed).await, Some(WatchStartError::Page { page: 1_001 }));
    bed.settings.page = crate::bed::calls(1_000);
    bed.book.written().wallets.push(wallet);
    let signals = ["wallet:other".to_owned()];
    let feed = bulkhead_solana::wallets::feed::WalletFeed::open(
        bed.endpoints(),
        bed.book.clone(),
        bed.settings.clone(),
        Vec::new(),
        &signals,
    );
    let name = "wallet:leader-0".to_owned();
    assert_eq!(feed.await.err(), Some(WatchStartError::UnknownSignal { name }));
}
