//! Encrypts all keys anew, under another passphrase and another master key, all or none.

use std::fs;

use super::directory::{at, make, sync};
use super::key_file::KeyFile;
use super::master::MasterFile;
use super::{KdfCost, KeyInfo, Keystore, KeystoreError, Unlocked, is_long_enough, write};
use crate::secret::{Passphrase, Secret};

/// What a rotation has done so far. Interrupted after any of these, the keystore opens with one of both passphrases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Opened,
    MasterWritten,
    KeyWritten,
    Proved,
    Switched,
}

impl Keystore {
    /// Encrypts all keys anew and returns them. The old passphrase opens nothing afterwards but backups.
    ///
    /// # Errors
    /// When the old passphrase is wrong, a key can't be opened, or files can't be written. The keystore then opens
    /// with the old passphrase as before, unless the switch was done already.
    pub fn rotate(
        &self,
        old: &Passphrase,
        new: &Passphrase,
        cost: KdfCost,
    ) -> Result<Vec<KeyInfo>, KeystoreError> {
        self.rotate_watched(old, new, cost, &mut |_| Ok(()))
    }

    pub(super) fn rotate_watched(
        &self,
        old: &Passphrase,
        new: &Passphrase,
        cost: KdfCost,
        reached: &mut dyn FnMut(Progress) -> Result<(), KeystoreError>,
    ) -> Result<Vec<KeyInfo>, KeystoreError> {
        is_long_enough(new)?;
        let _lock = self.lock()?;
        let before = self.current()?;
        self.tidy(before)?;
        let opened =
            Unlocked { store: self.clone(), generation: before, master: self.open_master(before, old)? };
        reached(Progress::Opened)?;

        let after = before.checked_add(1).ok_or(KeystoreError::Rotated)?;
        let directory = self.generation(after);
        if directory.exists() {
            // `tidy` left it alone, as it holds keys that are nowhere else.
            return Err(KeystoreError::damaged(&directory, "it is in the way of the rotation"));
        }
        make(&directory)?;
        let master = Secret::random().map_err(|_| KeystoreError::NoRandomness)?;
        write(&self.master(after), &MasterFile::new(after, &master, new, cost)?)?;
        reached(Progress::MasterWritten)?;

        let infos = self.infos(before)?;
        for info in &infos {
            let (key, public) = opened.opened(&info.name)?;
            write(&self.key_path(after, &info.name), &KeyFile::new(after, &master, &key, public)?)?;
            reached(Progress::KeyWritten)?;
        }
        sync(&directory)?;
        sync(self.root())?;

        // From the files and the passphrase alone, as the next start will.
        let proof =
            Unlocked { store: self.clone(), generation: after, master: self.open_master(after, new)? };
        let proved: Vec<KeyInfo> = self.infos(after)?;
        for info in &proved {
            proof.opened(&info.name)?;
        }
        if proved != infos {
            return Err(KeystoreError::damaged(
                &directory,
                "it does not hold the keys that were encrypted anew",
            ));
        }
        reached(Progress::Proved)?;

        self.switch(after)?;
        reached(Progress::Switched)?;
        let old_directory = self.generation(before);
        fs::remove_dir_all(&old_directory).map_err(at(&old_directory))?;
        sync(self.root())?;
        Ok(proved)
    }
}
