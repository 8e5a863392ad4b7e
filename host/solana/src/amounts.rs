use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

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
    /// More than the chain can count.
    #[error("{0} is more than a token account can hold")]
    TooLarge(Decimal),
}

/// An amount as the token counts it.
///
/// # Errors
///
/// [`AmountError`] when it is negative, finer than the token, or more than 64 bits hold.
pub fn to_units(amount: Decimal, decimals: u8) -> Result<u64, AmountError> {
    let amount = amount.normalize();
    if amount.is_sign_negative() && !amount.is_zero() {
        return Err(AmountError::Negative(amount));
    }
    if amount.scale() > u32::from(decimals) {
        return Err(AmountError::TooFine { amount, decimals });
    }
    let factor = Decimal::from_i128_with_scale(10_i128.pow(u32::from(decimals.min(28))), 0);
    let units = amount.checked_mul(factor).and_then(|units| units.to_u64());
    units.ok_or(AmountError::TooLarge(amount))
}

/// The amount in whole units that does not exceed this one: for limits that money sets.
///
/// # Errors
///
/// [`AmountError`] when it is negative or too large.
pub fn to_units_down(amount: Decimal, decimals: u8) -> Result<u64, AmountError> {
    to_units(amount.trunc_with_scale(u32::from(decimals)), decimals)
}

/// An amount as the books write it. No token has more than 28 decimals that its units could fill.
#[must_use]
pub fn from_units(units: u64, decimals: u8) -> Decimal {
    Decimal::from_i128_with_scale(i128::from(units), u32::from(decimals.min(28))).normalize()
}

/// `amount * part / whole`, rounded down; the most that can be counted when it would be more.
#[must_use]
pub fn share(amount: u64, part: u64, whole: u64) -> u64 {
    let product = u128::from(amount).saturating_mul(u128::from(part));
    product.checked_div(u128::from(whole)).and_then(|share| u64::try_from(share).ok()).unwrap_or(u64::MAX)
}

/// `amount * part / whole`, rounded up; the most that can be counted when it would be more.
#[must_use]
pub fn share_up(amount: u64, part: u64, whole: u64) -> u64 {
    let product = u128::from(amount).saturating_mul(u128::from(part));
    if whole == 0 { u64::MAX } else { u64::try_from(product.div_ceil(u128::from(whole))).unwrap_or(u64::MAX) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_one_side_can_not_write_is_refused() {
        let fine: Decimal = "0.0000001".parse().unwrap();
        assert_eq!(to_units(fine, 6), Err(AmountError::TooFine { amount: fine, decimals: 6 }));
        assert_eq!(to_units_down(fine, 6), Ok(0));
        assert_eq!(to_units(-Decimal::ONE, 6), Err(AmountError::Negative(-Decimal::ONE)));
        let large = Decimal::from(u64::MAX);
        assert_eq!(to_units(large, 1), Err(AmountError::TooLarge(large)));
    }

    #[test]
    fn shares_are_rounded_as_they_say() {
        assert_eq!((share(1_001, 50, 10_000), share_up(1_001, 50, 10_000)), (5, 6));
        assert_eq!((share(u64::MAX, u64::MAX, 1), share(1, 1, 0)), (u64::MAX, u64::MAX));
    }

    proptest! {
        #[test]
        fn what_can_be_written_comes_back(units: u64, decimals in 0_u8..=18) {
            prop_assert_eq!(to_units(from_units(units, decimals), decimals), Ok(units));
        }
    }
}
