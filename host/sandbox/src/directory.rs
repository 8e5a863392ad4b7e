//! Watches the directory that strategies are dropped into.
//!
//! What the operating system tells of a directory is a hint and no more: one save gives several events, a copy
//! in progress shows half a file, queues overflow, and network mounts tell nothing. So a hint only brings the
//! next look at the directory forward, and the directory is looked at every few seconds without any. A file
//! counts once its size and times were the same in two looks; it is then read once, and only if its content
//! differs from what was there before is there something to report. A file that is gone, too, must be gone
//! twice: many programs replace a file by deleting it first.
//!
//! A broken file never takes away what runs: it is reported as [`DirectoryChange::Broken`], and the strategy's
//! next sound content as a replacement of the last sound one.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use bulkhead_core::identifier::ContentHash;
use notify::{RecursiveMode, Watcher as _};

/// What happened to a file in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryChange {
    /// A strategy that was not there before.
    Added(StrategyFile),
    /// Another content for a strategy that was there.
    Replaced(StrategyFile),
    /// A strategy's file is gone.
    Removed {
        /// The slot that it was for.
        slot: String,
        /// Where it was.
        path: PathBuf,
    },
    /// A model's file is there, or holds something else than before. One that is gone is nothing to report: who has it goes on.
    Model {
        /// What it is called: the file's name without its ending.
        name: String,
        /// Where it is.
        path: PathBuf,
    },
    /// A file, or the whole directory, is of no use. What it held before goes on.
    Broken {
        /// Which.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
}

/// A strategy's file, read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrategyFile {
    /// The slot that it is for: the file's name without its ending.
    pub slot: String,
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// The hash of what it holds.
    pub hash: ContentHash,
}

/// How a directory is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchSettings {
    /// How long after a sign of a change the directory is looked at, and how far the two looks are apart
    /// between which a file must not change.
    pub debounce: Duration,
    /// How often the directory is looked at without any sign.
    pub poll: Duration,
    /// Larger files of strategies are not read.
    pub largest_bytes: u64,
    /// Larger files of models are not read.
    pub largest_model_bytes: u64,
}

impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            debounce: Duration::from_millis(200),
            poll: Duration::from_secs(3),
            largest_bytes: crate::Limits::default().wasm_bytes,
            largest_model_bytes: bulkhead_inference::Limits::default().file_bytes,
        }
    }
}

enum Hint {
    Change,
    Stop,
}

/// A directory that is being watched, by a thread that ends with this.
#[derive(Debug)]
pub struct DirectoryWatch {
    changes: Receiver<DirectoryChange>,
    hints: Sender<Hint>,
    thread: Option<JoinHandle<()>>,
}

impl DirectoryWatch {
    /// Starts to watch. What is in the directory already is reported as added.
    ///
    /// # Errors
    ///
    /// When the directory can't be read, or no thread started.
    pub fn start(directory: &Path, settings: WatchSettings) -> io::Result<Self> {
        fs::read_dir(directory)?;
        let (hints, hinted) = mpsc::channel();
        let (sender, changes) = mpsc::channel();
        let watcher = watcher(directory, hints.clone());
        let mut scan = Scan::new(directory, settings);
        let thread = thread::Builder::new().name("strategy-directory".to_owned()).spawn(move || {
            // Dropping it would end the hints.
            let _watcher = watcher;
            loop {
                for change in scan.look() {
                    if sender.send(change).is_err() {
                        return;
                    }
                }
                let wait = if scan.is_settled() { settings.poll } else { settings.debounce };
                match hinted.recv_timeout(wait) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(Hint::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                    Ok(Hint::Change) => {
                        thread::sleep(settings.debounce);
                        if hinted.try_iter().any(|hint| matches!(hint, Hint::Stop)) {
                            return;
                        }
                    }
                }
            }
        })?;
        Ok(Self { changes, hints, thread: Some(thread) })
    }

    /// The next change, if there is one; never waits.
    #[must_use]
    pub fn poll(&self) -> Option<DirectoryChange> {
        self.changes.try_recv().ok()
    }

    /// The next change; waits for one at most this long.
    #[must_use]
    pub fn wait(&self, longest: Duration) -> Option<DirectoryChange> {
        self.changes.recv_timeout(longest).ok()
    }
}

impl Drop for DirectoryWatch {
    fn drop(&mut self) {
        // Both fail only when the thread has ended already.
        let _ = self.hints.send(Hint::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Asks the operating system for hints. Without them there is still the polling.
fn watcher(directory: &Path, hints: Sender<Hint>) -> Option<notify::RecommendedWatcher> {
    let hint = move |event: notify::Result<notify::Event>| {
        // Reading a file is an event too, and ours would never end.
        if !matches!(&event, Ok(event) if event.kind.is_access()) {
            let _ = hints.send(Hint::Change);
        }
    };
    let started = notify::recommended_watcher(hint).and_then(|mut watcher| {
        watcher.watch(directory, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    match started {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(directory = %directory.display(), %error, "no change events; looking every few seconds");
            None
        }
    }
}

/// What tells two contents of a file apart without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    /// A file moved in the place of another may have the other's length and time.
    #[cfg(unix)]
    identity: (u64, u64, i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            identity: (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// What is known of a file.
#[derive(Debug, Default)]
struct Known {
    /// As of the last look; `None` when it was not there.
    stamp: Option<Stamp>,
    /// The stamp that was dealt with.
    handled: Option<Stamp>,
    /// Of the last sound content.
    hash: Option<ContentHash>,
}

/// Successive looks at a directory.
#[derive(Debug)]
struct Scan {
    directory: PathBuf,
    settings: WatchSettings,
    known: BTreeMap<PathBuf, Known>,
    settled: bool,
    unreadable: bool,
}

impl Scan {
    fn new(directory: &Path, settings: WatchSettings) -> Self {
        Self {
            directory: directory.to_owned(),
            settings,
            known: BTreeMap::new(),
            settled: false,
            unreadable: false,
        }
    }

    /// Whether a further look would find nothing new unless something changes.
    const fn is_settled(&self) -> bool {
        self.settled
    }

    /// Looks once.
    fn look(&mut self) -> Vec<DirectoryChange> {
        let found = match self.list() {
            Ok(found) => found,
            // A directory that is gone for a moment, a mount perhaps, must not remove every strategy.
            Err(error) => return self.cannot_read(&error),
        };
        self.unreadable = false;
        self.settled = true;
        let mut changes = Vec::new();
        for (path, stamp) in &found {
            let known = self.known.entry(path.clone()).or_default();
            if known.handled == Some(*stamp) {
                known.stamp = Some(*stamp);
            } else if known.stamp != Some(*stamp) {
                known.stamp = Some(*stamp);
                self.settled = false;
            } else {
                match settle(path, *stamp, &self.settings, known) {
                    Settled::Moved => self.settled = false,
                    Settled::Same => {}
                    Settled::Change(change) => changes.push(change),
                }
            }
        }
        let mut gone = Vec::new();
        for (path, known) in self.known.iter_mut().filter(|(path, _)| !found.contains_key(*path)) {
            if known.stamp.take().is_some() {
                self.settled = false;
            } else {
                gone.push(path.clone());
            }
        }
        for path in gone {
            if let Some(Known { hash: Some(_), .. }) = self.known.remove(&path)
                && !is_model(&path)
                && let Ok(slot) = slot(&path)
            {
                changes.push(DirectoryChange::Removed { slot, path });
            }
        }
        changes
    }

    fn cannot_read(&mut self, error: &io::Error) -> Vec<DirectoryChange> {
        self.settled = true;
        if std::mem::replace(&mut self.unreadable, true) {
            return Vec::new();
        }
        let why = format!("the directory can't be read ({error}); the strategies that run go on");
        vec![DirectoryChange::Broken { path: self.directory.clone(), why }]
    }

    fn list(&self) -> io::Result<BTreeMap<PathBuf, Stamp>> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            // A file that is gone again is not there; links are followed.
            if is_candidate(&path)
                && let Ok(metadata) = fs::metadata(&path)
                && metadata.is_file()
            {
                found.insert(path, Stamp::of(&metadata));
            }
        }
        Ok(found)
    }
}

/// Whether a file's name is a strategy's or a model's: not hidden, not an editor's or a copier's temporary one.
fn is_candidate(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    (name.ends_with(".wasm") || is_model(path)) && !name.starts_with(['.', '~', '#'])
}

fn is_model(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "onnx")
}

fn slot(path: &Path) -> Result<String, String> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let is_name = stem.starts_with(|first: char| first.is_ascii_lowercase())
        && stem.len() <= 64
        && stem.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'));
    if is_name {
        return Ok(stem.to_owned());
    }
    Err("its name is to be the slot's: rename it to lower-case letters, digits, \"-\" and \"_\", at most 64, \
         with a letter first"
        .to_owned())
}

enum Settled {
    /// It changed while it was read.
    Moved,
    /// Nothing to report.
    Same,
    Change(DirectoryChange),
}

/// Deals with a file that was the same in two looks.
fn settle(path: &Path, stamp: Stamp, settings: &WatchSettings, known: &mut Known) -> Settled {
    let broken = |why: String| Settled::Change(DirectoryChange::Broken { path: path.to_owned(), why });
    known.handled = Some(stamp);
    let slot = match slot(path) {
        Ok(slot) => slot,
        Err(why) => return broken(why),
    };
    let largest = if is_model(path) { settings.largest_model_bytes } else { settings.largest_bytes };
    if stamp.length > largest {
        return broken(format!("it has {} bytes; at most {largest} are allowed", stamp.length));
    }
    let bytes = match read(path, largest) {
        Ok((bytes, after)) if after == stamp && bytes.len() as u64 == stamp.length => bytes,
        Ok((_, after)) => {
            known.stamp = Some(after);
            known.handled = None;
            return Settled::Moved;
        }
        Err(error) => return broken(format!("it can't be read: {error}")),
    };
    if !is_model(path) && !bytes.starts_with(b"\0asm") {
        return broken("it is not a WebAssembly file; if a copy was cut off, copy it again".to_owned());
    }
    let hash = ContentHash::of(&bytes);
    let before = known.hash.replace(hash);
    if before == Some(hash) {
        return Settled::Same;
    }
    if is_model(path) {
        return Settled::Change(DirectoryChange::Model { name: slot, path: path.to_owned() });
    }
    let file = StrategyFile { slot, path: path.to_owned(), bytes, hash };
    Settled::Change(match before {
        None => DirectoryChange::Added(file),
        Some(_) => DirectoryChange::Replaced(file),
    })
}

/// Reads a file once, and its stamp after that.
fn read(path: &Path, largest: u64) -> io::Result<(Vec<u8>, Stamp)> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    file.by_ref().take(largest.saturating_add(1)).read_to_end(&mut bytes)?;
    // By its name again: another file may have taken its place.
    Ok((bytes, Stamp::of(&fs::metadata(path)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = b"\0asm one";
    const TWO: &[u8] = b"\0asm two";

    fn scan() -> (tempfile::TempDir, Scan) {
        let directory = tempfile::tempdir().unwrap();
        let settings =
            WatchSettings { largest_bytes: 1_000, largest_model_bytes: 1_000, ..WatchSettings::default() };
        let scan = Scan::new(directory.path(), settings);
        (directory, scan)
    }

    /// What two looks find, without paths and bytes.
    fn looks(scan: &mut Scan) -> Vec<String> {
        let mut changes = scan.look();
        changes.extend(scan.look());
        let tell = |change| match change {
            DirectoryChange::Added(file) => format!("added {} {}", file.slot, file.bytes.escape_ascii()),
            DirectoryChange::Replaced(file) => {
                format!("replaced {} {}", file.slot, file.bytes.escape_ascii())
            }
            DirectoryChange::Removed { slot, .. } => format!("removed {slot}"),
            DirectoryChange::Model { name, .. } => format!("model {name}"),
            DirectoryChange::Broken { why, .. } => format!("broken: {why}"),
        };
        changes.into_iter().map(tell).collect()
    }

    #[test]
    fn a_file_counts_once_it_stays_the_same() {
        let (directory, mut scan) = scan();
        let path = directory.path().join("a.wasm");
        for length in 1..ONE.len() {
            fs::write(&path, &ONE[..length]).unwrap();
            assert_eq!(scan.look(), [], "half a file was taken");
            assert!(!scan.is_settled());
        }
        fs::write(&path, ONE).unwrap();
        assert_eq!(looks(&mut scan), ["added a \\x00asm one"]);
        assert_eq!(looks(&mut scan), [""; 0]);
        assert!(scan.is_settled());
    }

    #[test]
    fn only_another_content_is_a_replacement() {
        let (directory, mut scan) = scan();
        let path = directory.path().join("a.wasm");
        fs::write(&path, ONE).unwrap();
        looks(&mut scan);
        fs::write(&path, ONE).unwrap();
        assert_eq!(looks(&mut scan), [""; 0], "the same content again");
        fs::write(&path, TWO).unwrap();
        assert_eq!(looks(&mut scan), ["replaced a \\x00asm two"]);
    }

    #[test]
    fn a_file_moved_into_place_is_seen() {
        let (directory, mut scan) = scan();
        let path = directory.path().join("a.wasm");
        fs::write(&path, ONE).unwrap();
        looks(&mut scan);
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        let temporary = directory.path().join(".a.wasm.tmp");
        fs::write(&temporary, TWO).unwrap();
        File::options().append(true).open(&temporary).unwrap().set_modified(time).unwrap();
        fs::rename(&temporary, &path).unwrap();
        assert_eq!(looks(&mut scan), ["replaced a \\x00asm two"]);
    }

    #[test]
    fn a_broken_file_leaves_what_was_there() {
        let (directory, mut scan) = scan();
        let path = directory.path().join("a.wasm");
        fs::write(&path, ONE).unwrap();
        looks(&mut scan);
        for broken in [b"".as_slice(), b"\0as", b"<html>", &[0; 2_000]] {
            fs::write(&path, broken).unwrap();
            let found = looks(&mut scan);
            assert!(found.len() == 1 && found[0].starts_with("broken: "), "{found:?}");
            assert_eq!(looks(&mut scan), [""; 0], "told twice");
        }
        fs::write(&path, ONE).unwrap();
        assert_eq!(looks(&mut scan), [""; 0], "what runs came back");
        fs::write(&path, TWO).unwrap();
        assert_eq!(looks(&mut scan), ["replaced a \\x00asm two"]);
    }

    #[test]
    fn a_file_must_be_gone_twice() {
        let (directory, mut scan) = scan();
        let path = directory.path().join("a.wasm");
        fs::write(&path, ONE).unwrap();
        looks(&mut scan);
        fs::remove_file(&path).unwrap();
        assert_eq!(scan.look(), []);
        fs::write(&path, TWO).unwrap();
        assert_eq!(looks(&mut scan), ["replaced a \\x00asm two"], "deleted and written anew");
        fs::remove_file(&path).unwrap();
        assert_eq!(looks(&mut scan), ["removed a"]);
        fs::write(&path, ONE).unwrap();
        assert_eq!(looks(&mut scan), ["added a \\x00asm one"]);
    }

    #[test]
    fn a_directory_that_is_gone_removes_nothing() {
        let (directory, mut scan) = scan();
        let inner = directory.path().join("strategies");
        fs::create_dir(&inner).unwrap();
        scan.directory.clone_from(&inner);
        fs::write(inner.join("a.wasm"), ONE).unwrap();
        looks(&mut scan);
        let away = directory.path().join("away");
        fs::rename(&inner, &away).unwrap();
        let found = looks(&mut scan);
        assert!(found.len() == 1 && found[0].contains("go on"), "{found:?}");
        fs::rename(&away, &inner).unwrap();
        assert_eq!(looks(&mut scan), [""; 0]);
    }

    #[test]
    fn a_model_is_told_of_when_its_content_changes() {
        let (directory, mut scan) = scan();
        let path = directory.path().join("direction.onnx");
        fs::write(&path, b"one").unwrap();
        assert_eq!(looks(&mut scan), ["model direction"]);
        assert!(looks(&mut scan).is_empty());
        fs::write(&path, b"another").unwrap();
        assert_eq!(looks(&mut scan), ["model direction"]);
        fs::remove_file(&path).unwrap();
        assert!(looks(&mut scan).is_empty(), "who has it goes on");
        fs::write(directory.path().join("huge.onnx"), [0; 2_000]).unwrap();
        assert_eq!(looks(&mut scan), ["broken: it has 2000 bytes; at most 1000 are allowed"]);
    }

    #[test]
    fn other_files_are_none_of_ours() {
        let (directory, mut scan) = scan();
        for name in
            [".hidden.wasm", "~a.wasm", "#a.wasm", "a.wasm~", "a.wasm.tmp", "a.wasm.part", "a.wat", "README"]
        {
            fs::write(directory.path().join(name), ONE).unwrap();
        }
        fs::create_dir(directory.path().join("folder.wasm")).unwrap();
        assert_eq!(looks(&mut scan), [""; 0]);
        fs::write(directory.path().join("My Strategy.wasm"), ONE).unwrap();
        let found = looks(&mut scan);
        assert!(found.len() == 1 && found[0].contains("rename it"), "{found:?}");
    }
}
