//! A key's file: what everybody may know, and the key, encrypted and bound to that.

use std::fmt;
use std::str::FromStr;

use alloy_primitives::Address;
use alloy_signer_local::PrivateKeySigner;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use super::KeystoreError;
use super::master::Sealed;
use crate::policy::Policy;
use crate::secret::Secret;

/// The name of a key: 1 to 64 lower-case letters, digits and hyphens, the first no hyphen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyName(String);

impl KeyName {
    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for KeyName {
    type Error = KeystoreError;

    fn try_from(name: String) -> Result<Self, KeystoreError> {
        let is_valid = (1..=64).contains(&name.len())
            && !name.starts_with('-')
            && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
        if is_valid { Ok(Self(name)) } else { Err(KeystoreError::Name { name }) }
    }
}

impl FromStr for KeyName {
    type Err = KeystoreError;

    fn from_str(name: &str) -> Result<Self, KeystoreError> {
        name.to_owned().try_into()
    }
}

impl From<KeyName> for String {
    fn from(name: KeyName) -> Self {
        name.0
    }
}

/// What a key signs for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// EVM chains (secp256k1).
    Evm,
    /// Solana (ed25519).
    Solana,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Evm => "evm",
            Self::Solana => "solana",
        })
    }
}

/// A private key with its kind.
#[derive(Debug)]
pub struct PrivateKey {
    kind: KeyKind,
    secret: Secret,
    address: String,
}

impl PrivateKey {
    /// A new one from the system's random bits.
    ///
    /// # Errors
    /// When the system has none.
    pub fn random(kind: KeyKind) -> Result<Self, KeystoreError> {
        loop {
            let secret = Secret::random().map_err(|_| KeystoreError::NoRandomness)?;
            // Hardly ever are the bits no key of the curve.
            if let Some(key) = Self::new(kind, secret) {
                return Ok(key);
            }
        }
    }

    /// `None` when the bytes are no key of this kind.
    pub(crate) fn new(kind: KeyKind, secret: Secret) -> Option<Self> {
        let address = match kind {
            KeyKind::Evm => signer(&secret)?.address().to_checksum(None),
            KeyKind::Solana => {
                bs58::encode(SigningKey::from_bytes(secret.bytes()).verifying_key().as_bytes()).into_string()
            }
        };
        Some(Self { kind, secret, address })
    }

    /// What it signs for.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Its address, as its chains write it.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What signs for Solana; `None` for keys of another kind.
    #[cfg(feature = "solana")]
    pub(crate) fn solana_signer(&self) -> Option<SigningKey> {
        (self.kind == KeyKind::Solana).then(|| SigningKey::from_bytes(self.secret.bytes()))
    }

    /// What signs for EVM chains; `None` for keys of another kind.
    pub(crate) fn evm_signer(&self) -> Option<PrivateKeySigner> {
        (self.kind == KeyKind::Evm).then(|| signer(&self.secret)).flatten()
    }
}

fn signer(secret: &Secret) -> Option<PrivateKeySigner> {
    PrivateKeySigner::from_slice(secret.bytes()).ok()
}

/// What everybody may know of a key. Read without the passphrase it may have been changed; opening the key shows that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyInfo {
    /// The version of the file's format.
    pub version: u32,
    /// What a person calls it.
    pub name: KeyName,
    /// What it signs for.
    pub kind: KeyKind,
    /// Its address, as its chains write it.
    pub address: String,
    /// When it was made or imported, in seconds since 1970.
    pub created: u64,
    /// What it may sign.
    pub policy: Policy,
}

impl KeyInfo {
    /// The address on EVM chains; `None` for keys of another kind.
    #[must_use]
    pub fn evm_address(&self) -> Option<Address> {
        (self.kind == KeyKind::Evm).then(|| self.address.parse().ok()).flatten()
    }
}

/// `<name>.json` of a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyFile {
    pub(super) public: KeyInfo,
    sealed: Sealed,
}

impl KeyFile {
    pub(super) fn new(
        generation: u64,
        master: &Secret,
        key: &PrivateKey,
        public: KeyInfo,
    ) -> Result<Self, KeystoreError> {
        let sealed = Sealed::seal(master, &key.secret, &bound(generation, &public)?)?;
        Ok(Self { public, sealed })
    }

    /// The key; `None` when anything was changed, or it was encrypted by another master key.
    pub(super) fn open(&self, generation: u64, master: &Secret) -> Result<Option<PrivateKey>, KeystoreError> {
        if self.public.version != 1 {
            return Err(KeystoreError::Version { version: self.public.version });
        }
        let secret = self.sealed.open(master, &bound(generation, &self.public)?);
        let key = secret.and_then(|secret| PrivateKey::new(self.public.kind, secret));
        Ok(key.filter(|key| key.address == self.public.address))
    }
}

fn bound(generation: u64, public: &KeyInfo) -> Result<Vec<u8>, KeystoreError> {
    let mut bytes = format!("bulkhead key of generation {generation}\n").into_bytes();
    serde_json::to_writer(&mut bytes, public).map_err(|_| KeystoreError::NotEncrypted)?;
    Ok(bytes)
}
