//! What a snapshot of a shard holds.

use bulkhead_core::engine::EngineSnapshot;
use serde::{Deserialize, Serialize};

/// The state of a shard after a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShardSnapshot {
    /// The engine's.
    pub engine: EngineSnapshot,
    /// Inputs that came from the feed since the journal began: where a feed that can be read again goes on.
    pub feed_inputs: u64,
}
