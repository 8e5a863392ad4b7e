//! One address that is watched: how far it is, and what a transaction in its list means.

use std::collections::{BTreeMap, BTreeSet};

use bulkhead_core::identifier::SignalId;
use bulkhead_core::time::Timestamp;
use solana_address::Address;
use solana_signature::Signature;

use crate::cluster::Level;
use crate::rpc::history::{Listed, Parsed};
use crate::wallets::book::{Cursor, Progress, Standing, Watched};
use crate::wallets::cache::Key;
use crate::wallets::new_pools::{self, NewPool, PoolProgram};
use crate::wallets::recognition::{Movement, recognise};
use crate::wallets::report::ScanReport;
use crate::wallets::settings::WatchSettings;
use crate::wallets::trade::{Deal, LeaderTrade};

/// What is looked for in an address's transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::wallets) enum Purpose {
    /// What a wallet trades, told by this signal.
    Trades(SignalId),
    /// What pools a program makes, told by this signal if by any.
    Pools(PoolProgram, Option<SignalId>),
}

/// What was understood of a transaction and is worth telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::wallets) enum Finding {
    Trade(LeaderTrade),
    Pools(Vec<NewPool>),
}

/// What becomes known by a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::wallets) struct News {
    /// By which signal it is told.
    pub(in crate::wallets) signal: SignalId,
    pub(in crate::wallets) finding: Finding,
    /// It was told before, and did not happen.
    pub(in crate::wallets) is_undone: bool,
}

impl Finding {
    pub(super) const fn slot(&self) -> u64 {
        match self {
            Self::Trade(trade) => trade.slot,
            Self::Pools(pools) => match pools.as_slice() {
                [first, ..] => first.slot,
                [] => 0,
            },
        }
    }

    fn is_told(&self) -> bool {
        match self {
            Self::Trade(trade) => trade.told,
            Self::Pools(pools) => pools.iter().any(|pool| pool.told),
        }
    }

    /// Whether it is the same, but perhaps in another block.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Trade(one), Self::Trade(other)) => one.deal == other.deal,
            (Self::Pools(one), Self::Pools(other)) => {
                let essence = |pools: &[NewPool]| -> Vec<_> {
                    pools.iter().map(|pool| (pool.owner, pool.one, pool.other)).collect()
                };
                essence(one) == essence(other)
            }
            _ => false,
        }
    }

    /// Told as the other was.
    fn told_as(&mut self, other: &Self) {
        let told = other.is_told();
        match self {
            Self::Trade(trade) => trade.told = told,
            Self::Pools(pools) => {
                for pool in pools {
                    pool.told = told && pool.instrument.is_some();
                }
            }
        }
    }
}

/// An address and how far it is.
#[derive(Debug, Clone)]
pub(in crate::wallets) struct Source {
    pub(super) watched: Watched,
    pub(super) address: Address,
    purpose: Purpose,
    pub(super) cursor: Option<Cursor>,
    /// What was found beyond the cursor and is not final.
    pub(super) pending: BTreeMap<Signature, Finding>,
    /// Everything else beyond the cursor that was dealt with, and its slot.
    handled: BTreeMap<Signature, u64>,
    /// How often what is in the list could not be read.
    tries: BTreeMap<Key, u32>,
}

/// What a look has brought for a source.
#[derive(Debug)]
pub(super) struct Brought {
    pub(super) progress: Progress,
    pub(super) news: Vec<News>,
}

impl Source {
    pub(in crate::wallets) fn new(
        watched: Watched,
        address: Address,
        purpose: Purpose,
        standing: Standing,
    ) -> Self {
        let Standing { cursor, trades, pools } = standing;
        let mut source = Self {
            watched,
            address,
            purpose,
            cursor,
            pending: BTreeMap::new(),
            handled: BTreeMap::new(),
            tries: BTreeMap::new(),
        };
        for trade in trades {
            if trade.is_final {
                source.handled.insert(trade.signature, trade.slot);
            } else {
                source.pending.insert(trade.signature, Finding::Trade(trade));
            }
        }
        let mut together: BTreeMap<Signature, Vec<NewPool>> = BTreeMap::new();
        for pool in pools {
            if pool.is_final {
                source.handled.insert(pool.signature, pool.slot);
            } else {
                together.entry(pool.signature).or_default().push(pool);
            }
        }
        source
            .pending
            .extend(together.into_iter().map(|(signature, pools)| (signature, Finding::Pools(pools))));
        source
    }

    pub(in crate::wallets) const fn address(&self) -> Address {
        self.address
    }

    /// Everything of this slot and before was dealt with.
    pub(super) fn done_slot(&self) -> u64 {
        self.cursor.map_or(0, |cursor| cursor.slot)
    }

    /// Whether nothing more has to be read for it.
    pub(super) fn is_known(&self, entry: &Listed) -> bool {
        self.handled.get(&entry.signature) == Some(&entry.slot)
            || self.pending.get(&entry.signature).is_some_and(|finding| finding.slot() == entry.slot)
    }

    /// Deals with a list, oldest first, up to the first transaction that was not read.
    pub(super) fn go_through(
        &mut self,
        entries: &[Listed],
        read: &BTreeMap<Key, super::Reading>,
        settings: &WatchSettings,
        now: Timestamp,
        report: &mut ScanReport,
    ) -> Brought {
        let mut brought = Brought { progress: Progress::of(self.watched.clone()), news: Vec::new() };
        let (mut slot, mut ordinal) = (0, 0_u32);
        for entry in entries {
            ordinal = if entry.slot == slot { ordinal.saturating_add(1) } else { 0 };
            slot = entry.slot;
            if self.is_known(entry) {
                if entry.level == Level::Finalized && self.pending.remove(&entry.signature).is_some() {
                    self.handled.insert(entry.signature, entry.slot);
                    brought.progress.finals.push(entry.signature);
                }
                continue;
            }
            let key = (entry.signature, entry.slot);
            let finding = match read.get(&key) {
                _ if entry.failed => None,
                Some(super::Reading::Read(parsed)) => {
                    self.understand(entry, ordinal, parsed, settings, now, report)
                }
                Some(super::Reading::Unreadable) if self.is_given_up(key, settings.tries) => {
                    report.unreadable += 1;
                    let (address, signature) = (self.address, entry.signature);
                    tracing::warn!(%address, %signature, "a transaction can't be read and is left out");
                    None
                }
                Some(super::Reading::Unreadable) | None => break,
            };
            report.transactions += 1;
            self.settle(entry, finding, &mut brought);
        }
        brought
    }

    fn is_given_up(&mut self, key: Key, most: u32) -> bool {
        let tries = self.tries.entry(key).or_default();
        *tries = tries.saturating_add(1);
        *tries >= most
    }

    fn understand(
        &self,
        entry: &Listed,
        ordinal: u32,
        parsed: &Parsed,
        settings: &WatchSettings,
        now: Timestamp,
        report: &mut ScanReport,
    ) -> Option<Finding> {
        let made = parsed.time.map(Timestamp::from_seconds);
        let is_fresh = made.is_none_or(|made| now.since(made) <= settings.told_within);
        let is_final = entry.level == Level::Finalized;
        match &self.purpose {
            Purpose::Trades(_) => {
                let Movement::Swap(swap) = recognise(parsed, self.address, &settings.costs) else {
                    return None;
                };
                report.swaps += 1;
                let deal = Deal::new(swap, settings);
                let told = is_fresh && deal.signed_size().is_some();
                let (signature, slot, time) = (entry.signature, entry.slot, parsed.time);
                Some(Finding::Trade(LeaderTrade { signature, slot, ordinal, time, is_final, deal, told }))
            }
            Purpose::Pools(program, signal) => {
                let mut pools = new_pools::made(parsed, entry.signature, program, &settings.markets);
                report.pools += pools.len() as u64;
                for pool in &mut pools {
                    pool.is_final = is_final;
                    pool.told = is_fresh && pool.instrument.is_some() && signal.is_some();
                }
                (!pools.is_empty()).then_some(Finding::Pools(pools))
            }
        }
    }

    /// Notes what a transaction turned out to be, which may have been told otherwise of another block.
    fn settle(&mut self, entry: &Listed, finding: Option<Finding>, brought: &mut Brought) {
        let before = self.pending.remove(&entry.signature);
        self.tries.remove(&(entry.signature, entry.slot));
        let Some(mut finding) = finding else {
            self.handled.insert(entry.signature, entry.slot);
            if let Some(before) = before {
                self.take_back(entry.signature, before, brought);
            }
            return;
        };
        match before {
            Some(before) if finding.is_same(&before) => finding.told_as(&before),
            before => {
                if let Some(before) = before {
                    self.tell(before, true, brought);
                }
                self.tell(finding.clone(), false, brought);
            }
        }
        match &finding {
            Finding::Trade(trade) => brought.progress.trades.push(trade.clone()),
            Finding::Pools(pools) => brought.progress.pools.extend(pools.iter().cloned()),
        }
        if entry.level == Level::Finalized {
            self.handled.insert(entry.signature, entry.slot);
        } else {
            self.pending.insert(entry.signature, finding);
        }
    }

    /// What was found and is in no list any more, and so long ago that it should be final: perhaps it is gone.
    pub(super) fn missing(
        &self,
        entries: &[Listed],
        final_slot: u64,
        settings: &WatchSettings,
    ) -> Vec<Signature> {
        let listed: BTreeSet<Signature> = entries.iter().map(|entry| entry.signature).collect();
        let is_due =
            |finding: &Finding| finding.slot().saturating_add(settings.slots_to_disappear) <= final_slot;
        let missing =
            self.pending.iter().filter(|(signature, finding)| !listed.contains(signature) && is_due(finding));
        missing.map(|(signature, _)| *signature).collect()
    }

    /// It is on the chain no more.
    pub(super) fn undo(&mut self, signature: Signature, brought: &mut Brought, report: &mut ScanReport) {
        if let Some(finding) = self.pending.remove(&signature) {
            report.undone += 1;
            let (address, slot) = (self.address, finding.slot());
            tracing::warn!(%address, %signature, slot, "a transaction that was told is not on the chain; it is taken back");
            self.take_back(signature, finding, brought);
        }
    }

    /// It is final although no list shows it.
    pub(super) fn note_final(&mut self, signature: Signature, brought: &mut Brought) {
        if let Some(finding) = self.pending.remove(&signature) {
            self.handled.insert(signature, finding.slot());
            brought.progress.finals.push(signature);
        }
    }

    fn take_back(&self, signature: Signature, finding: Finding, brought: &mut Brought) {
        brought.progress.undone.push(signature);
        self.tell(finding, true, brought);
    }

    fn tell(&self, finding: Finding, is_undone: bool, brought: &mut Brought) {
        let signal = match &self.purpose {
            Purpose::Trades(signal) | Purpose::Pools(_, Some(signal)) => *signal,
            Purpose::Pools(_, None) => return,
        };
        if finding.is_told() {
            brought.news.push(News { signal, finding, is_undone });
        }
    }

    /// Moves the cursor over the slots of which everything is final and dealt with.
    pub(super) fn advance(&mut self, entries: &[Listed], progress: &mut Progress) {
        let is_done = |entry: &Listed| {
            entry.level == Level::Finalized && self.handled.get(&entry.signature) == Some(&entry.slot)
        };
        let mut reached = None;
        for of_slot in entries.chunk_by(|one, next| one.slot == next.slot) {
            let Some(newest) = of_slot.last() else { break };
            if !of_slot.iter().all(is_done) {
                break;
            }
            reached = Some(Cursor { slot: newest.slot, signature: Some(newest.signature) });
        }
        if let Some(cursor) = reached {
            self.begin_at(cursor, progress);
        }
    }

    /// Everything up to here was dealt with.
    pub(super) fn begin_at(&mut self, cursor: Cursor, progress: &mut Progress) {
        self.cursor = Some(cursor);
        progress.cursor = Some(cursor);
        self.handled.retain(|_, slot| *slot > cursor.slot);
        self.tries.retain(|(_, slot), _| *slot > cursor.slot);
    }
}
