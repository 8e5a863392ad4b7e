//! The rule on series made by hand: entry, exit, and doing nothing.

use bulkhead_sdk::harness::{Harness, Setup};
use bulkhead_sdk::{Action, FillCause, ParameterValue, TakeProfit};

use super::*;

/// Usual volume of a one-minute bar.
const USUAL: f64 = 10.0;

fn start(setup: Setup) -> Harness<Momentum> {
    setup.start().unwrap()
}

/// A one-minute bar of the first instrument that closes where it says.
fn minute(harness: &mut Harness<Momentum>, close: f64, volume: f64) -> Vec<Action> {
    harness.bar([close; 4], volume)
}

/// Forty bars that swing by 0.2 % around 100 and go nowhere.
fn sideways(harness: &mut Harness<Momentum>) -> Vec<Action> {
    (0..40).flat_map(|row| minute(harness, if row % 2 == 0 { 100.0 } else { 100.2 }, USUAL)).collect()
}

/// The pump: a percent a bar, on five times the usual volume.
const RISE: [f64; 3] = [101.2, 102.4, 103.6];

fn rise(harness: &mut Harness<Momentum>) -> Vec<Action> {
    RISE.into_iter().flat_map(|close| minute(harness, close, 5.0 * USUAL)).collect()
}

#[test]
fn buys_a_rise_that_change_breakout_trend_and_volume_confirm() {
    let mut harness = start(Setup::new());
    assert_eq!(sideways(&mut harness), []);
    let actions = rise(&mut harness);
    assert_eq!(actions.len(), 1, "one order, and none while it works or is held: {actions:?}");
    assert!(actions[0].is_buy());
    assert!((0.70..0.95).contains(&actions[0].confidence), "{}", actions[0].confidence);
    assert!(actions[0].reason.starts_with("pump probability 0."), "{}", actions[0].reason);
    assert!(actions[0].reason.len() <= 200, "{}", actions[0].reason);
    assert!(harness.position().quantity > 0.0);
}

#[test]
fn brings_an_exit_plan_for_hours() {
    let mut harness = start(Setup::new());
    sideways(&mut harness);
    let actions = rise(&mut harness);
    let plan = actions[0].submit().unwrap().exits.clone().unwrap();
    assert_eq!(plan.stop_loss, Some(0.10));
    assert_eq!(plan.trailing, Some(0.12));
    let tiers = [TakeProfit { gain: 0.15, share: 0.33 }, TakeProfit { gain: 0.35, share: 0.33 }];
    assert_eq!(plan.take_profits, tiers);
    assert_eq!(plan.max_holding_seconds, Some(14_400));
}

#[test]
fn does_nothing_when_the_price_stands_swings_or_falls() {
    let mut harness = start(Setup::new());
    assert_eq!(harness.closes(&[100.0; 100]), []);
    assert_eq!(sideways(&mut harness), []);
    for step in 0..40 {
        assert_eq!(minute(&mut harness, 100.0 - f64::from(step), 5.0 * USUAL), []);
    }
}

#[test]
fn does_nothing_before_the_averages_are_known() {
    let mut harness = start(Setup::new());
    for step in 0..29 {
        assert_eq!(minute(&mut harness, 100.0 + f64::from(step), USUAL), [], "bar {step}");
    }
    assert!(!minute(&mut harness, 130.0, 5.0 * USUAL).is_empty());
}

#[test]
fn past_bars_warm_it_up() {
    let past: Vec<f64> = (0..40).map(|row| if row % 2 == 0 { 100.0 } else { 100.2 }).collect();
    let mut harness = start(Setup::new().past_closes(0, 60, &past));
    let actions = rise(&mut harness);
    assert_eq!(actions.len(), 1, "{actions:?}");
}

#[test]
fn closes_when_momentum_is_lost_and_not_before() {
    let mut harness = start(Setup::new());
    sideways(&mut harness);
    rise(&mut harness);
    // The change over ten bars stays positive, the close above the slow average.
    for close in [103.4, 103.2, 103.6, 103.0] {
        assert_eq!(minute(&mut harness, close, USUAL), [], "at {close}");
    }
    let actions = minute(&mut harness, 99.0, USUAL);
    assert_eq!(actions.len(), 1, "{actions:?}");
    assert!(actions[0].is_close());
    minute(&mut harness, 99.0, USUAL);
    assert!(harness.position().quantity <= 0.0);
}

#[test]
fn holds_when_a_rise_only_rests() {
    let mut harness = start(Setup::new());
    sideways(&mut harness);
    rise(&mut harness);
    for _ in 0..12 {
        assert_eq!(minute(&mut harness, 103.6, USUAL), []);
    }
    // A negative change, but a close still above the slow average.
    assert_eq!(minute(&mut harness, 103.5, USUAL), []);
}

#[test]
fn longer_trends_against_the_rise_hold_it_back() {
    let mut harness = start(Setup::new());
    sideways(&mut harness);
    for step in 0..12 {
        let close = 120.0 - f64::from(step);
        harness.bar_of(0, FIVE_MINUTES, [close; 4], USUAL);
        harness.bar_of(0, HOUR, [close; 4], USUAL);
    }
    assert_eq!(rise(&mut harness), []);
}

#[test]
fn longer_trends_with_the_rise_make_it_surer() {
    let mut plain = start(Setup::new());
    sideways(&mut plain);
    let without = rise(&mut plain)[0].confidence;
    let mut harness = start(Setup::new());
    sideways(&mut harness);
    for step in 0..12 {
        let close = 80.0 + f64::from(step);
        harness.bar_of(0, FIVE_MINUTES, [close; 4], USUAL);
        harness.bar_of(0, HOUR, [close; 4], USUAL);
    }
    let with = rise(&mut harness)[0].confidence;
    assert!(with > without + 0.05, "{with} with, {without} without");
}

/// A rise on little volume, with a sentiment heard some seconds before.
fn quiet_rise(sentiment: Option<f64>, signal_seconds: i32) -> Vec<Action> {
    let setup = Setup::new().set("signal_seconds", ParameterValue::Integer(signal_seconds));
    let mut harness = start(setup);
    sideways(&mut harness);
    if let Some(sentiment) = sentiment {
        assert_eq!(harness.signal("sentiment", sentiment), []);
    }
    RISE.into_iter().flat_map(|close| minute(&mut harness, close, 0.5 * USUAL)).collect()
}

#[test]
fn signals_count_while_they_are_fresh() {
    assert_eq!(quiet_rise(None, 3_600), []);
    assert_eq!(quiet_rise(Some(-1.0), 3_600), []);
    assert_eq!(quiet_rise(Some(1.0), 3_600).len(), 1);
    assert_eq!(quiet_rise(Some(1.0), 30), [], "heard more than 30 s before the bar was complete");
}

#[test]
fn a_surge_of_mentions_counts() {
    let mut harness = start(Setup::new());
    sideways(&mut harness);
    for _ in 0..10 {
        harness.signal("mentions", 20.0);
    }
    harness.signal("mentions", 500.0);
    let actions: Vec<_> =
        RISE.into_iter().flat_map(|close| minute(&mut harness, close, 0.7 * USUAL)).collect();
    assert_eq!(actions.len(), 1, "{actions:?}");
    assert!(actions[0].reason.ends_with("mentions +1.0"), "{}", actions[0].reason);
}

#[test]
fn volatility_out_of_its_range_forbids_entry() {
    // The realised volatility of the rise is between 0.012 and 0.03.
    for (name, value) in [("minimum_volatility", 0.05), ("maximum_volatility", 0.01)] {
        let mut harness = start(Setup::new().set(name, ParameterValue::Number(value)));
        sideways(&mut harness);
        assert_eq!(rise(&mut harness), [], "{name}");
    }
}

#[test]
fn a_refused_order_is_not_tried_again_for_five_minutes() {
    let mut harness = start(Setup::new().manual_fills());
    sideways(&mut harness);
    let mut tries = Vec::new();
    let mut close = 100.0;
    for bar in 0..15 {
        close *= 1.012;
        for action in minute(&mut harness, close, 5.0 * USUAL) {
            let tag = action.submit().unwrap().tag;
            let refused = if bar % 2 == 0 { harness.deny(tag, "TEST") } else { harness.reject(tag, "TEST") };
            assert_eq!(refused, []);
            tries.push(bar);
        }
    }
    assert_eq!(tries.len(), 3, "{tries:?}");
    assert!(tries.is_sorted_by(|earlier, later| later - earlier == 5), "{tries:?}");
}

#[test]
fn pauses_after_the_host_closed_the_position() {
    let mut harness = start(Setup::new());
    sideways(&mut harness);
    rise(&mut harness);
    assert_eq!(harness.host_sells(FillCause::TrailingStop, 103.0), []);
    let mut close = 104.0;
    for bar in 0..10 {
        close *= 1.012;
        let actions = minute(&mut harness, close, 5.0 * USUAL);
        assert_eq!(actions.len(), usize::from(bar == 4), "bar {bar}: {actions:?}");
    }
}

#[test]
fn looks_at_each_instrument_by_itself() {
    let mut harness = start(Setup::new().instruments(&["CALM-USD", "PUMP-USD"]));
    let mut actions = Vec::new();
    let swing = (0..40).map(|row| if row % 2 == 0 { 100.0 } else { 100.2 });
    for close in swing.chain(RISE) {
        let volume = if close > 101.0 { 5.0 * USUAL } else { USUAL };
        actions.extend(harness.bar_of(1, BAR, [close; 4], volume));
        actions.extend(harness.bar_of(0, BAR, [50.0; 4], USUAL));
    }
    assert_eq!(actions.len(), 1, "{actions:?}");
    assert_eq!(actions[0].submit().unwrap().instrument, 1);
    assert!(harness.position_of(1).quantity > 0.0);
    assert!(harness.position_of(0).quantity <= 0.0);
}

#[test]
fn a_restart_changes_nothing() {
    for cut in [0, 10, 25, 40, 41] {
        let mut straight = start(Setup::new());
        let mut restarted = start(Setup::new());
        let swing = (0..40).map(|row| if row % 2 == 0 { 100.0 } else { 100.2 });
        for (row, close) in swing.chain(RISE).chain([103.0, 99.0, 98.0]).enumerate() {
            if row == cut {
                let saved = restarted.save().unwrap();
                restarted.restart_from(&saved).unwrap();
            }
            let volume = if close > 101.0 { 5.0 * USUAL } else { USUAL };
            let expected = minute(&mut straight, close, volume);
            assert_eq!(minute(&mut restarted, close, volume), expected, "cut {cut}, bar {row}");
        }
        assert_eq!(straight.save().unwrap(), restarted.save().unwrap());
    }
}

#[test]
fn settings_that_contradict_each_other_are_all_refused_at_once() {
    let settings = Settings {
        fast_bars: 30,
        slow_bars: 30,
        longer_fast_bars: 12,
        minimum_volatility: 0.7,
        first_gain: 0.5,
        ..Settings::default()
    };
    let refused = Setup::new().parameters(&settings).start::<Momentum>();
    let message = refused.err().unwrap();
    assert_eq!(message.matches("must be below").count(), 4, "{message}");
}
