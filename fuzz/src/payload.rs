use std::borrow::Cow;

use bulkhead_store::journal::{ENCODING, decode, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes that a fuzzer made: how they are written, and the rest.
#[derive(Clone, Copy)]
pub(crate) struct Written<'a> {
    encoding: i16,
    bytes: &'a [u8],
}

impl<'a> Written<'a> {
    /// The first byte says the encoding: 0 means that the rest is not compressed yet, as no fuzzer gets past
    /// the compressor's checks; any other is the encoding's number.
    pub(crate) fn from(bytes: &'a [u8]) -> Option<Self> {
        let (encoding, bytes) = bytes.split_first()?;
        Some(Self { encoding: i16::from(encoding.cast_signed()), bytes })
    }

    /// The encoding and the payload as it would be in the database.
    pub(crate) fn payload(self) -> (i16, Cow<'a, [u8]>) {
        if self.encoding == 0 {
            let payload = zstd::bulk::compress(self.bytes, 1).expect("any bytes can be compressed");
            (ENCODING, Cow::Owned(payload))
        } else {
            (self.encoding, Cow::Borrowed(self.bytes))
        }
    }

    /// What they decode to, if anything. That must decode to the same when it is written again.
    pub(crate) fn decoded<T: Serialize + DeserializeOwned>(self) -> Option<T> {
        let (encoding, payload) = self.payload();
        let content: T = decode(encoding, &payload).ok()?;
        let written = encode(&content).expect("what was read can be written");
        let again: T = decode(ENCODING, &written).expect("what was written can be read");
        check_same(&content, &again);
        Some(content)
    }
}

/// Compares what is written of them, as NaN differs from itself.
pub(crate) fn check_same(first: &impl Serialize, second: &impl Serialize) {
    assert!(plain(first) == plain(second), "it is not the same when it is read again");
}

fn plain(content: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(content).expect("it can be written")
}
