use std::io::Write as _;

use bulkhead_core::input::InputKind;
use bulkhead_core::time::Span;
use bulkhead_feeds::Feed as _;
use bulkhead_feeds::csv::{CsvFeed, CsvSettings, Inspection, inspect};
use bulkhead_feeds::quality::{Policy, QualitySettings};

/// More inputs than any file of a fuzzer's size holds, gaps filled.
const MOST_INPUTS: usize = 1_000_000;

/// How the first byte's bits are read.
const INTERVAL_IS_GIVEN: u8 = 1;
const OUTLIERS_ARE_LOOKED_FOR: u8 = 2;
const LITTLE_BATCHES: u8 = 4;
/// Two bits: a policy, or that the file is inspected.
const WHAT: u8 = 8;

/// Every meaning that the first byte can have.
pub const ALL_SETTINGS: std::ops::Range<u8> = 0..32;

/// The first byte's lowest five bits are settings, the rest is the file.
///
/// The file can be read or is refused; times never go back, bars are sound, and the counters add up.
pub fn check(bytes: &[u8]) {
    let Some((first, text)) = bytes.split_first() else { return };
    let policy = match first / WHAT % 4 {
        0 => Some(Policy::Refuse),
        1 => Some(Policy::Skip),
        2 => Some(Policy::Repair),
        _ => None,
    };
    let settings = CsvSettings {
        interval: (first & INTERVAL_IS_GIVEN != 0).then_some(Span::MINUTE),
        quality: QualitySettings {
            max_move: (first & OUTLIERS_ARE_LOOKED_FOR != 0).then_some(0.2),
            ..QualitySettings::all(policy.unwrap_or_default())
        },
        ..CsvSettings::default()
    };
    let mut file = tempfile::Builder::new().prefix("x-usd").suffix(".csv").tempfile().expect("a file");
    file.write_all(text).expect("the file can be written");
    match policy {
        Some(policy) => {
            if let Ok(feed) = CsvFeed::open(file.path(), &settings) {
                drain(feed, policy, if first & LITTLE_BATCHES == 0 { 512 } else { 1 });
            }
        }
        None => {
            if let Ok(inspection) = inspect(file.path(), &settings) {
                check_inspection(&inspection, text.len());
            }
        }
    }
}

fn drain(mut feed: CsvFeed, policy: Policy, batch: usize) {
    let interval = feed.interval();
    assert!(interval > Span::ZERO, "bars of length {interval}");
    let (mut inputs, mut delivered, mut time) = (Vec::new(), 0_u64, None);
    let whole = loop {
        inputs.clear();
        let read = feed.next_batch(&mut inputs, batch);
        for input in &inputs {
            let InputKind::Bar(bar) = &input.kind else { unreachable!("a file holds bars: {input:?}") };
            assert!(bar.is_sound(), "{bar:?}");
            assert!(bar.interval == interval && input.time == bar.close_time(), "{input:?}");
            assert!(time.is_none_or(|time| time <= input.time), "{input:?} came after {time:?}");
            time = Some(input.time);
            delivered += 1;
        }
        match read {
            Ok(0) => break true,
            Ok(count) => assert_eq!(count, inputs.len()),
            Err(_) => break false,
        }
        assert!(delivered < MOST_INPUTS as u64, "it does not end");
    };
    let counters = feed.quality().into_values().next().expect("there is an instrument");
    if whole {
        assert_eq!(counters.rows, counters.delivered + counters.skipped, "{counters:?}");
        assert_eq!(delivered, counters.delivered + counters.filled, "{counters:?}");
        let progress = feed.progress();
        assert_eq!(Some(progress.done), progress.total);
    } else {
        assert_eq!(policy, Policy::Refuse, "only a policy ends a file that could be opened");
    }
}

fn check_inspection(inspection: &Inspection, bytes: usize) {
    assert!(inspection.first <= inspection.last, "{inspection:?}");
    assert!(inspection.rows > 0 && inspection.bytes == bytes as u64, "{inspection:?}");
    let instrument = inspection.instrument();
    assert!(instrument.tick.is_positive() && instrument.lot.is_positive(), "{instrument:?}");
}
