//! From what a look has brought, and the wall clock, to inputs of the engine. It asks nobody.

use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::{Input, InputKind};
use bulkhead_core::market::Signal;
use bulkhead_core::time::Timestamp;

use crate::settings::Market;
use crate::wallets::scanner::{Finding, News};

/// What was told so far.
#[derive(Debug)]
pub(super) struct FeedInputs {
    markets: Vec<Market>,
    /// The time of the newest input.
    told: Timestamp,
}

impl FeedInputs {
    pub(super) const fn new(markets: Vec<Market>) -> Self {
        Self { markets, told: Timestamp::EPOCH }
    }

    /// Time, when there is nothing else.
    pub(super) fn timer(&mut self, now: Timestamp) -> Input {
        self.told = self.told.max(now);
        Input { time: self.told, kind: InputKind::Timer }
    }

    /// Signals of what has happened, in its order.
    pub(super) fn signals(&mut self, news: &[News], now: Timestamp) -> Vec<Input> {
        self.told = self.told.max(now);
        let mut inputs = Vec::new();
        for one in news {
            for (instrument, value, made) in values(one, &self.markets) {
                // A block can't be of a time that has not come; what is taken back is so only now.
                let made = made.map(Timestamp::from_seconds).filter(|_| !one.is_undone);
                let time = made.unwrap_or(self.told).min(self.told);
                let value = if one.is_undone { -value } else { value };
                let signal = Signal { instrument, id: one.signal, time, value };
                inputs.push(Input { time: self.told, kind: InputKind::Signal(signal) });
            }
        }
        inputs
    }
}

fn values(news: &News, markets: &[Market]) -> Vec<(InstrumentId, f64, Option<i64>)> {
    match &news.finding {
        Finding::Trade(trade) => {
            let told = trade.deal.signed_size().filter(|_| trade.told);
            told.map(|(instrument, size)| (instrument, size, trade.time)).into_iter().collect()
        }
        Finding::Pools(pools) => {
            let told = pools.iter().filter(|pool| pool.told);
            let told = told.filter_map(|pool| {
                let (instrument, size) = pool.quote_size(markets)?;
                Some((instrument, size, pool.time))
            });
            told.collect()
        }
    }
}
