//! What a slot remembers of the configuration, whatever people change at run time.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod support;

use std::collections::BTreeMap;

use bulkhead_core::engine::{Engine, EngineSettings, SlotStatus, Taken};
use bulkhead_core::input::{Actor, Command, Deployment, Input, InputKind, StrategyMode};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::money::Money;
use bulkhead_core::strategy::{Event, Parameter, ParameterValue};
use rust_decimal::Decimal;
use support::*;

fn new_engine() -> Engine {
    let parameter = Parameter {
        name: "size".to_owned(),
        meaning: "units".to_owned(),
        default: ParameterValue::Integer(1),
        minimum: None,
        maximum: Some(10.0),
    };
    let quiet = |_: &Event, _: &mut Vec<_>| Ok(());
    let source = NativeSource::default()
        .with_parameters("old", vec![parameter.clone()], move |_| Box::new(Scripted(quiet)))
        .with_parameters("new", vec![parameter], move |_| Box::new(Scripted(quiet)))
        .with("without", move |_| Box::new(Scripted(quiet)));
    let settings = EngineSettings::new(vec![Instrument::new("X-USD", 2, 8)], Money(Decimal::from(10_000)));
    engine(settings, source)
}

fn host() -> Actor {
    Actor::Host("strategies directory".to_owned())
}

fn ask(engine: &mut Engine, actor: Actor, command: Command) -> Taken {
    let input = Input { time: engine.now(), kind: InputKind::command(actor, command) };
    engine.step(&input, &mut Vec::new())
}

fn deployment(weight: i64) -> Deployment {
    Deployment {
        slot: "slot".to_owned(),
        version: version("old"),
        mode: StrategyMode::Live,
        weight: Decimal::new(weight, 1),
        instruments: Vec::new(),
        parameters: BTreeMap::from([("size".to_owned(), ParameterValue::Integer(2))]),
    }
}

fn slot(engine: &Engine) -> (Option<&Deployment>, &Deployment) {
    let slot = engine.slot("slot").unwrap();
    (slot.configured(), slot.deployment())
}

#[test]
fn what_people_change_is_not_what_was_configured() {
    let mut engine = new_engine();
    ask(&mut engine, host(), Command::Deploy(deployment(5)));
    assert_eq!(slot(&engine), (Some(&deployment(5)), &deployment(5)));
    let name = || "slot".to_owned();
    let weights = BTreeMap::from([(name(), Decimal::new(2, 1))]);
    ask(&mut engine, person(), Command::SetWeights(weights));
    ask(&mut engine, person(), Command::SetMode { slot: name(), mode: StrategyMode::Off });
    let parameters = BTreeMap::from([("size".to_owned(), ParameterValue::Integer(7))]);
    ask(&mut engine, person(), Command::SetParameters { slot: name(), parameters: parameters.clone() });
    let changed = Deployment { mode: StrategyMode::Off, parameters, ..deployment(2) };
    assert_eq!(slot(&engine), (Some(&deployment(5)), &changed));
    // Another version keeps all of it.
    ask(&mut engine, host(), Command::Replace { slot: name(), version: version("new") });
    let replaced = Deployment { version: version("new"), ..changed.clone() };
    assert_eq!(slot(&engine), (Some(&deployment(5)), &replaced));
    // So does one that a person brought in.
    ask(&mut engine, person(), Command::Replace { slot: name(), version: version("old") });
    assert_eq!(slot(&engine), (Some(&deployment(5)), &changed));
    // A removal by a person is a change at run time, too.
    ask(&mut engine, person(), Command::Remove { slot: name() });
    assert_eq!(slot(&engine), (Some(&deployment(5)), &changed));
    // A deployment is what the configuration says, also of a file that a person brought in.
    ask(&mut engine, person(), Command::Deploy(deployment(1)));
    assert_eq!(slot(&engine), (Some(&deployment(1)), &deployment(1)));
    ask(&mut engine, host(), Command::Deploy(deployment(3)));
    assert_eq!(slot(&engine), (Some(&deployment(3)), &deployment(3)));
    ask(&mut engine, host(), Command::Remove { slot: name() });
    assert_eq!(slot(&engine).0, None);
}

#[test]
fn a_deployment_that_failed_was_not_configured() {
    let mut engine = new_engine();
    ask(&mut engine, host(), Command::Deploy(deployment(5)));
    for actor in [host(), person()] {
        let unknown = Deployment { version: version("nobody has it"), ..deployment(4) };
        ask(&mut engine, actor.clone(), Command::Deploy(unknown));
        let heavy = ask(&mut engine, actor, Command::Deploy(deployment(11)));
        assert!(matches!(heavy, Taken::Refused { .. }));
        assert_eq!(slot(&engine), (Some(&deployment(5)), &deployment(5)));
    }
}

#[test]
fn a_version_that_does_not_take_the_parameters_displaces_nothing() {
    let mut engine = new_engine();
    ask(&mut engine, host(), Command::Deploy(deployment(5)));
    ask(&mut engine, host(), Command::Replace { slot: "slot".to_owned(), version: version("without") });
    assert_eq!(slot(&engine).1, &deployment(5));
    assert_eq!(engine.slot("slot").unwrap().status(), SlotStatus::Running);
    let nobody = Command::Replace { slot: "nobody".to_owned(), version: version("new") };
    assert!(matches!(ask(&mut engine, host(), nobody), Taken::Refused { .. }));
}

#[test]
fn a_snapshot_keeps_what_was_configured() {
    let mut engine = new_engine();
    ask(&mut engine, host(), Command::Deploy(deployment(5)));
    let weights = BTreeMap::from([("slot".to_owned(), Decimal::new(2, 1))]);
    ask(&mut engine, person(), Command::SetWeights(weights));
    engine.step(&Input { time: engine.now(), kind: InputKind::Checkpoint }, &mut Vec::new());
    let written = postcard::to_allocvec(&engine.snapshot()).unwrap();
    let read = postcard::from_bytes(&written).unwrap();
    let quiet = |_: &Event, _: &mut Vec<_>| Ok(());
    let source = NativeSource::default().with("old", move |_| Box::new(Scripted(quiet)));
    let error = Engine::restore(read, Box::new(source)).map(|engine| {
        assert_eq!(slot(&engine), (Some(&deployment(5)), &deployment(2)));
    });
    assert_eq!(error, Ok(()));
}
