//! What a key has signed on Solana: how much was given and paid in 24 hours. It is on the disk before a signature is given
//! out.
//!
//! There is nothing by which one signed transaction makes another impossible, so each counts, but the very same one once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use alloy_primitives::U256;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::judge::{Judged, MOST_RENT};
use super::refusal::SolanaRefusal;
use crate::request::OrderName;
use crate::spending::{DAY_SECONDS, LineFile, SpendingError};

/// Why nothing may be signed.
#[derive(Debug)]
pub(super) enum NotAdmitted {
    Refused(SolanaRefusal),
    Failed(SpendingError),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "record", deny_unknown_fields)]
enum Line {
    /// The first one.
    Head { version: u32, wallet: String },
    /// Something was signed.
    Signed(Entry),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// The SHA-256 of what was signed, in hexadecimal digits.
    message: String,
    time: u64,
    order: String,
    fees: u64,
    token: String,
    amount: u64,
    /// Token accounts whose rent it may have paid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    makes: Vec<String>,
}

/// What a key has signed.
#[derive(Debug)]
pub(super) struct SolanaSpending {
    wallet: String,
    file: LineFile,
    /// By the hash of what was signed.
    entries: BTreeMap<String, Entry>,
}

impl SolanaSpending {
    /// What the key of this wallet has signed, from a file in a directory of such files.
    pub(super) fn open(directory: &Path, wallet: &str, now: u64) -> Result<Self, SpendingError> {
        let (file, lines) = LineFile::open(directory, wallet)?;
        let mut spending = Self { wallet: wallet.to_owned(), file, entries: BTreeMap::new() };
        for (number, line) in lines {
            match (number, line) {
                (1, Line::Head { version: 1, wallet }) if wallet == spending.wallet => {}
                (1, Line::Head { version, wallet }) => {
                    return Err(spending
                        .file
                        .damaged(number, format!("it is version {version}, of {wallet}")));
                }
                (1, _) | (_, Line::Head { .. }) => {
                    let why = "the head is not where it belongs".to_owned();
                    return Err(spending.file.damaged(number, why));
                }
                (_, Line::Signed(entry)) => {
                    spending.entries.insert(entry.message.clone(), entry);
                }
            }
        }
        spending.compact(now)?;
        Ok(spending)
    }

    /// Holds what is asked for against what was signed before, and writes it down. After that it may be signed.
    pub(super) fn admit(&mut self, order: &OrderName, judged: &Judged, now: u64) -> Result<(), NotAdmitted> {
        let hash = Sha256::digest(judged.verified.signing_payload());
        let message: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        self.is_within(&message, judged, now).map_err(NotAdmitted::Refused)?;
        let (order, token, makes) = (order.to_string(), judged.token.clone(), judged.makes.clone());
        let entry =
            Entry { message, time: now, order, fees: judged.fees, token, amount: judged.amount, makes };
        self.file.append(&Line::Signed(entry.clone())).map_err(NotAdmitted::Failed)?;
        self.entries.insert(entry.message.clone(), entry);
        let recent = self.entries.values().filter(|entry| is_recent(entry, now)).count();
        if self.file.has_grown_beyond(recent) {
            self.compact(now).map_err(NotAdmitted::Failed)?;
        }
        Ok(())
    }

    fn is_within(&self, message: &str, judged: &Judged, now: u64) -> Result<(), SolanaRefusal> {
        let Some((spend_limit, fee_limit)) = judged.per_day else { return Ok(()) };
        let recent =
            || self.entries.values().filter(|entry| entry.message != message && is_recent(entry, now));
        let sum = |amounts: &mut dyn Iterator<Item = u64>| {
            amounts.fold(U256::ZERO, |sum, amount| sum.saturating_add(U256::from(amount)))
        };
        // An account is made once, however often somebody sees to it that it is there.
        let makes: BTreeSet<&String> = recent().flat_map(|entry| &entry.makes).chain(&judged.makes).collect();
        let rent = U256::from(MOST_RENT).saturating_mul(U256::from(makes.len()));
        let fees = sum(&mut recent().map(|entry| entry.fees)).saturating_add(U256::from(judged.fees));
        let fees = fees.saturating_add(rent);
        if fees > fee_limit {
            let (total, limit) = (fees.to_string(), fee_limit.to_string());
            return Err(SolanaRefusal::FeesPerDay { fees: judged.fees, total, limit });
        }
        let same = recent().filter(|entry| entry.token == judged.token);
        let total = sum(&mut same.map(|entry| entry.amount)).saturating_add(U256::from(judged.amount));
        if total > spend_limit {
            let (token, amount) = (judged.token.clone(), judged.amount);
            let (total, limit) = (total.to_string(), spend_limit.to_string());
            return Err(SolanaRefusal::SpendPerDay { token, amount, total, limit });
        }
        Ok(())
    }

    /// Forgets what does not matter any more, and writes the rest anew.
    fn compact(&mut self, now: u64) -> Result<(), SpendingError> {
        // By the newest signature as well as by the clock: one that is set ahead, and back again, makes nothing forgotten.
        let newest = self.entries.values().map(|entry| entry.time).max().unwrap_or_default();
        self.entries.retain(|_, entry| is_recent(entry, now.min(newest)));
        let mut lines = vec![Line::Head { version: 1, wallet: self.wallet.clone() }];
        lines.extend(self.entries.values().cloned().map(Line::Signed));
        self.file.rewrite(&lines)
    }
}

/// A clock that was set back makes nothing older: what seems to be in the future counts too.
const fn is_recent(entry: &Entry, now: u64) -> bool {
    entry.time > now.saturating_sub(DAY_SECONDS)
}
