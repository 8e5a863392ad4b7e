//! Commands to the Solana app and its answers, byte by byte, as the app's repository describes them.

use super::derivation_path::DerivationPath;

/// The class of all commands of the app.
const CLASS: u8 = 0xe0;
const GET_PUBLIC_KEY: u8 = 0x05;
const SIGN_MESSAGE: u8 = 0x06;
/// Answers without showing the key to the person.
const WITHOUT_DISPLAY: u8 = 0x00;
/// Signing is always confirmed.
const CONFIRMED: u8 = 0x01;
/// The data go on those of the command before.
const EXTENDS: u8 = 0x01;
/// Another command follows with more data.
const MORE_FOLLOWS: u8 = 0x02;
/// The most data of one command, as its length is one byte.
const LONGEST_DATA: usize = 255;
/// One key signs.
const ONE_SIGNER: u8 = 1;

fn command(instruction: u8, first: u8, second: u8, data: &[u8]) -> Vec<u8> {
    // Callers cut their data to what fits.
    let length = u8::try_from(data.len()).unwrap_or(u8::MAX);
    let mut bytes = vec![CLASS, instruction, first, second, length];
    bytes.extend_from_slice(data);
    bytes
}

/// Asks for the public key at a path.
pub(crate) fn get_public_key(path: &DerivationPath) -> Vec<u8> {
    command(GET_PUBLIC_KEY, WITHOUT_DISPLAY, 0, &path.encoded())
}

/// Hands over a message in as many commands as it takes; the answer to the last is the signature.
pub(crate) fn sign(path: &DerivationPath, message: &[u8]) -> Vec<Vec<u8>> {
    let mut data = vec![ONE_SIGNER];
    data.extend(path.encoded());
    data.extend_from_slice(message);
    let parts = data.chunks(LONGEST_DATA);
    let last = parts.len().saturating_sub(1);
    parts
        .enumerate()
        .map(|(part, data)| {
            let extends = if part > 0 { EXTENDS } else { 0 };
            let more = if part < last { MORE_FOLLOWS } else { 0 };
            command(SIGN_MESSAGE, CONFIRMED, extends | more, data)
        })
        .collect()
}
