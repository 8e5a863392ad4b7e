//! How long a commit takes, and how long an order waits until it may leave.

use std::fs::File;
use std::io::Write as _;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bulkhead_core::input::Input;
use bulkhead_sequencer::sequencer::{Policy, Sequencer};
use bulkhead_store::database::{Database, Synchronous};
use bulkhead_store::journal::{Record, RecordNumber, ShardId};
use bulkhead_store::storage::{Group, Request, Retention, SnapshotHead, Storage, StoreError};

use crate::Extent;
use crate::figures::Figures;
use crate::market::{bars, deployment};
use crate::measure::{median, number};
use crate::place::{Kind, Places};
use crate::run::{NEVER, fresh, with_journal, without_snapshots};

const PART: &str = "commit";

/// Inputs in a group, all of them at once.
const SIZES: [usize; 4] = [1, 64, 512, 4_096];

/// How long a group may wait for more, in milliseconds.
const DELAYS: [u64; 4] = [0, 1, 2, 5];

/// Events a second while waiting is measured: a busy feed, which leaves time between two of them.
const RATE: u32 = 2_000;

/// Bars an order in the groups, and while waiting is measured: hundreds of orders a second.
const BARS_PER_ORDER: u32 = 20;
const BARS_PER_PACED_ORDER: u32 = 5;

pub(crate) fn measure(extent: Extent, places: &Places, figures: &mut Figures) -> Result<()> {
    let sync = syncs(extent, places)?;
    add(figures, PART, "raw: 4 KiB written and synced", &sync);
    let kinds = places.kinds(&[Kind::Sqlite(Synchronous::Full), Kind::Postgres(Synchronous::Full)]);
    for kind in &kinds {
        for size in SIZES {
            let times = commits(extent, places, *kind, size)?;
            let name = format!("{}, groups of {size}", kind.name());
            add(figures, PART, &name, &times);
            let ratio = median(&times) / median(&sync);
            figures.add(PART, format!("{name}: to the raw sync"), "×", &[ratio], None);
        }
    }
    for kind in kinds {
        for delay in DELAYS {
            let policy = Policy { group_delay: Duration::from_millis(delay), ..without_snapshots() };
            let paced = paced(extent, places, kind, policy)?;
            let name = format!("{}, delay {delay} ms", kind.name());
            add(figures, "step to release", &name, &paced.waits);
            let part = "step to release";
            figures.add(part, format!("{name}: groups"), "1/s", &[paced.groups], None);
        }
    }
    Ok(())
}

/// The middle with lowest and highest, and the 99th percentile.
fn add(figures: &mut Figures, part: &'static str, name: &str, milliseconds: &[f64]) {
    figures.add(part, format!("{name}: p50 (and max)"), "ms", milliseconds, None);
    let mut sorted = milliseconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    if let Some(value) = sorted.get(sorted.len().saturating_sub(1) * 99 / 100) {
        figures.add(part, format!("{name}: p99"), "ms", &[*value], None);
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// What the disk itself takes.
fn syncs(extent: Extent, places: &Places) -> Result<Vec<f64>> {
    let mut file = File::create(places.folder().join("raw"))?;
    let mut times = Vec::new();
    for _ in 0..extent.commits {
        let started = Instant::now();
        file.write_all(&[7; 4_096])?;
        file.sync_data()?;
        times.push(milliseconds(started.elapsed()));
    }
    Ok(times)
}

/// Commits of groups of one size.
fn commits(extent: Extent, places: &Places, kind: Kind, size: usize) -> Result<Vec<f64>> {
    // Large groups take long to make, and vary less.
    let commits = if size > 256 { extent.commits / 4 } else { extent.commits };
    let (_place, mut database) = places.make(kind)?;
    let position = fresh(&mut database)?;
    let (sender, times) = channel();
    let policy = Policy { group_inputs: size, group_delay: Duration::ZERO, ..without_snapshots() };
    let policy = if size > 1 { Policy { group_delay: NEVER, ..policy } } else { policy };
    let inputs = std::iter::once(deployment(BARS_PER_ORDER)).chain(bars(commits * size - 1));
    with_journal(position, Box::new(Timed { database, times: sender }), policy, inputs, true)?;
    let mut times: Vec<f64> = times.into_iter().map(milliseconds).collect();
    // The first carries the deployment and prepares the statements; the last is the snapshot at the end.
    times.pop();
    Ok(times.split_off(times.len().min(1)))
}

/// A store that tells how long each commit took.
struct Timed {
    database: Database,
    times: Sender<Duration>,
}

impl Storage for Timed {
    fn commit(&mut self, group: &Group) -> Result<(), StoreError> {
        let started = Instant::now();
        let done = self.database.commit(group);
        // Nobody listens after the end.
        let _ = self.times.send(started.elapsed());
        done
    }

    fn tail(&mut self, shard: ShardId) -> Result<Option<Record>, StoreError> {
        self.database.tail(shard)
    }

    fn records(
        &mut self,
        shard: ShardId,
        after: RecordNumber,
        most: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.database.records(shard, after, most)
    }

    fn snapshots(&mut self, shard: ShardId) -> Result<Vec<SnapshotHead>, StoreError> {
        self.database.snapshots(shard)
    }

    fn snapshot(&mut self, head: &SnapshotHead) -> Result<Vec<u8>, StoreError> {
        self.database.snapshot(head)
    }

    fn retain(&mut self, shard: ShardId, retention: &Retention) -> Result<(), StoreError> {
        self.database.retain(shard, retention)
    }

    fn requests(&mut self, shard: ShardId) -> Result<Vec<Request>, StoreError> {
        self.database.requests(shard)
    }
}

/// A run at the pace of a feed.
struct Paced {
    /// From the step that caused an output until it may leave, in milliseconds.
    waits: Vec<f64>,
    /// Groups a second.
    groups: f64,
}

fn paced(extent: Extent, places: &Places, kind: Kind, policy: Policy) -> Result<Paced> {
    let (_place, mut database) = places.make(kind)?;
    let position = fresh(&mut database)?;
    let (sender, commits) = channel();
    let mut sequencer = Sequencer::start(position, Box::new(Timed { database, times: sender }), policy)?;
    let count = usize::try_from(extent.seconds * u64::from(RATE))?;
    let inputs: Vec<Input> = std::iter::once(deployment(BARS_PER_PACED_ORDER)).chain(bars(count)).collect();
    let (mut stepped, mut waits, mut released) = (Vec::with_capacity(inputs.len()), Vec::new(), Vec::new());
    let started = Instant::now();
    for (place, input) in (0..).zip(inputs) {
        let due = started + Duration::from_secs(1) * place / RATE;
        loop {
            sequencer.released(&mut released)?;
            for output in released.drain(..) {
                let place = usize::try_from(output.sequence.0)?.checked_sub(1).context("from 1")?;
                let since: &Instant = stepped.get(place).context("it was stepped")?;
                waits.push(milliseconds(since.elapsed()));
            }
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() && sequencer.has_room() {
                break;
            }
            std::thread::sleep(left.clamp(Duration::from_micros(20), Duration::from_micros(100)));
        }
        stepped.push(Instant::now());
        sequencer.step(input);
    }
    let seconds = started.elapsed().as_secs_f64();
    sequencer.close(NEVER, &mut released)?;
    Ok(Paced { waits, groups: number(commits.into_iter().count()) / seconds })
}
