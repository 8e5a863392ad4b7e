//! Builds the workspace's plugins for wasm32 and puts them where the host and the tests look for them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::process;
use crate::wasm_compiler;
use crate::workspace::{Package, Workspace};

/// The profile of the root `Cargo.toml` that plugins are built with.
const PROFILE: &str = "plugin";

/// Tells tests and benches in which directory the built plugins are.
pub(crate) const PLUGINS_VARIABLE: &str = "BULKHEAD_PLUGINS";

/// Builds what cargo finds out of date and returns the directory with one `<package name>.wasm` a plugin.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let compiler = wasm_compiler::find_or_install()?;
    let built_into = workspace.target.join("wasm");
    if !built_into.exists() {
        eprintln!("Building the plugins for wasm32 with {compiler}; the first time takes a minute or two.");
    }

    let mut cargo = workspace.cargo();
    cargo.args(["build", "--lib", "--profile", PROFILE]);
    for plugin in workspace.plugins().chain(workspace.test_plugins()) {
        cargo.args(["--package", &plugin.name]);
    }
    // A directory of its own: another compiler may be at work here, and no host build waits for this one.
    cargo.arg("--target-dir").arg(&built_into);
    compiler.apply_to(&mut cargo);
    // Flags for the host's processor mean nothing to wasm32.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo.arg("--message-format=json-render-diagnostics").stdout(Stdio::piped());

    eprintln!("$ {}", process::shown(&cargo));
    let mut child = cargo.spawn().context("cannot start cargo")?;
    let messages = child.stdout.take().context("cargo's messages are not readable")?;
    let mut artefacts = Vec::new();
    for line in BufReader::new(messages).lines() {
        artefacts.extend(wasm_artefact(&line?));
    }
    let status = child.wait()?;
    ensure!(status.success(), "the plugins don't build ({status}); cargo says above why");

    let directory = workspace.target.join("plugins");
    put(&artefacts, workspace.plugins(), &directory)?;
    put_models(&workspace.root.join("plugins"), &directory)?;
    // Beside the others, so that nobody trades with them by accident.
    put(&artefacts, workspace.test_plugins(), &workspace.target.join("test-plugins"))?;
    Ok(directory)
}

/// Puts what was built of these packages into a directory, and nothing else.
fn put<'a>(
    artefacts: &[Artefact],
    plugins: impl Iterator<Item = &'a Package>,
    directory: &Path,
) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let mut current = Vec::new();
    for plugin in plugins {
        let Some(artefact) = artefacts.iter().find(|artefact| artefact.package_id == plugin.id) else {
            bail!("cargo built no .wasm of plugin {}", plugin.name);
        };
        let file_name = format!("{}.wasm", plugin.name);
        copy_if_changed(&artefact.file, &directory.join(&file_name))?;
        current.push(file_name);
    }
    remove_others(directory, "wasm", &current)
}

/// Puts the models that plugins are shipped with beside them.
fn put_models(plugins: &Path, directory: &Path) -> Result<()> {
    let mut current = Vec::new();
    for plugin in fs::read_dir(plugins).with_context(|| format!("cannot read {}", plugins.display()))? {
        let models = plugin?.path().join("models");
        if !models.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&models)? {
            let path = entry?.path();
            if let Some(name) = path.file_name().and_then(|name| name.to_str())
                && name.ends_with(".onnx")
            {
                copy_if_changed(&path, &directory.join(name))?;
                current.push(name.to_owned());
            }
        }
    }
    remove_others(directory, "onnx", &current)
}

/// A `.wasm` file that cargo made or found fresh.
#[derive(Debug, PartialEq, Eq)]
struct Artefact {
    package_id: String,
    file: PathBuf,
}

/// Reads one line of cargo's messages.
fn wasm_artefact(message: &str) -> Option<Artefact> {
    #[derive(Deserialize)]
    struct Message {
        reason: String,
        #[serde(default)]
        package_id: String,
        #[serde(default)]
        filenames: Vec<PathBuf>,
    }
    let message: Message = serde_json::from_str(message).ok()?;
    if message.reason != "compiler-artifact" {
        return None;
    }
    let is_wasm = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "wasm");
    let file = message.filenames.into_iter().find(is_wasm)?;
    Some(Artefact { package_id: message.package_id, file })
}

/// Copies so that a reader sees the old file or the new one, never a part; an equal file is not touched, as a
/// running host would take that for a new version.
pub(crate) fn copy_if_changed(from: &Path, to: &Path) -> Result<()> {
    let new = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    let partial = to.with_extension(format!("{}.partial", std::process::id()));
    let written = fs::write(&partial, &new).and_then(|()| fs::rename(&partial, to));
    written.with_context(|| format!("cannot write {}", to.display()))
}

/// A plugin or model that was renamed or deleted must not go on being loaded.
fn remove_others(directory: &Path, ending: &str, current: &[String]) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let is_plugin = path.extension().is_some_and(|extension| extension == ending);
        let is_current =
            path.file_name().is_some_and(|name| current.iter().any(|kept| name == kept.as_str()));
        if is_plugin && !is_current {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wasm_artefacts_of_cargos_messages_count() {
        let plugin = r#"{"reason":"compiler-artifact","package_id":"path+file:///w/plugins/a#0.1.0",
            "filenames":["/t/liba.rlib","/t/a.wasm"]}"#;
        let expected = Artefact {
            package_id: "path+file:///w/plugins/a#0.1.0".to_owned(),
            file: PathBuf::from("/t/a.wasm"),
        };
        assert_eq!(wasm_artefact(plugin), Some(expected));

        let library = r#"{"reason":"compiler-artifact","package_id":"x","filenames":["/t/libx.rlib"]}"#;
        assert_eq!(wasm_artefact(library), None);
        assert_eq!(wasm_artefact(r#"{"reason":"build-finished","success":true}"#), None);
        assert_eq!(wasm_artefact("not a message"), None);
    }

    #[test]
    fn a_copy_replaces_what_differs_and_leaves_no_part_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let (from, to) = (folder.path().join("new"), folder.path().join("plugin.wasm"));
        fs::write(&from, "two").expect("a file");
        fs::write(&to, "one").expect("a file");
        copy_if_changed(&from, &to).expect("copied");
        assert_eq!(fs::read_to_string(&to).expect("readable"), "two");
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 2);
    }

    #[test]
    fn an_equal_file_is_not_touched() {
        let folder = tempfile::tempdir().expect("a folder");
        let (from, to) = (folder.path().join("new"), folder.path().join("plugin.wasm"));
        fs::write(&from, "same").expect("a file");
        fs::write(&to, "same").expect("a file");
        // A rename onto it would give it another inode.
        let mut permissions = fs::metadata(&to).expect("there").permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&to, permissions).expect("allowed");
        copy_if_changed(&from, &to).expect("nothing to do");
        assert!(fs::metadata(&to).expect("there").permissions().readonly(), "it was written anew");
    }

    #[test]
    fn plugins_that_are_no_more_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["kept.wasm", "gone.wasm", "model.onnx", "notes.txt"] {
            fs::write(folder.path().join(name), "").expect("a file");
        }
        remove_others(folder.path(), "wasm", &["kept.wasm".to_owned()]).expect("removed");
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .expect("readable")
            .map(|entry| entry.expect("readable").file_name().into_string().expect("text"))
            .collect();
        left.sort();
        assert_eq!(left, ["kept.wasm", "model.onnx", "notes.txt"]);
    }
}
