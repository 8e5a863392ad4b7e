use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use solana_address::Address;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio_tungstenite::tungstenite::Message;

use crate::chain::Options;
use crate::ledger::Ledger;

/// A server that pushes the logs of transactions to those who subscribe, as nodes do. It ends together with this value.
pub struct Pushes {
    url: String,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

struct State {
    ledger: Arc<Mutex<Ledger>>,
    options: Options,
    /// It reads nothing, sends nothing, and keeps connections open.
    is_silent: AtomicBool,
    /// It pushes all the time that something has happened.
    is_lying: AtomicBool,
    broken: Notify,
    connections: AtomicUsize,
    subscriptions: AtomicUsize,
}

impl Pushes {
    pub(crate) async fn start(ledger: Arc<Mutex<Ledger>>, options: Options) -> Self {
        let state = Arc::new(State {
            ledger,
            options,
            is_silent: AtomicBool::new(false),
            is_lying: AtomicBool::new(false),
            broken: Notify::new(),
            connections: AtomicUsize::new(0),
            subscriptions: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port that is free");
        let url = format!("ws://{}", listener.local_addr().expect("it is bound"));
        let accepting = tokio::spawn({
            let state = Arc::clone(&state);
            async move {
                let mut connections = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    state.connections.fetch_add(1, Ordering::SeqCst);
                    connections.spawn(serve(stream, Arc::clone(&state)));
                    while connections.try_join_next().is_some() {}
                }
            }
        });
        Self { url, state, accepting }
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many connections there were so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// How many subscriptions there were so far.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.state.subscriptions.load(Ordering::SeqCst)
    }

    /// Breaks all connections off.
    pub fn break_off(&self) {
        self.state.broken.notify_waiters();
    }

    /// From now on nothing comes from it, or all is well again. Connections stay open.
    pub fn be_silent(&self, is_silent: bool) {
        self.state.is_silent.store(is_silent, Ordering::SeqCst);
    }

    /// From now on it pushes all the time that something has happened.
    pub fn lie(&self) {
        self.state.is_lying.store(true, Ordering::SeqCst);
    }
}

impl Drop for Pushes {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Subscription {
    id: u64,
    mentions: Address,
    commitment: String,
    /// What landed before was told, or is none of its concern.
    next: u64,
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
    let mut subscriptions: Vec<Subscription> = Vec::new();
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    loop {
        let is_silent = state.is_silent.load(Ordering::SeqCst);
        let told = tokio::select! {
            () = state.broken.notified() => return,
            message = socket.next(), if !is_silent => match message {
                Some(Ok(Message::Text(text))) => {
                    let call: Value = serde_json::from_str(&text).unwrap_or_default();
                    vec![state.answer(&call, &mut subscriptions)]
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => Vec::new(),
            },
            _ = ticks.tick() => if is_silent { Vec::new() } else { state.news(&mut subscriptions) },
        };
        for message in told {
            if socket.send(Message::text(message.to_string())).await.is_err() {
                return;
            }
        }
    }
}

impl State {
    fn answer(&self, call: &Value, subscriptions: &mut Vec<Subscription>) -> Value {
        let refused = |message: &str| json!({"jsonrpc": "2.0", "error": {"code": -32_602, "message": message}, "id": call["id"]});
        if call["method"] != "logsSubscribe" {
            return refused("this node only knows logsSubscribe");
        }
        // Nodes take one address.
        let mentions: Vec<&str> = call["params"][0]["mentions"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let [Ok(mentions)] = mentions.iter().map(|text| text.parse()).collect::<Vec<_>>()[..] else {
            return refused("Invalid Request: Only 1 address supported");
        };
        let id = 1_000 + self.subscriptions.fetch_add(1, Ordering::SeqCst) as u64;
        let commitment = call["params"][1]["commitment"].as_str().unwrap_or("finalized").to_owned();
        let ledger = self.ledger.lock().expect("nothing panics while it holds this");
        let next = ledger.all_landed().map(|(_, landed)| landed.number + 1).max().unwrap_or(0);
        subscriptions.push(Subscription { id, mentions, commitment, next });
        json!({"jsonrpc": "2.0", "result": id, "id": call["id"]})
    }

    fn news(&self, subscriptions: &mut [Subscription]) -> Vec<Value> {
        let ledger = self.ledger.lock().expect("nothing panics while it holds this");
        let mut told = Vec::new();
        for subscription in subscriptions {
            let after = match subscription.commitment.as_str() {
                "processed" => 0,
                "confirmed" => self.options.confirmed_after,
                _ => self.options.final_after,
            };
            let newest = ledger.slot().saturating_sub(after);
            let is_lying = self.is_lying.load(Ordering::SeqCst);
            let mut landed: Vec<_> = ledger
                .all_landed()
                .filter(|(_, landed)| landed.number >= subscription.next && landed.slot <= newest || is_lying)
                .collect();
            landed.sort_by_key(|(_, landed)| landed.number);
            for (signature, landed) in landed {
                subscription.next = subscription.next.max(landed.number + 1);
                if landed.keys.contains(&subscription.mentions) || is_lying {
                    told.push(json!({
                        "jsonrpc": "2.0", "method": "logsNotification",
                        "params": {
                            "result": {
                                "context": {"slot": newest},
                                "value": {
                                    "signature": signature.to_string(), "err": landed.result.as_ref().err(),
                                    "logs": landed.meta.logs
                                }
                            },
                            "subscription": subscription.id
                        }
                    }));
                }
            }
        }
        told
    }
}
