use std::collections::BTreeMap;

use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::Input;

use crate::error::FeedError;
use crate::feed::{Feed, Progress};
use crate::quality::QualityCounters;

/// Inputs fetched from a feed at a time.
const BATCH: usize = 1_024;

/// Several feeds as one. Inputs come in the order of time; at equal times those of the feed that stands first
/// in the list come first, so put the feeds in the order of their instruments.
pub struct MergedFeed {
    sources: Vec<SourceFeed>,
}

struct SourceFeed {
    feed: Box<dyn Feed + Send>,
    /// What was fetched and not handed out, the next one last.
    waiting: Vec<Input>,
    ended: bool,
}

impl SourceFeed {
    fn fetch(&mut self) -> Result<(), FeedError> {
        if self.waiting.is_empty() && !self.ended {
            self.ended = self.feed.next_batch(&mut self.waiting, BATCH)? == 0;
            self.waiting.reverse();
        }
        Ok(())
    }
}

impl MergedFeed {
    /// Merges these feeds.
    #[must_use]
    pub fn new(feeds: Vec<Box<dyn Feed + Send>>) -> Self {
        let sources = feeds.into_iter().map(|feed| SourceFeed { feed, waiting: Vec::new(), ended: false });
        Self { sources: sources.collect() }
    }

    /// Which feed has the next input, and the rank (time, place) before which it may hand out more.
    fn next_source(&self) -> Option<(usize, Option<(i64, usize)>)> {
        let mut best: Option<(i64, usize)> = None;
        let mut second = None;
        for (place, source) in self.sources.iter().enumerate() {
            let Some(input) = source.waiting.last() else { continue };
            let rank = Some((input.time.nanos(), place));
            if best.is_none() || rank < best {
                second = best;
                best = rank;
            } else if second.is_none() || rank < second {
                second = rank;
            }
        }
        best.map(|(_, place)| (place, second))
    }
}

impl Feed for MergedFeed {
    fn next_batch(&mut self, out: &mut Vec<Input>, max: usize) -> Result<usize, FeedError> {
        if let [only] = self.sources.as_mut_slice() {
            return only.feed.next_batch(out, max);
        }
        let mut count = 0;
        for source in &mut self.sources {
            source.fetch()?;
        }
        while count < max
            && let Some((place, limit)) = self.next_source()
            && let Some(source) = self.sources.get_mut(place)
        {
            while count < max
                && let Some(input) = source
                    .waiting
                    .pop_if(|input| limit.is_none_or(|limit| (input.time.nanos(), place) < limit))
            {
                out.push(input);
                count += 1;
            }
            source.fetch()?;
        }
        Ok(count)
    }

    fn quality(&self) -> BTreeMap<InstrumentId, QualityCounters> {
        let mut all = BTreeMap::<_, QualityCounters>::new();
        for (instrument, counters) in self.sources.iter().flat_map(|source| source.feed.quality()) {
            all.entry(instrument).or_default().add(&counters);
        }
        all
    }

    /// The sum over the feeds, which should therefore count in the same unit.
    fn progress(&self) -> Progress {
        let all = self.sources.iter().map(|source| source.feed.progress());
        all.reduce(Progress::and).unwrap_or(Progress { done: 0, total: Some(0) })
    }
}

#[cfg(test)]
mod tests {
    use bulkhead_core::identifier::SignalId;
    use bulkhead_core::input::InputKind;
    use bulkhead_core::market::Signal;
    use bulkhead_core::time::Timestamp;
    use proptest::prelude::*;

    use super::*;

    /// Hands out signals at given seconds, numbered in their order.
    struct Scripted {
        instrument: InstrumentId,
        seconds: Vec<i64>,
        done: usize,
    }

    impl Feed for Scripted {
        fn next_batch(&mut self, out: &mut Vec<Input>, max: usize) -> Result<usize, FeedError> {
            let batch = self.seconds.iter().enumerate().skip(self.done).take(max);
            let before = out.len();
            out.extend(batch.map(|(number, second)| signal(self.instrument, *second, number)));
            self.done += out.len() - before;
            Ok(out.len() - before)
        }

        fn quality(&self) -> BTreeMap<InstrumentId, QualityCounters> {
            let rows = self.done as u64;
            BTreeMap::from([(self.instrument, QualityCounters { rows, ..QualityCounters::default() })])
        }

        fn progress(&self) -> Progress {
            Progress { done: self.done as u64, total: Some(self.seconds.len() as u64) }
        }
    }

    fn signal(instrument: InstrumentId, second: i64, number: usize) -> Input {
        let time = Timestamp::from_seconds(second);
        let value = f64::from(u32::try_from(number).unwrap());
        Input { time, kind: InputKind::Signal(Signal { instrument, id: SignalId(0), time, value }) }
    }

    fn merged(lists: &[Vec<i64>]) -> MergedFeed {
        let feed = |(id, seconds): (u32, &Vec<i64>)| {
            let instrument = InstrumentId(id);
            Box::new(Scripted { instrument, seconds: seconds.clone(), done: 0 }) as Box<dyn Feed + Send>
        };
        MergedFeed::new((0..).zip(lists).map(feed).collect())
    }

    /// The plain way: all inputs in the order of the feeds, stably sorted by time.
    fn sorted(lists: &[Vec<i64>]) -> Vec<Input> {
        let mut all = Vec::new();
        for (id, seconds) in (0..).zip(lists) {
            all.extend(
                seconds.iter().enumerate().map(|(number, second)| signal(InstrumentId(id), *second, number)),
            );
        }
        all.sort_by_key(|input| input.time);
        all
    }

    proptest! {
        #[test]
        fn merging_is_a_stable_sort(
            lists in proptest::collection::vec(proptest::collection::vec(0_i64..30, 0..3_000), 0..5),
            max in 1_usize..2_000,
        ) {
            let lists: Vec<Vec<i64>> = lists.into_iter().map(|mut list| { list.sort_unstable(); list }).collect();
            let mut feed = merged(&lists);
            let mut out = Vec::new();
            loop {
                let before = out.len();
                let count = feed.next_batch(&mut out, max).unwrap();
                prop_assert!(count <= max && out.len() == before + count);
                if count == 0 {
                    break;
                }
            }
            prop_assert!(out == sorted(&lists));
            let progress = feed.progress();
            prop_assert_eq!(Some(progress.done), progress.total);
            prop_assert_eq!(progress.fraction(), Some(1.0));
        }
    }

    #[test]
    fn quality_of_an_instrument_with_two_feeds_adds_up() {
        let script = |seconds: Vec<i64>| Scripted { instrument: InstrumentId(7), seconds, done: 0 };
        let mut feed = MergedFeed::new(vec![Box::new(script(vec![1, 2])), Box::new(script(vec![3]))]);
        feed.next_batch(&mut Vec::new(), 10).unwrap();
        assert_eq!(feed.quality()[&InstrumentId(7)].rows, 3);
    }
}
