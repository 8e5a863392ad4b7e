//! Which update comes next, kept over restarts.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The file that holds how far updates were taken care of: the number of the next one, and when the newest message
/// was written.
pub(crate) struct Place {
    path: PathBuf,
    reached: Option<Reached>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reached {
    next: i64,
    /// Seconds since 1970 UTC.
    newest: i64,
}

impl Place {
    /// What was kept; nothing when there is nothing or it can't be understood.
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).ok();
        Self { path: path.to_owned(), reached: text.and_then(|text| understood(&text)) }
    }

    /// The next update; any when none is known.
    pub(crate) fn next(&self) -> Option<i64> {
        self.reached.map(|reached| reached.next)
    }

    /// Whether an update was seen already. After a week without any, Telegram begins with another number, which may be
    /// lower: what was written after all that was seen is new, whatever its number.
    pub(crate) fn is_past(&self, update: i64, written: Option<i64>) -> bool {
        self.reached.is_some_and(|reached| {
            update < reached.next && written.is_none_or(|written| written <= reached.newest)
        })
    }

    /// The update was taken care of, and is not again.
    pub(crate) fn move_past(&mut self, update: i64, written: Option<i64>) -> std::io::Result<()> {
        let before = self.reached.map_or(i64::MIN, |reached| reached.newest);
        let newest = written.map_or(before, |written| written.max(before));
        let reached = Reached { next: update.saturating_add(1), newest };
        self.reached = Some(reached);
        // Whole or not at all, should the machine stop here.
        let temporary = self.path.with_extension("new");
        let mut file = std::fs::File::create(&temporary)?;
        writeln!(file, "{} {}", reached.next, reached.newest)?;
        file.sync_all()?;
        std::fs::rename(&temporary, &self.path)
    }
}

fn understood(text: &str) -> Option<Reached> {
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(next)), Some(Ok(newest)), None) => Some(Reached { next, newest }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_known_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("telegram-1.next");
        let mut place = Place::read(&path);
        assert!(place.next().is_none() && !place.is_past(7, Some(100)));
        place.move_past(7, Some(100)).unwrap();
        place.move_past(8, None).unwrap();
        let place = Place::read(&path);
        assert_eq!(place.next(), Some(9));
        assert!(place.is_past(7, Some(100)) && place.is_past(8, None) && !place.is_past(9, Some(100)));
        for scrap in ["scrap", "9", "9 100 7", ""] {
            std::fs::write(&path, scrap).unwrap();
            assert_eq!(Place::read(&path).next(), None, "{scrap}");
        }
    }

    #[test]
    fn a_lower_number_is_new_when_it_was_written_later() {
        let directory = tempfile::tempdir().unwrap();
        let mut place = Place::read(&directory.path().join("telegram-1.next"));
        place.move_past(1_000, Some(100)).unwrap();
        assert!(place.is_past(7, Some(99)) && !place.is_past(7, Some(101)));
        place.move_past(7, Some(101)).unwrap();
        assert_eq!(place.next(), Some(8));
        assert!(!place.is_past(8, Some(101)) && place.is_past(7, Some(101)));
        // A message of another chat that was written before and comes after.
        place.move_past(8, Some(90)).unwrap();
        assert!(place.is_past(7, Some(101)));
    }
}
