//! Where passphrases, and keys that are imported, come from: never the command line's words nor the environment, which
//! other processes and shell histories see.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::secret::Passphrase;

/// The most bytes of a passphrase.
const MAX_PASSPHRASE_BYTES: usize = 4096;

/// Where a passphrase comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassphraseSource {
    /// The terminal.
    Prompt,
    /// An open file descriptor, up to its end or the first line's.
    Descriptor(u32),
    /// A file that only its owner can read, such as systemd's credentials.
    File(PathBuf),
    /// The system's keyring, under a name.
    #[cfg(feature = "keyring")]
    Keyring(String),
}

/// Why a secret can't be had. None of these shows any of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretSourceError {
    /// It can't be read.
    #[error("{from} can't be read: {error}")]
    Read {
        /// From where.
        from: String,
        /// Why.
        error: io::Error,
    },
    /// The file is open to others.
    #[error("{} is open to others (mode {mode:03o}); chmod go= it", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is too long, or no text.
    #[error("what {from} holds is empty, too long or no text")]
    Content {
        /// From where.
        from: String,
    },
    /// The system's keyring does not keep it, or can't be asked.
    #[cfg(feature = "keyring")]
    #[error(transparent)]
    Keyring(#[from] crate::keyring::KeyringError),
    /// What was typed the second time was something else.
    #[error("the passphrases differ; nothing was changed")]
    Differ,
}

impl PassphraseSource {
    /// Gets the passphrase; `what` tells a person which one is asked for.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn passphrase(&self, what: &str) -> Result<Passphrase, SecretSourceError> {
        let text =
            match self {
                Self::Prompt => {
                    let typed = rpassword::prompt_password(format!("{what}: "));
                    Zeroizing::new(typed.map_err(|error| SecretSourceError::Read {
                        from: "the terminal".to_owned(),
                        error,
                    })?)
                }
                Self::Descriptor(number) => descriptor(*number, MAX_PASSPHRASE_BYTES)?,
                Self::File(path) => private_file(path, MAX_PASSPHRASE_BYTES)?,
                #[cfg(feature = "keyring")]
                Self::Keyring(name) => crate::keyring::recall(name)?,
            };
        let line = text.split(['\r', '\n']).next().unwrap_or_default();
        if line.is_empty() {
            return Err(SecretSourceError::Content { from: self.to_string() });
        }
        Ok(Passphrase::new(line.to_owned()))
    }

    /// Gets a passphrase that will be needed again: typed twice at a terminal.
    ///
    /// # Errors
    /// When it can't be read, or what was typed differs.
    pub fn new_passphrase(&self, what: &str) -> Result<Passphrase, SecretSourceError> {
        let first = self.passphrase(what)?;
        if *self == Self::Prompt && !first.is_same(&self.passphrase(&format!("{what}, again"))?) {
            return Err(SecretSourceError::Differ);
        }
        Ok(first)
    }
}

impl std::fmt::Display for PassphraseSource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Prompt => formatter.write_str("the terminal"),
            Self::Descriptor(number) => write!(formatter, "file descriptor {number}"),
            Self::File(path) => write!(formatter, "{}", path.display()),
            #[cfg(feature = "keyring")]
            Self::Keyring(name) => write!(formatter, "the system's keyring ({name})"),
        }
    }
}

/// Reads a secret from an open file descriptor, 0 for standard input.
///
/// # Errors
/// When it is not open, too long, or no text.
pub fn descriptor(number: u32, limit: usize) -> Result<Zeroizing<String>, SecretSourceError> {
    let from = format!("file descriptor {number}");
    // Opened anew through the file system, as taking over a descriptor by its number is unsafe.
    match File::open(format!("/dev/fd/{number}")) {
        Ok(file) => text(file, limit, from),
        Err(error) => Err(SecretSourceError::Read { from, error }),
    }
}

/// Reads a secret from a file that only its owner can read.
///
/// # Errors
/// When it is not there, open to others, too long, or no text.
pub fn private_file(path: &Path, limit: usize) -> Result<Zeroizing<String>, SecretSourceError> {
    use std::os::unix::fs::MetadataExt as _;
    let from = path.display().to_string();
    let read = |error| SecretSourceError::Read { from: from.clone(), error };
    let file = File::open(path).map_err(read)?;
    let mode = file.metadata().map_err(read)?.mode();
    if mode & 0o077 != 0 {
        return Err(SecretSourceError::Open { path: path.to_owned(), mode: mode & 0o777 });
    }
    text(file, limit, from)
}

fn text(source: impl Read, limit: usize, from: String) -> Result<Zeroizing<String>, SecretSourceError> {
    // As large as it can get, so that it never moves and leaves a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit + 1));
    match source.take(limit as u64 + 1).read_to_end(&mut bytes) {
        Err(error) => Err(SecretSourceError::Read { from, error }),
        Ok(length) => match str::from_utf8(&bytes) {
            Ok(text) if length <= limit => Ok(Zeroizing::new(text.to_owned())),
            _ => Err(SecretSourceError::Content { from }),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_passphrase_is_the_first_line_of_a_file_that_is_its_owners_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "correct horse battery\nmore\n").unwrap();
        let source = PassphraseSource::File(file.path().to_owned());
        assert_eq!(source.passphrase("passphrase").unwrap().as_bytes(), b"correct horse battery");
        fs::set_permissions(file.path(), Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(source.passphrase("passphrase"), Err(SecretSourceError::Open { mode: 0o640, .. })));
    }

    #[test]
    fn a_descriptor_gives_a_passphrase() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "correct horse battery").unwrap();
        let source = PassphraseSource::Descriptor(u32::try_from(file.as_raw_fd()).unwrap());
        assert_eq!(source.passphrase("passphrase").unwrap().as_bytes(), b"correct horse battery");
        assert!(PassphraseSource::Descriptor(987).passphrase("passphrase").is_err());
    }

    #[test]
    fn what_is_empty_too_long_or_no_text_is_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let source = PassphraseSource::File(file.path().to_owned());
        for content in [b"".as_slice(), b"\n", &[b'a'; MAX_PASSPHRASE_BYTES + 1], b"\xff\xff"] {
            fs::write(file.path(), content).unwrap();
            assert!(matches!(source.passphrase("passphrase"), Err(SecretSourceError::Content { .. })));
        }
    }
}
