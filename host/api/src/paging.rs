//! Pages: each follows the last row of the one before, so what comes in between neither repeats nor hides any.

use bulkhead_core::time::Timestamp;
use bulkhead_store::journal::Sequence;
use bulkhead_store::read_models::Place;
use serde::Serialize;
use utoipa::ToSchema;

use crate::documents::time;
use crate::problem::{Kind, Problem};

/// Rows of a page when nobody says how many.
const USUAL: usize = 100;

/// Rows that a page has at most.
const MOST: usize = 1000;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The rows.
    pub(crate) items: Vec<T>,
    /// What `after` is for the next page; null when there is none.
    pub(crate) next: Option<String>,
}

impl<T> Page<T> {
    /// Of rows of which one more was read than the page holds.
    pub(crate) fn of<R>(
        mut rows: Vec<R>,
        most: usize,
        place: impl Fn(&R) -> String,
        document: impl FnMut(R) -> T,
    ) -> Self {
        let more = rows.len() > most;
        rows.truncate(most);
        let next = rows.last().filter(|_| more).map(place);
        Self { items: rows.into_iter().map(document).collect(), next }
    }
}

fn bad(parameter: &str, found: &str, expected: &str) -> Problem {
    Problem::new(Kind::BadFilter, format!("{parameter} = \"{found}\": {expected}"))
}

/// How many rows the page may have.
pub(crate) fn most(limit: Option<&str>) -> Result<usize, Problem> {
    let Some(text) = limit else { return Ok(USUAL) };
    let most = text.parse().ok().filter(|most| (1..=MOST).contains(most));
    most.ok_or_else(|| bad("limit", text, &format!("a number from 1 to {MOST} is expected")))
}

/// A moment, as in `2026-01-31T12:00:00Z`.
pub(crate) fn moment(parameter: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let parsed = text.parse::<jiff::Timestamp>().ok();
    let nanos = parsed.and_then(|time| i64::try_from(time.as_nanosecond()).ok());
    let expected = "a time such as 2026-01-31T12:00:00Z is expected; a + in it is written %2B";
    nanos.map(|nanos| Some(Timestamp::from_nanos(nanos))).ok_or_else(|| bad(parameter, text, expected))
}

/// A number, which is what `after` is in some lists.
pub(crate) fn number(text: Option<&str>) -> Result<Option<u64>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let number = text.parse().ok().filter(|number| i64::try_from(*number).is_ok());
    number.map(Some).ok_or_else(|| bad("after", text, "the `next` of a page is expected"))
}

/// A place among what inputs caused.
pub(crate) fn place(text: Option<&str>) -> Result<Option<Place>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let read = || {
        let (sequence, ordinal) = text.split_once('.')?;
        let sequence = number(Some(sequence)).ok()??;
        Some(Place { sequence: Sequence(sequence), ordinal: ordinal.parse().ok()? })
    };
    read().map(Some).ok_or_else(|| bad("after", text, "the `next` of a page is expected"))
}

/// As [`place`] reads it.
pub(crate) fn place_text(sequence: Sequence, ordinal: u32) -> String {
    format!("{}.{ordinal}", sequence.0)
}

/// As [`moment`] reads it.
pub(crate) fn moment_text(moment: Timestamp) -> String {
    time(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_ends_with_is_where_the_next_begins() {
        assert_eq!(
            place(Some(&place_text(Sequence(7), 3))),
            Ok(Some(Place { sequence: Sequence(7), ordinal: 3 }))
        );
        let moment_of = Timestamp::from_nanos(1_700_000_000_123_456_789);
        assert_eq!(moment_text(moment_of), "2023-11-14T22:13:20.123456789Z");
        assert_eq!(moment("after", Some(&moment_text(moment_of))), Ok(Some(moment_of)));
        let page = Page::of(vec![5, 4, 3], 2, ToString::to_string, |row| row);
        assert_eq!((page.items, page.next), (vec![5, 4], Some("4".to_owned())));
        let last = Page::of(vec![3], 2, ToString::to_string, |row| row);
        assert_eq!((last.items, last.next), (vec![3], None));
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        for (found, problem) in [
            ("0", most(Some("0")).unwrap_err()),
            ("1001", most(Some("1001")).unwrap_err()),
            ("yesterday", moment("from", Some("yesterday")).unwrap_err()),
            ("9999-12-31T00:00:00Z", moment("from", Some("9999-12-31T00:00:00Z")).unwrap_err()),
            ("18446744073709551615", number(Some("18446744073709551615")).unwrap_err()),
            ("7", place(Some("7")).unwrap_err()),
        ] {
            assert_eq!(problem.kind, Kind::BadFilter);
            assert!(problem.detail.contains(found), "{}", problem.detail);
        }
    }
}
