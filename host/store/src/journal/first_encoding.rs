//! Commands as encoding 1 holds them: some say who asked, the others say nothing of it.

use std::collections::BTreeMap;

use bulkhead_core::engine::ChangeableSettings;
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::{
    Actor, AttributedCommand, Command, Deployment, HaltAction, Input, InputKind, SettingsChange, StrategyMode,
};
use bulkhead_core::market::{Bar, MarketTrade, Quote, Signal};
use bulkhead_core::time::Timestamp;
use rust_decimal::Decimal;
use serde::Deserialize;

/// The part of the host that stands for whoever asked, where that was not written down.
const UNRECORDED: &str = "unrecorded";

#[derive(Deserialize)]
pub(super) struct FirstInput {
    time: Timestamp,
    kind: FirstInputKind,
}

#[derive(Deserialize)]
enum FirstInputKind {
    Bar(Bar),
    Quote(Quote),
    Trade(MarketTrade),
    Signal(Signal),
    Timer,
    Checkpoint,
    Command(Box<FirstCommand>),
}

#[derive(Deserialize)]
enum FirstCommand {
    Deploy(Deployment),
    Remove { slot: String },
    SetWeights(BTreeMap<String, Decimal>),
    SetMode { slot: String, mode: StrategyMode },
    Release { slot: String },
    Halt { reason: String, actor: Actor, action: HaltAction },
    Resume { actor: Actor },
    ChangeSettings { actor: Actor, change: Box<FirstSettingsChange> },
    Close { slot: String, instrument: InstrumentId },
}

#[derive(Deserialize)]
struct FirstSettingsChange {
    settings: ChangeableSettings,
}

impl From<FirstInput> for Input {
    fn from(FirstInput { time, kind }: FirstInput) -> Self {
        let kind = match kind {
            FirstInputKind::Bar(bar) => InputKind::Bar(bar),
            FirstInputKind::Quote(quote) => InputKind::Quote(quote),
            FirstInputKind::Trade(trade) => InputKind::Trade(trade),
            FirstInputKind::Signal(signal) => InputKind::Signal(signal),
            FirstInputKind::Timer => InputKind::Timer,
            FirstInputKind::Checkpoint => InputKind::Checkpoint,
            FirstInputKind::Command(command) => InputKind::Command(Box::new((*command).into())),
        };
        Self { time, kind }
    }
}

impl From<FirstCommand> for AttributedCommand {
    fn from(command: FirstCommand) -> Self {
        let unrecorded = || Actor::Host(UNRECORDED.to_owned());
        let (actor, command) = match command {
            FirstCommand::Deploy(deployment) => (unrecorded(), Command::Deploy(deployment)),
            FirstCommand::Remove { slot } => (unrecorded(), Command::Remove { slot }),
            FirstCommand::SetWeights(weights) => (unrecorded(), Command::SetWeights(weights)),
            FirstCommand::SetMode { slot, mode } => (unrecorded(), Command::SetMode { slot, mode }),
            FirstCommand::Release { slot } => (unrecorded(), Command::Release { slot }),
            FirstCommand::Halt { reason, actor, action } => (actor, Command::Halt { reason, action }),
            FirstCommand::Resume { actor } => (actor, Command::Resume {}),
            FirstCommand::ChangeSettings { actor, change } => {
                let change = SettingsChange { settings: change.settings, of: None };
                (actor, Command::ChangeSettings(Box::new(change)))
            }
            FirstCommand::Close { slot, instrument } => (unrecorded(), Command::Close { slot, instrument }),
        };
        Self { actor, command }
    }
}
