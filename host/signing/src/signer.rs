//! What signs for an EVM address.

use std::sync::Arc;

use alloy_primitives::Address;
use async_trait::async_trait;

use crate::error::SigningError;
use crate::request::{SignedTransaction, SigningRequest};

/// Signs transactions of one EVM address.
///
/// Every implementation holds what it gives out against what it was asked for, with
/// [`SignedTransaction::verified`] or [`SignedTransaction::from_signature`]: the caller can rely on that the
/// transaction is the one of the request and that the signature is [`address`](Self::address)'s.
///
/// A request may be given again after [`SigningError::Unavailable`]: it counts once against the key's limits, as it has
/// the same chain, nonce and purpose.
#[async_trait]
pub trait EvmSigner: Send + Sync {
    /// The address that is signed for.
    fn address(&self) -> Address;

    /// What a person calls this signer, for logs and errors: no secret, no address of a server.
    fn name(&self) -> &str;

    /// Signs, or says why not.
    ///
    /// # Errors
    /// [`SigningError::Refused`] is final, [`SigningError::Unavailable`] may go away, and
    /// [`SigningError::WrongAnswer`] asks for a halt.
    async fn sign(&self, request: SigningRequest) -> Result<SignedTransaction, SigningError>;
}

#[async_trait]
impl<S: EvmSigner + ?Sized> EvmSigner for Arc<S> {
    fn address(&self) -> Address {
        (**self).address()
    }

    fn name(&self) -> &str {
        (**self).name()
    }

    async fn sign(&self, request: SigningRequest) -> Result<SignedTransaction, SigningError> {
        (**self).sign(request).await
    }
}
