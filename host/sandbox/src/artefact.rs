//! Compiled code as bytes: what a compiler hands over, and what is kept on disk so that a version is compiled once.
//! The bytes hold machine code that the host will run outside every sandbox, so they are only taken from a compiler
//! that this host started or from a directory that nobody else may write to, and only when their digest shows them
//! to be whole and to belong to the version asked for and to this engine.

use std::hash::{Hash as _, Hasher};
use std::path::{Path, PathBuf};
use std::{fs, io};

use bulkhead_core::identifier::ContentHash;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

use crate::contract;
use crate::inspect::Inspection;
use crate::limits::{Limits, of_files};
use crate::storage;

/// What sealed bytes begin with.
pub(crate) const MAGIC: &[u8; 16] = b"bulkhead-code-02";
const DIGEST_BYTES: usize = 32;

/// What code was compiled from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Form {
    /// A component, or a module that goes by way of one.
    Component,
    /// A core module that is called as it is.
    Module,
}

/// Compiled code.
pub(crate) enum Code {
    Component(Component),
    Module(Module),
}

/// What stands before the code.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Header {
    form: Form,
    inspection: Inspection,
}

/// What two compilers must have in common to give the same code of the same file, and to refuse the same files: the
/// engine's version, settings and target, the contract, and the limits of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recipe(String);

impl Recipe {
    pub(crate) fn new(engine: &Engine, limits: &Limits) -> Self {
        let mut collect = Collect(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut collect);
        collect.0.update(env!("CARGO_PKG_VERSION"));
        collect.0.update(contract::WIT);
        for limit in of_files(limits) {
            collect.0.update(limit.to_le_bytes());
        }
        Self(ContentHash::new(collect.0.finalize().into()).short())
    }

    /// The code of a version with what was seen in its file, in bytes that say whether they are whole.
    pub(crate) fn seal(
        &self,
        version: &ContentHash,
        form: Form,
        inspection: Inspection,
        code: &[u8],
    ) -> Result<Vec<u8>, serde_json::Error> {
        let header = serde_json::to_vec(&Header { form, inspection })?;
        let length = u32::try_from(header.len()).unwrap_or(u32::MAX).to_le_bytes();
        let mut content = Vec::with_capacity(length.len() + header.len() + code.len());
        for part in [&length[..], &header, code] {
            content.extend_from_slice(part);
        }
        let mut sealed = Vec::with_capacity(MAGIC.len() + DIGEST_BYTES + content.len());
        sealed.extend_from_slice(MAGIC);
        sealed.extend_from_slice(&self.digest(version, &content));
        sealed.append(&mut content);
        Ok(sealed)
    }

    /// The code that was sealed, ready to be linked.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes.
    pub(crate) fn open(
        &self,
        engine: &Engine,
        version: &ContentHash,
        sealed: &[u8],
    ) -> Result<(Code, Inspection), NotTheCode> {
        let content = sealed.strip_prefix(MAGIC).ok_or(NotTheCode::Foreign)?;
        let (digest, content) = content.split_at_checked(DIGEST_BYTES).ok_or(NotTheCode::Damaged)?;
        if digest != self.digest(version, content) {
            return Err(NotTheCode::Damaged);
        }
        let (length, rest) = content.split_at_checked(4).ok_or(NotTheCode::Damaged)?;
        let length = length.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let (header, code) = rest.split_at_checked(length).ok_or(NotTheCode::Damaged)?;
        let Header { form, inspection } = serde_json::from_slice(header).map_err(|_| NotTheCode::Damaged)?;
        let code =
            deserialize(engine, form, code).map_err(|error| NotTheCode::Unusable(format!("{error:#}")))?;
        Ok((code, inspection))
    }

    /// Of the content and of what it was compiled from and for: one under another's name has another digest.
    fn digest(&self, version: &ContentHash, content: &[u8]) -> [u8; DIGEST_BYTES] {
        let mut digest = Sha256::new();
        digest.update(MAGIC);
        digest.update(version.bytes());
        digest.update(&self.0);
        digest.update(content);
        digest.finalize().into()
    }
}

/// Why bytes are not the code that was asked for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTheCode {
    #[error("it is something else than compiled code")]
    Foreign,
    #[error("it is damaged, or of another version of the strategy or the host")]
    Damaged,
    #[error("the engine refuses it: {0}")]
    Unusable(String),
}

/// The directory of compiled code.
#[derive(Debug)]
pub(crate) struct ArtefactCache {
    directory: PathBuf,
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
    pub(crate) fn open(directory: &Path) -> io::Result<Self> {
        storage::private_directory(directory)?;
        Ok(Self { directory: directory.to_owned() })
    }

    fn path(&self, recipe: &Recipe, version: &ContentHash) -> PathBuf {
        self.directory.join(format!("{version}-{}.cwasm", recipe.0))
    }

    /// The compiled code of a version; `None` when there is none that is whole.
    pub(crate) fn load(
        &self,
        engine: &Engine,
        recipe: &Recipe,
        version: &ContentHash,
    ) -> Option<(Code, Inspection)> {
        let sealed = fs::read(self.path(recipe, version)).ok()?;
        match recipe.open(engine, version, &sealed) {
            Ok(code) => Some(code),
            Err(error) => {
                tracing::warn!(%version, %error, "compiled code on disk is of no use; compiling again");
                None
            }
        }
    }

    /// Keeps the sealed code of a version.
    pub(crate) fn store(&self, recipe: &Recipe, version: &ContentHash, sealed: &[u8]) -> io::Result<()> {
        storage::write_whole(&self.directory, &self.path(recipe, version), &[sealed])
    }
}

/// Makes a component or module of compiled code.
#[expect(
    unsafe_code,
    reason = "wasmtime runs what it is given here as machine code; see the safety argument"
)]
fn deserialize(engine: &Engine, form: Form, code: &[u8]) -> Result<Code, wasmtime::Error> {
    // SAFETY: the bytes must be what wasmtime's compiler gave, unchanged. The one caller has checked a digest over
    // magic, version, recipe, form and code, and has them from one of two places: from this very program, run as a
    // compiler by this host, through a pipe that nobody else holds; or from a file that this crate wrote into a
    // directory that belongs to this user and that nobody else may write to (`storage::private_directory`).
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
    use crate::inspect::Kind;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn inspection() -> Inspection {
        let (bytes, functions, largest_function_bytes) = (8, 0, 0);
        Inspection { kind: Kind::Component, bytes, functions, largest_function_bytes, imports: Vec::new() }
    }

    fn recipe(engine: &Engine) -> Recipe {
        Recipe::new(engine, &Limits::default())
    }

    fn sealed(engine: &Engine, version: &ContentHash) -> Vec<u8> {
        let code = engine.precompile_component(EMPTY).unwrap();
        recipe(engine).seal(version, Form::Component, inspection(), &code).unwrap()
    }

    #[test]
    fn sealed_code_is_opened_only_for_its_version_and_recipe() {
        let engine = Engine::default();
        let (version, other) = (ContentHash::of(b"a"), ContentHash::of(b"b"));
        let sealed = sealed(&engine, &version);
        let (code, seen) = recipe(&engine).open(&engine, &version, &sealed).ok().unwrap();
        assert!(matches!(code, Code::Component(_)));
        assert_eq!(seen, inspection());
        let refused = |recipe: &Recipe, version| recipe.open(&engine, version, &sealed).err().unwrap();
        assert_eq!(refused(&recipe(&engine), &other), NotTheCode::Damaged, "of another version");
        let stricter = Recipe::new(&engine, &Limits { functions: 10, ..Limits::default() });
        assert_eq!(refused(&stricter, &version), NotTheCode::Damaged, "for other limits of files");
        let slower = Recipe::new(&engine, &Limits { fuel_per_call: 10_000, ..Limits::default() });
        assert_eq!(slower, recipe(&engine), "limits of calls have nothing to do with it");
    }

    #[test]
    fn a_modules_code_is_no_components() {
        let engine = Engine::default();
        let version = ContentHash::of(b"a");
        let code = engine.precompile_module(b"\0asm\x01\0\0\0").unwrap();
        let open = |form| {
            let sealed = recipe(&engine).seal(&version, form, inspection(), &code).unwrap();
            recipe(&engine).open(&engine, &version, &sealed).map(|(code, _)| code)
        };
        assert!(matches!(open(Form::Module), Ok(Code::Module(_))));
        assert!(matches!(open(Form::Component), Err(NotTheCode::Unusable(_))));
    }

    #[test]
    fn damaged_code_is_not_run() {
        let engine = Engine::default();
        let version = ContentHash::of(b"a");
        let whole = sealed(&engine, &version);
        let opens = |sealed: &[u8]| recipe(&engine).open(&engine, &version, sealed).is_ok();
        for position in [0, MAGIC.len(), MAGIC.len() + DIGEST_BYTES, whole.len() / 2, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[position] ^= 1;
            assert!(!opens(&damaged), "flipped a bit at {position}");
        }
        for length in [0, 10, MAGIC.len() + DIGEST_BYTES, MAGIC.len() + DIGEST_BYTES + 2, whole.len() - 1] {
            assert!(!opens(&whole[..length]), "cut off at {length}");
        }
        assert!(opens(&whole));
    }

    #[test]
    fn stored_code_is_found_again_and_not_under_another_name() {
        let parent = tempfile::tempdir().unwrap();
        let cache = ArtefactCache::open(&parent.path().join("code")).unwrap();
        let engine = Engine::default();
        let recipe = recipe(&engine);
        let (version, other) = (ContentHash::of(b"a"), ContentHash::of(b"b"));
        assert!(cache.load(&engine, &recipe, &version).is_none());
        cache.store(&recipe, &version, &sealed(&engine, &version)).unwrap();
        assert!(cache.load(&engine, &recipe, &version).is_some());
        fs::copy(cache.path(&recipe, &version), cache.path(&recipe, &other)).unwrap();
        assert!(cache.load(&engine, &recipe, &other).is_none(), "code of another version was taken");
    }
}
