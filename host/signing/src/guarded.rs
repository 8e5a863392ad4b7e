//! A policy around a signer that has none, such as a device or a remote signer.

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use alloy_primitives::Address;
use async_trait::async_trait;

use crate::clock::{Clock, system_clock};
use crate::error::SigningError;
use crate::policy::{Policy, check};
use crate::request::{SignedTransaction, SigningRequest};
use crate::signer::EvmSigner;
use crate::spending::{NotAdmitted, Spending, SpendingError};

/// Asks a signer only for what a policy allows, and counts it before it asks.
///
/// What is asked for counts from then on, also when the signer refuses or never answers: nobody can tell whether there is
/// a signature. The policy holds for those who come this way. Who reaches the signer by another way, or has taken this
/// process over, is not held back by it: run it in `bulkhead signer`, and let nobody else reach the signer behind it.
pub struct Guarded<S> {
    signer: S,
    policy: Arc<Policy>,
    spending: Arc<Mutex<Spending>>,
    clock: Clock,
}

impl<S: std::fmt::Debug> std::fmt::Debug for Guarded<S> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Guarded").field("signer", &self.signer).finish_non_exhaustive()
    }
}

impl<S: EvmSigner> Guarded<S> {
    /// Puts a policy around a signer. What is asked of it is written down in `spending`, a directory that outlives the
    /// process and that no other signer of the address has open.
    ///
    /// # Errors
    /// When what was asked before is not known, or another signer of the address is at work.
    pub fn new(signer: S, policy: Policy, spending: &Path) -> Result<Self, SpendingError> {
        Self::new_at(signer, policy, spending, system_clock())
    }

    /// The same with a signer of this address that is opened only once it is known that no other one is at work: a
    /// device that two speak to gives one the other's answers.
    ///
    /// # Errors
    /// As [`Self::new`], and when the signer can't be opened.
    pub fn open(
        address: Address,
        policy: Policy,
        spending: &Path,
        open: impl FnOnce() -> Result<S, SigningError>,
    ) -> Result<Self, SigningError> {
        let clock = system_clock();
        let spending = Spending::open(spending, address, clock())
            .map_err(|error| SigningError::unavailable("the record of what was signed", error))?;
        let signer = open()?;
        if signer.address() != address {
            let why = format!("its address is {}, not {address}", signer.address());
            return Err(SigningError::wrong_answer(signer.name(), why));
        }
        Ok(Self::with(signer, policy, spending, clock))
    }

    fn new_at(signer: S, policy: Policy, spending: &Path, clock: Clock) -> Result<Self, SpendingError> {
        let spending = Spending::open(spending, signer.address(), clock())?;
        Ok(Self::with(signer, policy, spending, clock))
    }

    fn with(signer: S, policy: Policy, spending: Spending, clock: Clock) -> Self {
        if policy.allow_anything {
            tracing::warn!(
                key = signer.name(), address = %signer.address(), "the key's policy lets everything through"
            );
        }
        Self { signer, policy: Arc::new(policy), spending: Arc::new(Mutex::new(spending)), clock }
    }
}

#[async_trait]
impl<S: EvmSigner> EvmSigner for Guarded<S> {
    fn address(&self) -> Address {
        self.signer.address()
    }

    fn name(&self) -> &str {
        self.signer.name()
    }

    async fn sign(&self, request: SigningRequest) -> Result<SignedTransaction, SigningError> {
        let (policy, spending, now) = (self.policy.clone(), self.spending.clone(), (self.clock)());
        let (asked, own) = (request.clone(), self.address());
        // It waits for the disk.
        let admitted = tokio::task::spawn_blocking(move || {
            let allowed = check(&asked, own, &policy, now).map_err(NotAdmitted::Refused)?;
            // What a panic left behind is what is on the disk or less; `admit` checks before it changes anything.
            spending.lock().unwrap_or_else(PoisonError::into_inner).admit(&asked, &allowed, now)?;
            Ok(allowed)
        })
        .await
        .map_err(|error| SigningError::unavailable(self.name(), error.to_string()))?;
        let (chain, nonce) = (request.transaction.chain_id, request.transaction.nonce);
        match admitted {
            Ok(allowed) => {
                let does = allowed.call.map_or_else(|| "not decoded".to_owned(), |call| call.to_string());
                tracing::info!(
                    key = self.name(), address = %self.address(), chain, nonce, purpose = %request.purpose, does,
                    most_fees = %allowed.fees, "asking for a signature"
                );
                self.signer.sign(request).await
            }
            Err(NotAdmitted::Refused(refusal)) => {
                tracing::warn!(
                    key = self.name(), address = %self.address(), chain, nonce, purpose = %request.purpose,
                    code = refusal.code(), %refusal, "refused to sign"
                );
                Err(SigningError::Refused(refusal))
            }
            Err(NotAdmitted::Failed(error)) => {
                tracing::error!(key = self.name(), %error, "nothing can be signed");
                Err(SigningError::unavailable(self.name(), error.to_string()))
            }
        }
    }
}
