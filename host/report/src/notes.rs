//! What a reader should know about the figures before trusting them, in sentences.

use rust_decimal::Decimal;

use crate::amount::Amount;
use crate::format::visible;
use crate::metrics::Metrics;
use crate::recorder::{Final, LISTED_FAULTS, Recorder};

/// Below this many days the ratios of daily returns are hardly more than chance.
const FEW_DAYS: f64 = 90.0;

/// Largest gap, relative to equity, between a sample in binary fractions and the exact figure.
const ROUNDING: f64 = 1e-9;

pub(crate) fn notes(recorder: &Recorder, metrics: &Metrics, end: &Final, no_returns: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if metrics.sharpe.is_some() && metrics.days < FEW_DAYS {
        notes.push(format!(
            "Sharpe, Sortino, Calmar and CAGR scale {:.1} days up to a year; over so short a time they say little.",
            metrics.days
        ));
    }
    if no_returns {
        notes.push("Equity was not positive at the end of a day, so there are no daily returns.".to_owned());
    }
    match end.open_positions.len() {
        0 => {}
        1 => notes.push("One position was open at the end; it counts at the last price.".to_owned()),
        open => notes.push(format!("{open} positions were open at the end; they count at the last price.")),
    }
    if recorder.equity.start().is_some() {
        notes.extend(sample_gap(recorder, end));
    }
    notes.extend(unexplained(metrics));
    if recorder.equity.left_out() > 0 {
        notes.push(format!(
            "{} equity samples were not numbers and were left out.",
            recorder.equity.left_out()
        ));
    }
    if let Some(reason) = &recorder.first_refused_input {
        notes.push(format!("{} inputs could not be used; the first: {reason}", recorder.refused_inputs));
    }
    if recorder.account.faults > recorder.faults.len() as u64 {
        notes.push(format!(
            "Only the first {LISTED_FAULTS} of {} strategy faults are listed.",
            recorder.account.faults
        ));
    }
    if recorder.trading_states.last().is_some_and(|state| state.halted) {
        notes.push("Trading was halted at the end of the run.".to_owned());
    }
    for (breaker, times) in &recorder.breakers_opened {
        let times = if *times == 1 { "once".to_owned() } else { format!("{times} times") };
        notes.push(format!(
            "The {} breaker opened {times} and refused new positions meanwhile.",
            breaker.name()
        ));
    }
    for slot in recorder.slots.values().filter(|slot| slot.activity.orders == 0) {
        if let Some(words) = &slot.last_words {
            notes.push(format!(
                "{} ordered nothing. The last line of its log: {}",
                slot.name,
                visible(words)
            ));
        }
    }
    if !recorder.shadow_trades.is_empty() {
        notes.push(
            "Shadow strategies traded make-believe capital; it counts for none of the figures.".to_owned(),
        );
    }
    notes
}

fn sample_gap(recorder: &Recorder, end: &Final) -> Option<String> {
    let (last, exact) = (recorder.equity.equity(), end.equity.approximate());
    ((last - exact).abs() > ROUNDING * exact.abs().max(1.0)).then(|| {
        format!("The final equity, {}, is not the last equity sample, {last}.", Amount(end.equity.0))
    })
}

/// What the account gained must be the profit of its closed trades and open positions less the charges, to
/// the rounding of costs that are shared among parts of a position.
fn unexplained(metrics: &Metrics) -> Option<String> {
    let gained = metrics.net_profit?.0;
    let trading = metrics.realised_pnl?.0.checked_add(metrics.unrealised_pnl?.0)?;
    let explained = trading.checked_sub(metrics.charges?.0)?;
    let gap = gained.checked_sub(explained)?;
    (gap.abs() > Decimal::new(1, 6))
        .then(|| format!("{} of the net profit is in neither closed trades nor open positions.", Amount(gap)))
}
