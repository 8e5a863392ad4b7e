//! What is done around every request, whatever it asks for.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::addressing::addressed;
use crate::api::Api;
use crate::client_address::ClientAddress;
use crate::observer::ServedRequest;
use crate::pages;
use crate::problem::{Kind, Problem};

/// Where plugin files are uploaded.
const UPLOAD: &str = "/api/v1/plugins/{plugin}";

/// Largest body but for plugin files, in bytes.
pub(crate) const LARGEST_BODY: usize = 64 * 1024;

/// How long an answer may take: more than a change waits for, and enough to upload and compile a plugin.
const LONGEST_ANSWER: Duration = Duration::from_secs(60);

/// Lets the pages of allowed origins use the API, and no others.
pub(crate) fn cross_origin(api: &Api) -> CorsLayer {
    let origins = api.settings.origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("last-event-id"),
        ])
        .expose_headers([HeaderName::from_static("x-request-id")])
}

/// What is done around every request: it gets a number, a limit and a time; its answer gets the headers that keep
/// browsers from doing more with it, and is counted.
pub(crate) async fn around(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    const HEADERS: [(HeaderName, &str); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ];

    let id = request_id();
    // Where such a request ends can be understood in two ways, so nothing that follows it is taken for another one.
    let ambiguous = request.headers().contains_key(header::TRANSFER_ENCODING);
    let has_body = request.headers().get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let traceparent = api.observer.as_ref().and_then(|_| request.headers().get("traceparent").cloned());
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let client = peer.map(|peer| ClientAddress::of(peer, request.headers(), &api.settings.trusted_proxies));
    let allowed = client.map_or(Ok(()), |client| api.limits.address(client.0));
    if let Some(client) = client {
        request.extensions_mut().insert(client);
    }
    let allowed =
        allowed.and_then(|()| addressed(&api.settings.hosts, &api.settings.origins, request.headers()));
    let allowed = allowed.and_then(|()| small_enough(&api, request.headers(), route.as_deref()));
    let mut response = match allowed {
        Ok(()) => tokio::time::timeout(LONGEST_ANSWER, next.run(request)).await.unwrap_or_else(|_| {
            Problem::new(Kind::TimedOut, "it took too long; ask for less, or again later").into_response()
        }),
        Err(problem) => problem.into_response(),
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        tracing::debug!(request = id, problem = problem.detail, "a request to the API failed");
        response = problem.document(&id);
    }
    let status = response.status().as_u16();
    // A method can be any word that a stranger thinks of.
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].contains(&method.as_str());
    let counted = if known { method.as_str() } else { "other" };
    let took = started.elapsed();
    api.counts.count(counted, route.as_deref().unwrap_or("none"), status, took);
    if let Some(observer) = &api.observer {
        let now = SystemTime::now();
        observer.served(&ServedRequest {
            id: &id,
            method: counted,
            route: route.as_deref(),
            status,
            began: now.checked_sub(took).unwrap_or(now),
            took,
            traceparent: traceparent.as_ref().and_then(|value| value.to_str().ok()),
        });
    }
    tracing::debug!(request = id, method = counted, route, status, "API");
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = HeaderValue::from_static(pages::CONTENT_SECURITY_POLICY);
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if api.settings.certificate.is_some() {
        let always = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, always);
    }
    // A body that was refused may not have been read, and then the connection ends: who asks next must know.
    if ambiguous || (has_body && status >= 400) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("x-request-id", id);
    }
    response
}

/// The largest plugin file for an upload, and little for everything else.
pub(crate) fn largest_body(api: &Api, route: Option<&str>) -> usize {
    if route == Some(UPLOAD) { api.settings.largest_upload } else { LARGEST_BODY }
}

/// Refuses a body that is announced to be too large before any of it is read.
fn small_enough(api: &Api, headers: &HeaderMap, route: Option<&str>) -> Result<(), Problem> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let most = largest_body(api, route);
    if length.is_none_or(|length: usize| length <= most) {
        return Ok(());
    }
    Err(Problem::new(
        Kind::BodyTooLarge,
        format!("the body is too large; at most {most} bytes are taken here"),
    ))
}

/// Random, so that it is unlike that of any other request, also of other runs.
fn request_id() -> String {
    getrandom::u64().map_or_else(|_| "unknown".to_owned(), |number| format!("{number:016x}"))
}
