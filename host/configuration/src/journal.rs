//! The journal's section of the configuration.

use std::time::Duration;

use bulkhead_core::time::Span;
use bulkhead_sequencer::sequencer::Policy;
use bulkhead_store::database::Synchronous;
use bulkhead_store::storage::Retention;
use serde::{Deserialize, Serialize};

use super::values::{Limit, Setting};

/// Where the journal is, and how it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Journal {
    /// `sqlite:FILE` or `postgres://…`; an SQLite file in the storage directory when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// What a commit survives.
    pub durability: Durability,
    /// Whether the schema of a server's database is set up at the start.
    pub migrate: bool,
    /// Most inputs that become durable together, at least 1.
    pub group_inputs: Setting<u32>,
    /// How long an input may wait for others to be written with it.
    pub group_delay: Setting<Span>,
    /// A snapshot is taken after so many inputs, at least 1.
    pub snapshot_inputs: Setting<u32>,
    /// A snapshot is taken after this time, if there was an input.
    pub snapshot_every: Setting<Span>,
    /// The account's value is kept once in every period of event time of this length.
    pub equity_every: Setting<Span>,
    /// Event time; commands, orders and fills are kept for ever.
    pub keep_market: Limit<Span>,
    /// So many of the newest snapshots stay, at least 1.
    pub keep_snapshots: Setting<u32>,
}

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// A loss of power.
    Full,
    /// A crash of the program; a loss of power may take the last commits.
    Normal,
}

impl From<Durability> for Synchronous {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Full => Self::Full,
            Durability::Normal => Self::Normal,
        }
    }
}

impl Default for Journal {
    fn default() -> Self {
        let policy = Policy::default();
        let span = |delay: Duration| Span::from_nanos(i64::try_from(delay.as_nanos()).unwrap_or(i64::MAX));
        Self {
            database: None,
            durability: Durability::Full,
            migrate: false,
            group_inputs: Setting(u32::try_from(policy.group_inputs).unwrap_or(u32::MAX)),
            group_delay: Setting(span(policy.group_delay)),
            snapshot_inputs: Setting(u32::try_from(policy.snapshot_inputs).unwrap_or(u32::MAX)),
            snapshot_every: Setting(span(policy.snapshot_delay)),
            equity_every: Setting(policy.equity_every),
            keep_market: Limit(policy.retention.market),
            keep_snapshots: Setting(u32::try_from(policy.retention.snapshots).unwrap_or(u32::MAX)),
        }
    }
}

impl Journal {
    /// When groups are written and snapshots taken.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let delay = |span: Span| Duration::from_nanos(u64::try_from(span.nanos()).unwrap_or(0));
        Policy {
            group_inputs: usize::try_from(self.group_inputs.0).unwrap_or(usize::MAX).max(1),
            group_delay: delay(self.group_delay.0),
            snapshot_inputs: u64::from(self.snapshot_inputs.0).max(1),
            snapshot_delay: delay(self.snapshot_every.0),
            equity_every: self.equity_every.0,
            retention: Retention {
                market: self.keep_market.0,
                snapshots: usize::try_from(self.keep_snapshots.0).unwrap_or(usize::MAX),
            },
        }
    }

    /// What is out of range: the key, what was found, and what is allowed.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut problems = Vec::new();
        for (key, count) in [
            ("journal.group_inputs", self.group_inputs.0),
            ("journal.snapshot_inputs", self.snapshot_inputs.0),
            ("journal.keep_snapshots", self.keep_snapshots.0),
        ] {
            if count == 0 {
                problems.push((key, count.to_string(), "a number above 0 is expected"));
            }
        }
        if let Some(text) = &self.database
            && text.parse::<bulkhead_store::database::DatabaseUrl>().is_err()
        {
            // Not what was found: it may hold a password.
            let allowed = "sqlite:FILE or postgres://USER@HOST/DATABASE is expected";
            problems.push(("journal.database", String::new(), allowed));
        }
        problems
    }
}
