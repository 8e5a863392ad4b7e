//! Alerts: what people want to hear of their accounts without looking, through signed webhooks and Telegram, and what
//! they command from there.
//!
//! The threads that trade hand over what became durable and never wait for it. Everything else happens on threads of
//! their own, which the host starts and starts again should they fail: one makes alerts of what was handed over and joins
//! what repeats itself, one for each channel delivers, and one listens to Telegram.
//!
//! What this crate must never do: keep a thread that trades waiting, show a secret, follow where a server redirects it,
//! change an account other than by a request in the database, or take a command from somebody who is not allowed.
//!
//! Where to start reading: [`AlertKind`] for what there is to hear, `watch` for how an alert comes out of outputs,
//! `delivery` for how it reaches a channel, `telegram::listener` for whose commands are heard, `telegram::commands` for what
//! can be commanded.

mod alert;
mod channel;
mod delivery;
mod history;
mod http;
mod names;
mod outbox;
mod publisher;
mod repetition;
mod secret;
mod service;
mod settings;
mod telegram;
mod text;
mod watch;
mod webhook;

pub use self::alert::{Alert, AlertKind, Severity};
pub use self::history::{Delivery, DeliveryState, History, Recorded};
pub use self::publisher::{Notices, Publisher};
pub use self::secret::{Secret, SecretError, read_reference};
pub use self::service::{Alerts, Commands, Count, Counted, Test, TestError, Work, test};
pub use self::settings::{ChannelSettings, Settings, TelegramSettings, WatchSettings, WebhookSettings};
