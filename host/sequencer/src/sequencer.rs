//! The engine and the order of its inputs.

use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use bulkhead_core::engine::{Engine, Taken};
use bulkhead_core::input::{Actor, Command, Input, InputKind};
use bulkhead_core::output::{Output, SlotEvent};
use bulkhead_core::time::Span;
use bulkhead_store::journal::{Chain, NumberedOutput, Sequence, ShardId};
use bulkhead_store::read_models::{Change, Projection};
use bulkhead_store::storage::{AnsweredRequest, Outcome, Retention, Storage, StoreError};

use crate::audit;
use crate::batch::{Batch, GroupMaker, is_from_feed};
use crate::snapshot::ShardSnapshot;
use crate::writer::{Report, Writer};

/// Batches that the writer may have: one that it works on and one that waits.
const MOST_UNWRITTEN: usize = 2;

/// A group from which nothing followed waits so many times longer for company: nothing waits for it, and
/// larger groups take less room.
const QUIET_PATIENCE: u32 = 10;

/// How often a caller looks whether the writer has reported something.
const BETWEEN_REPORTS: Duration = Duration::from_millis(1);

/// How long the writer may take to say why it could not write.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Times of commits that are kept for whoever measures them.
const MOST_COMMIT_TIMES: usize = 1_024;

/// When groups are written and snapshots taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Most inputs in a group. When a group is full and the store still works on those before it, no more
    /// inputs are taken.
    pub group_inputs: usize,
    /// How long an input may wait for others to be written with it when something follows from it; ten times
    /// as long when nothing does.
    pub group_delay: Duration,
    /// A snapshot is taken after so many inputs.
    pub snapshot_inputs: u64,
    /// A snapshot is taken after this time, if there was an input.
    pub snapshot_delay: Duration,
    /// The account's value is kept once in every period of event time of this length.
    pub equity_every: Span,
    /// What is kept of what is old.
    pub retention: Retention,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            // Only a feed that is faster than the store fills a group. Then large ones are what makes it fast; else
            // the delay ends them long before. docs/performance.md has the figures for both.
            group_inputs: 4_096,
            group_delay: Duration::from_millis(1),
            snapshot_inputs: 200_000,
            snapshot_delay: Duration::from_secs(60),
            equity_every: Span::from_seconds(3_600),
            retention: Retention::default(),
        }
    }
}

/// How the journal is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalStatus {
    /// It takes what comes.
    Writing,
    /// The store can't take anything at the moment: trading stands still.
    Waiting {
        /// Since when.
        since: Instant,
        /// Why it could not write when it last tried.
        why: String,
    },
}

/// What happened to the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalEvent {
    /// The store stopped taking groups, or goes on not taking them for another reason than before.
    Stalled {
        /// Why.
        why: String,
    },
    /// It takes them again.
    Resumed {
        /// After this time.
        after: Duration,
    },
}

/// Where a shard goes on: what recovery found, or the beginning.
pub struct Position {
    /// The engine after the journal's last input.
    pub engine: Engine,
    /// The journal's end.
    pub chain: Chain,
    /// The first input that no record of outputs covers.
    pub uncovered: Sequence,
    /// Inputs that came from the feed.
    pub feed_inputs: u64,
    /// Inputs after the snapshot that this was made from, or after the beginning.
    pub since_snapshot: u64,
}

/// An engine behind its journal.
pub struct Sequencer {
    shard: ShardId,
    engine: Engine,
    policy: Policy,
    writer: Writer,
    sequence: Sequence,
    durable: Sequence,
    feed_inputs: u64,
    batch: Batch,
    /// When the first input of the batch came.
    begun: Option<Instant>,
    /// An empty batch, kept for its memory.
    spare: Batch,
    /// Batches that the writer has.
    unwritten: usize,
    outputs: Vec<Output>,
    projection: Projection,
    since_snapshot: u64,
    last_snapshot: Instant,
    status: JournalStatus,
    events: Vec<JournalEvent>,
    commit_times: Vec<Duration>,
}

impl Sequencer {
    /// Goes on from a position; the journal's end in the store must be the position's.
    ///
    /// # Errors
    ///
    /// When the writer's thread can't be started.
    pub fn start(position: Position, storage: Box<dyn Storage>, policy: Policy) -> std::io::Result<Self> {
        Self::start_waking(position, storage, policy, || {})
    }

    /// [`Self::start`], and from then on `wake` is called on the journal's thread whenever
    /// [`Self::released`] has something new to tell: for who waits for several sequencers at once.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub fn start_waking(
        position: Position,
        storage: Box<dyn Storage>,
        policy: Policy,
        wake: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let Position { engine, chain, uncovered, feed_inputs, since_snapshot } = position;
        Ok(Self {
            shard: chain.shard(),
            projection: Projection::new(chain.shard(), &engine, policy.equity_every),
            engine,
            policy,
            writer: Writer::start(
                storage,
                GroupMaker::new(chain, uncovered),
                policy.retention,
                Box::new(wake),
            )?,
            sequence: chain.sequence(),
            durable: chain.sequence(),
            feed_inputs,
            batch: Batch::default(),
            begun: None,
            spare: Batch::default(),
            unwritten: 0,
            outputs: Vec::new(),
            since_snapshot,
            last_snapshot: Instant::now(),
            status: JournalStatus::Writing,
            events: Vec::new(),
            commit_times: Vec::new(),
        })
    }

    /// The engine, as far as it has stepped: ahead of what is durable.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The last input.
    #[must_use]
    pub const fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// The last input that is durable: what the engine showed after it may be told.
    #[must_use]
    pub const fn durable(&self) -> Sequence {
        self.durable
    }

    /// Inputs that came from the feed since the journal began.
    #[must_use]
    pub const fn feed_inputs(&self) -> u64 {
        self.feed_inputs
    }

    /// How the journal is doing.
    #[must_use]
    pub const fn status(&self) -> &JournalStatus {
        &self.status
    }

    /// Whether another input can be taken. If not, [`Self::wait`] until the store has caught up.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.batch.inputs.len() < self.policy.group_inputs && self.batch.snapshot.is_none()
    }

    /// Takes an input and steps the engine. What follows from it comes out of [`Self::released`] once it is
    /// durable.
    pub fn step(&mut self, input: Input) -> Sequence {
        self.take(input);
        self.after_step();
        self.sequence
    }

    /// [`Self::step`] with an input whose sender wants to know whether the engine could use it; why not, if it could not.
    pub fn step_answering(&mut self, input: Input) -> (Sequence, Option<String>) {
        let refusal = self.take(input);
        self.after_step();
        (self.sequence, refusal)
    }

    /// [`Self::step`] with the command that an operator's request asks for. What became of it is durable with the
    /// input.
    pub fn answer(&mut self, request: i64, actor: Actor, command: Command) -> Sequence {
        let kind = InputKind::command(actor, command);
        let refusal = self.take(Input { time: self.engine.now(), kind });
        let sequence = self.sequence;
        let outcome = match refusal {
            None => Outcome::Applied { sequence },
            Some(reason) => Outcome::Refused { sequence: Some(sequence), reason },
        };
        self.batch.answered.push(AnsweredRequest { id: request, outcome });
        self.after_step();
        sequence
    }

    /// Answers a request that no command can be made of, so that nobody waits for it.
    pub fn refuse(&mut self, request: i64, reason: String) {
        self.begun.get_or_insert_with(Instant::now);
        let outcome = Outcome::Refused { sequence: None, reason };
        self.batch.answered.push(AnsweredRequest { id: request, outcome });
    }

    /// Has a row written with the next group that the engine knows nothing of, such as a plugin's file.
    pub fn note(&mut self, change: Change) {
        self.batch.changes.push(change);
    }

    /// Steps the engine. Why the command or the venue's news was refused, if the input is one and was.
    fn take(&mut self, input: Input) -> Option<String> {
        self.sequence.0 += 1;
        self.since_snapshot += 1;
        // A snapshot is of the end of its group.
        self.batch.snapshot = None;
        self.feed_inputs += u64::from(is_from_feed(&input.kind));
        self.begun.get_or_insert_with(Instant::now);
        let taken = self.engine.step(&input, &mut self.outputs);
        let sequence = self.sequence;
        let mut refusal = match (&input.kind, &taken) {
            (InputKind::Venue(_), Taken::Refused { reason }) => Some(reason.clone()),
            _ => None,
        };
        if let InputKind::Command(asked) = &input.kind {
            refusal = match taken {
                Taken::Refused { reason } => Some(reason),
                Taken::Used => failed_deployment(&asked.command, &self.outputs),
            };
            let (at, settings) = ((self.shard, sequence, self.engine.now()), self.engine.settings());
            let rows = audit::command(at, asked, refusal.as_deref(), &self.outputs, settings);
            self.batch.changes.extend(rows);
        }
        // A value that leaves the range of the books is no reason to stop: the tables keep the one before.
        let _ = self.projection.changes(&self.engine, sequence, &self.outputs, &mut self.batch.changes);
        self.batch.outputs.extend(self.outputs.drain(..).map(|output| NumberedOutput { sequence, output }));
        self.batch.inputs.push(input);
        refusal
    }

    fn after_step(&mut self) {
        if self.since_snapshot >= self.policy.snapshot_inputs {
            self.checkpoint();
        }
        if !self.has_room() {
            self.write();
        }
    }

    /// Saves the strategies and has the whole state written with the next group.
    fn checkpoint(&mut self) {
        let input = Input { time: self.engine.now(), kind: InputKind::Checkpoint };
        self.take(input);
        let snapshot = ShardSnapshot { engine: self.engine.snapshot(), feed_inputs: self.feed_inputs };
        self.batch.snapshot = Some(Box::new(snapshot));
        self.since_snapshot = 0;
        self.last_snapshot = Instant::now();
    }

    /// Hands the batch to the writer, if there is one and the writer has room.
    fn write(&mut self) {
        if self.batch.is_empty() || self.unwritten >= MOST_UNWRITTEN {
            return;
        }
        let _ = self.projection.account(&self.engine, self.sequence, &mut self.batch.changes);
        let batch = std::mem::replace(&mut self.batch, std::mem::take(&mut self.spare));
        self.writer.write(batch);
        self.unwritten += 1;
        self.begun = None;
    }

    /// How long the group in the making may wait.
    fn patience(&self) -> Duration {
        let delay = self.policy.group_delay;
        let is_awaited = !self.batch.outputs.is_empty() || !self.batch.answered.is_empty();
        if is_awaited { delay } else { delay.saturating_mul(QUIET_PATIENCE) }
    }

    /// In how long [`Self::released`] has something to do; who sleeps longer keeps outputs waiting. `None` while
    /// everything is durable and was released.
    #[must_use]
    pub fn next_look(&self) -> Option<Duration> {
        // While the writer has its fill, only a report changes anything.
        let begun = self.begun.filter(|_| self.unwritten < MOST_UNWRITTEN);
        let group = begun.map(|begun| self.patience().saturating_sub(begun.elapsed()));
        let report = (self.unwritten > 0).then_some(BETWEEN_REPORTS);
        group.into_iter().chain(report).min()
    }

    /// Does what is due by the clock, and appends the outputs that may leave to `released`. Waits for nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the journal can't go on: the process must end, and start again when that was seen
    /// to.
    pub fn released(&mut self, released: &mut Vec<NumberedOutput>) -> Result<(), StoreError> {
        if self.since_snapshot > 0
            && self.batch.snapshot.is_none()
            && self.last_snapshot.elapsed() >= self.policy.snapshot_delay
        {
            self.checkpoint();
        }
        let due = self.begun.is_some_and(|begun| begun.elapsed() >= self.patience());
        if due || !self.has_room() {
            self.write();
        }
        loop {
            match self.writer.reports.try_recv() {
                Ok(report) => self.hear(report, released)?,
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(writer_is_gone()),
            }
        }
    }

    /// [`Self::released`], but waits for the writer to report something, at most so long.
    ///
    /// # Errors
    ///
    /// As [`Self::released`].
    pub fn wait(&mut self, most: Duration, released: &mut Vec<NumberedOutput>) -> Result<(), StoreError> {
        self.released(released)?;
        if self.unwritten > 0 {
            self.hear_next(most, released)?;
        }
        self.released(released)
    }

    /// What happened to the journal since this was last asked.
    pub fn journal_events(&mut self) -> impl Iterator<Item = JournalEvent> + '_ {
        self.events.drain(..)
    }

    /// How long the commits took that ended since this was last asked; some are left out when that is long ago.
    pub fn commit_times(&mut self) -> impl Iterator<Item = Duration> + '_ {
        self.commit_times.drain(..)
    }

    fn give_up(mut self, until: Instant, released: &mut Vec<NumberedOutput>) -> Result<Engine, StoreError> {
        self.writer.give_up();
        // Between two tries it ends at once and says why. Who closes several waits for all of them together.
        let last_words = until + LAST_WORDS;
        while self.unwritten > 0
            && let left = last_words.saturating_duration_since(Instant::now())
            && let Ok(report) = self.writer.reports.recv_timeout(left)
        {
            self.hear(report, released)?;
        }
        // It may hang in a call that nobody can end; the process must be able to.
        self.writer.leave();
        if self.batch.is_empty() && self.unwritten == 0 {
            return Ok(self.engine);
        }
        let why = match &self.status {
            JournalStatus::Waiting { why, .. } => format!(": {why}"),
            JournalStatus::Writing => String::new(),
        };
        Err(StoreError::Unavailable(format!("it did not take everything in time{why}")))
    }

    fn hear_next(&mut self, most: Duration, released: &mut Vec<NumberedOutput>) -> Result<(), StoreError> {
        match self.writer.reports.recv_timeout(most) {
            Ok(report) => self.hear(report, released),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => Err(writer_is_gone()),
        }
    }

    fn hear(&mut self, report: Report, released: &mut Vec<NumberedOutput>) -> Result<(), StoreError> {
        match report {
            Report::Durable(mut batch, took) => {
                if self.commit_times.len() < MOST_COMMIT_TIMES {
                    self.commit_times.push(took);
                }
                self.unwritten -= 1;
                self.durable.0 += batch.inputs.len() as u64;
                released.append(&mut batch.outputs);
                batch.clear();
                self.spare = batch;
            }
            Report::Waiting { why } => {
                let known = match &self.status {
                    JournalStatus::Waiting { since, why } => Some((*since, why)),
                    JournalStatus::Writing => None,
                };
                if known.is_none_or(|(_, before)| *before != why) {
                    self.events.push(JournalEvent::Stalled { why: why.clone() });
                }
                let since = known.map_or_else(Instant::now, |(since, _)| since);
                self.status = JournalStatus::Waiting { since, why };
            }
            Report::Resumed { after } => {
                self.status = JournalStatus::Writing;
                self.events.push(JournalEvent::Resumed { after });
            }
            Report::Failed(error) => return Err(error),
        }
        Ok(())
    }

    /// Takes a last snapshot and has everything written, without waiting for it: for who closes several
    /// sequencers, so that their journals end side by side. No input may come after it.
    pub fn begin_close(&mut self) {
        if self.since_snapshot > 0 {
            self.checkpoint();
        }
        self.write();
    }

    /// Takes a last snapshot and waits until everything is durable, at most so long. What could not be made
    /// durable in that time has had no effect outside, and is lost.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when something was not made durable.
    pub fn close(self, within: Duration, released: &mut Vec<NumberedOutput>) -> Result<Engine, StoreError> {
        self.close_until(Instant::now() + within, released)
    }

    /// [`Self::close`] with the moment at which it must have been done. One that has passed leaves hardly any time.
    ///
    /// # Errors
    ///
    /// As [`Self::close`].
    pub fn close_until(
        mut self,
        until: Instant,
        released: &mut Vec<NumberedOutput>,
    ) -> Result<Engine, StoreError> {
        self.begin_close();
        while !self.batch.is_empty() || self.unwritten > 0 {
            self.write();
            // What was reported meanwhile counts, also when no time is left.
            self.released(released)?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() && (self.unwritten > 0 || !self.batch.is_empty()) {
                return self.give_up(until, released);
            }
            if self.unwritten > 0 {
                self.hear_next(left, released)?;
            }
        }
        self.writer.finish();
        Ok(self.engine)
    }
}

/// Why a version was not started. The engine has used the command then: what ran before goes on.
fn failed_deployment(command: &Command, outputs: &[Output]) -> Option<String> {
    let slot = command.starts()?;
    outputs.iter().find_map(|output| match output {
        Output::SlotChanged(change) if change.slot == slot => match &change.event {
            SlotEvent::DeploymentFailed { reason, .. } => Some(reason.clone()),
            _ => None,
        },
        _ => None,
    })
}

fn writer_is_gone() -> StoreError {
    StoreError::Unsuitable(
        "the journal's thread has ended; what was not written by then had no effect".to_owned(),
    )
}
