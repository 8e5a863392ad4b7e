use bulkhead_sdk::indicators::Sma;
use bulkhead_sdk::{Quote, state};

use crate::row::{Row, log_ratio};
use crate::scale::Step;
use crate::table::Name;

/// An older quote says nothing of now.
const FRESH_SECONDS: u32 = 120;

/// What spreads are compared with.
const SPREAD: f64 = 0.001;

/// What depths of pools are compared with, in the quote currency.
const LIQUIDITY: f64 = 1e6;

/// What turnovers are compared with, as shares of the pool.
const TURNOVER: f64 = 0.001;

/// Larger sizes and depths are taken as unknown.
const MOST: f64 = 1e24;

/// Spread, sizes and depth.
#[state]
#[derive(Debug, Clone)]
pub(crate) struct Quotes {
    last: Option<Known>,
    spreads: Sma,
    depths: Sma,
}

/// What the last quote tells.
#[state]
#[derive(Debug, Clone, Copy)]
struct Known {
    seconds: u32,
    middle: f64,
    /// As a fraction of the middle; above 0.
    spread: f64,
    imbalance: Option<f64>,
    /// Above 0.
    depth: Option<f64>,
}

impl Quotes {
    pub(crate) fn new() -> Self {
        Self { last: None, spreads: Sma::new(60), depths: Sma::new(60) }
    }

    /// Takes a quote. One that crosses itself, or whose prices are none, is skipped.
    pub(crate) fn hear(&mut self, quote: &Quote) {
        let (spread, middle) = (quote.relative_spread(), quote.middle());
        if !(quote.bid > 0.0 && spread > 0.0 && middle <= 1e15) {
            return;
        }
        let known = |value: f64| Some(value).filter(|value| *value > 0.0 && *value <= MOST);
        let imbalance =
            known(quote.bid_size).zip(known(quote.ask_size)).map(|(bid, ask)| (bid - ask) / (bid + ask));
        let depth = known(quote.liquidity);
        self.last = Some(Known { seconds: quote.time.seconds, middle, spread, imbalance, depth });
    }

    pub(crate) fn update(&mut self, step: &Step, row: &mut Row) {
        let is_fresh = |last: &Known| step.close_time.saturating_sub(last.seconds) <= FRESH_SECONDS;
        let Some(last) = self.last.filter(is_fresh) else { return };
        row.set(Name::QuoteKnown, 1.0);
        row.set_known(Name::Spread, log_ratio(last.spread, SPREAD));
        let mean = self.spreads.update(last.spread);
        row.set_known(Name::SpreadChange60, mean.and_then(|mean| log_ratio(last.spread, mean)));
        row.set_known(Name::QuoteImbalance, last.imbalance);
        row.set_known(Name::QuoteDrift, step.in_usual(log_ratio(last.middle, step.close), 1.0));
        if let Some(depth) = last.depth {
            row.set(Name::LiquidityKnown, 1.0);
            row.set(Name::Liquidity, libm::log10(depth / LIQUIDITY));
            let mean = self.depths.update(depth);
            row.set_known(Name::LiquidityChange60, mean.and_then(|mean| log_ratio(depth, mean)));
            row.set_known(Name::Turnover, log_ratio(step.volume * step.close / depth, TURNOVER));
        }
    }
}
