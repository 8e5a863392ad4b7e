use std::sync::{Mutex, MutexGuard, PoisonError};

use bulkhead_core::time::Timestamp;

use crate::rpc::Traffic;
use crate::wallets::report::ScanReport;

/// How a feed is doing.
#[derive(Debug, Default)]
pub struct WatchHealth(Mutex<State>);

/// Figures since the feed began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WatchTotals {
    /// Looks, those that failed among them.
    pub looks: u64,
    /// Looks of which something has to wait for the next one.
    pub failures: u64,
    /// What was asked.
    pub traffic: Traffic,
    /// Transactions that were remembered.
    pub cache_hits: u64,
    /// Transactions that had to be asked for.
    pub cache_misses: u64,
    /// Swaps of tracked wallets.
    pub swaps: u64,
    /// New pools.
    pub pools: u64,
    /// Trades and pools that were taken back.
    pub undone: u64,
    /// Transactions that were left out, as they could not be read.
    pub unreadable: u64,
    /// Addresses that were too far behind and began anew.
    pub gaps: u64,
    /// Pushes that hinted at an address.
    pub pushes: u64,
    /// Connections for pushes that were lost or could not be made.
    pub lost_connections: u64,
}

#[derive(Debug, Default)]
struct State {
    totals: WatchTotals,
    last: Option<ScanReport>,
    last_good: Option<Timestamp>,
    failing: Option<String>,
    connections: u32,
    remembered: usize,
}

impl WatchHealth {
    /// Figures since the feed began.
    #[must_use]
    pub fn totals(&self) -> WatchTotals {
        self.read().totals
    }

    /// What the last look took and brought.
    #[must_use]
    pub fn last_look(&self) -> Option<ScanReport> {
        self.read().last
    }

    /// When all addresses were last looked at and nothing was in the way, by the wall clock.
    #[must_use]
    pub fn last_good(&self) -> Option<Timestamp> {
        self.read().last_good
    }

    /// Why something of the last look has to wait; `None` when it went well. No address of a server is in it.
    #[must_use]
    pub fn failing(&self) -> Option<String> {
        self.read().failing.clone()
    }

    /// Connections for pushes that stand.
    #[must_use]
    pub fn connections(&self) -> u32 {
        self.read().connections
    }

    /// Transactions that are remembered at the moment.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.read().remembered
    }

    pub(super) fn looked(&self, report: ScanReport, remembered: usize, is_full: bool, now: Timestamp) {
        let mut state = self.read();
        state.count(report);
        state.remembered = remembered;
        state.failing = None;
        if is_full {
            state.last_good = Some(now);
        }
    }

    pub(super) fn failed(&self, report: ScanReport, why: String) {
        let mut state = self.read();
        state.count(report);
        state.totals.failures = state.totals.failures.saturating_add(1);
        state.failing = Some(why);
    }

    pub(in crate::wallets) fn pushed(&self) {
        let mut state = self.read();
        state.totals.pushes = state.totals.pushes.saturating_add(1);
    }

    pub(in crate::wallets) fn connected(&self) {
        let mut state = self.read();
        state.connections = state.connections.saturating_add(1);
    }

    pub(in crate::wallets) fn disconnected(&self, stood: bool) {
        let mut state = self.read();
        state.connections = state.connections.saturating_sub(u32::from(stood));
        state.totals.lost_connections = state.totals.lost_connections.saturating_add(1);
    }

    fn read(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&mut self, report: ScanReport) {
        let totals = &mut self.totals;
        totals.traffic.add(report.traffic);
        for (total, more) in [
            (&mut totals.looks, 1),
            (&mut totals.cache_hits, report.cache_hits),
            (&mut totals.cache_misses, report.cache_misses),
            (&mut totals.swaps, report.swaps),
            (&mut totals.pools, report.pools),
            (&mut totals.undone, report.undone),
            (&mut totals.unreadable, report.unreadable),
            (&mut totals.gaps, report.gaps),
        ] {
            *total = total.saturating_add(more);
        }
        self.last = Some(report);
    }
}
