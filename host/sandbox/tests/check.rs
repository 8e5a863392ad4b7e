//! What `plugin check` finds out.

mod guest;

use bulkhead_sandbox::Limits;
use bulkhead_sandbox::check::check;
use guest::{Guest, buys};

/// A sound strategy passes, and its costs are told.
#[test]
fn a_sound_strategy_passes() {
    let report = check(&Guest::steady().module(), &Limits::default(), None);
    assert!(report.passed(), "{:?}", report.problems);
    let series = report.series.unwrap();
    assert!(series.events > 2_000 && series.actions > 100, "{series:?}");
    assert!(series.deterministic);
    assert!((10..1_000).contains(&series.mean_fuel), "{series:?}");
    assert!(series.largest_fuel >= series.mean_fuel && series.state_bytes == 8, "{series:?}");
    assert_eq!(report.file.unwrap().imports, [""; 0]);
    assert_eq!(report.description.unwrap().name, "steady");
}

/// The steady guest counts its orders in a number that it does not save.
#[test]
fn a_state_that_forgets_something_is_found() {
    let report = check(&Guest::steady().module(), &Limits::default(), None);
    assert!(!report.series.unwrap().survives_restart);
    let report = check(&Guest::default().module(), &Limits::default(), None);
    assert!(report.series.unwrap().survives_restart);
}

/// Refusals, faults and invalid actions are problems, not errors of the check.
#[test]
fn what_speaks_against_a_strategy_is_told() {
    for (bytes, why) in [
        (b"nonsense".to_vec(), "not a WebAssembly file"),
        (
            Guest::default().on_events("(unreachable)").module(),
            "at event 1 of the standard series it trapped",
        ),
        (Guest::default().on_events(buys("(f64.const nan)", 1)).module(), "quantity is NaN"),
        (Guest { save: "(unreachable)".to_owned(), ..Guest::default() }.module(), "save"),
    ] {
        let report = check(&bytes, &Limits::default(), None);
        assert!(!report.passed());
        assert!(report.problems.iter().any(|problem| problem.contains(why)), "{why}: {:?}", report.problems);
    }
}

/// The report is a document for programs.
#[test]
fn the_report_is_json() {
    let report = check(&Guest::steady().module(), &Limits::default(), None);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["description"]["name"], "steady");
    assert_eq!(json["file"]["kind"], "core-module");
    assert!(json["series"]["mean_fuel"].as_u64().unwrap() > 0);
}
