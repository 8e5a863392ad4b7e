//! Books held against a real chain by the real host: what happens behind its back is found, halts it, and goes on only as
//! a person says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use alloy_primitives::{Address, TxKind, U256};
use bulkhead_evm_chain::account::account;
use bulkhead_evm_chain::market::{LocalMarket, units};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use support::chain_place::Place;
use support::client::{self, Client};
use support::host::Host;
use support::{bulkhead, json, succeed};

/// Compared at the start and whenever something asks for it.
const OFTEN: [&str; 2] = ["--set", "evm.reconciliation.every=300ms"];

impl Place {
    fn dollar(&self) -> Address {
        self.chain.deployed().tokens.dollar
    }

    /// Somebody else sends so many dollars of the account's away.
    fn take(&self, dollars: u64) {
        let (token, elsewhere) = (self.dollar(), account(7).address());
        let trader = LocalMarket::trader();
        let sent = self.chain.send(token, &trader, elsewhere, units(dollars, 6));
        self.runtime.block_on(sent).unwrap();
    }

    /// Somebody sends so many dollars.
    fn give(&self, dollars: u64) {
        let to = LocalMarket::trader().address();
        self.runtime.block_on(self.chain.give(self.dollar(), to, units(dollars, 6)));
    }

    /// What is compared, and whether that was a success.
    fn compared(&self) -> (bool, Value) {
        let mut command = bulkhead(self.path());
        command.arg("reconcile").args(self.arguments(&["--json"]));
        let output = command.output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        let found: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {complaint}"));
        (output.status.success(), found)
    }

    fn reconcile(&self, action: &str, more: &[&str]) {
        let mut words = vec!["reconcile".to_owned(), action.to_owned()];
        words.extend(self.arguments(&[more, &["--reason", "a person looked"]].concat()));
        succeed(self.path(), &words);
    }

    fn resume(&self) {
        succeed(self.path(), &["resume"]);
    }
}

fn row<'a>(found: &'a Value, subject: &str) -> &'a Value {
    let rows = found["accounts"][0]["rows"].as_array().unwrap();
    rows.iter().find(|row| row["subject"].as_str().unwrap().starts_with(subject)).unwrap()
}

fn begun(place: &Place, more: &[&str]) -> Host {
    let mut host = place.start(more);
    host.wait_for(&["the books agree with the chain"]);
    host.wait_for(&["strategy started", "sma-crossover"]);
    host
}

#[test]
fn what_is_taken_away_behind_the_hosts_back_halts_it_until_a_person_has_said_what_it_was() {
    let place = Place::new();
    let mut host = begun(&place, &OFTEN);
    let (agrees, found) = place.compared();
    assert!(agrees, "{found}");
    // What the address holds beside the account's cash was there before.
    assert_eq!(row(&found, "balance:USD")["verdict"], "ignored");

    place.take(250);
    host.wait_for(&["trading halted", "250 USD is missing", "the host (reconciliation)"]);
    let (agrees, found) = place.compared();
    assert!(!agrees && found["agrees"] == false, "{found}");
    let dollars = row(&found, "balance:USD");
    assert_eq!((&dollars["unexplained"], &dollars["verdict"]), (&"-250".into(), &"halts".into()));
    assert_eq!(row(&found, "transactions")["unexplained"], "1");

    // Resuming is not enough.
    place.resume();
    host.wait_for(&["trading halted", "250 USD is missing"]);

    place.reconcile("adopt", &["--token", "USD"]);
    host.wait_for(&["the books were adjusted", "value=-250", "a person looked"]);
    place.reconcile("ignore", &["--difference", "transactions"]);
    host.wait_for(&["a difference is ignored", "transactions"]);
    let (agrees, found) = place.compared();
    assert!(agrees, "{found}");
    place.resume();
    host.wait_for(&["trading resumed"]);
    place.ask(&["order", "buy", "--notional", "900"]);
    host.wait_for(&["fill", "side=\"buy\""]);
    let (agrees, found) = place.compared();
    assert!(agrees, "{found}");
    let summary = host.stop();
    assert_eq!(summary["halted"], Value::Null, "{summary}");
    let replayed = json(place.path(), &["replay", "--json"]);
    assert_eq!(replayed["agrees"], true, "{replayed}");
}

#[test]
fn what_came_in_is_ignored_with_a_reason_also_after_a_crash() {
    let place = Place::new();
    let mut host = begun(&place, &OFTEN);
    place.give(40);
    host.wait_for(&["trading halted", "40 USD is not in the books"]);
    place.reconcile("ignore", &["--difference", "balance:USD"]);
    place.resume();
    host.wait_for(&["trading resumed"]);
    host.kill();

    let mut host = place.start(&OFTEN);
    host.wait_for(&["the books agree with the chain"]);
    host.wait_for(&["was recovered"]);
    let (agrees, found) = place.compared();
    assert!(agrees, "{found}");
    let ignored = &row(&found, "balance:USD")["ignored"];
    assert_eq!((&ignored["reason"], &ignored["difference"]), (&"a person looked".into(), &"10040".into()));
    let summary = host.stop();
    assert_eq!(summary["halted"], Value::Null, "{summary}");

    // It counts again when it is not ignored any more: then also before anything is traded.
    place.reconcile("stop-ignoring", &["--difference", "balance:USD", "--no-wait"]);
    let mut host = place.start(&[]);
    host.wait_for(&["trading halted", "10040 USD is not in the books"]);
    host.stop();
}

#[test]
fn what_is_missing_at_the_start_halts_before_anything_is_traded() {
    let place = Place::new();
    begun(&place, &[]).stop();
    place.take(1_000);
    let mut host = place.start(&[]);
    host.wait_for(&["the books and the chain differ", "1000 USD is missing"]);
    host.wait_for(&["trading halted", "1000 USD is missing"]);
    let order = ["order", "buy", "--notional", "900", "--strategy", "sma-crossover"];
    let order = [&order[..], &["--instrument", "WETH-USD"]].concat();
    let refused = support::output(place.path(), &order);
    assert!(!refused.status.success() && place.coins() == Decimal::ZERO);
    // Lost is lost: it is booked apart from what trading brought.
    place.reconcile("write-off", &["--token", "USD"]);
    host.wait_for(&["the books were adjusted", "gain=-1000", "written-off"]);
    host.stop();
}

#[test]
fn a_transaction_that_nobody_ordered_halts_while_it_waits_for_a_block() {
    let place = Place::new();
    let mut host = begun(&place, &OFTEN);
    let nonce = place.transactions();
    place.runtime.block_on(async {
        place.chain.set_automine(false).await;
        let nobody = TxKind::Call(account(7).address());
        place.chain.send_with_nonce(&LocalMarket::trader(), nobody, nonce, 2_000_000_000).await;
    });
    host.wait_for(&["trading halted", "1 transactions of the address wait for a block"]);
    host.stop();
}

#[test]
fn a_permission_that_was_left_is_told_and_halts_nothing() {
    let place = Place::new();
    let router = place.chain.deployed().v2_router;
    let trader = LocalMarket::trader();
    let approved = place.chain.approve(place.dollar(), &trader, router, U256::MAX);
    place.runtime.block_on(approved).unwrap();
    let mut host = place.start(&[]);
    host.wait_for(&["trading goes on", "may still take"]);
    host.wait_for(&["strategy started", "sma-crossover"]);
    let (agrees, found) = place.compared();
    assert!(agrees, "{found}");
    assert_eq!(row(&found, "allowance:USD")["verdict"], "noted");
    assert_eq!(host.stop()["halted"], Value::Null);
}

/// Where the comparison and what becomes of it are in the API.
const RECONCILIATION: &str = "/api/v1/accounts/main/reconciliation";

/// The row of the table that a difference has.
fn row_of<'a>(table: &'a Value, subject: &str) -> &'a Value {
    let rows = table["rows"].as_array().unwrap();
    rows.iter().find(|row| row["subject"] == subject).unwrap_or_else(|| panic!("no {subject}: {table}"))
}

/// Waits until so much more or less of the currency is there than the books say.
fn wait_for_dollars(client: &Client, unexplained: &str) -> Value {
    client.wait(RECONCILIATION, |table| {
        table["rows"].is_array() && row_of(table, "balance:USD")["unexplained"] == unexplained
    })
}

/// What to send so that a difference is booked, as the table has it.
fn booking(table: &Value) -> Value {
    let part = &row_of(table, "balance:USD")["booked"][0];
    json!({ "books": part["books"], "found": part["found"], "reason": "a person looked" })
}

#[test]
fn differences_are_seen_and_settled_through_the_api_by_those_who_may() {
    let place = Place::new();
    let secret = |role: &str| {
        let made = json(place.path(), &["token", "create", "--name", role, "--role", role, "--json"]);
        made["secret"].as_str().unwrap().to_owned()
    };
    let (viewer, operator) = (secret("viewer"), secret("operator"));
    let served = ["--set", "api.listen=127.0.0.1:0", "--set", "journal.equity_every=1s"];
    let mut host = place.start(&[&OFTEN[..], &served].concat());
    let address = client::address(&mut host);
    let (viewer, operator) = (Client::new(&address, Some(&viewer)), Client::new(&address, Some(&operator)));
    let nobody = Client::new(&address, None);
    assert_eq!(nobody.get(RECONCILIATION).status, 401);
    let table = wait_for_dollars(&viewer, "0");
    assert_eq!((&table["halts"], &table["problem"]), (&false.into(), &Value::Null), "{table}");
    assert_eq!(table["chain_id"], place.chain.id(), "{table}");
    assert_eq!(row_of(&table, "balance:USD")["verdict"], "ignored");

    place.take(250);
    let table = wait_for_dollars(&viewer, "-250");
    let words = row_of(&table, "balance:USD")["words"].as_str().unwrap();
    assert!(table["halts"] == true && words.contains("250 USD is missing"), "{table}");
    host.wait_for(&["trading halted", "250 USD is missing"]);
    // Who may only look changes nothing.
    let ways = ["adopt", "write-off", "ignore", "stop-ignoring"];
    for way in ways {
        let path = format!("{RECONCILIATION}/{way}");
        let answers = [viewer.post(&path, way, &booking(&table)), nobody.post(&path, way, &booking(&table))];
        assert_eq!(answers.map(|answer| answer.status), [403, 401], "{way}");
    }
    assert_eq!(viewer.get("/api/v1/accounts/main/adjustments").body["items"], json!([]));

    let ask =
        |way: &str, key: &str, body: &Value| operator.post(&format!("{RECONCILIATION}/{way}"), key, body);
    let adopted = ask("adopt", "one", &booking(&table));
    assert_eq!((adopted.status, &adopted.body["state"]), (200, &"applied".into()), "{adopted:?}");
    // The same once more is the same, and under another key it is another adjustment of what the books do not say any more.
    assert_eq!(ask("adopt", "one", &booking(&table)).body, adopted.body);
    let again = ask("adopt", "two", &booking(&table));
    assert_eq!(again.status, 422, "{again:?}");
    let nothing = json!({ "books": "1", "found": "2", "reason": " " });
    assert_eq!(ask("write-off", "three", &nothing).status, 400);

    let table = wait_for_dollars(&viewer, "0");
    let transactions = row_of(&table, "transactions");
    assert_eq!(transactions["unexplained"], "1", "{table}");
    let fine = json!({
        "subject": "transactions", "difference": transactions["difference"], "reason": "it was me",
    });
    assert_eq!(ask("ignore", "four", &fine).status, 200);
    let table = viewer.wait(RECONCILIATION, |table| table["halts"] == false);
    let ignored = &row_of(&table, "transactions")["ignored"];
    assert_eq!((&ignored["reason"], &ignored["actor"]), (&"it was me".into(), &"operator".into()), "{table}");
    assert_eq!(operator.post("/api/v1/accounts/main/resume", "five", &json!({})).status, 200);
    host.wait_for(&["trading resumed"]);

    place.take(40);
    let table = wait_for_dollars(&viewer, "-40");
    assert_eq!(ask("write-off", "six", &booking(&table)).status, 200);
    wait_for_dollars(&viewer, "0");
    let adjusted = viewer.get("/api/v1/accounts/main/adjustments").body;
    let told: Vec<_> = adjusted["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            [&item["kind"], &item["value"], &item["gain"], &item["actor"]].map(|text| text.as_str().unwrap())
        })
        .collect();
    let expected = [["written-off", "0", "-40", "operator"], ["adopted", "-250", "0", "operator"]];
    assert_eq!(told, expected, "{adjusted}");

    // What was taken away is no loss, and what was lost is one: 40 of 10,000, beside what trading did.
    let analytics = viewer.wait("/api/v1/accounts/main/analytics", |analytics| {
        analytics["equity"]["last"].as_str().is_some_and(|last| last.parse::<f64>().unwrap() < 9_740.0)
    });
    let growth = ["total_return", "max_drawdown"].map(|key| analytics["equity"][key].as_f64().unwrap());
    assert!(growth[0] < 0.0 && growth[0] > -0.02 && growth[1] < 0.02, "{growth:?}");

    // What was there before counts again when somebody says so.
    let again = json!({ "subject": "balance:USD", "reason": "it is the account's" });
    assert_eq!(ask("stop-ignoring", "seven", &again).status, 200);
    wait_for_dollars(&viewer, "10000");
    host.stop();
}

#[test]
fn there_is_nothing_to_hold_paper_against() {
    let place = Place::new();
    let mut words = vec!["reconcile".to_owned()];
    words.extend(place.arguments(&["--set", "mode=paper"]));
    let refused = support::output(place.path(), &words);
    let complaint = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(complaint.contains("trades on paper"), "{complaint}");
}
