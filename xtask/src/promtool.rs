//! Prometheus' own tool that checks rules and configurations. It is taken out of Debian's package, which is not
//! installed: that would start a server.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::debian_packages;
use crate::process;
use crate::workspace::Workspace;

/// Tells the test of the files for operators where it is.
pub(crate) const PROMTOOL_VARIABLE: &str = "BULKHEAD_PROMTOOL";

const PACKAGE: &str = "prometheus";

/// Finds it, or gets it. Without it the rules are checked less thoroughly, which is said.
pub(crate) fn find_or_get(workspace: &Workspace) -> Option<PathBuf> {
    let on_path = PathBuf::from("promtool");
    if process::succeeds(Command::new(&on_path).arg("--version")) {
        return Some(on_path);
    }
    let folder = workspace.target.join("promtool");
    let kept = folder.join("usr/bin/promtool");
    if !kept.is_file()
        && let Err(reason) = debian_packages::unpack(PACKAGE, &folder)
    {
        eprintln!("There is no promtool ({reason:#}); the rules for Prometheus are checked without it.");
        return None;
    }
    Some(kept)
}

/// Gives it to a command of tests.
pub(crate) fn give(workspace: &Workspace, command: &mut Command) -> Result<()> {
    if let Some(promtool) = find_or_get(workspace) {
        process::capture(Command::new(&promtool).arg("--version")).context("promtool does not work")?;
        command.env(PROMTOOL_VARIABLE, promtool);
    }
    Ok(())
}
