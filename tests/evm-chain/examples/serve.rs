//! A chain on this machine to try things on: pools of Uniswap V2 and V3 in which others trade all the time, until it is
//! interrupted. `cargo xtask evm-chain --serve` runs it.

#![allow(clippy::print_stdout, reason = "it tells where everything is")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bulkhead_evm_chain::market::LocalMarket;
use bulkhead_evm_chain::{Chain, Mining, Options};

/// Where it listens; `examples/evm-local.toml` looks there.
const PORT: u16 = 8_545;

/// The time between two blocks, and between two swaps of others.
const BLOCK: Duration = Duration::from_secs(1);

fn main() {
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&ended)).expect("signals can be handled");
    }
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    runtime.block_on(async {
        let options = Options { port: PORT, mining: Mining::Every(BLOCK), ..Options::default() };
        let chain = Chain::start_with(options).await;
        println!("Making the pools…");
        let mut market = LocalMarket::open(&chain).await;
        let trader = LocalMarket::trader();
        println!(
            "A chain is at {}, number {}.\n  pool of Uniswap V2  {}\n  pool of Uniswap V3  {}\n  trader              {}\n  its key             {}\n\
             The key is known to everybody: it is for this chain alone. Ctrl-C ends the chain, and nothing of it is kept.",
            chain.url(),
            chain.id(),
            market.v2_pool,
            market.v3_pool,
            trader.address(),
            trader.to_bytes(),
        );
        while !ended.load(Ordering::Relaxed) {
            market.live_on(&chain).await;
            tokio::time::sleep(BLOCK).await;
        }
    });
}
