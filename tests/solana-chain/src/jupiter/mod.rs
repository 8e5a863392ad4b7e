mod tamper;
mod transaction;

use std::sync::{Arc, Mutex, MutexGuard};

use hyper::StatusCode;
use serde_json::{Value, json};
use solana_address::Address;
use solana_message::AddressLookupTableAccount;

pub use tamper::Tamper;

use crate::chain::Chain;
use crate::faults::Faults;
use crate::http::{self, Handler, Request};
use crate::ledger::Ledger;
use crate::program::{Pool, brings};
use crate::tokens::{WRAPPED_SOL, holding};

/// The name of the only kind of pool there is.
pub const LABEL: &str = "Test Pool";

/// The aggregator. It ends together with this value.
pub struct Jupiter {
    url: String,
    faults: Faults,
    state: Arc<State>,
    accepting: tokio::task::JoinHandle<()>,
}

struct State {
    ledger: Arc<Mutex<Ledger>>,
    pools: Vec<Pool>,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    tables: Vec<AddressLookupTableAccount>,
    tamper: Option<Tamper>,
    /// What is said of the price's move by each trade, when it is not the truth.
    price_impact: Option<String>,
    label: Option<String>,
    /// So many slots ago the blockhash was the newest one.
    blockhash_age: u64,
    /// Quotes are so much better than the pool, in basis points.
    better_bps: u64,
}

impl Jupiter {
    /// An aggregator of these pools.
    pub async fn start(chain: &Chain, pools: &[Pool]) -> Self {
        Self::start_at(chain, pools, 0).await
    }

    /// An aggregator of these pools that listens there.
    pub async fn start_at(chain: &Chain, pools: &[Pool], port: u16) -> Self {
        let state = State { ledger: chain.shared(), pools: pools.to_vec(), now: Mutex::default() };
        let (state, faults) = (Arc::new(state), Faults::default());
        let (url, accepting) =
            http::serve(port, Arc::clone(&state) as Arc<dyn Handler>, faults.clone()).await;
        Self { url, faults, state, accepting }
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

    /// From now on it makes transactions that do more than was asked for, or something else.
    pub fn tamper(&self, tamper: Option<Tamper>) {
        self.state.now().tamper = tamper;
    }

    /// From now on its transactions use this table.
    pub fn use_table(&self, table: AddressLookupTableAccount) {
        self.state.now().tables.push(table);
    }

    /// From now on it says that each trade moves the price so much, as a part of 1.
    pub fn claim_price_impact(&self, part: &str) {
        self.state.now().price_impact = Some(part.to_owned());
    }

    /// From now on it names its pool like this.
    pub fn claim_label(&self, label: &str) {
        self.state.now().label = Some(label.to_owned());
    }

    /// From now on its transactions have a blockhash that was the newest so many slots ago.
    pub fn use_old_blockhash(&self, slots: u64) {
        self.state.now().blockhash_age = slots;
    }

    /// From now on it promises more than the pool gives.
    pub fn promise_more(&self, basis_points: u64) {
        self.state.now().better_bps = basis_points;
    }
}

impl Drop for Jupiter {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Something that the aggregator says no to.
struct No(StatusCode, Value);

fn no(message: &str, code: &str) -> No {
    No(StatusCode::BAD_REQUEST, json!({"error": message, "errorCode": code}))
}

/// What one trade would bring.
struct Quoted {
    pool: Pool,
    input: Address,
    output: Address,
    amount: u64,
    out: u64,
    least: u64,
    slippage_bps: u16,
}

impl State {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().expect("nothing panics while it holds this")
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("nothing panics while it holds this")
    }

    fn quote(&self, request: &Request) -> Result<Quoted, No> {
        let address = |name: &str| {
            let text =
                request.parameter(name).ok_or_else(|| no(&format!("{name} is missing"), "INVALID_INPUT"))?;
            text.parse::<Address>().map_err(|_| no(&format!("{name} is no address"), "INVALID_INPUT"))
        };
        let (input, output) = (address("inputMint")?, address("outputMint")?);
        let amount: Option<u64> = request.parameter("amount").and_then(|text| text.parse().ok());
        let amount =
            amount.filter(|amount| *amount > 0).ok_or_else(|| no("amount is wrong", "INVALID_INPUT"))?;
        let slippage_bps = request.parameter("slippageBps").map_or(Ok(50), str::parse);
        let slippage_bps: u16 = slippage_bps.map_err(|_| no("slippageBps is wrong", "INVALID_INPUT"))?;
        if request.parameter("swapMode").is_some_and(|mode| mode != "ExactIn") {
            return Err(no("only ExactIn", "INVALID_INPUT"));
        }
        let pool = self.pools.iter().find(|pool| {
            let mints = (pool.one.mint, pool.other.mint);
            mints == (input, output) || mints == (output, input)
        });
        let pool = *pool.ok_or_else(|| no("Could not find any route", "COULD_NOT_FIND_ANY_ROUTE"))?;
        let (given, got) = pool.sides(input);
        let held = |vault: Address| {
            let account = self.ledger().account(&vault);
            account.as_ref().and_then(holding).map_or(0, |held| held.amount)
        };
        let out = brings(amount, held(given.vault), held(got.vault));
        let out = out
            + u64::try_from(u128::from(out) * u128::from(self.now().better_bps) / 10_000).expect("it fits");
        let least = u128::from(out) * u128::from(10_000 - slippage_bps.min(10_000)) / 10_000;
        let least = u64::try_from(least).expect("less than what is promised");
        Ok(Quoted { pool, input, output, amount, out, least, slippage_bps })
    }

    fn plan(&self, quoted: &Quoted) -> Value {
        let label = self.now().label.clone().unwrap_or_else(|| LABEL.to_owned());
        json!([{
            "swapInfo": {
                "ammKey": quoted.pool.one.vault.to_string(), "label": label,
                "inputMint": quoted.input.to_string(), "outputMint": quoted.output.to_string(),
                "inAmount": quoted.amount.to_string(), "outAmount": quoted.out.to_string(),
                "feeAmount": (quoted.amount / 10_000 * 30).to_string(), "feeMint": quoted.input.to_string()
            },
            "percent": 100, "bps": 10_000
        }])
    }

    fn impact(&self) -> String {
        self.now().price_impact.clone().unwrap_or_else(|| "0.0001".to_owned())
    }

    /// The older form's quote.
    fn old_quote(&self, request: &Request) -> Result<Value, No> {
        let quoted = self.quote(request)?;
        let mut quote = json!({
            "inputMint": quoted.input.to_string(), "inAmount": quoted.amount.to_string(),
            "outputMint": quoted.output.to_string(), "outAmount": quoted.out.to_string(),
            "otherAmountThreshold": quoted.least.to_string(), "swapMode": "ExactIn",
            "slippageBps": quoted.slippage_bps, "platformFee": null, "priceImpactPct": self.impact(),
            "routePlan": self.plan(&quoted), "contextSlot": self.ledger().slot(), "timeTaken": 0.001
        });
        // Nobody documents what else is in there, and it has to come back.
        quote["mostReliableAmmsQuoteReport"] = json!({"info": {"pool": quoted.out.to_string()}});
        quote["simplerRouteUsed"] = mark(&quote).into();
        Ok(quote)
    }

    /// The older form's transaction for a quote.
    fn old_swap(&self, request: &Request) -> Result<Value, No> {
        let body: Value =
            serde_json::from_slice(&request.body).map_err(|_| no("no JSON", "INVALID_INPUT"))?;
        let mut quote = body["quoteResponse"].clone();
        let marked = quote.as_object_mut().and_then(|quote| quote.remove("simplerRouteUsed"));
        if marked != Some(mark(&quote).into()) {
            return Err(no("the quote was altered", "INVALID_QUOTE"));
        }
        let amount =
            |name: &str| quote[name].as_str().and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
        let address = |value: &Value| value.as_str().and_then(|text| text.parse::<Address>().ok());
        let user =
            address(&body["userPublicKey"]).ok_or_else(|| no("userPublicKey is wrong", "INVALID_INPUT"))?;
        let (input, output) = (address(&quote["inputMint"]), address(&quote["outputMint"]));
        let (Some(input), Some(output)) = (input, output) else {
            return Err(no("no mints", "INVALID_QUOTE"));
        };
        let pool = self.pools.iter().find(|pool| pool.one.mint == input || pool.other.mint == input);
        let quoted = Quoted {
            pool: *pool.ok_or_else(|| no("no pool", "INVALID_QUOTE"))?,
            input,
            output,
            amount: amount("inAmount"),
            out: amount("outAmount"),
            least: amount("otherAmountThreshold"),
            slippage_bps: quote["slippageBps"]
                .as_u64()
                .and_then(|bps| bps.try_into().ok())
                .unwrap_or_default(),
        };
        let fee = &body["prioritizationFeeLamports"];
        let fee = fee.as_u64().or_else(|| fee["priorityLevelWithMaxLamports"]["maxLamports"].as_u64());
        Ok(self.assembled(&quoted, user, fee.unwrap_or_default()))
    }

    /// The current form: quote and instructions in one.
    fn build(&self, request: &Request) -> Result<Value, No> {
        let quoted = self.quote(request)?;
        let taker = request.parameter("taker").and_then(|text| text.parse::<Address>().ok());
        let taker = taker.ok_or_else(|| no("taker is missing", "INVALID_INPUT"))?;
        let mut answer = json!({
            "inputMint": quoted.input.to_string(), "outputMint": quoted.output.to_string(),
            "inAmount": quoted.amount.to_string(), "outAmount": quoted.out.to_string(),
            "otherAmountThreshold": quoted.least.to_string(), "swapMode": "ExactIn",
            "slippageBps": quoted.slippage_bps, "priceImpactPct": self.impact(), "routePlan": self.plan(&quoted)
        });
        self.put_instructions(&mut answer, &quoted, taker);
        Ok(answer)
    }
}

impl Handler for State {
    fn named(&self, request: &Request) -> (String, Value) {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let query: Value =
            request.query.iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect();
        (request.path.clone(), if body.is_null() { query } else { body })
    }

    fn answer(&self, request: &Request) -> (StatusCode, Value) {
        let answer = match request.path.as_str() {
            "/swap/v1/quote" => self.old_quote(request),
            "/swap/v1/swap" => self.old_swap(request),
            "/swap/v2/build" => self.build(request),
            _ => Err(No(StatusCode::NOT_FOUND, json!({"error": "Not found"}))),
        };
        match answer {
            Ok(answer) => (StatusCode::OK, answer),
            Err(No(status, answer)) => (status, answer),
        }
    }

    fn lie(&self, _: &Request, result: Value) -> Value {
        result
    }

    fn error(&self, _: &Request, code: i64, message: &str) -> Value {
        json!({"error": message, "errorCode": code})
    }
}

/// A mark of everything in a quote, so that a changed one is known.
fn mark(quote: &Value) -> String {
    let mut sum = 0xcbf2_9ce4_8422_2325_u64;
    for byte in quote.to_string().bytes() {
        sum = (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{sum:016x}")
}

fn is_wrapped(mint: Address) -> bool {
    mint == WRAPPED_SOL
}
