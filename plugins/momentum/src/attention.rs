//! What people say, as far as signals tell.

use bulkhead_sdk::indicators::VolumeRatio;
use bulkhead_sdk::{Timestamp, state};

use crate::probability::{strength, surge};

/// The last signals of one instrument.
#[state]
#[derive(Debug)]
pub(crate) struct Attention {
    sentiment: Option<(Timestamp, f64)>,
    mentions: Option<(Timestamp, f64)>,
    /// A count of mentions against the ten before it.
    usual: VolumeRatio,
    /// How long a signal counts.
    seconds: u32,
}

impl Attention {
    pub(crate) fn new(seconds: u32) -> Self {
        Self { sentiment: None, mentions: None, usual: VolumeRatio::new(10), seconds }
    }

    pub(crate) fn hear_sentiment(&mut self, time: Timestamp, value: f64) {
        self.sentiment = Some((time, strength(value, 1.0)));
    }

    pub(crate) fn hear_mentions(&mut self, time: Timestamp, count: f64) {
        self.mentions = Some((time, surge(self.usual.update(count))));
    }

    /// From −1 to +1; 0 when nothing was heard lately.
    pub(crate) fn sentiment(&self, now: Timestamp) -> f64 {
        self.recent(self.sentiment, now)
    }

    /// From −1 to +1; 0 when nothing was heard lately, or too little to know what is usual.
    pub(crate) fn mentions(&self, now: Timestamp) -> f64 {
        self.recent(self.mentions, now)
    }

    fn recent(&self, heard: Option<(Timestamp, f64)>, now: Timestamp) -> f64 {
        match heard {
            Some((time, evidence)) if now <= time.plus_seconds(self.seconds) => evidence,
            _ => 0.0,
        }
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers have no rounding")]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_seconds(43_200);

    #[test]
    fn forgets_old_signals() {
        let mut attention = Attention::new(60);
        assert_eq!(attention.sentiment(NOON), 0.0);
        attention.hear_sentiment(NOON, 0.5);
        assert_eq!(attention.sentiment(NOON.plus_seconds(60)), 0.5);
        assert_eq!(attention.sentiment(NOON.plus_seconds(61)), 0.0);
    }

    #[test]
    fn bounds_what_it_hears() {
        let mut attention = Attention::new(60);
        attention.hear_sentiment(NOON, -70.0);
        assert_eq!(attention.sentiment(NOON), -1.0);
        attention.hear_sentiment(NOON, f64::NAN);
        assert_eq!(attention.sentiment(NOON), 0.0);
    }

    #[test]
    fn measures_mentions_against_the_ten_before() {
        let mut attention = Attention::new(60);
        for _ in 0..10 {
            attention.hear_mentions(NOON, 50.0);
            assert_eq!(attention.mentions(NOON), 0.0);
        }
        attention.hear_mentions(NOON, 100.0);
        assert_eq!(attention.mentions(NOON), 0.5);
    }
}
