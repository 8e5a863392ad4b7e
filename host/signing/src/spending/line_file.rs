//! A file of JSON lines that only grows, which one process at a time has: what is appended is on the disk before anybody
//! hears of it, and a line that a crash cut off was never appended.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::SpendingError;
use crate::keystore::{at, is_private, make, replace};

/// How many lines the file may have beyond what it must.
const SPARE_LINES: usize = 4096;

#[derive(Debug)]
pub(crate) struct LineFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    lines: usize,
    is_broken: bool,
    _lock: File,
}

impl LineFile {
    /// The file of this name in a directory of such files, with what is in it, each line with its number from 1.
    pub(crate) fn open<L: DeserializeOwned>(
        directory: &Path,
        name: &str,
    ) -> Result<(Self, Vec<(usize, L)>), SpendingError> {
        make(directory)?;
        let lock_path = directory.join(format!("{name}.lock"));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(&lock_path).map_err(at(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(SpendingError::InUse { path: lock_path }),
            Err(std::fs::TryLockError::Error(error)) => return Err(at(&lock_path)(error).into()),
        }
        let path = directory.join(format!("{name}.jsonl"));
        let file = options.open(&path).map_err(at(&path))?;
        is_private(&path)?;
        let mut opened = Self { path, file, bytes: 0, lines: 0, is_broken: false, _lock: lock };
        let lines = opened.read()?;
        Ok((opened, lines))
    }

    fn read<L: DeserializeOwned>(&mut self) -> Result<Vec<(usize, L)>, SpendingError> {
        let mut text = Vec::new();
        self.file.read_to_end(&mut text).map_err(at(&self.path))?;
        // The last line was cut off by a crash: its signature was never given out.
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let lines = text.get(..whole).unwrap_or_default().split(|&byte| byte == b'\n');
        let numbered = (1..).zip(lines.filter(|line| !line.is_empty()));
        numbered
            .map(|(number, line)| {
                let line = serde_json::from_slice(line);
                Ok((number, line.map_err(|error| self.damaged(number, error.to_string()))?))
            })
            .collect()
    }

    /// What is said of a line that is not what was written.
    pub(crate) fn damaged(&self, line: usize, why: String) -> SpendingError {
        SpendingError::Damaged { path: self.path.clone(), line, why }
    }

    /// Adds a line. When that fails there is none.
    pub(crate) fn append(&mut self, line: &impl Serialize) -> Result<(), SpendingError> {
        if self.is_broken {
            return Err(SpendingError::Broken { path: self.path.clone() });
        }
        let bytes = encoded([line], &self.path)?;
        if let Err(error) = self.file.write_all(&bytes).and_then(|()| self.file.sync_data()) {
            // Part of the line may be there. Without it the file is as before; if it stays, nothing may follow it.
            self.is_broken = self.file.set_len(self.bytes).and_then(|()| self.file.sync_data()).is_err();
            return Err(at(&self.path)(error).into());
        }
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        self.lines += 1;
        Ok(())
    }

    /// Whether it is worth being written anew, as so many lines would do.
    pub(crate) const fn has_grown_beyond(&self, lines: usize) -> bool {
        self.lines > lines.saturating_mul(2).saturating_add(SPARE_LINES)
    }

    /// As if the file had become this one.
    #[cfg(test)]
    pub(crate) fn write_to(&mut self, file: File) {
        self.file = file;
    }

    /// Writes it anew.
    pub(crate) fn rewrite(&mut self, lines: &[impl Serialize]) -> Result<(), SpendingError> {
        let bytes = encoded(lines, &self.path)?;
        // From the moment at which another file may be there, appends would go to the old one.
        self.is_broken = true;
        replace(&self.path, &bytes)?;
        self.file = OpenOptions::new().append(true).open(&self.path).map_err(at(&self.path))?;
        (self.bytes, self.lines, self.is_broken) = (bytes.len() as u64, lines.len(), false);
        Ok(())
    }
}

fn encoded<'a, L: Serialize + 'a>(
    lines: impl IntoIterator<Item = &'a L>,
    path: &Path,
) -> Result<Vec<u8>, SpendingError> {
    let mut bytes = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut bytes, line).map_err(|error| at(path)(error.into()))?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}
