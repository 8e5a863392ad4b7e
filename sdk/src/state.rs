//! How a strategy's memory is written down.
//!
//! The bytes are one [`Envelope`] in postcard's format. Instruments are named by symbol, as the host may
//! number them anew.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::context::Holding;
use crate::{Capital, ParameterValue, Setting};

/// The layout of [`Envelope`]; the first thing written.
const LAYOUT: u8 = 1;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Envelope {
    /// The [`fingerprint`] of the parameters that the strategies were made with.
    pub(crate) parameters: u64,
    pub(crate) next_tag: u32,
    pub(crate) capital: Capital,
    /// By symbol.
    pub(crate) holdings: Vec<(String, Holding)>,
    /// By symbol; the symbol is empty where one strategy serves all instruments.
    pub(crate) strategies: Vec<(String, Vec<u8>)>,
}

impl Envelope {
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, String> {
        encode(&(LAYOUT, self))
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        match bytes.split_first() {
            Some((&LAYOUT, rest)) => decode(rest),
            Some((layout, _)) => {
                Err(format!("the saved memory is in layout {layout} of another SDK; this one reads {LAYOUT}"))
            }
            None => Err("the saved memory is empty".to_owned()),
        }
    }
}

/// A number that differs when a parameter does: the FNV-1a hash of names, types and values.
pub(crate) fn fingerprint(settings: &[Setting]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut take = |kind: u8, bytes: &[u8]| {
        for byte in [kind].iter().chain(bytes) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for Setting { name, value } in settings {
        take(0, name.as_bytes());
        match value {
            ParameterValue::Number(number) => take(1, &number.to_bits().to_le_bytes()),
            ParameterValue::Integer(number) => take(2, &number.to_le_bytes()),
            ParameterValue::Flag(flag) => take(3, &[u8::from(*flag)]),
            ParameterValue::Text(text) => take(4, text.as_bytes()),
        }
    }
    hash
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
    postcard::to_allocvec(value).map_err(|error| format!("the memory could not be written down: {error}"))
}

/// Reads what a strategy's memory was saved as, e.g. in [`Strategy::migrate`](crate::Strategy::migrate).
///
/// # Errors
///
/// When the bytes are not a value of this type, or more than one.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(format!("the saved memory has {} bytes too many", rest.len())),
        Err(error) => Err(format!("the saved memory could not be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_of_a_parameter_changes_the_fingerprint() {
        let setting = |name: &str, value| Setting { name: name.to_owned(), value };
        let all = [
            vec![],
            vec![setting("a", ParameterValue::Integer(1))],
            vec![setting("a", ParameterValue::Integer(2))],
            vec![setting("b", ParameterValue::Integer(1))],
            vec![setting("a", ParameterValue::Number(1.0))],
            vec![setting("a", ParameterValue::Number(1.000_000_1))],
            vec![setting("a", ParameterValue::Flag(true))],
            vec![setting("a", ParameterValue::Flag(false))],
            vec![setting("a", ParameterValue::Text("1".to_owned()))],
            vec![setting("a", ParameterValue::Integer(1)), setting("b", ParameterValue::Integer(1))],
        ];
        let fingerprints: std::collections::BTreeSet<u64> =
            all.iter().map(|settings| fingerprint(settings)).collect();
        assert_eq!(fingerprints.len(), all.len());
        assert_eq!(fingerprint(&all[1]), fingerprint(&all[1].clone()));
    }
}
