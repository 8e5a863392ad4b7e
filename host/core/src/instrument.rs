//! What can be traded, and the grid that its prices and quantities lie on.

use rust_decimal::prelude::{FromPrimitive as _, ToPrimitive as _};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

use crate::money::{Money, Price, Quantity};

/// An instrument's terms of trade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// E.g. "BTC-USD".
    pub symbol: String,
    /// Smallest price step.
    pub tick: Price,
    /// Smallest quantity step.
    pub lot: Quantity,
    /// Smallest order value.
    pub min_notional: Money,
    /// Instruments of one cluster are expected to move together; their exposure is limited as one. Empty for
    /// none.
    pub cluster: String,
}

/// Which way a number is rounded to the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Towards zero.
    Down,
    /// Away from zero.
    Up,
    /// To the nearest step, halves to even.
    Nearest,
}

impl Rounding {
    const fn strategy(self) -> RoundingStrategy {
        match self {
            Self::Down => RoundingStrategy::ToZero,
            Self::Up => RoundingStrategy::AwayFromZero,
            Self::Nearest => RoundingStrategy::MidpointNearestEven,
        }
    }
}

impl Instrument {
    /// An instrument with steps of 10^-`price_scale` and 10^-`quantity_scale`, without a smallest value.
    #[must_use]
    pub fn new(symbol: &str, price_scale: u32, quantity_scale: u32) -> Self {
        Self {
            symbol: symbol.to_owned(),
            tick: Price(Decimal::new(1, price_scale)),
            lot: Quantity(Decimal::new(1, quantity_scale)),
            min_notional: Money::ZERO,
            cluster: String::new(),
        }
    }

    /// A feed's price on the tick grid; `None` when it is not positive or too large for the books.
    #[must_use]
    pub fn price(&self, value: f64, rounding: Rounding) -> Option<Price> {
        on_grid(value, self.tick.0, rounding).filter(|price| *price > Decimal::ZERO).map(Price)
    }

    /// A proposed quantity on the lot grid; `None` when it is negative or too large for the books.
    #[must_use]
    pub fn quantity(&self, value: f64, rounding: Rounding) -> Option<Quantity> {
        on_grid(value, self.lot.0, rounding).filter(|quantity| *quantity >= Decimal::ZERO).map(Quantity)
    }

    /// A computed price moved to the tick grid.
    #[must_use]
    pub fn round_price(&self, price: Price, rounding: Rounding) -> Option<Price> {
        round(price.0, self.tick.0, rounding).map(Price)
    }

    /// A computed quantity moved to the lot grid.
    #[must_use]
    pub fn round_quantity(&self, quantity: Quantity, rounding: Rounding) -> Option<Quantity> {
        round(quantity.0, self.lot.0, rounding).map(Quantity)
    }
}

fn round(value: Decimal, step: Decimal, rounding: Rounding) -> Option<Decimal> {
    let rounded = if step.mantissa() == 1 {
        // The usual grid, a power of ten, needs no division.
        value.round_dp_with_strategy(step.scale(), rounding.strategy())
    } else {
        value.checked_div(step)?.round_dp_with_strategy(0, rounding.strategy()).checked_mul(step)?
    };
    Some(rounded).filter(|rounded| has_room_for(*rounded, step))
}

/// Whether a number has room for all digits of the grid. One that has not can't be added to its neighbours
/// exactly: a part taken from it would be lost.
fn has_room_for(value: Decimal, step: Decimal) -> bool {
    let mut value = value;
    value.rescale(step.scale());
    value.scale() == step.scale()
}

/// Largest magnitude that a binary fraction still tells from its neighbours as a whole number of steps.
const EXACT_STEPS: f64 = 9_007_199_254_740_992.0;

const POWERS_OF_TEN: [f64; 13] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12];

fn on_grid(value: f64, step: Decimal, rounding: Rounding) -> Option<Decimal> {
    if !value.is_finite() {
        return None;
    }
    let power = usize::try_from(step.scale()).ok().and_then(|scale| POWERS_OF_TEN.get(scale));
    if let (1, Some(power)) = (step.mantissa(), power) {
        let steps = value * power;
        if steps.abs() < EXACT_STEPS {
            // A decimal fraction such as 0.29 is a hair off in binary; without the tolerance rounding down
            // would lose a whole step.
            let nearest = steps.round_ties_even();
            let whole = match rounding {
                _ if (steps - nearest).abs() <= nearest.abs() * 4.0 * f64::EPSILON => nearest,
                Rounding::Nearest => nearest,
                Rounding::Down => steps.trunc(),
                Rounding::Up if steps < 0.0 => steps.floor(),
                Rounding::Up => steps.ceil(),
            };
            return Some(Decimal::new(whole.to_i64()?, step.scale()));
        }
    }
    // The shortest decimal that means this number: 100.05 and not 100.0499999999999971578.
    round(Decimal::from_f64(value)?, step, rounding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_with_the_ticks_digits_is_exact() {
        let instrument = Instrument::new("BTC-USD", 2, 8);
        for cents in [1_i64, 29, 57, 100, 4_631_901, 99_999_999_999] {
            let text = Decimal::new(cents, 2);
            let value: f64 = text.to_string().parse().unwrap();
            for rounding in [Rounding::Down, Rounding::Up, Rounding::Nearest] {
                assert_eq!(instrument.price(value, rounding), Some(Price(text)));
            }
        }
    }

    #[test]
    fn rounding_goes_where_it_is_told() {
        let instrument = Instrument::new("X-USD", 2, 3);
        assert_eq!(instrument.quantity(1.2345, Rounding::Down), Some(Quantity(Decimal::new(1_234, 3))));
        assert_eq!(instrument.quantity(1.2345, Rounding::Up), Some(Quantity(Decimal::new(1_235, 3))));
        assert_eq!(instrument.price(10.006, Rounding::Nearest), Some(Price(Decimal::new(1_001, 2))));
    }

    #[test]
    fn a_step_that_is_no_power_of_ten_works() {
        let mut instrument = Instrument::new("ES", 2, 0);
        instrument.tick = Price(Decimal::new(25, 2));
        assert_eq!(instrument.price(100.3, Rounding::Down), Some(Price(Decimal::new(10_025, 2))));
        assert_eq!(instrument.price(100.3, Rounding::Up), Some(Price(Decimal::new(10_050, 2))));
    }

    #[test]
    fn a_number_on_a_grid_that_is_no_power_of_ten_stays_where_it_is() {
        let mut instrument = Instrument::new("X-USD", 2, 2);
        (instrument.tick, instrument.lot) = (Price(Decimal::new(5, 2)), Quantity(Decimal::new(3, 4)));
        for steps in 1..20_000_i64 {
            for rounding in [Rounding::Down, Rounding::Up, Rounding::Nearest] {
                let price = Decimal::new(5 * steps, 2);
                let value: f64 = price.to_string().parse().unwrap();
                assert_eq!(instrument.price(value, rounding), Some(Price(price)));
                let quantity = Decimal::new(3 * steps, 4);
                let value: f64 = quantity.to_string().parse().unwrap();
                assert_eq!(instrument.quantity(value, rounding), Some(Quantity(quantity)));
            }
        }
    }

    #[test]
    fn a_quantity_too_large_for_its_grid_is_refused() {
        let instrument = Instrument::new("X-USD", 2, 9);
        let vast = Quantity("14547064508424735629824.523432".parse().unwrap());
        assert_eq!(instrument.round_quantity(vast, Rounding::Down), None);
        assert_eq!(instrument.quantity(1.454e22, Rounding::Down), None);
        let large = Quantity("1454706450842473562.523432001".parse().unwrap());
        assert_eq!(instrument.round_quantity(large, Rounding::Down), Some(large));
    }

    #[test]
    fn what_is_no_price_is_refused() {
        let instrument = Instrument::new("X-USD", 2, 3);
        for value in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e40] {
            assert_eq!(instrument.price(value, Rounding::Nearest), None, "{value}");
        }
    }
}
