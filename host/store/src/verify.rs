//! Walking a whole journal to see that nothing is missing, moved or edited.

use bulkhead_core::time::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::journal::{Chain, Checksum, RecordNumber, ShardId};
use crate::storage::{SnapshotHead, Storage, StoreError};

/// Records that are held in memory at once.
const PART: usize = 256;

/// What was found in a journal that holds together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The journal up to its last record.
    pub chain: Chain,
    /// Event time of the last record; `None` in an empty journal.
    pub time: Option<Timestamp>,
    /// How many of its records have lost their payload to retention.
    pub dropped_payloads: u64,
    /// How many snapshots there are; all are whole and belong to this journal.
    pub snapshots: usize,
}

/// Walks a shard's journal from its first record and checks the snapshots. `progress` is told the last record
/// that was checked, now and then.
///
/// # Errors
///
/// [`StoreError::Chain`] with the first place where the journal does not hold together,
/// [`StoreError::Unsuitable`] with the first snapshot that is damaged or is not of this journal, and what the
/// store answers when it can't be read.
pub fn verify(
    store: &mut dyn Storage,
    shard: ShardId,
    progress: &mut dyn FnMut(RecordNumber),
) -> Result<Report, StoreError> {
    let mut snapshots = store.snapshots(shard)?;
    let mut report =
        Report { chain: Chain::start(shard), time: None, dropped_payloads: 0, snapshots: snapshots.len() };
    loop {
        let records = store.records(shard, report.chain.number(), PART)?;
        if records.is_empty() {
            break;
        }
        for record in &records {
            report.chain.follow(record)?;
            report.time = Some(record.time);
            report.dropped_payloads += u64::from(record.payload.is_none());
            // They come newest first, so the next one to be met is the last.
            if let Some(head) = snapshots.pop_if(|head| head.chain.number() <= record.number) {
                check(store, &head, &report.chain)?;
            }
        }
        progress(report.chain.number());
    }
    match snapshots.pop() {
        Some(head) => Err(damaged(&head, "it is of inputs that the journal does not have")),
        None => Ok(report),
    }
}

fn check(store: &mut dyn Storage, head: &SnapshotHead, chain: &Chain) -> Result<(), StoreError> {
    if head.chain != *chain {
        return Err(damaged(head, "it is not of this journal"));
    }
    let hash = Checksum(Sha256::digest(store.snapshot(head)?).into());
    if hash != head.payload_hash {
        let reason = format!("its hash is {hash}, not {}", head.payload_hash);
        return Err(damaged(head, &reason));
    }
    Ok(())
}

fn damaged(head: &SnapshotHead, reason: &str) -> StoreError {
    StoreError::Unsuitable(format!(
        "{}, the snapshot after {}: {reason}; restore a backup, or drop the snapshot if an older one is there",
        head.chain.shard(),
        head.chain.number()
    ))
}
