use std::io;
use std::path::PathBuf;

use bulkhead_core::time::{Span, Timestamp};

use crate::quality::Defect;
use crate::text_time::moment;

/// Why a feed could not be opened or read on.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The operating system said no.
    #[error("{}: can't {action}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was attempted.
        action: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// The file holds no row.
    #[error("{}: the file holds no data row", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The first row names columns, but not those that bars need.
    #[error("{}, line {line}: {problem}; the header is \"{found}\"; {allowed}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// The header's line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
        /// The header as it stands.
        found: String,
        /// What would be right.
        allowed: &'static str,
    },
    /// A value can't be read.
    #[error("{}, line {line}, column {column} ({name}): found \"{found}\"; {allowed}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The row's line, from 1.
        line: u64,
        /// The column, from 1.
        column: usize,
        /// What the column holds.
        name: &'static str,
        /// The text that was found, shortened.
        found: String,
        /// What would be right.
        allowed: &'static str,
    },
    /// The quality policy refuses a row.
    #[error("{}, line {line}, bar of {}: {defect}: {detail}; the policy for this is \"refuse\"", path.display(), moment(*.time))]
    Refused {
        /// The file.
        path: PathBuf,
        /// The row's line, from 1.
        line: u64,
        /// The moment the offending bar opened.
        time: Timestamp,
        /// What is wrong with it.
        defect: Defect,
        /// The numbers that show it.
        detail: String,
    },
    /// The rows run backwards in time.
    #[error("{}: the rows run from newest to oldest; sort them by time, oldest first", path.display())]
    Descending {
        /// The file.
        path: PathBuf,
    },
    /// The interval of the bars can't be found out.
    #[error("{}: can't tell the bars' interval from {rows} rows; give it in the settings", path.display())]
    UnknownInterval {
        /// The file.
        path: PathBuf,
        /// How many readable rows there were.
        rows: usize,
    },
    /// The interval that the settings give is no length of time.
    #[error("{}: the interval is {found}; it must be longer than zero", path.display())]
    Interval {
        /// The file.
        path: PathBuf,
        /// What the settings say.
        found: Span,
    },
    /// Settings that can't work, all at once.
    #[error("{}", list(.0))]
    Settings(Vec<Problem>),
}

/// One thing that is wrong in settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: found {found}; {allowed}")]
pub struct Problem {
    /// Where in the settings, such as `instruments[2].volatility`.
    pub key: String,
    /// What stands there.
    pub found: String,
    /// What would be right.
    pub allowed: String,
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}
