//! Files of the host's own: written whole or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// Makes a directory that only this user can enter, or checks that it is one.
///
/// # Errors
///
/// When it can't be made, or belongs to someone else.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        builder.mode(0o700);
        builder.create(path)?;
        // Fails when the directory belongs to another user.
        if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
        }
    }
    #[cfg(not(unix))]
    builder.create(path)?;
    Ok(())
}

/// Writes a file under a temporary name, then renames it.
pub(crate) fn write_whole(directory: &Path, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(directory)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_directory_open_to_others_is_closed() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("code");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        private_directory(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn nothing_is_left_over_beside_a_written_file() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("file");
        write_whole(parent.path(), &path, &[b"one, ", b"two"]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one, two");
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }
}
