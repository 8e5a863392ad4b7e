//! The section about alerts: who is told what, and where the secrets for it are kept. Never the secrets themselves.

use std::collections::BTreeMap;

use bulkhead_core::time::Span;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::values::{Limit, Setting, Value as _};

/// The kinds of alerts, by their names.
pub const KINDS: [&str; 20] = [
    "execution-failed",
    "breaker-opened",
    "breaker-closed",
    "trading-halted",
    "trading-resumed",
    "strategy-fault",
    "strategy-quarantined",
    "deployment-failed",
    "slippage",
    "near-limit",
    "consecutive-losses",
    "daily-summary",
    "position-opened",
    "position-closed",
    "books-differ",
    "books-adjusted",
    "journal-stalled",
    "journal-resumed",
    "task-failing",
    "alerts-lost",
];

/// Kinds that a channel tells unless it names its own.
const USUAL: [&str; 18] = [
    "execution-failed",
    "breaker-opened",
    "breaker-closed",
    "trading-halted",
    "trading-resumed",
    "strategy-quarantined",
    "deployment-failed",
    "slippage",
    "near-limit",
    "consecutive-losses",
    "daily-summary",
    "position-opened",
    "position-closed",
    "books-differ",
    "books-adjusted",
    "journal-stalled",
    "journal-resumed",
    "task-failing",
];

/// What stands for what is not shown.
pub(crate) const NOT_SHOWN: &str = "(not shown)";

/// Who is told what happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    /// A fill this much worse than the price that its order was reckoned at is told, as a fraction.
    pub slippage: Limit<Decimal>,
    /// A daily loss or drawdown is told from this part of its limit on, 0 to 1.
    pub near_limit: Limit<Decimal>,
    /// So many losing trades of a strategy in a row are told, and every multiple of it.
    pub consecutive_losses: Limit<u32>,
    /// Alerts of the same kind and subject within this time are told once, and counted.
    pub repeat_after: Setting<Span>,
    /// Webhooks by name.
    pub webhooks: BTreeMap<String, Webhook>,
    /// Telegram.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telegram: Option<Telegram>,
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            slippage: Limit(Some(Decimal::new(1, 2))),
            near_limit: Limit(Some(Decimal::new(8, 1))),
            consecutive_losses: Limit(Some(5)),
            repeat_after: Setting(Span::from_seconds(300)),
            webhooks: BTreeMap::new(),
            telegram: None,
        }
    }
}

/// An address that alerts are posted to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// The address, or `env:NAME` or `file:PATH` for where it is kept.
    pub url: String,
    /// Where the secret is kept that alerts are signed with: `env:NAME` or `file:PATH`.
    pub secret: String,
    /// What is told.
    #[serde(default = "usual")]
    pub kinds: Vec<String>,
    /// Alerts in a minute at most, at least 1.
    #[serde(default = "usual_rate")]
    pub per_minute: u32,
}

/// A Telegram bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telegram {
    /// Where the bot's token is kept: `env:NAME` or `file:PATH`.
    pub token: String,
    /// Chats that are told, and in which commands are taken: in private ones their person's.
    pub chats: Vec<i64>,
    /// People whose commands are taken in groups.
    #[serde(default)]
    pub users: Vec<i64>,
    /// Whether commands are taken.
    #[serde(default = "yes")]
    pub commands: bool,
    /// The Bot API's address.
    #[serde(default = "bot_api")]
    pub url: String,
    /// What is told.
    #[serde(default = "usual")]
    pub kinds: Vec<String>,
    /// Alerts in a minute at most, at least 1.
    #[serde(default = "usual_rate")]
    pub per_minute: u32,
}

fn usual() -> Vec<String> {
    USUAL.map(str::to_owned).to_vec()
}

const fn usual_rate() -> u32 {
    20
}

const fn yes() -> bool {
    true
}

fn bot_api() -> String {
    "https://api.telegram.org".to_owned()
}

/// Whether a text says where a secret is kept, rather than being one.
#[must_use]
pub fn is_reference(text: &str) -> bool {
    let place = text.strip_prefix("env:").or_else(|| text.strip_prefix("file:"));
    place.is_some_and(|place| !place.trim().is_empty())
}

/// Whether what is sent to an address is encrypted, or stays on this machine.
#[must_use]
pub fn is_safe_address(url: &str) -> bool {
    let authority = |rest: &str| rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned();
    if let Some(rest) = url.strip_prefix("https://") {
        return !authority(rest).is_empty();
    }
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = authority(rest);
    // What stands before an @ is no host.
    if authority.contains('@') {
        return false;
    }
    if authority.parse::<std::net::SocketAddr>().is_ok_and(|address| address.ip().is_loopback()) {
        return true;
    }
    let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
    host == "localhost" || authority.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl Alerts {
    /// What is out of range: the key, what was found, and what is allowed. No secret is among it.
    pub(crate) fn problems(&self) -> Vec<(String, String, String)> {
        let mut problems = Vec::new();
        let mut add =
            |key: String, found: String, allowed: &str| problems.push((key, found, allowed.to_owned()));
        let part = |value: Option<Decimal>| value.is_none_or(|v| v > Decimal::ZERO && v <= Decimal::ONE);
        for (key, value) in [("slippage", self.slippage.0), ("near_limit", self.near_limit.0)] {
            if !part(value) {
                let found = value.map(|value| value.to_string()).unwrap_or_default();
                add(format!("alerts.{key}"), found, "a fraction above 0 and at most 1 is expected");
            }
        }
        if self.consecutive_losses.0 == Some(0) {
            add(
                "alerts.consecutive_losses".to_owned(),
                "0".to_owned(),
                "a number above 0, or \"off\", is expected",
            );
        }
        if self.repeat_after.0 < Span::ZERO {
            add("alerts.repeat_after".to_owned(), self.repeat_after.0.show(), "a length of time is expected");
        }
        for (name, webhook) in &self.webhooks {
            let section = format!("alerts.webhooks.{name}");
            if !is_reference(&webhook.secret) {
                add(format!("{section}.secret"), NOT_SHOWN.to_owned(), REFERENCE);
            }
            if !is_reference(&webhook.url) && !is_safe_address(&webhook.url) {
                add(format!("{section}.url"), NOT_SHOWN.to_owned(), ADDRESS);
            }
            channel_problems(&section, &webhook.kinds, webhook.per_minute, &mut add);
        }
        if let Some(telegram) = &self.telegram {
            let section = "alerts.telegram";
            if !is_reference(&telegram.token) {
                add(format!("{section}.token"), NOT_SHOWN.to_owned(), REFERENCE);
            }
            if !is_safe_address(&telegram.url) {
                add(format!("{section}.url"), NOT_SHOWN.to_owned(), ADDRESS);
            }
            if telegram.chats.is_empty() {
                add(
                    format!("{section}.chats"),
                    "[]".to_owned(),
                    "the number of at least one chat is expected",
                );
            }
            if telegram.commands && telegram.users.is_empty() {
                let groups: Vec<String> =
                    telegram.chats.iter().filter(|chat| **chat < 0).map(i64::to_string).collect();
                if !groups.is_empty() {
                    let allowed = format!(
                        "the numbers of the people are expected who may command in the group {}, as everybody in it \
                         could otherwise; or alerts.telegram.commands = false",
                        groups.join(", ")
                    );
                    add(format!("{section}.users"), "[]".to_owned(), &allowed);
                }
            }
            for user in telegram.users.iter().filter(|user| **user <= 0) {
                add(format!("{section}.users"), user.to_string(), "a person's number is above 0");
            }
            channel_problems(section, &telegram.kinds, telegram.per_minute, &mut add);
        }
        problems
    }
}

pub(crate) const REFERENCE: &str = "env:NAME or file:PATH is expected, which says where the secret is kept: the secret itself has \
                         no place in a configuration";
pub(crate) const ADDRESS: &str = "an address that begins with https:// is expected; http:// does for this machine itself, as in \
                       http://127.0.0.1:8080";

fn channel_problems(
    section: &str,
    kinds: &[String],
    per_minute: u32,
    add: &mut impl FnMut(String, String, &str),
) {
    for kind in kinds.iter().filter(|kind| !KINDS.contains(&kind.as_str())) {
        let known = format!("one of these is expected: {}", KINDS.join(", "));
        add(format!("{section}.kinds"), kind.clone(), &known);
    }
    if per_minute == 0 {
        add(format!("{section}.per_minute"), "0".to_owned(), "a number above 0 is expected");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read;

    const PLANTED: &str = "123:planted-secret";

    #[test]
    fn by_default_nobody_is_told() {
        let alerts = read("").unwrap().alerts;
        assert_eq!(alerts, Alerts::default());
        assert!(alerts.webhooks.is_empty() && alerts.telegram.is_none());
        assert!(USUAL.iter().all(|kind| KINDS.contains(kind)));
    }

    #[test]
    fn a_secret_in_the_configuration_is_refused_and_not_repeated() {
        let texts = [
            format!("[alerts.telegram]\ntoken = \"{PLANTED}\"\nchats = [1]"),
            format!("[alerts.webhooks.desk]\nurl = \"https://a.example\"\nsecret = \"{PLANTED}\""),
            format!("[alerts.webhooks.desk]\nurl = \"ftp://a.example/{PLANTED}\"\nsecret = \"env:A\""),
            format!("[alerts.telegram]\ntokne = \"{PLANTED}\"\ntoken = \"env:A\"\nchats = [1]"),
            format!("[alerts]\ntelegram = \"{PLANTED}\""),
            format!("[alerts]\n\"{PLANTED}\" = 1"),
            format!("[alerts.telegram]\ntoken = [\"{PLANTED}\"]\nchats = [1]"),
        ];
        for text in texts {
            let error = read(&text).unwrap_err().to_string();
            assert!(!error.contains("planted"), "{text}: {error}");
            assert!(error.contains("alerts."), "{error}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("[alerts.telegram]\ntoken = {PLANTED}\nchats = [1]")).unwrap();
        let error = crate::Layers::defaults().add_file(file.path()).unwrap_err().to_string();
        assert!(error.contains("line 2") && !error.contains("planted"), "{error}");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let error = read(
            "[alerts]\nslippage = 2\nconsecutive_losses = 0\n[alerts.telegram]\ntoken = \"env:A\"\nchats = \
             []\nkinds = [\"news\"]\nper_minute = 0\nurl = \"http://a.example\"",
        )
        .unwrap_err();
        let mut keys: Vec<&str> = error.0.iter().map(|problem| problem.key.as_str()).collect();
        keys.sort_unstable();
        let expected = [
            "alerts.consecutive_losses",
            "alerts.slippage",
            "alerts.telegram.chats",
            "alerts.telegram.kinds",
            "alerts.telegram.per_minute",
            "alerts.telegram.url",
        ];
        assert_eq!(keys, expected, "{error}");
    }

    #[test]
    fn who_may_command_in_a_group_is_named() {
        let key = |more: &str| {
            let telegram = format!("[alerts.telegram]\ntoken = \"env:A\"\n{more}");
            read(&telegram).err().map(|error| error.0[0].key.clone())
        };
        let users = Some("alerts.telegram.users".to_owned());
        assert_eq!(key("chats = [1, -2]"), users);
        assert_eq!(key("chats = [1, -2]\nusers = [-2]"), users);
        assert_eq!(key("chats = [1, -2]\nusers = [7]"), None);
        assert_eq!(key("chats = [1, -2]\ncommands = false"), None);
        assert_eq!(key("chats = [1]"), None);
    }

    #[test]
    fn what_leaves_the_machine_is_encrypted() {
        for url in ["https://a.example/x", "http://127.0.0.1:80/x", "http://localhost", "http://[::1]:8/"] {
            assert!(is_safe_address(url), "{url}");
        }
        let unsafe_ones = [
            "http://a.example",
            "http://localhost.example",
            "http://127.0.0.1@a.example/",
            "http://127.0.0.1.example/",
            "https://",
            "file:///x",
            "a.example",
            "",
        ];
        for url in unsafe_ones {
            assert!(!is_safe_address(url), "{url}");
        }
    }
}
