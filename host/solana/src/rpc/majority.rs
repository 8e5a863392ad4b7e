//! What several servers say together.

use crate::cluster::{Known, Level, Status};

/// A server that is so many blocks behind another is not asked: half a minute.
pub(super) const MOST_BLOCKS_BEHIND: u64 = 75;

/// Whether a server of this height lags behind another. Of one that was never asked nothing is known.
pub(super) fn is_behind(height: u64, other: u64) -> bool {
    height > 0 && height.saturating_add(MOST_BLOCKS_BEHIND) < other
}

/// The greatest height that more than half have reached.
pub(super) fn reached_by_most(mut heights: Vec<u64>) -> Option<u64> {
    heights.sort_unstable();
    heights.get(heights.len().saturating_sub(1) / 2).copied()
}

/// What most of those that were asked say of a transaction. While a minority knows it, or knows it in another block, it is
/// too early to believe.
pub(super) fn agreed(statuses: &[Option<Status>], asked: usize) -> Result<Known, &'static str> {
    let known: Vec<&Status> = statuses.iter().flatten().collect();
    if known.is_empty() {
        return Ok(Known::ByNobody);
    }
    for one in &known {
        let differs = |other: &&&Status| other.slot == one.slot && other.error != one.error;
        if known.iter().any(|other| differs(&other)) {
            return Err("the outcome is not the same at all of them");
        }
    }
    // The one in the block that most name, and as sure as a majority of all says.
    for one in &known {
        let mut levels: Vec<Level> =
            known.iter().filter(|other| other.slot == one.slot).map(|other| other.level).collect();
        levels.sort_unstable_by(|one, other| other.cmp(one));
        let needed = asked / 2 + 1;
        if let Some(level) = levels.get(needed - 1) {
            return Ok(Known::As(Status { level: *level, ..(*one).clone() }));
        }
    }
    Ok(Known::ByFew)
}

#[cfg(test)]
mod tests {
    use solana_transaction_error::TransactionError;

    use super::*;

    fn status(slot: u64, level: Level) -> Option<Status> {
        Some(Status { slot, level, error: None })
    }

    fn failed(slot: u64) -> Option<Status> {
        Some(Status { slot, level: Level::Finalized, error: Some(TransactionError::AccountNotFound) })
    }

    #[test]
    fn one_alone_is_believed_and_a_minority_is_not() {
        use Level::{Confirmed, Finalized, Processed};
        let said = |slot, level| Ok(Known::As(status(slot, level).unwrap()));
        assert_eq!(agreed(&[None, None], 2), Ok(Known::ByNobody));
        assert_eq!(agreed(&[status(5, Finalized)], 1), said(5, Finalized));
        assert_eq!(agreed(&[status(5, Finalized), None], 2), Ok(Known::ByFew));
        assert_eq!(agreed(&[status(5, Finalized), status(5, Processed)], 2), said(5, Processed));
        assert_eq!(agreed(&[status(5, Finalized), status(5, Confirmed), None], 3), said(5, Confirmed));
        assert_eq!(agreed(&[status(5, Finalized), status(6, Confirmed)], 2), Ok(Known::ByFew));
        // The others who were asked did not answer.
        assert_eq!(agreed(&[status(5, Finalized)], 2), Ok(Known::ByFew));
    }

    #[test]
    fn one_that_is_far_ahead_or_behind_is_outvoted() {
        assert_eq!(reached_by_most(vec![]), None);
        assert_eq!(reached_by_most(vec![7]), Some(7));
        assert_eq!(reached_by_most(vec![9_000, 7]), Some(7));
        assert_eq!(reached_by_most(vec![9_000, 7, 8]), Some(8));
        assert_eq!(reached_by_most(vec![1, 7, 8, 8]), Some(7));
        assert!(is_behind(100, 176) && !is_behind(100, 175) && !is_behind(0, 9_000));
    }

    #[test]
    fn two_outcomes_in_one_block_are_a_contradiction() {
        assert!(agreed(&[status(5, Level::Finalized), failed(5)], 2).is_err());
        assert!(agreed(&[failed(5), failed(5)], 2).is_ok());
    }
}
