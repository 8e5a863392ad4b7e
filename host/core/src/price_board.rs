//! The last known market of every instrument: what positions are valued at and orders are checked against.

use serde::{Deserialize, Serialize};

use crate::identifier::InstrumentId;
use crate::instrument::{Instrument, Rounding};
use crate::market::Bar;
use crate::money::Price;
use crate::time::{Span, Timestamp};

/// Weight of the newest squared return in the volatility estimate (`RiskMetrics` 1996 uses 0.06 for days).
const VOLATILITY_WEIGHT: f64 = 0.06;

/// Seconds in a day, to scale volatility.
const DAY_SECONDS: f64 = 86_400.0;

/// What is known of one instrument's market.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InstrumentMarket {
    /// Last price: a close, the middle of a quote or a trade. `None` until the first.
    last: Option<(f64, Timestamp)>,
    /// Depth of the pool in the quote currency, when the feed knows it.
    liquidity: Option<f64>,
    /// Quantity traded in the last bar.
    last_volume: f64,
    /// Mean of squared returns a second.
    variance_per_second: Option<f64>,
    last_bar: Option<Bar>,
}

impl InstrumentMarket {
    /// The last price, as the feed gave it.
    #[must_use]
    pub fn last(&self) -> Option<f64> {
        self.last.map(|(price, _)| price)
    }

    /// When the last price was made.
    #[must_use]
    pub fn last_time(&self) -> Option<Timestamp> {
        self.last.map(|(_, time)| time)
    }

    /// Depth of the pool in the quote currency, when known.
    #[must_use]
    pub const fn liquidity(&self) -> Option<f64> {
        self.liquidity
    }

    /// Quantity traded in the last bar; 0 when unknown.
    #[must_use]
    pub const fn last_volume(&self) -> f64 {
        self.last_volume
    }

    /// The last complete bar.
    #[must_use]
    pub const fn last_bar(&self) -> Option<&Bar> {
        self.last_bar.as_ref()
    }

    /// Standard deviation of returns over a day, from an exponentially weighted mean of squared returns;
    /// `None` until two bars are known.
    #[must_use]
    pub fn daily_volatility(&self) -> Option<f64> {
        self.variance_per_second.map(|variance| (variance * DAY_SECONDS).sqrt())
    }

    fn observe(&mut self, price: f64, time: Timestamp) {
        self.last = Some((price, time));
    }
}

/// The markets of all instruments.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PriceBoard {
    markets: Vec<InstrumentMarket>,
}

impl PriceBoard {
    /// A board without prices for this many instruments.
    #[must_use]
    pub fn new(instruments: usize) -> Self {
        Self { markets: vec![InstrumentMarket::default(); instruments] }
    }

    /// Makes room for this many instruments.
    pub fn extend(&mut self, instruments: usize) {
        self.markets.resize_with(instruments.max(self.markets.len()), InstrumentMarket::default);
    }

    /// How many instruments it has.
    pub(crate) const fn instruments(&self) -> usize {
        self.markets.len()
    }

    /// The market of an instrument, if there is such an instrument.
    #[must_use]
    pub fn market(&self, instrument: InstrumentId) -> Option<&InstrumentMarket> {
        self.markets.get(usize::try_from(instrument.0).ok()?)
    }

    fn market_mut(&mut self, instrument: InstrumentId) -> Option<&mut InstrumentMarket> {
        self.markets.get_mut(usize::try_from(instrument.0).ok()?)
    }

    /// Takes a complete bar.
    pub fn observe_bar(&mut self, bar: &Bar) {
        let Some(market) = self.market_mut(bar.instrument) else { return };
        if let Some((before, _)) = market.last {
            let change = bar.close / before - 1.0;
            #[expect(
                clippy::cast_precision_loss,
                reason = "spans of centuries are exact enough for statistics"
            )]
            let seconds = bar.interval.nanos() as f64 / 1e9;
            let sample = change * change / seconds;
            // One that is not finite would stay in the estimate for ever.
            if sample.is_finite() {
                market.variance_per_second = Some(match market.variance_per_second {
                    Some(variance) => variance + VOLATILITY_WEIGHT * (sample - variance),
                    None => sample,
                });
            }
        }
        market.observe(bar.close, bar.close_time());
        market.last_volume = bar.volume;
        market.last_bar = Some(*bar);
    }

    /// Takes a price from a quote or a trade, with the pool's depth when it is known.
    pub fn observe_price(&mut self, instrument: InstrumentId, price: f64, time: Timestamp, liquidity: f64) {
        let Some(market) = self.market_mut(instrument) else { return };
        market.observe(price, time);
        if liquidity > 0.0 {
            market.liquidity = Some(liquidity);
        }
    }

    /// The last price on the instrument's grid; `None` before the first, or when it is off the books' range.
    #[must_use]
    pub fn price(&self, id: InstrumentId, instrument: &Instrument) -> Option<Price> {
        instrument.price(self.market(id)?.last?.0, Rounding::Nearest)
    }

    /// How old the last price is at a moment; `None` before the first.
    #[must_use]
    pub fn age(&self, instrument: InstrumentId, now: Timestamp) -> Option<Span> {
        Some(now.since(self.market(instrument)?.last?.1))
    }
}
