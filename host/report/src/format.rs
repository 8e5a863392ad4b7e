//! Numbers, times and durations for people: the same in the terminal and on the page.

use rust_decimal::{Decimal, RoundingStrategy};

use crate::amount::{Amount, Moment};

/// Stands for a figure that is not defined.
pub(crate) const MISSING: &str = "–";

/// Text for a figure that may be missing.
pub(crate) fn or_missing<T>(value: Option<T>, text: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| MISSING.to_owned(), text)
}

/// Which way a figure points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Gain,
    Loss,
    Neutral,
}

impl Tone {
    pub(crate) fn of_amount(amount: Option<Amount>) -> Self {
        match amount {
            Some(Amount(value)) if value > Decimal::ZERO => Self::Gain,
            Some(Amount(value)) if value < Decimal::ZERO => Self::Loss,
            _ => Self::Neutral,
        }
    }

    pub(crate) fn of_number(value: Option<f64>) -> Self {
        match value {
            Some(value) if value > 0.0 => Self::Gain,
            Some(value) if value < 0.0 => Self::Loss,
            _ => Self::Neutral,
        }
    }
}

/// "+12.34%"; a true minus sign keeps columns even.
pub(crate) fn signed_percent(fraction: f64) -> String {
    signed(&percent(fraction.abs()), fraction < 0.0)
}

/// "+12.3".
pub(crate) fn signed_tenths(value: f64) -> String {
    signed(&format!("{:.1}", value.abs()), value < 0.0)
}

/// "12.34%".
pub(crate) fn percent(fraction: f64) -> String {
    let percent = fraction * 100.0;
    let text = if percent.abs() >= 1e7 { format!("{percent:.1e}%") } else { format!("{percent:.2}%") };
    minus(&group(&text))
}

/// "1.23".
pub(crate) fn number(value: f64) -> String {
    let text = if value.abs() >= 1e7 { format!("{value:.1e}") } else { format!("{value:.2}") };
    minus(&group(&text))
}

/// "10,234.50": cents, or more digits where an amount is smaller than that.
pub(crate) fn money(amount: Amount) -> String {
    const AWAY: RoundingStrategy = RoundingStrategy::MidpointAwayFromZero;
    let value = amount.0;
    let text = if value.abs() < Decimal::new(1, 2) && !value.is_zero() {
        value.round_sf_with_strategy(3, AWAY).unwrap_or(value).normalize().to_string()
    } else {
        format!("{:.2}", value.round_dp_with_strategy(2, AWAY))
    };
    minus(&group(&text))
}

/// "+10,234.50".
pub(crate) fn signed_money(amount: Amount) -> String {
    signed(&money(Amount(amount.0.abs())), amount.0 < Decimal::ZERO)
}

/// An exact price or quantity, thousands grouped.
pub(crate) fn exact(amount: Amount) -> String {
    minus(&group(&amount.to_string()))
}

/// "12,345".
pub(crate) fn count(value: u64) -> String {
    group(&value.to_string())
}

/// "2022-01-31 23:59:00", in UTC, fractions of a second left out.
pub(crate) fn time(moment: Moment) -> String {
    let text = moment.to_string();
    text.get(..19).map_or(text.clone(), |seconds| seconds.replace('T', " "))
}

/// "2022-01-31 23:59".
pub(crate) fn minute(moment: Moment) -> String {
    let text = time(moment);
    text.get(..16).map_or(text.clone(), str::to_owned)
}

/// The two largest units: "3d 4h", "5m 10s", "0.25s".
pub(crate) fn duration(seconds: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(86_400.0, "d"), (3_600.0, "h"), (60.0, "m"), (1.0, "s")];
    if seconds < 10.0 {
        let text = format!("{seconds:.2}");
        return format!("{}s", text.trim_end_matches('0').trim_end_matches('.'));
    }
    let seconds = seconds.round();
    for (unit, next) in UNITS.iter().zip(&UNITS[1..]) {
        let whole = (seconds / unit.0).floor();
        if whole >= 1.0 {
            let rest = ((seconds - whole * unit.0) / next.0).floor();
            let rest = if rest > 0.0 { format!(" {rest}{}", next.1) } else { String::new() };
            return format!("{}{}{rest}", group(&whole.to_string()), unit.1);
        }
    }
    format!("{seconds}s")
}

/// "12.3 MB".
#[expect(clippy::cast_precision_loss, reason = "for people, to one decimal place")]
pub(crate) fn bytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// Names and texts of strategies are not ours: what could steer a terminal is made visible.
pub(crate) fn visible(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char }).collect()
}

/// "1.2M", "830k".
pub(crate) fn rate(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.2}M", v / 1e6),
        v if v >= 1e4 => format!("{:.0}k", v / 1e3),
        v => format!("{v:.0}"),
    }
}

fn signed(magnitude: &str, negative: bool) -> String {
    let is_zero = !magnitude.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    match (is_zero, negative) {
        (true, _) => magnitude.to_owned(),
        (false, true) => format!("−{magnitude}"),
        (false, false) => format!("+{magnitude}"),
    }
}

fn minus(text: &str) -> String {
    text.strip_prefix('-').map_or_else(|| text.to_owned(), |magnitude| signed(magnitude, true))
}

/// Puts commas between the thousands of the whole part.
fn group(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let whole = digits.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = digits.split_at(whole);
    let mut grouped = String::with_capacity(text.len() + whole.len() / 3);
    grouped.push_str(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped.push_str(rest);
    grouped
}

#[cfg(test)]
mod tests {
    use bulkhead_core::time::Timestamp;

    use super::*;

    #[test]
    fn money_shows_cents_or_the_leading_digits() {
        let shown = |text: &str| money(Amount(text.parse().unwrap()));
        assert_eq!(shown("1234567.895"), "1,234,567.90");
        assert_eq!(shown("-10000"), "−10,000.00");
        assert_eq!(shown("0.125"), "0.13");
        assert_eq!(shown("0.00012345"), "0.000123");
        assert_eq!(shown("0"), "0.00");
        assert_eq!(signed_money(Amount("12.5".parse().unwrap())), "+12.50");
        assert_eq!(signed_money(Amount("-0.0000001".parse().unwrap())), "−0.0000001");
    }

    #[test]
    fn fractions_become_percent() {
        assert_eq!(signed_percent(0.12345), "+12.35%");
        assert_eq!(signed_percent(-0.00001), "0.00%");
        assert_eq!(percent(123.456), "12,345.60%");
        assert_eq!(percent(1e12), "1.0e14%");
        assert_eq!(number(-1.5), "−1.50");
    }

    #[test]
    fn durations_show_two_units() {
        let shown = [0.25, 9.0, 59.6, 310.0, 3_600.0, 277_300.0, 86_400.0].map(duration);
        assert_eq!(shown, ["0.25s", "9s", "1m", "5m 10s", "1h", "3d 5h", "1d"]);
    }

    #[test]
    fn times_are_cut_to_seconds() {
        assert_eq!(time(Moment(Timestamp::from_nanos(1_500_000_000))), "1970-01-01 00:00:01");
        assert_eq!(minute(Moment(Timestamp::from_seconds(61))), "1970-01-01 00:01");
    }
}
