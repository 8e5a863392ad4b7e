//! Takes up what happens in the strategies directory: new content is verified and compiled here, away from
//! the thread that trades, and only then made known to it.

use std::path::Path;
use std::sync::mpsc::Sender;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bulkhead_sandbox::Sandbox;
use bulkhead_sandbox::directory::{DirectoryChange, DirectoryWatch, WatchSettings};

use super::Message;

/// How often the thread looks whether the host still listens.
const PATIENCE: Duration = Duration::from_millis(500);

/// Starts the thread. What the host loaded at its start is reported again; the host knows it by its hash.
pub(super) fn start(directory: &Path, sandbox: &Sandbox, sender: Sender<Message>) -> Result<()> {
    std::fs::create_dir_all(directory).with_context(|| format!("{} can't be made", directory.display()))?;
    let settings = WatchSettings { largest_bytes: sandbox.limits().wasm_bytes, ..WatchSettings::default() };
    let watch = DirectoryWatch::start(directory, settings)
        .with_context(|| format!("{} can't be watched", directory.display()))?;
    let sandbox = sandbox.clone();
    std::thread::Builder::new()
        .name("plugin-watch".to_owned())
        .spawn(move || {
            loop {
                let Some(change) = watch.wait(PATIENCE) else {
                    if sender.send(Message::Tick).is_err() {
                        return;
                    }
                    continue;
                };
                if sender.send(prepared(&sandbox, change)).is_err() {
                    return;
                }
            }
        })
        .context("the thread that watches the plugins can't be started")?;
    Ok(())
}

fn prepared(sandbox: &Sandbox, change: DirectoryChange) -> Message {
    match change {
        DirectoryChange::Added(file) | DirectoryChange::Replaced(file) => {
            match sandbox.prepare(&file.bytes) {
                Ok((version, _)) => Message::Prepared { slot: file.slot, version },
                Err(refused) => Message::Broken { file: file.path, reason: refused.to_string() },
            }
        }
        DirectoryChange::Removed { slot, .. } => Message::Removed { slot },
        DirectoryChange::Broken { path, why } => Message::Broken { file: path, reason: why },
    }
}
