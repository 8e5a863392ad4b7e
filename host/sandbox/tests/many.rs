//! Thousands of instances in one process.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod guest;

use std::fs;

use bulkhead_core::strategy::Strategy as _;
use bulkhead_sandbox::Limits;
use guest::{FORMS, Guest, bars, config, in_form, prepare, run, sandbox};

const INSTANCES: usize = 2_000;

/// Linux lets a process have 65,530 memory maps; the instances must leave most of them to the rest.
const MOST_MAPS: usize = 20_000;

/// All run, each for itself, and go again.
#[test]
fn two_thousand_instances_live_side_by_side() {
    // One after the other: the memory maps are the whole process's.
    for form in FORMS {
        in_form(form, many);
    }
}

fn many() {
    let sandbox = sandbox(Limits::default());
    let version = prepare(&sandbox, &Guest::steady());
    let events = bars(40);
    let expected = run(&mut sandbox.start(&version, &config()).unwrap(), &events, 1).unwrap();
    let mut all: Vec<_> = (0..INSTANCES).map(|_| sandbox.start(&version, &config()).unwrap()).collect();
    let mut proposed = vec![Vec::new(); all.len()];
    // One event for every instance, then the next: no instance may see another's.
    for event in &events {
        for (strategy, actions) in all.iter_mut().zip(&mut proposed) {
            strategy.on_events(std::slice::from_ref(event), actions).unwrap();
        }
    }
    assert!(proposed.iter().all(|actions| *actions == expected));
    if let Some(maps) = maps() {
        assert!(maps < MOST_MAPS, "{maps} memory maps for {INSTANCES} instances");
        drop(all);
        let left = self::maps().unwrap();
        assert!(left < 2_000, "{left} of {maps} memory maps are left when the instances are gone");
    }
}

/// How many memory maps this process has, where the system tells.
fn maps() -> Option<usize> {
    fs::read_to_string("/proc/self/maps").ok().map(|maps| maps.lines().count())
}
