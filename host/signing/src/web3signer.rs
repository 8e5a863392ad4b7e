//! Signs with a [`Web3Signer`](https://docs.web3signer.consensys.io) behind HTTP.
//!
//! Of what it offers, two requests are used. `GET /api/v1/eth1/publicKeys` lists its public keys, among which the one of
//! the address is looked up. `POST /api/v1/eth1/sign/{public key}` signs the Keccak-256 hash of the bytes that it is
//! given: those are the transaction's signing payload, so that it needs to know nothing of the kind of transaction, and
//! what comes back is put on the transaction that was asked for. `eth_signTransaction` would have it make a transaction
//! of its own, which is more to go wrong and less to hold on to.
//!
//! A `Web3Signer` has no limits on what it signs.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alloy_primitives::{Address, Signature, hex};
use async_trait::async_trait;
use serde_json::json;
use ureq::Agent;
use ureq::http::{StatusCode, Uri};

use crate::error::SigningError;
use crate::policy::Refusal;
use crate::request::{MAX_TRANSACTION_BYTES, SignedTransaction, SigningRequest, signing_payload};
use crate::signer::EvmSigner;

/// What a list of public keys may be long, in bytes: some thousands of keys.
const LONGEST_KEYS: u64 = 1024 * 1024;
/// What a signature may be long, in bytes of text; it has 132.
const LONGEST_SIGNATURE: u64 = 1024;
/// A point of the curve, without the byte that says that it is not compressed.
const PUBLIC_KEY_BYTES: usize = 64;

/// Why a `Web3Signer` can't be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWeb3Signer {
    /// It is no address of a server.
    #[error(
        "the Web3Signer's address is no URL such as \"https://signer.example.org:9000\", without a user in it"
    )]
    Address,
    /// What is asked would travel in the open.
    #[error(
        "the Web3Signer's address begins with \"http:\" and is not on this machine; what is asked of it would travel in \
         the open, and anybody on the way could ask too: use \"https:\""
    )]
    Open,
}

/// Signs with one key of a `Web3Signer`.
#[derive(Clone)]
pub struct Web3Signer {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    address: Address,
    /// May hold a secret, so it is never shown.
    url: String,
    agent: Agent,
    /// What the server calls the key, once it was asked.
    identifier: Mutex<Option<String>>,
}

impl std::fmt::Debug for Web3Signer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Web3Signer")
            .field("name", &self.inner.name)
            .field("address", &self.inner.address)
            .finish_non_exhaustive()
    }
}

impl Web3Signer {
    /// A signer of `address` at a URL, which is not asked yet. `name` is what people call it; `timeout` bounds each of
    /// the two requests.
    ///
    /// # Errors
    /// When the URL is none, or what is sent there would travel in the open.
    pub fn new(
        name: impl Into<String>,
        url: &str,
        address: Address,
        timeout: Duration,
    ) -> Result<Self, InvalidWeb3Signer> {
        let url = url.trim_end_matches('/');
        check_address(url)?;
        let agent: Agent = bulkhead_outbound::configured(url).timeout_global(Some(timeout)).build().into();
        let inner =
            Inner { name: name.into(), address, url: url.to_owned(), agent, identifier: Mutex::default() };
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl Web3Signer {
    /// Asks whether it has the key.
    ///
    /// # Errors
    /// When it does not answer, or has other keys.
    pub fn check(&self) -> Result<(), SigningError> {
        self.inner.identifier().map(drop)
    }
}

fn check_address(url: &str) -> Result<(), InvalidWeb3Signer> {
    let uri: Uri = url.parse().map_err(|_| InvalidWeb3Signer::Address)?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(InvalidWeb3Signer::Address);
    };
    if authority.host().is_empty() || authority.as_str().contains('@') || uri.query().is_some() {
        return Err(InvalidWeb3Signer::Address);
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let is_here =
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match scheme {
        "https" => Ok(()),
        "http" if is_here => Ok(()),
        "http" => Err(InvalidWeb3Signer::Open),
        _ => Err(InvalidWeb3Signer::Address),
    }
}

#[async_trait]
impl EvmSigner for Web3Signer {
    fn address(&self) -> Address {
        self.inner.address
    }

    fn name(&self) -> &str {
        &self.inner.name
    }

    async fn sign(&self, request: SigningRequest) -> Result<SignedTransaction, SigningError> {
        let inner = self.inner.clone();
        // It waits for the network.
        let signed = tokio::task::spawn_blocking(move || inner.sign(&request)).await;
        signed.map_err(|error| SigningError::unavailable(self.name(), error.to_string()))?
    }
}

impl Inner {
    fn sign(&self, request: &SigningRequest) -> Result<SignedTransaction, SigningError> {
        let payload = signing_payload(&request.transaction);
        if payload.len() > MAX_TRANSACTION_BYTES {
            return Err(self.rejected("the transaction is too long"));
        }
        let identifier = self.identifier()?;
        let body = json!({ "data": hex::encode_prefixed(payload) });
        let url = format!("{}/api/v1/eth1/sign/{identifier}", self.url);
        let (status, answer) = self.answer(self.agent.post(&url).send_json(body), LONGEST_SIGNATURE)?;
        if status == StatusCode::NOT_FOUND {
            // Its keys have changed; the next request looks again.
            *self.identifier.lock().unwrap_or_else(PoisonError::into_inner) = None;
            return Err(SigningError::unavailable(&self.name, "it does not have the key any more"));
        }
        self.is_ok(status)?;
        let signature = signature(&answer)
            .ok_or_else(|| SigningError::wrong_answer(&self.name, "it is no signature of 65 bytes"))?;
        let signed = SignedTransaction::from_signature(request, signature, self.address, &self.name)?;
        tracing::info!(
            signer = %self.name, address = %self.address, chain = request.transaction.chain_id,
            nonce = request.transaction.nonce, purpose = %request.purpose, value = %request.transaction.value,
            hash = %signed.hash, "signed by a Web3Signer"
        );
        Ok(signed)
    }

    /// The public key of the address, by which the server calls the key.
    fn identifier(&self) -> Result<String, SigningError> {
        if let Some(known) = &*self.identifier.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(known.clone());
        }
        let url = format!("{}/api/v1/eth1/publicKeys", self.url);
        let (status, answer) = self.answer(self.agent.get(&url).call(), LONGEST_KEYS)?;
        self.is_ok(status)?;
        let keys: Vec<String> = serde_json::from_str(&answer)
            .map_err(|_| SigningError::wrong_answer(&self.name, "it is no list of public keys"))?;
        let found = keys.into_iter().find(|key| address_of(key) == Some(self.address));
        // Only digits of a public key get here, so nothing of the server's choosing gets into a URL.
        let found = found.ok_or(SigningError::Refused(Refusal::UnknownKey { address: self.address }))?;
        *self.identifier.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.clone());
        Ok(found)
    }

    /// The status and the text of an answer, if there is one.
    fn answer(
        &self,
        answered: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
        longest: u64,
    ) -> Result<(StatusCode, String), SigningError> {
        let unavailable =
            |error: &ureq::Error| SigningError::unavailable(&self.name, bulkhead_outbound::why(error));
        let mut response = answered.map_err(|error| unavailable(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Ok((status, String::new()));
        }
        match response.body_mut().with_config().limit(longest).read_to_string() {
            Ok(text) => Ok((status, text)),
            Err(ureq::Error::BodyExceedsLimit(_)) => {
                Err(SigningError::wrong_answer(&self.name, "it is longer than any answer needs to be"))
            }
            Err(error) => Err(unavailable(&error)),
        }
    }

    fn is_ok(&self, status: StatusCode) -> Result<(), SigningError> {
        match status {
            StatusCode::OK => Ok(()),
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(self.rejected(&format!("it answered with status {}", status.as_u16())))
            }
            _ => {
                let why = format!("it answered with status {}", status.as_u16());
                Err(SigningError::unavailable(&self.name, why))
            }
        }
    }

    fn rejected(&self, why: &str) -> SigningError {
        SigningError::Refused(Refusal::Rejected { signer: self.name.clone(), why: why.to_owned() })
    }
}

/// The address of a public key in hexadecimal.
fn address_of(key: &str) -> Option<Address> {
    let bytes = hex::decode(key).ok()?;
    (bytes.len() == PUBLIC_KEY_BYTES).then(|| Address::from_raw_public_key(&bytes))
}

/// A signature as r, s and the parity, which is written as 0 and 1 or as 27 and 28.
fn signature(text: &str) -> Option<Signature> {
    // Some versions answer in JSON, with quotation marks around it.
    let bytes = hex::decode(text.trim().trim_matches('"')).ok()?;
    let (&parity, rs) = bytes.split_last()?;
    let parity = match parity {
        0 | 27 => false,
        1 | 28 => true,
        _ => return None,
    };
    (rs.len() == 64).then(|| Signature::from_bytes_and_parity(rs, parity))
}
