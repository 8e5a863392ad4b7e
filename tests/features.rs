//! `bulkhead features` as its users call it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs::File;
use std::path::Path;

use bulkhead_ai_features::{COUNT, Extractor, FEATURES, Name, schema};
use bulkhead_sdk::{Bar, Timestamp};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::RowAccessor as _;
use sha2::{Digest as _, Sha256};
use support::{json, output, random_bars, write_csv};

/// Where the features begin, after time, symbol, five numbers of the bar and `ready`.
const FIRST: usize = 8;

struct Line {
    time: i64,
    symbol: String,
    close: f64,
    ready: bool,
    features: Vec<f32>,
}

fn read(path: &Path) -> Vec<Line> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    reader
        .get_row_iter(None)
        .unwrap()
        .map(|row| {
            let row = row.unwrap();
            Line {
                time: row.get_long(0).unwrap(),
                symbol: row.get_string(1).unwrap().clone(),
                close: row.get_double(5).unwrap(),
                ready: row.get_bool(7).unwrap(),
                features: (FIRST..FIRST + COUNT).map(|column| row.get_float(column).unwrap()).collect(),
            }
        })
        .collect()
}

fn metadata(path: &Path) -> Vec<(String, String)> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let entries = reader.metadata().file_metadata().key_value_metadata().unwrap().clone();
    entries.into_iter().map(|entry| (entry.key, entry.value.unwrap())).collect()
}

/// What `write_csv` writes of these, as a strategy would see it.
fn strategy_bars(bars: &[[i64; 4]]) -> impl Iterator<Item = Bar> {
    (0u32..).zip(bars).map(|(minute, cents)| {
        let [open, high, low, close] = cents.map(|cents| f64::from(i32::try_from(cents).unwrap()) / 100.0);
        let open_time = Timestamp::from_seconds(1_640_995_200 + 60 * minute);
        Bar { instrument: 0, interval: 60, open_time, open, high, low, close, volume: 1_000.0 }
    })
}

#[test]
fn rows_are_those_that_a_strategy_computes() {
    let directory = tempfile::tempdir().unwrap();
    let bars = random_bars(20_000, 5);
    write_csv(&directory.path().join("X-USD.csv"), &bars);
    let arguments = ["features", "--data", "X-USD.csv", "--out", "x.parquet", "--json"];
    let result = json(directory.path(), &arguments);
    let path = directory.path().join("x.parquet");

    let mut extractor = Extractor::new();
    let lines = read(&path);
    assert_eq!(lines.len(), bars.len());
    for (bar, line) in strategy_bars(&bars).zip(&lines) {
        let row = extractor.on_bar(&bar).unwrap();
        assert_eq!(line.time, i64::from(bar.open_time.seconds) * 1_000_000_000);
        assert_eq!((line.symbol.as_str(), line.close.to_bits()), ("X-USD", bar.close.to_bits()));
        assert_eq!(line.ready, extractor.is_ready(0));
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&line.features), bits(row.values()), "at {}", line.time);
    }

    assert_eq!((result["rows"].as_u64(), result["ready"].as_u64()), (Some(20_000), Some(20_000 - 255)));
    assert_eq!(result["schema"], schema());
    assert_eq!(result["instruments"][0]["symbol"], "X-USD");
    let bytes = std::fs::read(&path).unwrap();
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(result["sha256"], digest);

    let metadata = metadata(&path);
    let value = |key: &str| &metadata.iter().find(|(name, _)| name == key).unwrap().1;
    assert_eq!(*value("bulkhead.features"), schema());
    let definitions: serde_json::Value = serde_json::from_str(value("bulkhead.definitions")).unwrap();
    assert_eq!(definitions.as_array().unwrap().len(), COUNT);
    assert_eq!(definitions[0]["name"], FEATURES[0].name);
    assert!(value("bulkhead.data").contains("X-USD"));

    // Twice the same rows are twice the same bytes.
    json(directory.path(), &arguments);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert!(!directory.path().join("x.parquet.partial").exists());
}

#[test]
fn files_are_merged_and_instruments_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    write_csv(&directory.path().join("a.csv"), &random_bars(400, 1));
    write_csv(&directory.path().join("b.csv"), &random_bars(300, 2));
    let arguments = ["features", "--data", "A=a.csv", "B=b.csv", "--out", "both.parquet"];
    let text = support::succeed(directory.path(), &arguments);
    assert!(text.contains("400") && text.contains("300") && text.contains(&schema()), "{text}");
    let lines = read(&directory.path().join("both.parquet"));
    assert!(lines.is_sorted_by_key(|line| line.time));
    assert_eq!(lines.iter().filter(|line| line.symbol == "B").count(), 300);
    let knows_market = |line: &Line| line.features[Name::MarketKnown as usize] > 0.0;
    assert!(lines[100..600].iter().all(knows_market));
    assert!(!lines[699..].iter().any(knows_market), "B has ended");
}

#[test]
fn the_simulator_has_quotes() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = |seed| ["features", "--simulate", "8h", "--seed", seed, "--out", "s.parquet", "--json"];
    let first = json(directory.path(), &arguments("1"));
    let lines = read(&directory.path().join("s.parquet"));
    assert!(lines.iter().any(|line| line.ready && line.features[Name::QuoteKnown as usize] > 0.0));
    assert_eq!(json(directory.path(), &arguments("1"))["sha256"], first["sha256"]);
    assert_ne!(json(directory.path(), &arguments("2"))["sha256"], first["sha256"]);
}

#[test]
fn what_has_no_features_is_refused_and_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let complaint = |arguments: &[&str], status: i32| {
        let output = output(directory.path(), arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{text}");
        text
    };
    std::fs::write(
        directory.path().join("hours.csv"),
        "timestamp,open,high,low,close,volume\n3600,1,1,1,1,1\n7200,1,1,1,1,1\n10800,1,1,1,1,1\n",
    )
    .unwrap();
    let hours = complaint(&["features", "--data", "H=hours.csv", "--out", "h.parquet"], 1);
    assert!(hours.contains("H: the file has bars of 1h") && hours.contains("bars of 1m"), "{hours}");
    write_csv(&directory.path().join("good.csv"), &random_bars(400, 1));
    let lost = complaint(&["features", "--data", "G=good.csv", "--out", "missing/g.parquet"], 1);
    assert!(lost.contains("missing/g.parquet can't be written"), "{lost}");
    let missing = complaint(&["features", "--data", "no.csv", "--out", "n.parquet"], 1);
    assert!(missing.contains("no.csv"), "{missing}");
    complaint(&["features", "--out", "n.parquet"], 2);
    complaint(&["features", "--data", "good.csv"], 2);
    let left: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!left.iter().any(|path| path.to_string_lossy().contains("parquet")), "{left:?}");
}
