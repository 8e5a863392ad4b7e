//! What can go wrong inside a strategy.

use serde::{Deserialize, Serialize};

/// A strategy misbehaved. It concerns that strategy alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{kind}")]
pub struct Fault {
    /// What happened.
    pub kind: FaultKind,
}

impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Self {
        Self { kind }
    }
}

/// The ways of misbehaving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The code trapped: unreachable, out-of-bounds access, division by zero, a panic.
    #[error("trapped: {0}")]
    Trap(String),
    /// The instruction budget of one call was used up.
    #[error("used up its instruction budget of {0} units in one call")]
    OutOfFuel(u64),
    /// The wall-clock backstop fired. Not reproducible by itself, so it is recorded.
    #[error("ran over the wall-clock backstop of {0} ms in one call")]
    Deadline(u64),
    /// It called itself too deep. How deep that is depends on the machine's code, so it is recorded.
    #[error("ran out of stack")]
    StackOverflow,
    /// It asked for more memory or table space than it may have.
    #[error("asked for more than its {0}")]
    MemoryLimit(String),
    /// It returned more than it may.
    #[error("flooded the host: {0}")]
    Flood(String),
    /// An action held a value that the host can't act on.
    #[error("proposed an invalid action: {0}")]
    InvalidAction(String),
    /// Its answer broke the contract.
    #[error("broke the contract: {0}")]
    Contract(String),
    /// It reported an error itself.
    #[error("reported an error: {0}")]
    Reported(String),
    /// It could not be started.
    #[error("could not be started: {0}")]
    Start(String),
    /// A model gave no answer that can be used, or was asked for what it can't do.
    #[error("got no answer from a model: {0}")]
    Model(String),
}

impl FaultKind {
    /// Whether the same events may not bring it about again, on another machine or under another load. A
    /// replay takes such a fault from the record.
    #[must_use]
    pub const fn depends_on_the_machine(&self) -> bool {
        matches!(self, Self::Deadline(_) | Self::StackOverflow)
    }

    /// A short stable name for counters and programs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Trap(_) => "trap",
            Self::OutOfFuel(_) => "out-of-fuel",
            Self::Deadline(_) => "deadline",
            Self::StackOverflow => "stack-overflow",
            Self::MemoryLimit(_) => "memory-limit",
            Self::Flood(_) => "flood",
            Self::InvalidAction(_) => "invalid-action",
            Self::Contract(_) => "contract",
            Self::Reported(_) => "reported",
            Self::Start(_) => "start",
            Self::Model(_) => "model",
        }
    }
}
