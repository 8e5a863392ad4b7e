//! Settings changed at run time: as a whole or not at all, and what a change does to what is under way.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "a test may stop at what it did not expect"
)]

mod support;

use bulkhead_core::engine::{ChangeableSettings, Engine, EngineSettings};
use bulkhead_core::identifier::{InstrumentId, StrategyId};
use bulkhead_core::input::{Actor, Command, HaltAction, Input, InputKind, SettingsChange};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::money::{Money, Quantity};
use bulkhead_core::output::Output;
use bulkhead_core::risk::{BreakerSettings, LosingStreakSettings, RefusalCode, RiskLimits};
use bulkhead_core::sizing::Sizing;
use bulkhead_core::strategy::{
    Action, Amount, Event, ExitPlan, InstanceConfig, Intent, OrderKind, Proposal, TakeProfit,
};
use bulkhead_core::time::Span;
use bulkhead_core::venue::paper::PaperSettings;
use rust_decimal::Decimal;
use support::*;

const X: InstrumentId = InstrumentId(0);
const SLOT: StrategyId = StrategyId(0);

fn settings() -> EngineSettings {
    let mut settings =
        EngineSettings::new(vec![Instrument::new("X-USD", 2, 8)], Money(Decimal::from(10_000)));
    settings.venue = PaperSettings::exact(Decimal::TEN);
    settings.risk = RiskLimits::none();
    settings.sizing = Sizing::Quantity(Quantity(Decimal::TWO));
    settings
}

/// Proposes what the script says at the numbered bars, counted from 0.
fn script(steps: Vec<(usize, Action)>) -> NativeSource {
    NativeSource::default().with("script", move |_| {
        let (steps, mut count) = (steps.clone(), 0);
        Box::new(Scripted(move |event: &Event, actions: &mut Vec<Action>| {
            if matches!(event, Event::Bar(_)) {
                actions.extend(steps.iter().filter(|(at, _)| *at == count).map(|(_, action)| action.clone()));
                count += 1;
            }
            Ok(())
        }))
    })
}

fn buy(tag: u32) -> Action {
    market(tag, X, Intent::Buy(Amount::Standard))
}

fn planned(mut action: Action, kind: OrderKind, exits: Option<ExitPlan>) -> Action {
    if let Proposal::Submit(submit) = &mut action.proposal {
        (submit.kind, submit.exits) = (kind, exits);
    }
    action
}

fn flat(instrument: u32, minute: i64, price: f64) -> Input {
    bar(instrument, minute, price, price, price, price)
}

fn run(engine: &mut Engine, inputs: &[Input]) -> Vec<Output> {
    let mut outputs = Vec::new();
    for input in inputs {
        engine.step(input, &mut outputs);
    }
    outputs
}

fn at_once(engine: &Engine, command: Command) -> Input {
    Input { time: engine.now(), kind: InputKind::command(person(), command) }
}

fn change(engine: &mut Engine, edit: impl FnOnce(&mut ChangeableSettings)) -> Vec<Output> {
    let mut settings = engine.settings().changeable();
    edit(&mut settings);
    let input = at_once(engine, change_of(None, settings));
    run(engine, &[input])
}

fn change_of(of: Option<u64>, settings: ChangeableSettings) -> Command {
    Command::ChangeSettings(Box::new(SettingsChange { settings, of }))
}

fn configure(engine: &mut Engine, edit: impl FnOnce(&mut ChangeableSettings)) -> Vec<Output> {
    let mut settings = engine.settings().changeable();
    edit(&mut settings);
    let host = Actor::Host("configuration".to_owned());
    let input = Input { time: engine.now(), kind: InputKind::command(host, change_of(None, settings)) };
    run(engine, &[input])
}

fn fees(outputs: &[Output]) -> Vec<String> {
    let fee = |output: &Output| match output {
        Output::Filled(fill) => Some(fill.fee.0.normalize().to_string()),
        _ => None,
    };
    outputs.iter().filter_map(fee).collect()
}

fn refused(outputs: &[Output]) -> &str {
    match outputs {
        [Output::InputRefused { reason, .. }] => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_two_changes_of_one_version_the_first_holds() {
    let mut engine = engine(settings(), script(Vec::new()));
    let with = |largest: i64| {
        let mut settings = settings().changeable();
        settings.risk.max_order = Some(Decimal::new(largest, 1));
        change_of(Some(1), settings)
    };
    let (first, second) = (at_once(&engine, with(1)), at_once(&engine, with(2)));
    let outputs = run(&mut engine, &[first]);
    assert!(matches!(outputs[..], [Output::SettingsChanged { version: 2, .. }]), "{outputs:?}");
    let outputs = run(&mut engine, &[second]);
    assert!(refused(&outputs).contains("version 2 of the settings holds by now, and not 1"), "{outputs:?}");
    assert_eq!(engine.settings().risk.max_order, Some(Decimal::new(1, 1)));
}

#[test]
fn the_configuration_alone_adds_instruments_and_is_remembered() {
    let mut engine = engine(settings(), script(Vec::new()));
    let another = || Instrument::new("Y-USD", 2, 8);
    let outputs = change(&mut engine, |settings| settings.instruments.push(another()));
    assert!(refused(&outputs).contains("from the configuration"), "{outputs:?}");
    assert_eq!(engine.settings_version(), 1);
    change(&mut engine, |settings| settings.risk.max_order = Some(Decimal::new(1, 1)));
    assert_eq!(*engine.configured_settings(), settings().changeable(), "a person's change is none of it");
    configure(&mut engine, |settings| settings.instruments.push(another()));
    assert_eq!(engine.configured_settings().instruments.len(), 2);
    assert_eq!(*engine.configured_settings(), engine.settings().changeable());
}

#[test]
fn a_change_is_counted_and_says_who_and_when() {
    let mut engine = engine(settings(), script(Vec::new()));
    run(&mut engine, &[flat(0, 0, 100.0)]);
    assert_eq!(engine.settings_version(), 1);
    let outputs = change(&mut engine, |settings| settings.risk.max_order = Some(Decimal::new(1, 1)));
    let expected = Output::SettingsChanged { version: 2, actor: person(), time: engine.now() };
    assert_eq!(outputs, [expected]);
    assert_eq!(engine.settings().risk.max_order, Some(Decimal::new(1, 1)));
    assert_eq!(engine.settings_version(), 2);
}

#[test]
fn a_change_with_any_problem_changes_nothing_and_names_all() {
    let mut engine = engine(settings(), script(Vec::new()));
    let before = engine.settings().clone();
    let outputs = change(&mut engine, |settings| {
        settings.risk.max_order = Some(Decimal::new(1, 1));
        settings.risk.drawdown = Some(Decimal::TWO);
        settings.instruments.clear();
    });
    assert!(matches!(&outputs[..], [Output::InputRefused { reason, .. }]
        if reason.contains("instruments is 0") && reason.contains("risk.drawdown is 2")));
    assert_eq!((engine.settings(), engine.settings_version()), (&before, 1));
}

#[test]
fn the_next_order_is_decided_by_the_new_settings() {
    let mut engine = engine(settings(), script(vec![(0, buy(1)), (1, buy(2)), (2, buy(3))]));
    run(&mut engine, &[deploy("script", Decimal::ONE), flat(0, 0, 100.0)]);
    change(&mut engine, |settings| {
        settings.sizing = Sizing::Quantity(Quantity(Decimal::ONE));
        settings.risk.max_order = Some(Decimal::new(1, 1));
    });
    run(&mut engine, &[flat(0, 1, 100.0)]);
    assert_eq!(engine.orders().next().unwrap().terms().quantity, Quantity(Decimal::ONE));
    change(&mut engine, |settings| settings.risk.max_order = Some(Decimal::new(1, 3)));
    let outputs = run(&mut engine, &[flat(0, 2, 100.0)]);
    assert!(outputs.iter().any(|output| matches!(output, Output::Refused(refused)
        if refused.refusal.code == RefusalCode::OrderTooLarge)));
}

#[test]
fn a_working_order_keeps_its_terms_and_the_costs_it_was_made_under() {
    let limit = planned(buy(1), OrderKind::Limit(90.0), None);
    let mut engine = engine(settings(), script(vec![(0, limit), (2, buy(2))]));
    run(&mut engine, &[deploy("script", Decimal::ONE), flat(0, 0, 100.0), flat(0, 1, 100.0)]);
    let working = engine.orders().next().unwrap().clone();
    change(&mut engine, |settings| {
        settings.venue.fee_bps = Decimal::ONE_HUNDRED;
        settings.risk.allowed_symbols = Some(["Y-USD".to_owned()].into());
    });
    assert_eq!(engine.orders().next(), Some(&working));
    change(&mut engine, |settings| settings.risk.allowed_symbols = None);
    // The limit is filled at its old fee of a thousandth, the order made since at the new one of a hundredth.
    let outputs = run(&mut engine, &[flat(0, 2, 80.0), flat(0, 3, 80.0)]);
    assert_eq!(fees(&outputs), ["0.16", "1.6"]);
}

/// Holds X at 100 with a stop at 80 and two tiers, the first of which is taken.
fn guarded() -> Engine {
    let tiers = vec![TakeProfit { gain: 0.1, share: 0.5 }, TakeProfit { gain: 0.5, share: 0.5 }];
    let plan = ExitPlan { stop_loss: Some(0.2), take_profits: tiers, ..ExitPlan::default() };
    let mut engine = engine(settings(), script(vec![(0, planned(buy(1), OrderKind::Market, Some(plan)))]));
    let bars = [flat(0, 0, 100.0), flat(0, 1, 100.0), bar(0, 2, 100.0, 120.0, 100.0, 105.0)];
    run(&mut engine, &[&[deploy("script", Decimal::ONE)], &bars[..]].concat());
    assert_eq!(engine.ledger().holdings(), [(X, Quantity(Decimal::ONE))]);
    engine
}

fn stop(engine: &Engine) -> String {
    engine.exits().guard(SLOT, X).unwrap().stop().unwrap().0.normalize().to_string()
}

#[test]
fn a_tighter_bound_raises_the_stop_of_a_held_position_and_takes_no_tier_again() {
    let mut engine = guarded();
    assert_eq!(stop(&engine), "80");
    change(&mut engine, |settings| settings.risk.exits.widest_stop = Some(0.1));
    assert_eq!(stop(&engine), "90");
    let outputs = run(&mut engine, &[bar(0, 3, 105.0, 120.0, 100.0, 105.0)]);
    assert!(fees(&outputs).is_empty(), "the first tier was taken before");
}

#[test]
fn a_wider_bound_and_another_default_plan_leave_a_held_position_its_plan() {
    let mut engine = guarded();
    let plan = engine.exits().guard(SLOT, X).unwrap().plan().clone();
    change(&mut engine, |settings| {
        settings.risk.exits.widest_stop = Some(0.5);
        settings.risk.exits.default_plan = ExitPlan { stop_loss: Some(0.01), ..ExitPlan::default() };
    });
    assert_eq!(*engine.exits().guard(SLOT, X).unwrap().plan(), plan);
}

#[test]
fn a_position_without_exits_gets_what_new_bounds_demand() {
    let mut engine = engine(settings(), script(vec![(0, buy(1))]));
    run(&mut engine, &[deploy("script", Decimal::ONE), flat(0, 0, 100.0), flat(0, 1, 100.0)]);
    assert!(engine.exits().guard(SLOT, X).is_none());
    change(&mut engine, |settings| {
        settings.risk.exits.widest_stop = Some(0.25);
        settings.risk.exits.default_plan = ExitPlan { stop_loss: Some(0.01), ..ExitPlan::default() };
    });
    assert_eq!(stop(&engine), "75");
}

#[test]
fn an_appended_instrument_is_traded_by_a_strategy_from_its_next_start() {
    // Buys whatever it sees a bar of, and fails on one of an instrument that it was not given.
    let source = NativeSource::default().with("curious", |config: &InstanceConfig| {
        let known = config.instruments.len();
        let mut tag = 0;
        Box::new(Scripted(move |event: &Event, actions: &mut Vec<Action>| {
            if let Event::Bar(bar) = event {
                assert!((bar.instrument.0 as usize) < known, "it was told of what it does not know");
                tag += 1;
                actions.push(market(tag, bar.instrument, Intent::Buy(Amount::Quantity(0.5))));
            }
            Ok(())
        }))
    });
    let mut engine = engine(settings(), source);
    run(&mut engine, &[deploy("curious", Decimal::ONE), flat(0, 0, 100.0)]);
    configure(&mut engine, |settings| settings.instruments.push(Instrument::new("Y-USD", 2, 8)));
    run(&mut engine, &[flat(1, 1, 50.0), flat(1, 2, 50.0)]);
    assert_eq!(engine.orders().count(), 1, "only X is traded");
    let again = Input { time: engine.now(), ..deploy("curious", Decimal::ONE) };
    // Its first number is still that of the order in X.
    run(&mut engine, &[again, flat(1, 3, 50.0), flat(1, 4, 50.0), flat(1, 5, 50.0)]);
    assert_eq!(engine.ledger().holdings(), [(InstrumentId(1), Quantity(Decimal::new(5, 1)))]);
}

#[test]
fn a_breaker_that_is_switched_off_closes_and_one_that_stays_on_keeps_its_state() {
    let mut settings = settings();
    settings.risk.breakers.losing_streak = Some(LosingStreakSettings { losses: 1, pause: Span::DAY });
    let steps = vec![(0, buy(1)), (1, market(2, X, Intent::Close)), (3, buy(3)), (4, buy(4))];
    let mut engine = engine(settings, script(steps));
    let bars: Vec<Input> = (0..3).map(|minute| flat(0, minute, 100.0 - minute as f64)).collect();
    run(&mut engine, &[&[deploy("script", Decimal::ONE)], &bars[..]].concat());
    assert!(!engine.breakers().are_closed());
    change(&mut engine, |settings| settings.risk.max_order = Some(Decimal::ONE));
    run(&mut engine, &[flat(0, 3, 90.0)]);
    assert_eq!(engine.orders().count(), 0);
    let outputs = change(&mut engine, |settings| settings.risk.breakers = BreakerSettings::none());
    assert!(outputs.iter().any(|output| matches!(output, Output::BreakerChanged(_))));
    run(&mut engine, &[flat(0, 4, 90.0)]);
    assert_eq!(engine.orders().count(), 1);
}

#[test]
fn the_rhythms_of_saving_and_rebalancing_follow_at_once() {
    let source = script(Vec::new());
    let mut slow = settings();
    (slow.save_every_events, slow.rebalance_every) = (1_000_000, Span::from_seconds(7 * 86_400));
    let mut engine = engine(slow, source);
    run(&mut engine, &[deploy("script", Decimal::new(5, 1)), flat(0, 0, 100.0)]);
    assert!(engine.slot("script").unwrap().saved().is_none());
    change(&mut engine, |settings| settings.save_every_events = 2);
    run(&mut engine, &(1..5).map(|minute| flat(0, minute, 100.0)).collect::<Vec<_>>());
    assert!(engine.slot("script").unwrap().saved().is_some());
}

/// What goes through the journal and the snapshots comes back as it was.
fn survives<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let bytes = postcard::to_allocvec(value).unwrap();
    assert_eq!(postcard::from_bytes::<T>(&bytes).as_ref(), Ok(value));
}

#[test]
fn commands_and_what_follows_from_them_survive_their_binary_form() {
    let mut settings = settings();
    settings.risk = RiskLimits::default();
    settings.risk.breakers.losing_streak = Some(LosingStreakSettings { losses: 1, pause: Span::MINUTE });
    let mut changed = settings.changeable();
    changed.instruments.push(Instrument::new("Y-USD", 2, 8));
    survives(&change_of(Some(1), changed));
    survives(&halt(HaltAction::Flatten));
    survives(&Command::Resume {});

    let steps = vec![(0, buy(1)), (1, market(2, X, Intent::Close)), (5, buy(3))];
    let mut engine = engine(settings, script(steps));
    let bars: Vec<Input> = (0..7).map(|minute| flat(0, minute, 100.0 - minute as f64)).collect();
    let mut outputs = run(&mut engine, &[&[deploy("script", Decimal::ONE)], &bars[..]].concat());
    let command = at_once(&engine, halt(HaltAction::CancelOrders));
    outputs.extend(run(&mut engine, &[command]));
    let told = |output: &&Output| matches!(output, Output::BreakerChanged(_) | Output::TradingState(_));
    assert!(outputs.iter().filter(told).count() >= 2, "{outputs:?}");
    outputs.iter().filter(told).for_each(survives);
    survives(&Output::SettingsChanged { version: 2, actor: person(), time: engine.now() });
    survives(engine.breakers());
    survives(engine.halt().unwrap());
}
