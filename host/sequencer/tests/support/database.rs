//! A database on a simulated disk, with faults at chosen operations.
//!
//! A commit writes one frame to the end of a log and syncs. What was written and not synced when the process
//! dies is there in part, or not at all. When it is opened again, a broken frame at the very end never was;
//! one that others follow is damage.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bulkhead_core::time::Timestamp;
use bulkhead_store::journal::{Checksum, Record, RecordNumber, ShardId, hash_of};
use bulkhead_store::storage::{
    AnsweredRequest, Group, Outcome, Request, Snapshot, SnapshotHead, Storage, StoreError,
};

/// What happens at an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The process dies before anything is written.
    DieBefore,
    /// The process dies while the frame is written: so many 256ths of it reach the disk.
    DieWriting(u8),
    /// The process dies after the sync, before the answer arrives.
    DieAfter,
    /// The connection is lost before anything is written.
    LoseBefore,
    /// The connection is lost after the sync: the answer does not arrive.
    LoseAfter,
    /// There is no room.
    Full,
    /// The database's code panics.
    Panic,
}

#[derive(Default)]
struct State {
    /// Frames: where each ends, and what it holds.
    disk: Vec<u8>,
    frames: Vec<(usize, Stored)>,
    operations: u64,
    troubles: BTreeMap<u64, Trouble>,
    dead: bool,
    /// Commands that operators asked for; a request's number is its place, from 1.
    asked: Vec<String>,
}

#[derive(Clone)]
enum Stored {
    Record(Record),
    Snapshot(Snapshot),
    Answered(AnsweredRequest),
}

/// A handle of one process to the database.
#[derive(Clone, Default)]
pub(crate) struct Database {
    state: Arc<Mutex<State>>,
}

impl Database {
    /// Faults by the number of the operation, counted over the database's life from 1.
    pub(crate) fn with_troubles(troubles: impl IntoIterator<Item = (u64, Trouble)>) -> Self {
        let database = Self::default();
        database.state().troubles.extend(troubles);
        database
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Commits so far.
    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// As long as this is held, nobody is answered.
    pub(crate) fn hang(&self) -> impl Drop + '_ {
        self.state()
    }

    /// Whether the process that uses it has died.
    pub(crate) fn is_dead(&self) -> bool {
        self.state().dead
    }

    /// Another process opens it after the one before has died: a torn frame at the end never was.
    pub(crate) fn open_again(&self) {
        let mut state = self.state();
        let length = state.disk.len();
        state.frames.retain(|(end, _)| *end <= length);
        let whole = state.frames.iter().map(|(end, _)| *end).max().unwrap_or(0);
        state.disk.truncate(whole);
        state.dead = false;
    }

    pub(crate) fn records_of(&self, shard: ShardId) -> Vec<Record> {
        let state = self.state();
        let stored = state.frames.iter().filter_map(|(_, stored)| match stored {
            Stored::Record(record) if record.shard == shard => Some(record.clone()),
            _ => None,
        });
        stored.collect()
    }

    pub(crate) fn snapshots_of(&self) -> Vec<SnapshotHead> {
        let state = self.state();
        let heads = state.frames.iter().filter_map(|(_, stored)| match stored {
            Stored::Snapshot(snapshot) => Some(snapshot.head.clone()),
            Stored::Record(_) | Stored::Answered(_) => None,
        });
        heads.collect()
    }

    /// Operators ask for these commands before anything runs.
    pub(crate) fn ask(&self, commands: impl IntoIterator<Item = String>) {
        self.state().asked.extend(commands);
    }

    /// What became of the requests, in the order of their numbers.
    pub(crate) fn outcomes(&self) -> Vec<Vec<Outcome>> {
        let state = self.state();
        (1..).zip(&state.asked).map(|(id, _)| state.outcomes(id)).collect()
    }

    /// Takes the last records of the journal away.
    pub(crate) fn truncate_records(&self, last: RecordNumber) {
        let kept = |stored: &Stored| match stored {
            Stored::Record(record) => record.number <= last,
            Stored::Snapshot(_) | Stored::Answered(_) => true,
        };
        self.state().frames.retain(|(_, stored)| kept(stored));
    }

    /// Changes what is stored behind the program's back.
    pub(crate) fn edit_records(&self, mut edit: impl FnMut(&mut Record)) {
        for (_, stored) in &mut self.state().frames {
            if let Stored::Record(record) = stored {
                edit(record);
            }
        }
    }

    /// Changes a snapshot behind the program's back; 0 is the newest.
    pub(crate) fn edit_snapshot(&self, age: usize, edit: impl FnOnce(&mut Snapshot)) {
        let mut state = self.state();
        let snapshot = state.frames.iter_mut().rev().filter_map(|(_, stored)| match stored {
            Stored::Snapshot(snapshot) => Some(snapshot),
            Stored::Record(_) | Stored::Answered(_) => None,
        });
        edit(snapshot.into_iter().nth(age).unwrap());
    }
}

/// Nobody is there to see this: a process that died does not go on.
fn died() -> StoreError {
    StoreError::Unsuitable("the process died".to_owned())
}

impl State {
    fn write(&mut self, group: &Group, part: Option<u8>) {
        let records: usize =
            group.records.iter().map(|record| 100 + record.payload.as_ref().map_or(0, Vec::len)).sum();
        let bytes = records + 100 * group.answered.len();
        let end = self.disk.len() + bytes;
        let written = part.map_or(bytes, |part| bytes * usize::from(part) / 256);
        self.disk.extend(std::iter::repeat_n(0, written));
        self.frames.extend(group.records.iter().cloned().map(|record| (end, Stored::Record(record))));
        self.frames.extend(group.snapshot.iter().cloned().map(|snapshot| (end, Stored::Snapshot(snapshot))));
        for request in &group.answered {
            // The first answer stays.
            if self.outcomes(request.id).is_empty() {
                self.frames.push((end, Stored::Answered(request.clone())));
            }
        }
    }

    fn outcomes(&self, request: i64) -> Vec<Outcome> {
        let answers = self.frames.iter().filter_map(|(_, stored)| match stored {
            Stored::Answered(answer) if answer.id == request => Some(answer.outcome.clone()),
            _ => None,
        });
        answers.collect()
    }

    fn last(&self, shard: ShardId) -> Option<&Record> {
        self.frames.iter().rev().find_map(|(_, stored)| match stored {
            Stored::Record(record) if record.shard == shard => Some(record),
            _ => None,
        })
    }
}

impl Storage for Database {
    fn commit(&mut self, group: &Group) -> Result<(), StoreError> {
        let mut state = self.state();
        let lost = || StoreError::Unavailable("the connection was lost".to_owned());
        if state.dead {
            return Err(died());
        }
        state.operations += 1;
        let operation = state.operations;
        if let Some(first) = group.records.first() {
            let expected = state.last(first.shard).map_or(1, |last| last.number.0 + 1);
            if first.number.0 != expected {
                return Err(StoreError::Conflict(format!(
                    "{} comes instead of record {expected}",
                    first.number
                )));
            }
        }
        let trouble = state.troubles.get(&operation).copied();
        if trouble == Some(Trouble::Panic) {
            drop(state);
            panic!("the simulated database panics");
        }
        match trouble {
            None => {
                state.write(group, None);
                Ok(())
            }
            Some(trouble) => {
                match trouble {
                    Trouble::DieBefore | Trouble::LoseBefore | Trouble::Full | Trouble::Panic => {}
                    Trouble::DieWriting(part) => state.write(group, Some(part)),
                    Trouble::DieAfter | Trouble::LoseAfter => state.write(group, None),
                }
                state.dead =
                    matches!(trouble, Trouble::DieBefore | Trouble::DieWriting(_) | Trouble::DieAfter);
                Err(if trouble == Trouble::Full {
                    StoreError::Full("0 bytes left".to_owned())
                } else {
                    lost()
                })
            }
        }
    }

    fn tail(&mut self, shard: ShardId) -> Result<Option<Record>, StoreError> {
        let state = self.state();
        if state.dead {
            return Err(died());
        }
        Ok(state.last(shard).cloned())
    }

    fn records(
        &mut self,
        shard: ShardId,
        after: RecordNumber,
        most: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let records = self.records_of(shard).into_iter().filter(|record| record.number > after);
        Ok(records.take(most).collect())
    }

    fn snapshots(&mut self, shard: ShardId) -> Result<Vec<SnapshotHead>, StoreError> {
        let mut heads = self.snapshots_of();
        heads.retain(|head| head.chain.shard() == shard);
        heads.reverse();
        Ok(heads)
    }

    fn snapshot(&mut self, head: &SnapshotHead) -> Result<Vec<u8>, StoreError> {
        let state = self.state();
        let found = state.frames.iter().find_map(|(_, stored)| match stored {
            Stored::Snapshot(snapshot) if snapshot.head == *head => Some(snapshot.payload.clone()),
            _ => None,
        });
        found.ok_or_else(|| StoreError::Unsuitable("there is no such snapshot".to_owned()))
    }

    fn requests(&mut self, _: ShardId) -> Result<Vec<Request>, StoreError> {
        let state = self.state();
        let requests = (1..).zip(&state.asked).filter(|(id, _)| state.outcomes(*id).is_empty());
        let request = |(id, command): (i64, &String)| Request {
            id,
            actor: "somebody".to_owned(),
            command: command.clone(),
            asked: Timestamp::from_seconds(0),
            authority: None,
        };
        Ok(requests.map(request).collect())
    }
}

/// A hash that fits the payload, after an edit.
pub(crate) fn rehash(payload: &[u8]) -> Checksum {
    hash_of(payload)
}
