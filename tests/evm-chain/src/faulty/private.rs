//! Transactions that are sent to builders of blocks and not to everybody, in the wire format of Flashbots. The node
//! itself knows nothing of it.

use alloy::primitives::{Address, B256, Bytes, keccak256};
use serde_json::{Value, json};

use super::answers::{self, Answer};
use super::{Private, State, decode_transaction, signer_of};

/// The error for what is not formed as it should be.
const INVALID: i64 = -32602;

/// What was sent privately.
#[derive(Debug, Clone, PartialEq)]
pub struct PrivateRequest {
    /// The method: `eth_sendPrivateTransaction` or `eth_sendBundle`.
    pub method: String,
    /// Who signed the request: an identity, not whose money it is.
    pub signer: Address,
    /// The transactions, as they are signed, each with its hash.
    pub transactions: Vec<(Bytes, B256)>,
    /// The only member of the parameters, as it came.
    pub parameters: Value,
}

/// The answer, when the method is one of these.
pub(crate) async fn answer(
    state: &State,
    call: &Value,
    signature: Option<&str>,
    body: &[u8],
) -> Option<Answer> {
    let method = call["method"].as_str()?;
    if !matches!(method, "eth_sendPrivateTransaction" | "eth_sendBundle" | "eth_cancelPrivateTransaction") {
        return None;
    }
    let Some(signer) = signature.and_then(|header| signer_of(header, body)) else {
        return Some(Answer::Forbidden(answers::error(call, -32600, "signer does not match the signature")));
    };
    Some(Answer::Json(match method {
        "eth_cancelPrivateTransaction" => cancel(state, call),
        _ => send(state, call, method, signer)
            .await
            .unwrap_or_else(|| answers::error(call, INVALID, "the parameters are not those of the method")),
    }))
}

async fn send(state: &State, call: &Value, method: &str, signer: Address) -> Option<Value> {
    let [parameters] = call["params"].as_array()?.as_slice() else { return None };
    let raw = if method == "eth_sendBundle" {
        number(&parameters["blockNumber"])?;
        parameters["txs"].as_array()?.clone()
    } else {
        if let Some(last) = parameters.get("maxBlockNumber") {
            number(last)?;
        }
        vec![parameters["tx"].clone()]
    };
    let transactions: Vec<_> = raw.iter().map(decode_transaction).collect::<Option<_>>()?;
    let hashes: Vec<B256> = transactions.iter().map(|(_, hash)| *hash).collect();
    let forward = {
        let mut now = state.now();
        now.private_requests.push(PrivateRequest {
            method: method.to_owned(),
            signer,
            transactions,
            parameters: parameters.clone(),
        });
        now.private == Private::Forward
    };
    if forward {
        for raw in raw {
            // Builders drop in silence what can't get into a block.
            let _ = state.ask("eth_sendRawTransaction", json!([raw])).await;
        }
    }
    Some(answers::result(
        call,
        if method == "eth_sendBundle" {
            json!({"bundleHash": keccak256(hashes.iter().flatten().copied().collect::<Vec<u8>>())})
        } else {
            json!(hashes.first()?)
        },
    ))
}

fn cancel(state: &State, call: &Value) -> Value {
    let hash: Option<B256> = serde_json::from_value(call["params"][0]["txHash"].clone()).ok();
    let mut now = state.now();
    let before = now.private_requests.len();
    now.private_requests.retain(|sent| !sent.transactions.iter().any(|(_, own)| Some(*own) == hash));
    answers::result(call, now.private_requests.len() < before)
}

/// What became of a transaction, at the path `/tx/{hash}`.
pub(crate) async fn status(state: &State, path: &str) -> Option<Value> {
    let hash: B256 = path.strip_prefix("/tx/")?.parse().ok()?;
    let known =
        state.now().private_requests.iter().any(|sent| sent.transactions.iter().any(|(_, own)| *own == hash));
    let receipt = state.ask("eth_getTransactionReceipt", json!([hash])).await.ok()?;
    let status = match (receipt.is_null(), known) {
        (false, _) => "INCLUDED",
        (true, true) => "PENDING",
        (true, false) => "UNKNOWN",
    };
    Some(json!({"status": status, "hash": hash}))
}

fn number(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}
