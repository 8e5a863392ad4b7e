//! Telegram: its Bot API over HTTP, alerts as messages, and commands from chats that are allowed.

mod bot;
pub(crate) mod commands;
mod conversation;
mod message;
mod ordering;
mod place;
mod wording;

pub(crate) use self::bot::Bot;
pub(crate) use self::message::Chats;
