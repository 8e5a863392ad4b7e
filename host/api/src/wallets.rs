//! Logging in by signing a challenge with a wallet: nobody is believed who only says what their address is. A challenge
//! is for one address, good for some minutes and for one login; what is signed says which host it is for, as EIP-4361
//! asks, so that another host's challenge is of no use here.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use bulkhead_core::time::{Span, Timestamp};
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use sha3::{Digest as _, Keccak256};

use crate::documents::time;
use crate::tokens::Role;

/// How long a challenge is good.
const GOOD_FOR: Span = Span::from_seconds(300);

/// Challenges at a time; beyond that the oldest are forgotten.
const MOST: usize = 10_000;

/// Challenges of one address at a time; beyond that its oldest are forgotten. A stranger who asks for them in another's
/// place runs into the limit of logins long before.
const MOST_OF_ONE: usize = 200;

/// A wallet's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WalletAddress {
    /// Of an EVM chain: the last 20 bytes of the Keccak-256 of the public key.
    Evm([u8; 20]),
    /// Of Solana: an ed25519 public key.
    Solana([u8; 32]),
}

/// What the holder of a wallet may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletHolder {
    /// In this account alone.
    pub account: String,
    /// As much as holders of a token with this role.
    pub role: Role,
}

/// A text that is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an address is expected: 0x and 40 hexadecimal digits, or a base58 public key of Solana")]
pub struct NoAddress;

impl FromStr for WalletAddress {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        if let Some(digits) = text.strip_prefix("0x") {
            let bytes = unhex(digits).and_then(|bytes| bytes.try_into().ok()).ok_or(NoAddress)?;
            let address = Self::Evm(bytes);
            // One case throughout says nothing; a mixed one is a checksum (EIP-55).
            let mixed = digits.bytes().any(|b| b.is_ascii_lowercase())
                && digits.bytes().any(|b| b.is_ascii_uppercase());
            return if mixed && address.to_string() != text { Err(NoAddress) } else { Ok(address) };
        }
        let mut bytes = [0; 32];
        // Longer texts are not even decoded.
        if text.len() <= 44 && bs58::decode(text).onto(&mut bytes) == Ok(32) {
            return Ok(Self::Solana(bytes));
        }
        Err(NoAddress)
    }
}

impl fmt::Display for WalletAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Evm(bytes) => {
                let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                let hash = Keccak256::digest(digits.as_bytes());
                formatter.write_str("0x")?;
                for (place, digit) in digits.chars().enumerate() {
                    let nibble = hash[place / 2] >> (if place % 2 == 0 { 4 } else { 0 }) & 0xf;
                    let digit = if nibble >= 8 { digit.to_ascii_uppercase() } else { digit };
                    write!(formatter, "{digit}")?;
                }
                Ok(())
            }
            Self::Solana(bytes) => formatter.write_str(&bs58::encode(bytes).into_string()),
        }
    }
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect()
}

/// A text to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) message: String,
    pub(crate) expires: Timestamp,
}

/// Challenges that nobody has answered yet, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Challenges(Mutex<VecDeque<(WalletAddress, Challenge)>>);

impl Challenges {
    /// A challenge for whoever says to hold this wallet, whether or not anybody knows it here. Those before stay good,
    /// as anybody may have asked for either.
    pub(crate) fn make(
        &self,
        address: WalletAddress,
        page: &str,
        now: Timestamp,
    ) -> Result<Challenge, getrandom::Error> {
        let nonce = format!("{:016x}{:016x}", getrandom::u64()?, getrandom::u64()?);
        let expires = now.plus(GOOD_FOR);
        let (chain, number) = match address {
            WalletAddress::Evm(_) => ("Ethereum", "1"),
            WalletAddress::Solana(_) => ("Solana", "mainnet"),
        };
        let host = page.split_once("://").map_or(page, |(_, host)| host);
        let message = format!(
            "{host} wants you to sign in with your {chain} account:\n{address}\n\nLog in to Bulkhead. This moves no \
             funds.\n\nURI: {page}\nVersion: 1\nChain ID: {number}\nNonce: {nonce}\nIssued At: {issued}\n\
             Expiration Time: {ends}",
            issued = time(now),
            ends = time(expires),
        );
        let challenge = Challenge { message, expires };
        let mut challenges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        challenges.retain(|(_, challenge)| now < challenge.expires);
        let of_one = challenges.iter().filter(|(of, _)| *of == address).count();
        if of_one >= MOST_OF_ONE
            && let Some(oldest) = challenges.iter().position(|(of, _)| *of == address)
        {
            challenges.remove(oldest);
        } else if challenges.len() >= MOST {
            challenges.pop_front();
        }
        challenges.push_back((address, challenge.clone()));
        Ok(challenge)
    }

    /// Whether the holder of the wallet signed one of its challenges. Each is answered once. A wrong answer takes none
    /// away: it may be a stranger's.
    pub(crate) fn answered(&self, address: WalletAddress, signature: &str, now: Timestamp) -> bool {
        let mut challenges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        challenges.retain(|(_, challenge)| now < challenge.expires);
        let answered = challenges.iter().rposition(|(of, challenge)| {
            *of == address && is_signed(address, challenge.message.as_bytes(), signature)
        });
        answered.and_then(|answered| challenges.remove(answered)).is_some()
    }
}

/// Whether the signature is that of the wallet under the message: for EVM chains 65 bytes as `personal_sign` makes them
/// (EIP-191), in hexadecimal digits; for Solana 64 bytes of ed25519, in base58.
fn is_signed(address: WalletAddress, message: &[u8], signature: &str) -> bool {
    match address {
        WalletAddress::Evm(bytes) => recovered(message, signature) == Some(bytes),
        WalletAddress::Solana(key) => {
            let mut bytes = [0; 64];
            let whole = signature.len() <= 90 && bs58::decode(signature).onto(&mut bytes) == Ok(64);
            let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key);
            whole && key.verify(message, &bytes).is_ok()
        }
    }
}

/// The address of who signed.
fn recovered(message: &[u8], signature: &str) -> Option<[u8; 20]> {
    let bytes: [u8; 65] = unhex(signature.strip_prefix("0x")?)?.try_into().ok()?;
    let (rs, v) = bytes.split_at(64);
    let id = v.first()?.checked_sub(27).or(v.first().copied()).and_then(RecoveryId::from_byte)?;
    let signature = Signature::from_slice(rs).ok()?;
    let hash = Keccak256::new()
        .chain_update(b"\x19Ethereum Signed Message:\n")
        .chain_update(message.len().to_string())
        .chain_update(message)
        .finalize();
    let key = VerifyingKey::recover_from_prehash(&hash, &signature, id).ok()?;
    address_of(&key)
}

fn address_of(key: &VerifyingKey) -> Option<[u8; 20]> {
    let point = key.to_sec1_point(false);
    let hash = Keccak256::digest(point.as_bytes().get(1..)?);
    hash.as_slice().get(12..)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use k256::ecdsa::SigningKey;
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    /// As a wallet does it.
    fn signed_evm(key: &SigningKey, message: &str) -> String {
        let hash = Keccak256::digest(format!("\x19Ethereum Signed Message:\n{}{message}", message.len()));
        let (signature, id) = key.sign_prehash_recoverable(&hash);
        let bytes = signature.to_bytes().into_iter().chain([id.to_byte() + 27]);
        format!("0x{}", bytes.map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    #[test]
    fn addresses_are_read_and_shown_as_wallets_do() {
        // From EIP-55's own examples.
        let text = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        let address: WalletAddress = text.parse().unwrap();
        assert_eq!(address.to_string(), text);
        assert_eq!(text.to_lowercase().parse(), Ok(address));
        assert_eq!(
            text.replace("5aAe", "5aae").parse::<WalletAddress>(),
            Err(NoAddress),
            "the checksum is wrong"
        );
        let solana = "So11111111111111111111111111111111111111112";
        assert_eq!(solana.parse::<WalletAddress>().unwrap().to_string(), solana);
        for bad in ["", "0x", "0x12", "0xzz", "hello", "1", &"1".repeat(500)] {
            assert_eq!(bad.parse::<WalletAddress>(), Err(NoAddress), "{bad}");
        }
    }

    #[test]
    fn the_holder_of_an_evm_wallet_answers_a_challenge_once() {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let address = WalletAddress::Evm(address_of(key.verifying_key()).unwrap());
        let challenges = Challenges::default();
        let challenge = challenges.make(address, "http://127.0.0.1:7373", at(0)).unwrap();
        assert!(
            challenge
                .message
                .starts_with("127.0.0.1:7373 wants you to sign in with your Ethereum account:\n0x")
        );
        let signature = signed_evm(&key, &challenge.message);
        assert!(challenges.answered(address, &signature, at(299)));
        assert!(!challenges.answered(address, &signature, at(299)), "it is answered once");

        let challenge = challenges.make(address, "http://127.0.0.1:7373", at(0)).unwrap();
        assert!(
            !challenges.answered(address, &signed_evm(&key, &challenge.message), at(300)),
            "it is too late"
        );
        challenges.make(address, "http://127.0.0.1:7373", at(0)).unwrap();
        assert!(!challenges.answered(address, &signature, at(1)), "it is of another challenge");

        let challenge = challenges.make(address, "http://127.0.0.1:7373", at(0)).unwrap();
        for _ in 0..20 {
            challenges.make(address, "http://127.0.0.1:7373", at(0)).unwrap();
            challenges.answered(address, "0x00", at(1));
        }
        let signature = signed_evm(&key, &challenge.message);
        assert!(challenges.answered(address, &signature, at(1)), "strangers can't take it away");
        let other = SigningKey::from_slice(&[8; 32]).unwrap();
        let challenge = challenges.make(address, "http://127.0.0.1:7373", at(0)).unwrap();
        assert!(
            !challenges.answered(address, &signed_evm(&other, &challenge.message), at(1)),
            "it is another's"
        );
        for bad in ["", "0x", "0x00", &format!("0x{}", "ff".repeat(65))] {
            challenges.make(address, "http://127.0.0.1:7373", at(0)).unwrap();
            assert!(!challenges.answered(address, bad, at(1)), "{bad}");
        }
    }

    #[test]
    fn the_holder_of_a_solana_wallet_answers_a_challenge() {
        let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let address = WalletAddress::Solana(key.public_key().as_ref().try_into().unwrap());
        let challenges = Challenges::default();
        let sign = |message: &str| bs58::encode(key.sign(message.as_bytes())).into_string();
        let challenge = challenges.make(address, "https://desk.example.org", at(0)).unwrap();
        assert!(challenges.answered(address, &sign(&challenge.message), at(1)));
        let challenge = challenges.make(address, "https://desk.example.org", at(0)).unwrap();
        assert!(!challenges.answered(address, &sign(&challenge.message.replace("desk", "evil")), at(1)));
        for bad in ["", "1", &"1".repeat(64), &"z".repeat(500)] {
            challenges.make(address, "https://desk.example.org", at(0)).unwrap();
            assert!(!challenges.answered(address, bad, at(1)), "{bad}");
        }
    }
}
