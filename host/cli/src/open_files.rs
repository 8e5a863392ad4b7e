//! How many files and connections this process may have open.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit as far as the system lets this user, and tells what it is; `None` without one. Systems set the usual
/// limit low, for programs that don't expect many; a connection of the API is a file like any other.
pub(crate) fn allow_most() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit = raised,
            Err(error) => tracing::debug!(%error, "the limit of open files can't be raised"),
        }
    }
    limit.current
}

/// Says so when the API can't have as many connections as it may.
pub(crate) fn make_room(connections: usize) {
    /// What a host has open besides: databases, files, plugins that are compiled.
    const OTHERS: u64 = 128;
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHERS);
    if let Some(limit) = allow_most().filter(|limit| *limit < wanted) {
        tracing::warn!(
            limit,
            connections,
            "the system lets this process open fewer files than api.connections need; raise the limit (ulimit -Hn, \
             LimitNOFILE of systemd), or lower api.connections"
        );
    }
}
