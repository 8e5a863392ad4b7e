//! What keeps secrets in memory from a disk: pages that are not swapped out, and no core files.

use std::fmt;

/// A value on pages of its own, so that locking them into memory, and letting go of them, touches nothing else.
#[repr(align(4096))]
struct OwnPages<T>(T);

/// A value that the system does not write to the swap, if it lets us say so.
pub(crate) struct Locked<T> {
    // Dropped first: the value is wiped while its pages are still locked.
    value: Box<OwnPages<T>>,
    lock: Option<region::LockGuard>,
}

impl<T> Locked<T> {
    pub(crate) fn new(value: T) -> Self {
        let value = Box::new(OwnPages(value));
        let lock = region::lock(&raw const *value, size_of::<OwnPages<T>>());
        if let Err(error) = &lock {
            tracing::warn!(
                %error,
                "a key can't be kept out of the swap: raise the limit of locked memory (ulimit -l), or encrypt the swap"
            );
        }
        Self { value, lock: lock.ok() }
    }

    pub(crate) fn get(&self) -> &T {
        &self.value.0
    }
}

impl<T> fmt::Debug for Locked<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.lock.is_some() { "locked" } else { "not locked" };
        write!(formatter, "Locked(not shown, {state})")
    }
}

/// Has the system write no core file of this process, and keeps other processes of the same user from reading its
/// memory. Says what could not be had.
pub fn forbid_core_files() -> Vec<String> {
    let mut failed = Vec::new();
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = rustix::process::setrlimit(rustix::process::Resource::Core, none) {
        failed.push(format!("core files can't be limited: {error}"));
    }
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
    {
        failed.push(format!("the process can't be made undumpable: {error}"));
    }
    failed
}
