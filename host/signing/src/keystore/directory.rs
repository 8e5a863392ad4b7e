//! Files and directories of the keystore: for their owner alone, whole or not there, and on the disk before anything
//! else happens.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::KeystoreError;

/// The most bytes of any file; a key's file with a long policy has a tenth of it.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

pub(crate) fn make(directory: &Path) -> Result<(), KeystoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(at(directory))?;
    is_private(directory)
}

/// Refuses what others may read or change: its keys are not a secret any more, or its policies not the owner's.
pub(crate) fn is_private(path: &Path) -> Result<(), KeystoreError> {
    let mode = fs::metadata(path).map_err(at(path))?.mode();
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(KeystoreError::Open { path: path.to_owned(), mode: mode & 0o777 })
    }
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, KeystoreError> {
    is_private(path)?;
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(at(path))?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(at(path))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(KeystoreError::damaged(path, "it is too large"));
    }
    Ok(bytes)
}

/// Puts a file there whole, in the place of one that is there. A crash leaves the old one or the new one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), KeystoreError> {
    let unfinished = unfinished(path);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&unfinished)(error)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(0o600).open(&unfinished).map_err(at(&unfinished))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at(&unfinished))?;
    fs::rename(&unfinished, path).map_err(at(path))?;
    sync(parent(path))
}

pub(crate) fn remove(path: &Path) -> Result<(), KeystoreError> {
    fs::remove_file(path).map_err(at(path))?;
    sync(parent(path))
}

/// Puts what happened in a directory onto the disk.
pub(crate) fn sync(directory: &Path) -> Result<(), KeystoreError> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(at(directory))
}

/// The names in a directory, in order; none when it is not there.
pub(crate) fn names(directory: &Path) -> Result<Vec<String>, KeystoreError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at(directory)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(at(directory))?.file_name();
        names.extend(name.into_string().ok());
    }
    names.sort();
    Ok(names)
}

pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> KeystoreError {
    let path = path.to_owned();
    move |error| KeystoreError::File { path, error }
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".unfinished");
    name.into()
}
