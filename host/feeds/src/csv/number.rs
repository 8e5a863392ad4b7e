//! Decimal text to the nearest double.

/// Powers of ten that a double holds exactly.
const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// Largest whole number up to which a double holds every whole number.
const EXACT: u64 = 1 << 53;

/// Digits that a 64-bit integer takes without overflow.
const MAX_DIGITS: usize = 19;

/// Reads an unsigned decimal such as `46319.05` from the start of `text` and returns it with its length.
///
/// `None` when the text starts otherwise, or when the digits are too many for the short way: an integer up to
/// 2^53 and a power of ten up to 10^22 are exact doubles, so that their quotient, rounded once by the division,
/// is the double nearest to the text (W. Clinger, "How to read floating point numbers accurately", 1990).
#[inline]
pub(super) fn plain_decimal(text: &[u8]) -> Option<(f64, usize)> {
    let (whole, whole_digits) = digits(text, 0);
    let mut length = whole_digits;
    let mut mantissa = whole;
    let mut places = 0;
    if text.get(whole_digits) == Some(&b'.') {
        let (extended, fraction_digits) = digits(text.get(whole_digits + 1..)?, whole);
        mantissa = extended;
        places = fraction_digits;
        length += 1 + fraction_digits;
    }
    let all_digits = whole_digits + places;
    if all_digits == 0 || all_digits > MAX_DIGITS || mantissa > EXACT {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, which was just checked")]
    let mantissa = mantissa as f64;
    Some((if places == 0 { mantissa } else { mantissa / POWERS_OF_TEN.get(places)? }, length))
}

/// Continues `number` with the digits at the start of the text; the result is void beyond [`MAX_DIGITS`].
#[inline]
fn digits(text: &[u8], mut number: u64) -> (u64, usize) {
    let mut count = 0;
    let mut rest = text;
    while let Some((eight, after)) = rest.split_first_chunk() {
        let (value, length) = leading_digits(u64::from_le_bytes(*eight));
        let shift = WHOLE_POWERS_OF_TEN.get(length).copied().unwrap_or(1);
        number = number.wrapping_mul(shift).wrapping_add(value);
        count += length;
        if length < 8 {
            return (number, count);
        }
        rest = after;
    }
    for byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        count += 1;
    }
    (number, count)
}

const WHOLE_POWERS_OF_TEN: [u64; 9] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The digits at the start of eight characters (first character lowest) as a number, and how many they are.
/// All eight are worked on at once, as branches on single characters are what makes reading numbers slow.
#[inline]
const fn leading_digits(characters: u64) -> (u64, usize) {
    // Digits become 0 to 9; anything else keeps or gets, by the addition, a bit in its upper half. A carry
    // only spoils bytes behind the first one that is no digit.
    let values = characters ^ 0x3030_3030_3030_3030;
    let others = (values | values.wrapping_add(0x0606_0606_0606_0606)) & 0xF0F0_F0F0_F0F0_F0F0;
    let count = others.trailing_zeros() / 8;
    if count == 0 {
        return (0, 0);
    }
    // Digits to the end, with zeros in front; then neighbours are joined: ones to pairs to fours to eight.
    let aligned = values << (64 - 8 * count);
    let pairs = (aligned & 0x0F0F_0F0F_0F0F_0F0F).wrapping_mul(10 << 8 | 1) >> 8;
    let fours = (pairs & 0x00FF_00FF_00FF_00FF).wrapping_mul(100 << 16 | 1) >> 16;
    let eight = (fours & 0x0000_FFFF_0000_FFFF).wrapping_mul(10_000 << 32 | 1) >> 32;
    (eight, count as usize)
}

/// Reads a whole field, spaces around it allowed. Also signed numbers and exponents; `NaN` and infinities are
/// read as such.
pub(super) fn number(field: &[u8]) -> Option<f64> {
    let field = field.trim_ascii();
    match plain_decimal(field) {
        Some((value, length)) if length == field.len() => Some(value),
        _ => std::str::from_utf8(field).ok()?.parse().ok(),
    }
}

/// How many decimal places a number needs: `1.50` needs 1, `2e-3` needs 3. Meaningless for other text.
pub(super) fn decimal_places(field: &[u8]) -> Option<u32> {
    let field = field.trim_ascii();
    let (mantissa, exponent) = match field.iter().position(|byte| byte.eq_ignore_ascii_case(&b'e')) {
        Some(at) => {
            let exponent = std::str::from_utf8(field.get(at + 1..)?).ok()?;
            (field.get(..at)?, exponent.parse::<i32>().ok()?)
        }
        None => (field, 0),
    };
    let fraction = mantissa.splitn(2, |byte| *byte == b'.').nth(1).unwrap_or_default();
    let written = fraction.iter().rposition(|byte| *byte != b'0').map_or(0, |last| last + 1);
    let places = i64::try_from(written).ok()? - i64::from(exponent);
    Some(u32::try_from(places.max(0)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_up_to_the_delimiter() {
        assert_eq!(plain_decimal(b"46319.05,46385.0"), Some((46_319.05, 8)));
        assert_eq!(plain_decimal(b"7"), Some((7.0, 1)));
        assert_eq!(plain_decimal(b"7.;"), Some((7.0, 2)));
        assert_eq!(plain_decimal(b".5"), Some((0.5, 2)));
        for text in ["", ",", ".", "-1", "nan", " 1", "12345678901234567890", "99999999999999999"] {
            assert_eq!(plain_decimal(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn other_spellings_take_the_long_way() {
        assert_eq!(number(b" -1.5 "), Some(-1.5));
        assert_eq!(number(b"1.5e-3"), Some(0.0015));
        assert!(number(b"NaN").is_some_and(f64::is_nan));
        for text in ["", " ", "1,5", "1 5", "0x10", "\u{fffd}"] {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn decimal_places_are_those_needed() {
        for (text, places) in
            [("46319.0", 0), ("1.50", 1), ("0.00001234", 8), ("2e-3", 3), ("1.5E3", 0), ("7", 0)]
        {
            assert_eq!(decimal_places(text.as_bytes()), Some(places), "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_standard_library_to_the_bit(text in "[0-9]{0,20}(\\.[0-9]{0,20})?") {
            let standard = text.parse::<f64>().ok().map(f64::to_bits);
            prop_assert_eq!(number(text.as_bytes()).map(f64::to_bits), standard);
        }

        #[test]
        fn what_follows_a_number_does_not_change_it(text in "[0-9]{1,9}(\\.[0-9]{0,9})?", after in "[^0-9.].{0,20}") {
            let alone = plain_decimal(text.as_bytes());
            prop_assert_eq!(plain_decimal(format!("{text}{after}").as_bytes()), alone);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = plain_decimal(&bytes);
            let _ = number(&bytes);
            let _ = decimal_places(&bytes);
        }
    }
}
