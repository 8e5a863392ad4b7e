//! A Solana chain on this machine to try things on, with pools and an aggregator, until it is interrupted.

#![allow(clippy::print_stdout, reason = "it tells where everything is")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bulkhead_solana_chain::chain::SOL;
use bulkhead_solana_chain::jupiter::Jupiter;
use bulkhead_solana_chain::rpc::GENESIS_HASH;
use bulkhead_solana_chain::tokens::{Mint, WRAPPED_SOL};
use bulkhead_solana_chain::{Chain, Options, Pace};
use solana_signer::Signer as _;

/// Where the chain and the aggregator listen.
const PORT: u16 = 8_899;
const AGGREGATOR_PORT: u16 = 8_898;

/// The time of a slot, as on the real chain.
const SLOT: Duration = Duration::from_millis(400);

/// The smallest units of both tokens in a whole.
const DOLLAR: u64 = 1_000_000;

fn main() {
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&ended)).expect("signals can be handled");
    }
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    runtime.block_on(async {
        let options = Options { pace: Pace::Every(SLOT), port: PORT, ..Options::default() };
        let chain = Chain::start(options).await;
        let trader = chain.keypair();
        let (plain, dollar) = (chain.mint(&Mint::plain(9)), chain.mint(&Mint::plain(6)));
        let pools = [
            chain.add_pool(plain, 10_000 * SOL, dollar, 1_000_000 * DOLLAR),
            chain.add_pool(WRAPPED_SOL, 10_000 * SOL, dollar, 2_000_000 * DOLLAR),
        ];
        chain.give_lamports(trader.pubkey(), 100 * SOL);
        chain.give_tokens(dollar, trader.pubkey(), 20_000 * DOLLAR);
        let jupiter = Jupiter::start_at(&chain, &pools, AGGREGATOR_PORT).await;
        println!(
            "A chain is at {}, its genesis hash {GENESIS_HASH}.\n  aggregator  {}\n  token       {plain}\n  dollars     {dollar}\n  \
             trader      {}\n  its key     {}\n\
             The key is known to everybody: it is for this chain alone. Ctrl-C ends the chain, and nothing of it is kept.",
            chain.url(),
            jupiter.url(),
            trader.pubkey(),
            trader.to_base58_string(),
        );
        while !ended.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
}
