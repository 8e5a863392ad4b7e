//! How the status view writes numbers: in groups of three digits and with the digits that people look at.

use std::time::Duration;

use bulkhead_core::time::Timestamp;
use bulkhead_report::Moment;
use rust_decimal::{Decimal, RoundingStrategy};

/// With this many decimal places.
pub(super) fn grouped(amount: Decimal, places: u32) -> String {
    let rounded = amount.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
    let text = format!("{:.*}", usize::try_from(places).unwrap_or(0), rounded.abs());
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let sign = if rounded.is_sign_negative() && !rounded.is_zero() { "-" } else { "" };
    format!("{sign}{}{rest}", in_threes(whole))
}

/// With its sign, also when it is positive.
pub(super) fn signed(amount: Decimal, places: u32) -> String {
    let text = grouped(amount, places);
    let positive = text.contains(|digit: char| ('1'..='9').contains(&digit)) && !text.starts_with('-');
    if positive { format!("+{text}") } else { text }
}

/// A change as a percentage of what it was before; empty when that was nothing.
pub(super) fn change(amount: Decimal, before: Decimal) -> String {
    let percent = amount.checked_div(before).and_then(|part| part.checked_mul(Decimal::ONE_HUNDRED));
    percent.map_or_else(String::new, |percent| format!("{}%", signed(percent, 2)))
}

pub(super) fn count(number: u64) -> String {
    in_threes(&number.to_string())
}

/// A rate, in thousands where the rest doesn't matter.
pub(super) fn rate(each_second: f64) -> String {
    if each_second < 9_999.5 {
        format!("{each_second:.0}/s")
    } else {
        format!("{:.0}k/s", each_second / 1_000.0)
    }
}

fn in_threes(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `2024-03-01 12:03:00`, in UTC.
pub(super) fn date_and_time(time: Timestamp) -> String {
    Moment(time).to_string().chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// The moment of something that happened: the time of day if it was today, the day and the minute if not.
pub(super) fn moment(time: Timestamp, all_today: bool) -> String {
    let text = date_and_time(time);
    let part = if all_today { text.get(11..) } else { text.get(5..16) };
    part.unwrap_or(&text).to_owned()
}

/// Real time as `m:ss` or `h:mm:ss`.
pub(super) fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn amounts_are_rounded_and_grouped() {
        for (amount, text) in [
            ("0", "0.00"),
            ("-0.004", "0.00"),
            ("0.005", "0.01"),
            ("999.999", "1,000.00"),
            ("-1234567.8", "-1,234,567.80"),
        ] {
            assert_eq!(grouped(decimal(amount), 2), text);
        }
        assert_eq!(grouped(decimal("123456"), 0), "123,456");
        assert_eq!(count(1_000), "1,000");
        assert_eq!((rate(9_999.4), rate(128_300.0)), ("9999/s".into(), "128k/s".into()));
    }

    #[test]
    fn a_sign_says_which_way() {
        for (amount, text) in [("0.001", "0.00"), ("12.3", "+12.30"), ("-12.3", "-12.30")] {
            assert_eq!(signed(decimal(amount), 2), text);
        }
        assert_eq!(change(decimal("5"), decimal("1000")), "+0.50%");
        assert_eq!(change(decimal("5"), decimal("0")), "");
    }

    #[test]
    fn times_are_written_short() {
        let time = Timestamp::from_seconds(1_709_294_580);
        assert_eq!(date_and_time(time), "2024-03-01 12:03:00");
        assert_eq!((moment(time, true), moment(time, false)), ("12:03:00".into(), "03-01 12:03".into()));
        assert_eq!(elapsed(Duration::from_secs(65)), "1:05");
        assert_eq!(elapsed(Duration::from_secs(3_665)), "1:01:05");
    }
}
