//! One server and how it has been doing. Its address may hold a secret, so only the host's name is ever shown.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;
use solana_rpc_client::rpc_sender::{RpcSender, RpcTransportStats};
use solana_rpc_client_api::client_error::Error as ClientError;
use solana_rpc_client_api::custom_error::JSON_RPC_SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE as PREFLIGHT_FAILURE;
use solana_rpc_client_api::request::{RpcError, RpcRequest, RpcResponseErrorData};
use tokio::time::Instant;

/// The pause after the first failure in a row, and the longest. It doubles with each.
const FIRST_REST: Duration = Duration::from_millis(250);
const LONGEST_REST: Duration = Duration::from_secs(30);
/// The longest pause that a server's own word brings about.
const LONGEST_ASKED_REST: Duration = Duration::from_secs(120);

/// Where a server is and what may be asked of it.
#[derive(Clone)]
pub struct EndpointSettings {
    /// Its address, which may hold a secret.
    pub url: String,
    /// Most requests in a second; no limit when absent.
    pub requests_per_second: Option<NonZeroU32>,
    /// How long an answer may take.
    pub timeout: Duration,
}

impl fmt::Debug for EndpointSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EndpointSettings")
            .field("host", &host_of(&self.url))
            .field("requests_per_second", &self.requests_per_second)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// An address that can't be that of a server. It is not repeated, as it may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the address of an endpoint is http:// or https:// with a host; this one can't be read")]
pub struct InvalidAddress;

/// HTTP to one server, its limits and its health.
pub(crate) struct Line {
    name: String,
    url: reqwest::Url,
    client: reqwest::Client,
    limiter: Option<DefaultDirectRateLimiter>,
    health: Mutex<Health>,
}

#[derive(Debug, Default)]
struct Health {
    failures: u32,
    rests_until: Option<Instant>,
    failed_at: Option<Instant>,
}

/// Why a request brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The server limits how often it is asked; it is left alone for so long.
    Limited(Duration),
    /// It can't be reached, answers too late, or something else than it should.
    Broken(String),
}

/// An answer, whatever its status.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Line {
    pub(crate) fn new(settings: &EndpointSettings) -> Result<Self, InvalidAddress> {
        Self::within(settings, settings.requests_per_second.map(Quota::per_second))
    }

    /// With a limit of its own instead of that of the settings.
    pub(crate) fn within(settings: &EndpointSettings, quota: Option<Quota>) -> Result<Self, InvalidAddress> {
        let url: reqwest::Url = settings.url.parse().map_err(|_| InvalidAddress)?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(InvalidAddress);
        }
        // There is one provider in this program, and a client that finds none panics.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = reqwest::Client::builder()
            .timeout(settings.timeout)
            .connect_timeout(settings.timeout)
            .redirect(reqwest::redirect::Policy::none());
        if url.scheme() == "http" {
            // What is not encrypted does not leave this machine by a proxy.
            client = client.no_proxy();
        }
        let client = client.build().map_err(|_| InvalidAddress)?;
        let limiter = quota.map(RateLimiter::direct);
        Ok(Self { name: host_of(&settings.url), url, client, limiter, health: Mutex::default() })
    }

    /// The host's name, which is no secret.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it may be asked now.
    pub(crate) fn is_awake(&self) -> bool {
        self.health().rests_until.is_none_or(|until| Instant::now() >= until)
    }

    /// When it may be asked again.
    pub(crate) fn rests_until(&self) -> Option<Instant> {
        self.health().rests_until
    }

    /// Failures since it last answered.
    pub(crate) fn failures(&self) -> u32 {
        self.health().failures
    }

    /// When it failed last, unless it has answered since.
    pub(crate) fn failed_at(&self) -> Option<Instant> {
        self.health().failed_at
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn url(&self) -> &reqwest::Url {
        &self.url
    }

    pub(crate) const fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Leaves it alone: for as long as it asked, or longer with each failure.
    fn rest(&self, asked: Option<Duration>) -> Duration {
        let mut health = self.health();
        let doubled = FIRST_REST.saturating_mul(1 << health.failures.min(16)).min(LONGEST_REST);
        let pause = asked.map_or(doubled, |asked| asked.clamp(FIRST_REST, LONGEST_ASKED_REST));
        health.failures = health.failures.saturating_add(1);
        let now = Instant::now();
        health.failed_at = Some(now);
        health.rests_until = Some(now + pause);
        pause
    }

    pub(crate) fn note_success(&self) {
        *self.health() = Health::default();
    }

    pub(crate) fn note_broken(&self, why: impl Into<String>) -> Failure {
        self.rest(None);
        Failure::Broken(why.into())
    }

    /// Leaves it alone, as it said by JSON-RPC that it is asked too often.
    pub(crate) fn note_limited(&self) -> Failure {
        Failure::Limited(self.rest(None))
    }

    /// Asks in its turn, and notes how that went. Errors of the transport name no address.
    pub(crate) async fn ask(&self, request: reqwest::RequestBuilder) -> Result<Answer, Failure> {
        self.ask_several(request, 1).await
    }

    /// As [`Self::ask`], with a request that holds so many calls: servers count each of them.
    pub(crate) async fn ask_several(
        &self,
        request: reqwest::RequestBuilder,
        calls: usize,
    ) -> Result<Answer, Failure> {
        if let Some(limiter) = &self.limiter {
            for _ in 0..calls {
                while limiter.check().is_err() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
        let response = request.send().await.map_err(|error| self.note_broken(kind_of(&error)))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status == StatusCode::TOO_MANY_REQUESTS {
            let pause = self.rest(asked_pause(&headers, SystemTime::now()));
            tracing::warn!(endpoint = self.name, ?pause, "it is asked too often");
            return Err(Failure::Limited(pause));
        }
        if status.is_server_error() {
            return Err(self.note_broken(format!("HTTP {}", status.as_u16())));
        }
        let body = response.bytes().await.map_err(|error| self.note_broken(kind_of(&error)))?;
        Ok(Answer { status, headers, body: body.to_vec() })
    }
}

/// How long a server wants to be left alone: `x-ratelimit-reset` is a time in seconds since 1970, or on some servers the
/// seconds until then; `retry-after` is the seconds.
fn asked_pause(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let now = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let reset = number("x-ratelimit-reset").map(|reset| {
        // No server asks for a pause of thirty years.
        if reset > 1_000_000_000 { reset.saturating_sub(now) } else { reset }
    });
    let asked = reset.or_else(|| number(RETRY_AFTER.as_str()));
    asked.map(Duration::from_secs)
}

/// What went wrong on the way, without the address.
fn kind_of(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "it did not answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    }
}

/// A server may repeat in its error what it was asked with, its own address among it.
pub(crate) fn without_secrets(message: &str) -> String {
    let words =
        message.split_whitespace().map(|word| if word.contains("://") { "(an address)" } else { word });
    words.collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).take(300).collect()
}

fn host_of(url: &str) -> String {
    let url: Option<reqwest::Url> = url.parse().ok();
    let host = url.as_ref().and_then(|url| Some((url.host_str()?, url.port())));
    match host {
        Some((host, Some(port))) => format!("{host}:{port}"),
        Some((host, None)) => host.to_owned(),
        None => "an endpoint".to_owned(),
    }
}

/// Carries the official client's questions over a [`Line`].
pub(crate) struct Transport {
    pub(crate) line: Arc<Line>,
    pub(crate) number: AtomicU64,
}

#[async_trait]
impl RpcSender for Transport {
    async fn send(&self, request: RpcRequest, params: Value) -> Result<Value, ClientError> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let body = request.build_request_json(number, params);
        let request = self.line.client().post(self.line.url().clone()).json(&body);
        let answer = self.line.ask(request).await.map_err(|failure| broken(&failure))?;
        let mut answer: Value = match serde_json::from_slice(&answer.body) {
            Ok(answer @ Value::Object(_)) => answer,
            _ => {
                let status = answer.status.as_u16();
                return Err(broken(&self.line.note_broken(format!("HTTP {status} without JSON"))));
            }
        };
        let error = answer["error"].take();
        if error.is_null() {
            self.line.note_success();
            return Ok(answer["result"].take());
        }
        let code = error["code"].as_i64().unwrap_or_default();
        let message = without_secrets(error["message"].as_str().unwrap_or_default());
        if is_about_pace(code, &message) {
            return Err(broken(&self.line.note_limited()));
        }
        if is_about_health(code) {
            return Err(broken(&self.line.note_broken(message)));
        }
        self.line.note_success();
        let tried = (code == PREFLIGHT_FAILURE).then(|| serde_json::from_value(error["data"].clone()).ok());
        let data = tried.flatten().map_or(RpcResponseErrorData::Empty, |tried| {
            RpcResponseErrorData::SendTransactionPreflightFailure(tried)
        });
        Err(RpcError::RpcResponseError { code, message, data }.into())
    }

    fn get_transport_stats(&self) -> RpcTransportStats {
        RpcTransportStats::default()
    }

    fn url(&self) -> String {
        self.line.name().to_owned()
    }
}

fn broken(failure: &Failure) -> ClientError {
    let why = match failure {
        Failure::Limited(pause) => format!("it is asked too often, and left alone for {pause:.1?}"),
        Failure::Broken(why) => why.clone(),
    };
    RpcError::RpcRequestError(why).into()
}

pub(crate) fn is_about_pace(code: i64, message: &str) -> bool {
    let message = message.to_lowercase();
    code == 429 || message.contains("rate limit") || message.contains("too many requests")
}

/// Whether an error is about what was asked: the parameters, or a transaction that fails, has a wrong signature or a version
/// that nobody was ready for. Everything else (an unknown method, an index that is left out, an internal error) is about
/// the node, and another may know better.
pub(crate) fn is_about_question(code: i64) -> bool {
    matches!(code, -32_602 | -32_002 | -32_003 | -32_006 | -32_013 | -32_015)
}

/// The node is behind or unhealthy, has not got the block, or not yet the slot.
pub(crate) fn is_about_health(code: i64) -> bool {
    matches!(code, -32_004 | -32_005 | -32_014 | -32_016)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> EndpointSettings {
        EndpointSettings { url: url.to_owned(), requests_per_second: None, timeout: Duration::from_secs(1) }
    }

    #[test]
    fn what_may_be_a_secret_is_never_shown() {
        let settings = settings("https://user:planted@node.example.org/planted?api-key=planted");
        let line = Line::new(&settings).unwrap();
        for shown in [format!("{settings:?}"), line.name().to_owned()] {
            assert!(!shown.contains("planted") && shown.contains("node.example.org"), "{shown}");
        }
        assert_eq!(without_secrets("denied for https://node.example.org/planted"), "denied for (an address)");
    }

    #[test]
    fn an_address_that_nobody_can_be_at_is_refused() {
        for url in ["", "node", "ftp://planted", "file:///planted"] {
            assert_eq!(Line::new(&settings(url)).err(), Some(InvalidAddress));
        }
    }

    #[test]
    fn a_server_says_in_three_ways_when_to_come_back() {
        let now = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        let pause = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            asked_pause(&headers, now)
        };
        assert_eq!(pause("x-ratelimit-reset", "1790000007"), Some(Duration::from_secs(7)));
        assert_eq!(pause("x-ratelimit-reset", "7"), Some(Duration::from_secs(7)));
        assert_eq!(pause("x-ratelimit-reset", "1780000000"), Some(Duration::ZERO));
        assert_eq!(pause("retry-after", "3"), Some(Duration::from_secs(3)));
        assert_eq!(pause("retry-after", "soon"), None);
    }

    #[test]
    fn failures_make_pauses_longer_and_a_success_ends_them() {
        let line = Line::new(&settings("http://127.0.0.1:1")).unwrap();
        assert_eq!(line.rest(None), FIRST_REST);
        assert_eq!(line.rest(None), FIRST_REST * 2);
        assert!(!line.is_awake() && line.failures() == 2);
        assert_eq!(line.rest(Some(Duration::from_secs(9_999))), LONGEST_ASKED_REST);
        line.note_success();
        assert!(line.is_awake() && line.failures() == 0);
    }
}
