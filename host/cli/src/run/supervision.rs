//! Tasks beside the engine, each on a thread of its own: one that fails is started again after a pause, and
//! takes nothing else with it.

use std::any::Any;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use backon::{BackoffBuilder as _, ExponentialBuilder};

/// From so many failures in a row on, somebody should look.
const FAILURES_TO_ALERT: u32 = 3;

/// A task that worked for so long has recovered: its next failure is its first again.
const RECOVERED_AFTER: Duration = Duration::from_secs(60);

/// A task, and what is missing while it does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) name: Cow<'static, str>,
    /// What people can't have meanwhile.
    pub(super) degrades: &'static str,
}

/// A task failed and is started again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaskFailure {
    pub(super) task: Task,
    pub(super) why: String,
    /// In a row.
    pub(super) failures: u32,
    pub(super) pause: Duration,
}

impl TaskFailure {
    /// Whether it fails again and again.
    pub(super) const fn is_alarming(&self) -> bool {
        self.failures >= FAILURES_TO_ALERT
    }
}

/// Starts a task. It ends by returning `Ok`. `report` is told of failures, and says whether the host is still
/// there.
pub(super) fn supervise(
    task: Task,
    mut work: impl FnMut() -> Result<()> + Send + 'static,
    report: impl Fn(TaskFailure) -> bool + Send + 'static,
) -> Result<()> {
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(Duration::from_secs(60))
        .with_jitter()
        .without_max_times();
    let name = task.name.clone();
    std::thread::Builder::new()
        .name(task.name.clone().into_owned())
        // Those that prepare strategies call them.
        .stack_size(bulkhead_sandbox::THREAD_STACK_BYTES)
        .spawn(move || again_and_again(&task, pauses, &mut work, &report))
        .with_context(|| format!("the thread of {name} can't be started"))?;
    Ok(())
}

fn again_and_again(
    task: &Task,
    pauses: ExponentialBuilder,
    work: &mut dyn FnMut() -> Result<()>,
    report: &dyn Fn(TaskFailure) -> bool,
) {
    let mut failures = 0;
    let mut next_pauses = pauses.build();
    loop {
        let started = Instant::now();
        let why = match catch_unwind(AssertUnwindSafe(&mut *work)) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => format!("{error:#}"),
            Err(panic) => format!("it panicked: {}", said(panic.as_ref())),
        };
        if started.elapsed() >= RECOVERED_AFTER {
            failures = 0;
            next_pauses = pauses.build();
        }
        failures += 1;
        let pause = next_pauses.next().unwrap_or(RECOVERED_AFTER);
        if !report(TaskFailure { task: task.clone(), why, failures, pause }) {
            return;
        }
        std::thread::sleep(pause);
    }
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const TASK: Task = Task { name: Cow::Borrowed("test"), degrades: "nothing" };

    fn at_once() -> ExponentialBuilder {
        ExponentialBuilder::default()
            .with_min_delay(Duration::ZERO)
            .with_max_delay(Duration::ZERO)
            .without_max_times()
    }

    #[test]
    fn a_task_that_fails_or_panics_is_started_again_until_it_is_done() {
        let failures = RefCell::new(Vec::new());
        let mut runs = 0;
        let mut work = || {
            runs += 1;
            match runs {
                1 => anyhow::bail!("no luck"),
                2 => panic!("number {runs}"),
                3 => anyhow::bail!("still no luck"),
                _ => Ok(()),
            }
        };
        again_and_again(&TASK, at_once(), &mut work, &|failure| {
            failures.borrow_mut().push(failure);
            true
        });
        let failures = failures.into_inner();
        let why: Vec<_> = failures.iter().map(|failure| failure.why.as_str()).collect();
        assert_eq!(why, ["no luck", "it panicked: number 2", "still no luck"]);
        let alarming: Vec<_> = failures.iter().map(TaskFailure::is_alarming).collect();
        assert_eq!(alarming, [false, false, true]);
    }

    #[test]
    fn a_task_is_not_started_again_when_the_host_is_gone() {
        let mut runs = 0;
        again_and_again(
            &TASK,
            at_once(),
            &mut || {
                runs += 1;
                anyhow::bail!("no luck")
            },
            &|_| false,
        );
        assert_eq!(runs, 1);
    }
}
