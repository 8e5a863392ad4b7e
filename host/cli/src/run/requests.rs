//! Looking for commands that somebody left in the database, such as `bulkhead halt`.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::Result;
use bulkhead_store::database::{Database, DatabaseUrl, Options};

use super::messages::{Message, Messages};

/// How often it is looked.
const INTERVAL: Duration = Duration::from_millis(200);

/// Looks until the host is gone: every now and then, and at once when it is poked.
pub(super) fn look(url: &DatabaseUrl, pokes: &Receiver<()>, messages: &Messages) -> Result<()> {
    let mut database = Database::open(url, Options::reader())?;
    // Handed over, but perhaps not answered yet.
    let mut handed_over = BTreeSet::new();
    loop {
        let waiting = database.waiting_requests()?;
        let still: BTreeSet<i64> = waiting.iter().map(|(_, request)| request.id).collect();
        handed_over.retain(|id| still.contains(id));
        for (shard, request) in waiting {
            if handed_over.insert(request.id) {
                messages.send(&Message::Request { shard, request });
            }
        }
        if !messages.send(&Message::Tick) {
            return Ok(());
        }
        match pokes.recv_timeout(INTERVAL) {
            // One look answers them all.
            Ok(()) => while pokes.try_recv().is_ok() {},
            Err(RecvTimeoutError::Timeout) => {}
            // Nobody pokes.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(INTERVAL),
        }
    }
}
