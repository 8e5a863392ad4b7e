//! Where files are compiled. The compiler is the one part of the sandbox that an attacker's bytes reach before any
//! fuel is counted, so it works under limits of its own: in a process that the operating system limits and that is
//! killed at the time limit, where the host names a program for that; otherwise, as in tests, on a thread. Either
//! way no more than a few work at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::compile::Toolchain;
use crate::limits::count;
use crate::refused::Refused;

pub(crate) mod child;
mod process;
mod thread;

use self::child::Task;
pub use self::process::CompilerProgram;

/// The deepest recursions of the compiler stay far below this.
const STACK_BYTES: usize = 256 * 1024 * 1024;

/// How soon one that waits notices that it need not any more.
const LOOK: Duration = Duration::from_millis(50);

/// Compiles files.
pub(crate) struct Compiler {
    toolchain: Arc<Toolchain>,
    program: Option<CompilerProgram>,
    places: Arc<Places>,
    stopped: AtomicBool,
}

impl Compiler {
    pub(crate) fn new(toolchain: Toolchain, program: Option<CompilerProgram>) -> Self {
        let places = Places::new(toolchain.limits().concurrent_compilations);
        Self { toolchain: Arc::new(toolchain), program, places, stopped: AtomicBool::new(false) }
    }

    pub(crate) fn toolchain(&self) -> &Toolchain {
        &self.toolchain
    }

    /// A file's way to sealed code.
    ///
    /// # Errors
    ///
    /// [`Refused`] with what is wrong with the file, or which limit it ran into.
    pub(crate) fn compile(&self, file: &[u8]) -> Result<Vec<u8>, Refused> {
        let stopped = || self.stopped.load(Ordering::Relaxed);
        let limits = self.toolchain.limits();
        match &self.program {
            Some(program) => {
                // Each that is before this one ends at its time limit at the latest.
                let _place = self.places.take(None, &stopped).ok_or(Refused::Stopped)?;
                process::compile(program, &Task::Strategy(limits.clone()), limits, file, &stopped)
            }
            None => {
                let (toolchain, file) = (Arc::clone(&self.toolchain), file.to_vec());
                thread::run(&self.places, limits.compile_ms, &stopped, move || toolchain.compile(file))
            }
        }
    }

    /// Loads a file as a model in a process of its own, if there is one; nothing of it comes back but that it can be done.
    ///
    /// # Errors
    ///
    /// [`Refused`] with what is wrong with the file, or which limit it ran into.
    pub(crate) fn try_model(&self, file: &[u8], limits: &bulkhead_inference::Limits) -> Result<(), Refused> {
        let Some(program) = &self.program else { return Ok(()) };
        let stopped = || self.stopped.load(Ordering::Relaxed);
        let _place = self.places.take(None, &stopped).ok_or(Refused::Stopped)?;
        process::compile(program, &Task::Model(limits.clone()), self.toolchain.limits(), file, &stopped)
            .map(drop)
    }

    /// Ends what is being compiled, and compiles nothing more.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// Places for compilations.
#[derive(Debug)]
struct Places {
    free: Mutex<usize>,
    freed: Condvar,
}

struct Place(Arc<Places>);

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

impl Places {
    fn new(places: u64) -> Arc<Self> {
        Arc::new(Self { free: Mutex::new(count(places)), freed: Condvar::new() })
    }

    /// Waits for a place; `None` when there was none in time, or nobody wants one any more.
    fn take(self: &Arc<Self>, until: Option<Instant>, stopped: &dyn Fn() -> bool) -> Option<Place> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            let left = until.map_or(LOOK, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() || stopped() {
                return None;
            }
            free = self.freed.wait_timeout(free, left.min(LOOK)).unwrap_or_else(PoisonError::into_inner).0;
        }
        if stopped() {
            return None;
        }
        *free -= 1;
        Some(Place(Arc::clone(self)))
    }
}
