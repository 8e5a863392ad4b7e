//! Finds a Secret Service, the keyring of Linux desktops, for the test of passphrases that it keeps; or installs one. The
//! test starts one of its own, on a bus of its own, with its files in a temporary folder.

use std::process::Command;

use crate::debian_packages;
use crate::process;

/// Tells the test that there is one.
const VARIABLE: &str = "BULKHEAD_SECRET_SERVICE";

const PROGRAMS: [&str; 2] = ["dbus-run-session", "gnome-keyring-daemon"];

const PACKAGES: [&str; 2] = ["dbus", "gnome-keyring"];

/// Tells a command of tests whether there is one. Without it one test does nothing, which is said.
pub(crate) fn give(command: &mut Command) {
    if !is_there()
        && let Err(reason) = debian_packages::install("The keys' tests need a Secret Service", &PACKAGES)
    {
        eprintln!("There is no Secret Service ({reason:#}); passphrases in a keyring are not tested.");
        return;
    }
    command.env(VARIABLE, "gnome-keyring");
}

fn is_there() -> bool {
    PROGRAMS.iter().all(|program| process::succeeds(Command::new(program).arg("--version")))
}
