//! The indicators against values that TA-Lib and pandas computed; `vectors/generate.py` made them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use bulkhead_sdk::indicators::{
    Atr, Bollinger, Ema, Highest, Lowest, Macd, RateOfChange, RealisedVolatility, Rsi, Sma, VolumeRatio,
    Vwap, ZScore,
};

/// One column of the vectors; `None` where the cell is empty.
fn column(name: &str) -> Vec<Option<f64>> {
    let mut lines = include_str!("vectors/indicators.csv").lines().filter(|line| !line.starts_with('#'));
    let header = lines.next().unwrap();
    let place = header.split(',').position(|cell| cell == name).unwrap_or_else(|| panic!("no column {name}"));
    let cell = |line: &str| line.split(',').nth(place).unwrap().to_owned();
    lines.map(cell).map(|cell| (!cell.is_empty()).then(|| cell.parse().unwrap())).collect()
}

fn series(name: &str) -> Vec<f64> {
    let series: Vec<f64> = column(name).into_iter().flatten().collect();
    assert_eq!(series.len(), 320);
    series
}

fn closes() -> Vec<f64> {
    series("close")
}

/// Both must be known on the same rows, and agree to `tolerance`, relative to 1 or to the size of the value.
fn compare(name: &str, tolerance: f64, ours: impl IntoIterator<Item = Option<f64>>) {
    let ours: Vec<_> = ours.into_iter().collect();
    let reference = column(name);
    assert_eq!(ours.len(), reference.len());
    assert!(reference.iter().flatten().count() > 200, "{name} tests next to nothing");
    for (row, (ours, reference)) in ours.into_iter().zip(reference).enumerate() {
        let agree = match (ours, reference) {
            (Some(ours), Some(reference)) => (ours - reference).abs() <= tolerance * reference.abs().max(1.0),
            (None, None) => true,
            _ => false,
        };
        assert!(agree, "{name}, row {row}: {ours:?} here, {reference:?} in the reference");
    }
}

#[test]
fn sma_agrees_with_ta_lib() {
    for period in [10, 30] {
        let mut sma = Sma::new(period);
        compare(&format!("sma_{period}"), 1e-13, closes().into_iter().map(|close| sma.update(close)));
    }
}

#[test]
fn ema_agrees_with_ta_lib() {
    for period in [10, 50] {
        let mut ema = Ema::new(period);
        compare(&format!("ema_{period}"), 1e-13, closes().into_iter().map(|close| ema.update(close)));
    }
}

#[test]
fn rsi_agrees_with_ta_lib() {
    for period in [2, 14] {
        let mut rsi = Rsi::new(period);
        compare(&format!("rsi_{period}"), 1e-12, closes().into_iter().map(|close| rsi.update(close)));
    }
}

#[test]
fn macd_agrees_with_ta_lib() {
    let mut macd = Macd::new(12, 26, 9);
    let lines: Vec<_> = closes().into_iter().map(|close| macd.update(close)).collect();
    compare("macd", 1e-12, lines.iter().map(|lines| lines.map(|lines| lines.macd)));
    compare("macd_signal", 1e-12, lines.iter().map(|lines| lines.map(|lines| lines.signal)));
    compare("macd_histogram", 1e-12, lines.iter().map(|lines| lines.map(|lines| lines.histogram)));
}

#[test]
fn atr_agrees_with_ta_lib() {
    let mut atr = Atr::new(14);
    let bars = series("high").into_iter().zip(series("low")).zip(closes());
    compare("atr_14", 1e-13, bars.map(|((high, low), close)| atr.update(high, low, close)));
}

#[test]
fn bollinger_agrees_with_ta_lib_and_pandas() {
    let mut bollinger = Bollinger::new(20, 2.0);
    let bands: Vec<_> = closes().into_iter().map(|close| bollinger.update(close)).collect();
    compare("bollinger_lower", 1e-12, bands.iter().map(|bands| bands.map(|bands| bands.lower)));
    compare("bollinger_middle", 1e-13, bands.iter().map(|bands| bands.map(|bands| bands.middle)));
    compare("bollinger_upper", 1e-12, bands.iter().map(|bands| bands.map(|bands| bands.upper)));
    compare("bollinger_upper_pandas", 1e-13, bands.iter().map(|bands| bands.map(|bands| bands.upper)));
}

#[test]
fn highest_and_lowest_agree_with_ta_lib() {
    let (mut highest, mut lowest) = (Highest::new(20), Lowest::new(20));
    compare("highest_20", 0.0, series("high").into_iter().map(|high| highest.update(high)));
    compare("lowest_20", 0.0, series("low").into_iter().map(|low| lowest.update(low)));
}

#[test]
fn rate_of_change_agrees_with_ta_lib() {
    let mut change = RateOfChange::new(10);
    compare("rate_of_change_10", 1e-15, closes().into_iter().map(|close| change.update(close)));
}

#[test]
fn realised_volatility_agrees_with_pandas() {
    let mut volatility = RealisedVolatility::new(20);
    compare("realised_volatility_20", 1e-14, closes().into_iter().map(|close| volatility.update(close)));
}

#[test]
fn z_score_agrees_with_pandas() {
    let mut score = ZScore::new(20);
    compare("z_score_20", 1e-12, closes().into_iter().map(|close| score.update(close)));
}

#[test]
fn vwap_agrees_with_pandas() {
    let mut vwap = Vwap::new(20);
    let typical = series("high").into_iter().zip(series("low")).zip(closes());
    let typical = typical.map(|((high, low), close)| (high + low + close) / 3.0);
    compare(
        "vwap_20",
        1e-13,
        typical.zip(series("volume")).map(|(price, volume)| vwap.update(price, volume)),
    );
}

#[test]
fn volume_ratio_agrees_with_pandas() {
    let mut ratio = VolumeRatio::new(20);
    compare("volume_ratio_20", 1e-13, series("volume").into_iter().map(|volume| ratio.update(volume)));
}
