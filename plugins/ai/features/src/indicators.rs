use bulkhead_sdk::indicators::{Bollinger, Ema, Highest, Lowest, Macd, Rsi, ZScore};
use bulkhead_sdk::state;

use crate::row::{Row, log_ratio};
use crate::scale::Step;
use crate::table::Name;
use crate::volatility::REFERENCE;

/// What the width of Bollinger's bands is compared with, as a fraction of their middle.
const BAND_WIDTH: f64 = 0.004;

/// Averages, bands and oscillators.
#[state]
#[derive(Debug, Clone)]
pub(crate) struct Indicators {
    rsi_7: Rsi,
    rsi_14: Rsi,
    rsi_60: Rsi,
    macd: Macd,
    bollinger: Bollinger,
    score: ZScore,
    ema_10: Ema,
    ema_30: Ema,
    ema_120: Ema,
    highest_14: Highest,
    lowest_14: Lowest,
    highest_20: Highest,
    lowest_20: Lowest,
}

impl Indicators {
    pub(crate) fn new() -> Self {
        Self {
            rsi_7: Rsi::new(7),
            rsi_14: Rsi::new(14),
            rsi_60: Rsi::new(60),
            macd: Macd::new(12, 26, 9),
            bollinger: Bollinger::new(20, 2.0),
            score: ZScore::new(60),
            ema_10: Ema::new(10),
            ema_30: Ema::new(30),
            ema_120: Ema::new(120),
            highest_14: Highest::new(14),
            lowest_14: Lowest::new(14),
            highest_20: Highest::new(20),
            lowest_20: Lowest::new(20),
        }
    }

    pub(crate) fn update(&mut self, step: &Step, row: &mut Row) {
        let close = step.close;
        let centred = |index: Option<f64>| index.map(|index| index / 50.0 - 1.0);
        row.set_known(Name::Rsi7, centred(self.rsi_7.update(close)));
        row.set_known(Name::Rsi14, centred(self.rsi_14.update(close)));
        row.set_known(Name::Rsi60, centred(self.rsi_60.update(close)));

        let lines = self.macd.update(close);
        row.set_known(Name::MacdLine, step.in_atr(lines.map(|lines| lines.macd)));
        row.set_known(Name::MacdHistogram, step.in_atr(lines.map(|lines| lines.histogram)));
        row.set_known(Name::AtrRatio, step.atr.and_then(|atr| log_ratio(atr / close, REFERENCE)));

        let bands = self.bollinger.update(close);
        let place = bands.and_then(|bands| bands.percent_b(close));
        row.set_known(Name::BollingerPosition20, place.map(|place| 2.0 * place - 1.0));
        let width = bands.and_then(|bands| bands.bandwidth());
        row.set_known(Name::BollingerWidth20, width.and_then(|width| log_ratio(width, BAND_WIDTH)));
        row.set_known(Name::PriceScore60, self.score.update(close));

        let [short, middle, long] =
            [&mut self.ema_10, &mut self.ema_30, &mut self.ema_120].map(|ema| ema.update(close));
        let above = |value: Option<f64>, other: Option<f64>| step.in_atr(Some(value? - other?));
        row.set_known(Name::EmaDistance10, above(Some(close), short));
        row.set_known(Name::EmaDistance30, above(Some(close), middle));
        row.set_known(Name::EmaDistance120, above(Some(close), long));
        row.set_known(Name::EmaCross10, above(short, middle));
        row.set_known(Name::EmaCross30, above(middle, long));

        if let (Some(high), Some(low)) = (self.highest_14.update(step.high), self.lowest_14.update(step.low))
            && high > low
        {
            row.set(Name::Stochastic14, 2.0 * (close - low) / (high - low) - 1.0);
        }
        row.set_known(Name::Breakout20, above(Some(close), self.highest_20.value()));
        row.set_known(Name::Breakdown20, above(Some(close), self.lowest_20.value()));
        self.highest_20.update(step.high);
        self.lowest_20.update(step.low);
    }
}
