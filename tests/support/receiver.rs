//! A server that a test watches: it notes every request and answers as the test says.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::host::PATIENCE;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    /// By their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) text: String,
    pub(crate) body: Value,
}

/// What is answered.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }
}

/// The server.
pub(crate) struct Server {
    /// Such as <http://127.0.0.1:40123>.
    pub(crate) url: String,
    requests: Receiver<Received>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = channel();
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (sender, answer) = (sender.clone(), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &sender, answer.as_ref()));
            }
        });
        Self { url, requests }
    }

    /// The next request.
    pub(crate) fn next(&self) -> Received {
        self.requests.recv_timeout(PATIENCE).expect("a request was expected")
    }

    /// The next request that is as wanted.
    pub(crate) fn wait(&self, wanted: impl Fn(&Received) -> bool) -> Received {
        let asked = Instant::now();
        let mut unwanted = VecDeque::new();
        while let Ok(request) = self.requests.recv_timeout(PATIENCE.saturating_sub(asked.elapsed())) {
            if wanted(&request) {
                return request;
            }
            // Some of them come without end, as a long poll does.
            if unwanted.back() != Some(&request.body) {
                unwanted.push_back(request.body);
            }
            if unwanted.len() > 20 {
                unwanted.pop_front();
            }
        }
        panic!("nothing that came was wanted: {unwanted:?}");
    }

    /// What came and nobody looked at yet.
    pub(crate) fn unseen(&self) -> Vec<Received> {
        self.requests.try_iter().collect()
    }
}

fn serve(stream: TcpStream, sender: &Sender<Received>, answer: &dyn Fn(&Received) -> Reply) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let mut bytes = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        loop {
            line.clear();
            reader.read_line(&mut line).unwrap();
            let length = u64::from_str_radix(line.trim_end(), 16).unwrap();
            reader.by_ref().take(length).read_to_end(&mut bytes).unwrap();
            reader.read_line(&mut line).unwrap();
            if length == 0 {
                break;
            }
        }
    } else {
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        reader.take(length).read_to_end(&mut bytes).unwrap();
    }
    // A body that is no text keeps those that are in it.
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let body = serde_json::from_str(&text).unwrap_or_default();
    let received = Received { path, headers, text, body };
    let Reply { status, headers, body } = answer(&received);
    // Who ended the test does not listen any more.
    let _ = sender.send(received);
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let mut stream = stream;
    let _ = write!(
        stream,
        "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
}

/// Who writes in groups.
pub(crate) const MEMBER: i64 = 70;

/// A server that speaks Telegram's Bot API.
pub(crate) struct Telegram {
    pub(crate) server: Server,
    state: Arc<Mutex<TelegramState>>,
}

#[derive(Default)]
struct TelegramState {
    updates: Vec<Value>,
    /// So many messages are answered with "too many requests" first.
    refused: u32,
    /// This chat wants to be left alone for ever.
    resting: Option<i64>,
    /// Whether updates are given again that were confirmed.
    forgetful: bool,
}

impl Telegram {
    /// A bot with this token. It refuses so many messages before it takes one.
    pub(crate) fn start(token: &str, refused: u32) -> Self {
        let state = Arc::new(Mutex::new(TelegramState { refused, ..TelegramState::default() }));
        let (known, bot) = (Arc::clone(&state), format!("/bot{token}/"));
        let server = Server::start(move |request| {
            let Some(method) = request.path.strip_prefix(&bot) else {
                return envelope(
                    401,
                    &json!({"ok": false, "error_code": 401, "description": "Unauthorized"}),
                );
            };
            match method {
                "getUpdates" => {
                    let asked = Instant::now();
                    loop {
                        let found = updates(&known.lock().unwrap(), request.body["offset"].as_i64());
                        // As the real one, it waits for something to happen, though not as long.
                        if !found.is_empty() || asked.elapsed() > Duration::from_millis(500) {
                            return envelope(200, &json!({"ok": true, "result": found}));
                        }
                        std::thread::sleep(Duration::from_millis(10));
                    }
                }
                "getMe" => {
                    let me = json!({"id": 1, "is_bot": true, "first_name": "The bot", "username": "the_bot"});
                    envelope(200, &json!({"ok": true, "result": me}))
                }
                "sendMessage" => {
                    let mut state = known.lock().unwrap();
                    let is_resting = state.resting.is_some_and(|chat| request.body["chat_id"] == chat);
                    if state.refused > 0 || is_resting {
                        state.refused = state.refused.saturating_sub(1);
                        let seconds = if is_resting { u64::MAX } else { 1 };
                        let description = format!("Too Many Requests: retry after {seconds}");
                        let parameters = json!({"retry_after": seconds});
                        return envelope(
                            429,
                            &json!({"ok": false, "error_code": 429, "description": description, "parameters": parameters}),
                        );
                    }
                    let result = json!({"message_id": 1, "date": now(), "chat": {"id": request.body["chat_id"], "type": "private"}, "text": request.body["text"]});
                    envelope(200, &json!({"ok": true, "result": result}))
                }
                _ => envelope(404, &json!({"ok": false, "error_code": 404, "description": "Not Found"})),
            }
        });
        Self { server, state }
    }

    /// From now on a chat wants to be left alone for ever.
    pub(crate) fn rest(&self, chat: i64) {
        self.state.lock().unwrap().resting = Some(chat);
    }

    /// Somebody writes to the bot: in a private chat the person that it is of, in a group [`MEMBER`].
    pub(crate) fn write_at(&self, update: i64, chat: i64, text: &str, date: i64) {
        let person = if chat > 0 { chat } else { MEMBER };
        self.write_as(person, update, chat, text, date);
    }

    /// Somebody writes to the bot.
    pub(crate) fn write_as(&self, person: i64, update: i64, chat: i64, text: &str, date: i64) {
        let message = json!({
            "message_id": update,
            "date": date,
            "chat": {"id": chat, "type": "private"},
            "from": {"id": person, "is_bot": false, "first_name": "Ann", "username": "ann"},
            "text": text,
        });
        self.state.lock().unwrap().updates.push(json!({"update_id": update, "message": message}));
    }

    /// From now on confirmed updates are given again.
    pub(crate) fn forget(&self) {
        self.state.lock().unwrap().forgetful = true;
    }

    /// The next message to a chat that has this in it.
    pub(crate) fn told(&self, chat: i64, part: &str) -> String {
        let sent = self.server.wait(|request| {
            request.path.ends_with("/sendMessage")
                && request.body["chat_id"] == chat
                && request.body["text"].as_str().unwrap().contains(part)
        });
        assert_eq!(sent.body["parse_mode"], "HTML");
        sent.body["text"].as_str().unwrap().to_owned()
    }
}

fn updates(state: &TelegramState, offset: Option<i64>) -> Vec<Value> {
    let wanted = |update: &&Value| {
        state.forgetful || offset.is_none_or(|offset| update["update_id"].as_i64().unwrap() >= offset)
    };
    state.updates.iter().filter(wanted).cloned().collect()
}

fn envelope(status: u16, body: &Value) -> Reply {
    Reply { status, headers: vec![("content-type", "application/json".to_owned())], body: body.to_string() }
}

pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}
