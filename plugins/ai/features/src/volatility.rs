use bulkhead_sdk::indicators::{Highest, Sma};
use bulkhead_sdk::state;

use crate::row::{Row, log_ratio};
use crate::scale::{Step, deviation};
use crate::table::Name;

/// What volatilities are compared with: 0.1 % a minute.
pub(crate) const REFERENCE: f64 = 0.001;

/// How much prices move, and how.
#[state]
#[derive(Debug, Clone)]
pub(crate) struct Volatility {
    quarter: Sma,
    hour: Sma,
    four_hours: Sma,
    falls: Sma,
    cubes: Sma,
    largest: Highest,
    ranges: Sma,
}

impl Volatility {
    pub(crate) fn new() -> Self {
        Self {
            quarter: Sma::new(15),
            hour: Sma::new(60),
            four_hours: Sma::new(240),
            falls: Sma::new(60),
            cubes: Sma::new(60),
            largest: Highest::new(60),
            ranges: Sma::new(60),
        }
    }

    /// Also gives the feature `volatility_15`, where it is known.
    pub(crate) fn update(&mut self, step: &Step, row: &mut Row) -> Option<f64> {
        if let Some(change) = step.log_return {
            let square = change * change;
            self.quarter.update(square);
            self.hour.update(square);
            self.four_hours.update(square);
            self.falls.update(if change < 0.0 { square } else { 0.0 });
            self.cubes.update(square * change);
            self.largest.update(change.abs());
        }
        let range = libm::log(step.high / step.low);
        self.ranges.update(range * range);

        let [quarter, hour, four_hours] =
            [&self.quarter, &self.hour, &self.four_hours].map(|squares| squares.value().map(deviation));
        let ratio = |value: Option<f64>, to: Option<f64>| log_ratio(value?, to?);
        let level = |value: Option<f64>| log_ratio(value?, REFERENCE);
        row.set_known(Name::Volatility15, level(quarter));
        row.set_known(Name::Volatility60, level(hour));
        row.set_known(Name::Volatility240, level(four_hours));
        row.set_known(Name::VolatilityChange15, ratio(quarter, hour));
        row.set_known(Name::VolatilityChange60, ratio(hour, four_hours));

        let parkinson = self.ranges.value().map(|mean| deviation(mean / (4.0 * std::f64::consts::LN_2)));
        row.set_known(Name::RangeVolatility60, ratio(parkinson, step.usual));
        if let (Some(falls), Some(all)) = (self.falls.value(), self.hour.value())
            && all > 0.0
        {
            row.set(Name::DownsideShare60, (2.0 * falls / all - 1.0).clamp(-1.0, 1.0));
        }
        if let (Some(cubes), Some(usual)) = (self.cubes.value(), step.usual) {
            row.set(Name::Skewness60, cubes / (usual * usual * usual));
        }
        row.set_known(Name::LargestMove60, step.in_usual(self.largest.value(), 1.0));
        level(quarter)
    }
}
