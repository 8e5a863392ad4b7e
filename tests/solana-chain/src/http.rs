//! Connections and HTTP, for both servers.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::faults::{Asked, Fault, Faults};

/// Ends the connection without an answer.
#[derive(Debug)]
pub(crate) struct Close;

impl std::fmt::Display for Close {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection is closed on purpose")
    }
}

impl std::error::Error for Close {}

/// A request that was read to its end.
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) api_key: Option<String>,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What a server does with a request.
pub(crate) trait Handler: Send + Sync + 'static {
    /// The method and the parameters by which faults are chosen and requests remembered.
    fn named(&self, request: &Request) -> (String, Value);
    /// The honest answer.
    fn answer(&self, request: &Request) -> (StatusCode, Value);
    /// What stands in for the honest answer.
    fn lie(&self, request: &Request, result: Value) -> Value;
    /// An error in the server's own form.
    fn error(&self, request: &Request, code: i64, message: &str) -> Value;
}

/// Listens, and answers until the task is aborted.
pub(crate) async fn serve(port: u16, handler: Arc<dyn Handler>, faults: Faults) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a port that is free");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let accepting = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let (handler, faults) = (Arc::clone(&handler), faults.clone());
            connections.spawn(async move {
                let service = service_fn(move |request| one(request, Arc::clone(&handler), faults.clone()));
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
            while connections.try_join_next().is_some() {}
        }
    });
    (url, accepting)
}

async fn one(
    request: hyper::Request<Incoming>,
    handler: Arc<dyn Handler>,
    faults: Faults,
) -> Result<Response<Full<Bytes>>, Close> {
    let api_key = request.headers().get("x-api-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default();
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let body = request.into_body().collect().await.map_err(|_| Close)?.to_bytes();
    let request = Request { path, query, api_key, body };
    let (method, parameters) = handler.named(&request);
    let fault = faults.next(Asked { method, parameters, api_key: request.api_key.clone() });
    match fault {
        Some(Fault::TooManyRequests { reset_in, retry_after }) => {
            let mut response = text(StatusCode::TOO_MANY_REQUESTS, "slow down");
            if let Some(seconds) = reset_in {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
                response.headers_mut().insert("x-ratelimit-reset", (now.as_secs() + seconds).into());
            }
            if let Some(seconds) = retry_after {
                response.headers_mut().insert("retry-after", seconds.into());
            }
            return Ok(response);
        }
        Some(Fault::Unavailable) => return Ok(text(StatusCode::SERVICE_UNAVAILABLE, "overloaded")),
        Some(Fault::Stall) => std::future::pending().await,
        Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
        Some(Fault::CloseBefore) => return Err(Close),
        Some(Fault::Garbage) => return Ok(text(StatusCode::OK, "<html>Welcome!</html>")),
        Some(Fault::Error { code, message }) => {
            return Ok(json(StatusCode::OK, &handler.error(&request, code, &message)));
        }
        Some(Fault::Lie(result)) => return Ok(json(StatusCode::OK, &handler.lie(&request, result))),
        Some(Fault::CloseAfter) => {
            handler.answer(&request);
            return Err(Close);
        }
        None => {}
    }
    let (status, answer) = handler.answer(&request);
    Ok(json(status, &answer))
}

fn json(status: StatusCode, value: &Value) -> Response<Full<Bytes>> {
    let mut response = text(status, &value.to_string());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

fn text(status: StatusCode, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = status;
    response
}
