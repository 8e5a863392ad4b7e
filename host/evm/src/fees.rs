//! What a transaction may cost: the two numbers of EIP-1559, within the operator's cap.

/// Wei in a gwei.
const GWEI: u128 = 1_000_000_000;

/// A replacement must offer so much more than what it replaces, in percent. Nodes ask for 10.
const REPLACEMENT_RISE: u128 = 15;

/// What is offered for each unit of gas, in wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GasPrice {
    /// The most that is paid, `maxFeePerGas`.
    pub most: u128,
    /// What the block's maker gets of it, `maxPriorityFeePerGas`.
    pub tip: u128,
}

/// The operator's bounds, in wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeLimits {
    /// Never more than this.
    pub most: u128,
    /// The least tip that is offered, whatever the chain suggests.
    pub least_tip: u128,
}

impl Default for FeeLimits {
    /// 50 gwei, and a tip of 0.01.
    fn default() -> Self {
        Self { most: 50 * GWEI, least_tip: GWEI / 100 }
    }
}

/// Gas is dearer than the operator allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("gas costs {asked} wei at the moment, and at most {most} may be paid; wait, or raise max_fee_gwei")]
pub struct TooDear {
    /// What would have to be paid.
    pub asked: u128,
    /// The cap.
    pub most: u128,
}

impl GasPrice {
    /// What to offer at this base fee: twice the base fee, which holds for six full blocks, and the tip; capped.
    ///
    /// # Errors
    ///
    /// [`TooDear`] when not even the next block could be paid for.
    pub fn at(base_fee: u128, suggested_tip: u128, limits: &FeeLimits) -> Result<Self, TooDear> {
        let tip = suggested_tip.max(limits.least_tip);
        let least = base_fee.saturating_add(tip);
        if least > limits.most {
            return Err(TooDear { asked: least, most: limits.most });
        }
        let most = base_fee.saturating_mul(2).saturating_add(tip).min(limits.most);
        Ok(Self { most, tip: tip.min(most) })
    }

    /// What to offer in the place of this: enough for nodes to take the replacement, and for today's base fee.
    ///
    /// # Errors
    ///
    /// [`TooDear`] when that is above the cap; what was sent then stays as it is.
    pub fn replaced(self, base_fee: u128, suggested_tip: u128, limits: &FeeLimits) -> Result<Self, TooDear> {
        let risen = |value: u128| value.saturating_mul(100 + REPLACEMENT_RISE).div_ceil(100).max(value + 1);
        let tip = risen(self.tip).max(suggested_tip);
        let most = risen(self.most).max(base_fee.saturating_add(tip));
        if most > limits.most {
            return Err(TooDear { asked: most, most: limits.most });
        }
        Ok(Self { most: most.max(tip), tip })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: FeeLimits = FeeLimits { most: 50 * GWEI, least_tip: GWEI };

    #[test]
    fn twice_the_base_fee_and_the_tip_within_the_cap() {
        let price = GasPrice::at(10 * GWEI, 2 * GWEI, &LIMITS).unwrap();
        assert_eq!(price, GasPrice { most: 22 * GWEI, tip: 2 * GWEI });
        let capped = GasPrice::at(40 * GWEI, 2 * GWEI, &LIMITS).unwrap();
        assert_eq!(capped, GasPrice { most: 50 * GWEI, tip: 2 * GWEI });
    }

    #[test]
    fn a_spike_above_the_cap_is_not_paid() {
        let dear = GasPrice::at(500 * GWEI, GWEI, &LIMITS).unwrap_err();
        assert_eq!(dear, TooDear { asked: 501 * GWEI, most: 50 * GWEI });
    }

    #[test]
    fn a_replacement_offers_more_of_both() {
        let first = GasPrice { most: 22 * GWEI, tip: GWEI };
        let second = first.replaced(10 * GWEI, GWEI, &LIMITS).unwrap();
        assert!(second.most * 100 >= first.most * 110 && second.tip * 100 >= first.tip * 110, "{second:?}");
        let top = GasPrice { most: 50 * GWEI, tip: GWEI };
        assert!(top.replaced(10 * GWEI, GWEI, &LIMITS).is_err());
    }

    #[test]
    fn a_chain_that_suggests_next_to_nothing_gets_the_least_tip() {
        assert_eq!(GasPrice::at(7, 1, &LIMITS).unwrap().tip, GWEI);
    }
}
