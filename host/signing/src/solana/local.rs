//! Signs within a key's policy, with a key of the keystore or with one that is elsewhere.

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
    #[error(transparent)]
    Hand(#[from] HandError),
}

/// Why what holds a key gave no signature.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandError {
    #[error("{0}")]
    #[cfg_attr(not(feature = "ledger"), expect(dead_code, reason = "the keystore refuses nothing"))]
    Refused(String),
    #[error("{0}")]
    #[cfg_attr(not(feature = "ledger"), expect(dead_code, reason = "the keystore always answers"))]
    Unavailable(String),
    #[error("{0}")]
    Wrong(String),
}

/// What holds a key.
pub(super) trait Hand: Send + Sync {
    /// Signs a message that the policy lets through.
    fn sign(&self, message: &[u8]) -> Result<Signature, HandError>;
}

impl Hand for Locked<SigningKey> {
    fn sign(&self, message: &[u8]) -> Result<Signature, HandError> {
        Ok(Signature::from(self.get().sign(message).to_bytes()))
    }
}

/// Signs with one key of the keystore, within its policy. The one place where transactions of Solana are signed and that
/// is logged.
#[derive(Clone)]
pub struct SolanaLocalSigner {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    name: KeyName,
    wallet: Address,
    policy: Policy,
    key: Box<dyn Hand>,
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
        let key = Box::new(Locked::new(key));
        let spending = SolanaSpending::open(spending, &wallet.to_string(), clock())?;
        Ok(Self { inner: Arc::new(Inner::new(info.name, wallet, info.policy, key, spending, clock)) })
    }

    /// Signs what is asked for, if it is what it is said to be and the policy allows it.
    pub(super) async fn sign_request(&self, request: SolanaRequest) -> Result<Signature, SignFailure> {
        signed(self.inner.clone(), request).await
    }
}

/// Has a request signed beside the tasks that wait for nothing.
pub(super) async fn signed(inner: Arc<Inner>, request: SolanaRequest) -> Result<Signature, SignFailure> {
    // It waits for the disk, or for a person.
    match tokio::task::spawn_blocking(move || inner.sign(&request)).await {
        Ok(Ok(signature)) => Ok(signature),
        Ok(Err(NotSigned::Refused(refusal))) => Err(SignFailure::Refused(refusal)),
        Ok(Err(NotSigned::Failed(error))) => Err(SignFailure::Unavailable(error.to_string())),
        Ok(Err(NotSigned::Hand(HandError::Refused(why)))) => Err(SignFailure::Declined(why)),
        Ok(Err(NotSigned::Hand(HandError::Unavailable(why)))) => Err(SignFailure::Unavailable(why)),
        Ok(Err(NotSigned::Hand(HandError::Wrong(why)))) => Err(SignFailure::Wrong(why)),
        Err(error) => Err(SignFailure::Unavailable(error.to_string())),
    }
}

/// Why a signer gave no signature.
#[derive(Debug)]
pub(super) enum SignFailure {
    /// By the policy.
    Refused(SolanaRefusal),
    /// By what holds the key.
    Declined(String),
    Unavailable(String),
    Wrong(String),
}

impl From<SignFailure> for SignerError {
    fn from(failure: SignFailure) -> Self {
        match failure {
            SignFailure::Refused(refusal) => Self::Refused(refusal.to_string()),
            SignFailure::Declined(why) => Self::Refused(why),
            SignFailure::Unavailable(why) => Self::Unavailable(why),
            SignFailure::Wrong(why) => Self::Wrong(why),
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
    pub(super) fn new(
        name: KeyName,
        wallet: Address,
        policy: Policy,
        key: Box<dyn Hand>,
        spending: SolanaSpending,
        clock: Clock,
    ) -> Self {
        if policy.allow_anything {
            tracing::warn!(key = %name, %wallet, "the key's policy lets everything through");
        }
        Self { name, wallet, policy, key, spending: Mutex::new(spending), clock }
    }

    pub(super) const fn wallet(&self) -> Address {
        self.wallet
    }

    pub(super) fn name(&self) -> &str {
        self.name.as_str()
    }

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
            Err(error) => {
                tracing::error!(key = %self.name, %error, "nothing can be signed");
                return Err(error);
            }
        };
        let asked = judged.verified.asked();
        let payload = judged.verified.signing_payload();
        let signature = self.key.sign(&payload)?;
        if !signature.verify(self.wallet.as_ref(), &payload) {
            return Err(HandError::Wrong(format!("{} signed something else", self.name)).into());
        }
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
