//! Amounts. The books hold decimals only; each kind of amount is a type, and arithmetic that overflows is
//! an error, never a wrong number.

use std::fmt;

use rust_decimal::prelude::ToPrimitive as _;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

/// Digits behind the point of the books' smallest unit of money, 10^-16. Every amount that is booked is a
/// whole number of units, so that sums are exact as long as they fit: up to 7.9 million millions.
pub const MONEY_SCALE: u32 = 16;

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
                let sum = self.0.checked_add(other.0).ok_or(Overflow)?;
                kept_digits(sum, self.0, other.0).map(Self)
            }

            /// The difference; may be negative.
            ///
            /// # Errors
            ///
            /// [`Overflow`] when it leaves the range of the books.
            pub fn minus(self, other: Self) -> Result<Self, Overflow> {
                let difference = self.0.checked_sub(other.0).ok_or(Overflow)?;
                kept_digits(difference, self.0, other.0).map(Self)
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

/// A sum of decimals that does not fit loses its last digits silently. That is fine for digits below the
/// smallest unit of money, which only estimates have, and an error above.
fn kept_digits(result: Decimal, first: Decimal, second: Decimal) -> Result<Decimal, Overflow> {
    let digits = first.scale().max(second.scale());
    if result.scale() >= digits.min(MONEY_SCALE) {
        return Ok(result);
    }
    // Trailing zeros may go.
    if result.scale() >= first.normalize().scale().max(second.normalize().scale()).min(MONEY_SCALE) {
        return Ok(result);
    }
    Err(Overflow)
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
    /// What a quantity is worth at this price. May be finer than the unit of money; what is booked is rounded
    /// with [`Money::rounded_up`] or [`Money::rounded_down`].
    ///
    /// # Errors
    ///
    /// [`Overflow`] when it leaves the range of the books.
    pub fn value_of(self, quantity: Quantity) -> Result<Money, Overflow> {
        self.0.checked_mul(quantity.0).map(Money).ok_or(Overflow)
    }
}

impl Money {
    /// The most that is booked: one unit of money more would not have all its digits.
    pub const LARGEST_BOOKED: Self =
        Self(Decimal::from_parts(u32::MAX, u32::MAX, u32::MAX, false, MONEY_SCALE));

    /// The amount, if the books hold it. A larger one may happen to have all its digits, but taking a finer one
    /// from it would not.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when it is larger than [`Self::LARGEST_BOOKED`], or as much below zero.
    pub fn booked(self) -> Result<Self, Overflow> {
        if self.0.abs() > Self::LARGEST_BOOKED.0 { Err(Overflow) } else { Ok(self) }
    }

    /// A cost on the unit of money: rounded against who pays.
    #[must_use]
    pub fn rounded_up(self) -> Self {
        Self(self.0.round_dp_with_strategy(MONEY_SCALE, RoundingStrategy::AwayFromZero))
    }

    /// Proceeds on the unit of money: rounded against who is paid.
    #[must_use]
    pub fn rounded_down(self) -> Self {
        Self(self.0.round_dp_with_strategy(MONEY_SCALE, RoundingStrategy::ToZero))
    }

    /// The quantity that this much money buys at a price, not yet on the lot grid.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when the price is zero or the result leaves the range of the books.
    pub fn buys_at(self, price: Price) -> Result<Quantity, Overflow> {
        self.0.checked_div(price.0).map(Quantity).ok_or(Overflow)
    }

    /// The part of this amount that `part` is of `whole`, rounded down to the unit of money.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when `whole` is zero or the result leaves the range of the books.
    pub fn share(self, part: Quantity, whole: Quantity) -> Result<Self, Overflow> {
        if part == whole {
            return Ok(self);
        }
        let product = self.0.checked_mul(part.0).and_then(|product| product.checked_div(whole.0));
        // The product of two large amounts may not fit where their quotient does.
        let share =
            product.or_else(|| part.0.checked_div(whole.0).and_then(|ratio| ratio.checked_mul(self.0)));
        share.map(|share| Self(share).rounded_down()).ok_or(Overflow)
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
        assert_eq!(third.to_string(), "0.3333333333333333");
        let all = Money(Decimal::new(12_345, 7));
        assert_eq!(all.share(Quantity(Decimal::new(7, 3)), Quantity(Decimal::new(7, 3))), Ok(all));
    }

    #[test]
    fn a_sum_that_would_lose_digits_is_an_error() {
        let finest = Money(Decimal::new(1, MONEY_SCALE));
        let most = Money("7000000000000".parse().unwrap());
        assert_eq!(most.plus(finest).unwrap().minus(most), Ok(finest));
        let too_much = Money("80000000000000".parse().unwrap());
        assert_eq!(too_much.plus(finest), Err(Overflow));
        assert_eq!(too_much.minus(finest), Err(Overflow));
        let trailing_zeros = Money("1.0000000000000000".parse().unwrap());
        assert!(too_much.plus(trailing_zeros).is_ok());
    }

    #[test]
    fn a_share_of_large_amounts_fits() {
        let (cost, whole) =
            (Money(Decimal::from(1_000_000_000_000_i64)), Quantity(Decimal::from(10_i128.pow(18))));
        let part = Quantity(Decimal::from(10_i128.pow(17)));
        assert_eq!(cost.share(part, whole), Ok(Money(Decimal::from(100_000_000_000_i64))));
    }

    #[test]
    fn the_difference_of_booked_amounts_is_exact() {
        let finest = Money(Decimal::new(1, MONEY_SCALE));
        let less = Money::LARGEST_BOOKED.minus(finest).unwrap();
        assert_eq!(less.plus(finest), Ok(Money::LARGEST_BOOKED));
        assert_eq!(Money::LARGEST_BOOKED.booked(), Ok(Money::LARGEST_BOOKED));
        // All its digits are there, and a finer amount can't be taken from it.
        let beyond = Money("7972902881486.392280960350572".parse().unwrap());
        assert_eq!(beyond.minus(finest), Err(Overflow));
        assert_eq!((beyond.booked(), Money(-beyond.0).booked()), (Err(Overflow), Err(Overflow)));
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
