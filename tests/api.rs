//! The admin API of the real host: who may do what, that changes reach the engine, that what is told is true.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::net::TcpListener;

use serde_json::{Value, json};
use support::account::Account;
use support::client::{Client, halt, named_token, start, token};
use support::host::Host;
use support::{another_version, bulkhead, plugin};

const MAIN: &str = "/api/v1/accounts/main";

fn at(rest: &str) -> String {
    format!("{MAIN}{rest}")
}

/// A host that has traded and goes on, and a client who may do everything.
fn trading() -> (tempfile::TempDir, Account, Host, Client) {
    let parent = tempfile::tempdir().unwrap();
    let account = Account::new(parent.path(), "host");
    let admin = token(&account, "admin");
    let (mut host, address) = start(&account, &["--speed", "2000"]);
    host.wait_for(&["trade closed"]);
    let client = Client::new(&address, Some(&admin));
    (parent, account, host, client)
}

#[test]
fn a_halt_through_the_api_reaches_the_engine_once_and_is_lifted_again() {
    let (_parent, account, host, admin) = trading();
    let asked = admin.post(&at("/halt"), "one", &halt());
    assert_eq!((asked.status, &asked.body["state"]), (200, &json!("applied")), "{asked:?}");
    assert!(asked.body["sequence"].as_u64().unwrap() > 0);
    let again = admin.post(&at("/halt"), "one", &halt());
    assert_eq!(again.body, asked.body, "the same request under the same key is the same");
    let other = admin.post(&at("/halt"), "one", &json!({ "reason": "another" }));
    assert_eq!(
        (other.status, &other.body["type"]),
        (409, &json!("urn:bulkhead:problem:idempotency-key-reused"))
    );
    let view = admin.wait(&at("/view"), |view| view["halted"].is_object());
    assert_eq!(view["halted"]["reason"], "a test wants it");
    assert_eq!(view["halted"]["actor"], "admin");
    assert_eq!(admin.get(MAIN).body["account"]["halted"], "a test wants it");
    let request = admin.get(&format!("/api/v1/requests/{}", asked.body["request"]));
    assert_eq!(request.body, asked.body);
    assert_eq!(admin.post(&at("/resume"), "two", &json!({})).status, 200);
    admin.wait(&at("/view"), |view| view["halted"].is_null());
    let audit = admin.get(&at("/audit")).body;
    let by_admin = audit["items"].as_array().unwrap().iter().filter(|entry| entry["actor"] == "admin");
    assert!(by_admin.count() >= 2, "{audit}");
    host.stop();
    assert_eq!(account.json(&["replay", "--json"])["agrees"], true);
}

#[test]
fn a_change_that_the_engine_refuses_is_refused_with_its_reason() {
    let (_parent, _account, host, admin) = trading();
    let path = at("/weights");
    let weights = |weights: Value| json!({ "weights": weights });
    let changed = admin.post(&path, "one", &weights(json!({ "breakout": "0.4" })));
    assert_eq!(changed.status, 200, "{changed:?}");
    let strategy = admin.get(&at("/strategies/breakout")).body;
    assert_eq!(strategy["weight"], "0.4", "{strategy}");
    let refused = admin.post(&path, "two", &weights(json!({ "breakout": "0.9", "sma-crossover": "0.9" })));
    assert_eq!((refused.status, &refused.body["type"]), (422, &json!("urn:bulkhead:problem:refused")));
    assert!(refused.body["detail"].as_str().unwrap().contains("1.8"), "{refused:?}");
    let unknown = admin.post(&path, "three", &weights(json!({ "nobody": "0.1" })));
    assert_eq!(unknown.status, 404, "{unknown:?}");
    let off = admin.post(&at("/strategies/sma-crossover/mode"), "four", &json!({ "mode": "off" }));
    assert_eq!(off.status, 200, "{off:?}");
    let running = admin.post(&at("/strategies/breakout/release"), "five", &json!({}));
    assert_eq!(running.status, 422, "{running:?}");
    host.stop();
}

#[test]
fn what_was_traded_is_told_in_pages_and_by_filter() {
    let (_parent, _account, host, admin) = trading();
    admin.wait(&at("/orders?limit=1000"), |orders| orders["items"].as_array().unwrap().len() > 4);
    // What is told must not move on meanwhile.
    assert_eq!(admin.post(&at("/halt"), "one", &json!({ "reason": "x", "action": "flatten" })).status, 200);
    admin.wait(&at("/view"), |view| view["positions"] == json!([]) && view["working_orders"] == 0);
    let mut ids = Vec::new();
    let mut after = String::new();
    loop {
        let page = admin.get(&at(&format!("/orders?limit=2{after}"))).body;
        let items = page["items"].as_array().unwrap();
        ids.extend(items.iter().map(|order| order["id"].as_u64().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        assert_eq!(items.len(), 2);
        after = format!("&after={next}");
    }
    assert!(ids.len() > 2, "{ids:?}");
    assert!(ids.is_sorted_by(|newer, older| newer > older), "newest first, each once: {ids:?}");
    let sold = admin.get(&at("/orders?status=filled&strategy=breakout&limit=1000")).body;
    let sold = sold["items"].as_array().unwrap();
    assert!(!sold.is_empty());
    assert!(sold.iter().all(|order| order["status"] == "filled" && order["strategy"] == "breakout"));
    let order = admin.get(&at(&format!("/orders/{}", sold[0]["id"]))).body;
    let states: Vec<&str> = order["transitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["status"].as_str().unwrap())
        .collect();
    assert_eq!(states.last(), Some(&"filled"), "{order}");
    assert_eq!(order["fills"][0]["order"], sold[0]["id"]);
    for list in ["/fills", "/trades", "/equity", "/settings", "/audit"] {
        let answer = admin.get(&at(list));
        assert!(!answer.body["items"].as_array().unwrap().is_empty(), "{list}: {answer:?}");
    }
    let bars = admin.get(&at("/instruments/A-USD/bars?limit=1000")).body;
    let bars = bars["items"].as_array().unwrap().len();
    let longer = admin.get(&at("/instruments/A-USD/bars?interval_seconds=300&limit=1000")).body;
    let longer = longer["items"].as_array().unwrap();
    assert!(bars > longer.len() && longer.len() > 1, "{bars} {}", longer.len());
    assert_eq!(longer[0]["interval_seconds"], 300.0);
    let parameters = admin.get(&at("/strategies/sma-crossover/parameters")).body;
    assert!(
        parameters["parameters"].as_array().unwrap().iter().any(|one| one["name"] == "fast"),
        "{parameters}"
    );
    let metrics = admin.get("/metrics").text;
    for figure in
        ["bulkhead_equity{account=\"main\"}", "bulkhead_halted{account=\"main\"} 1", "bulkhead_fills_total"]
    {
        assert!(metrics.contains(figure), "{figure} in {metrics}");
    }
    // What the calls of strategies cost, in the metrics and in every document of a strategy.
    let sample = |name: &str, labels: &str| -> f64 {
        let start = format!("{name}{{account=\"main\",strategy=\"breakout\"{labels}}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("{start} in {metrics}")).parse().unwrap()
    };
    let (calls, fuel) =
        (sample("bulkhead_strategy_calls_total", ""), sample("bulkhead_strategy_fuel_total", ""));
    assert!(calls > 0.0 && fuel > calls, "{calls} calls, {fuel} fuel");
    let timed = sample("bulkhead_strategy_call_seconds_count", "");
    assert!(timed > 0.0 && timed <= calls, "{timed} of {calls}");
    assert!(sample("bulkhead_strategy_call_seconds_bucket", ",le=\"+Inf\"") >= timed);
    let strategy = admin.get(&at("/strategies/breakout")).body;
    let listed = admin.get(&at("/strategies")).body;
    let viewed = admin.get(&at("/view")).body["strategies"].clone();
    let named = |list: &Value| {
        list.as_array().unwrap().iter().find(|strategy| strategy["name"] == "breakout").unwrap().clone()
    };
    for told in [&strategy, &named(&listed), &named(&viewed)] {
        assert!(told["calls"].as_u64().unwrap() > 0, "{told}");
        let fuel = |key: &str| told["fuel"][key].as_u64().unwrap();
        assert!(fuel("last") > 0 && fuel("last") <= fuel("most") && fuel("most") <= fuel("total"), "{told}");
        assert!(fuel("most") <= fuel("budget"), "{told}");
        let latency = |key: &str| told["latency"][key].as_f64().unwrap();
        assert!(latency("timed") > 0.0 && latency("p50_seconds") > 0.0, "{told}");
        assert!(latency("p50_seconds") <= latency("p99_seconds"), "{told}");
        assert!(latency("p99_seconds") <= latency("longest_seconds"), "{told}");
    }
    host.stop();
}

#[test]
fn nobody_gets_in_without_a_token_that_is_good_for_it() {
    let (_parent, account, host, admin) = trading();
    let with = |token: Option<&str>| Client::new(&admin.address, token);
    let viewer = token(&account, "viewer");
    assert_eq!(with(None).get(MAIN).status, 401);
    assert_eq!(with(None).get("/healthz").status, 200);
    assert_eq!(with(None).get("/readyz").status, 200);
    assert_eq!(with(Some(&viewer.replace("viewer", "admin"))).get(MAIN).status, 401);
    assert_eq!(with(Some(&viewer)).get(MAIN).status, 200);
    let forbidden = with(Some(&viewer)).post(&at("/halt"), "one", &halt());
    assert_eq!((forbidden.status, &forbidden.body["type"]), (403, &json!("urn:bulkhead:problem:forbidden")));
    let scoped = named_token(&account, "of-main", "admin", &["--account", "main"]);
    assert_eq!(with(Some(&scoped)).get(MAIN).status, 200);
    assert_eq!(with(Some(&scoped)).get("/api/v1/tokens").status, 403);
    account.succeed(&["token", "revoke", "viewer"]);
    assert_eq!(with(Some(&viewer)).get(MAIN).status, 401);
    let made = admin.post("/api/v1/tokens", "two", &json!({ "name": "short", "role": "viewer" }));
    assert_eq!(made.status, 201, "{made:?}");
    let short = made.body["secret"].as_str().unwrap();
    assert_eq!(with(Some(short)).get(MAIN).status, 200);
    assert_eq!(admin.send("DELETE", "/api/v1/tokens/short", &[], &[]).status, 204);
    assert_eq!(with(Some(short)).get(MAIN).status, 401);
    // Nothing that is told or logged holds a secret.
    let listed = admin.get("/api/v1/tokens").text + &account.succeed(&["token", "list"]);
    for secret in [&viewer, &scoped] {
        let bits = secret.split_once(':').unwrap().1;
        assert!(!listed.contains(bits), "{listed}");
        assert_eq!(host.count(&[bits]), 0);
    }
    host.stop();
}

#[test]
fn a_browser_gets_a_cookie_for_its_token_and_other_pages_can_not_use_it() {
    let (_parent, account, host, admin) = trading();
    let secret = token(&account, "operator");
    let browser = Client::new(&admin.address, None);
    let login = |token: &str| {
        let body = json!({ "token": token }).to_string();
        browser.send("POST", "/api/v1/session", &[("content-type", "application/json")], body.as_bytes())
    };
    assert_eq!(login("bulkhead_operator:00").status, 401);
    let misplaced = json!(secret).to_string();
    let headers = [("content-type", "application/json")];
    let refused = browser.send("POST", "/api/v1/session", &headers, misplaced.as_bytes());
    assert_eq!(refused.status, 400);
    assert!(!refused.text.contains(&secret), "{refused:?}");
    let answer = login(&secret);
    assert_eq!((answer.status, &answer.body["role"]), (200, &json!("operator")));
    let cookie = answer.cookie.unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    assert!(!cookie.contains(secret.split_once(':').unwrap().1), "the token itself stays out of it");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let ask = |method: &str, path: &str, origin: &str| {
        let headers = [
            ("cookie", cookie.as_str()),
            ("origin", origin),
            ("content-type", "application/json"),
            ("idempotency-key", "one"),
        ];
        browser.send(method, path, &headers, halt().to_string().as_bytes()).status
    };
    let own = format!("http://{}", admin.address);
    assert_eq!(ask("POST", &at("/halt"), "https://evil.example.org"), 403);
    assert_eq!(ask("POST", &at("/halt"), &own), 200);
    let headers = [("cookie", cookie.clone()), ("origin", own.clone())];
    let mut live = browser.live_with(&at("/live?topics=account"), &headers);
    assert_eq!(live.next().unwrap()["kind"], "hello");
    assert_eq!(ask("DELETE", "/api/v1/session", &own), 204);
    assert_eq!(live.closed(), 4001, "logging out ends what was opened with the cookie");
    assert_eq!(ask("POST", &at("/halt"), &own), 401);
    host.stop();
}

#[test]
fn a_page_that_gives_its_name_the_hosts_address_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let account = Account::new(parent.path(), "host").with("api.hosts=[\"desk.example.org\"]");
    let (host, address) = start(&account, &[]);
    let client = Client::new(&address, None);
    let ask = |name: &str| client.send("GET", "/healthz", &[("host", name)], &[]);
    let viewer = Client::new(&address, Some(&token(&account, "viewer")));
    let status = viewer.get("/api/v1/host").body;
    assert_eq!((&status["mode"], &status["accounts"]), (&json!("paper"), &json!(["main"])), "{status}");
    for own in ["localhost", "desk.example.org:7373", &address] {
        assert_eq!(ask(own).status, 200, "{own}");
    }
    let refused = ask("evil.example.org");
    let kind = json!("urn:bulkhead:problem:misdirected");
    assert_eq!((refused.status, &refused.body["type"]), (421, &kind), "{refused:?}");
    host.stop();
}

#[test]
fn what_happens_is_told_as_it_happens_and_goes_on_after_a_drop() {
    let (_parent, account, host, admin) = trading();
    let mut live = admin.live(&at("/live"));
    let hello = live.next().unwrap();
    assert_eq!((&hello["kind"], &hello["resumed"]), (&json!("hello"), &json!(false)));
    assert_eq!(live.next().unwrap()["kind"], "snapshot");
    let view = live.wait(|message| message["kind"] == "view");
    assert!(view["view"]["equity"].is_string(), "{view}");
    live.wait(|message| message["kind"] == "bars");
    let last = live.wait(|message| message["topic"] == "fills");
    drop(live);
    // Meanwhile something happens.
    assert_eq!(admin.post(&at("/halt"), "one", &halt()).status, 200);
    let stream = hello["stream"].as_str().unwrap();
    let after = last["sequence"].as_u64().unwrap();
    let mut live = admin.live(&at(&format!("/live?topics=account,fills&stream={stream}&after={after}")));
    let hello = live.next().unwrap();
    assert_eq!((&hello["resumed"], &hello["topics"]), (&json!(true), &json!(["account", "fills"])));
    let mut newest = after;
    let state = live.wait(|message| {
        if let Some(previous) = message["previous"].as_u64() {
            assert!(previous <= newest || message["topic"] != "fills", "nothing is missing before {message}");
            newest = newest.max(message["sequence"].as_u64().unwrap());
        }
        message["event"]["kind"] == "trading-state"
    });
    assert_eq!(state["event"]["halted"], true);
    assert_eq!(state["event"]["actor"], "admin");
    // A token that is taken back ends what was opened with it.
    account.succeed(&["token", "revoke", "admin"]);
    assert_eq!(live.closed(), 4001);
    host.stop();
}

#[test]
fn a_client_that_sends_without_end_is_dropped_and_trading_goes_on() {
    let (_parent, _account, mut host, admin) = trading();
    let mut live = admin.live(&at("/live?topics=account"));
    for _ in 0..200 {
        if live.0.send(tungstenite::Message::Ping(Vec::new().into())).is_err() {
            break;
        }
    }
    assert_eq!(live.closed(), 1008);
    host.wait_for(&["fill"]);
    host.stop();
}

#[test]
fn simple_clients_are_told_by_server_sent_events() {
    use std::io::{BufRead as _, BufReader};
    let (_parent, account, host, admin) = trading();
    let secret = token(&account, "viewer");
    let agent = ureq::Agent::new_with_defaults();
    let url = format!("http://{}{}", admin.address, at("/events?topics=fills,account"));
    let response = agent.get(url).header("authorization", format!("Bearer {secret}")).call().unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut lines = BufReader::new(response.into_body().into_reader()).lines().map_while(Result::ok);
    assert!(lines.next().unwrap().contains("\"kind\":\"hello\""));
    let id = lines.find(|line| line.starts_with("id: ")).unwrap();
    assert!(id.contains('.'), "{id}");
    host.stop();
}

#[test]
fn a_plugin_is_uploaded_refused_and_rolled_back() {
    let (_parent, account, mut host, admin) = trading();
    let mut file = std::fs::read(plugin("breakout")).unwrap();
    // A custom section that says "note": another file, and the same strategy.
    file.extend(b"\0\x05\x04note");
    let put = |name: &str, file: &[u8]| admin.send("PUT", &format!("/api/v1/plugins/{name}"), &[], file);
    let broken = put("breakout", b"\0asm and nothing else");
    assert_eq!((broken.status, &broken.body["type"]), (422, &json!("urn:bulkhead:problem:plugin-refused")));
    for name in [".hidden", "..%2Fup", "a%2Fb", "%00"] {
        assert_eq!(put(name, &file).status, 400, "{name}");
    }
    let large = vec![0; 17 * 1024 * 1024];
    // Who asks first is spared sending it.
    let asks_first = [("expect", "100-continue")];
    assert_eq!(admin.send("PUT", "/api/v1/plugins/large", &asks_first, &large).status, 413);
    let before = admin.get(&at("/strategies/breakout")).body["version"].clone();
    let installed = put("breakout", &file);
    assert_eq!(installed.status, 200, "{installed:?}");
    host.wait_for(&["strategy replaced", "breakout"]);
    let version = installed.body["hash"].as_str().unwrap();
    admin.wait(&at("/strategies/breakout"), |strategy| strategy["version"] == version);
    let back = admin.post("/api/v1/plugins/breakout/rollback", "one", &json!({ "version": before }));
    assert_eq!(back.status, 200, "{back:?}");
    admin.wait(&at("/strategies/breakout"), |strategy| strategy["version"] == before);
    let unknown = "0".repeat(64);
    let unknown = admin.post("/api/v1/plugins/breakout/rollback", "two", &json!({ "version": unknown }));
    assert_eq!(unknown.status, 404);
    let stray = std::fs::read_dir(account.directory.join("strategies")).unwrap();
    assert_eq!(stray.count(), 2, "no part of a file is left behind");
    host.stop();
}

/// Who did this to the slot, newest first.
fn who(client: &Client, action: &str, slot: &str) -> Vec<String> {
    let audit = client.get(&at("/audit?limit=1000")).body;
    let rows = audit["items"].as_array().unwrap().iter();
    let rows = rows.filter(|row| row["action"] == action && row["subject"] == slot);
    rows.map(|row| row["actor"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_comes_of_an_upload_is_audited_under_the_uploaders_name() {
    const DIRECTORY: &str = "host: strategies directory";

    let (_parent, account, host, admin) = trading();
    let ops = Client::new(&admin.address, Some(&named_token(&account, "ops", "operator", &[])));
    let files = account.directory.join("strategies");
    let runs = |slot: &str, version: &Value| {
        admin.wait(&at(&format!("/strategies/{slot}")), |strategy| {
            strategy["version"] == *version && strategy["status"] == "running"
        });
    };
    let old = admin.get(&at("/strategies/breakout")).body["version"].clone();
    let new = another_version("breakout");

    let answer = ops.send("PUT", "/api/v1/plugins/breakout", &[], &new);
    let version = answer.body["hash"].clone();
    runs("breakout", &version);
    assert_eq!(who(&admin, "replace", "breakout"), ["ops"]);
    let back = admin.post("/api/v1/plugins/breakout/rollback", "back", &json!({ "version": old }));
    assert_eq!(back.status, 200, "{back:?}");
    runs("breakout", &old);
    assert_eq!(who(&admin, "replace", "breakout"), ["admin", "ops"]);
    // What ops uploaded, now copied in by hand.
    std::fs::write(files.join("breakout.wasm"), &new).unwrap();
    runs("breakout", &version);
    assert_eq!(who(&admin, "replace", "breakout"), [DIRECTORY, "admin", "ops"]);

    // A slot that is new begins in the name of who brought it, and stays removed for who removed it.
    ops.send("PUT", "/api/v1/plugins/second", &[], &new);
    runs("second", &version);
    assert_eq!(who(&admin, "deploy", "second"), ["ops"]);
    let removed = admin.post(&at("/strategies/second/remove"), "remove", &json!({}));
    assert_eq!(removed.status, 200, "{removed:?}");
    assert_eq!(who(&admin, "remove", "second"), ["admin"]);
    std::fs::remove_file(files.join("breakout.wasm")).unwrap();
    admin.wait(&at("/strategies/breakout"), |strategy| strategy["status"] == "removed");
    assert_eq!(who(&admin, "remove", "breakout"), [DIRECTORY]);
    host.stop();
    let again = named_token(&account, "again", "viewer", &[]);
    let (host, address) = start(&account, &["--speed", "1"]);
    let viewer = Client::new(&address, Some(&again));
    viewer.wait(&at("/strategies/second"), |strategy| strategy["status"] == "removed");
    assert_eq!(who(&viewer, "deploy", "second"), ["ops"]);
    host.stop();
    assert_eq!(account.json(&["replay", "--json"])["agrees"], true);
}

#[test]
fn orders_by_hand_go_through_the_gate() {
    let (_parent, _account, host, admin) = trading();
    let order = |key: &str, body: Value| admin.post(&at("/orders"), key, &body);
    let base = json!({ "strategy": "breakout", "instrument": "A-USD", "side": "buy" });
    let with = |more: Value| {
        let mut body = base.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let large = order("one", with(json!({ "notional": "1000000000" })));
    assert_eq!(
        (large.status, &large.body["type"]),
        (422, &json!("urn:bulkhead:problem:refused")),
        "{large:?}"
    );
    assert_eq!(order("two", with(json!({ "notional": "1", "quantity": "1" }))).status, 400);
    let far = order("three", with(json!({ "notional": "100", "limit_price": "96" })));
    assert_eq!(far.status, 200, "{far:?}");
    let working =
        admin.wait(&at("/orders?status=working"), |orders| orders["items"][0]["origin"] == "manual");
    let by_hand = admin.get(&at("/orders?origin=manual")).body;
    assert!(
        by_hand["items"].as_array().unwrap().iter().all(|order| order["origin"] == "manual"),
        "{by_hand}"
    );
    assert_eq!(by_hand["items"][0], working["items"][0]);
    assert_eq!(admin.get(&at("/orders?origin=nobody")).status, 400);
    let id = &working["items"][0]["id"];
    assert_eq!(admin.post(&at(&format!("/orders/{id}/cancel")), "four", &json!({})).status, 200);
    admin.wait(&at(&format!("/orders/{id}")), |order| order["order"]["status"] == "cancelled");
    let parameters = json!({ "parameters": { "fast": 7 } });
    let set = admin.post(&at("/strategies/sma-crossover/parameters"), "five", &parameters);
    assert_eq!(set.status, 200, "{set:?}");
    let wrong = json!({ "parameters": { "speed": 7 } });
    assert_eq!(admin.post(&at("/strategies/sma-crossover/parameters"), "six", &wrong).status, 422);
    let fast = |detail: &Value| {
        let parameters = detail["parameters"].as_array().unwrap();
        parameters.iter().any(|one| one["name"] == "fast" && one["value"] == 7)
    };
    admin.wait(&at("/strategies/sma-crossover/parameters"), fast);
    host.stop();
}

#[test]
fn settings_change_as_a_whole_and_one_at_a_time_and_outlive_the_host() {
    let (_parent, account, host, admin) = trading();
    let newest = |page: Value| page["items"].as_array().unwrap()[0]["settings"].clone();
    let before = newest(admin.get(&at("/settings")).body);
    let version =
        admin.wait(&at("/view"), |view| view["settings_version"].is_u64())["settings_version"].clone();
    let mut wanted = before.clone();
    wanted["risk"]["max_order"] = json!("0.01");
    let body = json!({ "version": version, "settings": wanted });
    let changed = admin.post(&at("/settings"), "one", &body);
    assert_eq!(changed.status, 200, "{changed:?} {before}");
    admin.wait(&at("/view"), |view| view["settings_version"] != version);
    assert_eq!(newest(admin.get(&at("/settings")).body)["risk"]["max_order"], "0.01");
    assert_eq!(admin.post(&at("/settings"), "two", &body).status, 422, "somebody else was quicker");
    assert_eq!(admin.post(&at("/settings"), "one", &body).body, changed.body, "it is the same change again");
    host.stop();

    let secret = named_token(&account, "next", "viewer", &[]);
    let largest_order = |account: &Account| {
        let (host, address) = start(account, &[]);
        let viewer = Client::new(&address, Some(&secret));
        viewer.wait(&at("/view"), |view| view["settings_version"].is_u64());
        let largest = newest(viewer.get(&at("/settings")).body)["risk"]["max_order"].clone();
        host.stop();
        largest
    };
    assert_eq!(largest_order(&account), "0.01", "the configuration says what it said before");
    assert_eq!(largest_order(&account.with("risk.max_order=0.02")), "0.02", "now it says something else");
}

#[test]
fn a_backtest_runs_beside_and_its_report_can_be_read() {
    let (_parent, _account, host, admin) = trading();
    let wanted = json!({ "strategy": "sma-crossover", "days": 2, "seed": 7 });
    let started = admin.post("/api/v1/backtests", "one", &wanted);
    assert_eq!((started.status, &started.body["id"]), (202, &json!(1)), "{started:?}");
    let done = admin.wait("/api/v1/backtests/1", |job| job["state"] == "done" || job["state"] == "failed");
    assert_eq!(done["state"], "done", "{done}");
    assert!(done["summary"]["trades"].as_u64().unwrap() > 0, "{done}");
    assert!(admin.get("/api/v1/backtests/1/report").text.starts_with("<!doctype html>"));
    let missing = json!({ "strategy": "nobody", "days": 1 });
    assert_eq!(admin.post("/api/v1/backtests", "two", &missing).status, 202);
    let failed = admin.wait("/api/v1/backtests/2", |job| job["state"] == "done" || job["state"] == "failed");
    assert!(failed["reason"].as_str().unwrap().contains("no plugin \"nobody\""), "{failed}");
    assert_eq!(admin.post("/api/v1/backtests", "three", &json!({ "strategy": "x", "days": 0 })).status, 400);
    host.stop();
}

#[test]
fn analytics_are_the_sums_of_the_trades() {
    let (_parent, _account, host, admin) = trading();
    admin.wait(&at("/trades"), |trades| trades["items"].as_array().unwrap().len() > 3);
    let first = admin.get(&at("/analytics")).body;
    assert!(first["overall"]["trades"].as_u64().unwrap() > 0, "{first}");
    assert_eq!(admin.post(&at("/halt"), "one", &json!({ "reason": "x", "action": "flatten" })).status, 200);
    admin.wait(&at("/view"), |view| view["positions"] == json!([]));
    let analytics = admin.get(&at("/analytics")).body;
    let trades = admin.get(&at("/trades?limit=1000")).body;
    let exact = |value: &Value| value.as_str().unwrap().parse::<rust_decimal::Decimal>().unwrap();
    let trades = trades["items"].as_array().unwrap();
    let sum: rust_decimal::Decimal = trades.iter().map(|trade| exact(&trade["pnl"])).sum();
    assert_eq!(exact(&analytics["overall"]["pnl"]), sum);
    assert_eq!(analytics["overall"]["trades"], trades.len());
    let parts = analytics["by_strategy"].as_array().unwrap().iter();
    assert_eq!(parts.map(|part| exact(&part["pnl"])).sum::<rust_decimal::Decimal>(), sum);
    host.stop();
}

#[test]
fn a_port_that_is_taken_keeps_nobody_from_trading() {
    let parent = tempfile::tempdir().unwrap();
    let account = Account::new(parent.path(), "host");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = bulkhead(&account.directory);
    let address = taken.local_addr().unwrap().to_string();
    command.env("BULKHEAD__API__LISTEN", &address).arg("run");
    command.args(account.arguments(&["--json", "--speed", "2000"]));
    let mut host = Host::start_command(command);
    host.wait_for(&["task", "api", &address]);
    host.wait_for(&["trade closed"]);
    // It is tried again.
    drop(taken);
    assert_eq!(support::client::address(&mut host), address);
    host.stop();
}

#[test]
fn what_others_could_reach_needs_to_be_allowed() {
    let parent = tempfile::tempdir().unwrap();
    let account = Account::new(parent.path(), "host").with("api.listen=0.0.0.0:0");
    let mut command = bulkhead(&account.directory);
    command.env_remove("BULKHEAD__API__LISTEN").arg("run").args(account.arguments(&["--speed", "max"]));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("api.listen") && complaint.contains("allow_remote"), "{complaint}");
}
