//! Amounts in base units as decimal text, as TOML and JSON have no integers that are long enough.

use alloy_primitives::U256;
use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(amount: &U256, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(amount)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<U256, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| {
        D::Error::custom(format!("\"{text}\" is no amount: base units in digits, such as \"1_000_000\""))
    })
}

fn parse(text: &str) -> Option<U256> {
    let digits: String = text.chars().filter(|&character| character != '_').collect();
    let is_number = text.starts_with(|first: char| first.is_ascii_digit())
        && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| U256::from_str_radix(&digits, 10).ok()).flatten()
}
