//! Looking for commands that somebody left in the database, such as `bulkhead halt`.

use std::collections::BTreeSet;
use std::sync::mpsc::Sender;
use std::time::Duration;

use anyhow::Result;
use bulkhead_store::database::{Database, DatabaseUrl, Options};
use bulkhead_store::storage::Storage as _;

use super::Message;
use crate::shard::SHARD;

/// How often it is looked.
const INTERVAL: Duration = Duration::from_millis(200);

/// Looks until the host is gone.
pub(super) fn look(url: &DatabaseUrl, sender: &Sender<Message>) -> Result<()> {
    let mut database = Database::open(url, Options::reader())?;
    // Handed over, but perhaps not answered yet.
    let mut handed_over = BTreeSet::new();
    loop {
        let waiting = database.requests(SHARD)?;
        handed_over.retain(|id| waiting.iter().any(|request| request.id == *id));
        for request in waiting {
            if handed_over.insert(request.id) && sender.send(Message::Request(request)).is_err() {
                return Ok(());
            }
        }
        if sender.send(Message::Tick).is_err() {
            return Ok(());
        }
        std::thread::sleep(INTERVAL);
    }
}
