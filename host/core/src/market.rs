//! What happens in the market, as feeds report it and strategies see it. Prices are `f64` here; the books
//! convert them to decimals on the instrument's grid before they use them.

use serde::{Deserialize, Serialize};

use crate::identifier::{InstrumentId, SignalId};
use crate::order::Side;
use crate::time::{Span, Timestamp};

/// A completed bar.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// What was traded.
    pub instrument: InstrumentId,
    /// The bar's length.
    pub interval: Span,
    /// The moment the bar began; it is complete at `open_time + interval`.
    pub open_time: Timestamp,
    /// First price, in the quote currency.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Traded quantity of the base asset; 0 when unknown.
    pub volume: f64,
}

impl Bar {
    /// The moment from which the bar may be known.
    #[must_use]
    pub const fn close_time(&self) -> Timestamp {
        self.open_time.plus(self.interval)
    }

    /// Whether prices are positive and finite, high and low enclose open and close, and volume is a
    /// non-negative number.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        // Comparisons with NaN are false, so one in any field fails here.
        self.low > 0.0
            && self.high < f64::INFINITY
            && self.low <= self.open
            && self.open <= self.high
            && self.low <= self.close
            && self.close <= self.high
            && self.volume >= 0.0
            && self.volume < f64::INFINITY
    }
}

/// Best prices, and what can be traded at them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quote {
    /// What is quoted.
    pub instrument: InstrumentId,
    /// When the quote was valid.
    pub time: Timestamp,
    /// Highest price to buy.
    pub bid: f64,
    /// Lowest price to sell.
    pub ask: f64,
    /// Quantity at the bid; 0 when unknown.
    pub bid_size: f64,
    /// Quantity at the ask; 0 when unknown.
    pub ask_size: f64,
    /// Depth of the pool in the quote currency; 0 when unknown.
    pub liquidity: f64,
}

impl Quote {
    /// Whether the prices are positive, finite and not crossed, and the sizes non-negative numbers.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let size = |value: f64| (0.0..f64::INFINITY).contains(&value);
        self.bid > 0.0
            && self.bid <= self.ask
            && self.ask < f64::INFINITY
            && size(self.bid_size)
            && size(self.ask_size)
            && size(self.liquidity)
    }

    /// Halfway between bid and ask.
    #[must_use]
    pub fn middle(&self) -> f64 {
        f64::midpoint(self.bid, self.ask)
    }
}

/// A trade by others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MarketTrade {
    /// What was traded.
    pub instrument: InstrumentId,
    /// When.
    pub time: Timestamp,
    /// At what price.
    pub price: f64,
    /// How much of the base asset.
    pub quantity: f64,
    /// The side that took liquidity.
    pub taker: Side,
}

impl MarketTrade {
    /// Whether price and quantity are positive and finite.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let positive = |value: f64| value > 0.0 && value < f64::INFINITY;
        positive(self.price) && positive(self.quantity)
    }
}

/// A named number from outside the market, such as a sentiment score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// The instrument it speaks of.
    pub instrument: InstrumentId,
    /// Which signal.
    pub id: SignalId,
    /// When it was made.
    pub time: Timestamp,
    /// Its value; the signal's source defines the range.
    pub value: f64,
}
