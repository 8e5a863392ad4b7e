//! The same strategy on paper and on a chain, on the prices of the same pool at the same time: what paper assumes is what
//! the chain does, but for what it costs to trade there, and that is reported.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use bulkhead_core::order::Side;
use bulkhead_store::read_models::FillFilter;
use rust_decimal::Decimal;
use serde_json::Value;
use support::chain_place::Place;
use support::host::PATIENCE;
use support::{json, succeed};

/// What the pool keeps of each swap, and what paper is told of it.
const POOL_FEE_BPS: u32 = 30;

/// What an execution may be worse by: the pool's fee is in the price there and beside it on paper; the rest is the slippage
/// that is allowed by default.
const MOST_WORSE_BPS: u32 = POOL_FEE_BPS + 50;

/// How others move the price with each trade, in ten-thousandths of the pool: by about 20 hundredths of a percent.
const PARTS: u64 = 10;

impl Place {
    /// Others go on trading one way until both accounts have done so as well.
    fn others_trade_until_both_have(&self, side: Side) {
        let until = Instant::now() + PATIENCE;
        while !["paper", "real"].into_iter().all(|account| self.has_filled(account, side)) {
            assert!(Instant::now() < until, "not both accounts have traded");
            if !self.has_filled("paper", side) {
                let trade = self.market.others_trade(&self.chain, side == Side::Buy, PARTS);
                self.runtime.block_on(trade);
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    fn has_filled(&self, account: &str, side: Side) -> bool {
        let mut database = self.database();
        let accounts = database.account_names().unwrap();
        let shard = accounts.iter().find(|row| row.name == account).unwrap().shard;
        let fills = database.fills(shard, &FillFilter::default(), None, usize::MAX).unwrap();
        fills.iter().any(|fill| fill.side == side)
    }

    fn comparison(&self) -> Value {
        let comparison = json(self.path(), &["compare", "paper", "real", "--json"]);
        comparison["instruments"][0].clone()
    }
}

fn decimal(value: &Value) -> Decimal {
    value.as_str().unwrap_or_else(|| panic!("{value} is no amount")).parse().unwrap()
}

#[test]
#[allow(clippy::print_stdout, reason = "the difference is to be seen")]
fn a_strategy_ends_with_the_same_positions_on_paper_and_on_the_chain() {
    let place = Place::new();
    let fee = format!("accounts.paper.paper.fee_bps={POOL_FEE_BPS}");
    let settings = [
        "accounts.real.mode=live",
        "accounts.paper.mode=paper",
        &fee,
        "slots.sma-crossover.parameters.fast=2",
        "slots.sma-crossover.parameters.slow=5",
        // Others move the price for one side only, which would look like a crash.
        "risk.cooldown=off",
    ];
    let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let mut host = place.start(&settings);
    host.wait_for(&["strategy started", "sma-crossover"]);
    host.wait_for(&["strategy started", "sma-crossover"]);
    place.others_trade_until_both_have(Side::Buy);
    let bought = place.comparison();
    let [on_paper, on_chain] = [0, 1].map(|which| decimal(&bought["totals"][which]["held"]));
    assert!(on_paper > Decimal::ZERO, "{bought}");
    let apart = (on_chain - on_paper).abs() / on_paper;
    assert!(apart < Decimal::new(1, 2), "they hold about the same: {bought}");
    assert_eq!(on_chain, place.coins(), "and the chain says so");

    place.others_trade_until_both_have(Side::Sell);
    host.stop();
    let sold = place.comparison();
    for which in [0, 1] {
        assert_eq!(decimal(&sold["totals"][which]["held"]), Decimal::ZERO, "{sold}");
    }
    for figure in ["bought_worse_bps", "sold_worse_bps"] {
        let worse = decimal(&sold[figure]);
        assert!(worse <= Decimal::from(MOST_WORSE_BPS), "{figure}: {sold}");
        assert!(worse >= -Decimal::from(MOST_WORSE_BPS), "{figure}: {sold}");
    }
    println!("{}", succeed(place.path(), &["compare", "paper", "real"]));
}
