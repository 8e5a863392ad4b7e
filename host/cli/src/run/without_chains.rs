//! A host that was built without chains: it trades on paper, on markets that are made up or on record.

use std::sync::Arc;

use anyhow::Result;
use bulkhead_configuration::{Configuration, Mode};

use super::{Reports, StartOutside};
use crate::WITHOUT_EVM;
use crate::arguments::{RunArguments, WrongUsage};
use crate::market_data::MarketData;
use crate::shard::Account;

/// No chains.
pub(super) struct Chains(usize);

impl Chains {
    /// Refuses what it can't do.
    pub(super) fn start(_: &Configuration, accounts: &[Account], arguments: &RunArguments) -> Result<Self> {
        let needs = |account: &Account| {
            let configuration = &account.configuration;
            configuration.mode == Mode::Live || configuration.feed.source.is_live()
        };
        if arguments.live || arguments.live_token.is_some() || accounts.iter().any(needs) {
            return Err(WrongUsage(WITHOUT_EVM.to_owned()).into());
        }
        Ok(Self(accounts.len()))
    }

    /// Every account trades on paper.
    pub(super) fn venues(&mut self) -> Vec<Option<StartOutside>> {
        (0..self.0).map(|_| None).collect()
    }

    /// There is nothing to follow.
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "as with chains")]
    pub(super) fn follow(&self, _: &Configuration, _: &Arc<MarketData>, _: &Reports) -> Result<()> {
        Ok(())
    }

    /// There is nothing to end.
    pub(super) fn end(self) {}
}
