//! Between the books' decimals and the chain's whole numbers.

use alloy::primitives::U256;
use rust_decimal::Decimal;

/// An amount that one side can't write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Finer than the token's smallest unit.
    #[error(
        "{amount} is finer than {decimals} decimals, all that the token has; make the instrument's lot coarser"
    )]
    TooFine {
        /// The amount.
        amount: Decimal,
        /// The token's decimals.
        decimals: u8,
    },
    /// Below zero.
    #[error("{0} is below zero")]
    Negative(Decimal),
    /// More digits than the books can hold.
    #[error("{0} units are more than the books can hold, 28 digits")]
    TooLarge(U256),
}

/// An amount as the token counts it.
///
/// # Errors
///
/// [`AmountError`] when it is negative or finer than the token.
pub fn to_units(amount: Decimal, decimals: u8) -> Result<U256, AmountError> {
    let amount = amount.normalize();
    if amount.is_sign_negative() && !amount.is_zero() {
        return Err(AmountError::Negative(amount));
    }
    let missing = u32::from(decimals).checked_sub(amount.scale());
    let missing = missing.ok_or(AmountError::TooFine { amount, decimals })?;
    let mantissa = U256::from(amount.mantissa().unsigned_abs());
    let factor = U256::from(10).checked_pow(U256::from(missing));
    factor.and_then(|factor| mantissa.checked_mul(factor)).ok_or(AmountError::TooLarge(mantissa))
}

/// The amount in whole units that does not exceed this one: for limits that money sets.
///
/// # Errors
///
/// [`AmountError`] when it is negative.
pub fn to_units_down(amount: Decimal, decimals: u8) -> Result<U256, AmountError> {
    to_units(amount.trunc_with_scale(u32::from(decimals)), decimals)
}

/// An amount as the books write it.
///
/// # Errors
///
/// [`AmountError::TooLarge`] when it has more digits than they can hold.
pub fn from_units(units: U256, decimals: u8) -> Result<Decimal, AmountError> {
    let too_large = || AmountError::TooLarge(units);
    // Zeros at the end need no digits.
    let (mut units_left, mut scale) = (units, u32::from(decimals));
    let ten = U256::from(10);
    while scale > 0 && (units_left % ten).is_zero() && !units_left.is_zero() {
        units_left /= ten;
        scale -= 1;
    }
    if units_left.is_zero() {
        return Ok(Decimal::ZERO);
    }
    let mantissa = i128::try_from(units_left).map_err(|_| too_large())?;
    Decimal::try_from_i128_with_scale(mantissa, scale).map_err(|_| too_large())
}

/// A part in basis points of an amount, rounded up.
#[must_use]
pub fn basis_points_of(amount: U256, basis_points: u32) -> U256 {
    let scaled = amount.saturating_mul(U256::from(basis_points));
    scaled.div_ceil(U256::from(10_000))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_become_units_and_back() {
        let amount: Decimal = "12.345600".parse().unwrap();
        assert_eq!(to_units(amount, 6).unwrap(), U256::from(12_345_600));
        assert_eq!(from_units(U256::from(12_345_600), 6).unwrap(), amount.normalize());
        assert_eq!(to_units(Decimal::ONE, 18).unwrap(), U256::from(10).pow(U256::from(18)));
    }

    #[test]
    fn what_one_side_can_not_write_is_refused() {
        let fine: Decimal = "0.0000001".parse().unwrap();
        assert_eq!(to_units(fine, 6), Err(AmountError::TooFine { amount: fine, decimals: 6 }));
        assert_eq!(to_units_down(fine, 6), Ok(U256::ZERO));
        assert_eq!(to_units(-Decimal::ONE, 6), Err(AmountError::Negative(-Decimal::ONE)));
        assert_eq!(from_units(U256::MAX, 18), Err(AmountError::TooLarge(U256::MAX)));
    }

    #[test]
    fn a_part_is_rounded_up() {
        assert_eq!(basis_points_of(U256::from(1_001), 50), U256::from(6));
    }

    proptest! {
        #[test]
        fn what_can_be_written_comes_back(units in 0_u128..79_000_000_000_000_000_000_000_000_000, decimals in 0_u8..=28) {
            let amount = from_units(U256::from(units), decimals).unwrap();
            prop_assert_eq!(to_units(amount, decimals).unwrap(), U256::from(units));
        }
    }
}
