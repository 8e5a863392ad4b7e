//! Finding plugins by name or file, and setting up the sandbox that runs them.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use bulkhead_configuration::Configuration;
use bulkhead_core::identifier::ContentHash;
use bulkhead_core::strategy::Description;
use bulkhead_core::time::Timestamp;
use bulkhead_sandbox::{CompilerProgram, Sandbox, Settings};

use crate::arguments::COMPILE_PLUGIN;
use crate::market_data::read;
use crate::model_files::GrantingSandbox;
use crate::run::Origin;

/// Where plugins are looked for by name, after the strategies directory: where `cargo xtask plugins` puts
/// them.
pub(crate) const BUILT_PLUGINS: &str = "target/plugins";

/// A sandbox with the configuration's limits and storage.
pub(crate) fn sandbox(configuration: &Configuration) -> Result<Sandbox> {
    let settings = Settings {
        limits: configuration.sandbox.clone(),
        models: configuration.models.limits.clone(),
        artefacts: Some(configuration.storage.join("compiled")),
        versions: Some(configuration.storage.join("versions")),
        compiler: Some(compiler()?),
    };
    Sandbox::new(settings).context("the sandbox can't be set up")
}

/// The file that runs, also when another version was put in its place meanwhile.
pub(crate) fn own_program() -> PathBuf {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() { running } else { std::env::current_exe().unwrap_or_else(|_| "bulkhead".into()) }
}

/// This program, as a compiler in a process of its own.
pub(crate) fn compiler() -> Result<CompilerProgram> {
    let path = own_program();
    Ok(CompilerProgram { path, name: "bulkhead".into(), arguments: vec![COMPILE_PLUGIN.into()] })
}

/// The file that a name or path means, and the slot it runs in.
pub(crate) fn find(directory: &Path, name: &str) -> Result<(String, PathBuf)> {
    let path = PathBuf::from(name);
    if path.is_file() {
        let slot = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        return Ok((slot.unwrap_or_else(|| name.to_owned()), path));
    }
    let file = format!("{name}.wasm");
    let candidates = [directory.join(&file), Path::new(BUILT_PLUGINS).join(&file)];
    match candidates.iter().find(|candidate| candidate.is_file()) {
        Some(found) => Ok((name.to_owned(), found.clone())),
        None => {
            let known: Vec<String> =
                list(directory).unwrap_or_default().into_iter().map(|(slot, _)| slot).collect();
            let known = if known.is_empty() {
                String::new()
            } else {
                format!("; {} has {}", directory.display(), known.join(", "))
            };
            bail!(
                "there is no plugin \"{name}\": looked for the file itself, {} and {}{known}; build the shipped ones \
                 with `cargo xtask plugins`",
                candidates[0].display(),
                candidates[1].display()
            )
        }
    }
}

/// Whether a name can be a slot's: that of a file which [`list`] finds, and of no place elsewhere.
pub(crate) fn is_slot_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(std::path::is_separator)
}

/// Writes a slot's file into the directory, whole or not at all; where it is. `before` is told the time of the file that
/// will be there, and can keep it from being there.
pub(crate) fn put(
    directory: &Path,
    slot: &str,
    file: &[u8],
    before: impl FnOnce(Option<Timestamp>) -> Result<()>,
) -> Result<PathBuf> {
    ensure!(
        directory.is_dir(),
        "{} is no directory; give the one with the strategies by --strategies or strategies.directory",
        directory.display()
    );
    let target = directory.join(format!("{slot}.wasm"));
    let partial = directory.join(format!(".{slot}.wasm.partial"));
    let unwritable = || format!("{} can't be written", target.display());
    let metadata = std::fs::write(&partial, file).and_then(|()| std::fs::metadata(&partial));
    if let Err(error) = before(modified(&metadata.with_context(unwritable)?)) {
        // What is left of it is in nobody's way: it is hidden, and the next one takes its place.
        drop(std::fs::remove_file(&partial));
        return Err(error);
    }
    std::fs::rename(&partial, &target).with_context(unwritable)?;
    Ok(target)
}

/// When a file was written, as its file system says.
pub(crate) fn modified(metadata: &Metadata) -> Option<Timestamp> {
    let since = metadata.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_nanos()).ok().map(Timestamp::from_nanos)
}

/// Prepares a file for a slot, on a thread of its own.
pub(crate) fn prepare_file(
    sandbox: &GrantingSandbox,
    slot: &str,
    file: &[u8],
) -> Result<(ContentHash, Description)> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("prepare".to_owned())
            // It asks the strategy what it is.
            .stack_size(bulkhead_sandbox::THREAD_STACK_BYTES)
            .spawn_scoped(scope, || sandbox.prepare(slot, file))
            .context("no thread can be started to prepare it on")?;
        thread.join().map_err(|_| anyhow!("preparing it panicked; please report this"))?
    })
}

/// The plugin files of a directory, by name: those that end in `.wasm` and don't begin with a dot.
pub(crate) fn list(directory: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    if !directory.exists() {
        return Ok(files);
    }
    ensure!(
        directory.is_dir(),
        "{} is no directory; give the one with the strategies by --strategies or strategies.directory",
        directory.display()
    );
    let entries =
        std::fs::read_dir(directory).with_context(|| format!("{} can't be read", directory.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("{} can't be read", directory.display()))?.path();
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let plugin = path.extension().is_some_and(|extension| extension == "wasm");
        if plugin && path.is_file() && !stem.starts_with('.') {
            files.push((stem, path));
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// A plugin file of the directory, looked into.
#[derive(Debug, Clone)]
pub(crate) struct PluginFile {
    pub(crate) slot: String,
    pub(crate) path: PathBuf,
    /// The hash of what is in it, if it could be read.
    content: Option<ContentHash>,
    /// What runs of it: the code with the models that it was granted.
    version: Option<ContentHash>,
    /// Why it can't run.
    pub(crate) refused: Option<String>,
    /// How it came here, once that was looked up.
    pub(crate) origin: Origin,
}

impl PluginFile {
    /// The version that is in it and can run.
    pub(crate) fn version(&self) -> Option<ContentHash> {
        self.version
    }

    /// The hash of what is in it and can't run.
    pub(crate) fn refused_content(&self) -> Option<ContentHash> {
        self.content.filter(|_| self.refused.is_some())
    }
}

/// Prepares the plugin files of a directory side by side, as compiling takes most of a first start; in the order of
/// their names.
pub(crate) fn prepare(sandbox: &GrantingSandbox, directory: &Path) -> Result<Vec<PluginFile>> {
    let files = list(directory)?;
    let look = |slot: &str, path: &Path| -> (Option<ContentHash>, Result<ContentHash>) {
        match read(path) {
            Ok(bytes) => {
                (Some(ContentHash::of(&bytes)), sandbox.prepare(slot, &bytes).map(|(version, _)| version))
            }
            Err(error) => (None, Err(error)),
        }
    };
    std::thread::scope(|scope| {
        let started: Vec<_> = files
            .into_iter()
            .map(|(slot, path)| {
                let of_thread = (slot.clone(), path.clone());
                let thread = std::thread::Builder::new()
                    .name("prepare".to_owned())
                    // It asks strategies what they are.
                    .stack_size(bulkhead_sandbox::THREAD_STACK_BYTES)
                    .spawn_scoped(scope, move || look(&of_thread.0, &of_thread.1));
                (slot, path, thread)
            })
            .collect();
        let finished = started.into_iter().map(|(slot, path, thread)| {
            let (content, taken) = match thread.map(std::thread::ScopedJoinHandle::join) {
                Ok(Ok(looked)) => looked,
                Ok(Err(_)) => (None, Err(anyhow!("preparing it panicked; please report this"))),
                Err(error) => (None, Err(error).context("no thread can be started to prepare it on")),
            };
            let (version, refused) = match taken {
                Ok(version) => (Some(version), None),
                Err(error) => (None, Some(format!("{error:#}"))),
            };
            PluginFile { slot, path, content, version, refused, origin: Origin::Unknown }
        });
        Ok(finished.collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_the_directory_and_a_missing_one_says_where_it_was_looked_for() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("mine.wasm"), b"x").unwrap();
        std::fs::write(directory.path().join(".hidden.wasm"), b"x").unwrap();
        std::fs::write(directory.path().join("notes.txt"), b"x").unwrap();
        assert_eq!(find(directory.path(), "mine").unwrap().0, "mine");
        let error = find(directory.path(), "other").unwrap_err().to_string();
        assert!(error.contains("other.wasm") && error.contains("cargo xtask plugins"), "{error}");
        assert!(error.contains("has mine;"), "{error}");
        assert_eq!(list(directory.path()).unwrap().len(), 1);
        let error = list(&directory.path().join("notes.txt")).unwrap_err().to_string();
        assert!(error.contains("is no directory") && error.contains("--strategies"), "{error}");
    }

    #[test]
    fn a_slot_is_no_path() {
        assert!(is_slot_name("mean-reversion.v2"));
        for name in ["", ".hidden", "..", "../up", "a/b", "/root"] {
            assert!(!is_slot_name(name), "{name}");
        }
    }
}
