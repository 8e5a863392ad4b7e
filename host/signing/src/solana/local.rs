//! Signs in this process, with a key of the keystore.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bulkhead_solana::signer::{SignerError, SolanaSigner};
use bulkhead_solana::verify::Verified;
use ed25519_dalek::{Signer as _, SigningKey};
use solana_address::Address;
use solana_signature::Signature;

use super::judge::{Judged, judge};
use super::refusal::SolanaRefusal;
use super::request::SolanaRequest;
use super::spending::{NotAdmitted, SolanaSpending};
use crate::clock::{Clock, system_clock};
use crate::keystore::{KeyName, Unlocked};
use crate::local::OpenSignerError;
use crate::memory::Locked;
use crate::policy::Policy;
use crate::spending::SpendingError;

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSigned {
    #[error(transparent)]
    Refused(#[from] SolanaRefusal),
    #[error(transparent)]
    Failed(SpendingError),
}

/// Signs with one key of the keystore, within its policy. The one place where transactions of Solana are signed and that
/// is logged.
#[derive(Clone)]
pub struct SolanaLocalSigner {
    inner: Arc<Inner>,
}

struct Inner {
    name: KeyName,
    wallet: Address,
    policy: Policy,
    key: Locked<SigningKey>,
    spending: Mutex<SolanaSpending>,
    clock: Clock,
}

impl std::fmt::Debug for SolanaLocalSigner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SolanaLocalSigner")
            .field("name", &self.inner.name)
            .field("wallet", &self.inner.wallet)
            .finish_non_exhaustive()
    }
}

impl SolanaLocalSigner {
    /// Opens a key to sign with. What it signs is written down in `spending`, a directory that outlives the process.
    ///
    /// # Errors
    /// When the key can't be opened, is for other chains, or another signer has it.
    pub fn open(unlocked: &Unlocked, name: &KeyName, spending: &Path) -> Result<Self, OpenSignerError> {
        Self::open_at(unlocked, name, spending, system_clock())
    }

    pub(super) fn open_at(
        unlocked: &Unlocked,
        name: &KeyName,
        spending: &Path,
        clock: Clock,
    ) -> Result<Self, OpenSignerError> {
        let (key, info) = unlocked.open(name)?;
        let kind = || OpenSignerError::OtherKind { name: name.clone(), wanted: "Solana" };
        let key = key.solana_signer().ok_or_else(kind)?;
        let wallet = Address::new_from_array(key.verifying_key().to_bytes());
        let spending = Mutex::new(SolanaSpending::open(spending, &wallet.to_string(), clock())?);
        let inner =
            Inner { name: info.name, wallet, policy: info.policy, key: Locked::new(key), spending, clock };
        if inner.policy.allow_anything {
            tracing::warn!(key = %inner.name, %wallet, "the key's policy lets everything through");
        }
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Signs what is asked for, if it is what it is said to be and the policy allows it.
    pub(super) async fn sign_request(&self, request: SolanaRequest) -> Result<Signature, SignFailure> {
        let inner = self.inner.clone();
        // It waits for the disk.
        match tokio::task::spawn_blocking(move || inner.sign(&request)).await {
            Ok(Ok(signature)) => Ok(signature),
            Ok(Err(NotSigned::Refused(refusal))) => Err(SignFailure::Refused(refusal)),
            Ok(Err(NotSigned::Failed(error))) => Err(SignFailure::Unavailable(error.to_string())),
            Err(error) => Err(SignFailure::Unavailable(error.to_string())),
        }
    }
}

/// Why a signer gave no signature.
#[derive(Debug)]
pub(super) enum SignFailure {
    Refused(SolanaRefusal),
    Unavailable(String),
}

impl From<SignFailure> for SignerError {
    fn from(failure: SignFailure) -> Self {
        match failure {
            SignFailure::Refused(refusal) => Self::Refused(refusal.to_string()),
            SignFailure::Unavailable(why) => Self::Unavailable(why),
        }
    }
}

#[async_trait]
impl SolanaSigner for SolanaLocalSigner {
    fn address(&self) -> Address {
        self.inner.wallet
    }

    fn name(&self) -> &str {
        self.inner.name.as_str()
    }

    async fn sign(&self, order: &str, transaction: &Verified) -> Result<Signature, SignerError> {
        let order = order.parse().map_err(|error| SignerError::Refused(format!("{order:?}: {error}")))?;
        Ok(self.sign_request(SolanaRequest::new(order, transaction)).await?)
    }
}

impl Inner {
    fn sign(&self, request: &SolanaRequest) -> Result<Signature, NotSigned> {
        let judged = self.admitted(request);
        let judged = match judged {
            Ok(judged) => judged,
            Err(NotSigned::Refused(refusal)) => {
                tracing::warn!(
                    key = %self.name, wallet = %self.wallet, order = %request.order, code = refusal.code(), %refusal,
                    "refused to sign"
                );
                return Err(refusal.into());
            }
            Err(NotSigned::Failed(error)) => {
                tracing::error!(key = %self.name, %error, "nothing can be signed");
                return Err(NotSigned::Failed(error));
            }
        };
        let asked = judged.verified.asked();
        let signature = self.key.get().sign(&judged.verified.signing_payload());
        let signature = Signature::from(signature.to_bytes());
        tracing::info!(
            key = %self.name, wallet = %self.wallet, order = %request.order, gives = judged.amount,
            of = judged.token, got = %asked.got.mint, least = judged.verified.summary().least,
            most_fees = judged.fees, %signature, "signed"
        );
        Ok(signature)
    }

    fn admitted(&self, request: &SolanaRequest) -> Result<Judged, NotSigned> {
        if request.asked.owner != self.wallet {
            return Err(SolanaRefusal::UnknownKey { wallet: request.asked.owner.to_string() }.into());
        }
        let judged = judge(request, &self.policy)?;
        // What a panic left behind is what is on the disk or less; `admit` checks before it changes anything.
        let mut spending = self.spending.lock().unwrap_or_else(PoisonError::into_inner);
        match spending.admit(&request.order, &judged, (self.clock)()) {
            Ok(()) => Ok(judged),
            Err(NotAdmitted::Refused(refusal)) => Err(refusal.into()),
            Err(NotAdmitted::Failed(error)) => Err(NotSigned::Failed(error)),
        }
    }
}
