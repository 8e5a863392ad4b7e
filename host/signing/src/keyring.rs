//! The system's keyring as a place for passphrases: the Keychain of macOS, the Credential Manager of Windows, the Secret
//! Service of Linux desktops (GNOME Keyring, KWallet, KeePassXC).

use std::thread;

use keyring::{Entry, Error};
use zeroize::Zeroizing;

use crate::secret::Passphrase;

/// The service that entries are kept under.
const SERVICE: &str = "bulkhead";

/// Why the system's keyring did not help. None of these shows a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// There is none, or it is locked.
    #[error(
        "the system's keyring can't be used: {0}; is there a desktop session with one, and is it unlocked?"
    )]
    Unavailable(String),
    /// It keeps no such passphrase.
    #[error("the system's keyring keeps no passphrase \"{0}\"; `bulkhead keys remember {0}` gives it one")]
    Unknown(String),
}

/// The passphrase that is kept under a name.
///
/// # Errors
/// When there is none, or no keyring.
pub fn recall(name: &str) -> Result<Zeroizing<String>, KeyringError> {
    with(name, |entry| entry.get_password().map(Zeroizing::new))
}

/// Has a passphrase kept under a name, in the place of what was kept there.
///
/// # Errors
/// When there is no keyring, or it refuses.
pub fn remember(name: &str, passphrase: &Passphrase) -> Result<(), KeyringError> {
    with(name, |entry| entry.set_secret(passphrase.as_bytes()))
}

/// Has what is kept under a name forgotten.
///
/// # Errors
/// When nothing is, or there is no keyring.
pub fn forget(name: &str) -> Result<(), KeyringError> {
    with(name, Entry::delete_credential)
}

/// On a thread of its own: what speaks to the keyring waits in its own way, which a thread that serves others must not.
fn with<T: Send>(
    name: &str,
    work: impl FnOnce(&Entry) -> Result<T, Error> + Send,
) -> Result<T, KeyringError> {
    let done = thread::scope(|scope| {
        let worker = scope.spawn(|| {
            if let Err(error) = Entry::store_status() {
                return Err(KeyringError::Unavailable(kind(error)));
            }
            Entry::new(SERVICE, name).and_then(|entry| work(&entry)).map_err(|error| match error {
                Error::NoEntry => KeyringError::Unknown(name.to_owned()),
                error => KeyringError::Unavailable(kind(&error)),
            })
        });
        worker.join()
    });
    done.unwrap_or_else(|_| Err(KeyringError::Unavailable("it broke down".to_owned())))
}

/// In words that hold nothing of what is kept: some errors carry it.
fn kind(error: &Error) -> String {
    match error {
        Error::PlatformFailure(why) => format!("it says: {why}"),
        Error::NoStorageAccess(why) => format!("access was denied: {why}"),
        Error::BadEncoding(_) | Error::BadDataFormat(..) => "what it keeps is no text".to_owned(),
        Error::Ambiguous(_) => "it keeps several under this name".to_owned(),
        Error::NoDefaultStore => "there is none".to_owned(),
        Error::TooLong(what, most) => format!("{what} may have {most} characters"),
        _ => "it refuses".to_owned(),
    }
}
