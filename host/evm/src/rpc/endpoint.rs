//! One server. Its address may hold a secret, so only the host's name is ever shown.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use alloy::eips::{BlockId, BlockNumberOrTag};
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::providers::{DynProvider, Provider as _, ProviderBuilder};
use alloy::rpc::json_rpc::RpcError;
use alloy::rpc::types::TransactionRequest;
use alloy::transports::{TransportError, TransportErrorKind};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::time::Instant;

use crate::chain::{At, ChainError, Head, Receipt, Rejection, RejectionKind, Sent};

/// The pause after the first failure in a row, and the longest. It doubles with each.
const FIRST_REST: Duration = Duration::from_millis(250);
const LONGEST_REST: Duration = Duration::from_secs(30);

/// The longest that a server is left alone because it asks for that.
const LONGEST_ASKED_REST: Duration = Duration::from_secs(5 * 60);

/// A block of a time further ahead than this is none.
const MOST_AHEAD: Duration = Duration::from_secs(15 * 60);

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

/// A server and how it has been doing.
pub struct Endpoint {
    name: String,
    provider: DynProvider,
    limiter: Option<DefaultDirectRateLimiter>,
    health: Mutex<Health>,
}

#[derive(Debug, Default)]
struct Health {
    failures: u32,
    rests_until: Option<Instant>,
    /// The newest block that it has spoken of.
    height: u64,
    /// The chain that it says it is of, once it was asked.
    chain: Option<u64>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Endpoint").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// A server that nothing is known of yet.
    ///
    /// # Errors
    ///
    /// [`InvalidAddress`] when nobody can be asked there.
    pub fn new(settings: &EndpointSettings) -> Result<Self, InvalidAddress> {
        let url = address(&settings.url)?;
        let client = client(&url, settings.timeout)?;
        let provider =
            ProviderBuilder::new().disable_recommended_fillers().connect_reqwest(client, url).erased();
        let limiter = settings.requests_per_second.map(|most| RateLimiter::direct(Quota::per_second(most)));
        Ok(Self { name: host_of(&settings.url), provider, limiter, health: Mutex::default() })
    }

    /// The host's name, which is no secret.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it may be asked now.
    pub(super) fn is_awake(&self) -> bool {
        self.health().rests_until.is_none_or(|until| Instant::now() >= until)
    }

    /// Failures since it last answered.
    pub(super) fn failures(&self) -> u32 {
        self.health().failures
    }

    /// When it may be asked again.
    pub(super) fn rests_until(&self) -> Option<Instant> {
        self.health().rests_until
    }

    /// The newest block that it has spoken of.
    pub(super) fn height(&self) -> u64 {
        self.health().height
    }

    /// The chain that it was found to be of.
    pub(super) fn known_chain(&self) -> Option<u64> {
        self.health().chain
    }

    fn health(&self) -> std::sync::MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) const fn provider(&self) -> &DynProvider {
        &self.provider
    }

    pub(super) async fn turn(&self) {
        let Some(limiter) = &self.limiter else { return };
        while limiter.check().is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Notes how it did. A server whose connection failed may be another one afterwards, so its chain is asked again.
    pub(super) fn note<T>(&self, answer: Result<T, TransportError>) -> Result<T, ChainError> {
        let mut health = self.health();
        match answer {
            Ok(answer) => {
                (health.failures, health.rests_until) = (0, None);
                Ok(answer)
            }
            Err(RpcError::ErrorResp(payload)) => {
                // Before its words are looked at: a contract that refuses chooses them.
                let reverted = match payload.as_revert_data() {
                    None if payload.code == REVERTED => Some(Bytes::new()),
                    data => data,
                };
                if reverted.is_none() && is_busy(payload.code, &payload.message) {
                    rest(&mut health, None);
                    return Err(ChainError::Unavailable(format!("{}: it is asked too often", self.name)));
                }
                (health.failures, health.rests_until) = (0, None);
                match reverted {
                    Some(data) => Err(ChainError::Reverted(data)),
                    None => Err(ChainError::Refused(without_secrets(&payload.message))),
                }
            }
            Err(error) => {
                let pause = match &error {
                    RpcError::Transport(TransportErrorKind::HttpErrorWithRetryAfter {
                        retry_after, ..
                    }) => Some(*retry_after),
                    _ => None,
                };
                rest(&mut health, pause);
                health.chain = None;
                Err(ChainError::Unavailable(format!("{}: {}", self.name, kind_of(&error))))
            }
        }
    }

    pub(super) async fn chain_id(&self) -> Result<u64, ChainError> {
        self.turn().await;
        let answer = self.provider.get_chain_id().await;
        let id = self.note(answer)?;
        self.health().chain = Some(id);
        Ok(id)
    }

    pub(super) async fn head(&self) -> Result<Head, ChainError> {
        self.turn().await;
        let answer = self.provider.get_block_by_number(BlockNumberOrTag::Latest).await;
        let block = self.note(answer)?;
        let header =
            block.ok_or_else(|| ChainError::Malformed("there is no newest block".to_owned()))?.header;
        let base_fee = header.base_fee_per_gas.ok_or_else(|| {
            ChainError::Malformed(
                "blocks have no base fee; chains without EIP-1559 are not traded on".to_owned(),
            )
        })?;
        let number = header.number;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        if Duration::from_secs(header.timestamp) > now.saturating_add(MOST_AHEAD) {
            let what =
                format!("{}: block {number} is of the future; is this machine's clock right?", self.name);
            return Err(ChainError::Malformed(what));
        }
        self.health().height = number;
        Ok(Head { number, timestamp: header.timestamp, base_fee: base_fee.into() })
    }

    pub(super) async fn balance(&self, of: Address) -> Result<U256, ChainError> {
        self.turn().await;
        let answer = self.provider.get_balance(of).await;
        self.note(answer)
    }

    pub(super) async fn nonce(&self, of: Address, pending: bool) -> Result<u64, ChainError> {
        self.turn().await;
        let at = if pending { BlockId::pending() } else { BlockId::latest() };
        let answer = self.provider.get_transaction_count(of).block_id(at).await;
        self.note(answer)
    }

    pub(super) async fn call(&self, request: TransactionRequest, at: At) -> Result<Bytes, ChainError> {
        self.turn().await;
        let block = match at {
            At::Latest => BlockId::latest(),
            At::Block(height) => BlockId::number(height),
        };
        let answer = self.provider.call(request).block(block).await;
        self.note(answer)
    }

    pub(super) async fn estimate_gas(&self, request: TransactionRequest) -> Result<u64, ChainError> {
        self.turn().await;
        let answer = self.provider.estimate_gas(request).await;
        self.note(answer)
    }

    pub(super) async fn tip(&self) -> Result<u128, ChainError> {
        self.turn().await;
        let answer = self.provider.get_max_priority_fee_per_gas().await;
        self.note(answer)
    }

    pub(super) async fn receipt(&self, hash: B256) -> Result<Option<Receipt>, ChainError> {
        self.turn().await;
        let answer = self.provider.client().request("eth_getTransactionReceipt", (hash,)).await;
        let receipt: Option<Receipt> = self.note(answer)?;
        match receipt {
            Some(receipt) if receipt.transaction.transaction_hash != hash => {
                let what = format!("{}: the receipt of another transaction was given for {hash}", self.name);
                Err(ChainError::Malformed(what))
            }
            receipt => Ok(receipt),
        }
    }

    pub(super) async fn knows(&self, hash: B256) -> Result<bool, ChainError> {
        self.turn().await;
        let answer = self.provider.get_transaction_by_hash(hash).await;
        Ok(self.note(answer)?.is_some())
    }

    pub(super) async fn send(&self, raw: &[u8]) -> Sent {
        self.turn().await;
        match self.provider.send_raw_transaction(raw).await {
            Ok(_) => {
                let _ = self.note::<()>(Ok(()));
                Sent::Taken(self.name.clone())
            }
            Err(RpcError::ErrorResp(payload)) => {
                let message = without_secrets(&payload.message);
                if is_busy(payload.code, &message) {
                    rest(&mut self.health(), None);
                    return Sent::Unknown(format!("{}: {message}", self.name));
                }
                if is_known_already(&message) {
                    return Sent::Taken(self.name.clone());
                }
                match kind_of_rejection(&message) {
                    Some(kind) => Sent::Rejected(Rejection { kind, message }),
                    // Such as that somebody behind it did not answer in time, who may have it.
                    None => Sent::Unknown(format!("{}: {message}", self.name)),
                }
            }
            Err(error) => match self.note::<()>(Err(error)) {
                Err(ChainError::Unavailable(why)) => Sent::Unknown(why),
                other => Sent::Unknown(format!("{other:?}")),
            },
        }
    }
}

/// An address that somebody can be at.
pub(super) fn address(url: &str) -> Result<reqwest::Url, InvalidAddress> {
    let url: reqwest::Url = url.parse().map_err(|_| InvalidAddress)?;
    let is_one = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
    if is_one { Ok(url) } else { Err(InvalidAddress) }
}

/// What asks a server: encrypted with the system's certificates, and nowhere but there.
pub(super) fn client(url: &reqwest::Url, timeout: Duration) -> Result<reqwest::Client, InvalidAddress> {
    // There is one provider in this program, and a client that finds none panics.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut client = reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout)
        .redirect(reqwest::redirect::Policy::none());
    if url.scheme() == "http" {
        // What is not encrypted does not leave this machine by a proxy.
        client = client.no_proxy();
    }
    client.build().map_err(|_| InvalidAddress)
}

/// The code of a call that a contract refused.
const REVERTED: i64 = 3;

fn rest(health: &mut Health, asked: Option<Duration>) {
    let doubled = FIRST_REST.saturating_mul(1 << health.failures.min(16)).min(LONGEST_REST);
    health.failures = health.failures.saturating_add(1);
    // Whatever it asks for, it is tried again some time.
    health.rests_until = Some(Instant::now() + asked.unwrap_or(doubled).min(LONGEST_ASKED_REST));
}

/// Servers say in many ways that they are asked too often: -32005 is that of EIP-1474.
pub(super) fn is_busy(code: i64, message: &str) -> bool {
    let message = message.to_lowercase();
    code == -32005 || code == 429 || message.contains("rate limit") || message.contains("too many requests")
}

/// The words of geth, Nethermind, Erigon, Besu, Reth and anvil.
pub(super) fn is_known_already(message: &str) -> bool {
    let message = message.to_lowercase();
    ["already known", "already imported", "known transaction", "alreadyknown", "already in the pool"]
        .iter()
        .any(|mark| message.contains(mark))
}

/// What kind of no it is that a node says to a transaction; nothing when these are no words of a node that has looked at it.
/// After geth, Nethermind, Erigon, Besu, Reth and anvil.
pub(super) fn kind_of_rejection(message: &str) -> Option<RejectionKind> {
    let message = message.to_lowercase();
    let says = |marks: &[&str]| marks.iter().any(|mark| message.contains(mark));
    let kind = if says(&["nonce too low", "noncetoolow", "oldnonce", "nonce is too low"]) {
        RejectionKind::NonceTooLow
    } else if says(&["underpriced", "fee cap less", "max fee per gas less", "feetoolow", "gas price too low"])
    {
        RejectionKind::Underpriced
    } else if says(&["insufficient funds", "insufficient balance", "insufficientfunds"]) {
        RejectionKind::InsufficientFunds
    } else if says(&[
        "intrinsic gas",
        "intrinsicgas",
        "gas limit",
        "gaslimit",
        "out of gas",
        "oversized",
        "invalid sender",
        "signature",
        "invalid transaction",
        "chain id",
        "chainid",
        "not supported",
        "nonce too high",
        "nonce gap",
        "pool is full",
        "tip above",
        "denied",
        "blocked",
        "not allowed",
    ]) {
        RejectionKind::Other
    } else {
        return None;
    };
    Some(kind)
}

/// What went wrong on the way, without the address, which errors of the transport may repeat.
fn kind_of(error: &TransportError) -> String {
    match error {
        RpcError::Transport(
            TransportErrorKind::HttpError(http)
            | TransportErrorKind::HttpErrorWithRetryAfter { error: http, .. },
        ) => format!("HTTP {}", http.status),
        RpcError::Transport(TransportErrorKind::Custom(error)) => {
            match error.downcast_ref::<reqwest::Error>() {
                Some(error) if error.is_timeout() => "it did not answer in time".to_owned(),
                Some(error) if error.is_connect() => "no connection".to_owned(),
                _ => "the connection broke".to_owned(),
            }
        }
        RpcError::DeserError { .. } | RpcError::NullResp => "its answer can't be read".to_owned(),
        _ => "it could not be asked".to_owned(),
    }
}

/// A server may repeat in its error what it was asked with, its own address among it.
pub(super) fn without_secrets(message: &str) -> String {
    let words =
        message.split_whitespace().map(|word| if word.contains("://") { "(an address)" } else { word });
    words.collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).take(300).collect()
}

pub(super) fn host_of(url: &str) -> String {
    let url: Option<reqwest::Url> = url.parse().ok();
    let host = url.as_ref().and_then(|url| Some((url.host_str()?, url.port())));
    match host {
        Some((host, Some(port))) => format!("{host}:{port}"),
        Some((host, None)) => host.to_owned(),
        None => "an endpoint".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_never_shown() {
        let settings = EndpointSettings {
            url: "https://user:planted@node.example.org/v2/planted?key=planted".to_owned(),
            requests_per_second: None,
            timeout: Duration::from_secs(1),
        };
        let endpoint = Endpoint::new(&settings).unwrap();
        for shown in [format!("{settings:?}"), format!("{endpoint:?}"), endpoint.name().to_owned()] {
            assert!(!shown.contains("planted") && shown.contains("node.example.org"), "{shown}");
        }
        let repeated = without_secrets("denied for https://node.example.org/planted today");
        assert_eq!(repeated, "denied for (an address) today");
    }

    #[test]
    fn nodes_say_no_in_many_words() {
        for (message, kind) in [
            ("nonce too low: next nonce 5, tx nonce 4", RejectionKind::NonceTooLow),
            ("max fee per gas less than block base fee", RejectionKind::Underpriced),
            ("replacement transaction underpriced", RejectionKind::Underpriced),
            ("Insufficient funds for gas * price + value", RejectionKind::InsufficientFunds),
            ("intrinsic gas too low", RejectionKind::Other),
        ] {
            assert_eq!(kind_of_rejection(message), Some(kind), "{message}");
        }
        for message in ["upstream timeout", "internal error", "", "header not found"] {
            assert_eq!(kind_of_rejection(message), None, "{message}");
        }
        assert!(is_known_already("already known") && !is_known_already("unknown account"));
    }

    #[tokio::test]
    async fn encryption_is_there_and_a_server_without_it_is_none() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let timeout = Duration::from_millis(300);
        let settings = EndpointSettings { url, requests_per_second: None, timeout };
        let answer = Endpoint::new(&settings).unwrap().chain_id().await;
        assert!(matches!(answer, Err(ChainError::Unavailable(_))), "{answer:?}");
    }

    #[test]
    fn an_address_that_nobody_can_be_at_is_refused_without_being_repeated() {
        for url in ["", "node", "ftp://planted", "file:///planted"] {
            let settings =
                EndpointSettings { url: url.to_owned(), requests_per_second: None, timeout: Duration::ZERO };
            assert!(!Endpoint::new(&settings).unwrap_err().to_string().contains("planted"));
        }
    }
}
