//! What a snapshot of a shard holds.

use bulkhead_core::engine::{Configured, EngineSnapshot};
use bulkhead_core::venue::outside::OutsideVenue;
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

/// As encodings had it that knew less of an engine.
#[derive(Deserialize)]
struct EarlierSnapshot<C, O> {
    engine: EngineSnapshot<C, O, ()>,
    feed_inputs: u64,
}

impl ShardSnapshot {
    /// Reads a snapshot in any encoding.
    ///
    /// # Errors
    ///
    /// As [`decode`].
    pub fn decode(encoding: i16, payload: &[u8]) -> Result<Self, PayloadError> {
        match encoding {
            1 => {
                let EarlierSnapshot::<(), ()> { engine, feed_inputs } = decode(encoding, payload)?;
                Ok(Self { engine: engine.completed().on_paper(), feed_inputs })
            }
            2 => {
                let EarlierSnapshot::<Configured, ()> { engine, feed_inputs } = decode(encoding, payload)?;
                Ok(Self { engine: engine.on_paper(), feed_inputs })
            }
            3 => {
                let EarlierSnapshot::<Configured, Option<OutsideVenue>> { engine, feed_inputs } =
                    decode(encoding, payload)?;
                Ok(Self { engine: engine.unreconciled(), feed_inputs })
            }
            _ => decode(encoding, payload),
        }
    }
}
