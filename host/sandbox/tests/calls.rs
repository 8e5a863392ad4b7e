//! Events go in and answers come out as the contract says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

mod guest;

use bulkhead_core::strategy::{Amount, FaultKind, Intent, LogLevel, Proposal, SavedState, Strategy as _};
use bulkhead_sandbox::Limits;
use guest::{Guest, LINE, bar, bars, buys, config, error, one, prepare, run, sandbox, start};

/// The answer does not depend on how many events are handed over at a time.
fn batches_change_nothing() {
    let sandbox = sandbox(Limits::default());
    let version = prepare(&sandbox, &Guest::steady());
    let events = bars(500);
    let proposed = |batch| {
        let mut strategy = sandbox.start(&version, &config()).unwrap();
        (run(&mut strategy, &events, batch).unwrap(), strategy.save().unwrap())
    };
    let (actions, state) = proposed(1);
    assert!(actions.len() > 100, "{}", actions.len());
    for batch in [2, 3, 64, 500] {
        assert_eq!(proposed(batch), (actions.clone(), state.clone()), "batches of {batch}");
    }
}

/// What a guest proposes arrives field by field.
fn an_action_arrives() {
    let sandbox = sandbox(Limits::default());
    let mut strategy = start(&sandbox, &Guest::default().on_events(buys("(f64.const 2.5)", 1)));
    let actions = one(&mut strategy, &bar(0)).unwrap();
    let [action] = actions.as_slice() else { panic!("{actions:?}") };
    let Proposal::Submit(submit) = &action.proposal else { panic!("{action:?}") };
    assert_eq!(submit.intent, Intent::Buy(Amount::Quantity(2.5)));
    assert_eq!((submit.tag.0, action.confidence), (1, 0.5));
    assert!(submit.exits.is_none());
}

/// A reason is kept up to 200 bytes, whole characters only, and shows nothing but text.
fn a_reason_is_cut_and_cleaned() {
    // Bell, then 150 times a letter of two bytes.
    let body = buys("(f64.const 1)", 1).replacen(
        "(f64.store offset=128",
        "(i32.store offset=136 (local.get $at) (i32.const 8000))
         (i32.store offset=140 (local.get $at) (i32.const 301))
         (f64.store offset=128",
        1,
    );
    let more = format!("(data (i32.const 8000) \"\\07{}\")", "é".repeat(150));
    let sandbox = sandbox(Limits::default());
    let mut strategy = start(&sandbox, &Guest { more, ..Guest::default().on_events(body) });
    let actions = one(&mut strategy, &bar(0)).unwrap();
    assert_eq!(actions[0].reason, "é".repeat(100));
}

/// A new instance that takes over a saved state goes on as the old one would have.
fn state_carries_over() {
    let sandbox = sandbox(Limits::default());
    let version = prepare(&sandbox, &Guest::steady());
    let events = bars(200);
    let mut first = sandbox.start(&version, &config()).unwrap();
    run(&mut first, &events[..100], 1).unwrap();
    let state = first.save().unwrap();
    assert_eq!(state.schema, 1);
    let mut second = sandbox.start(&version, &config()).unwrap();
    second.restore(&state).unwrap();
    run(&mut first, &events[100..], 1).unwrap();
    run(&mut second, &events[100..], 1).unwrap();
    assert_eq!(first.save().unwrap(), second.save().unwrap());
    let mut third = sandbox.start(&version, &config()).unwrap();
    run(&mut third, &events[100..], 1).unwrap();
    assert_ne!(first.save().unwrap(), third.save().unwrap(), "the state makes no difference");
}

/// An error that the guest reports is a fault with its text, and the instance is gone.
fn a_reported_error_is_a_fault() {
    let sandbox = sandbox(Limits::default());
    let mut strategy = start(&sandbox, &Guest::default().on_events(error()));
    let fault = one(&mut strategy, &bar(0)).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Reported("hello [31mlog".to_owned()));
    assert_eq!(one(&mut strategy, &bar(1)).unwrap_err(), fault);
    assert_eq!(strategy.memory_bytes(), 0);
}

/// A `save` that reports an error leaves the strategy running.
fn a_strategy_that_cannot_save_goes_on() {
    let sandbox = sandbox(Limits::default());
    let mut strategy = start(&sandbox, &Guest { save: error(), ..Guest::default() });
    assert!(matches!(strategy.save().unwrap_err().kind, FaultKind::Reported(_)));
    assert!(one(&mut strategy, &bar(0)).unwrap().is_empty());
}

/// An instance may not claim to have handled no events, or more than it got.
fn the_count_of_handled_events_is_checked() {
    let sandbox = sandbox(Limits::default());
    for claimed in [0, 2, -1] {
        let body = guest::handled_all().replacen("(local.get 1)", &format!("(i32.const {claimed})"), 1);
        let mut strategy = start(&sandbox, &Guest::default().on_events(body));
        let fault = one(&mut strategy, &bar(0)).unwrap_err();
        assert!(matches!(fault.kind, FaultKind::Contract(_)), "{claimed}: {fault}");
    }
}

/// Log lines come out cleaned and with their level.
fn log_lines_come_out() {
    let (at, length) = LINE;
    let body =
        format!("(call $log (i32.const 2) (i32.const {at}) (i32.const {length})) {}", guest::handled_all());
    let sandbox = sandbox(Limits::default());
    let mut strategy = start(&sandbox, &Guest::default().import_log().on_events(body));
    one(&mut strategy, &bar(0)).unwrap();
    let mut lines = Vec::new();
    strategy.drain_log(&mut lines);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!((lines[0].level, lines[0].message.as_str()), (LogLevel::Warn, "hello [31mlog"));
    lines.clear();
    strategy.drain_log(&mut lines);
    assert!(lines.is_empty());
}

/// The same calls cost the same fuel, in every instance.
fn fuel_is_constant() {
    let sandbox = sandbox(Limits::default());
    let version = prepare(&sandbox, &Guest::steady());
    let fuel = || {
        let mut strategy = sandbox.start(&version, &config()).unwrap();
        let mut fuel = Vec::new();
        for event in bars(50) {
            one(&mut strategy, &event).unwrap();
            fuel.push(strategy.last_fuel());
        }
        fuel
    };
    let first = fuel();
    assert!(first.iter().all(|fuel| (10..1_000).contains(fuel)), "{first:?}");
    assert_eq!(first, fuel());
}

/// A state that this version can't have written is the guest's to judge; its size is not.
fn a_large_state_reaches_the_guest() {
    let sandbox = sandbox(Limits::default());
    let mut strategy = start(&sandbox, &Guest::steady());
    strategy.restore(&SavedState { schema: 7, bytes: vec![0; 1_000_000] }).unwrap();
    assert!(strategy.memory_bytes() > 1_000_000);
}

guest::both_ways! {
    batches_change_nothing,
    an_action_arrives,
    a_reason_is_cut_and_cleaned,
    state_carries_over,
    a_reported_error_is_a_fault,
    a_strategy_that_cannot_save_goes_on,
    the_count_of_handled_events_is_checked,
    log_lines_come_out,
    fuel_is_constant,
    a_large_state_reaches_the_guest,
}
