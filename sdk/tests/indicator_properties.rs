//! The indicators against the plainest computation of the same formula, on series that try to break them.
#![expect(clippy::unwrap_used, clippy::float_cmp, reason = "a test may fail; equal prices are the very same")]

use std::fmt::Debug;

use bulkhead_sdk::indicators::{
    Atr, Bollinger, Ema, Highest, Lowest, Macd, RateOfChange, RealisedVolatility, Rsi, SessionVwap, Sma,
    VolumeRatio, Vwap, ZScore,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Prices from dust to fortunes, many of them equal to their neighbours.
fn prices() -> impl Strategy<Value = Vec<f64>> {
    let price = prop_oneof![
        4 => (1_u32..6).prop_map(f64::from),
        4 => 0.5..200.0,
        1 => 1e-6..1e6,
    ];
    vec((price, 1_usize..12), 1..30).prop_map(|runs| {
        runs.into_iter().flat_map(|(price, count)| std::iter::repeat_n(price, count)).collect()
    })
}

/// The windows that end at each value; `None` until the first is full.
fn windows(values: &[f64], period: u32) -> impl Iterator<Item = Option<&[f64]>> {
    let period = period as usize;
    (1..=values.len()).map(move |end| end.checked_sub(period).map(|start| &values[start..end]))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| value.abs().max(largest))
}

/// Equal within `tolerance`, and known at the same time.
fn assert_close(ours: Option<f64>, naive: Option<f64>, tolerance: f64) -> Result<(), TestCaseError> {
    let close = match (ours, naive) {
        (Some(ours), Some(naive)) => (ours - naive).abs() <= tolerance,
        (None, None) => true,
        _ => false,
    };
    prop_assert!(close, "{ours:?} here, {naive:?} plainly computed");
    Ok(())
}

proptest! {
    #[test]
    fn averages_and_deviations(values in prices(), period in 1_u32..25) {
        let (mut sma, mut bollinger, mut score) = (Sma::new(period), Bollinger::new(period, 2.0), ZScore::new(period));
        for (value, window) in values.iter().zip(windows(&values, period)) {
            let scale = window.map_or(0.0, largest);
            assert_close(sma.update(*value), window.map(mean), 1e-14 * scale)?;
            let bands = bollinger.update(*value);
            assert_close(bands.map(|bands| bands.upper - bands.lower), window.map(|w| 4.0 * deviation(w)), 1e-13 * scale)?;
            let score = score.update(*value);
            let constant = window.is_some_and(|window| window.iter().all(|other| other == value));
            if constant {
                prop_assert_eq!(score, Some(0.0));
                prop_assert_eq!(bands.map(|bands| bands.upper.to_bits()), Some(value.to_bits()));
            } else {
                let naive = window.map(|window| (value - mean(window)) / deviation(window));
                let tolerance = window.map_or(0.0, |window| 1e-13 * scale / deviation(window) * f64::from(period));
                assert_close(score, naive, tolerance)?;
            }
        }
    }

    #[test]
    fn extremes(values in prices(), period in 1_u32..25) {
        let (mut highest, mut lowest) = (Highest::new(period), Lowest::new(period));
        for (value, window) in values.iter().zip(windows(&values, period)) {
            prop_assert_eq!(highest.update(*value), window.map(|window| window.iter().copied().fold(f64::MIN, f64::max)));
            prop_assert_eq!(lowest.update(*value), window.map(|window| window.iter().copied().fold(f64::MAX, f64::min)));
        }
    }

    #[test]
    fn changes_and_volatility(values in prices(), period in 1_u32..25) {
        let (mut change, mut volatility) = (RateOfChange::new(period), RealisedVolatility::new(period));
        for (value, window) in values.iter().zip(windows(&values, period + 1)) {
            assert_close(change.update(*value), window.map(|window| value / window[0] - 1.0), 1e-14 * value / values.iter().copied().fold(f64::MAX, f64::min))?;
            let squares = window.map(|window| window.windows(2).map(|pair| libm::log(pair[1] / pair[0]).powi(2)).sum::<f64>());
            assert_close(volatility.update(*value), squares.map(f64::sqrt), 1e-13)?;
        }
    }

    #[test]
    fn exponential_average(values in prices(), period in 1_u32..25) {
        let mut ema = Ema::new(period);
        let seed = period as usize;
        for (value, end) in values.iter().zip(1..) {
            let naive = (end >= seed).then(|| {
                let factor = 2.0 / (f64::from(period) + 1.0);
                values[seed..end].iter().fold(mean(&values[..seed]), |average, value| factor * value + (1.0 - factor) * average)
            });
            assert_close(ema.update(*value), naive, 1e-13 * largest(&values))?;
        }
    }

    #[test]
    fn strength_and_range_stay_in_their_bounds(values in prices(), period in 1_u32..25) {
        let (mut rsi, mut atr) = (Rsi::new(period), Atr::new(period));
        for value in &values {
            prop_assert!(rsi.update(*value).is_none_or(|rsi| (0.0..=100.0).contains(&rsi)));
            prop_assert!(atr.update(value * 1.01, value * 0.99, *value).is_none_or(|range| range >= 0.0));
        }
    }

    #[test]
    fn volumes(values in prices(), period in 1_u32..25, silent in 0_usize..30, length in 0_usize..60) {
        let mut volumes: Vec<f64> = values.iter().rev().copied().collect();
        volumes.iter_mut().skip(silent).take(length).for_each(|volume| *volume = 0.0);
        let (mut vwap, mut ratio) = (Vwap::new(period), VolumeRatio::new(period));
        for (row, (price_window, volume_window)) in windows(&values, period).zip(windows(&volumes, period)).enumerate() {
            let naive = price_window.zip(volume_window).and_then(|(prices, volumes)| {
                let volume: f64 = volumes.iter().sum();
                let turnover: f64 = prices.iter().zip(volumes).map(|(price, volume)| price * volume).sum();
                (volume > 0.0).then(|| turnover / volume)
            });
            assert_close(vwap.update(values[row], volumes[row]), naive, 1e-13 * price_window.map_or(0.0, largest))?;
            let before = row.checked_sub(period as usize).map(|start| mean(&volumes[start..row]));
            let naive = before.filter(|usual| *usual > 0.0).map(|usual| volumes[row] / usual);
            assert_close(ratio.update(volumes[row]), naive, 1e-13 * naive.unwrap_or(0.0))?;
        }
    }

    #[test]
    fn unusable_values_change_nothing(values in prices(), period in 1_u32..25) {
        let unusable = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN];
        let mut disturbed = Set::new(period);
        let mut quiet = Set::new(period);
        for value in values {
            quiet.update(value);
            disturbed.update(value);
            unusable.iter().for_each(|value| disturbed.update(*value));
        }
        prop_assert_eq!(disturbed, quiet);
    }

    #[test]
    fn a_restored_indicator_goes_on_with_the_same_bits(values in prices(), period in 1_u32..25, cut in 0_usize..100) {
        let mut straight = Set::new(period);
        let mut restored = Set::new(period);
        for (row, value) in values.iter().enumerate() {
            if row == cut {
                restored = through_bytes(&restored);
            }
            straight.update(*value);
            restored.update(*value);
            prop_assert_eq!(bytes(&straight), bytes(&restored));
        }
    }
}

/// Every indicator at once.
#[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize)]
struct Set {
    sma: Sma,
    ema: Ema,
    rsi: Rsi,
    macd: Macd,
    atr: Atr,
    bollinger: Bollinger,
    highest: Highest,
    lowest: Lowest,
    rate_of_change: RateOfChange,
    realised_volatility: RealisedVolatility,
    z_score: ZScore,
    vwap: Vwap,
    session_vwap: SessionVwap,
    volume_ratio: VolumeRatio,
}

impl Set {
    fn new(period: u32) -> Self {
        Self {
            sma: Sma::new(period),
            ema: Ema::new(period),
            rsi: Rsi::new(period),
            macd: Macd::new(period, period + 4, 3),
            atr: Atr::new(period),
            bollinger: Bollinger::new(period, 2.0),
            highest: Highest::new(period),
            lowest: Lowest::new(period),
            rate_of_change: RateOfChange::new(period),
            realised_volatility: RealisedVolatility::new(period),
            z_score: ZScore::new(period),
            vwap: Vwap::new(period),
            session_vwap: SessionVwap::new(60),
            volume_ratio: VolumeRatio::new(period),
        }
    }

    fn update(&mut self, value: f64) {
        self.sma.update(value);
        self.ema.update(value);
        self.rsi.update(value);
        self.macd.update(value);
        self.atr.update(value + 1.0, value - 1.0, value);
        self.bollinger.update(value);
        self.highest.update(value);
        self.lowest.update(value);
        self.rate_of_change.update(value);
        self.realised_volatility.update(value);
        self.z_score.update(value);
        self.vwap.update(value, value);
        self.session_vwap.update(7, value, value);
        self.volume_ratio.update(value);
    }

    /// All present results, as bits.
    fn results(&self) -> Vec<u64> {
        let lines = self.macd.value().map(|lines| [lines.macd, lines.signal, lines.histogram]);
        let bands = self.bollinger.value().map(|bands| [bands.lower, bands.middle, bands.upper]);
        let single = [
            self.sma.value(),
            self.ema.value(),
            self.rsi.value(),
            self.atr.value(),
            self.highest.value(),
            self.lowest.value(),
            self.rate_of_change.value(),
            self.realised_volatility.value(),
            self.realised_volatility.over(1),
            self.z_score.value(),
            self.vwap.value(),
            self.session_vwap.value(),
            self.volume_ratio.value(),
        ];
        let single = single.into_iter().flatten();
        single
            .chain(lines.into_iter().flatten())
            .chain(bands.into_iter().flatten())
            .map(f64::to_bits)
            .collect()
    }
}

fn bytes<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_allocvec(value).unwrap()
}

fn through_bytes<T: Serialize + DeserializeOwned + Debug>(value: &T) -> T {
    postcard::from_bytes(&bytes(value)).unwrap()
}

/// Numbers from 0 to 1 of a fixed sequence (a linear congruential generator with Knuth's constants).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / 2f64.powi(53)
    }
}

#[test]
fn a_million_updates_leave_no_drift() {
    const UPDATES: usize = 1_000_000;
    const PERIOD: u32 = 50;
    let mut numbers = Numbers(1);
    // The level swings over nine orders of magnitude, which ruins a running sum in plain `f64`.
    let values: Vec<f64> = (0..UPDATES)
        .map(|step| 10f64.powi(i32::try_from(step / 1_000 % 10).unwrap() - 3) * (1.0 + numbers.next()))
        .collect();
    let (mut sma, mut score) = (Sma::new(PERIOD), ZScore::new(PERIOD));
    let (mut volatility, mut vwap) = (RealisedVolatility::new(PERIOD), Vwap::new(PERIOD));
    let mut plain = 0.0;
    let mut worst_plain: f64 = 0.0;
    for (row, value) in values.iter().enumerate() {
        let volume = values[UPDATES - 1 - row];
        let ours = [
            sma.update(*value),
            vwap.update(*value, volume),
            volatility.update(*value),
            score.update(*value),
        ];
        plain += value;
        let Some(start) = (row + 1).checked_sub(PERIOD as usize) else { continue };
        let window = &values[start..=row];
        if row % 997 == 0 && start > 0 {
            let volumes: Vec<f64> = (start..=row).map(|row| values[UPDATES - 1 - row]).collect();
            let turnover: f64 = window.iter().zip(&volumes).map(|(price, volume)| price * volume).sum();
            let squares: f64 = values[start - 1..=row]
                .windows(2)
                .map(|pair| (libm::log(pair[1]) - libm::log(pair[0])).powi(2))
                .sum();
            let direct = [
                mean(window),
                turnover / volumes.iter().sum::<f64>(),
                squares.sqrt(),
                (value - mean(window)) / deviation(window),
            ];
            for (ours, direct) in ours.into_iter().zip(direct) {
                let error = (ours.unwrap() - direct).abs() / direct.abs();
                assert!(error <= 1e-12, "update {row}: {ours:?} against {direct}, error {error:e}");
            }
            worst_plain = worst_plain.max((plain / f64::from(PERIOD) / mean(window) - 1.0).abs());
        }
        plain -= values[start];
    }
    assert!(worst_plain > 1e-9, "the series is too tame to show drift: {worst_plain:e}");
}

#[test]
fn the_bits_are_the_same_everywhere() {
    let mut numbers = Numbers(2);
    let mut set = Set::new(14);
    let mut price = 100.0;
    let mut digest = 0_u64;
    for _ in 0..10_000 {
        price *= 1.0 + 0.02 * (numbers.next() - 0.5);
        set.update(price);
        for bits in set.results() {
            digest = digest.rotate_left(5) ^ bits;
        }
    }
    // Computed once on x86-64; another platform or a WebAssembly build must find the same.
    assert_eq!(digest, 16_977_178_619_312_247_335);
}
