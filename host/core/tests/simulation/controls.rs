//! What must hold of halts and breakers. Their state is followed from the outputs alone.

use std::collections::{BTreeMap, BTreeSet};

use bulkhead_core::engine::{Engine, EngineSettings};
use bulkhead_core::identifier::{OrderId, StrategyId};
use bulkhead_core::input::{Command, Input, InputKind};
use bulkhead_core::money::Money;
use bulkhead_core::order::{OrderState, OrderTerms, Side};
use bulkhead_core::output::Output;
use bulkhead_core::risk::{BreakerKind, BreakerState, RefusalCode};
use bulkhead_core::venue::paper::FillTiming;

use crate::books::{Books, ensure};

#[derive(Debug, Default)]
pub(crate) struct Controls {
    halted: bool,
    breakers: BTreeMap<BreakerKind, BreakerState>,
    /// The settings in force after the last step, and their number.
    settings: Option<(EngineSettings, u64)>,
    /// The orders that each half-open breaker let through, without those that ended and executed nothing.
    probes: BTreeMap<BreakerKind, BTreeSet<OrderId>>,
}

impl Controls {
    pub(crate) fn check(
        &mut self,
        engine: &Engine,
        input: &Input,
        outputs: &[Output],
        books: &Books,
    ) -> Result<(), String> {
        let live = |id: StrategyId| !books.strategies[&id].make_believe;
        for output in outputs {
            match output {
                Output::TradingState(state) => self.halted = state.halted,
                Output::BreakerChanged(change) => {
                    self.probes.remove(&change.breaker);
                    let before = self.breakers.insert(change.breaker, change.state.clone());
                    let before = before.unwrap_or_default();
                    ensure!(may_follow(&before, &change.state), "{before:?}, then {change:?}");
                }
                Output::OrderAccepted(terms) if terms.side == Side::Buy && live(terms.strategy) => {
                    ensure!(!self.halted, "halted, and {terms:?} was accepted");
                    self.entry(engine, terms, outputs)?;
                }
                Output::OrderChanged(change) if change.filled.is_zero() && change.state.is_final() => {
                    for probes in self.probes.values_mut() {
                        probes.remove(&change.order);
                    }
                }
                Output::Refused(refused) => self.refused(refused.refusal.code)?,
                _ => {}
            }
        }
        ensure!(self.halted == engine.halted().is_some(), "halted: {:?}", engine.halt());
        for kind in BreakerKind::ALL {
            let told = self.breakers.get(&kind).map_or("closed", BreakerState::name);
            let state = engine.breakers().state(kind);
            ensure!(told == state.name(), "{} is {state:?} and was told as {told}", kind.name());
        }
        if self.breakers.values().any(|state| matches!(state, BreakerState::Open { .. })) {
            for order in engine.orders() {
                let opens = order.terms().side == Side::Buy && live(order.terms().strategy);
                ensure!(!opens, "a breaker is open, with {order:?}");
            }
        }
        self.settings(engine, input, outputs)?;
        flattened(engine, input, outputs)
    }

    /// Settings change by a command alone, as a whole, and are counted.
    fn settings(&mut self, engine: &Engine, input: &Input, outputs: &[Output]) -> Result<(), String> {
        let now = (engine.settings().clone(), engine.settings_version());
        let changed = outputs.iter().find_map(|output| match output {
            Output::SettingsChanged { version, .. } => Some(*version),
            _ => None,
        });
        if let Some((settings, version)) = &self.settings {
            let asked = match &input.kind {
                InputKind::Command(asked) => Some(&asked.command),
                _ => None,
            };
            match (asked, changed) {
                (Some(Command::ChangeSettings(change)), Some(told)) => {
                    ensure!(told == version + 1 && now.1 == told, "version {told} after {version}");
                    ensure!(now.0.changeable() == change.settings, "the settings are not those commanded");
                    let fixed = (now.0.cash, &now.0.signals, now.0.history_bars);
                    ensure!(
                        fixed == (settings.cash, &settings.signals, settings.history_bars),
                        "what is fixed was changed"
                    );
                }
                (_, None) => ensure!(now == (settings.clone(), *version), "settings changed by themselves"),
                (_, Some(_)) => return Err(format!("settings changed by {input:?}")),
            }
        }
        self.settings = Some(now);
        Ok(())
    }

    /// No breaker is open, and those that are half-open let it through as a probe.
    fn entry(&mut self, engine: &Engine, terms: &OrderTerms, outputs: &[Output]) -> Result<(), String> {
        let probing = engine.settings().risk.breakers.probing;
        for (kind, state) in &self.breakers {
            match state {
                BreakerState::Closed => {}
                BreakerState::Open { .. } => return Err(format!("{} is open: {terms:?}", kind.name())),
                BreakerState::HalfOpen { .. } => {
                    let probes = self.probes.entry(*kind).or_default();
                    probes.insert(terms.id);
                    ensure!(
                        probes.len() <= probing.orders as usize,
                        "{} probed by {probes:?}: {outputs:?}",
                        kind.name()
                    );
                    if engine.settings().venue.timing == FillTiming::SameClose {
                        continue;
                    }
                    // What was charged since the order was sized has made the equity smaller.
                    let equity = engine.equity().map_err(|error| error.to_string())?.approximate();
                    let gas = 300.0 * engine.settings().venue.gas.approximate();
                    let value = terms.expected_price().value_of(terms.quantity);
                    let value = value.map_err(|error| error.to_string())?.approximate();
                    let largest = (equity + gas) * Money(probing.largest).approximate();
                    ensure!(value <= largest * (1.0 + 1e-9), "a probe of {value} past {largest}: {terms:?}");
                }
            }
        }
        Ok(())
    }

    /// Trading that is neither halted nor stopped by a breaker is not refused as if it were.
    fn refused(&self, code: RefusalCode) -> Result<(), String> {
        if matches!(code, RefusalCode::KillSwitch | RefusalCode::AccountHalted) {
            ensure!(self.halted, "{code}, and trading is not halted");
        }
        for kind in BreakerKind::ALL {
            if code == RefusalCode::of_breaker(kind) {
                let state = self.breakers.get(&kind).unwrap_or(&BreakerState::Closed);
                ensure!(*state != BreakerState::Closed, "{code}, and the breaker is closed");
            }
        }
        Ok(())
    }
}

/// Whether a breaker may go from one state to the other.
fn may_follow(before: &BreakerState, after: &BreakerState) -> bool {
    use BreakerState as S;
    matches!(
        (before, after),
        (S::Closed | S::HalfOpen { .. }, S::Open { .. })
            | (S::Open { .. }, S::HalfOpen { .. })
            | (S::Open { .. } | S::HalfOpen { .. }, S::Closed)
    )
}

/// While a halt flattens, a price leaves nothing of its instrument free: it is being sold, or the sale failed
/// in this step.
fn flattened(engine: &Engine, input: &Input, outputs: &[Output]) -> Result<(), String> {
    let priced = match &input.kind {
        InputKind::Bar(bar) => bar.instrument,
        InputKind::Quote(quote) => quote.instrument,
        InputKind::Trade(trade) => trade.instrument,
        _ => return Ok(()),
    };
    if input.time < engine.now() || outputs.iter().any(|output| matches!(output, Output::InputRefused { .. }))
    {
        return Ok(());
    }
    for (strategy, held) in engine.left_to_flatten() {
        let instrument = &engine.settings().instruments[held.0 as usize];
        if held != priced || engine.prices().price(held, instrument).is_none() {
            continue;
        }
        let position = engine.ledger().sub_ledger(strategy).and_then(|books| books.position(held));
        let free = position.ok_or("nothing to flatten")?.free().map_err(|error| error.to_string())?;
        // With fills at the close an order may also expire after the price was looked at.
        let at_close = engine.settings().venue.timing == FillTiming::SameClose;
        let ended = outputs.iter().any(|output| {
            matches!(output, Output::OrderChanged(change) if change.strategy == strategy
                && (matches!(change.state, OrderState::Rejected | OrderState::Cancelled)
                    || (at_close && change.state == OrderState::Expired)))
        });
        ensure!(
            free.is_zero() || ended,
            "{strategy} holds {free} of {held} free after {input:?}: {outputs:?}"
        );
    }
    Ok(())
}
