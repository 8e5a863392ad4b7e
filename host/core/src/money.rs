//! Amounts. The books hold decimals only; each kind of amount is a type, and arithmetic that overflows is
//! an error, never a wrong number.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::{Deserialize, Serialize};

/// A computation left the range that the books can hold (28 significant digits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("an amount left the range of the books, 28 digits; check price, quantity and tick of the instrument")]
pub struct Overflow;

macro_rules! amount {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Decimal);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(Decimal::ZERO);

            /// The sum.
            ///
            /// # Errors
            ///
            /// [`Overflow`] when it leaves the range of the books.
            pub fn plus(self, other: Self) -> Result<Self, Overflow> {
                self.0.checked_add(other.0).map(Self).ok_or(Overflow)
            }

            /// The difference; may be negative.
            ///
            /// # Errors
            ///
            /// [`Overflow`] when it leaves the range of the books.
            pub fn minus(self, other: Self) -> Result<Self, Overflow> {
                self.0.checked_sub(other.0).map(Self).ok_or(Overflow)
            }

            /// The amount times a plain factor.
            ///
            /// # Errors
            ///
            /// [`Overflow`] when it leaves the range of the books.
            pub fn scaled(self, factor: Decimal) -> Result<Self, Overflow> {
                self.0.checked_mul(factor).map(Self).ok_or(Overflow)
            }

            /// Whether it is exactly nothing.
            #[must_use]
            pub fn is_zero(self) -> bool {
                self.0.is_zero()
            }

            /// Whether it is above zero.
            #[must_use]
            pub fn is_positive(self) -> bool {
                !self.0.is_zero() && self.0.is_sign_positive()
            }

            /// Whether it is below zero.
            #[must_use]
            pub fn is_negative(self) -> bool {
                !self.0.is_zero() && self.0.is_sign_negative()
            }

            /// For strategies, charts and statistics; never for the books. The nearest double for amounts of up
            /// to 15 digits.
            #[must_use]
            pub fn approximate(self) -> f64 {
                let mantissa = self.0.mantissa();
                // Exact and much faster than the general conversion for amounts of up to 15 digits.
                match (i64::try_from(mantissa), usize::try_from(self.0.scale())) {
                    (Ok(m), Ok(scale)) if m.unsigned_abs() < (1 << 53) && scale < POWERS_OF_TEN.len() => {
                        #[expect(clippy::cast_precision_loss, reason = "below 2^53 every integer is exact")]
                        let m = m as f64;
                        m / POWERS_OF_TEN[scale]
                    }
                    _ => self.0.to_f64().unwrap_or(f64::NAN),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, formatter)
            }
        }
    };
}

const POWERS_OF_TEN: [f64; 23] = [
    1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

amount!(
    /// An amount of the account's currency; negative for a loss or a debit.
    Money
);
amount!(
    /// The price of one unit of the base asset in the quote currency.
    Price
);
amount!(
    /// An amount of the base asset.
    Quantity
);

impl Price {
    /// What a quantity is worth at this price.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when it leaves the range of the books.
    pub fn value_of(self, quantity: Quantity) -> Result<Money, Overflow> {
        self.0.checked_mul(quantity.0).map(Money).ok_or(Overflow)
    }
}

impl Money {
    /// The quantity that this much money buys at a price, not yet on the lot grid.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when the price is zero or the result leaves the range of the books.
    pub fn buys_at(self, price: Price) -> Result<Quantity, Overflow> {
        self.0.checked_div(price.0).map(Quantity).ok_or(Overflow)
    }

    /// The part of this amount that `part` is of `whole`.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when `whole` is zero or the result leaves the range of the books.
    pub fn share(self, part: Quantity, whole: Quantity) -> Result<Self, Overflow> {
        if part == whole {
            return Ok(self);
        }
        self.0.checked_mul(part.0).and_then(|v| v.checked_div(whole.0)).map(Self).ok_or(Overflow)
    }

    /// The average price when a quantity cost this much.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when the quantity is zero or the result leaves the range of the books.
    pub fn per_unit(self, quantity: Quantity) -> Result<Price, Overflow> {
        self.0.checked_div(quantity.0).map(Price).ok_or(Overflow)
    }
}

/// A fraction given in basis points (hundredths of a percent) as a plain factor: 10 gives 0.001.
#[must_use]
pub fn from_basis_points(basis_points: Decimal) -> Decimal {
    basis_points * Decimal::new(1, 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overflow_is_an_error() {
        assert_eq!(Money(Decimal::MAX).plus(Money(Decimal::ONE)), Err(Overflow));
        assert_eq!(Price(Decimal::MAX).value_of(Quantity(Decimal::TWO)), Err(Overflow));
        assert_eq!(Money(Decimal::ONE).buys_at(Price::ZERO), Err(Overflow));
    }

    #[test]
    fn the_whole_share_is_exact() {
        let third = Money(Decimal::ONE).share(Quantity(Decimal::ONE), Quantity(Decimal::from(3))).unwrap();
        assert_eq!(third.to_string(), "0.3333333333333333333333333333");
        let all = Money(Decimal::new(12_345, 7));
        assert_eq!(all.share(Quantity(Decimal::new(7, 3)), Quantity(Decimal::new(7, 3))), Ok(all));
    }

    #[test]
    fn the_approximation_is_the_nearest_double() {
        for text in ["0", "0.1", "46319.01", "-123.456", "9007199254740991", "0.000000000123456"] {
            let exact: Decimal = text.parse().unwrap();
            assert_eq!(
                Money(exact).approximate().to_bits(),
                text.parse::<f64>().unwrap().to_bits(),
                "{text}"
            );
        }
    }
}
