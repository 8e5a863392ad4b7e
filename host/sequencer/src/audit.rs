//! Who asked for what: the rows of the audit and of the settings' history.

use bulkhead_core::engine::EngineSettings;
use bulkhead_core::input::{Actor, Command};
use bulkhead_core::output::Output;
use bulkhead_core::time::Timestamp;
use bulkhead_store::journal::{Sequence, ShardId};
use bulkhead_store::read_models::{AuditRow, Change, SettingsRow};

/// The host, where nobody else asked.
const HOST: &str = "host";

/// The place of the command itself among what is audited of its input; what followed comes after.
const COMMAND: u32 = 0;

/// The row of a command, and of the settings that it put in force.
pub(crate) fn command(
    shard: ShardId,
    sequence: Sequence,
    time: Timestamp,
    command: &Command,
    outputs: &[Output],
    settings: &EngineSettings,
) -> Vec<Change> {
    let (actor, action, subject, detail) = in_words(command);
    let mut changes = vec![Change::Audit(AuditRow {
        shard,
        sequence,
        ordinal: COMMAND,
        time,
        actor: actor.clone(),
        action: action.to_owned(),
        subject,
        detail,
    })];
    if outputs.iter().any(|output| matches!(output, Output::SettingsChanged { .. })) {
        changes.push(settings_row(shard, sequence, time, actor, settings));
    }
    changes
}

/// The settings that a shard begins with.
pub(crate) fn first_settings(shard: ShardId, settings: &EngineSettings) -> Change {
    settings_row(shard, Sequence(0), Timestamp::EPOCH, HOST.to_owned(), settings)
}

fn settings_row(
    shard: ShardId,
    sequence: Sequence,
    time: Timestamp,
    actor: String,
    settings: &EngineSettings,
) -> Change {
    // They are made of numbers and texts, which JSON has.
    let settings = serde_json::to_string(settings).unwrap_or_default();
    Change::Settings(SettingsRow { shard, sequence, time, actor, settings })
}

fn in_words(command: &Command) -> (String, &'static str, String, String) {
    let host = || HOST.to_owned();
    match command {
        Command::Deploy(deployment) => {
            let detail = format!(
                "version {}, {}, weight {}",
                deployment.version,
                deployment.mode.name(),
                deployment.weight
            );
            (host(), "deploy", deployment.slot.clone(), detail)
        }
        Command::Remove { slot } => (host(), "remove", slot.clone(), String::new()),
        Command::SetWeights(weights) => {
            let weights: Vec<String> =
                weights.iter().map(|(slot, weight)| format!("{slot} {weight}")).collect();
            (host(), "set-weights", String::new(), weights.join(", "))
        }
        Command::SetMode { slot, mode } => (host(), "set-mode", slot.clone(), mode.name().to_owned()),
        Command::Release { slot } => (host(), "release", slot.clone(), String::new()),
        Command::Halt { reason, actor, action } => {
            (name(actor), "halt", String::new(), format!("{}: {reason}", action.name()))
        }
        Command::Resume { actor } => (name(actor), "resume", String::new(), String::new()),
        Command::ChangeSettings(change) => {
            (name(&change.actor), "change-settings", String::new(), String::new())
        }
        Command::Close { slot, instrument } => (host(), "close", slot.clone(), instrument.to_string()),
    }
}

fn name(actor: &Actor) -> String {
    match actor {
        Actor::Person(name) => name.clone(),
        Actor::Host(part) => format!("{HOST}: {part}"),
    }
}
