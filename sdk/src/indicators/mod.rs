//! Technical indicators that are fed one value at a time.
//!
//! What holds for every indicator here:
//! - `update` takes the next value and returns the indicator's new value; `value` returns the same again
//!   without feeding. Both are `None` until enough values were seen, and where the formula is undefined
//!   (each type says where).
//! - One update costs the same whatever the period (amortised) and allocates nothing.
//! - Running sums are kept in doubled precision, so a window that has slid a million times gives what a
//!   fresh computation over its values gives.
//! - A value that is not finite, or larger than 1e100 in size, is skipped: the indicator stays as it was and
//!   `update` returns the current value. Results are always finite.
//! - A period of 0 counts as 1, and one above [`MAX_PERIOD`] as [`MAX_PERIOD`]. State the range that makes
//!   sense with the strategy's parameter, so that an operator's slip is refused with a message.
//! - They serialise with serde and go on from there with the same bits; a state whose windows or sums
//!   can't be right is refused.
//! - The arithmetic is the same on every platform, natively and in WebAssembly.
//!
//! What an indicator must never do: panic, read a clock, or depend on anything but what it was fed.

/// Wilder's average true range.
mod atr;
/// Bollinger's bands around a moving average.
mod bollinger;
/// A number of twice the precision of `f64`.
mod double_double;
/// The exponential moving average.
mod ema;
/// The highest and the lowest of the last values.
mod extremes;
/// Appel's moving average convergence divergence.
mod macd;
/// The change over a number of steps.
mod rate_of_change;
/// How much a price has moved, from its logarithmic returns.
mod realised_volatility;
/// Sum, mean and variance over the last values.
mod rolling;
/// Wilder's relative strength index.
mod rsi;
/// The simple moving average.
mod sma;
/// Volume against its recent average.
mod volume_ratio;
/// The volume-weighted average price.
mod vwap;
/// Wilder's smoothing, which RSI and ATR share.
mod wilder;
/// The last values, in a ring.
mod window;
/// How many standard deviations a value is from its mean.
mod z_score;

pub use self::atr::Atr;
pub use self::bollinger::{Bands, Bollinger};
pub use self::ema::Ema;
pub use self::extremes::{Highest, Lowest};
pub use self::macd::{Macd, MacdLines};
pub use self::rate_of_change::RateOfChange;
pub use self::realised_volatility::RealisedVolatility;
pub use self::rsi::Rsi;
pub use self::sma::Sma;
pub use self::volume_ratio::VolumeRatio;
pub use self::vwap::{SessionVwap, Vwap};
pub use self::z_score::ZScore;

/// The longest period an indicator can have.
pub const MAX_PERIOD: u32 = 1_000_000;

/// Above this size a square or a product could overflow.
const LARGEST_VALUE: f64 = 1e100;

/// Whether an indicator takes the value.
fn is_usable(value: f64) -> bool {
    value.abs() <= LARGEST_VALUE
}

/// The period that is used for the one asked for.
fn allowed_period(period: u32) -> u32 {
    period.clamp(1, MAX_PERIOD)
}

/// Why a saved indicator can't be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct DamagedState(&'static str);

impl std::fmt::Display for DamagedState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the saved indicator is damaged: {}", self.0)
    }
}
