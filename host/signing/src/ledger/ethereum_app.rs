//! Commands to the Ethereum app and its answers, byte by byte.

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
