//! How much a `standard` order trades: the operator's policy, not the strategy's.

use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive as _;
use serde::{Deserialize, Serialize};

use crate::money::{Money, Overflow, Price, Quantity};

/// Trades that the Kelly fraction needs before it is used.
const KELLY_TRADES: u64 = 30;

/// The smallest part that any one scaling leaves of an order.
const SMALLEST_SCALE: f64 = 0.25;

/// The operator's sizing policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sizing {
    /// Always this quantity, unscaled.
    Quantity(Quantity),
    /// Always this value, unscaled.
    Notional(Money),
    /// A fraction of the account's equity, scaled.
    Fraction(FractionSizing),
}

/// Sizing by a fraction of equity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FractionSizing {
    /// Of the account's equity, 0 to 1.
    pub fraction: Decimal,
    /// Multiply by the action's confidence.
    pub by_confidence: bool,
    /// Shrink in proportion when the instrument's daily volatility exceeds this (0.8 means 80 % a day).
    pub reference_volatility: Option<f64>,
    /// Shrink linearly with the account's drawdown, to a quarter when it reaches this fraction.
    pub reference_drawdown: Option<f64>,
    /// Use at most this part of the Kelly fraction of the strategy's own trades, once there are 30.
    pub kelly: Option<Decimal>,
}

impl Default for FractionSizing {
    fn default() -> Self {
        Self {
            fraction: Decimal::new(2, 2),
            by_confidence: true,
            reference_volatility: Some(0.8),
            reference_drawdown: Some(0.2),
            kelly: None,
        }
    }
}

impl Default for Sizing {
    fn default() -> Self {
        Self::Fraction(FractionSizing::default())
    }
}

impl Sizing {
    /// A plain fraction of equity, unscaled.
    #[must_use]
    pub const fn plain_fraction(fraction: Decimal) -> Self {
        Self::Fraction(FractionSizing {
            fraction,
            by_confidence: false,
            reference_volatility: None,
            reference_drawdown: None,
            kelly: None,
        })
    }
}

/// What the policy looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizingFacts {
    /// The account's equity; a shadow's own.
    pub equity: Money,
    /// Last price.
    pub price: Price,
    /// The action's confidence, 0 to 1.
    pub confidence: f64,
    /// The instrument's daily volatility, when known.
    pub daily_volatility: Option<f64>,
    /// How far equity is below its highest, 0 to 1.
    pub drawdown: f64,
    /// The strategy's record so far.
    pub record: TradeRecord,
}

/// A strategy's closed trades in sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TradeRecord {
    /// Trades with a profit.
    pub wins: u64,
    /// Trades without.
    pub losses: u64,
    /// Sum of the profits.
    pub won: Money,
    /// Sum of the losses, positive.
    pub lost: Money,
    /// Losses since the last win.
    pub losses_in_row: u32,
}

impl TradeRecord {
    /// Adds a closed trade.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when a sum leaves the range of the books.
    pub fn add(&mut self, pnl: Money) -> Result<(), Overflow> {
        if pnl.is_positive() {
            self.won = self.won.plus(pnl)?;
            self.wins += 1;
            self.losses_in_row = 0;
        } else {
            self.lost = self.lost.minus(pnl)?;
            self.losses += 1;
            self.losses_in_row = self.losses_in_row.saturating_add(1);
        }
        Ok(())
    }

    /// The Kelly fraction W − (1 − W) / R (Kelly 1956), where W is the part of trades won and R the average
    /// win over the average loss; not below 0. `None` before 30 trades or without both a win and a loss.
    #[must_use]
    pub fn kelly_fraction(&self) -> Option<Decimal> {
        let trades = self.wins.checked_add(self.losses)?;
        if trades < KELLY_TRADES || self.wins == 0 || !self.lost.is_positive() {
            return None;
        }
        let wins = Decimal::from(self.wins);
        let losses = Decimal::from(self.losses);
        let win_rate = wins.checked_div(Decimal::from(trades))?;
        let ratio = self.won.0.checked_div(wins)?.checked_div(self.lost.0.checked_div(losses)?)?;
        let loss_rate = Decimal::ONE - win_rate;
        Some((win_rate - loss_rate.checked_div(ratio)?).max(Decimal::ZERO))
    }
}

impl Sizing {
    /// The quantity, not yet on the lot grid.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when an amount leaves the range of the books.
    pub fn quantity(&self, facts: &SizingFacts) -> Result<Quantity, Overflow> {
        match self {
            Self::Quantity(quantity) => Ok(*quantity),
            Self::Notional(notional) => notional.buys_at(facts.price),
            Self::Fraction(policy) => {
                facts.equity.scaled(policy.scaled_fraction(facts)?)?.buys_at(facts.price)
            }
        }
    }
}

impl FractionSizing {
    fn scaled_fraction(&self, facts: &SizingFacts) -> Result<Decimal, Overflow> {
        let mut scale = 1.0;
        if self.by_confidence {
            scale *= facts.confidence;
        }
        if let (Some(reference), Some(volatility)) = (self.reference_volatility, facts.daily_volatility)
            && volatility > reference
        {
            scale *= (reference / volatility).max(SMALLEST_SCALE);
        }
        if let Some(reference) = self.reference_drawdown {
            let depth = (facts.drawdown / reference).clamp(0.0, 1.0);
            scale *= 1.0 - depth * (1.0 - SMALLEST_SCALE);
        }
        // Six digits are more than any of the inputs is good for.
        let scale = Decimal::from_f64(scale).ok_or(Overflow)?.round_dp(6);
        let fraction = match (self.kelly, facts.record.kelly_fraction()) {
            (Some(part), Some(kelly)) => kelly.checked_mul(part).ok_or(Overflow)?.min(self.fraction),
            _ => self.fraction,
        };
        fraction.checked_mul(scale).ok_or(Overflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> SizingFacts {
        SizingFacts {
            equity: Money(Decimal::from(10_000)),
            price: Price(Decimal::from(100)),
            confidence: 1.0,
            daily_volatility: Some(0.8),
            drawdown: 0.0,
            record: TradeRecord::default(),
        }
    }

    fn standard(facts: &SizingFacts) -> String {
        Sizing::default().quantity(facts).unwrap().0.normalize().to_string()
    }

    #[test]
    fn two_percent_of_equity_by_default() {
        assert_eq!(standard(&facts()), "2");
    }

    #[test]
    fn each_scaling_shrinks() {
        assert_eq!(standard(&SizingFacts { confidence: 0.7, ..facts() }), "1.4");
        assert_eq!(standard(&SizingFacts { daily_volatility: Some(1.6), ..facts() }), "1");
        assert_eq!(standard(&SizingFacts { daily_volatility: Some(80.0), ..facts() }), "0.5");
        assert_eq!(standard(&SizingFacts { daily_volatility: Some(0.1), ..facts() }), "2");
        assert_eq!(standard(&SizingFacts { drawdown: 0.1, ..facts() }), "1.25");
        assert_eq!(standard(&SizingFacts { drawdown: 0.9, ..facts() }), "0.5");
    }

    #[test]
    fn fixed_sizes_are_not_scaled() {
        let unsure = SizingFacts { confidence: 0.1, drawdown: 0.5, ..facts() };
        let two = Quantity(Decimal::TWO);
        assert_eq!(Sizing::Quantity(two).quantity(&unsure), Ok(two));
        assert_eq!(Sizing::Notional(Money(Decimal::from(200))).quantity(&unsure), Ok(two));
    }

    #[test]
    fn kelly_needs_a_record_and_never_exceeds_the_fraction() {
        let mut record = TradeRecord::default();
        assert_eq!(record.kelly_fraction(), None);
        for trade in 0..40 {
            record.add(Money(Decimal::from(if trade % 2 == 0 { 3 } else { -2 }))).unwrap();
        }
        // W = 1/2, R = 3/2: 1/2 − 1/2 · 2/3 = 1/6.
        assert_eq!(record.kelly_fraction().unwrap().round_dp(6).to_string(), "0.166667");
        let with = |part: Decimal| {
            let sizing = Sizing::Fraction(FractionSizing {
                kelly: Some(part),
                ..match Sizing::plain_fraction(Decimal::new(2, 2)) {
                    Sizing::Fraction(policy) => policy,
                    _ => unreachable!(),
                }
            });
            sizing.quantity(&SizingFacts { record, ..facts() }).unwrap().0.round_dp(4).normalize().to_string()
        };
        assert_eq!(with(Decimal::new(1, 1)), "1.6667");
        assert_eq!(with(Decimal::ONE), "2");
    }
}
