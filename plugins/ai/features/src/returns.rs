use bulkhead_sdk::indicators::{Highest, Lowest};
use bulkhead_sdk::state;

use crate::ring::Ring;
use crate::row::Row;
use crate::scale::Step;
use crate::table::Name;

const HORIZONS: [(Name, u32); 9] = [
    (Name::Return1, 1),
    (Name::Return3, 3),
    (Name::Return5, 5),
    (Name::Return10, 10),
    (Name::Return15, 15),
    (Name::Return30, 30),
    (Name::Return60, 60),
    (Name::Return120, 120),
    (Name::Return240, 240),
];

/// Returns over horizons, and the distance to extremes.
#[state]
#[derive(Debug, Clone)]
pub(crate) struct Returns {
    log_closes: Ring,
    hour: Extremes,
    four_hours: Extremes,
}

#[state]
#[derive(Debug, Clone)]
struct Extremes {
    bars: u32,
    highest: Highest,
    lowest: Lowest,
}

impl Extremes {
    fn new(bars: u32) -> Self {
        Self { bars, highest: Highest::new(bars), lowest: Lowest::new(bars) }
    }

    fn update(&mut self, step: &Step, below: Name, above: Name, row: &mut Row) {
        let distance = |extreme: Option<f64>| {
            step.in_usual(extreme.map(|extreme| libm::log(step.close / extreme)), f64::from(self.bars))
        };
        row.set_known(below, distance(self.highest.update(step.high)));
        row.set_known(above, distance(self.lowest.update(step.low)));
    }
}

impl Returns {
    pub(crate) fn new() -> Self {
        Self { log_closes: Ring::new(241), hour: Extremes::new(60), four_hours: Extremes::new(240) }
    }

    pub(crate) fn update(&mut self, step: &Step, row: &mut Row) {
        self.log_closes.push(libm::log(step.close));
        for (name, bars) in HORIZONS {
            row.set_known(name, step.in_usual(self.log_closes.change(bars), f64::from(bars)));
        }
        self.hour.update(step, Name::BelowHigh60, Name::AboveLow60, row);
        self.four_hours.update(step, Name::BelowHigh240, Name::AboveLow240, row);
    }

    /// The logarithmic return over at most 240 bars.
    pub(crate) fn over(&self, bars: u32) -> Option<f64> {
        self.log_closes.change(bars)
    }
}
