//! Every version that ever was prepared, as `<sha256>.wasm`, and every model, as `<sha256>.onnx`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bulkhead_core::identifier::ContentHash;

use crate::refused::Refused;
use crate::storage;

/// A directory of kept files, of one kind of them.
#[derive(Debug)]
pub(crate) struct Versions {
    directory: PathBuf,
    /// Of the files' names, with its dot.
    ending: &'static str,
}

/// Of a strategy's file.
pub(crate) const STRATEGY: &str = ".wasm";
/// Of a model's.
pub(crate) const MODEL: &str = ".onnx";

impl Versions {
    pub(crate) fn open(directory: &Path, ending: &'static str) -> io::Result<Self> {
        storage::private_directory(directory)?;
        Ok(Self { directory: directory.to_owned(), ending })
    }

    fn path(&self, version: &ContentHash) -> PathBuf {
        self.directory.join(format!("{version}{}", self.ending))
    }

    /// Keeps a version; one that is there already stays as it is.
    pub(crate) fn keep(&self, version: &ContentHash, bytes: &[u8]) -> Result<(), Refused> {
        let path = self.path(version);
        // A file of another length was damaged; it is written anew.
        if fs::metadata(&path).is_ok_and(|found| found.len() == bytes.len() as u64) {
            return Ok(());
        }
        storage::write_whole(&self.directory, &path, &[bytes])
            .map_err(|source| Refused::Storage { what: format!("keeping {}", path.display()), source })
    }

    /// Reads a version back.
    pub(crate) fn read(&self, version: &ContentHash, largest: u64) -> Result<Vec<u8>, Refused> {
        let path = self.path(version);
        let what = || format!("reading {}", path.display());
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => Refused::UnknownVersion(*version),
            _ => Refused::Storage { what: what(), source },
        };
        let found = fs::metadata(&path).map_err(failed)?.len();
        if found > largest {
            return Err(Refused::TooLarge { found, limit: largest });
        }
        let bytes = fs::read(&path).map_err(failed)?;
        if ContentHash::of(&bytes) != *version {
            let source = io::Error::new(io::ErrorKind::InvalidData, "its content is not what its name says");
            return Err(Refused::Storage { what: what(), source });
        }
        Ok(bytes)
    }

    pub(crate) fn list(&self) -> Result<Vec<ContentHash>, Refused> {
        let failed =
            |source| Refused::Storage { what: format!("listing {}", self.directory.display()), source };
        let mut versions = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let hash = name.to_str().and_then(|name| name.strip_suffix(self.ending)).map(str::to_owned);
            versions.extend(hash.and_then(|hash| ContentHash::try_from(hash).ok()));
        }
        versions.sort_unstable();
        Ok(versions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_kept_and_read_back() {
        let parent = tempfile::tempdir().unwrap();
        let versions = Versions::open(&parent.path().join("versions"), STRATEGY).unwrap();
        let version = ContentHash::of(b"content");
        assert!(matches!(versions.read(&version, 100), Err(Refused::UnknownVersion(_))));
        versions.keep(&version, b"content").unwrap();
        assert_eq!(versions.read(&version, 100).unwrap(), b"content");
        assert_eq!(versions.list().unwrap(), [version]);
        assert!(matches!(versions.read(&version, 3), Err(Refused::TooLarge { found: 7, limit: 3 })));
    }

    #[test]
    fn a_changed_file_is_not_taken_for_the_version() {
        let parent = tempfile::tempdir().unwrap();
        let versions = Versions::open(parent.path(), STRATEGY).unwrap();
        let version = ContentHash::of(b"content");
        versions.keep(&version, b"content").unwrap();
        fs::write(versions.path(&version), b"cOntent").unwrap();
        assert!(matches!(versions.read(&version, 100), Err(Refused::Storage { .. })));
        fs::write(versions.path(&version), b"cut").unwrap();
        versions.keep(&version, b"content").unwrap();
        assert_eq!(versions.read(&version, 100).unwrap(), b"content");
    }
}
