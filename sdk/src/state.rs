//! How a strategy's memory is written down.
//!
//! The bytes are one [`Envelope`] in postcard's format. Instruments are named by symbol, as the host may
//! number them anew.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::context::Holding;
use crate::{Capital, Setting};

/// The layout of [`Envelope`]; the first thing written.
const LAYOUT: u8 = 1;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Envelope {
    /// The parameters that the strategies were made with.
    pub(crate) settings: Vec<Setting>,
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
