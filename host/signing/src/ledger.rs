//! Signs with a Ledger on which a chain's app is open. A person looks at each transaction and confirms it there, so
//! this is for slow strategies, or for the moves that are to be rare.
//!
//! The format of the exchanges is that of the Ethereum app's document "Common Technical Specifications", and of the
//! description in the Solana app's repository: a command has a class, an instruction, two parameters, a length and data;
//! an answer is data and a status of two bytes. How bytes travel is behind [`Transport`].
//!
//! A Ledger has no limits on what it signs but the person who holds it. [`LedgerSigner`] is the one of EVM chains; that of
//! Solana is in the module `solana`.

mod derivation_path;
pub(crate) mod device;
mod ethereum_app;
#[cfg(test)]
mod ethereum_tests;
mod framing;
mod hid;
#[cfg(test)]
pub(crate) mod recorded;
#[cfg(feature = "solana")]
pub(crate) mod solana_app;

use std::sync::{Arc, Mutex, PoisonError};

use alloy_primitives::{Address, Signature};
use async_trait::async_trait;

use crate::error::SigningError;
use crate::policy::Refusal;
use crate::request::{MAX_TRANSACTION_BYTES, SignedTransaction, SigningRequest, signing_payload};
use crate::signer::EvmSigner;

use self::device::{App, Device, NotDone};

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
    #[error("the Ledger did not answer in time: unlock it, open the chain's app, and confirm there")]
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
    device: Mutex<Device>,
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
        transport: Box<dyn Transport>,
        path: DerivationPath,
        expected: Address,
    ) -> Result<Self, SigningError> {
        let name = name.into();
        let mut device = Device::new(App::Ethereum, transport);
        let answer = device.ask(&ethereum_app::get_address(&path)).map_err(|error| told(&name, error))?;
        let address = ethereum_app::address(&answer).map_err(|why| SigningError::wrong_answer(&name, why))?;
        if address != expected {
            let why = format!(
                "its address at {path} is {address}, not {expected}: it is another device or another seed"
            );
            return Err(SigningError::wrong_answer(&name, why));
        }
        let inner = Inner { name, address, path, device: Mutex::new(device) };
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
        let mut device = self.device.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = device.ask_all(&ethereum_app::sign(&self.path, &payload));
        drop(device);
        let answer = answer.map_err(|error| told(&self.name, error))?;
        let signature: Signature =
            ethereum_app::signature(&answer).map_err(|why| SigningError::wrong_answer(&self.name, why))?;
        let signed = SignedTransaction::from_signature(request, signature, self.address, &self.name)?;
        tracing::info!(
            signer = %self.name, address = %self.address, chain = request.transaction.chain_id,
            nonce = request.transaction.nonce, purpose = %request.purpose, value = %request.transaction.value,
            hash = %signed.hash, "signed by a Ledger"
        );
        Ok(signed)
    }
}

fn told(name: &str, error: NotDone) -> SigningError {
    match error {
        NotDone::Refused(why) => SigningError::Refused(Refusal::Rejected { signer: name.to_owned(), why }),
        NotDone::Unavailable(why) => SigningError::unavailable(name, why),
        NotDone::Wrong(why) => SigningError::wrong_answer(name, why),
    }
}
