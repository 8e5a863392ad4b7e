//! The veto: no model outweighs the chance that there is nothing left to sell to.
//!
//! The shipped models have seen no such signal in training, and a model that has is right on average, which helps nobody whose
//! pool was emptied. So this is a rule, and the models' opinion does not enter it.

use bulkhead_ai_features::{Name, Row};

/// The chance that a large holder sells out or the liquidity is taken away, from 0 to 1, as if either came
/// independently of the other. 0 where no signal says anything.
pub(crate) fn of(row: &Row) -> f64 {
    let risk = |known, of| if row.get(known) > 0.5 { f64::from(row.get(of)).clamp(0.0, 1.0) } else { 0.0 };
    let holders = risk(Name::HolderRiskKnown, Name::HolderRisk);
    let liquidity = risk(Name::LiquidityRiskKnown, Name::LiquidityRisk);
    1.0 - (1.0 - holders) * (1.0 - liquidity)
}
