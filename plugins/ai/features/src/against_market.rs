use bulkhead_sdk::indicators::Sma;
use bulkhead_sdk::state;

use crate::market::Market;
use crate::row::{Row, log_ratio};
use crate::scale::Step;
use crate::table::Name;
use crate::volatility::REFERENCE;

/// How an instrument moves against the mean of all.
#[state]
#[derive(Debug, Clone)]
pub(crate) struct AgainstMarket {
    /// The bar before, whose minute the market has completed by now.
    last: Option<Past>,
    products: Sma,
    squares: Sma,
    market_squares: Sma,
}

/// What is remembered of a bar.
#[state]
#[derive(Debug, Clone, Copy)]
struct Past {
    open_time: u32,
    log_return: Option<f64>,
    /// Over 15 and 60 bars.
    returns: [Option<f64>; 2],
    usual: Option<f64>,
}

impl AgainstMarket {
    pub(crate) fn new() -> Self {
        Self { last: None, products: Sma::new(60), squares: Sma::new(60), market_squares: Sma::new(60) }
    }

    /// Takes a bar whose return the market has taken, and the returns over 15 and 60 bars.
    pub(crate) fn update(&mut self, step: &Step, returns: [Option<f64>; 2], market: &Market, row: &mut Row) {
        let now = Past { open_time: step.open_time, log_return: step.log_return, returns, usual: step.usual };
        if let Some(past) = self.last.replace(now) {
            self.compare(&past, market, row);
        }
    }

    fn compare(&mut self, past: &Past, market: &Market, row: &mut Row) {
        let is_same = |open_time: u32| open_time == past.open_time;
        let Some(minute) = market.last().filter(|minute| is_same(minute.open_time) && minute.count >= 2)
        else {
            return;
        };
        if let Some(own) = past.log_return {
            self.products.update(own * minute.mean);
            self.squares.update(own * own);
            self.market_squares.update(minute.mean * minute.mean);
        }
        row.set(Name::MarketKnown, 1.0);
        let usual = market.usual();
        for (name, minutes) in
            [(Name::MarketReturn5, 5), (Name::MarketReturn15, 15), (Name::MarketReturn60, 60)]
        {
            let change = market.over(minutes).zip(usual);
            row.set_known(name, change.map(|(change, usual)| change / (usual * f64::from(minutes).sqrt())));
        }
        for ((name, minutes), own) in
            [(Name::RelativeReturn15, 15), (Name::RelativeReturn60, 60)].into_iter().zip(past.returns)
        {
            if let (Some(own), Some(all), Some(usual)) = (own, market.over(minutes), past.usual) {
                row.set(name, (own - all) / (usual * f64::from(minutes).sqrt()));
            }
        }
        row.set_known(Name::MarketVolatility60, usual.and_then(|usual| log_ratio(usual, REFERENCE)));
        if let (Some(products), Some(squares), Some(market_squares)) =
            (self.products.value(), self.squares.value(), self.market_squares.value())
            && squares > 0.0
            && market_squares > 0.0
        {
            let correlation = products / (squares.sqrt() * market_squares.sqrt());
            row.set(Name::MarketCorrelation60, correlation.clamp(-1.0, 1.0));
            row.set(Name::MarketBeta60, products / market_squares);
        }
    }
}
