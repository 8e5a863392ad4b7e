//! Telegram: its Bot API over HTTP, alerts as messages, and commands from people who are allowed.

mod asking;
mod bot;
mod commands;
mod conversation;
mod listener;
mod message;
mod ordering;
mod place;
mod sender;
mod standing;
mod wording;

pub(crate) use self::bot::Bot;
pub(crate) use self::listener::Listener;
pub(crate) use self::message::Chats;
