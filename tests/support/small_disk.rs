//! A disk of a few megabytes that a test can fill: a file system in memory, mounted where only the test's own
//! processes see it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::bulkhead;

/// Mounts the disk, says so, and keeps it until the test is over.
const HOLD: &str = r#"mount -t tmpfs -o size="$2",mode=700 tmpfs "$1" && echo mounted && exec cat"#;

/// What the mount needs, in the order in which it is tried: the system's own right, or a user namespace.
const WAYS: [&[&str]; 2] = [&[], &["--map-root-user"]];

pub(crate) struct SmallDisk {
    /// In whose namespace it is mounted.
    holder: Child,
    mounted_at: PathBuf,
    has_user_namespace: bool,
}

impl SmallDisk {
    /// Mounts a new disk of so many bytes at an empty directory.
    pub(crate) fn mount(directory: &Path, bytes: u64) -> Self {
        std::fs::create_dir_all(directory).unwrap();
        let mut complaints = Vec::new();
        for way in WAYS {
            match Self::try_mount(directory, bytes, way) {
                Ok(disk) => return disk,
                Err(complaint) => complaints.push(complaint),
            }
        }
        panic!(
            "this test mounts a small file system in a mount namespace of its own, and can't: {}. Run it as root, \
             or where `unshare --mount --map-root-user true` works (sysctl kernel.unprivileged_userns_clone=1, and \
             kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu); in a container, with the right to mount \
             (CAP_SYS_ADMIN)",
            complaints.join("; ")
        );
    }

    fn try_mount(directory: &Path, bytes: u64, way: &[&str]) -> Result<Self, String> {
        let mut holder = Command::new("unshare")
            .arg("--mount")
            .args(way)
            .args(["sh", "-c", HOLD, "sh"])
            .arg(directory)
            .arg(bytes.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let mut answer = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut answer).unwrap();
        let disk = Self { holder, mounted_at: directory.to_owned(), has_user_namespace: !way.is_empty() };
        if answer.trim() == "mounted" { Ok(disk) } else { Err(disk.complaint()) }
    }

    /// What kept it from being mounted.
    fn complaint(mut self) -> String {
        let mut complaint = String::new();
        let mut stderr = self.holder.stderr.take().unwrap();
        std::io::Read::read_to_string(&mut stderr, &mut complaint).unwrap();
        complaint.trim().to_owned()
    }

    /// [`bulkhead`] where the disk is mounted.
    pub(crate) fn bulkhead(&self, directory: &Path) -> Command {
        let inside = bulkhead(directory);
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.holder.id().to_string(), "--mount"]);
        if self.has_user_namespace {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg(format!("--wd={}", directory.display())).arg("--").arg(inside.get_program());
        for (name, value) in inside.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.stdin(Stdio::null());
        command
    }

    /// A file of the disk, as it is found from outside.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.mounted_at.strip_prefix("/").unwrap()).join(name)
    }

    /// Writes a file until there is no byte left.
    pub(crate) fn fill(&self) {
        let mut file = File::create(self.path("ballast")).unwrap();
        file.set_permissions(std::fs::Permissions::from_mode(0o600)).unwrap();
        let mut part = [0; 64 * 1024].as_slice();
        while !part.is_empty() {
            if let Err(error) = file.write_all(part) {
                assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");
                part = &part[..part.len() / 2];
            }
        }
    }

    /// Takes away what [`Self::fill`] wrote.
    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.path("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The holder ends with its input, and the disk with the holder.
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
