//! What a halt stops, takes back and closes, and what goes on in spite of it.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod support;

use bulkhead_core::engine::{Engine, EngineSettings};
use bulkhead_core::identifier::{InstrumentId, StrategyId};
use bulkhead_core::input::{Actor, Command, HaltAction, Input, InputKind, StrategyMode};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::market::MarketTrade;
use bulkhead_core::money::{Money, Quantity};
use bulkhead_core::order::Side;
use bulkhead_core::output::Output;
use bulkhead_core::risk::{RefusalCode, RiskLimits};
use bulkhead_core::sizing::Sizing;
use bulkhead_core::strategy::{Action, Amount, Event, ExitPlan, FillCause, Intent, OrderKind, Proposal};
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_core::venue::paper::PaperSettings;
use rust_decimal::Decimal;
use support::*;

const X: InstrumentId = InstrumentId(0);
const Y: InstrumentId = InstrumentId(1);

fn settings() -> EngineSettings {
    let instruments = vec![Instrument::new("X-USD", 2, 8), Instrument::new("Y-USD", 2, 8)];
    let mut settings = EngineSettings::new(instruments, Money(Decimal::from(10_000)));
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

fn buy(tag: u32, instrument: InstrumentId) -> Action {
    market(tag, instrument, Intent::Buy(Amount::Standard))
}

fn limit(mut action: Action, price: f64) -> Action {
    if let Proposal::Submit(submit) = &mut action.proposal {
        submit.kind = OrderKind::Limit(price);
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

fn causes(outputs: &[Output]) -> Vec<FillCause> {
    let cause = |output: &Output| match output {
        Output::Filled(fill) => Some(fill.cause),
        _ => None,
    };
    outputs.iter().filter_map(cause).collect()
}

fn refusals(outputs: &[Output]) -> Vec<RefusalCode> {
    let code = |output: &Output| match output {
        Output::Refused(refused) => Some(refused.refusal.code),
        _ => None,
    };
    outputs.iter().filter_map(code).collect()
}

/// An engine that holds X and has a limit sale and a limit purchase of it working.
fn holding_with_working_orders() -> Engine {
    let steps = vec![
        (0, buy(1, X)),
        (1, limit(market(2, X, Intent::Sell(Amount::Quantity(1.0))), 150.0)),
        (2, limit(buy(3, X), 50.0)),
    ];
    let mut engine = engine(settings(), script(steps));
    run(&mut engine, &[deploy("script", Decimal::ONE)]);
    run(&mut engine, &[flat(0, 0, 100.0), flat(0, 1, 100.0), flat(0, 2, 100.0)]);
    assert_eq!(engine.orders().count(), 2);
    engine
}

fn sides(engine: &Engine) -> Vec<Side> {
    engine.orders().map(|order| order.terms().side).collect()
}

#[test]
fn each_action_of_a_halt_does_more_than_the_one_before() {
    let halted = |action| {
        let mut engine = holding_with_working_orders();
        let command = at_once(&engine, halt(action));
        run(&mut engine, &[command]);
        engine
    };
    let stopped = halted(HaltAction::StopEntries);
    assert_eq!(sides(&stopped), [Side::Sell], "a purchase would open exposure, a sale does not");

    let cancelled = halted(HaltAction::CancelOrders);
    assert!(sides(&cancelled).is_empty());
    assert_eq!(cancelled.ledger().holdings().len(), 1);

    let mut flattened = halted(HaltAction::Flatten);
    assert_eq!(flattened.left_to_flatten(), [(StrategyId(0), X)]);
    let outputs = run(&mut flattened, &[flat(0, 3, 100.0)]);
    assert_eq!(causes(&outputs), [FillCause::Operator]);
    assert!(flattened.ledger().holdings().is_empty());
    assert!(flattened.left_to_flatten().is_empty());
}

#[test]
fn a_halt_knows_its_reason_who_asked_and_since_when_until_it_is_resumed() {
    let mut engine = holding_with_working_orders();
    let since = engine.now();
    let command = at_once(&engine, halt(HaltAction::StopEntries));
    let outputs = run(&mut engine, &[command, flat(0, 3, 100.0)]);
    assert!(outputs.iter().any(|output| matches!(output, Output::TradingState(state)
        if state.halted && state.actor == person() && state.action == Some(HaltAction::StopEntries))));
    let in_force = engine.halt().unwrap();
    assert_eq!((in_force.reason.as_str(), &in_force.actor, in_force.since), ("test", &person(), since));

    let resume = at_once(&engine, Command::Resume {});
    let outputs = run(&mut engine, &[resume]);
    assert!(matches!(&outputs[0], Output::TradingState(state) if !state.halted && state.actor == person()));
    assert_eq!(engine.halt(), None);
}

#[test]
fn a_position_without_a_price_is_closed_at_its_next_price() {
    let steps = vec![(0, buy(1, X)), (0, buy(2, Y))];
    let mut engine = engine(settings(), script(steps));
    let bars = [flat(1, 0, 100.0), flat(0, 0, 100.0), flat(0, 1, 100.0), flat(1, 1, 100.0)];
    run(&mut engine, &[&[deploy("script", Decimal::ONE)], &bars[..]].concat());
    // A price that rounds to nothing on the grid is none for the books.
    let inputs = [flat(0, 2, 100.0), flat(1, 2, 0.001)];
    run(&mut engine, &inputs);
    assert_eq!(engine.ledger().holdings().len(), 1, "Y alone could be bought: X had no price at the time");
    let command = at_once(&engine, halt(HaltAction::Flatten));
    let outputs = run(&mut engine, &[command]);
    assert!(!outputs.iter().any(|output| matches!(output, Output::OrderAccepted(_))));
    assert_eq!(engine.left_to_flatten(), [(StrategyId(0), Y)]);

    let outputs =
        run(&mut engine, &[flat(1, 3, 0.001), flat(0, 3, 100.0), flat(1, 4, 90.0), flat(1, 5, 91.0)]);
    let sold = outputs.iter().find_map(|output| match output {
        Output::Filled(fill) => Some(fill.price.0.normalize().to_string()),
        _ => None,
    });
    assert_eq!(sold.as_deref(), Some("91"), "ordered at the first price, filled at the next open");
    assert!(engine.left_to_flatten().is_empty());
}

#[test]
fn a_flattening_sale_that_fails_is_tried_again_at_every_price() {
    let mut failing = settings();
    failing.venue.failure_probability = 0.6;
    failing.venue.seed = 3;
    // Attempts enough that one purchase goes through.
    let steps = (0..8).map(|at| (at, buy(u32::try_from(at).unwrap() + 1, X))).collect();
    let mut engine = engine(failing, script(steps));
    run(&mut engine, &[deploy("script", Decimal::ONE)]);
    let bars: Vec<Input> = (0..9).map(|minute| flat(0, minute, 100.0)).collect();
    run(&mut engine, &bars);
    assert!(!engine.ledger().holdings().is_empty());
    let command = at_once(&engine, halt(HaltAction::Flatten));
    let mut outputs = run(&mut engine, &[command]);
    let bars: Vec<Input> = (9..40).map(|minute| flat(0, minute, 100.0)).collect();
    outputs.extend(run(&mut engine, &bars));
    let attempts = outputs.iter().filter(|output| matches!(output, Output::OrderAccepted(_))).count();
    assert!(attempts > 1, "{attempts} attempts; choose a seed whose first sale fails");
    assert_eq!(causes(&outputs), [FillCause::Operator]);
    assert!(engine.ledger().holdings().is_empty());
}

#[test]
fn a_trade_by_others_is_a_price_to_flatten_at() {
    let mut engine = holding_with_working_orders();
    let command = at_once(&engine, halt(HaltAction::Flatten));
    run(&mut engine, &[command]);
    let time = engine.now().plus(Span::from_seconds(1));
    let trade = MarketTrade { instrument: X, time, price: 99.0, quantity: 50.0, taker: Side::Sell };
    let outputs = run(&mut engine, &[Input { time, kind: InputKind::Trade(trade) }]);
    assert_eq!(causes(&outputs), [FillCause::Operator]);
}

#[test]
fn shadows_are_not_halted_and_keep_what_they_hold() {
    let steps = vec![(0, buy(1, X)), (2, buy(2, X))];
    let mut engine = engine(settings(), script(steps));
    run(
        &mut engine,
        &[
            deploy_as("real", "script", Decimal::ONE, StrategyMode::Live),
            deploy_as("watched", "script", Decimal::ZERO, StrategyMode::Shadow),
            flat(0, 0, 100.0),
            flat(0, 1, 100.0),
        ],
    );
    let command = at_once(&engine, halt(HaltAction::Flatten));
    let outputs = run(&mut engine, &[command, flat(0, 2, 100.0), flat(0, 3, 100.0)]);
    assert_eq!(refusals(&outputs), [RefusalCode::KillSwitch]);
    let held = |slot| engine.ledger().sub_ledger(StrategyId(slot)).unwrap().positions().len();
    assert_eq!((held(0), held(1)), (0, 1));
}

#[test]
fn a_slot_that_is_off_is_flattened_too() {
    let mut engine = holding_with_working_orders();
    let off = Command::SetMode { slot: "script".to_owned(), mode: StrategyMode::Off };
    let inputs = [at_once(&engine, off), at_once(&engine, halt(HaltAction::Flatten)), flat(0, 3, 100.0)];
    run(&mut engine, &inputs);
    assert!(engine.ledger().holdings().is_empty());
}

#[test]
fn exits_go_on_while_halted_and_overtake_a_flattening_sale() {
    let mut guarded = settings();
    guarded.risk.exits.default_plan = ExitPlan { stop_loss: Some(0.15), ..ExitPlan::default() };
    // The sale takes ten minutes to the venue.
    guarded.venue.latency = Span::from_seconds(600);
    let mut engine = engine(guarded, script(vec![(0, buy(1, X))]));
    run(&mut engine, &[deploy("script", Decimal::ONE)]);
    let bars: Vec<Input> = (0..12).map(|minute| flat(0, minute, 100.0)).collect();
    run(&mut engine, &bars);
    assert_eq!(engine.ledger().holdings().len(), 1);
    let command = at_once(&engine, halt(HaltAction::Flatten));
    let outputs = run(&mut engine, &[command, bar(0, 12, 100.0, 100.0, 80.0, 90.0)]);
    assert_eq!(causes(&outputs), [FillCause::StopLoss]);
    assert!(engine.ledger().holdings().is_empty());
    assert_eq!(engine.orders().count(), 0);
}

#[test]
fn after_a_resume_trading_goes_on_and_nothing_more_is_flattened() {
    let steps = vec![(0, buy(1, X)), (4, buy(2, X))];
    let mut engine = engine(settings(), script(steps));
    run(&mut engine, &[deploy("script", Decimal::ONE), flat(0, 0, 100.0), flat(0, 1, 100.0)]);
    let command = at_once(&engine, halt(HaltAction::Flatten));
    run(&mut engine, &[command, flat(0, 2, 100.0)]);
    assert!(engine.ledger().holdings().is_empty());
    let resume = at_once(&engine, Command::Resume {});
    let bars: Vec<Input> = (3..8).map(|minute| flat(0, minute, 100.0)).collect();
    let outputs = run(&mut engine, &[&[resume], &bars[..]].concat());
    assert_eq!(causes(&outputs), [FillCause::Order]);
    assert_eq!(engine.ledger().holdings().len(), 1);
}

#[test]
fn a_halt_by_the_host_itself_has_a_code_of_its_own() {
    let mut engine = engine(settings(), script(vec![(0, buy(1, X))]));
    run(&mut engine, &[deploy("script", Decimal::ONE)]);
    let command = Command::Halt { reason: "the balances differ".to_owned(), action: HaltAction::StopEntries };
    let halt = Input {
        time: Timestamp::EPOCH,
        kind: InputKind::command(Actor::Host("reconciliation".to_owned()), command),
    };
    let outputs = run(&mut engine, &[halt, flat(0, 0, 100.0)]);
    assert_eq!(refusals(&outputs), [RefusalCode::AccountHalted]);
}
