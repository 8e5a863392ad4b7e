//! What a model may be and cost.

use bulkhead_core::strategy::InvalidLimits;
use serde::{Deserialize, Serialize};

/// The limits that every model is held to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Size of the file.
    pub file_bytes: u64,
    /// Operators in the graph.
    pub nodes: u64,
    /// Numbers that it is made of (weights and constants), and numbers that come up in between for one row; each.
    pub numbers: u64,
    /// Numbers in a row of its input, and of all its outputs together.
    pub row_numbers: u64,
    /// Work for one row, in the units of a strategy's fuel, which it is paid with: about a nanosecond.
    pub work_per_row: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 16 * 1024 * 1024,
            nodes: 1_000,
            numbers: 4_000_000,
            row_numbers: 4_096,
            work_per_row: 20_000_000,
        }
    }
}

impl Limits {
    /// Checks every limit against the range that the host can enforce.
    ///
    /// # Errors
    ///
    /// [`InvalidLimits`] with all problems at once.
    pub fn validate(&self) -> Result<(), InvalidLimits> {
        let rules = [
            ("file_bytes", self.file_bytes, 1_024, 1 << 30),
            ("nodes", self.nodes, 1, 100_000),
            ("numbers", self.numbers, 1, 1 << 28),
            ("row_numbers", self.row_numbers, 1, 1_000_000),
            ("work_per_row", self.work_per_row, 1_000, 1_000_000_000_000),
        ];
        InvalidLimits::unless_within(rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_all_problems_are_told_at_once() {
        Limits::default().validate().unwrap();
        let limits = Limits { nodes: 0, work_per_row: 1, ..Limits::default() };
        assert_eq!(limits.validate().unwrap_err().problems.len(), 2);
    }
}
