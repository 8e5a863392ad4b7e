//! Market data that come in while they are asked for.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};

use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::Input;
use bulkhead_core::time::Timestamp;

use crate::error::FeedError;
use crate::feed::{Feed, Progress};
use crate::quality::QualityCounters;

/// What others hand in, in the order in which they do. It does not end: when there is nothing at the moment, there may be
/// something later.
#[derive(Debug)]
pub struct LiveFeed {
    inputs: Receiver<Input>,
    /// The newest that was given out. Times don't go back, whatever is handed in.
    newest: Timestamp,
    given: u64,
}

/// Where inputs are handed in. Its copies lead to the same feed.
pub type Inlet = Sender<Input>;

impl LiveFeed {
    /// A feed, and where inputs are handed in.
    #[must_use]
    pub fn new() -> (Inlet, Self) {
        let (inlet, inputs) = channel();
        (inlet, Self { inputs, newest: Timestamp::from_seconds(0), given: 0 })
    }
}

impl Feed for LiveFeed {
    fn next_batch(&mut self, out: &mut Vec<Input>, max: usize) -> Result<usize, FeedError> {
        let before = out.len();
        for mut input in self.inputs.try_iter().take(max) {
            self.newest = self.newest.max(input.time);
            input.time = self.newest;
            out.push(input);
        }
        self.given += (out.len() - before) as u64;
        Ok(out.len() - before)
    }

    fn quality(&self) -> BTreeMap<InstrumentId, QualityCounters> {
        BTreeMap::new()
    }

    fn progress(&self) -> Progress {
        Progress { done: self.given, total: None }
    }

    fn is_live(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use bulkhead_core::input::InputKind;

    use super::*;

    #[test]
    fn what_is_handed_in_comes_out_in_its_order_and_time_does_not_go_back() {
        let (inlet, mut feed) = LiveFeed::new();
        let mut out = Vec::new();
        assert_eq!(feed.next_batch(&mut out, 8).unwrap(), 0, "nothing yet, and not the end");
        for seconds in [5, 3, 9] {
            let time = Timestamp::from_seconds(seconds);
            inlet.send(Input { time, kind: InputKind::Timer }).unwrap();
        }
        assert_eq!(feed.next_batch(&mut out, 2).unwrap(), 2);
        assert_eq!(feed.next_batch(&mut out, 2).unwrap(), 1);
        let times: Vec<i64> = out.iter().map(|input| input.time.seconds()).collect();
        assert_eq!(times, [5, 5, 9]);
        assert_eq!(feed.progress(), Progress { done: 3, total: None });
        drop(inlet);
        assert_eq!(feed.next_batch(&mut out, 2).unwrap(), 0);
    }
}
