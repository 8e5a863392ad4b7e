//! What may go when it is old.

use bulkhead_core::time::Timestamp;

use super::Database;
use super::journal::limit;
use super::value::Column as _;
use crate::journal::{RecordKind, RecordNumber, Sequence, ShardId};
use crate::storage::{Retention, Storage as _, StoreError};

/// Records a transaction: the journal must not wait long for it.
const BATCH: usize = 500;

impl Database {
    /// See [`crate::storage::Storage::retain`].
    pub(super) fn retain_only(&mut self, shard: ShardId, retention: &Retention) -> Result<(), StoreError> {
        self.drop_snapshots(shard, retention.snapshots.max(1))?;
        let snapshots = self.snapshots(shard)?;
        if let (Some(market), Some(newest), Some(oldest)) =
            (retention.market, snapshots.first(), snapshots.last())
        {
            self.drop_market_payloads(shard, newest.time.minus(market), oldest.chain.sequence())?;
        }
        Ok(())
    }

    /// Drops the payloads of a shard's records of the market that are older than a moment and end at or
    /// before an input, and tells how many. `keep_after` is the input of the oldest snapshot that must stay
    /// usable: what follows it is needed to go on from there. Hashes and checksums stay, so the chain still
    /// holds; commands and outputs are never dropped.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it could not be written. What was dropped by then stays dropped.
    pub fn drop_market_payloads(
        &mut self,
        shard: ShardId,
        older_than: Timestamp,
        keep_after: Sequence,
    ) -> Result<u64, StoreError> {
        // The kind is written out, so that the index of what can be dropped applies.
        const _: () = assert!(RecordKind::Market.number() == 1);
        let next = "SELECT number FROM journal WHERE shard = $1 AND kind = 1 AND payload IS NOT NULL \
                    AND time < $2 AND last_sequence <= $3 ORDER BY number LIMIT $4";
        let drop = "UPDATE journal SET payload = NULL WHERE shard = $1 AND kind = 1 AND payload IS NOT NULL \
                    AND time < $2 AND last_sequence <= $3 AND number <= $4";
        let mut dropped = 0;
        loop {
            let (shard, older_than, keep_after) =
                (shard.to_value(), older_than.to_value(), keep_after.to_value());
            let done = self.write(|session| {
                let values = vec![shard.clone(), older_than.clone(), keep_after.clone(), limit(BATCH)];
                let Some(last) = session.query(next, values)?.pop() else { return Ok(0) };
                let last: RecordNumber = last.first("journal")?;
                session.execute(drop, vec![shard, older_than, keep_after, last.to_value()])
            })?;
            if done == 0 {
                return Ok(dropped);
            }
            dropped += done;
        }
    }

    /// Drops all but the newest snapshots of a shard, and tells how many.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it could not be written.
    pub fn drop_snapshots(&mut self, shard: ShardId, keep_newest: usize) -> Result<u64, StoreError> {
        let sql = "DELETE FROM snapshots WHERE shard = $1 AND number NOT IN \
                   (SELECT number FROM snapshots WHERE shard = $1 ORDER BY number DESC LIMIT $2)";
        self.write(|session| session.execute(sql, vec![shard.to_value(), limit(keep_newest)]))
    }
}
