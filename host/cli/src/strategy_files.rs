//! Finding plugins by name or file, and setting up the sandbox that runs them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bulkhead_configuration::Configuration;
use bulkhead_sandbox::{Sandbox, Settings};

/// Where plugins are looked for by name, after the strategies directory: where `cargo xtask plugins` puts
/// them.
const BUILT_PLUGINS: &str = "target/plugins";

/// A sandbox with the configuration's limits and storage.
pub(crate) fn sandbox(configuration: &Configuration) -> Result<Sandbox> {
    let settings = Settings {
        limits: configuration.sandbox.clone(),
        artefacts: Some(configuration.storage.join("compiled")),
        versions: Some(configuration.storage.join("versions")),
    };
    Sandbox::new(settings).context("the sandbox can't be set up")
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
        None => bail!(
            "there is no plugin \"{name}\": looked for the file itself, {} and {}; build the shipped ones with \
             `cargo xtask plugins`",
            candidates[0].display(),
            candidates[1].display()
        ),
    }
}

/// The plugin files of a directory, by name: those that end in `.wasm` and don't begin with a dot.
pub(crate) fn list(directory: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    if !directory.exists() {
        return Ok(files);
    }
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
        assert_eq!(list(directory.path()).unwrap().len(), 1);
    }
}
