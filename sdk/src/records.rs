//! Additions to the contract's records: arithmetic on time, prices derived from quotes, exit plans.

use std::fmt;

use crate::{Action, Bar, ExitPlan, Intent, Proposal, Quote, Submit, TakeProfit, Timestamp};

impl Timestamp {
    /// A moment at a whole second since 1970, UTC.
    #[must_use]
    pub const fn from_seconds(seconds: u32) -> Self {
        Self { seconds, nanos: 0 }
    }

    /// This many seconds later; stops at the end of the range, in the year 2106.
    #[must_use]
    pub const fn plus_seconds(self, seconds: u32) -> Self {
        Self { seconds: self.seconds.saturating_add(seconds), nanos: self.nanos }
    }

    /// Seconds from `earlier` to here; negative when `earlier` is later.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        let whole = f64::from(self.seconds) - f64::from(earlier.seconds);
        whole + (f64::from(self.nanos) - f64::from(earlier.nanos)) * 1e-9
    }
}

impl fmt::Display for Timestamp {
    /// Seconds since 1970 with nine decimals.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{:09}", self.seconds, self.nanos)
    }
}

impl Bar {
    /// The moment from which the bar is known.
    #[must_use]
    pub const fn close_time(&self) -> Timestamp {
        self.open_time.plus_seconds(self.interval)
    }

    /// Mean of high, low and close.
    #[must_use]
    pub fn typical_price(&self) -> f64 {
        (self.high + self.low + self.close) / 3.0
    }
}

impl Quote {
    /// Halfway between bid and ask.
    #[must_use]
    pub const fn middle(&self) -> f64 {
        f64::midpoint(self.bid, self.ask)
    }

    /// Distance of ask and bid as a fraction of their middle.
    #[must_use]
    pub fn relative_spread(&self) -> f64 {
        (self.ask - self.bid) / self.middle()
    }
}

/// Building a plan; every level is a fraction of the average entry price.
///
/// ```
/// use bulkhead_sdk::ExitPlan;
/// let plan = ExitPlan::none().stop_loss(0.02).trailing(0.03).take_profit(0.05, 0.5).max_holding_seconds(3_600);
/// ```
impl ExitPlan {
    /// A plan with no exit.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            stop_loss: None,
            breakeven: None,
            trailing: None,
            take_profits: Vec::new(),
            max_holding_seconds: None,
        }
    }

    /// Sell all when the price falls this far below the entry.
    #[must_use]
    pub const fn stop_loss(mut self, fall: f64) -> Self {
        self.stop_loss = Some(fall);
        self
    }

    /// Once the price was this far above the entry, the stop moves up to the entry.
    #[must_use]
    pub const fn breakeven(mut self, gain: f64) -> Self {
        self.breakeven = Some(gain);
        self
    }

    /// Sell all when the price falls this far below its highest since entry.
    #[must_use]
    pub const fn trailing(mut self, fall: f64) -> Self {
        self.trailing = Some(fall);
        self
    }

    /// Sell `share` of what was first bought once the price is `gain` above the entry. Add tiers by rising
    /// gain.
    #[must_use]
    pub fn take_profit(mut self, gain: f64, share: f64) -> Self {
        self.take_profits.push(TakeProfit { gain, share });
        self
    }

    /// Sell all when the position is this old.
    #[must_use]
    pub const fn max_holding_seconds(mut self, seconds: u32) -> Self {
        self.max_holding_seconds = Some(seconds);
        self
    }
}

impl Action {
    /// The order that the action proposes.
    #[must_use]
    pub const fn submit(&self) -> Option<&Submit> {
        if let Proposal::Submit(submit) = &self.proposal { Some(submit) } else { None }
    }

    /// Whether it proposes to buy.
    #[must_use]
    pub fn is_buy(&self) -> bool {
        self.submit().is_some_and(|submit| matches!(submit.intent, Intent::Buy(_)))
    }

    /// Whether it proposes to sell a part.
    #[must_use]
    pub fn is_sell(&self) -> bool {
        self.submit().is_some_and(|submit| matches!(submit.intent, Intent::Sell(_)))
    }

    /// Whether it proposes to sell the whole position.
    #[must_use]
    pub fn is_close(&self) -> bool {
        self.submit().is_some_and(|submit| submit.intent == Intent::Close)
    }
}
