//! The Bot API. Every answer has the same envelope: whether it went well, and the result or what went wrong.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use ureq::Agent;

use crate::http::{self, Failure, LONGEST_ANSWER};
use crate::secret::Secret;

/// Time until a call must have been answered.
const ANSWER: Duration = Duration::from_secs(20);

/// A bot.
#[derive(Clone)]
pub(crate) struct Bot {
    agent: Agent,
    url: String,
    token: Secret,
}

#[derive(Deserialize)]
struct Envelope {
    ok: bool,
    result: Option<Value>,
    description: Option<String>,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Deserialize, Default)]
struct Parameters {
    retry_after: Option<u64>,
}

/// Something that happened to the bot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Update {
    /// Its number, rising.
    pub(crate) update_id: i64,
    /// What was written, if something was that can be understood.
    #[serde(default, deserialize_with = "understood")]
    pub(crate) message: Option<Message>,
}

impl Update {
    /// When it was written, in seconds since 1970 UTC.
    pub(crate) fn written(&self) -> Option<i64> {
        self.message.as_ref().map(|message| message.date)
    }
}

/// One that is like no message keeps nobody from reading the others.
fn understood<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Message>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}

/// What somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Message {
    /// Its number in the chat.
    pub(crate) message_id: i64,
    /// When, in seconds since 1970 UTC.
    pub(crate) date: i64,
    /// Where.
    pub(crate) chat: Chat,
    /// Who.
    pub(crate) from: Option<User>,
    /// What, if it is text.
    pub(crate) text: Option<String>,
    /// The chat that says it, if no person does.
    pub(crate) sender_chat: Option<Value>,
    /// Whether a channel's message was passed on by Telegram itself.
    #[serde(default)]
    pub(crate) is_automatic_forward: bool,
    /// Whose message was passed on, if one was.
    pub(crate) forward_origin: Option<Value>,
    /// The same, as older servers say it.
    pub(crate) forward_date: Option<Value>,
    /// The bot that wrote it in somebody's name, if one did.
    pub(crate) via_bot: Option<Value>,
}

/// A place to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct Chat {
    /// Its number.
    pub(crate) id: i64,
}

/// Who wrote.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct User {
    /// The number, which stays.
    pub(crate) id: i64,
    /// Whether it is no person.
    #[serde(default)]
    pub(crate) is_bot: bool,
    /// The name, for those who have one.
    pub(crate) username: Option<String>,
}

impl Bot {
    pub(crate) fn new(url: &str, token: Secret) -> Self {
        Self { agent: http::agent(url), url: url.trim_end_matches('/').to_owned(), token }
    }

    /// Its number, which is the part of its token that everybody may know.
    pub(crate) fn id(&self) -> &str {
        self.token.reveal().split_once(':').map_or("", |(id, _)| id)
    }

    /// What it is called, without the `@`.
    pub(crate) fn name(&self) -> Result<String, Failure> {
        let me: User = self.call("getMe", &json!({}), ANSWER)?;
        me.username.ok_or_else(|| Failure::Final { why: "its answer to getMe has no username".to_owned() })
    }

    /// Writes HTML to a chat.
    pub(crate) fn say(&self, chat: i64, html: &str) -> Result<(), Failure> {
        let body = json!({
            "chat_id": chat,
            "text": html,
            "parse_mode": "HTML",
            "link_preview_options": { "is_disabled": true },
        });
        self.call::<Value>("sendMessage", &body, ANSWER).map(drop)
    }

    /// What happened from this number on; those before it are forgotten. Waits so long for something to happen.
    pub(crate) fn updates(&self, from: Option<i64>, wait: Duration) -> Result<Vec<Update>, Failure> {
        let mut body = json!({ "timeout": wait.as_secs(), "limit": 50, "allowed_updates": ["message"] });
        if let Some(from) = from {
            body["offset"] = from.into();
        }
        self.call("getUpdates", &body, wait + ANSWER)
    }

    fn call<T: DeserializeOwned>(&self, method: &str, body: &Value, time: Duration) -> Result<T, Failure> {
        let mut answer = self
            .agent
            .post(format!("{}/bot{}/{method}", self.url, self.token.reveal()))
            .config()
            .timeout_global(Some(time))
            .build()
            .send_json(body)
            .map_err(|error| http::failure(&error))?;
        let status = answer.status().as_u16();
        let after = http::retry_after(&answer);
        let text = answer.body_mut().with_config().limit(LONGEST_ANSWER).read_to_string();
        let text = text.map_err(|error| http::failure(&error))?;
        let Ok(envelope) = serde_json::from_str::<Envelope>(&text) else {
            let why = format!("it answered with status {status} and no answer of the Bot API");
            return Err(if status < 500 && status != 429 && status != 200 {
                Failure::Final { why }
            } else {
                Failure::Passing { why, after }
            });
        };
        if !envelope.ok {
            let description = envelope.description.unwrap_or_else(|| format!("status {status}"));
            let after = envelope.parameters.retry_after.map(http::rest).or(after);
            return Err(match status {
                429 | 500.. => Failure::Passing { why: description, after },
                401 | 404 => {
                    Failure::Final { why: format!("Telegram does not know the bot's token: {description}") }
                }
                _ => Failure::Final { why: description },
            });
        }
        serde_json::from_value(envelope.result.unwrap_or_default())
            .map_err(|_| Failure::passing(format!("its answer to {method} is not what the Bot API promises")))
    }
}
