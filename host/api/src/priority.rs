//! Trading comes first: on a machine that has more to do than processors, threads of the API wait for those that trade.

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
}
