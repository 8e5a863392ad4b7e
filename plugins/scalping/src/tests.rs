//! The rule on series made by hand: entry, exit, and doing nothing.

use bulkhead_sdk::harness::{Harness, Setup};
use bulkhead_sdk::{Action, FillCause, ParameterValue, TakeProfit};

use super::*;

fn start(setup: Setup) -> Harness<Scalping> {
    setup.start().unwrap()
}

/// Forty closes that swing by this fraction around 100 and go nowhere.
fn swinging(swing: f64) -> Vec<f64> {
    (0..40).map(|row| if row % 2 == 0 { 100.0 } else { 100.0 * (1.0 + swing) }).collect()
}

/// Volatility of 13 % over 20 bars, then a fall of 11 %.
fn lively_fall(harness: &mut Harness<Scalping>) -> Vec<Action> {
    assert_eq!(harness.closes(&swinging(0.03)), []);
    harness.close(90.0)
}

#[test]
fn buys_far_below_the_mean_of_a_lively_market() {
    let mut harness = start(Setup::new());
    let actions = lively_fall(&mut harness);
    assert_eq!(actions.len(), 1, "{actions:?}");
    assert!(actions[0].is_buy());
    assert!((0.9..=1.0).contains(&actions[0].confidence), "{}", actions[0].confidence);
    assert!(actions[0].reason.contains("deviations from the mean"), "{}", actions[0].reason);
    assert_eq!(harness.close(90.5), [], "one order, and none while it is held");
    assert!(harness.position().quantity > 0.0);
}

#[test]
fn is_surer_the_further_the_fall() {
    let confidence = |price| {
        let mut harness = start(Setup::new());
        harness.closes(&swinging(0.03));
        let actions = harness.close(price);
        actions.first().map(|action| action.confidence)
    };
    assert_eq!(confidence(98.5), None);
    let (near, far) = (confidence(97.0).unwrap(), confidence(94.0).unwrap());
    assert!(near >= 0.5 && near + 0.1 < far, "{near}, {far}");
}

#[test]
fn brings_tight_exits() {
    let mut harness = start(Setup::new());
    let actions = lively_fall(&mut harness);
    let plan = actions[0].submit().unwrap().exits.clone().unwrap();
    assert_eq!(plan.stop_loss, Some(0.03));
    assert_eq!(plan.trailing, Some(0.03));
    assert_eq!(plan.take_profits, [TakeProfit { gain: 0.04, share: 1.0 }]);
    assert_eq!(plan.max_holding_seconds, Some(600));
}

#[test]
fn sells_at_the_mean_and_not_below_it() {
    let mut harness = start(Setup::new());
    lively_fall(&mut harness);
    assert_eq!(harness.closes(&[91.0, 94.0, 97.0]), []);
    let actions = harness.close(101.0);
    assert_eq!(actions.len(), 1, "{actions:?}");
    assert!(actions[0].is_close());
    harness.close(101.0);
    assert!(harness.position().quantity <= 0.0);
}

#[test]
fn does_nothing_in_a_quiet_market() {
    let mut harness = start(Setup::new());
    assert_eq!(harness.closes(&[100.0; 60]), []);
    assert_eq!(harness.closes(&swinging(0.005)), []);
    assert_eq!(harness.close(98.5), [], "many deviations, but a volatility of 3 %");
}

#[test]
fn does_nothing_near_or_above_the_mean() {
    let mut harness = start(Setup::new());
    assert_eq!(harness.closes(&swinging(0.03)), []);
    assert_eq!(harness.closes(&[103.0, 112.0, 120.0, 104.0]), []);
}

#[test]
fn does_nothing_before_the_window_is_full() {
    let mut harness = start(Setup::new());
    assert_eq!(harness.closes(&swinging(0.03)[..19]), []);
    assert_eq!(harness.close(90.0), [], "the volatility needs one more close");
    let past = &swinging(0.03)[..20];
    assert_eq!(start(Setup::new().past_closes(0, 60, past)).close(90.0).len(), 1, "which the past can give");
}

/// What it does in a lively fall when this quote was the last, so many bars before.
fn with_quote(setup: Setup, bid: f64, ask: f64, bars_ago: usize) -> Vec<Action> {
    let mut harness = start(setup);
    let closes = swinging(0.03);
    let (before, after) = closes.split_at(closes.len() - bars_ago);
    harness.closes(before);
    assert_eq!(harness.quote(bid, ask), []);
    harness.closes(after);
    harness.close(90.0)
}

#[test]
fn a_wide_spread_forbids_entry() {
    assert_eq!(with_quote(Setup::new(), 99.4, 100.6, 0), []);
    assert_eq!(with_quote(Setup::new(), 99.6, 100.4, 0).len(), 1);
    let wider = Setup::new().set("maximum_spread", ParameterValue::Number(0.02));
    assert_eq!(with_quote(wider, 99.4, 100.6, 0).len(), 1);
}

#[test]
fn a_wide_spread_does_not_forbid_the_exit() {
    let mut harness = start(Setup::new());
    lively_fall(&mut harness);
    harness.close(91.0);
    harness.quote(90.0, 110.0);
    assert!(harness.close(103.0)[0].is_close());
}

#[test]
fn an_unknown_spread_passes_unless_quotes_are_required() {
    let strict = || Setup::new().set("require_quotes", ParameterValue::Flag(true));
    assert_eq!(lively_fall(&mut start(strict())), []);
    assert_eq!(with_quote(strict(), 99.6, 100.4, 1).len(), 1);
    assert_eq!(with_quote(strict(), 99.6, 100.4, 2), [], "a quote of three minutes ago");
    assert_eq!(with_quote(Setup::new(), 99.4, 100.6, 2).len(), 1, "a wide one of three minutes ago");
}

#[test]
fn a_refused_order_is_not_tried_again_for_two_minutes() {
    let mut harness = start(Setup::new().manual_fills());
    harness.closes(&swinging(0.03));
    let mut tries = Vec::new();
    let mut close = 96.0;
    for bar in 0..7 {
        close *= 0.93;
        for action in harness.close(close) {
            let tag = action.submit().unwrap().tag;
            assert_eq!(harness.reject(tag, "TEST"), []);
            tries.push(bar);
        }
    }
    assert_eq!(tries.first(), Some(&0));
    assert!(tries.len() >= 2 && tries.is_sorted_by(|earlier, later| later - earlier >= 2), "{tries:?}");
}

#[test]
fn pauses_after_the_host_closed_the_position() {
    let run = |pause| {
        let mut harness = start(Setup::new().set("pause_seconds", ParameterValue::Integer(pause)));
        lively_fall(&mut harness);
        harness.close(90.0);
        assert_eq!(harness.host_sells(FillCause::StopLoss, 87.0), []);
        [harness.close(80.0).len(), harness.close(72.0).len()]
    };
    assert_eq!(run(120), [0, 1]);
    assert_eq!(run(0), [1, 0]);
}

#[test]
fn looks_at_each_instrument_by_itself() {
    let mut harness = start(Setup::new().instruments(&["CALM-USD", "WILD-USD"]));
    for close in swinging(0.03) {
        assert_eq!(harness.close_of(0, 50.0), []);
        assert_eq!(harness.close_of(1, close), []);
    }
    assert_eq!(harness.close_of(0, 49.0), [], "many deviations, but a volatility of 2 %");
    let actions = harness.close_of(1, 90.0);
    assert_eq!(actions.len(), 1);
    assert_eq!(actions[0].submit().unwrap().instrument, 1);
}

#[test]
fn a_restart_changes_nothing() {
    let closes: Vec<f64> = gbm(7).take(300).collect();
    let mut straight = start(Setup::new());
    let mut restarted = start(Setup::new());
    let mut acted = 0;
    for close in closes {
        let saved = restarted.save().unwrap();
        restarted.restart_from(&saved).unwrap();
        straight.quote(close * 0.998, close * 1.002);
        restarted.quote(close * 0.998, close * 1.002);
        let expected = straight.close(close);
        assert_eq!(restarted.close(close), expected);
        acted += expected.len();
    }
    assert!(acted >= 4, "{acted} actions test next to nothing");
    assert_eq!(straight.save().unwrap(), restarted.save().unwrap());
}

#[test]
fn settings_out_of_reach_are_refused() {
    let refused = |settings: Settings| Setup::new().parameters(&settings).start::<Scalping>().err().unwrap();
    let message = refused(Settings { mean_bars: 5, ..Settings::default() });
    assert!(message.contains("must be below 2.00"), "{message}");
    let message = refused(Settings { exit_deviations: -2.5, ..Settings::default() });
    assert!(message.contains("must be above -entry_deviations"), "{message}");
}

/// Closes of a geometric Brownian motion with the parameters of the simulator's default market: a drift of
/// 0.001 and a volatility of 0.02 a step.
fn gbm(seed: u64) -> impl Iterator<Item = f64> {
    let mut state = seed;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0
    };
    let mut price = 100.0;
    std::iter::repeat_with(move || {
        // Box and Muller's method.
        let radius = (-2.0 * libm::log(uniform())).sqrt();
        let normal = radius * libm::cos(2.0 * std::f64::consts::PI * uniform());
        price *= libm::exp(0.001 - 0.02 * 0.02 / 2.0 + 0.02 * normal);
        price
    })
}

#[test]
fn trades_on_the_default_market_of_the_simulator() {
    for seed in 1..=5 {
        let mut harness = start(Setup::new());
        let (mut entries, mut exits) = (0, 0);
        for close in gbm(seed).take(2_000) {
            harness.quote(close * 0.998, close * 1.002);
            for action in harness.close(close) {
                entries += u32::from(action.is_buy());
                exits += u32::from(action.is_close());
            }
        }
        assert!(entries >= 20 && exits >= 20, "seed {seed}: {entries} entries and {exits} exits");
    }
}
