//! What a snapshot of a shard holds.

use bulkhead_core::engine::EngineSnapshot;
use bulkhead_store::journal::{PayloadError, decode};
use serde::{Deserialize, Serialize};

/// The state of a shard after a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShardSnapshot {
    /// The engine's.
    pub engine: EngineSnapshot,
    /// Inputs that came from the feed since the journal began: where a feed that can be read again goes on.
    pub feed_inputs: u64,
}

/// As the first encoding has it.
#[derive(Deserialize)]
struct FirstShardSnapshot {
    engine: EngineSnapshot<()>,
    feed_inputs: u64,
}

impl ShardSnapshot {
    /// Reads a snapshot in any encoding.
    ///
    /// # Errors
    ///
    /// As [`decode`].
    pub fn decode(encoding: i16, payload: &[u8]) -> Result<Self, PayloadError> {
        if encoding == 1 {
            let FirstShardSnapshot { engine, feed_inputs } = decode(encoding, payload)?;
            return Ok(Self { engine: engine.completed(), feed_inputs });
        }
        decode(encoding, payload)
    }
}
