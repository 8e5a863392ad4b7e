use std::collections::VecDeque;

use alloy_primitives::hex;

use super::{Transport, TransportError};

/// Answers with what was recorded, and only to the very bytes that it was recorded for.
pub(crate) struct Recorded(pub(crate) VecDeque<Exchange>);

/// A command, and what came back.
pub(crate) type Exchange = (Vec<u8>, Result<Vec<u8>, TransportError>);

impl Transport for Recorded {
    fn exchange(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let (expected, answer) = self.0.pop_front().expect("nothing more was recorded");
        assert_eq!(hex::encode(command), hex::encode(expected));
        answer
    }
}
