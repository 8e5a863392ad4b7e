//! What becomes durable together: inputs, what followed from them, and now and then a snapshot.

use bulkhead_core::input::{Input, InputKind};
use bulkhead_store::journal::{
    Chain, NumberedOutput, PayloadError, Record, RecordKind, Sequence, encode, encode_market, hash_of,
};
use bulkhead_store::storage::{AnsweredRequest, Change, Group, Snapshot, SnapshotHead};

use crate::snapshot::ShardSnapshot;

/// The record of outputs covers every input since the one before it. There is one at least so often, so that
/// a replay need not read far ahead to know what was recorded.
const MOST_RECORDS_WITHOUT_OUTPUTS: u64 = 64;

/// A group in the making. Empty again after use, with its memory.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) inputs: Vec<Input>,
    pub(crate) outputs: Vec<NumberedOutput>,
    pub(crate) changes: Vec<Change>,
    pub(crate) answered: Vec<AnsweredRequest>,
    /// Taken after the last input, which is a checkpoint.
    pub(crate) snapshot: Option<Box<ShardSnapshot>>,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.inputs.is_empty() && self.answered.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.inputs.clear();
        self.outputs.clear();
        self.changes.clear();
        self.answered.clear();
        self.snapshot = None;
    }
}

/// Makes groups for the store: the end of the journal, and what has no record of outputs yet.
pub(crate) struct GroupMaker {
    chain: Chain,
    /// The first input that no record of outputs covers.
    uncovered: Sequence,
    records_without_outputs: u64,
}

impl GroupMaker {
    pub(crate) fn new(chain: Chain, uncovered: Sequence) -> Self {
        Self { chain, uncovered, records_without_outputs: 0 }
    }

    pub(crate) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The batch as records, with its snapshot and rows.
    pub(crate) fn group(&mut self, batch: &mut Batch) -> Result<Group, PayloadError> {
        let mut records = Vec::new();
        let mut rest = batch.inputs.as_slice();
        while let Some(first) = rest.first() {
            let kind = record_kind(first);
            let count = match kind {
                RecordKind::Command => 1,
                _ => rest.iter().take_while(|input| record_kind(input) == kind).count(),
            };
            let (these, others) = rest.split_at(count);
            records.push(self.inputs_record(kind, these)?);
            rest = others;
        }
        self.records_without_outputs += records.len() as u64;
        let due = self.records_without_outputs >= MOST_RECORDS_WITHOUT_OUTPUTS;
        if !batch.outputs.is_empty() || batch.snapshot.is_some() || due {
            let payload = encode(&batch.outputs)?;
            let time = batch.inputs.first().map(|input| input.time).unwrap_or_default();
            let last = self.chain.sequence();
            records.push(self.chain.append(RecordKind::Outputs, self.uncovered, last, time, payload));
            self.uncovered = Sequence(last.0 + 1);
            self.records_without_outputs = 0;
        }
        let snapshot = batch.snapshot.take().map(|snapshot| self.snapshot(&snapshot)).transpose()?;
        Ok(Group {
            records,
            snapshot,
            changes: std::mem::take(&mut batch.changes),
            answered: std::mem::take(&mut batch.answered),
        })
    }

    fn inputs_record(&mut self, kind: RecordKind, inputs: &[Input]) -> Result<Record, PayloadError> {
        let payload = match kind {
            RecordKind::Market => encode_market(inputs)?,
            _ => encode(inputs)?,
        };
        let first = Sequence(self.chain.sequence().0 + 1);
        let last = Sequence(self.chain.sequence().0 + inputs.len() as u64);
        let time = inputs.first().map(|input| input.time).unwrap_or_default();
        Ok(self.chain.append(kind, first, last, time, payload))
    }

    fn snapshot(&self, snapshot: &ShardSnapshot) -> Result<Snapshot, PayloadError> {
        let payload = encode(snapshot)?;
        let head = SnapshotHead {
            chain: self.chain,
            time: snapshot.engine.now(),
            encoding: bulkhead_store::journal::ENCODING,
            payload_hash: hash_of(&payload),
        };
        Ok(Snapshot { head, payload })
    }
}

/// What kind of record an input goes into.
fn record_kind(input: &Input) -> RecordKind {
    match input.kind {
        InputKind::Command(_) | InputKind::Venue(_) => RecordKind::Command,
        InputKind::Bar(_)
        | InputKind::Quote(_)
        | InputKind::Trade(_)
        | InputKind::Signal(_)
        | InputKind::Timer
        | InputKind::Checkpoint => RecordKind::Market,
    }
}

/// Whether an input comes from the feed, and not from the host itself or from people.
pub(crate) fn is_from_feed(kind: &InputKind) -> bool {
    match kind {
        InputKind::Bar(_) | InputKind::Quote(_) | InputKind::Trade(_) | InputKind::Signal(_) => true,
        InputKind::Timer | InputKind::Checkpoint | InputKind::Command(_) | InputKind::Venue(_) => false,
    }
}
