//! Clients that would hold the API up: they send without end, send nothing, read nothing, come in crowds. The API goes on
//! answering the others, they lose their place, and trading does not notice.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use serde_json::json;
use support::account::Account;
use support::client::{Client, start, token};
use support::host::{Host, PATIENCE};
use support::plugin;
use support::raw::{Raw, exchange, statuses};
use tungstenite::Message;

const LIVE: &str = "/api/v1/accounts/main/live";

struct Trading {
    _parent: tempfile::TempDir,
    host: Host,
    address: String,
    secret: String,
    admin: Client,
}

/// A host that trades for as long as a test takes.
fn trading(speed: &str, settings: &[&str]) -> Trading {
    let parent = tempfile::tempdir().unwrap();
    let mut account = Account::new(parent.path(), "host").with("api.requests_per_minute=100000");
    for setting in settings {
        account = account.with(setting);
    }
    let secret = token(&account, "admin");
    let (mut host, address) = start(&account, &["--speed", speed]);
    // Without asking the API, whose places are counted here.
    if host.count(&["strategy started"]) == 0 {
        host.wait_for(&["strategy started"]);
    }
    let admin = Client::new(&address, Some(&secret));
    Trading { _parent: parent, host, address, secret, admin }
}

impl Trading {
    /// A request as bytes, with the token.
    fn request(&self, method: &str, path: &str, more: &str) -> Vec<u8> {
        let (address, secret) = (&self.address, &self.secret);
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {secret}\r\n{more}\r\n")
            .into_bytes()
    }

    fn bars(&self) -> u64 {
        self.admin.wait("/api/v1/accounts/main/view", |view| view["feed"]["bars"].is_u64())["feed"]["bars"]
            .as_u64()
            .unwrap()
    }

    /// Waits until the account has taken more bars.
    fn trades_on(&self) {
        let before = self.bars();
        let view = "/api/v1/accounts/main/view";
        self.admin.wait(view, |view| view["feed"]["bars"].as_u64().is_some_and(|bars| bars > before));
    }
}

#[test]
fn heads_that_never_end_are_closed_and_others_are_served() {
    let trading = trading("100", &["api.connections=60"]);
    let begun = trading.request("GET", "/api/v1/accounts", "");
    let mut slow: Vec<Raw> = (0..40).map(|_| Raw::connect(&trading.address)).collect();
    for (number, connection) in slow.iter_mut().enumerate() {
        // Some say nothing at all, some all but the last byte.
        let part = [0, 20, begun.len() - 1][number % 3];
        assert!(connection.send(&begun[..part]));
    }
    // A whole request, and then nothing: it stays as long as a head may take, and no longer.
    let mut idle = Raw::connect(&trading.address);
    assert!(idle.send(&begun));
    let healthz = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", trading.address);
    let opened = Instant::now();
    let mut served = 0;
    let mut closed = 0;
    while closed < slow.len() {
        assert_eq!(statuses(&exchange(&trading.address, healthz.as_bytes())), [200]);
        served += 1;
        assert!(opened.elapsed() < PATIENCE, "{closed} of {} are closed", slow.len());
        // Byte by byte, never whole: what keeps a naive limit of silence from noticing.
        closed = slow.iter_mut().filter_map(|connection| (!connection.send(b"x")).then_some(())).count();
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(served > 10, "{served}");
    for mut connection in slow {
        let told = statuses(&connection.rest());
        assert!(told.iter().all(|status| (400..500).contains(status)), "{told:?}");
    }
    assert_eq!(statuses(&idle.rest()), [200]);
    trading.trades_on();
    trading.host.stop();
}

#[test]
fn connections_beyond_the_limit_are_closed_and_a_place_that_is_left_is_free() {
    let trading = trading("100", &["api.connections=8"]);
    let healthz = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut inside: Vec<Raw> = (0..8).map(|_| Raw::connect(&trading.address)).collect();
    for connection in &mut inside {
        assert!(connection.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert!(connection.until("ok").contains("200"));
    }
    for _ in 0..50 {
        assert_eq!(exchange(&trading.address, healthz), "", "there is no room");
    }
    drop(inside.pop());
    let asked = Instant::now();
    while statuses(&exchange(&trading.address, healthz)) != [200] {
        assert!(asked.elapsed() < PATIENCE, "the place is not free again");
    }
    // Those who are in go on being served.
    for connection in &mut inside {
        assert!(connection.send(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        assert_eq!(statuses(&connection.rest()), [200]);
    }
    trading.host.stop();
}

/// One connection of HTTP/2 carries many requests, and may be silent between them for as long as it likes.
#[test]
fn http_2_is_not_spoken() {
    let trading = trading("100", &[]);
    let settings = b"\0\0\0\x04\0\0\0\0\0";
    let beginning = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], settings].concat();
    // Not even an answer in frames.
    assert_eq!(exchange(&trading.address, &beginning), "");
    let mut slow = Raw::connect(&trading.address);
    for byte in &beginning {
        if !slow.send(&[*byte]) {
            break;
        }
    }
    assert_eq!(slow.rest(), "");
    // Nor is it agreed on.
    let upgrade = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n\
                   HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
    assert_eq!(statuses(&exchange(&trading.address, upgrade.as_bytes())), [200]);
    trading.host.stop();
}

#[test]
fn answers_that_nobody_reads_cost_the_place() {
    const PLACES: usize = 6;
    let trading = trading("100", &["api.connections=6"]);
    let many = trading.request("GET", "/api/v1/openapi.json", "").repeat(200);
    let mut silent: Vec<Raw> = (0..PLACES).map(|_| Raw::connect(&trading.address)).collect();
    for connection in &mut silent {
        assert!(connection.send(&many));
        // From here on it is served, and reads no more.
        connection.until("HTTP/1.1 200");
    }
    let healthz = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut told = Vec::new();
    let asked = Instant::now();
    while told.last() != Some(&vec![200]) {
        assert!(asked.elapsed() < PATIENCE, "nobody left");
        told.push(statuses(&exchange(&trading.address, healthz)));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(told.len() > 1, "they did not fill the places, so this shows nothing");
    trading.trades_on();
    drop(silent);
    trading.host.stop();
}

#[test]
fn heads_that_are_too_large_are_refused() {
    let trading = trading("100", &[]);
    let large = "x".repeat(100_000);
    let many: String = (0..2_000).map(|number| format!("X-{number}: y\r\n")).collect();
    for (what, head) in [
        (
            "a header",
            format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {large}\r\nConnection: close\r\n\r\n"),
        ),
        ("headers", format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{many}Connection: close\r\n\r\n")),
        ("a path", format!("GET /{large} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")),
        ("a method", format!("{large} / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")),
        ("no line", large.clone()),
        ("NUL bytes", "\0".repeat(100_000)),
        ("another protocol", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        ("TLS", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}".to_owned() + &large),
    ] {
        let told = statuses(&exchange(&trading.address, head.as_bytes()));
        let refused = told.iter().all(|status| (400..500).contains(status));
        assert!(refused && told.len() <= 1, "{what}: {told:?}");
    }
    assert_eq!(trading.admin.get("/healthz").status, 200);
    trading.host.stop();
}

/// Requests whose end can be understood in two ways: whoever sits between must not be led to take one for two.
#[test]
fn where_a_request_ends_is_never_ambiguous() {
    let trading = trading("100", &[]);
    let hidden = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (what, headers, body) in [
        ("both", "Content-Length: 5\r\nTransfer-Encoding: chunked", format!("0\r\n\r\n{hidden}")),
        ("both, turned", "Transfer-Encoding: chunked\r\nContent-Length: 5", format!("0\r\n\r\n{hidden}")),
        ("chunked alone", "Transfer-Encoding: chunked", format!("0\r\n\r\n{hidden}")),
        ("two lengths", "Content-Length: 0\r\nContent-Length: 40", hidden.to_owned()),
        ("a list of lengths", "Content-Length: 0, 40", hidden.to_owned()),
        ("a signed length", "Content-Length: +0", hidden.to_owned()),
        ("a negative length", "Content-Length: -1", hidden.to_owned()),
        ("an immense length", "Content-Length: 99999999999999999999999", hidden.to_owned()),
        ("a length in hexadecimal", "Content-Length: 0x0", hidden.to_owned()),
        ("not chunked last", "Transfer-Encoding: chunked, identity", format!("0\r\n\r\n{hidden}")),
        ("an unknown coding", "Transfer-Encoding: xchunked", format!("0\r\n\r\n{hidden}")),
        ("a space before the colon", "Transfer-Encoding : chunked", format!("0\r\n\r\n{hidden}")),
        ("a folded line", "Transfer-Encoding:\r\n chunked", format!("0\r\n\r\n{hidden}")),
        ("a bare CR", "X: y\rTransfer-Encoding: chunked", format!("0\r\n\r\n{hidden}")),
        ("an immense chunk", "Transfer-Encoding: chunked", format!("fffffffffffffffff\r\n{hidden}")),
        ("a negative chunk", "Transfer-Encoding: chunked", format!("-1\r\n{hidden}")),
        ("a chunk without its end", "Transfer-Encoding: chunked", format!("2\r\n{{}}X0\r\n\r\n{hidden}")),
    ] {
        let request = format!(
            "POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}\r\n\r\n{body}"
        );
        let text = exchange(&trading.address, request.as_bytes());
        let told = statuses(&text);
        assert!(!text.contains("{\"status\":\"ok\"}"), "{what}: the request inside was answered: {text}");
        assert!(told.len() <= 1 && told.iter().all(|status| (400..500).contains(status)), "{what}: {text}");
    }
    // What is not ambiguous is two requests; but what follows a body that was not wanted is not looked at.
    let health = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let wallet = r#"{"address":"So11111111111111111111111111111111111111112"}"#;
    for (route, body, expected) in
        [("session/challenge", wallet, &[200, 200][..]), ("session", hidden, &[400][..])]
    {
        let length = body.len();
        let two = format!(
            "POST /api/v1/{route} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}{health}"
        );
        assert_eq!(statuses(&exchange(&trading.address, two.as_bytes())), expected, "{route}");
    }
    trading.host.stop();
}

#[test]
fn frames_that_are_too_large_or_never_end_close_the_socket() {
    use tungstenite::protocol::frame::Frame;
    use tungstenite::protocol::frame::coding::{Data, OpCode};
    let trading = trading("100", &[]);
    let large = || Message::Text("x".repeat(4 * 1024 + 1).into());
    let part = |first: bool| {
        let code = OpCode::Data(if first { Data::Text } else { Data::Continue });
        Message::Frame(Frame::message("x".repeat(1024), code, false))
    };
    let parts = (0..6).map(|number| part(number == 0)).collect::<Vec<_>>();
    for messages in [vec![large()], parts] {
        let mut live = trading.admin.live(&format!("{LIVE}?topics=account"));
        for message in messages {
            if live.0.send(message).is_err() {
                break;
            }
        }
        assert_eq!(live.closed(), 1008);
    }
    // A frame that announces more than there is memory, and bytes that are no frames.
    for bytes in [&b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"[..], &[0xff; 14]] {
        let mut connection = Raw::connect(&trading.address);
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
        assert!(connection.send(&trading.request("GET", &format!("{LIVE}?topics=account"), upgrade)));
        assert!(connection.until("\r\n\r\n").contains(" 101 "));
        assert!(connection.send(bytes));
        connection.rest();
    }
    trading.trades_on();
    trading.host.stop();
}

/// Whoever reads nothing is not waited for: its place is free again, the host keeps nothing for it, and bars come as
/// they came before.
#[test]
fn subscribers_that_never_read_lose_their_place_and_cost_no_memory() {
    const SILENT: usize = 40;
    const MOST_GROWTH: u64 = 64 * 1024 * 1024;
    let settings = ["feed.source=simulator", "feed.files=[]", "simulator.steps=1000000000"];
    let trading = trading("1000000", &settings);
    trading.trades_on();
    let subscribers = |count: usize| {
        let line = format!("bulkhead_live_subscribers{{account=\"main\"}} {count}\n");
        let asked = Instant::now();
        while !trading.admin.get("/metrics").text.contains(&line) {
            assert!(asked.elapsed() < PATIENCE, "{}", trading.admin.get("/metrics").text);
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let before = trading.host.resident_bytes();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let mut silent = Vec::new();
    for number in 0..SILENT {
        let mut connection = Raw::connect(&trading.address);
        let request = if number % 2 == 0 {
            trading.request("GET", LIVE, upgrade)
        } else {
            trading.request("GET", "/api/v1/accounts/main/events", "")
        };
        assert!(connection.send(&request));
        // It is let in, and from here on reads no more.
        let told = connection.until("\r\n\r\n");
        assert!(told.contains(if number % 2 == 0 { " 101 " } else { " 200 " }), "{told}");
        silent.push(connection);
    }
    // One who reads is served as if the others were not there.
    let mut reader = trading.admin.live(&format!("{LIVE}?topics=account"));
    reader.wait(|message| message["kind"] == "view");
    trading.trades_on();
    subscribers(1);
    reader.wait(|message| message["kind"] == "view");
    trading.trades_on();
    let growth = trading.host.resident_bytes().saturating_sub(before);
    assert!(growth < MOST_GROWTH, "{growth} bytes for {SILENT} subscribers that are gone");
    trading.host.stop();
}

/// Announces a file and, once the host is ready to receive it, sends little of it.
fn half_open(trading: &Trading, name: &str) -> Raw {
    let mut connection = Raw::connect(&trading.address);
    let headers = "Content-Length: 1000000\r\nContent-Type: application/wasm\r\nExpect: 100-continue\r\n";
    assert!(connection.send(&trading.request("PUT", &format!("/api/v1/plugins/{name}"), headers)));
    assert!(connection.until("\r\n\r\n").contains(" 100 "));
    assert!(connection.send(b"\0asm"));
    connection
}

#[test]
fn uploads_that_do_not_end_keep_no_one_from_uploading() {
    let trading = trading("100", &[]);
    let mut open: Vec<Raw> = (0..4).map(|number| half_open(&trading, &format!("half{number}"))).collect();
    let mut file = std::fs::read(plugin("breakout")).unwrap();
    file.extend(b"\0\x05\x04note");
    // As many are received as may be; what comes besides is turned away, so that they can't fill the memory.
    let upload = || trading.admin.send("PUT", "/api/v1/plugins/breakout", &[], &file);
    let refused = upload();
    assert_eq!((refused.status, &refused.body["type"]), (429, &json!("urn:bulkhead:problem:busy")));
    drop(open.pop());
    let asked = Instant::now();
    while upload().status != 200 {
        assert!(asked.elapsed() < PATIENCE, "{:?}", upload());
        std::thread::sleep(Duration::from_millis(20));
    }
    // Those that stay are told that it took too long, and nothing of them is kept.
    for mut connection in open {
        assert_eq!(statuses(&connection.rest()), [408]);
    }
    trading.trades_on();
    trading.host.stop();
}
