//! Breakers at work in the engine: what trips them, what they let through, and how trading goes on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "a test may stop at what it did not expect"
)]

mod support;

use bulkhead_core::engine::{Engine, EngineSettings};
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::{Command, Input, InputKind, StrategyMode};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::money::{Money, Quantity};
use bulkhead_core::order::Side;
use bulkhead_core::output::Output;
use bulkhead_core::risk::{
    BreakerKind, BreakerState, ErrorRateSettings, LosingStreakSettings, RefusalCode, RiskLimits,
    StaleDataSettings,
};
use bulkhead_core::sizing::Sizing;
use bulkhead_core::strategy::{Action, Amount, Event, ExitPlan, FillCause, Intent, OrderKind, Proposal};
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_core::venue::paper::PaperSettings;
use rust_decimal::Decimal;
use support::*;

const X: InstrumentId = InstrumentId(0);
const PAUSE: Span = Span::from_seconds(300);

fn settings() -> EngineSettings {
    let instruments = vec![Instrument::new("X-USD", 2, 8), Instrument::new("Y-USD", 2, 8)];
    let mut settings = EngineSettings::new(instruments, Money(Decimal::from(10_000)));
    settings.venue = PaperSettings::exact(Decimal::ZERO);
    settings.risk = RiskLimits::none();
    settings.sizing = Sizing::Quantity(Quantity(Decimal::TWO));
    settings
}

/// Proposes at each bar of the first instrument what a function of the bar's number says.
fn every_bar(propose: impl Fn(u32) -> Option<Intent> + Send + Clone + 'static) -> NativeSource {
    NativeSource::default().with("script", move |_| {
        let (propose, mut count) = (propose.clone(), 0);
        Box::new(Scripted(move |event: &Event, actions: &mut Vec<Action>| {
            if matches!(event, Event::Bar(bar) if bar.instrument == X) {
                count += 1;
                actions.extend(propose(count).map(|intent| market(count, X, intent)));
            }
            Ok(())
        }))
    })
}

/// Buys at odd bars and closes at even ones.
fn in_and_out(bar: u32) -> Option<Intent> {
    Some(if bar % 2 == 1 { Intent::Buy(Amount::Standard) } else { Intent::Close })
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

fn resume(engine: &Engine) -> Input {
    Input { time: engine.now(), kind: InputKind::command(person(), Command::Resume {}) }
}

/// The changes of breakers, as text.
fn changes(outputs: &[Output]) -> Vec<String> {
    let change = |output: &Output| match output {
        Output::BreakerChanged(change) => Some(format!("{} {}", change.breaker.name(), change.state.name())),
        _ => None,
    };
    outputs.iter().filter_map(change).collect()
}

fn codes(outputs: &[Output]) -> Vec<RefusalCode> {
    let code = |output: &Output| match output {
        Output::Refused(refused) => Some(refused.refusal.code),
        _ => None,
    };
    outputs.iter().filter_map(code).collect()
}

fn bought(outputs: &[Output]) -> Vec<String> {
    let quantity = |output: &Output| match output {
        Output::Filled(fill) if fill.side == Side::Buy => Some(fill.quantity.0.normalize().to_string()),
        _ => None,
    };
    outputs.iter().filter_map(quantity).collect()
}

#[test]
fn a_losing_streak_stops_purchases_and_a_small_trade_that_wins_ends_it() {
    let mut settings = settings();
    settings.risk.breakers.losing_streak = Some(LosingStreakSettings { losses: 3, pause: PAUSE });
    // A probe may be worth a hundredth of the account's 10,000.
    let mut engine = engine(settings, every_bar(in_and_out));
    run(&mut engine, &[deploy("script", Decimal::ONE)]);
    // It buys at each even minute's open and sells at the next one's.
    let falling: Vec<Input> = (0..7).map(|minute| flat(0, minute, 100.0 - minute as f64)).collect();
    let outputs = run(&mut engine, &falling);
    assert_eq!(changes(&outputs), ["losing-streak open"]);
    assert_eq!(bought(&outputs).len(), 3);

    let pause: Vec<Input> = (7..12).map(|minute| flat(0, minute, 90.0)).collect();
    let outputs = run(&mut engine, &pause);
    assert!(codes(&outputs).contains(&RefusalCode::BreakerLosingStreak), "{:?}", codes(&outputs));
    assert!(bought(&outputs).is_empty());

    let rising: Vec<Input> = (12..20).map(|minute| flat(0, minute, 80.0 + minute as f64)).collect();
    let outputs = run(&mut engine, &rising);
    assert_eq!(changes(&outputs), ["losing-streak closed"]);
    let bought = bought(&outputs);
    assert_eq!(bought.first().unwrap(), "1.08630434", "a hundredth of 9,994 at 92");
    assert_eq!(bought[1], "2", "the size is the ordinary one again");
}

#[test]
fn the_parts_of_one_position_are_one_loss() {
    let mut settings = settings();
    settings.risk.breakers.losing_streak = Some(LosingStreakSettings { losses: 2, pause: PAUSE });
    let source = every_bar(|bar| match bar {
        1 => Some(Intent::Buy(Amount::Standard)),
        2..=5 => Some(Intent::Sell(Amount::Quantity(0.5))),
        _ => None,
    });
    let mut engine = engine(settings, source);
    let bars: Vec<Input> = (0..8).map(|minute| flat(0, minute, 100.0 - minute as f64)).collect();
    let outputs = run(&mut engine, &[&[deploy("script", Decimal::ONE)], &bars[..]].concat());
    let closed = outputs.iter().filter(|output| matches!(output, Output::TradeClosed(_))).count();
    assert_eq!((closed, changes(&outputs)), (4, Vec::new()));
}

#[test]
fn failing_orders_trip_and_failing_probes_make_the_pause_longer() {
    let mut settings = settings();
    settings.venue.failure_probability = 1.0;
    settings.risk.breakers.error_rate = Some(ErrorRateSettings { failures: 3, among: 5, pause: PAUSE });
    let mut engine = engine(settings, every_bar(|_| Some(Intent::Buy(Amount::Standard))));
    run(&mut engine, &[deploy("script", Decimal::ONE)]);
    let bars: Vec<Input> = (0..20).map(|minute| flat(0, minute, 100.0)).collect();
    let outputs = run(&mut engine, &bars);
    // Three failures in minutes 1 to 3, a probe in minute 8, and one in minute 18.
    assert_eq!(
        changes(&outputs),
        [
            "error-rate open",
            "error-rate half-open",
            "error-rate open",
            "error-rate half-open",
            "error-rate open"
        ]
    );
    let attempts = outputs.iter().filter(|output| matches!(output, Output::OrderAccepted(_))).count();
    assert_eq!(attempts, 5);
    let BreakerState::Open { since, until, .. } = engine.breakers().state(BreakerKind::ErrorRate) else {
        panic!("it is open");
    };
    assert_eq!(until.unwrap().since(*since), PAUSE.times(4));
}

#[test]
fn an_opening_breaker_takes_working_purchases_back_and_leaves_sales() {
    let mut settings = settings();
    settings.risk.daily_loss = Some(Decimal::new(1, 2));
    settings.risk.breakers.daily_loss = Some(Decimal::TWO);
    let source = NativeSource::default().with("script", |_| {
        let mut count = 0;
        Box::new(Scripted(move |event: &Event, actions: &mut Vec<Action>| {
            if matches!(event, Event::Bar(_)) {
                count += 1;
                let mut act = |tag, intent, kind| {
                    let mut action = market(tag, X, intent);
                    if let Proposal::Submit(submit) = &mut action.proposal {
                        submit.kind = kind;
                    }
                    actions.push(action);
                };
                match count {
                    1 => act(1, Intent::Buy(Amount::Quantity(50.0)), OrderKind::Market),
                    2 => {
                        act(2, Intent::Buy(Amount::Quantity(1.0)), OrderKind::Limit(50.0));
                        act(3, Intent::Sell(Amount::Quantity(1.0)), OrderKind::Limit(150.0));
                    }
                    4 => act(4, Intent::Close, OrderKind::Market),
                    _ => {}
                }
            }
            Ok(())
        }))
    });
    let mut engine = engine(settings, source);
    let start = [deploy("script", Decimal::ONE), flat(0, 0, 100.0), flat(0, 1, 100.0)];
    run(&mut engine, &start);
    assert_eq!(engine.orders().count(), 2);
    // 50 of it fall by 4: 200 of 10,000 are lost.
    let outputs = run(&mut engine, &[flat(0, 2, 96.0)]);
    assert_eq!(changes(&outputs), ["daily-loss open"]);
    assert_eq!(engine.orders().map(|order| order.terms().side).collect::<Vec<_>>(), [Side::Sell]);
    // Reductions pass.
    run(&mut engine, &[flat(0, 3, 96.0), flat(0, 4, 96.0)]);
    assert_eq!(engine.ledger().sub_ledgers()[0].positions()[0].quantity, Quantity(Decimal::ONE));
}

#[test]
fn the_daily_loss_breaker_outlives_a_recovery_and_ends_with_the_day() {
    let mut settings = settings();
    settings.risk.daily_loss = Some(Decimal::new(1, 2));
    settings.risk.breakers.daily_loss = Some(Decimal::TWO);
    let source = every_bar(|bar| match bar {
        1 => Some(Intent::Buy(Amount::Quantity(50.0))),
        4 | 6 => Some(Intent::Buy(Amount::Standard)),
        _ => None,
    });
    let mut engine = engine(settings, source);
    let next_day = 1_440;
    let bars = [
        flat(0, 0, 100.0),
        flat(0, 1, 100.0),
        flat(0, 2, 96.0),
        flat(0, 3, 100.0),
        flat(0, next_day, 100.0),
        flat(0, next_day + 1, 100.0),
    ];
    let outputs = run(&mut engine, &[&[deploy("script", Decimal::ONE)], &bars[..]].concat());
    assert_eq!(codes(&outputs), [RefusalCode::BreakerDailyLoss], "the limit alone would let it pass");
    assert_eq!(changes(&outputs), ["daily-loss open", "daily-loss closed"]);
    assert_eq!(engine.orders().count(), 1);
}

#[test]
fn a_drawdown_waits_for_a_person_and_exits_go_on_meanwhile() {
    let mut settings = settings();
    settings.risk.breakers.drawdown = Some(Decimal::new(2, 2));
    settings.risk.exits.default_plan = ExitPlan { stop_loss: Some(0.1), ..ExitPlan::default() };
    let source = every_bar(|bar| match bar {
        1 => Some(Intent::Buy(Amount::Quantity(50.0))),
        3 | 6 | 7 => Some(Intent::Buy(Amount::Standard)),
        _ => None,
    });
    let mut engine = engine(settings, source);
    run(&mut engine, &[deploy("script", Decimal::ONE)]);
    let bars = [
        flat(0, 0, 100.0),
        flat(0, 1, 100.0),
        flat(0, 2, 96.0),
        flat(0, 3, 89.0),
        flat(0, 4, 100.0),
        flat(0, 5 * 1_440, 100.0),
    ];
    let outputs = run(&mut engine, &bars);
    assert_eq!(changes(&outputs), ["drawdown open"]);
    let causes: Vec<FillCause> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Filled(fill) => Some(fill.cause),
            _ => None,
        })
        .collect();
    assert_eq!(causes, [FillCause::Order, FillCause::StopLoss]);
    assert_eq!(codes(&outputs), [RefusalCode::BreakerDrawdown; 2]);
    let command = resume(&engine);
    let outputs = run(&mut engine, &[command, flat(0, 5 * 1_440 + 1, 100.0)]);
    assert_eq!(changes(&outputs), ["drawdown closed"]);
    assert_eq!(engine.orders().count(), 1);
}

fn stale() -> EngineSettings {
    let mut settings = settings();
    settings.risk.breakers.stale_data =
        Some(StaleDataSettings { after: Span::from_seconds(120), pause: PAUSE });
    settings
}

/// Holds X from the second minute on.
fn holding(settings: EngineSettings) -> Engine {
    let source = every_bar(|bar| (bar == 1).then_some(Intent::Buy(Amount::Standard)));
    let mut engine = engine(settings, source);
    run(&mut engine, &[deploy("script", Decimal::ONE)]);
    run(&mut engine, &[flat(0, 0, 100.0), flat(1, 0, 50.0), flat(0, 1, 100.0), flat(1, 1, 50.0)]);
    assert_eq!(engine.ledger().holdings().len(), 1);
    engine
}

#[test]
fn a_held_instrument_whose_feed_fell_silent_stops_purchases_until_it_is_back() {
    let mut engine = holding(stale());
    // The bar of the next minute is due, and two minutes more are allowed.
    let silent: Vec<Input> = (2..5).map(|minute| flat(1, minute, 50.0)).collect();
    assert!(changes(&run(&mut engine, &silent)).is_empty());
    let silent: Vec<Input> = (5..12).map(|minute| flat(1, minute, 50.0)).collect();
    assert_eq!(
        changes(&run(&mut engine, &silent)),
        ["stale-data open"],
        "its pause is over, the data is not back"
    );
    let back: Vec<Input> =
        (12..15).flat_map(|minute| [flat(0, minute, 100.0), flat(1, minute, 50.0)]).collect();
    assert_eq!(changes(&run(&mut engine, &back)), ["stale-data half-open"]);
    let fresh: Vec<Input> =
        (15..20).flat_map(|minute| [flat(0, minute, 100.0), flat(1, minute, 50.0)]).collect();
    assert_eq!(changes(&run(&mut engine, &fresh)), ["stale-data closed"]);
}

#[test]
fn a_gap_that_all_instruments_share_makes_none_of_them_stale() {
    let mut engine = holding(stale());
    let bars = [flat(1, 1_000, 50.0), flat(0, 1_000, 100.0), flat(1, 1_001, 50.0), flat(0, 1_001, 100.0)];
    assert!(changes(&run(&mut engine, &bars)).is_empty());
}

#[test]
fn bars_of_a_day_are_not_stale_for_a_day() {
    let day = |instrument: u32, day: i64| {
        let mut input = flat(instrument, day * 1_440, 100.0);
        if let InputKind::Bar(bar) = &mut input.kind {
            bar.interval = Span::DAY;
            input.time = bar.close_time();
        }
        input
    };
    let source = every_bar(|bar| (bar == 1).then_some(Intent::Buy(Amount::Standard)));
    let mut engine = engine(stale(), source);
    run(&mut engine, &[deploy("script", Decimal::ONE)]);
    let bars: Vec<Input> = (0..5).flat_map(|number| [day(1, number), day(0, number)]).collect();
    assert!(changes(&run(&mut engine, &bars)).is_empty());
    let hours = Input { time: Timestamp::from_seconds(6 * 86_400 + 121), kind: InputKind::Timer };
    let later = Input { time: hours.time.plus(Span::from_nanos(1)), ..hours.clone() };
    assert_eq!(changes(&run(&mut engine, &[hours, later])), ["stale-data open"]);
}

#[test]
fn what_shadows_do_trips_nothing_and_nothing_stops_them() {
    let mut settings = settings();
    settings.risk.breakers.losing_streak = Some(LosingStreakSettings { losses: 1, pause: PAUSE });
    settings.risk.breakers.drawdown = Some(Decimal::new(1, 4));
    let mut engine = engine(settings, every_bar(in_and_out));
    run(&mut engine, &[deploy_as("watched", "script", Decimal::ZERO, StrategyMode::Shadow)]);
    let falling: Vec<Input> = (0..9).map(|minute| flat(0, minute, 100.0 - minute as f64)).collect();
    let outputs = run(&mut engine, &falling);
    assert!(changes(&outputs).is_empty() && codes(&outputs).is_empty());
    assert_eq!(bought(&outputs).len(), 4);
}

#[test]
fn a_resume_closes_every_breaker_and_counts_anew() {
    let mut settings = settings();
    settings.risk.breakers.losing_streak = Some(LosingStreakSettings { losses: 2, pause: Span::DAY });
    let mut engine = engine(settings, every_bar(in_and_out));
    run(&mut engine, &[deploy("script", Decimal::ONE)]);
    let falling = |from: i64, to: i64| -> Vec<Input> {
        (from..to).map(|minute| flat(0, minute, 100.0 - minute as f64)).collect()
    };
    assert_eq!(changes(&run(&mut engine, &falling(0, 5))), ["losing-streak open"]);
    let command = resume(&engine);
    assert_eq!(changes(&run(&mut engine, &[command])), ["losing-streak closed"]);
    let outputs = run(&mut engine, &falling(5, 8));
    assert!(changes(&outputs).is_empty(), "one loss more is one loss");
    assert_eq!(bought(&outputs).len(), 1);
}
