//! Trading comes first: on a machine that has more to do than processors, threads of the API wait for those that trade.
//! Those that answer requests get less, so that somebody who wants to stop the trading is heard whatever goes on; the one
//! that tells thousands of clients what happened gets what nobody else wants.

/// How much less of a processor that others want, too, such a thread gets: about a third of what one that trades gets.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// Has the thread that calls this, and those that it starts, give way to others from now on. Where a thread has no
/// priority of its own nothing changes.
pub(crate) fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "a thread of the API goes on at the priority of those that trade");
    }
}

/// Has the thread that calls this run only while a processor has nothing else to do, and at once give it up to whoever
/// wants it. Where that can't be it gives way.
pub(crate) fn wait_for_idle() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::unix::{
            NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
            thread_native_id,
        };
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        let set =
            set_thread_priority_and_policy(thread_native_id(), thread_priority::ThreadPriority::Min, idle);
        if let Err(error) = set {
            tracing::debug!(?error, "live updates are sent at the priority of the API's other threads");
            give_way();
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn who_gives_way_does_so_alone() {
        let niceness = || rustix::process::nice(0).unwrap();
        let before = niceness();
        let gave_way = std::thread::spawn(move || {
            give_way();
            niceness()
        });
        assert_eq!(gave_way.join().unwrap(), (before + NICENESS).min(19));
        assert_eq!(niceness(), before);
    }

    #[test]
    fn who_waits_for_idle_processors_does_so_alone() {
        // What the system calls it, the 41st word of its line about a thread (proc(5)).
        let policy = || {
            let line = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            let words: Vec<_> = line.rsplit(')').next().unwrap().split_whitespace().collect();
            words[38].parse::<u32>().unwrap()
        };
        let waiting = std::thread::spawn(move || {
            wait_for_idle();
            policy()
        });
        assert_eq!((waiting.join().unwrap(), policy()), (5, 0));
    }
}
