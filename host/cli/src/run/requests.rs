//! Looking for commands that somebody left in the database, such as `bulkhead halt`.

use std::collections::BTreeSet;
use std::sync::mpsc::Sender;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bulkhead_store::database::{Database, DatabaseUrl, Options};
use bulkhead_store::storage::Storage as _;

use super::Message;
use crate::shard::SHARD;

/// How often it is looked.
const INTERVAL: Duration = Duration::from_millis(200);

/// Starts the thread that looks.
pub(super) fn start(url: &DatabaseUrl, sender: Sender<Message>) -> Result<()> {
    let url = url.clone();
    std::thread::Builder::new()
        .name("requests".to_owned())
        .spawn(move || look(&url, &sender))
        .context("the thread that looks for requests can't be started")?;
    Ok(())
}

fn look(url: &DatabaseUrl, sender: &Sender<Message>) {
    let mut database = None;
    // Handed over, but perhaps not answered yet.
    let mut handed_over = BTreeSet::new();
    loop {
        if database.is_none() {
            database = Database::open(url, Options::reader()).ok();
        }
        // What is wrong with the database is reported by the one who writes to it.
        if let Some(found) = database.as_mut().map(|database| database.requests(SHARD)) {
            match found {
                Ok(requests) => {
                    for request in requests {
                        if handed_over.insert(request.id) && sender.send(Message::Request(request)).is_err() {
                            return;
                        }
                    }
                }
                Err(_) => database = None,
            }
        }
        if sender.send(Message::Tick).is_err() {
            return;
        }
        std::thread::sleep(INTERVAL);
    }
}
