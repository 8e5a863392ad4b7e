//! Compiled code on disk, so that a version is compiled once for each engine. A file holds machine code that
//! the host will run outside every sandbox, so it is only taken from a directory that nobody else may write
//! to, and only when its digest shows it to be whole and to belong to the version asked for.

use std::hash::{Hash as _, Hasher};
use std::path::{Path, PathBuf};
use std::{fs, io};

use bulkhead_core::identifier::ContentHash;
use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

use crate::storage;

const MAGIC: &[u8; 16] = b"bulkhead-code-01";
const DIGEST_BYTES: usize = 32;

/// What code was compiled from, which the version alone says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A component, or a module that goes by way of one.
    Component,
    /// A core module that is called as it is.
    Module,
}

impl Form {
    const fn name(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::Module => "module",
        }
    }
}

/// Compiled code.
pub(crate) enum Code {
    Component(Component),
    Module(Module),
}

impl Code {
    /// The bytes that [`deserialize`] takes.
    pub(crate) fn serialize(&self) -> Result<Vec<u8>, wasmtime::Error> {
        match self {
            Self::Component(component) => component.serialize(),
            Self::Module(module) => module.serialize(),
        }
    }
}

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

    fn path(&self, version: &ContentHash, form: Form) -> PathBuf {
        self.directory.join(format!("{version}-{}-{}.cwasm", self.engine, form.name()))
    }

    /// Of the code and of what it was compiled from and for: a file under another's name has another digest.
    fn digest(&self, version: &ContentHash, form: Form, code: &[u8]) -> [u8; DIGEST_BYTES] {
        let mut digest = Sha256::new();
        digest.update(MAGIC);
        digest.update(version.bytes());
        digest.update(self.engine.as_bytes());
        digest.update(form.name());
        digest.update(code);
        digest.finalize().into()
    }

    /// The compiled code of a version; `None` when there is none that is whole.
    pub(crate) fn load(&self, engine: &Engine, version: &ContentHash, form: Form) -> Option<Code> {
        let file = fs::read(self.path(version, form)).ok()?;
        let (digest, code) = file.strip_prefix(MAGIC)?.split_at_checked(DIGEST_BYTES)?;
        if digest != self.digest(version, form, code) {
            tracing::warn!(%version, "compiled code on disk is damaged; compiling again");
            return None;
        }
        match deserialize(engine, form, code) {
            Ok(code) => Some(code),
            Err(error) => {
                tracing::warn!(%version, %error, "compiled code on disk is of no use; compiling again");
                None
            }
        }
    }

    /// Keeps the compiled code of a version.
    pub(crate) fn store(&self, version: &ContentHash, form: Form, code: &[u8]) -> io::Result<()> {
        let digest = self.digest(version, form, code);
        storage::write_whole(&self.directory, &self.path(version, form), &[MAGIC, &digest, code])
    }
}

/// Makes a component or module of compiled code.
#[expect(
    unsafe_code,
    reason = "wasmtime runs what it is given here as machine code; see the safety argument"
)]
fn deserialize(engine: &Engine, form: Form, code: &[u8]) -> Result<Code, wasmtime::Error> {
    // SAFETY: the bytes must be what `Code::serialize` gave, unchanged. The one caller has them from a file that
    // this module wrote into a directory that belongs to this user and that nobody else may write to
    // (`storage::private_directory`), and has checked a digest over magic, version, engine, form and code.
    // wasmtime itself refuses code of another version, other settings or the other form.
    unsafe {
        match form {
            Form::Component => Component::deserialize(engine, code).map(Code::Component),
            Form::Module => Module::deserialize(engine, code).map(Code::Module),
        }
    }
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

    fn code(engine: &Engine) -> Vec<u8> {
        Component::from_binary(engine, EMPTY).unwrap().serialize().unwrap()
    }

    #[test]
    fn stored_code_is_found_again_and_only_under_its_version_and_form() {
        let (_directory, engine, cache) = cache();
        let (version, other) = (ContentHash::of(b"a"), ContentHash::of(b"b"));
        let form = Form::Component;
        assert!(cache.load(&engine, &version, form).is_none());
        cache.store(&version, form, &code(&engine)).unwrap();
        assert!(cache.load(&engine, &version, form).is_some());
        fs::copy(cache.path(&version, form), cache.path(&other, form)).unwrap();
        assert!(cache.load(&engine, &other, form).is_none(), "code of another version was taken");
        fs::copy(cache.path(&version, form), cache.path(&version, Form::Module)).unwrap();
        assert!(cache.load(&engine, &version, Form::Module).is_none(), "code of another form was taken");
    }

    #[test]
    fn a_modules_code_is_no_components() {
        let (_directory, engine, cache) = cache();
        let version = ContentHash::of(b"a");
        let code = Module::new(&engine, b"\0asm\x01\0\0\0").unwrap().serialize().unwrap();
        cache.store(&version, Form::Module, &code).unwrap();
        assert!(matches!(cache.load(&engine, &version, Form::Module), Some(Code::Module(_))));
        cache.store(&version, Form::Component, &code).unwrap();
        assert!(cache.load(&engine, &version, Form::Component).is_none());
    }

    #[test]
    fn damaged_code_is_not_run() {
        let (_directory, engine, cache) = cache();
        let (version, form) = (ContentHash::of(b"a"), Form::Component);
        cache.store(&version, form, &code(&engine)).unwrap();
        let path = cache.path(&version, form);
        let whole = fs::read(&path).unwrap();
        for position in [0, MAGIC.len(), MAGIC.len() + DIGEST_BYTES, whole.len() / 2, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[position] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert!(cache.load(&engine, &version, form).is_none(), "flipped a bit at {position}");
        }
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(cache.load(&engine, &version, form).is_none(), "cut off");
    }
}
