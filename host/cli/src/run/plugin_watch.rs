//! Takes up what happens in the strategies directory: new content is verified and compiled here, away from
//! the threads that trade, and only then made known to them.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bulkhead_core::identifier::ContentHash;
use bulkhead_sandbox::Sandbox;
use bulkhead_sandbox::directory::{DirectoryChange, DirectoryWatch, WatchSettings};

use super::messages::{Message, Messages};

/// How often the thread looks whether the host still listens.
const PATIENCE: Duration = Duration::from_millis(500);

/// Watches until the host is gone. What the host loaded at its start is reported again; the host knows it by
/// its hash. What it refused then is not compiled once more to be refused again.
pub(super) fn watch(
    directory: &Path,
    sandbox: &Sandbox,
    mut refused: BTreeSet<ContentHash>,
    messages: &Messages,
) -> Result<()> {
    std::fs::create_dir_all(directory).with_context(|| format!("{} can't be made", directory.display()))?;
    let settings = WatchSettings { largest_bytes: sandbox.limits().wasm_bytes, ..WatchSettings::default() };
    let watch = DirectoryWatch::start(directory, settings)
        .with_context(|| format!("{} can't be watched", directory.display()))?;
    loop {
        let message = match watch.wait(PATIENCE) {
            Some(DirectoryChange::Added(file)) if refused.remove(&ContentHash::of(&file.bytes)) => {
                Message::Tick
            }
            Some(change) => prepared(sandbox, change),
            None => Message::Tick,
        };
        if !messages.send(&message) {
            return Ok(());
        }
    }
}

fn prepared(sandbox: &Sandbox, change: DirectoryChange) -> Message {
    let (path, reason) = match change {
        DirectoryChange::Added(file) | DirectoryChange::Replaced(file) => {
            match sandbox.prepare(&file.bytes) {
                Ok((version, _)) => return Message::Prepared { slot: file.slot, version },
                Err(refused) => (file.path, refused.to_string()),
            }
        }
        DirectoryChange::Removed { slot, .. } => return Message::Removed { slot },
        DirectoryChange::Broken { path, why } => (path, why),
    };
    tracing::error!(file = %path.display(), reason, "plugin refused; what ran before goes on");
    Message::Tick
}
