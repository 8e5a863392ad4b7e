//! Connections and HTTP.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::answers::{self, Answer};
use super::{Fault, Request, State, private};

/// Ends the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed on purpose")]
pub(crate) struct Close;

pub(crate) async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        // An answer is one small write; the test shouldn't wait for the other side's acknowledgement.
        let _ = stream.set_nodelay(true);
        state.now().connections += 1;
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&state)));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    request: hyper::Request<Incoming>,
    state: Arc<State>,
) -> Result<Response<Full<Bytes>>, Close> {
    if request.method() == Method::GET {
        let status = private::status(&state, request.uri().path()).await.ok_or(Close)?;
        return Ok(json_response(StatusCode::OK, &status));
    }
    let signature = request.headers().get("x-flashbots-signature").cloned();
    let body = request.into_body().collect().await.map_err(|_| Close)?.to_bytes();
    let Ok(call) = serde_json::from_slice::<Value>(&body) else {
        let error =
            json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "parse error"}});
        return Ok(json_response(StatusCode::OK, &error));
    };
    let signature = signature.as_ref().and_then(|value| value.to_str().ok());
    let Value::Array(calls) = call else { return one(&state, &call, signature, &body).await };
    let mut results = Vec::new();
    for call in &calls {
        let response = one(&state, call, signature, &body).await?;
        if response.status() != StatusCode::OK {
            return Ok(response);
        }
        let Ok(collected) = response.into_body().collect().await.map_err(|never: Infallible| match never {});
        results.push(serde_json::from_slice(&collected.to_bytes()).map_err(|_| Close)?);
    }
    Ok(json_response(StatusCode::OK, &Value::Array(results)))
}

async fn one(
    state: &State,
    call: &Value,
    signature: Option<&str>,
    body: &[u8],
) -> Result<Response<Full<Bytes>>, Close> {
    let method = call["method"].as_str().unwrap_or_default();
    state.now().requests.push(Request {
        method: method.to_owned(),
        parameters: call["params"].clone(),
        id: call["id"].clone(),
        at: std::time::Instant::now(),
    });
    let fault = state.fault_of(method);
    match &fault {
        Some(Fault::TooManyRequests(pause)) => {
            let mut response = text_response(StatusCode::TOO_MANY_REQUESTS, "slow down");
            response.headers_mut().insert("retry-after", pause.as_secs().into());
            return Ok(response);
        }
        Some(Fault::Unavailable) => return Ok(text_response(StatusCode::SERVICE_UNAVAILABLE, "overloaded")),
        Some(Fault::Stall) => std::future::pending().await,
        Some(Fault::Delay(pause)) => tokio::time::sleep(*pause).await,
        Some(Fault::CloseBefore) => return Err(Close),
        Some(Fault::Garbage) => return Ok(text_response(StatusCode::OK, "<html>Welcome!</html>")),
        Some(Fault::Error { code, message }) => {
            return Ok(json_response(StatusCode::OK, &answers::error(call, *code, message)));
        }
        Some(Fault::Lie(result)) => {
            return Ok(json_response(StatusCode::OK, &answers::result(call, result.clone())));
        }
        Some(
            Fault::Half
            | Fault::CloseAfter
            | Fault::BadGatewayAfter
            | Fault::ErrorAfter { .. }
            | Fault::Change(_),
        )
        | None => {}
    }
    let answered = match private::answer(state, call, signature, body).await {
        Some(answer) => Ok(answer),
        None => answers::from_node(state, call).await.map(Answer::Json),
    };
    let mut answer = match answered {
        Ok(Answer::Json(answer)) => answer,
        Ok(Answer::Forbidden(answer)) => return Ok(json_response(StatusCode::FORBIDDEN, &answer)),
        Err(_) => return Ok(text_response(StatusCode::BAD_GATEWAY, "the node does not answer")),
    };
    match fault {
        Some(Fault::CloseAfter) => return Err(Close),
        Some(Fault::ErrorAfter { code, message }) => {
            return Ok(json_response(StatusCode::OK, &answers::error(call, code, &message)));
        }
        Some(Fault::BadGatewayAfter) => return Ok(text_response(StatusCode::BAD_GATEWAY, "bad gateway")),
        Some(Fault::Half) => {
            let mut whole = answer.to_string();
            whole.truncate(whole.len() / 2);
            return Ok(text_response(StatusCode::OK, &whole));
        }
        Some(Fault::Change(members)) => {
            for (name, value) in members {
                // A result that is nothing stays nothing.
                if let Some(result) = answer["result"].as_object_mut() {
                    result.insert(name, value);
                }
            }
        }
        _ => {}
    }
    Ok(json_response(StatusCode::OK, &answer))
}

fn json_response(status: StatusCode, value: &Value) -> Response<Full<Bytes>> {
    let mut response = text_response(status, &value.to_string());
    response
        .headers_mut()
        .insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    response
}

fn text_response(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text.to_owned())));
    *response.status_mut() = status;
    response
}
