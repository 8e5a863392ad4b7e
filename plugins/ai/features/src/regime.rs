use bulkhead_sdk::indicators::{Sma, ZScore};
use bulkhead_sdk::state;

use crate::row::{Row, log_ratio};
use crate::scale::Step;
use crate::table::Name;

/// Trend or range, quiet or turbulent.
#[state]
#[derive(Debug, Clone)]
pub(crate) struct Regime {
    way_20: Sma,
    way_60: Sma,
    squares: Sma,
    squares_5: Sma,
    products: Sma,
    last_return: Option<f64>,
    directions: Sma,
    volatility: ZScore,
}

impl Regime {
    pub(crate) fn new() -> Self {
        Self {
            way_20: Sma::new(20),
            way_60: Sma::new(60),
            squares: Sma::new(60),
            squares_5: Sma::new(60),
            products: Sma::new(60),
            last_return: None,
            directions: Sma::new(20),
            volatility: ZScore::new(240),
        }
    }

    /// Takes a bar, the returns over 5, 20 and 60 bars, and the feature `volatility_15`.
    pub(crate) fn update(
        &mut self,
        step: &Step,
        [over_5, over_20, over_60]: [Option<f64>; 3],
        volatility: Option<f64>,
        row: &mut Row,
    ) {
        if let Some(change) = step.log_return {
            self.way_20.update(change.abs());
            self.way_60.update(change.abs());
            self.squares.update(change * change);
            if let Some(last) = self.last_return.replace(change) {
                self.products.update(change * last);
            }
            self.directions.update(if change > 0.0 {
                1.0
            } else if change < 0.0 {
                -1.0
            } else {
                0.0
            });
        }
        if let Some(change) = over_5 {
            self.squares_5.update(change * change);
        }

        let efficiency = |change: Option<f64>, mean: Option<f64>, bars: f64| {
            let way = bars * mean?;
            Some((change? / way).clamp(-1.0, 1.0)).filter(|share| way > 0.0 && share.is_finite())
        };
        row.set_known(Name::Efficiency20, efficiency(over_20, self.way_20.value(), 20.0));
        row.set_known(Name::Efficiency60, efficiency(over_60, self.way_60.value(), 60.0));
        if let Some(squares) = self.squares.value().filter(|squares| *squares > 0.0) {
            let ratio = self.squares_5.value().and_then(|squares_5| log_ratio(squares_5, 5.0 * squares));
            row.set_known(Name::VarianceRatio5, ratio);
            row.set_known(Name::Autocorrelation60, self.products.value().map(|products| products / squares));
        }
        row.set_known(Name::UpShare20, self.directions.value());
        if let Some(volatility) = volatility {
            row.set_known(Name::VolatilityScore240, self.volatility.update(volatility));
        }
    }
}
