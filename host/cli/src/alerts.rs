//! What the configuration says about alerts, with the secrets that it refers to; and `bulkhead alert test`.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use bulkhead_alerts::{
    AlertKind, ChannelSettings, Secret, Settings, TelegramSettings, WatchSettings, WebhookSettings,
    read_reference,
};
use bulkhead_configuration::{Configuration, is_reference, is_safe_address};
use serde_json::json;

use crate::arguments::{AlertCommand, WrongUsage};
use crate::configuration;

/// Does what is asked.
pub(crate) fn alert(command: &AlertCommand) -> Result<()> {
    let AlertCommand::Test { configuration, channel, json } = command;
    let configuration = configuration::layers(configuration, None)?.read()?;
    let settings = settings(&configuration)?;
    if settings.is_empty() {
        bail!("nobody is told of anything: there is no [alerts.telegram] and no [alerts.webhooks.NAME]");
    }
    let tests =
        bulkhead_alerts::test(settings, channel.as_deref()).map_err(|error| WrongUsage(error.to_string()))?;
    if *json {
        let row = |test: &bulkhead_alerts::Test| json!({"channel": test.channel, "delivered": test.outcome.is_ok(), "problem": test.outcome.as_ref().err()});
        let rows: Vec<_> = tests.iter().map(row).collect();
        anstream::println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        for test in &tests {
            match &test.outcome {
                Ok(()) => anstream::println!("{}: delivered", test.channel),
                Err(why) => anstream::println!("{}: not delivered: {why}", test.channel),
            }
        }
    }
    let failed = tests.iter().filter(|test| test.outcome.is_err()).count();
    ensure!(failed == 0, "{failed} of {} channels did not take the test", tests.len());
    Ok(())
}

/// Reads the section, and what its references lead to.
pub(crate) fn settings(configuration: &Configuration) -> Result<Settings> {
    let alerts = &configuration.alerts;
    let mut webhooks = Vec::new();
    for (name, webhook) in &alerts.webhooks {
        let section = format!("alerts.webhooks.{name}");
        let url = match is_reference(&webhook.url) {
            true => secret(&format!("{section}.url"), &webhook.url)?,
            false => Secret::new(&webhook.url),
        };
        ensure!(
            is_safe_address(url.reveal()),
            "{section}.url leads to no address that begins with https:// (http:// does for this machine itself)"
        );
        webhooks.push(WebhookSettings {
            channel: channel(format!("webhooks.{name}"), &webhook.kinds, webhook.per_minute),
            url,
            secret: secret(&format!("{section}.secret"), &webhook.secret)?,
        });
    }
    let telegram = alerts.telegram.as_ref().map(|telegram| -> Result<TelegramSettings> {
        let token = secret("alerts.telegram.token", &telegram.token)?;
        // What stands before the colon is the bot's number, which everybody may know.
        let bot = token.reveal().split(':').next().unwrap_or_default();
        ensure!(
            token.reveal().contains(':') && !bot.is_empty() && bot.bytes().all(|byte| byte.is_ascii_digit()),
            "alerts.telegram.token leads to no bot token; BotFather gives one such as 123456:ABC…"
        );
        Ok(TelegramSettings {
            channel: channel("telegram".to_owned(), &telegram.kinds, telegram.per_minute),
            url: telegram.url.clone(),
            chats: telegram.chats.clone(),
            users: telegram.users.clone(),
            commands: telegram.commands,
            state: configuration.storage.join(format!("telegram-{bot}.next")),
            token,
        })
    });
    Ok(Settings {
        webhooks,
        telegram: telegram.transpose()?,
        watch: WatchSettings {
            slippage: alerts.slippage.0,
            near_limit: alerts.near_limit.0,
            consecutive_losses: alerts.consecutive_losses.0.and_then(NonZeroU32::new),
        },
        repeat_after: Duration::from_nanos(u64::try_from(alerts.repeat_after.0.nanos()).unwrap_or(0)),
    })
}

fn secret(key: &str, reference: &str) -> Result<Secret> {
    let variable = |name: &str| std::env::var(name).ok();
    read_reference(reference, variable).map_err(|error| WrongUsage(format!("{key} {error}")).into())
}

fn channel(name: String, kinds: &[String], per_minute: u32) -> ChannelSettings {
    let kinds: BTreeSet<AlertKind> = kinds.iter().filter_map(|kind| AlertKind::named(kind)).collect();
    ChannelSettings { name, kinds, per_minute: NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_of_the_configuration_are_those_that_there_are() {
        let kinds = AlertKind::ALL.map(AlertKind::name);
        assert_eq!(kinds, bulkhead_configuration::KINDS);
    }
}
