//! How often it thought of buying and did not, so that an operator who sees no order sees why.

use bulkhead_sdk::{Timestamp, log};

const DAY_SECONDS: u32 = 86_400;

/// What came of looking since it bought last.
#[derive(Debug, Default)]
pub(crate) struct Hesitation {
    considered: u32,
    highest: f64,
    /// Days since 1970.
    told_on: u32,
}

impl Hesitation {
    /// Takes a confidence that was too low, and tells once a day how it stands.
    pub(crate) fn hold_back(&mut self, now: Timestamp, confidence: f64, threshold: f64) {
        self.considered = self.considered.saturating_add(1);
        self.highest = self.highest.max(confidence);
        let today = now.seconds / DAY_SECONDS;
        if self.told_on == 0 {
            self.told_on = today;
        }
        if self.told_on != today {
            self.told_on = today;
            let Self { considered, highest, .. } = self;
            log::info!(
                "considered buying {considered} times in a row without doing so: the highest confidence was {highest:.2}, \
                 it buys from {threshold:.2} on (parameter threshold)"
            );
        }
    }

    /// It bought.
    pub(crate) fn end(&mut self) {
        (self.considered, self.highest) = (0, 0.0);
    }
}
