//! What is told where.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use rust_decimal::Decimal;

use crate::alert::AlertKind;
use crate::secret::Secret;

/// Everything that was configured about alerts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Webhooks by name.
    pub webhooks: Vec<WebhookSettings>,
    /// Telegram, if there is any.
    pub telegram: Option<TelegramSettings>,
    /// When something is worth an alert.
    pub watch: WatchSettings,
    /// Alerts of the same kind and subject within this time are told once.
    pub repeat_after: Duration,
}

impl Settings {
    /// Whether there is anybody to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.webhooks.is_empty() && self.telegram.is_none()
    }
}

/// When something is worth an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchSettings {
    /// A fill this much worse than expected, as a fraction of the price.
    pub slippage: Option<Decimal>,
    /// A loss of this part of the limit for it, 0 to 1.
    pub near_limit: Option<Decimal>,
    /// So many losing trades of a strategy in a row, and every multiple of it.
    pub consecutive_losses: Option<NonZeroU32>,
}

/// What every channel has.
#[derive(Debug, Clone)]
pub struct ChannelSettings {
    /// Its name, as in `telegram` or `webhooks.NAME`.
    pub name: String,
    /// What it tells.
    pub kinds: BTreeSet<AlertKind>,
    /// Messages in a minute, at most.
    pub per_minute: NonZeroU32,
}

/// A webhook.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// What every channel has.
    pub channel: ChannelSettings,
    /// Where alerts are sent; for some services the address is a secret by itself.
    pub url: Secret,
    /// What they are signed with.
    pub secret: Secret,
}

/// Telegram.
#[derive(Debug, Clone)]
pub struct TelegramSettings {
    /// What every channel has.
    pub channel: ChannelSettings,
    /// The Bot API's address, without the token.
    pub url: String,
    /// The bot's token.
    pub token: Secret,
    /// Chats that are told, and in which commands are taken: in private ones their person's.
    pub chats: Vec<i64>,
    /// People whose commands are taken in groups.
    pub users: Vec<i64>,
    /// Whether commands are taken.
    pub commands: bool,
    /// Where it is kept which commands were seen.
    pub state: PathBuf,
}
