//! What a host needs of the machine: a database, room on the disk, and files that it may open.

use std::path::{Path, PathBuf};

use bulkhead_configuration::Configuration;
use bulkhead_store::database::{Database, DatabaseUrl, Options};

use super::Check;
use crate::open_files;
use crate::shard::database_url;

/// Below this a journal soon stands still.
const LEAST_FREE: u64 = 64 << 20;

/// Below this somebody should make room.
const USUAL_FREE: u64 = 1 << 30;

/// A host with a few accounts opens so many files.
const LEAST_FILES: u64 = 128;

/// All of it.
pub(super) fn checks(configuration: &Configuration) -> Vec<Check> {
    let mut checks = Vec::new();
    match database_url(configuration) {
        Ok(url) => {
            checks.push(database(&url));
            let folder =
                url.path().and_then(Path::parent).map_or(configuration.storage.clone(), PathBuf::from);
            checks.push(disk(&folder));
        }
        Err(error) => {
            checks.push(Check::failed("database", format!("{error:#}"), "mend journal.database"));
        }
    }
    checks.push(files(configuration));
    checks
}

fn database(url: &DatabaseUrl) -> Check {
    if let Some(path) = url.path().filter(|path| !path.exists()) {
        return Check::ok("database", format!("{} is made by the first start", path.display()));
    }
    match Database::open(url, Options::reader()).and_then(|mut database| database.account_names()) {
        Ok(accounts) => {
            let names: Vec<&str> = accounts.iter().map(|row| row.name.as_str()).collect();
            let of = if names.is_empty() { "no account yet".to_owned() } else { names.join(", ") };
            Check::ok("database", format!("{url} opens, with the schema of this version, and holds {of}"))
        }
        Err(error) => Check::failed(
            "database",
            error.to_string(),
            "start the database, mend journal.database, or run `bulkhead db migrate` after a backup",
        ),
    }
}

/// The disk of the first folder above that is there.
fn disk(folder: &Path) -> Check {
    let there = folder.ancestors().find(|folder| folder.exists());
    let folder = there.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let found = match rustix::fs::statvfs(folder) {
        Ok(found) => found,
        Err(error) => {
            let found = format!("{}: {error}", folder.display());
            return Check::failed("disk", found, "see that the storage directory can be reached");
        }
    };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let shown = format!("{} MiB are free at {}", free >> 20, folder.display());
    let advice = "make room: a journal that can't be written stops trading";
    match free {
        ..LEAST_FREE => Check::failed("disk", shown, advice),
        ..USUAL_FREE => Check::warning("disk", shown, advice),
        _ => Check::ok("disk", shown),
    }
}

fn files(configuration: &Configuration) -> Check {
    let Some(limit) = open_files::allow_most() else {
        return Check::ok("open files", "as many as the machine has");
    };
    let connections = match configuration.api.listen.0 {
        Some(_) => u64::from(configuration.api.connections.0),
        None => 0,
    };
    let shown = format!("{limit} may be open");
    let advice = "raise the limit (ulimit -Hn, LimitNOFILE of systemd), or lower api.connections";
    if limit < LEAST_FILES {
        Check::failed("open files", shown, advice)
    } else if limit < connections.saturating_add(LEAST_FILES) {
        Check::warning("open files", format!("{shown}, and api.connections is {connections}"), advice)
    } else {
        Check::ok("open files", shown)
    }
}
