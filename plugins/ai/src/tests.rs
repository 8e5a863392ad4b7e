//! The rule with a model made by hand, which thinks of the last bars' return and the quote's spread alone.

use std::cell::Cell;
use std::rc::Rc;

use bulkhead_ai_features::{COUNT, Name, schema};
use bulkhead_sdk::harness::{Harness, Setup};
use bulkhead_sdk::models::{self, Model, ModelNote, ModelOutput};
use bulkhead_sdk::{Action, FillCause, ParameterValue, SavedState};

use super::*;

/// Makes another model of one.
type Change = fn(&mut Model);

fn note(key: &str, text: &str) -> ModelNote {
    ModelNote { key: format!("bulkhead.{key}"), text: text.to_owned() }
}

fn model() -> Model {
    let outputs = ["linear", "trees", "network"];
    Model {
        hash: "ab".repeat(32),
        row: u32::try_from(COUNT).unwrap(),
        outputs: outputs.map(|name| ModelOutput { name: name.to_owned(), width: 1 }).to_vec(),
        notes: vec![
            note("features", &schema()),
            note("weights", "0.2,0.5,0.3"),
            note("barriers", r#"{"bars": 60, "fee": 0.001, "gain": 2.0, "loss": 1.5, "widest": 0.5}"#),
        ],
        work: 20_000.0,
    }
}

/// What the models answer, and how often they were asked.
#[derive(Clone, Default)]
struct Answers {
    asked: Rc<Cell<usize>>,
    split: Rc<Cell<f32>>,
}

impl Answers {
    /// Half for a row that stands still, more when the last bars rose; a part of the models may see it otherwise.
    fn install(&self) {
        let (asked, split) = (Rc::clone(&self.asked), Rc::clone(&self.split));
        models::install("ai-ensemble", model(), move |row| {
            asked.set(asked.get() + 1);
            let rise = row[Name::Return5 as usize];
            let high = (0.5 + 0.1 * rise).clamp(0.05, 0.95);
            vec![high, high, high - split.get()]
        });
    }
}

fn start() -> (Harness<Ai>, Answers) {
    let answers = Answers::default();
    answers.install();
    let mut harness = Setup::new().start().unwrap();
    assert_eq!(warm_up(&mut harness), []);
    (harness, answers)
}

/// Bars that swing a little and go nowhere, until every window is full.
fn warm_up(harness: &mut Harness<Ai>) -> Vec<Action> {
    (0..WARM_UP_BARS).flat_map(|row| minute(harness, if row % 2 == 0 { 100.0 } else { 100.1 })).collect()
}

fn minute(harness: &mut Harness<Ai>, close: f64) -> Vec<Action> {
    harness.bar([close, close + 0.05, close - 0.05, close], 10.0)
}

fn rise(harness: &mut Harness<Ai>) -> Vec<Action> {
    [100.4, 100.8, 101.2].into_iter().flat_map(|close| minute(harness, close)).collect()
}

/// Falls until it acts.
fn fall(harness: &mut Harness<Ai>) -> Vec<Action> {
    let mut closes = [100.5, 100.0, 99.0, 98.0, 97.0].into_iter();
    closes
        .find_map(|close| Some(minute(harness, close)).filter(|actions| !actions.is_empty()))
        .unwrap_or_default()
}

#[test]
fn buys_once_when_the_models_agree_and_says_which_feature_moved_them() {
    let (mut harness, _) = start();
    let actions = rise(&mut harness);
    assert_eq!(actions.len(), 1, "{actions:?}");
    assert!(actions[0].is_buy());
    let reason = &actions[0].reason;
    assert!(
        reason.starts_with("pays: 0.") && reason.contains("linear 0.") && reason.contains("network"),
        "{reason}"
    );
    assert!(reason.contains("; return_5 ") && reason.contains("(+0."), "{reason}");
    assert!(reason.len() <= 200, "{reason}");
    assert!((0.65..=1.0).contains(&actions[0].confidence));
    assert!(harness.position().quantity > 0.0);
}

#[test]
fn tells_once_a_day_that_it_was_not_sure_enough() {
    let (mut harness, _) = start();
    let told = |harness: &mut Harness<Ai>, bars: u32| {
        for row in 0..bars {
            assert_eq!(minute(harness, if row % 2 == 0 { 100.0 } else { 100.1 }), []);
        }
        harness.log_lines().into_iter().map(|(_, line)| line).collect::<Vec<_>>()
    };
    let lines = told(&mut harness, 2 * 24 * 60);
    assert_eq!(lines.len(), 2, "{lines:?}");
    let asked = |line: &str| -> u32 { line.split(' ').nth(2).unwrap().parse().unwrap() };
    assert_eq!(asked(&lines[1]) - asked(&lines[0]), 24 * 60, "{lines:?}");
    assert!(lines[1].contains("the highest confidence was 0.5"), "{lines:?}");
    assert!(lines[1].contains("it buys from 0.65 on (parameter threshold)"), "{lines:?}");
    assert_eq!(rise(&mut harness).len(), 1);
}

#[test]
fn leaves_by_the_barriers_that_the_models_were_trained_on() {
    let (mut harness, _) = start();
    let actions = rise(&mut harness);
    let plan = actions[0].submit().unwrap().exits.clone().unwrap();
    assert_eq!(plan.max_holding_seconds, Some(3_600));
    let (stop, target) = (plan.stop_loss.unwrap(), plan.take_profits[0]);
    assert!((target.gain / stop - 2.0 / 1.5).abs() < 1e-9, "{plan:?}");
    assert!(target.share >= 1.0, "all of it: {plan:?}");
    // Swings of a thousandth a bar, over sixty bars.
    assert!((0.005..0.03).contains(&stop), "{stop}");
}

#[test]
fn disagreement_holds_it_back() {
    let (mut harness, answers) = start();
    answers.split.set(0.4);
    assert_eq!(rise(&mut harness), []);
    let (mut harness, answers) = start();
    answers.split.set(0.05);
    let agreed = rise(&mut harness);
    assert_eq!(agreed.len(), 1);
    let of = |split: f32| {
        let parts = [0.2, 0.5, 0.3].map(|weight| (String::new(), weight, 0.8));
        let mut opinion = ensemble::Opinion { parts: parts.to_vec() };
        opinion.parts[2].2 -= f64::from(split);
        (opinion.probability(), opinion.confidence(1.0))
    };
    let (probability, confidence) = of(0.0);
    assert!((probability - 0.8).abs() < 1e-12 && (confidence - 0.8).abs() < 1e-12);
    // Mean 0.68; standard deviation 0.4 √(0.3 · 0.7).
    let (probability, confidence) = of(0.4);
    assert!((probability - 0.68).abs() < 1e-6, "{probability}");
    assert!((confidence - (0.68 - 0.4 * 0.21_f64.sqrt())).abs() < 1e-6, "{confidence}");
}

#[test]
fn closes_when_the_probability_falls_and_pauses() {
    let (mut harness, answers) = start();
    rise(&mut harness);
    let actions = fall(&mut harness);
    assert!(actions[0].is_close(), "{actions:?}");
    assert!(actions[0].reason.starts_with("no longer pays: 0."), "{}", actions[0].reason);
    assert_eq!(minute(&mut harness, 99.0), [], "sold at its open");
    assert!(harness.position().quantity <= 0.0);
    let asked = answers.asked.get();
    assert_eq!(harness.closes(&[105.0, 106.0]), [], "it pauses");
    assert_eq!(answers.asked.get(), asked, "the models are not asked in vain");
    for _ in 0..8 {
        minute(&mut harness, 100.0);
    }
    // What is usual by now is more than before.
    assert_eq!(harness.closes(&[104.0, 108.0, 112.0]).len(), 1);
}

#[test]
fn a_rug_risk_vetoes_and_ends_a_position() {
    let (mut harness, _) = start();
    harness.signal("holder-risk", 0.4);
    harness.signal("liquidity-risk", 0.5);
    assert_eq!(rise(&mut harness), [], "0.7 together");
    harness.signal("liquidity-risk", 0.1);
    for _ in 0..8 {
        minute(&mut harness, 100.0);
    }
    assert_eq!(rise(&mut harness).len(), 1, "0.46 together");
    harness.signal("holder-risk", 0.95);
    let actions = minute(&mut harness, 101.3);
    assert!(actions[0].is_close() && actions[0].reason.starts_with("rug risk 0.9"), "{actions:?}");
}

#[test]
fn does_nothing_before_every_window_is_full_and_past_bars_fill_them() {
    let answers = Answers::default();
    answers.install();
    let mut harness: Harness<Ai> = Setup::new().start().unwrap();
    for bar in 0..WARM_UP_BARS - 1 {
        assert_eq!(minute(&mut harness, 100.0 + f64::from(bar)), [], "bar {bar}");
    }
    assert_eq!(answers.asked.get(), 0);
    let past: Vec<f64> = (0..WARM_UP_BARS).map(|row| if row % 2 == 0 { 100.0 } else { 100.1 }).collect();
    let mut harness: Harness<Ai> = Setup::new().past_closes(0, 60, &past).start().unwrap();
    assert_eq!(rise(&mut harness).len(), 1);
}

#[test]
fn a_position_that_the_host_sold_and_a_refused_order_pause() {
    let (mut harness, _) = start();
    rise(&mut harness);
    harness.host_sells(FillCause::StopLoss, 99.0);
    assert_eq!(rise(&mut harness), []);

    let answers = Answers::default();
    answers.install();
    let mut harness: Harness<Ai> = Setup::new().manual_fills().start().unwrap();
    warm_up(&mut harness);
    let tag = rise(&mut harness)[0].submit().unwrap().tag;
    harness.deny(tag, "max_exposure");
    assert_eq!(rise(&mut harness), []);
}

#[test]
fn instruments_are_looked_at_by_themselves() {
    Answers::default().install();
    let mut harness: Harness<Ai> = Setup::new().instruments(&["A", "B"]).start().unwrap();
    for row in 0..WARM_UP_BARS {
        let close = if row % 2 == 0 { 100.0 } else { 100.1 };
        harness.bar_of(0, 60, [close, close + 0.05, close - 0.05, close], 10.0);
        harness.bar_of(1, 60, [close, close + 0.05, close - 0.05, close], 10.0);
    }
    let actions: Vec<Action> = [100.4, 100.8, 101.2]
        .into_iter()
        .flat_map(|close| harness.bar_of(1, 60, [close, close + 0.05, close - 0.05, close], 10.0))
        .collect();
    assert_eq!(actions.len(), 1);
    assert!(harness.position_of(1).quantity > 0.0 && harness.position_of(0).quantity <= 0.0);
}

fn saved(harness: &Harness<Ai>) -> SavedState {
    harness.save().unwrap()
}

#[test]
fn a_restart_goes_on_with_what_was_seen() {
    let (mut harness, _) = start();
    let (mut restarted, _) = start();
    minute(&mut harness, 100.4);
    minute(&mut restarted, 100.4);
    let state = saved(&harness);
    restarted.restart_from(&state).unwrap();
    assert_eq!(saved(&restarted), state);
    for close in [100.8, 101.2, 101.6] {
        assert_eq!(minute(&mut restarted, close), minute(&mut harness, close), "at {close}");
    }
}

#[test]
fn a_restart_that_counts_the_instruments_anew_mistakes_none_for_another() {
    Answers::default().install();
    let start = |symbols: [&str; 2]| {
        let mut harness: Harness<Ai> = Setup::new().instruments(&symbols).start().unwrap();
        for row in 0..WARM_UP_BARS {
            let close = if row % 2 == 0 { 100.0 } else { 100.1 };
            for number in 0..2 {
                let close = if symbols[number as usize] == "A" { close } else { 3.0 * close };
                harness.bar_of(number, 60, [close, close + 0.05, close - 0.05, close], 10.0);
            }
        }
        harness
    };
    let (mut before, mut after) = (start(["A", "B"]), start(["B", "A"]));
    after.restart_from(&saved(&before)).unwrap();
    let mut bought = 0;
    for close in [301.0, 302.5, 304.0] {
        let bar = [close, close + 0.05, close - 0.05, close];
        let (wanted, found) = (before.bar_of(1, 60, bar, 10.0), after.bar_of(0, 60, bar, 10.0));
        let told = |actions: &[Action]| {
            actions.iter().map(|action| (action.is_buy(), action.reason.clone())).collect::<Vec<_>>()
        };
        assert_eq!(told(&found), told(&wanted), "at {close}");
        bought += found.len();
    }
    assert_eq!(bought, 1);
}

#[test]
fn a_model_that_is_not_for_it_refuses_the_start() {
    let refusal = |change: Change| {
        let mut model = model();
        change(&mut model);
        models::install("ai-ensemble", model, |_| vec![0.5; 3]);
        Setup::new().start::<Ai>().map(drop).unwrap_err()
    };
    let cases: [(Change, &str); 7] = [
        (
            |model| model.notes[0].text = "0123".to_owned(),
            "was trained on features 0123, this strategy computes",
        ),
        (|model| model.row = 7, "takes 7 numbers, the features are 100"),
        (|model| model.notes[1].text = "0.5,0.6".to_owned(), "weights \"0.5,0.6\", which don't sum to 1"),
        (|model| model.notes[1].text = "0.5,0.5".to_owned(), "2 weights for its 3 outputs"),
        (|model| model.notes[1].text = "NaN,0.5,0.5".to_owned(), "don't sum to 1"),
        (|model| drop(model.notes.pop()), "says nothing of \"bulkhead.barriers\""),
        (
            |model| model.notes[2].text = "{\"bars\": 0}".to_owned(),
            "nothing sensible of \"bulkhead.barriers\"",
        ),
    ];
    for (change, wanted) in cases {
        let why = refusal(change);
        assert!(why.starts_with("the model \"ai-ensemble\" ") && why.contains(wanted), "{why}");
    }
    let other = Setup::new().set("model", ParameterValue::Text("mine".to_owned()));
    let why = other.start::<Ai>().map(drop).unwrap_err();
    assert!(why.contains("no model \"mine\" is granted: name it in models.grants"), "{why}");
    Answers::default().install();
    let odd = Setup::new().set("exit_below", ParameterValue::Number(0.9));
    assert_eq!(odd.start::<Ai>().map(drop).unwrap_err(), "exit_below must be below threshold");
}
