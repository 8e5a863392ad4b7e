//! What a whole step does, from market event to books.

mod support;

use bulkhead_core::engine::{Engine, EngineSettings, SlotStatus};
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::{Command, HaltAction, Input, StrategyMode};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::money::{Money, Quantity};
use bulkhead_core::order::OrderState;
use bulkhead_core::output::{Output, SlotEvent};
use bulkhead_core::risk::{RefusalCode, RiskLimits};
use bulkhead_core::sizing::Sizing;
use bulkhead_core::strategy::{Action, Amount, Event, ExitPlan, FaultKind, FillCause, Intent, Proposal};
use bulkhead_core::venue::paper::{FillTiming, PaperSettings};
use rust_decimal::Decimal;
use support::*;

const X: InstrumentId = InstrumentId(0);

fn exact() -> EngineSettings {
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

fn run(engine: &mut Engine, inputs: &[Input]) -> Vec<Output> {
    let mut outputs = Vec::new();
    for input in inputs {
        engine.step(input, &mut outputs);
    }
    outputs
}

fn flat_bar(minute: i64, price: f64) -> Input {
    bar(0, minute, price, price, price, price)
}

fn cash(engine: &Engine) -> String {
    engine.ledger().cash().0.normalize().to_string()
}

fn refusals(outputs: &[Output]) -> Vec<RefusalCode> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Refused(refused) => Some(refused.refusal.code),
            _ => None,
        })
        .collect()
}

fn fills(outputs: &[Output]) -> Vec<(FillCause, String)> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Filled(fill) => Some((fill.cause, fill.price.0.normalize().to_string())),
            _ => None,
        })
        .collect()
}

#[test]
fn an_order_fills_at_the_next_open_and_the_books_agree_to_the_cent() {
    let steps = vec![(0, market(1, X, Intent::Buy(Amount::Standard))), (1, market(2, X, Intent::Close))];
    let mut engine = engine(exact(), script(steps));
    let bars =
        [flat_bar(0, 100.0), bar(0, 1, 101.0, 105.0, 99.0, 104.0), bar(0, 2, 103.5, 105.0, 99.0, 104.0)];
    let outputs = run(&mut engine, &[&[deploy("script", Decimal::ONE)], &bars[..]].concat());
    assert_eq!(fills(&outputs), [(FillCause::Order, "101".into()), (FillCause::Order, "103.5".into())]);
    // 2 · 101 bought, 2 · 103.5 sold, each with a fee of a thousandth.
    assert_eq!(cash(&engine), "10004.591");
    let trade = outputs.iter().find_map(|output| match output {
        Output::TradeClosed(trade) => Some(trade.clone()),
        _ => None,
    });
    assert_eq!(trade.unwrap().pnl.0.normalize().to_string(), "4.591");
    assert_eq!(engine.equity().unwrap(), engine.ledger().cash());
}

#[test]
fn same_close_is_an_explicit_choice() {
    let mut settings = exact();
    settings.venue.timing = FillTiming::SameClose;
    let mut engine = engine(settings, script(vec![(0, market(1, X, Intent::Buy(Amount::Standard)))]));
    let outputs = run(&mut engine, &[deploy("script", Decimal::ONE), bar(0, 0, 101.0, 105.0, 99.0, 104.0)]);
    assert_eq!(fills(&outputs), [(FillCause::Order, "104".into())]);
}

#[test]
fn what_can_not_be_paid_is_refused_and_told() {
    let steps = vec![(0, market(1, X, Intent::Buy(Amount::Quantity(200.0))))];
    let mut engine = engine(exact(), script(steps));
    let outputs = run(&mut engine, &[deploy("script", Decimal::ONE), flat_bar(0, 100.0), flat_bar(1, 100.0)]);
    assert_eq!(refusals(&outputs), [RefusalCode::InsufficientCash]);
    assert_eq!(cash(&engine), "10000");
}

#[test]
fn a_gap_past_the_reservation_takes_more_cash_or_ends_the_order() {
    let buy = |quantity| vec![(0, market(1, X, Intent::Buy(Amount::Quantity(quantity))))];
    let mut paid = engine(exact(), script(buy(50.0)));
    let bars = [deploy("script", Decimal::ONE), flat_bar(0, 100.0), flat_bar(1, 150.0)];
    assert_eq!(fills(&run(&mut paid, &bars)).len(), 1);
    assert_eq!(cash(&paid), "2492.5");

    let mut broke = engine(exact(), script(buy(80.0)));
    let outputs = run(&mut broke, &bars);
    assert!(fills(&outputs).is_empty());
    assert!(outputs.iter().any(
        |output| matches!(output, Output::OrderChanged(change) if change.state == OrderState::Rejected)
    ));
    assert_eq!(broke.ledger().sub_ledgers()[0].reserved(), Money::ZERO);
    assert_eq!(cash(&broke), "10000");
}

#[test]
fn exits_work_when_the_strategy_is_dead() {
    let source = NativeSource::default().with("mortal", |_| {
        let mut bars = 0;
        Box::new(Scripted(move |event: &Event, actions: &mut Vec<Action>| {
            if matches!(event, Event::Bar(_)) {
                bars += 1;
                match bars {
                    1 => actions.push(market(1, X, Intent::Buy(Amount::Standard))),
                    3 => return Err(FaultKind::Trap("unreachable".to_owned())),
                    _ => {}
                }
            }
            Ok(())
        }))
    });
    let mut settings = exact();
    settings.risk.exits.default_plan = ExitPlan { stop_loss: Some(0.15), ..ExitPlan::default() };
    settings.faults.quarantine_after = 1;
    let mut engine = engine(settings, source);
    let bars = [
        deploy("mortal", Decimal::ONE),
        flat_bar(0, 100.0),
        flat_bar(1, 100.0),
        flat_bar(2, 100.0),
        flat_bar(3, 84.0),
    ];
    let outputs = run(&mut engine, &bars);
    assert_eq!(engine.slot("mortal").unwrap().status(), SlotStatus::Quarantined);
    assert_eq!(fills(&outputs)[1], (FillCause::StopLoss, "84".into()));
    assert!(engine.ledger().holdings().is_empty());
}

#[test]
fn an_exit_takes_the_strategys_working_sale_back_first() {
    let mut limit_sale = market(2, X, Intent::Close);
    if let Proposal::Submit(submit) = &mut limit_sale.proposal {
        submit.kind = bulkhead_core::strategy::OrderKind::Limit(120.0);
    }
    let mut settings = exact();
    settings.risk.exits.default_plan = ExitPlan { stop_loss: Some(0.15), ..ExitPlan::default() };
    let steps = vec![(0, market(1, X, Intent::Buy(Amount::Standard))), (1, limit_sale)];
    let mut engine = engine(settings, script(steps));
    let bars =
        [flat_bar(0, 100.0), flat_bar(1, 100.0), flat_bar(2, 100.0), bar(0, 3, 100.0, 130.0, 80.0, 100.0)];
    let outputs = run(&mut engine, &[&[deploy("script", Decimal::ONE)], &bars[..]].concat());
    // Stop and limit are both inside the last bar: the worse is taken.
    assert_eq!(fills(&outputs)[1..], [(FillCause::StopLoss, "85".into())]);
    assert_eq!(engine.orders().count(), 0);
}

#[test]
fn a_failed_strategy_restarts_after_its_pause_and_is_quarantined_in_the_end() {
    let source = NativeSource::default().with("broken", |_| {
        Box::new(Scripted(|event: &Event, _: &mut Vec<Action>| match event {
            Event::Bar(_) => Err(FaultKind::Trap("unreachable".to_owned())),
            _ => Ok(()),
        }))
    });
    let mut engine = engine(exact(), source);
    let bars: Vec<Input> = (0..10).map(|minute| flat_bar(minute, 100.0)).collect();
    let outputs = run(&mut engine, &[&[deploy("broken", Decimal::ONE)], &bars[..]].concat());
    let faults = outputs.iter().filter(|output| matches!(output, Output::StrategyFault(_))).count();
    assert_eq!(faults, 3);
    assert_eq!(engine.slot("broken").unwrap().status(), SlotStatus::Quarantined);
    run(
        &mut engine,
        &[Input { time: bars[9].time, ..command(Command::Release { slot: "broken".to_owned() }) }],
    );
    assert_eq!(engine.slot("broken").unwrap().status(), SlotStatus::Running);
}

#[test]
fn an_invalid_action_is_a_fault_and_nothing_of_the_answer_counts() {
    let steps = vec![
        (0, market(1, X, Intent::Buy(Amount::Standard))),
        (0, market(2, X, Intent::Buy(Amount::Quantity(f64::NAN)))),
    ];
    let mut engine = engine(exact(), script(steps));
    let outputs = run(&mut engine, &[deploy("script", Decimal::ONE), flat_bar(0, 100.0), flat_bar(1, 100.0)]);
    assert!(matches!(
        outputs.iter().find(|output| matches!(output, Output::StrategyFault(_))),
        Some(Output::StrategyFault(report)) if matches!(report.fault, FaultKind::InvalidAction(_))
    ));
    assert!(fills(&outputs).is_empty());
}

#[test]
fn capital_follows_the_weights_and_nobody_spends_anothers_share() {
    let buyer = |_: &_| -> Box<dyn bulkhead_core::strategy::Strategy> {
        Box::new(Scripted(|event: &Event, actions: &mut Vec<Action>| {
            if matches!(event, Event::Bar(_)) {
                actions.push(market(1, X, Intent::Buy(Amount::Quantity(60.0))));
            }
            Ok(())
        }))
    };
    let source = NativeSource::default().with("small", buyer).with("large", buyer);
    let mut engine = engine(exact(), source);
    let (half, most) = (Decimal::new(4, 1), Decimal::new(6, 1));
    let outputs = run(&mut engine, &[deploy("small", half), deploy("large", most), flat_bar(0, 99.0)]);
    assert_eq!(refusals(&outputs), [RefusalCode::InsufficientCash], "60 · 99 is more than a share of 0.4");
    let weights = [("small".to_owned(), most), ("large".to_owned(), half)].into();
    let now = engine.now();
    run(&mut engine, &[Input { time: now, ..command(Command::SetWeights(weights)) }]);
    let books = engine.ledger().sub_ledgers();
    // What the large one has reserved for its order can't be taken away.
    assert_eq!(books[1].free(), Money::ZERO);
    assert!(books[0].cash() < Money(Decimal::from(6_000)));
    let too_much = [("small".to_owned(), Decimal::ONE)].into();
    let refused = run(&mut engine, &[Input { time: now, ..command(Command::SetWeights(too_much)) }]);
    assert!(matches!(&refused[0], Output::InputRefused { reason, .. } if reason.contains("sum to 1.4")));
}

#[test]
fn a_shadow_trades_make_believe_money_only() {
    let source = script(vec![(0, market(1, X, Intent::Buy(Amount::Standard)))]);
    let mut engine = engine(exact(), source);
    let shadow = deploy_as("watched", "script", Decimal::ZERO, StrategyMode::Shadow);
    let outputs = run(&mut engine, &[shadow, flat_bar(0, 100.0), flat_bar(1, 100.0)]);
    assert_eq!(fills(&outputs).len(), 1);
    assert_eq!(cash(&engine), "10000");
    assert!(engine.ledger().holdings().is_empty());
    assert!(engine.slot_equity(engine.slot("watched").unwrap().id()).unwrap() < Money(Decimal::from(10_000)));
}

#[test]
fn a_halt_stops_buying_and_lets_selling_go_on() {
    let steps = vec![
        (0, market(1, X, Intent::Buy(Amount::Standard))),
        (2, market(2, X, Intent::Buy(Amount::Standard))),
        (3, market(3, X, Intent::Close)),
    ];
    let mut engine = engine(exact(), script(steps));
    run(&mut engine, &[deploy("script", Decimal::ONE), flat_bar(0, 100.0), flat_bar(1, 100.0)]);
    let halt = Input { time: engine.now(), ..command(halt(HaltAction::StopEntries)) };
    let outputs = run(&mut engine, &[halt, flat_bar(2, 100.0), flat_bar(3, 100.0), flat_bar(4, 100.0)]);
    assert_eq!(refusals(&outputs), [RefusalCode::KillSwitch]);
    assert_eq!(fills(&outputs).len(), 1);
    assert!(engine.ledger().holdings().is_empty());
}

#[test]
fn a_replacement_that_can_not_start_leaves_the_running_version_in_place() {
    let source = script(Vec::new());
    let mut engine = engine(exact(), source);
    run(&mut engine, &[deploy("script", Decimal::ONE)]);
    let outputs = run(&mut engine, &[deploy_as("script", "missing", Decimal::ONE, StrategyMode::Live)]);
    assert!(
        matches!(&outputs[0], Output::SlotChanged(change) if matches!(change.event, SlotEvent::DeploymentFailed { .. }))
    );
    let slot = engine.slot("script").unwrap();
    assert_eq!((slot.status(), slot.deployment().version), (SlotStatus::Running, version("script")));
}

#[test]
fn an_unusable_input_changes_nothing_and_is_reported() {
    let mut engine = engine(exact(), script(Vec::new()));
    let nan = bar(0, 1, f64::NAN, 1.0, 1.0, 1.0);
    let unknown = bar(7, 1, 1.0, 1.0, 1.0, 1.0);
    let outputs = run(&mut engine, &[flat_bar(5, 100.0), flat_bar(4, 100.0), nan, unknown]);
    assert_eq!(outputs.len(), 3);
    assert!(outputs.iter().all(|output| matches!(output, Output::InputRefused { .. })));
}

#[test]
fn two_runs_have_the_same_digest_and_another_market_another_one() {
    let digest = |bars: &[Input]| {
        let source = NativeSource::default().with("crossover", |_| Box::new(NativeCrossover::new()));
        let mut engine = engine(exact(), source);
        run(&mut engine, &[deploy("crossover", Decimal::ONE)]);
        let outputs = run(&mut engine, bars);
        assert!(fills(&outputs).len() > 100, "{}", fills(&outputs).len());
        engine.digest().to_string()
    };
    let bars = random_walk(10_000);
    assert_eq!(digest(&bars), digest(&bars));
    assert_ne!(digest(&bars), digest(&bars[1..]));
}
