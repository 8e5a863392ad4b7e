//! The master key: random, encrypted with what Argon2id makes of the passphrase. It encrypts the keys.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::KeystoreError;
use crate::secret::{Passphrase, Secret};

/// What Argon2id costs. More makes guessing passphrases dearer, and opening the keystore slower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KdfCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// How often it goes through the memory.
    pub passes: u32,
    /// How many lanes the memory has.
    pub lanes: u32,
}

impl Default for KdfCost {
    /// Some half a second, and four times the memory that RFC 9106 asks for at least.
    fn default() -> Self {
        Self { memory_kib: 256 * 1024, passes: 3, lanes: 4 }
    }
}

impl KdfCost {
    /// The least that the keystore takes, for tests: hardly a hindrance.
    pub const LEAST: Self = Self { memory_kib: 8 * 1024, passes: 1, lanes: 1 };
    /// The most that a file may ask for.
    pub const MOST: Self = Self { memory_kib: 1024 * 1024, passes: 16, lanes: 16 };

    /// A file can't have us take all memory there is, nor make do with next to none.
    fn is_bounded(self) -> bool {
        (Self::LEAST.memory_kib..=Self::MOST.memory_kib).contains(&self.memory_kib)
            && (Self::LEAST.passes..=Self::MOST.passes).contains(&self.passes)
            && (Self::LEAST.lanes..=Self::MOST.lanes).contains(&self.lanes)
    }

    fn derive(self, passphrase: &Passphrase, salt: &[u8]) -> Result<Secret, KeystoreError> {
        if !self.is_bounded() {
            return Err(KeystoreError::KdfCost { asked: self });
        }
        let parameters = Params::new(self.memory_kib, self.passes, self.lanes, Some(32));
        let parameters = parameters.map_err(|_| KeystoreError::KdfCost { asked: self })?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
            .hash_password_into(passphrase.as_bytes(), salt, key.as_mut_slice())
            .map_err(|_| KeystoreError::KdfCost { asked: self })?;
        Ok(Secret::new(key))
    }
}

/// What is known without the passphrase; bound to the encrypted master key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Public {
    version: u32,
    generation: u64,
    kdf: Kdf,
    cost: KdfCost,
    salt: Hex<32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kdf {
    Argon2id,
}

/// `master.json` of a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MasterFile {
    public: Public,
    sealed: Sealed,
}

/// What is encrypted, with the nonce it was encrypted under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sealed {
    nonce: Hex<24>,
    ciphertext: alloy_primitives::Bytes,
}

type Hex<const N: usize> = alloy_primitives::FixedBytes<N>;

impl Sealed {
    /// Encrypts a secret and binds `public` to it.
    pub(super) fn seal(key: &Secret, secret: &Secret, public: &[u8]) -> Result<Self, KeystoreError> {
        let mut nonce = [0; 24];
        getrandom::fill(&mut nonce).map_err(|_| KeystoreError::NoRandomness)?;
        let cipher = XChaCha20Poly1305::new(key.bytes().into());
        let payload = Payload { msg: secret.bytes(), aad: public };
        let ciphertext =
            cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| KeystoreError::NotEncrypted)?;
        Ok(Self { nonce: nonce.into(), ciphertext: ciphertext.into() })
    }

    /// `None` when the key is another, or anything was changed.
    pub(super) fn open(&self, key: &Secret, public: &[u8]) -> Option<Secret> {
        let cipher = XChaCha20Poly1305::new(key.bytes().into());
        let payload = Payload { msg: self.ciphertext.as_ref(), aad: public };
        let plain = Zeroizing::new(cipher.decrypt(&XNonce::from(self.nonce.0), payload).ok()?);
        Secret::from_slice(&plain)
    }
}

impl MasterFile {
    pub(super) fn new(
        generation: u64,
        master: &Secret,
        passphrase: &Passphrase,
        cost: KdfCost,
    ) -> Result<Self, KeystoreError> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(|_| KeystoreError::NoRandomness)?;
        let public = Public { version: 1, generation, kdf: Kdf::Argon2id, cost, salt: salt.into() };
        let key = cost.derive(passphrase, public.salt.as_slice())?;
        let sealed = Sealed::seal(&key, master, &bound(&public)?)?;
        Ok(Self { public, sealed })
    }

    /// The master key; `None` when the passphrase is another, or the file was changed.
    pub(super) fn open(
        &self,
        generation: u64,
        passphrase: &Passphrase,
    ) -> Result<Option<Secret>, KeystoreError> {
        if self.public.version != 1 {
            return Err(KeystoreError::Version { version: self.public.version });
        }
        if self.public.generation != generation {
            return Ok(None);
        }
        let key = self.public.cost.derive(passphrase, self.public.salt.as_slice())?;
        Ok(self.sealed.open(&key, &bound(&self.public)?))
    }
}

fn bound(public: &Public) -> Result<Vec<u8>, KeystoreError> {
    let mut bytes = b"bulkhead master key\n".to_vec();
    serde_json::to_writer(&mut bytes, public).map_err(|_| KeystoreError::NotEncrypted)?;
    Ok(bytes)
}
