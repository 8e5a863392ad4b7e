//! Rows for people and programs to read, which follow from the journal.

/// A row that is added or replaced.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {}
