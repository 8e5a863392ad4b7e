//! Steps taken again, compared with what was recorded.

use std::collections::VecDeque;

use bulkhead_core::engine::{Engine, RestoreError, StepError};
use bulkhead_core::identifier::ContentHash;
use bulkhead_core::input::{Input, InputKind};
use bulkhead_core::output::{Output, SlotEvent};
use bulkhead_core::strategy::StrategySource;
use bulkhead_store::journal::{
    Chain, ChainBreak, NumberedOutput, Opening, PayloadError, Record, RecordKind, RecordNumber, Sequence,
    ShardId, decode, decode_commands, decode_market, decode_opening,
};
use bulkhead_store::storage::{SnapshotHead, Storage, StoreError};

use crate::batch::is_from_feed;
use crate::sequencer::Position;
use crate::snapshot::ShardSnapshot;

/// Records that are read at a time.
const PAGE: usize = 64;

/// Where strategy versions come from.
pub trait Versions {
    /// What starts instances of the versions that are prepared, now or later.
    fn source(&self) -> Box<dyn StrategySource>;

    /// Makes a version ready to be started.
    ///
    /// # Errors
    ///
    /// Why it can't be, and what to do.
    fn prepare(&self, version: &ContentHash) -> Result<(), String>;
}

/// The first input from which something else followed than was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Divergence {
    /// The input's place.
    pub sequence: Sequence,
    /// The input.
    pub input: Input,
    /// What was recorded.
    pub recorded: Vec<Output>,
    /// What follows now.
    pub repeated: Vec<Output>,
}

/// Why a journal can't be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The store can't be read, or the journal does not hold together.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record can't be read.
    #[error("{number} ({kind}, from {first}): {error}", kind = kind.name())]
    Payload {
        /// Which record.
        number: RecordNumber,
        /// Of which kind.
        kind: RecordKind,
        /// Where it begins.
        first: Sequence,
        /// Why.
        error: PayloadError,
    },
    /// A record is not there any more.
    #[error(
        "the market data from {first} on were dropped because their retention is over; \
         start from a snapshot after that"
    )]
    Dropped {
        /// Where they began.
        first: Sequence,
    },
    /// Records are missing at the end.
    #[error(
        "the journal ends with {last}, but there is a snapshot after {snapshot}: what was written between is \
         lost; restore a backup, nothing was changed"
    )]
    Cut {
        /// The last record that is there.
        last: RecordNumber,
        /// The last record before the snapshot.
        snapshot: RecordNumber,
    },
    /// Without a snapshot the journal can't be gone on from.
    #[error("{error}; {}", snapshots(.unusable))]
    NoSnapshot {
        /// Why not from the beginning.
        error: Box<Self>,
        /// The snapshots, and why each can't be used.
        unusable: Vec<(Sequence, String)>,
    },
    /// The journal begins with something else than an opening, or has none.
    #[error("the journal of {0} does not begin with an opening record")]
    NoOpening(ShardId),
    /// The engine can't be set up as the opening says.
    #[error("the engine can't be set up as the journal's opening says: {0}")]
    Settings(#[from] StepError),
    /// A snapshot can't be gone on from.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// A strategy version that ran is not there.
    #[error("strategy version {} ran at {sequence}, but it can't be prepared: {reason}", version.short())]
    Version {
        /// Which.
        version: ContentHash,
        /// When.
        sequence: Sequence,
        /// Why.
        reason: String,
    },
    /// Something else followed than was recorded.
    #[error("{}", divergence(.0))]
    Diverged(Box<Divergence>),
}

impl From<ChainBreak> for ReplayError {
    fn from(found: ChainBreak) -> Self {
        Self::Store(found.into())
    }
}

fn snapshots(unusable: &[(Sequence, String)]) -> String {
    let each = unusable.iter().map(|(sequence, why)| format!("\n  the snapshot at {sequence}: {why}"));
    format!("its snapshots can't be used, so restore a backup:{}", each.collect::<String>())
}

fn divergence(found: &Divergence) -> String {
    format!(
        "{}: something else followed than was recorded\n  input:    {:?}\n  recorded: {:?}\n  repeated: {:?}",
        found.sequence, found.input, found.recorded, found.repeated
    )
}

/// An engine on its way through a journal.
pub struct Replay<'a> {
    engine: Engine,
    versions: &'a dyn Versions,
    chain: Chain,
    uncovered: Sequence,
    feed_inputs: u64,
    began_after: Sequence,
    inputs: u64,
    /// Records of inputs whose outputs have not been read yet.
    pending: VecDeque<Record>,
    outputs: Vec<Output>,
}

/// Sees every input that is stepped again, with what follows from it.
pub type Watch<'a> = dyn FnMut(&Engine, Sequence, &Input, &[Output]) + 'a;

impl<'a> Replay<'a> {
    /// From the journal's first record.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] when that is no opening that an engine can be made from.
    pub fn from_opening(
        storage: &mut dyn Storage,
        shard: ShardId,
        versions: &'a dyn Versions,
    ) -> Result<(Self, Opening), ReplayError> {
        let opening = read_opening(storage, shard)?.ok_or(ReplayError::NoOpening(shard))?;
        let (record, opening) = opening;
        let mut chain = Chain::start(shard);
        chain.follow(&record)?;
        let engine = Engine::new(opening.settings.clone(), versions.source())?.executing(opening.execution);
        Ok((Self::at(engine, versions, chain, 0), opening))
    }

    /// From a snapshot.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] when it can't be read or gone on from, or is not of this journal.
    pub fn from_snapshot(
        storage: &mut dyn Storage,
        head: &SnapshotHead,
        versions: &'a dyn Versions,
    ) -> Result<Self, ReplayError> {
        let chain = head.chain;
        let unreadable = |error| ReplayError::Payload {
            number: chain.number(),
            kind: RecordKind::Outputs,
            first: chain.sequence(),
            error,
        };
        let payload = storage.snapshot(head)?;
        if bulkhead_store::journal::hash_of(&payload) != head.payload_hash {
            let changed = "its hash is not the one that was written down".to_owned();
            return Err(unreadable(PayloadError::Malformed(changed)));
        }
        let snapshot = ShardSnapshot::decode(head.encoding, &payload).map_err(unreadable)?;
        let before = RecordNumber(chain.number().0.saturating_sub(1));
        let record = storage.records(chain.shard(), before, 1)?.pop();
        if record.is_none_or(|record| record.checksum != chain.checksum()) {
            let other = format!("it is not of this journal: there, {} is another", chain.number());
            return Err(unreadable(PayloadError::Malformed(other)));
        }
        for version in snapshot.engine.versions() {
            versions.prepare(&version).map_err(|reason| ReplayError::Version {
                version,
                sequence: chain.sequence(),
                reason,
            })?;
        }
        let engine = Engine::restore(snapshot.engine, versions.source())?;
        Ok(Self::at(engine, versions, chain, snapshot.feed_inputs))
    }

    fn at(engine: Engine, versions: &'a dyn Versions, chain: Chain, feed_inputs: u64) -> Self {
        Self {
            engine,
            versions,
            chain,
            uncovered: Sequence(chain.sequence().0 + 1),
            feed_inputs,
            began_after: chain.sequence(),
            inputs: 0,
            pending: VecDeque::new(),
            outputs: Vec::new(),
        }
    }

    /// The engine.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The last input that the replay began after or has stepped.
    #[must_use]
    pub const fn engine_sequence(&self) -> Sequence {
        Sequence(self.began_after.0 + self.inputs)
    }

    /// Inputs stepped so far.
    #[must_use]
    pub const fn inputs(&self) -> u64 {
        self.inputs
    }

    /// Where a sequencer goes on.
    #[must_use]
    pub fn into_position(self) -> Position {
        Position {
            engine: self.engine,
            chain: self.chain,
            uncovered: self.uncovered,
            feed_inputs: self.feed_inputs,
            since_snapshot: self.inputs,
        }
    }

    /// Steps everything that follows in the journal, or up to `until` when that is given.
    ///
    /// # Errors
    ///
    /// [`ReplayError`], at the first place where the journal does not hold together or something else follows
    /// than was recorded.
    pub fn run(
        &mut self,
        storage: &mut dyn Storage,
        until: Option<Sequence>,
        watch: &mut Watch<'_>,
    ) -> Result<(), ReplayError> {
        let until = until.unwrap_or(Sequence(u64::MAX));
        loop {
            let page = storage.records(self.chain.shard(), self.chain.number(), PAGE)?;
            if page.is_empty() {
                break;
            }
            for record in page {
                self.chain.follow(&record)?;
                match record.kind {
                    RecordKind::Market | RecordKind::Command => self.pending.push_back(record),
                    RecordKind::Outputs => self.compare(&record, until, watch)?,
                    RecordKind::Opening => return Err(ReplayError::NoOpening(self.chain.shard())),
                }
            }
            if self.uncovered > until {
                return Ok(());
            }
        }
        // Nothing followed from what comes after the last record of outputs.
        while let Some(record) = self.pending.pop_front() {
            self.step_record(&record, &mut VecDeque::new(), until, watch)?;
        }
        Ok(())
    }

    fn compare(
        &mut self,
        record: &Record,
        until: Sequence,
        watch: &mut Watch<'_>,
    ) -> Result<(), ReplayError> {
        let recorded: Vec<NumberedOutput> = read(record)?;
        let mut recorded = VecDeque::from(recorded);
        while self.pending.front().is_some_and(|pending| pending.last <= record.last) {
            if let Some(pending) = self.pending.pop_front() {
                self.step_record(&pending, &mut recorded, until, watch)?;
            }
        }
        self.uncovered = Sequence(record.last.0 + 1);
        Ok(())
    }

    fn step_record(
        &mut self,
        record: &Record,
        recorded: &mut VecDeque<NumberedOutput>,
        until: Sequence,
        watch: &mut Watch<'_>,
    ) -> Result<(), ReplayError> {
        if record.first > until {
            return Ok(());
        }
        let inputs: Vec<Input> = read_inputs(record)?;
        if record.first.0 + inputs.len() as u64 != record.last.0 + 1 {
            let error = PayloadError::Malformed(format!("it holds {} inputs", inputs.len()));
            return Err(unreadable(record, error));
        }
        for (place, input) in (record.first.0..).zip(&inputs) {
            let sequence = Sequence(place);
            if sequence > until {
                break;
            }
            let mut expected = Vec::new();
            while recorded.front().is_some_and(|next| next.sequence <= sequence) {
                expected.extend(recorded.pop_front().map(|next| next.output));
            }
            self.step(sequence, input, expected)?;
            watch(&self.engine, sequence, input, &self.outputs);
        }
        Ok(())
    }

    fn step(&mut self, sequence: Sequence, input: &Input, recorded: Vec<Output>) -> Result<(), ReplayError> {
        if let InputKind::Command(asked) = &input.kind
            && let Some(version) = asked.command.version()
            && let Err(reason) = self.versions.prepare(version)
            && recorded.iter().any(is_deployment)
        {
            return Err(ReplayError::Version { version: *version, sequence, reason });
        }
        self.outputs.clear();
        self.engine.step_again(input, &recorded, &mut self.outputs);
        self.inputs += 1;
        self.feed_inputs += u64::from(is_from_feed(&input.kind));
        if self.outputs == recorded {
            return Ok(());
        }
        let repeated = std::mem::take(&mut self.outputs);
        let input = input.clone();
        Err(ReplayError::Diverged(Box::new(Divergence { sequence, input, recorded, repeated })))
    }
}

/// The journal's first record and what is in it. `None` when there is no journal.
pub(crate) fn read_opening(
    storage: &mut dyn Storage,
    shard: ShardId,
) -> Result<Option<(Record, Opening)>, ReplayError> {
    let Some(record) = storage.records(shard, RecordNumber(0), 1)?.pop() else { return Ok(None) };
    if record.kind != RecordKind::Opening {
        return Err(ReplayError::NoOpening(shard));
    }
    let opening = decode_opening(record.encoding, payload(&record)?);
    let opening = opening.map_err(|error| unreadable(&record, error))?;
    Ok(Some((record, opening)))
}

fn read<T: serde::de::DeserializeOwned>(record: &Record) -> Result<T, ReplayError> {
    decode(record.encoding, payload(record)?).map_err(|error| unreadable(record, error))
}

fn read_inputs(record: &Record) -> Result<Vec<Input>, ReplayError> {
    match record.kind {
        RecordKind::Market => {
            decode_market(record.encoding, payload(record)?).map_err(|error| unreadable(record, error))
        }
        _ => decode_commands(record.encoding, payload(record)?).map_err(|error| unreadable(record, error)),
    }
}

fn payload(record: &Record) -> Result<&[u8], ReplayError> {
    record.payload.as_deref().ok_or(ReplayError::Dropped { first: record.first })
}

fn unreadable(record: &Record, error: PayloadError) -> ReplayError {
    ReplayError::Payload { number: record.number, kind: record.kind, first: record.first, error }
}

/// Whether a version was put to work. One that was refused need not be there.
fn is_deployment(output: &Output) -> bool {
    let is_deployment =
        |event: &SlotEvent| matches!(event, SlotEvent::Started(_) | SlotEvent::Replaced { .. });
    matches!(output, Output::SlotChanged(change) if is_deployment(&change.event))
}
