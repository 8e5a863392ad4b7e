//! Requests made to do harm: each gets a problem and nothing else, none writes a line of its own into the log, and no
//! secret is in anything that is told or logged.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use support::account::Account;
use support::client::{Client, address, named_token, token};
use support::host::Host;
use support::raw::{Raw, exchange, statuses};
use support::{bulkhead, output};

const MAIN: &str = "/api/v1/accounts/main";

fn at(rest: &str) -> String {
    format!("{MAIN}{rest}")
}

/// A host that logs all it can, and a client who may do everything.
fn talkative(settings: &[&str]) -> (tempfile::TempDir, Account, Host, Client, String) {
    let parent = tempfile::tempdir().unwrap();
    let mut account = Account::new(parent.path(), "host").with("api.requests_per_minute=100000");
    for setting in settings {
        account = account.with(setting);
    }
    let secret = token(&account, "admin");
    let mut command = bulkhead(&account.directory);
    command.env("BULKHEAD__API__LISTEN", "127.0.0.1:0").env("RUST_LOG", "debug").arg("run");
    command.args(account.arguments(&["--json", "--speed", "2000"]));
    let mut host = Host::start_command(command);
    let address = address(&mut host);
    host.wait_for(&["trade closed"]);
    let client = Client::new(&address, Some(&secret));
    (parent, account, host, client, secret)
}

/// Every line is an event of the host, which begins with its time.
fn is_whole(log: &[String]) {
    for line in log {
        let begins = line.as_bytes().iter().take(5).map(u8::is_ascii_digit).collect::<Vec<_>>();
        assert_eq!(begins, [true, true, true, true, false], "not a line of the host: {line:?}");
        assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
        assert!(!line.contains("panicked"), "{line}");
    }
    assert!(log.len() > 10, "{log:?}");
}

#[test]
fn paths_lead_to_nothing_outside_and_past_no_door() {
    let (_parent, _account, host, admin, _) = talkative(&[]);
    let outside = [
        "/../Cargo.toml",
        "/../../../../../../etc/passwd",
        "/%2e%2e/%2e%2e/Cargo.toml",
        "/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "//etc/passwd",
        "///etc/passwd",
        "/./etc/passwd",
        "/assets/../../etc/passwd",
        "/assets/..%2f..%2fCargo.toml",
        "/assets/%2e%2e/index.html",
        "/assets//etc/passwd",
        "/..\\..\\Cargo.toml",
        "/%5c..%5c..%5cCargo.toml",
        "/index.html%00.js",
        "/%00",
        "/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
        "/%",
        "/%zz",
        "/bulkhead.toml",
        "/storage/bulkhead.db",
        "file:///etc/passwd",
        "http://elsewhere.example/etc/passwd",
        // To what needs a token, by ways around it.
        "/healthz/../metrics",
        "/healthz/%2e%2e/metrics",
        "//metrics",
        "/metrics/",
        "/METRICS",
        "/api/v1/session/../accounts",
        "/api/v1/session/..%2faccounts",
        "/api/v1//accounts",
        "/api/v1/./accounts",
        "/api/v1/accounts;x=y",
        "/api/v1/accounts%2fmain",
    ];
    for path in outside {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let text = exchange(&admin.address, request.as_bytes());
        assert!(matches!(statuses(&text)[..], [400 | 401 | 404]), "{path}: {text}");
        for held in ["root:", "[workspace]", "SQLite format", "bulkhead_equity", "\"name\":\"main\""] {
            assert!(!text.contains(held), "{path}: {text}");
        }
    }
    for name in
        ["..%2f..%2fetc", "%2e%2e", ".", "%00", "main%00", "%ff", "main%2f..", "a%0d%0aSet-Cookie:x=y"]
    {
        for route in [
            format!("/api/v1/accounts/{name}"),
            format!("/api/v1/accounts/{name}/live"),
            at(&format!("/strategies/{name}")),
            at(&format!("/strategies/{name}/logs?limit=1")),
            at(&format!("/instruments/{name}/bars")),
            at(&format!("/orders/{name}")),
            format!("/api/v1/requests/{name}"),
        ] {
            let answer = admin.get(&route);
            assert!((400..500).contains(&answer.status), "{route}: {answer:?}");
            assert!(answer.cookie.is_none(), "{route}");
            is_problem(&route, &answer.body);
        }
    }
    is_whole(&host.log());
}

fn is_problem(what: &str, body: &Value) {
    assert!(
        body["type"].as_str().is_some_and(|kind| kind.starts_with("urn:bulkhead:problem:")),
        "{what}: {body}"
    );
    assert!(
        body["request_id"].is_string() && body["detail"].as_str().is_some_and(|text| !text.is_empty()),
        "{what}"
    );
}

/// What no body of a request may be.
fn broken_bodies() -> Vec<(&'static str, Vec<u8>)> {
    let deep = |open: &str, close: &str| (open.repeat(10_000) + &close.repeat(10_000)).into_bytes();
    vec![
        ("nothing", Vec::new()),
        ("half an object", b"{".to_vec()),
        ("no JSON", b"reason=x&action=flatten".to_vec()),
        ("no UTF-8", b"{\"reason\":\"\xff\xfe\"}".to_vec()),
        ("a lone surrogate", b"{\"reason\":\"\\ud800\"}".to_vec()),
        ("UTF-16", "{\"reason\":\"x\"}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("NUL bytes", vec![0; 1_000]),
        ("a raw NUL in a text", b"{\"reason\":\"a\0b\"}".to_vec()),
        ("null", b"null".to_vec()),
        ("a list", b"[]".to_vec()),
        ("a text", b"\"x\"".to_vec()),
        ("a number out of range", b"1e999".to_vec()),
        ("lists without end", deep("[", "]")),
        ("objects without end", deep("{\"a\":", "}")),
        ("an unknown key", b"{\"colour\":\"red\"}".to_vec()),
        ("a key like a prototype", b"{\"__proto__\":{\"role\":\"admin\"}}".to_vec()),
        ("two documents", b"{\"reason\":\"x\"}{\"reason\":\"y\"}".to_vec()),
        ("more than is taken", vec![b' '; 64 * 1024 + 1]),
    ]
}

/// Bodies that are taken, each with its route.
fn bodies() -> Vec<(&'static str, String, Value)> {
    let exits = json!({ "stop_loss": 0.1, "breakeven": 0.1, "trailing": 0.1,
        "take_profits": [{ "gain": 0.1, "share": 0.5 }], "max_holding_seconds": 60 });
    let order = json!({ "strategy": "breakout", "instrument": "A-USD", "side": "buy", "quantity": "1",
        "limit_price": "1", "exits": exits });
    vec![
        ("POST", at("/halt"), json!({ "reason": "x", "action": "stop-entries" })),
        ("POST", at("/weights"), json!({ "weights": { "breakout": "0.1" } })),
        ("POST", at("/strategies/breakout/mode"), json!({ "mode": "live" })),
        ("POST", at("/strategies/sma-crossover/parameters"), json!({ "parameters": { "fast": 10 } })),
        ("POST", at("/strategies/breakout/positions/A-USD/exits"), exits.clone()),
        ("POST", at("/orders"), order),
        ("POST", "/api/v1/plugins/breakout/rollback".to_owned(), json!({ "version": "0".repeat(64) })),
        ("POST", "/api/v1/session".to_owned(), json!({ "token": "bulkhead_x:00" })),
        ("POST", "/api/v1/session/challenge".to_owned(), json!({ "address": "0x00" })),
        (
            "POST",
            "/api/v1/session/wallet".to_owned(),
            json!({ "address": "0x00", "message": "x", "signature": "0x00" }),
        ),
        (
            "POST",
            "/api/v1/tokens".to_owned(),
            json!({ "name": "new", "role": "viewer", "account": "main", "expires": "2030-01-01T00:00:00Z" }),
        ),
    ]
}

/// What a value of a body may be replaced with, as it is written: not all of it is JSON that serde would write.
fn hostile_values() -> Vec<String> {
    let texts = [
        "",
        "\0",
        "a\0b",
        "\r\nERROR forged",
        "../../etc/passwd",
        "'; DROP TABLE orders; --",
        "1e999",
        "-1",
        "NaN",
        "99999999999999999999999999999999",
        "0.00000000000000000000000000000000001",
        "\u{202e}\u{feff}\u{1f4a9}",
    ];
    let mut values: Vec<String> = texts.iter().map(|text| json!(text).to_string()).collect();
    values.extend([json!("x".repeat(50_000)).to_string(), json!("9".repeat(50_000)).to_string()]);
    let others = [
        "null",
        "true",
        "[]",
        "{}",
        "[[]]",
        "-1",
        "0",
        "1e999",
        "-1e999",
        "1e-999",
        "1.5e308",
        "NaN",
        "\"a\",\"x\":1",
    ];
    values.extend(others.map(str::to_owned));
    values.extend(
        ["18446744073709551616", "-9223372036854775809", "0.1000000000000000055511151231257827"]
            .map(str::to_owned),
    );
    values.push("9".repeat(400));
    values
}

/// The body with one value replaced at a time, at any depth, with the value's path; and each key twice.
fn variants(body: &Value, hostile: &str) -> Vec<String> {
    fn places(value: &Value, here: &str, into: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let here = format!("{here}/{key}");
                    into.push(here.clone());
                    places(value, &here, into);
                }
            }
            Value::Array(list) => {
                for (number, value) in list.iter().enumerate() {
                    let here = format!("{here}/{number}");
                    into.push(here.clone());
                    places(value, &here, into);
                }
            }
            _ => {}
        }
    }
    const MARK: &str = "\u{1}mark";
    let mut all = Vec::new();
    places(body, "", &mut all);
    all.iter()
        .map(|place| {
            let mut changed = body.clone();
            *changed.pointer_mut(place).unwrap() = json!(MARK);
            changed.to_string().replace(&json!(MARK).to_string(), hostile)
        })
        .collect()
}

#[test]
fn no_body_is_worse_than_refused() {
    let (_parent, account, host, admin, _) = talkative(&[]);
    let asked = std::cell::Cell::new(0);
    let send = |method: &str, path: &str, body: &[u8], kind: &str| {
        asked.set(asked.get() + 1);
        let key = format!("key-{}", asked.get());
        let answer = admin.send(method, path, &[("content-type", kind), ("idempotency-key", &key)], body);
        assert!(
            answer.status < 500,
            "{path} {}: {answer:?}",
            String::from_utf8_lossy(&body[..body.len().min(200)])
        );
        if answer.status >= 400 {
            is_problem(path, &answer.body);
        }
        answer.status
    };
    for (method, path, good) in bodies() {
        for (what, body) in broken_bodies() {
            let status = send(method, &path, &body, "application/json");
            // All of the exits may be left out, so nothing is wrong with an unknown key but the key.
            assert!((400..500).contains(&status), "{path} {what}: {status}");
        }
        for kind in
            ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", ""]
        {
            let status = send(method, &path, good.to_string().as_bytes(), kind);
            assert!(status < 500, "{path} as {kind}: {status}");
        }
        let twice = good.to_string().replacen('{', &good.to_string().replacen('}', ",", 1), 1);
        assert!(
            (400..500).contains(&send(method, &path, twice.as_bytes(), "application/json")),
            "{path}: {twice}"
        );
        for hostile in hostile_values() {
            for body in variants(&good, &hostile) {
                send(method, &path, body.as_bytes(), "application/json");
            }
        }
    }
    assert!(asked.get() > 1_000, "{asked:?}");
    for name in ["breakout", "..%2fup", "%00", "x"] {
        for file in
            [&b""[..], b"\0asm", b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0", b"PK\x03\x04", &[0xff; 1_000]]
        {
            let status = send("PUT", &format!("/api/v1/plugins/{name}"), file, "application/wasm");
            assert!((400..500).contains(&status), "{name} {file:?}: {status}");
        }
    }
    for headers in [
        &[("idempotency-key", "")][..],
        &[("idempotency-key", &*"k".repeat(1_000))],
        &[("content-encoding", "gzip"), ("idempotency-key", "zip")],
        &[("expect", "the unexpected"), ("idempotency-key", "expected")],
        &[("range", "bytes=0-99999999999"), ("idempotency-key", "range")],
        &[("authorization", "Bearer \u{fc}"), ("idempotency-key", "twice")],
        &[("cookie", &*"bulkhead_session=x;".repeat(1_000)), ("idempotency-key", "cookies")],
        &[("origin", "null"), ("idempotency-key", "origin")],
        &[("x-http-method-override", "DELETE"), ("idempotency-key", "override")],
    ] {
        let answer = admin.send("POST", &at("/halt"), headers, b"{}");
        assert!((400..500).contains(&answer.status), "{headers:?}: {answer:?}");
    }
    for query in [
        "limit=1e999",
        "limit=-1",
        "limit=%00",
        "after=%ff",
        "after=1.1.1",
        "from=9999999-01-01",
        "status=%0d%0a",
        "x[]=1",
        "&&&===",
        "limit=1&limit=2",
    ] {
        for list in ["/orders", "/fills", "/trades", "/equity", "/audit"] {
            let answer = admin.get(&at(&format!("{list}?{query}")));
            assert!((400..500).contains(&answer.status), "{list}?{query}: {answer:?}");
        }
    }
    // What was carried out of all this is in the journal, and replays.
    assert_eq!(admin.get("/healthz").status, 200);
    is_whole(&host.log());
    assert_eq!(account.json(&["replay", "--json"])["agrees"], true);
}

#[test]
fn no_word_of_a_stranger_begins_a_line_of_the_log() {
    const FORGED: &str = "x\r\n2026-01-01T00:00:00.000000Z ERROR all is lost\u{1b}[2J\u{85}\0";
    const IN_A_PATH: &str = "x%0d%0a2026-01-01T00:00:00.000000Z%20ERROR%20all%20is%20lost%1b%5b2J%00";
    let (_parent, account, mut host, admin, _) = talkative(&[]);
    let answer = admin.post(&at("/halt"), "one", &json!({ "reason": FORGED }));
    assert_eq!(answer.status, 200, "it is a reason like any other: {answer:?}");
    host.wait_for(&["trading halted", "all is lost"]);
    assert_eq!(admin.post(&at("/resume"), "two", &json!({})).status, 200);
    for (path, body) in [
        (at("/halt"), json!({ FORGED: FORGED })),
        (at("/weights"), json!({ "weights": { FORGED: "0.1" } })),
        (at("/strategies/sma-crossover/parameters"), json!({ "parameters": { FORGED: FORGED } })),
        (
            at("/orders"),
            json!({ "strategy": FORGED, "instrument": FORGED, "side": "buy", "quantity": FORGED }),
        ),
        ("/api/v1/session".to_owned(), json!({ "token": FORGED })),
        ("/api/v1/session".to_owned(), json!({ "token": format!("bulkhead_{FORGED}:{}", "0".repeat(64)) })),
        ("/api/v1/tokens".to_owned(), json!({ "name": FORGED, "role": FORGED })),
        (format!("/api/v1/accounts/{IN_A_PATH}/halt"), json!({ "reason": FORGED })),
        (at(&format!("/strategies/{IN_A_PATH}/remove")), json!({})),
        (at(&format!("/orders/{IN_A_PATH}/cancel")), json!({})),
        (format!("/api/v1/plugins/{IN_A_PATH}/rollback"), json!({ "version": FORGED })),
    ] {
        let answer = admin.post(&path, &format!("key of {path}")[..20], &body);
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
    }
    for path in [
        at(&format!("/orders?status={IN_A_PATH}")),
        format!("/{IN_A_PATH}"),
        format!("/api/v1/{IN_A_PATH}?{IN_A_PATH}"),
    ] {
        assert!((400..500).contains(&admin.get(&path).status), "{path}");
    }
    assert_eq!(admin.send("DELETE", &format!("/api/v1/tokens/{IN_A_PATH}"), &[], &[]).status, 404);
    // A method, a version and headers that are no such thing.
    for request in [
        "FORGED\u{1b}[2J / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "GET / ERROR/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nUser-Agent: x\u{1b}[2J\r\nConnection: close\r\n\r\n"
            .to_owned(),
        format!(
            "GET /healthz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            FORGED.replace("\r\n", "\n ")
        ),
    ] {
        exchange(&admin.address, request.as_bytes());
    }
    let log = host.log();
    is_whole(&log);
    assert!(log.iter().any(|line| line.contains("all is lost")), "it is told, and harmless");
    assert_eq!(account.json(&["replay", "--json"])["agrees"], true);
}

/// A certificate for this machine alone, with its key, in files.
fn certificate(directory: &Path) -> rcgen::CertifiedKey<rcgen::KeyPair> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(directory.join("chain.pem"), made.cert.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made
}

#[test]
fn an_encrypted_api_speaks_to_no_one_in_the_clear() {
    use std::io::{Read as _, Write as _};
    let folder = tempfile::tempdir().unwrap();
    let made = certificate(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let chain = format!("api.certificate={}", path("chain.pem"));
    let key = format!("api.certificate_key={}", path("key.pem"));
    let (_parent, _account, host, admin, secret) = talkative(&[&chain, &key]);

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let config = Arc::new(config);
    let connect = || {
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let connection = rustls::ClientConnection::new(Arc::clone(&config), name).unwrap();
        rustls::StreamOwned::new(connection, Raw::connect(&admin.address).0)
    };
    let mut encrypted = connect();
    let request = format!(
        "GET {MAIN} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\nConnection: close\r\n\r\n"
    );
    encrypted.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    encrypted.read_to_string(&mut text).unwrap();
    assert_eq!(statuses(&text), [200], "{text}");
    assert!(text.contains("strict-transport-security: max-age="), "{text}");
    assert_eq!(encrypted.conn.alpn_protocol(), Some(&b"http/1.1"[..]));

    let mut other = connect();
    other.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut bytes = Vec::new();
    // It need not say good-bye.
    drop(other.read_to_end(&mut bytes));
    assert_eq!(bytes, b"", "HTTP/2 is spoken to who does not ask");

    let clear = exchange(&admin.address, request.as_bytes());
    assert!(!clear.contains("HTTP/1.1"), "{clear}");
    assert!(!clear.contains(MAIN), "{clear}");
    is_whole(&host.log());
}

#[test]
fn a_certificate_that_can_not_be_used_is_said_by_its_file() {
    let parent = tempfile::tempdir().unwrap();
    certificate(parent.path());
    std::fs::write(parent.path().join("empty.pem"), "").unwrap();
    let path = |name: &str| parent.path().join(name).display().to_string();
    for (chain, key, named) in [
        ("chain.pem", "gone.pem", "gone.pem"),
        ("gone.pem", "key.pem", "gone.pem"),
        ("empty.pem", "key.pem", "empty.pem"),
        ("chain.pem", "empty.pem", "empty.pem"),
    ] {
        let account = Account::new(parent.path(), "host")
            .with(&format!("api.certificate={}", path(chain)))
            .with(&format!("api.certificate_key={}", path(key)));
        let mut command = bulkhead(&account.directory);
        command.env("BULKHEAD__API__LISTEN", "127.0.0.1:0").arg("run");
        command.args(account.arguments(&["--json", "--speed", "2000"]));
        let mut host = Host::start_command(command);
        host.wait_for(&["task", "api", &path(named), "can't be used"]);
        // The account is not kept waiting by it.
        host.wait_for(&["trade closed"]);
        host.stop();
    }
}

#[test]
fn pages_of_other_origins_are_let_in_by_name_only() {
    let (_parent, _account, host, admin, _) = talkative(&["api.origins=[\"https://desk.example.org\"]"]);
    let preflight = |origin: &str| {
        exchange(
            &admin.address,
            format!(
                "OPTIONS {MAIN}/halt HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\
                 Access-Control-Request-Headers: authorization,idempotency-key,content-type\r\nConnection: close\r\n\r\n"
            )
            .as_bytes(),
        )
    };
    let allowed = preflight("https://desk.example.org");
    assert!(allowed.contains("access-control-allow-origin: https://desk.example.org\r\n"), "{allowed}");
    for header in ["authorization", "idempotency-key", "content-type"] {
        let line = allowed.lines().find(|line| line.starts_with("access-control-allow-headers:")).unwrap();
        assert!(line.contains(header), "{line}");
    }
    assert!(!allowed.contains("access-control-allow-credentials"), "cookies are for this host's own pages");
    for foreign in [
        "https://evil.example.org",
        "http://desk.example.org",
        "https://desk.example.org.evil.example",
        "https://desk.example.org:8443",
        "https://DESK.example.org",
        "null",
        "*",
    ] {
        let refused = preflight(foreign);
        assert!(!refused.contains("access-control-allow-origin"), "{foreign}: {refused}");
    }
    host.stop();
}

#[test]
fn no_secret_is_told_or_logged() {
    let (_parent, account, host, admin, secret) = talkative(&[]);
    let mut secrets = vec![secret];
    secrets.push(named_token(&account, "other", "operator", &[]));
    let made = admin.post("/api/v1/tokens", "one", &json!({ "name": "third", "role": "viewer" }));
    secrets.push(made.body["secret"].as_str().unwrap().to_owned());
    let login = json!({ "token": secrets[1] }).to_string();
    let browser = Client::new(&admin.address, None);
    let answer =
        browser.send("POST", "/api/v1/session", &[("content-type", "application/json")], login.as_bytes());
    let cookie = answer.cookie.unwrap();
    let session = cookie.split(['=', ';']).nth(1).unwrap().to_owned();
    assert_eq!(session.len(), 64, "{cookie}");
    let cookies = format!("bulkhead_session={session}");
    assert_eq!(browser.send("GET", MAIN, &[("cookie", &cookies)], &[]).status, 200);
    let mut live = admin.live(&at("/live"));
    let hello = live.next().unwrap();
    assert_eq!(hello["kind"], "hello");
    live.next().unwrap();

    let mut told = vec![answer.text];
    let document = admin.get("/api/v1/openapi.json").body;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path
            .replace("{account}", "main")
            .replace("{strategy}", "breakout")
            .replace("{instrument}", "A-USD");
        let path = path
            .replace("{order}", "1")
            .replace("{request}", "1")
            .replace("{plugin}", "p")
            .replace("{token}", "t");
        if methods.get("get").is_some() && !path.ends_with("/events") {
            told.push(admin.get(&path).text);
        }
        if methods.get("post").is_some() {
            // With the secrets where they do not belong.
            for (secret, key) in secrets.iter().zip(["a", "b", "c"]) {
                let body = json!({ "token": format!("{secret}x"), "password": secret });
                let answer = admin.post(&path, key, &body);
                assert!(answer.status < 500, "{path}");
            }
        }
    }
    assert!(told.len() > 20, "{}", told.len());
    assert!(told.iter().any(|text| text.contains("bulkhead_equity{")));
    told.push(account.succeed(&["token", "list"]));
    let wrong = Client::new(&admin.address, Some(&format!("{}0", secrets[0])));
    told.push(wrong.get(MAIN).text);
    told.extend(host.log());
    secrets.push(session);
    for secret in &secrets {
        let bits = secret.rsplit(':').next().unwrap();
        assert_eq!(bits.len(), 64);
        for text in &told {
            assert!(!text.contains(bits), "{text}");
        }
    }
}

/// The host can't reach this database, and says so without the password.
#[test]
fn the_password_of_a_database_is_in_no_complaint() {
    const PASSWORD: &str = "planted-hunter2";
    let directory = tempfile::tempdir().unwrap();
    support::strategies(directory.path(), &["breakout"]);
    let database = format!("--set=journal.database=postgres://ann:{PASSWORD}@127.0.0.1:1/fund");
    for command in [
        &["run", "--json"][..],
        &["token", "list"],
        &["token", "create", "--name", "x", "--role", "viewer"],
        &["db", "status"],
        &["halt", "--reason", "x"],
        &["replay"],
        &["config"],
    ] {
        let arguments: Vec<&str> = command.iter().copied().chain([database.as_str()]).collect();
        let mut command = bulkhead(directory.path());
        let output = command.env("RUST_LOG", "debug").args(&arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains(PASSWORD), "{arguments:?}: {text}");
        assert!(!text.is_empty(), "{arguments:?}");
    }
    let bad = format!("--set=journal.database=postgres://ann:{PASSWORD}/x@127.0.0.1:1/fund");
    let complaint = output(directory.path(), &["run", &bad]);
    assert!(!String::from_utf8_lossy(&complaint.stderr).contains(PASSWORD));
}
