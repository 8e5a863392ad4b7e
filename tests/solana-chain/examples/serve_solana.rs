//! A Solana chain on this machine to try things on: a pool in which others trade all the time, and an aggregator that knows
//! it, until it is interrupted. `cargo xtask solana-chain` runs it.

#![allow(clippy::print_stdout, reason = "it tells where everything is")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bulkhead_solana_chain::market::LocalMarket;
use bulkhead_solana_chain::rpc::GENESIS_HASH;
use bulkhead_solana_chain::{Chain, Options, Pace};
use solana_signer::Signer as _;

/// Where the chain and the aggregator listen; `examples/solana-local.toml` looks there.
const PORT: u16 = 8_899;
const AGGREGATOR_PORT: u16 = 8_898;

/// The time of a slot, as on the real chain.
const SLOT: Duration = Duration::from_millis(400);

/// The time between two trades of others.
const TRADE: Duration = Duration::from_secs(1);

fn main() {
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&ended)).expect("signals can be handled");
    }
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    runtime.block_on(async {
        let options = Options { pace: Pace::Every(SLOT), port: PORT, ..Options::default() };
        let chain = Chain::start(options).await;
        let mut market = LocalMarket::open(&chain, AGGREGATOR_PORT).await;
        println!(
            "A chain is at {}, its first block {GENESIS_HASH}.\n  aggregator  {}\n  dollars     {}\n  trader      {}\n  \
             its key     {}\n\
             The key is known to everybody: it is for this chain alone. Ctrl-C ends the chain, and nothing of it is kept.",
            chain.url(),
            market.jupiter.url(),
            market.dollar,
            market.trader().pubkey(),
            market.trader_as_json(),
        );
        while !ended.load(Ordering::Relaxed) {
            market.live_on(&chain);
            tokio::time::sleep(TRADE).await;
        }
    });
}
