//! The dashboard: built with Node when there is one, checked with its own tools, and driven in a real browser
//! against a real host.
//!
//! Of the rest of the repository only the chain that tests run on needs Node. Without it the host is built without a dashboard and says how to get
//! one; what is checked here is left out then, loudly.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};

use crate::debian_packages;
use crate::plugins::PLUGINS_VARIABLE;
use crate::process;
use crate::test::BINARY_VARIABLE;
use crate::workspace::Workspace;

/// Oldest Node that Vite runs on.
const OLDEST_NODE: (u32, u32) = (20, 19);

/// Where the browser test puts its screenshots; the test makes the directory.
const SCREENSHOTS_VARIABLE: &str = "BULKHEAD_SCREENSHOTS";

/// Tells the browser test which Chromium to drive.
const CHROMIUM_VARIABLE: &str = "BULKHEAD_CHROMIUM";

/// Debian's Chromium, and letters for its pages.
const CHROMIUM_PACKAGES: [&str; 2] = ["chromium", "fonts-liberation"];

/// What is not a source of the built pages.
const NO_SOURCES: [&str; 4] = ["node_modules", "dist", "fake", ".gitignore"];

/// Builds the dashboard when something changed since it was built last. Without Node it says how to get it, and
/// succeeds.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    let folder = folder(workspace);
    if let Err(reason) = node() {
        eprintln!("{}", without_node(&reason));
        return Ok(());
    }
    let built = folder.join("dist").join("index.html");
    if is_newer(&built, newest(&folder, &NO_SOURCES)?) {
        return Ok(());
    }
    install(&folder)?;
    process::run(npm(&folder).args(["run", "build"]))
}

/// Checks the dashboard's style, types and units, and runs the browser test.
pub(crate) fn test(workspace: &Workspace, plugins: &Path, binary: &Path) -> Result<()> {
    if let Err(reason) = node() {
        eprintln!("{}", without_node(&reason));
        eprintln!("The dashboard's tests are left out.");
        return Ok(());
    }
    let folder = folder(workspace);
    install(&folder)?;
    let lint = process::run(npm(&folder).args(["run", "lint"]));
    let units = process::run(npm(&folder).args(["run", "test"]));
    // Each runs even when one before it failed: one run should tell all that is wrong.
    let browser = drive(workspace, plugins, binary);
    lint.and(units).and(browser)
}

/// Drives the dashboard of a real host in a real browser.
fn drive(workspace: &Workspace, plugins: &Path, binary: &Path) -> Result<()> {
    let chromium = find_or_install_chromium()?;
    let folder = workspace.root.join("tests").join("browser");
    install(&folder)?;
    let screenshots = std::env::var_os(SCREENSHOTS_VARIABLE)
        .map_or_else(|| workspace.target.join("screenshots"), PathBuf::from);
    let mut command = npm(&folder);
    command
        .args(["run", "test"])
        .env(PLUGINS_VARIABLE, plugins)
        .env(BINARY_VARIABLE, binary)
        .env(CHROMIUM_VARIABLE, chromium)
        .env(SCREENSHOTS_VARIABLE, &screenshots);
    let outcome = process::run(&mut command);
    eprintln!("What the browser showed is in {}.", screenshots.display());
    outcome
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.root.join("host").join("dashboard")
}

pub(crate) fn npm(folder: &Path) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(folder);
    command
}

/// Gets exactly the packages of the lock file, unless they are there.
pub(crate) fn install(folder: &Path) -> Result<()> {
    let lock = modified(&folder.join("package-lock.json"))?;
    if is_newer(&folder.join("node_modules").join(".package-lock.json"), lock) {
        return Ok(());
    }
    process::run(npm(folder).args(["ci", "--no-audit", "--no-fund"]))
}

/// Whether there is a Node that is new enough, and npm; else what is wrong.
pub(crate) fn node() -> Result<()> {
    let version = process::capture(Command::new("node").arg("--version"))?;
    check_node(&version)?;
    process::capture(Command::new("npm").arg("--version")).map(|_| ())
}

fn check_node(printed: &str) -> Result<()> {
    let version = printed.trim();
    let mut numbers = version.trim_start_matches('v').split('.').map_while(|part| part.parse::<u32>().ok());
    let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else {
        bail!("`node --version` printed \"{version}\"");
    };
    if (major, minor) < OLDEST_NODE {
        bail!("Node {version} is too old");
    }
    Ok(())
}

fn without_node(reason: &anyhow::Error) -> String {
    let (major, minor) = OLDEST_NODE;
    format!(
        "The host is built without its dashboard: {reason:#}.\n\
         The dashboard needs Node {major}.{minor} or newer with npm, from https://nodejs.org or your system's \
         packages. Then run `cargo xtask dashboard`, and build the host again."
    )
}

/// When the newest file below the folder was changed, those of these names and below them left out.
fn newest(folder: &Path, without: &[&str]) -> Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        if without.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let path = entry.path();
        let changed =
            if entry.file_type()?.is_dir() { self::newest(&path, without)? } else { modified(&path)? };
        newest = newest.max(changed);
    }
    Ok(newest)
}

fn modified(path: &Path) -> Result<SystemTime> {
    let known = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    known.with_context(|| format!("cannot look at {}", path.display()))
}

/// Whether the file is there and was made after that moment.
fn is_newer(file: &Path, moment: SystemTime) -> bool {
    modified(file).is_ok_and(|made| made >= moment)
}

fn find_or_install_chromium() -> Result<PathBuf> {
    if let Some(chosen) = std::env::var_os(CHROMIUM_VARIABLE) {
        return Ok(chosen.into());
    }
    if let Some(found) = find_chromium() {
        return Ok(found);
    }
    let installed = debian_packages::install("The browser test needs Chromium", &CHROMIUM_PACKAGES);
    let found = find_chromium();
    let hint = format!("install Chromium, or say with {CHROMIUM_VARIABLE} where it is");
    installed.with_context(|| hint.clone())?;
    found.context(hint)
}

fn find_chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let candidates = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    candidates.into_iter().find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_must_be_new_enough() {
        for good in ["v20.19.0\n", "v20.20.2", "v22.12.0", "v24.1.0"] {
            check_node(good).expect(good);
        }
        for (bad, complaint) in [
            ("v20.18.1", "Node v20.18.1 is too old"),
            ("v18.20.4\n", "Node v18.20.4 is too old"),
            ("", "`node --version` printed \"\""),
        ] {
            assert_eq!(check_node(bad).expect_err(bad).to_string(), complaint);
        }
    }

    #[test]
    fn what_to_do_without_node_is_said() {
        let said = without_node(&anyhow::anyhow!("Node v18.20.4 is too old"));
        assert!(said.contains("without its dashboard: Node v18.20.4 is too old."), "{said}");
        assert!(said.contains("cargo xtask dashboard"), "{said}");
    }

    #[test]
    fn a_change_of_a_source_makes_the_built_pages_old_and_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, after: u64| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            let file = std::fs::File::create(path).expect("a file");
            let moment = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(after);
            file.set_modified(moment).expect("a moment");
        };
        let built = folder.path().join("dist").join("index.html");
        let is_new = || is_newer(&built, newest(folder.path(), &NO_SOURCES).expect("readable"));
        write("src/pages/market.tsx", 10);
        assert!(!is_new(), "nothing is built");
        write("dist/index.html", 20);
        assert!(is_new());
        write("node_modules/react/index.js", 30);
        write("fake/server.mjs", 30);
        assert!(is_new(), "neither is a source");
        write("src/pages/market.tsx", 30);
        assert!(!is_new());
    }
}
