mod accounts;
mod transactions;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use serde_json::{Value, json};
use solana_address::Address;

use crate::chain::Options;
use crate::faults::{Asked, Fault, Faults};
use crate::http::{self, Handler, Request};
use crate::ledger::Ledger;
use crate::validator::Validator;

/// The name by which one cluster is told from another.
pub const GENESIS_HASH: &str = "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY";

/// One server of the chain. It ends together with this value.
pub struct Server {
    url: String,
    faults: Faults,
    view: Arc<View>,
    accepting: tokio::task::JoinHandle<()>,
}

/// The chain as one server sees it.
pub(crate) struct View {
    ledger: Arc<Mutex<Ledger>>,
    options: Options,
    faults: Faults,
    /// So many slots behind.
    lag: AtomicU64,
    /// The first slot that it remembers.
    forgotten: AtomicU64,
    /// It takes everything that it can read, whatever it was told.
    without_preflight: Mutex<bool>,
    /// Bundles are accepted, and get nowhere.
    swallows_bundles: Mutex<bool>,
}

impl Server {
    pub(crate) async fn start(ledger: Arc<Mutex<Ledger>>, options: Options, port: u16) -> Self {
        let faults = Faults::default();
        let view = View {
            ledger,
            options,
            faults: faults.clone(),
            lag: AtomicU64::new(0),
            forgotten: AtomicU64::new(0),
            without_preflight: Mutex::new(false),
            swallows_bundles: Mutex::new(false),
        };
        let view = Arc::new(view);
        let (url, accepting) = http::serve(port, Arc::clone(&view) as Arc<dyn Handler>, faults.clone()).await;
        Self { url, faults, view, accepting }
    }

    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it does wrong, and what it was asked.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// From now on it is so many slots behind the chain; 0 ends that.
    pub fn lag(&self, slots: u64) {
        self.view.ledger().must_be_ours();
        self.view.lag.store(slots, Ordering::Relaxed);
    }

    /// From now on it knows nothing of transactions in slots before this one, as a node that keeps little of the past.
    pub fn forget_before(&self, slot: u64) {
        self.view.ledger().must_be_ours();
        self.view.forgotten.store(slot, Ordering::Relaxed);
    }

    /// From now on it accepts bundles that get nowhere.
    pub fn swallow_bundles(&self) {
        self.view.ledger().must_be_ours();
        *self.view.swallows_bundles.lock().expect("nothing panics while it holds this") = true;
    }

    /// From now on it takes transactions without trying them, even when it is asked to try.
    pub fn take_everything(&self) {
        self.view.ledger().must_be_ours();
        *self.view.without_preflight.lock().expect("nothing panics while it holds this") = true;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Why a method has no result.
pub(crate) struct RpcError {
    code: i64,
    message: String,
    data: Value,
}

impl RpcError {
    fn parameters(message: impl Into<String>) -> Self {
        Self { code: -32_602, message: message.into(), data: Value::Null }
    }
}

impl View {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("nothing panics while it holds this")
    }

    /// Whether a slot is one that this server has come to and has not forgotten.
    fn remembers(&self, slot: u64, newest: u64) -> bool {
        (self.forgotten.load(Ordering::Relaxed)..=newest).contains(&slot)
    }

    fn lagging(&self) -> u64 {
        self.lag.load(Ordering::Relaxed)
    }

    /// The newest slot of this commitment, as this server knows it.
    fn slot(&self, ledger: &Ledger, commitment: &str) -> u64 {
        let after = match commitment {
            "processed" => 0,
            "confirmed" => self.options.confirmed_after,
            _ => self.options.final_after,
        };
        ledger.slot().saturating_sub(self.lagging() + after)
    }

    /// The newest slot of the commitment that is asked for, unless it has to be a later one.
    fn reached(&self, ledger: &Ledger, options: &Value) -> Result<u64, RpcError> {
        let slot = self.slot(ledger, commitment(options));
        if options["minContextSlot"].as_u64().is_some_and(|least| slot < least) {
            let message = "Minimum context slot has not been reached".to_owned();
            return Err(RpcError { code: -32_016, message, data: json!({"contextSlot": slot}) });
        }
        Ok(slot)
    }

    fn method(&self, method: &str, parameters: &Value) -> Result<Value, RpcError> {
        match method {
            "getHealth" => Ok("ok".into()),
            "getVersion" => Ok(json!({"solana-core": "4.2.2", "feature-set": 0})),
            "getGenesisHash" => Ok(GENESIS_HASH.into()),
            "getSlot" => Ok(self.slot(&self.ledger(), commitment(&parameters[0])).into()),
            "getBlockHeight" => {
                Ok(Ledger::height_at(self.slot(&self.ledger(), commitment(&parameters[0]))).into())
            }
            "getEpochInfo" => {
                let slot = self.slot(&self.ledger(), commitment(&parameters[0]));
                Ok(json!({
                    "absoluteSlot": slot, "blockHeight": Ledger::height_at(slot), "epoch": 0, "slotIndex": slot,
                    "slotsInEpoch": 432_000, "transactionCount": null
                }))
            }
            "getFirstAvailableBlock" => Ok(self.forgotten.load(Ordering::Relaxed).into()),
            "getLatestBlockhash" => {
                let ledger = self.ledger();
                let slot = self.slot(&ledger, commitment(&parameters[0]));
                let (hash, last) = ledger.blockhash(ledger.slot() - slot);
                Ok(in_context(slot, json!({"blockhash": hash.to_string(), "lastValidBlockHeight": last})))
            }
            "isBlockhashValid" => {
                let hash: solana_hash::Hash = text(&parameters[0])?.parse().map_err(unreadable)?;
                let ledger = self.ledger();
                let slot = self.slot(&ledger, commitment(&parameters[1]));
                Ok(in_context(slot, ledger.was_good(&hash, slot).into()))
            }
            "getRecentPrioritizationFees" => {
                let ledger = self.ledger();
                let first = ledger.slot().saturating_sub(ledger.recent_fees().len() as u64);
                let fees = (first..).zip(ledger.recent_fees());
                Ok(fees.map(|(slot, fee)| json!({"slot": slot, "prioritizationFee": fee})).collect())
            }
            _ => match self.about_accounts(method, parameters) {
                Some(answer) => answer,
                None => self.about_transactions(method, parameters).unwrap_or_else(|| {
                    Err(RpcError { code: -32_601, message: "Method not found".to_owned(), data: Value::Null })
                }),
            },
        }
    }

    /// What the validator answers, but for which cluster it is of.
    fn handed_on(&self, validator: &Validator, call: &Value) -> Value {
        let answer = validator.answer(call);
        if call["method"] == "sendTransaction"
            && let Some(signature) = answer["result"].as_str().and_then(|text| text.parse().ok())
        {
            self.ledger().note_sent(signature);
        }
        answer
    }

    /// A call of a batch, with the faults of its method; none when the answer is left out.
    fn part(&self, call: &Value) -> Option<Value> {
        let method = call["method"].as_str().unwrap_or_default().to_owned();
        let fault = self.faults.next(Asked { method, parameters: call["params"].clone(), api_key: None });
        match fault {
            Some(Fault::Error { code, message }) => {
                Some(json!({"jsonrpc": "2.0", "id": call["id"], "error": {"code": code, "message": message}}))
            }
            Some(Fault::Lie(result)) => Some(json!({"jsonrpc": "2.0", "id": call["id"], "result": result})),
            Some(Fault::Delay(_) | Fault::CloseAfter) | None => Some(self.call(call)),
            Some(_) => None,
        }
    }

    fn call(&self, call: &Value) -> Value {
        let method = call["method"].as_str().unwrap_or_default();
        if method != "getGenesisHash"
            && let Some(validator) = self.ledger().validator()
        {
            return self.handed_on(&validator, call);
        }
        match self.method(method, &call["params"]) {
            Ok(result) => json!({"jsonrpc": "2.0", "id": call["id"], "result": result}),
            Err(RpcError { code, message, data: Value::Null }) => {
                json!({"jsonrpc": "2.0", "id": call["id"], "error": {"code": code, "message": message}})
            }
            Err(RpcError { code, message, data }) => {
                let error = json!({"code": code, "message": message, "data": data});
                json!({"jsonrpc": "2.0", "id": call["id"], "error": error})
            }
        }
    }
}

impl Handler for View {
    fn named(&self, request: &Request) -> (String, Value) {
        match serde_json::from_slice(&request.body).unwrap_or_default() {
            calls @ Value::Array(_) => ("batch".to_owned(), calls),
            call => (call["method"].as_str().unwrap_or_default().to_owned(), call["params"].clone()),
        }
    }

    fn answer(&self, request: &Request) -> (StatusCode, Value) {
        match serde_json::from_slice::<Value>(&request.body) {
            Ok(Value::Array(calls)) => {
                (StatusCode::OK, calls.iter().filter_map(|call| self.part(call)).collect())
            }
            Ok(call) => (StatusCode::OK, self.call(&call)),
            Err(_) => (StatusCode::OK, self.error(request, -32_700, "Parse error")),
        }
    }

    fn lie(&self, request: &Request, result: Value) -> Value {
        let call: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        json!({"jsonrpc": "2.0", "id": call["id"], "result": result})
    }

    fn error(&self, request: &Request, code: i64, message: &str) -> Value {
        let call: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        json!({"jsonrpc": "2.0", "id": call["id"], "error": {"code": code, "message": message}})
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is made to be given away")]
fn in_context(slot: u64, value: Value) -> Value {
    json!({"context": {"apiVersion": "4.2.2", "slot": slot}, "value": value})
}

fn commitment(options: &Value) -> &str {
    options["commitment"].as_str().unwrap_or("finalized")
}

fn text(value: &Value) -> Result<&str, RpcError> {
    value.as_str().ok_or_else(|| RpcError::parameters("Invalid params: a text is missing"))
}

fn address(value: &Value) -> Result<Address, RpcError> {
    text(value)?.parse().map_err(unreadable)
}

fn unreadable(error: impl std::fmt::Display) -> RpcError {
    RpcError::parameters(format!("Invalid param: {error}"))
}

fn encoded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
