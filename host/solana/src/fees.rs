//! What a transaction costs: five thousand lamports for the signature, and what is offered for being taken sooner.

use crate::amounts::share_up;

/// Millionths of a lamport in a lamport: prices are in those.
const MICRO: u64 = 1_000_000;

/// The operator's bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeLimits {
    /// The most that is offered for being taken sooner, in lamports.
    pub most_priority: u64,
    /// What is offered is what so many percent of others paid no more than, 0 to 100.
    pub percentile: u8,
    /// The least price of a unit, in millionths of a lamport, whatever others pay.
    pub least_price: u64,
    /// What a trial's computation is raised by, in percent.
    pub unit_margin_percent: u32,
}

impl Default for FeeLimits {
    /// A thousandth of a SOL, the price that three quarters of others don't exceed, and a fifth more than was computed.
    fn default() -> Self {
        Self { most_priority: 1_000_000, percentile: 75, least_price: 1_000, unit_margin_percent: 20 }
    }
}

impl FeeLimits {
    /// The price of a unit, in millionths of a lamport, by what others paid lately: within the cap, if so many units are
    /// computed.
    #[must_use]
    pub fn price(&self, paid: &[u64], units: u32) -> u64 {
        let mut paid = paid.to_vec();
        paid.sort_unstable();
        let rank = paid.len().saturating_mul(usize::from(self.percentile.min(100))).div_ceil(100).max(1);
        let usual = paid.get(rank - 1).copied().unwrap_or_default().max(self.least_price);
        let most = u128::from(self.most_priority) * u128::from(MICRO) / u128::from(units.max(1));
        usual.min(u64::try_from(most).unwrap_or(u64::MAX))
    }

    /// How much a transaction may compute whose trial computed this.
    #[must_use]
    pub fn units(&self, tried: u64) -> u32 {
        let raised = tried.saturating_mul(100 + u64::from(self.unit_margin_percent)) / 100;
        u32::try_from(raised).unwrap_or(u32::MAX).clamp(1, crate::programs::MOST_UNITS)
    }
}

/// What is paid for being taken sooner, in lamports.
#[must_use]
pub fn priority_fee(units: u32, price: u64) -> u64 {
    share_up(u64::from(units), price, MICRO)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: FeeLimits =
        FeeLimits { most_priority: 1_000, percentile: 75, least_price: 10, unit_margin_percent: 20 };

    #[test]
    fn the_price_is_that_of_most_others_within_the_cap() {
        assert_eq!(LIMITS.price(&[100, 400, 200, 300], 1_000), 300);
        assert_eq!(LIMITS.price(&[], 1_000), 10);
        assert_eq!(LIMITS.price(&[0, 0, 0, 0], 1_000), 10);
        // A thousand lamports over a hundred thousand units.
        assert_eq!(LIMITS.price(&[1_000_000], 100_000), 10_000);
        assert_eq!(priority_fee(100_000, 10_000), 1_000);
    }

    #[test]
    fn no_percentile_is_out_of_range() {
        for percentile in [0, 1, 100, 255] {
            let limits = FeeLimits { percentile, ..LIMITS };
            let price = limits.price(&[1_000, 2_000], 1_000);
            assert!([1_000, 2_000].contains(&price), "{percentile}: {price}");
        }
    }

    #[test]
    fn a_part_of_a_lamport_costs_a_whole_one() {
        assert_eq!(priority_fee(1, 1), 1);
        assert_eq!(LIMITS.units(1_000), 1_200);
        assert_eq!(LIMITS.units(u64::MAX), 1_400_000);
    }
}
