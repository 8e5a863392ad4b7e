//! What the engine does, as log lines. `input` is the journal's number of the input that a line follows from, `order`
//! the order that it is about: from a fill they lead back to the order, and from there to the market event.

use bulkhead_core::engine::{Engine, Slot};
use bulkhead_core::identifier::{InstrumentId, StrategyId};
use bulkhead_core::output::{Consequence, Output, SlotEvent};
use bulkhead_core::risk::BreakerState;
use bulkhead_core::strategy::LogLevel;
use bulkhead_core::venue::outside::Request;
use bulkhead_sequencer::recovery::RecoveryReport;
use bulkhead_sequencer::sequencer::JournalEvent;
use bulkhead_store::journal::NumberedOutput;

use super::supervision::{Task, TaskFailure};

/// Writes the line of an output. Orders and their steps are of interest to those who look for them.
pub(super) fn output(engine: &Engine, numbered: &NumberedOutput) {
    let input = numbered.sequence.0;
    match &numbered.output {
        Output::OrderAccepted(terms) => tracing::debug!(
            input,
            slot = slot(engine, terms.strategy),
            order = terms.id.0,
            symbol = symbol(engine, terms.instrument),
            side = terms.side.name(),
            quantity = %terms.quantity,
            reason = terms.reason,
            "order accepted"
        ),
        Output::OrderChanged(change) => tracing::debug!(
            input,
            slot = slot(engine, change.strategy),
            order = change.order.0,
            state = change.state.name(),
            filled = %change.filled,
            reason = change.reason,
            "order changed"
        ),
        Output::Refused(refused) => tracing::debug!(
            input,
            slot = slot(engine, refused.strategy),
            symbol = symbol(engine, refused.instrument),
            refusal = %refused.refusal,
            "refused"
        ),
        Output::Filled(fill) => tracing::info!(
            input,
            order = fill.order.0,
            slot = slot(engine, fill.strategy),
            symbol = symbol(engine, fill.instrument),
            side = fill.side.name(),
            quantity = %fill.quantity.0.normalize(),
            price = %fill.price.0.normalize(),
            fee = %fill.fee.0.round_dp(4).normalize(),
            cause = fill.cause.name(),
            "fill"
        ),
        Output::TradeClosed(trade) => tracing::info!(
            input,
            slot = slot(engine, trade.strategy),
            symbol = symbol(engine, trade.instrument),
            pnl = %trade.pnl.0.round_dp(2),
            exit = trade.exit_reason.name(),
            "trade closed"
        ),
        Output::Charged { strategy, amount, .. } => {
            tracing::info!(input, slot = slot(engine, *strategy), amount = %amount, "charged");
        }
        Output::StrategyFault(report) => {
            let consequence = match report.consequence {
                Consequence::RestartAt(_) => "restarts from its last saved state",
                Consequence::Quarantined => "quarantined; a new version or a release starts it again",
            };
            tracing::warn!(
                input,
                slot = slot(engine, report.strategy),
                event = report.event,
                fault = %report.fault,
                consequence,
                "strategy failed"
            );
        }
        Output::SlotChanged(change) => match &change.event {
            SlotEvent::Started(version) => {
                tracing::info!(input, slot = change.slot, version = version.short(), "strategy started");
            }
            SlotEvent::Replaced { from, to } => tracing::info!(
                input,
                slot = change.slot,
                from = from.short(),
                to = to.short(),
                "strategy replaced, its state carried over"
            ),
            SlotEvent::DeploymentFailed { version, reason, .. } => tracing::error!(
                input,
                slot = change.slot,
                version = version.short(),
                reason,
                "deployment failed; what ran before goes on"
            ),
            SlotEvent::Restarted => tracing::info!(input, slot = change.slot, "strategy restarted"),
            SlotEvent::Removed => {
                tracing::info!(input, slot = change.slot, "strategy removed; its positions stay guarded");
            }
            SlotEvent::Adjusted => tracing::info!(input, slot = change.slot, "strategy adjusted"),
        },
        Output::StrategyLog { strategy, line } => {
            let slot = slot(engine, *strategy);
            match line.level {
                LogLevel::Debug => tracing::debug!(input, slot, text = line.message, "strategy says"),
                LogLevel::Info => tracing::info!(input, slot, text = line.message, "strategy says"),
                LogLevel::Warn => tracing::warn!(input, slot, text = line.message, "strategy says"),
                LogLevel::Error => tracing::error!(input, slot, text = line.message, "strategy says"),
            }
        }
        Output::TradingState(state) => match state.action {
            Some(action) => {
                tracing::warn!(input, reason = state.reason, actor = %state.actor, action = action.name(), "trading halted");
            }
            None => tracing::info!(input, actor = %state.actor, "trading resumed"),
        },
        Output::SettingsChanged { version, actor, .. } => {
            tracing::info!(input, version, %actor, "settings changed");
        }
        Output::BreakerChanged(change) => {
            let (breaker, state) = (change.breaker.name(), change.state.name());
            if matches!(change.state, BreakerState::Open { .. }) {
                tracing::warn!(input, breaker, reason = change.reason, "breaker opened");
            } else {
                tracing::info!(input, breaker, state, reason = change.reason, "breaker changed");
            }
        }
        Output::InputRefused { reason, .. } => tracing::warn!(input, reason, "input refused"),
        Output::BooksAdjusted(adjusted) => tracing::warn!(
            input,
            slot = adjusted.strategy.map(|strategy| slot(engine, strategy)),
            symbol = adjusted.instrument.map(|instrument| symbol(engine, instrument)),
            quantity = %adjusted.quantity.0.normalize(),
            value = %adjusted.value.0.normalize(),
            gain = %adjusted.gain.0.normalize(),
            actor = %adjusted.actor,
            reason = adjusted.reason,
            kind = adjusted.kind.name(),
            "the books were adjusted"
        ),
        Output::IgnoringChanged(changed) => {
            let (subject, actor, reason) = (&changed.subject, &changed.actor, &changed.reason);
            match changed.difference {
                Some(difference) => {
                    tracing::info!(input, subject, %difference, %actor, reason, "a difference is ignored");
                }
                None => {
                    tracing::info!(input, subject, %actor, reason, "a difference is not ignored any more")
                }
            }
        }
        Output::VenueRequested { order, request } => {
            let request = match request {
                Request::Execute { .. } => "execute",
                Request::Cancel => "cancel",
            };
            tracing::debug!(input, order = order.0, request, "asked of the venue");
        }
        Output::StageReached(reached) => tracing::info!(
            input,
            slot = slot(engine, reached.strategy),
            order = reached.order.0,
            stage = reached.stage.name(),
            details = reached.stage.details(),
            "order at the venue"
        ),
    }
}

/// Says how the run came to where it begins.
pub(super) fn recovery(engine: &Engine, report: &RecoveryReport, seconds: f64) {
    for (sequence, reason) in &report.unusable_snapshots {
        tracing::error!(sequence = sequence.0, reason, "a snapshot can't be used; an older one is");
    }
    tracing::info!(
        snapshot = report.snapshot.map_or(0, |sequence| sequence.0),
        replayed = report.replayed,
        sequence = report.last.0,
        orders = report.orders.len(),
        milliseconds = (seconds * 1e3).round(),
        "the account was recovered from its journal"
    );
    for order in &report.orders {
        tracing::info!(
            slot = slot(engine, order.strategy),
            symbol = symbol(engine, order.instrument),
            order = order.id.0,
            side = order.side.name(),
            remaining = %order.remaining.0.normalize(),
            state = order.state.name(),
            "an order is open"
        );
    }
}

/// Says that a task beside the engine failed.
pub(super) fn task(failure: &TaskFailure) {
    let Task { name, degrades } = &failure.task;
    let (why, pause) = (&failure.why, failure.pause.as_secs_f64());
    if failure.is_alarming() {
        let failures = failure.failures;
        tracing::error!(task = %name, failures, why, pause, "alert: a task fails again and again; {degrades}");
    } else {
        tracing::warn!(task = %name, why, pause, "a task failed and is started again; meanwhile {degrades}");
    }
}

/// Says how the journal is doing.
pub(super) fn journal(event: &JournalEvent) {
    match event {
        JournalEvent::Stalled { why } => {
            tracing::error!(why, "the journal can't be written; trading stands still until it can");
        }
        JournalEvent::Resumed { after } => {
            tracing::warn!(
                seconds = after.as_secs_f64(),
                "the journal can be written again; trading goes on"
            );
        }
    }
}

fn slot(engine: &Engine, id: StrategyId) -> &str {
    engine.slot_of(id).map_or("?", Slot::name)
}

fn symbol(engine: &Engine, id: InstrumentId) -> &str {
    engine.settings().instrument(id).map_or("?", |instrument| &instrument.symbol)
}
