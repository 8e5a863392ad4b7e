//! Checks the dependencies against `deny.toml` with cargo-deny: licences, duplicate versions, sources. Known
//! vulnerabilities are not checked here, as their list has to be fetched: `cargo deny check advisories`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process;
use crate::workspace::Workspace;

/// Pinned, so that a new release can't change what passes.
const VERSION: &str = "0.20.2";

/// Runs the checks that need no network, after getting cargo-deny if it is missing.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let cargo_deny = find_or_install()?;
    // `--offline` below reads every dependency, also those of other platforms.
    process::run(workspace.cargo().args(["fetch", "--locked"]))?;
    let mut check = Command::new(cargo_deny);
    check.current_dir(&workspace.root).args(["--offline", "--locked", "--workspace"]);
    process::run(check.args(["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))
}

/// A cargo-deny of the pinned version: the person's own, or one kept in the cache.
fn find_or_install() -> Result<PathBuf> {
    let kept_in = cache()?.join(format!("cargo-deny-{VERSION}"));
    let candidates = [PathBuf::from("cargo-deny"), kept_in.join("bin").join("cargo-deny")];
    for candidate in &candidates {
        if has_pinned_version(candidate) {
            return Ok(candidate.clone());
        }
    }
    eprintln!("Installing cargo-deny {VERSION} into {}; it takes some minutes, once.", kept_in.display());
    let mut install = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    install.args(["install", "--locked", "--debug", "--version", VERSION, "--root"]).arg(&kept_in);
    // It runs for some seconds, so what makes it faster costs more than it gives.
    install.arg("cargo-deny").env("CARGO_PROFILE_DEV_DEBUG", "false").env_remove("CARGO_TARGET_DIR");
    process::run(&mut install)?;
    let [_, installed] = candidates;
    Ok(installed)
}

fn has_pinned_version(cargo_deny: &Path) -> bool {
    process::capture(Command::new(cargo_deny).arg("--version"))
        .is_ok_and(|answer| answer.trim() == format!("cargo-deny {VERSION}"))
}

/// Where tools outlive a clone: `$XDG_CACHE_HOME/bulkhead`, else `~/.cache/bulkhead`.
pub(crate) fn cache() -> Result<PathBuf> {
    let directory =
        |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = directory("XDG_CACHE_HOME").or_else(|| Some(directory("HOME")?.join(".cache")));
    Ok(base
        .context("neither XDG_CACHE_HOME nor HOME is set, so there is no place for tools")?
        .join("bulkhead"))
}
