//! Sending to those who build blocks and to nobody else, so that nobody trades ahead of it.
//!
//! Whoever builds the next block may leave a private transaction out, and then no other node knows of it. So it is sent
//! again as long as the executor asks for that, and after some blocks to everybody, if the operator allows it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alloy::consensus::{Transaction as _, TxEnvelope};
use alloy::eips::eip2718::Decodable2718 as _;
use alloy::primitives::{Address, B256, Bytes, Signature, U256, hex, keccak256};
use alloy::rpc::types::TransactionRequest;
use serde_json::{Value, json};

use super::{InvalidAddress, endpoint};
use crate::chain::{At, Chain, ChainError, Head, Receipt, Rejection, RejectionKind, Sent};
use crate::pools::round_trip::{RoundTrip, RoundTripError, Verdict};

/// A private transaction may come into one of so many blocks; then those who build them forget it.
const BLOCKS: u64 = 25;

/// Nonces that are remembered. What is over is not told here, so the lowest are forgotten.
const REMEMBERED: usize = 1_000;

/// Signs requests to a relay, which knows senders again by it. Its key is none of those that hold funds.
pub trait Identity: Send + Sync {
    /// Whose signatures they are.
    fn address(&self) -> Address;

    /// Signs a message as EIP-191 has it, with its prefix.
    ///
    /// # Errors
    ///
    /// Why not, in words without secrets.
    fn sign(&self, message: &[u8]) -> Result<Signature, String>;
}

/// How the private endpoint wants transactions.
#[derive(Clone)]
pub enum Protocol {
    /// `eth_sendPrivateTransaction` with a signed header, as Flashbots' relay.
    Relay(Arc<dyn Identity>),
    /// `eth_sendRawTransaction`, as servers that forward to builders.
    Protect,
}

impl fmt::Debug for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relay(identity) => write!(formatter, "Relay({})", identity.address()),
            Self::Protect => formatter.write_str("Protect"),
        }
    }
}

/// What becomes of a transaction that gets into no block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// It is sent privately again, as often as it takes.
    NeverPublic,
    /// Everybody gets it, or what has replaced it, so many blocks after it was sent first.
    PublicAfter(u64),
}

/// Where and how.
#[derive(Clone)]
pub struct PrivateSettings {
    /// The server's address, which may hold a secret.
    pub url: String,
    /// How it wants transactions.
    pub protocol: Protocol,
    /// What if that fails.
    pub fallback: Fallback,
    /// How long an answer may take.
    pub timeout: Duration,
}

impl fmt::Debug for PrivateSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PrivateSettings")
            .field("host", &endpoint::host_of(&self.url))
            .field("protocol", &self.protocol)
            .field("fallback", &self.fallback)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// A chain that is asked as ever and sent to privately.
pub struct PrivateFirst<C> {
    public: C,
    name: String,
    url: reqwest::Url,
    client: reqwest::Client,
    protocol: Protocol,
    fallback: Fallback,
    /// By nonce: a transaction that replaces another takes over how long it has waited.
    courses: Mutex<BTreeMap<u64, Course>>,
}

impl<C: fmt::Debug> fmt::Debug for PrivateFirst<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PrivateFirst")
            .field("public", &self.public)
            .field("name", &self.name)
            .field("protocol", &self.protocol)
            .field("fallback", &self.fallback)
            .finish_non_exhaustive()
    }
}

/// How far the transactions of a nonce have come.
#[derive(Debug, Clone, Copy)]
struct Course {
    /// The height when the first of them was sent.
    first: u64,
    /// The newest of them.
    hash: B256,
    /// Builders have it until this height; 0 while nobody is known to.
    until: u64,
    /// Whether it was sent at all.
    tried: bool,
}

impl<C: Chain> PrivateFirst<C> {
    /// What is sent goes to this endpoint first.
    ///
    /// # Errors
    ///
    /// [`InvalidAddress`] when nobody can be asked there.
    pub fn new(public: C, settings: &PrivateSettings) -> Result<Self, InvalidAddress> {
        let url = endpoint::address(&settings.url)?;
        Ok(Self {
            public,
            name: endpoint::host_of(&settings.url),
            client: endpoint::client(&url, settings.timeout)?,
            url,
            protocol: settings.protocol.clone(),
            fallback: settings.fallback,
            courses: Mutex::default(),
        })
    }

    fn courses(&self) -> MutexGuard<'_, BTreeMap<u64, Course>> {
        self.courses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered of a transaction, or a beginning at this height.
    fn course(&self, nonce: u64, hash: B256, height: u64) -> Course {
        let mut courses = self.courses();
        let begun = Course { first: height, hash, until: 0, tried: false };
        let course = courses.entry(nonce).or_insert(begun);
        if course.hash != hash {
            *course = Course { first: course.first, ..begun };
        }
        let course = *course;
        while courses.len() > REMEMBERED {
            courses.pop_first();
        }
        course
    }

    fn remember(&self, nonce: u64, course: Course) {
        self.courses().insert(nonce, course);
    }

    async fn send_privately(&self, raw: &[u8], last: u64) -> Sent {
        let raw = hex::encode_prefixed(raw);
        let (method, parameters) = match &self.protocol {
            Protocol::Relay(_) => {
                ("eth_sendPrivateTransaction", json!([{"tx": raw, "maxBlockNumber": format!("{last:#x}")}]))
            }
            Protocol::Protect => ("eth_sendRawTransaction", json!([raw])),
        };
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).to_string();
        let mut request =
            self.client.post(self.url.clone()).header(reqwest::header::CONTENT_TYPE, "application/json");
        if let Protocol::Relay(identity) = &self.protocol {
            // The text of the hash is what is signed.
            let message = keccak256(&body).to_string();
            match identity.sign(message.as_bytes()) {
                Ok(signature) => {
                    request = request
                        .header("X-Flashbots-Signature", format!("{}:{signature}", identity.address()));
                }
                Err(why) => return self.rejected(&format!("the request could not be signed: {why}")),
            }
        }
        let response = match request.body(body).send().await {
            Ok(response) => response,
            // Of some errors it is known that nothing arrived. To ask again costs less than to be wrong.
            Err(error) if error.is_timeout() => return self.unknown("it did not answer in time"),
            Err(error) if error.is_connect() => return self.unknown("no connection"),
            Err(_) => return self.unknown("the connection broke"),
        };
        let status = response.status();
        let Ok(answer) = response.bytes().await else { return self.unknown("the connection broke") };
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        let message = answer["error"]["message"].as_str().or_else(|| answer["error"].as_str());
        match (answer["result"].is_string(), message) {
            (true, _) if status.is_success() => Sent::Taken(self.name.clone()),
            (_, Some(message)) if !status.is_server_error() => {
                let code = answer["error"]["code"].as_i64().unwrap_or_default();
                let message = endpoint::without_secrets(message);
                if endpoint::is_known_already(&message) {
                    return Sent::Taken(self.name.clone());
                }
                if status.as_u16() == 429 || endpoint::is_busy(code, &message) {
                    return self.unknown("it is asked too often");
                }
                match endpoint::kind_of_rejection(&message) {
                    Some(_) => self.rejected(&message),
                    None => self.unknown(&message),
                }
            }
            _ => self.unknown(&format!("HTTP {}", status.as_u16())),
        }
    }

    fn unknown(&self, why: &str) -> Sent {
        Sent::Unknown(format!("{}: {why}", self.name))
    }

    fn rejected(&self, message: &str) -> Sent {
        let kind = endpoint::kind_of_rejection(message).unwrap_or(RejectionKind::Other);
        Sent::Rejected(Rejection { kind, message: format!("{}: {message}", self.name) })
    }
}

impl<C: Chain> Chain for PrivateFirst<C> {
    async fn chain_id(&self) -> Result<u64, ChainError> {
        self.public.chain_id().await
    }

    async fn head(&self) -> Result<Head, ChainError> {
        self.public.head().await
    }

    async fn balance(&self, of: Address) -> Result<U256, ChainError> {
        self.public.balance(of).await
    }

    async fn nonce(&self, of: Address, pending: bool) -> Result<u64, ChainError> {
        self.public.nonce(of, pending).await
    }

    async fn nonce_everywhere(&self, of: Address) -> Result<u64, ChainError> {
        self.public.nonce_everywhere(of).await
    }

    async fn call(&self, request: TransactionRequest, at: At) -> Result<Bytes, ChainError> {
        self.public.call(request, at).await
    }

    async fn call_everywhere(&self, request: TransactionRequest) -> Result<Vec<Bytes>, ChainError> {
        self.public.call_everywhere(request).await
    }

    async fn estimate_gas(&self, request: TransactionRequest) -> Result<u64, ChainError> {
        self.public.estimate_gas(request).await
    }

    async fn tip(&self) -> Result<u128, ChainError> {
        // Who builds a block leaves out what brings nothing.
        Ok(self.public.tip().await?.max(1))
    }

    async fn receipt(&self, hash: B256) -> Result<Option<Receipt>, ChainError> {
        self.public.receipt(hash).await
    }

    async fn knows(&self, hash: B256) -> Result<bool, ChainError> {
        self.public.knows(hash).await
    }

    async fn try_round_trip(&self, trip: &RoundTrip) -> Result<Verdict, RoundTripError> {
        self.public.try_round_trip(trip).await
    }

    /// Privately while that may help. The same transaction is sent again only when nobody has it any more.
    async fn send(&self, raw: &[u8]) -> Sent {
        let (nonce, hash) = match TxEnvelope::decode_2718_exact(raw) {
            Ok(transaction) => (transaction.nonce(), *transaction.tx_hash()),
            Err(_) => return self.rejected("it is no transaction"),
        };
        // Without a height nobody can say how long it is valid. Before a crash it may have been sent.
        let height = match self.public.head().await {
            Ok(head) => head.number,
            Err(error) => return Sent::Unknown(format!("it waits for the height of the chain: {error}")),
        };
        let mut course = self.course(nonce, hash, height);
        let sent = match self.fallback {
            Fallback::PublicAfter(blocks) if height >= course.first.saturating_add(blocks) => {
                tracing::info!(%hash, "it got into no block privately, so everybody gets it");
                self.public.send(raw).await
            }
            _ if height < course.until => return Sent::Taken(self.name.clone()),
            fallback => {
                let lasts = match fallback {
                    Fallback::NeverPublic => BLOCKS,
                    Fallback::PublicAfter(blocks) => blocks.clamp(1, BLOCKS),
                };
                let last = height.saturating_add(lasts);
                let sent = self.send_privately(raw, last).await;
                if matches!(sent, Sent::Taken(_)) {
                    course.until = last;
                }
                sent
            }
        };
        let before = std::mem::replace(&mut course.tried, true);
        self.remember(nonce, course);
        match sent {
            // Somebody else may have it from before.
            Sent::Rejected(rejection) if before => {
                Sent::Unknown(format!("sent before, and now refused: {}", rejection.message))
            }
            sent => sent,
        }
    }
}
