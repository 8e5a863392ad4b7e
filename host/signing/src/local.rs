//! Signs in this process, with a key of the keystore.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use alloy_primitives::Address;
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use async_trait::async_trait;

use crate::clock::{Clock, system_clock};
use crate::error::SigningError;
use crate::keystore::{KeyName, KeystoreError, Unlocked};
use crate::memory::Locked;
use crate::policy::{Allowed, Policy, check};
use crate::request::{SignedTransaction, SigningRequest};
use crate::signer::EvmSigner;
use crate::spending::{NotAdmitted, Spending, SpendingError};

/// Why a key of the keystore can't be signed with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenSignerError {
    /// The key can't be opened.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// What it has spent is not known.
    #[error(transparent)]
    Spending(#[from] SpendingError),
    /// It is a key for other chains.
    #[error("\"{name}\" is no key for {wanted}")]
    OtherKind {
        /// Which.
        name: KeyName,
        /// What it was to sign for.
        wanted: &'static str,
    },
}

/// Signs with one key of the keystore, within its policy. The one place where transactions are signed and that is
/// logged.
#[derive(Clone)]
pub struct LocalSigner {
    inner: Arc<Inner>,
}

struct Inner {
    name: KeyName,
    address: Address,
    policy: Policy,
    key: Locked<PrivateKeySigner>,
    spending: Mutex<Spending>,
    clock: Clock,
}

impl std::fmt::Debug for LocalSigner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("LocalSigner")
            .field("name", &self.inner.name)
            .field("address", &self.inner.address)
            .finish_non_exhaustive()
    }
}

impl LocalSigner {
    /// Opens a key to sign with. What it signs is written down in `spending`, a directory that outlives the process.
    ///
    /// # Errors
    /// When the key can't be opened, is for other chains, or another signer has it.
    pub fn open(unlocked: &Unlocked, name: &KeyName, spending: &Path) -> Result<Self, OpenSignerError> {
        Self::open_at(unlocked, name, spending, system_clock())
    }

    pub(crate) fn open_at(
        unlocked: &Unlocked,
        name: &KeyName,
        spending: &Path,
        clock: Clock,
    ) -> Result<Self, OpenSignerError> {
        let (key, info) = unlocked.open(name)?;
        let key = key
            .evm_signer()
            .ok_or_else(|| OpenSignerError::OtherKind { name: name.clone(), wanted: "EVM chains" })?;
        let address = key.address();
        let spending = Mutex::new(Spending::open(spending, address, clock())?);
        let inner =
            Inner { name: info.name, address, policy: info.policy, key: Locked::new(key), spending, clock };
        if inner.policy.allow_anything {
            tracing::warn!(key = %inner.name, %address, "the key's policy lets everything through");
        }
        Ok(Self { inner: Arc::new(inner) })
    }
}

#[async_trait]
impl EvmSigner for LocalSigner {
    fn address(&self) -> Address {
        self.inner.address
    }

    fn name(&self) -> &str {
        self.inner.name.as_str()
    }

    async fn sign(&self, request: SigningRequest) -> Result<SignedTransaction, SigningError> {
        let inner = self.inner.clone();
        // It waits for the disk.
        let signed = tokio::task::spawn_blocking(move || inner.sign(&request)).await;
        signed.map_err(|error| SigningError::unavailable(self.name(), error))?
    }
}

impl Inner {
    fn sign(&self, request: &SigningRequest) -> Result<SignedTransaction, SigningError> {
        let now = (self.clock)();
        let admitted = check(request, self.address, &self.policy, now)
            .map_err(NotAdmitted::Refused)
            .and_then(|allowed| self.admit(request, allowed, now));
        let (nonce, chain) = (request.transaction.nonce, request.transaction.chain_id);
        let allowed = match admitted {
            Ok(allowed) => allowed,
            Err(NotAdmitted::Refused(refusal)) => {
                tracing::warn!(
                    key = %self.name, address = %self.address, chain, nonce, purpose = %request.purpose,
                    code = refusal.code(), %refusal, "refused to sign"
                );
                return Err(SigningError::Refused(refusal));
            }
            Err(NotAdmitted::Failed(error)) => {
                tracing::error!(key = %self.name, %error, "nothing can be signed");
                return Err(SigningError::unavailable(self.name.as_str(), error));
            }
        };
        let digest = alloy_consensus::SignableTransaction::signature_hash(&request.transaction);
        let signature = self.key.get().sign_hash_sync(&digest);
        let signature =
            signature.map_err(|_| SigningError::wrong_answer(self.name.as_str(), "the key does not sign"))?;
        let signed = SignedTransaction::from_signature(request, signature, self.address, self.name.as_str())?;
        let to = request.transaction.to.to().map(ToString::to_string);
        let does = allowed.call.map_or_else(|| "not decoded".to_owned(), |call| call.to_string());
        tracing::info!(
            key = %self.name, address = %self.address, chain, nonce, to, purpose = %request.purpose, does,
            value = %request.transaction.value, most_fees = %allowed.fees, hash = %signed.hash, "signed"
        );
        Ok(signed)
    }

    fn admit(&self, request: &SigningRequest, allowed: Allowed, now: u64) -> Result<Allowed, NotAdmitted> {
        // What a panic left behind is what is on the disk or less; `admit` checks before it changes anything.
        let mut spending = self.spending.lock().unwrap_or_else(PoisonError::into_inner);
        spending.admit(request, &allowed, now)?;
        Ok(allowed)
    }
}

#[cfg(test)]
mod tests;
