use bulkhead_sdk::indicators::{SessionVwap, Sma, VolumeRatio, Vwap, ZScore};
use bulkhead_sdk::state;

use crate::row::{Row, log_ratio};
use crate::scale::Step;
use crate::table::Name;

const DAY_SECONDS: u32 = 86_400;

/// How much is traded, and where.
#[state]
#[derive(Debug, Clone)]
pub(crate) struct Volume {
    ratio: VolumeRatio,
    mean_5: Sma,
    mean_15: Sma,
    mean_20: Sma,
    mean_60: Sma,
    mean_240: Sma,
    score: ZScore,
    signed_20: Sma,
    signed_60: Sma,
    flow_20: Sma,
    vwap: Vwap,
    day_vwap: SessionVwap,
    moves_15: Sma,
    moves_240: Sma,
}

impl Volume {
    pub(crate) fn new() -> Self {
        Self {
            ratio: VolumeRatio::new(20),
            mean_5: Sma::new(5),
            mean_15: Sma::new(15),
            mean_20: Sma::new(20),
            mean_60: Sma::new(60),
            mean_240: Sma::new(240),
            score: ZScore::new(60),
            signed_20: Sma::new(20),
            signed_60: Sma::new(60),
            flow_20: Sma::new(20),
            vwap: Vwap::new(60),
            day_vwap: SessionVwap::new(DAY_SECONDS),
            moves_15: Sma::new(15),
            moves_240: Sma::new(240),
        }
    }

    pub(crate) fn update(&mut self, step: &Step, row: &mut Row) {
        self.take(step);
        let is_known = self.mean_60.value().is_some_and(|volume| volume > 0.0);
        row.set_flag(Name::VolumeKnown, is_known);
        if !is_known {
            return;
        }
        let ratio = |value: &Sma, to: &Sma| log_ratio(value.value()?, to.value()?);
        row.set_known(Name::VolumeRatio20, self.ratio.value().and_then(|ratio| log_ratio(ratio, 1.0)));
        row.set_known(Name::VolumeChange5, ratio(&self.mean_5, &self.mean_60));
        row.set_known(Name::VolumeChange60, ratio(&self.mean_60, &self.mean_240));
        row.set_known(Name::VolumeScore60, self.score.value());

        let share = |part: &Sma, whole: &Sma| {
            let whole = whole.value().filter(|whole| *whole > 0.0)?;
            Some((part.value()? / whole).clamp(-1.0, 1.0))
        };
        row.set_known(Name::SignedVolume20, share(&self.signed_20, &self.mean_20));
        row.set_known(Name::SignedVolume60, share(&self.signed_60, &self.mean_60));
        row.set_known(Name::MoneyFlow20, share(&self.flow_20, &self.mean_20));

        let distance = |price: Option<f64>| price.and_then(|price| log_ratio(step.close, price));
        row.set_known(Name::VwapDistance60, step.in_usual(distance(self.vwap.value()), 60.0));
        row.set_known(Name::DayVwapDistance, step.in_usual(distance(self.day_vwap.value()), 240.0));

        let moves = ratio(&self.moves_15, &self.moves_240);
        let volumes = ratio(&self.mean_15, &self.mean_240);
        row.set_known(Name::Illiquidity15, moves.zip(volumes).map(|(moves, volumes)| moves - volumes));
    }

    fn take(&mut self, step: &Step) {
        let volume = step.volume;
        self.ratio.update(volume);
        for mean in
            [&mut self.mean_5, &mut self.mean_15, &mut self.mean_20, &mut self.mean_60, &mut self.mean_240]
        {
            mean.update(volume);
        }
        self.score.update(volume);
        let direction = match step.log_return {
            Some(change) if change > 0.0 => 1.0,
            Some(change) if change < 0.0 => -1.0,
            _ => 0.0,
        };
        self.signed_20.update(direction * volume);
        self.signed_60.update(direction * volume);
        let place = step.range().map_or(0.0, |range| (2.0 * step.close - step.high - step.low) / range);
        self.flow_20.update(place * volume);
        self.vwap.update(step.typical, volume);
        self.day_vwap.update(step.open_time, step.typical, volume);
        if let Some(change) = step.log_return {
            self.moves_15.update(change.abs());
            self.moves_240.update(change.abs());
        }
    }
}
