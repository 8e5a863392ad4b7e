//! A fuller validator in a process of its own, in the place of the virtual machine in this one: for tests that run on
//! demand. What a test puts on the chain is put there; what is asked of a server is asked of it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use solana_account::Account;
use solana_address::Address;
use solana_hash::Hash;
use solana_transaction::versioned::VersionedTransaction;

use crate::program;

/// Names the program that is such a validator. Without it there is none.
pub const VALIDATOR_VARIABLE: &str = "BULKHEAD_SOLANA_VALIDATOR";

/// How long a slot lasts, in milliseconds: short, as what is final is so after some of them.
const SLOT: &str = "20";

/// How often it is looked whether a transaction has landed, once in ten milliseconds.
const PATIENCE: usize = 500;

/// A validator. It ends together with this value.
#[derive(Debug)]
pub(crate) struct Validator {
    url: String,
    process: Child,
    /// While this is open it goes on.
    _input: Option<ChildStdin>,
}

impl Validator {
    /// Starts the one that the environment names.
    pub(crate) fn start() -> Option<Self> {
        let program = std::env::var_os(VALIDATOR_VARIABLE)?;
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("program/swap.so");
        let mut process = Command::new(&program)
            .args([SLOT, &program::ROUTER.to_string()])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{} can't be started: {error}", program.display()));
        let input = process.stdin.take();
        let mut line = String::new();
        let output = process.stdout.take().expect("it has an output");
        BufReader::new(output).read_line(&mut line).expect("it says where it answers");
        let url = line.split_whitespace().next().expect("it says where it answers").to_owned();
        Some(Self { url, process, _input: input })
    }

    /// The answer to a body of JSON-RPC, one call or several.
    pub(crate) fn answer(&self, body: &Value) -> Value {
        let mut response = ureq::post(&self.url).send_json(body).expect("the validator answers");
        response.body_mut().with_config().limit(u64::MAX).read_json().expect("it answers JSON")
    }

    /// The result of a call.
    pub(crate) fn call(&self, method: &str, parameters: &Value) -> Value {
        let mut answer =
            self.answer(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}));
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    pub(crate) fn slot(&self) -> u64 {
        self.call("getSlot", &json!([{"commitment": "processed"}])).as_u64().expect("a slot")
    }

    /// The newest blockhash, and the last height that it is good for.
    pub(crate) fn blockhash(&self) -> (Hash, u64) {
        let answer = self.call("getLatestBlockhash", &json!([{"commitment": "processed"}]));
        let hash = answer["value"]["blockhash"].as_str().and_then(|hash| hash.parse().ok());
        let last = answer["value"]["lastValidBlockHeight"].as_u64();
        (hash.expect("a blockhash"), last.expect("a height"))
    }

    pub(crate) fn account(&self, address: &Address) -> Option<Account> {
        let options = json!({"encoding": "base64", "commitment": "processed"});
        let answer = self.call("getAccountInfo", &json!([address.to_string(), options]));
        let found = &answer["value"];
        let data = STANDARD.decode(found["data"][0].as_str()?).expect("base 64");
        Some(Account {
            lamports: found["lamports"].as_u64()?,
            data,
            owner: found["owner"].as_str()?.parse().expect("an owner"),
            executable: found["executable"].as_bool()?,
            rent_epoch: u64::MAX,
        })
    }

    pub(crate) fn set_account(&self, address: &Address, account: &Account) {
        let digits: String = account.data.iter().map(|byte| format!("{byte:02x}")).collect();
        let account =
            json!({"lamports": account.lamports, "data": digits, "owner": account.owner.to_string()});
        self.call("surfnet_setAccount", &json!([address.to_string(), account]));
    }

    /// Sends a transaction, and waits until it has landed.
    pub(crate) fn execute(&self, transaction: &VersionedTransaction) -> Result<(), String> {
        let bytes = wincode::serialize(transaction).expect("it can be written");
        let options = json!({"encoding": "base64", "skipPreflight": true});
        let signature = self.call("sendTransaction", &json!([STANDARD.encode(bytes), options]));
        for _ in 0..PATIENCE {
            let answer = self.call("getSignatureStatuses", &json!([[signature]]));
            let status = &answer["value"][0];
            if status.is_object() {
                return if status["err"].is_null() { Ok(()) } else { Err(status["err"].to_string()) };
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("it did not land".to_owned())
    }

    /// How many transactions landed that an address is in.
    pub(crate) fn landed_of(&self, address: &Address) -> usize {
        let listed =
            self.call("getSignaturesForAddress", &json!([address.to_string(), {"commitment": "confirmed"}]));
        listed.as_array().map_or(0, Vec::len)
    }
}

impl Drop for Validator {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
