//! Signs with a Ledger on which the Ethereum app is open. A person looks at each transaction and confirms it there, so
//! this is for slow strategies, or for the moves that are to be rare.
//!
//! The format of the exchanges is that of the Ethereum app's document "Common Technical Specifications": a command has a
//! class, an instruction, two parameters, a length and data; an answer is data and a status of two bytes. How bytes
//! travel is behind [`Transport`].
//!
//! A Ledger has no limits on what it signs but the person who holds it.

mod apdu;
mod derivation_path;
mod framing;
mod hid;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use alloy_primitives::{Address, Signature};
use async_trait::async_trait;

use crate::error::SigningError;
use crate::policy::Refusal;
use crate::request::{MAX_TRANSACTION_BYTES, SignedTransaction, SigningRequest, signing_payload};
use crate::signer::EvmSigner;

pub use apdu::Status;
pub use derivation_path::{DerivationPath, InvalidDerivationPath};
pub use hid::HidTransport;

/// What went wrong between this machine and the device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// There is none.
    #[error("no Ledger is plugged in, or this user may not use it; Ledger's udev rules let users do so")]
    NotFound,
    /// Nobody knows which is meant.
    #[error("{0} Ledgers are plugged in; leave one")]
    Several(usize),
    /// Nobody confirmed, or the device hangs.
    #[error("the Ledger did not answer in time: unlock it, open the Ethereum app, and confirm there")]
    TimedOut,
    /// The connection does not work.
    #[error("the connection to the Ledger failed: {0}")]
    Failed(String),
    /// What came back is no answer.
    #[error("the Ledger's answer is not framed as it should be: {0}")]
    Framing(&'static str),
}

/// Carries one command to the device and its answer back.
pub trait Transport: Send {
    /// Sends a command and waits for its answer, the status included.
    ///
    /// # Errors
    /// When there is no answer.
    fn exchange(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError>;
}

/// Signs with one key of a Ledger.
pub struct LedgerSigner {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    address: Address,
    path: DerivationPath,
    /// One exchange after the other: a device knows no two at a time.
    transport: Mutex<Box<dyn Transport>>,
}

impl std::fmt::Debug for LedgerSigner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("LedgerSigner")
            .field("name", &self.inner.name)
            .field("address", &self.inner.address)
            .field("path", &self.inner.path)
            .finish_non_exhaustive()
    }
}

impl LedgerSigner {
    /// Asks the device for its address at a path. `expected` is the address that the configuration names: another device,
    /// or one with another seed, is found out here and not at the first order. It waits for the device.
    ///
    /// # Errors
    /// When the device can't be asked, or has another address.
    pub fn open(
        name: impl Into<String>,
        mut transport: Box<dyn Transport>,
        path: DerivationPath,
        expected: Address,
    ) -> Result<Self, SigningError> {
        let name = name.into();
        let answer = answer(&name, transport.as_mut(), &apdu::get_address(&path))?;
        let address = apdu::address(&answer).map_err(|why| SigningError::wrong_answer(&name, why))?;
        if address != expected {
            let why = format!(
                "its address at {path} is {address}, not {expected}: it is another device or another seed"
            );
            return Err(SigningError::wrong_answer(&name, why));
        }
        let inner = Inner { name, address, path, transport: Mutex::new(transport) };
        Ok(Self { inner: Arc::new(inner) })
    }
}

#[async_trait]
impl EvmSigner for LedgerSigner {
    fn address(&self) -> Address {
        self.inner.address
    }

    fn name(&self) -> &str {
        &self.inner.name
    }

    async fn sign(&self, request: SigningRequest) -> Result<SignedTransaction, SigningError> {
        let inner = self.inner.clone();
        // It waits for a person.
        let signed = tokio::task::spawn_blocking(move || inner.sign(&request)).await;
        signed.map_err(|error| SigningError::unavailable(self.name(), error.to_string()))?
    }
}

impl Inner {
    fn sign(&self, request: &SigningRequest) -> Result<SignedTransaction, SigningError> {
        let payload = signing_payload(&request.transaction);
        if payload.len() > MAX_TRANSACTION_BYTES {
            let why = "the transaction is too long".to_owned();
            return Err(SigningError::Refused(Refusal::Rejected { signer: self.name.clone(), why }));
        }
        let mut transport = self.transport.lock().unwrap_or_else(PoisonError::into_inner);
        let mut last = Vec::new();
        for command in apdu::sign(&self.path, &payload) {
            last = answer(&self.name, transport.as_mut(), &command)?;
        }
        drop(transport);
        let signature: Signature =
            apdu::signature(&last).map_err(|why| SigningError::wrong_answer(&self.name, why))?;
        let signed = SignedTransaction::from_signature(request, signature, self.address, &self.name)?;
        tracing::info!(
            signer = %self.name, address = %self.address, chain = request.transaction.chain_id,
            nonce = request.transaction.nonce, purpose = %request.purpose, value = %request.transaction.value,
            hash = %signed.hash, "signed by a Ledger"
        );
        Ok(signed)
    }
}

/// The data of an answer, when the device did what it was asked.
fn answer(name: &str, transport: &mut dyn Transport, command: &[u8]) -> Result<Vec<u8>, SigningError> {
    let bytes =
        transport.exchange(command).map_err(|error| SigningError::unavailable(name, error.to_string()))?;
    let (data, status) =
        Status::split(&bytes).ok_or_else(|| SigningError::wrong_answer(name, "it has no status"))?;
    match status {
        Status::Done => Ok(data.to_vec()),
        Status::RejectedByUser | Status::DataRefused => {
            Err(SigningError::Refused(Refusal::Rejected { signer: name.to_owned(), why: status.to_string() }))
        }
        Status::Locked | Status::WrongApp | Status::Other(_) => {
            Err(SigningError::unavailable(name, status.to_string()))
        }
    }
}
