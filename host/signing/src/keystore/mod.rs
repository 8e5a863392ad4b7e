//! Keys on the disk, encrypted.
//!
//! ```text
//! keys/current                  which generation counts: "1"
//! keys/generation-1/master.json the master key, encrypted with what Argon2id makes of the passphrase
//! keys/generation-1/NAME.json   a key, encrypted with the master key, with what everybody may know of it
//! ```
//!
//! A rotation writes a new generation beside the old one, proves that it opens to the same keys, and switches
//! `current` by a rename: at every moment one whole generation counts. What is left over from a rotation that was
//! interrupted goes away when the keystore is next changed.
//!
//! Where to start reading: [`Keystore`]; then `key_file` and `master` for what is in the files.

mod directory;
mod key_file;
mod master;
mod rotation;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use self::directory::{at, is_private, make, parent, replace};
use self::key_file::KeyFile;
pub use self::key_file::{KeyInfo, KeyKind, KeyName, PrivateKey};
pub use self::master::KdfCost;
use self::master::MasterFile;
use crate::policy::{InvalidPolicy, Policy};
use crate::secret::{Passphrase, Secret};

/// The fewest characters of a new passphrase.
pub const MIN_PASSPHRASE_CHARACTERS: usize = 12;

const CURRENT: &str = "current";
const LOCK: &str = "lock";
const MASTER: &str = "master.json";
const GENERATION: &str = "generation-";

/// What went wrong with the keystore. None of these shows a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeystoreError {
    /// A file can't be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Others than the owner may read or change it.
    #[error("{} is open to others (mode {mode:03o}): nobody but its owner may reach keys; see who could, then chmod go= it", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file is not what was written.
    #[error("{} is damaged or was changed: {why}; take it from a backup", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The passphrase is another, or the master key's file was changed.
    #[error("the passphrase is wrong, or {} was changed", path.display())]
    Passphrase {
        /// The master key's file.
        path: PathBuf,
    },
    /// A new passphrase is too short.
    #[error(
        "the passphrase has fewer than {MIN_PASSPHRASE_CHARACTERS} characters; take a longer one, such as five words"
    )]
    ShortPassphrase,
    /// There is no keystore.
    #[error("there is no keystore in {}; `bulkhead keys new` makes one", path.display())]
    Missing {
        /// Where.
        path: PathBuf,
    },
    /// There is a keystore already.
    #[error("there is a keystore in {} already", path.display())]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// There are keys that no `current` speaks of.
    #[error("{} holds keys, but \"{CURRENT}\" beside it is missing; take it from a backup, or move the keys away", path.display())]
    NoCurrent {
        /// The generation with the keys.
        path: PathBuf,
    },
    /// No key has this name.
    #[error("there is no key \"{name}\"; `bulkhead keys list` shows those that there are")]
    NoKey {
        /// Which.
        name: KeyName,
    },
    /// Another key has this name or address.
    #[error("there is a key \"{name}\" with the address {address} already")]
    Taken {
        /// The one that is there.
        name: KeyName,
        /// Its address.
        address: String,
    },
    /// It can't be a key's name.
    #[error("\"{name}\" is no name for a key: it has 1 to 64 lower-case letters, digits and hyphens")]
    Name {
        /// What was given.
        name: String,
    },
    /// A file asks for work out of bounds.
    #[error("the work of {asked:?} is out of bounds: {:?} to {:?}", KdfCost::LEAST, KdfCost::MOST)]
    KdfCost {
        /// What was asked for.
        asked: KdfCost,
    },
    /// A file is of a version that this program does not know.
    #[error("version {version} of the keystore is not known to this version of bulkhead")]
    Version {
        /// Which.
        version: u32,
    },
    /// The keys were encrypted anew since they were opened.
    #[error("the keystore's master key was rotated meanwhile; open it again")]
    Rotated,
    /// The policy contradicts itself.
    #[error(transparent)]
    Policy(#[from] InvalidPolicy),
    /// The system has no random bits.
    #[error("the system gives no random bits")]
    NoRandomness,
    /// Encrypting failed, which is a defect.
    #[error("a key can't be encrypted")]
    NotEncrypted,
    /// Stopped on the way, by a test.
    #[cfg(test)]
    #[error("interrupted")]
    Interrupted,
}

impl KeystoreError {
    fn damaged(path: &Path, why: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), why: why.into() }
    }
}

/// A directory of encrypted keys.
#[derive(Clone, Debug)]
pub struct Keystore {
    root: PathBuf,
}

/// A keystore whose master key is known.
#[derive(Debug)]
pub struct Unlocked {
    store: Keystore,
    generation: u64,
    master: Secret,
}

impl Keystore {
    /// The keystore in a directory, which need not be there yet.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether one was made.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.root.join(CURRENT).exists()
    }

    /// Makes one without keys.
    ///
    /// # Errors
    /// When there is one, the passphrase is too short, or files can't be written.
    pub fn create(&self, passphrase: &Passphrase, cost: KdfCost) -> Result<Unlocked, KeystoreError> {
        is_long_enough(passphrase)?;
        make(&self.root)?;
        let _lock = self.lock()?;
        if self.exists() {
            return Err(KeystoreError::Exists { path: self.root.clone() });
        }
        for name in directory::names(&self.root)?.iter().filter(|name| name.starts_with(GENERATION)) {
            let path = self.root.join(name);
            if !key_names(&path)?.is_empty() {
                return Err(KeystoreError::NoCurrent { path });
            }
            fs::remove_dir_all(&path).map_err(at(&path))?;
        }
        let generation = 1;
        let master = Secret::random().map_err(|_| KeystoreError::NoRandomness)?;
        make(&self.generation(generation))?;
        write(&self.master(generation), &MasterFile::new(generation, &master, passphrase, cost)?)?;
        directory::sync(&self.root)?;
        self.switch(generation)?;
        Ok(Unlocked { store: self.clone(), generation, master })
    }

    /// Opens it.
    ///
    /// # Errors
    /// When there is none, the passphrase is wrong, or a file was changed.
    pub fn unlock(&self, passphrase: &Passphrase) -> Result<Unlocked, KeystoreError> {
        let _lock = self.shared_lock()?;
        let generation = self.current()?;
        let master = self.open_master(generation, passphrase)?;
        Ok(Unlocked { store: self.clone(), generation, master })
    }

    /// What is known of the keys without the passphrase, by name.
    ///
    /// # Errors
    /// When there is no keystore, or a file is damaged.
    pub fn list(&self) -> Result<Vec<KeyInfo>, KeystoreError> {
        let _lock = self.shared_lock()?;
        self.infos(self.current()?)
    }

    /// What is known of one key without the passphrase.
    ///
    /// # Errors
    /// When there is no such key, or its file is damaged.
    pub fn info(&self, name: &KeyName) -> Result<KeyInfo, KeystoreError> {
        let _lock = self.shared_lock()?;
        Ok(self.key_file(self.current()?, name)?.public)
    }

    /// Removes a key for good.
    ///
    /// # Errors
    /// When there is no such key, or its file can't be removed.
    pub fn remove(&self, name: &KeyName) -> Result<KeyInfo, KeystoreError> {
        let _lock = self.lock()?;
        let generation = self.current()?;
        self.tidy(generation)?;
        let public = self.key_file(generation, name)?.public;
        directory::remove(&self.key_path(generation, name))?;
        Ok(public)
    }

    fn open_master(&self, generation: u64, passphrase: &Passphrase) -> Result<Secret, KeystoreError> {
        let path = self.master(generation);
        let file: MasterFile = load(&path)?;
        file.open(generation, passphrase)?.ok_or(KeystoreError::Passphrase { path })
    }

    fn infos(&self, generation: u64) -> Result<Vec<KeyInfo>, KeystoreError> {
        let names = key_names(&self.generation(generation))?;
        names.iter().map(|name| Ok(self.key_file(generation, name)?.public)).collect()
    }

    fn key_file(&self, generation: u64, name: &KeyName) -> Result<KeyFile, KeystoreError> {
        let path = self.key_path(generation, name);
        if !path.exists() {
            return Err(KeystoreError::NoKey { name: name.clone() });
        }
        let file: KeyFile = load(&path)?;
        if file.public.name != *name {
            return Err(KeystoreError::damaged(&path, format!("it is the key \"{}\"", file.public.name)));
        }
        Ok(file)
    }

    fn current(&self) -> Result<u64, KeystoreError> {
        let path = self.root.join(CURRENT);
        if !path.exists() {
            return Err(KeystoreError::Missing { path: self.root.clone() });
        }
        let text = directory::read(&path)?;
        let number = str::from_utf8(&text).ok().and_then(|text| text.strip_suffix('\n'));
        let generation = number.and_then(|number| number.parse().ok());
        generation
            .filter(|generation: &u64| text == format!("{generation}\n").as_bytes())
            .ok_or_else(|| KeystoreError::damaged(&path, "it is no number of a generation"))
    }

    fn switch(&self, generation: u64) -> Result<(), KeystoreError> {
        replace(&self.root.join(CURRENT), format!("{generation}\n").as_bytes())
    }

    /// Removes generations that do not count: of a rotation that was interrupted before its switch, or after it.
    fn tidy(&self, current: u64) -> Result<(), KeystoreError> {
        let kept: BTreeSet<KeyName> = key_names(&self.generation(current))?.into_iter().collect();
        for name in directory::names(&self.root)? {
            let path = self.root.join(&name);
            if !name.starts_with(GENERATION) || path == self.generation(current) {
                continue;
            }
            // Never the only copy of a key, whatever somebody did to these files.
            if key_names(&path)?.iter().all(|name| kept.contains(name)) {
                fs::remove_dir_all(&path).map_err(at(&path))?;
            } else {
                tracing::warn!(path = %path.display(), "holds keys that the keystore has no other copy of; left alone");
            }
        }
        directory::sync(&self.root)
    }

    fn lock(&self) -> Result<File, KeystoreError> {
        let (path, file) = self.lock_file()?;
        file.lock().map_err(at(&path))?;
        Ok(file)
    }

    fn shared_lock(&self) -> Result<File, KeystoreError> {
        if !self.exists() {
            return Err(KeystoreError::Missing { path: self.root.clone() });
        }
        is_private(&self.root)?;
        let (path, file) = self.lock_file()?;
        file.lock_shared().map_err(at(&path))?;
        Ok(file)
    }

    fn lock_file(&self) -> Result<(PathBuf, File), KeystoreError> {
        let path = self.root.join(LOCK);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = match file {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(KeystoreError::Missing { path: self.root.clone() });
            }
            file => file.map_err(at(&path))?,
        };
        Ok((path, file))
    }

    fn generation(&self, number: u64) -> PathBuf {
        self.root.join(format!("{GENERATION}{number}"))
    }

    fn master(&self, generation: u64) -> PathBuf {
        self.generation(generation).join(MASTER)
    }

    fn key_path(&self, generation: u64, name: &KeyName) -> PathBuf {
        self.generation(generation).join(file_name(name))
    }
}

impl Unlocked {
    /// Adds a key.
    ///
    /// # Errors
    /// When its name or address is taken, the policy contradicts itself, or the file can't be written.
    pub fn add(
        &self,
        name: KeyName,
        key: &PrivateKey,
        policy: Policy,
        created: u64,
    ) -> Result<KeyInfo, KeystoreError> {
        policy.validate()?;
        if name.as_str() == "master" {
            return Err(KeystoreError::Name { name: name.into() });
        }
        let _lock = self.exclusive()?;
        for info in self.store.infos(self.generation)? {
            if info.name == name || info.address == key.address() {
                return Err(KeystoreError::Taken { name: info.name, address: info.address });
            }
        }
        let address = key.address().to_owned();
        let public = KeyInfo { version: 1, name, kind: key.kind(), address, created, policy };
        self.put(key, public)
    }

    /// A key, and what is known of it, proved to belong together.
    ///
    /// # Errors
    /// When there is no such key, or anything in its file was changed.
    pub fn open(&self, name: &KeyName) -> Result<(PrivateKey, KeyInfo), KeystoreError> {
        let _lock = self.store.shared_lock()?;
        self.is_current()?;
        self.opened(name)
    }

    /// What is known of the keys, proved to be what was written.
    ///
    /// # Errors
    /// When anything in a file was changed.
    pub fn list(&self) -> Result<Vec<KeyInfo>, KeystoreError> {
        let _lock = self.store.shared_lock()?;
        self.is_current()?;
        let names = key_names(&self.store.generation(self.generation))?;
        names.iter().map(|name| Ok(self.opened(name)?.1)).collect()
    }

    /// Gives a key another policy. A signer that is running keeps the one it started with.
    ///
    /// # Errors
    /// When there is no such key, the policy contradicts itself, or the file can't be written.
    pub fn set_policy(&self, name: &KeyName, policy: Policy) -> Result<KeyInfo, KeystoreError> {
        policy.validate()?;
        let _lock = self.exclusive()?;
        let (key, public) = self.opened(name)?;
        self.put(&key, KeyInfo { policy, ..public })
    }

    fn put(&self, key: &PrivateKey, public: KeyInfo) -> Result<KeyInfo, KeystoreError> {
        let file = KeyFile::new(self.generation, &self.master, key, public)?;
        write(&self.store.key_path(self.generation, &file.public.name), &file)?;
        // What can't be read back is no key: this one may be about to receive money.
        Ok(self.opened(&file.public.name)?.1)
    }

    fn opened(&self, name: &KeyName) -> Result<(PrivateKey, KeyInfo), KeystoreError> {
        let file = self.store.key_file(self.generation, name)?;
        let path = self.store.key_path(self.generation, name);
        let key = file.open(self.generation, &self.master)?;
        let key =
            key.ok_or_else(|| KeystoreError::damaged(&path, "what it says is not what was encrypted"))?;
        Ok((key, file.public))
    }

    fn exclusive(&self) -> Result<File, KeystoreError> {
        let lock = self.store.lock()?;
        self.is_current()?;
        self.store.tidy(self.generation)?;
        Ok(lock)
    }

    fn is_current(&self) -> Result<(), KeystoreError> {
        if self.store.current()? == self.generation { Ok(()) } else { Err(KeystoreError::Rotated) }
    }
}

fn is_long_enough(passphrase: &Passphrase) -> Result<(), KeystoreError> {
    let is_long = passphrase.characters() >= MIN_PASSPHRASE_CHARACTERS;
    if is_long { Ok(()) } else { Err(KeystoreError::ShortPassphrase) }
}

fn file_name(name: &KeyName) -> String {
    format!("{name}.json")
}

fn key_names(generation: &Path) -> Result<Vec<KeyName>, KeystoreError> {
    let names = directory::names(generation)?;
    let names = names.iter().filter(|name| *name != MASTER).filter_map(|name| name.strip_suffix(".json"));
    names.map(str::parse).collect()
}

fn encoded<T: Serialize>(value: &T) -> Result<Vec<u8>, KeystoreError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|_| KeystoreError::NotEncrypted)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), KeystoreError> {
    replace(path, &encoded(value)?)
}

/// Reads what `write` wrote, to the byte: nothing in these files is without a meaning.
fn load<T: Serialize + DeserializeOwned>(path: &Path) -> Result<T, KeystoreError> {
    let bytes = directory::read(path)?;
    let value: T =
        serde_json::from_slice(&bytes).map_err(|error| KeystoreError::damaged(path, error.to_string()))?;
    if encoded(&value)? != bytes {
        return Err(KeystoreError::damaged(path, "it is not written as bulkhead writes it"));
    }
    Ok(value)
}

#[cfg(test)]
mod tests;
