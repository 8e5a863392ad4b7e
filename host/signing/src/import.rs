//! Keys that other programs made: hexadecimal digits, Ethereum's V3 keystore, Solana's JSON keypair.

use aes::Aes128;
use alloy_primitives::{Address, keccak256};
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use ed25519_dalek::SigningKey;
use serde::Deserialize;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::keystore::{KeyKind, PrivateKey};
use crate::secret::{Passphrase, Secret};

/// The most memory that a foreign file may have scrypt take. Geth's own files take 256 MiB.
const MAX_SCRYPT_BYTES: u64 = 1024 * 1024 * 1024;
/// The most work for processors that a foreign file may ask for: scrypt's memory times its lanes.
const MAX_SCRYPT_WORK: u64 = 4 * MAX_SCRYPT_BYTES;
/// The most rounds that a foreign file may have PBKDF2 go.
const MAX_ROUNDS: u32 = 10_000_000;
/// The most characters of a foreign key. A V3 keystore has some 500.
pub const MAX_IMPORT_BYTES: usize = 64 * 1024;

/// Why a key can't be imported. None of these shows any of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It is no key in hexadecimal digits.
    #[error("this is no private key: 64 hexadecimal digits are expected, with or without 0x before them")]
    Hex,
    /// It is no key of the curve: zero, or too large.
    #[error("these digits are no private key: they are zero, or too large")]
    OutOfRange,
    /// It is no V3 keystore.
    #[error("this is no Ethereum V3 keystore: {0}")]
    V3(&'static str),
    /// The V3 keystore asks for too much work, or for too little.
    #[error(
        "the V3 keystore's {0} is out of bounds; have the program that made it write it anew with its defaults"
    )]
    V3Work(&'static str),
    /// The V3 keystore's passphrase is another, or the file is damaged.
    #[error("the V3 keystore's passphrase is wrong, or the file is damaged")]
    V3Passphrase,
    /// The V3 keystore says that it holds another key than it does.
    #[error("the V3 keystore says that it holds the key of {said}, but it holds that of {found}")]
    V3Address {
        /// What it says.
        said: Address,
        /// What it holds.
        found: String,
    },
    /// It is no Solana keypair.
    #[error("this is no Solana keypair: a JSON list of 64 numbers from 0 to 255 is expected")]
    Solana,
    /// The two halves of the Solana keypair do not belong together.
    #[error("the public half of this Solana keypair is not that of its private half")]
    SolanaHalves,
}

/// An EVM key in hexadecimal digits.
///
/// # Errors
/// When it is none.
pub fn evm_from_hex(text: &str) -> Result<PrivateKey, ImportError> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let mut bytes = Zeroizing::new([0; 32]);
    if digits.len() != 64 || !digits.is_ascii() {
        return Err(ImportError::Hex);
    }
    alloy_primitives::hex::decode_to_slice(digits, bytes.as_mut_slice()).map_err(|_| ImportError::Hex)?;
    PrivateKey::new(KeyKind::Evm, Secret::new(bytes)).ok_or(ImportError::OutOfRange)
}

/// A Solana key as `solana-keygen` writes it.
///
/// # Errors
/// When it is none, or its halves do not belong together.
pub fn solana_from_json(text: &str) -> Result<PrivateKey, ImportError> {
    if text.len() > MAX_IMPORT_BYTES {
        return Err(ImportError::Solana);
    }
    let bytes: Zeroizing<Vec<u8>> =
        Zeroizing::new(serde_json::from_str(text).map_err(|_| ImportError::Solana)?);
    let pair: &[u8; 64] = bytes.as_slice().try_into().map_err(|_| ImportError::Solana)?;
    let key = SigningKey::from_keypair_bytes(pair).map_err(|_| ImportError::SolanaHalves)?;
    let secret = Secret::from_slice(key.as_bytes()).ok_or(ImportError::Solana)?;
    PrivateKey::new(KeyKind::Solana, secret).ok_or(ImportError::Solana)
}

#[derive(Deserialize)]
struct V3 {
    version: u32,
    #[serde(alias = "Crypto")]
    crypto: V3Crypto,
    #[serde(default)]
    address: Option<String>,
}

#[derive(Deserialize)]
struct V3Crypto {
    cipher: String,
    cipherparams: V3Cipher,
    ciphertext: String,
    kdf: String,
    kdfparams: V3Kdf,
    mac: String,
}

#[derive(Deserialize)]
struct V3Cipher {
    iv: String,
}

#[derive(Deserialize)]
struct V3Kdf {
    dklen: u32,
    salt: String,
    n: Option<u64>,
    r: Option<u32>,
    p: Option<u32>,
    c: Option<u32>,
    prf: Option<String>,
}

/// An EVM key in Ethereum's V3 keystore, with scrypt or PBKDF2.
///
/// # Errors
/// When the text is none, asks for too much work, or the passphrase is wrong.
pub fn evm_from_v3(text: &str, passphrase: &Passphrase) -> Result<PrivateKey, ImportError> {
    if text.len() > MAX_IMPORT_BYTES {
        return Err(ImportError::V3("it is too long"));
    }
    let file: V3 = serde_json::from_str(text).map_err(|_| ImportError::V3("its JSON is not that of one"))?;
    if file.version != 3 {
        return Err(ImportError::V3("its version is not 3"));
    }
    if file.crypto.cipher != "aes-128-ctr" {
        return Err(ImportError::V3("its cipher is not aes-128-ctr"));
    }
    let iv: [u8; 16] = hex(&file.crypto.cipherparams.iv)
        .and_then(|iv| iv.try_into().ok())
        .ok_or(ImportError::V3("its iv does not have 16 bytes"))?;
    let ciphertext = hex(&file.crypto.ciphertext).filter(|bytes| bytes.len() == 32);
    let ciphertext = ciphertext.ok_or(ImportError::V3("its ciphertext does not have 32 bytes"))?;
    let mac = hex(&file.crypto.mac).filter(|mac| mac.len() == 32);
    let mac = mac.ok_or(ImportError::V3("its mac does not have 32 bytes"))?;

    let derived = derived(&file.crypto.kdf, &file.crypto.kdfparams, passphrase)?;
    let (cipher_key, mac_key) = derived.split_at(16);
    let authenticated = Zeroizing::new([mac_key, ciphertext.as_slice()].concat());
    if keccak256(authenticated.as_slice()).as_slice() != mac {
        return Err(ImportError::V3Passphrase);
    }
    let mut bytes = Zeroizing::new([0; 32]);
    bytes.copy_from_slice(&ciphertext);
    let cipher_key: &[u8; 16] = cipher_key.try_into().map_err(|_| ImportError::V3Passphrase)?;
    Ctr128BE::<Aes128>::new(cipher_key.into(), &iv.into()).apply_keystream(bytes.as_mut_slice());
    let key = PrivateKey::new(KeyKind::Evm, Secret::new(bytes)).ok_or(ImportError::OutOfRange)?;
    if let Some(said) = file.address.filter(|address| !address.is_empty()) {
        let said: Address = said.parse().map_err(|_| ImportError::V3("its address is none"))?;
        if said.to_checksum(None) != key.address() {
            return Err(ImportError::V3Address { said, found: key.address().to_owned() });
        }
    }
    Ok(key)
}

fn derived(
    name: &str,
    parameters: &V3Kdf,
    passphrase: &Passphrase,
) -> Result<Zeroizing<[u8; 32]>, ImportError> {
    let salt = hex(&parameters.salt).ok_or(ImportError::V3("its salt is not hexadecimal"))?;
    if parameters.dklen != 32 {
        return Err(ImportError::V3("its dklen is not 32"));
    }
    let mut derived = Zeroizing::new([0; 32]);
    match name {
        "scrypt" => {
            let (Some(n), Some(r), Some(p)) = (parameters.n, parameters.r, parameters.p) else {
                return Err(ImportError::V3("scrypt's n, r or p is missing"));
            };
            let memory = n.checked_mul(u64::from(r)).and_then(|blocks| blocks.checked_mul(128));
            let work = memory.and_then(|memory| memory.checked_mul(u64::from(p)));
            let is_bounded = n.is_power_of_two()
                && n > 1
                && memory.is_some_and(|memory| memory <= MAX_SCRYPT_BYTES)
                && work.is_some_and(|work| (1..=MAX_SCRYPT_WORK).contains(&work));
            if !is_bounded {
                return Err(ImportError::V3Work("scrypt work"));
            }
            let exponent =
                u8::try_from(n.trailing_zeros()).map_err(|_| ImportError::V3Work("scrypt work"))?;
            let parameters =
                scrypt::Params::new(exponent, r, p).map_err(|_| ImportError::V3Work("scrypt work"))?;
            scrypt::scrypt(passphrase.as_bytes(), &salt, &parameters, derived.as_mut_slice())
                .map_err(|_| ImportError::V3Work("scrypt work"))?;
        }
        "pbkdf2" => {
            if parameters.prf.as_deref() != Some("hmac-sha256") {
                return Err(ImportError::V3("its prf is not hmac-sha256"));
            }
            let rounds = parameters.c.ok_or(ImportError::V3("PBKDF2's c is missing"))?;
            if !(1..=MAX_ROUNDS).contains(&rounds) {
                return Err(ImportError::V3Work("PBKDF2 work"));
            }
            pbkdf2::pbkdf2_hmac::<Sha256>(passphrase.as_bytes(), &salt, rounds, derived.as_mut_slice());
        }
        _ => return Err(ImportError::V3("its kdf is neither scrypt nor pbkdf2")),
    }
    Ok(derived)
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    alloy_primitives::hex::decode(digits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The two examples of the format's definition.
    const PBKDF2: &str = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},"ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2","kdfparams":{"c":262144,"dklen":32,"prf":"hmac-sha256","salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},"mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},"id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;
    const SCRYPT: &str = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"83dbcc02d8ccb40e466191a123791e0e"},"ciphertext":"d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c","kdf":"scrypt","kdfparams":{"dklen":32,"n":262144,"p":8,"r":1,"salt":"ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"},"mac":"2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"},"id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;
    const KEY: &str = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
    const ADDRESS: &str = "0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b";

    fn password(text: &str) -> Passphrase {
        Passphrase::new(text.to_owned())
    }

    #[test]
    fn digits_are_a_key() {
        assert_eq!(evm_from_hex(&format!(" 0x{KEY}\n")).unwrap().address(), ADDRESS);
        for (text, error) in [
            (&KEY[1..], ImportError::Hex),
            (&KEY.replace('7', "x"), ImportError::Hex),
            (&"0".repeat(64), ImportError::OutOfRange),
            (&"f".repeat(64), ImportError::OutOfRange),
            (&"é".repeat(32), ImportError::Hex),
        ] {
            assert_eq!(evm_from_hex(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn keystores_of_the_formats_definition_open_to_its_key() {
        for file in [PBKDF2, SCRYPT] {
            assert_eq!(evm_from_v3(file, &password("testpassword")).unwrap().address(), ADDRESS);
        }
        let older = SCRYPT.replacen("crypto", "Crypto", 1);
        assert_eq!(evm_from_v3(&older, &password("testpassword")).unwrap().address(), ADDRESS);
        assert_eq!(evm_from_v3(SCRYPT, &password("testpasswort")).unwrap_err(), ImportError::V3Passphrase);
    }

    #[test]
    fn a_keystore_that_lies_about_its_address_is_refused() {
        let with = |address: &str| SCRYPT.replacen('{', &format!(r#"{{"address":"{address}","#), 1);
        let right = with("008aeeda4d805471df9b2a5b0f38a0c3bcba786b");
        assert_eq!(evm_from_v3(&right, &password("testpassword")).unwrap().address(), ADDRESS);
        let wrong = with("108aeeda4d805471df9b2a5b0f38a0c3bcba786b");
        assert!(matches!(
            evm_from_v3(&wrong, &password("testpassword")).unwrap_err(),
            ImportError::V3Address { .. }
        ));
    }

    #[test]
    fn a_foreign_file_can_not_ask_for_endless_work() {
        for (from, to) in [
            ("262144,\"p\"", "1099511627776,\"p\""),
            ("\"p\":8", "\"p\":4000000000"),
            ("\"r\":1", "\"r\":4000000000"),
            ("\"r\":1", "\"r\":0"),
            ("262144,\"p\"", "1000,\"p\""),
            ("262144,\"p\"", "1,\"p\""),
        ] {
            let file = SCRYPT.replacen(from, to, 1);
            assert_ne!(file, SCRYPT);
            assert_eq!(
                evm_from_v3(&file, &password("testpassword")).unwrap_err(),
                ImportError::V3Work("scrypt work"),
                "{to}"
            );
        }
        for rounds in ["0", "4000000000"] {
            let file = PBKDF2.replacen("262144", rounds, 1);
            assert_eq!(
                evm_from_v3(&file, &password("testpassword")).unwrap_err(),
                ImportError::V3Work("PBKDF2 work")
            );
        }
    }

    #[test]
    fn a_solana_keypair_is_a_key_when_its_halves_fit() {
        let pair = SigningKey::from_bytes(&[7; 32]).to_keypair_bytes();
        let json = serde_json::to_string(pair.as_slice()).unwrap();
        let key = solana_from_json(&json).unwrap();
        assert_eq!(key.kind(), KeyKind::Solana);
        assert_eq!(bs58::decode(key.address()).into_vec().unwrap(), pair[32..]);
        let mut other = pair;
        other[63] ^= 1;
        let json = serde_json::to_string(other.as_slice()).unwrap();
        assert_eq!(solana_from_json(&json).unwrap_err(), ImportError::SolanaHalves);
        for text in ["[1,2]", "[300]", "{}", "", "\"seed\""] {
            assert_eq!(solana_from_json(text).unwrap_err(), ImportError::Solana);
        }
    }
}
