//! One record of the journal.

use std::fmt;

use bulkhead_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A shard: an account with its engine and its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct ShardId(pub u32);

impl fmt::Display for ShardId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "shard {}", self.0)
    }
}

/// A record's place in its shard's journal, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct RecordNumber(pub u64);

impl fmt::Display for RecordNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "record {}", self.0)
    }
}

/// An input's place among the inputs of its shard, from 1. The opening record has sequence 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Sequence(pub u64);

impl fmt::Display for Sequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sequence {}", self.0)
    }
}

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Checksum(pub [u8; 32]);

impl fmt::Display for Checksum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// What a record holds. The numbers are part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// What the shard began with: always the first record, and only that.
    Opening,
    /// Inputs from the market and of time. The payload may be dropped when its retention is over.
    Market,
    /// An input by a person or a program. Kept for ever.
    Command,
    /// What followed from the inputs before it. Kept for ever.
    Outputs,
}

impl RecordKind {
    /// The number that stands for it in a database.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::Opening => 0,
            Self::Market => 1,
            Self::Command => 2,
            Self::Outputs => 3,
        }
    }

    /// The kind of this number, if there is one.
    #[must_use]
    pub const fn of(number: i16) -> Option<Self> {
        match number {
            0 => Some(Self::Opening),
            1 => Some(Self::Market),
            2 => Some(Self::Command),
            3 => Some(Self::Outputs),
            _ => None,
        }
    }

    /// The stable name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Market => "market",
            Self::Command => "command",
            Self::Outputs => "outputs",
        }
    }
}

/// One record, as it is in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Whose journal.
    pub shard: ShardId,
    /// Where in it.
    pub number: RecordNumber,
    /// What it holds.
    pub kind: RecordKind,
    /// The first input that it holds, or whose outputs it holds.
    pub first: Sequence,
    /// The last such input.
    pub last: Sequence,
    /// Event time of the first input.
    pub time: Timestamp,
    /// How the payload is written; see [`super::encode`].
    pub encoding: i16,
    /// The content. `None` once it was dropped because its retention is over.
    pub payload: Option<Vec<u8>>,
    /// SHA-256 of the payload, which stays when the payload goes.
    pub payload_hash: Checksum,
    /// SHA-256 over everything above but the payload, and the checksum of the record before.
    pub checksum: Checksum,
}
