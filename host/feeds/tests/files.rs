//! Files from disk to inputs, through the crate's public interface.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helper functions too")]

use std::path::{Path, PathBuf};

use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::{Input, InputKind};
use bulkhead_core::market::Bar;
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_feeds::csv::{CsvFeed, CsvSettings, inspect, write_bars};
use bulkhead_feeds::merge::MergedFeed;
use bulkhead_feeds::quality::{Defect, Policy, QualityCounters, QualitySettings};
use bulkhead_feeds::simulator::{Simulator, SimulatorSettings};
use bulkhead_feeds::{Feed, FeedError};
use proptest::prelude::*;
use tempfile::TempDir;

/// A file with this content; it lives as long as the folder.
fn file(text: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x-usd.csv");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn drain(feed: &mut impl Feed, batch: usize) -> Result<Vec<Input>, FeedError> {
    let mut inputs = Vec::new();
    loop {
        let before = inputs.len();
        let count = feed.next_batch(&mut inputs, batch)?;
        assert!(count <= batch && inputs.len() == before + count);
        if count == 0 {
            return Ok(inputs);
        }
    }
}

fn bars_of(inputs: &[Input]) -> Vec<Bar> {
    let bar = |input: &Input| match input.kind {
        InputKind::Bar(bar) => Some(bar),
        _ => None,
    };
    inputs.iter().filter_map(bar).collect()
}

/// The bars of a file and what the gate counted.
fn read(path: &Path, quality: QualitySettings) -> Result<(Vec<Bar>, QualityCounters), FeedError> {
    let instrument = InstrumentId(2);
    let mut feed = CsvFeed::open(path, &CsvSettings { instrument, quality, ..CsvSettings::default() })?;
    let inputs = drain(&mut feed, 3)?;
    assert!(inputs.is_sorted_by_key(|input| input.time));
    let progress = feed.progress();
    assert_eq!(Some(progress.done), progress.total);
    Ok((bars_of(&inputs), feed.quality()[&instrument]))
}

fn read_text(text: &str) -> Result<(Vec<Bar>, QualityCounters), FeedError> {
    let (_folder, path) = file(text);
    read(&path, QualitySettings::default())
}

/// The error for this text without the path, which differs from run to run.
fn message(text: &str, quality: QualitySettings) -> String {
    let (_folder, path) = file(text);
    let error = read(&path, quality).unwrap_err().to_string();
    error.strip_prefix(path.to_str().unwrap()).expect("the message begins with the path").to_owned()
}

fn bar(minute: i64, [open, high, low, close]: [f64; 4], volume: f64) -> Bar {
    let open_time = Timestamp::from_seconds(1_640_995_200 + 60 * minute);
    Bar { instrument: InstrumentId(2), interval: Span::MINUTE, open_time, open, high, low, close, volume }
}

#[test]
fn the_same_bars_come_out_of_every_dialect() {
    let expected = [bar(0, [1.0, 2.0, 0.5, 1.5], 10.0), bar(1, [1.5, 1.5, 1.25, 1.25], 0.0)];
    for text in [
        "timestamp,open,high,low,close,volume\n2022-01-01 00:00:00,1,2,0.5,1.5,10\n2022-01-01 00:01:00,1.5,1.5,1.25,1.25,0\n",
        "\u{feff}Open Time;Open;High;Low;Close;Volume\r\n2022-01-01T00:00:00Z;1;2;0.5;1.5;10\r\n\r\n2022-01-01T00:01:00Z;1.5;1.5;1.25;1.25;0",
        "1640995200\t1\t2\t0.5\t1.5\t10\n1640995260\t1.5\t1.5\t1.25\t1.25\t0\n",
        "1640995200000,1,2,0.5,1.5,10,1640995259999,0\n1640995260000,1.5,1.5,1.25,1.25,0,1640995319999,0\n",
        "\"date\",\"symbol\",\"close\",\"low\",\"high\",\"open\",\"Volume X\"\n\
         \"2022-01-01 01:00:00+01:00\",\"X,USD\",\"1.5\",\"0.5\",\"2\",\"1\",\"10\"\n\
         \"2022-01-01 01:01:00+01:00\",\"X,USD\",\"1.25\",\"1.25\",\"1.5\",\"1.5\",\"\"\n",
    ] {
        let (bars, counters) = read_text(text).unwrap();
        assert_eq!(bars, expected, "{text}");
        assert!(counters.is_clean() && counters.rows == 2, "{text}");
    }
}

#[test]
fn an_input_becomes_known_when_its_bar_closes() {
    let (_folder, path) = file("0,1,1,1,1\n3600,1,1,1,1\n");
    let mut feed = CsvFeed::open(&path, &CsvSettings::default()).unwrap();
    assert_eq!(feed.interval(), Span::from_seconds(3_600));
    let times: Vec<i64> = drain(&mut feed, 10).unwrap().iter().map(|input| input.time.seconds()).collect();
    assert_eq!(times, [3_600, 7_200]);
}

#[test]
fn bad_rows_are_left_out_and_counted() {
    let text = "time,open,high,low,close,volume\n\
        2022-01-01 00:00:00,1,2,0.5,1.5,10\n\
        2022-01-01 00:00:00,1,2,0.5,1.5,10\n\
        2022-01-01 00:01:00,one,2,0.5,1.5,10\n\
        someday,1,2,0.5,1.5,10\n\
        2022-01-01 00:02:00,1,0.5,2,1.5,10\n\
        2022-01-01 00:03:00,-1,2,0.5,1.5,10\n\
        2022-01-01 00:05:00,1,2,0.5,NaN,10\n\
        2021-12-31 00:00:00,1,2,0.5,1.5,10\n\
        2022-01-01 00:06:00,1,2,0.5\n\
        2022-01-01 00:07:00,1,2,0.5,1.5,10\n";
    let (bars, counters) = read_text(text).unwrap();
    let sound = |minute| bar(minute, [1.0, 2.0, 0.5, 1.5], 10.0);
    assert_eq!(bars, [sound(0), sound(7)]);
    let expected = QualityCounters {
        rows: 10,
        delivered: 2,
        skipped: 8,
        duplicate: 1,
        out_of_order: 1,
        gap: 1,
        missing: 1,
        non_positive: 1,
        high_below_low: 1,
        not_a_number: 4,
        ..QualityCounters::default()
    };
    assert_eq!(counters, expected);

    let (_folder, path) = file(text);
    let (bars, counters) = read(&path, QualitySettings::all(Policy::Repair)).unwrap();
    assert_eq!(
        bars.iter().map(|bar| bar.open_time.seconds() / 60 % 60).collect::<Vec<_>>(),
        (0..8).collect::<Vec<_>>()
    );
    assert!(bars.iter().all(Bar::is_sound));
    assert_eq!((counters.delivered, counters.repaired, counters.filled, counters.skipped), (7, 5, 1, 3));
}

#[test]
fn refusals_name_the_first_offending_row() {
    let rows = "time,open,high,low,close,volume\n\n2022-01-01 00:00:00,1,2,0.5,1.5,10\n2022-01-01 00:01:00,1,2,0.5,1.5,10\n";
    for (row, expected) in [
        (
            "2022-01-01 00:01:00,1,2,0.5,1.5,10",
            "bar of 2022-01-01T00:01:00Z: duplicate: the bar before opened at 2022-01-01T00:01:00Z; the policy for this is \"refuse\"",
        ),
        (
            "2022-01-01 00:02:00,1,1,2,1.5,10",
            "bar of 2022-01-01T00:02:00Z: high below low: open 1, high 1, low 2, close 1.5, volume 10; the policy for this is \"refuse\"",
        ),
        (
            "2022-01-01 00:04:00,1,2,0.5,1.5,10",
            "bar of 2022-01-01T00:04:00Z: gap: 2 bars are missing from 2022-01-01T00:02:00Z; the policy for this is \"refuse\"",
        ),
        (
            "2022-01-01 00:02:00,1,2,\"0,5\",1.5,10",
            "column 4 (low): found \"0,5\"; allowed are numbers such as \"46319.05\" or \"1.5e-3\", with a point and without separators of thousands",
        ),
    ] {
        let found = message(&format!("{rows}{row}\n"), QualitySettings::all(Policy::Refuse));
        assert_eq!(found, format!(", line 5, {expected}"));
    }
    let (_folder, path) = file(format!("{rows}2022-01-01 00:02:00,1,2,0,1.5,10"));
    let quality = QualitySettings { non_positive: Policy::Refuse, ..QualitySettings::default() };
    let mut feed = CsvFeed::open(&path, &CsvSettings { quality, ..CsvSettings::default() }).unwrap();
    let mut inputs = Vec::new();
    let error = feed.next_batch(&mut inputs, 10).unwrap_err();
    assert_eq!(inputs.len(), 2, "the rows before are good");
    assert!(matches!(error, FeedError::Refused { line: 5, defect: Defect::NonPositive, .. }), "{error}");
}

#[test]
fn files_that_make_no_sense_are_explained() {
    let skip = QualitySettings::default;
    for (text, expected) in [
        ("", ": the file holds no data row"),
        ("time,open,high,low,close\n", ": the file holds no data row"),
        (
            "2022-01-02,1,1,1,1\n2022-01-01,1,1,1,1\n",
            ": the rows run from newest to oldest; sort them by time, oldest first",
        ),
        ("2022-01-02,1,1,1,1\n", ": can't tell the bars' interval from 1 rows; give it in the settings"),
    ] {
        assert_eq!(message(text, skip()), expected, "{text}");
    }
    for (text, beginning) in [
        (
            "\ntime,open,high,last\n1,2,3,4\n",
            ", line 2: no column for low, close; the header is \"time,open,high,last\"; needed are a time (",
        ),
        ("hello world\n", ", line 1: 1 columns are too few; the header is \"hello world\"; "),
        ("20220101,1,1,1,1\n", ", line 1, column 1 (time): found \"20220101\"; allowed are ISO 8601 times"),
        (
            "time,open,high,low,close\n0,x,1,1,1\n60,x,1,1,1\n",
            ", line 2, column 2 (open): found \"x\"; allowed are numbers",
        ),
    ] {
        let found = message(text, skip());
        assert!(found.starts_with(beginning), "{found}");
    }
    let missing =
        CsvFeed::open(Path::new("/no/such/file.csv"), &CsvSettings::default()).unwrap_err().to_string();
    assert!(missing.starts_with("/no/such/file.csv: can't open: "), "{missing}");
}

#[test]
fn the_example_is_as_its_description_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/btc-perp-1m.csv");
    let (bars, counters) = read(&path, QualitySettings::all(Policy::Refuse)).unwrap();
    assert!(counters.is_clean());
    assert_eq!(bars.len(), 4_320);
    assert_eq!(bars[0].close.to_bits(), 46_377.0_f64.to_bits());
    let inspection = inspect(&path, &CsvSettings::default()).unwrap();
    assert_eq!((inspection.symbol.as_str(), inspection.rows), ("BTC-PERP", 4_320));
    assert_eq!(
        (inspection.interval, inspection.price_decimals, inspection.volume_decimals),
        (Span::MINUTE, 2, 11)
    );
    assert_eq!(inspection.last.since(inspection.first), Span::MINUTE.times(4_319));
}

#[test]
fn a_simulated_market_saved_to_files_merges_to_the_same_bars() {
    let settings = SimulatorSettings { steps: Some(3_000), ..SimulatorSettings::default() };
    let bars = bars_of(&drain(&mut Simulator::new(&settings).unwrap(), 1_000).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut feeds: Vec<Box<dyn Feed + Send>> = Vec::new();
    for (id, symbol) in (0..).zip(&settings.instruments) {
        let instrument = InstrumentId(id);
        let path = folder.path().join(format!("{}.csv", symbol.symbol));
        let file = std::fs::File::create(&path).unwrap();
        let own = bars.iter().copied().filter(|bar| bar.instrument == instrument);
        assert_eq!(write_bars(std::io::BufWriter::new(file), own).unwrap(), 3_000);
        let csv = CsvFeed::open(&path, &CsvSettings { instrument, ..CsvSettings::default() }).unwrap();
        feeds.push(Box::new(csv));
    }
    let mut merged = MergedFeed::new(feeds);
    assert_eq!(bars_of(&drain(&mut merged, 777).unwrap()), bars);
    assert!(merged.quality().values().all(|counters| counters.is_clean() && counters.rows == 3_000));
    assert_eq!(merged.progress().fraction(), Some(1.0));
}

#[test]
fn a_long_file_passes_the_buffer_s_edges_unharmed() {
    let bars: Vec<Bar> = (0..30_000)
        .map(|minute| {
            let price = 100.0 + f64::from(i32::try_from(minute % 977).unwrap()) / 8.0;
            bar(minute, [price, price + 1.0, price - 1.0, price + 0.125], price)
        })
        .collect();
    let mut text = Vec::new();
    write_bars(&mut text, bars.iter().copied()).unwrap();
    let (_folder, path) = file(text);
    let (read, counters) = read(&path, QualitySettings::all(Policy::Refuse)).unwrap();
    assert_eq!(read, bars);
    assert!(counters.is_clean());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let (_folder, path) = file(bytes);
        let _ = read(&path, QualitySettings::default());
        let _ = inspect(&path, &CsvSettings::default());
    }

    #[test]
    fn mutilated_tables_never_panic_and_give_only_sound_bars(
        rows in proptest::collection::vec("(\\-?[0-9]{1,19}|2022-0[0-3]-[0-9]{2}[ T]?[0-9:.]{0,9})(,(\"?[0-9.eE+-]{0,9}\"?|nan|inf|[\\x00-\\xff]{0,3})){0,7}\r?", 0..30),
        policy in prop_oneof![Just(Policy::Skip), Just(Policy::Repair), Just(Policy::Refuse)],
        header in any::<bool>(),
    ) {
        let head = if header { "t,o,h,l,c,v\n0,1,1,1,1,1\n60,1,1,1,1,1\n" } else { "2022-01-01,1,1,1,1\n2022-01-02,1,1,1,1\n" };
        let (_folder, path) = file(format!("{head}{}", rows.join("\n")));
        let quality = QualitySettings { max_move: Some(0.5), ..QualitySettings::all(policy) };
        if let Ok((bars, counters)) = read(&path, quality) {
            prop_assert!(bars.iter().all(Bar::is_sound));
            prop_assert!(bars.is_sorted_by_key(|bar| bar.open_time));
            prop_assert_eq!(bars.len() as u64, counters.delivered + counters.filled);
            prop_assert_eq!(counters.rows, counters.delivered + counters.skipped);
        }
    }
}
