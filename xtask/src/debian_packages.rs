//! Debian's packages, for what can't be got from crates.io.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::process;

/// Installs packages, after saying what for.
pub(crate) fn install(what_for: &str, packages: &[&str]) -> Result<()> {
    ensure!(
        process::succeeds(Command::new("apt-get").arg("--version")),
        "there is no apt-get, so Debian's packages can't be installed"
    );
    eprintln!("{what_for}: installing Debian's {}.", packages.join(" and "));
    process::run(&mut apt_get(&["update"])).context("cannot refresh the list of packages")?;
    let mut install = vec!["install", "--yes", "--no-install-recommends"];
    install.extend(packages);
    process::run(&mut apt_get(&install))
}

/// Unpacks a package into a folder, for a program that runs from anywhere. Nothing is installed.
pub(crate) fn unpack(package: &str, folder: &Path) -> Result<()> {
    ensure!(
        process::succeeds(Command::new("apt-get").arg("--version")),
        "there is no apt-get, so Debian's packages can't be fetched"
    );
    let downloads = folder.join("downloads");
    std::fs::create_dir_all(&downloads).with_context(|| format!("{} can't be made", downloads.display()))?;
    let download = || {
        let mut command = Command::new("apt-get");
        process::capture(command.current_dir(&downloads).args(["download", package]))
    };
    eprintln!("Fetching Debian's {package}.");
    if download().is_err() {
        process::run(&mut apt_get(&["update"])).context("cannot refresh the list of packages")?;
        download()?;
    }
    for entry in std::fs::read_dir(&downloads)? {
        process::run(Command::new("dpkg-deb").arg("--extract").arg(entry?.path()).arg(folder))?;
    }
    Ok(std::fs::remove_dir_all(&downloads)?)
}

/// `apt-get` with the rights it needs. It is never killed, as that would leave packages half installed; it
/// gives up by itself when a server doesn't answer or another `apt-get` is at work for long.
fn apt_get(arguments: &[&str]) -> Command {
    const LIMITS: [&str; 4] = ["-o", "Acquire::http::Timeout=30", "-o", "DPkg::Lock::Timeout=300"];
    let mut command = as_root("env");
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(LIMITS).args(arguments);
    command
}

/// A command with root's rights.
pub(crate) fn as_root(program: &str) -> Command {
    if process::capture(Command::new("id").arg("-u")).is_ok_and(|user| user.trim() == "0") {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    if !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        // Nobody is there to type a password.
        command.arg("--non-interactive");
    }
    command.arg(program);
    command
}
