//! The chain of checksums.

use bulkhead_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::payload::ENCODING;
use super::record::{Checksum, Record, RecordKind, RecordNumber, Sequence, ShardId};

/// The end of a journal: what the next record is chained to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    shard: ShardId,
    number: RecordNumber,
    sequence: Sequence,
    checksum: Checksum,
}

/// Where a journal does not hold together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainBreak {
    /// A record is not the one that follows.
    #[error("{shard}: {expected} is missing; {found} (from {first}) follows the one before it")]
    Gap {
        /// Whose journal.
        shard: ShardId,
        /// The number that should follow.
        expected: RecordNumber,
        /// The number that is there.
        found: RecordNumber,
        /// Where that one begins.
        first: Sequence,
    },
    /// Inputs are missing or there twice.
    #[error("{shard}, {number} ({kind}): it begins at {found}, but {expected} follows", kind = kind.name())]
    Sequence {
        /// Whose journal.
        shard: ShardId,
        /// Which record.
        number: RecordNumber,
        /// Of which kind.
        kind: RecordKind,
        /// Where it should begin.
        expected: Sequence,
        /// Where it begins.
        found: Sequence,
    },
    /// The payload is not the one that was written.
    #[error("{shard}, {number} ({kind}, from {first}): the payload was changed: its hash is {found}, not {expected}", kind = kind.name())]
    Payload {
        /// Whose journal.
        shard: ShardId,
        /// Which record.
        number: RecordNumber,
        /// Of which kind.
        kind: RecordKind,
        /// Where it begins.
        first: Sequence,
        /// What was written down.
        expected: Checksum,
        /// What the payload hashes to.
        found: Checksum,
    },
    /// The record, or one before it, is not the one that was written.
    #[error("{shard}, {number} ({kind}, from {first}): the record or the one before it was changed: its checksum is {found}, {expected} was expected", kind = kind.name())]
    Checksum {
        /// Whose journal.
        shard: ShardId,
        /// Which record.
        number: RecordNumber,
        /// Of which kind.
        kind: RecordKind,
        /// Where it begins.
        first: Sequence,
        /// What follows from the record and the one before it.
        expected: Checksum,
        /// What is written down.
        found: Checksum,
    },
    /// The record is of another shard.
    #[error("{number} belongs to {found}, not to {expected}")]
    Shard {
        /// Which record.
        number: RecordNumber,
        /// Whose journal it should be.
        expected: ShardId,
        /// Whose it is.
        found: ShardId,
    },
}

impl Chain {
    /// The beginning of a shard's journal.
    #[must_use]
    pub fn start(shard: ShardId) -> Self {
        Self { shard, number: RecordNumber(0), sequence: Sequence(0), checksum: Checksum::default() }
    }

    /// Whose journal.
    #[must_use]
    pub const fn shard(&self) -> ShardId {
        self.shard
    }

    /// The last record.
    #[must_use]
    pub const fn number(&self) -> RecordNumber {
        self.number
    }

    /// The last input.
    #[must_use]
    pub const fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// The last record's checksum.
    #[must_use]
    pub const fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// Makes the next record and moves on.
    ///
    /// `first` and `last` are the inputs that the payload holds, or whose outputs it holds; `time` is the
    /// first one's.
    #[must_use]
    pub fn append(
        &mut self,
        kind: RecordKind,
        first: Sequence,
        last: Sequence,
        time: Timestamp,
        payload: Vec<u8>,
    ) -> Record {
        let payload_hash = hash_of(&payload);
        let number = RecordNumber(self.number.0 + 1);
        let mut record = Record {
            shard: self.shard,
            number,
            kind,
            first,
            last,
            time,
            encoding: ENCODING,
            payload: Some(payload),
            payload_hash,
            checksum: Checksum::default(),
        };
        record.checksum = checksum(&self.checksum, &record);
        self.move_to(&record);
        record
    }

    /// Checks that the record is the one that follows, and moves on.
    ///
    /// # Errors
    ///
    /// [`ChainBreak`], with the place.
    pub fn follow(&mut self, record: &Record) -> Result<(), ChainBreak> {
        let (shard, number, kind, first) = (self.shard, record.number, record.kind, record.first);
        if record.shard != shard {
            return Err(ChainBreak::Shard { number, expected: shard, found: record.shard });
        }
        let expected = RecordNumber(self.number.0 + 1);
        if number != expected {
            return Err(ChainBreak::Gap { shard, expected, found: number, first });
        }
        if let Some(payload) = &record.payload {
            let found = hash_of(payload);
            if found != record.payload_hash {
                let expected = record.payload_hash;
                return Err(ChainBreak::Payload { shard, number, kind, first, expected, found });
            }
        }
        let expected = checksum(&self.checksum, record);
        if record.checksum != expected {
            return Err(ChainBreak::Checksum {
                shard,
                number,
                kind,
                first,
                expected,
                found: record.checksum,
            });
        }
        // A writer's mistake, which the checksums can't show.
        let follows = match kind {
            RecordKind::Opening => first == Sequence(0) && number == RecordNumber(1),
            RecordKind::Market | RecordKind::Command => first.0 == self.sequence.0 + 1,
            RecordKind::Outputs => record.last <= self.sequence,
        };
        if !follows || record.last < first {
            let expected = Sequence(self.sequence.0 + 1);
            return Err(ChainBreak::Sequence { shard, number, kind, expected, found: first });
        }
        self.move_to(record);
        Ok(())
    }

    /// The chain that ends with this record, which is believed.
    #[must_use]
    pub fn ending_with(record: &Record) -> Self {
        let mut chain = Self::start(record.shard);
        chain.move_to(record);
        chain
    }

    /// The chain that ends here, as a store has written it down, which is believed.
    pub(crate) const fn ending_at(
        shard: ShardId,
        number: RecordNumber,
        sequence: Sequence,
        checksum: Checksum,
    ) -> Self {
        Self { shard, number, sequence, checksum }
    }

    fn move_to(&mut self, record: &Record) {
        self.number = record.number;
        self.sequence = self.sequence.max(record.last);
        self.checksum = record.checksum;
    }
}

/// The hash of a payload.
#[must_use]
pub fn hash_of(payload: &[u8]) -> Checksum {
    Checksum(Sha256::digest(payload).into())
}

fn checksum(previous: &Checksum, record: &Record) -> Checksum {
    let mut hasher = Sha256::new();
    hasher.update(previous.0);
    hasher.update(record.shard.0.to_le_bytes());
    hasher.update(record.number.0.to_le_bytes());
    hasher.update(record.kind.number().to_le_bytes());
    hasher.update(record.first.0.to_le_bytes());
    hasher.update(record.last.0.to_le_bytes());
    hasher.update(record.time.nanos().to_le_bytes());
    hasher.update(record.encoding.to_le_bytes());
    hasher.update(record.payload_hash.0);
    Checksum(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> Vec<Record> {
        let mut chain = Chain::start(ShardId(1));
        let time = Timestamp::from_seconds(60);
        vec![
            chain.append(RecordKind::Opening, Sequence(0), Sequence(0), time, vec![9]),
            chain.append(RecordKind::Market, Sequence(1), Sequence(3), time, vec![1, 2, 3]),
            chain.append(RecordKind::Command, Sequence(4), Sequence(4), time, vec![4]),
            chain.append(RecordKind::Outputs, Sequence(1), Sequence(4), time, vec![5]),
            chain.append(RecordKind::Market, Sequence(5), Sequence(9), time, vec![6]),
        ]
    }

    fn follow(records: &[Record]) -> Result<Chain, ChainBreak> {
        let mut chain = Chain::start(ShardId(1));
        records.iter().try_for_each(|record| chain.follow(record))?;
        Ok(chain)
    }

    #[test]
    fn what_was_appended_holds_together() {
        let records = journal();
        let chain = follow(&records).expect("the chain holds");
        assert_eq!((chain.number(), chain.sequence()), (RecordNumber(5), Sequence(9)));
        assert_eq!(chain.checksum(), records[4].checksum);
    }

    #[test]
    fn a_missing_record_is_found() {
        let mut records = journal();
        records.remove(2);
        assert!(matches!(
            follow(&records),
            Err(ChainBreak::Gap { expected: RecordNumber(3), found: RecordNumber(4), .. })
        ));
    }

    #[test]
    fn swapped_records_are_found() {
        let mut records = journal();
        records.swap(1, 2);
        assert!(matches!(follow(&records), Err(ChainBreak::Gap { .. })));
        (records[1].number, records[2].number) = (RecordNumber(2), RecordNumber(3));
        assert!(matches!(follow(&records), Err(ChainBreak::Checksum { number: RecordNumber(2), .. })));
    }

    #[test]
    fn an_edit_of_any_field_is_found() {
        let edits: [fn(&mut Record); 7] = [
            |record| record.payload = Some(vec![1, 2, 4]),
            |record| record.payload_hash.0[0] ^= 1,
            |record| record.time = Timestamp::from_seconds(61),
            |record| record.last = Sequence(4),
            |record| record.kind = RecordKind::Outputs,
            |record| record.encoding += 1,
            |record| record.checksum.0[31] ^= 1,
        ];
        for (which, edit) in edits.into_iter().enumerate() {
            let mut records = journal();
            edit(&mut records[1]);
            assert!(follow(&records).is_err(), "edit {which}");
        }
    }

    #[test]
    fn a_dropped_payload_leaves_the_chain_whole() {
        let mut records = journal();
        records[1].payload = None;
        assert!(follow(&records).is_ok());
    }

    #[test]
    fn a_record_that_begins_at_the_wrong_input_is_found_though_its_checksum_is_right() {
        let mut chain = Chain::start(ShardId(1));
        let time = Timestamp::EPOCH;
        let first = chain.append(RecordKind::Market, Sequence(1), Sequence(3), time, vec![]);
        let again = chain.append(RecordKind::Market, Sequence(3), Sequence(5), time, vec![]);
        assert!(matches!(
            follow(&[first, again]),
            Err(ChainBreak::Sequence { expected: Sequence(4), found: Sequence(3), .. })
        ));
    }

    #[test]
    fn the_chain_of_another_shard_is_not_followed() {
        let records = journal();
        assert!(matches!(Chain::start(ShardId(2)).follow(&records[0]), Err(ChainBreak::Shard { .. })));
    }
}
