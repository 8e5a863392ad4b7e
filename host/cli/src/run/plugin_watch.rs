//! Takes up what happens in the strategies directory: new content is verified and compiled here, away from
//! the threads that trade, and only then made known to them. Another content of a model is another version of each
//! strategy that may see it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bulkhead_core::identifier::ContentHash;
use bulkhead_sandbox::directory::{DirectoryChange, DirectoryWatch, WatchSettings};
use bulkhead_store::database::DatabaseUrl;

use super::messages::{Message, Messages, Origin};
use super::uploads;
use crate::model_files::GrantingSandbox;

/// How often the thread looks whether the host still listens.
const PATIENCE: Duration = Duration::from_millis(500);

/// Watches until the host is gone. What the host loaded at its start is reported again; the host knows it by
/// its hash. What it refused then is not compiled once more to be refused again.
pub(super) fn watch(
    directory: &Path,
    sandbox: &GrantingSandbox,
    mut refused: BTreeSet<ContentHash>,
    url: &DatabaseUrl,
    messages: &Messages,
) -> Result<()> {
    std::fs::create_dir_all(directory).with_context(|| format!("{} can't be made", directory.display()))?;
    let settings = WatchSettings {
        largest_bytes: sandbox.sandbox().limits().wasm_bytes,
        largest_model_bytes: sandbox.largest_model_bytes(),
        ..WatchSettings::default()
    };
    let watch = DirectoryWatch::start(directory, settings)
        .with_context(|| format!("{} can't be watched", directory.display()))?;
    let mut unattributed = Unattributed { url, files: Vec::new() };
    loop {
        let found = match watch.wait(PATIENCE) {
            Some(DirectoryChange::Added(file)) if refused.remove(&file.hash) => Vec::new(),
            Some(change) => prepared(sandbox, change, &mut unattributed),
            None => Vec::new(),
        };
        let known = unattributed.try_again();
        // Also when there is nothing to say: that is how it is noticed that nobody listens any more.
        for message in found.into_iter().chain(known).chain([Message::Tick]) {
            if !messages.send(&message) {
                return Ok(());
            }
        }
    }
}

/// Files of which the database could not tell who brought them in. They wait until it can.
struct Unattributed<'a> {
    url: &'a DatabaseUrl,
    files: Vec<(String, ContentHash, PathBuf)>,
}

impl Unattributed<'_> {
    /// Tells of a version, now or once it is known who brought it in; at any rate that it is there.
    fn tell(&mut self, slot: String, version: ContentHash, path: PathBuf) -> Message {
        self.forget(&slot);
        let origin = uploads::origin(self.url, &slot, version, &path).unwrap_or_else(|error| {
            tracing::warn!(slot, why = format!("{error:#}"), "a plugin waits until the database answers");
            self.files.push((slot.clone(), version, path));
            Origin::Unknown
        });
        Message::Prepared { slot, version, origin }
    }

    /// What is in the slot's file by now is another one.
    fn forget(&mut self, slot: &str) {
        self.files.retain(|(of, ..)| of != slot);
    }

    /// Tells of those that the database can tell about now.
    fn try_again(&mut self) -> Vec<Message> {
        let mut known = Vec::new();
        // One answer that does not come is waited for, not one for each file.
        while let Some((slot, version, path)) = self.files.first()
            && let Ok(origin) = uploads::origin(self.url, slot, *version, path)
        {
            known.push(Message::Prepared { slot: slot.clone(), version: *version, origin });
            self.files.remove(0);
        }
        known
    }
}

fn prepared(
    sandbox: &GrantingSandbox,
    change: DirectoryChange,
    unattributed: &mut Unattributed<'_>,
) -> Vec<Message> {
    let (path, reason) = match change {
        DirectoryChange::Added(file) | DirectoryChange::Replaced(file) => {
            match sandbox.prepare(&file.slot, &file.bytes) {
                Ok((version, _)) => return vec![unattributed.tell(file.slot, version, file.path)],
                Err(refused) => (file.path, format!("{refused:#}")),
            }
        }
        DirectoryChange::Model { name, path } => match sandbox.load(&name) {
            Ok(_) => return with_model(sandbox, &name, unattributed),
            Err(refused) => (path, format!("{refused:#}")),
        },
        DirectoryChange::Removed { slot, .. } => {
            unattributed.forget(&slot);
            return vec![Message::Removed { slot }];
        }
        DirectoryChange::Broken { path, why } => (path, why),
    };
    tell_of_refusal(&path, &reason);
    Vec::new()
}

/// The strategies that may see a model, as they are with what is in its file now.
fn with_model(sandbox: &GrantingSandbox, name: &str, unattributed: &mut Unattributed<'_>) -> Vec<Message> {
    let mut found = Vec::new();
    for slot in sandbox.grantees(name) {
        let path = sandbox.strategy_file(slot);
        // The strategy may come after its model.
        let Ok(bytes) = std::fs::read(&path) else { continue };
        match sandbox.prepare(slot, &bytes) {
            Ok((version, _)) => found.push(unattributed.tell(slot.to_owned(), version, path)),
            Err(refused) => tell_of_refusal(&path, &format!("{refused:#}")),
        }
    }
    found
}

fn tell_of_refusal(path: &Path, reason: &str) {
    tracing::error!(file = %path.display(), reason, "plugin refused; what ran before goes on");
}
