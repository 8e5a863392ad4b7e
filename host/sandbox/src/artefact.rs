//! Compiled code on disk, so that a version is compiled once for each engine. A file holds machine code that
//! the host will run outside every sandbox, so it is only taken from a directory that nobody else may write
//! to, and only when its digest shows it to be whole and to belong to the version asked for.

use std::hash::{Hash as _, Hasher};
use std::path::{Path, PathBuf};
use std::{fs, io};

use bulkhead_core::identifier::ContentHash;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::storage;

const MAGIC: &[u8; 16] = b"bulkhead-code-01";
const DIGEST_BYTES: usize = 32;

/// The directory of compiled code.
#[derive(Debug)]
pub(crate) struct ArtefactCache {
    directory: PathBuf,
    /// Of the engine's version, settings and target.
    engine: String,
}

/// Collects what the engine hashes, so that a digest can be made of it.
struct Collect(Sha256);

impl Hasher for Collect {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

impl ArtefactCache {
    /// Opens the directory, or makes it.
    ///
    /// # Errors
    ///
    /// When it can't be made, or others may write to it.
    pub(crate) fn open(directory: &Path, engine: &Engine) -> io::Result<Self> {
        storage::private_directory(directory)?;
        let mut collect = Collect(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut collect);
        collect.0.update(env!("CARGO_PKG_VERSION"));
        let engine = ContentHash::new(collect.0.finalize().into()).short();
        Ok(Self { directory: directory.to_owned(), engine })
    }

    fn path(&self, version: &ContentHash) -> PathBuf {
        self.directory.join(format!("{version}-{}.cwasm", self.engine))
    }

    /// Of the code and of what it was compiled from and for: a file under another's name has another digest.
    fn digest(&self, version: &ContentHash, code: &[u8]) -> [u8; DIGEST_BYTES] {
        let mut digest = Sha256::new();
        digest.update(MAGIC);
        digest.update(version.bytes());
        digest.update(self.engine.as_bytes());
        digest.update(code);
        digest.finalize().into()
    }

    /// The compiled code of a version; `None` when there is none that is whole.
    pub(crate) fn load(&self, engine: &Engine, version: &ContentHash) -> Option<Component> {
        let file = fs::read(self.path(version)).ok()?;
        let (digest, code) = file.strip_prefix(MAGIC)?.split_at_checked(DIGEST_BYTES)?;
        if digest != self.digest(version, code) {
            tracing::warn!(%version, "compiled code on disk is damaged; compiling again");
            return None;
        }
        match deserialize(engine, code) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(%version, %error, "compiled code on disk is of no use; compiling again");
                None
            }
        }
    }

    /// Keeps the compiled code of a version.
    pub(crate) fn store(&self, version: &ContentHash, code: &[u8]) -> io::Result<()> {
        let digest = self.digest(version, code);
        storage::write_whole(&self.directory, &self.path(version), &[MAGIC, &digest, code])
    }
}

/// Makes a component of compiled code.
#[expect(
    unsafe_code,
    reason = "wasmtime runs what it is given here as machine code; see the safety argument"
)]
fn deserialize(engine: &Engine, code: &[u8]) -> Result<Component, wasmtime::Error> {
    // SAFETY: the bytes must be what `Component::serialize` gave, unchanged. The one caller has them from a
    // file that this module wrote into a directory that belongs to this user and that nobody else may
    // write to (`storage::private_directory`), and has checked a digest over magic, version, engine and
    // code. wasmtime itself refuses code of another version or other settings.
    unsafe { Component::deserialize(engine, code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn cache() -> (tempfile::TempDir, Engine, ArtefactCache) {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let cache = ArtefactCache::open(&directory.path().join("code"), &engine).unwrap();
        (directory, engine, cache)
    }

    #[test]
    fn stored_code_is_found_again_and_only_under_its_version() {
        let (_directory, engine, cache) = cache();
        let (version, other) = (ContentHash::of(b"a"), ContentHash::of(b"b"));
        let code = Component::from_binary(&engine, EMPTY).unwrap().serialize().unwrap();
        assert!(cache.load(&engine, &version).is_none());
        cache.store(&version, &code).unwrap();
        assert!(cache.load(&engine, &version).is_some());
        fs::copy(cache.path(&version), cache.path(&other)).unwrap();
        assert!(cache.load(&engine, &other).is_none(), "code of another version was taken");
    }

    #[test]
    fn damaged_code_is_not_run() {
        let (_directory, engine, cache) = cache();
        let version = ContentHash::of(b"a");
        let code = Component::from_binary(&engine, EMPTY).unwrap().serialize().unwrap();
        cache.store(&version, &code).unwrap();
        let whole = fs::read(cache.path(&version)).unwrap();
        for position in [0, MAGIC.len(), MAGIC.len() + DIGEST_BYTES, whole.len() / 2, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[position] ^= 1;
            fs::write(cache.path(&version), &damaged).unwrap();
            assert!(cache.load(&engine, &version).is_none(), "flipped a bit at {position}");
        }
        fs::write(cache.path(&version), &whole[..whole.len() - 1]).unwrap();
        assert!(cache.load(&engine, &version).is_none(), "cut off");
    }
}
