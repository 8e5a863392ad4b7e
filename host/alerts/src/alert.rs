//! One thing that somebody wants to hear.

use bulkhead_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What an alert is about. The names are stable: programs tell alerts apart by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertKind {
    /// An order was rejected by its venue or expired.
    ExecutionFailed,
    /// A breaker stops new exposure.
    BreakerOpened,
    /// A breaker lets everything through again.
    BreakerClosed,
    /// Trading was halted.
    TradingHalted,
    /// A halt ended.
    TradingResumed,
    /// A strategy failed and restarts.
    StrategyFault,
    /// A strategy failed too often and stays stopped.
    StrategyQuarantined,
    /// A version could not be put to work.
    DeploymentFailed,
    /// A fill was this much worse than the price that the order was reckoned at.
    Slippage,
    /// A loss comes near the limit that stops new positions.
    NearLimit,
    /// So many trades of a strategy lost in a row.
    ConsecutiveLosses,
    /// The account at the end of a UTC day.
    DailySummary,
    /// A position was opened.
    PositionOpened,
    /// A position was closed.
    PositionClosed,
    /// The books and what is really there differ, and trading goes on; or they could not be compared.
    BooksDiffer,
    /// A person had a difference booked, or says that it is fine.
    BooksAdjusted,
    /// The journal can't be written: trading stands still.
    JournalStalled,
    /// The journal can be written again.
    JournalResumed,
    /// A part of the host fails again and again.
    TaskFailing,
    /// Something could not be told in time.
    AlertsLost,
    /// Somebody wants to see whether alerts arrive.
    Test,
}

impl AlertKind {
    /// Every kind that can be chosen for a channel.
    pub const ALL: [Self; 20] = [
        Self::ExecutionFailed,
        Self::BreakerOpened,
        Self::BreakerClosed,
        Self::TradingHalted,
        Self::TradingResumed,
        Self::StrategyFault,
        Self::StrategyQuarantined,
        Self::DeploymentFailed,
        Self::Slippage,
        Self::NearLimit,
        Self::ConsecutiveLosses,
        Self::DailySummary,
        Self::PositionOpened,
        Self::PositionClosed,
        Self::BooksDiffer,
        Self::BooksAdjusted,
        Self::JournalStalled,
        Self::JournalResumed,
        Self::TaskFailing,
        Self::AlertsLost,
    ];

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ExecutionFailed => "execution-failed",
            Self::BreakerOpened => "breaker-opened",
            Self::BreakerClosed => "breaker-closed",
            Self::TradingHalted => "trading-halted",
            Self::TradingResumed => "trading-resumed",
            Self::StrategyFault => "strategy-fault",
            Self::StrategyQuarantined => "strategy-quarantined",
            Self::DeploymentFailed => "deployment-failed",
            Self::Slippage => "slippage",
            Self::NearLimit => "near-limit",
            Self::ConsecutiveLosses => "consecutive-losses",
            Self::DailySummary => "daily-summary",
            Self::PositionOpened => "position-opened",
            Self::PositionClosed => "position-closed",
            Self::BooksDiffer => "books-differ",
            Self::BooksAdjusted => "books-adjusted",
            Self::JournalStalled => "journal-stalled",
            Self::JournalResumed => "journal-resumed",
            Self::TaskFailing => "task-failing",
            Self::AlertsLost => "alerts-lost",
            Self::Test => "test",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// How grave it is.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::BreakerOpened
            | Self::TradingHalted
            | Self::StrategyQuarantined
            | Self::JournalStalled
            | Self::TaskFailing => Severity::Critical,
            Self::ExecutionFailed
            | Self::StrategyFault
            | Self::DeploymentFailed
            | Self::Slippage
            | Self::NearLimit
            | Self::ConsecutiveLosses
            | Self::BooksDiffer
            | Self::BooksAdjusted
            | Self::AlertsLost => Severity::Warning,
            Self::BreakerClosed
            | Self::TradingResumed
            | Self::DailySummary
            | Self::PositionOpened
            | Self::PositionClosed
            | Self::JournalResumed
            | Self::Test => Severity::Info,
        }
    }

    /// What it takes back: an alert of that kind is news again after this one.
    #[must_use]
    pub const fn takes_back(self) -> Option<Self> {
        match self {
            Self::BreakerOpened => Some(Self::BreakerClosed),
            Self::BreakerClosed => Some(Self::BreakerOpened),
            Self::TradingHalted => Some(Self::TradingResumed),
            Self::TradingResumed => Some(Self::TradingHalted),
            Self::JournalStalled => Some(Self::JournalResumed),
            Self::JournalResumed => Some(Self::JournalStalled),
            _ => None,
        }
    }
}

/// How grave an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look when there is time.
    Warning,
    /// Somebody should look now.
    Critical,
}

impl Severity {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Something to tell. All texts are plain; each channel escapes them in its own way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What it is about.
    pub kind: AlertKind,
    /// Tells alerts of a kind apart: two of one kind with the same subject repeat each other.
    pub subject: String,
    /// The account; `None` for what concerns the whole host.
    pub account: Option<String>,
    /// The strategy, if it is about one.
    pub strategy: Option<String>,
    /// The instrument, if it is about one.
    pub instrument: Option<String>,
    /// In a few words.
    pub title: String,
    /// The numbers and what to do, in a sentence or two.
    pub text: String,
    /// Event time; `None` for what the host itself met with.
    pub time: Option<Timestamp>,
    /// The input of the journal that brought it about, if one did.
    pub sequence: Option<u64>,
    /// So many more of the same came since the one before.
    pub repeated: u64,
}

impl Alert {
    /// Of the whole host.
    #[must_use]
    pub fn new(
        kind: AlertKind,
        subject: impl Into<String>,
        title: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            subject: subject.into(),
            account: None,
            strategy: None,
            instrument: None,
            title: title.into(),
            text: text.into(),
            time: None,
            sequence: None,
            repeated: 0,
        }
    }

    /// What is sent to see whether alerts arrive.
    #[must_use]
    pub fn test() -> Self {
        let text = "This is a test. Alerts reach this channel.";
        Self::new(AlertKind::Test, "", "test alert", text)
    }

    /// The same of an account.
    #[must_use]
    pub fn of_account(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_configuration() {
        for kind in AlertKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(AlertKind::named(kind.name()), Some(kind));
            if let Some(other) = kind.takes_back() {
                assert_eq!(other.takes_back(), Some(kind));
            }
        }
        assert_eq!(AlertKind::named("test"), None, "it is sent whatever was chosen");
    }
}
