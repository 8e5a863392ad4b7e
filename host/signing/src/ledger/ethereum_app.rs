//! Commands to the Ethereum app and its answers, byte by byte.

use std::fmt;
use std::str::FromStr as _;

use alloy_primitives::{Address, Signature};

use super::derivation_path::DerivationPath;

/// The class of all commands of the Ethereum app.
const CLASS: u8 = 0xe0;
const GET_ADDRESS: u8 = 0x02;
const SIGN_TRANSACTION: u8 = 0x04;
/// Answers without showing the address to the person.
const WITHOUT_DISPLAY: u8 = 0x00;
const FIRST_PART: u8 = 0x00;
const FURTHER_PART: u8 = 0x80;
/// The most data of one command, as its length is one byte.
const LONGEST_DATA: usize = 255;
const UNCOMPRESSED_KEY_BYTES: usize = 65;
/// An address in hexadecimal, without 0x.
const ADDRESS_TEXT_BYTES: usize = 40;

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// What was asked was done.
    Done,
    /// The person at the device said no.
    RejectedByUser,
    /// The app does not sign such data.
    DataRefused,
    /// The device waits for its code.
    Locked,
    /// Another app is open, or none.
    WrongApp,
    /// Anything else.
    Other(u16),
}

impl Status {
    /// The data of an answer and how it ends.
    #[must_use]
    pub fn split(answer: &[u8]) -> Option<(&[u8], Self)> {
        let (data, status) = answer.split_last_chunk::<2>()?;
        let status = match u16::from_be_bytes(*status) {
            0x9000 => Self::Done,
            0x6985 | 0x5501 => Self::RejectedByUser,
            0x6a80 | 0x6984 | 0x6501 => Self::DataRefused,
            0x5515 | 0x6804 | 0x6b0c | 0x6982 => Self::Locked,
            0x6511 | 0x6d00 | 0x6e00 | 0x6e01 => Self::WrongApp,
            other => Self::Other(other),
        };
        Some((data, status))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => formatter.write_str("done"),
            Self::RejectedByUser => formatter.write_str("it was refused on the device"),
            Self::DataRefused => formatter.write_str(
                "the Ethereum app does not sign this; contract calls that it can't explain need \"blind signing\" in \
                 the app's settings",
            ),
            Self::Locked => formatter.write_str("the device is locked"),
            Self::WrongApp => formatter.write_str("the Ethereum app is not open on the device"),
            Self::Other(status) => write!(formatter, "the device answered with status {status:#06x}"),
        }
    }
}

fn command(instruction: u8, first: u8, data: &[u8]) -> Vec<u8> {
    // Callers cut their data to what fits.
    let length = u8::try_from(data.len()).unwrap_or(u8::MAX);
    let mut bytes = vec![CLASS, instruction, first, 0, length];
    bytes.extend_from_slice(data);
    bytes
}

/// Asks for the address at a path.
pub(super) fn get_address(path: &DerivationPath) -> Vec<u8> {
    command(GET_ADDRESS, WITHOUT_DISPLAY, &path.encoded())
}

/// Hands over a transaction in as many commands as it takes; the answer to the last is the signature.
pub(super) fn sign(path: &DerivationPath, payload: &[u8]) -> Vec<Vec<u8>> {
    let mut data = path.encoded();
    data.extend_from_slice(payload);
    data.chunks(LONGEST_DATA)
        .enumerate()
        .map(|(part, data)| {
            command(SIGN_TRANSACTION, if part == 0 { FIRST_PART } else { FURTHER_PART }, data)
        })
        .collect()
}

/// The address of an answer: the public key, and the same address as text.
pub(super) fn address(answer: &[u8]) -> Result<Address, &'static str> {
    let malformed = "it is no public key and address";
    let (&length, rest) = answer.split_first().ok_or(malformed)?;
    let (key, rest) = rest.split_at_checked(usize::from(length)).ok_or(malformed)?;
    let (&length, rest) = rest.split_first().ok_or(malformed)?;
    if key.len() != UNCOMPRESSED_KEY_BYTES
        || usize::from(length) != ADDRESS_TEXT_BYTES
        || rest.len() != ADDRESS_TEXT_BYTES
    {
        return Err(malformed);
    }
    let text = std::str::from_utf8(rest).map_err(|_| malformed)?;
    let stated = Address::from_str(text).map_err(|_| malformed)?;
    if Address::from_raw_public_key(&key[1..]) != stated {
        return Err("its address is not that of its public key");
    }
    Ok(stated)
}

/// The signature of an answer: the parity, r, s.
pub(super) fn signature(answer: &[u8]) -> Result<Signature, &'static str> {
    let malformed = "it is no signature of 65 bytes";
    let (&parity, rs) = answer.split_first().ok_or(malformed)?;
    let parity = match parity {
        0 | 27 => false,
        1 | 28 => true,
        _ => return Err(malformed),
    };
    if rs.len() == 64 { Ok(Signature::from_bytes_and_parity(rs, parity)) } else { Err(malformed) }
}
