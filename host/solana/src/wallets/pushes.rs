//! Pushes of nodes over WebSockets, as hints to look at an address sooner. A connection that is lost, silent or lying costs
//! time, and nothing else: what is told comes from looks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use solana_address::Address;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::feed::WatchHealth;

/// The pause after the first failure in a row, and the longest. It doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The logs of a transaction are cut off long before that.
const LONGEST_MESSAGE: usize = 1 << 20;

/// Where pushes come from.
#[derive(Clone, PartialEq, Eq)]
pub struct PushSettings {
    url: String,
    silent_after: Duration,
}

/// An address that can't be that of a server. It is not repeated, as it may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the address for pushes is ws:// or wss:// with a host; this one can't be read")]
pub struct InvalidPushAddress;

impl PushSettings {
    /// A server at this address, which may hold a secret. It is asked for a sign of life now and then, and given up when
    /// nothing came from it for so long.
    ///
    /// # Errors
    ///
    /// [`InvalidPushAddress`] when nobody can be there.
    pub fn new(url: &str, silent_after: Duration) -> Result<Self, InvalidPushAddress> {
        let parsed: reqwest::Url = url.parse().map_err(|_| InvalidPushAddress)?;
        let is_right = matches!(parsed.scheme(), "ws" | "wss") && parsed.host_str().is_some();
        if is_right { Ok(Self { url: url.to_owned(), silent_after }) } else { Err(InvalidPushAddress) }
    }

    /// The host's name, which is no secret.
    #[must_use]
    pub fn name(&self) -> String {
        let url: Option<reqwest::Url> = self.url.parse().ok();
        url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
    }
}

impl fmt::Debug for PushSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PushSettings")
            .field("host", &self.name())
            .field("silent_after", &self.silent_after)
            .finish_non_exhaustive()
    }
}

/// Listens for ever, and hands on which addresses something happened to.
pub(super) async fn listen(
    settings: PushSettings,
    addresses: BTreeSet<Address>,
    hint: mpsc::Sender<Address>,
    health: Arc<WatchHealth>,
) {
    // There is one provider in this program, and a client that finds none panics.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let endpoint = settings.name();
    let mut failures = 0_u32;
    loop {
        let mut stood = false;
        let why = match connected(&settings).await {
            Ok(socket) => {
                stood = true;
                health.connected();
                let began = Instant::now();
                let why = hear(socket, &settings, &addresses, &hint, &health).await;
                // One that is taken and closed at once is no success.
                if began.elapsed() >= settings.silent_after {
                    failures = 0;
                }
                why
            }
            Err(why) => why,
        };
        health.disconnected(stood);
        let pause = FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE);
        if failures == 0 {
            tracing::warn!(endpoint, why, "no pushes; wallets are looked at as often as without them");
        } else {
            tracing::debug!(endpoint, why, failures, "no pushes yet");
        }
        failures = failures.saturating_add(1);
        sleep(pause).await;
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connected(settings: &PushSettings) -> Result<Socket, &'static str> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(LONGEST_MESSAGE))
        .max_frame_size(Some(LONGEST_MESSAGE));
    let connecting = connect_async_with_config(&settings.url, Some(config), true);
    match timeout(settings.silent_after, connecting).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(kind_of(&error)),
        Err(_) => Err("it did not answer in time"),
    }
}

/// Subscribes and hands on hints until the connection is lost; says why it was.
async fn hear(
    mut socket: Socket,
    settings: &PushSettings,
    addresses: &BTreeSet<Address>,
    hint: &mpsc::Sender<Address>,
    health: &WatchHealth,
) -> &'static str {
    let numbered: BTreeMap<u64, Address> = (0..).zip(addresses.iter().copied()).collect();
    for (number, address) in &numbered {
        let call = json!({
            "jsonrpc": "2.0", "id": number, "method": "logsSubscribe",
            "params": [{"mentions": [address.to_string()]}, {"commitment": "confirmed"}]
        });
        if let Err(error) = socket.send(Message::text(call.to_string())).await {
            return kind_of(&error);
        }
    }
    let mut subscriptions: BTreeMap<u64, Address> = BTreeMap::new();
    let mut heard = Instant::now();
    let mut asks = tokio::time::interval(settings.silent_after / 3);
    loop {
        let message = tokio::select! {
            message = socket.next() => message,
            _ = asks.tick() => {
                if heard.elapsed() >= settings.silent_after {
                    return "it fell silent";
                }
                match socket.send(Message::Ping(Default::default())).await {
                    Ok(()) => continue,
                    Err(error) => return kind_of(&error),
                }
            }
        };
        heard = Instant::now();
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Close(_))) | None => return "the connection was closed",
            Some(Ok(_)) => continue,
            Some(Err(error)) => return kind_of(&error),
        };
        let Ok(told) = serde_json::from_str::<Value>(&text) else { continue };
        match understood(&told, &numbered) {
            Told::Subscribed(subscription, address) => {
                subscriptions.insert(subscription, address);
                // Whatever happened while nobody listened is looked for now.
                let _ = hint.try_send(address);
            }
            Told::Refused(address) => {
                tracing::warn!(%address, "a subscription was refused; it is looked at without");
            }
            Told::Happened(subscription) => {
                if let Some(address) = subscriptions.get(&subscription) {
                    health.pushed();
                    // When there is no room, more hints wait than there are addresses.
                    let _ = hint.try_send(*address);
                }
            }
            Told::Nothing => {}
        }
    }
}

enum Told {
    Subscribed(u64, Address),
    Refused(Address),
    Happened(u64),
    Nothing,
}

fn understood(told: &Value, numbered: &BTreeMap<u64, Address>) -> Told {
    if told["method"] == "logsNotification" {
        return told["params"]["subscription"].as_u64().map_or(Told::Nothing, Told::Happened);
    }
    let Some(address) = told["id"].as_u64().and_then(|number| numbered.get(&number)) else {
        return Told::Nothing;
    };
    match told["result"].as_u64() {
        Some(subscription) => Told::Subscribed(subscription, *address),
        None => Told::Refused(*address),
    }
}

/// What went wrong, without the address.
const fn kind_of(error: &Error) -> &'static str {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => "the connection was closed",
        Error::Io(_) => "the connection broke or could not be made",
        Error::Tls(_) => "no encrypted connection",
        Error::Http(_) => "it does not take WebSockets there",
        Error::Capacity(_) => "a message is too long",
        _ => "it does not speak as it should",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_never_shown() {
        let settings =
            PushSettings::new("wss://node.example.org/planted?key=planted", Duration::from_secs(30));
        let shown = format!("{:?}", settings.unwrap());
        assert!(!shown.contains("planted") && shown.contains("node.example.org"), "{shown}");
        for url in ["", "https://planted", "ws://"] {
            let error = PushSettings::new(url, Duration::from_secs(30)).unwrap_err();
            assert!(!error.to_string().contains("planted"));
        }
    }
}
