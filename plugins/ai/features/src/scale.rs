use bulkhead_sdk::indicators::{Atr, Sma};
use bulkhead_sdk::{Bar, state};

/// Nothing is divided by less, so that a price that stands still gives no infinite numbers.
const LEAST: f64 = 1e-6;

/// A bar, and what is usual for its instrument: what every group of features is computed from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Seconds since 1970.
    pub(crate) open_time: u32,
    /// Seconds since 1970.
    pub(crate) close_time: u32,
    pub(crate) open: f64,
    pub(crate) high: f64,
    pub(crate) low: f64,
    pub(crate) close: f64,
    /// 0 when unknown.
    pub(crate) volume: f64,
    /// Mean of high, low and close.
    pub(crate) typical: f64,
    /// The close before.
    pub(crate) last_close: Option<f64>,
    pub(crate) log_return: Option<f64>,
    /// The volatility of 60 bars for one bar; above 0.
    pub(crate) usual: Option<f64>,
    /// Wilder's average true range of 14 bars; above 0.
    pub(crate) atr: Option<f64>,
}

impl Step {
    /// A logarithmic move over some bars in units of the usual.
    pub(crate) fn in_usual(&self, change: Option<f64>, bars: f64) -> Option<f64> {
        Some(change? / (self.usual? * bars.sqrt()))
    }

    /// A difference of prices in ATR.
    pub(crate) fn in_atr(&self, difference: Option<f64>) -> Option<f64> {
        Some(difference? / self.atr?)
    }

    /// High less low, unless that is nothing.
    pub(crate) fn range(&self) -> Option<f64> {
        Some(self.high - self.low).filter(|range| *range > 0.0)
    }
}

/// What is usual for an instrument.
#[state]
#[derive(Debug, Clone)]
pub(crate) struct Scale {
    last_close: Option<f64>,
    squares: Sma,
    atr: Atr,
}

impl Scale {
    pub(crate) fn new() -> Self {
        Self { last_close: None, squares: Sma::new(60), atr: Atr::new(14) }
    }

    /// Takes a bar that [`is_usable`].
    pub(crate) fn step(&mut self, bar: &Bar) -> Step {
        let last_close = self.last_close.replace(bar.close);
        let log_return = last_close.map(|last| libm::log(bar.close / last));
        if let Some(log_return) = log_return {
            self.squares.update(log_return * log_return);
        }
        let atr = self.atr.update(bar.high, bar.low, bar.close);
        Step {
            open_time: bar.open_time.seconds,
            close_time: bar.close_time().seconds,
            open: bar.open,
            high: bar.high,
            low: bar.low,
            close: bar.close,
            volume: if (0.0..=MOST_VOLUME).contains(&bar.volume) { bar.volume } else { 0.0 },
            typical: bar.typical_price(),
            last_close,
            log_return,
            usual: self.squares.value().map(deviation),
            atr: atr.map(|atr| atr.max(LEAST * bar.close)),
        }
    }
}

/// The root of a mean of squares, as something to divide by.
pub(crate) fn deviation(mean_square: f64) -> f64 {
    mean_square.max(0.0).sqrt().max(LEAST)
}

/// Prices outside of this are no prices.
const PRICES: std::ops::RangeInclusive<f64> = 1e-15..=1e15;

/// A larger volume is taken as unknown.
const MOST_VOLUME: f64 = 1e24;

/// Whether the bar is one that features can be computed from: prices above 0 that fit together.
pub(crate) fn is_usable(bar: &Bar) -> bool {
    let inside = |price: f64| PRICES.contains(&price) && bar.low <= price && price <= bar.high;
    [bar.open, bar.high, bar.low, bar.close].into_iter().all(inside)
}
