//! Finds the programs of a Postgres server, or installs them. The store's tests start servers of their own with
//! them, in temporary folders; a server of the system is neither needed nor touched.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::debian_packages::{self, as_root};
use crate::process;

const PACKAGE: &str = "postgresql";

/// What the tests run.
const PROGRAMS: [&str; 4] = ["initdb", "pg_ctl", "postgres", "psql"];

/// Where Debian keeps a folder for each version.
const DEBIAN_FOLDER: &str = "/usr/lib/postgresql";

/// Says that installing the package should not set up and start a server for the system, which it does
/// otherwise. It is there only while the package is installed.
const NO_SERVER: &str = r#"
folder=/etc/postgresql-common/createcluster.d
case "$1" in
    write) mkdir -p "$folder" && echo 'create_main_cluster = false' > "$folder/bulkhead.conf" ;;
    remove) rm -f "$folder/bulkhead.conf" ;;
esac
"#;

/// Finds the folder of the programs; installs Debian's package when there is none.
pub(crate) fn find_or_install() -> Result<PathBuf> {
    if let Some(folder) = find() {
        return Ok(folder);
    }
    if let Err(reason) = install() {
        bail!(nothing_works(&format!("{reason:#}")));
    }
    find().with_context(|| nothing_works("Debian's package did not bring them"))
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path);
    let versions = std::fs::read_dir(DEBIAN_FOLDER).into_iter().flatten().flatten();
    on_path.chain(versions.map(|version| version.path().join("bin"))).find(|folder| is_complete(folder))
}

fn is_complete(folder: &Path) -> bool {
    PROGRAMS.iter().all(|program| folder.join(program).is_file())
}

fn install() -> Result<()> {
    let no_server = |what| process::capture(as_root("sh").args(["-c", NO_SERVER, "sh", what]));
    no_server("write").context("cannot write to /etc/postgresql-common")?;
    let installed = debian_packages::install("The store's tests need the programs of Postgres", &[PACKAGE]);
    no_server("remove")?;
    installed
}

fn nothing_works(reason: &str) -> String {
    format!(
        "the programs of a Postgres server ({}) are missing, which the store's tests start servers of their own \
         with. What was tried:\n  - looking on the PATH and in {DEBIAN_FOLDER}\n  - {}\n\
         Install them, then run the command again:\n  - on Debian and what derives from it: sudo apt-get update \
         && sudo apt-get install {PACKAGE}\n  - elsewhere: Postgres 14 or newer, with its programs on the PATH",
        PROGRAMS.join(", "),
        reason.replace('\n', "\n    ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_counts_only_with_all_the_programs() {
        let folder = tempfile::tempdir().expect("a folder");
        for program in PROGRAMS {
            assert!(!is_complete(folder.path()), "{program} is missing");
            std::fs::write(folder.path().join(program), "").expect("a file");
        }
        assert!(is_complete(folder.path()));
    }

    #[test]
    fn when_nothing_works_the_message_says_why_and_what_to_install() {
        let message = nothing_works("there is no apt-get");
        assert!(message.contains("initdb, pg_ctl, postgres, psql"), "{message}");
        assert!(message.contains("  - there is no apt-get\n"), "{message}");
        assert!(message.contains("apt-get install postgresql\n"), "{message}");
    }
}
