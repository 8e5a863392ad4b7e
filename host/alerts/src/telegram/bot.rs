//! The Bot API. Every answer has the same envelope: whether it went well, and the result or what went wrong.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
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
    /// What was written, if something was.
    pub(crate) message: Option<Message>,
}

/// What somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Message {
    /// When, in seconds since 1970 UTC.
    pub(crate) date: i64,
    /// Where.
    pub(crate) chat: Chat,
    /// Who.
    pub(crate) from: Option<User>,
    /// What, if it is text.
    pub(crate) text: Option<String>,
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
    /// The name, for those who have one.
    pub(crate) username: Option<String>,
}

impl Bot {
    pub(crate) fn new(url: &str, token: Secret) -> Self {
        Self { agent: http::agent(url), url: url.trim_end_matches('/').to_owned(), token }
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
