//! Models that a strategy was granted, from the file to the answer in the guest's memory; and what it may not do with
//! them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod guest;

use std::path::Path;

use bulkhead_core::identifier::ContentHash;
use bulkhead_core::strategy::{Action, Amount, Fault, FaultKind, Intent, Proposal, Strategy as _};
use bulkhead_inference::{Limits as ModelLimits, Model, Session};
use bulkhead_sandbox::{Grants, Limits, Refused, Sandbox, Settings, WasmStrategy};
use guest::{Guest, bar, both_ways, buys, config, file};

const LINEAR: &[u8] = include_bytes!("../../inference/testdata/linear.onnx");
const WIDE: &[u8] = include_bytes!("../../inference/testdata/wide.onnx");
const LOGARITHM: &[u8] = include_bytes!("../../inference/testdata/logarithm.onnx");

/// Where the guest puts rows, and where it wants answers.
const ROWS: u32 = 144;
const GIVEN: u32 = 192;
/// Where the model's name lies.
const NAME: u32 = 4_500;

/// A strategy that buys what the model "m" says of two numbers.
fn asking(rows: &str, numbers: u32) -> Guest {
    let quantity = format!("(f64.promote_f32 (f32.load (i32.load (i32.const {GIVEN}))))");
    let body = buys(&quantity, 1);
    // The local variables come first.
    let (locals, body) = body.split_at(body.find("(local.set").unwrap());
    let on_events = format!(
        "{locals} {rows}
         (call $run (i32.const {NAME}) (i32.const 1) (i32.const {ROWS}) (i32.const {numbers}) (i32.const {GIVEN}))
         {body}"
    );
    Guest {
        imports: "(import \"bulkhead:strategy/inference@0.1.0\" \"describe\" (func $describe (param i32 i32 i32)))
                  (import \"bulkhead:strategy/inference@0.1.0\" \"run\" (func $run (param i32 i32 i32 i32 i32)))"
            .to_owned(),
        more: format!("(data (i32.const {NAME}) \"m\")"),
        ..Guest::named("asking").on_events(on_events)
    }
}

/// The row (0.25, −3).
fn one_row() -> String {
    row("(f32.const 0.25)", "(f32.const -3)")
}

fn row(first: &str, second: &str) -> String {
    format!("(f32.store (i32.const {ROWS}) {first}) (f32.store offset=4 (i32.const {ROWS}) {second})")
}

fn sandbox() -> Sandbox {
    guest::sandbox(Limits::default())
}

fn granted(sandbox: &Sandbox, guest: &Guest, model: &[u8]) -> WasmStrategy {
    let hash = sandbox.load_model(model).unwrap();
    let grants = Grants::from([("m".to_owned(), hash)]);
    let (version, _) = sandbox.prepare_granted(&file(guest), &grants).unwrap();
    assert_eq!(sandbox.grants(&version), Some(grants));
    sandbox.start(&version, &config()).unwrap()
}

fn act(strategy: &mut WasmStrategy) -> Result<f64, Fault> {
    let mut actions: Vec<Action> = Vec::new();
    strategy.on_events(&[bar(0)], &mut actions)?;
    match &actions[0].proposal {
        Proposal::Submit(submit) => match submit.intent {
            Intent::Buy(Amount::Quantity(quantity)) => Ok(quantity),
            ref other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn failure(guest: &Guest, model: &[u8]) -> String {
    let fault = act(&mut granted(&sandbox(), guest, model)).unwrap_err();
    assert!(matches!(fault.kind, FaultKind::Model(_)), "{fault}");
    fault.to_string()
}

both_ways!(
    a_model_answers_as_it_does_outside,
    work_is_paid_with_fuel,
    what_was_not_granted_is_not_there,
    wrong_rows_are_a_fault,
    an_answer_is_no_larger_than_the_host_wants_to_hold,
    being_told_of_a_model_is_paid_for,
    answers_that_are_not_finite_are_a_fault,
    another_model_is_another_version,
);

fn a_model_answers_as_it_does_outside() {
    let model = Model::load(LINEAR, &ModelLimits::default()).unwrap();
    let outside = Session::start(&model).unwrap().run(&[0.25, -3.0]).unwrap();
    let mut strategy = granted(&sandbox(), &asking(&one_row(), 2), LINEAR);
    for _ in 0..3 {
        assert_eq!(act(&mut strategy).unwrap().to_bits(), f64::from(outside[0]).to_bits());
    }
}

fn work_is_paid_with_fuel() {
    let work = Model::load(LINEAR, &ModelLimits::default()).unwrap().work_per_row();
    let fuel = |rows: u32| {
        let mut strategy = granted(&sandbox(), &asking(&one_row(), 2 * rows), LINEAR);
        act(&mut strategy).unwrap();
        strategy.last_fuel()
    };
    let (one, five) = (fuel(1), fuel(5));
    assert!(one > work, "{one} of {work}");
    // The component layer counts what it copies, too.
    let more = five - one;
    assert!((4 * work..4 * work + 500).contains(&more), "{more} for four rows of {work}");

    let poor = guest::sandbox(Limits { fuel_per_call: 10_000, ..Limits::default() });
    let fault = act(&mut granted(&poor, &asking(&one_row(), 64), LINEAR)).unwrap_err();
    assert_eq!(fault.kind, FaultKind::OutOfFuel(10_000));
}

fn what_was_not_granted_is_not_there() {
    let sandbox = sandbox();
    sandbox.load_model(LINEAR).unwrap();
    let guest = asking(&one_row(), 2);
    let (version, _) = sandbox.prepare(&file(&guest)).unwrap();
    let fault = act(&mut sandbox.start(&version, &config()).unwrap()).unwrap_err();
    assert!(fault.to_string().contains("no model \"m\" was granted to it"), "{fault}");

    // It is told so when it asks: none, at GIVEN.
    let asks = format!(
        "(i32.store8 (i32.const {GIVEN}) (i32.const 9))
         (call $describe (i32.const {NAME}) (i32.const 1) (i32.const {GIVEN}))
         (if (i32.load8_u (i32.const {GIVEN})) (then unreachable)) {}",
        guest::handled_all()
    );
    let (version, _) = sandbox.prepare(&file(&Guest { on_events: asks.clone(), ..guest.clone() })).unwrap();
    sandbox.start(&version, &config()).unwrap().on_events(&[bar(0)], &mut Vec::new()).unwrap();

    // A grant under another name is none, and what a file says itself is worth nothing.
    let named = Grants::from([("other".to_owned(), ContentHash::of(LINEAR))]);
    let (version, _) = sandbox.prepare_granted(&file(&guest), &named).unwrap();
    let fault = act(&mut sandbox.start(&version, &config()).unwrap()).unwrap_err();
    assert!(matches!(fault.kind, FaultKind::Model(_)), "{fault}");
    let mut stolen = file(&guest);
    let line = format!("m {}\n", ContentHash::of(LINEAR));
    let section = [&[15][..], b"bulkhead-models", line.as_bytes()].concat();
    stolen.extend([0, u8::try_from(section.len()).unwrap()]);
    stolen.extend(section);
    let (version, _) = sandbox.prepare(&stolen).unwrap();
    assert_eq!(sandbox.grants(&version), Some(Grants::new()));
    let fault = act(&mut sandbox.start(&version, &config()).unwrap()).unwrap_err();
    assert!(matches!(fault.kind, FaultKind::Model(_)), "{fault}");
}

fn wrong_rows_are_a_fault() {
    let why = failure(&asking(&one_row(), 3), LINEAR);
    assert!(why.contains("\"m\": 3 numbers are no rows of 2"), "{why}");
    let why = failure(&asking(&one_row(), 0), LINEAR);
    assert!(why.contains("0 numbers are no rows of 2"), "{why}");
    let why = failure(&asking(&row("(f32.const 1)", "(f32.const nan)"), 2), LINEAR);
    assert!(why.contains("number 1 of row 0 is not finite"), "{why}");
    let why = failure(&asking(&row("(f32.const inf)", "(f32.const 1)"), 2), LINEAR);
    assert!(why.contains("number 0 of row 0 is not finite"), "{why}");
}

fn an_answer_is_no_larger_than_the_host_wants_to_hold() {
    let why = failure(&asking(&one_row(), 257), WIDE);
    assert!(why.contains("\"m\": 257 rows at once are more than 1048576 numbers of answer"), "{why}");
}

fn being_told_of_a_model_is_paid_for() {
    let asks = format!(
        "(call $describe (i32.const {NAME}) (i32.const 1) (i32.const {GIVEN})) {}",
        guest::handled_all()
    );
    let mut strategy = granted(&sandbox(), &Guest { on_events: asks, ..asking(&one_row(), 2) }, LINEAR);
    strategy.on_events(&[bar(0)], &mut Vec::new()).unwrap();
    // The call, an output, a note.
    assert!(strategy.last_fuel() > 1_200, "{}", strategy.last_fuel());
}

fn answers_that_are_not_finite_are_a_fault() {
    let why = failure(&asking(&row("(f32.const -9)", "(f32.const 0)"), 2), LOGARITHM);
    assert!(why.contains("\"m\": its output \"p\" is not finite for row 0"), "{why}");
}

fn another_model_is_another_version() {
    let sandbox = sandbox();
    let guest = file(&asking(&one_row(), 2));
    let version = |model: &[u8]| {
        let grants = Grants::from([("m".to_owned(), sandbox.load_model(model).unwrap())]);
        sandbox.prepare_granted(&guest, &grants).unwrap().0
    };
    let (linear, logarithm) = (version(LINEAR), version(LOGARITHM));
    assert_ne!(linear, logarithm);
    assert_eq!(version(LINEAR), linear);
    assert_ne!(sandbox.prepare(&guest).unwrap().0, linear);
    let of = |version| act(&mut sandbox.start(version, &config()).unwrap()).unwrap();
    assert!((of(&linear) - 0.982).abs() < 1e-3);
    assert!((of(&logarithm) - 4.0_f64.ln()).abs() < 1e-6);
}

/// A guest reads out what it is told of a model: the hash, the row, the outputs.
#[test]
fn a_model_is_described() {
    let sandbox = sandbox();
    let hash = sandbox.load_model(LINEAR).unwrap();
    // option: 0 tag; model at 8: hash 8..16, row 16, outputs 20..28, notes 28..36, work 40.
    let reads = format!(
        "(local $at i32)
         (call $describe (i32.const {NAME}) (i32.const 1) (i32.const {GIVEN}))
         (if (i32.ne (i32.load8_u (i32.const {GIVEN})) (i32.const 1)) (then unreachable))
         (if (i32.ne (i32.load offset=12 (i32.const {GIVEN})) (i32.const 64)) (then unreachable))
         (local.set $at (i32.load offset=8 (i32.const {GIVEN})))
         (if (i32.ne (i32.load8_u (local.get $at)) (i32.const {})) (then unreachable))
         (if (i32.ne (i32.load offset=16 (i32.const {GIVEN})) (i32.const 2)) (then unreachable))
         (if (i32.ne (i32.load offset=24 (i32.const {GIVEN})) (i32.const 1)) (then unreachable))
         (local.set $at (i32.load offset=20 (i32.const {GIVEN})))
         (if (i32.ne (i32.load8_u (i32.load (local.get $at))) (i32.const {})) (then unreachable))
         (if (i32.ne (i32.load offset=8 (local.get $at)) (i32.const 1)) (then unreachable))
         (if (i32.ne (i32.load offset=32 (i32.const {GIVEN})) (i32.const 1)) (then unreachable))
         (if (f64.le (f64.load offset=40 (i32.const {GIVEN})) (f64.const 900)) (then unreachable))
         {}",
        hash.to_string().as_bytes()[0],
        b'p',
        guest::handled_all(),
    );
    for form in guest::FORMS {
        guest::in_form(form, || {
            let guest = Guest { on_events: reads.clone(), ..asking(&one_row(), 2) };
            let mut strategy = granted(&sandbox, &guest, LINEAR);
            strategy.on_events(&[bar(0)], &mut Vec::new()).unwrap();
        });
    }
}

#[test]
fn a_guest_that_wants_its_answer_elsewhere_is_stopped() {
    let guest = |place: &str, realloc: Option<&str>| {
        let ask = format!(
            "(call $run (i32.const {NAME}) (i32.const 1) (i32.const {ROWS}) (i32.const 2) (i32.const {place})) {}",
            guest::handled_all()
        );
        let guest = Guest { on_events: format!("{} {ask}", one_row()), ..asking(&one_row(), 2) };
        Guest { realloc: realloc.map_or(guest.realloc.clone(), str::to_owned), ..guest }
    };
    for form in guest::FORMS {
        guest::in_form(form, || {
            for place in ["241", "-4", "524288", "524284"] {
                let fault = granted(&sandbox(), &guest(place, None), LINEAR)
                    .on_events(&[bar(0)], &mut Vec::new())
                    .unwrap_err();
                assert!(matches!(fault.kind, FaultKind::Contract(_)), "{form:?} {place}: {fault}");
            }
        });
    }
}

fn kept_in(directory: &Path) -> Sandbox {
    let versions = Some(directory.join("versions"));
    Sandbox::new(Settings { versions, ..Settings::default() }).unwrap()
}

#[test]
fn a_version_comes_back_with_its_models() {
    let directory = tempfile::tempdir().unwrap();
    let guest = file(&asking(&one_row(), 2));
    let first = kept_in(directory.path());
    let grants = Grants::from([("m".to_owned(), first.load_model(LINEAR).unwrap())]);
    let (version, description) = first.prepare_granted(&guest, &grants).unwrap();
    let acted = act(&mut first.start(&version, &config()).unwrap()).unwrap();

    let second = kept_in(directory.path());
    assert_eq!(second.prepare_kept(&version).unwrap(), description);
    assert_eq!(second.grants(&version), Some(grants.clone()));
    assert_eq!(act(&mut second.start(&version, &config()).unwrap()).unwrap().to_bits(), acted.to_bits());
    assert_eq!(second.kept_versions().unwrap(), [version], "a model is no version");

    let model = directory.path().join(format!("versions/{}.onnx", ContentHash::of(LINEAR)));
    std::fs::remove_file(model).unwrap();
    let refused = kept_in(directory.path()).prepare_kept(&version).unwrap_err();
    assert!(matches!(&refused, Refused::UnknownModel { name, .. } if name == "m"), "{refused}");
    assert!(refused.to_string().contains("as m.onnx"), "{refused}");
    let refused = kept_in(directory.path()).prepare_granted(&guest, &grants).unwrap_err();
    assert!(matches!(refused, Refused::UnknownModel { .. }), "{refused}");
}

#[test]
fn a_model_that_is_refused_says_why_and_is_not_kept() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = kept_in(directory.path());
    for (file, wanted) in [(&b"\0asm"[..], "not an ONNX file"), (&LINEAR[..100], ""), (b"", "no graph")] {
        let refused = sandbox.load_model(file).unwrap_err();
        assert!(matches!(refused, Refused::Model(_)), "{refused}");
        assert!(refused.to_string().contains(wanted), "{refused}");
    }
    assert_eq!(std::fs::read_dir(directory.path().join("versions")).unwrap().count(), 0);
}
