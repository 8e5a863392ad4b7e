//! Transactions that were read lately, so that they are not asked for again: two wallets may be in one, and what came after
//! one that can't be read yet waits. All entries live equally long, so the oldest is also the first to expire.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use solana_signature::Signature;
use tokio::time::Instant;

use crate::rpc::history::Parsed;

/// A transaction in a block. The same one may be in another block of another branch, and end otherwise there.
pub(super) type Key = (Signature, u64);

/// What was read.
#[derive(Debug)]
pub(super) struct TransactionCache {
    entries: BTreeMap<Key, Arc<Parsed>>,
    ages: VecDeque<(Instant, Key)>,
    lasts: Duration,
    most: usize,
}

impl TransactionCache {
    pub(super) const fn new(lasts: Duration, most: usize) -> Self {
        Self { entries: BTreeMap::new(), ages: VecDeque::new(), lasts, most }
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Parsed>> {
        self.entries.get(key).cloned()
    }

    /// Forgets what is too old.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((read, key)) = self.ages.front().copied()
            && now.saturating_duration_since(read) >= self.lasts
        {
            self.ages.pop_front();
            self.entries.remove(&key);
        }
    }

    pub(super) fn put(&mut self, key: Key, parsed: Arc<Parsed>, now: Instant) {
        if self.most == 0 || self.entries.insert(key, parsed).is_some() {
            return;
        }
        self.ages.push_back((now, key));
        while self.ages.len() > self.most
            && let Some((_, oldest)) = self.ages.pop_front()
        {
            self.entries.remove(&oldest);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settlement::Moved;

    fn parsed(slot: u64) -> Arc<Parsed> {
        let moved = Moved {
            slot,
            error: None,
            fee: 0,
            keys: Vec::new(),
            lamports_before: Vec::new(),
            lamports_after: Vec::new(),
            tokens_before: Vec::new(),
            tokens_after: Vec::new(),
            logs: Vec::new(),
        };
        Arc::new(Parsed { moved, time: None, decimals: BTreeMap::new() })
    }

    fn key(number: u8, slot: u64) -> Key {
        (Signature::from([number; 64]), slot)
    }

    #[test]
    fn an_entry_is_of_one_block() {
        let mut cache = TransactionCache::new(Duration::from_secs(600), 10);
        cache.put(key(1, 7), parsed(7), Instant::now());
        assert!(cache.get(&key(1, 7)).is_some() && cache.get(&key(1, 8)).is_none());
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut cache = TransactionCache::new(Duration::from_secs(600), 2);
        for number in 1..=3 {
            cache.put(key(number, 7), parsed(7), Instant::now());
            cache.put(key(number, 7), parsed(7), Instant::now());
        }
        let there: Vec<bool> = (1..=3).map(|number| cache.get(&key(number, 7)).is_some()).collect();
        assert_eq!((there, cache.len()), (vec![false, true, true], 2));
    }

    #[test]
    fn an_entry_lasts_its_time() {
        let start = Instant::now();
        let mut cache = TransactionCache::new(Duration::from_secs(600), 10);
        cache.put(key(1, 7), parsed(7), start);
        cache.put(key(2, 7), parsed(7), start + Duration::from_secs(1));
        cache.expire(start + Duration::from_secs(599));
        assert_eq!(cache.len(), 2);
        cache.expire(start + Duration::from_secs(600));
        assert!(cache.get(&key(1, 7)).is_none() && cache.get(&key(2, 7)).is_some());
    }
}
