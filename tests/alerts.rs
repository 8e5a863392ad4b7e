//! Alerts of the real host, at servers that speak what the real ones do: what arrives, how, and what is commanded back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use support::account::Account;
use support::bulkhead;
use support::client::{Client, address, token};
use support::host::Host;
use support::receiver::{MEMBER, Received, Reply, Server, Telegram, now};

/// Secrets that must turn up nowhere.
const SIGNED_WITH: &str = "planted-webhook-secret";
const TOKEN: &str = "123456:planted-bot-token";

const CHAT: i64 = 42;
const OTHER_CHAT: i64 = -43;

fn account(parent: &tempfile::TempDir, settings: &[&str]) -> Account {
    settings.iter().fold(Account::new(parent.path(), "host"), |account, setting| account.with(setting))
}

fn with_webhook(parent: &tempfile::TempDir, url: &str, more: &[&str]) -> Account {
    let url = format!("alerts.webhooks.desk.url={url}");
    let settings = [&[url.as_str(), "alerts.webhooks.desk.secret=env:WEBHOOK_SECRET"], more].concat();
    account(parent, &settings)
}

fn with_telegram(parent: &tempfile::TempDir, telegram: &Telegram, more: &[&str]) -> Account {
    std::fs::write(parent.path().join("token"), format!("{TOKEN}\n")).unwrap();
    let token = format!("alerts.telegram.token=file:{}", parent.path().join("token").display());
    let url = format!("alerts.telegram.url={}", telegram.server.url);
    let chats = format!("alerts.telegram.chats=[{CHAT}, {OTHER_CHAT}]");
    let users = format!("alerts.telegram.users=[{MEMBER}]");
    account(parent, &[&[token.as_str(), &url, &chats, &users], more].concat())
}

fn start(account: &Account, more: &[&str]) -> Host {
    let mut command = bulkhead(&account.directory);
    command.env("WEBHOOK_SECRET", SIGNED_WITH).env("RUST_LOG", "debug");
    // What is for this machine is given to no proxy; nobody is there.
    command.env("ALL_PROXY", "http://127.0.0.1:1");
    command.arg("run").args(account.arguments(&[&["--json", "--speed", "2000"], more].concat()));
    Host::start_command(command)
}

/// Checks the signature as a receiver does.
fn check_signature(request: &Received) {
    let header = &request.headers["bulkhead-signature"];
    let (time, signature) = header.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let age = now() - time.parse::<i64>().unwrap();
    assert!((-5..300).contains(&age), "signed {age} s ago");
    let mut mac = Hmac::<Sha256>::new_from_slice(SIGNED_WITH.as_bytes()).unwrap();
    mac.update(format!("{time}.{}", request.text).as_bytes());
    let bytes: Vec<u8> = (0..signature.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&signature[at..at + 2], 16).unwrap())
        .collect();
    mac.verify_slice(&bytes).unwrap();
}

#[test]
fn a_webhook_is_signed_and_tried_again_under_the_same_number() {
    let parent = tempfile::tempdir().unwrap();
    let tried = AtomicU32::new(0);
    let server = Server::start(move |_| match tried.fetch_add(1, Ordering::Relaxed) {
        0 => Reply { headers: vec![("retry-after", "1".to_owned())], ..Reply::status(503) },
        _ => Reply::status(204),
    });
    let kinds = "alerts.webhooks.desk.kinds=[\"position-opened\", \"position-closed\"]";
    let account = with_webhook(&parent, &format!("{}/hook", server.url), &[kinds]);
    let mut host = start(&account, &[]);
    let (first, second) = (server.next(), server.next());
    assert_eq!(first.path, "/hook");
    assert_eq!(first.headers["bulkhead-delivery"], second.headers["bulkhead-delivery"]);
    assert_eq!(first.body, second.body);
    assert_eq!(first.body["id"], first.headers["bulkhead-delivery"].as_str());
    for request in [&first, &second] {
        check_signature(request);
    }
    let closed = server.wait(|request| request.body["kind"] == "position-closed");
    check_signature(&closed);
    let body = &closed.body;
    let facts = ["version", "account", "instrument", "severity"].map(|key| body[key].to_string());
    assert_eq!(facts, ["1", "\"main\"", "\"A-USD\"", "\"info\""], "{body}");
    assert!(body["text"].as_str().unwrap().contains("PnL"), "{body}");
    assert!(
        body["sequence"].as_u64().unwrap() > 0 && body["time"].as_str().unwrap().ends_with('Z'),
        "{body}"
    );
    assert!(["breakout", "sma-crossover"].contains(&body["strategy"].as_str().unwrap()), "{body}");
    // What was not chosen is not told.
    let halted = account.succeed(&["halt"]);
    assert!(halted.contains("trading is halted"), "{halted}");
    host.wait_for(&["trading halted"]);
    let mut rest = server.unseen();
    let summary = host.stop();
    rest.extend(server.unseen());
    assert!(
        rest.iter().all(|request| request.body["kind"].as_str().unwrap().starts_with("position-")),
        "{rest:?}"
    );
    assert!(summary["accounts"].as_array().is_some_and(|accounts| !accounts.is_empty()), "{summary}");
}

#[test]
fn a_redirect_is_not_followed_and_a_test_says_what_came_of_it() {
    let parent = tempfile::tempdir().unwrap();
    let elsewhere = Server::start(|_| Reply::status(200));
    let target = elsewhere.url.clone();
    let server =
        Server::start(move |_| Reply { headers: vec![("location", target.clone())], ..Reply::status(307) });
    let good = Server::start(|_| Reply::status(200));
    let more = [
        format!("alerts.webhooks.good.url={}", good.url),
        "alerts.webhooks.good.secret=env:WEBHOOK_SECRET".to_owned(),
    ];
    let account = with_webhook(&parent, &server.url, &[&more[0], &more[1]]);
    let run = |arguments: &[&str]| {
        let mut command = bulkhead(&account.directory);
        let output =
            command.env("WEBHOOK_SECRET", SIGNED_WITH).args(account.arguments(arguments)).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), text, String::from_utf8(output.stderr).unwrap())
    };
    let (code, text, complaint) = run(&["alert", "test", "--json"]);
    assert_eq!(code, Some(1), "{text} {complaint}");
    let tests: Value = serde_json::from_str(&text).unwrap();
    let outcome: BTreeMap<&str, bool> = tests
        .as_array()
        .unwrap()
        .iter()
        .map(|test| (test["channel"].as_str().unwrap(), test["delivered"].as_bool().unwrap()))
        .collect();
    assert_eq!(outcome, BTreeMap::from([("webhooks.desk", false), ("webhooks.good", true)]));
    assert!(text.contains("redirects are not followed"), "{text}");
    assert_eq!(good.next().body["kind"], "test");
    assert!(elsewhere.unseen().is_empty());
    let (code, text, _) = run(&["alert", "test", "--channel", "webhooks.good"]);
    assert_eq!((code, text.trim()), (Some(0), "webhooks.good: delivered"));
    let (code, _, complaint) = run(&["alert", "test", "--channel", "pigeon"]);
    assert_eq!(code, Some(2), "{complaint}");
    assert!(complaint.contains("webhooks.desk, webhooks.good"), "{complaint}");
}

#[test]
fn a_channel_that_is_away_keeps_nobody_from_trading_or_from_ending() {
    let parent = tempfile::tempdir().unwrap();
    // Nobody listens there any more.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let account = with_webhook(&parent, &format!("http://{address}"), &[]);
    let mut host = start(&account, &[]);
    host.wait_for(&["an alert was not delivered", "webhooks.desk"]);
    host.wait_for(&["trade closed"]);
    host.terminate();
    host.wait_for(&["the host ended before these alerts were delivered"]);
    let (status, _) = host.end();
    assert!(status.success());
}

#[test]
fn telegram_tells_all_chats_and_waits_when_it_is_told_to() {
    let parent = tempfile::tempdir().unwrap();
    let telegram = Telegram::start(TOKEN, 1);
    let account = with_telegram(&parent, &telegram, &["alerts.telegram.kinds=[\"position-opened\"]"]);
    let mut host = start(&account, &[]);
    host.wait_for(&["an alert was not delivered", "Too Many Requests"]);
    let sent = |chat: i64| {
        move |request: &Received| request.path.ends_with("/sendMessage") && request.body["chat_id"] == chat
    };
    // The first chat was refused once, the second was not: it is told once.
    let refused = telegram.server.wait(sent(CHAT));
    let other = telegram.server.wait(sent(OTHER_CHAT));
    let again = telegram.server.wait(sent(CHAT));
    assert_eq!(refused.body["text"], other.body["text"]);
    assert_eq!(refused.body["text"], again.body["text"]);
    let text = again.body["text"].as_str().unwrap();
    assert!(text.contains("<b>main: position opened</b>") && text.contains("A-USD"), "{text}");
    host.stop();
}

#[test]
fn a_chat_that_wants_to_be_left_alone_keeps_no_other_from_being_told() {
    let parent = tempfile::tempdir().unwrap();
    let telegram = Telegram::start(TOKEN, 0);
    telegram.rest(CHAT);
    let settings = ["alerts.telegram.kinds=[\"trading-halted\", \"trading-resumed\"]"];
    let account = with_telegram(&parent, &telegram, &settings);
    let mut host = start(&account, &[]);
    host.wait_for(&["trade closed"]);
    account.succeed(&["halt", "--reason", "first"]);
    telegram.told(OTHER_CHAT, "first");
    host.wait_for(&["an alert was not delivered", "Too Many Requests"]);
    account.succeed(&["resume"]);
    telegram.told(OTHER_CHAT, "resumed");
    account.succeed(&["halt", "--reason", "second"]);
    telegram.told(OTHER_CHAT, "second");
    host.terminate();
    host.wait_for(&["the host ended before these alerts were delivered"]);
    host.end();
}

/// Writes to a bot, each time under the next number.
struct Writer<'a> {
    telegram: &'a Telegram,
    update: i64,
}

impl Writer<'_> {
    fn write(&mut self, text: &str) {
        self.write_at(CHAT, text, now());
    }

    fn write_at(&mut self, chat: i64, text: &str, date: i64) {
        self.update += 1;
        self.telegram.write_at(self.update, chat, text, date);
    }

    /// What is answered, which has this in it.
    fn ask(&mut self, text: &str, part: &str) -> String {
        self.write(text);
        self.telegram.told(CHAT, part)
    }
}

#[test]
fn telegram_commands_reach_the_engine_once_and_only_from_allowed_chats() {
    let parent = tempfile::tempdir().unwrap();
    let telegram = Telegram::start(TOKEN, 0);
    // A strategy that is off leaves alone what is bought by hand.
    let settings = [
        "alerts.telegram.kinds=[\"trading-halted\"]",
        "slots.momentum.weight=0.25",
        "slots.sma-crossover.weight=0.25",
        "slots.sma-crossover.mode=off",
    ];
    let account = with_telegram(&parent, &telegram, &settings);
    let mut host = start(&account, &[]);
    host.wait_for(&["trade closed"]);
    let mut ann = Writer { telegram: &telegram, update: 0 };
    ann.write_at(666, "/halt", now());
    host.wait_for(&["a Telegram chat that is not in alerts.telegram.chats was ignored", "666"]);
    ann.update += 1;
    telegram.write_as(71, ann.update, OTHER_CHAT, "/halt", now());
    host.wait_for(&["not in alerts.telegram.users", "71"]);
    let status = ann.ask("/status", "equity");
    assert!(status.contains("main: trading") && status.contains("sma-crossover: off"), "{status}");
    // A purchase is asked back, and placed once.
    let question = ann.ask("/buy sma-crossover A-USD 0.5", "Answer yes");
    assert!(question.contains("0.5 A-USD") && question.contains("sma-crossover (main)"), "{question}");
    ann.write_at(OTHER_CHAT, "yes", now());
    telegram.told(OTHER_CHAT, "no question open");
    let placed = ann.ask("yes", "the order to buy");
    assert!(placed.contains("(input "), "{placed}");
    ann.ask("yes", "no question open");
    // What the gate refuses is told with its code and numbers.
    ann.ask("/buy breakout A-USD 200", "Answer yes");
    let refused = ann.ask("/yes@the_bot", "refused");
    assert!(refused.contains("ORDER_TOO_LARGE") && refused.contains("limit="), "{refused}");
    while !ann.ask("/positions", "main:").contains("0.5 A-USD of sma-crossover") {}
    ann.ask("/sell all", "is being sold (input ");
    // What is old is not carried out, unless it stops something.
    ann.write_at(CHAT, "/sell all", now() - 3_600);
    telegram.told(CHAT, "too long ago");
    ann.write_at(CHAT, "/halt the market is odd", now() - 3_600);
    telegram.told(CHAT, "the market is odd");
    ann.ask("/resume", "trading is resumed");
    host.wait_for(&["trading resumed"]);
    host.stop();
    // Everything is given again; nothing is done again.
    let before = requests(&account);
    assert!(before >= 4, "the audit names who asked");
    telegram.forget();
    let mut host = start(&account, &[]);
    let status = ann.ask("/status", "main: ");
    assert!(status.contains("main: trading"), "{status}");
    host.wait_for(&["a command from Telegram", "Status"]);
    host.stop();
    // Even when it is lost which commands were seen.
    let storage = std::fs::read_dir(account.directory.join("storage")).unwrap();
    let kept = storage.map(|entry| entry.unwrap().path());
    let kept: Vec<_> = kept.filter(|path| path.extension().is_some_and(|end| end == "next")).collect();
    assert_eq!(kept.len(), 1);
    std::fs::remove_file(&kept[0]).unwrap();
    let host = start(&account, &[]);
    ann.write("/help");
    // What is given again is answered with what became of it then.
    let again = telegram.told(CHAT, "the order to buy 0.5 A-USD is placed");
    assert_eq!(again, placed);
    let seen = ann.update + 1;
    telegram.server.wait(|request| request.body["offset"].as_i64() == Some(seen));
    host.stop();
    assert_eq!(requests(&account), before, "no command was carried out twice");
}

/// Inputs that somebody asked for through Telegram. What closes a position depends on what is held at the time.
fn requests(account: &Account) -> usize {
    let printed = account.succeed(&["replay", "--print", "--json"]);
    printed.lines().filter(|line| line.contains("telegram:42") && !line.contains("\"close\"")).count()
}

/// A host with its API on a free port, and a client of it with this role.
fn start_served(account: &Account, role: &str) -> (Host, Client) {
    let token = token(account, role);
    let mut command = bulkhead(&account.directory);
    command.env("WEBHOOK_SECRET", SIGNED_WITH).env("BULKHEAD__API__LISTEN", "127.0.0.1:0");
    command.arg("run").args(account.arguments(&["--json", "--speed", "2000"]));
    let mut host = Host::start_command(command);
    let address = address(&mut host);
    (host, Client::new(&address, Some(&token)))
}

const ALERTS: &str = "/api/v1/accounts/main/alerts";

/// The alerts of which something is as wanted.
fn chosen(answer: &Value, wanted: impl Fn(&Value) -> bool) -> Vec<&Value> {
    let items = answer["items"].as_array().unwrap();
    items.iter().filter(|alert| wanted(alert)).collect()
}

fn states(alert: &Value) -> BTreeMap<&str, &str> {
    let deliveries = alert["deliveries"].as_array().unwrap().iter();
    deliveries.map(|one| (one["channel"].as_str().unwrap(), one["state"].as_str().unwrap())).collect()
}

#[test]
fn alerts_are_read_with_what_each_channel_did_with_them() {
    let parent = tempfile::tempdir().unwrap();
    let (good, bad) = (Server::start(|_| Reply::status(204)), Server::start(|_| Reply::status(400)));
    let more = [
        format!("alerts.webhooks.wrong.url={}", bad.url),
        "alerts.webhooks.wrong.secret=env:WEBHOOK_SECRET".to_owned(),
        "alerts.webhooks.wrong.kinds=[\"position-closed\"]".to_owned(),
    ];
    let account = with_webhook(&parent, &good.url, &[&more[0], &more[1], &more[2]]);
    let (host, client) = start_served(&account, "operator");
    // Who makes and delivers alerts is looked after like every other task.
    let metrics = client.get("/metrics").text;
    for task in ["alerts", "alerts-webhooks.desk", "alerts-webhooks.wrong"] {
        let line = format!("bulkhead_task_failures_total{{task=\"{task}\"}} 0");
        assert!(metrics.contains(&line), "{metrics}");
    }
    let closed = |alert: &Value| alert["kind"] == "position-closed" && alert["repetition"] == false;
    let expected = BTreeMap::from([("webhooks.desk", "sent"), ("webhooks.wrong", "failed")]);
    let answer = client.wait(ALERTS, |answer| {
        chosen(answer, |alert| closed(alert) && states(alert) == expected).len() == 1
            && !chosen(answer, |alert| alert["repetition"] == true).is_empty()
    });
    let alert = chosen(&answer, closed)[0];
    let why = alert["deliveries"].as_array().unwrap().iter().find_map(|one| one["why"].as_str());
    assert!(why.unwrap().contains("400"), "{alert}");
    assert_eq!((&alert["severity"], &alert["account"]), (&"info".into(), &"main".into()), "{alert}");
    assert!(alert["text"].as_str().unwrap().contains("PnL"), "{alert}");
    assert!(alert["sequence"].as_u64().unwrap() > 0, "{alert}");
    // One that is held back says so, for the channels that want its kind.
    let repetition = chosen(&answer, |alert| alert["repetition"] == true)[0];
    assert_eq!(states(repetition)["webhooks.desk"], "held-back", "{repetition}");
    // Pages of the newest first.
    let first = client.get(&format!("{ALERTS}?limit=1")).body;
    let next = first["next"].as_str().unwrap();
    let second = client.get(&format!("{ALERTS}?limit=1&after={next}")).body;
    let number = |page: &Value| page["items"][0]["number"].as_u64().unwrap();
    assert!(number(&first) > number(&second), "{first} {second}");
    assert_eq!(number(&first).to_string(), next);
    // The view says that there is something new to be read.
    assert!(client.get("/api/v1/accounts/main/view").body["alerts"].as_u64().unwrap() > 0);
    // A test does what the command does.
    let tested = client.post("/api/v1/alerts/test", "one", &serde_json::json!({}));
    assert_eq!(tested.status, 200, "{tested:?}");
    let delivered: BTreeMap<&str, bool> = tested
        .body
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["channel"].as_str().unwrap(), one["delivered"].as_bool().unwrap()))
        .collect();
    assert_eq!(delivered, BTreeMap::from([("webhooks.desk", true), ("webhooks.wrong", false)]));
    good.wait(|request| request.body["kind"] == "test");
    let one = client.post("/api/v1/alerts/test", "two", &serde_json::json!({ "channel": "webhooks.desk" }));
    assert_eq!(one.body.as_array().unwrap().len(), 1, "{one:?}");
    let unknown = client.post("/api/v1/alerts/test", "three", &serde_json::json!({ "channel": "pager" }));
    assert_eq!(unknown.status, 404, "{unknown:?}");
    assert!(unknown.text.contains("webhooks.desk, webhooks.wrong"), "{unknown:?}");
    assert!(!tested.text.contains("planted") && !client.get(ALERTS).text.contains("planted"));
    host.stop();
}

#[test]
fn alerts_are_kept_where_nobody_is_told() {
    let parent = tempfile::tempdir().unwrap();
    let account = account(&parent, &[]);
    let (host, client) = start_served(&account, "operator");
    let answer =
        client.wait(ALERTS, |answer| !chosen(answer, |one| one["kind"] == "position-closed").is_empty());
    let all = chosen(&answer, |_| true);
    assert!(all.iter().all(|alert| alert["deliveries"] == serde_json::json!([])), "{answer}");
    let tested = client.post("/api/v1/alerts/test", "one", &serde_json::json!({}));
    assert_eq!(tested.status, 404, "{tested:?}");
    assert!(tested.text.contains("nobody is told of anything"), "{tested:?}");
    host.stop();
}

#[test]
fn secrets_turn_up_nowhere() {
    let parent = tempfile::tempdir().unwrap();
    let telegram = Telegram::start("another:token", 0);
    let hook = Server::start(|_| Reply::status(500));
    let url = format!("alerts.webhooks.desk.url={}", hook.url);
    let settings = [url.as_str(), "alerts.webhooks.desk.secret=env:WEBHOOK_SECRET"];
    let account = with_telegram(&parent, &telegram, &settings);
    let mut host = start(&account, &[]);
    host.wait_for(&["commands from Telegram can't be taken", "does not know the bot's token"]);
    host.wait_for(&["an alert was not delivered", "webhooks.desk"]);
    host.wait_for(&["an alert was given up"]);
    host.terminate();
    host.wait_for(&["the host ended before these alerts were delivered"]);
    let configured = account.succeed(&["config"]);
    assert!(configured.contains("env:WEBHOOK_SECRET") && configured.contains("file:"), "{configured}");
    for secret in [SIGNED_WITH, TOKEN, "planted"] {
        assert_eq!(host.count(&[secret]), 0);
        assert!(!configured.contains(secret));
    }
    host.end();
    // A secret in the wrong place is refused and not repeated.
    let other = ["--set", "alerts.webhooks.other.url=https://other.example.org"];
    let secret = format!("alerts.webhooks.other.secret={TOKEN}");
    let complaint = account.fail(&[&["config"], &other[..], &["--set", &secret]].concat());
    assert!(
        complaint.contains("alerts.webhooks.other.secret") && !complaint.contains("planted"),
        "{complaint}"
    );
    // A reference that leads nowhere ends the start, and says which.
    let complaint = account.fail(&["run", "--json"]);
    assert!(
        complaint.contains("alerts.webhooks.desk.secret") && complaint.contains("WEBHOOK_SECRET"),
        "{complaint}"
    );
}
