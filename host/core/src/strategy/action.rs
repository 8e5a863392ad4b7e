//! What a strategy proposes. Nothing here has been checked: a value may be NaN, negative or enormous until
//! [`Action::validate`] has passed it.

use serde::{Deserialize, Serialize};

use crate::identifier::{InstrumentId, OrderTag};
use crate::strategy::FaultKind;
use crate::time::Span;

/// How many profit tiers a plan may have.
pub const MAX_TAKE_PROFITS: usize = 8;

/// A proposal, how sure the strategy is, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// What to do.
    pub proposal: Proposal,
    /// 0 to 1.
    pub confidence: f64,
    /// For people.
    pub reason: String,
}

/// What a strategy may ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum Proposal {
    /// Place an order.
    Submit(Submit),
    /// Cancel the working order with this tag.
    Cancel(OrderTag),
    /// Replace a position's exit plan.
    ChangeExits {
        /// Whose position.
        instrument: InstrumentId,
        /// The new plan.
        plan: ExitPlan,
    },
}

/// An order as proposed.
#[derive(Debug, Clone, PartialEq)]
pub struct Submit {
    /// The strategy's own number for the order, 1 or more.
    pub tag: OrderTag,
    /// What to trade.
    pub instrument: InstrumentId,
    /// What to achieve.
    pub intent: Intent,
    /// At what price.
    pub kind: OrderKind,
    /// The position's exit plan; the operator's default when absent.
    pub exits: Option<ExitPlan>,
}

/// What an order is to achieve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Intent {
    /// Buy.
    Buy(Amount),
    /// Sell, at most what the strategy holds.
    Sell(Amount),
    /// Trade until the position has this quantity.
    Target(f64),
    /// Sell the whole position.
    Close,
}

/// How much to trade.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// As the operator's sizing policy says.
    Standard,
    /// Units of the base asset.
    Quantity(f64),
    /// Money.
    Notional(f64),
    /// Fraction of the strategy's capital.
    CapitalShare(f64),
}

/// At what price to trade.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OrderKind {
    /// At the venue's price.
    Market,
    /// At this price or better.
    Limit(f64),
}

/// Orders that the host keeps for a position. All levels are fractions of the average entry price.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExitPlan {
    /// Sell all when the price falls this far below the entry.
    pub stop_loss: Option<f64>,
    /// Once the price was this far above the entry, the stop moves up to the entry.
    pub breakeven: Option<f64>,
    /// Sell all when the price falls this far below its highest since entry.
    pub trailing: Option<f64>,
    /// Partial sales, by rising gain.
    pub take_profits: Vec<TakeProfit>,
    /// Sell all when the position is this old.
    pub max_holding: Option<Span>,
}

/// A profit tier.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TakeProfit {
    /// How far above the entry the price must be.
    pub gain: f64,
    /// How much of the quantity first bought to sell.
    pub share: f64,
}

impl ExitPlan {
    /// Whether the plan holds no exit at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stop_loss.is_none()
            && self.breakeven.is_none()
            && self.trailing.is_none()
            && self.take_profits.is_empty()
            && self.max_holding.is_none()
    }

    /// Checks every level.
    ///
    /// # Errors
    ///
    /// Names the first level that is out of its range.
    pub fn validate(&self) -> Result<(), String> {
        let fraction = |name: &str, value: Option<f64>| match value {
            Some(v) if !(v > 0.0 && v < 1.0) => Err(format!("{name} is {v}; it must be above 0 and below 1")),
            _ => Ok(()),
        };
        fraction("stop-loss", self.stop_loss)?;
        fraction("trailing", self.trailing)?;
        let gain = |name: &str, v: f64| {
            if v > 0.0 && v <= 1_000.0 {
                Ok(())
            } else {
                Err(format!("{name} is {v}; it must be above 0 and at most 1000"))
            }
        };
        self.breakeven.map_or(Ok(()), |v| gain("breakeven", v))?;
        if self.take_profits.len() > MAX_TAKE_PROFITS {
            return Err(format!(
                "{} take-profits; at most {MAX_TAKE_PROFITS} are allowed",
                self.take_profits.len()
            ));
        }
        let mut total_share = 0.0;
        let mut last_gain = 0.0;
        for tier in &self.take_profits {
            gain("take-profit gain", tier.gain)?;
            if tier.gain <= last_gain {
                return Err(format!("take-profit gains must rise: {} follows {last_gain}", tier.gain));
            }
            if !(tier.share > 0.0 && tier.share <= 1.0) {
                return Err(format!("take-profit share is {}; it must be above 0 and at most 1", tier.share));
            }
            total_share += tier.share;
            last_gain = tier.gain;
        }
        // Thirds and tenths do not add up exactly in binary.
        if total_share > 1.0 + 1e-9 {
            return Err(format!("take-profit shares sum to {total_share}; at most 1 is allowed"));
        }
        if self.max_holding.is_some_and(|span| span.nanos() <= 0) {
            return Err("max-holding must be above 0".to_owned());
        }
        Ok(())
    }
}

impl Action {
    /// Checks that every number is one that the host can act on.
    ///
    /// # Errors
    ///
    /// [`FaultKind::InvalidAction`] naming the first value that is not.
    pub fn validate(&self, knows_instrument: impl Fn(InstrumentId) -> bool) -> Result<(), FaultKind> {
        let invalid = |what: String| Err(FaultKind::InvalidAction(what));
        if !(0.0..=1.0).contains(&self.confidence) {
            return invalid(format!("confidence is {}; it must be from 0 to 1", self.confidence));
        }
        let known = |instrument: InstrumentId| {
            if knows_instrument(instrument) {
                Ok(())
            } else {
                Err(FaultKind::InvalidAction(format!("{instrument} is not one that the strategy was given")))
            }
        };
        let plan_error = |what: String| FaultKind::InvalidAction(format!("exit plan: {what}"));
        match &self.proposal {
            Proposal::Cancel(_) => Ok(()),
            Proposal::ChangeExits { instrument, plan } => {
                known(*instrument)?;
                plan.validate().map_err(plan_error)
            }
            Proposal::Submit(submit) => {
                known(submit.instrument)?;
                if submit.tag.0 == 0 {
                    return invalid("order tag is 0; it must be 1 or more".to_owned());
                }
                let positive = |name: &str, v: f64| {
                    if v > 0.0 && v < f64::INFINITY {
                        Ok(())
                    } else {
                        Err(FaultKind::InvalidAction(format!("{name} is {v}; it must be above 0 and finite")))
                    }
                };
                match submit.intent {
                    Intent::Buy(amount) | Intent::Sell(amount) => match amount {
                        Amount::Standard => {}
                        Amount::Quantity(v) => positive("quantity", v)?,
                        Amount::Notional(v) => positive("notional", v)?,
                        Amount::CapitalShare(v) if v > 0.0 && v <= 1.0 => {}
                        Amount::CapitalShare(v) => {
                            return invalid(format!(
                                "capital share is {v}; it must be above 0 and at most 1"
                            ));
                        }
                    },
                    Intent::Target(v) if (0.0..f64::INFINITY).contains(&v) => {}
                    Intent::Target(v) => {
                        return invalid(format!("target is {v}; it must be 0 or more and finite"));
                    }
                    Intent::Close => {}
                }
                if let OrderKind::Limit(price) = submit.kind {
                    positive("limit price", price)?;
                }
                submit.exits.as_ref().map_or(Ok(()), |plan| plan.validate().map_err(plan_error))
            }
        }
    }
}
