//! From an order of which nothing is out there to a signed trade, or to an end before that.

use bulkhead_core::order::Pricing;
use bulkhead_venue::{Journal, Left};

use super::Pursuit;
use crate::cluster::{Cluster, ClusterError};
use crate::jupiter::SwapError;

/// How often an order is begun anew after a transaction that could not land.
const MOST_BEGINNINGS: u32 = 3;

/// How an order ends of which nothing is out there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// It was wanted back.
    Cancelled,
    /// Its time is over.
    Expired,
    /// It can't be executed.
    Refused(String),
}

/// Why no transaction was made this time.
pub(super) enum Stop {
    /// It is for the order to end.
    End(End),
    /// It is to be tried again a little later.
    Later(String),
    /// The order stays as it is.
    Left(Left),
}

impl From<Left> for Stop {
    fn from(left: Left) -> Self {
        Self::Left(left)
    }
}

impl From<ClusterError> for Stop {
    fn from(error: ClusterError) -> Self {
        match error {
            // What one server says that makes no sense, another may say better, and the same one a little later.
            ClusterError::Unavailable(_) | ClusterError::Malformed(_) => Self::Later(error.to_string()),
            ClusterError::Refused(_) | ClusterError::Disagreement(_) => refused(error.to_string()),
        }
    }
}

impl From<SwapError> for Stop {
    fn from(error: SwapError) -> Self {
        match error {
            SwapError::Unavailable(_) => Self::Later(error.to_string()),
            SwapError::Refused(_) | SwapError::Misfit(_) => refused(error.to_string()),
        }
    }
}

pub(super) fn refused(why: impl Into<String>) -> Stop {
    Stop::End(End::Refused(why.into()))
}

impl<C: Cluster, J: Journal> Pursuit<C, J> {
    /// Tries until something is out there or the order ends without that.
    pub(super) async fn trade(&mut self) -> Result<Option<End>, Left> {
        let mut last = None;
        loop {
            if let Some(end) = self.unwanted() {
                tracing::info!(order = self.terms.id.0, ?end, why = last.as_deref(), "it is not traded");
                return Ok(Some(end));
            }
            if self.given_up >= MOST_BEGINNINGS {
                let why = self.withheld.clone().or(last).unwrap_or_else(|| "they expired".to_owned());
                return Ok(Some(End::Refused(format!("after {MOST_BEGINNINGS} transactions: {why}"))));
            }
            match self.try_trade().await {
                Ok(()) => return Ok(None),
                Err(Stop::End(end)) => return Ok(Some(end)),
                Err(Stop::Left(left)) => return Err(left),
                Err(Stop::Later(why)) => {
                    tracing::debug!(order = self.terms.id.0, why, "not yet");
                    last = Some(why);
                    let settings = &self.desk.settings;
                    let pause = match self.terms.pricing {
                        // It may wait for days, and the aggregator is asked by others too.
                        Pricing::Limit(_) => settings.poll.max(settings.quote_pause),
                        Pricing::Market => settings.poll,
                    };
                    self.pause(pause).await;
                }
            }
        }
    }

    /// How it ends that nobody wants any more, or not at this time.
    fn unwanted(&self) -> Option<End> {
        if self.cancel_wanted() {
            return Some(End::Cancelled);
        }
        self.timed_out().then_some(End::Expired)
    }

    pub(super) fn must_be_wanted(&self) -> Result<(), Stop> {
        self.unwanted().map_or(Ok(()), |end| Err(Stop::End(end)))
    }

    async fn try_trade(&mut self) -> Result<(), Stop> {
        let desk = self.desk.clone();
        let _turn = desk.turn.lock().await;
        // Those before it may have taken long.
        self.must_be_wanted()?;
        let prepared = self.prepare().await?;
        self.check_balances(&prepared).await?;
        if prepared.quoted.elapsed() > desk.settings.quote_lasts {
            return Err(Stop::Later("the quote was too old when all was checked".to_owned()));
        }
        self.must_be_wanted()?;
        self.sign_and_send(prepared).await
    }
}
