//! A client of the admin API of a host that a test runs.

use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, WebSocket};
use ureq::Agent;

use super::account::Account;
use super::host::{Host, PATIENCE};

/// Speaks to a host with a token.
pub(crate) struct Client {
    /// Such as 127.0.0.1:40123.
    pub(crate) address: String,
    token: Option<String>,
    agent: Agent,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) text: String,
    pub(crate) cookie: Option<String>,
}

/// Makes a token of this role for the account's host, named like the role.
pub(crate) fn token(account: &Account, role: &str) -> String {
    named_token(account, role, role, &[])
}

/// Makes a token.
pub(crate) fn named_token(account: &Account, name: &str, role: &str, more: &[&str]) -> String {
    let command = [&["token", "create", "--name", name, "--role", role, "--json"], more].concat();
    account.json(&command)["secret"].as_str().unwrap().to_owned()
}

/// Starts the account's host with its API on a free port.
pub(crate) fn start(account: &Account, more: &[&str]) -> (Host, String) {
    let arguments = account.arguments(&[&["--json"], more].concat());
    let mut command = super::bulkhead(&account.directory);
    command.env("BULKHEAD__API__LISTEN", "127.0.0.1:0").arg("run").args(arguments);
    let mut host = Host::start_command(command);
    let address = address(&mut host);
    (host, address)
}

/// Where the host's log says that the API is.
pub(crate) fn address(host: &mut Host) -> String {
    let line = host.wait_for(&["the dashboard and the API are here"]);
    let at = line.find("://").unwrap() + 3;
    line[at..].chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect()
}

/// A client that may look, of a host that is about to start in this directory with its API on a free port.
pub(crate) fn viewer(directory: &Path, start: impl FnOnce() -> Host) -> (Host, Client) {
    let made = super::json(directory, &["token", "create", "--name", "ops", "--role", "viewer", "--json"]);
    let mut host = start();
    let address = address(&mut host);
    (host, Client::new(&address, made["secret"].as_str()))
}

impl Client {
    /// Waits until the account at work has its first bar, and with it a price.
    pub(crate) fn wait_for_a_price(&self) {
        self.wait("/api/v1/accounts/main/view", |view| {
            view["feed"]["bars"].as_u64().is_some_and(|bars| bars > 0)
        });
    }

    pub(crate) fn new(address: &str, token: Option<&str>) -> Self {
        let agent =
            Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
        Self { address: address.to_owned(), token: token.map(str::to_owned), agent: agent.into() }
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = self.agent.run(request.body(body).unwrap()).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        let cookie = response.headers().get("set-cookie").map(|cookie| cookie.to_str().unwrap().to_owned());
        Answer {
            status: response.status().as_u16(),
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
            cookie,
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], &[])
    }

    /// Asks for a change under a key of its own.
    pub(crate) fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        self.send("POST", path, &headers, body.to_string().as_bytes())
    }

    /// Asks until the answer is as wanted.
    pub(crate) fn wait(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let asked = Instant::now();
        loop {
            let answer = self.get(path);
            if wanted(&answer.body) {
                return answer.body;
            }
            assert!(asked.elapsed() < PATIENCE, "{path} stays {answer:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks until this is the answer's status.
    pub(crate) fn wait_for_status(&self, path: &str, status: u16) -> Answer {
        let asked = Instant::now();
        loop {
            let answer = self.get(path);
            if answer.status == status {
                return answer;
            }
            assert!(asked.elapsed() < PATIENCE, "{path} stays {answer:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Subscribes to live updates.
    pub(crate) fn live(&self, path: &str) -> Live {
        let token = self.token.as_ref().map(|token| ("authorization", format!("Bearer {token}")));
        self.live_with(path, token.as_slice())
    }

    /// Subscribes to live updates with these headers alone.
    pub(crate) fn live_with(&self, path: &str, headers: &[(&'static str, String)]) -> Live {
        let mut request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (socket, _) = tungstenite::client(request, stream).unwrap();
        Live(socket)
    }
}

/// Live updates.
pub(crate) struct Live(pub(crate) WebSocket<TcpStream>);

impl Live {
    /// The next message; the code that it was closed with instead.
    pub(crate) fn next(&mut self) -> Result<Value, u16> {
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => return Ok(serde_json::from_str(text.as_str()).unwrap()),
                Ok(Message::Close(frame)) => return Err(frame.map_or(0, |frame| frame.code.into())),
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The code that it is closed with.
    pub(crate) fn closed(&mut self) -> u16 {
        loop {
            if let Err(code) = self.next() {
                return code;
            }
        }
    }

    /// The next message that is as wanted.
    pub(crate) fn wait(&mut self, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        let asked = Instant::now();
        loop {
            let message = self.next().unwrap();
            if wanted(&message) {
                return message;
            }
            assert!(asked.elapsed() < PATIENCE, "the last of what is not wanted: {message}");
        }
    }
}

/// A halt for a test.
pub(crate) fn halt() -> Value {
    json!({ "reason": "a test wants it", "action": "stop-entries" })
}
