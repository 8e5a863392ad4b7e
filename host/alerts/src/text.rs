//! Numbers and moments as people read them.

use bulkhead_core::money::{Money, Price, Quantity};
use bulkhead_core::time::Timestamp;
use rust_decimal::Decimal;

/// Money, to the cent.
pub(crate) fn money(amount: Money) -> String {
    format!("{:.2}", amount.0.round_dp(2))
}

/// Money with its sign.
pub(crate) fn gain(amount: Money) -> String {
    format!("{:+.2}", amount.0.round_dp(2))
}

/// A price with the digits that it has.
pub(crate) fn price(price: Price) -> String {
    price.0.normalize().to_string()
}

/// A quantity with the digits that it has.
pub(crate) fn quantity(quantity: Quantity) -> String {
    quantity.0.normalize().to_string()
}

/// A fraction in per cent.
pub(crate) fn percent(fraction: Decimal) -> String {
    let percent = fraction.checked_mul(Decimal::ONE_HUNDRED).unwrap_or(fraction);
    format!("{:.2} %", percent.round_dp(2))
}

/// A moment in RFC 3339 with nanoseconds.
pub(crate) fn time(moment: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(moment.nanos().into())
        .map(|time| format!("{time:.9}"))
        .unwrap_or_default()
}

/// The UTC day of a moment.
pub(crate) fn day(moment: Timestamp) -> String {
    time(moment).chars().take(10).collect()
}

/// A moment to the second.
pub(crate) fn second(moment: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(moment.nanos().into())
        .map(|time| format!("{time:.0}"))
        .unwrap_or_default()
}

/// Cuts a text off after so many characters, and says so.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}
