//! The journal of a shard: numbered records, each with a checksum over itself and the checksum before it, so
//! that a record that is missing, moved or edited is found.

mod chain;
mod first_encoding;
mod market;
mod payload;
mod record;

pub use chain::{Chain, ChainBreak, hash_of};
pub use market::{decode_market, encode_market};
pub use payload::{
    ENCODING, NumberedOutput, Opening, PayloadError, decode, decode_commands, decode_opening, encode,
};
pub use record::{Checksum, Record, RecordKind, RecordNumber, Sequence, ShardId};
