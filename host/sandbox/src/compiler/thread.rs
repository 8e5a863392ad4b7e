//! Compiling on a thread of this process, with a large stack and a time limit. A compilation that runs over its time
//! is left behind and keeps its place until it ends, so that no number of bombs takes more than the few cores that
//! there are places for.

use std::any::Any;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::{LOOK, Places, STACK_BYTES};
use crate::refused::Refused;

/// Runs some work for at most the time limit, the wait for a place included.
pub(super) fn run<T: Send + 'static>(
    places: &Arc<Places>,
    limit_ms: u64,
    stopped: &dyn Fn() -> bool,
    work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    let out_of_time = || if stopped() { Refused::Stopped } else { Refused::CompileTime { limit_ms } };
    let until = Instant::now() + Duration::from_millis(limit_ms);
    let place = places.take(Some(until), stopped).ok_or_else(out_of_time)?;
    let (sender, receiver) = mpsc::channel();
    let thread = thread::Builder::new()
        .name("sandbox-compile".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            let _place = place;
            // The other end may have given up waiting.
            let _ = sender.send(work());
        })
        .map_err(|source| Refused::Storage { what: "starting a thread to compile on".to_owned(), source })?;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match receiver.recv_timeout(left.min(LOOK)) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) if left.is_zero() || stopped() => return Err(out_of_time()),
            Err(RecvTimeoutError::Timeout) => {}
            // The work ended without an answer: it panicked.
            Err(RecvTimeoutError::Disconnected) => {
                let why = thread.join().err().map_or_else(String::new, |panic| message(panic.as_ref()));
                return Err(Refused::Compile(format!("the compiler failed on it: {why}")));
            }
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given");
    crate::text::clean(text, 400)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T: Send + 'static>(
        places: &Arc<Places>,
        limit_ms: u64,
        work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        super::run(places, limit_ms, &|| false, work)
    }

    #[test]
    fn work_that_takes_too_long_is_left_behind_and_keeps_its_place() {
        let places = Places::new(1);
        let (release, wait) = mpsc::channel::<()>();
        let refused = run(&places, 20, move || {
            let _ = wait.recv();
            Ok(())
        });
        assert!(matches!(refused, Err(Refused::CompileTime { limit_ms: 20 })), "{refused:?}");
        // The place is still taken...
        assert!(matches!(run(&places, 20, || Ok(())), Err(Refused::CompileTime { .. })));
        // ...until the work ends.
        drop(release);
        run(&places, 10_000, || Ok(())).unwrap();
    }

    #[test]
    fn nobody_waits_for_work_that_was_stopped() {
        let places = Places::new(1);
        let (_release, wait) = mpsc::channel::<()>();
        let refused = super::run(&places, 3_600_000, &|| true, || Ok(()));
        assert!(matches!(refused, Err(Refused::Stopped)), "{refused:?}");
        let began = std::sync::atomic::AtomicBool::new(false);
        let second_look = || began.swap(true, std::sync::atomic::Ordering::Relaxed);
        let refused = super::run(&places, 3_600_000, &second_look, move || {
            let _ = wait.recv();
            Ok(())
        });
        assert!(matches!(refused, Err(Refused::Stopped)), "{refused:?}");
    }

    #[test]
    fn a_compiler_that_panics_refuses_the_file() {
        let refused = run(&Places::new(1), 10_000, || -> Result<(), Refused> { panic!("cranelift says no") });
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("cranelift says no"), "{text}");
    }
}
