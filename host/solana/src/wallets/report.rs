use std::time::Duration;

use crate::rpc::Traffic;

/// What a look took and what it brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// Addresses that were looked at: wallets, and those of programs.
    pub addresses: usize,
    /// What was asked for it.
    pub traffic: Traffic,
    /// Transactions that were remembered from before, or were in another list of the same look.
    pub cache_hits: u64,
    /// Transactions that had to be asked for.
    pub cache_misses: u64,
    /// Transactions that were understood, failed ones among them.
    pub transactions: u64,
    /// Swaps among them.
    pub swaps: u64,
    /// New pools among them.
    pub pools: u64,
    /// Trades and pools that were taken back, as their blocks are none of the chain's any more.
    pub undone: u64,
    /// Transactions that could not be read in many looks and were left out.
    pub unreadable: u64,
    /// Addresses that were so far behind that they began anew.
    pub gaps: u64,
    /// Transactions that wait for the next look.
    pub left: u64,
    /// How long it took.
    pub took: Duration,
}
