//! What a node answers, as of a block that may be some way back.

use serde_json::{Value, json};

use super::State;

/// What a caller gets.
pub(crate) enum Answer {
    /// With status 200.
    Json(Value),
    /// With status 403.
    Forbidden(Value),
}

pub(crate) fn result(call: &Value, result: impl Into<Value>) -> Value {
    json!({"jsonrpc": "2.0", "id": call["id"], "result": result.into()})
}

pub(crate) fn error(call: &Value, code: i64, message: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": call["id"], "error": {"code": code, "message": message}})
}

/// What the node answers, or what it would have answered some blocks ago.
pub(crate) async fn from_node(state: &State, call: &Value) -> Result<Value, reqwest::Error> {
    let lag = state.now().lag;
    if lag == 0 {
        return state.forward(call).await;
    }
    let newest = number(&state.ask("eth_blockNumber", json!([])).await?).unwrap_or_default();
    let seen = newest.saturating_sub(lag);
    let mut call = call.clone();
    if call["method"] == "eth_blockNumber" {
        return Ok(result(&call, format!("{seen:#x}")));
    }
    take_back(&mut call, seen);
    let mut answer = state.forward(&call).await?;
    if is_later(&answer["result"]["blockNumber"], seen) {
        if call["method"] == "eth_getTransactionByHash" {
            for member in ["blockNumber", "blockHash", "transactionIndex"] {
                answer["result"][member] = Value::Null;
            }
        } else {
            answer["result"] = Value::Null;
        }
    }
    if let Some(entries) = answer["result"].as_array_mut() {
        entries.retain(|entry| !is_later(&entry["blockNumber"], seen));
    }
    if is_later(&answer["result"]["number"], seen) {
        answer["result"] = Value::Null;
    }
    Ok(answer)
}

/// Makes a question for the newest state one for that of a block.
fn take_back(call: &mut Value, block: u64) {
    let position = match call["method"].as_str().unwrap_or_default() {
        "eth_getBlockByNumber" => 0,
        "eth_getBalance"
        | "eth_getTransactionCount"
        | "eth_call"
        | "eth_getCode"
        | "eth_estimateGas"
        | "eth_feeHistory" => 1,
        _ => return,
    };
    let Some(parameters) = call["params"].as_array_mut() else { return };
    let block: Value = format!("{block:#x}").into();
    let there = parameters.len();
    match parameters.get_mut(position) {
        Some(named) if named == "latest" || named == "pending" => *named = block,
        None if there == position => parameters.push(block),
        _ => {}
    }
}

fn is_later(number_of_block: &Value, than: u64) -> bool {
    number(number_of_block).is_some_and(|number| number > than)
}

fn number(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}
