//! A database file that has its name only once it is whole: who opens it by that name never sees half of it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Database, DatabaseUrl, Options};
use crate::storage::StoreError;

/// A file that is not whole yet: it has another name, and goes when it does not become whole.
pub(super) struct PartialFile {
    path: PathBuf,
}

impl PartialFile {
    /// For what will be the file of this name. What a process that died left of the same file goes.
    pub(super) fn new(path: &Path) -> Result<Self, StoreError> {
        Self::create(beside(path, ".partial"))
    }

    /// The same, while other processes may make the same file.
    fn beside_others(path: &Path) -> Result<Self, StoreError> {
        Self::create(beside(path, format!(".{}.partial", std::process::id())))
    }

    fn create(path: PathBuf) -> Result<Self, StoreError> {
        let partial = Self { path };
        partial.remove();
        match File::create_new(&partial.path) {
            Ok(_) => Ok(partial),
            Err(error) => Err(cannot_write(&partial.path, &error)),
        }
    }

    /// Where it is until it is whole.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the file on the disk and gives it its name. Fails when that name was taken in the meantime.
    pub(super) fn finish(self, path: &Path) -> Result<(), StoreError> {
        let named = File::open(&self.path).and_then(|file| file.sync_all()).and_then(|()| self.name(path));
        named.map_err(|error| cannot_write(path, &error))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // So that the name is on the disk too; not every system can do that to a folder.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        Ok(())
    }

    /// Gives it its name, and replaces nothing.
    fn name(&self, path: &Path) -> std::io::Result<()> {
        match std::fs::hard_link(&self.path, path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                // Not every disk has links. Then the name is taken first, so that the renaming replaces nothing.
                File::create_new(path)?;
                std::fs::rename(&self.path, path)
            }
            done => done,
        }
    }

    fn remove(&self) {
        for ending in ["", "-wal", "-shm", "-journal", "-writer"] {
            // Most of them are not there.
            let _ = std::fs::remove_file(beside(&self.path, ending));
        }
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        self.remove();
    }
}

impl Database {
    /// Makes an SQLite file with the current schema and nothing in it, and its folder, unless there is one under
    /// this name. The name is there only when the file is whole. Does nothing where the database is no file.
    /// Whether it made one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unsuitable`] or [`StoreError::Full`] when the folder or the file can't be written.
    pub fn make(url: &DatabaseUrl) -> Result<bool, StoreError> {
        let Some(path) = url.path().filter(|path| !path.exists()) else { return Ok(false) };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
        }
        let partial = PartialFile::beside_others(path)?;
        // Closing it puts the write-ahead log into the file.
        drop(Self::open(&DatabaseUrl::file(partial.path()), Options::writer().migrating())?);
        match partial.finish(path) {
            Ok(()) => Ok(true),
            // Somebody else was quicker.
            Err(_) if path.exists() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The path with this at its end.
pub(super) fn beside(path: &Path, ending: impl AsRef<OsStr>) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn cannot_write(path: &Path, error: &std::io::Error) -> StoreError {
    let says = format!("{}: {error}", path.display());
    match error.kind() {
        ErrorKind::StorageFull => StoreError::Full(says),
        _ => StoreError::Unsuitable(format!("the database can't be written: {says}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_made_is_whole_and_one_that_is_there_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = DatabaseUrl::file(folder.path().join("new/bulkhead.db"));
        assert!(Database::make(&url).expect("it is made"));
        let names = || {
            let entries = folder.path().join("new").read_dir().expect("a folder");
            entries.map(|entry| entry.expect("an entry").file_name()).collect::<Vec<_>>()
        };
        assert_eq!(names(), ["bulkhead.db"]);
        let mut reader = Database::open(&url, Options::reader()).expect("it has the schema");
        let id = reader.request(crate::journal::ShardId(0), "ann", "{}", None).expect("it is written");
        assert!(!Database::make(&url).expect("it is there"));
        assert!(reader.request_state(id).expect("it answers").is_some());
        assert!(!Database::make(&"sqlite::memory:".parse().expect("a URL")).expect("no file"));
    }

    #[test]
    fn of_two_that_make_one_at_the_same_time_the_first_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("bulkhead.db");
        // Two processes, as far as the names of their files go.
        let partials = [1, 2].map(|number| {
            let partial = PartialFile { path: beside(&path, format!(".{number}.partial")) };
            std::fs::write(partial.path(), number.to_string()).expect("it is written");
            partial
        });
        let [first, second] = partials;
        first.finish(&path).expect("the name is free");
        assert!(second.finish(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "1");
        assert_eq!(folder.path().read_dir().expect("a folder").count(), 1, "nothing is left beside it");
    }
}
