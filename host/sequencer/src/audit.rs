//! Who asked for what: the rows of the audit and of the settings' history.

use bulkhead_core::engine::EngineSettings;
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::{Actor, AttributedCommand, Command, Deployment, ManualAmount, ManualOrder};
use bulkhead_core::order::Pricing;
use bulkhead_core::output::Output;
use bulkhead_core::reconciliation::{Adjustment, Asset};
use bulkhead_core::strategy::{ExitPlan, ParameterValue};
use bulkhead_core::time::Timestamp;
use bulkhead_store::journal::{Sequence, ShardId};
use bulkhead_store::read_models::{AuditRow, Change, SettingsRow};

/// The host, where nobody else asked.
const HOST: &str = "host";

/// The place of the command itself among what is audited of its input; what followed comes after.
const COMMAND: u32 = 0;

/// The row of a command, with the reason when it was refused, and of the settings that it put in force.
pub(crate) fn command(
    (shard, sequence, time): (ShardId, Sequence, Timestamp),
    asked: &AttributedCommand,
    refusal: Option<&str>,
    outputs: &[Output],
    settings: &EngineSettings,
) -> Vec<Change> {
    let (action, subject, mut detail) = in_words(&asked.command, settings);
    if let Some(refusal) = refusal {
        let before = if detail.is_empty() { "" } else { "; " };
        detail = format!("{detail}{before}refused: {refusal}");
    }
    let version = outputs.iter().find_map(|output| match output {
        Output::SettingsChanged { version, .. } => Some(version),
        _ => None,
    });
    if let Some(version) = version {
        detail = format!("version {version}");
    }
    let actor = name(&asked.actor);
    let mut changes = vec![Change::Audit(AuditRow {
        shard,
        sequence,
        ordinal: COMMAND,
        time,
        actor: actor.clone(),
        action: action.to_owned(),
        subject,
        detail: one_line(&detail),
    })];
    if version.is_some() {
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

/// What is asked for, of what, and how.
fn in_words(command: &Command, settings: &EngineSettings) -> (&'static str, String, String) {
    match command {
        Command::Deploy(deployment) => ("deploy", deployment.slot.clone(), deployed(deployment)),
        Command::Remove { slot } => ("remove", slot.clone(), String::new()),
        Command::SetWeights(weights) => {
            let weights: Vec<String> =
                weights.iter().map(|(slot, weight)| format!("{slot} {weight}")).collect();
            ("set-weights", String::new(), weights.join(", "))
        }
        Command::SetMode { slot, mode } => ("set-mode", slot.clone(), mode.name().to_owned()),
        Command::Release { slot } => ("release", slot.clone(), String::new()),
        Command::Halt { reason, action } => ("halt", String::new(), format!("{}: {reason}", action.name())),
        Command::Resume {} => ("resume", String::new(), String::new()),
        Command::ChangeSettings(_) => ("change-settings", String::new(), String::new()),
        Command::PlaceOrder(order) => ("place-order", order.slot.clone(), ordered(order, settings)),
        Command::CancelOrder { order } => ("cancel-order", String::new(), order.to_string()),
        Command::ChangeExits { slot, instrument, plan } => {
            let detail = format!("{}: {}", symbol(*instrument, settings), exits(plan));
            ("change-exits", slot.clone(), detail)
        }
        Command::SetParameters { slot, parameters } => {
            let parameters: Vec<String> =
                parameters.iter().map(|(name, value)| parameter(name, value)).collect();
            ("set-parameters", slot.clone(), parameters.join(", "))
        }
        Command::Replace { slot, version } => ("replace", slot.clone(), format!("version {version}")),
        Command::Close { slot, instrument } => ("close", slot.clone(), symbol(*instrument, settings)),
        Command::Adopt(adjustment) => ("adopt", slot_of(adjustment), adjusted(adjustment, settings)),
        Command::WriteOff(adjustment) => ("write-off", slot_of(adjustment), adjusted(adjustment, settings)),
        Command::Ignore { subject, difference, reason } => {
            ("ignore", String::new(), format!("{subject}, a difference of {difference}: {reason}"))
        }
        Command::StopIgnoring { subject, reason } => {
            ("stop-ignoring", String::new(), format!("{subject}: {reason}"))
        }
    }
}

fn slot_of(adjustment: &Adjustment) -> String {
    adjustment.slot.clone().unwrap_or_default()
}

fn adjusted(adjustment: &Adjustment, settings: &EngineSettings) -> String {
    let Adjustment { asset, books, found, price, reason, .. } = adjustment;
    let what = match asset {
        Asset::Cash => "cash".to_owned(),
        Asset::Position(instrument) => symbol(*instrument, settings),
    };
    let price = price.map(|price| format!(" at {price}")).unwrap_or_default();
    format!("{what} from {books} to {found}{price}: {reason}")
}

fn deployed(deployment: &Deployment) -> String {
    let Deployment { version, mode, weight, parameters, .. } = deployment;
    let mut detail = format!("version {version}, {}, weight {weight}", mode.name());
    for (name, value) in parameters {
        detail.push_str(&format!(", {}", parameter(name, value)));
    }
    detail
}

fn ordered(order: &ManualOrder, settings: &EngineSettings) -> String {
    let symbol = symbol(order.instrument, settings);
    let amount = match order.amount {
        ManualAmount::Quantity(quantity) => format!("{quantity} {symbol}"),
        ManualAmount::Notional(notional) => format!("{symbol} for {notional}"),
        ManualAmount::All => format!("all {symbol}"),
    };
    let price = match order.pricing {
        Pricing::Market => "at the market".to_owned(),
        Pricing::Limit(limit) => format!("at {limit} or better"),
    };
    let exits = order.exits.as_ref().map(|plan| format!(", {}", exits(plan))).unwrap_or_default();
    format!("{} {amount} {price}{exits}", order.side.name())
}

fn exits(plan: &ExitPlan) -> String {
    let fraction = |name: &str, value: Option<f64>| value.map(|value| format!("{name} {value}"));
    let tiers = plan.take_profits.iter().map(|tier| Some(format!("take {} at {}", tier.share, tier.gain)));
    let parts: Vec<String> = [
        fraction("stop-loss", plan.stop_loss),
        fraction("breakeven", plan.breakeven),
        fraction("trailing", plan.trailing),
        plan.max_holding.map(|span| format!("max-holding {span}")),
    ]
    .into_iter()
    .chain(tiers)
    .flatten()
    .collect();
    if parts.is_empty() { "no exits".to_owned() } else { parts.join(", ") }
}

fn parameter(name: &str, value: &ParameterValue) -> String {
    match value {
        ParameterValue::Integer(value) => format!("{name} = {value}"),
        ParameterValue::Number(value) => format!("{name} = {value}"),
        ParameterValue::Flag(value) => format!("{name} = {value}"),
        ParameterValue::Text(value) => format!("{name} = \"{value}\""),
    }
}

fn symbol(id: InstrumentId, settings: &EngineSettings) -> String {
    settings.instrument(id).map_or_else(|| id.to_string(), |instrument| instrument.symbol.clone())
}

fn name(actor: &Actor) -> String {
    match actor {
        Actor::Person(name) => name.clone(),
        Actor::Host(part) => format!("{HOST}: {part}"),
    }
}

/// What people wrote may hold anything; a row is a line.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bulkhead_core::identifier::{ContentHash, OrderId};
    use bulkhead_core::input::{HaltAction, StrategyMode};
    use bulkhead_core::instrument::Instrument;
    use bulkhead_core::money::{Money, Price};
    use bulkhead_core::order::Side;
    use bulkhead_core::strategy::TakeProfit;
    use bulkhead_core::time::Span;
    use rust_decimal::Decimal;

    use super::*;

    fn row(actor: Actor, command: Command, refusal: Option<&str>) -> AuditRow {
        let settings = EngineSettings::new(vec![Instrument::new("X-USD", 2, 4)], Money(Decimal::ONE));
        let asked = AttributedCommand { actor, command };
        let at = (ShardId(1), Sequence(7), Timestamp::EPOCH);
        match super::command(at, &asked, refusal, &[], &settings).pop() {
            Some(Change::Audit(row)) => row,
            other => panic!("no row of the audit: {other:?}"),
        }
    }

    #[test]
    fn every_command_is_told_with_who_asked_and_for_what() {
        let anna = || Actor::Person("anna".to_owned());
        let slot = || "momentum".to_owned();
        let told = |command| {
            let AuditRow { actor, action, subject, detail, .. } = row(anna(), command, None);
            assert_eq!(actor, "anna");
            [action, subject, detail]
        };
        let deployment = Deployment {
            slot: slot(),
            version: ContentHash::new([0xab; 32]),
            mode: StrategyMode::Live,
            weight: Decimal::new(5, 1),
            instruments: Vec::new(),
            parameters: BTreeMap::from([("fast".to_owned(), ParameterValue::Integer(3))]),
        };
        let version = "ab".repeat(32);
        assert_eq!(
            told(Command::Deploy(deployment)),
            ["deploy", "momentum", &format!("version {version}, live, weight 0.5, fast = 3")]
        );
        assert_eq!(told(Command::Remove { slot: slot() }), ["remove", "momentum", ""]);
        let weights = BTreeMap::from([(slot(), Decimal::ONE)]);
        assert_eq!(told(Command::SetWeights(weights)), ["set-weights", "", "momentum 1"]);
        let mode = Command::SetMode { slot: slot(), mode: StrategyMode::Off };
        assert_eq!(told(mode), ["set-mode", "momentum", "off"]);
        assert_eq!(told(Command::Release { slot: slot() }), ["release", "momentum", ""]);
        let halt = Command::Halt { reason: "a\nlook".to_owned(), action: HaltAction::Flatten };
        assert_eq!(told(halt), ["halt", "", "flatten: a look"]);
        assert_eq!(told(Command::Resume {}), ["resume", "", ""]);
        let order = ManualOrder {
            slot: slot(),
            instrument: InstrumentId(0),
            side: Side::Buy,
            amount: ManualAmount::Notional(Money(Decimal::ONE_HUNDRED)),
            pricing: Pricing::Limit(Price(Decimal::TEN)),
            exits: Some(ExitPlan { stop_loss: Some(0.1), ..ExitPlan::default() }),
        };
        let market = ManualOrder {
            side: Side::Sell,
            amount: ManualAmount::All,
            pricing: Pricing::Market,
            exits: None,
            ..order.clone()
        };
        assert_eq!(
            told(Command::PlaceOrder(Box::new(order))),
            ["place-order", "momentum", "buy X-USD for 100 at 10 or better, stop-loss 0.1"]
        );
        assert_eq!(
            told(Command::PlaceOrder(Box::new(market))),
            ["place-order", "momentum", "sell all X-USD at the market"]
        );
        let cancel = Command::CancelOrder { order: OrderId(7) };
        assert_eq!(told(cancel), ["cancel-order", "", "order-7"]);
        let plan = ExitPlan {
            take_profits: vec![TakeProfit { gain: 0.5, share: 0.25 }],
            max_holding: Some(Span::MINUTE),
            ..ExitPlan::default()
        };
        let change = |plan| Command::ChangeExits { slot: slot(), instrument: InstrumentId(0), plan };
        assert_eq!(
            told(change(plan)),
            ["change-exits", "momentum", "X-USD: max-holding 1m, take 0.25 at 0.5"]
        );
        assert_eq!(told(change(ExitPlan::default())), ["change-exits", "momentum", "X-USD: no exits"]);
        let parameters = [
            ("fast".to_owned(), ParameterValue::Integer(3)),
            ("mood".to_owned(), ParameterValue::Text("calm".to_owned())),
        ];
        let set = Command::SetParameters { slot: slot(), parameters: parameters.into() };
        assert_eq!(told(set), ["set-parameters", "momentum", "fast = 3, mood = \"calm\""]);
        let replace = Command::Replace { slot: slot(), version: ContentHash::new([0xab; 32]) };
        assert_eq!(told(replace), ["replace", "momentum", &format!("version {version}")]);
        let close = |instrument| Command::Close { slot: slot(), instrument: InstrumentId(instrument) };
        assert_eq!(told(close(0)), ["close", "momentum", "X-USD"]);
    }

    #[test]
    fn an_adjustment_is_told_with_what_it_changes() {
        let told = |command| {
            let AuditRow { action, subject, detail, .. } =
                row(Actor::Person("anna".to_owned()), command, None);
            [action, subject, detail]
        };
        let adjustment = |asset, price, slot: Option<&str>| {
            Box::new(Adjustment {
                asset,
                books: Decimal::TEN,
                found: Decimal::ONE,
                price,
                slot: slot.map(str::to_owned),
                reason: "a person looked".to_owned(),
            })
        };
        assert_eq!(
            told(Command::Adopt(adjustment(Asset::Cash, None, None))),
            ["adopt", "", "cash from 10 to 1: a person looked"]
        );
        let lost = adjustment(Asset::Position(InstrumentId(0)), Some(Price(Decimal::TWO)), Some("momentum"));
        let told_of = told(Command::WriteOff(lost));
        assert_eq!((told_of[0].as_str(), told_of[1].as_str()), ("write-off", "momentum"));
        assert!(told_of[2].ends_with(" from 10 to 1 at 2: a person looked"), "{}", told_of[2]);
    }

    #[test]
    fn a_refused_command_is_told_with_the_reason() {
        let halt = Command::Halt { reason: "a look".to_owned(), action: HaltAction::StopEntries };
        let refused = row(Actor::Host("recovery".to_owned()), halt, Some("not now"));
        assert_eq!(refused.actor, "host: recovery");
        assert_eq!(refused.detail, "stop-entries: a look; refused: not now");
        let refused = row(Actor::Person("anna".to_owned()), Command::Resume {}, Some("not now"));
        assert_eq!(refused.detail, "refused: not now");
    }
}
