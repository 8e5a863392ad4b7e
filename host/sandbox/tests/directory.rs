//! The strategies directory, with real files and a real clock.

#![expect(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use bulkhead_sandbox::directory::{DirectoryChange, DirectoryWatch, WatchSettings};

const LONG: Duration = Duration::from_secs(20);

fn watch(directory: &Path) -> DirectoryWatch {
    let settings = WatchSettings {
        debounce: Duration::from_millis(50),
        poll: Duration::from_millis(500),
        largest_bytes: 10_000_000,
        ..WatchSettings::default()
    };
    DirectoryWatch::start(directory, settings).unwrap()
}

fn content(number: u8) -> Vec<u8> {
    [b"\0asm".as_slice(), &[number; 1_000]].concat()
}

/// What was there before, what comes, what changes, what goes.
#[test]
fn changes_are_reported_in_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("one.wasm");
    fs::write(&path, content(1)).unwrap();
    let watch = watch(directory.path());
    let Some(DirectoryChange::Added(file)) = watch.wait(LONG) else { panic!("nothing was added") };
    assert_eq!((file.slot.as_str(), &file.bytes, &file.path), ("one", &content(1), &path));
    fs::write(&path, content(2)).unwrap();
    let Some(DirectoryChange::Replaced(file)) = watch.wait(LONG) else { panic!("nothing was replaced") };
    assert_eq!((file.slot.as_str(), &file.bytes), ("one", &content(2)));
    fs::remove_file(&path).unwrap();
    assert_eq!(watch.wait(LONG), Some(DirectoryChange::Removed { slot: "one".to_owned(), path }));
    assert_eq!(watch.poll(), None);
}

/// A slow copy is reported once, whole.
#[test]
fn a_copy_in_progress_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let watch = watch(directory.path());
    let whole = content(3);
    let mut file = File::create(directory.path().join("slow.wasm")).unwrap();
    for part in whole.chunks(60) {
        file.write_all(part).unwrap();
        file.flush().unwrap();
        thread::sleep(Duration::from_millis(15));
    }
    drop(file);
    let Some(DirectoryChange::Added(file)) = watch.wait(LONG) else { panic!("nothing was added") };
    assert_eq!(file.bytes, whole, "half a file was reported");
}

/// A copy that stalls is reported broken at most, and whole in the end.
#[test]
fn a_stalled_copy_ends_well() {
    let directory = tempfile::tempdir().unwrap();
    let watch = watch(directory.path());
    let path = directory.path().join("stalled.wasm");
    fs::write(&path, &content(4)[..3]).unwrap();
    assert!(matches!(watch.wait(LONG), Some(DirectoryChange::Broken { .. })));
    fs::write(&path, content(4)).unwrap();
    let Some(DirectoryChange::Added(file)) = watch.wait(LONG) else { panic!("nothing was added") };
    assert_eq!(file.bytes, content(4));
}

/// A thread that is told to stop does so at once.
#[test]
fn a_watch_ends_when_it_is_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let settings = WatchSettings { poll: Duration::from_secs(3_600), ..WatchSettings::default() };
    let watch = DirectoryWatch::start(directory.path(), settings).unwrap();
    thread::sleep(Duration::from_millis(300));
    let begin = Instant::now();
    drop(watch);
    assert!(begin.elapsed() < Duration::from_secs(5));
}

/// A directory that does not exist is an error at once.
#[test]
fn a_missing_directory() {
    let directory = tempfile::tempdir().unwrap();
    assert!(DirectoryWatch::start(&directory.path().join("none"), WatchSettings::default()).is_err());
}
