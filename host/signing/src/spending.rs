//! What a key has signed: how much was spent in 24 hours, and what each nonce was signed for. It is on the disk before
//! a signature is given out, so neither a restart nor a crash makes the signer forget.
//!
//! One line a signature; the file is written anew, without what is too old to matter, when it is opened and when it has
//! grown. One signer at a time has it.

mod line_file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use alloy_primitives::{Address, U256};
use serde::{Deserialize, Serialize};

pub(crate) use self::line_file::LineFile;
use crate::keystore::KeystoreError;
use crate::policy::{Allowed, Asset, Refusal};
use crate::request::{Purpose, SigningRequest, Step};

pub(crate) const DAY_SECONDS: u64 = 24 * 60 * 60;
/// How many nonces of a chain are remembered beyond a day.
const REMEMBERED_NONCES: usize = 1024;

/// Why what was signed can't be known or written down. Nothing is signed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpendingError {
    /// Files can't be read or written.
    #[error(transparent)]
    File(#[from] KeystoreError),
    /// Another signer has the key.
    #[error("{} is in use: another signer signs with this key; stop it first", path.display())]
    InUse {
        /// Its lock.
        path: PathBuf,
    },
    /// A line is not what was written.
    #[error(
        "line {line} of {} can't be read: {why}. What the key has spent is not known; take the file from a backup, or \
         move it away to begin with nothing spent and no nonce signed",
        path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// An earlier line could not be taken back.
    #[error("{} could not be written earlier and is in an unknown state; start the signer again", path.display())]
    Broken {
        /// Which file.
        path: PathBuf,
    },
}

/// Why nothing may be signed.
#[derive(Debug)]
pub(crate) enum NotAdmitted {
    Refused(Refusal),
    Failed(SpendingError),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "record", deny_unknown_fields)]
enum Line {
    /// The first one.
    Head { version: u32, address: Address },
    /// Nonces below this are forgotten.
    Forgotten { chain: u64, below: u64 },
    /// Something was signed.
    Signed {
        chain: u64,
        nonce: u64,
        time: u64,
        order: String,
        step: Step,
        fees: U256,
        spent: Vec<(Asset, U256)>,
    },
}

/// What was signed with one nonce. Only one transaction of a nonce can land, so the largest amounts count.
#[derive(Clone, Debug)]
struct Entry {
    /// When the last signature was given.
    time: u64,
    first: Purpose,
    fees: U256,
    spent: BTreeMap<Asset, U256>,
}

/// What a key has signed.
#[derive(Debug)]
pub(crate) struct Spending {
    address: Address,
    file: LineFile,
    entries: BTreeMap<(u64, u64), Entry>,
    forgotten: BTreeMap<u64, u64>,
}

impl Spending {
    /// What the key of this address has signed, from a file in a directory of such files.
    pub(crate) fn open(directory: &Path, address: Address, now: u64) -> Result<Self, SpendingError> {
        let (file, lines) = LineFile::open(directory, &address.to_string())?;
        let mut spending = Self { address, file, entries: BTreeMap::new(), forgotten: BTreeMap::new() };
        for (number, line) in lines {
            spending.take_up(number, line)?;
        }
        spending.compact(now)?;
        Ok(spending)
    }

    fn take_up(&mut self, number: usize, line: Line) -> Result<(), SpendingError> {
        match (number, line) {
            (1, Line::Head { version: 1, address }) if address == self.address => {}
            (1, Line::Head { version, address }) => {
                return Err(self.file.damaged(number, format!("it is version {version}, of {address}")));
            }
            (1, _) | (_, Line::Head { .. }) => {
                return Err(self.file.damaged(number, "the head is not where it belongs".to_owned()));
            }
            (_, Line::Forgotten { chain, below }) => {
                self.forgotten.insert(chain, below);
            }
            (_, Line::Signed { chain, nonce, time, order, step, fees, spent }) => {
                let order = order.parse();
                let order = order.map_err(|_| self.file.damaged(number, "it names no order".to_owned()))?;
                self.count(chain, nonce, time, &Purpose { order, step }, fees, spent);
            }
        }
        Ok(())
    }

    fn count(
        &mut self,
        chain: u64,
        nonce: u64,
        time: u64,
        purpose: &Purpose,
        fees: U256,
        spent: impl IntoIterator<Item = (Asset, U256)>,
    ) {
        let entry = self.entries.entry((chain, nonce)).or_insert_with(|| Entry {
            time,
            first: purpose.clone(),
            fees: U256::ZERO,
            spent: BTreeMap::new(),
        });
        entry.time = entry.time.max(time);
        entry.fees = entry.fees.max(fees);
        for (asset, amount) in spent {
            let counted = entry.spent.entry(asset).or_default();
            *counted = amount.max(*counted);
        }
    }

    /// Holds a request against what was signed before, and writes it down. After that it may be signed.
    pub(crate) fn admit(
        &mut self,
        request: &SigningRequest,
        allowed: &Allowed,
        now: u64,
    ) -> Result<(), NotAdmitted> {
        let (chain, nonce) = (request.transaction.chain_id, request.transaction.nonce);
        self.may_have(chain, nonce, &request.purpose).map_err(NotAdmitted::Refused)?;
        self.is_within(chain, nonce, allowed, now).map_err(NotAdmitted::Refused)?;
        let spent: Vec<(Asset, U256)> =
            allowed.spent.iter().map(|(asset, amount, _)| (*asset, *amount)).collect();
        let line = Line::Signed {
            chain,
            nonce,
            time: now,
            order: request.purpose.order.to_string(),
            step: request.purpose.step,
            fees: allowed.fees,
            spent: spent.clone(),
        };
        self.file.append(&line).map_err(NotAdmitted::Failed)?;
        self.count(chain, nonce, now, &request.purpose, allowed.fees, spent);
        if self.file.has_grown_beyond(self.entries.len()) {
            self.compact(now).map_err(NotAdmitted::Failed)?;
        }
        Ok(())
    }

    /// A nonce belongs to the first purpose that it was signed for. Anybody may cancel it, as that spends nothing.
    fn may_have(&self, chain: u64, nonce: u64, purpose: &Purpose) -> Result<(), Refusal> {
        match self.entries.get(&(chain, nonce)) {
            Some(entry) if entry.first == *purpose || purpose.step == Step::Cancel => Ok(()),
            Some(entry) => Err(Refusal::NonceTaken { chain, nonce, first: entry.first.clone() }),
            None => match self.forgotten.get(&chain) {
                Some(&lowest) if nonce < lowest => Err(Refusal::NonceForgotten { chain, nonce, lowest }),
                _ => Ok(()),
            },
        }
    }

    fn is_within(&self, chain: u64, nonce: u64, allowed: &Allowed, now: u64) -> Result<(), Refusal> {
        // What is to be replaced counts with the larger of both.
        let replaced = self.entries.get(&(chain, nonce));
        let others = || self.entries.iter().filter(|((on, of), _)| *on == chain && *of != nonce);
        // A clock that was set back makes nothing older: what seems to be in the future counts too.
        let recent = || others().map(|(_, entry)| entry).filter(|entry| is_recent(entry, now));
        if let Some(limit) = allowed.fees_per_day {
            let before = recent().fold(U256::ZERO, |sum, entry| sum.saturating_add(entry.fees));
            let fees = replaced.map_or(U256::ZERO, |entry| entry.fees).max(allowed.fees);
            let total = before.saturating_add(fees);
            if total > limit {
                return Err(Refusal::FeesPerDay { fees, total, limit });
            }
        }
        if let Some((asset, amount, limit)) = allowed.spent {
            let of = |entry: &Entry| entry.spent.get(&asset).copied().unwrap_or_default();
            let before = recent().fold(U256::ZERO, |sum, entry| sum.saturating_add(of(entry)));
            let amount = replaced.map_or(U256::ZERO, of).max(amount);
            let total = before.saturating_add(amount);
            if total > limit {
                return Err(Refusal::SpendPerDay { asset, amount, total, limit });
            }
        }
        Ok(())
    }

    /// Forgets what does not matter any more, and writes the rest anew.
    fn compact(&mut self, now: u64) -> Result<(), SpendingError> {
        let mut newer: BTreeMap<u64, usize> = BTreeMap::new();
        let mut forgotten = Vec::new();
        for (&(chain, nonce), entry) in self.entries.iter().rev() {
            let newer = newer.entry(chain).or_default();
            *newer += 1;
            if *newer > REMEMBERED_NONCES && !is_recent(entry, now) {
                forgotten.push((chain, nonce));
            }
        }
        for key in forgotten {
            self.entries.remove(&key);
            let below = self.forgotten.entry(key.0).or_default();
            *below = (*below).max(key.1.saturating_add(1));
        }
        let mut lines = vec![Line::Head { version: 1, address: self.address }];
        lines.extend(self.forgotten.iter().map(|(&chain, &below)| Line::Forgotten { chain, below }));
        lines.extend(self.entries.iter().map(|(&(chain, nonce), entry)| Line::Signed {
            chain,
            nonce,
            time: entry.time,
            order: entry.first.order.to_string(),
            step: entry.first.step,
            fees: entry.fees,
            spent: entry.spent.iter().map(|(asset, amount)| (*asset, *amount)).collect(),
        }));
        self.file.rewrite(&lines)
    }
}

fn is_recent(entry: &Entry, now: u64) -> bool {
    entry.time > now.saturating_sub(DAY_SECONDS)
}

#[cfg(test)]
mod tests;
