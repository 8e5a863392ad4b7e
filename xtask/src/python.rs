//! Environments for programs in Python, so that nothing of theirs is installed for the whole machine.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::debian_packages;
use crate::process;

/// Makes an empty environment, in the place of one that may be there. Debian has what that needs in a package of its own.
pub(crate) fn make_environment(what_for: &str, python: &Path, directory: &Path) -> Result<()> {
    let make = || process::run(Command::new(python).args(["-m", "venv", "--clear"]).arg(directory));
    if make().is_err() {
        debian_packages::install(&format!("A Python environment for {what_for}"), &["python3-venv"])?;
        make()?;
    }
    Ok(())
}
