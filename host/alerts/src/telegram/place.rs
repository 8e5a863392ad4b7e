//! Which update comes next, kept over restarts.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The file that holds the number of the next update.
pub(crate) struct Place {
    path: PathBuf,
    next: Option<i64>,
}

impl Place {
    /// What was kept; nothing when there is nothing or it can't be understood.
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).ok();
        Self { path: path.to_owned(), next: text.and_then(|text| text.trim().parse().ok()) }
    }

    /// The next update; any when none is known.
    pub(crate) const fn next(&self) -> Option<i64> {
        self.next
    }

    /// Whether an update was seen already.
    pub(crate) fn is_past(&self, update: i64) -> bool {
        self.next.is_some_and(|next| update < next)
    }

    /// The update was taken care of, and is not again.
    pub(crate) fn move_past(&mut self, update: i64) -> std::io::Result<()> {
        let next = update.saturating_add(1);
        self.next = Some(next);
        // Whole or not at all, should the machine stop here.
        let temporary = self.path.with_extension("new");
        let mut file = std::fs::File::create(&temporary)?;
        writeln!(file, "{next}")?;
        file.sync_all()?;
        std::fs::rename(&temporary, &self.path)
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
        assert!(place.next().is_none() && !place.is_past(7));
        place.move_past(7).unwrap();
        let place = Place::read(&path);
        assert_eq!(place.next(), Some(8));
        assert!(place.is_past(7) && !place.is_past(8));
        std::fs::write(&path, "scrap").unwrap();
        assert_eq!(Place::read(&path).next(), None);
    }
}
