//! Whatever a strategy does, the host lives on, and another strategy proposes the same to the last bit.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure here is the test's")]

mod guest;

use bulkhead_core::strategy::{Action, Fault, FaultKind, SavedState, Strategy as _};
use bulkhead_sandbox::{Limits, Sandbox};
use guest::{ANSWER, Guest, LINE, bars, buys, config, prepare, sandbox, start};

const ROUNDS: u32 = 60;

/// Limits under which every kind of misbehaviour ends soon.
fn limits() -> Limits {
    Limits { fuel_per_call: 2_000_000, fuel_per_start: 4_000_000, ..Limits::default() }
}

/// What the well-behaved strategy proposes while `other` is called between its events, and how `other` ended.
fn beside(sandbox: &Sandbox, other: Option<&Guest>) -> (Vec<Action>, SavedState, Option<Fault>) {
    let steady = prepare(sandbox, &Guest::steady());
    let mut steady = sandbox.start(&steady, &config()).unwrap();
    let mut other = other.map(|other| start(sandbox, other));
    let (mut actions, mut fault) = (Vec::new(), None);
    for event in bars(ROUNDS) {
        if let (Some(strategy), None) = (&mut other, &fault) {
            let mut proposed = Vec::new();
            fault = strategy.on_events(std::slice::from_ref(&event), &mut proposed).err();
            if fault.is_some() {
                assert!(proposed.is_empty(), "a call that failed left actions");
            }
        }
        steady.on_events(std::slice::from_ref(&event), &mut actions).unwrap();
    }
    (actions, steady.save().unwrap(), fault)
}

/// Runs a hostile strategy beside a well-behaved one, twice, and gives its fault, which must be the same.
fn attack(guest: &Guest) -> FaultKind {
    attack_under(limits(), guest)
}

fn attack_under(limits: Limits, guest: &Guest) -> FaultKind {
    let sandbox = sandbox(limits);
    let (actions, state, _) = beside(&sandbox, None);
    assert!(actions.len() > 10);
    let mut faults = Vec::new();
    for _ in 0..2 {
        let (others_actions, others_state, fault) = beside(&sandbox, Some(guest));
        assert_eq!(bits(&others_actions), bits(&actions), "the other strategy proposes something else");
        assert_eq!(others_state, state);
        faults.push(fault.unwrap_or_else(|| panic!("{} did not fail", guest.name)));
    }
    assert_eq!(faults[0], faults[1], "two runs fail differently");
    faults.remove(0).kind
}

/// Every number with all its digits: `Debug` prints the shortest text that reads back as the same bits.
fn bits(actions: &[Action]) -> String {
    format!("{actions:?}")
}

fn hostile(body: &str) -> Guest {
    Guest::named("hostile").on_events(body)
}

fn an_infinite_loop_runs_out_of_fuel() {
    assert_eq!(
        attack(&hostile("(loop $forever (br $forever)) (unreachable)")),
        FaultKind::OutOfFuel(2_000_000)
    );
}

/// With fuel for hours, the wall clock stops it.
fn the_backstop_stops_what_fuel_does_not() {
    let limits = Limits { fuel_per_call: 1_000_000_000_000, deadline_ms: 50, ..limits() };
    let fault = attack_under(limits, &hostile("(loop $forever (br $forever)) (unreachable)"));
    assert_eq!(fault, FaultKind::Deadline(50));
}

fn endless_recursion_runs_out_of_stack() {
    let guest = hostile("(call $on_events (local.get 0) (local.get 1)) (drop) (unreachable)");
    let fault = attack_under(Limits { fuel_per_call: 1_000_000_000, ..limits() }, &guest);
    assert_eq!(fault, FaultKind::StackOverflow);
}

fn a_memory_bomb_meets_the_limit() {
    let guest = hostile("(loop $more (drop (memory.grow (i32.const 16))) (br $more)) (unreachable)");
    assert_eq!(attack(&guest), FaultKind::MemoryLimit("memory limit of 67108864 bytes".to_owned()));
    let at_once = hostile("(drop (memory.grow (i32.const 65528))) (unreachable)");
    assert_eq!(attack(&at_once), FaultKind::MemoryLimit("memory limit of 67108864 bytes".to_owned()));
}

fn a_table_bomb_meets_the_limit() {
    let body =
        "(loop $more (drop (table.grow $t (ref.null func) (i32.const 1000))) (br $more)) (unreachable)";
    let guest = Guest { more: "(table $t 1 funcref)".to_owned(), ..hostile(body) };
    assert_eq!(attack(&guest), FaultKind::MemoryLimit("limit of 100000 elements in a table".to_owned()));
    let limits = Limits { memory_bytes: 1_000_000, ..limits() };
    assert_eq!(
        attack_under(limits, &guest),
        FaultKind::MemoryLimit("memory limit of 1000000 bytes".to_owned())
    );
}

fn traps_of_every_kind_are_named() {
    for (body, why) in [
        ("(unreachable)", "unreachable"),
        ("(i32.div_u (i32.const 1) (i32.const 0))", "divide by zero"),
        ("(i32.load (i32.const -4))", "out of bounds memory access"),
        ("(drop (i32.trunc_f64_u (f64.const nan))) (unreachable)", "conversion to integer"),
    ] {
        let fault = attack(&hostile(body));
        assert!(matches!(&fault, FaultKind::Trap(found) if found.contains(why)), "{body}: {fault}");
    }
}

/// The function that trapped is named when the file has names, and numbered when not.
fn a_trap_says_where() {
    let fault = attack(&hostile("(unreachable)"));
    assert!(fault.to_string().ends_with(", in on_events"), "{fault}");
}

fn too_many_actions_in_one_answer_are_a_flood() {
    let fault = attack(&hostile(&buys("(f64.const 1)", 65)));
    assert_eq!(fault, FaultKind::Flood("65 actions in one answer; at most 64".to_owned()));
}

fn too_many_orders_in_a_second_are_a_flood() {
    let sandbox = sandbox(Limits { orders_per_second: 100, ..limits() });
    let guest = hostile(&buys("(f64.const 1)", 40));
    let mut strategy = start(&sandbox, &guest);
    let events = bars(4);
    let mut actions = Vec::new();
    let mut call = |event| strategy.on_events(std::slice::from_ref(event), &mut actions);
    // A minute lies between one bar and the next.
    call(&events[0]).unwrap();
    call(&events[1]).unwrap();
    call(&events[1]).unwrap();
    let fault = call(&events[1]).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Flood("120 orders in one second; at most 100".to_owned()));
    assert_eq!(actions.len(), 120, "the call that failed left actions");
}

/// Lists that are not there are not read, and not allocated for either.
fn a_list_of_billions_is_a_fault() {
    for (pointer, length) in [(1024, u32::MAX), (1024, 30_000_000), (u32::MAX, 1), (1025, 1), (524_280, 2)] {
        let body = format!(
            "(i32.store8 (i32.const {ANSWER}) (i32.const 0))
             (i32.store offset=4 (i32.const {ANSWER}) (i32.const 1))
             (i32.store offset=8 (i32.const {ANSWER}) (i32.const {}))
             (i32.store offset=12 (i32.const {ANSWER}) (i32.const {}))
             (i32.const {ANSWER})",
            pointer.cast_signed(),
            length.cast_signed()
        );
        let fault = attack(&hostile(&body));
        assert!(matches!(fault, FaultKind::Contract(_)), "{pointer}, {length}: {fault}");
    }
}

/// A list that is there, of more than the host copies.
fn a_list_of_thousands_is_a_flood() {
    let guest = Guest {
        memory: "(memory (export \"memory\") 100)".to_owned(),
        ..hostile(&buys("(f64.const 1)", 5_000))
    };
    let fault = attack(&guest);
    assert!(matches!(&fault, FaultKind::Flood(why) if why.contains("more than 131072 bytes")), "{fault}");
}

/// A discriminant that no case has.
fn an_answer_of_no_known_kind_is_a_fault() {
    let body = buys("(f64.const 1)", 1).replace(
        "(i32.store8 offset=24 (local.get $at) (i32.const 1))",
        "(i32.store8 offset=24 (local.get $at) (i32.const 200))",
    );
    assert!(matches!(attack(&hostile(&body)), FaultKind::Contract(_)));
}

/// A text that is not text.
fn a_reason_that_is_not_unicode_is_a_fault() {
    let body = buys("(f64.const 1)", 1).replacen(
        "(f64.store offset=128",
        "(i32.store8 (i32.const 8000) (i32.const 0xff))
         (i32.store offset=136 (local.get $at) (i32.const 8000))
         (i32.store offset=140 (local.get $at) (i32.const 1))
         (f64.store offset=128",
        1,
    );
    assert!(matches!(attack(&hostile(&body)), FaultKind::Contract(_)));
}

/// NaN and infinity pass through to the core, whose check of the action refuses each.
fn numbers_that_are_none_reach_the_check() {
    for number in ["nan", "inf", "-inf", "-1", "0"] {
        let sandbox = sandbox(limits());
        let mut strategy = start(&sandbox, &hostile(&buys(&format!("(f64.const {number})"), 1)));
        let actions = guest::one(&mut strategy, &guest::bar(0)).unwrap();
        let fault = actions[0].validate(|_| true).unwrap_err();
        assert!(matches!(fault, FaultKind::InvalidAction(_)), "{number}: {fault}");
    }
    // In every field of an action that holds a number, whatever the rest says.
    for field in [32, 48, 64, 80, 96, 128] {
        for number in ["nan", "nan:0x8000000000001", "inf", "-inf", "-0x1p+1023"] {
            let all_options = "(i32.store8 offset=56 (local.get $at) (i32.const 1))
                 (i32.store8 offset=40 (local.get $at) (i32.const 1))
                 (f64.store offset=48 (local.get $at) (f64.const 1))
                 (i32.store8 offset=64 (local.get $at) (i32.const 1))
                 (i32.store8 offset=80 (local.get $at) (i32.const 1))
                 (i32.store8 offset=96 (local.get $at) (i32.const 1))";
            let body = buys("(f64.const 1)", 1).replacen(
                "(local.set $at (i32.add",
                &format!("{all_options} (f64.store offset={field} (local.get $at) (f64.const {number})) (local.set $at (i32.add"),
                1,
            );
            let sandbox = sandbox(limits());
            let mut strategy = start(&sandbox, &hostile(&body));
            // Some of these are the place of a discriminant, which is then wrong itself.
            if let Ok(actions) = guest::one(&mut strategy, &guest::bar(0)) {
                let checked = actions[0].validate(|_| true);
                assert!(checked.is_err(), "{number} at {field}: {:?}", actions[0]);
            }
        }
    }
}

/// Lines beyond the limit are dropped; the strategy goes on, and its fuel pays for the host's work.
fn a_log_flood_is_cut() {
    let (at, length) = LINE;
    let flood = |times: u32| {
        hostile(&format!(
            "(local $left i32) (local.set $left (i32.const {times}))
             (loop $more
               (call $log (i32.const 3) (i32.const {at}) (i32.const {length}))
               (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
             {}",
            guest::handled_all()
        ))
        .import_log()
    };
    let sandbox = sandbox(Limits { log_bytes_per_minute: 200, ..limits() });
    let mut strategy = start(&sandbox, &flood(1_000));
    guest::one(&mut strategy, &guest::bar(0)).unwrap();
    assert!(strategy.last_fuel() > 500_000, "{} units for a thousand lines", strategy.last_fuel());
    let mut lines = Vec::new();
    strategy.drain_log(&mut lines);
    assert_eq!(lines.len(), 7, "{lines:?}");
    assert_eq!(lines[6].message, "dropped 994 log lines: more than 200 bytes in a minute");
    assert_eq!(attack(&flood(u32::MAX)), FaultKind::OutOfFuel(2_000_000));
}

fn a_huge_log_line_is_a_flood() {
    let body = format!("(call $log (i32.const 3) (i32.const 0) (i32.const 500000)) {}", guest::handled_all());
    let fault = attack(&hostile(&body).import_log());
    assert!(matches!(fault, FaultKind::Flood(_)), "{fault}");
}

fn a_save_that_traps_is_a_fault_of_that_instance() {
    let sandbox = sandbox(limits());
    for (save, name) in [("(unreachable)", "trap"), ("(loop $l (br $l)) (unreachable)", "out-of-fuel")] {
        let mut strategy = start(&sandbox, &Guest { save: save.to_owned(), ..hostile("(unreachable)") });
        let fault = strategy.save().unwrap_err();
        assert_eq!(fault.kind.name(), name);
        assert_eq!(strategy.save().unwrap_err(), fault, "a trapped instance was called again");
    }
}

fn a_state_larger_than_allowed_is_a_flood() {
    let save = format!(
        "(i32.store8 (i32.const {ANSWER}) (i32.const 0))
         (i32.store offset=8 (i32.const {ANSWER}) (i32.const 0))
         (i32.store offset=12 (i32.const {ANSWER}) (i32.const 400000))
         (i32.const {ANSWER})"
    );
    let sandbox = sandbox(Limits { saved_state_bytes: 300_000, ..limits() });
    let mut strategy = start(&sandbox, &Guest { save, ..hostile("(unreachable)") });
    assert_eq!(strategy.save().unwrap_err().kind.name(), "flood");
}

fn a_restore_that_loops_is_a_fault() {
    let sandbox = sandbox(limits());
    let restore = "(loop $l (br $l)) (unreachable)".to_owned();
    let mut strategy = start(&sandbox, &Guest { restore, ..hostile("(unreachable)") });
    let fault = strategy.restore(&SavedState { schema: 1, bytes: vec![0; 8] }).unwrap_err();
    assert_eq!(fault.kind, FaultKind::OutOfFuel(4_000_000));
}

/// Memory that the host asks for must be where the guest says, and the asking is limited too.
fn an_allocator_that_lies_is_a_fault() {
    for (realloc, name) in [
        ("(i32.const -65536)", "contract"),
        ("(i32.const 3)", "contract"),
        ("(unreachable)", "trap"),
        ("(loop $l (br $l)) (unreachable)", "out-of-fuel"),
    ] {
        let sandbox = sandbox(limits());
        let version = prepare(&sandbox, &Guest { realloc: realloc.to_owned(), ..hostile("(unreachable)") });
        let fault = sandbox.start(&version, &config()).unwrap_err();
        assert_eq!(fault.kind.name(), "start", "{realloc}: {fault}");
        assert!(name != "out-of-fuel" || fault.to_string().contains("instruction budget"), "{fault}");
    }
}

fn a_start_that_fails_says_so() {
    let sandbox = sandbox(limits());
    for (init, why) in [("(unreachable)".to_owned(), "trapped"), (guest::error(), "hello")] {
        let version = prepare(&sandbox, &Guest { init, ..Guest::default() });
        let fault = sandbox.start(&version, &config()).unwrap_err();
        assert!(fault.to_string().contains(why), "{fault}");
    }
}

guest::both_ways! {
    an_infinite_loop_runs_out_of_fuel,
    the_backstop_stops_what_fuel_does_not,
    endless_recursion_runs_out_of_stack,
    a_memory_bomb_meets_the_limit,
    a_table_bomb_meets_the_limit,
    traps_of_every_kind_are_named,
    a_trap_says_where,
    too_many_actions_in_one_answer_are_a_flood,
    too_many_orders_in_a_second_are_a_flood,
    a_list_of_billions_is_a_fault,
    a_list_of_thousands_is_a_flood,
    an_answer_of_no_known_kind_is_a_fault,
    a_reason_that_is_not_unicode_is_a_fault,
    numbers_that_are_none_reach_the_check,
    a_log_flood_is_cut,
    a_huge_log_line_is_a_flood,
    a_save_that_traps_is_a_fault_of_that_instance,
    a_state_larger_than_allowed_is_a_flood,
    a_restore_that_loops_is_a_fault,
    an_allocator_that_lies_is_a_fault,
    a_start_that_fails_says_so,
}
