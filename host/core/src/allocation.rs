//! Capital by weight. Each strategy's target is its weight times the account's equity; free cash moves
//! through the pool from those above their target to those below. Nobody is forced to sell: a strategy
//! whose positions exceed its target gives what cash it has, and can't open more.

use rust_decimal::{Decimal, RoundingStrategy};

use crate::identifier::StrategyId;
use crate::money::{Money, Overflow};

/// One strategy as the allocation sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Whose.
    pub strategy: StrategyId,
    /// Its share of the account's equity, 0 to 1.
    pub weight: Decimal,
    /// Cash plus positions.
    pub equity: Money,
    /// Cash that may be taken away.
    pub free: Money,
}

/// Money to move from the pool to a strategy; negative for the other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// To or from whom.
    pub strategy: StrategyId,
    /// How much.
    pub amount: Money,
}

/// Transfers are whole cents.
const SCALE: u32 = 2;

/// The transfers that bring every strategy as near to its target as free cash allows: first those that
/// give, then those that get. When there is less than the getters need, each gets the same part of its
/// need.
///
/// # Errors
///
/// [`Overflow`] when an amount leaves the range of the books.
pub fn rebalance(equity: Money, pool: Money, claims: &[Claim]) -> Result<Vec<Transfer>, Overflow> {
    let mut transfers = Vec::new();
    let mut available = pool;
    let mut needs = Vec::new();
    let mut total_need = Money::ZERO;
    for claim in claims {
        let gap = equity.scaled(claim.weight)?.minus(claim.equity)?;
        if gap.is_negative() {
            let given = cents(gap.scaled(Decimal::NEGATIVE_ONE)?.min(claim.free));
            if given.is_positive() {
                available = available.plus(given)?;
                transfers.push(Transfer { strategy: claim.strategy, amount: Money(-given.0) });
            }
        } else if gap.is_positive() {
            total_need = total_need.plus(gap)?;
            needs.push((claim.strategy, gap));
        }
    }
    let mut left = available;
    for (strategy, need) in needs {
        let part = if total_need <= available {
            need
        } else {
            let ratio = need.0.checked_div(total_need.0).ok_or(Overflow)?;
            available.scaled(ratio)?
        };
        // The parts are rounded, so the last may be more than is left.
        let amount = cents(part.min(left));
        left = left.minus(amount)?;
        if amount.is_positive() {
            transfers.push(Transfer { strategy, amount });
        }
    }
    Ok(transfers)
}

fn cents(amount: Money) -> Money {
    Money(amount.0.round_dp_with_strategy(SCALE, RoundingStrategy::ToZero))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(strategy: u32, percent: i64, equity: i64, free: i64) -> Claim {
        Claim {
            strategy: StrategyId(strategy),
            weight: Decimal::new(percent, 2),
            equity: Money(Decimal::from(equity)),
            free: Money(Decimal::from(free)),
        }
    }

    fn amounts(transfers: &[Transfer]) -> Vec<(u32, String)> {
        transfers.iter().map(|t| (t.strategy.0, t.amount.0.normalize().to_string())).collect()
    }

    #[test]
    fn fresh_money_is_split_by_weight() {
        let claims = [claim(0, 50, 0, 0), claim(1, 25, 0, 0), claim(2, 25, 0, 0)];
        let thousand = Money(Decimal::from(1_000));
        let transfers = rebalance(thousand, thousand, &claims).unwrap();
        assert_eq!(amounts(&transfers), [(0, "500".into()), (1, "250".into()), (2, "250".into())]);
    }

    #[test]
    fn a_winner_gives_only_free_cash() {
        // The winner holds 1400 of a total of 2000 but has only 100 of it free.
        let claims = [claim(0, 50, 1_400, 100), claim(1, 50, 600, 600)];
        let transfers = rebalance(Money(Decimal::from(2_000)), Money::ZERO, &claims).unwrap();
        assert_eq!(amounts(&transfers), [(0, "-100".into()), (1, "100".into())]);
    }

    #[test]
    fn a_shortage_is_shared() {
        let claims = [claim(0, 30, 0, 0), claim(1, 60, 0, 0), claim(2, 10, 900, 0)];
        let transfers = rebalance(Money(Decimal::from(1_000)), Money(Decimal::from(100)), &claims).unwrap();
        assert_eq!(amounts(&transfers), [(0, "33.33".into()), (1, "66.66".into())]);
    }

    #[test]
    fn nothing_moves_when_all_are_at_their_target() {
        let claims = [claim(0, 50, 500, 500), claim(1, 50, 500, 0)];
        assert!(rebalance(Money(Decimal::from(1_000)), Money::ZERO, &claims).unwrap().is_empty());
    }
}
