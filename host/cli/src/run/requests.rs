//! Looking for commands that somebody left in the database, such as `bulkhead halt`, and whether they may still have
//! them carried out.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::Result;
use bulkhead_api::Rights;
use bulkhead_store::clock::now;
use bulkhead_store::database::{Database, DatabaseUrl, Options};
use bulkhead_store::journal::ShardId;
use bulkhead_store::storage::{Request, StoreError};

use super::messages::{HandedOver, Message, Messages, Standing};

/// How often it is looked.
const INTERVAL: Duration = Duration::from_millis(200);

/// Looks until the host is gone: every now and then, and at once when it is poked.
pub(super) fn look(
    url: &DatabaseUrl,
    rights: &Rights,
    handed_over: &HandedOver,
    pokes: &Receiver<()>,
    messages: &Messages,
) -> Result<()> {
    let mut database = Database::open(url, Options::reader())?;
    loop {
        let waiting = database.waiting_requests()?;
        let still: BTreeSet<i64> = waiting.iter().map(|(_, request)| request.id).collect();
        handed_over.retain(&still);
        for (shard, request) in waiting {
            if handed_over.insert(request.id) {
                let standing = match standing(&mut database, rights, shard, &request) {
                    Ok(standing) => standing,
                    Err(error) => {
                        handed_over.give_back(request.id);
                        return Err(error.into());
                    }
                };
                messages.send(&Message::Request { shard, request, standing });
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

/// Whether whoever asked may have it carried out now.
pub(super) fn standing(
    database: &mut Database,
    rights: &Rights,
    shard: ShardId,
    request: &Request,
) -> Result<Standing, StoreError> {
    let as_of = request.authority.is_some().then(Instant::now);
    Ok(Standing { lapsed: rights.lapsed(database, shard, request, now())?, as_of })
}
