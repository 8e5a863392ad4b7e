//! The thread that makes groups durable, and tries again while the store is away.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use bulkhead_store::storage::{Group, Retention, Storage, StoreError};

use crate::batch::{Batch, GroupMaker};

/// The first pause after a failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What the writer tells.
pub(crate) enum Report {
    /// The batch is durable, after this time: its outputs may leave.
    Durable(Batch, Duration),
    /// The store can't take it at the moment; the writer goes on trying.
    Waiting { why: String },
    /// The store took it after all.
    Resumed { after: Duration },
    /// The writer gave up: nothing of this batch or a later one is durable as far as is known.
    Failed(StoreError),
}

/// The writer's thread, seen from the engine's.
pub(crate) struct Writer {
    batches: Option<Sender<Batch>>,
    pub(crate) reports: Receiver<Report>,
    stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(
        storage: Box<dyn Storage>,
        groups: GroupMaker,
        retention: Retention,
        wake: Box<dyn Fn() + Send>,
    ) -> std::io::Result<Self> {
        let (batches, work) = channel();
        let (report, reports) = channel();
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name("journal".to_owned()).spawn(move || {
            Work { storage, groups, reports: Reports { report, wake }, stopped, retention }.all(&work);
        })?;
        Ok(Self { batches: Some(batches), reports, stop, thread: Some(thread) })
    }

    /// Hands a batch over. One that has given up has reported that, so what it does not take is not missed.
    pub(crate) fn write(&self, batch: Batch) {
        if let Some(batches) = &self.batches {
            let _ = batches.send(batch);
        }
    }

    /// No more batches come: the writer ends when those that it has are durable.
    pub(crate) fn finish(&mut self) {
        self.batches = None;
    }

    /// Nobody waits for the writer's end any more.
    pub(crate) fn leave(&mut self) {
        self.thread = None;
    }

    /// The writer ends without trying again.
    pub(crate) fn give_up(&mut self) {
        self.batches = None;
        // It may have ended already.
        let _ = self.stop.send(());
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.give_up();
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed; there is nothing left to save.
            let _ = thread.join();
        }
    }
}

/// The way of reports to the engine's thread.
struct Reports {
    report: Sender<Report>,
    wake: Box<dyn Fn() + Send>,
}

impl Reports {
    /// When nobody listens any more, the journal is still brought to its end.
    fn send(&self, report: Report) {
        if self.report.send(report).is_ok() {
            (self.wake)();
        }
    }
}

struct Work {
    storage: Box<dyn Storage>,
    groups: GroupMaker,
    reports: Reports,
    stopped: Receiver<()>,
    retention: Retention,
}

impl Work {
    fn all(mut self, work: &Receiver<Batch>) {
        while let Ok(mut batch) = work.recv() {
            let started = Instant::now();
            let written = self.write(&mut batch);
            let report = match written {
                Ok(()) => Report::Durable(batch, started.elapsed()),
                Err(error) => Report::Failed(error),
            };
            let ended = matches!(report, Report::Failed(_));
            self.reports.send(report);
            if ended {
                return;
            }
        }
    }

    fn write(&mut self, batch: &mut Batch) -> Result<(), StoreError> {
        let group = self
            .groups
            .group(batch)
            .map_err(|error| StoreError::Payload { place: "the group to be written".to_owned(), error })?;
        let mut away_since: Option<Instant> = None;
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(LONGEST_PAUSE)
            .with_jitter()
            .without_max_times()
            .build();
        loop {
            let tried = match away_since {
                None => self.storage.commit(&group),
                Some(_) => self.commit_again(&group),
            };
            let error = match tried {
                Ok(()) => {
                    if group.snapshot.is_some() {
                        // Not needed for anything that follows; the next snapshot tries it again.
                        let _ = self.storage.retain(self.groups.chain().shard(), &self.retention);
                    }
                    if let Some(since) = away_since {
                        self.reports.send(Report::Resumed { after: since.elapsed() });
                    }
                    return Ok(());
                }
                Err(error) if error.may_pass() => error,
                Err(error) => return Err(error),
            };
            self.reports.send(Report::Waiting { why: error.to_string() });
            away_since.get_or_insert_with(Instant::now);
            let pause = pauses.next().unwrap_or(LONGEST_PAUSE);
            match self.stopped.recv_timeout(pause) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return Err(error),
            }
        }
    }

    /// After a failure it is not known whether the group is durable: the end of the journal tells. A group without
    /// records holds refused requests, whose first answer stays.
    fn commit_again(&mut self, group: &Group) -> Result<(), StoreError> {
        if group.records.is_empty() {
            return self.storage.commit(group);
        }
        let end = self.groups.chain();
        let tail = self.storage.tail(end.shard())?;
        if tail.is_some_and(|tail| tail.number == end.number() && tail.checksum == end.checksum()) {
            return Ok(());
        }
        self.storage.commit(group)
    }
}
