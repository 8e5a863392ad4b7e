//! What cargo knows of this workspace: where it lies, where it builds to, and its packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::process;

/// The workspace that this `xtask` belongs to.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The directory of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's target directory: `target` unless the person or CI chose another.
    pub(crate) target: PathBuf,
    /// The workspace's packages, ordered by name.
    pub(crate) packages: Vec<Package>,
}

/// A package of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    /// As in its `Cargo.toml`.
    pub(crate) name: String,
    /// Cargo's own name for it, which build messages carry.
    pub(crate) id: String,
    manifest_path: PathBuf,
    /// What cargo can build of it.
    pub(crate) targets: Vec<Target>,
}

/// A library, binary, test or bench of a package.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    /// As `cargo … --bench NAME` wants it.
    pub(crate) name: String,
    kind: Vec<String>,
}

impl Target {
    /// Whether it is of this kind: "bin", "cdylib", "bench", …
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.kind.iter().any(|own| own == kind)
    }
}

/// The part of `cargo metadata` that is used.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

impl Workspace {
    /// Asks cargo; needs no network.
    pub(crate) fn load() -> Result<Self> {
        let mut command = cargo_in(Path::new(env!("CARGO_MANIFEST_DIR")));
        let answer = process::capture(command.args(["metadata", "--format-version=1", "--no-deps"]))?;
        Self::from_metadata(&answer)
    }

    fn from_metadata(answer: &str) -> Result<Self> {
        let metadata: Metadata =
            serde_json::from_str(answer).context("cannot read what `cargo metadata` says")?;
        let mut packages = metadata.packages;
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { root: metadata.workspace_root, target: metadata.target_directory, packages })
    }

    /// Cargo, started at the workspace's root.
    pub(crate) fn cargo(&self) -> Command {
        cargo_in(&self.root)
    }

    /// The strategies that the workspace ships: the packages under `plugins/` that build a plugin.
    pub(crate) fn plugins(&self) -> impl Iterator<Item = &Package> {
        self.plugins_under("plugins")
    }

    /// The plugins that only tests load.
    pub(crate) fn test_plugins(&self) -> impl Iterator<Item = &Package> {
        self.plugins_under("tests")
    }

    fn plugins_under(&self, folder: &str) -> impl Iterator<Item = &Package> {
        let folder = self.root.join(folder);
        self.packages.iter().filter(move |package| {
            package.manifest_path.starts_with(&folder)
                && package.targets.iter().any(|target| target.is("cdylib"))
        })
    }

    /// Whether the package of this name has this target of this kind.
    pub(crate) fn has_target(&self, package: &str, kind: &str, target: &str) -> bool {
        let mut of_that_name = self.packages.iter().filter(|candidate| candidate.name == package);
        of_that_name.any(|found| found.targets.iter().any(|own| own.is(kind) && own.name == target))
    }
}

/// The cargo that runs this program, or the one on the PATH.
fn cargo_in(directory: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(directory);
    // `cargo run` describes this package to its child; a cargo below must not take that for its own.
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#"{
        "workspace_root": "/w", "target_directory": "/w/target", "version": 1,
        "packages": [
            {"name": "zigzag", "id": "path+file:///w/plugins/zigzag#0.1.0",
             "manifest_path": "/w/plugins/zigzag/Cargo.toml",
             "targets": [{"name": "zigzag", "kind": ["cdylib", "rlib"]}]},
            {"name": "shared-rules", "id": "path+file:///w/plugins/shared-rules#0.1.0",
             "manifest_path": "/w/plugins/shared-rules/Cargo.toml",
             "targets": [{"name": "shared_rules", "kind": ["lib"]}]},
            {"name": "bindings", "id": "path+file:///w/sdk/c#0.1.0",
             "manifest_path": "/w/sdk/c/Cargo.toml",
             "targets": [{"name": "bindings", "kind": ["cdylib"]}]},
            {"name": "average", "id": "path+file:///w/plugins/average#0.1.0",
             "manifest_path": "/w/plugins/average/Cargo.toml",
             "targets": [{"name": "average", "kind": ["cdylib"]}, {"name": "speed", "kind": ["bench"]}]}
        ]
    }"#;

    #[test]
    fn plugins_are_the_packages_under_plugins_that_build_one() {
        let workspace = Workspace::from_metadata(METADATA).expect("well-formed");
        let names: Vec<_> = workspace.plugins().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["average", "zigzag"]);
    }

    #[test]
    fn a_target_is_found_by_package_kind_and_name() {
        let workspace = Workspace::from_metadata(METADATA).expect("well-formed");
        assert!(workspace.has_target("average", "bench", "speed"));
        assert!(!workspace.has_target("average", "test", "speed"));
        assert!(!workspace.has_target("zigzag", "bench", "speed"));
    }

    #[test]
    fn this_workspace_has_its_five_strategies() {
        let workspace = Workspace::load().expect("cargo answers");
        let names: Vec<_> = workspace.plugins().map(|package| package.name.as_str()).collect();
        for name in ["ai", "breakout", "momentum", "scalping", "sma-crossover"] {
            assert!(names.contains(&name), "{name} is missing among {names:?}");
        }
    }
}
