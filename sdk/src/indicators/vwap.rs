use serde::{Deserialize, Serialize};

use super::double_double::DoubleDouble;
use super::is_usable;
use super::rolling::{RollingSum, SlidingTotal};
use super::window::Window;

/// The volume-weighted average price of the last `period` bars: Σ price · volume / Σ volume.
///
/// The price of a bar is up to the caller; usual is the typical price, (high + low + close) / 3. Known from
/// the `period`-th bar on; `None` while the window has no volume at all. A bar with an unusable price or
/// volume, or a negative volume, is skipped.
///
/// Source: Berkowitz, Logue and Noser, "The Total Cost of Transactions on the NYSE" (1988).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vwap {
    prices: Window,
    volume: RollingSum,
    /// Σ price · volume.
    turnover: SlidingTotal,
}

impl Vwap {
    /// The average of `period` bars.
    #[must_use]
    pub fn new(period: u32) -> Self {
        Self {
            prices: Window::new(period),
            volume: RollingSum::new(period),
            turnover: SlidingTotal::default(),
        }
    }

    /// Takes the next bar's price and volume.
    pub fn update(&mut self, price: f64, volume: f64) -> Option<f64> {
        if is_usable(price) && is_usable(volume) && volume >= 0.0 {
            if let (Some(old_price), Some(old_volume)) = (self.prices.push(price), self.volume.push(volume)) {
                self.turnover.leave_product(DoubleDouble::product(old_price, old_volume));
            }
            self.turnover.enter_product(DoubleDouble::product(price, volume), self.volume.is_at_turn());
            if self.has_no_volume() {
                self.turnover.total = DoubleDouble::ZERO;
            }
        }
        self.value()
    }

    /// The average of the bars so far.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        let volume = self.volume.total().filter(|volume| *volume > 0.0)?;
        Some(self.turnover.total.to_f64() / volume).filter(|price| price.is_finite())
    }

    fn has_no_volume(&self) -> bool {
        self.volume.total().is_some_and(|volume| volume <= 0.0)
    }
}

/// The volume-weighted average price since the start of the session: Σ price · volume / Σ volume.
///
/// Sessions are equally long and counted from 1970-01-01T00:00:00Z, so a length of 86,400 seconds gives
/// UTC days, which is the custom for markets that never close. Known from a session's first bar with
/// volume on. A bar with an unusable price or volume, or a negative volume, is skipped.
///
/// Source: as [`Vwap`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionVwap {
    session_seconds: u32,
    session: u32,
    volume: DoubleDouble,
    turnover: DoubleDouble,
}

impl SessionVwap {
    /// An average that starts anew every `session_seconds` (0 counts as 1).
    #[must_use]
    pub fn new(session_seconds: u32) -> Self {
        Self {
            session_seconds: session_seconds.max(1),
            session: 0,
            volume: DoubleDouble::ZERO,
            turnover: DoubleDouble::ZERO,
        }
    }

    /// Takes the next bar: its open time in seconds since 1970, its price and its volume.
    pub fn update(&mut self, open_time: u32, price: f64, volume: f64) -> Option<f64> {
        if is_usable(price) && is_usable(volume) && volume >= 0.0 {
            let session = open_time.checked_div(self.session_seconds).unwrap_or(0);
            if session != self.session {
                *self = Self { session, ..Self::new(self.session_seconds) };
            }
            self.volume = self.volume.plus(volume);
            self.turnover = self.turnover.add(DoubleDouble::product(price, volume));
        }
        self.value()
    }

    /// The average of the session so far.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        let volume = self.volume.to_f64();
        Some(self.turnover.to_f64() / volume).filter(|price| price.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weighs_prices_by_volume() {
        let mut vwap = Vwap::new(2);
        assert_eq!(vwap.update(10.0, 1.0), None);
        assert_eq!(vwap.update(20.0, 3.0), Some(17.5));
        assert_eq!(vwap.update(40.0, 0.0), Some(20.0));
        assert_eq!(vwap.update(40.0, -1.0), Some(20.0));
    }

    #[test]
    fn is_unknown_without_volume_and_exact_after_it() {
        let mut vwap = Vwap::new(4);
        for (price, volume) in [(3.1, 1e15), (7.7, 1e-9), (5.0, 0.0), (5.0, 0.0), (5.0, 0.0)] {
            vwap.update(price, volume);
        }
        assert_eq!(vwap.update(5.0, 0.0), None);
        assert_eq!(vwap.update(5.0, 1e-9), Some(5.0));
    }

    #[test]
    fn starts_anew_with_the_session() {
        let mut vwap = SessionVwap::new(86_400);
        assert_eq!(vwap.update(86_000, 10.0, 0.0), None);
        assert_eq!(vwap.update(86_100, 10.0, 1.0), Some(10.0));
        assert_eq!(vwap.update(86_200, 20.0, 1.0), Some(15.0));
        assert_eq!(vwap.update(86_400, 30.0, 1.0), Some(30.0));
    }
}
