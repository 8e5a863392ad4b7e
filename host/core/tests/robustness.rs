//! What must hold when inputs, strategies or operators are at their worst. Most of these once went wrong.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use std::sync::{Arc, Mutex};

use bulkhead_core::engine::{Engine, EngineSettings, SlotStatus};
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::{Command, HaltAction, Input, InputKind, StrategyMode};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::market::{Bar, MarketTrade};
use bulkhead_core::money::{Money, Price, Quantity};
use bulkhead_core::order::{OrderState, Side};
use bulkhead_core::output::Output;
use bulkhead_core::risk::{RefusalCode, RiskLimits};
use bulkhead_core::sizing::Sizing;
use bulkhead_core::strategy::{
    Action, Amount, Event, ExitPlan, Fault, FaultKind, FillCause, Intent, Needs, OrderKind, OrderStatus,
    Proposal, SavedState, Strategy, TakeProfit,
};
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_core::venue::paper::PaperSettings;
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
fn scripted(steps: Vec<(usize, Action)>) -> Box<dyn Strategy> {
    let mut count = 0;
    Box::new(Scripted(move |event: &Event, actions: &mut Vec<Action>| {
        if matches!(event, Event::Bar(_)) {
            actions.extend(steps.iter().filter(|(at, _)| *at == count).map(|(_, action)| action.clone()));
            count += 1;
        }
        Ok(())
    }))
}

fn script(steps: Vec<(usize, Action)>) -> NativeSource {
    NativeSource::default().with("script", move |_| scripted(steps.clone()))
}

fn buy(tag: u32, quantity: f64) -> Action {
    market(tag, X, Intent::Buy(Amount::Quantity(quantity)))
}

fn limit(mut action: Action, price: f64) -> Action {
    if let Proposal::Submit(submit) = &mut action.proposal {
        submit.kind = OrderKind::Limit(price);
    }
    action
}

fn run(engine: &mut Engine, inputs: &[Input]) -> Vec<Output> {
    let mut outputs = Vec::new();
    for input in inputs {
        engine.step(input, &mut outputs);
    }
    outputs
}

fn now(engine: &Engine, kind: Command) -> Input {
    Input { time: engine.now(), ..command(kind) }
}

fn flat(minute: i64, price: f64) -> Input {
    bar(0, minute, price, price, price, price)
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

fn input_refusals(outputs: &[Output]) -> usize {
    outputs.iter().filter(|output| matches!(output, Output::InputRefused { .. })).count()
}

/// What a strategy was told, for tests to look at.
type Told = Arc<Mutex<Vec<Event>>>;

fn listener(told: &Told, needs: Needs) -> NativeSource {
    let told = Arc::clone(told);
    NativeSource::default().with_needs("listener", needs, move |_| {
        let told = Arc::clone(&told);
        Box::new(Scripted(move |event: &Event, _: &mut Vec<Action>| {
            told.lock().unwrap().push(event.clone());
            Ok(())
        }))
    })
}

fn bars_told(told: &Told) -> usize {
    told.lock().unwrap().iter().filter(|event| matches!(event, Event::Bar(_))).count()
}

#[test]
fn a_strategy_that_answers_every_answer_is_stopped() {
    let needs =
        Needs { bar_intervals: vec![Span::ZERO], timer: Some(Span::from_seconds(60)), ..Needs::default() };
    let source = NativeSource::default().with_needs("chatty", needs, |_| {
        // More than it can pay, so each proposal brings about a denial, and so on.
        Box::new(Scripted(|_: &Event, actions: &mut Vec<Action>| {
            actions.push(buy(1, 1e6));
            Ok(())
        }))
    });
    let mut engine = engine(exact(), source);
    let outputs = run(&mut engine, &[deploy("chatty", Decimal::ONE), flat(0, 100.0), flat(1, 100.0)]);
    let flood = outputs.iter().any(
        |output| matches!(output, Output::StrategyFault(report) if matches!(report.fault, FaultKind::Flood(_))),
    );
    assert!(flood, "{:?}", outputs.last());
    assert!(matches!(engine.slot("chatty").unwrap().status(), SlotStatus::Restarting(_)));
}

#[test]
fn a_halt_takes_working_purchases_back() {
    let mut engine = engine(exact(), script(vec![(0, limit(buy(1, 2.0), 90.0))]));
    run(&mut engine, &[deploy("script", Decimal::ONE), flat(0, 100.0), flat(1, 100.0)]);
    assert_eq!(engine.orders().count(), 1);
    let command = now(&engine, halt(HaltAction::StopEntries));
    let outputs = run(&mut engine, &[command, flat(2, 80.0), flat(3, 80.0)]);
    assert!(fills(&outputs).is_empty(), "{outputs:?}");
    assert_eq!(engine.ledger().sub_ledgers()[0].reserved(), Money::ZERO);
}

#[test]
fn a_close_by_the_operator_survives_the_strategys_fault() {
    let source = NativeSource::default().with("mortal", |_| {
        let mut bars = 0;
        Box::new(Scripted(move |event: &Event, actions: &mut Vec<Action>| {
            if matches!(event, Event::Bar(_)) {
                bars += 1;
                match bars {
                    1 => actions.push(buy(1, 2.0)),
                    4 => return Err(FaultKind::Trap("unreachable".to_owned())),
                    _ => {}
                }
            }
            Ok(())
        }))
    });
    let mut settings = exact();
    settings.venue.latency = Span::from_seconds(90);
    let mut engine = engine(settings, source);
    let mut outputs = run(&mut engine, &[deploy("mortal", Decimal::ONE)]);
    outputs
        .extend(run(&mut engine, &[flat(0, 100.0), flat(1, 100.0), bar(0, 2, 100.0, 100.0, 100.0, 100.0)]));
    assert_eq!(fills(&outputs).len(), 1);
    let close = now(&engine, Command::Close { slot: "mortal".to_owned(), instrument: X });
    let outputs = run(&mut engine, &[close, flat(3, 100.0), flat(4, 100.0), flat(5, 100.0)]);
    assert_eq!(fills(&outputs).first(), Some(&(FillCause::Operator, "100".into())));
}

#[test]
fn a_close_that_is_refused_takes_nothing_back() {
    let mut engine = engine(exact(), script(vec![(0, limit(buy(1, 2.0), 90.0))]));
    run(&mut engine, &[deploy("script", Decimal::ONE), flat(0, 100.0)]);
    let close = now(&engine, Command::Close { slot: "script".to_owned(), instrument: X });
    let outputs = run(&mut engine, &[close]);
    assert!(matches!(&outputs[..], [Output::InputRefused { reason, .. }] if reason.contains("no position")));
    assert_eq!(engine.orders().count(), 1);
}

#[test]
fn weights_stay_within_one_however_a_slot_becomes_live() {
    let mut engine = engine(exact(), script(Vec::new()));
    let vast = deploy_as("vast", "script", Decimal::from(5), StrategyMode::Shadow);
    assert_eq!(input_refusals(&run(&mut engine, &[vast])), 1, "a shadow's weight is a share too");
    let whole = Decimal::ONE;
    run(&mut engine, &[deploy("script", whole), deploy_as("shadow", "script", whole, StrategyMode::Shadow)]);
    let promote = now(&engine, Command::SetMode { slot: "shadow".to_owned(), mode: StrategyMode::Live });
    let outputs = run(&mut engine, &[promote]);
    assert!(matches!(&outputs[..], [Output::InputRefused { reason, .. }] if reason.contains("sum to 2")));
    // Switching off never fails for its weight.
    let off = now(&engine, Command::SetMode { slot: "shadow".to_owned(), mode: StrategyMode::Off });
    assert_eq!(input_refusals(&run(&mut engine, &[off])), 0);
    let negative = [("shadow".to_owned(), Decimal::NEGATIVE_ONE)].into();
    let negative = now(&engine, Command::SetWeights(negative));
    assert_eq!(input_refusals(&run(&mut engine, &[negative])), 1);
}

#[test]
fn a_bar_of_the_past_executes_nothing() {
    let mut settings = exact();
    settings.risk.exits.default_plan = ExitPlan { stop_loss: Some(0.15), ..ExitPlan::default() };
    let mut engine = engine(settings, script(vec![(0, buy(1, 2.0))]));
    run(&mut engine, &[deploy("script", Decimal::ONE), flat(5, 100.0), flat(6, 100.0), flat(7, 100.0)]);
    let crash = bar(0, 4, 50.0, 50.0, 50.0, 50.0);
    let twice = bar(0, 7, 50.0, 50.0, 50.0, 50.0);
    let time = engine.now();
    let late = |input: Input| Input { time, ..input };
    let outputs = run(&mut engine, &[late(crash), late(twice)]);
    assert_eq!((input_refusals(&outputs), outputs.len()), (2, 2));
    assert_eq!(engine.ledger().holdings().len(), 1);
}

#[test]
fn the_first_moment_of_time_is_no_trouble() {
    let mut engine = engine(exact(), script(Vec::new()));
    let InputKind::Bar(first) = flat(0, 100.0).kind else { unreachable!() };
    let interval = Span::from_seconds(300);
    let needs = Needs { bar_intervals: vec![interval], ..Needs::default() };
    let told = Told::default();
    let mut with_longer = support::engine(exact(), listener(&told, needs));
    run(&mut with_longer, &[deploy("listener", Decimal::ONE)]);
    let bar = Bar { open_time: Timestamp::from_nanos(i64::MIN), ..first };
    let input = Input { time: Timestamp::EPOCH, kind: InputKind::Bar(bar) };
    run(&mut engine, std::slice::from_ref(&input));
    run(&mut with_longer, &[input]);
}

#[test]
fn a_shadows_orders_do_not_count_against_the_accounts_rate() {
    let eager = |_: &_| -> Box<dyn Strategy> {
        let mut tag = 0;
        Box::new(Scripted(move |event: &Event, actions: &mut Vec<Action>| {
            if matches!(event, Event::Bar(_)) {
                tag += 1;
                actions.push(limit(buy(tag, 1.0), 90.0));
            }
            Ok(())
        }))
    };
    let source = NativeSource::default().with("eager", eager);
    let mut settings = exact();
    settings.risk.orders_per_minute = Some(2);
    let mut engine = engine(settings, source);
    let half = Decimal::new(5, 1);
    let shadow = |slot| deploy_as(slot, "eager", half, StrategyMode::Shadow);
    let live = deploy_as("live", "eager", half, StrategyMode::Live);
    let outputs = run(&mut engine, &[shadow("a"), shadow("b"), shadow("c"), live, flat(0, 100.0)]);
    let refused = outputs.iter().filter(|output| matches!(output, Output::Refused(_))).count();
    assert_eq!(refused, 0, "{outputs:?}");
    let mut settings = exact();
    settings.risk.orders_per_minute = Some(1);
    let mut engine = support::engine(settings, NativeSource::default().with("eager", eager));
    let second = bar(0, 0, 100.0, 100.0, 100.0, 100.0);
    let outputs = run(
        &mut engine,
        &[
            deploy_as("a", "eager", half, StrategyMode::Live),
            deploy_as("b", "eager", half, StrategyMode::Live),
            second,
        ],
    );
    let refused = outputs.iter().any(
        |output| matches!(output, Output::Refused(refused) if refused.refusal.code == RefusalCode::OrderRate),
    );
    assert!(refused, "two live strategies share the account's rate");
}

#[test]
fn bars_are_told_once_and_timers_also_when_a_command_is_refused() {
    let told = Told::default();
    let needs = Needs {
        bar_intervals: vec![Span::ZERO, Span::MINUTE],
        timer: Some(Span::from_seconds(60)),
        ..Needs::default()
    };
    let mut engine = engine(exact(), listener(&told, needs));
    run(&mut engine, &[deploy("listener", Decimal::ONE), flat(0, 100.0)]);
    assert_eq!(bars_told(&told), 1);
    told.lock().unwrap().clear();
    let unknown = Command::Remove { slot: "nobody".to_owned() };
    run(&mut engine, &[Input { time: Timestamp::from_seconds(600), ..command(unknown) }]);
    assert!(matches!(told.lock().unwrap()[..], [Event::Timer(_)]), "{told:?}");
}

#[test]
fn a_version_that_is_deployed_switched_off_leaves_no_orders() {
    let mut engine = engine(exact(), script(vec![(0, limit(buy(1, 2.0), 90.0))]));
    run(&mut engine, &[deploy("script", Decimal::ONE), flat(0, 100.0)]);
    let off = Input { time: engine.now(), ..deploy_as("script", "script", Decimal::ONE, StrategyMode::Off) };
    let outputs = run(&mut engine, &[off, flat(1, 80.0), flat(2, 80.0)]);
    assert!(fills(&outputs).is_empty());
    assert_eq!(engine.orders().count(), 0);
}

#[test]
fn an_instrument_without_a_grid_is_refused() {
    let mut settings = exact();
    settings.instruments[0].tick = Price::ZERO;
    let refused = Engine::new(settings, Box::new(NativeSource::default()));
    assert!(refused.is_err_and(|error| error.to_string().contains("tick 0")));
}

/// A price that takes the account's value out of the books' range keeps nobody from being told, and nothing
/// piles up.
#[test]
fn values_beyond_the_books_do_not_stop_events_and_exits() {
    let told = Told::default();
    let needs = Needs { bar_intervals: vec![Span::ZERO], ..Needs::default() };
    let source = listener(&told, needs).with("script", |_| scripted(vec![(0, buy(1, 50.0))]));
    let mut settings = exact();
    settings.instruments[0] = Instrument::new("X-USD", 0, 8);
    settings.risk.drawdown = Some(Decimal::new(99, 2));
    settings.rebalance_every = Span::MINUTE;
    settings.risk.exits.default_plan =
        ExitPlan { trailing: Some(0.5), breakeven: Some(0.5), ..ExitPlan::default() };
    let mut engine = engine(settings, source);
    let vast = 7e27;
    let inputs =
        [deploy("script", Decimal::new(8, 1)), deploy("listener", Decimal::new(1, 1)), flat(0, 100.0)];
    run(&mut engine, &inputs);
    run(&mut engine, &[flat(1, 100.0), flat(2, vast), flat(3, vast)]);
    assert_eq!(bars_told(&told), 4, "the listener misses bars");
    let deployed =
        Input { time: engine.now(), ..deploy_as("late", "listener", Decimal::ZERO, StrategyMode::Live) };
    let outputs = run(&mut engine, &[deployed, flat(4, 101.0)]);
    assert_eq!(fills(&outputs).len(), 1, "the stop at the entry or above must fire: {outputs:?}");
}

/// A tier that no price in the books' range can reach must not stop a fill from being booked whole.
#[test]
fn an_unreachable_tier_leaves_the_fill_booked() {
    let mut order = buy(1, 1e-7);
    if let Proposal::Submit(submit) = &mut order.proposal {
        submit.exits = Some(ExitPlan {
            stop_loss: Some(0.5),
            take_profits: vec![TakeProfit { gain: 1_000.0, share: 1.0 }],
            ..ExitPlan::default()
        });
    }
    let mut settings = exact();
    settings.instruments[0] = Instrument::new("X-USD", 0, 22);
    settings.instruments[0].lot = Quantity(Decimal::new(1, 24));
    let mut order_small = order;
    if let Proposal::Submit(submit) = &mut order_small.proposal {
        submit.intent = Intent::Buy(Amount::Quantity(1e-24));
    }
    let mut engine = engine(settings, script(vec![(0, order_small)]));
    let price = 1e26;
    let outputs = run(&mut engine, &[deploy("script", Decimal::ONE), flat(0, price), flat(1, price)]);
    assert_eq!(fills(&outputs).len(), 1, "{outputs:?}");
    assert_eq!(input_refusals(&outputs), 0, "{outputs:?}");
    let filled = outputs
        .iter()
        .any(|output| matches!(output, Output::OrderChanged(change) if change.state == OrderState::Filled));
    assert!(filled && engine.orders().count() == 0);
    let outputs = run(&mut engine, &[flat(2, price * 0.4)]);
    assert_eq!(fills(&outputs)[0].0, FillCause::StopLoss);
}

#[test]
fn cash_is_the_exact_sum_of_fills_on_the_finest_grids() {
    let mut settings = exact();
    settings.instruments[0] = Instrument::new("X-USD", 12, 9);
    settings.cash = Money(Decimal::from(123_456_789));
    let steps = (0..40).map(|at| {
        let intent =
            if at % 2 == 0 { Intent::Buy(Amount::Quantity(123_456.123_456_789)) } else { Intent::Close };
        (at, market(1, X, intent))
    });
    let mut engine = engine(settings, script(steps.collect()));
    let mut inputs = vec![deploy("script", Decimal::ONE)];
    inputs.extend((0..60).map(|minute| flat(minute, 1.234_567_890_123 + minute as f64 * 1e-12)));
    let outputs = run(&mut engine, &inputs);
    assert!(fills(&outputs).len() > 30);
    // In 10^-16, where every amount is whole.
    let whole = |amount: Decimal| {
        let mut amount = amount;
        amount.rescale(16);
        amount.mantissa()
    };
    let flow: i128 = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Filled(fill) => {
                let value = fill.price.value_of(fill.quantity).unwrap();
                Some(match fill.side {
                    Side::Buy => -whole(value.rounded_up().0) - whole(fill.fee.0),
                    Side::Sell => whole(value.rounded_down().0) - whole(fill.fee.0),
                })
            }
            _ => None,
        })
        .sum();
    let ledger = engine.ledger();
    assert_eq!(whole(ledger.cash().0), whole(ledger.deposited().0) + flow);
    let parts = ledger.pool().plus(ledger.sub_ledgers()[0].cash()).unwrap();
    assert_eq!(ledger.cash(), parts);
}

#[test]
fn capital_moves_as_often_as_set_and_not_each_day() {
    let mut settings = exact();
    settings.rebalance_every = Span::from_seconds(7 * 86_400);
    let steps = vec![(0, buy(1, 40.0)), (2, market(2, X, Intent::Close))];
    let mut engine = engine(settings, script(steps).with("idle", |_| scripted(Vec::new())));
    let day = |day: i64, price: f64| flat(day * 1_440 + 600, price);
    let half = Decimal::new(5, 1);
    run(&mut engine, &[deploy("script", half), deploy("idle", half)]);
    // 1970-01-01 is a Thursday, and weeks are counted from it.
    run(&mut engine, &[day(7, 100.0), flat(7 * 1_440 + 601, 100.0), day(8, 120.0), day(9, 120.0)]);
    let before = engine.ledger().sub_ledgers()[0].funded();
    run(&mut engine, &[day(10, 120.0), day(13, 120.0)]);
    assert_eq!(engine.ledger().sub_ledgers()[0].funded(), before, "moved inside the week");
    run(&mut engine, &[day(14, 130.0)]);
    assert_ne!(engine.ledger().sub_ledgers()[0].funded(), before, "not moved after the week");
}

/// The highest equity is also one that a sale at a gap makes.
#[test]
fn a_gain_at_a_gap_counts_for_the_drawdown() {
    let mut settings = exact();
    settings.risk.drawdown = Some(Decimal::new(20, 2));
    let steps =
        vec![(0, buy(1, 50.0)), (1, market(2, X, Intent::Close)), (2, buy(3, 40.0)), (4, buy(4, 1.0))];
    let mut engine = engine(settings, script(steps));
    // Sold at 300 after a last price of 100; bought again just before a fall.
    let mut inputs = vec![deploy("script", Decimal::ONE), flat(0, 100.0), flat(1, 100.0)];
    inputs.push(bar(0, 2, 300.0, 300.0, 200.0, 200.0));
    inputs.push(bar(0, 3, 200.0, 200.0, 90.0, 90.0));
    inputs.extend([flat(4, 90.0), flat(5, 90.0)]);
    let outputs = run(&mut engine, &inputs);
    let refused = outputs.iter().any(
        |output| matches!(output, Output::Refused(refused) if refused.refusal.code == RefusalCode::Drawdown),
    );
    // 20,000 at the highest; 20,000 - 40 · 110 is less than 80 % of it.
    assert!(refused, "{outputs:?}");
}

#[test]
fn a_failed_transaction_of_one_strategy_is_not_moved_to_another() {
    let eager = |_: &_| -> Box<dyn Strategy> {
        let mut tag = 0;
        Box::new(Scripted(move |event: &Event, actions: &mut Vec<Action>| {
            if matches!(event, Event::Bar(_)) {
                tag += 1;
                actions.push(buy(tag, 0.01));
            }
            Ok(())
        }))
    };
    let bars: Vec<Input> = (0..100).map(|minute| flat(minute, 100.0)).collect();
    let rejected = |others: bool| -> Vec<Timestamp> {
        let source = NativeSource::default().with("eager", eager);
        let mut settings = exact();
        settings.venue.failure_probability = 0.3;
        let mut engine = engine(settings, source);
        run(&mut engine, &[deploy_as("watched", "eager", Decimal::new(5, 1), StrategyMode::Live)]);
        if others {
            run(&mut engine, &[deploy_as("other", "eager", Decimal::new(5, 1), StrategyMode::Live)]);
        }
        let watched = engine.slot("watched").unwrap().id();
        let outputs = run(&mut engine, &bars);
        let rejected = |output: &Output| match output {
            Output::OrderChanged(change) => {
                (change.strategy == watched && change.state == OrderState::Rejected).then_some(change.time)
            }
            _ => None,
        };
        outputs.iter().filter_map(rejected).collect()
    };
    let alone = rejected(false);
    assert!(alone.len() > 10);
    assert_eq!(alone, rejected(true));
}

/// A stop on a market that trades next to nothing must still get out.
#[test]
fn an_exit_is_executed_however_thin_the_market_is() {
    let mut settings = exact();
    settings.venue.impact_bps = 100.0;
    settings.risk.exits.default_plan = ExitPlan { stop_loss: Some(0.15), ..ExitPlan::default() };
    let mut engine = engine(settings, script(vec![(0, buy(1, 50.0))]));
    run(&mut engine, &[deploy("script", Decimal::ONE), flat(0, 100.0), flat(1, 100.0)]);
    let InputKind::Bar(crash) = flat(2, 80.0).kind else { unreachable!() };
    let thin = Bar { volume: 1e-4, ..crash };
    let outputs = run(&mut engine, &[Input { time: thin.close_time(), kind: InputKind::Bar(thin) }]);
    assert_eq!(fills(&outputs), [(FillCause::StopLoss, "0.8".into())]);
}

/// A limit that is through the market when it arrives buys at the market, not at its limit.
#[test]
fn a_marketable_limit_is_not_filled_at_its_limit() {
    let mut engine = engine(exact(), script(vec![(0, limit(buy(1, 1.0), 150.0))]));
    run(&mut engine, &[deploy("script", Decimal::ONE), flat(0, 100.0)]);
    let time = engine.now();
    let trade = MarketTrade { instrument: X, time, price: 100.0, quantity: 5.0, taker: Side::Buy };
    let outputs = run(&mut engine, &[Input { time, kind: InputKind::Trade(trade) }]);
    assert_eq!(fills(&outputs), [(FillCause::Order, "100".into())]);
}

/// An order gets its part of a bar's volume once, also when both the open and the low execute it.
#[test]
fn a_bar_gives_an_order_one_part_of_its_volume() {
    let mut settings = exact();
    settings.venue.participation = Some(0.001);
    let mut engine = engine(settings, script(vec![(0, limit(buy(1, 5.0), 100.0))]));
    run(&mut engine, &[deploy("script", Decimal::ONE), flat(0, 100.0)]);
    let outputs = run(&mut engine, &[bar(0, 1, 99.0, 101.0, 98.0, 100.0)]);
    assert_eq!(fills(&outputs), [(FillCause::Order, "99".into())]);
}

/// The end of an order that was not told before the state was saved is told after a restart from it.
#[test]
fn what_waited_while_the_state_was_saved_is_told_after_a_restart() {
    let told = Told::default();
    let instances = Arc::new(Mutex::new(0));
    let source = {
        let told = Arc::clone(&told);
        NativeSource::default().with("mortal", move |_| {
            *instances.lock().unwrap() += 1;
            let (first, told, mut bars) = (*instances.lock().unwrap() == 1, Arc::clone(&told), 0);
            Box::new(Scripted(move |event: &Event, actions: &mut Vec<Action>| {
                if !first {
                    told.lock().unwrap().push(event.clone());
                } else if bars > 0 {
                    return Err(FaultKind::Trap("unreachable".to_owned()));
                } else if matches!(event, Event::Bar(_)) {
                    bars += 1;
                    actions.push(buy(1, 1.0));
                }
                Ok(())
            }))
        })
    };
    let mut settings = exact();
    settings.venue.failure_probability = 1.0;
    settings.save_every_events = 1;
    let mut engine = engine(settings, source);
    run(&mut engine, &[deploy("mortal", Decimal::ONE), flat(0, 100.0), flat(1, 100.0), flat(5, 100.0)]);
    let rejected =
        |event: &Event| matches!(event, Event::Order(update) if update.status == OrderStatus::Rejected);
    assert_eq!(told.lock().unwrap().iter().filter(|event| rejected(event)).count(), 1, "{told:?}");
}

/// A strategy that can't save starts again at a checkpoint, and hears of its orders once.
#[test]
fn what_waited_at_a_checkpoint_is_told_once_to_a_strategy_that_can_not_save() {
    struct CanNotSave(Box<dyn Strategy>);
    impl Strategy for CanNotSave {
        fn on_events(&mut self, events: &[Event], actions: &mut Vec<Action>) -> Result<usize, Fault> {
            self.0.on_events(events, actions)
        }
        fn save(&mut self) -> Result<SavedState, Fault> {
            Err(FaultKind::Reported("no".to_owned()).into())
        }
        fn restore(&mut self, state: &SavedState) -> Result<(), Fault> {
            self.0.restore(state)
        }
    }
    let told = Told::default();
    let source = {
        let told = Arc::clone(&told);
        NativeSource::default().with("forgetful", move |_| {
            let told = Arc::clone(&told);
            Box::new(CanNotSave(Box::new(Scripted(move |event: &Event, actions: &mut Vec<Action>| {
                told.lock().unwrap().push(event.clone());
                if matches!(event, Event::Bar(_)) {
                    actions.push(buy(1, 1.0));
                }
                Ok(())
            }))))
        })
    };
    let mut settings = exact();
    settings.venue.failure_probability = 1.0;
    let mut engine = engine(settings, source);
    run(&mut engine, &[deploy("forgetful", Decimal::ONE), flat(0, 100.0)]);
    let checkpoint = Input { time: engine.now(), kind: InputKind::Checkpoint };
    let timer = Input { time: engine.now(), kind: InputKind::Timer };
    run(&mut engine, &[checkpoint, timer]);
    let rejected =
        |event: &Event| matches!(event, Event::Order(update) if update.status == OrderStatus::Rejected);
    assert_eq!(told.lock().unwrap().iter().filter(|event| rejected(event)).count(), 1, "{told:?}");
}

/// A tier whose sale the books refuse, as nobody can pay its fee, is not taken.
#[test]
fn a_tier_counts_as_taken_when_it_was_sold() {
    let mut settings = exact();
    settings.venue.gas = Money(Decimal::ONE);
    settings.risk.exits.default_plan = ExitPlan {
        take_profits: vec![TakeProfit { gain: 0.5, share: 0.01 }, TakeProfit { gain: 50.0, share: 0.9 }],
        ..ExitPlan::default()
    };
    // All of the cash is spent, so the fee of a sale must come from its proceeds.
    let all = market(1, X, Intent::Buy(Amount::CapitalShare(1.0)));
    settings.cash = Money(Decimal::from(3));
    settings.instruments[0] = Instrument::new("X-USD", 2, 4);
    let mut engine = engine(settings, script(vec![(0, all)]));
    let bars = [flat(0, 1.0), flat(1, 1.0), bar(0, 2, 1.0, 2.0, 1.0, 2.0), flat(3, 2.0)];
    let outputs = run(&mut engine, &[&[deploy("script", Decimal::ONE)], &bars[..]].concat());
    assert_eq!(fills(&outputs).len(), 1, "{outputs:?}");
    let strategy = engine.slot("script").unwrap().id();
    let held = engine.ledger().sub_ledger(strategy).unwrap().position(X).unwrap();
    assert_eq!(held.reserved, Quantity::ZERO);
    // Tried again with every bar, and never skipped to the next tier.
    let tries = outputs.iter().filter(|output| matches!(output, Output::OrderAccepted(_))).count();
    assert_eq!(tries, 3, "{outputs:?}");
}
